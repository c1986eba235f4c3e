//! `check` in a trial folder: each finding provoked, in its words, and fixed by its own commands.

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::process::Command;
use std::time::{Duration, SystemTime};

use remotetask::key::Digest;
use serde_json::Value;

use crate::support::*;
use crate::workbench::{remotetask, said, Said};

/// A finding, and how a healthy installation comes to it.
pub struct Row<S> {
    pub code: &'static str,
    pub plant: fn(&S),
    /// Its words; `*` stands for anything.
    pub says: &'static str,
    pub cure: &'static str,
    /// The codes of the findings beside it.
    pub along: &'static [&'static str],
    /// True if its commands, as they stand there, make all well again.
    pub cured: bool,
}

/// A triggered task of the web API's; esynoscheduler is this shell line.
fn events(sandbox: &Sandbox, line: &str) {
    let (esyno, webapi) = (sandbox.script("esyno", line), sandbox.script("webapi", "true"));
    let fields = format!(
        "\"synowebapi\": \"{}\", \"esynoscheduler\": \"{}\", \"magickey\": \"{}\"",
        webapi.display(),
        esyno.display(),
        sealed(MAGIC)
    );
    server(
        sandbox,
        &fields,
        &format!("\"garage\": {{\"identifier\": \"{}\", \"event\": \"open garage\"}}", sealed(TASK)),
    );
}

/// The findings of `check --json`.
#[track_caller]
pub fn findings(said: &Said) -> Vec<Value> {
    let told: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    let findings = told["findings"].as_array().expect("a list").clone();
    let works = findings.iter().all(|found| found["level"] != "fault");
    assert_eq!(
        (told["works"].as_bool(), said.code, &*said.err),
        (Some(works), Some(i32::from(!works)), ""),
        "{said:?}"
    );
    findings
}

/// Types what a fix says, as bash and DSM's ash read it. A piece of config.json is nothing to type.
#[track_caller]
pub fn type_it(found: &Value) {
    let typed = found["type"].as_array().expect("a list").iter().filter_map(Value::as_str);
    for line in typed.filter(|typed| !typed.starts_with('"')) {
        let done = said(Command::new("/bin/bash").args(["-c", line]), "");
        assert_eq!(done.code, Some(0), "{}: {line}: {}", found["code"], done.err);
    }
}

impl<S> Row<S> {
    /// Plants it, looks, and does what the fix says.
    pub fn try_on(&self, healthy: &S, look: &dyn Fn() -> Said, here: &dyn Fn(&str) -> String) {
        assert_eq!(findings(&look()), [] as [Value; 0], "before {}", self.code);
        (self.plant)(healthy);
        let found = findings(&look());
        let mut along: Vec<&str> = found.iter().filter_map(|found| found["code"].as_str()).collect();
        let at = along.iter().position(|code| *code == self.code);
        let at = at.unwrap_or_else(|| panic!("{} was not found: {found:#?}", self.code));
        along.remove(at);
        assert_eq!(along, self.along, "beside {}: {found:#?}", self.code);
        for (name, expected) in [("says", self.says), ("cure", self.cure)] {
            let text = found[at][name].as_str().expect("a text");
            assert!(like(text, &here(expected)), "{}: {text}\nis not like\n{}", self.code, here(expected));
        }
        // sudo may ask for a password where nothing is root's.
        let may = rustix::process::geteuid().is_root() || !here(self.cure).contains("`sudo ");
        if self.cured && may {
            type_it(&found[at]);
            assert_eq!(findings(&look()), [] as [Value; 0], "after the cure of {}", self.code);
        }
    }
}

/// A trial in which nothing is to be found.
fn healthy() -> Sandbox {
    let sandbox = Sandbox::new();
    tasks(&sandbox, &task("\"command\": [\"/bin/true\"]"));
    sandbox
}

fn sealed(key: &str) -> String {
    Digest::of(key.as_bytes()).sealed()
}

fn task(starts: &str) -> String {
    format!("\"t\": {{\"identifier\": \"{}\", {starts}}}", sealed(TASK))
}

fn tasks(sandbox: &Sandbox, tasks: &str) {
    server(sandbox, &format!("\"magickey\": \"{}\"", sealed(MAGIC)), tasks);
}

fn server(sandbox: &Sandbox, fields: &str, tasks: &str) {
    let folder = sandbox.path("").display().to_string();
    let text = format!("{{\"server\": {{\"elevate\": [], {fields}}}, \"tasks\": {{{tasks}}}}}");
    sandbox.raw_config(&text.replace("$T/", &folder));
    mode(sandbox, "config.json", 0o640);
}

fn command(sandbox: &Sandbox, argv: &str) {
    tasks(sandbox, &task(&format!("\"command\": {argv}")));
}

/// A program `own` of the sandbox's, as the task's command.
fn program(sandbox: &Sandbox, content: &str, bits: u32) {
    sandbox.write("own", content);
    mode(sandbox, "own", bits);
    command(sandbox, "[\"$T/own\"]");
}

fn mode(sandbox: &Sandbox, name: &str, bits: u32) {
    fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(bits)).expect("chmod");
}

