//! `remotetask status` and `remotetask log`: what was, in an owner's words.

use std::fs;

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
    // What is damaged counts as none.
    sandbox.write("state/task-never/019ac0000000.json", "{");
    assert!(remotetask(&sandbox, &["status"]).ok().contains("never\n  never started by URL\n"));
}
