//! The owner's first hour on the pretend NAS, as a script: from nothing to a phone's key, through Apache
//! and sudo; and the seed's own file, sealed.

use std::os::unix::fs::symlink;

use super::servers::by_port;
use super::*;
use crate::workbench::{said, Said};

/// The workbench as root types it.
pub fn bench(arguments: &[&str]) -> Said {
    said(Command::new(at("remotetask")).args(arguments), "")
}

pub fn date(words: &str) -> String {
    let done = Command::new("date").args(["-d", words, "+%F"]).output().expect("date");
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

#[test]
fn the_first_hour() {
    let nas = Nas::new();
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    nas.scheduled(8, "disabled", "echo ran >>/run/effects/eight");
    fs::create_dir_all("/volume1/scripts").expect("a folder");
    script(Path::new("/volume1/scripts/backup.sh"), "echo \"$*\" >>/run/effects/backup");
    let _ = fs::remove_file("/usr/local/bin/remotetask");
    symlink(at("remotetask"), "/usr/local/bin/remotetask").expect("a link");
    let web = by_port("cgid");

    // Nothing yet: it says what comes next, and that is typed.
    assert!(bench(&[]).ok().contains("\n  sudo remotetask tasks\n  sudo remotetask tasks add 7\n"));
    let tasks = bench(&["tasks"]);
    assert!(tasks.ok().contains("     7  Task 7\n        enabled, of root"), "{}", tasks.out);
    assert!(tasks.out.contains("     8  Task 8\n        disabled, of root"), "{}", tasks.out);
    let added = bench(&["tasks", "add", "7", "--get", "run"]);
    // One link, whose page has a button.
    assert!(added.out.contains("\nme: the panel\n"), "{}", added.out);
    assert!(web.get(&added.paths()[0]).body.contains("<button"), "{}", added.out);
    let seven = bench(&["url", "7"]).paths().remove(0);
    assert_eq!(web.get(&seven).body, "Task started: Task 7 (handed to DSM)\n", "{}", added.out);
    assert_eq!(nas.effect_awaited("seven"), "ran\n");
    let backup = bench(&["tasks", "add", "backup", "--get", "run", "--", "/volume1/scripts/backup.sh", "--now"]);
    assert!(like(&web.get(&backup.paths()[0]).body, "Task finished: backup (* s)\n"));
    assert_eq!(nas.effect("backup"), "--now\n");
    // A program that runs as the web server learns nothing from config.json.
    let seen = nas.http("cat /usr/local/remotetask/config.json", &[]);
    assert!(seen.text().contains("sha256:") && !seen.text().contains(seven.split('/').nth(2).expect("a key")));
    nas.http("cat /usr/local/remotetask/keys.json", &[]).text().is_empty().then_some(()).expect("keys.json is root's");

    // A phone for one of them, until Sunday.
    let sunday = date("next sunday");
    let phone = bench(&["key", "new", "--label", "Anna's phone", "--tasks", "backup", "--expires", &sunday]);
    assert_eq!(phone.paths().len(), 1, "{}", phone.out);
    let shown = web.get(&phone.paths()[0]).body;
    assert!(shown.contains("backup") && !shown.contains("Task 7"), "{shown}");
    let path = bench(&["url", "backup", "--who", "Anna's phone"]).paths().remove(0);
    let list = bench(&["key", "list"]);
    let anna = |last: &str| {
        format!("Anna's phone\n  made 20*; last start {last}\n  until the end of {sunday}; tasks: backup\n")
    };
    assert!(
        like(list.ok(), &format!("me\n  made 20*; last start 20*\n  every task\n{}", anna("never"))),
        "{}",
        list.out
    );
    assert!(like(&web.get(&path).body, "Task finished: backup (* s)\n"));
    let other = format!("/{}/{}", path.split('/').nth(1).expect("who"), seven.split('/').nth(2).expect("what"));
    assert_eq!(web.get(&other).status, 404);
    let list = bench(&["key", "list"]);
    assert!(like(list.ok(), &format!("me\n  made 20*; last start 20*\n  every task\n{}", anna("20*"))), "{}", list.out);
    bench(&["key", "revoke", "Anna's phone"]).ok();
    assert_eq!(web.get(&path).status, 404);
    assert!(like(&web.get(&backup.paths()[0]).body, "Task finished: backup (* s)\n"), "nobody else's");
    assert_eq!(nas.effect("backup"), "--now\n".repeat(3));
    let tasks = bench(&["tasks"]);
    assert!(tasks.ok().contains("can be started by URL"), "{}", tasks.out);
    bench(&["tasks", "remove", "7"]).ok();
    assert_eq!(web.get(&seven).status, 404);
}

/// The original's own file, plain and flat: sealed, with its URLs still working.
#[test]
fn the_seeds_file_is_sealed() {
    let nas = Nas::new();
    nas.scheduled(1001, "enabled", "echo ran >>/run/effects/seed");
    let web = by_port("cgid");
    nas.raw_config(&format!(
        "{{\"debug\": false, \"port\": 10765, \"listen\": \"127.0.0.1\", \"magickey\": \"{MAGIC}\",\n \"tasks\": \
         {{\"1000\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}},\n  \"1001\": {{\"identifier\": \"plain-key-1001-x2\", \"command\": \"\"}}}}}}"
    ));
    let urls = [format!("/{MAGIC}/{TASK}"), format!("/{MAGIC}/plain-key-1001-x2")];
    let answers = |web: &Server| urls.clone().map(|path| web.get(&path).status);
    assert_eq!(answers(&web), [200, 202]);
    let before = fs::metadata(at("config.json")).expect("config.json");
    bench(&["seal"]).ok();
    assert_eq!(answers(&web), [200, 202], "with the next request");
    let after = fs::metadata(at("config.json")).expect("config.json");
    use std::os::unix::fs::MetadataExt;
    let like = |meta: &fs::Metadata| (meta.uid(), meta.gid(), meta.mode() & 0o7777);
    assert_eq!(like(&before), like(&after));
    let text = fs::read_to_string(at("config.json")).expect("config.json");
    let names: Vec<&str> = text
        .split('"')
        .filter(|word| ["debug", "port", "listen", "magickey", "tasks", "1000", "1001"].contains(word))
        .collect();
    assert_eq!(names, ["debug", "port", "listen", "magickey", "tasks", "1000", "1001"]);
    assert_eq!(bench(&["url"]).paths(), urls);
}

#[test]
fn who_is_not_root_is_told_how() {
    let nas = Nas::with_command("true");
    for command in [
        "",
        "tasks",
        "key list",
        "key new --label x",
        "seal",
        "url",
        "check",
        "try",
        "status",
        "log",
        "log -f",
        "set port 1",
        "report",
        "prove",
        "phone",
        "apply",
    ] {
        let told = nas.http(&format!("{} {command}", at("remotetask")), &[]);
        let sentence = "remotetask: this needs root: type the same again with sudo in front of it.\n";
        assert_eq!((told.code, &*told.text(), &*told.stderr), (Some(1), "", sentence), "{command}");
    }
    let help = nas.http(&format!("{} --help", at("remotetask")), &[]);
    assert!(help.code == Some(0) && help.text().contains("Usage"), "{help:?}");
}

/// A configuration that others could have written names programs that root would start.
#[test]
fn a_configuration_that_others_can_write_starts_nothing_here_either() {
    let nas = Nas::new();
    script(Path::new("/run/effects/evil"), "id >>/run/effects/ran");
    nas.raw_config(&format!(
        "{{\"magickey\": \"{MAGIC}\", \"synoschedtask\": \"/run/effects/evil\", \"tasks\": {{\"7\": {{\"identifier\": \"{TASK}\"}}}}}}"
    ));
    mode(&at("config.json"), 0o660);
    let before = fs::read(at("config.json")).expect("config.json");
    for arguments in [
        &["tasks"][..],
        &["tasks", "add", "9"],
        &["tasks", "add", "x", "--", "/bin/true"],
        &["tasks", "rotate", "7"],
        &["key", "list"],
        &["key", "new", "--label", "x"],
        &["url"],
        &["seal"],
        &["probe", "7", "--yes"],
    ] {
        let refused = bench(arguments).refused();
        let why = "remotetask: /usr/local/remotetask/config.json: others can write it (mode 0660); take that away: chmod go-w. \
            Until that is mended nothing that config.json names is started; remotetask check tells how.";
        assert_eq!(refused, why, "{arguments:?}");
    }
    assert!(bench(&[]).ok().replace('\n', " ").contains("others can write it (mode 0660)"));
    assert_eq!(bench(&["check"]).code, Some(1));
    assert_eq!((nas.effect("ran"), fs::read(at("config.json")).expect("config.json")), (String::new(), before));
}

/// Nothing is lost on a full disk, and the fix is named.
#[test]
fn a_full_disk_loses_nothing() {
    let nas = Nas::new();
    on_a_small_volume();
    nas.config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
    bench(&["key", "new", "--label", "guest"]).ok();
    let before = [fs::read(at("config.json")).expect("config.json"), fs::read(at("keys.json")).expect("keys.json")];
    fill_it();
    for arguments in [
        &["key", "new", "--label", "x"][..],
        &["key", "revoke", "guest"],
        &["key", "rotate", "guest"],
        &["tasks", "add", "x", "--", "/bin/true"],
        &["tasks", "rotate", "t"],
        &["tasks", "remove", "t"],
        &["seal"],
        &["url", "--at", "https://nas.example.org"],
    ] {
        let refused = bench(arguments).refused();
        let why = "stays as it is: there is no space left on the volume; make some, then try again.";
        assert!(refused.ends_with(why), "{arguments:?}: {refused}");
        let now = [fs::read(at("config.json")).expect("config.json"), fs::read(at("keys.json")).expect("keys.json")];
        assert_eq!(now, before, "{arguments:?}");
        assert!(!walk(FOLDER).iter().any(|name| name.ends_with(".new")), "{arguments:?}");
    }
    fs::remove_file(at("filler")).expect("removed");
    bench(&["key", "revoke", "guest"]).ok();
    mount(&["umount", FOLDER]);
}

fn mount(words: &[&str]) {
    assert!(Command::new(words[0]).args(&words[1..]).status().expect("mount").success());
}

/// The whole installation on a small volume of its own. The next test takes it away.
pub fn on_a_small_volume() {
    mount(&["mount", "-t", "tmpfs", "-o", "size=256m,mode=0755", "tmpfs", FOLDER]);
    for (name, program, bits) in programs() {
        fs::copy(program, at(name)).expect("copy");
        mode(&at(name), bits);
    }
}

pub fn fill_it() {
    let full =
        Command::new("dd").args(["if=/dev/zero", "bs=4k", &format!("of={}", at("filler"))]).output().expect("dd");
    assert!(!full.status.success());
}
