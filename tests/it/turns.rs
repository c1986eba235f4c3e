//! The turn of a task and what is recorded of it: who may start now, and what a folder `state/` may look like.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{flock, FlockOperation};
use serde_json::Value;

use crate::root_half::{ask, feed};
use crate::support::*;

const FOLDER: &str = "state/task-t";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

/// The root half's outcome of this line.
fn outcome(sandbox: &Sandbox, line: &str) -> Value {
    let answer: Value = serde_json::from_str(&feed(sandbox, line)).expect("JSON");
    answer["outcome"].clone()
}

fn start(sandbox: &Sandbox) -> Value {
    outcome(sandbox, &ask(MAGIC, TASK))
}

fn with(more: &str) -> String {
    ask(MAGIC, TASK).replace("\"browser\"", &format!("{more},\"browser\""))
}

/// A form that was made when `after` was the newest run.
fn form(sandbox: &Sandbox, after: &str) -> Value {
    outcome(sandbox, &with(&format!("\"after\":\"{after}\"")))
}

fn look(sandbox: &Sandbox) -> Value {
    outcome(sandbox, &ask(MAGIC, TASK).replace("\"start\"", "\"look\""))
}

fn is(outcome: &Value) -> &str {
    outcome["is"].as_str().expect("an outcome")
}

/// The record of a run that started then, as the first version that was given away wrote it.
fn first_record(started: u64, state: &str) -> String {
    format!(
        "{{\"task\":\"t\",\"run\":\"{started:012x}\",\"who\":\"\\\"Anna\\\"\",\"started\":{started},\"state\":\"{state}\",\
         \"duration_ms\":5,\"exit\":0,\"signal\":null,\"boot\":\"1b2c\",\"process\":{{\"pid\":4,\"start\":5}},\
         \"left_cgroup\":null}}"
    )
}

/// Puts this in the place of all that was recorded.
fn recorded(sandbox: &Sandbox, name: u64, content: &str) {
    let _ = std::fs::remove_dir_all(sandbox.path("state"));
    std::fs::create_dir_all(sandbox.path(FOLDER)).expect("a folder");
    for folder in ["state", FOLDER] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(sandbox.path(folder), mode).expect("chmod");
    }
    sandbox.write(&format!("{FOLDER}/{name:012x}.json"), content);
}

#[test]
fn a_task_that_cools_down() {
    let sandbox = Sandbox::with_task("echo started >>$T/effect", ", \"cooldown\": 3600");
    let first = start(&sandbox);
    assert_eq!(is(&first), "finished");
    let second = start(&sandbox);
    assert_eq!((is(&second), &second["run"]["run"]), ("cooling", &first["run"]));
    let left = second["retry_after"].as_u64().expect("seconds");
    assert!((3500..=3600).contains(&left), "{left}");
    let answer = sandbox.start();
    answer.is_like("429 Too Many Requests", "Task was started a short time ago: t (try again in 3* s)\n");
    assert!(answer.text().contains("\r\nRetry-After: 3"), "{}", answer.text());
    assert_eq!(sandbox.read("effect"), "started\n");
}

