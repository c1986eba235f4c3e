//! Commands and their keepers: long ones, loud ones, dying ones, and what each of them sees.

use std::process::Command;

use crate::support::*;

fn status(sandbox: &Sandbox) -> serde_json::Value {
    sandbox.get(&format!("/{MAGIC}/{TASK}")).var("QUERY_STRING", "status").accept("application/json").send().json()
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid.trim()]).status().expect("kill").success());
}

fn parent(pid: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.trim())).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap_or_default().trim().to_owned()
}

fn gone(pid: &str) -> Option<()> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    (stat.is_empty() || stat.contains(") Z ")).then_some(())
}

/// Returns true if a process waits for something.
fn asleep(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with("S "))
}

#[test]
fn a_task_of_a_minute() {
    let sandbox = Sandbox::with_command("echo $$ >$T/pid; exec sleep 60");
    sandbox.start().is("202 Accepted", "Task started: t\n");
    let pid = awaited(&sandbox.path("pid"));
    assert_eq!(status(&sandbox)["state"], "running");
    sandbox.start().is_like("409 Conflict", "Task is already running: t (since *)\n");
    let json = sandbox.get(&format!("/{MAGIC}/{TASK}")).accept("application/json").send();
    assert_eq!((json.status(), json.json()["state"].as_str()), ("409 Conflict".into(), Some("running")));
    assert!(json.json()["exit"].is_null());
    kill("-TERM", &pid);
    let end = until("its end", || Some(status(&sandbox)).filter(|status| status["state"] == "failed"));
    assert_eq!((end["signal"].as_i64(), end["exit"].is_null()), (Some(15), true));
}

#[test]
fn a_wait_of_none_and_a_wait_that_is_enough() {
    let sandbox = Sandbox::with_task("read -r word <$T/gate; echo $word >$T/effect", ", \"wait\": 0");
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    sandbox.start().is("202 Accepted", "Task started: t\n");
    sandbox.write("gate", "word\n");
    assert_eq!(awaited(&sandbox.path("effect")), "word\n");
    until("its end", || (status(&sandbox)["state"] == "finished").then_some(()));

    let patient = Sandbox::with_task("sleep 2.5", ", \"wait\": 30");
    patient.start().is_like("200 OK", "Task finished: t (2.* s)\n");
}

#[test]
fn how_a_task_can_fail() {
    for (line, detail) in [("exit 3", "exit code 3"), ("exit 255", "exit code 255"), ("kill -KILL $$", "signal 9")] {
        let sandbox = Sandbox::with_command(line);
        sandbox.start().is_like("500 Internal Server Error", &format!("Task failed: t ({detail}, * s)\n"));
        assert!(sandbox.log().contains(" ERROR failed task=\"t\" who=#1 from=192.168.1.7 run="), "{}", sandbox.log());
        assert_eq!(status(&sandbox)["state"], "failed");
    }
}

#[test]
fn a_program_that_cannot_be_started() {
    let sandbox = Sandbox::new();
    let plain = sandbox.path("plain");
    sandbox.write("plain", "no program\n");
    let broken = sandbox.script("broken", "");
    sandbox.write("broken", "no program\n");
    let folder = sandbox.path("").display().to_string();
    for (program, why) in [
        (
            "/no/such/program".to_owned(),
            "why=7b \"/no/such/program: No such file or directory (os error 2)\"".to_owned(),
        ),
        (plain.display().to_string(), format!("why=7b \"{} is not an executable file\"", plain.display())),
        (folder.clone(), format!("why=7b \"{folder} is not an executable file\"")),
        (broken.display().to_string(), format!("why=8i \"{}: Exec format error (os error 8)\"", broken.display())),
    ] {
        sandbox.config("", &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"{program}\"]}}"));
        sandbox.start().is_like("500 Internal Server Error", "Task not started: t (reference *, see the log)\n");
        let log = sandbox.log();
        assert!(log.ends_with(&format!("{why}\n")), "{log}");
    }
    assert_eq!(status(&sandbox)["state"], "not_started");
}

