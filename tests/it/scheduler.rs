//! Programs and a store of DSM's that answer anything at all; the strict stand-ins' place is `nas`.

use std::os::unix::fs::{symlink, PermissionsExt};

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

/// The states of all runs that are recorded: a start that failed is a run.
fn recorded(sandbox: &Sandbox) -> Vec<String> {
    let files = sandbox.files().into_iter().filter(|name| name.ends_with(".json") && name.contains("state"));
    let state = |name: String| serde_json::from_str::<serde_json::Value>(&sandbox.read(&name)).ok();
    files.map(|name| state(name).expect("a record")["state"].as_str().unwrap_or_default().to_owned()).collect()
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
        assert_eq!(recorded(&sandbox), ["not_started"], "{line}");
    }
}

/// Each number that the scheduler's list names is asked for, but not thousands: a script may name as many as it likes.
#[test]
fn what_a_script_names_keeps_nobody_waiting() {
    let sandbox = with_scheduler(
        "shown() { printf '%17s [%s]\\n' ID: $1 Name: \"task $1\" State: enabled Owner: root Command: x; }
         case \"$2\" in
         '') shown 7; seq 100000 103000 | sed 's/.*/               ID: [&]/'; echo; shown 900000 ;;
         id=7 | id=900000) echo $2 >>$T/asked; shown ${2#id=} ;;
         *) echo $2 >>$T/asked; exit 1 ;;
         esac",
    );
    let store = sandbox.path("store");
    let config = sandbox.read("config.json");
    let with_store = format!("\"synoschedule\": \"{}\", \"synoschedtask\"", store.display());
    sandbox.raw_config(&config.replacen("\"synoschedtask\"", &with_store, 1));
    let tasks = || crate::workbench::remotetask(&sandbox, &["tasks"]);
    let asked = || sandbox.read("asked").lines().count();

    let said = tasks();
    assert_eq!(asked(), 256, "{said:?}");
    assert!(said.ok().contains("     7  task 7\n") && !said.out.contains("task 900000"), "{}", said.out);
    let left = "Numbers in the scheduler's answer that were not asked for: 2747; they look like tasks in a script.";
    assert!(said.out.replace("\n ", "").contains(left), "{}", said.out);
    let named = crate::workbench::remotetask(&sandbox, &["tasks", "add", "task 900000"]).refused();
    assert!(named.starts_with(&format!("remotetask: no task \"task 900000\" was found. {left}")), "{named}");

    // A file in DSM's store is made by DSM alone, whoever the task's user is.
    std::fs::create_dir_all(store.join("anna")).expect("store");
    sandbox.write("store/anna/900000.task", "");
    std::fs::remove_file(sandbox.path("asked")).expect("removed");
    let said = tasks();
    assert_eq!(asked(), 257);
    assert!(
        said.ok().contains("  900000  task 900000\n") && said.out.replace("\n ", "").contains("asked for: 2746;"),
        "{}",
        said.out
    );
}