/// A start in the past counts until it is over, in any state and by any clock.
#[test]
fn the_last_start_in_the_past_counts() {
    let sandbox = Sandbox::with_task("echo started >>$T/effect", ", \"cooldown\": 100");
    let hour = 3_600_000;
    for (age, state, expected) in [
        (1_000, "finished", "cooling"),
        (99_000, "failed", "cooling"),
        (1_000, "handed", "cooling"),
        (1_000, "starting", "cooling"),
        (1_000, "interrupted", "cooling"),
        (100_000, "finished", "finished"),
        (1_000, "not_started", "finished"),
    ] {
        let then = now() - age;
        recorded(&sandbox, then, &first_record(then, state));
        let outcome = start(&sandbox);
        assert_eq!(is(&outcome), expected, "{state} {age} ago");
        if expected == "cooling" {
            let left = outcome["retry_after"].as_u64().expect("seconds");
            assert!((1..=(100_000 - age).div_ceil(1000)).contains(&left), "{age}: {left}");
        }
    }
    // Of a damaged record the name counts.
    for damaged in ["{", "", "null", "\u{0}"] {
        let then = now() - 1_000;
        recorded(&sandbox, then, damaged);
        assert_eq!(is(&start(&sandbox)), "cooling", "{damaged:?}");
    }
    // The clock was set back meanwhile: what started in the future counts as none, and hides nothing.
    for content in [first_record(now() + hour, "finished"), "{".into()] {
        let then = now() + hour;
        recorded(&sandbox, then, &content.replace(&format!("{:012x}", now() + hour), &format!("{then:012x}")));
        assert_eq!(is(&start(&sandbox)), "finished", "{content}");
        assert_eq!(is(&start(&sandbox)), "cooling", "{content}");
    }
    let long_ago = now() - 200_000;
    recorded(&sandbox, long_ago, &first_record(long_ago, "finished"));
    assert_eq!(is(&start(&sandbox)), "finished");
}

/// A task of DSM's cools down as well, though nobody here knows whether it runs.
#[test]
fn a_task_of_dsms_cools_down() {
    let sandbox = Sandbox::new();
    let program =
        sandbox.script("synowebapi", "echo started >>$T/effect; echo '{\"success\":true}'").display().to_string();
    let event = format!("\"t\": {{\"identifier\": \"{TASK}\", \"event\": \"x\", \"cooldown\": 100}}");
    sandbox.config(&format!("\"synowebapi\": \"{program}\","), &event);
    assert_eq!(is(&start(&sandbox)), "started");
    assert_eq!(is(&start(&sandbox)), "cooling");
    assert_eq!(sandbox.read("effect"), "started\n");
}

#[test]
fn runs_beside_each_other_and_their_ceiling() {
    let more = ", \"overlap\": \"parallel\", \"wait\": 0, \"cooldown\": 0";
    let sandbox = Sandbox::with_task("echo started >>$T/effect; read -r word <$T/gate", more);
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    for _ in 0..8 {
        sandbox.start().is("202 Accepted", "Task started: t\n");
    }
    let busy = sandbox.start();
    busy.is("429 Too Many Requests", "Too many tasks are running: t (try again in 10 s)\n");
    let reason = "why=\"8 runs of this task are alive already, as many as may\"\n";
    assert!(sandbox.log().ends_with(reason), "{}", sandbox.log());
    until("8 starts", || (sandbox.read("effect").lines().count() == 8).then_some(()));
    sandbox.write("gate", "word\n");
    until("an end", || (sandbox.start().status() == "202 Accepted").then_some(()));
    until("9 starts", || (sandbox.read("effect").lines().count() == 9).then_some(()));
    sandbox.write("gate", &"word\n".repeat(8));
    until("all ends", || (!sandbox.files().iter().any(|name| name.ends_with(".lock"))).then_some(()));
}

/// A task that runs and cools down as well says that it runs: that is what its caller wants to know.
#[test]
fn what_runs_is_not_cooling() {
    let sandbox = Sandbox::with_task("read -r word <$T/gate", ", \"wait\": 0, \"cooldown\": 100");
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    assert_eq!(is(&start(&sandbox)), "started");
    assert_eq!(is(&start(&sandbox)), "running");
    sandbox.write("gate", "word\n");
    until("its end", || (is(&start(&sandbox)) == "cooling").then_some(()));
}

