//! The keys: can they be read where they lie, can they be guessed, are they still of use?

use chrono::Local;

use crate::nas::installation::Installation;
use crate::owner::fault::Fault;
use crate::owner::finding::{findings, Found};
use crate::owner::strength::{weakness, Weakness, PUBLISHED};
use remotetask::config::{Config, MagicKey};
use remotetask::files::Regular;
use remotetask::key::{Digest, Key};
use remotetask::trust::is_own;

findings! {
    Unreadable { why, file }: "keys-unreadable", Fault,
        "The workbench cannot use what it has kept: <why>.",
        "Move it away. Every URL goes on working, but those of sealed keys cannot be shown any more: `sudo mv <file> \
         <file>.away`";
    Published { whose, kind, name }: "key-published", Fault,
        "The key of <whose> stands in a published example: everybody knows it.",
        "Take a new one. Its old URLs are refused then: `sudo remotetask <kind> rotate <name>`";
    Example { whose, kind, name }: "key-example", Advice,
        "The key of <whose> is the published example's. That is good enough for a trial that this machine alone can \
         reach.",
        "Take a new one before others can reach it: `sudo remotetask <kind> rotate <name>`";
    Weak { whose, why, kind, name }: "key-weak", Advice,
        "The key of <whose> is weak: <why>.",
        "Take a new one. Its old URLs are refused then: `sudo remotetask <kind> rotate <name>`";
    PanelPublished {}: "panel-published", Fault,
        "The panel's key stands in a published example: everybody knows it.",
        "Take a new one. Its old URLs are refused then: `sudo remotetask set panel new`";
    PanelWeak { why }: "panel-weak", Advice,
        "The panel's key is weak: <why>.",
        "Take a new one. Its old URLs are refused then: `sudo remotetask set panel new`";
    SameLabel { label, numbers, file }: "keys-same-label", Advice,
        "Several magic keys have the label <label>: <numbers>. The log and the answers cannot tell their callers apart.",
        "Give each a label of its own in config.json: `sudo vi <file>`";
    PlainText { count }: "keys-plain", Advice,
        "config.json holds <count> keys in plain text. Every web application of this machine can read them \
         there.",
        "Make them digests, which tell nothing; the URLs stay the same. If one of those applications may have been \
         broken into, take new keys then (remotetask key rotate, for each): `sudo remotetask seal`";
    AllExpired { label }: "keys-all-expired", Fault,
        "Every magic key has expired, so every URL is refused.",
        "Make one that is valid: `sudo remotetask key new --label <label>`";
    Expired { whose, day, name }: "key-expired", Advice,
        "The key of <whose> has expired; its last day was <day>.",
        "Take it out, or write a later day at its \"expires\" in config.json: `sudo remotetask key revoke <name>`";
}

/// Looks at config.json's keys, and at those that keys.json knows behind digests.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let path = nas.path("keys.json");
    // One that others can change is found among the files, with another action.
    let by_others = Regular::open(&path).is_ok_and(|file| !is_own(&file, nas.folder));
    if let (Err(Fault(why)), false) = (&nas.secrets, by_others) {
        found.push(Unreadable { why, file: &path.display() }.found());
    }
    let Some(config) = nas.config else { return found };
    let keys = each(config);
    for Named { key, whose, kind, name } in &keys {
        if is_published(key) {
            let at_home = nas.trial && config.server.listen.is_loopback();
            found.push(match at_home {
                true => Example { whose, kind, name }.found(),
                false => Published { whose, kind, name }.found(),
            });
        } else if let Some(why) = weak(nas, key) {
            found.push(Weak { whose, why: &why, kind, name }.found());
        }
    }
    // Two identifiers of one task are one finding.
    found.dedup_by(|one, other| one.sentence == other.sentence);
    found.extend(config.server.panel.as_ref().and_then(|key| panel(nas, key)));
    found.extend(same_labels(nas, &config.server.magic_keys));
    let all = keys.iter().map(|named| &named.key).chain(&config.server.panel);
    let count = all.filter(|key| !key.sealed).count();
    if count > 0 {
        found.push(PlainText { count: &count }.found());
    }
    found.extend(expired(config));
    found
}

fn is_published(key: &Key) -> bool {
    PUBLISHED.iter().any(|known| Digest::of(known.as_bytes()) == key.digest)
}

/// The weakness of a key that is known here and stands in no published example.
fn weak(nas: &Installation<'_>, key: &Key) -> Option<Weakness> {
    let text = nas.plain.iter().find(|text| Digest::of(text.as_bytes()) == key.digest).map(String::as_str);
    let kept = nas.secrets.as_ref().ok().and_then(|secrets| secrets.plain(&key.digest));
    text.or(kept).and_then(weakness).filter(|why| *why != Weakness::Published)
}

fn panel(nas: &Installation<'_>, key: &Key) -> Option<Found> {
    let at_home = nas.trial && nas.config.is_some_and(|config| config.server.listen.is_loopback());
    match (is_published(key), at_home) {
        (true, true) => Some(PanelWeak { why: &Weakness::Published }.found()),
        (true, false) => Some(PanelPublished.found()),
        (false, _) => weak(nas, key).map(|why| PanelWeak { why: &why }.found()),
    }
}

/// Labels that several keys have; a command takes them for the same whatever the case of their letters.
fn same_labels(nas: &Installation<'_>, keys: &[MagicKey<'_>]) -> Vec<Found> {
    let label = |at: usize| keys[at].label.as_ref().map(|label| label.to_lowercase());
    let same = |at: usize| (0..keys.len()).filter(move |other| label(at).is_some() && label(*other) == label(at));
    let firsts = (0..keys.len()).filter(|at| same(*at).next() == Some(*at) && same(*at).count() > 1);
    let found = |at: usize| {
        let numbers: Vec<String> = same(at).map(|other| format!("#{}", other + 1)).collect();
        let label = keys[at].label.as_deref().unwrap_or_default();
        let file = nas.path("config.json");
        SameLabel { label: &label, numbers: &numbers.join(", "), file: &file.display() }.found()
    };
    firsts.map(found).collect()
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
        found.push(AllExpired { label: &label.unwrap_or_default() }.found());
    }
    for (at, key) in keys.iter().enumerate() {
        if let Some(day) = over(key) {
            let name = called(keys, at);
            found.push(Expired { whose: &name, day: &day, name: &name }.found());
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