/// A mistyped name is answered with those that there are; a hint for a terminal stands on a terminal alone.
#[test]
fn the_tasks_that_there_are() {
    let scheduler = |count: usize| {
        with_scheduler(&format!(
            "shown() {{ name=\"Task $1\"; [ $1 != 12 ] || name=$(printf %050d 0)
             printf '%17s [%s]\\n' ID: $1 Name: \"$name\" State: enabled Command: x; echo; }}
             case \"$2\" in
             '') for id in $(seq 11 {}); do shown $id; done ;;
             *) shown ${{2#id=}} ;;
             esac",
            10 + count
        ))
    };
    let add =
        |sandbox: &Sandbox, words: &[&str]| crate::workbench::remotetask(sandbox, &[&["tasks", "add"], words].concat());
    let refused = "remotetask: the Task Scheduler has no task \"Tusk\"; remotetask tasks shows what it has. For a command of your \
                   own: remotetask tasks add Tusk -- /the/program WORDS; for a triggered task: --event \"its name\"";
    assert_eq!(add(&scheduler(0), &["Tusk"]).refused(), format!("{refused}."));
    let name = |id: u32| if id == 12 { format!("{}…", "0".repeat(40)) } else { format!("Task {id}") };
    let ten = (11..=20).map(|id| format!("{id} \"{}\"", name(id))).collect::<Vec<_>>().join(", ");
    assert_eq!(add(&scheduler(10), &["Tusk"]).refused(), format!("{refused}. It has {ten}."));
    let sandbox = scheduler(13);
    assert_eq!(add(&sandbox, &["Tusk"]).refused(), format!("{refused}. It has {ten}, and 3 more."));
    let tasks = crate::workbench::remotetask(&sandbox, &["tasks"]);
    assert!(
        tasks.ok().contains("        enabled\n        no URL yet\n") && !tasks.out.contains("tasks add"),
        "{}",
        tasks.out
    );
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
    // Nobody knows whether a scheduler that was killed had started it.
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

/// A sandbox whose task 7 goes by the web API, and with it a triggered task of this name.
fn with_web_api(line: &str, event: &str) -> Sandbox {
    with_web_api_of(7, line, event)
}

/// The number of a task that no other test runs: a process of `synoschedtask --run` is seen wherever it was started.
const ALONE: u32 = 4007;

/// The same with a task of this number.
fn with_web_api_of(number: u32, line: &str, event: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let shown = SHOWN.replace("ID: 7", &format!("ID: {number}"));
    let scheduler = sandbox.script("syno", &format!("echo \"$*\" >>$T/asked; {shown}"));
    let program = sandbox.script("webapi", &format!("printf '%s\\n' \"$@\" >>$T/called; {line}"));
    let server = format!(
        "\"scheduler\": \"synowebapi\", \"synoschedtask\": \"{}\", \"synowebapi\": \"{}\",",
        scheduler.display(),
        program.display()
    );
    let event = serde_json::to_string(event).expect("JSON");
    let tasks = format!(
        "\"{number}\": {{\"identifier\": \"{TASK}\"}}, \"door\": {{\"identifier\": \"another-key-e\", \"event\": {event}}}"
    );
    sandbox.config(&server, &tasks);
    sandbox
}

const SUCCESS: &str = "echo 'Exec WebAPI: …' >&2; echo '{\"success\":true}'";

#[test]
fn what_the_web_api_is_asked() {
    let sandbox = with_web_api(SUCCESS, "Open door");
    sandbox.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
    assert_eq!(sandbox.read("asked"), "--get id=7\n");
    let tasks = "tasks=[{\"id\":7,\"real_owner\":\"root\"}]";
    let asked = format!("--exec\napi=SYNO.Core.TaskScheduler\nmethod=run\nversion=2\n{tasks}\n");
    assert_eq!(sandbox.read("called"), asked);
    // The store is that of the user whom the scheduler names.
    for (user, owner) in [("anna", "anna"), ("an\"a", "an\\\"a"), ("", "root")] {
        let sandbox = with_web_api(SUCCESS, "Open door");
        sandbox.script("syno", &format!("printf '%17s [%s]\\n' User: '{user}'; {SHOWN}"));
        sandbox.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
        assert!(sandbox.read("called").ends_with(&format!("\"real_owner\":\"{owner}\"}}]\n")), "{user}");
    }
}

/// Some NASes say more on standard output than their reply.
#[test]
fn a_web_api_that_chatters() {
    let chatter = "echo '[Line 295] Exec WebAPI: api=x, param={\"a\":1}'";
    for line in [
        format!("{chatter}; echo '{{\"success\":true}}'"),
        format!("echo '{{\"success\":true}}'; {chatter}"),
        format!("printf '\\357\\273\\277{{\"success\":true}}'; {chatter}"),
    ] {
        let sandbox = with_web_api(&line, "Open door");
        sandbox.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
        let answer = sandbox.get(&format!("/{MAGIC}/another-key-e")).send();
        answer.is("202 Accepted", "Task started: door (handed to DSM)\n");
    }
}

/// DSM 6 does not know version 2, and takes version 1 with other words; each form is asked once at most.
#[test]
fn the_web_api_of_dsm_6() {
    let refused = |code: &str| format!("echo '{{\"success\":false,\"error\":{{\"code\":{code}}}}}'");
    let old = format!("case \"$*\" in *version=2*) {} ;; *) {SUCCESS} ;; esac", refused("103"));
    let sandbox = with_web_api(&old, "Open door");
    sandbox.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
    let word = "--exec\napi=SYNO.Core.TaskScheduler\nmethod=run\n";
    let first = format!("{word}version=2\ntasks=[{{\"id\":7,\"real_owner\":\"root\"}}]\n");
    assert_eq!(sandbox.read("called"), format!("{first}{word}version=1\ntask=[7]\n"));
    // Another refusal is no reason to try again.
    for code in ["105", "4800", "117"] {
        let sandbox = with_web_api(&refused(code), "Open door");
        sandbox.start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
        assert_eq!(sandbox.read("called"), first, "{code}");
    }
}

/// A triggered task goes by the web API whatever `scheduler` says, and its name is one word of JSON.
#[test]
fn what_an_event_is_asked() {
    for (name, json) in [
        ("Open door", "\"Open door\""),
        ("a\"b\\c", "\"a\\\"b\\\\c\""),
        ("Gärtchen\nzwei", "\"Gärtchen\\nzwei\""),
        ("$(id) ; 'x'", "\"$(id) ; 'x'\""),
    ] {
        let sandbox = with_web_api(SUCCESS, name);
        for scheduler in ["synowebapi", "synoschedtask", "direct"] {
            let config = sandbox.read("config.json");
            sandbox.raw_config(
                &config.replace("\"scheduler\": \"synowebapi\"", &format!("\"scheduler\": \"{scheduler}\"")),
            );
            let answer = sandbox.get(&format!("/{MAGIC}/another-key-e")).send();
            answer.is("202 Accepted", "Task started: door (handed to DSM)\n");
            let asked = format!("-s\n--exec\napi=SYNO.Core.EventScheduler\nmethod=run\nversion=1\ntask_name={json}\n");
            assert_eq!(sandbox.read("called"), asked);
            std::fs::remove_file(sandbox.path("called")).expect("remove");
            sandbox.raw_config(&config);
        }
        assert!(!sandbox.path("asked").exists(), "the scheduler knows no triggered tasks");
    }
}

#[test]
fn a_web_api_that_says_no_or_nothing() {
    for (line, why) in [
        ("echo '{\"error\":{\"code\":103},\"success\":false}'", "DSM refuses with error 103"),
        ("echo '{\"success\":false}'", "DSM refuses without a reason"),
        ("echo '{}'", "its reply is nonsense: exit 0, \\\"{}\\\""),
        ("echo '{\"success\":\"true\"}'", "its reply is nonsense: exit 0, "),
        ("echo '{\"success\":false,\"error\":{\"code\":\"105\"}}'", "DSM refuses with error 105"),
        ("echo '[Line 295] Exec WebAPI: param={\"success\":true}'", "its reply is nonsense: exit 0, "),
        ("echo chatter >&2; exit 0", "its reply is nonsense: exit 0, \\\"chatter\\\""),
        ("echo denied >&2; exit 7", "its reply is nonsense: exit 7, \\\"denied\\\""),
        ("kill -9 $$", "its reply is nonsense: killed by signal 9, \\\"\\\""),
        ("head -c 5000000 /dev/zero", "its reply is nonsense: exit 0, "),
    ] {
        let sandbox = with_web_api(line, "Open door");
        for (path, name) in [(TASK, "7"), ("another-key-e", "door")] {
            let answer = sandbox.get(&format!("/{MAGIC}/{path}")).send();
            // An output that is no reply may have come after the start.
            let unknown = why.contains("nonsense");
            let said = match unknown {
                true => format!("Task state unknown: {name} (reference *; ask for the status before trying again)\n"),
                false => format!("Task not started: {name} (reference *, see the log)\n"),
            };
            answer.is_like("500 Internal Server Error", &said);
            let log = sandbox.log();
            let last = log.lines().last().unwrap_or_default();
            let program = sandbox.path("webapi").display().to_string();
            let step = if unknown { "" } else { "8b " };
            assert!(last.contains(&format!("why={step}\"{program}: {why}")), "{line}: {last}");
        }
    }
    let sandbox = with_web_api("exec sleep 60", "Open door");
    let answer = sandbox.get(&format!("/{MAGIC}/another-key-e")).send();
    let unknown = "Task state unknown: door (reference *; ask for the status before trying again)\n";
    answer.is_like("500 Internal Server Error", unknown);
    assert!(sandbox.log().contains("webapi --exec had not ended after 10 s"), "{}", sandbox.log());
}

#[test]
fn a_web_api_program_that_is_none() {
    let sandbox = with_web_api(SUCCESS, "Open door");
    let program = sandbox.path("webapi");
    let refused = |why: &str| {
        for path in [TASK, "another-key-e"] {
            let answer = sandbox.get(&format!("/{MAGIC}/{path}")).send();
            answer.is_like("500 Internal Server Error", "Task not started: * (reference *, see the log)\n");
            let log = sandbox.log();
            let last = log.lines().last().unwrap_or_default();
            assert!(last.ends_with(why), "{last}");
        }
    };
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o644)).expect("chmod");
    refused(&format!("why=7c \"{} is not an executable file\"", program.display()));
    std::fs::remove_file(&program).expect("remove");
    refused(&format!("why=7c \"{}: No such file or directory (os error 2)\"", program.display()));
    assert_eq!(recorded(&sandbox), ["not_started"; 4]);
}

