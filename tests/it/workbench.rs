//! The workbench at a shell: people, tasks, URLs, seal, try, settings. What needs root is in `nas`.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::*;

/// The words and the end of a command.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Said {
    #[track_caller]
    pub fn ok(&self) -> &str {
        assert_eq!((self.code, &*self.err), (Some(0), ""), "{}", self.out);
        &self.out
    }

    /// The one sentence with which it refused, its lines put together again.
    #[track_caller]
    pub fn refused(&self) -> String {
        assert_eq!((self.code, &*self.out), (Some(1), ""), "{}", self.err);
        assert!(self.err.lines().all(|line| line.chars().count() <= 80 || !line.contains(' ')), "{}", self.err);
        self.err.trim_end().replace('\n', " ")
    }

    /// The links that it showed, as paths; those of pages with a button without their query.
    pub fn paths(&self) -> Vec<String> {
        let urls = self.out.lines().filter_map(|line| line.strip_prefix("  http://127.0.0.1:10765"));
        urls.map(|url| url.trim_end_matches("?ask").to_owned()).collect()
    }
}

pub fn remotetask(sandbox: &Sandbox, arguments: &[&str]) -> Said {
    fed(sandbox, arguments, "")
}

pub fn fed(sandbox: &Sandbox, arguments: &[&str], input: &str) -> Said {
    said(Command::new(sandbox.path("remotetask")).args(arguments), input)
}

