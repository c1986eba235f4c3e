//! A scheduler program that answers anything at all; the strict stand-in's place is `nas`.

use crate::support::*;

/// A sandbox whose task 7 is DSM's, with this shell line as the scheduler program.
fn with_scheduler(line: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let program = sandbox.script("syno", line);
    let server = format!("\"elevate\": [], \"synoschedtask\": \"{}\",", program.display());
    sandbox.config(&server, &format!("\"7\": {{\"identifier\": \"{TASK}\"}}"));
    sandbox
}

const SHOWN: &str = "printf '%17s [%s]\\n' ID: 7 Name: x State: enabled Command: x";

#[test]
fn what_it_is_asked() {
    let sandbox = with_scheduler(&format!("echo \"$*\" >>$T/asked; {SHOWN}"));
    sandbox.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
    assert_eq!(sandbox.read("asked"), "--get id=7\n--run id=7 check_time=0\n");
    let sandbox = with_scheduler(&format!("echo \"$*\" >>$T/asked; {}", SHOWN.replace("enabled", "disabled")));
    sandbox.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
    assert_eq!(sandbox.read("asked"), "--get id=7\n--run id=7 check_time=0 check_status=0\n");
}

#[test]
fn what_proves_no_task_starts_none() {
    for (line, why) in [
        ("exit 0", "exit 0, \\\"\\\""),
        ("echo 'Task exists, trust me'", "exit 0, \\\"Task exists, trust me\\\""),
        ("printf '%17s [%s]\\n' ID: 9 State: enabled", "exit 0, \\\"ID: [9]\\\""),
        ("printf '%17s [%s]\\n' ID: 77 State: enabled", "exit 0, \\\"ID: [77]\\\""),
        ("printf '%17s [%s]\\n' Command: x ID: 7 State: enabled", "exit 0, \\\"Command: [x]\\\""),
        (
            "printf '%17s [%s]\\n\\n' ID: 9 State: enabled; printf '%17s [%s]\\n' ID: 7 State: enabled",
            "exit 0, \\\"ID: [9]\\\"",
        ),
        ("echo denied >&2; exit 7", "exit 7, \\\"denied\\\""),
        ("kill -9 $$", "killed by signal 9, \\\"\\\""),
        ("head -c 5000000 /dev/zero", "exit 0, "),
    ] {
        let sandbox = with_scheduler(&format!("[ $1 = --get ] || echo run >>$T/ran; {line}"));
        sandbox.start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
        let log = sandbox.log();
        assert!(log.contains(&format!("why=7a \"the Task Scheduler knows no task 7: {why}")), "{line}: {log}");
        assert!(!sandbox.path("ran").exists(), "{line}");
        assert!(
            !sandbox.files().iter().any(|name| name.ends_with(".json") && name.contains("state")),
            "no record of what never began"
        );
    }
}

/// It starts the task in the background and returns; that one may keep the outputs as long as it likes.
#[test]
fn what_it_leaves_running_is_not_waited_for() {
    let sandbox = with_scheduler(&format!("{SHOWN}; sleep 60 & echo $! >>$T/pids"));
    sandbox.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
    for pid in sandbox.read("pids").lines() {
        std::process::Command::new("kill").arg(pid).status().expect("kill");
    }
}

#[test]
fn a_run_that_fails_or_never_ends() {
    let sandbox = with_scheduler(&format!("if [ $1 = --get ]; then {SHOWN}; else echo no >&2; exit 3; fi"));
    sandbox.start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
    assert!(sandbox.log().contains("why=8b \"*".trim_end_matches('*')), "{}", sandbox.log());
    // Whether a scheduler that was killed had started it, nobody knows.
    let sandbox = with_scheduler(&format!("if [ $1 = --get ]; then {SHOWN}; else exec sleep 60; fi"));
    let unknown = "Task state unknown: 7 (reference *; ask for the status before trying again)\n";
    sandbox.start().is_like("500 Internal Server Error", unknown);
    assert!(sandbox.log().contains("--run had not ended after 10 s"), "{}", sandbox.log());
    let status = sandbox.get(&format!("/{MAGIC}/{TASK}")).var("QUERY_STRING", "status").send();
    status.is_like("200 OK", "Task: 7 (it may have been handed to DSM on *)\n");
}

/// Commands take their turns beside it: none of them takes its lock away.
#[test]
fn a_scheduled_tasks_turn_is_not_a_run() {
    let sandbox = with_scheduler(SHOWN);
    let config = sandbox.read("config.json");
    let more = "\"tasks\": {\"c\": {\"identifier\": \"another-key-c\", \"command\": [\"/bin/true\"]}, ";
    sandbox.raw_config(&config.replace("\"tasks\": {", more));
    sandbox.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
    let turn = std::fs::File::open(sandbox.path("state/task-7/turn")).expect("its turn");
    sandbox.get(&format!("/{MAGIC}/another-key-c")).send().is_like("200 OK", "Task finished: c (* s)\n");
    use std::os::unix::fs::MetadataExt;
    let now = std::fs::metadata(sandbox.path("state/task-7/turn")).expect("its turn");
    assert_eq!(now.ino(), turn.metadata().expect("open").ino());
}