/// The history as DSM tells it, a second after our start, with this end; each question leaves a line in `asked-history`.
fn history_of(sandbox: &Sandbox, end: &str) -> String {
    let record = sandbox.files().into_iter().filter(|name| name.ends_with(".json") && name.starts_with("state/")).max();
    let record: serde_json::Value = serde_json::from_str(&sandbox.read(&record.expect("its record"))).expect("JSON");
    let begun = record["started"].as_u64().expect("a time") / 1000 + 1;
    let data =
        format!("{{\\\"start_time\\\":{begun}{}}}", end.replace("STOP", &(begun + 3).to_string()).replace('"', "\\\""));
    format!("echo history >>$T/asked-history; echo \"{{\\\"success\\\":true,\\\"data\\\":[{data}]}}\"")
}

/// DSM tells of the end: it is asked by one look at a time, not again within 2 s, and never again once it has said it.
#[test]
fn the_end_is_asked_of_dsm() {
    let sandbox = with_web_api_of(ALONE, SUCCESS, "Open door");
    let asked = || sandbox.read("asked-history").lines().count();
    let history = |end: &str| sandbox.script("webapi", &history_of(&sandbox, end));
    sandbox.start().is("202 Accepted", "Task started: 4007 (handed to DSM)\n");
    history("");
    let told = status(&sandbox);
    assert_eq!((&told["state"], &told["exit"], &told["ended"]), (&"running".into(), &().into(), &().into()), "{told}");
    for _ in 0..5 {
        let note = std::fs::File::options().write(true).open(sandbox.path("state/task-4007/asked")).expect("the note");
        note.set_modified(std::time::SystemTime::now()).expect("asked at this moment");
        assert_eq!(status(&sandbox)["state"], "running");
    }
    assert_eq!(asked(), 1);
    history(",\"stop_time\":STOP,\"exit_code\":3,\"exit_type\":\"normal\"");
    let told = until("its end", || Some(status(&sandbox)).filter(|told| told["state"] != "running"));
    assert_eq!((&told["state"], &told["exit"], &told["duration_ms"]), (&"failed".into(), &3.into(), &3000.into()));
    assert!(told["ended"].is_string(), "{told}");
    let (before, answers) = (asked(), (0..3).map(|_| status(&sandbox)).all(|again| again == told));
    assert!(answers && asked() == before);
    // It stands in its record, for whoever reads that.
    assert!(sandbox.files().iter().any(|name| sandbox.read(name).contains("\"state\":\"failed\"")));
}

