use super::*;

const DIGEST: &str = "sha256:ef797c8118f02dfb649607dd5d3f8c7623048c9c063d532cc95c5ed7a898a64f"; // of 12345678

/// A file with these server fields and tasks.
fn file(server: &str, tasks: &str) -> String {
    format!("{{\"server\": {{{server}}}, \"tasks\": {{{tasks}}}}}")
}

fn refusal(text: &str) -> String {
    read(text.as_bytes()).err().map(|refusal| refusal.to_string()).unwrap_or_default()
}

#[track_caller]
fn accepted(text: &str) -> Config<'_> {
    match read(text.as_bytes()) {
        Ok(config) => config,
        Err(refusal) => panic!("{refusal}: {text}"),
    }
}

/// The time that the answer for this identifier waits.
#[track_caller]
fn wait(text: &str, identifier: &str) -> u64 {
    match glance(text.as_bytes(), &Digest::of(identifier.as_bytes())) {
        Ok(Config { server, tasks }) => server.wait(&tasks[0]),
        Err(refusal) => panic!("{refusal}: {text}"),
    }
}

#[test]
fn the_originals_file_nested_and_flat() {
    let nested = r#"{"server": {"debug": true, "port": 10001, "listen": "0.0.0.0", "magickey": "76sdf7678fds687"},
        "tasks": {"1000": {"identifier": "hjhass665s", "command": ["/volume1/control/command1.sh"]},
                  "1001": {"identifier": "hjhass665t", "command": ""}}}"#;
    let flat = nested.replacen("\"server\": {", "", 1).replacen("},", ",", 1);
    for text in [nested, &flat] {
        let config = accepted(text);
        assert_eq!((config.server.port, config.server.debug), (10001, true));
        assert!(matches!(&config.tasks[0].starts, Starts::Command(argv) if *argv == ["/volume1/control/command1.sh"]));
        assert!(matches!(config.tasks[1].starts, Starts::Scheduled(1001)));
    }
}