#[test]
fn a_form_starts_once() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let first = form(&sandbox, "0");
    assert_eq!(is(&first), "finished");
    let run = first["run"].as_str().expect("a run").to_owned();
    // The same form again, and one that was made before: the run that came in between is shown.
    for after in ["0", "", "x", "-1", "000000000001", "fffffffffffffffff"] {
        let again = form(&sandbox, after);
        assert_eq!((is(&again), again["run"].as_str()), ("again", Some(&*run)), "{after}");
    }
    assert_eq!(sandbox.read("effect"), "started\n");
    // A form that was made after it starts it, once.
    assert_eq!(look(&sandbox)["run"]["run"].as_str(), Some(&*run));
    assert_eq!(is(&form(&sandbox, &run)), "finished");
    assert_eq!(is(&form(&sandbox, &run)), "again");
    // Without a form each start is one.
    assert_eq!(is(&start(&sandbox)), "finished");
    assert_eq!(sandbox.read("effect"), "started\n".repeat(3));
}

#[test]
fn a_form_twice_at_the_same_moment_starts_once() {
    for more in [", \"overlap\": \"parallel\"", ""] {
        let sandbox = Sandbox::with_task("echo started >>$T/effect", more);
        let after = start(&sandbox)["run"].as_str().expect("a run").to_owned();
        let outcomes = std::thread::scope(|threads| {
            let threads: Vec<_> = (0..6).map(|_| threads.spawn(|| form(&sandbox, &after))).collect();
            threads.into_iter().map(|thread| thread.join().expect("an outcome")).collect::<Vec<_>>()
        });
        let mut words: Vec<&str> = outcomes.iter().map(is).collect();
        words.sort_unstable();
        assert_eq!(words, ["again", "again", "again", "again", "again", "finished"]);
        assert_eq!(sandbox.read("effect"), "started\n".repeat(2));
    }
}

/// A start that failed spoils no form: neither the one that was pressed nor the one that is shown then.
#[test]
fn a_form_is_good_until_something_started() {
    let sandbox = Sandbox::new();
    let program = sandbox.path("program");
    let argv = serde_json::to_string(&[&program]).expect("JSON");
    sandbox.config("", &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}}}"));
    let failed = form(&sandbox, "0");
    assert_eq!((is(&failed), failed["step"].as_str()), ("not_started", Some("7b")));
    let shown = failed["run"]["run"].as_str().expect("a run").to_owned();
    assert_eq!((look(&sandbox)["run"]["run"].as_str(), is(&form(&sandbox, "0"))), (Some(&*shown), "not_started"));
    sandbox.script("program", "echo started >>$T/effect");
    assert_eq!(is(&form(&sandbox, &shown)), "finished");
    for after in ["0", &shown] {
        assert_eq!(is(&form(&sandbox, after)), "again");
    }
    assert_eq!(sandbox.read("effect"), "started\n");
}

/// A damaged record is a run all the same, so that what a page shows and what its form is compared with are one.
#[test]
fn a_damaged_record_locks_no_form_out() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    recorded(&sandbox, now() - 5000, "garbage");
    let shown = look(&sandbox)["run"].clone();
    assert_eq!(shown["state"], "interrupted");
    assert_eq!(is(&form(&sandbox, "0")), "again");
    assert_eq!(is(&form(&sandbox, shown["run"].as_str().expect("a run"))), "finished");
}

/// A browser is shown what its own key started a moment ago, whatever anybody's label is.
#[test]
fn a_browser_is_shown_its_own_run() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let other = "Another-magic-key-7";
    let keys = [MAGIC, other].map(|key| format!("{{\"label\": \"Anna\", \"key\": \"{key}\"}}")).join(",");
    let config =
        sandbox.read("config.json").replace(&format!("\"magickey\": \"{MAGIC}\""), &format!("\"magickey\": [{keys}]"));
    sandbox.raw_config(&config);
    let browser = |key: &str| outcome(&sandbox, &ask(key, TASK).replace("false", "true"));
    let first = browser(MAGIC);
    assert_eq!(is(&first), "finished");
    assert_eq!((is(&browser(MAGIC)), is(&browser(other))), ("again", "finished"));
    // Both, now, and each is shown its own.
    assert_eq!(browser(MAGIC)["run"], first["run"]);
    assert_eq!((is(&browser(other)), is(&start(&sandbox))), ("again", "finished"));
    assert_eq!(sandbox.read("effect"), "started\n".repeat(3));
    // Older records have the label alone; and what began in the future, or never, is not shown.
    for (started, state, expected) in [
        (now(), "finished", "again"),
        (now() - 10_001, "finished", "finished"),
        (now() + 60_000, "finished", "finished"),
        (now(), "not_started", "finished"),
    ] {
        recorded(&sandbox, started, &first_record(started, state));
        assert_eq!(is(&browser(MAGIC)), expected, "{state} {started}");
    }
}