pub fn said(command: &mut Command, input: &str) -> Said {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("it starts");
    // A program that does not read its input is not waited for.
    let _ = child.stdin.take().expect("stdin").write_all(input.as_bytes());
    let done = child.wait_with_output().expect("its end");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

fn json(sandbox: &Sandbox, name: &str) -> serde_json::Value {
    serde_json::from_str(&sandbox.read(name)).expect("JSON")
}

/// A POST to this URL as the web server hands it on: a new task answers a GET with a page.
fn request(sandbox: &Sandbox, path: &str) -> Answer {
    sandbox.call("POST", path).send()
}

/// The address of the task `t` for this person.
fn path_of(sandbox: &Sandbox, who: &str) -> String {
    remotetask(sandbox, &["url", "t", "--who", who]).paths().remove(0)
}

#[test]
fn a_person_gets_a_key_uses_it_and_loses_it() {
    let sandbox = Sandbox::with_command("true");
    let config = sandbox.read("config.json");
    let made =
        remotetask(&sandbox, &["key", "new", "--label", "Anna's phone", "--tasks", "t", "--from", "192.168.1.0/24"]);
    let begins = "Anna's phone has a key now.\nThere is a panel now, a page with a button for each task that its caller may\nstart.\n\n\
        Anna's phone: the panel\n  http://127.0.0.1:10765/";
    assert!(made.ok().starts_with(begins), "{}", made.out);
    // One link, the panel, whose page shows what she may start.
    let [panel] = &made.paths()[..] else { panic!("one URL: {}", made.out) };
    assert_eq!(panel.split('/').map(str::len).collect::<Vec<_>>(), [0, 26, 26]);
    let shown = sandbox.get(panel).accept("text/html").send();
    assert!(shown.status() == "200 OK" && shown.body().contains("<button"), "{}", shown.text());
    let path = &path_of(&sandbox, "Anna's phone");
    assert_eq!(path.split('/').map(str::len).collect::<Vec<_>>(), [0, 26, 16]);
    assert!(!sandbox.read("config.json").contains(path.split('/').nth(1).expect("a key")), "it is sealed at once");

    let list = remotetask(&sandbox, &["key", "list"]);
    assert!(
        like(
            list.ok(),
            "#1\n  made not known; last start never\n  every task\n  not sealed: remotetask seal keeps it from whoever reads config.json\n\
             Anna's phone\n  made 20*; last start never\n  from 192.168.1.0/24 alone; tasks: t\n"
        ),
        "{}",
        list.out
    );
    request(&sandbox, path).is_like("200 OK", "Task finished: t (* s)\n");
    let list = remotetask(&sandbox, &["key", "list"]);
    assert!(
        list.ok().contains("Anna's phone\n  made 20") && list.out.matches("last start 20").count() == 1,
        "{}",
        list.out
    );
    assert_no_key(list.out.as_bytes(), "key list");
    assert!(!list.out.contains(path.split('/').nth(1).expect("a key")));

    let gone = remotetask(&sandbox, &["key", "revoke", "anna's PHONE"]);
    assert_eq!(gone.ok(), "The key of Anna's phone is refused from the next request on.\n");
    request(&sandbox, path).is_refusal();
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    remotetask(&sandbox, &["set", "panel", "off"]).ok();
    assert_eq!(json(&sandbox, "keys.json"), serde_json::json!({ "keys": {} }));
    // But for the layout the file is what it was; a key without brackets stands in some now.
    let before = config.replace(&format!("\"magickey\": \"{MAGIC}\""), &format!("\"magickey\": [\"{MAGIC}\"]"));
    assert_eq!(json(&sandbox, "config.json"), serde_json::from_str::<serde_json::Value>(&before).expect("JSON"));
}

#[test]
fn what_key_refuses() {
    let sandbox = Sandbox::with_command("true");
    let before = sandbox.read("config.json");
    let new = |more: &[&'static str]| [&["key", "new", "--label", "x"], more].concat();
    for (arguments, expected) in [
        (vec!["key", "new", "--label", " "], "a label says whose key it is; write one such as --label \"Anna's phone\"."),
        (vec!["key", "new", "--label", "#1"], "a label that begins with # would be taken for a key's number; choose another."),
        (vec!["key", "new", "--label", "a\nb"], "a label is one line of plain text; choose another."),
        (new(&["--expires", "31.1.2027"]), "\"31.1.2027\" is no day; write year, month and day such as *."),
        (new(&["--expires", "2020-01-31"]), "2020-01-31 is over; today is *."),
        (
            new(&["--from", "192.168.1.7/24"]),
            "--from 192.168.1.7/24: this network has bits set behind its prefix; write \"192.168.1.0/24\".",
        ),
        (
            new(&["--from", "nas"]),
            "--from nas: write an address or a network, such as \"192.168.1.7\" or \"192.168.1.0/24\".",
        ),
        (
            new(&["--from", "192.168.1"]),
            "--from 192.168.1: write an address or a network, such as \"192.168.1.7\" or \"192.168.1.0/24\".",
        ),
        (new(&["--tasks", "t,7"]), "there is no task \"7\" here; there are: t. remotetask tasks add makes another reachable."),
        (vec!["key", "revoke", "nobody"], "there is no key of nobody; there are: #1."),
        (vec!["key", "revoke", "#2"], "there is no key of #2; there are: #1."),
        (
            vec!["key", "revoke", "#1"],
            "this is the only key there is, and without one nobody could start anything. Make another first with remotetask key new, or replace this one with remotetask key rotate.",
        ),
        (vec!["key", "rotate", "#0"], "there is no key of #0; there are: #1."),
        (vec!["key", "rotate", "#1", "--old-until", "soon"], "\"soon\" is no day; write year, month and day such as *."),
    ] {
        let refused = remotetask(&sandbox, &arguments).refused();
        assert!(like(&refused, &format!("remotetask: {expected}")), "{arguments:?}: {refused}");
        assert_eq!(sandbox.read("config.json"), before, "{arguments:?}");
    }
    remotetask(&sandbox, &["key", "new", "--label", "Anna"]).ok();
    let refused = remotetask(&sandbox, &["key", "new", "--label", "anna"]).refused();
    assert_eq!(
        refused,
        "remotetask: there is a key of Anna already; choose another label, or give it a new key: remotetask key rotate Anna."
    );
}

#[test]
fn a_rotated_key_ends_at_once_or_at_the_end_of_a_day() {
    let sandbox = Sandbox::with_command("true");
    remotetask(&sandbox, &["key", "new", "--label", "phone", "--tasks", "t"]).ok();
    let old = path_of(&sandbox, "phone");
    let new = remotetask(&sandbox, &["key", "rotate", "phone"]);
    assert!(
        new.ok()
            .starts_with("phone has a new key; the old one is refused from the next request on.\n\nphone: the panel\n"),
        "{}",
        new.out
    );
    let new = path_of(&sandbox, "phone");
    request(&sandbox, &old).is_refusal();
    request(&sandbox, &new).is_like("200 OK", "Task finished: t (* s)\n");

    let day = "2999-01-31";
    let newer = remotetask(&sandbox, &["key", "rotate", "phone", "--old-until", day]);
    assert!(
        newer.ok().starts_with("phone has a new key; the old one is valid until the end of 2999-01-31.\n"),
        "{}",
        newer.out
    );
    let newer = path_of(&sandbox, "phone");
    for path in [&new, &newer] {
        request(&sandbox, path).is_like("200 OK", "Task finished: t (* s)\n");
    }
    let keys = &json(&sandbox, "config.json")["server"]["magickey"];
    assert_eq!((&keys[1]["label"], &keys[1]["tasks"][0]), (&"phone".into(), &"t".into()));
    assert_eq!(
        (&keys[2]["label"], &keys[2]["expires"], &keys[2]["tasks"][0]),
        (&"phone (old, until 2999-01-31)".into(), &day.into(), &"t".into())
    );
    // The next rotation ends what the last one left.
    remotetask(&sandbox, &["key", "rotate", "phone", "--old-until", day]).ok();
    let newest = path_of(&sandbox, "phone");
    request(&sandbox, &new).is_refusal();
    for path in [&newer, &newest] {
        request(&sandbox, path).is_like("200 OK", "Task finished: t (* s)\n");
    }
    // A key without a label, and without an object.
    let own = remotetask(&sandbox, &["key", "rotate", "#1", "--old-until", day]);
    assert!(
        own.ok().starts_with("#1 has a new key; the old one is valid until the end of 2999-01-31.\n\n#1: the panel\n"),
        "{}",
        own.out
    );
    request(&sandbox, &path_of(&sandbox, "#1")).is_like("200 OK", "Task finished: t (* s)\n");
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
}

/// A person is taken back whole, and nobody else is.
#[test]
fn what_a_rotation_left_is_taken_back_with_the_rest() {
    let sandbox = Sandbox::with_command("true");
    let day = "2999-01-31";
    remotetask(&sandbox, &["key", "new", "--label", "Anna"]).ok();
    let old = path_of(&sandbox, "Anna");
    remotetask(&sandbox, &["key", "new", "--label", "Anna (old)"]).ok();
    let own = path_of(&sandbox, "Anna (old)");
    remotetask(&sandbox, &["key", "rotate", "Anna", "--old-until", day]).ok();
    let new = path_of(&sandbox, "Anna");
    let revoked = remotetask(&sandbox, &["key", "revoke", "Anna"]);
    assert_eq!(
        revoked.ok(),
        "The key of Anna is refused from the next request on.\n\
         The key of Anna (old, until 2999-01-31) is refused from the next request on.\n"
    );
    for path in [&old, &new] {
        request(&sandbox, path).is_refusal();
    }
    request(&sandbox, &own).is_like("200 OK", "Task finished: t (* s)\n");
    // Two without a label do not touch each other.
    let text =
        sandbox.read("config.json").replace(&format!("\"{MAGIC}\""), &format!("\"{MAGIC}\", \"key-without-label-2\""));
    sandbox.raw_config(&text);
    for number in ["#1", "2"] {
        remotetask(&sandbox, &["key", "rotate", number, "--old-until", day]).ok();
    }
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    request(&sandbox, &format!("/key-without-label-2/{TASK}")).is_like("200 OK", "Task finished: t (* s)\n");
    // Two of one name are told apart by their numbers.
    sandbox.raw_config(&sandbox.read("config.json").replace("Anna (old)", "without a label (old, until 2999-01-31)"));
    let refused = remotetask(&sandbox, &["key", "revoke", "without a label (old, until 2999-01-31)"]).refused();
    assert!(
        refused.starts_with(
            "remotetask: several keys are called without a label (old, until 2999-01-31); give the number of one: '#"
        ),
        "{refused}"
    );
}

#[test]
fn a_task_is_added_used_rotated_and_removed() {
    let sandbox = Sandbox::with_command("true");
    let program = sandbox.script("hello", "echo \"$*\" >>$T/said");
    let program = program.display().to_string();
    let added =
        remotetask(&sandbox, &["tasks", "add", "hello", "--name", "Say hello", "--", &program, "one two", "--now"]);
    assert!(added.ok().starts_with("Task hello has a URL now.\n\n#1: Say hello (hello)\n"), "{}", added.out);
    assert!(added.out.lines().any(|line| line.ends_with("?ask")), "{}", added.out);
    let first = added.paths().remove(0);
    // Opened by a GET it asks first.
    let page = sandbox.get(&first).send();
    assert!(page.status() == "200 OK" && page.body().contains("<button") && !sandbox.path("said").exists());
    request(&sandbox, &first).is_like("200 OK", "Task finished: Say hello (* s)\n");
    assert_eq!(sandbox.read("said"), "one two --now\n");

    // The two dashes may be forgotten.
    remotetask(&sandbox, &["tasks", "add", "again", "--name", "Again", &program, "--later"]).ok();
    assert_eq!(json(&sandbox, "config.json")["tasks"]["again"]["command"], serde_json::json!([program, "--later"]));
    remotetask(&sandbox, &["tasks", "remove", "again"]).ok();
    let second = remotetask(&sandbox, &["tasks", "rotate", "hello", "--keep-old"]).paths().remove(0);
    for path in [&first, &second] {
        request(&sandbox, path).is_like("200 OK", "Task finished: Say hello (* s)\n");
    }
    let rotated = remotetask(&sandbox, &["tasks", "rotate", "hello"]);
    assert!(rotated.ok().starts_with("Task hello has a new key. Its old URLs are refused from the next request on.\n"));
    for path in [&first, &second] {
        request(&sandbox, path).is_refusal();
    }
    let third = rotated.paths().remove(0);
    request(&sandbox, &third).is_like("200 OK", "Task finished: Say hello (* s)\n");

    remotetask(&sandbox, &["key", "new", "--label", "guest", "--tasks", "hello"]).ok();
    let refused = remotetask(&sandbox, &["tasks", "remove", "hello"]).refused();
    let guest = "remotetask: the key of guest is for this task alone, and could start nothing; take it back first: remotetask key revoke guest.";
    assert_eq!(refused, guest);
    remotetask(&sandbox, &["key", "revoke", "guest"]).ok();
    let removed = remotetask(&sandbox, &["tasks", "remove", "hello"]);
    assert_eq!(removed.ok(), "The URLs of task hello are refused from the next request on.\n");
    request(&sandbox, &third).is_refusal();
    remotetask(&sandbox, &["set", "panel", "off"]).ok();
    assert_eq!(json(&sandbox, "keys.json"), serde_json::json!({ "keys": {} }));
}

#[test]
fn what_tasks_refuses() {
    let sandbox = Sandbox::with_command("true");
    sandbox.write("plain", "no program");
    let plain = sandbox.path("plain").display().to_string();
    let folder = sandbox.path("").display().to_string();
    let before = sandbox.read("config.json");
    for (arguments, expected) in [
        (
            vec!["tasks", "add", "t", "--", "/bin/true"],
            "there is a task \"t\" already; remotetask url t shows its URLs, remotetask tasks remove t takes it out.".to_owned(),
        ),
        (
            vec!["tasks", "add", "7"],
            "This machine is no Synology NAS. Without the Task Scheduler a task needs a command: remotetask tasks add NAME -- /the/program WORDS.".into(),
        ),
        (
            vec!["tasks", "add", "x", "--", "echo hi", ">/tmp/x"],
            "\"echo hi\" is not a whole path: a command begins with / and is executed without a shell. For a shell line: -- /bin/sh -c 'echo hi >/tmp/x'.".into(),
        ),
        (
            vec!["tasks", "add", "x", "--", "/bin/echo hi"],
            "\"/bin/echo hi\" is no program: write its words apart, without quotes around them all.".into(),
        ),
        (vec!["tasks", "add", "x", "--", "/no/such"], "/no/such: there is no such file.".into()),
        (vec!["tasks", "add", "x", "--", &plain], format!("{plain} is not executable; make it so: chmod +x {plain}.")),
        (vec!["tasks", "add", "x", "--", &folder], format!("{folder} is not a file; name the program itself.")),
        (vec!["tasks", "add", "x", "--", "--/bin/true"], "\"--/bin/true\" is not a whole path: *".into()),
        (vec!["url", "--at", "https://nas.example.org/76sdf7678fds687/hjhass665s"], "behind the host of this address stands what may be keys, and a request there could start a task. Give the address alone, such as https://nas.example.org.".into()),
        (vec!["tasks", "add", " ", "--", "/bin/true"], "a task needs a name of one line, such as backup.".into()),
        (
            vec!["tasks", "add", "x", "--event", "E", "--", "/bin/true"],
            "a task has a command or an event, not both; leave one of them out.".into(),
        ),
        (vec!["tasks", "remove", "x"], "there is no task \"x\" here; there are: t. remotetask tasks add makes another reachable.".into()),
        (vec!["tasks", "rotate", "x"], "there is no task \"x\" here; there are: t. remotetask tasks add makes another reachable.".into()),
        (vec!["url", "x"], "there is no task \"x\" here; there are: t. remotetask tasks add makes another reachable.".into()),
        (vec!["url", "--who", "x"], "there is no key of x; there are: #1.".into()),
        (
            vec!["url", "--at", "nas"],
            "this is no address; write one such as https://nas.example.org or http://192.168.1.20:10765.".into(),
        ),
    ] {
        let refused = remotetask(&sandbox, &arguments).refused();
        assert!(like(&refused, &format!("remotetask: {expected}")), "{arguments:?}: {refused}");
        assert_eq!(sandbox.read("config.json"), before, "{arguments:?}");
    }
}

/// The seed's file, sealed: its URLs go on working, and the file tells nothing any more.
#[test]
fn seal_keeps_every_url_working() {
    let sandbox = Sandbox::with_command("true");
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    let sealed = remotetask(&sandbox, &["seal"]);
    assert_eq!(
        sealed.ok(),
        "Sealed: 2. The keys themselves are in keys.json, which root alone can read.\n\
         Copies of config.json that were made before still hold the plain keys: delete\nthem.\n\
         Every URL goes on working.\n"
    );
    assert_no_key(sandbox.read("config.json").as_bytes(), "config.json");
    assert_eq!(
        sandbox.files(),
        ["config.json", "keys.json", "log.txt"]
            .map(str::to_owned)
            .into_iter()
            .chain(sandbox.files().into_iter().filter(|name| name.starts_with("state")))
            .collect::<Vec<_>>(),
        "no copy"
    );
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(remotetask(&sandbox, &["url"]).paths(), [format!("/{MAGIC}/{TASK}")]);
    assert_eq!(remotetask(&sandbox, &["seal"]).ok(), "Every key is sealed already; nothing was changed.\n");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(sandbox.path("keys.json")).expect("keys.json").permissions().mode() & 0o777, 0o600);
}

#[test]
fn sealing_a_weak_key_says_so() {
    let weak = "{\"magickey\": \"76sdf7678fds687\", \"elevate\": [], \"tasks\": {\"t\": {\"identifier\": \"hjhass665s\", \"command\": [\"/bin/true\"]}}}";
    let sandbox = Sandbox::new();
    sandbox.raw_config(weak);
    let sealed = remotetask(&sandbox, &["seal"]);
    assert!(
        sealed.ok().contains("The key of #1 is weak: it stands in a published example, where everybody can"),
        "{}",
        sealed.out
    );
    assert!(
        sealed.out.contains("/remotetask key rotate '#1'\n") && sealed.out.contains("/remotetask tasks rotate t\n")
    );
    request(&sandbox, "/76sdf7678fds687/hjhass665s").is_like("200 OK", "Task finished: t (* s)\n");

    sandbox.raw_config(weak);
    let renewed = remotetask(&sandbox, &["seal", "--renew"]);
    assert!(
        renewed.ok().contains("Replaced: 2. Their old URLs are refused from the next request on.\n"),
        "{}",
        renewed.out
    );
    request(&sandbox, "/76sdf7678fds687/hjhass665s").is_refusal();
    request(&sandbox, &renewed.paths()[0]).is_like("200 OK", "Task finished: t (* s)\n");
    assert!(!sandbox.read("keys.json").contains("76sdf7678fds687"));
}

#[test]
fn urls_as_others_want_them() {
    let sandbox = Sandbox::with_task("true", ", \"name\": \"Say hello\"");
    let base = "https://nas.example.org:8443";
    let urls = remotetask(&sandbox, &["url", "--at", &format!("{base}/")]);
    assert_eq!(
        urls.ok(),
        format!(
            "\n#1: Say hello (t)\n  {base}/{MAGIC}/{TASK}?ask\n\n\
             Whoever has such a link can start what stands there: give it to its person\nalone. Opening it starts nothing, \
             so it may be a bookmark, on the home screen,\nor sent to that person.\n"
        )
    );
    let curl = remotetask(&sandbox, &["url", "t", "--for", "curl"]);
    for line in [
        &format!("curl -X POST '{base}/{MAGIC}/{TASK}'"),
        &format!("curl -X POST -H 'X-Magic-Key: {MAGIC}' -H 'X-Task-Key: {TASK}' '{base}/'"),
        "curl -K task_t.curl",
    ] {
        assert!(curl.ok().lines().any(|found| found == line), "{line}: {}", curl.out);
    }
    let home = remotetask(&sandbox, &["url", "--for", "home-assistant"]);
    assert!(
        home.ok().contains(&format!("  remotetask_task_t:\n    url: \"{base}/\"\n    method: post\n")),
        "{}",
        home.out
    );
    let ios = remotetask(&sandbox, &["url", "--for", "ios", "--who", "#1"]);
    assert!(
        ios.ok().contains(&format!("  Headers  X-Magic-Key   {MAGIC}\n           X-Task-Key    {TASK}\n")),
        "{}",
        ios.out
    );
    remotetask(&sandbox, &["key", "new", "--label", "Anna"]).ok();
    let refused = remotetask(&sandbox, &["url", "Say hello", "--for", "curl"]).refused();
    let which = "remotetask: this text is for one task and one key; say which, such as remotetask url t --who '#1'.";
    assert_eq!(refused, which);
}

#[test]
fn a_phone_reads_the_codes() {
    let sandbox = Sandbox::new();
    let long = "k1-_.~Zq7vK2mXw9RtB4nLHc5yP8dGs3JfU6eA".repeat(3);
    sandbox.config("", &format!("\"t\": {{\"identifier\": \"{long}\", \"command\": [\"/bin/true\"]}}"));
    for base in ["http://192.168.1.20:10765".to_owned(), format!("https://{}.example.org:8443/tasks", "n".repeat(50))] {
        let drawn = remotetask(&sandbox, &["url", "--qr", "--at", &base]);
        let text = plain(drawn.ok());
        assert!(text.lines().all(|line| line.starts_with("  http") || line.chars().count() <= 80), "{text}");
        // As a terminal shows it, whatever its own colours are.
        for light in [true, false] {
            assert_eq!(seen_on(&drawn.out, light), [format!("{base}/{MAGIC}/{long}?ask")]);
        }
    }
    let base = format!("https://{}.example.org", "n".repeat(900));
    let drawn = remotetask(&sandbox, &["url", "--qr", "--at", &base]);
    assert!(drawn.ok().contains("  This URL is too long for a code of 80 columns.\n"), "{}", drawn.out);
    assert!(!remotetask(&sandbox, &["url"]).ok().contains('█'), "not where nobody looks");
    let own = remotetask(&sandbox, &["url", "--qr", "--at", "http://127.0.0.1:10765"]);
    assert!(!own.ok().contains('█') && own.out.contains("No phone finds http://127.0.0.1:10765: "), "{}", own.out);
}

/// A key that was sealed by hand is known to nobody here.
#[test]
fn a_url_that_cannot_be_shown() {
    let sandbox = Sandbox::new();
    sandbox.config("", "\"t\": {\"identifier\": \"sha256:ef797c8118f02dfb649607dd5d3f8c7623048c9c063d532cc95c5ed7a898a64f\", \"command\": [\"/bin/true\"]}");
    let urls = remotetask(&sandbox, &["url"]);
    let expected = "\n#1: t\n  One of its keys stands in config.json as a digest, and was never known here.\n  \
        Its URL works, but cannot be shown; a new one can: remotetask tasks rotate t\n";
    assert_eq!(urls.ok(), expected);
    assert_eq!(remotetask(&sandbox, &["tasks", "rotate", "t"]).paths().len(), 1);
}

#[test]
fn try_does_everything_but_the_start() {
    let sandbox = Sandbox::with_command("echo ran >>$T/ran");
    let path = format!("/{MAGIC}/{TASK}");
    let ends = |input: &str, arguments: &[&str], expected: &str| {
        let tried = fed(&sandbox, arguments, input);
        assert_eq!((tried.code, &*tried.err), (Some(1), ""), "{}", tried.out);
        assert!(tried.out.ends_with(expected), "{input}: {}", tried.out);
        assert_no_key(tried.out.as_bytes(), "try");
    };
    for input in [
        path.clone(),
        format!("https://nas.example.org{path}/\n"),
        format!("curl -X POST 'http://127.0.0.1:10765{path}'\n"),
    ] {
        let tried = fed(&sandbox, &["try"], &input);
        assert_eq!(
            tried.ok(),
            "holds  2 the files are the owner's alone\nholds  4 the configuration is valid\n\
             holds  5 the magic key is that of #1, the identifier that of task t\nholds  6 nothing stands against a start now\n\
             start  7 it exists: the command /bin/sh\n\
             Nothing was started. Whether the web server and sudo let a request through to\nhere, remotetask check --url tells.\n"
        );
    }
    let status = fed(&sandbox, &["try"], &format!("http://127.0.0.1:10765{path}?status\n"));
    assert!(status.ok().ends_with("status it asks for the last run, and starts nothing\n"), "{}", status.out);
    let page = "       The caller sees the start page, as every stranger does.\n";
    ends(&format!("/{MAGIC}x/{TASK}"), &["try"], &format!("ends   5b wrong magic key\n{page}"));
    ends(
        &format!("/{MAGIC}/{TASK}x"),
        &["try"],
        &format!("ends   5c wrong identifier; the magic key is that of #1\n{page}"),
    );
    ends(
        &format!("{path}/x"),
        &["try"],
        &format!("ends   5a the path is not /<magickey>/<identifier>; the magic key is that of #1\n{page}"),
    );
    ends("/\n", &["try"], "ends   this is the doorstep: no key was given\n       The caller sees the start page.\n");
    assert_eq!(
        fed(&sandbox, &["try"], "").refused(),
        "remotetask: nothing was given; remotetask try reads a URL, or its path, from standard input."
    );
    let limited = format!("{{\"label\": \"guest\", \"key\": \"{MAGIC}\", \"from\": [\"192.168.1.0/24\"]}}");
    let config = sandbox.read("config.json");
    sandbox.raw_config(&config.replace(&format!("\"{MAGIC}\""), &format!("[{limited}]")));
    let where_from = "; say where the call comes from: remotetask try --from 192.168.1.7\n";
    let guest = "ends   5e the magic key is not for this network; the magic key is that of\n       \"guest\"";
    ends(&path, &["try"], &format!("{guest}{where_from}{page}"));
    ends(&path, &["try", "--from", "10.0.0.1"], &format!("{guest}\n{page}"));
    fed(&sandbox, &["try", "--from", "192.168.1.7"], &path).ok();
    sandbox.raw_config(&config.replace("/bin/sh", "/bin/no"));
    ends(&path, &["try"], "ends   7b /bin/no: No such file or directory (os error 2)\n       The caller sees \"Task not started\", and a reference to the log.\n");
    sandbox.raw_config(&config.replace("\"tasks\"", "\"taskz\""));
    ends(&path, &["try"], page);
    assert!(!sandbox.path("ran").exists(), "nothing was started");
}

#[test]
fn try_says_when_it_runs_already() {
    let sandbox = Sandbox::with_task("exec sleep 600", ", \"wait\": 0");
    sandbox.start().is("202 Accepted", "Task started: t\n");
    let tried = fed(&sandbox, &["try"], &format!("/{MAGIC}/{TASK}"));
    let expected = "ends   6 it runs already, or too many do\n       The caller sees \"Task is already running: t\".\n";
    assert!(tried.code == Some(1) && tried.out.ends_with(expected), "{}", tried.out);
    stop(&sandbox);
}

/// Ends the one run that is alive.
fn stop(sandbox: &Sandbox) {
    let record = sandbox
        .files()
        .into_iter()
        .find(|name| name.ends_with(".json") && name.starts_with("state"))
        .expect("a record");
    let pid = json(sandbox, &record)["process"]["pid"].to_string();
    Command::new("kill").arg(pid).status().expect("kill");
    until("its end", || (!sandbox.read(&record).contains("\"started\",\"duration")).then_some(()));
}

#[test]
fn where_things_stand_and_what_is_next() {
    let sandbox = Sandbox::new();
    let shown = sandbox.path("");
    let shown = shown.display().to_string();
    let folder = shown.trim_end_matches('/');
    let status = |expected: &str| {
        let said = remotetask(&sandbox, &[]);
        let text = said
            .ok()
            .replace('\n', " ")
            .replace(&format!("{folder}/remotetask"), "remotetask")
            .replace(folder, "FOLDER")
            .replace("sudo ", "");
        assert!(
            like(&text, &format!("Remote task starter {} {}", env!("CARGO_PKG_VERSION"), expected.replace('\n', " "))),
            "{}",
            said.out
        );
    };
    status("In FOLDER, without a configuration yet: no URL starts anything.\n\nNext\nSee what there is, and make the first URL:\n  remotetask tasks\n  remotetask tasks add 7\n");
    sandbox.raw_config("{\"magickey\": \"key-of-me\",, \"tasks\": {}}");
    status("FOLDER/config.json, line 1, column 26: key must be a string; * Nothing can be started until this is mended.\n\nNext\nWhen that is done:\n  remotetask check\n");
    sandbox.config("", "");
    status("In FOLDER; the configuration is valid.\nKeys: #1\n\nNext\nNo task can be reached yet. See what there is, and make one reachable:\n  remotetask tasks\n  remotetask tasks add 7\n");
    sandbox.config("", &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
    status("In FOLDER; the configuration is valid.\nKeys: #1\nTask t: never started by URL\n\nNext\nKeys stand in config.json as they are; all that runs as the web server's user can read them there:\n  remotetask seal\n");
    remotetask(&sandbox, &["seal"]).ok();
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    status("In FOLDER; the configuration is valid.\nKeys: #1\nTask t: finished, started on *\n\nNext\nSay once by which name this NAS is reached, so that URLs are shown as they are used:\n  remotetask url --at https://nas.example.org\n");
    remotetask(&sandbox, &["url", "--at", "https://nas.example.org"]).ok();
    status("In FOLDER; *\nTask t: *\n\nNext\nSee whether everything works, from the web server to the task:\n  remotetask check --url https://nas.example.org\n  remotetask --help\n");
}

/// A valid configuration is not all: what files alone tell is counted, as check counts it.
#[test]
fn where_things_stand_counts_the_faults_of_files() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_command("true");
    remotetask(&sandbox, &["key", "new", "--label", "me"]).ok();
    let said = remotetask(&sandbox, &[]);
    assert!(!said.ok().contains("faults"), "{}", said.out);
    std::fs::set_permissions(sandbox.path("keys.json"), PermissionsExt::from_mode(0o644)).expect("chmod");
    std::fs::remove_file(sandbox.path("remotetask-keep")).expect("removed");
    let said = remotetask(&sandbox, &[]);
    let told = "the configuration is valid.\nfaults 2 by a look at files alone; remotetask check tells each, and its cure\nKeys: ";
    assert!(said.ok().contains(told), "{}", said.out);
    assert!(said.out.trim_end().ends_with("remotetask check"), "{}", said.out);
    let checked = remotetask(&sandbox, &["check"]);
    assert_eq!(checked.out.lines().filter(|line| line.starts_with("fault ")).count(), 2, "{}", checked.out);
}

/// The first task makes the first configuration.
#[test]
fn from_nothing_to_a_url_in_one_command() {
    let sandbox = Sandbox::new();
    let added = remotetask(&sandbox, &["tasks", "add", "hello", "--", "/bin/true"]);
    let shown = sandbox.path("config.json").display().to_string();
    assert!(
        added.ok().replace('\n', " ").starts_with(&format!("{shown} is new, with a key for you, \"me\". ")),
        "{}",
        added.out
    );
    // Run by root, the tests have the installation of root, which goes by way of sudo.
    let config = sandbox.read("config.json");
    if !config.contains("elevate") {
        sandbox.raw_config(&config.replacen("\"magickey\"", "\"elevate\": [], \"magickey\"", 1));
    }
    // One link, the panel: its page has the button.
    let [panel] = &added.paths()[..] else { panic!("one link: {}", added.out) };
    assert!(added.out.contains("\nme: the panel\n"), "{}", added.out);
    let page = sandbox.get(panel).accept("text/html").send();
    assert!(page.body().contains("<button") && page.body().contains("hello"), "{}", page.body());
    let path = remotetask(&sandbox, &["url", "hello"]).paths().remove(0);
    request(&sandbox, &path).is_like("200 OK", "Task finished: hello (* s)\n");
    use std::os::unix::fs::PermissionsExt;
    let mode = |name: &str| std::fs::metadata(sandbox.path(name)).expect(name).permissions().mode() & 0o777;
    assert_eq!((mode("config.json"), mode("keys.json"), mode("state")), (0o640, 0o600, 0o700));
    let kept = json(&sandbox, "keys.json");
    assert_eq!(kept["keys"].as_object().map(|keys| keys.len()), Some(3), "me, the task, the panel");
}

#[test]
fn many_at_once_all_count() {
    let sandbox = Sandbox::with_command("true");
    let one = |n: usize| {
        let mut command = Command::new(sandbox.path("remotetask"));
        command.args(["key", "new", "--label", &format!("phone {n}")]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it starts")
    };
    let children: Vec<_> = (0..8).map(one).collect();
    for child in children {
        let done = child.wait_with_output().expect("its end");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    assert_eq!(remotetask(&sandbox, &["url"]).paths().len(), 9, "a panel each");
    let urls = remotetask(&sandbox, &["url", "t"]).paths();
    assert_eq!(urls.len(), 9);
    for path in &urls {
        request(&sandbox, path).is_like("200 OK", "Task finished: t (* s)\n");
    }
}

/// Killed at its worst moments, it leaves the old or the new, and the next one goes on.
#[test]
fn interrupted_in_the_middle() {
    for point in ["before a change is written", "before a new file takes its place"] {
        for arguments in [
            &["key", "new", "--label", "Anna"][..],
            &["key", "revoke", "#1"],
            &["key", "rotate", "#1"],
            &["tasks", "add", "x", "--", "/bin/true"],
            &["tasks", "remove", "u"],
            &["tasks", "rotate", "t"],
            &["seal"],
        ] {
            let sandbox = Sandbox::new();
            let server = format!(
                "\"magickey\": [\"{MAGIC}\", {{\"label\": \"b\", \"key\": \"another-key-of-b\"}}], \"elevate\": []"
            );
            let tasks = format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}, \"u\": {{\"identifier\": \"another-key-u\", \"command\": [\"/bin/true\"]}}");
            sandbox.raw_config(&format!("{{\"server\": {{{server}}}, \"tasks\": {{{tasks}}}}}"));
            let before = sandbox.read("config.json");
            let mut command = Command::new(sandbox.path("remotetask"));
            let done = said(command.args(arguments).env("REMOTETASK_DRILL", point), "");
            assert_eq!(done.code, Some(101), "{arguments:?}: {done:?}");
            assert_eq!(sandbox.read("config.json"), before, "{arguments:?} {point}");
            sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
            remotetask(&sandbox, arguments).ok();
            assert!(!sandbox.files().iter().any(|name| name.ends_with(".new")), "{:?}", sandbox.files());
            for key in ["another-key-of-b", "another-key-u", MAGIC] {
                let kept = sandbox.read("keys.json").contains(key);
                assert!(
                    !kept || arguments == ["seal"],
                    "{arguments:?}: what stands in the configuration is not kept twice"
                );
            }
        }
    }
}

#[test]
fn a_damaged_keys_json_is_not_lost() {
    let sandbox = Sandbox::with_command("true");
    sandbox.write("keys.json", "{\"keys\": {");
    let before = sandbox.read("config.json");
    for arguments in
        [&["key", "new", "--label", "x"][..], &["seal"], &["url"], &["key", "list"], &["tasks", "rotate", "t"]]
    {
        let refused = remotetask(&sandbox, arguments).refused();
        assert!(
            refused.contains("keys.json:1:10: this is not as remotetask wrote it. Mend it, or move it away:"),
            "{refused}"
        );
    }
    assert_eq!((sandbox.read("keys.json"), sandbox.read("config.json")), ("{\"keys\": {".into(), before));
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
}

/// Another user may have put an address of theirs in, to which the owner's URLs would lead then.
#[test]
fn a_keys_json_that_others_could_write_is_not_read() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_command("true");
    sandbox.write("keys.json", "{\"url\": \"https://mine.example\", \"keys\": {}}");
    let bits =
        |bits| std::fs::set_permissions(sandbox.path("keys.json"), PermissionsExt::from_mode(bits)).expect("chmod");
    for open in [0o620, 0o602, 0o666] {
        bits(open);
        for arguments in [&["url"][..], &["url", "--noted"], &["seal"], &["key", "list"], &["tasks", "rotate", "t"]] {
            let refused = remotetask(&sandbox, arguments).refused();
            let expected =
                format!("mode {open:04o}), and all keys stand in it, so it is not read. Whoever could may have put");
            assert!(refused.contains(&expected), "{arguments:?}: {refused}");
        }
    }
    bits(0o600);
    assert_eq!(remotetask(&sandbox, &["url", "--noted"]).ok(), "https://mine.example\n");
}

