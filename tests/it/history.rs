//! `remotetask status` and `remotetask log`: what was, in an owner's words.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

use serde_json::json;

use crate::support::*;
use crate::workbench::remotetask;

/// Tasks that end well and badly, and one that has never run, with two people.
fn several() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.raw_config(&format!(
        "{{\"elevate\": [], \"magickey\": [\"{MAGIC}\", {{\"label\": \"Anna's phone\", \"key\": \"key-of-anna\"}}], \"tasks\": {{
          \"good\": {{\"identifier\": \"{TASK}\", \"name\": \"The good one\", \"command\": [\"/bin/true\"]}},
          \"bad\": {{\"identifier\": \"key-of-bad\", \"command\": [\"/bin/sh\", \"-c\", \"exit 3\"]}},
          \"gone\": {{\"identifier\": \"key-of-gone\", \"command\": [\"/no/such/program\"]}},
          \"never\": {{\"identifier\": \"key-of-never\", \"command\": [\"/bin/true\"]}}
        }}}}"
    ));
    sandbox
}

/// A record in state/, as another version or another time may have left it.
fn record(sandbox: &Sandbox, task: &str, run: &str, fields: serde_json::Value) {
    let mut record = json!({"task": task, "run": run, "who": "\"Anna's phone\"", "started": u64::from_str_radix(run, 16).expect("hex"),
        "state": "finished", "duration_ms": null, "exit": null, "signal": null, "boot": "", "process": null, "left_cgroup": null});
    record.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    fs::create_dir_all(sandbox.path(&format!("state/task-{task}"))).expect("a folder");
    sandbox.write(&format!("state/task-{task}/{run}.json"), &record.to_string());
}

#[test]
fn the_last_run_of_each_task() {
    let sandbox = several();
    sandbox.start().is_like("200 OK", "Task finished: *\n");
    sandbox.get("/key-of-anna/key-of-bad").send();
    let said = remotetask(&sandbox, &["status"]);
    let expected = "The good one (good)\n  ended well\n  started by #1 at 20*; ended *, after * ms\n\
        bad\n  failed with exit code 3\n  started by Anna's phone at 20*; ended *, after * ms\n\
        gone\n  never started by URL\nnever\n  never started by URL\n";
    assert!(like(said.ok(), expected), "{}", said.out);
    let said = remotetask(&sandbox, &["status", "--json"]);
    let value: serde_json::Value = serde_json::from_str(said.ok()).expect("JSON");
    let bad = &value["tasks"][1];
    assert_eq!((&bad["task"], &bad["alive"]), (&json!("bad"), &json!(false)));
    let run = &bad["runs"][0];
    assert_eq!(
        (&run["state"], &run["exit"], &run["who"]),
        (&json!("failed"), &json!(3), &json!("Anna's phone")),
        "{said:?}"
    );
    assert!(run["started"].is_string() && run["ended"].is_string(), "{said:?}");
    assert_eq!(value["tasks"][3]["runs"], json!([]));
}

#[test]
fn what_runs_now_stands_first() {
    let sandbox = several();
    // A run is alive while its lock is held.
    record(&sandbox, "never", "019ac0000000", json!({"state": "started"}));
    sandbox.write("state/task-never/019ac0000000.lock", "");
    let held = fs::File::open(sandbox.path("state/task-never/019ac0000000.lock")).expect("the lock");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("held");
    let said = remotetask(&sandbox, &["status"]);
    let expected = "never\n  is running since 2025-*, for * d * h; started by Anna's phone\nThe good one (good)\n";
    assert!(said.ok().lines().count() == 8 && said.out.starts_with(expected.split("2025").next().expect("words")));
    assert!(like(&said.out.lines().take(3).map(|line| format!("{line}\n")).collect::<String>(), expected), "{said:?}");
    drop(held);
    let said = remotetask(&sandbox, &["status"]);
    assert!(said.ok().contains("never\n  was interrupted: its keeper was killed, or the NAS went off"), "{said:?}");
}

#[test]
fn each_end_in_words() {
    let sandbox = several();
    for (fields, expected) in [
        (json!({"state": "failed", "signal": 9, "duration_ms": 1500}), "was ended by signal 9 (KILL)"),
        (json!({"state": "timed_out", "duration_ms": 61_000}), "was ended because its time limit was over"),
        (json!({"state": "stopped"}), "was stopped because a caller asked for it"),
        (json!({"state": "handed"}), "was handed to DSM, which alone knows its end"),
        (
            json!({"state": "not_started", "fault": ["7b", "/no/such: none"]}),
            "was not started: /no/such: none (step 7b)",
        ),
        (json!({"state": "not_started"}), "was not started"),
    ] {
        record(&sandbox, "never", "019ac0000000", fields.clone());
        let said = remotetask(&sandbox, &["status"]);
        assert!(said.ok().contains(&format!("never\n  {expected}\n")), "{fields}: {}", said.out);
        let leads_on = said.out.contains(" log 019ac0000000\n");
        assert_eq!(leads_on, fields["state"] == "not_started", "{}", said.out);
    }
    // Of a damaged record its name alone is known: something was started then, and nobody recorded its end.
    sandbox.write("state/task-never/019ac0000000.json", "{");
    assert!(remotetask(&sandbox, &["status"]).ok().contains("never\n  was interrupted"));
}

