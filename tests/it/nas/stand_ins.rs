//! The stand-ins for DSM's programs are as strict as what is known of the real ones.

use super::*;

fn syno(arguments: &[&str]) -> (Option<i32>, String) {
    let done = Command::new("/usr/syno/bin/synoschedtask").args(arguments).output().expect("the stand-in");
    (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
}

/// Its reply; how it gets on it tells on stderr.
fn api(arguments: &[&str]) -> String {
    let done = Command::new("/usr/syno/bin/synowebapi").args(arguments).output().expect("the stand-in");
    assert!(!done.stderr.is_empty());
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn quiet() -> (Option<i32>, String) {
    (Some(0), String::new())
}

const SUCCESS: &str = "{\"success\":true}\n";

fn error(code: u32) -> String {
    format!("{{\"error\":{{\"code\":{code}}},\"success\":false}}\n")
}

#[test]
fn synoschedtask_is_as_strict_as_dsm() {
    let nas = Nas::new();
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    nas.scheduled(8, "disabled", "echo ran >>/run/effects/eight");
    let shown = "             User: [root]\n               ID: [7]\n             Name: [Task 7]\n";
    let (code, text) = syno(&["--get", "id=7"]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with(shown) && text.contains("            State: [enabled]\n"), "{text}");
    // A plain --run, off schedule: exit 0, not a word, and nothing runs. Nor without check_status.
    assert_eq!(syno(&["--run", "id=7"]), quiet());
    assert_eq!(syno(&["--run", "id=8", "check_time=0"]), quiet());
    assert_eq!(syno(&["--run", "id=9", "check_time=0"]), quiet());
    assert_eq!(syno(&["--get", "id=9"]), quiet());
    assert_eq!(syno(&["--run", "id=7", "check_time=1"]), (Some(1), String::new()));
    // Not even a moment later: the next one, which does run, comes to its end first.
    assert_eq!(syno(&["--run", "id=7", "check_time=0"]), quiet());
    nas.effect_awaited("seven");
    assert_eq!(syno(&["--run", "id=8", "check_time=0", "check_status=0"]), quiet());
    nas.effect_awaited("eight");
    assert_eq!((count("seven"), count("eight")), (1, 1));
    let other = nas.http("/usr/syno/bin/synoschedtask --run id=7 check_time=0; /usr/syno/bin/synoschedtask --get", &[]);
    assert_eq!(other.stderr, "Task does not exist\nTask does not exist\n");
}

#[test]
fn a_task_that_runs_is_seen_and_noted() {
    let nas = Nas::new();
    let shown = |id: &str| syno(&["--get", id]).1;
    nas.scheduled_of(1026, 7, "enabled", b"id -un >/tmp/who; read -r word </run/effects/gate; exit 3");
    assert!(Command::new("mkfifo").args(["-m", "666", "/run/effects/gate"]).status().expect("mkfifo").success());
    let running = || {
        let processes = fs::read_dir("/proc").expect("/proc").flatten();
        let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
        lines.filter(|line| line.starts_with(b"synoschedtask\0--run\0id=7\0")).count()
    };
    assert!(shown("id=7").contains("           Status: [Not Available]\n    Last Run Time: []\n     Next Trigger: ["));
    assert_eq!(running(), 0);
    assert_eq!(syno(&["--run", "id=7", "check_time=0"]), quiet());
    assert_eq!(awaited(Path::new("/tmp/who")), "clara\n");
    assert_eq!(running(), 1);
    assert!(shown("id=7").contains("[Not Available]"), "not before its end");
    fs::write("/run/effects/gate", "word\n").expect("written");
    until("its end", || shown("id=7").contains("           Status: [Error(3)]\n    Last Run Time: [20").then_some(()));
    until("nobody left", || (running() == 0).then_some(()));
    fs::remove_file("/tmp/who").expect("remove");
}

#[test]
fn other_boxes() {
    let nas = Nas::new();
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    nas.scheduled(8, "disabled", "echo ran >>/run/effects/eight");
    let behind = |text: &str, what: &str| text.find(what) > text.find("Command: [");
    let (_, text) = syno(&["--get", "id=7"]);
    assert!(behind(&text, "Status: [") && behind(&text, "Last Run Time: [") && text.contains("AppName: ["), "{text}");
    box_is("early");
    let (_, text) = syno(&["--get", "id=7"]);
    assert!(!behind(&text, "Status: [") && !behind(&text, "Next Trigger: ["), "{text}");
    box_is("old");
    let (_, text) = syno(&["--get", "id=7"]);
    assert!(text.starts_with("               ID: [7]\n") && behind(&text, "Status: ["), "{text}");
    assert!(!text.contains("App") && !text.contains("Last Run Time"), "{text}");
    box_is("deaf");
    for words in [
        &["--run", "id=7"][..],
        &["--run", "id=7", "check_time=0"],
        &["--run", "id=7", "check_time=0", "check_status=0"],
    ] {
        assert_eq!(syno(words), quiet());
    }
    box_is("status-blind");
    assert_eq!(syno(&["--run", "id=8", "check_time=0", "check_status=0"]), (Some(1), String::new()));
    box_is("plain-runs");
    assert_eq!(syno(&["--run", "id=8"]), quiet());
    assert_eq!(syno(&["--run", "id=7"]), quiet());
    nas.effect_awaited("seven");
    assert_eq!((count("seven"), count("eight")), (1, 0));
}

#[test]
fn synowebapi_is_as_strict_as_dsm() {
    let nas = Nas::new();
    nas.scheduled(7, "disabled", "echo ran >>/run/effects/seven");
    nas.event("Tür \"1\"", "echo ran >>/run/effects/door");
    let task = ["--exec", "api=SYNO.Core.TaskScheduler", "method=run", "version=2"];
    let with = |words: &[&str], more: &str| api(&[words, &[more]].concat());
    for (tasks, reply) in [
        ("tasks=", error(120)),
        ("tasks=7", error(120)),
        ("tasks=[7]", error(120)),
        ("tasks=[{id:7,real_owner:root}]", error(120)),
        ("tasks=[{\"id\":7}]", error(120)),
        ("task=[]", error(114)),
        ("7", error(120)),
        // Success, and nothing runs: another's store, a number that is a text, a task that does not exist.
        ("tasks=[{\"id\":7,\"real_owner\":\"clara\"}]", SUCCESS.into()),
        ("tasks=[{\"id\":\"7\",\"real_owner\":\"root\"}]", SUCCESS.into()),
        ("tasks=[{\"id\":9,\"real_owner\":\"root\"}]", SUCCESS.into()),
    ] {
        assert_eq!(with(&task, tasks), reply, "{tasks}");
    }
    let good = "tasks=[{\"id\":7,\"real_owner\":\"root\"}]";
    assert_eq!(with(&["--exec", "api=SYNO.Core.TaskScheduler", "method=run", "version=1"], good), error(103));
    assert_eq!(with(&["--exec", "api=SYNO.Core.Else", "method=run", "version=2"], good), error(102));
    assert_eq!(with(&["api=SYNO.Core.TaskScheduler", "method=run", "version=2"], good), "");
    let event = ["-s", "--exec", "api=SYNO.Core.EventScheduler", "method=run", "version=1"];
    for (name, reply) in [
        ("task_name=Tür", error(120)),
        ("task_name=7", error(120)),
        ("task_name=\"Tür \"1\"\"", error(120)),
        ("task_name=\"Tür\"", SUCCESS.into()),
    ] {
        assert_eq!(with(&event, name), reply, "{name}");
    }
    for (how, reply) in [
        ("webapi-idle", SUCCESS.into()),
        ("webapi-fail", error(103)),
        ("webapi-nonsense", "Segmentation fault\n".into()),
    ] {
        box_is(how);
        assert_eq!((with(&task, good), with(&event, "task_name=\"Tür \\\"1\\\"\"")), (reply.clone(), reply), "{how}");
    }
    box_is("");
    assert_eq!((with(&task, good), with(&event, "task_name=\"Tür \\\"1\\\"\"")), (SUCCESS.into(), SUCCESS.into()));
    nas.effect_awaited("seven");
    nas.effect_awaited("door");
    assert_eq!((count("seven"), count("door")), (1, 1));
    let other = nas.http("exec /usr/syno/bin/synowebapi --exec api=SYNO.Core.EventScheduler", &[]);
    assert_eq!((&*other.stderr, other.bytes.len()), ("Permission denied\n", 0));
}