/// Taking back depends on config.json alone. What keys.json could not forget is left to do, so it ends with 1.
#[test]
fn what_is_taken_back_is_so_whatever_keys_json_is() {
    let sandbox = Sandbox::with_command("true");
    remotetask(&sandbox, &["key", "new", "--label", "lost phone"]).ok();
    let made = path_of(&sandbox, "lost phone");
    let added = remotetask(&sandbox, &["tasks", "add", "x", "--", "/bin/true"]).paths().remove(0);
    sandbox.write("keys.json", "{\"keys\": {");
    for (arguments, path, expected) in [
        (["key", "revoke", "lost phone"], &made, "The key of lost phone is refused from the next request on.\n"),
        (["tasks", "remove", "x"], &added, "The URLs of task x are refused from the next request on.\n"),
    ] {
        let said = remotetask(&sandbox, &arguments);
        assert_eq!((said.code, &*said.err), (Some(1), ""), "{}", said.out);
        let advice = said.out.strip_prefix(expected).unwrap_or_else(|| panic!("{}", said.out));
        let advice = advice.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            like(
                &advice,
                "advice */keys.json:1:10: this is not as remotetask wrote it. Mend it, or move it away: the URLs of \
                 sealed keys cannot be shown then, but they go on working. What was taken back may stand in keys.json \
                 until then. It starts nothing, and goes from there with the next key or task that is taken back."
            ),
            "{advice}"
        );
        request(&sandbox, path).is_refusal();
        assert_eq!(sandbox.read("keys.json"), "{\"keys\": {");
    }
}