/// The lines of the timeline, without their times.
fn timeline(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let said = remotetask(sandbox, &[&["log"], arguments].concat());
    said.ok().lines().map(|line| line.get(20..).unwrap_or(line).to_owned()).collect()
}

#[track_caller]
fn are_like(lines: &[String], patterns: &[&str]) {
    let all = lines.iter().zip(patterns).all(|(line, pattern)| like(line, pattern));
    assert!(lines.len() == patterns.len() && all, "{lines:#?}");
}

#[test]
fn requests_and_runs_in_the_order_of_time() {
    let sandbox = several();
    sandbox.start().is_like("200 OK", "Task finished: *\n");
    sandbox.get("/key-of-anna/wrong-one").send().is_refusal();
    sandbox.get("/wrong-one").send().is_refusal();
    sandbox.get("/key-of-anna/key-of-bad").send();
    sandbox.get("/key-of-anna/key-of-bad").var("QUERY_STRING", "status").send();
    sandbox.get("/key-of-anna/key-of-gone").send();
    let mut lines = timeline(&sandbox, &[]);
    // A start that failed is a run too, where it is recorded as one.
    lines.retain(|line| !line.starts_with("Anna's phone asked for task gone"));
    are_like(
        &lines,
        &[
            "#1 started The good one (good) (run *).",
            "The good one (good) ended well after * ms (run *).",
            "#1, from 192.168.1.7, asked for The good one (good), which had ended well (run *).",
            "Anna's phone, from 192.168.1.7, was refused: wrong identifier (check 5c).",
            "A caller without a valid magic key, from 192.168.1.7, was refused: the path is not /<magickey>/<identifier> (check 5a).",
            "Anna's phone started task bad (run *).",
            "task bad failed with exit code 3 after * ms (run *).",
            "Anna's phone, from 192.168.1.7, asked for task bad, which failed with exit code 3 (run *).",
            "Anna's phone, from 192.168.1.7, asked about task bad, which failed with exit code 3 (run *).",
            "Anna's phone, from 192.168.1.7, asked for task gone, which was not started: /no/such/program: No such file or directory (os error 2) (check 7b; reference *).",
        ],
    );
    assert_eq!(timeline(&sandbox, &["--task", "The good one"]), lines[..3]);
    assert_eq!(timeline(&sandbox, &["--task", "good"]), lines[..3]);
    let of_anna: Vec<String> =
        lines.iter().filter(|line| line.starts_with("Anna") || line.contains("code 3 after")).cloned().collect();
    let shown = timeline(&sandbox, &["--who", "anna's PHONE"]);
    assert!(
        of_anna.iter().all(|line| shown.contains(line)) && !shown.iter().any(|line| line.contains("#1")),
        "{shown:#?}"
    );
    assert_eq!(timeline(&sandbox, &["--who", "2", "--task", "bad"]), of_anna[1..5]);
    assert!(timeline(&sandbox, &["--since", "1h"]).len() >= lines.len());
    assert_eq!(
        remotetask(&sandbox, &["log", "--since", "0s"]).ok(),
        "Nothing of that kind is known: no request and no run.\n"
    );
}

#[test]
fn a_reference_leads_to_its_lines() {
    let sandbox = several();
    sandbox.start();
    let failed = sandbox.get("/key-of-anna/key-of-gone").accept("application/json").send().json();
    let reference = failed["reference"].as_str().expect("a reference");
    let lines = timeline(&sandbox, &[reference]);
    assert!(lines.iter().all(|line| line.contains("task gone") && line.contains("/no/such/program")), "{lines:?}");
    assert!(!lines.is_empty());
    let run = sandbox.start().text();
    assert!(run.contains("Task finished"));
    let done = sandbox.get(&format!("/{MAGIC}/{TASK}")).accept("application/json").send().json();
    let run = done["run"].as_str().expect("a run");
    let lines = timeline(&sandbox, &[&format!("run={run}")]);
    assert!(lines.len() == 3 && lines.iter().all(|line| line.ends_with(&format!("(run {run})."))), "{lines:?}");
    let unknown = remotetask(&sandbox, &["log", "123-45"]).refused();
    assert!(unknown.starts_with("remotetask: nothing is known of the reference 123-45: log.txt keeps"), "{unknown}");
    for (arguments, expected) in [
        (["--task", "nothing"], "there is no task \"nothing\", and there was none; there are: good, bad, gone, never."),
        (["--who", "Bert"], "there is no key of Bert; there are: #1, Anna's phone."),
        (["--since", "yesterday"], "\"yesterday\" is no time; write a day such as *"),
    ] {
        let said = remotetask(&sandbox, &[&["log"][..], &arguments].concat()).refused();
        assert!(like(&said, &format!("remotetask: {expected}")), "{said}");
    }
}