/// A command that was not started is not running a moment later.
#[test]
fn a_keeper_that_cannot_be_started() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = Sandbox::with_command("true");
    let mode = |bits| {
        let bits = std::fs::Permissions::from_mode(bits);
        std::fs::set_permissions(sandbox.path("remotetask-keep"), bits).expect("chmod");
    };
    mode(0o600);
    for _ in 0..2 {
        sandbox.start().is_like("500 Internal Server Error", "Task not started: t (reference *, see the log)\n");
        assert_eq!(status(&sandbox)["state"], "not_started");
    }
    mode(0o700);
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
}

#[test]
fn ten_megabytes_on_both_outputs() {
    let sandbox = Sandbox::with_task(
        "head -c 10000000 /dev/zero; head -c 10000000 /dev/zero >&2; echo the end >&2; exit 7",
        ", \"wait\": 30",
    );
    sandbox.start().is_like("500 Internal Server Error", "Task failed: t (exit code 7, * s)\n");
    let files = sandbox.files();
    let output = files.iter().find(|name| name.ends_with(".out")).expect("its output");
    let tail = std::fs::read(sandbox.path(output)).expect("its output");
    assert_eq!(tail.len(), 64 << 10);
    assert!(tail.ends_with(b"the end\n"));
    assert!(!files.iter().any(|name| name.ends_with(".lock") && name.contains("task-t")), "{files:?}");
}

/// Leftovers of a command hold neither the caller nor the next run, and are not killed for writing.
#[test]
fn a_grandchild_that_keeps_the_outputs_open() {
    let sandbox = Sandbox::with_command(
        "(read -r word <$T/gate; echo $word; echo $word >&2; echo lives >$T/late) & echo $! >>$T/pids; echo started >>$T/effect",
    );
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(status(&sandbox)["state"], "finished");
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(sandbox.read("effect"), "started\n".repeat(2));
    sandbox.write("gate", "word\nword\n");
    assert_eq!(awaited(&sandbox.path("late")), "lives\n");
    for pid in sandbox.read("pids").lines() {
        until("the grandchild's end", || gone(pid));
    }
}

#[test]
fn a_killed_keeper_never_makes_a_second_run_possible() {
    let sandbox = Sandbox::with_task("echo $$ >$T/pid; echo started >>$T/effect; exec sleep 60", ", \"wait\": 30");
    let call = sandbox.get(&format!("/{MAGIC}/{TASK}")).spawn();
    let pid = awaited(&sandbox.path("pid"));
    let keeper = parent(&pid);
    let started = |name: &String| name.ends_with(".json") && sandbox.read(name).contains("\"state\":\"started\"");
    let recorded = || sandbox.files().iter().any(started);
    // Not before it has said that the command runs: until then nobody knows more than that it may have begun.
    until("the keeper, waiting", || (recorded() && asleep(&keeper)).then_some(()));
    kill("-KILL", &keeper);
    finish(call).is("500 Internal Server Error", "Task failed: t (its keeper was killed)\n");
    sandbox.start().is_like("409 Conflict", "Task is already running: t (since *)\n");
    assert_eq!(sandbox.read("effect"), "started\n");
    assert_eq!(status(&sandbox)["state"], "running");
    kill("-KILL", &pid);
    until("its orphan's end", || gone(&pid));
    assert_eq!(status(&sandbox)["state"], "interrupted");
    std::fs::remove_file(sandbox.path("pid")).expect("remove");
    let call = sandbox.get(&format!("/{MAGIC}/{TASK}")).spawn();
    kill("-KILL", &awaited(&sandbox.path("pid")));
    finish(call).is_like("500 Internal Server Error", "Task failed: t (signal 9, * s)\n");
    assert_eq!(sandbox.read("effect"), "started\n".repeat(2));
}