/// A file that is refused is not made worse: every command that changes it says why, and leaves it.
#[test]
fn a_refused_configuration_is_left_alone() {
    let sandbox = Sandbox::new();
    sandbox.raw_config("{\n  \"magickey\": \"key-of-me\",\n  \"tasks\": {\"7\": {\"identifier\": \"key-of-me\"}}\n}\n");
    let before = sandbox.read("config.json");
    for arguments in [
        &["key", "new", "--label", "x"][..],
        &["key", "list"],
        &["key", "revoke", "#1"],
        &["key", "rotate", "#1"],
        &["tasks"],
        &["tasks", "add", "x", "--", "/bin/true"],
        &["tasks", "remove", "7"],
        &["tasks", "rotate", "7"],
        &["url"],
        &["seal"],
    ] {
        let refused = remotetask(&sandbox, arguments).refused();
        let why = "config.json, line 3, column 43: tasks.\"7\".identifier: the same key stands in this file already; every key must be its own. Nothing can be started until this is mended.";
        assert!(refused.ends_with(why), "{arguments:?}: {refused}");
        assert_eq!(sandbox.read("config.json"), before, "{arguments:?}");
    }
}

#[test]
fn check_of_a_file_judges_it_alone() {
    let sandbox = Sandbox::with_command("true");
    let shown = sandbox.path("config.json").display().to_string();
    assert_eq!(remotetask(&sandbox, &["check", &shown]).ok(), format!("{shown}: valid; magic keys: 1, tasks: 1\n"));
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config.json.example");
    assert_eq!(
        remotetask(&sandbox, &["check", example]).refused(),
        format!(
            "remotetask: {example}: the magic key #1 stands in a published example: take one that nobody knows, then run this again."
        )
    );
    // A trial on this machine alone may have it.
    let trial =
        std::fs::read_to_string(example).expect(example).replace("\"server\": {", "\"server\": {\"elevate\": [],");
    sandbox.write("trial.json", &trial);
    let trial = sandbox.path("trial.json").display().to_string();
    assert_eq!(remotetask(&sandbox, &["check", &trial]).ok(), format!("{trial}: valid; magic keys: 1, tasks: 2\n"));
    std::fs::remove_file(sandbox.path("config.json")).expect("removed");
    assert_eq!(
        remotetask(&sandbox, &["check", &shown]).refused(),
        format!("remotetask: {shown}: there is no such file.")
    );
}