#[test]
fn a_start_that_failed_is_a_run() {
    let sandbox = Sandbox::new();
    sandbox
        .config("", &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/no/such\"], \"cooldown\": 100}}"));
    let failed = start(&sandbox);
    let reason = "/no/such: No such file or directory (os error 2)";
    assert_eq!(
        (is(&failed), failed["step"].as_str(), failed["reason"].as_str()),
        ("not_started", Some("7b"), Some(reason))
    );
    let run = failed["run"]["run"].as_str().expect("a run").to_owned();
    let last = look(&sandbox)["run"].clone();
    assert_eq!((last["run"].as_str(), last["state"].as_str()), (Some(&*run), Some("not_started")));
    let record: Value = serde_json::from_str(&sandbox.read(&format!("{FOLDER}/{run}.json"))).expect("its record");
    assert_eq!((record["fault"][0].as_str(), record["fault"][1].as_str()), (Some("7b"), Some(reason)));
    // The answer's reference is that run's name, which the log has beside the reason. And it does not cool down.
    let answer = sandbox.start().text();
    let reference = answer.split("(reference ").nth(1).and_then(|rest| rest.split(',').next()).expect("a reference");
    assert!(sandbox.path(&format!("{FOLDER}/{reference}.json")).exists(), "{answer}");
    assert!(sandbox.log().contains(&format!("reference={reference} why=7b ")), "{}", sandbox.log());
    assert!(!sandbox.files().iter().any(|name| name.ends_with(".lock")), "{:?}", sandbox.files());
    // Nothing was started, so no key was used.
    assert!(!sandbox.path("state/used").exists());
}

#[test]
fn who_is_refused_leaves_no_run() {
    let sandbox = Sandbox::with_task("read -r word <$T/gate", ", \"wait\": 0");
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    assert_eq!(is(&start(&sandbox)), "started");
    assert_eq!((is(&start(&sandbox)), is(&form(&sandbox, "0"))), ("running", "again"));
    let records = sandbox.files().iter().filter(|name| name.ends_with(".json") && name.starts_with(FOLDER)).count();
    assert_eq!(records, 1);
    sandbox.write("gate", "word\n");
    until("its end", || (!sandbox.files().iter().any(|name| name.ends_with(".lock"))).then_some(()));
}

/// Without sudo the root half leads the group that the web half gave it: it leaves that, for a session of its own.
#[test]
fn a_session_of_its_own_without_sudo() {
    let see = "run=$(awk '{print $4}' /proc/$PPID/stat); awk '{print $1 == $6, $7}' /proc/$run/stat >$T/seen";
    let sandbox = Sandbox::with_command(see);
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(sandbox.read("seen"), "1 0\n");
}

/// Records of the first version that was given away, word for word.
#[test]
fn records_of_the_first_version_are_read() {
    let sandbox = Sandbox::with_command("true");
    let started = 0x019a_2208_3316;
    recorded(&sandbox, started, &first_record(started, "finished"));
    let run = look(&sandbox)["run"].clone();
    assert_eq!((run["run"].as_str(), run["state"].as_str()), (Some("019a22083316"), Some("finished")));
    assert_eq!((run["started"].as_u64(), run["exit"].as_i64(), run["ended"].is_null()), (Some(started), Some(0), true));
}