#[test]
fn a_reboot_or_a_damaged_record_leaves_nothing_behind() {
    let sandbox = Sandbox::with_task("echo $$ >$T/pid; exec sleep 60", ", \"wait\": 0");
    sandbox.start().is("202 Accepted", "Task started: t\n");
    let pid = awaited(&sandbox.path("pid"));
    let record = sandbox
        .files()
        .into_iter()
        .find(|name| name.ends_with(".json") && name.contains("task-t"))
        .expect("its record");
    let sound = sandbox.read(&record);
    // While its keeper lives, a run is alive whatever its record says.
    for damaged in ["{", ""] {
        sandbox.write(&record, damaged);
        sandbox.start().is_like("409 Conflict", "Task is already running: t (since *)\n");
    }
    let keeper = parent(&pid);
    kill("-KILL", &keeper);
    until("the keeper's end", || gone(&keeper));
    for damaged in [
        sound.replacen("\"boot\":\"", "\"boot\":\"another-", 1),
        sound.replacen("\"start\":", "\"start\":9", 1),
        "{".into(),
    ] {
        // As a boot ago: the same process id, and nobody that holds the lock.
        sandbox.write(&record, &damaged);
        let lock = record.replace(".json", ".lock");
        sandbox.write(&lock, "");
        std::fs::remove_file(sandbox.path("pid")).expect("remove");
        sandbox.start().is("202 Accepted", "Task started: t\n");
        assert!(!sandbox.path(&lock).exists());
        let next = awaited(&sandbox.path("pid"));
        kill("-KILL", &next);
        let locked = || sandbox.files().iter().any(|name| name.ends_with(".lock"));
        until("its end", || (status(&sandbox)["state"] == "failed" && !locked()).then_some(()));
    }
    kill("-KILL", &pid);
}

#[test]
fn ten_at_once_start_one() {
    let sandbox = Sandbox::with_task("echo started >>$T/effect; read -r word <$T/gate", ", \"wait\": 0");
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    let calls: Vec<_> = (0..10).map(|_| sandbox.get(&format!("/{MAGIC}/{TASK}")).spawn()).collect();
    let mut answers: Vec<String> = calls.into_iter().map(|call| finish(call).status()).collect();
    answers.sort();
    assert_eq!(answers, [vec!["202 Accepted"], vec!["409 Conflict"; 9]].concat());
    sandbox.write("gate", "word\n");
    until("its end", || (status(&sandbox)["state"] == "finished").then_some(()));
    assert_eq!(sandbox.read("effect"), "started\n");
}

#[test]
fn the_ceiling_over_all_tasks() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("").display().to_string();
    let tasks: Vec<String> = (0..33)
        .map(|at| {
            let argv = format!("[\"/bin/sh\", \"-c\", \"echo started >>{folder}effect; read -r word <{folder}gate\"]");
            format!("\"t{at}\": {{\"identifier\": \"task-key-{at}\", \"wait\": 0, \"command\": {argv}}}")
        })
        .collect();
    sandbox.config("", &tasks.join(","));
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    for at in 0..32 {
        sandbox.get(&format!("/{MAGIC}/task-key-{at}")).send().is("202 Accepted", &format!("Task started: t{at}\n"));
    }
    let busy = sandbox.get(&format!("/{MAGIC}/task-key-32")).send();
    busy.is("429 Too Many Requests", "Too many tasks are running: t32 (try again in 10 s)\n");
    assert!(busy.text().contains("\r\nRetry-After: 10\r\n"));
    until("32 starts", || (sandbox.read("effect").lines().count() == 32).then_some(()));
    sandbox.write("gate", &"word\n".repeat(32));
    until("an end", || {
        let answer = sandbox.get(&format!("/{MAGIC}/task-key-32")).send();
        (answer.status() == "202 Accepted").then_some(())
    });
    sandbox.write("gate", "word\n");
    until("all ends", || {
        (!sandbox.files().iter().any(|name| name.ends_with(".lock") && name.contains("task-t"))).then_some(())
    });
}

#[test]
fn only_the_newest_records_are_kept() {
    let sandbox = Sandbox::with_command("true");
    for _ in 0..24 {
        sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    }
    let records = sandbox.files().iter().filter(|name| name.ends_with(".json") && name.contains("task-t")).count();
    assert_eq!(records, remotetask::record::KEPT + 1);
}

/// Ids that are no file names have their records too, and each its own.
#[test]
fn an_id_may_be_anything() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(300);
    let ids = ["../../x", "a/b", "Küche", ".", "..", "commands.turn", " ", &long];
    let tasks: Vec<String> = ids
        .iter()
        .enumerate()
        .map(|(at, id)| format!("\"{id}\": {{\"identifier\": \"task-key-{at}\", \"command\": [\"/bin/true\"]}}"))
        .collect();
    sandbox.config("", &tasks.join(","));
    for at in 0..ids.len() {
        assert_eq!(sandbox.get(&format!("/{MAGIC}/task-key-{at}")).send().quiet().status(), "200 OK");
    }
    let folders = std::fs::read_dir(sandbox.path("state")).expect("state").count();
    assert_eq!(folders, ids.len() + 2, "a folder each, the lock, and the keys' last uses");
}

