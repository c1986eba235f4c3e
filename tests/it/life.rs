//! The life of a kept run: its time limit, its end by a caller, its output, the report of its failure. The root half is
//! asked by hand.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::*;

/// Asks the root half, as the web half does.
fn asking(sandbox: &Sandbox, what: &str) -> Child {
    let mut command = Command::new(sandbox.path("remotetask-run"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let line =
        format!("{{\"v\":1,\"do\":\"{what}\",\"magickey\":\"{MAGIC}\",\"identifier\":\"{TASK}\",\"browser\":false}}\n");
    let _ = child.stdin.take().expect("stdin").write_all(line.as_bytes());
    child
}

/// Its answer.
fn answer(child: Child) -> Value {
    let answer = finish(child);
    assert_eq!(answer.stderr, "");
    let reply: Value = serde_json::from_str(&answer.text()).unwrap_or_else(|e| panic!("{e}: {}", answer.text()));
    reply["outcome"].clone()
}

fn ask(sandbox: &Sandbox, what: &str) -> Value {
    answer(asking(sandbox, what))
}

/// The last run, as it stands.
fn last(sandbox: &Sandbox) -> Value {
    ask(sandbox, "look")["run"].clone()
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid.trim()]).status().expect("kill").success());
}

fn stat(pid: &str) -> Vec<String> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(") ").next().unwrap_or_default().split(' ').map(str::to_owned).collect()
}

fn lives(pid: &str) -> bool {
    !matches!(&*stat(pid)[0], "" | "Z")
}

fn parent(pid: &str) -> String {
    stat(pid)[1].clone()
}

/// The lines of a file, once there are so many.
fn lines(sandbox: &Sandbox, name: &str, count: usize) -> Vec<String> {
    until(name, || {
        let text = sandbox.read(name);
        (text.lines().count() >= count && text.ends_with('\n')).then(|| text.lines().map(str::to_owned).collect())
    })
}

#[track_caller]
fn all_gone(pids: &[String]) {
    let left: Vec<&String> = pids.iter().filter(|pid| lives(pid)).collect();
    assert!(left.is_empty(), "{left:?} of {pids:?}");
}

/// A run's files.
fn record(sandbox: &Sandbox, kind: &str) -> String {
    let found = sandbox.files().into_iter().rfind(|name| name.contains("task-t/") && name.ends_with(kind));
    found.unwrap_or_else(|| panic!("no {kind}"))
}

/// A tree of processes that does not want to end: deaf to TERM, in a session of its own by a double fork, stopped.
/// Five process ids in `pids`.
const TREE: &str = "trap '' TERM; echo $$ >>$T/pids; \
    (setsid sh -c 'echo $$ >>$T/pids; sleep 600 & echo $! >>$T/pids; wait' &) ; \
    sh -c 'kill -STOP $$' & echo $! >>$T/pids; \
    sh -c 'sleep 600' & echo $! >>$T/pids; \
    sleep 600; true";

#[test]
fn a_time_limit_ends_the_whole_tree() {
    let sandbox = Sandbox::with_task(TREE, ", \"timeout\": 1, \"wait\": 30");
    let outcome = ask(&sandbox, "start");
    let pids = lines(&sandbox, "pids", 5);
    all_gone(&pids);
    assert_eq!((outcome["is"].as_str(), outcome["state"].as_str()), (Some("failed"), Some("timed_out")), "{outcome}");
    assert_eq!(outcome["signal"], 9, "{outcome}");
    assert!(outcome["duration_ms"].as_u64().is_some_and(|duration| duration >= 6000), "{outcome}");
    assert!(last(&sandbox)["ended"].as_u64().is_some());
    assert!(!sandbox.files().iter().any(|name| name.ends_with(".lock") && name.contains("task-t")));
}