/// A start is a start, one at a time, among any rubbish in its folder; and what is left over of runs goes.
#[test]
fn a_folder_full_of_rubbish() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    recorded(&sandbox, 1, &"x".repeat(200 << 10));
    for at in 2..80_u64 {
        for kind in ["json", "new", "out", "lock", "stop"] {
            sandbox.write(&format!("{FOLDER}/{at:012x}.{kind}"), "{");
        }
    }
    for name in ["ffffffffffff.new", "fffffffffffff.out", "000000000000.json", "x.json", ".json", "9.json.lock"] {
        sandbox.write(&format!("{FOLDER}/{name}"), "{");
    }
    for name in ["00000000aaaa.json", "00000000aaaa.lock", "ffffffffffff.json", "fffffffffffe.lock"] {
        std::fs::create_dir(sandbox.path(&format!("{FOLDER}/{name}"))).expect("a folder");
    }
    for name in ["00000000bbbb.json", "00000000bbbb.lock"] {
        assert!(Command::new("mkfifo")
            .arg(sandbox.path(&format!("{FOLDER}/{name}")))
            .status()
            .expect("mkfifo")
            .success());
    }
    std::os::unix::fs::symlink("/dev/zero", sandbox.path(&format!("{FOLDER}/00000000cccc.json"))).expect("a link");
    for times in 1..3 {
        let outcome = start(&sandbox);
        assert_eq!(is(&outcome), "finished", "{outcome}");
        assert_eq!(sandbox.read("effect"), "started\n".repeat(times));
        assert_eq!(look(&sandbox)["run"]["state"], "finished");
    }
    let count = |kind: &str| {
        let names = std::fs::read_dir(sandbox.path(FOLDER)).expect("its folder").flatten();
        let names = names.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        names.filter(|entry| entry.path().extension().is_some_and(|other| other == kind)).count()
    };
    // Two names more, that are no run's.
    assert_eq!(count("json"), remotetask::record::KEPT + 1 + 2);
    for kind in ["new", "out", "stop"] {
        assert!(count(kind) <= remotetask::record::KEPT + 1, "{kind}: {}", count(kind));
    }
    assert_eq!(count("lock"), 1, "but for the one that is no run's");
}

/// A name is used once, and the newest is the one that was started last, however far the clock was ahead.
#[test]
fn names_stay_in_order() {
    let sandbox = Sandbox::with_command("true");
    for name in [0xffff_ffff_fffe, now() + 3_600_000] {
        recorded(&sandbox, name, "{");
        let names: Vec<String> = (0..3).map(|_| start(&sandbox)["run"].as_str().expect("a run").to_owned()).collect();
        assert_eq!(names, (1..4).map(|more| format!("{:012x}", name + more)).collect::<Vec<_>>());
        assert_eq!(look(&sandbox)["run"]["run"].as_str(), Some(&*names[2]));
    }
    // A folder of that name is nobody's, and a record that is larger than any of ours is damaged.
    let shown = look(&sandbox)["run"].clone();
    std::fs::create_dir(sandbox.path(&format!("{FOLDER}/fffffffffffe.json"))).expect("a folder");
    assert_eq!(look(&sandbox)["run"], shown);
    let then = now() - 5000;
    recorded(&sandbox, then, &format!("{}{}", first_record(then, "finished"), " ".repeat(200 << 10)));
    assert_eq!(look(&sandbox)["run"]["state"], "interrupted");
}

