//! Words that an owner types: names and numbers, secrets by mistake, words that mean something else, addresses.

use crate::support::*;
use crate::workbench::{fed, remotetask, said, Said};

/// Two tasks with names, and DSM's program that knows two scheduled ones.
fn named() -> Sandbox {
    let sandbox = Sandbox::new();
    let program = sandbox.script(
        "syno",
        "printf '%17s [%s]\\n' ID: 3 Name: Harmless State: enabled Command: x\n[ \"$2\" = '' ] || exit 0\necho\n\
         printf '%17s [%s]\\n' ID: 4 Name: Other State: enabled Command: x",
    );
    let task = |id: &str, key: &str, name: &str| {
        format!("\"{id}\": {{\"identifier\": \"{key}\", \"name\": \"{name}\", \"command\": [\"/bin/true\"]}}")
    };
    let tasks = [task("7", TASK, "Check off"), task("garage", "Jf4uB9rWx2KzQm8T", "Open the gate")].join(", ");
    sandbox.config(&format!("\"synoschedtask\": \"{}\", ", program.display()), &tasks);
    sandbox
}

#[test]
fn a_name_or_a_number_wherever_a_task_is_meant() {
    let sandbox = named();
    for wanted in ["7", "Check off", "check OFF"] {
        assert_eq!(remotetask(&sandbox, &["url", wanted]).paths(), [format!("/{MAGIC}/{TASK}")], "{wanted}");
    }
    let made = remotetask(&sandbox, &["key", "new", "--label", "Anna", "--tasks", "Check off, garage , 7"]);
    made.ok();
    let list = remotetask(&sandbox, &["key", "list"]);
    assert!(list.ok().ends_with("  tasks: Check off (7), Open the gate (garage)\n"), "{}", list.out);
    let curl = remotetask(&sandbox, &["url", "Check off", "--who", "Anna", "--for", "curl"]);
    assert!(curl.ok().starts_with("# Check off (7)\n"), "{}", curl.out);
    remotetask(&sandbox, &["set", "Check off", "wait", "5"]).ok();
    assert!(remotetask(&sandbox, &["tasks", "rotate", "Check off"]).ok().starts_with("Task 7 has a new key."));
    let removed = remotetask(&sandbox, &["tasks", "remove", "Check off"]);
    assert_eq!(removed.ok(), "The URLs of task 7 are refused from the next request on.\n");
    let none = remotetask(&sandbox, &["tasks", "remove", "Check off"]).refused();
    let expected = "there is no task \"Check off\" here; there are: Open the gate (garage). remotetask tasks add makes another reachable.";
    assert_eq!(none, format!("remotetask: {expected}"));
    assert!(remotetask(&sandbox, &["key", "new", "--label", "B", "--tasks", "Gate"])
        .refused()
        .contains("no task \"Gate\""));
    // A scheduled task of DSM's by its name there.
    let asked = remotetask(&sandbox, &["probe", "Harmless"]);
    assert!(asked.out.starts_with("Task 3 (Harmless) will be started up to"), "{asked:?}");
    let none = remotetask(&sandbox, &["probe", "Nothing"]).refused();
    assert!(none.contains("the Task Scheduler has no task \"Nothing\"; remotetask tasks shows what it has."), "{none}");
}

#[test]
fn two_tasks_of_one_name_are_told_apart() {
    let sandbox = named();
    sandbox.raw_config(&sandbox.read("config.json").replace("Open the gate", "Check off"));
    let refused = remotetask(&sandbox, &["url", "Check off"]).refused();
    assert_eq!(refused, "remotetask: several tasks have the name Check off; write the id of one: 7, garage.");
}