/// Who hears TERM is not killed; and nothing of a run that ended in time is ended later.
#[test]
fn a_time_limit_asks_first_and_spares_what_is_left_of_an_ended_run() {
    let sandbox = Sandbox::with_task(
        "if [ -e $T/second ]; then (trap '' TERM; exec sleep 600) >/dev/null 2>&1 & echo $! >$T/deaf; \
         trap 'echo asked >$T/asked; exit 7' TERM; sleep 600 & wait; \
         else sleep 600 & echo $! >$T/left; fi",
        ", \"timeout\": 1, \"wait\": 30",
    );
    assert_eq!(ask(&sandbox, "start")["is"], "finished");
    let left = awaited(&sandbox.path("left"));
    sandbox.write("second", "");
    let outcome = ask(&sandbox, "start");
    assert_eq!((outcome["state"].as_str(), outcome["exit"].as_i64()), (Some("timed_out"), Some(7)), "{outcome}");
    assert_eq!(sandbox.read("asked"), "asked\n");
    // It holds none of the outputs.
    assert!(!lives(&sandbox.read("deaf")));
    // Its limit was over before the second run's.
    assert!(lives(&left));
    kill("-KILL", &left);
}

#[test]
fn a_caller_stops_what_its_task_lets_it_stop() {
    let sandbox = Sandbox::with_task(TREE, ", \"wait\": 0, \"stop\": true");
    assert_eq!(ask(&sandbox, "stop"), serde_json::json!({"is": "not_stopped", "may": true, "run": null}));
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    let pids = lines(&sandbox, "pids", 5);
    let outcome = ask(&sandbox, "stop");
    all_gone(&pids);
    assert_eq!((outcome["is"].as_str(), outcome["state"].as_str()), (Some("stopped"), Some("stopped")), "{outcome}");
    assert_eq!((last(&sandbox)["state"].as_str(), last(&sandbox)["signal"].as_i64()), (Some("stopped"), Some(9)));
    let outcome = ask(&sandbox, "stop");
    assert_eq!((outcome["is"].as_str(), outcome["may"].as_bool()), (Some("not_stopped"), Some(true)), "{outcome}");
    assert_eq!(outcome["run"]["state"], "stopped");
    assert!(!sandbox.files().iter().any(|name| name.ends_with(".stop")), "{:?}", sandbox.files());
}

#[test]
fn without_stop_nobody_stops_it() {
    let sandbox = Sandbox::with_task("echo $$ >$T/pid; exec sleep 600", ", \"wait\": 0");
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    let pid = awaited(&sandbox.path("pid"));
    let outcome = ask(&sandbox, "stop");
    assert_eq!((outcome["is"].as_str(), outcome["may"].as_bool()), (Some("not_stopped"), Some(false)), "{outcome}");
    assert!(lives(&pid) && !sandbox.files().iter().any(|name| name.ends_with(".stop")));
    kill("-KILL", &pid);
    until("its end", || (last(&sandbox)["state"] == "failed").then_some(()));
}

/// What a killed keeper leaves is found: by its parents, its session, and in a session of its own by its environment.
/// Where a member is stopped, the kernel hangs up on the group of a killed keeper's command, so that only a part is left.
#[test]
fn orphans_of_a_killed_keeper_are_stopped() {
    for (line, whole) in [(TREE.replace("TERM;", "TERM HUP;"), true), (TREE.to_owned(), false)] {
        let sandbox = Sandbox::with_task(&line, ", \"wait\": 0, \"stop\": true");
        assert_eq!(ask(&sandbox, "start")["is"], "started");
        let pids = lines(&sandbox, "pids", 5);
        let keeper = parent(&pids[0]);
        let adopted = |pid: &&String| **pid != pids[0] && parent(pid) == keeper;
        until("what the double fork left", || pids.iter().find(adopted));
        let is_stopped = |pid: &&String| {
            std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
        };
        until("the stopped one", || pids.iter().find(is_stopped));
        kill("-KILL", &keeper);
        until("the keeper's end", || (!lives(&keeper) && lives(&pids[0]) == whole).then_some(()));
        assert_eq!(last(&sandbox)["state"], if whole { "started" } else { "interrupted" });
        let outcome = ask(&sandbox, "stop");
        all_gone(&pids);
        let said = (outcome["is"].as_str(), outcome["state"].as_str());
        assert_eq!(said, (Some("stopped"), Some("stopped")), "{outcome}");
        assert!(last(&sandbox)["state"] == "stopped" && last(&sandbox)["ended"].is_u64());
        assert_eq!(ask(&sandbox, "stop")["is"], "not_stopped");
    }
}