#[test]
fn what_a_command_sees() {
    let sandbox = Sandbox::with_command(
        "exec >$T/seen; /usr/bin/env; pwd; umask; /bin/grep -E '^Sig(Ign|Blk|Cgt)' /proc/self/status; \
         cat; read -r pid name state parent group session rest </proc/$$/stat; \
         [ $group = $$ ] && echo own-group; [ $session = $parent ] && echo keepers-session; echo end",
    );
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    let account = String::from_utf8(
        Command::new("/bin/sh").args(["-c", "getent passwd $(id -u)"]).output().expect("getent").stdout,
    );
    let account = account.expect("UTF-8");
    let field: Vec<&str> = account.trim().split(':').collect();
    let seen = sandbox.read("seen");
    let mut lines: Vec<&str> = seen
        .lines()
        .filter(|line| !line.starts_with("PWD=") && !line.starts_with("_=") && !line.starts_with("SigCgt"))
        .collect();
    // The environment, and in it the run's marks.
    lines[..8].sort_unstable();
    assert!(lines.remove(4).starts_with("REMOTETASK_RUN=0"), "{seen}");
    assert_eq!(lines.remove(4), "REMOTETASK_TASK=t", "{seen}");
    let expected = [
        &*format!("HOME={}", field[5]),
        "LANG=C.UTF-8",
        &*format!("LOGNAME={}", field[0]),
        "PATH=/sbin:/bin:/usr/sbin:/usr/bin:/usr/syno/sbin:/usr/syno/bin:/usr/local/sbin:/usr/local/bin",
        &*format!("SHELL={}", field[6]),
        &*format!("USER={}", field[0]),
        "/",
        "0022",
    ];
    assert_eq!(lines[..8], expected, "{seen}");
    assert!(lines[8].starts_with("SigBlk:\t0000000000000000"), "{seen}");
    assert_eq!(lines[10..], ["own-group", "keepers-session", "end"], "{seen}");
}

/// The clock may have been set back: the newest run is the one that was started last.
#[test]
fn a_clock_that_was_set_back_hides_no_run() {
    let sandbox = Sandbox::with_command("exit 3");
    sandbox.start();
    let record =
        sandbox.files().into_iter().find(|name| name.ends_with(".json") && name.contains("task-t")).expect("a record");
    let run = record.trim_start_matches("state/task-t/").trim_end_matches(".json").to_owned();
    let later = format!("{:012x}", u64::from_str_radix(&run, 16).expect("hex") + 3_600_000);
    let text = sandbox
        .read(&record)
        .replace(&run, &later)
        .replace("\"failed\"", "\"finished\"")
        .replace("\"exit\":3", "\"exit\":0");
    sandbox.write(&format!("state/task-t/{later}.json"), &text);
    assert_eq!(status(&sandbox)["state"], "finished");
    sandbox.start().is_like("500 Internal Server Error", "Task failed: t (exit code 3, * s)\n");
    assert_eq!(status(&sandbox)["state"], "failed");
}

/// A run whose keeper is still on its way to the lock is alive, and no interrupted one.
#[test]
fn a_run_that_just_begins_is_alive() {
    let sandbox = Sandbox::with_command("true");
    sandbox.start();
    let record =
        sandbox.files().into_iter().find(|name| name.ends_with(".json") && name.contains("task-t")).expect("a record");
    let begins = sandbox.read(&record).replace("\"finished\"", "\"starting\"");
    let old =
        begins.split("\"started\":").nth(1).and_then(|rest| rest.split(',').next()).expect("its start").to_owned();
    sandbox.write(&record.replace(".json", ".lock"), "");
    // Its process has ended; only its beginning says that it is alive.
    for (age, state, answer) in [(0, "running", "409 Conflict"), (61_000, "interrupted", "200 OK")] {
        let started = old.parse::<u64>().expect("a number") - age;
        sandbox.write(&record, &begins.replace(&old, &started.to_string()));
        assert_eq!(status(&sandbox)["state"], state, "{age}");
        assert_eq!(sandbox.start().status(), answer, "{age}");
    }
}
