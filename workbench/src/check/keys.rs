//! The keys: can they be read where they lie, can they be guessed, are they still of use?

use chrono::Local;

use crate::nas::installation::Installation;
use crate::owner::fault::Fault;
use crate::owner::finding::{Found, Kind, Level};
use crate::owner::strength::{weakness, Weakness, PUBLISHED};
use remotetask::config::{Config, MagicKey};
use remotetask::key::{Digest, Key};

static UNREADABLE: Kind = Kind {
    code: "keys-unreadable",
    level: Level::Fault,
    places: &[],
    says: "The workbench cannot use what it has kept: <why>.",
    cure: "Move it away. Every URL goes on working, but those of sealed keys cannot be shown any more: `sudo mv \
           <file> <file>.away`",
};
static IS_PUBLISHED: Kind = Kind {
    code: "key-published",
    level: Level::Fault,
    places: &[],
    says: "The key of <whose> stands in a published example: everybody knows it.",
    cure: "Take a new one. Its old URLs are refused then: `sudo remotetask <kind> rotate <name>`",
};
static IS_EXAMPLE: Kind = Kind {
    code: "key-example",
    level: Level::Advice,
    places: &[],
    says: "The key of <whose> is the published example's. That is good enough for a trial that this machine alone \
           can reach.",
    cure: "Take a new one before others can reach it: `sudo remotetask <kind> rotate <name>`",
};
static IS_WEAK: Kind = Kind {
    code: "key-weak",
    level: Level::Advice,
    places: &[],
    says: "The key of <whose> is weak: <why>.",
    cure: "Take a new one. Its old URLs are refused then: `sudo remotetask <kind> rotate <name>`",
};
static ARE_PLAIN: Kind = Kind {
    code: "keys-plain",
    level: Level::Advice,
    places: &[],
    says: "Keys stand in config.json as they are, <count> of them. Every web application of this machine can read \
           them there.",
    cure: "Make them digests, which tell nothing; the URLs stay the same. If one of those applications may have been broken \
           into, take new keys then (remotetask key rotate, for each): `sudo remotetask seal`",
};
static ALL_EXPIRED: Kind = Kind {
    code: "keys-all-expired",
    level: Level::Fault,
    places: &[],
    says: "Every magic key has expired, so every URL is refused.",
    cure: "Make one that is valid: `sudo remotetask key new --label <label>`",
};
static HAS_EXPIRED: Kind = Kind {
    code: "key-expired",
    level: Level::Advice,
    places: &[],
    says: "The key of <whose> has expired; its last day was <day>.",
    cure: "Take it out, or write a later day at its \"expires\" in config.json: `sudo remotetask key revoke <name>`",
};

/// The findings of this module.
#[cfg(test)]
pub static KINDS: &[&Kind] =
    &[&UNREADABLE, &IS_PUBLISHED, &IS_EXAMPLE, &IS_WEAK, &ARE_PLAIN, &ALL_EXPIRED, &HAS_EXPIRED];

/// Looks at config.json's keys, and at those that keys.json knows behind digests.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    if let Err(Fault(why)) = &nas.secrets {
        let file = nas.path("keys.json").display().to_string();
        found.push(UNREADABLE.found(&[("why", why), ("file", &file)]));
    }
    let Some(config) = nas.config else { return found };
    let keys = each(config);
    for Named { key, whose, kind, name } in &keys {
        let names = [("whose", &**whose), ("kind", kind), ("name", name)];
        let text = nas.plain.iter().find(|text| Digest::of(text.as_bytes()) == key.digest).map(String::as_str);
        let kept = nas.secrets.as_ref().ok().and_then(|secrets| secrets.plain(&key.digest));
        if PUBLISHED.iter().any(|known| Digest::of(known.as_bytes()) == key.digest) {
            let at_home = nas.trial && config.server.listen.is_loopback();
            let kind = if at_home { &IS_EXAMPLE } else { &IS_PUBLISHED };
            found.push(kind.found(&names));
        } else if let Some(why) = text.or(kept).and_then(weakness).filter(|why| *why != Weakness::Published) {
            found.push(IS_WEAK.found(&[&names[..], &[("why", &why.to_string())]].concat()));
        }
    }
    // Two identifiers of one task are one finding.
    found.dedup_by(|one, other| one.says == other.says);
    let count = keys.iter().filter(|named| !named.key.sealed).count();
    if count > 0 {
        found.push(ARE_PLAIN.found(&[("count", &count.to_string())]));
    }
    found.extend(expired(config));
    found
}

fn expired(config: &Config<'_>) -> Vec<Found> {
    let today = Local::now().date_naive();
    let keys = &config.server.magic_keys;
    let over = |key: &MagicKey<'_>| key.expires.filter(|last| *last < today);
    let mut found = Vec::new();
    if keys.iter().all(|key| over(key).is_some()) {
        let taken =
            |label: &String| keys.iter().any(|key| key.label.as_ref().is_some_and(|l| l.eq_ignore_ascii_case(label)));
        let label = (1..).map(|n| if n == 1 { "me".into() } else { format!("me {n}") }).find(|label| !taken(label));
        found.push(ALL_EXPIRED.found(&[("label", &label.unwrap_or_default())]));
    }
    for (at, key) in keys.iter().enumerate() {
        if let Some(day) = over(key) {
            let name = called(keys, at);
            found.push(HAS_EXPIRED.found(&[("whose", &name), ("day", &day.to_string()), ("name", &name)]));
        }
    }
    found
}

/// A key, and how the workbench's commands name it.
struct Named {
    key: Key,
    whose: String,
    kind: &'static str,
    name: String,
}

fn each(config: &Config<'_>) -> Vec<Named> {
    let keys = &config.server.magic_keys;
    let magic = keys.iter().enumerate().map(|(at, entry)| {
        let name = called(keys, at);
        Named { key: entry.key, whose: name.clone(), kind: "key", name }
    });
    let tasks = config.tasks.iter().flat_map(|task| {
        let named = |key: &Key| Named {
            key: *key,
            whose: format!("task {}", task.id),
            kind: "tasks",
            name: task.id.to_string(),
        };
        task.identifiers.iter().map(named)
    });
    magic.chain(tasks).collect()
}

/// The label, where it means this key alone and is not taken for anything else; else the number.
fn called(keys: &[MagicKey<'_>], at: usize) -> String {
    let label = keys[at].label.as_deref().filter(|label| {
        let same =
            |key: &&MagicKey<'_>| key.label.as_ref().is_some_and(|other| other.to_lowercase() == label.to_lowercase());
        !label.starts_with(['#', '-']) && !label.is_empty() && keys.iter().filter(same).count() == 1
    });
    label.map_or_else(|| format!("#{}", at + 1), str::to_owned)
}