/// The web server's user writes log.txt: nothing in it moves a cursor, passes for a sentence of ours, or ends the reading.
#[test]
fn what_others_write_stays_what_it_is() {
    let sandbox = several();
    let (stamp, turned) = ("2026-11-24 07:12:33.123 +01:00", "\u{202e}");
    let forged = format!(
        "\x1b[2J\x1b[31mred\r\n2026-11-24 07:12:33 #1 started task good\n{stamp} INFO  finished task=\"\x1b]0;x\x07\" who=\"{turned}a\" from=\x1b[1m run=1\n\
         {stamp} WARN  refused who=#1 from=::1 why=5b \x1b[5mwrong\n{stamp} INFO  something new task=\"t\"\n"
    );
    let mut bytes = forged.into_bytes();
    bytes.extend_from_slice(b"\xfe\x9b31m\nno end of line");
    fs::write(sandbox.path("log.txt"), &bytes).expect("written");
    let said = remotetask(&sandbox, &["log"]);
    let special = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    assert!(!said.ok().contains(special), "{:?}", said.out);
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), 6, "{lines:#?}");
    assert_eq!(lines[0], "log.txt: \\u{1b}[2J\\u{1b}[31mred\\r");
    assert_eq!(lines[1], "log.txt: 2026-11-24 07:12:33 #1 started task good");
    assert!(lines[4].ends_with(&format!(" {stamp} INFO  something new task=\"t\"")), "{lines:#?}");
}

#[test]
fn no_key_stands_in_either() {
    let sandbox = several();
    sandbox.start();
    sandbox.get(&format!("/{MAGIC}/x")).send();
    sandbox.get(&format!("/x/{TASK}")).send();
    sandbox.get(&format!("/{MAGIC}")).send();
    for command in [&["log"][..], &["status"], &["status", "--json"]] {
        let said = remotetask(&sandbox, command);
        assert_no_key(said.ok().as_bytes(), command[0]);
    }
}

/// `log -f`, its lines as they come.
struct Followed {
    child: Child,
    lines: Receiver<String>,
}

impl Followed {
    fn of(sandbox: &Sandbox) -> Followed {
        let mut command = Command::new(sandbox.path("remotetask"));
        let mut child = command.args(["log", "-f"]).stdout(Stdio::piped()).spawn().expect("it starts");
        let (told, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("stdout"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        Followed { child, lines }
    }

    #[track_caller]
    fn next(&self, wanted: &str) {
        let line = self.lines.recv_timeout(Duration::from_secs(60)).expect(wanted);
        assert!(line.contains(wanted), "{line} is not {wanted}");
    }
}

#[test]
fn it_is_followed_until_ctrl_c() {
    let sandbox = several();
    sandbox.get("/wrong-one").send();
    let mut followed = Followed::of(&sandbox);
    followed.next("was refused: the path");
    sandbox.get("/key-of-anna/wrong-one").send();
    followed.next("was refused: wrong identifier");
    sandbox.start();
    followed.next("#1 started The good one");
    let mut rest = Vec::new();
    for _ in 0..2 {
        rest.push(followed.lines.recv_timeout(Duration::from_secs(60)).expect("a line"));
    }
    assert!(rest.iter().any(|line| line.contains("ended well after")), "{rest:?}");
    // Its older half goes in place: what was shown is not shown again, what is new is.
    let log = sandbox.read("log.txt");
    let (_, newer) = log.split_once('\n').expect("lines");
    sandbox.write("log.txt", newer);
    let mut file = fs::OpenOptions::new().append(true).open(sandbox.path("log.txt")).expect("log.txt");
    file.write_all(b"the next line\n").expect("written");
    followed.next("log.txt: the next line");
    let pid = rustix::process::Pid::from_child(&followed.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("told");
    assert_eq!(followed.child.wait().expect("its end").code(), Some(0));
    assert!(followed.lines.recv().is_err(), "nothing more was written");
}

#[test]
fn it_ends_with_its_reader() {
    let sandbox = several();
    sandbox.get("/wrong-one").send();
    let line = "\"$0\" log -f | head -n 1; echo over";
    let done = Command::new("/bin/bash").args(["-c", line]).arg(sandbox.path("remotetask")).output().expect("bash");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(text.ends_with("(check 5a).\nover\n"), "{text}");
}