#[test]
fn help_version_and_what_there_is_not() {
    let sandbox = Sandbox::new();
    let help = remotetask(&sandbox, &["--help"]);
    for command in ["status", "log", "tasks", "set", "key", "url", "seal", "try", "check", "report"] {
        assert!(help.ok().lines().any(|line| line.starts_with(&format!("  {command} "))), "{command}: {}", help.out);
    }
    let versions = ["musl", "glibc"].map(|with| format!("remotetask {} with {with}\n", env!("CARGO_PKG_VERSION")));
    let version = remotetask(&sandbox, &["--version"]);
    assert!(versions.iter().any(|one| one == version.ok()), "{}", version.out);
    for arguments in [
        &["nonsense"][..],
        &["check", "a", "b"],
        &["--nonsense"],
        &["key", "nonsense"],
        &["key", "new"],
        &["tasks", "add"],
    ] {
        let said = remotetask(&sandbox, arguments);
        assert!(
            said.code == Some(2) && said.out.is_empty() && said.err.contains("Usage"),
            "{arguments:?}: {}",
            said.err
        );
    }
    // A reader that has gone is no fault.
    let line = "\"$0\" --version | true; \"$0\" check /no >&-; echo $?";
    let done = Command::new("/bin/sh").args(["-c", line]).arg(sandbox.path("remotetask")).output().expect("sh");
    assert_eq!(&*done.stdout, &b"1\n"[..]);
}