/// `FOLDER` in an expected text, and no sudo where the sandbox is not root's.
fn here(sandbox: &Sandbox, text: &str) -> String {
    let folder = sandbox.path("").display().to_string();
    let text = text.replace("FOLDER", folder.trim_end_matches('/'));
    match rustix::process::geteuid().is_root() {
        true => text,
        false => text.replace("`sudo ", "`").replace("`chown", "`sudo chown"),
    }
}

const ROWS: &[Row<Sandbox>] = &[
    Row {
        code: "config-missing",
        plant: |sandbox| fs::remove_file(sandbox.path("config.json")).expect("removed"),
        says: "There is no FOLDER/config.json, so no URL starts anything.",
        cure: "See what the Task Scheduler has, and make one of its tasks reachable, such as the task 7; that makes the file too: `sudo FOLDER/remotetask tasks` `sudo FOLDER/remotetask tasks add 7`",
        along: &[],
        cured: false,
    },
    Row {
        code: "config-unreadable",
        plant: |sandbox| {
            fs::rename(sandbox.path("config.json"), sandbox.path("other.json")).expect("moved");
            symlink("other.json", sandbox.path("config.json")).expect("a link");
        },
        says: "FOLDER/config.json cannot be read: it is a link; put the file itself there.",
        cure: "Put a regular file of at most 1 MiB in its place; nothing can be started until then. This shows what is there now: `sudo ls -ld FOLDER/config.json`",
        along: &[],
        cured: false,
    },
    Row {
        code: "config-refused",
        plant: |sandbox| sandbox.raw_config("{\n  \"magickey\": \"key-of-me\",\n  \"tasks\": {\"7\": {\"identifier\": \"key-of-me\"}}\n}\n"),
        says: "FOLDER/config.json, line 3, column 43: tasks.\"7\".identifier: the same key stands in this file already; every key must be its own.",
        cure: "Mend that place. Nothing can be started until then: `sudo vi FOLDER/config.json`",
        along: &[],
        cured: false,
    },
    Row {
        code: "tasks-none",
        plant: |sandbox| tasks(sandbox, ""),
        says: "There is no task in FOLDER/config.json, so no URL starts anything.",
        cure: "See what the Task Scheduler has, and make one of its tasks reachable, such as the task 7: `sudo FOLDER/remotetask tasks` `sudo FOLDER/remotetask tasks add 7`",
        along: &[],
        cured: false,
    },
    Row {
        code: "keys-unreadable",
        plant: |sandbox| {
            sandbox.write("keys.json", "{\"keys\": 7}");
            mode(sandbox, "keys.json", 0o600);
        },
        says: "The workbench cannot use what it has kept: FOLDER/keys.json:1:*: this is not as remotetask wrote it. Mend it, or move it away: the URLs of sealed keys cannot be shown then, but they go on working.",
        cure: "Move it away. Every URL goes on working, but those of sealed keys cannot be shown any more: `sudo mv FOLDER/keys.json FOLDER/keys.json.away`",
        along: &[],
        cured: false,
    },
    Row {
        code: "key-published",
        plant: |sandbox| {
            let anna = format!("{{\"label\": \"Anna's phone\", \"key\": \"{}\"}}", sealed("76sdf7678fds687"));
            server(sandbox, &format!("\"listen\": \"0.0.0.0\", \"magickey\": [{anna}]"), &task("\"command\": [\"/bin/true\"]"));
        },
        says: "The key of Anna's phone stands in a published example: everybody knows it.",
        cure: "Take a new one. Its old URLs are refused then: `sudo FOLDER/remotetask key rotate 'Anna'\\''s phone'`",
        along: &[],
        cured: true,
    },
    Row {
        code: "key-example",
        plant: |sandbox| {
            tasks(sandbox, &format!("\"t\": {{\"identifier\": \"{}\", \"command\": [\"/bin/true\"]}}", sealed("hjhass665s")));
        },
        says: "The key of task t is the published example's. That is good enough for a trial that this machine alone can reach.",
        cure: "Take a new one before others can reach it: `sudo FOLDER/remotetask tasks rotate t`",
        along: &[],
        cured: true,
    },
    // The key of a digest is known to keys.json alone.
    Row {
        code: "key-weak",
        plant: |sandbox| {
            sandbox.config("", &format!("\"t\": {{\"identifier\": [\"{}\", \"my-password-1\"], \"command\": [\"/bin/true\"]}}", sealed(TASK)));
            mode(sandbox, "config.json", 0o640);
            remotetask(sandbox, &["seal"]).ok();
        },
        says: "The key of task t is weak: it has fewer than 16 characters.",
        cure: "Take a new one. Its old URLs are refused then: `sudo FOLDER/remotetask tasks rotate t`",
        along: &[],
        cured: true,
    },
    Row {
        code: "panel-published",
        plant: |sandbox| {
            let fields = format!("\"listen\": \"0.0.0.0\", \"panel\": \"{}\", \"magickey\": \"{}\"", sealed("hjhass665t"), sealed(MAGIC));
            server(sandbox, &fields, &task("\"command\": [\"/bin/true\"]"));
        },
        says: "The panel's key stands in a published example: everybody knows it.",
        cure: "Take a new one. Its old URLs are refused then: `sudo FOLDER/remotetask set panel new`",
        along: &[],
        cured: true,
    },
    Row {
        code: "panel-weak",
        plant: |sandbox| {
            let fields = format!("\"panel\": \"my-password-1\", \"magickey\": \"{}\"", sealed(MAGIC));
            server(sandbox, &fields, &task("\"command\": [\"/bin/true\"]"));
            remotetask(sandbox, &["seal"]).ok();
        },
        says: "The panel's key is weak: it has fewer than 16 characters.",
        cure: "Take a new one. Its old URLs are refused then: `sudo FOLDER/remotetask set panel new`",
        along: &[],
        cured: true,
    },
    Row {
        code: "keys-same-label",
        plant: |sandbox| {
            let key = |label: &str, key: &str| format!("{{\"label\": \"{label}\", \"key\": \"{}\"}}", sealed(key));
            let keys = [key("Anna", MAGIC), key("x", "key-of-somebody-x"), key("anna", "key-of-somebody-y")].join(", ");
            server(sandbox, &format!("\"magickey\": [{keys}]"), &task("\"command\": [\"/bin/true\"]"));
        },
        says: "Several magic keys have the label Anna: #1, #3. The log and the answers cannot tell their callers apart.",
        cure: "Give each a label of its own in config.json: `sudo vi FOLDER/config.json`",
        along: &[],
        cured: false,
    },
    Row {
        code: "keys-plain",
        plant: |sandbox| {
            sandbox.config("", &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
            mode(sandbox, "config.json", 0o640);
        },
        says: "config.json holds 2 keys in plain text. Every web application of this machine can read them there.",
        cure: "Make them digests, which tell nothing; the URLs stay the same. If one of those applications may have been broken into, take new keys then (remotetask key rotate, for each): `sudo FOLDER/remotetask seal`",
        along: &[],
        cured: true,
    },
    Row {
        code: "keys-all-expired",
        plant: |sandbox| {
            let me = format!("{{\"label\": \"Me\", \"key\": \"{}\", \"expires\": \"2020-01-31\"}}", sealed(MAGIC));
            server(sandbox, &format!("\"magickey\": [{me}]"), &task("\"command\": [\"/bin/true\"]"));
        },
        says: "Every magic key has expired, so every URL is refused.",
        cure: "Make one that is valid: `sudo FOLDER/remotetask key new --label 'me 2'`",
        along: &["key-expired"],
        cured: false,
    },
    Row {
        code: "key-expired",
        plant: |sandbox| {
            let old = format!("{{\"label\": \"#2\", \"key\": \"{}\", \"expires\": \"2020-01-31\"}}", sealed("an-old-key"));
            server(sandbox, &format!("\"magickey\": [\"{}\", {old}]", sealed(MAGIC)), &task("\"command\": [\"/bin/true\"]"));
        },
        says: "The key of #2 has expired; its last day was 2020-01-31.",
        cure: "Take it out, or write a later day at its \"expires\" in config.json: `sudo FOLDER/remotetask key revoke '#2'`",
        along: &[],
        cured: true,
    },
    Row {
        code: "file-missing",
        plant: |sandbox| fs::remove_file(sandbox.path("remotetask-keep")).expect("removed"),
        says: "FOLDER/remotetask-keep is missing.",
        cure: "Install the programs again, as you did the first time; your configuration stays as it is.",
        along: &[],
        cured: false,
    },
    Row {
        code: "file-kind",
        plant: |sandbox| sandbox.write("state", ""),
        says: "FOLDER/state is no folder, and is not taken for one.",
        cure: "See what it is and move it away; where it was needed the next check says so: `sudo ls -ld FOLDER/state` `sudo mv FOLDER/state FOLDER/state.away`",
        along: &[],
        cured: true,
    },
    Row {
        code: "file-link",
        plant: |sandbox| {
            fs::rename(sandbox.path("remotetask-keep"), sandbox.path("elsewhere")).expect("moved");
            symlink("elsewhere", sandbox.path("remotetask-keep")).expect("a link");
        },
        says: "FOLDER/remotetask-keep is a link, and links are not followed here.",
        cure: "See where it leads, and whose that is: what it leads to is believed once it is here. If it is yours alone, put it in its place: `sudo cp -RL FOLDER/remotetask-keep FOLDER/remotetask-keep.itself` `sudo rm FOLDER/remotetask-keep` `sudo mv FOLDER/remotetask-keep.itself FOLDER/remotetask-keep`",
        along: &[],
        cured: true,
    },
    Row {
        code: "file-writable",
        plant: |sandbox| {
            fs::create_dir(sandbox.path("state")).expect("a folder");
            mode(sandbox, "state", 0o720);
        },
        says: "Others than its owner can change FOLDER/state (mode 0720).",
        cure: "Take that away: `sudo FOLDER/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "config-changeable",
        plant: |sandbox| mode(sandbox, "config.json", 0o660),
        says: "Others than * can change FOLDER/config.json (it belongs to *, mode 0660), so nothing is started.",
        cure: "Another user may have put a key, a task or a program in, and may still have the file open: closing it would make that valid. So make a copy that nobody else has, and look at every key, task, command and program path in the copy: `sudo cp FOLDER/config.json FOLDER/config.json.itself` `sudo chmod go-w FOLDER/config.json.itself` Take out what is not yours. Then put the copy in its place, and take new keys (remotetask key rotate, for each): `sudo mv FOLDER/config.json.itself FOLDER/config.json` `sudo FOLDER/remotetask repair`",
        along: &["not-looked"],
        cured: true,
    },
    Row {
        code: "keys-changeable",
        plant: |sandbox| {
            sandbox.write("keys.json", "{\"keys\": {}}");
            mode(sandbox, "keys.json", 0o620);
        },
        says: "Others than * can change FOLDER/keys.json (it belongs to *, mode 0620), and all keys stand in it.",
        cure: "Another user may have read the keys, and put an address of theirs in the place of yours, so that your URLs would lead to them. So make a copy that nobody else has, and see that the address in it is yours: `sudo cp FOLDER/keys.json FOLDER/keys.json.itself` `sudo chmod 0600 FOLDER/keys.json.itself` Then put it in its place, and take new keys (remotetask key rotate, for each): `sudo mv FOLDER/keys.json.itself FOLDER/keys.json` `sudo FOLDER/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "not-looked",
        plant: |sandbox| {
            scheduler(sandbox, "touch $T/touched", "");
            mode(sandbox, "config.json", 0o660);
        },
        says: "Others could have written FOLDER/config.json, so no program that it names was started or looked at.",
        cure: "Mend what is said of its files and folders, or check as the user to whom all of them belong; then check again: `sudo FOLDER/remotetask check`",
        along: &["config-changeable"],
        cured: false,
    },
    Row {
        code: "program-not-executable",
        plant: |sandbox| mode(sandbox, "remotetask-cgi", 0o600),
        says: "FOLDER/remotetask-cgi cannot be started (mode 0600).",
        cure: "Give it its mode: `sudo FOLDER/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "cgi-readable",
        plant: |sandbox| mode(sandbox, "remotetask-cgi", 0o755),
        says: "Others can read FOLDER/remotetask-cgi (mode 0755). Then every web application of this machine can read the URL out of a request while it is answered.",
        cure: "Take that away: `sudo FOLDER/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "file-open",
        plant: |sandbox| {
            fs::create_dir(sandbox.path("state")).expect("a folder");
            mode(sandbox, "state", 0o755);
        },
        says: "Others can open FOLDER/state (mode 0755), and nobody else needs to.",
        cure: "Take that away: `sudo FOLDER/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "config-open",
        plant: |sandbox| mode(sandbox, "config.json", 0o644),
        says: "Every user of this machine can read FOLDER/config.json (mode 0644).",
        cure: "The web server's user and you are enough: `sudo FOLDER/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "keys-open",
        plant: |sandbox| {
            sandbox.write("keys.json", "{\"keys\": {}}");
            mode(sandbox, "keys.json", 0o640);
        },
        says: "Others can read FOLDER/keys.json (mode 0640), and all keys stand in it: whoever reads them can start something.",
        cure: "Take that away, and then take new keys, because somebody may have read these (remotetask key rotate, for each): `sudo FOLDER/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "start-page-unused",
        plant: |sandbox| sandbox.write("start.html", &"x".repeat((64 << 10) + 1)),
        says: "FOLDER/start.html is not shown, because it is larger than 64 KiB; callers see the start page that came with the programs.",
        cure: "Make it a file of at most 64 KiB that everybody can read, and look again: `sudo chmod 0644 FOLDER/start.html`",
        along: &[],
        cured: false,
    },
    Row {
        code: "start-page-changeable",
        plant: |sandbox| {
            sandbox.write("start.html", "Welcome");
            mode(sandbox, "start.html", 0o664);
        },
        says: "Others than * can change FOLDER/start.html (it belongs to *, mode 0664), so callers see the start page that came with the programs: this one could ask for a key.",
        cure: "Look whether a copy that nobody else has open is as you made it, and put that in its place: `sudo cp FOLDER/start.html FOLDER/start.html.itself` `sudo chmod 0644 FOLDER/start.html.itself` `sudo mv FOLDER/start.html.itself FOLDER/start.html`",
        along: &[],
        cured: true,
    },
    Row {
        code: "leftover",
        plant: |sandbox| sandbox.write("config.json.bak", "{}"),
        says: "FOLDER/config.json.bak (mode 0644) is a copy that an editor, a repair, or a change that was cut off has left. There may be keys in it.",
        cure: "Delete it, unless you still need it; and if others could read it, take new keys (remotetask key rotate, for each): `sudo rm -r FOLDER/config.json.bak`",
        along: &[],
        cured: true,
    },
    Row {
        code: "log-unwritable",
        plant: |sandbox| {
            sandbox.write("log.txt", "");
            mode(sandbox, "log.txt", 0o400);
        },
        says: "The user * cannot write FOLDER/log.txt (it belongs to *, mode 0400): nothing is logged.",
        cure: "Give it to that user: `sudo FOLDER/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "log-kind",
        plant: |sandbox| symlink("/dev/null", sandbox.path("log.txt")).expect("a link"),
        says: "FOLDER/log.txt is no regular file (a link is none), so nothing is logged.",
        cure: "Move it away and make one: `sudo mv FOLDER/log.txt FOLDER/log.txt.away` `sudo FOLDER/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "log-open",
        plant: |sandbox| sandbox.write("log.txt", ""),
        says: "Every user of this machine can read or write FOLDER/log.txt (mode 0644). No key stands in it, but who called, and from where.",
        cure: "Take that away: `sudo FOLDER/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "scheduler-elsewhere",
        plant: |sandbox| {
            let fields = format!("\"synoschedtask\": \"$T/none\", \"magickey\": \"{}\"", sealed(MAGIC));
            server(sandbox, &fields, &format!("\"7\": {{\"identifier\": \"{}\"}}", sealed(TASK)));
        },
        says: "This machine has no Task Scheduler of DSM's. On a Synology NAS these tasks can be started, here they cannot: 7.",
        cure: "Nothing is to be done for a trial.",
        along: &[],
        cured: false,
    },
    Row {
        code: "scheduler-missing",
        plant: |sandbox| {
            scheduler(sandbox, "printf '%16s [7]\\n%16s [enabled]\\n' ID: State:", "\"synowebapi\": \"$T/none\",");
            let (key, event) = (sealed(TASK), sealed("another-key-of-an-event"));
            let config = sandbox.read("config.json");
            sandbox.raw_config(&config.replace(
                "\"tasks\": {",
                &format!("\"tasks\": {{\"garage\": {{\"identifier\": \"{event}\", \"event\": \"Open garage share\"}}, "),
            ));
            assert!(config.contains(&key));
        },
        says: "There is no program FOLDER/none that could be started, and without it these tasks cannot: garage.",
        cure: "If it lies elsewhere on this machine, write its place into config.json: `find / -name synowebapi 2>/dev/null` `\"synowebapi\": \"/usr/syno/bin/synowebapi\"`",
        along: &[],
        cured: false,
    },
    Row {
        code: "scheduler-silent",
        plant: |sandbox| scheduler(sandbox, "echo oh >&2; kill -9 $$", ""),
        says: "The Task Scheduler gives no answer: FOLDER/scheduler --get: killed by signal 9, \"oh\".",
        cure: "See what it says by itself: `sudo FOLDER/scheduler --get id=7`",
        along: &[],
        cured: false,
    },
    Row {
        code: "task-unknown",
        plant: |sandbox| scheduler(sandbox, "exit 0", ""),
        says: "The Task Scheduler knows no task 7, so nobody can start it.",
        cure: "See which tasks it knows. Make this one in DSM's Task Scheduler, or take its URLs back: `sudo FOLDER/remotetask tasks` `sudo FOLDER/remotetask tasks remove 7`",
        along: &[],
        cured: false,
    },
    Row {
        code: "task-renamed",
        plant: |sandbox| {
            let line = "printf '%16s [%s]\\n' ID: 7 State: enabled Name: 'Check off'";
            scheduler(sandbox, line, "");
            let config = sandbox.read("config.json");
            sandbox.raw_config(&config.replacen("\"7\": {", "\"7\": {\"name\": \"Check of\", ", 1));
        },
        says: "Task 7 is called \"Check off\" in DSM's Task Scheduler, and its callers see \"Check of\".",
        cure: "If they are to see the name that it has in DSM: `sudo FOLDER/remotetask tasks add 7`",
        along: &[],
        cured: true,
    },
    Row {
        code: "event-unknown",
        plant: |sandbox| events(sandbox, "echo 'jOut=[{\"task_name\":\"Gate\"},{\"task_name\":\"Open garage share\"}]'"),
        says: "DSM has no triggered task \"open garage\", so task garage cannot be started. It has \"Open garage share\", \"Gate\".",
        cure: "Write its name as DSM's Task Scheduler has it at the task's \"event\" in config.json, or take the task's URLs back: `sudo FOLDER/remotetask tasks` `sudo FOLDER/remotetask tasks remove garage`",
        along: &[],
        cured: false,
    },
    Row {
        code: "event-unproven",
        plant: |sandbox| events(sandbox, "echo denied >&2; exit 255"),
        says: "Nobody can be asked whether DSM has the triggered tasks of garage: FOLDER/esyno --list: exit 255, \"denied\". DSM's web API says yes to any name, and then nothing runs.",
        cure: "Compare each name in config.json with DSM's Task Scheduler, letter by letter, and start each task once by its URL.",
        along: &[],
        cured: false,
    },
    Row {
        code: "task-script",
        plant: |sandbox| {
            fs::create_dir_all(sandbox.path("store/root")).expect("a folder");
            scheduler(sandbox, "exit 0", "\"scheduler\": \"direct\", \"synoschedule\": \"$T/store\",");
        },
        says: "The script of task 7 cannot be started without DSM, as \"scheduler\": \"direct\" demands: FOLDER/store/root/7.task: No such file or directory (os error 2).",
        cure: "Look at the task in DSM's Task Scheduler and save it there once more; or let remotetask probe find another way.",
        along: &[],
        cured: false,
    },
    Row {
        code: "task-windows-lines",
        plant: |sandbox| stored(sandbox, rustix::process::geteuid().as_raw(), "#!/bin/sh\r\ntrue\r\n"),
        says: "The lines of the script of task 7 end as on Windows, and \"scheduler\": \"direct\" hands it to its program as it is, which looks for names that end in a carriage return.",
        cure: "Open the task in DSM's Task Scheduler, take its script out, paste it from an editor that ends lines as Linux does (in Notepad++: Edit, EOL Conversion, Unix), and save.",
        along: &[],
        cured: false,
    },
    Row {
        code: "task-no-owner",
        plant: |sandbox| stored(sandbox, 54321, "true\n"),
        says: "Task 7 runs as the user with the number 54321, who does not exist any more, so its script cannot be started without DSM.",
        cure: "Open the task in DSM's Task Scheduler, choose another user, and save.",
        along: &[],
        cured: false,
    },
    Row {
        code: "command-missing",
        plant: |sandbox| command(sandbox, "[\"/no/backup.sh\", \"--now\"]"),
        says: "Task t: there is no program /no/backup.sh.",
        cure: "Put it there, write its right place at the task's \"command\" in config.json, or take the task's URLs back: `sudo vi FOLDER/config.json` `sudo FOLDER/remotetask tasks remove t`",
        along: &[],
        cured: false,
    },
    Row {
        code: "command-is-line",
        plant: |sandbox| command(sandbox, "[\"/bin/ls -l /tmp\"]"),
        says: "Task t: a whole line stands in the place of its program's name, and nothing is called \"/bin/ls -l /tmp\".",
        cure: "In config.json write the line word by word: `\"command\": [\"/bin/ls\",\"-l\",\"/tmp\"]`",
        along: &[],
        cured: false,
    },
    Row {
        code: "command-no-file",
        plant: |sandbox| command(sandbox, "[\"/bin\"]"),
        says: "Task t: /bin is a folder or the like, no program.",
        cure: "Write the program's whole path at the task's \"command\" in config.json: `sudo vi FOLDER/config.json`",
        along: &[],
        cured: false,
    },
    Row {
        code: "command-not-executable",
        plant: |sandbox| program(sandbox, "#!/bin/sh\n", 0o644),
        says: "Task t: FOLDER/own is not allowed to be started (mode 0644).",
        cure: "Allow it: `sudo chmod a+x FOLDER/own`",
        along: &[],
        cured: true,
    },
    Row {
        code: "script-first-line",
        plant: |sandbox| program(sandbox, "echo done\n", 0o755),
        says: "Task t: FOLDER/own does not begin with #!, so the system does not know what to start it with.",
        cure: "If it is a shell script, put that in front of its first line: `sudo sed -i '1i #!/bin/sh' FOLDER/own`",
        along: &[],
        cured: true,
    },
    Row {
        code: "script-empty",
        plant: |sandbox| program(sandbox, "", 0o755),
        says: "Task t: FOLDER/own is empty, so the system does not know what to start it with.",
        cure: "Put the script there again. If it is to do nothing, this makes it a script that does: `sudo sh -c 'echo \"#!/bin/sh\" >\"$0\"' FOLDER/own`",
        along: &[],
        cured: true,
    },
    Row {
        code: "script-byte-order-mark",
        plant: |sandbox| program(sandbox, "\u{feff}#!/bin/sh\necho done\n", 0o755),
        says: "Task t: FOLDER/own begins with a byte order mark, which some editors put there unseen, so the system does not know what to start it with.",
        cure: "Take the mark out, and save the file as UTF-8 without it from now on: `sudo sh -c 'tail -c +4 \"$0\" >\"$0\".new && cat \"$0\".new >\"$0\" && rm \"$0\".new' FOLDER/own`",
        along: &[],
        cured: true,
    },
    Row {
        code: "script-first-line-swapped",
        plant: |sandbox| program(sandbox, "!#/bin/sh\necho done\n", 0o755),
        says: "Task t: FOLDER/own begins with !#, where #! is meant, so the system does not know what to start it with.",
        cure: "Swap the two: `sudo sed -i '1s/^!#/#!/' FOLDER/own`",
        along: &[],
        cured: true,
    },
    Row {
        code: "script-windows-lines",
        plant: |sandbox| program(sandbox, "#!/bin/sh\r\necho done\r\n", 0o755),
        says: "Task t: the lines of FOLDER/own end as on Windows, so the system looks for a program whose name ends in a carriage return.",
        cure: "Make them end as they do here: `sudo sed -i 's/\\r$//' FOLDER/own`",
        along: &[],
        cured: true,
    },
    Row {
        code: "script-interpreter",
        plant: |sandbox| program(sandbox, "#!/usr/bin/env no-such-python\n", 0o755),
        says: "Task t: FOLDER/own is to be run by no-such-python, which is not on this machine.",
        cure: "Install it, or name another program in the script's first line: `sudo vi FOLDER/own`",
        along: &[],
        cured: false,
    },
    Row {
        code: "command-writable",
        plant: |sandbox| program(sandbox, "#!/bin/sh\n", 0o775),
        says: "Others than * can change FOLDER/own (mode 0775), and with it what task t does as *.",
        cure: "Take that away: `sudo chmod go-w FOLDER/own`",
        along: &[],
        cured: true,
    },
    Row {
        code: "clock-future",
        plant: |sandbox| {
            sandbox.write("log.txt", "");
            mode(sandbox, "log.txt", 0o640);
            let log = fs::File::open(sandbox.path("log.txt")).expect("the log");
            log.set_modified(SystemTime::now() + Duration::from_secs(7200)).expect("a time");
        },
        says: "FOLDER/log.txt was written at 20*, and the clock says 20*: it is wrong, or it was.",
        cure: "See whether the clock is right now. If it is, give the file today's time, and all is well: `date` `sudo touch FOLDER/log.txt`",
        along: &[],
        cured: true,
    },
];

/// A task 7 of a scheduler that does this.
/// A scheduled task as DSM's store has it, to be started without DSM.
fn stored(sandbox: &Sandbox, owner: u32, script: &str) {
    fs::create_dir_all(sandbox.path("store/root")).expect("a folder");
    let cmd = base64(script.as_bytes());
    sandbox.write("store/root/7.task", &format!("id=7\nname=Seven\nstate=disabled\nowner={owner}\ncmd={cmd}\n"));
    scheduler(sandbox, "exit 0", "\"scheduler\": \"direct\", \"synoschedule\": \"$T/store\",");
}

/// The actions of the two findings about a script of DSM's are done by hand, and are enough.
#[test]
fn a_script_that_is_saved_anew_can_be_started() {
    let sandbox = healthy();
    let me = rustix::process::geteuid().as_raw();
    for (owner, script) in [(me, "#!/bin/sh\r\ntrue\r\n"), (54321, "true\n")] {
        stored(&sandbox, owner, script);
        assert_eq!(findings(&remotetask(&sandbox, &["check", "--json"])).len(), 1, "{script:?}");
        stored(&sandbox, me, &script.replace('\r', ""));
        assert_eq!(findings(&remotetask(&sandbox, &["check", "--json"])), [] as [Value; 0]);
    }
}

fn scheduler(sandbox: &Sandbox, line: &str, more: &str) {
    sandbox.script("scheduler", line);
    let fields = format!("{more} \"synoschedtask\": \"$T/scheduler\", \"magickey\": \"{}\"", sealed(MAGIC));
    server(sandbox, &fields, &format!("\"7\": {{\"identifier\": \"{}\"}}", sealed(TASK)));
}

#[test]
fn each_finding_in_its_words() {
    for row in ROWS {
        let sandbox = healthy();
        row.try_on(&sandbox, &|| remotetask(&sandbox, &["check", "--json"]), &|text| here(&sandbox, text));
    }
}

/// All keys may stand in it, whatever an editor, an owner or a fix has called it.
#[test]
fn copies_by_their_names() {
    let sandbox = healthy();
    sandbox.write("keys.json", "{\"keys\": 7}");
    mode(&sandbox, "keys.json", 0o600);
    let found = findings(&remotetask(&sandbox, &["check", "--json"]));
    assert_eq!(found[0]["code"], "keys-unreadable");
    let may = rustix::process::geteuid().is_root();
    match may {
        true => type_it(&found[0]),
        false => fs::rename(sandbox.path("keys.json"), sandbox.path("keys.json.away")).expect("away"),
    }
    let more = [
        "#config.json#",
        ".config.json.swo",
        ".config.json.swp",
        "config.json.1",
        "config.json.orig",
        "config.json.save",
        "config.json_2026-01-31",
        "config.json~",
        "old-keys.json",
        "start.html.bak",
        "start.html~",
    ];
    for name in more {
        sandbox.write(name, "{}");
    }
    fs::create_dir(sandbox.path("config.json.d")).expect("a folder");
    for name in ["notes.txt", "own.sh", "configuration"] {
        sandbox.write(name, "");
    }
    let found = findings(&remotetask(&sandbox, &["check", "--json"]));
    let folder = format!("{}/", sandbox.path("").display().to_string().trim_end_matches('/'));
    let names: Vec<String> = found
        .iter()
        .map(|found| found["says"].as_str().expect("a text").strip_prefix(&folder).expect("a name"))
        .map(|says| says.split(" (mode ").next().expect("a name").to_owned())
        .collect();
    let mut expected = [&more[..], &["keys.json.away", "config.json.d"]].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
    if may {
        found.iter().for_each(type_it);
        assert_eq!(findings(&remotetask(&sandbox, &["check", "--json"])), [] as [Value; 0]);
    }
}

/// Nobody who looks, root as a rule, starts what others could have written into config.json.
#[test]
fn nothing_of_a_configuration_that_others_can_write_is_started() {
    for by in ["config.json", "", ".."] {
        let sandbox = healthy();
        scheduler(&sandbox, "touch $T/touched; printf '%16s [7]\\n%16s [enabled]\\n' ID: State:", "");
        remotetask(&sandbox, &["check"]).ok();
        assert!(sandbox.path("touched").exists(), "it is asked");
        fs::remove_file(sandbox.path("touched")).expect("removed");
        // The folder above is /tmp, which others write and is sticky: that is no flaw.
        let trusted = by == "..";
        if !trusted {
            let bits = fs::metadata(sandbox.path(by)).expect("a file").permissions().mode();
            mode(&sandbox, by, bits & 0o777 | 0o020);
        }
        let codes = findings(&remotetask(&sandbox, &["check", "--json"]));
        let said = codes.iter().any(|found| found["code"] == "not-looked");
        assert_eq!((said, sandbox.path("touched").exists()), (!trusted, trusted), "{by}");
    }
}

/// A name that somebody else has chosen begins no line of its own, and no command.
#[test]
fn a_name_is_nothing_but_a_name() {
    let sandbox = healthy();
    let name = "config.json `touch pwned` ' \" $(touch pwned)\n\u{1b}[2J  \u{202e}`sudo rm -rf x`~";
    sandbox.write(name, "{}");
    let said = remotetask(&sandbox, &["check"]);
    assert!(!said.out.contains(['\u{1b}', '\u{202e}']), "{}", said.out);
    let typed: Vec<&str> = said.out.lines().filter(|line| line.starts_with("         ")).collect();
    let command = here(&sandbox, "`sudo rm -r $'FOLDER/config.json `touch pwned` \\' \" $(touch pwned)\\012\\033[2J  \\342\\200\\256`sudo rm -rf x`~'");
    assert_eq!(typed, [command.replacen('`', "         ", 1)]);
    let json = remotetask(&sandbox, &["check", "--json"]);
    assert!(json.out.bytes().all(|byte| byte == b'\n' || byte.is_ascii_graphic() || byte == b' '), "{}", json.out);
    let found = findings(&json);
    let says = format!("{} (mode 0644) is a copy that *", sandbox.path(name).display()).replace("  ", " \\u{20}");
    assert!(found.len() == 1 && like(found[0]["says"].as_str().expect("a text"), &says), "{found:?}");
    type_it(&found[0]);
    assert_eq!(findings(&remotetask(&sandbox, &["check", "--json"])), [] as [Value; 0]);
}

/// The example's file, as install.sh --try lays it out: nothing is wrong with that.
#[test]
fn a_trial_of_the_example_has_no_fault() {
    let sandbox = Sandbox::new();
    let example = include_str!("../../config.json.example");
    let text = example.replace("\"server\": {", "\"server\": {\n    \"elevate\": [],");
    sandbox.raw_config(&text);
    mode(&sandbox, "config.json", 0o640);
    let found = findings(&remotetask(&sandbox, &["check", "--json"]));
    let codes: Vec<&str> = found.iter().filter_map(|found| found["code"].as_str()).collect();
    let mut expected = vec!["key-example", "key-example", "key-example", "keys-plain"];
    if !fs::exists("/usr/syno/bin/synoschedtask").expect("a look") {
        expected.push("scheduler-elsewhere");
    }
    assert_eq!(codes, expected);
}

/// The owner's screen: faults first, no line wider than the screen but what is to be copied.
#[test]
fn on_the_screen() {
    let sandbox = healthy();
    let programs = remotetask(&sandbox, &["--version"]).out;
    let said = remotetask(&sandbox, &["check"]);
    let good = format!("{programs}good   everything that can be looked at from here works\n");
    assert_eq!((said.code, said.out), (Some(0), good));
    mode(&sandbox, "config.json", 0o644);
    let more = "More about each in docs/findings.md: ";
    let advice = "advice Every user of this machine can read\n       FOLDER/config.json (mode 0644).\n       The web server's user and you are enough:\n         `sudo FOLDER/remotetask repair\n";
    let one =
        |text: &str| here(&sandbox, text).replace(['\n', '`'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let said = remotetask(&sandbox, &["check"]);
    assert_eq!(
        one(&said.out),
        one(&format!("{programs}{advice}good everything would work; advice: 1 {more}#config-open"))
    );
    mode(&sandbox, "remotetask-cgi", 0o755);
    let said = remotetask(&sandbox, &["check"]);
    let fault = "fault Others can read FOLDER/remotetask-cgi (mode 0755). Then every web application of this machine can read the URL out of a request while it is answered. Take that away: `sudo FOLDER/remotetask repair ";
    let end = format!("faults 1, and something would not work; advice: 1 {more}#cgi-readable, #config-open");
    assert_eq!((said.code, one(&said.out)), (Some(1), one(&format!("{programs}{fault}{advice}{end}"))));
    let command = here(&sandbox, "`sudo FOLDER/remotetask repair").replace('`', "         ");
    assert!(said.out.lines().any(|line| line == command), "on a line of its own: {}", said.out);
    assert!(said.out.lines().all(|line| line.chars().count() <= 80 || line == command), "{}", said.out);
}