#[test]
fn what_is_not_said_has_its_default() {
    let text = file(r#""magickey": "key-of-me""#, r#""a": {"identifier": "key-of-a", "command": ["/x", "-y"]}"#);
    let config = accepted(&text);
    assert_eq!(config.server.elevate(), ELEVATE);
    assert_eq!((config.server.listen, config.server.port), LISTEN);
    let server = &config.server;
    assert_eq!((&*server.synoschedtask, &*server.synowebapi), (SYNOSCHEDTASK, SYNOWEBAPI));
    assert_eq!((server.scheduler, &*server.synoschedule), (Scheduler::Synoschedtask, SYNOSCHEDULE));
    assert_eq!(config.tasks[0].shown(), "a");
    assert!(matches!(&config.tasks[0].starts, Starts::Command(argv) if *argv == ["/x", "-y"]));
    let keeping = Keeping { overlap: Overlap::Skip, timeout: None, wait: 2, output: false, stop: false };
    assert_eq!((config.tasks[0].keeping, config.tasks[0].get, config.tasks[0].cooldown), (keeping, Get::Run, 0));
    assert_eq!((server.events, &*server.esynoscheduler), (Events::Synowebapi, ESYNOSCHEDULER));
    assert!(server.title.is_none() && server.panel.is_none() && server.on_failure.is_none());
    assert_eq!(wait(&text, "key-of-a"), 2);
    assert!(accepted(&text.replace("\"magickey\"", "\"elevate\": [], \"magickey\"")).server.elevate().is_empty());
}

#[test]
fn every_field_that_there_is() {
    let server = format!(
        r#""listen": "::1", "port": 8080, "debug": false, "elevate": ["/opt/sudo", "-n"], "scheduler": "synowebapi",
        "synoschedtask": "/opt/s", "synowebapi": "/opt/w", "synoschedule": "/opt/d", "esynoscheduler": "/opt/e", "events": "esynoscheduler",
        "title": "Home NAS", "panel": "plain-panel", "on_failure": ["/opt/f", "-x"], "magickey": ["plain-key-1", "{DIGEST}", {{"key": "plain-key-2", "label": "Änne",
        "expires": "2028-02-29", "from": ["192.168.1.0/24", "fd00::/8", "10.0.0.1", "::ffff:10.0.0.2"],
        "tasks": ["7", "b"]}}]"#
    );
    let tasks = r#""7": {"identifier": ["plain-key-3", "plain-key-4"], "name": "N", "get": "confirm", "cooldown": 604800},
        "b": {"identifier": "plain-key-5", "command": ["/x"], "overlap": "parallel", "wait": 30, "timeout": 60, "output": true,
        "stop": true, "get": "run", "cooldown": 0},
        "any name": {"identifier": "plain-key-6", "command": "", "event": "Ör \"x\"\n"}"#;
    let text = file(&server, tasks);
    let config = accepted(&text);
    let person = &config.server.magic_keys[2];
    assert_eq!(person.label.as_deref(), Some("Änne"));
    assert_eq!(person.expires, NaiveDate::from_ymd_opt(2028, 2, 29));
    assert_eq!(
        person.from.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["192.168.1.0/24", "fd00::/8", "10.0.0.1/32", "10.0.0.2/32"]
    );
    assert!(config.server.magic_keys[1].key.sealed && !config.server.magic_keys[0].key.sealed);
    assert_eq!(config.tasks[0].identifiers.len(), 2);
    let keeping = Keeping { overlap: Overlap::Parallel, timeout: Some(60), wait: 30, output: true, stop: true };
    assert_eq!((config.tasks[1].keeping, config.tasks[1].get, config.tasks[1].cooldown), (keeping, Get::Run, 0));
    assert_eq!((config.tasks[0].get, config.tasks[0].cooldown), (Get::Confirm, 604_800));
    assert_eq!((config.server.events, &*config.server.esynoscheduler), (Events::Esynoscheduler, "/opt/e"));
    assert_eq!(config.server.title.as_deref(), Some("Home NAS"));
    assert!(config.server.panel.is_some_and(|panel| panel.digest.matches(&Digest::of(b"plain-panel"))));
    assert_eq!(config.server.on_failure.as_deref(), Some(&["/opt/f".into(), "-x".into()][..]));
    assert_eq!(wait(&text, "plain-key-5"), 30);
    let paths = [&*config.server.synoschedtask, &*config.server.synowebapi, &*config.server.synoschedule];
    assert_eq!((config.server.scheduler, paths), (Scheduler::Synowebapi, ["/opt/s", "/opt/w", "/opt/d"]));
    assert!(matches!(&config.tasks[2].starts, Starts::Event(name) if name == "Ör \"x\"\n"));
}

/// A keeper stays with commands, and with a scheduled task's own script.
#[test]
fn what_is_kept() {
    let tasks = r#""7": {"identifier": "plain-key-3"}, "e": {"identifier": "plain-key-4", "event": "E"},
        "c": {"identifier": "plain-key-5", "command": ["/x"]}"#;
    for (scheduler, kept, waits) in [
        ("synoschedtask", [false, false, true], [0, 0, 2]),
        ("synowebapi", [false, false, true], [0, 0, 2]),
        ("direct", [true, false, true], [2, 0, 2]),
    ] {
        let text = file(&format!("\"magickey\": \"key-of-me\", \"scheduler\": \"{scheduler}\""), tasks);
        let Config { server, tasks } = accepted(&text);
        assert_eq!(tasks.iter().map(|task| server.keeps(task)).collect::<Vec<_>>(), kept, "{scheduler}");
        let keys = ["plain-key-3", "plain-key-4", "plain-key-5"];
        assert_eq!(keys.map(|key| wait(&text, key)), waits, "{scheduler}");
    }
}

#[test]
fn refusals_name_place_field_and_cure() {
    let key = r#""magickey": "key-of-me""#;
    let task = |fields: &str| file(key, &format!("\"7\": {{\"identifier\": \"key-of-7\", {fields}}}"));
    let server = |fields: &str| file(fields, "");
    let mut wrong = Vec::new();
    for (text, expected) in [
        ("", "config.json:1:0: EOF while parsing a value; the file is empty, or ends too early"),
        ("{\n  \"server\": {},,", "config.json:2:14: server: there is no \"magickey\"; add one, the key that says who calls"),
        ("[]", "config.json:1:0: this is a list [ … ], expected an object { … } with \"server\" and \"tasks\""),
        ("{\"tasks\": {}}", "config.json:1:13: there is no \"magickey\"; add one, the key that says who calls"),
        ("{\"magickey\": \"key-of-me\"}", "config.json:1:25: there is no \"tasks\"; add \"tasks\": { … } with what may be started"),
        ("{\"magickey\": \"key-of-me\", \"tasks\": {}} x", "config.json:1:40: trailing characters; look for a comma or a quote too many or too few"),
        ("{\"magickey\": \"key-of-me\", \"tasks\": {},}", "config.json:1:39: trailing comma; take the comma before this place out"),
        (
            "{\"server\": {\"magickey\": \"key-of-me\"}, \"port\": 1, \"tasks\": {}}",
            "config.json:1:47: port: stands outside \"server\", and there is a \"server\" too; move it in there",
        ),
        (
            "{\"port\": 1, \"server\": {\"magickey\": \"key-of-me\"}, \"tasks\": {}}",
            "config.json:1:47: port: stands outside \"server\", and there is a \"server\" too; move it in there",
        ),
        (&server(r#""magickey": []"#), "config.json:1:26: server.magickey: the list is empty, so nobody could start anything; add a key"),
        (&server(r#""magickey": 7"#), "config.json:1:25: server.magickey: this is a number, expected a key in quotes, or a list [ … ] of keys and of objects with a \"key\""),
        (&server(r#""magickey": "short""#), "config.json:1:31: server.magickey: a key has 8 to 128 characters, this one 5; choose another"),
        (&server(r#""magickey": ["key-of-me", 7]"#), "config.json:1:39: server.magickey[1]: this is a number, expected a key in quotes, or an object { \"key\": … }"),
        (&server(r#""magickey": [{"label": "x"}]"#), "config.json:1:39: server.magickey[0]: there is no \"key\"; add one"),
        (&server(r#""magickey": [{"key": "key-of-me", "kye": 1}]"#), "config.json:1:51: server.magickey[0].kye: no such field; there are key, label, expires, from, tasks"),
        (&server(r#""magickey": [{"key": "key-of-me", "expires": "2027-02-29"}]"#), "config.json:1:69: server.magickey[0].expires: the last valid day is written as \"2027-01-31\", a day that exists"),
        (&server(r#""magickey": [{"key": "key-of-me", "expires": "31.1.2027"}]"#), "config.json:1:68: server.magickey[0].expires: the last valid day is written as \"2027-01-31\", a day that exists"),
        (&server(r#""magickey": [{"key": "key-of-me", "from": []}]"#), "config.json:1:57: server.magickey[0].from: the list is empty, so no network could call; add one, or take \"from\" out"),
        (&server(r#""magickey": [{"key": "key-of-me", "from": ["192.168.1.7/24"]}]"#), "config.json:1:71: server.magickey[0].from[0]: this network has bits set behind its prefix; write \"192.168.1.0/24\""),
        (&server(r#""magickey": [{"key": "key-of-me", "from": ["nas.local"]}]"#), "config.json:1:66: server.magickey[0].from[0]: write an address or a network, such as \"192.168.1.7\" or \"192.168.1.0/24\""),
        (&server(r#""magickey": [{"key": "key-of-me", "tasks": []}]"#), "config.json:1:58: server.magickey[0].tasks: the list is empty, so this key could start nothing; add a task, or take \"tasks\" out"),
        (&server(r#""magickey": [{"key": "key-of-me", "tasks": ["7"]}]"#), "config.json:1:60: server.magickey[0].tasks[0]: there is no such task in \"tasks\"; add it there, or take it out here"),
        (&server(&format!("{key}, \"port\": \"80\"")), "config.json:1:49: server.port: this is a text, expected a port, a whole number from 1 to 65535, without quotes"),
        (&server(&format!("{key}, \"port\": 0")), "config.json:1:46: server.port: this is a number, expected a port, a whole number from 1 to 65535, without quotes"),
        (&server(&format!("{key}, \"listen\": \"nas\"")), "config.json:1:52: server.listen: this is no IP address; write one such as \"127.0.0.1\""),
        (&server(&format!("{key}, \"debug\": \"yes\"")), "config.json:1:51: server.debug: this is a text, expected true or false, without quotes"),
        (&server(&format!("{key}, \"elevate\": [\"sudo\"]")), "config.json:1:57: server.elevate[0]: a program is named by its whole path, which begins with /, such as \"/bin/sh\""),
        (&server(&format!("{key}, \"elevate\": \"/usr/bin/sudo -n\"")), "config.json:1:66: server.elevate: this is a text, expected a list of words such as [\"/usr/bin/sudo\", \"-n\"], or [] for none"),
        (&server(&format!("{key}, \"scheduler\": \"cron\"")), "config.json:1:56: server.scheduler: write \"synoschedtask\", \"synowebapi\" or \"direct\""),
        (&server(&format!("{key}, \"scheduler\": 7")), "config.json:1:51: server.scheduler: this is a number, expected \"synoschedtask\", \"synowebapi\" or \"direct\""),
        (&server(&format!("{key}, \"panel\": \"key-of-me\"")), "config.json:1:58: server.panel: the same key stands in this file already; every key must be its own"),
        (&server(&format!("{key}, \"panel\": \"short\"")), "config.json:1:53: server.panel: a key has 8 to 128 characters, this one 5; choose another"),
        (&server(&format!("{key}, \"events\": \"cron\"")), "config.json:1:53: server.events: write \"synowebapi\" or \"esynoscheduler\""),
        (&server(&format!("{key}, \"esynoscheduler\": \"e\"")), "config.json:1:58: server.esynoscheduler: a program is named by its whole path, which begins with /, such as \"/bin/sh\""),
        (&server(&format!("{key}, \"on_failure\": []")), "config.json:1:54: server.on_failure: the list is empty; name the program, or take \"on_failure\" out"),
        (&server(&format!("{key}, \"on_failure\": [\"f\"]")), "config.json:1:57: server.on_failure[0]: a program is named by its whole path, which begins with /, such as \"/bin/sh\""),
        (&server(&format!("{key}, \"title\": 7")), "config.json:1:47: server.title: this is a number, expected a name for this NAS in quotes"),
        (&server(&format!("{key}, \"synowebapi\": \"w\"")), "config.json:1:54: server.synowebapi: a program is named by its whole path, which begins with /, such as \"/bin/sh\""),
        (&server(&format!("{key}, \"synoschedule\": \"d\"")), "config.json:1:56: server.synoschedule: a folder is named by its whole path, which begins with /, such as \"/usr/syno/etc\""),
        (&server(&format!("{key}, \"synoschedule\": \"/d\\u0000\"")), "config.json:1:63: server.synoschedule: a NUL byte cannot stand here; take it out"),
        (&server(&format!("{key}, \"synoschedtask\": \"s\"")), "config.json:1:57: server.synoschedtask: a program is named by its whole path, which begins with /, such as \"/bin/sh\""),
        (&server(&format!("{key}, \"magicKey\": 1")), "config.json:1:47: server.magicKey: no such field; there are listen, port, title, magickey, panel, debug, elevate, scheduler, events, on_failure, synoschedtask, synowebapi, esynoscheduler, synoschedule"),
        ("{\"task\": {}}", "config.json:1:7: task: no such field; there are server, tasks, listen, port, title, magickey, panel, debug, elevate, scheduler, events, on_failure, synoschedtask, synowebapi, esynoscheduler, synoschedule"),
        (&server(&format!("{key}, {key}")), "config.json:1:47: server.magickey: is given twice; keep one of the two"),
        (&file(key, r#""": {"identifier": "key-of-7"}"#), "config.json:1:50: tasks.\"\": a task's id cannot be empty; give it a number or a name"),
        (&file(key, r#""7": {}"#), "config.json:1:55: tasks.\"7\": there is no \"identifier\"; add one, the task's key"),
        (&file(key, r#""7": {"identifier": []}"#), "config.json:1:70: tasks.\"7\".identifier: the list is empty, so no URL could start this task; add a key"),
        (&file(key, r#""7": {"identifier": "key-of-7"}, "7": {"identifier": "key-of-8"}"#), "config.json:1:84: tasks.\"7\": is given twice; keep one of the two"),
        (&file(key, r#""7": {"identifier": "key-of-me"}"#), "config.json:1:79: tasks.\"7\".identifier: the same key stands in this file already; every key must be its own"),
        (&file(key, r#""7": {"identifier": ["key-of-7", "key-of-7"]}"#), "config.json:1:92: tasks.\"7\".identifier[1]: the same key stands in this file already; every key must be its own"),
        (&file(key, &format!("\"7\": {{\"identifier\": \"12345678\"}}, \"8\": {{\"identifier\": \"{DIGEST}\"}}")), "config.json:1:174: tasks.\"8\".identifier: the same key stands in this file already; every key must be its own"),
        (&file(key, r#""x": {"identifier": "key-of-7"}"#), "config.json:1:79: tasks.\"x\": without a \"command\" or an \"event\" the id is the number of a task in DSM's Task Scheduler, 1 to 9 digits, such as \"7\"; rename it, or add one of the two"),
        (&file(key, r#""07": {"identifier": "key-of-7"}"#), "config.json:1:80: tasks.\"07\": without a \"command\" or an \"event\" the id is the number of a task in DSM's Task Scheduler, 1 to 9 digits, such as \"7\"; rename it, or add one of the two"),
        (&task(r#""command": "/volume1/x.sh --now""#), "config.json:1:112: tasks.\"7\".command: a command is a list of words, without a shell; write [\"/volume1/x.sh\",\"--now\"]"),
        (&task(r#""command": "echo hi > /tmp/x""#), "config.json:1:109: tasks.\"7\".command: a command is a list of words, without a shell; write [\"/bin/sh\",\"-c\",\"echo hi > /tmp/x\"]"),
        (&task(r#""command": []"#), "config.json:1:93: tasks.\"7\".command: the list is empty; name the program, or take \"command\" out"),
        (&task(r#""command": ["backup.sh"]"#), "config.json:1:105: tasks.\"7\".command[0]: a program is named by its whole path, which begins with /, such as \"/bin/sh\""),
        (&task(r#""command": [""]"#), "config.json:1:96: tasks.\"7\".command[0]: a program is named by its whole path, which begins with /, such as \"/bin/sh\""),
        (&task(r#""command": ["/x", "a\u0000b"]"#), "config.json:1:108: tasks.\"7\".command[1]: a NUL byte cannot stand here; take it out"),
        (&task(r#""command": ["/x", 5]"#), "config.json:1:99: tasks.\"7\".command[1]: this is a number, expected a word in quotes"),
        (&task(r#""wait": 5"#), "config.json:1:90: tasks.\"7\": \"wait\" is for what this program keeps by itself, and DSM decides it for its own tasks: take it out, or set \"scheduler\": \"direct\" in \"server\""),
        (&task(r#""overlap": "skip""#), "config.json:1:98: tasks.\"7\": \"overlap\" is for what this program keeps by itself, and DSM decides it for its own tasks: take it out, or set \"scheduler\": \"direct\" in \"server\""),
        (&task(r#""command": ["/x"], "wait": 31"#), "config.json:1:109: tasks.\"7\".wait: this is a number, expected seconds, a whole number from 0 to 30, without quotes"),
        (&task(r#""command": ["/x"], "wait": 1.5"#), "config.json:1:110: tasks.\"7\".wait: this is a number, expected seconds, a whole number from 0 to 30, without quotes"),
        (&task(r#""get": "post""#), "config.json:1:93: tasks.\"7\".get: write \"run\" or \"confirm\""),
        (&task(r#""event": """#), "config.json:1:91: tasks.\"7\".event: the name is empty; write that of a triggered task, as DSM's Task Scheduler shows it"),
        (&task(r#""event": ["E"]"#), "config.json:1:89: tasks.\"7\".event: this is a list [ … ], expected a triggered task's name in quotes"),
        (&task(r#""event": "a\u0000b""#), "config.json:1:99: tasks.\"7\".event: a NUL byte cannot stand here; take it out"),
        (&task(r#""event": "E", "event": "F""#), "config.json:1:101: tasks.\"7\".event: is given twice; keep one of the two"),
        (&task(r#""event": "E", "command": ["/x"]"#), "config.json:1:112: tasks.\"7\": there are both \"command\" and \"event\"; a task starts one of them: take one out"),
        (&task(r#""event": "E", "wait": 5"#), "config.json:1:104: tasks.\"7\": \"wait\" is for what this program keeps by itself, and DSM decides it for its own tasks: take it out, or set \"events\": \"esynoscheduler\" in \"server\""),
        (&task(r#""event": "E", "overlap": "skip""#), "config.json:1:112: tasks.\"7\": \"overlap\" is for what this program keeps by itself, and DSM decides it for its own tasks: take it out, or set \"events\": \"esynoscheduler\" in \"server\""),
        (&task(r#""cooldown": 604801"#), "config.json:1:98: tasks.\"7\".cooldown: this is a number, expected seconds, a whole number from 0 to 604800, without quotes"),
        (&task(r#""command": ["/x"], "timeout": 0"#), "config.json:1:111: tasks.\"7\".timeout: this is a number, expected seconds, a whole number from 1 to 604800, without quotes"),
        (&task(r#""timeout": 60"#), "config.json:1:94: tasks.\"7\": \"timeout\" is for what this program keeps by itself, and DSM decides it for its own tasks: take it out, or set \"scheduler\": \"direct\" in \"server\""),
        (&task(r#""output": true"#), "config.json:1:95: tasks.\"7\": \"output\" is for what this program keeps by itself, and DSM decides it for its own tasks: take it out, or set \"scheduler\": \"direct\" in \"server\""),
        (&task(r#""stop": false"#), "config.json:1:94: tasks.\"7\": \"stop\" is for what this program keeps by itself, and DSM decides it for its own tasks: take it out, or set \"scheduler\": \"direct\" in \"server\""),
        (&task(r#""command": ["/x"], "overlap": "queue""#), "config.json:1:117: tasks.\"7\".overlap: write \"skip\" or \"parallel\""),
        (&task(r#""commnd": []"#), "config.json:1:88: tasks.\"7\".commnd: no such field; there are identifier, name, command, event, get, cooldown, overlap, timeout, wait, output, stop"),
    ] {
        let found = refusal(text);
        if found != expected {
            wrong.push(format!("{text}\n    is: {found}\nshould: {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An owner shows a refusal to others, and may have put a key where it does not belong.
#[test]
fn a_refusal_shows_nothing_that_may_be_a_key() {
    let entry = |field: &str| file(&format!("\"magickey\": [{{\"key\": \"key-of-me\", \"{field}\": VALUE}}]"), "");
    let server = |field: &str| file(&format!("\"magickey\": \"key-of-me\", \"{field}\": VALUE"), "");
    let task = |field: &str| {
        let fields = format!("\"identifier\": \"key-of-7\", \"command\": [\"/x\"], \"{field}\": VALUE");
        file("\"magickey\": \"key-of-me\"", &format!("\"7\": {{{fields}}}"))
    };
    let keys = |server: &str, identifier: &str| {
        file(&format!("\"magickey\": {server}"), &format!("\"7\": {{\"identifier\": {identifier}}}"))
    };
    let mut places = vec!["VALUE".into(), "{\"server\": VALUE}".into(), "{\"tasks\": VALUE}".into()];
    places.push(file("\"magickey\": \"key-of-me\"", "\"7\": VALUE"));
    places.extend([keys("VALUE", "7"), keys("[VALUE, VALUE]", "7"), keys("[{\"key\": VALUE, \"from\": []}]", "7")]);
    places.extend([keys("\"key-of-me\"", "[VALUE, VALUE]"), keys("\"key-of-me\"", "[[VALUE]]")]);
    places.extend(["label", "expires", "from", "tasks", "other"].map(entry));
    places.extend(["listen", "port", "debug", "elevate", "scheduler", "synoschedtask", "synoschedule"].map(server));
    places.extend(["identifier", "name", "event", "get", "overlap", "wait", "cooldown", "other"].map(task));
    for place in places {
        let values =
            ["\"my~secret~key\"", "\"x\\\", expected my~secret~key, expected \"", "76543210", "-76543210", "7654.3210"];
        let lists = values.map(|value| format!("[{value}]"));
        for value in values.into_iter().chain(lists.iter().map(String::as_str)) {
            let found = refusal(&place.replace("VALUE", value));
            assert!(!["secret", "7654", "3210"].iter().any(|part| found.contains(part)), "{place}, {value}: {found}");
        }
        assert!(!refusal(&place.replace("VALUE", "-76543210")).is_empty(), "{place}");
    }
}

/// Nor is a key that stands where an id belongs shown in the place of a fault below it.
#[test]
fn the_id_of_a_faulty_task_is_shown_if_it_is_no_key() {
    for (id, shown) in [
        ("7", "7"),
        ("backup", "backup"),
        ("Check off (daily)", "Check off (daily)"),
        ("Überprüfung", "Überprüfung"),
        ("hjhass665s", "…"),
        ("my~secret~key", "…"),
        ("12345678", "…"),
        ("abcdefghijklmnopqrstuvwxyz", "…"),
        (DIGEST, "…"),
    ] {
        let text = file("\"magickey\": \"key-of-me\"", &format!("\"{id}\": {{\"identifier\": 7}}"));
        let glanced = glance(text.as_bytes(), &Digest::of(b"x")).err();
        for refused in [read(text.as_bytes()).err(), glanced] {
            let refused = refused.expect("refused").message;
            assert!(refused.starts_with(&format!("tasks.\"{shown}\".identifier: ")), "{id}: {refused}");
        }
    }
}

/// A field's name that is nearly right, and a task's id that is short, may hold what moves a terminal's cursor.
#[test]
fn a_refusal_is_one_line() {
    for (name, shown) in
        [("c\\u001bommand", r"c\u{1b}ommand"), ("comm\u{7f}and", r"comm\u{7f}and"), ("wait\\n", r"wait\n")]
    {
        let text = file("\"magickey\": \"key-of-me\"", &format!("\"7\": {{\"{name}\": 7}}"));
        assert!(refusal(&text).contains(&format!("tasks.\"7\".{shown}: no such field")), "{}", refusal(&text));
    }
    let text = file("\"magickey\": \"key-of-me\"", "\"\\u009b2J\": {\"identifier\": 7}");
    assert!(refusal(&text).contains(r#"tasks."\u{9b}2J".identifier: "#), "{}", refusal(&text));
}

/// The action against a text that is no JSON does not depend on the depth of the fault.
#[test]
fn a_text_that_is_no_json_has_its_action_at_every_depth() {
    // An object up to its first field, a name in it, a value of that, and the end of the file behind the object.
    let objects = [
        ("{", "\"debug\"", "true", "}"),
        ("{\"server\": {", "\"debug\"", "true", "}}"),
        ("{\"magickey\": [{", "\"label\"", "\"Anna\"", "}]}"),
        ("{\"tasks\": {", "\"7\"", "{\"identifier\": \"key-of-7\"}", "}}"),
        ("{\"tasks\": {\"7\": {", "\"name\"", "\"Backup\"", "}}}"),
    ];
    let lists = [
        ("{\"magickey\": [\"key-of-me\"", "]}"),
        ("{\"server\": {\"elevate\": [\"/sudo\"", "]}}"),
        ("{\"magickey\": [{\"from\": [\"::1\"", "]}]}"),
        ("{\"tasks\": {\"7\": {\"identifier\": [\"key-of-7\"", "]}}}"),
        ("{\"tasks\": {\"7\": {\"command\": [\"/x\"", "]}}}"),
    ];
    let comma = "a comma is missing before this place, perhaps at the end of the line above";
    let comment = "take this comment out: JSON has no comments";
    let name = "a name stands in straight double quotes \"…\"; JSON has no comments";
    let early = "the file ends too early: a } or ] is missing at its end";
    let other = "look for a comma or a quote too many or too few";
    let mut texts = Vec::new();
    for (fault, action) in [
        ("NAME: VALUE,END", "trailing comma; take the comma before this place out"),
        ("NAME: VALUE\nNAME: VALUEEND", &format!("expected `,` or `}}`; {comma}")),
        ("“debug”: VALUEEND", &format!("key must be a string; {name}")),
        ("// note\nNAME: VALUEEND", &format!("key must be a string; {comment}")),
        ("NAME // note\n: VALUEEND", &format!("expected `:`; {comment}")),
        ("NAME: VALUE // note\nEND", &format!("expected `,` or `}}`; {comment}")),
        ("NAME: VALUE, # note\nNAME: VALUEEND", &format!("key must be a string; {comment}")),
        ("NAME: /* note */ VALUEEND", &format!("expected value; {comment}")),
        ("NAME: “VALUE”END", "expected value; a text stands in straight double quotes \"…\""),
        ("NAME: 'VALUE'END", "expected value; a text stands in straight double quotes \"…\""),
        ("NAME: xEND", &format!("expected value; {other}")),
        ("NAME: truEND", &format!("expected ident; {other}")),
        ("NAME VALUEEND", &format!("expected `:`; {other}")),
        ("NAME: 01END", "invalid number; write a whole number in digits, without a 0 in front"),
        ("NAME: 1e999END", "number out of range; write a whole number in digits, without a 0 in front"),
        ("\"na\\me\": VALUEEND", "invalid escape; write a backslash in a text twice, \\\\"),
        ("\"\\ud800\": VALUEEND", "unexpected end of hex escape; write a backslash in a text twice, \\\\"),
        ("\"\\ud800\\u0041\": VALUEEND", "lone leading surrogate in hex escape; write a backslash in a text twice, \\\\"),
        ("\"debug\n\": VALUEEND", "control character (\\u0000-\\u001F) found while parsing a string; a closing quote is missing, perhaps on the line above"),
        ("NAME: VALUE", &format!("EOF while parsing an object; {early}")),
        ("NAME:", "EOF while parsing a value; the file is empty, or ends too early"),
        ("NAME: VALUE, \"de", &format!("EOF while parsing a string; {early}")),
    ] {
        for (begin, name, value, end) in objects {
            let text = fault.replace("NAME", name).replace("VALUE", value).replace("END", end);
            texts.push((format!("{begin}{text}"), action.to_owned()));
        }
    }
    for (fault, action) in [
        (",END", "trailing comma; take the comma before this place out"),
        (" \"y\"END", &format!("expected `,` or `]`; {comma}")),
        (" // note\nEND", &format!("expected `,` or `]`; {comment}")),
        (", // note\n\"y\"END", &format!("expected value; {comment}")),
        (", “y”END", "expected value; a text stands in straight double quotes \"…\""),
        ("", &format!("EOF while parsing a list; {early}")),
    ] {
        for (begin, end) in lists {
            texts.push((format!("{begin}{}", fault.replace("END", end)), action.to_owned()));
        }
    }
    texts.push(("{} // note".into(), "there is no \"magickey\"; add one, the key that says who calls".into()));
    texts.push((
        "{\"magickey\": \"key-of-me\", \"tasks\": {}} // note".into(),
        format!("trailing characters; {comment}"),
    ));
    for (text, action) in texts {
        let found = refusal(&text);
        assert!(found.ends_with(&format!(": {action}")), "{text}: {found}, not {action}");
    }
    for (text, expected) in [
        ("{\"tasks\": {\"7\": {\"name\": \"x\",}}}", "config.json:1:30: tasks.\"7\": trailing comma; take the comma before this place out"),
        ("{\"tasks\": {\n  \"7\": {\"name\": “x”}}}", "config.json:2:17: tasks.\"7\".name: expected value; a text stands in straight double quotes \"…\""),
        ("{\"server\": {\n  \"debug\": true // note\n}}", "config.json:2:17: server: expected `,` or `}`; take this comment out: JSON has no comments"),
        ("{\"server\": {\"elevate\": [\"/x\"", "config.json:1:28: server.elevate[1]: EOF while parsing a list; the file ends too early: a } or ] is missing at its end"),
    ] {
        assert_eq!(refusal(text), expected);
    }
}

/// An unknown name is shown only if it is nearly that of a field: it may be a key in the wrong place.
#[test]
fn an_unknown_name_is_shown_if_it_is_a_typo() {
    let server = "listen, port, title, magickey, panel, debug, elevate, scheduler, events, on_failure, synoschedtask, synowebapi, esynoscheduler, synoschedule";
    let places = [
        ("{\"NAME\": 1}", "", format!("server, tasks, {server}")),
        ("{\"server\": {\"NAME\": 1}}", "server", server.to_owned()),
        ("{\"magickey\": [{\"NAME\": 1}]}", "magickey[0]", "key, label, expires, from, tasks".into()),
        (
            "{\"tasks\": {\"7\": {\"NAME\": 1}}}",
            "tasks.\"7\"",
            "identifier, name, command, event, get, cooldown, overlap, timeout, wait, output, stop".into(),
        ),
    ];
    for (place, path, names) in places {
        let begin = place.find("NAME").unwrap_or_default();
        let check = |name: &str, message: String| {
            let text = place.replace("NAME", name);
            assert_eq!(refusal(&text), format!("config.json:1:{}: {message}", begin + name.len() + 1), "{text}");
        };
        let dot = if path.is_empty() { "" } else { "." };
        // A letter changed, left out or added, two of these, two letters swapped, capitals.
        for name in
            ["magikkey", "magicky", "magic-key", "magic__key", "identifeir", "Command", "MAGICKEYS", "kye2", "labels"]
        {
            check(name, format!("{path}{dot}{name}: no such field; there are {names}"));
        }
        let colon = if path.is_empty() { "" } else { ": " };
        let digest = &DIGEST[7..];
        for name in [
            "my~secret~key",
            "hjhass665s",
            "12345678",
            "magickey-of-anna",
            "identifyer123",
            DIGEST,
            digest,
            "a",
            "",
            "Schlüssel",
        ] {
            check(name, format!("{path}{colon}no field has the name at this place; there are {names}"));
        }
    }
}

#[test]
fn refusals_of_the_file_itself() {
    let bytes = |content: &[u8]| read(content).err().map(|refusal| refusal.to_string());
    assert_eq!(
        bytes(b"\xef\xbb\xbf{}").as_deref(),
        Some("config.json:1:1: the file begins with a byte order mark; save it as UTF-8 without BOM")
    );
    assert_eq!(bytes(b"{\n \"\xff\"").as_deref(), Some("config.json:2:3: this is not UTF-8; save the file as UTF-8"));
}

#[test]
fn a_glance_finds_the_task_and_no_other() {
    let tasks = format!(
        r#""7": {{"identifier": "{DIGEST}"}}, "b": {{"identifier": ["plain-key-5", "plain-key-6"], "name": "B",
        "command": ["/x", "y"], "wait": 7}}, "c": {{"identifier": "plain-key-7", "command": ["/x"]}},
        "8": {{"identifier": "plain-key-8", "command": ""}}, "e": {{"event": "E", "identifier": "plain-key-e"}}"#
    );
    let text = file("\"magickey\": \"key-of-me\"", &tasks);
    let seen = |key: &str| -> Vec<(String, String, u64)> {
        let config = match glance(text.as_bytes(), &Digest::of(key.as_bytes())) {
            Ok(config) => config,
            Err(refusal) => panic!("{refusal}"),
        };
        config
            .tasks
            .iter()
            .map(|task| (task.id.to_string(), task.shown().to_owned(), config.server.wait(task)))
            .collect()
    };
    let task = |id: &str, name: &str, wait| vec![(id.to_owned(), name.to_owned(), wait)];
    for (key, expected) in [
        ("12345678", task("7", "7", 0)),
        ("plain-key-5", task("b", "B", 7)),
        ("plain-key-6", task("b", "B", 7)),
        ("plain-key-7", task("c", "c", 2)),
        ("plain-key-8", task("8", "8", 0)),
        ("plain-key-e", task("e", "e", 0)),
        ("plain-key-9", vec![]),
        (DIGEST, vec![]),
        ("", vec![]),
    ] {
        assert_eq!(seen(key), expected, "{key}");
    }
    // A sealed key counts in either case, in a glance as well.
    let upper = text.replace(&DIGEST[7..], &DIGEST[7..].to_uppercase());
    let found = glance(upper.as_bytes(), &Digest::of(b"12345678")).map(|config| config.tasks.len());
    assert_eq!(found, Ok(1));
}