/// One question at a time: while a program of DSM's has not answered, another look does not start a second one.
#[test]
fn one_look_asks_at_a_time() {
    let sandbox = with_web_api_of(ALONE, SUCCESS, "Open door");
    sandbox.start().is("202 Accepted", "Task started: 4007 (handed to DSM)\n");
    assert!(std::process::Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    sandbox.script("webapi", "echo x >>$T/asked-history; read -r word <$T/gate; exit 1");
    let first =
        sandbox.get(&format!("/{MAGIC}/{TASK}")).var("QUERY_STRING", "status").accept("application/json").spawn();
    awaited(&sandbox.path("asked-history"));
    for _ in 0..5 {
        assert_eq!(status(&sandbox)["state"], "started");
    }
    assert_eq!(sandbox.read("asked-history"), "x\n");
    // A program that hangs is given up, and that look is answered too.
    let told = finish(first).json();
    assert_eq!(told["state"], "started", "{told}");
}

/// DSM's words about another run are no answer to ours.
#[test]
fn what_dsm_does_not_tell_stays_handed_over() {
    let sandbox = with_web_api_of(ALONE, SUCCESS, "Open door");
    sandbox.start().is("202 Accepted", "Task started: 4007 (handed to DSM)\n");
    for line in [
        "echo '{\"success\":true,\"data\":[{\"start_time\":\"2020-01-01 00:00:00\",\"stop_time\":\"2020-01-01 00:00:05\",\"exit_code\":0}]}'",
        "echo '{\"success\":true,\"data\":[{\"start_time\":4000000000,\"stop_time\":4000000001,\"exit_code\":0}]}'",
        "echo '{\"success\":true,\"data\":{\"tasks\":[]}}'",
        "echo '{\"success\":false,\"error\":{\"code\":103}}'",
        "kill -9 $$",
    ] {
        sandbox.script("webapi", &format!("echo x >>$T/asked-history; {line}"));
        let _ = std::fs::remove_file(sandbox.path("asked-history"));
        until("a question", || {
            let told = status(&sandbox);
            assert_eq!((&told["state"], &told["ended"]), (&"started".into(), &().into()), "{line}: {told}");
            sandbox.path("asked-history").exists().then_some(())
        });
    }
}

/// A run that DSM begins by itself, while it is still asked about the task, is none of ours.
#[test]
fn the_hand_over_counts_and_not_the_first_question() {
    let sandbox = with_web_api_of(ALONE, SUCCESS, "Open door");
    let shown = SHOWN.replace("ID: 7", &format!("ID: {ALONE}"));
    let later = "begun=$(date +%s); while [ $(date +%s) = $begun ]; do :; done; date +%s >$T/told";
    sandbox.script("syno", &format!("{shown}; {later}"));
    sandbox.start().is("202 Accepted", "Task started: 4007 (handed to DSM)\n");
    let told: u64 = sandbox.read("told").trim().parse().expect("seconds");
    let data = format!("{{\\\"start_time\\\":{},\\\"stop_time\\\":{told},\\\"exit_code\\\":3}}", told - 1);
    sandbox.script("webapi", &format!("echo \"{{\\\"success\\\":true,\\\"data\\\":[{data}]}}\""));
    let answer = status(&sandbox);
    assert_eq!((&answer["state"], &answer["exit"]), (&"started".into(), &().into()), "{answer}");
}

/// A sandbox whose task `door` is a triggered one, by these fields of the server; esynoscheduler is this shell line.
fn with_events(by: &str, line: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let esyno = sandbox.script("esyno", &format!("printf '%s\\n' \"$@\" >>$T/asked; {line}"));
    let webapi = sandbox.script("webapi", &format!("echo called >>$T/called; {SUCCESS}"));
    let server = format!(
        "\"events\": \"{by}\", \"synowebapi\": \"{}\", \"esynoscheduler\": \"{}\",",
        webapi.display(),
        esyno.display()
    );
    sandbox.config(&server, &format!("\"door\": {{\"identifier\": \"{TASK}\", \"event\": \"Open 'door'\"}}"));
    sandbox
}

const LISTED: &str = r#"echo noise; echo 'jOut=[{"task_name":"a"},{"task_name":"Open '"'"'door'"'"'"}]'; echo noise"#;

#[test]
fn esynoscheduler_is_kept_like_a_command() {
    let sandbox = with_events("esynoscheduler", &format!("case $1 in --list) {LISTED} ;; *) echo out; exit 3 ;; esac"));
    sandbox.start().is_like("500 Internal Server Error", "Task failed: door (exit code 3, * s)\n");
    assert_eq!(sandbox.read("asked"), "--list\n--run\ntask_name=Open 'door'\n");
    assert!(!sandbox.path("called").exists());
    // It is not started twice at a time.
    let sandbox = with_events(
        "esynoscheduler",
        &format!("case $1 in --list) {LISTED} ;; *) read -r word <$T/gate; echo $word >>$T/effect ;; esac"),
    );
    assert!(std::process::Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    sandbox.start().is("202 Accepted", "Task started: door\n");
    sandbox.start().is_like("409 Conflict", "Task is already running: door (since *)\n");
    sandbox.write("gate", "word\n");
    until("its end", || (status(&sandbox)["state"] == "finished").then_some(()));
    assert_eq!(sandbox.read("effect"), "word\n");
}

/// A name that DSM does not have starts nothing, however triggered tasks are started.
#[test]
fn a_triggered_task_that_nobody_has() {
    let refused = |sandbox: &Sandbox, why: &str| {
        sandbox.start().is_like("500 Internal Server Error", "Task not started: door (reference *, see the log)\n");
        assert!(sandbox.log().lines().last().unwrap_or_default().contains(why), "{why}: {}", sandbox.log());
        assert!(!sandbox.read("asked").contains("--run") && !sandbox.path("called").exists());
    };
    let other = r#"[ $1 != --list ] || echo 'jOut=[{"task_name":"Open '"'"'door'"'"'s"}]'"#;
    let none = "why=7f \"DSM has no triggered task \\\"Open 'door'\\\"\"";
    for by in ["esynoscheduler", "synowebapi"] {
        refused(&with_events(by, other), none);
        // The list says nothing; the task itself is asked for.
        refused(&with_events(by, "[ $1 = --list ] || echo 'jOut={}'"), none);
        let get = r#"case $1 in --get) echo 'jOut={"task_name":"Open '"'"'door'"'"'"}' ;; --run) echo ran >>$T/called ;; esac"#;
        let sandbox = with_events(by, get);
        assert!(["200 OK", "202 Accepted"].contains(&&*sandbox.start().status()), "{by}");
        assert_eq!(sandbox.read("called").lines().count(), 1);
    }
    // One that tells no names keeps nobody from the web API, which cannot be asked for any.
    for silent in ["echo noise", "echo denied >&2; exit 255"] {
        refused(&with_events("esynoscheduler", silent), "why=7f \"");
        let sandbox = with_events("synowebapi", silent);
        sandbox.start().is("202 Accepted", "Task started: door (handed to DSM)\n");
    }
    let sandbox = with_events("esynoscheduler", LISTED);
    std::fs::set_permissions(sandbox.path("esyno"), std::fs::Permissions::from_mode(0o644)).expect("chmod");
    refused(&sandbox, "esyno is not an executable file\"");
}

/// The names of triggered tasks are DSM's: a typo is refused, and where nobody can be asked that is said at once.
#[test]
fn adding_a_triggered_task() {
    let add = |sandbox: &Sandbox, name: &str| {
        crate::workbench::remotetask(sandbox, &["tasks", "add", "gate", "--event", name])
    };
    let sandbox = with_events("synowebapi", LISTED);
    let before = sandbox.read("config.json");
    assert_eq!(
        add(&sandbox, "Open door").refused(),
        "remotetask: DSM has no triggered task \"Open door\". It has \"Open 'door'\", \"a\"."
    );
    assert_eq!(sandbox.read("config.json"), before);
    let added = add(&sandbox, "Open 'door'");
    assert!(added.ok().contains("Task gate has a URL now.") && !added.out.contains("advice"), "{}", added.out);
    let list = crate::workbench::remotetask(&sandbox, &["tasks"]);
    assert!(list.ok().contains("  Triggered tasks, by their names:\n        a\n        Open 'door'\n"), "{}", list.out);
    let sandbox = with_events("synowebapi", "echo denied >&2; exit 255");
    let added = add(&sandbox, "Open door").ok().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(added.contains("advice Nobody can be asked whether DSM has a triggered task \"Open door\": "), "{added}");
}

/// Callers see the name that a task had when it got its URL; the owner sees both, and can take the new one.
#[test]
fn a_task_that_was_renamed() {
    let sandbox = with_scheduler(&SHOWN.replace("Name: x", "Name: 'Check off'"));
    let remotetask = |words: &[&str]| crate::workbench::remotetask(&sandbox, words);
    remotetask(&["tasks", "remove", "7"]).ok();
    assert!(remotetask(&["tasks", "add", "7"]).ok().contains("Task 7 has a URL now."));
    assert!(remotetask(&["tasks", "add", "7"]).refused().contains("there is a task \"7\" already"));
    sandbox.script("syno", &SHOWN.replace("Name: x", "Name: 'All off'"));
    assert!(remotetask(&["tasks"]).ok().contains("  can be started by URL; its callers see Check off\n"));
    let check = remotetask(&["check", "--json"]).out;
    assert!(check.contains("task-renamed") && check.contains("All off") && check.contains("Check off"), "{check}");
    let again = remotetask(&["tasks", "add", "7"]);
    assert_eq!(again.ok(), "Task 7 has its URL already; its callers see \"All off\" from now on.\n");
    assert!(sandbox.read("config.json").contains("\"name\": \"All off\""));
    assert!(remotetask(&["tasks"]).ok().contains("  can be started by URL\n"));
    // A name of the owner's choice is taken as well; a command of this id is another thing.
    let own = remotetask(&["tasks", "add", "7", "--name", "Lights"]);
    assert!(own.ok().contains("its callers see \"Lights\" from now on"), "{}", own.out);
    assert!(remotetask(&["tasks", "add", "7", "--", "/bin/true"]).refused().contains("there is a task \"7\" already"));
}

/// A sandbox whose task 7 is started by its own script.
fn with_script(script: &[u8]) -> Sandbox {
    let sandbox = Sandbox::new();
    // DSM's programs are not asked.
    let program = sandbox.script("syno", "echo asked >>$T/asked");
    let server = format!(
        "\"scheduler\": \"direct\", \"synoschedtask\": \"{0}\", \"synowebapi\": \"{0}\", \"synoschedule\": \"{1}\",",
        program.display(),
        sandbox.path("store").display()
    );
    sandbox.config(&server, &format!("\"7\": {{\"identifier\": \"{TASK}\"}}"));
    std::fs::create_dir_all(sandbox.path("store/root")).expect("the store");
    let folder = sandbox.path("").display().to_string();
    let script = match std::str::from_utf8(script) {
        Ok(text) => text.replace("$T", &folder).into_bytes(),
        Err(_) => script.to_vec(),
    };
    store(&sandbox, &record(&script));
    sandbox
}

fn store(sandbox: &Sandbox, record: &str) {
    let path = sandbox.path("store/root/7.task");
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, record).expect("the record");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660)).expect("chmod");
}