/// A killed keeper's orphan in a session of its own and without the run's variables, as after sudo: it still writes into
/// the run's pipe.
#[test]
fn orphans_without_the_runs_name_are_stopped() {
    let sandbox = Sandbox::with_task(
        "(env -i /usr/bin/setsid sleep 600 2>/dev/null & echo $! >>$T/pids); echo $$ >>$T/pids; exec sleep 600",
        ", \"wait\": 0, \"stop\": true",
    );
    for first_lives in [true, false] {
        assert_eq!(ask(&sandbox, "start")["is"], "started");
        let pids = lines(&sandbox, "pids", 2);
        until("a session of its own", || (stat(&pids[0])[3] == pids[0]).then_some(()));
        for victim in [Some(parent(&pids[1])), (!first_lives).then(|| pids[1].clone())].into_iter().flatten() {
            kill("-KILL", &victim);
            until("its end", || (!lives(&victim)).then_some(()));
        }
        assert!(lives(&pids[0]));
        assert_eq!(ask(&sandbox, "stop")["is"], "stopped");
        all_gone(&pids);
        std::fs::remove_file(sandbox.path("pids")).expect("removed");
    }
}

/// A keeper that is killed while it stops its run.
#[test]
fn a_keeper_that_is_killed_while_it_stops() {
    let line = format!("sleep 600 & echo $! >>$T/pids; {}", TREE.replace("TERM;", "TERM HUP;"));
    let sandbox = Sandbox::with_task(&line, ", \"wait\": 0, \"stop\": true");
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    let pids = lines(&sandbox, "pids", 6);
    let keeper = parent(&pids[1]);
    let stop = asking(&sandbox, "stop");
    // The one that hears TERM.
    until("the first end", || (!lives(&pids[0])).then_some(()));
    kill("-KILL", &keeper);
    let outcome = answer(stop);
    all_gone(&pids);
    assert_eq!((outcome["is"].as_str(), outcome["state"].as_str()), (Some("stopped"), Some("stopped")), "{outcome}");
    assert_eq!(last(&sandbox)["state"], "stopped");
}

/// A record of the version before names no keeper, and that keeper would die of the call: it stays and records the end.
#[test]
fn a_keeper_of_the_version_before_is_left_alone() {
    let sandbox = Sandbox::with_task("echo $$ >$T/pid; exec sleep 600", ", \"wait\": 0, \"stop\": true");
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    let pid = awaited(&sandbox.path("pid"));
    let keeper = parent(&pid);
    let name = record(&sandbox, ".json");
    let mut old: Value = serde_json::from_str(&sandbox.read(&name)).expect("JSON");
    for field in ["keeper", "ended", "fault", "key"] {
        old.as_object_mut().expect("a record").remove(field);
    }
    sandbox.write(&name, &old.to_string());
    let outcome = ask(&sandbox, "stop");
    assert_eq!((outcome["is"].as_str(), outcome["state"].as_str()), (Some("stopped"), Some("stopped")), "{outcome}");
    assert_eq!((outcome["signal"].as_i64(), last(&sandbox)["state"].as_str()), (Some(15), Some("stopped")));
    assert!(!lives(&pid));
    until("the keeper's end", || (!lives(&keeper)).then_some(()));
}

#[test]
fn stops_at_the_same_moment() {
    let sandbox = Sandbox::with_task("echo $$ >>$T/pids; exec sleep 600", ", \"wait\": 0, \"stop\": true");
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    let pids = lines(&sandbox, "pids", 1);
    let calls: Vec<Child> = (0..6).map(|_| asking(&sandbox, "stop")).collect();
    let answers: Vec<Value> = calls.into_iter().map(answer).collect();
    let said = |is: &str| answers.iter().filter(|answer| answer["is"] == is).count();
    assert!(said("stopped") >= 1 && said("stopped") + said("not_stopped") == 6, "{answers:?}");
    all_gone(&pids);
    assert_eq!(last(&sandbox)["state"], "stopped");
}

