//! People and devices: a magic key for each, so that one can be taken back alone.

use crate::owner::names::{both, called, find_or_say, labelled, name, quoted, task_id, who};
use crate::owner::urls::{show_urls, Codes};
use chrono::{Local, NaiveDate};
use serde_json::{Map, Value};

use crate::owner::edit::Edit;
use crate::owner::fault::Fault;
use crate::owner::known_keys::{forget, keep};
use crate::owner::panel;
use crate::owner::secrets::new_key;
use crate::owner::view::View;
use crate::owner::workbench::Workbench;
use remotetask::config::network as network_of;
use remotetask::key::{Digest, Key};
use remotetask::record;

/// The limits of a new key.
pub struct NewKey {
    /// Its holder.
    pub label: String,
    /// The last valid day.
    pub expires: Option<String>,
    /// Networks.
    pub from: Vec<String>,
    /// The only tasks.
    pub tasks: Vec<String>,
}

/// `key new`: one more person or device.
pub fn new(bench: &Workbench, new: NewKey, codes: Codes) -> Result<(), Fault> {
    let mut edit = Edit::begin(&bench.folder)?;
    let label = label(&new.label)?;
    if let Some(taken) = labelled(edit.magic_keys(), label).first() {
        let shown = name(edit.magic_keys(), *taken);
        return Err(Fault(format!(
            "there is a key of {shown} already; choose another label, or give it a new key: remotetask key rotate {}",
            quoted(&shown)
        )));
    }
    let mut entry = Map::new();
    let key = new_key()?;
    entry.insert("label".into(), label.into());
    entry.insert("key".into(), Digest::of(key.as_bytes()).sealed().into());
    if let Some(day) = &new.expires {
        entry.insert("expires".into(), day_to_come(day)?.into());
    }
    for network in &new.from {
        network_of(network.trim().into()).map_err(|why| Fault(format!("--from {network}: {why}")))?;
    }
    if !new.from.is_empty() {
        let networks: Vec<&str> = new.from.iter().map(|network| network.trim()).collect();
        entry.insert("from".into(), networks.into());
    }
    if !new.tasks.is_empty() {
        let there = called(edit.tasks());
        let wanted = new.tasks.iter().filter(|task| !task.trim().is_empty());
        let mut ids = wanted.map(|task| task_id(&there, task)).collect::<Result<Vec<String>, Fault>>()?;
        let mut seen = std::collections::HashSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        entry.insert("tasks".into(), ids.into());
    }
    edit.magic_keys().push(entry.into());
    let panel = panel::begin(&mut edit)?;
    keep(bench, &[&*key].into_iter().chain(panel.as_deref()).collect::<Vec<_>>())?;
    drop(edit.commit()?);

    let screen = &bench.screen;
    screen.say(format_args!("{label} has a key now."));
    if panel.is_some() {
        screen.say("There is a panel now, a page with a button for each task that its caller may start.");
    }
    show_urls(bench, Some(label), None, codes)?;
    screen.say("One task alone, or text for a program:");
    screen.literal(format_args!("  {} url TASK --who {} --for curl", bench.typed(), quoted(label)));
    Ok(())
}

/// `key list`: whose keys there are; never a key.
pub fn list(bench: &Workbench) -> Result<(), Fault> {
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let today = Local::now().date_naive();
    for (number, entry) in config.server.magic_keys.iter().enumerate() {
        bench.screen.heading(who(number, entry.label.as_deref()));
        let made = view.secrets.made(&entry.key.digest);
        let made = made.map_or_else(|| "not known".into(), |made| made.format("%Y-%m-%d %H:%M").to_string());
        let last = record::last_use(&bench.path("state"), &entry.key.digest);
        let last = last.map(|time| chrono::DateTime::<Local>::from(time).format("%Y-%m-%d %H:%M").to_string());
        bench.screen.say(format_args!("  made {made}; last start {}", last.unwrap_or_else(|| "never".into())));
        let mut limits = Vec::new();
        if let Some(day) = entry.expires {
            limits.push(match day < today {
                true => format!("expired since the end of {day}"),
                false => format!("until the end of {day}"),
            });
        }
        if !entry.from.is_empty() {
            let networks: Vec<String> = entry.from.iter().map(ToString::to_string).collect();
            limits.push(format!("from {} alone", networks.join(", ")));
        }
        match &entry.tasks {
            Some(tasks) => {
                let name =
                    |id: &str| config.tasks.iter().find(|task| task.id == id).and_then(|task| task.name.as_deref());
                let tasks: Vec<String> = tasks.iter().map(|id| both(id, name(id))).collect();
                limits.push(format!("tasks: {}", tasks.join(", ")));
            }
            None => limits.push("every task".into()),
        }
        bench.screen.say(format_args!("  {}", limits.join("; ")));
        if !entry.key.sealed {
            bench.screen.say("  not sealed: remotetask seal keeps it from whoever reads config.json");
        }
    }
    Ok(())
}