fn record(script: &[u8]) -> String {
    let owner = rustix::process::geteuid().as_raw();
    format!("id=7\nname=Seven\nstate=disabled\ntype=daily\nowner={owner}\ncmd={}\n", base64(script))
}

/// The scripts that still lie there.
fn left(sandbox: &Sandbox) -> Vec<String> {
    sandbox.files().into_iter().filter(|name| name.starts_with("scripts/")).collect()
}

fn status(sandbox: &Sandbox) -> serde_json::Value {
    sandbox.get(&format!("/{MAGIC}/{TASK}")).var("QUERY_STRING", "status").accept("application/json").send().json()
}

#[test]
fn a_script_is_kept_like_a_command() {
    let sandbox = with_script(b"echo out; echo err >&2; ps -o args= $$ >$T/seen; echo $0 >$T/name; exit 3");
    sandbox.start().is_like("500 Internal Server Error", "Task failed: 7 (exit code 3, * s)\n");
    assert_eq!(status(&sandbox)["exit"], 3);
    assert!(status(&sandbox)["duration_ms"].is_number());
    let output = sandbox.files().into_iter().find(|name| name.ends_with(".out")).expect("its output");
    assert_eq!(sandbox.read(&output), "out\nerr\n");
    // Its words are in no argument list, and its file is gone.
    let name = sandbox.read("name");
    assert_eq!(sandbox.read("seen"), format!("/bin/sh {name}"));
    assert!(like(&name, &format!("{}*.sh\n", sandbox.path("scripts/7-").display())), "{name}");
    assert!(left(&sandbox).is_empty() && !sandbox.path("asked").exists());
    let mode = std::fs::metadata(sandbox.path("scripts")).expect("the folder").permissions().mode();
    assert_eq!(mode & 0o7777, 0o711);

    // It is not started twice at a time.
    let sandbox = with_script(b"echo started >>$T/effect; read -r word <$T/gate; echo $word >>$T/effect");
    assert!(std::process::Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    sandbox.start().is("202 Accepted", "Task started: 7\n");
    assert_eq!(left(&sandbox).len(), 1);
    sandbox.start().is_like("409 Conflict", "Task is already running: 7 (since *)\n");
    sandbox.write("gate", "word\n");
    until("its end", || (status(&sandbox)["state"] == "finished").then_some(()));
    assert_eq!(sandbox.read("effect"), "started\nword\n");
    // The record comes first.
    until("the script's end", || left(&sandbox).is_empty().then_some(()));
}

#[test]
fn a_script_may_be_anything() {
    let long = format!("x='{}'\necho ${{#x}}", "y".repeat(200_000));
    for (script, output) in [
        (&b"echo a\n\0\necho b"[..], &b"a\nb\n"[..]),
        (b"printf '\xff\xfe'", b"\xff\xfe"),
        (long.as_bytes(), b"200000\n"),
        (b"#!/bin/sh\necho $#", b"0\n"),
        (b"#! /bin/cat", b"#! /bin/cat"),
        (b"#!/usr/bin/env -S sh -e\necho e", b"e\n"),
        (b"# no program\necho shell", b"shell\n"),
        (b"echo 'carriage'\r\n", b"carriage\r\n"),
        (b"echo last", b"last\n"),
    ] {
        let sandbox = with_script(script);
        let answer = sandbox.start();
        assert_eq!(answer.status(), "200 OK", "{}: {}", script[..script.len().min(40)].escape_ascii(), answer.text());
        let found = sandbox.files().into_iter().find(|name| name.ends_with(".out")).expect("its output");
        let found = std::fs::read(sandbox.path(&found)).expect("its output");
        // A shell may have its own words about a NUL byte first.
        assert!(found.ends_with(output), "{}", found.escape_ascii());
        assert!(left(&sandbox).is_empty());
    }
}

#[test]
fn a_script_that_cannot_be_started() {
    for (script, why) in [
        (&b"#!/no/such/program\n"[..], "why=7b \"/no/such/program: No such file or directory (os error 2)\""),
        (b"#!/bin/sh\r\necho x\r\n", "why=7b \"/bin/sh\\r: No such file or directory (os error 2)\""),
        (b"#!/etc/passwd\n", "why=7b \"/etc/passwd is not an executable file\""),
        (b"#!\necho x\n", "why=7b \": No such file or directory (os error 2)\""),
        (b"#!/bin\necho x\n", "why=7b \"/bin is not an executable file\""),
    ] {
        let sandbox = with_script(script);
        sandbox.start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
        assert!(sandbox.log().ends_with(&format!("{why}\n")), "{}", sandbox.log());
    }
    // A file in the folder's place; then a folder that others may write.
    let sandbox = with_script(b"echo started >>$T/effect");
    let folder = sandbox.path("scripts");
    let not_started = |why: &str| {
        sandbox.start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
        let log = sandbox.log();
        assert!(log.ends_with(&format!("why=8e \"{}: {why}\"\n", folder.display())), "{log}");
        assert_eq!(status(&sandbox)["state"], "not_started");
    };
    sandbox.write("scripts", "");
    not_started("Not a directory (os error 20)");
    std::fs::remove_file(&folder).expect("remove");
    symlink("/tmp", &folder).expect("a link");
    not_started("Not a directory (os error 20)");
    std::fs::remove_file(&folder).expect("remove");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o733)).expect("chmod");
    not_started("others can write it (mode 0733); take that away: chmod go-w");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).expect("chmod");
    sandbox.start().is_like("200 OK", "Task finished: 7 (* s)\n");
    assert_eq!(sandbox.read("effect"), "started\n");
}

