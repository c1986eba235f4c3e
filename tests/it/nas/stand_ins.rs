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
    assert_eq!(api(&["-s", "--exec", "api=SYNO.Core.EventScheduler", "method=run", "version=2"]), error(103));
    let other = nas.http("exec /usr/syno/bin/synowebapi --exec api=SYNO.Core.EventScheduler", &[]);
    assert_eq!((&*other.stderr, other.bytes.len()), ("Permission denied\n", 0));
}

/// The scheduler's version 2 is unknown there. Version 1 takes a list of numbers; to version 2's words it says success.
#[test]
fn synowebapi_of_dsm_6() {
    let nas = Nas::new();
    nas.scheduled(7, "disabled", "echo ran >>/run/effects/seven");
    let versions = |max: u32| {
        let data = format!("{{\"maxVersion\": {max}, \"minVersion\": 1, \"path\": \"entry.cgi\"}}");
        format!("{{\"data\": {{\"SYNO.Core.TaskScheduler\": {data}}}, \"success\": true}}\n")
    };
    let query = ["api=SYNO.API.Info", "method=query", "version=1", "query=\"SYNO.Core.TaskScheduler\""];
    let query = [&["--exec-fastwebapi"], &query[..]].concat();
    assert_eq!(api(&query), versions(4));
    box_is("dsm6");
    assert_eq!(api(&query), versions(1));
    let run =
        |version: &str, words: &str| api(&["--exec", "api=SYNO.Core.TaskScheduler", "method=run", version, words]);
    let plural = "tasks=[{\"id\":7,\"real_owner\":\"root\"}]";
    assert_eq!(run("version=2", plural), error(103));
    assert_eq!(run("version=1", plural), SUCCESS);
    assert_eq!(run("version=1", "task=7"), error(4800));
    assert_eq!(run("version=1", "id=7"), error(114));
    assert_eq!(api(&["-s", "--exec", "api=SYNO.Core.TaskScheduler", "method=run", "version=1", "task=[7]"]), "");
    assert_eq!(run("version=1", "task=[7]"), SUCCESS);
    nas.effect_awaited("seven");
    assert_eq!(count("seven"), 1);
}

#[test]
fn synowebapi_chatters() {
    let _nas = Nas::new();
    let call = ["--exec", "api=SYNO.Core.Else", "method=run", "version=1"];
    let chatter = "[Line 295] Exec WebAPI:  api=SYNO.Core.Else, version=1, method=run, runner=, param={\"tasks\":}\n";
    for (how, expected) in [
        ("chatty", format!("{chatter}{}", error(102))),
        ("chatty-behind", format!("{}{chatter}", error(102))),
        ("bom", format!("\u{feff}{}", error(102))),
        ("text-codes", "{\"error\":{\"code\":\"102\"},\"success\":false}\n".into()),
        ("no-codes", "{\"success\":false}\n".into()),
    ] {
        box_is(how);
        let done = Command::new("/usr/syno/bin/synowebapi").args(call).output().expect("the stand-in");
        assert_eq!(String::from_utf8_lossy(&done.stdout), expected, "{how}");
    }
}

/// A history is told of each run, the newest first; one that runs has no end.
#[test]
fn a_history_of_runs() {
    let nas = Nas::new();
    let gate = "read -r word </run/effects/gate; exit 3";
    assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
    nas.scheduled(7, "enabled", gate);
    nas.event("Tür", gate);
    let of = |kind: &str| {
        let words = match kind {
            "task" => ["api=SYNO.Core.TaskScheduler", "method=get_history_status_list", "version=1", "id=7"],
            _ => ["api=SYNO.Core.EventScheduler", "method=result_list", "version=1", "task_name=\"Tür\""],
        };
        let reply: serde_json::Value = serde_json::from_str(&api(&[&["--exec"], &words[..]].concat())).expect("JSON");
        reply["data"].clone()
    };
    for (kind, exit) in [("task", "normal"), ("event", "stop")] {
        assert_eq!(of(kind), serde_json::json!([]), "{kind}");
        let run = || match kind {
            "task" => syno(&["--run", "id=7", "check_time=0"]).1,
            _ => api(&["--exec", "api=SYNO.Core.EventScheduler", "method=run", "version=1", "task_name=\"Tür\""]),
        };
        run();
        let one = until("its begin", || Some(of(kind)).filter(|list| list[0]["start_time"].is_string()));
        assert_eq!((one[0].get("stop_time"), one.as_array().map(Vec::len)), (None, Some(1)), "{kind}");
        fs::write("/run/effects/gate", "word\n").expect("written");
        let one = until("its end", || Some(of(kind)).filter(|list| list[0]["stop_time"].is_string()));
        let info = if kind == "task" { &one[0] } else { &one[0]["exit_info"] };
        assert_eq!((&info["exit_code"], &info["exit_type"]), (&3.into(), &exit.into()), "{kind}");
        run();
        let two = until("the second", || Some(of(kind)).filter(|list| list[1].is_object()));
        assert_eq!((two[0].get("stop_time"), &two[1]), (None, &one[0]), "{kind}");
        fs::write("/run/effects/gate", "word\n").expect("written");
        until("the second's end", || of(kind)[0].get("stop_time").cloned());
    }
    box_is("epochs");
    assert!(of("task")[0]["start_time"].is_number() && of("event")[0]["stop_time"].is_number());
    box_is("no-history");
    assert_eq!(of("task"), serde_json::Value::Null);
    // A signal; and a task of which DSM runs one at a time.
    box_is("");
    nas.scheduled(8, "enabled", "kill -TERM $$");
    syno(&["--run", "id=8", "check_time=0"]);
    let told = until("its end", || {
        let words = ["api=SYNO.Core.TaskScheduler", "method=get_history_status_list", "version=1", "id=8"];
        Some(api(&[&["--exec"], &words[..]].concat())).filter(|told| told.contains("stop_time"))
    });
    assert!(told.contains("\"exit_code\": 15, \"exit_type\": \"by_signal\""), "{told}");
    nas.scheduled(9, "enabled", &format!("echo ran >>/run/effects/nine; {gate}"));
    let path = format!("{STORE}/9.task");
    let text = fs::read_to_string(&path).expect("the task");
    fs::write(&path, format!("{text}can run task same time=0\n")).expect("written");
    syno(&["--run", "id=9", "check_time=0"]);
    nas.effect_awaited("nine");
    until("its begin", || fs::read_to_string(format!("{STORE}/9.began")).ok().filter(|text| !text.is_empty()));
    let second = Command::new("/usr/syno/lib/run-task").arg("9").status().expect("the stand-in");
    assert_eq!((second.code(), count("nine")), (Some(0), 1));
    fs::write("/run/effects/gate", "word\n").expect("written");
    until("its end", || fs::metadata(format!("{STORE}/9.history")).ok());
}