/// Stops against starts, and against runs that end by themselves: each run has an end, and the task can be started again.
#[test]
fn a_stop_meets_a_start_and_an_end() {
    let sandbox = Sandbox::with_task(
        "echo $$ >>$T/pids; [ -e $T/short ] || exec sleep 600",
        ", \"wait\": 0, \"stop\": true, \"overlap\": \"parallel\"",
    );
    for round in 0..20 {
        if round == 10 {
            sandbox.write("short", "");
        }
        let calls = ["start", "stop", "start", "stop"].map(|what| asking(&sandbox, what));
        calls.into_iter().map(answer).for_each(|answer| {
            let known = ["started", "finished", "failed", "stopped", "not_stopped", "busy", "running"];
            assert!(known.iter().any(|is| answer["is"] == *is), "{answer}");
        });
    }
    let ended = until("all ends", || {
        ask(&sandbox, "stop");
        let records = sandbox.files().into_iter().filter(|name| name.ends_with(".json") && name.contains("task-t/"));
        let records: Vec<Value> =
            records.map(|name| serde_json::from_str(&sandbox.read(&name)).expect("JSON")).collect();
        records.iter().all(|record| record["ended"].is_u64()).then_some(records)
    });
    for end in ended {
        let by = (end["state"].as_str(), end["signal"].as_i64(), end["exit"].as_i64());
        assert!(matches!(by, (Some("stopped"), _, _) | (Some("finished"), None, Some(0))), "{end}");
    }
    all_gone(&lines(&sandbox, "pids", 1));
}

#[test]
fn the_last_lines_of_an_output_are_shown_where_the_task_says_so() {
    let line = "echo one; read -r word <$T/gate; printf '\\033[1mtwo\\377\\n'; exit 3";
    for (more, shown) in [(", \"output\": true", true), ("", false)] {
        let sandbox = Sandbox::with_task(line, &format!(", \"wait\": 0{more}"));
        assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
        assert_eq!(ask(&sandbox, "start")["is"], "started");
        if shown {
            // It runs still.
            until("its first line", || (last(&sandbox)["output"] == "one\n").then_some(()));
            assert_eq!(ask(&sandbox, "start")["output"], "one\n");
        }
        sandbox.write("gate", "word\n");
        let end = until("its end", || Some(last(&sandbox)).filter(|run| run["state"] == "failed"));
        let expected = if shown { Value::from("one\n\u{fffd}[1mtwo\u{fffd}\n") } else { Value::Null };
        // The record goes first.
        until("its output", || (last(&sandbox)["output"] == expected).then_some(()));
        assert!(shown || end["output"].is_null());
        assert!(sandbox.read(&record(&sandbox, ".out")).starts_with("one\n"));
    }
}

/// The keeper of a run that is over takes the late output of what is left, and sleeps: it has used hardly a tick of the
/// processor by the time when that one has slept longer than the output of a run waits to be written.
#[test]
fn a_keeper_whose_run_is_over_sleeps() {
    let left = "read -r word <$T/gate; echo late; sleep 4; echo $$ >$T/slept; read -r word <$T/gate";
    let sandbox = Sandbox::with_task(&format!("sh -c '{left}' & exit 0"), ", \"output\": true");
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    assert_eq!(ask(&sandbox, "start")["is"], "finished");
    sandbox.write("gate", "word\n");
    let keeper = parent(&awaited(&sandbox.path("slept")));
    let ticks: u64 = stat(&keeper)[11..13].iter().map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
    sandbox.write("gate", "word\n");
    assert!(ticks < 20, "{ticks} ticks");
}