/// Nothing runs, whatever the store has to say beside the truth.
#[test]
fn a_store_that_cannot_be_believed() {
    let sandbox = with_script(b"echo started >>$T/effect");
    let path = sandbox.path("store/root/7.task");
    let sound = sandbox.read("store/root/7.task");
    let not_started = |why: &str| {
        sandbox.start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
        let log = sandbox.log();
        assert!(log.ends_with(&format!("why=7d \"{}: {why}\"\n", path.display())), "{why}: {log}");
    };
    let cmd = sound.lines().find(|line| line.starts_with("cmd=")).expect("cmd=");
    for (damaged, why) in [
        (String::new(), "it has no line id="),
        (sound.replace("id=7", "id=9"), "its line id= is \\\"9\\\", not 7"),
        (format!("{sound}id=7\n"), "it has two lines id="),
        (format!("{sound}{cmd}\n"), "it has two lines cmd="),
        (sound.replace("owner=", "owner=x"), "its line owner= is *, no user's number"),
        (sound.replace("cmd=", "cmd=*"), "its line cmd= is no base64: *"),
        (sound.replace(cmd, "cmd="), "its line cmd= is empty: the task has no script"),
        (
            sound.split(cmd).next().unwrap_or_default().to_owned() + &cmd[..cmd.len() - 4],
            "it breaks off in its line cmd=",
        ),
        (format!("{sound}{}", "#".repeat(1 << 20)), "it is larger than 1024 KiB"),
    ] {
        store(&sandbox, &damaged);
        let answer = sandbox.start();
        answer.is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
        let log = sandbox.log();
        let last = log.lines().last().unwrap_or_default();
        assert!(like(last, &format!("*why=7d \"{}: {why}\"", path.display())), "{why}: {last}");
    }
    store(&sandbox, &sound);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o662)).expect("chmod");
    not_started("others can write it (mode 0662); take that away: chmod o-w");
    store(&sandbox, &sound);
    std::fs::rename(&path, sandbox.path("real")).expect("rename");
    symlink("../../real", &path).expect("a link");
    not_started("it is a link to ../../real, out of DSM's store or by another link; put the file itself there");
    std::fs::remove_file(&path).expect("remove");
    not_started("No such file or directory (os error 2)");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo").success());
    not_started("it is not a regular file");
    std::fs::remove_file(&path).expect("remove");
    std::fs::create_dir(&path).expect("a folder");
    not_started("it is not a regular file");
    std::fs::remove_dir(&path).expect("remove");
    assert!(!sandbox.path("effect").exists() && left(&sandbox).is_empty());
    // Other lines may be there or not.
    for fine in
        [sound.replace("state=disabled\n", ""), format!("{sound}name=again\n\nx\n"), format!("{sound}name=again")]
    {
        store(&sandbox, &fine);
        sandbox.start().is_like("200 OK", "Task finished: 7 (* s)\n");
    }
    assert_eq!(sandbox.read("effect"), "started\n".repeat(3));
}