/// Starts at the same moment of more tasks than may run: each has its own turn, and is counted under that of all.
#[test]
fn the_ceiling_is_counted_under_the_turn_of_all() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("").display().to_string();
    let task = |at: usize| {
        let argv = format!("[\"/bin/sh\", \"-c\", \"read -r word <{folder}gate\"]");
        format!("\"t{at}\": {{\"identifier\": \"task-key-{at}\", \"wait\": 0, \"command\": {argv}}}")
    };
    sandbox.config("", &(0..34).map(task).collect::<Vec<_>>().join(","));
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    let start = |at: usize| outcome(&sandbox, &ask(MAGIC, &format!("task-key-{at}")));
    assert_eq!(is(&start(0)), "started");
    let all = std::fs::File::open(sandbox.path("state/commands.turn")).expect("the turn of all");
    flock(&all, FlockOperation::LockExclusive).expect("held");
    let mut said: Vec<String> = std::thread::scope(|threads| {
        let start = &start;
        let calls: Vec<_> = (1..34).map(|at| threads.spawn(move || is(&start(at)).to_owned())).collect();
        let has_turn = |at: usize| {
            let turn = std::fs::File::open(sandbox.path(&format!("state/task-t{at}/turn")));
            turn.is_ok_and(|turn| flock(&turn, FlockOperation::NonBlockingLockShared).is_err())
        };
        until("the turns of all", || (1..34).all(has_turn).then_some(()));
        flock(&all, FlockOperation::Unlock).expect("free");
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    });
    said.sort();
    assert_eq!(said, [vec!["busy"; 2], vec!["started"; 31]].concat());
    sandbox.write("gate", &"word\n".repeat(32));
    until("all ends", || {
        (!sandbox.files().iter().any(|name| name.ends_with(".lock") && name.contains("task-t"))).then_some(())
    });
}

/// A keeper that takes its time, or is stopped before its first step, has its run from the beginning, however old that is.
#[test]
fn a_run_is_held_before_its_keeper_takes_a_step() {
    let sandbox = Sandbox::with_task("echo started >>$T/effect", ", \"wait\": 0");
    std::fs::rename(sandbox.path("remotetask-keep"), sandbox.path("keep")).expect("away");
    sandbox.script("remotetask-keep", "echo $$ >$T/pid; kill -STOP $$; exec $T/keep");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(sandbox.path("remotetask-keep"), mode).expect("chmod");
    let first = std::thread::scope(|threads| {
        let first = threads.spawn(|| start(&sandbox));
        let keeper = awaited(&sandbox.path("pid")).trim().to_owned();
        let name = sandbox.files().into_iter().find(|name| name.contains("task-t/") && name.ends_with(".json"));
        let name = name.expect("its record");
        let record = sandbox.read(&name);
        let run = name.rsplit('/').next().and_then(|name| name.strip_suffix(".json")).expect("its name").to_owned();
        // As if it had begun two minutes ago.
        let began = u64::from_str_radix(&run, 16).expect("a number");
        sandbox.write(
            &name,
            &record.replace(&format!("\"started\":{began}"), &format!("\"started\":{}", began - 120_000)),
        );
        assert_eq!(look(&sandbox)["run"]["state"], "starting");
        assert!(Command::new("kill").args(["-CONT", &keeper]).status().expect("kill").success());
        first.join().expect("an answer")
    });
    assert!(matches!(is(&first), "started" | "finished"), "{first}");
    until("its end", || (look(&sandbox)["run"]["state"] == "finished").then_some(()));
    assert_eq!(sandbox.read("effect"), "started\n");
}

/// A folder in the place of a file, or the other way round: the answer names it, and nothing starts.
#[test]
fn what_is_in_the_way_is_named() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    recorded(&sandbox, 1, "");
    for (name, is_folder) in [("state/commands.turn", true), (FOLDER, false)] {
        let path = sandbox.path(name);
        let _ = std::fs::remove_dir_all(&path);
        let _ = std::fs::remove_file(&path);
        match is_folder {
            true => std::fs::create_dir(&path).expect("a folder"),
            false => std::fs::write(&path, "").expect("a file"),
        }
        let outcome = start(&sandbox);
        assert_eq!((is(&outcome), outcome["step"].as_str()), ("not_started", Some("6a")), "{outcome}");
        let reason = outcome["reason"].as_str().unwrap_or_default().to_owned();
        assert!(reason.starts_with(&path.display().to_string()), "{reason}");
        assert!(matches!(is(&look(&sandbox)), "last"));
        let _ = std::fs::remove_dir(&path);
        let _ = std::fs::remove_file(&path);
    }
    assert!(!sandbox.path("effect").exists());
    assert_eq!(is(&start(&sandbox)), "finished");
}
