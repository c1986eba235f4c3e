//! config.json: the glance and the full reader must agree.

use remotetask::config::{glance, read, Config, Glanced, Refusal, Server};
use remotetask::key::{well_formed, Digest};
use serde_json::Value;

use crate::assert_is_a_line;

/// Judges the bytes as a configuration by both readers.
pub fn config(content: &[u8]) {
    let nobody = Digest::of(b"nobody-has-this-key");
    match (read(content), glance(content, &nobody)) {
        (Ok(config), Ok(none)) => {
            assert!(none.tasks.is_empty(), "a glance finds what nobody asks for");
            agree(&config.server, &none.server);
            every_task_is_found(content, &config);
            every_key_differs(&config);
        }
        (Ok(_), Err(refusal)) => panic!("a glance refuses what is valid: {refusal}"),
        (Err(refusal), glance) => {
            explains(content, &refusal);
            if let Err(refusal) = glance {
                explains(content, &refusal);
            }
        }
    }
}

fn agree(full: &Server<'_>, glanced: &Server<'_>) {
    assert_eq!(format!("{full:?}"), format!("{glanced:?}"));
    let digests = |server: &Server<'_>| server.magic_keys.iter().map(|entry| entry.key.digest).collect::<Vec<_>>();
    assert!(digests(full) == digests(glanced) && !full.magic_keys.is_empty());
    assert!(full.panel.map(|key| key.digest) == glanced.panel.map(|key| key.digest));
    assert_eq!(full.elevate(), glanced.elevate());
}

/// A glance for an identifier finds its task, and of it what the full reader says.
fn every_task_is_found(content: &[u8], config: &Config<'_>) {
    for task in &config.tasks {
        for identifier in &task.identifiers {
            let glanced = glance(content, &identifier.digest).expect("as valid for another key");
            let [one] = &glanced.tasks[..] else { panic!("{} tasks", glanced.tasks.len()) };
            assert_eq!((&one.id, &one.name, one.get), (&task.id, &task.name, task.get));
            assert_eq!(one.starts, Glanced::from(&task.starts));
            assert_eq!(one.keeping.stop, task.keeping.stop);
            assert_eq!(glanced.server.wait(one), config.server.wait(task));
            assert!(one.identifiers.len() == 1 && one.identifiers[0].digest == identifier.digest);
        }
    }
}

fn every_key_differs(config: &Config<'_>) {
    let tasks = config.tasks.iter().flat_map(|task| &task.identifiers);
    let keys = config.server.magic_keys.iter().map(|entry| &entry.key).chain(&config.server.panel).chain(tasks);
    let mut digests: Vec<String> = keys.map(|key| key.digest.sealed()).collect();
    let all = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), all, "a key twice");
}

/// A refusal names a place in the file, in one line, and no key.
fn explains(content: &[u8], refusal: &Refusal) {
    let lines: Vec<&[u8]> = content.split(|&b| b == b'\n').collect();
    let length = refusal.line.checked_sub(1).and_then(|at| lines.get(at)).map(|line| line.len());
    assert!(length.is_some_and(|length| refusal.column <= length + 1), "{refusal}");
    assert!(!refusal.message.is_empty());
    assert_is_a_line(&refusal.to_string());
    // The words of a command are repeated, as the list to write.
    if !refusal.message.contains("a command is a list of words") {
        for key in serde_json::from_slice(content).iter().flat_map(keys) {
            assert!(!refusal.message.contains(key), "{refusal} shows the key {key}");
        }
    }
}

/// The texts in the places of keys that could be one, and are no words of ours.
fn keys(file: &Value) -> Vec<&str> {
    let mut found = Vec::new();
    let mut left = vec![(false, file)];
    while let Some((is_key, value)) = left.pop() {
        match value {
            Value::Object(fields) => {
                left.extend(
                    fields
                        .iter()
                        .map(|(name, value)| (matches!(&**name, "magickey" | "key" | "identifier" | "panel"), value)),
                );
            }
            Value::Array(list) => left.extend(list.iter().map(|value| (is_key, value))),
            Value::String(text) if is_key => found.push(&**text),
            _ => {}
        }
    }
    let is_secret = |key: &&str| key.len() >= 20 && well_formed(key.as_bytes()).is_ok();
    found.retain(|key| is_secret(key) && key.bytes().any(|b| b.is_ascii_digit()));
    found
}
