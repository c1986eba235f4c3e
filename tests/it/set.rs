//! `remotetask set`: one setting at a time, or none.

use crate::support::*;
use crate::workbench::{remotetask, said};

fn config(sandbox: &Sandbox) -> serde_json::Value {
    serde_json::from_str(&sandbox.read("config.json")).expect("JSON")
}

/// Two tasks, one of which has the name of a setting of the server's.
fn two() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.config(
        "\"title\": \"Home\", ",
        &format!(
            "\"port\": {{\"identifier\": \"{TASK}\", \"name\": \"Gate\", \"command\": [\"/bin/true\"]}}, \
             \"7\": {{\"identifier\": \"key-of-seven\"}}"
        ),
    );
    sandbox
}

#[test]
fn two_words_are_the_servers_and_three_a_tasks() {
    let sandbox = two();
    for (line, expected, place, value) in [
        ("set port 8443", "port is 8443 now; it was 10765 (the default).", "/server/port", "8443"),
        (
            "set listen 0.0.0.0",
            "listen is \"0.0.0.0\" now; it was 127.0.0.1 (the default).",
            "/server/listen",
            "\"0.0.0.0\"",
        ),
        ("set title Office", "title is \"Office\" now; it was \"Home\".", "/server/title", "\"Office\""),
        (
            "set events esynoscheduler",
            "events is \"esynoscheduler\" now; it was synowebapi (the default).",
            "/server/events",
            "\"esynoscheduler\"",
        ),
        ("set port name Door", "name of task port is \"Door\" now; it was \"Gate\".", "/tasks/port/name", "\"Door\""),
        ("set Door wait 5", "wait of task port is 5 s now; it was 2 (the default).", "/tasks/port/wait", "5"),
        (
            "set port timeout 2h",
            "timeout of task port is 7200 s now; it was none (the default).",
            "/tasks/port/timeout",
            "7200",
        ),
        (
            "set port cooldown 1m",
            "cooldown of task port is 60 s now; it was 0 (the default).",
            "/tasks/port/cooldown",
            "60",
        ),
        (
            "set port overlap parallel",
            "overlap of task port is \"parallel\" now; it was skip (the default).",
            "/tasks/port/overlap",
            "\"parallel\"",
        ),
        (
            "set port get confirm",
            "get of task port is \"confirm\" now; it was run (the default).",
            "/tasks/port/get",
            "\"confirm\"",
        ),
        ("set port stop on", "stop of task port is on now; it was off (the default).", "/tasks/port/stop", "true"),
        (
            "set port output yes",
            "output of task port is on now; it was off (the default).",
            "/tasks/port/output",
            "true",
        ),
        ("set port output on", "output of task port is on already; nothing was changed.", "/tasks/port/output", "true"),
        ("set --unset port wait", "wait of task port is 2 (the default) now; it was 5 s.", "/tasks/port/wait", "null"),
        ("set --unset port", "port is 10765 (the default) now; it was 8443.", "/server/port", "null"),
        ("set --unset port", "port is 10765 (the default) already; nothing was changed.", "/server/port", "null"),
        (
            "set scheduler direct",
            "scheduler is \"direct\" now; it was synoschedtask (the default).",
            "/server/scheduler",
            "\"direct\"",
        ),
        ("set 7 wait 0", "wait of task 7 is 0 s now; it was 2 (the default).", "/tasks/7/wait", "0"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(remotetask(&sandbox, &words).ok(), format!("{expected}\n"), "{line}");
        let there = config(&sandbox).pointer(place).map_or("null".to_owned(), ToString::to_string);
        assert_eq!(there, value, "{line}");
    }
    // The order of what was there stays.
    assert!(sandbox.read("config.json").find("\"title\"") < sandbox.read("config.json").find("\"magickey\""));
    sandbox.start();
}

#[test]
fn what_set_refuses_changes_nothing() {
    let sandbox = two();
    let before = sandbox.read("config.json");
    let refused = "config.json stays as it is, for it would be refused: ";
    for (line, expected) in [
        ("set port 0", format!("{refused}*port*")),
        ("set port 70000", format!("{refused}*port*")),
        ("set port x", "\"x\" is no port: write a number, such as 8443.".into()),
        ("set listen nas", format!("{refused}*listen: this is no IP address; write one such as \"127.0.0.1\".")),
        ("set scheduler cron", format!("{refused}*scheduler: write \"synoschedtask\", \"synowebapi\" or \"direct\".")),
        ("set prot 8443", "the server has no setting \"prot\"; did you mean port? there are: listen, port, title, scheduler, events, panel.".into()),
        ("set magickey x", "the server has no setting \"magickey\"; there are: *".into()),
        ("set 7 name", "the server has no setting \"7\"; there are: *. For the task of this name write its setting as well: remotetask set 7 wait 5.".into()),
        ("set port tiemout 5", "a task has no setting \"tiemout\"; did you mean timeout? there are: name, get, *.".into()),
        ("set port command 5", "a task has no setting \"command\"; there are: *.".into()),
        ("set 8 wait 5", "there is no task \"8\" here; there are: Gate (port), 7. remotetask tasks add makes another reachable.".into()),
        ("set port wait 31", format!("{refused}*wait*")),
        ("set port wait soon", "\"soon\" is no wait: write seconds, or a number with a unit, such as 30s, 5m or 2h.".into()),
        ("set port stop perhaps", "stop is on or off, not \"perhaps\".".into()),
        // DSM decides it for its own tasks.
        ("set 7 wait 5", format!("{refused}*\"wait\" is for what this program keeps by itself*")),
        ("set 7 wait 5 --dry-run", format!("{refused}*\"wait\" is for what this program keeps by itself*")),
        ("set port", "two words set something of the server, such as *".into()),
        ("set --unset port wait 5", "two words set something of the server, such as *".into()),
        ("set panel my-own-panel-key", "a panel's key is not typed, because others could see it: write new, which makes one, or off.".into()),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let why = remotetask(&sandbox, &words).refused();
        assert!(like(&why, &format!("remotetask: {expected}")), "{line}: {why}");
        assert_eq!(sandbox.read("config.json"), before, "{line}");
    }
    let tried = remotetask(&sandbox, &["set", "port", "8443", "--dry-run"]);
    assert_eq!(tried.ok(), "port would be 8443; it is 10765 (the default). Nothing was changed.\n");
    assert_eq!(sandbox.read("config.json"), before);
    assert!(!sandbox.path("keys.json").exists());
}

/// A file without `server` keeps its form.
#[test]
fn a_flat_file_stays_flat() {
    let sandbox = Sandbox::new();
    sandbox.raw_config(&format!("{{\"magickey\": \"{MAGIC}\", \"elevate\": [], \"tasks\": {{}}}}"));
    remotetask(&sandbox, &["set", "port", "8443"]).ok();
    assert_eq!(config(&sandbox), serde_json::json!({"magickey": MAGIC, "elevate": [], "tasks": {}, "port": 8443}));
}

#[test]
fn a_panel_comes_is_shown_and_goes() {
    let sandbox = Sandbox::with_command("true");
    remotetask(&sandbox, &["key", "new", "--label", "Anna's phone"]).ok();
    remotetask(&sandbox, &["set", "panel", "off"]).ok();
    let none = remotetask(&sandbox, &["url", "--panel"]).refused();
    assert!(none.ends_with("make one: remotetask set panel new."), "{none}");
    let tried = remotetask(&sandbox, &["set", "panel", "new", "--dry-run"]);
    assert_eq!(tried.ok(), "The panel would get a new key. Nothing was changed.\n");
    let made = remotetask(&sandbox, &["set", "panel", "new"]);
    assert!(made.ok().contains("There is a panel now,"), "{}", made.out);
    let paths = made.paths();
    assert_eq!(paths.len(), 2, "{}", made.out);
    assert!(
        paths[0].starts_with(&format!("/{MAGIC}/")) && made.out.contains("\nAnna's phone: the panel\n"),
        "{}",
        made.out
    );
    let key = paths[0].rsplit('/').next().expect("a key").to_owned();
    // It is sealed at once, and kept so that it can be shown again.
    assert!(!sandbox.read("config.json").contains(&key) && sandbox.read("keys.json").contains(&key));
    assert_eq!(remotetask(&sandbox, &["url", "--panel"]).paths(), paths);
    assert_eq!(remotetask(&sandbox, &["url", "--panel", "--who", "Anna's phone"]).paths(), paths[1..]);
    // It stays known when other keys are taken back.
    remotetask(&sandbox, &["tasks", "rotate", "t"]).ok();
    remotetask(&sandbox, &["key", "revoke", "Anna's phone"]).ok();
    assert_eq!(remotetask(&sandbox, &["url", "--panel"]).paths(), paths[..1]);
    let renewed = remotetask(&sandbox, &["set", "panel", "new"]);
    assert!(renewed.ok().contains("The panel has a new key. Its old URLs are refused"), "{}", renewed.out);
    assert!(renewed.paths() != paths && !sandbox.read("keys.json").contains(&key));
    let off = remotetask(&sandbox, &["set", "panel", "off"]);
    assert_eq!(off.ok(), "The panel's URLs are refused from the next request on.\n");
    assert!(!sandbox.read("config.json").contains("panel"));
    assert_eq!(remotetask(&sandbox, &["set", "--unset", "panel"]).ok(), "There is no panel; nothing was changed.\n");
}

#[test]
fn seal_seals_a_plain_panel_too() {
    let sandbox = Sandbox::new();
    let panel = "Vr3nW7kQ9tYb2MxD";
    sandbox.config(
        &format!("\"panel\": \"{panel}\", "),
        &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"),
    );
    let checked = remotetask(&sandbox, &["check"]);
    assert!(checked.out.contains("config.json holds 3 keys in plain text"), "{}", checked.out);
    assert!(remotetask(&sandbox, &["seal"]).ok().contains("Sealed: 3."));
    assert!(!sandbox.read("config.json").contains(panel));
    assert_eq!(remotetask(&sandbox, &["url", "--panel"]).paths(), [format!("/{MAGIC}/{panel}")]);
    // A weak one is replaced where that is asked for.
    sandbox.config(
        "\"panel\": \"weak-panel\", ",
        &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"),
    );
    let renewed = remotetask(&sandbox, &["seal", "--renew"]);
    assert!(renewed.ok().contains("The key of the panel is weak"), "{}", renewed.out);
    assert!(renewed.out.contains("\n#1: the panel\n") && renewed.out.contains("Replaced: 1."), "{}", renewed.out);
    // One that is never known here cannot be shown.
    let sealed = remotetask::key::Digest::of(b"never-known-here").sealed();
    sandbox.config(&format!("\"panel\": \"{sealed}\", "), "");
    let shown = remotetask(&sandbox, &["url", "--panel"]);
    assert!(shown.ok().replace("\n  ", " ").contains("a new one can: remotetask set panel new"), "{}", shown.out);
}

/// Two changes at the same moment wait for each other, and both are made.
#[test]
fn two_at_once_are_both_made() {
    let sandbox = two();
    let line = "\"$0\" set port wait 5 & \"$0\" set title Office & wait";
    said(std::process::Command::new("/bin/sh").args(["-c", line]).arg(sandbox.path("remotetask")), "").ok();
    let config = config(&sandbox);
    assert_eq!((&config["server"]["title"], &config["tasks"]["port"]["wait"]), (&"Office".into(), &5.into()));
}