/// Some of DSM's are links. One is followed in the store alone, by what nobody else can change.
#[test]
fn a_link_in_the_store() {
    let sandbox = with_script(b"echo started >>$T/effect");
    let (link, folder) = (sandbox.path("store/root/7.task"), sandbox.path("store/real"));
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::rename(&link, folder.join("7")).expect("rename");
    let leads_to = |target: &str| {
        let _ = std::fs::remove_file(&link);
        symlink(target, &link).expect("a link");
    };
    let mode = |bits: u32| std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(bits)).expect("chmod");
    let not_started = |why: &str| {
        sandbox.start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
        assert!(sandbox.log().contains(&format!("why=7d \"{}: {why}", link.display())), "{why}: {}", sandbox.log());
    };
    leads_to("../real/7");
    sandbox.start().is_like("200 OK", "Task finished: 7 (* s)\n");
    leads_to(&folder.join("7").display().to_string());
    sandbox.start().is_like("200 OK", "Task finished: 7 (* s)\n");
    mode(0o777);
    not_started("it is a link, and others can change ");
    mode(0o755);
    std::fs::set_permissions(folder.join("7"), std::fs::Permissions::from_mode(0o666)).expect("chmod");
    not_started("others can write it (mode 0666)");
    std::fs::set_permissions(folder.join("7"), std::fs::Permissions::from_mode(0o660)).expect("chmod");
    // Out of the store, by another link, in a circle, to nothing.
    let out = "out of DSM's store or by another link; put the file itself there";
    leads_to("/etc/passwd");
    not_started(&format!("it is a link to /etc/passwd, {out}"));
    symlink("real", sandbox.path("store/more")).expect("a link");
    leads_to("../more/7");
    not_started(&format!("it is a link to ../more/7, {out}"));
    leads_to("7.task");
    not_started("it is a link: ");
    assert!(sandbox.log().contains(" (os error 40)\""), "ELOOP, in the C library's words: {}", sandbox.log());
    leads_to("../real/none");
    not_started("it is a link: No such file");
    leads_to("../real");
    not_started("it is not a regular file");
    assert_eq!(sandbox.read("effect").lines().count(), 2);
}

