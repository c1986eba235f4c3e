mod halves; // both halves, and a model, on generated configurations and requests

use super::*;
use crate::config;

const CONFIG: &str = r#"{"magickey": [
    "key-of-me",
    {"key": "key-of-anna", "label": "Anna", "expires": "2027-01-31"},
    {"key": "key-of-bert", "from": ["192.168.1.0/24", "fd00::/8"]},
    {"key": "key-of-carl", "tasks": ["7"]},
    {"key": "key-of-dora", "expires": "2026-01-01", "from": ["10.0.0.1"], "tasks": ["7"]}],
  "tasks": {
    "7": {"identifier": "task-key-7"},
    "8": {"identifier": ["task-key-8", "task-key-8-new"]}}}"#;

/// The number of the key and the task's id, or the reason of the denial.
fn verdict(magickey: &str, identifier: &str, from: &str, today: &str) -> Result<(usize, String), Denial> {
    let config = match config::read(CONFIG.as_bytes()) {
        Ok(config) => config,
        Err(refusal) => panic!("{refusal}"),
    };
    let credentials = Credentials::new(magickey.as_bytes(), identifier.as_bytes());
    let today = today.parse().unwrap_or_default();
    let permit = judge(&config, credentials, None, from.parse().ok(), today);
    permit
        .map(|permit| (permit.who().number, permit.one().map_or("panel", |task| &*task.id).to_owned()))
        .map_err(|denied| denied.why)
}

#[test]
fn who_may_start_what() {
    let task = |number, id: &str| Ok((number, id.to_owned()));
    for (magickey, identifier, from, today, expected) in [
        ("key-of-me", "task-key-7", "", "2026-12-01", task(1, "7")),
        ("key-of-me", "task-key-8", "203.0.113.9", "2026-12-01", task(1, "8")),
        ("key-of-me", "task-key-8-new", "", "2026-12-01", task(1, "8")),
        // 5b, 5c: wrong, swapped, nearly right, empty
        ("key-of-you", "task-key-7", "", "2026-12-01", Err(Denial::MagicKey)),
        ("key-of-me", "task-key-9", "", "2026-12-01", Err(Denial::Identifier)),
        ("task-key-7", "key-of-me", "", "2026-12-01", Err(Denial::Both)),
        ("task-key-7", "task-key-7", "", "2026-12-01", Err(Denial::MagicKey)),
        ("key-of-me", "key-of-me", "", "2026-12-01", Err(Denial::Identifier)),
        ("KEY-OF-ME", "task-key-7", "", "2026-12-01", Err(Denial::MagicKey)),
        ("key-of-m", "task-key-7", "", "2026-12-01", Err(Denial::MagicKey)),
        ("key-of-mee", "task-key-7", "", "2026-12-01", Err(Denial::MagicKey)),
        ("key-of-me ", "task-key-7", "", "2026-12-01", Err(Denial::MagicKey)),
        ("", "", "", "2026-12-01", Err(Denial::Both)),
        // 5d: the last day counts
        ("key-of-anna", "task-key-7", "", "2027-01-31", task(2, "7")),
        ("key-of-anna", "task-key-7", "", "2027-02-01", Err(Denial::Expired)),
        // 5e: an unknown address is in no network
        ("key-of-bert", "task-key-7", "192.168.1.255", "2026-12-01", task(3, "7")),
        ("key-of-bert", "task-key-7", "fd12::1", "2026-12-01", task(3, "7")),
        ("key-of-bert", "task-key-7", "192.168.2.1", "2026-12-01", Err(Denial::Network)),
        ("key-of-bert", "task-key-7", "unknown", "2026-12-01", Err(Denial::Network)),
        // 5f
        ("key-of-carl", "task-key-7", "", "2026-12-01", task(4, "7")),
        ("key-of-carl", "task-key-8", "", "2026-12-01", Err(Denial::Task)),
        // In their order, where several stand against it.
        ("key-of-dora", "task-key-8", "", "2026-12-01", Err(Denial::Expired)),
        ("key-of-dora", "task-key-8", "", "2025-12-01", Err(Denial::Network)),
        ("key-of-dora", "task-key-8", "10.0.0.1", "2025-12-01", Err(Denial::Task)),
        ("key-of-dora", "task-key-7", "10.0.0.1", "2025-12-01", task(5, "7")),
    ] {
        assert_eq!(verdict(magickey, identifier, from, today), expected, "{magickey} {identifier} {from} {today}");
    }
}

#[test]
fn a_flaw_stands_before_everything() {
    let config = config::read(CONFIG.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal}"));
    let credentials = Credentials::new(b"key-of-me", b"task-key-7");
    for flaw in [Flaw::Segments, Flaw::Mixed, Flaw::Method, Flaw::Server] {
        let verdict = judge(&config, credentials, Some(flaw), None, NaiveDate::default());
        assert_eq!(verdict.err().map(|denied| denied.why), Some(Denial::Flawed(flaw)));
    }
}

#[test]
fn who_is_named_by_label_or_number() {
    assert_eq!(Who { label: Some("Anna's \"phone\""), number: 2 }.to_string(), r#""Anna's \"phone\"""#);
    assert_eq!(Who { label: None, number: 2 }.to_string(), "#2");
}