#[test]
fn esynoscheduler_is_as_strict_as_dsm() {
    let nas = Nas::new();
    nas.event("Tür \"1\"", "echo $HOME $USER >>/run/effects/door; exit 3");
    nas.event("a\nb", "kill -9 $$");
    let esyno = |words: &[&str]| {
        let done = Command::new("/usr/syno/sbin/esynoscheduler").args(words).output().expect("the stand-in");
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let told = |words: &[&str]| {
        let (code, text) = esyno(words);
        assert_eq!(code, Some(0));
        let (noise, rest) = text.split_once("jOut=").expect("an answer");
        assert!(noise.ends_with("]\n") && rest.ends_with("done\n"), "{text}");
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
        values.next().expect("a value").expect("JSON")
    };
    let list = told(&["--list"]);
    let names: Vec<_> = list.as_array().expect("a list").iter().map(|task| task["task_name"].clone()).collect();
    assert_eq!(names, ["Tür \"1\"", "a\nb"]);
    assert_eq!(told(&["--get", "task_name=none"]), serde_json::json!({}));
    assert_eq!(told(&["--get", "task_name=Tür \"1\""])["last_exit_info"], serde_json::json!({}));
    // It waits for the end, and its exit code tells nothing.
    assert_eq!(esyno(&["--run", "task_name=none"]).0, Some(0));
    assert_eq!(esyno(&["--run", "task_name=Tür \"1\""]).0, Some(0));
    assert_eq!(nas.effect("door"), "/root root\n");
    let one = told(&["--get", "task_name=Tür \"1\""]);
    assert_eq!(one["last_exit_info"], serde_json::json!({"exit_code": 3, "exit_type": "stop"}));
    assert!(one["last_start_time"].is_number() && one["last_stop_time"].is_number(), "{one}");
    assert_eq!(esyno(&["--run", "task_name=a\nb"]).0, Some(0));
    let info = told(&["--get", "task_name=a\nb"])["last_exit_info"].clone();
    assert_eq!(info, serde_json::json!({"exit_code": 9, "exit_type": "by_signal"}));
    box_is("esyno-exit");
    assert_eq!(esyno(&["--run", "task_name=Tür \"1\""]).0, Some(3));
    box_is("esyno-mute");
    assert!(!esyno(&["--list"]).1.contains("jOut="));
    box_is("esyno-fail");
    assert_eq!(esyno(&["--list"]), (Some(255), String::new()));
    let other = nas.http("exec /usr/syno/sbin/esynoscheduler --list", &[]);
    assert_eq!(&*other.stderr, "Permission denied\n");
}

#[test]
fn labels_of_other_boxes() {
    let nas = Nas::new();
    nas.scheduled(7, "enabled", "true");
    nas.scheduled_of(4242, 8, "enabled", b"true");
    assert!(syno(&["--get", "id=8"]).1.contains("            Owner: []\n"));
    box_is("work-time");
    let (_, text) = syno(&["--get", "id=7"]);
    assert!(text.contains("   Last work time: []\n") && !text.contains("Last Run Time"), "{text}");
    box_is("no-owner");
    let (_, text) = syno(&["--get", "id=7"]);
    assert!(!text.contains("Owner:") && text.contains("             Type: [daily]\n"), "{text}");
}