/// Its keeper cannot take the file away any more: the next start does, once the run is over.
#[test]
fn a_script_whose_keeper_was_killed() {
    let sandbox = with_script(b"echo $$ >$T/pid; exec sleep 60");
    sandbox.start().is("202 Accepted", "Task started: 7\n");
    let pid = awaited(&sandbox.path("pid"));
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).expect("its parent");
    let keeper = stat.split(' ').nth(3).expect("its parent").to_owned();
    let kill =
        |pid: &str| assert!(std::process::Command::new("kill").args(["-KILL", pid]).status().expect("kill").success());
    kill(&keeper);
    until("its keeper's end", || (!std::path::Path::new(&format!("/proc/{keeper}")).exists()).then_some(()));
    sandbox.start().is_like("409 Conflict", "Task is already running: 7 (since *)\n");
    let first = left(&sandbox);
    assert_eq!(first.len(), 1);
    kill(pid.trim());
    until("its end", || (status(&sandbox)["state"] == "interrupted").then_some(()));
    sandbox.write("scripts/nobodys", "");
    std::fs::remove_file(sandbox.path("pid")).expect("remove");
    sandbox.start().is("202 Accepted", "Task started: 7\n");
    let second = left(&sandbox);
    assert!(second.len() == 1 && second != first, "{second:?}");
    kill(awaited(&sandbox.path("pid")).trim());
    until("its end", || (status(&sandbox)["state"] == "failed").then_some(()));
    until("its file's end", || left(&sandbox).is_empty().then_some(()));
}