/// Words on the screen, and in DSM's result of a task, are kept.
#[test]
fn a_secret_that_is_typed_by_mistake_never_comes_back() {
    let sandbox = named();
    let before = sandbox.read("config.json");
    let url = format!("https://nas.example.org/{MAGIC}/{TASK}");
    let bare = format!("nas.example.org/{MAGIC}/{TASK}");
    let silent = |said: Said, words: &[&str]| {
        let text = said.out + &said.err;
        assert!(
            said.code == Some(1) && text.starts_with("remotetask: this looks like a secret URL, or a key: "),
            "{text}"
        );
        assert_no_key(text.as_bytes(), &format!("{words:?}"));
    };
    for words in [
        &["key", "revoke", &url][..],
        &["key", "rotate", &bare],
        &["key", "new", "--label", &url],
        &["key", "new", "--label", "x", "--tasks", TASK],
        &["url", &url],
        &["url", MAGIC],
        &["url", "t", "--who", MAGIC],
        &["tasks", "remove", &url],
        &["tasks", "add", &url],
        &["tasks", "give", &url],
        &["log", &url],
        &["set", &url, "wait", "5"],
        &["probe", &url],
        &["try", &url],
        &[&url],
        &["nonsense", &url],
    ] {
        silent(remotetask(&sandbox, words), words);
    }
    // An address alone has a sentence of its own.
    for words in [&["url", "--at", &url][..], &["check", "--url", &url], &["prove", "--url", &url]] {
        let said = remotetask(&sandbox, words);
        assert!(said.err.contains("behind the host of this address stands what may be keys"), "{said:?}");
        assert_no_key((said.out + &said.err).as_bytes(), "an address");
    }
    assert_eq!(sandbox.read("config.json"), before);
    // A command's own words may be anything.
    remotetask(&sandbox, &["tasks", "add", "call", "--", "/bin/echo", "https://other.example.org/a/b"]).ok();
}

#[test]
fn words_that_mean_something_else_do_what_is_meant() {
    let sandbox = named();
    let tasks = remotetask(&sandbox, &["tasks"]);
    for words in [&["list"][..], &["tasks", "list"], &["tasks", "ls"]] {
        assert_eq!(remotetask(&sandbox, words).ok(), tasks.ok(), "{words:?}");
    }
    let keys = remotetask(&sandbox, &["key", "list"]);
    for words in [&["key"][..], &["keys"], &["key", "ls"]] {
        assert_eq!(remotetask(&sandbox, words).ok(), keys.ok(), "{words:?}");
    }
    assert!(remotetask(&sandbox, &["key", "add", "--label", "Anna"]).ok().starts_with("Anna has a key now.\n"));
    assert!(remotetask(&sandbox, &["key", "remove", "Anna"]).ok().starts_with("The key of Anna is refused"));
    // Orders for programs alone are proposed to nobody.
    for (word, hidden) in [("pag", "'page'"), ("becom", "'become'"), ("her", "'here'")] {
        let said = remotetask(&sandbox, &[word]);
        assert!(said.code == Some(2) && !said.err.contains(hidden), "{}", said.err);
    }
    assert!(remotetask(&sandbox, &["statu"]).err.contains("'status'"));
}

#[test]
fn an_address_as_people_write_it() {
    let sandbox = named();
    remotetask(&sandbox, &["url", "--at", " HTTPS://Nas.Example.org/ "]).ok();
    assert_eq!(remotetask(&sandbox, &["url", "--noted"]).ok(), "https://nas.example.org\n");
    for (at, expected) in [
        ("nas.example.org", "https:// is missing in front of this address: write it as https://nas.example.org,"),
        (
            "https://nas.example.org:99999",
            "the port behind the host of this address is none: a port is a number from 1 to 65535.",
        ),
        ("nas", "this is no address; write one such as "),
    ] {
        let refused = remotetask(&sandbox, &["url", "--at", at]).refused();
        assert!(refused.starts_with(&format!("remotetask: {expected}")), "{at}: {refused}");
    }
    assert_eq!(remotetask(&sandbox, &["url", "--noted"]).ok(), "https://nas.example.org\n");
}