/// A virtual host has a name that stands in no file of ours, unless its owner has noted it.
#[test]
fn a_proof_by_a_virtual_host_needs_its_address() {
    let sandbox = Sandbox::with_command("true");
    let before = sandbox.read("config.json");
    std::fs::create_dir(sandbox.path("webstation")).expect("a folder");
    let said = |way: &str| {
        sandbox.write("webstation/way", way);
        remotetask(&sandbox, &["prove"])
    };
    let typed = if rustix::process::geteuid().is_root() { "sudo " } else { "" };
    for way in ["vhost\n", "php\n"] {
        let expected = format!(
            "remotetask: the entry point is a virtual host of Web Station's, so its address is needed: {typed}{} prove --url \
             https://that-name.",
            sandbox.path("remotetask").display()
        );
        assert_eq!(said(way).refused(), expected);
    }
    // A port that nothing answers at.
    let told = |said: Said, at: &str| assert!(said.out.contains(&format!("Nothing answers at {at}")), "{said:?}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|port| port.local_addr()).expect("a port");
    sandbox.raw_config(&before.replacen("\"elevate\"", &format!("\"port\": {}, \"elevate\"", free.port()), 1));
    told(said("port\n"), &format!("http://{free}"));
    remotetask(&sandbox, &["url", "--at", "http://127.0.0.1:1"]).ok();
    told(said("vhost\n"), "http://127.0.0.1:1");
    told(said("port\n"), &format!("http://{free}"));
}

/// A name of any length makes no config.json that is too large to be read, and is asked for as it stands.
#[test]
fn names_of_dsms_are_cut() {
    let sandbox = Sandbox::new();
    let line = "printf '%17s [%s]\\n' ID: 7 Name: \"é$(printf %0300000d)\" State: enabled Command: x";
    let program = sandbox.script("syno", line);
    sandbox.config(&format!("\"synoschedtask\": \"{}\",", program.display()), "");
    remotetask(&sandbox, &["tasks", "add", "7"]).ok();
    assert_eq!(json(&sandbox, "config.json")["tasks"]["7"]["name"], format!("é{}", "0".repeat(99)));
    assert!(sandbox.read("config.json").len() < 2000);
    let again = remotetask(&sandbox, &["tasks", "add", &format!("é{}", "0".repeat(1000))]);
    assert!(again.refused().contains("there is a task \"7\" already"), "{}", again.refused());
    assert!(remotetask(&sandbox, &["tasks", "remove", "7"]).ok().starts_with("The URLs of task 7 are refused"));
}

/// A name that looks like an option stands behind --, and what is a command there is one still.
#[test]
fn a_task_whose_name_begins_with_a_dash() {
    let sandbox = Sandbox::new();
    let program = sandbox.script(
        "syno",
        "printf '%17s [%s]\\n' ID: 7 Name: '-odd name' State: enabled Command: x\n[ \"$2\" = '' ] || exit 0\necho\n\
         printf '%17s [%s]\\n' ID: 8 Name: even State: enabled Command: x",
    );
    sandbox.config(&format!("\"synoschedtask\": \"{}\",", program.display()), "");
    assert!(remotetask(&sandbox, &["tasks", "add", "--", "-odd name"]).ok().starts_with("Task 7 has a URL now.\n"));
    assert_eq!(json(&sandbox, "config.json")["tasks"]["7"]["name"], "-odd name");
    remotetask(&sandbox, &["tasks", "add", "backup", "--", "/bin/echo", "--", "-n", "words"]).ok();
    let command = serde_json::json!(["/bin/echo", "--", "-n", "words"]);
    assert_eq!(json(&sandbox, "config.json")["tasks"]["backup"]["command"], command);
    remotetask(&sandbox, &["tasks", "add", "--", "-x", "/bin/echo", "-n"]).ok();
    assert_eq!(json(&sandbox, "config.json")["tasks"]["-x"]["command"], serde_json::json!(["/bin/echo", "-n"]));
    for (command, said) in [("rotate", "Task -x has a new key."), ("remove", "The URLs of task -x are refused")] {
        assert!(remotetask(&sandbox, &["tasks", command, "--", "-x"]).ok().starts_with(said), "{command}");
    }
    remotetask(&sandbox, &["url", "--", "7"]).ok();
}
