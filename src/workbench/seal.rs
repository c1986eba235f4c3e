//! `seal`: plain keys in config.json become digests; the plain ones go to keys.json.

use super::edit::Edit;
use super::people::{forget, keep};
use super::secrets::new_key;
use super::strength::weakness;
use super::url::{show_urls, Codes};
use super::view::{each_key, who, Means};
use super::{Bench, Fault};
use crate::key::Digest;

/// Seals every plain key. A weak one is replaced where `renew` says so, or the owner, who is asked on a
/// terminal: its digest can be guessed.
pub fn run(bench: &Bench, renew: bool) -> Result<(), Fault> {
    let screen = &bench.screen;
    let mut edit = Edit::begin(&bench.folder)?;
    let labels: Vec<String> =
        edit.magic_keys().iter().enumerate().map(|(at, entry)| who(at, entry["label"].as_str())).collect();
    let mut plain = Vec::new();
    each_key(edit.value(), &mut |means, key| {
        if !key.starts_with("sha256:") {
            plain.push((means, key.clone()));
        }
    });
    if plain.is_empty() {
        screen.say("Every key is sealed already; nothing was changed.");
        return Ok(());
    }

    let mut renewed = Vec::new();
    let mut kept: Vec<String> = Vec::new();
    for (means, key) in &plain {
        let Some(why) = weakness(key) else {
            kept.push(key.clone());
            continue;
        };
        let whose = match means {
            Means::Who(at) => format!("of {}", labels[*at]),
            Means::What(id) => format!("of task {id}"),
        };
        screen.say(format_args!(
            "The key {whose} is weak: {why}. Sealing it protects nothing, for its digest can be guessed."
        ));
        if renew || screen.ask("Take a new one in its place? Its URLs change then.")? {
            let new = new_key()?;
            kept.push(new.clone());
            renewed.push((key.clone(), new, means.clone()));
        } else {
            kept.push(key.clone());
            screen.say("It was sealed as it is; remotetask seal --renew would have taken a new one. Later, too:");
            screen.literal(match means {
                Means::Who(at) => format!("  remotetask key rotate {}", super::url::quoted(&labels[*at])),
                Means::What(id) => format!("  remotetask tasks rotate {}", super::url::quoted(id)),
            });
        }
    }
    each_key(edit.value(), &mut |_, key| {
        if !key.starts_with("sha256:") {
            let new = renewed.iter().find(|(old, ..)| old == key).map_or(&*key, |(_, new, _)| new);
            *key = Digest::of(new.as_bytes()).sealed();
        }
    });
    keep(bench, &kept.iter().map(String::as_str).collect::<Vec<_>>())?;
    let held = edit.commit()?;
    let gone: Vec<Digest> = renewed.iter().map(|(old, ..)| Digest::of(old.as_bytes())).collect();
    forget(bench, &gone)?;
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
            Means::Who(at) => show_urls(bench, Some(&labels[*at]), None, Codes::Terminal)?,
            Means::What(id) => show_urls(bench, None, Some(id), Codes::Terminal)?,
        }
    }
    Ok(())
}