/// `key revoke`: takes a key back. It is refused from the next request on. Whether nothing is left to do.
pub fn revoke(bench: &Workbench, wanted: &str) -> Result<bool, Fault> {
    let mut edit = Edit::begin(&bench.folder)?;
    let keys = edit.magic_keys();
    let at = find_or_say(keys, wanted)?;
    if keys.len() == 1 {
        return Err(Fault::new(
            "this is the only key there is, and without one nobody could start anything. Make another first with \
             remotetask key new, or replace this one with remotetask key rotate",
        ));
    }
    let shown = name(keys, at);
    let mut gone = vec![keys.remove(at)];
    // And what a rotation left of it.
    gone.extend(take_old(keys, &gone[0]));
    if keys.is_empty() {
        return Err(Fault::new("no key would be left; make another first with remotetask key new"));
    }
    let digests: Vec<Digest> = gone.iter().filter_map(digest_of).collect();
    let _held = edit.commit()?;
    for entry in &gone {
        let label = entry["label"].as_str().unwrap_or(&shown);
        bench.screen.say(format_args!("The key of {label} is refused from the next request on."));
    }
    Ok(forget(bench, &digests))
}

/// Takes out what rotations left of this entry's key until some day.
fn take_old(keys: &mut Vec<Value>, entry: &Value) -> Vec<Value> {
    let Some(label) = entry["label"].as_str() else { return Vec::new() };
    let old = format!("{label}{OLD}");
    let is_old = |entry: &Value| entry["label"].as_str().is_some_and(|label| label.starts_with(&old));
    let (gone, stay) = std::mem::take(keys).into_iter().partition(is_old);
    *keys = stay;
    gone
}

/// Behind the label of a key that a rotation left until the day that follows.
const OLD: &str = " (old, until ";

/// `key rotate`: a new key in the place of an old one, which stays valid until the end of a day, or not.
/// Whether nothing is left to do.
pub fn rotate(bench: &Workbench, wanted: &str, old_until: Option<&str>, codes: Codes) -> Result<bool, Fault> {
    let mut edit = Edit::begin(&bench.folder)?;
    let keys = edit.magic_keys();
    let at = find_or_say(keys, wanted)?;
    let shown = name(keys, at);
    let old = keys[at].clone();
    let key = new_key()?;
    let sealed = Value::from(Digest::of(key.as_bytes()).sealed());
    match &mut keys[at] {
        Value::Object(entry) => drop(entry.insert("key".into(), sealed)),
        plain => *plain = sealed,
    }
    // The leftover of an earlier rotation ends with this one.
    let older = take_old(keys, &old);
    let mut gone: Vec<Digest> = older.iter().filter_map(digest_of).collect();
    match old_until {
        None => gone.extend(digest_of(&old)),
        Some(day) => {
            let day = day_to_come(day)?;
            let mut entry = match old {
                Value::Object(entry) => entry,
                key => Map::from_iter([("key".to_owned(), key)]),
            };
            // Never longer than it was to be valid anyway; days in this form sort as texts.
            let earlier = entry.get("expires").and_then(Value::as_str).filter(|expires| *expires < &*day);
            let last = earlier.map_or(day.clone(), str::to_owned);
            let label = entry.get("label").and_then(Value::as_str).unwrap_or("without a label");
            entry.insert("label".into(), format!("{label}{OLD}{last})").into());
            entry.insert("expires".into(), last.into());
            keys.push(entry.into());
        }
    }
    keep(bench, &[&key])?;
    let held = edit.commit()?;
    bench.screen.say(match old_until {
        Some(day) => format!("{shown} has a new key; the old one is valid until the end of {day}."),
        None => format!("{shown} has a new key; the old one is refused from the next request on."),
    });
    for entry in &older {
        let label = entry["label"].as_str().unwrap_or_default();
        bench.screen.say(format_args!("The key of {label} is refused from the next request on."));
    }
    let forgotten = forget(bench, &gone);
    drop(held);
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let new = Digest::of(key.as_bytes());
    let number = config.server.magic_keys.iter().position(|entry| entry.key.digest == new);
    let number = number.ok_or_else(|| Fault::new("the new key is not in config.json; somebody else has changed it"))?;
    show_urls(bench, Some(&who(number, config.server.magic_keys[number].label.as_deref())), None, codes)?;
    Ok(forgotten)
}

fn digest_of(entry: &Value) -> Option<Digest> {
    let key = if entry.is_object() { &entry["key"] } else { entry };
    Key::parse(key.as_str()?).ok().map(|key| key.digest)
}

fn label(text: &str) -> Result<&str, Fault> {
    let text = text.trim();
    match () {
        () if text.is_empty() => {
            Err(Fault::new("a label says whose key it is; write one such as --label \"Anna's phone\""))
        }
        () if text.starts_with('#') => {
            Err(Fault::new("a label that begins with # would be taken for a key's number; choose another"))
        }
        () if text.chars().count() > 60 => Err(Fault::new("a label has at most 60 characters; choose a shorter one")),
        () if text.chars().any(char::is_control) => {
            Err(Fault::new("a label is one line of plain text; choose another"))
        }
        () => Ok(text),
    }
}

fn day_to_come(text: &str) -> Result<String, Fault> {
    let today = Local::now().date_naive();
    match text.parse::<NaiveDate>() {
        Ok(day) if day >= today => Ok(day.to_string()),
        Ok(day) => Err(Fault(format!("{day} is over; today is {today}"))),
        Err(_) => Err(Fault(format!("\"{text}\" is no day; write year, month and day such as {today}"))),
    }
}