/// As the web server in front hands it on.
#[test]
fn try_reads_an_address_as_the_entry_point_does() {
    let sandbox = named();
    let tilde = "ana~key-7Kq9Wx2Lr5";
    sandbox.raw_config(&sandbox.read("config.json").replace(MAGIC, tilde));
    for path in
        [format!("/ana%7Ekey-7Kq9Wx2Lr5/{TASK}"), format!("//{tilde}///{TASK}"), format!("/x/../{tilde}/./{TASK}/")]
    {
        for input in [path.clone(), format!("https://nas.example.org{path}")] {
            let tried = fed(&sandbox, &["try"], &input);
            assert!(tried.ok().contains("start  7 it exists: the command /bin/true\n"), "{input}: {}", tried.out);
        }
    }
    let bare = fed(&sandbox, &["try"], &format!("nas.example.org/{tilde}/{TASK}"));
    assert!(bare.ok().starts_with("advice https:// is missing in front: "), "{}", bare.out);
    assert!(bare.out.contains("\nstart  7 "), "{}", bare.out);
    let slash = fed(&sandbox, &["try"], &format!("/{tilde}%2F{TASK}"));
    let expected = "ends   the web server answers this by itself, because it has a slash written as\n       %2F, and no key has one\n";
    assert!(slash.code == Some(1) && slash.out.starts_with(expected), "{}", slash.out);
    // A task that asks first.
    remotetask(&sandbox, &["set", "7", "get", "confirm"]).ok();
    let tried = fed(&sandbox, &["try"], &format!("/{tilde}/{TASK}"));
    assert!(
        tried.ok().contains("       By POST, or by the button: the task has \"get\": \"confirm\","),
        "{}",
        tried.out
    );
}

#[test]
fn a_machine_that_is_no_nas_is_called_so() {
    let sandbox = Sandbox::with_command("true");
    let tasks = remotetask(&sandbox, &["tasks"]);
    let expected = "In DSM's Task Scheduler\n  This machine is no Synology NAS: it has no Task Scheduler.\n";
    assert!(tasks.ok().starts_with(expected), "{}", tasks.out);
    for words in [&["tasks", "add", "7"][..], &["tasks", "give", "Check off"]] {
        let said = remotetask(&sandbox, words);
        let text = (said.out + &said.err).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains("This machine is no Synology NAS. Without the Task Scheduler a task needs a command:"),
            "{text}"
        );
        assert!(!text.contains("os error"), "{text}");
    }
}

/// A GET of a new task shows a page, unless its owner wants it otherwise.
#[test]
fn a_new_task_asks_before_it_starts() {
    let sandbox = Sandbox::with_command("true");
    let path = |said: Said| said.paths().remove(0);
    let asks = path(remotetask(&sandbox, &["tasks", "add", "asks", "--", "/bin/true"]));
    let runs = path(remotetask(&sandbox, &["tasks", "add", "runs", "--get", "run", "--", "/bin/true"]));
    let config: serde_json::Value = serde_json::from_str(&sandbox.read("config.json")).expect("JSON");
    assert_eq!(
        (&config["tasks"]["asks"]["get"], &config["tasks"]["runs"]["get"]),
        (&"confirm".into(), &serde_json::Value::Null)
    );
    assert!(sandbox.get(&asks).send().body().contains("<button"));
    sandbox.get(&runs).send().is_like("200 OK", "Task finished: runs (* s)\n");
    sandbox.call("POST", &asks).send().is_like("200 OK", "Task finished: asks (* s)\n");
    // A configuration that says nothing still runs by GET.
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
}

/// The parser of the command line never repeats one either, and no other user's word is needed for that.
#[test]
fn a_secret_is_not_repeated_without_a_configuration() {
    let sandbox = Sandbox::new();
    let url = format!("https://nas.example.org/{MAGIC}/{TASK}");
    let said = said(std::process::Command::new(sandbox.path("remotetask")).args(["--who", &url]), "");
    assert_no_key((said.out + &said.err).as_bytes(), "the parser's error");
}
