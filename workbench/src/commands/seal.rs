//! `seal`: plain keys in config.json become digests; the plain ones go to keys.json.

use crate::owner::edit::Edit;
use crate::owner::fault::Fault;
use crate::owner::known_keys::{forget, keep};
use crate::owner::names::{quoted, who};
use crate::owner::secrets::new_key;
use crate::owner::strength::weakness;
use crate::owner::urls::{show_panel, show_urls, Codes};
use crate::owner::view::{each_key, KeyOf};
use crate::owner::workbench::Workbench;
use remotetask::key::Digest;

/// Seals every plain key. A weak one is replaced where `renew` says so, or the owner, who is asked on a
/// terminal: its digest can be guessed. Whether nothing is left to do.
pub fn run(bench: &Workbench, renew: bool) -> Result<bool, Fault> {
    let screen = &bench.screen;
    let mut edit = Edit::begin(&bench.folder)?;
    let labels: Vec<String> =
        edit.magic_keys().iter().enumerate().map(|(at, entry)| who(at, entry["label"].as_str())).collect();
    let plain = plain(&mut edit);
    if plain.is_empty() {
        screen.say("Every key is sealed already; nothing was changed.");
        return Ok(true);
    }
    // While a question stands open others may change something.
    drop(edit);
    let mut renewed = Vec::new();
    for (means, key) in &plain {
        let Some(why) = weakness(key) else { continue };
        let (whose, rotate) = match means {
            KeyOf::MagicKey(at) => (format!("of {}", labels[*at]), format!("key rotate {}", quoted(&labels[*at]))),
            KeyOf::Panel => ("of the panel".into(), "set panel new".into()),
            KeyOf::Task(id) => (format!("of task {id}"), format!("tasks rotate {}", quoted(id))),
        };
        screen.say(format_args!(
            "The key {whose} is weak: {why}. Sealing it protects nothing, for its digest can be guessed."
        ));
        if renew || screen.ask("Take a new one in its place (its URLs change), or seal it as it is (n)?")? {
            renewed.push((key.clone(), new_key()?, means.clone()));
        } else {
            screen.say("It is sealed as it is. A new one can be had later, too:");
            screen.literal(format_args!("  {} {rotate}", bench.typed()));
        }
    }
    let mut edit = Edit::begin(&bench.folder)?;
    if self::plain(&mut edit) != plain {
        return Err(Fault::new(
            "the keys in config.json were changed meanwhile; nothing was sealed: type the same again",
        ));
    }
    let new = |key: &String| renewed.iter().find(|(old, ..)| old == key).map_or(key, |(_, new, _)| new).clone();
    let kept: Vec<String> = plain.iter().map(|(_, key)| new(key)).collect();
    each_key(edit.value(), &mut |_, key| {
        if !key.starts_with("sha256:") {
            *key = Digest::of(new(key).as_bytes()).sealed();
        }
    });
    keep(bench, &kept.iter().map(String::as_str).collect::<Vec<_>>())?;
    let held = edit.commit()?;
    let gone: Vec<Digest> = renewed.iter().map(|(old, ..)| Digest::of(old.as_bytes())).collect();
    let forgotten = forget(bench, &gone);
    drop(held);

    screen
        .say(format_args!("Sealed: {}. The keys themselves are in keys.json, which root alone can read.", plain.len()));
    screen.say("Copies of config.json that were made before still hold the plain keys: delete them.");
    match renewed.is_empty() {
        true => screen.say("Every URL goes on working."),
        false => screen
            .say(format_args!("Replaced: {}. Their old URLs are refused from the next request on.", renewed.len())),
    }
    for (_, _, means) in &renewed {
        match means {
            KeyOf::MagicKey(at) => show_urls(bench, Some(&labels[*at]), None, Codes::Terminal)?,
            KeyOf::Panel => show_panel(bench, None, Codes::Terminal)?,
            KeyOf::Task(id) => show_urls(bench, None, Some(id), Codes::Terminal)?,
        }
    }
    Ok(forgotten)
}

/// The keys that stand there as they are, and what each is for.
fn plain(edit: &mut Edit) -> Vec<(KeyOf, String)> {
    let mut plain = Vec::new();
    each_key(edit.value(), &mut |means, key| {
        if !key.starts_with("sha256:") {
            plain.push((means, key.clone()));
        }
    });
    plain
}