#[test]
fn the_panel_shows_no_output() {
    let sandbox = Sandbox::new();
    let task =
        format!("\"t\": {{\"identifier\": \"{TASK}\", \"output\": true, \"command\": [\"/bin/echo\", \"said\"]}}");
    sandbox.config("\"panel\": \"panel-of-the-nas\",", &task);
    let outcome = until("its output", || Some(ask(&sandbox, "start")).filter(|outcome| outcome["output"] == "said\n"));
    assert_eq!(outcome["is"], "finished");
    let line = format!(
        "{{\"v\":1,\"do\":\"panel\",\"magickey\":\"{MAGIC}\",\"identifier\":\"panel-of-the-nas\",\"browser\":false}}\n"
    );
    let mut command = Command::new(sandbox.path("remotetask-run"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("start");
    child.stdin.take().expect("stdin").write_all(line.as_bytes()).expect("asked");
    let panel = answer(child);
    assert_eq!(panel["tasks"][0]["run"]["state"], "finished", "{panel}");
    assert!(panel["tasks"][0]["run"]["output"].is_null(), "{panel}");
}

/// A task `t` of this line, whose failures are noted by a line each in `reports`.
fn reporting(line: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::with_command("");
    let folder = sandbox.path("").display().to_string();
    let report = sandbox.script(
        "report",
        "env >>$T/reported; pwd >>$T/reported; umask >>$T/reported; cat >>$T/reported; \
         [ ! -p $T/gate ] || read -r word <$T/gate; echo \"$REMOTETASK_STATE/$REMOTETASK_EXIT\" >>$T/reports",
    );
    let argv = serde_json::to_string(&["/bin/sh", "-c", &line.replace("$T", &folder)]).expect("JSON");
    let task = format!("\"t\": {{\"identifier\": \"{TASK}\", \"name\": \"Back up\", \"command\": {argv}{more}}}");
    sandbox.config(&format!("\"on_failure\": [\"{}\"],", report.display()), &task);
    sandbox
}

/// No answer waits for the report, which is told everything but secrets.
#[test]
fn the_owner_is_told_of_a_failure() {
    let sandbox = reporting("echo $$ >$T/pid; exit 3", "");
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    let outcome = ask(&sandbox, "start");
    assert_eq!(outcome["is"], "failed", "{outcome}");
    assert_eq!(sandbox.read("reports"), "");
    until("the report, waiting", || sandbox.read("reported").contains("\n0022\n").then_some(()));
    sandbox.write("gate", "word\n");
    assert_eq!(awaited(&sandbox.path("reports")), "failed/3\n");
    let reported = sandbox.read("reported");
    let mut told: Vec<&str> = reported.lines().filter(|line| line.starts_with("REMOTETASK_")).collect();
    told.sort_unstable();
    let run = format!("REMOTETASK_RUN={}", outcome["run"].as_str().expect("a run"));
    let expected = [
        "REMOTETASK_EXIT=3",
        "REMOTETASK_NAME=Back up",
        &*run,
        "REMOTETASK_STATE=failed",
        "REMOTETASK_TASK=t",
        "REMOTETASK_WHO=#1",
    ];
    assert_eq!(told, expected, "{reported}");
    let others = reported.lines().filter(|line| line.contains('=') && !line.starts_with("REMOTETASK_"));
    let names: Vec<&str> = others.filter_map(|line| line.split('=').next()).collect();
    let known = ["HOME", "USER", "LOGNAME", "PATH", "LANG", "SHELL", "PWD", "SHLVL", "_"];
    assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
    assert!(reported.ends_with("\n/\n0022\n"), "{reported}");
}

#[test]
fn the_owner_is_told_of_each_kind_of_failure_and_of_nothing_else() {
    let sandbox = reporting(
        "case $(cat $T/what) in well) exit 0;; signal) kill -KILL $$;; esac; sleep 600",
        ", \"wait\": 30, \"timeout\": 1, \"stop\": true",
    );
    let mut expected = String::new();
    for (what, state, report) in [
        ("well", "finished", ""),
        ("signal", "failed", "failed/signal 9\n"),
        ("late", "timed_out", "timed_out/signal 15\n"),
    ] {
        sandbox.write("what", what);
        assert_eq!(ask(&sandbox, "start")["state"], state);
        expected += report;
        until(what, || (sandbox.read("reports") == expected).then_some(()));
    }
    let stopped = reporting("echo $$ >$T/pid; [ -e $T/failing ] || sleep 600; exit 1", ", \"wait\": 0, \"stop\": true");
    assert_eq!(ask(&stopped, "start")["is"], "started");
    awaited(&stopped.path("pid"));
    assert_eq!(ask(&stopped, "stop")["is"], "stopped");
    stopped.write("failing", "");
    // It may have ended by then.
    let is = ask(&stopped, "start")["is"].clone();
    assert!(is == "started" || is == "failed", "{is}");
    assert_eq!(awaited(&stopped.path("reports")), "failed/1\n");
}

#[test]
fn the_owner_is_told_of_a_task_that_could_not_start() {
    let sandbox = reporting("", "");
    let broken = sandbox.script("broken", "");
    sandbox.write("broken", "no program\n");
    let config = sandbox.read("config.json").replace("\"/bin/sh\",\"-c\",\"\"", &format!("\"{}\"", broken.display()));
    sandbox.raw_config(&config);
    assert_eq!(ask(&sandbox, "start")["is"], "not_started");
    assert_eq!(awaited(&sandbox.path("reports")), "not_started/\n");
}

/// The end of a run whose keeper was killed is recorded, and told the owner, once, however many look.
#[test]
fn an_interrupted_run_is_recorded_and_told_once() {
    let sandbox = reporting("echo $$ >$T/pid; exec sleep 600", ", \"wait\": 0");
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    let pid = awaited(&sandbox.path("pid"));
    let keeper = parent(&pid);
    kill("-KILL", &keeper);
    until("the keeper's end", || (!lives(&keeper)).then_some(()));
    assert_eq!(last(&sandbox)["state"], "started");
    kill("-KILL", &pid);
    until("the command's end", || (!lives(&pid)).then_some(()));
    let looks: Vec<Child> = (0..8).map(|_| asking(&sandbox, "look")).collect();
    assert!(looks.into_iter().map(answer).all(|answer| answer["run"]["state"] == "interrupted"));
    assert!(sandbox.read(&record(&sandbox, ".json")).contains("\"interrupted\""));
    awaited(&sandbox.path("reports"));
    assert_eq!(last(&sandbox)["state"], "interrupted");
    // Whatever was told twice was told by now: this one is told after it.
    std::fs::remove_file(sandbox.path("pid")).expect("remove");
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    kill("-TERM", &awaited(&sandbox.path("pid")));
    assert_eq!(lines(&sandbox, "reports", 2), ["interrupted/", "failed/signal 15"]);
}

/// The owner's command has its time, and nothing of it stays.
#[test]
fn a_report_that_does_not_end() {
    let sandbox = reporting("exit 1", "");
    sandbox.script("report", TREE);
    assert_eq!(ask(&sandbox, "start")["state"], "failed");
    let pids = lines(&sandbox, "pids", 5);
    // A second run neither waits for it nor ends it.
    assert_eq!(ask(&sandbox, "start")["state"], "failed");
    let both = lines(&sandbox, "pids", 10);
    assert!(lives(&pids[0]));
    until("the end of all", || both.iter().all(|pid| !lives(pid)).then_some(()));
}

/// Another task's start, which sweeps locks away, hides no interrupted run, and no older one of the same task.
#[test]
fn every_interrupted_run_is_told() {
    let sandbox = reporting("echo $$ >>$T/pids; exec sleep 600", ", \"wait\": 0, \"overlap\": \"parallel\"");
    let other = "\"u\": {\"identifier\": \"another-key-u\", \"command\": [\"/bin/true\"]}";
    let config = sandbox.read("config.json").replace("\"tasks\": {", &format!("\"tasks\": {{{other}, "));
    sandbox.raw_config(&config);
    // Until the turn lets two runs begin, one after the other is one.
    let started = (0..2).filter(|_| ask(&sandbox, "start")["is"] == "started").count();
    let pids = lines(&sandbox, "pids", started);
    for pid in &pids {
        let keeper = parent(pid);
        kill("-KILL", &keeper);
        until("the keeper's end", || (!lives(&keeper)).then_some(()));
        kill("-KILL", pid);
        until("the command's end", || (!lives(pid)).then_some(()));
    }
    let answer = sandbox.get(&format!("/{MAGIC}/another-key-u")).send();
    assert_eq!(answer.status(), "200 OK");
    assert_eq!(last(&sandbox)["state"], "interrupted");
    assert_eq!(lines(&sandbox, "reports", started), vec!["interrupted/"; started]);
}

/// The report of an interrupted run is not taken for what that run left.
#[test]
fn a_stop_spares_the_report() {
    let sandbox = reporting("echo $$ >$T/pid; exec sleep 600", ", \"wait\": 0, \"stop\": true");
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    let pid = awaited(&sandbox.path("pid"));
    let keeper = parent(&pid);
    for victim in [&keeper, &pid] {
        kill("-KILL", victim);
        until("its end", || (!lives(victim)).then_some(()));
    }
    assert_eq!(last(&sandbox)["state"], "interrupted");
    until("the report, waiting", || sandbox.read("reported").contains("\n0022\n").then_some(()));
    let outcome = ask(&sandbox, "stop");
    assert_eq!((&outcome["is"], &outcome["run"]["state"]), (&"not_stopped".into(), &"interrupted".into()), "{outcome}");
    sandbox.write("gate", "word\n");
    assert_eq!(awaited(&sandbox.path("reports")), "interrupted/\n");
}

/// Whoever has the keys of a task that fails at once starts four reports at a time, and no more.
#[test]
fn as_many_reports_as_may_are_under_way() {
    let sandbox = reporting("exit 3", "");
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    let unreported = || {
        let records = sandbox.files().into_iter().filter(|name| name.contains("task-t/") && name.ends_with(".json"));
        records.filter(|name| sandbox.read(name).contains("\"unreported\":true")).count()
    };
    for _ in 0..6 {
        assert_eq!(ask(&sandbox, "start")["is"], "failed");
    }
    let waiting = || sandbox.read("reported").matches("\n0022\n").count();
    until("four reports, waiting", || (waiting() == 4).then_some(()));
    assert_eq!(unreported(), 2);
    // A start that fails, and an end that a keeper could not record, are left out as well.
    let config = sandbox.read("config.json");
    sandbox.raw_config(&config.replace("\"/bin/sh\"", "\"/no/such\""));
    assert_eq!(ask(&sandbox, "start")["is"], "not_started");
    assert_eq!(unreported(), 3);
    let lines = crate::workbench::said(Command::new(sandbox.path("remotetask")).arg("log"), "");
    assert_eq!(lines.out.matches("`on_failure` was left out").count(), 3, "{}", lines.out);
    sandbox.raw_config(&config);
    // Each free place is taken again.
    sandbox.write("gate", "word\nword\nword\nword\n");
    until("their ends", || (sandbox.read("reports").lines().count() == 4).then_some(()));
    std::fs::remove_file(sandbox.path("gate")).expect("remove");
    until("a place", || {
        assert_eq!(ask(&sandbox, "start")["is"], "failed");
        (sandbox.read("reports").lines().count() > 4).then_some(())
    });
}

/// The end of a run that the disk did not take is reported by its keeper, and not once more by who records it.
#[test]
fn an_end_that_is_not_recorded_is_reported_once() {
    let sandbox = reporting("read -r word <$T/begin; exit 3", ", \"wait\": 0");
    assert!(Command::new("mkfifo").arg(sandbox.path("begin")).status().expect("mkfifo").success());
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    // In the way of the record's new file, as a full disk is.
    let new = record(&sandbox, ".json").replace(".json", ".new");
    std::fs::create_dir(sandbox.path(&new)).expect("a folder");
    sandbox.write("begin", "word\n");
    assert_eq!(awaited(&sandbox.path("reports")), "failed/3\n");
    std::fs::remove_dir(sandbox.path(&new)).expect("remove");
    assert_eq!(last(&sandbox)["state"], "interrupted");
    assert!(sandbox.read(&record(&sandbox, ".json")).contains("\"interrupted\""));
    // Whatever was reported twice was reported by now: this one is reported after it.
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    sandbox.write("begin", "word\n");
    assert_eq!(lines(&sandbox, "reports", 2), ["failed/3", "failed/3"]);
}

/// It counts as reported only if its report could be started.
#[test]
fn an_end_that_is_neither_recorded_nor_reported() {
    let sandbox = reporting("read -r word <$T/begin; exit 3", ", \"wait\": 0");
    assert!(Command::new("mkfifo").arg(sandbox.path("begin")).status().expect("mkfifo").success());
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    let new = record(&sandbox, ".json").replace(".json", ".new");
    std::fs::create_dir(sandbox.path(&new)).expect("a folder");
    let keeper = |mode| {
        let path = sandbox.path("remotetask-keep");
        assert!(Command::new("chmod").arg(mode).arg(path).status().expect("chmod").success());
    };
    keeper("0600");
    sandbox.write("begin", "word\n");
    until("its end", || (!sandbox.files().iter().any(|name| name.ends_with(".lock"))).then_some(()));
    std::fs::remove_dir(sandbox.path(&new)).expect("remove");
    keeper("0700");
    assert_eq!(last(&sandbox)["state"], "interrupted");
    assert_eq!(awaited(&sandbox.path("reports")), "interrupted/\n");
}

/// The same where a newer run of the task is there by then.
#[test]
fn an_end_of_an_older_run_that_is_not_recorded() {
    let sandbox = reporting(
        "[ ! -e $T/second ] || exit 0; echo $$ >$T/pid; read -r word <$T/begin; exit 3",
        ", \"wait\": 0, \"overlap\": \"parallel\"",
    );
    assert!(Command::new("mkfifo").arg(sandbox.path("begin")).status().expect("mkfifo").success());
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    awaited(&sandbox.path("pid"));
    let older = record(&sandbox, ".json");
    let new = older.replace(".json", ".new");
    std::fs::create_dir(sandbox.path(&new)).expect("a folder");
    sandbox.write("second", "");
    until("a newer run", || {
        ask(&sandbox, "start");
        (record(&sandbox, ".json") != older).then_some(())
    });
    sandbox.write("begin", "word\n");
    assert_eq!(awaited(&sandbox.path("reports")), "failed/3\n");
    std::fs::remove_dir(sandbox.path(&new)).expect("remove");
    until("the newer run's end", || (last(&sandbox)["state"] == "finished").then_some(()));
    assert!(sandbox.read(&older).contains("\"interrupted\""), "{}", sandbox.read(&older));
    // Whatever was reported twice was reported by now: this one is reported after it.
    std::fs::remove_file(sandbox.path("second")).expect("remove");
    std::fs::remove_file(sandbox.path("pid")).expect("remove");
    // One alone: another that was started meanwhile would fail at the same word, and be reported too.
    until("a third run", || (ask(&sandbox, "start")["is"] == "started").then_some(()));
    awaited(&sandbox.path("pid"));
    sandbox.write("begin", "word\n");
    assert_eq!(lines(&sandbox, "reports", 2), ["failed/3", "failed/3"]);
}

/// A report whose keeper cannot be started leaves a trace.
#[test]
fn a_report_that_cannot_be_started_is_recorded() {
    let sandbox = reporting("exit 3", "");
    assert!(Command::new("chmod").arg("0600").arg(sandbox.path("remotetask-keep")).status().expect("chmod").success());
    assert_eq!(ask(&sandbox, "start")["is"], "not_started");
    let record = sandbox.read(&record(&sandbox, ".json"));
    assert!(record.contains("\"not_started\"") && record.contains("\"unreported\":true"), "{record}");
}

/// Orphans of an older run than the last: a killed keeper's, whose first process has ended.
#[test]
fn orphans_of_an_older_run_are_stopped() {
    let sandbox = Sandbox::with_task(
        "[ ! -e $T/pids ] || exit 0; (setsid sleep 600 >/dev/null 2>&1 & echo $! >>$T/pids); echo $$ >>$T/pids; exec sleep 600",
        ", \"wait\": 0, \"stop\": true",
    );
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    let pids = lines(&sandbox, "pids", 2);
    let keeper = parent(&pids[1]);
    for victim in [&keeper, &pids[1]] {
        kill("-KILL", victim);
        until("its end", || (!lives(victim)).then_some(()));
    }
    assert!(lives(&pids[0]));
    assert_eq!(last(&sandbox)["state"], "interrupted");
    ask(&sandbox, "start");
    until("the next run", || (last(&sandbox)["state"] == "finished").then_some(()));
    assert_eq!(ask(&sandbox, "stop")["is"], "stopped");
    all_gone(&pids);
}

/// A process of another user's that has the run's name in its environment is not looked into, and not ended.
#[test]
fn a_process_of_others_is_no_orphan() {
    let sandbox = Sandbox::with_task("echo $$ >$T/pid; exec sleep 600", ", \"wait\": 0, \"stop\": true");
    let root = Command::new("id").arg("-u").output().expect("id").stdout == b"0\n";
    if !root {
        return; // Nobody else can become another user.
    }
    assert_eq!(ask(&sandbox, "start")["is"], "started");
    let pid = awaited(&sandbox.path("pid"));
    let keeper = parent(&pid);
    let run = last(&sandbox)["run"].as_str().expect("a run").to_owned();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sleep", "600"]);
    let mut other = command.env("REMOTETASK_TASK", "t").env("REMOTETASK_RUN", &run).spawn().expect("setpriv");
    until("its user", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", other.id())).unwrap_or_default();
        (status.contains("Name:\tsleep") && status.contains("Uid:\t65534")).then_some(())
    });
    kill("-KILL", &keeper);
    until("the keeper's end", || (!lives(&keeper)).then_some(()));
    assert_eq!(ask(&sandbox, "stop")["is"], "stopped");
    assert!(!lives(&pid) && lives(&other.id().to_string()));
    other.kill().expect("kill");
    other.wait().expect("its end");
}
