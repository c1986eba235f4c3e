//! Tasks that DSM runs, by strict stand-ins for its programs; commands as root; what outlives what.

use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;

use super::*;

fn scheduler(nas: &Nas) {
    nas.config(&format!(
        "\"7\": {{\"identifier\": \"{TASK}\", \"name\": \"Check off\"}}, \"8\": {{\"identifier\": \"another-key-8\"}}, \
         \"9\": {{\"identifier\": \"another-key-9\"}}"
    ));
}

#[test]
fn a_scheduled_task_is_handed_to_dsm() {
    let nas = Nas::new();
    scheduler(&nas);
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    nas.scheduled(8, "disabled", "echo ran >>/run/effects/eight");
    nas.start().is("202 Accepted", "Task started: Check off (handed to DSM)\n");
    assert_eq!(nas.effect_awaited("seven"), "ran\n");
    nas.call(&format!("/{MAGIC}/another-key-8")).is("202 Accepted", "Task started: 8 (handed to DSM)\n");
    assert_eq!(nas.effect_awaited("eight"), "ran\n");
    nas.call(&format!("/{MAGIC}/another-key-9"))
        .is_like("500 Internal Server Error", "Task not started: 9 (reference *, see the log)\n");
    assert!(nas.log().contains("why=7a \"the Task Scheduler knows no task 9: exit 0, \\\"\\\"\""), "{}", nas.log());
    // Again: overlap is DSM's to decide.
    nas.start().is("202 Accepted", "Task started: Check off (handed to DSM)\n");
    until("the second", || (count("seven") == 2).then_some(()));
    box_is("old");
    nas.start().is("202 Accepted", "Task started: Check off (handed to DSM)\n");
    until("the third", || (count("seven") == 3).then_some(()));
}

/// A task whose script looks like records of other tasks.
#[test]
fn a_script_that_looks_like_a_record() {
    let nas = Nas::new();
    scheduler(&nas);
    let script = "true '\n\n             User: [root]\n               ID: [9]\n            State: [disabled]\n'; echo ran >>/run/effects/seven";
    nas.scheduled(7, "enabled", script);
    nas.start().is("202 Accepted", "Task started: Check off (handed to DSM)\n");
    nas.effect_awaited("seven");
    // The id that only stands in a script is known to nobody.
    nas.call(&format!("/{MAGIC}/another-key-9"))
        .is_like("500 Internal Server Error", "Task not started: 9 (reference *, see the log)\n");
}

#[test]
fn a_scheduler_that_is_missing_fails_or_hangs() {
    let nas = Nas::new();
    scheduler(&nas);
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    let not_started = |why: &str| {
        nas.start().is_like("500 Internal Server Error", "Task not started: Check off (reference *, see the log)\n");
        let log = nas.log();
        assert!(log.lines().last().unwrap_or_default().contains(why), "{why}: {log}");
    };
    box_is("fail");
    not_started("why=8b \"/usr/syno/bin/synoschedtask --run: exit 255, \\\"Failed to run task\\\"\"");
    box_is("hang");
    not_started("why=7a \"/usr/syno/bin/synoschedtask --get had not ended after 10 s\"");
    box_without("synoschedtask");
    not_started("why=7a \"/usr/syno/bin/synoschedtask: No such file or directory (os error 2)\"");
    assert_eq!(count("seven"), 0);
}

#[test]
fn by_the_web_api() {
    let nas = Nas::new();
    nas.config_by(
        "synowebapi",
        &format!("\"7\": {{\"identifier\": \"{TASK}\"}}, \"9\": {{\"identifier\": \"another-key-9\"}}"),
    );
    nas.scheduled(7, "disabled", "echo ran >>/run/effects/seven");
    nas.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
    assert_eq!(nas.effect_awaited("seven"), "ran\n");
    // A task that does not exist is not asked of the web API, which would say that all is well.
    nas.call(&format!("/{MAGIC}/another-key-9"))
        .is_like("500 Internal Server Error", "Task not started: 9 (reference *, see the log)\n");
    assert!(nas.log().contains("why=7a \"the Task Scheduler knows no task 9: exit 0, \\\"\\\"\""), "{}", nas.log());
    // Handed over is all that is ever said.
    box_is("webapi-idle");
    nas.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
    let not_started = |why: &str| {
        nas.start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
        let log = nas.log();
        assert!(log.lines().last().unwrap_or_default().contains(why), "{why}: {log}");
    };
    box_is("webapi-fail");
    not_started("why=8b \"/usr/syno/bin/synowebapi: DSM refuses with error 103\"");
    // It may have started it before it said something that is no reply, or nothing at all.
    for how in ["webapi-nonsense", "webapi-hang"] {
        box_is(how);
        nas.start().is_like(
            "500 Internal Server Error",
            "Task state unknown: 7 (reference *; ask for the status before trying again)\n",
        );
    }
    box_without("synowebapi");
    not_started("why=7c \"/usr/syno/bin/synowebapi: No such file or directory (os error 2)\"");
    assert_eq!(count("seven"), 1);
}

/// DSM 6 takes another form of the call; a NAS may say more on standard output than its reply.
#[test]
fn by_the_web_api_of_dsm_6() {
    let nas = Nas::new();
    nas.config_by("synowebapi", &format!("\"7\": {{\"identifier\": \"{TASK}\"}}"));
    nas.scheduled(7, "disabled", "echo ran >>/run/effects/seven");
    for (count_then, how) in [(1, "dsm6"), (2, "dsm6\nchatty\nbom"), (3, "chatty-behind"), (4, "dsm6\ntext-codes")] {
        box_is(how);
        nas.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
        until(how, || (count("seven") == count_then).then_some(()));
    }
    // A refusal without a code cannot be told from any other.
    box_is("dsm6\nno-codes");
    nas.start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
    assert!(nas.log().contains("DSM refuses without a reason"), "{}", nas.log());
    assert_eq!(count("seven"), 4);
}

/// As the workbench tries them out.
#[test]
fn each_way_by_itself() {
    use remotetask::start::{get, StartMethod};
    let nas = Nas::new();
    let config = format!("{{\"magickey\": \"{MAGIC}\", \"tasks\": {{}}}}");
    let server = remotetask::config::read(config.as_bytes()).expect("valid").server;
    let home = || remotetask::trust::at(Path::new(FOLDER), 0).unwrap_or_else(|e| panic!("{e:?}"));
    let soon = || std::time::Instant::now() + Duration::from_secs(10);
    nas.scheduled(7, "disabled", "echo ran >>/run/effects/seven");
    let run = |way: StartMethod| {
        let task = get(&server.synoschedtask, 7, soon()).expect("an answer").expect("a task");
        way.run(&server, &task, &home(), "probe")
    };
    // The effects here and on another NAS; the caller sees by what the task did which it was.
    for (how, starting) in [
        ("", &[StartMethod::AnyTimeAnyState, StartMethod::WebApi, StartMethod::Script][..]),
        ("deaf", &[StartMethod::WebApi, StartMethod::Script]),
        ("webapi-idle", &[StartMethod::AnyTimeAnyState, StartMethod::Script]),
    ] {
        box_is(how);
        for way in StartMethod::ALL {
            assert_eq!(run(way), Ok(()), "{how} {way:?}");
            if starting.contains(&way) {
                assert_eq!(nas.effect_awaited("seven"), "ran\n", "{how} {way:?}");
                until("its end", || (!Path::new(&format!("{STORE}/7.last.new")).exists()).then_some(()));
                fs::remove_file("/run/effects/seven").expect("remove");
            }
        }
        assert_eq!(fs::read_dir("/run/effects").expect("effects").count(), 0, "{how}");
    }
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    box_is("plain-runs");
    assert_eq!(run(StartMethod::OnSchedule), Ok(()));
    assert_eq!(nas.effect_awaited("seven"), "ran\n");
}

#[test]
fn the_list_of_tasks() {
    use remotetask::start::{list, Listed};
    let nas = Nas::new();
    let soon = || std::time::Instant::now() + Duration::from_secs(10);
    let store = Path::new(remotetask::config::SYNOSCHEDULE);
    let all = || list("/usr/syno/bin/synoschedtask", store, soon());
    assert_eq!(all(), Ok((vec![], 0)));
    let fooling = "true\n\n             User: [root]\n               ID: [12]\n             Name: [x]\n\
                   \x20           State: [enabled]\n           Status: [Success]\n: ]";
    nas.scheduled(12, "enabled", "true");
    nas.scheduled(8, "disabled", fooling);
    nas.scheduled(700, "enabled", &fooling.replace("12", "9"));
    fs::write(format!("{STORE}/700.status"), "Error(3)\n").expect("written");
    fs::write(format!("{STORE}/700.last"), "2026-11-24 09:01\n").expect("written");
    let task = |id: u32, enabled| Listed {
        id,
        name: format!("Task {id}"),
        enabled,
        owner: Some("root".into()),
        user: Some("root".into()),
        next: Some("2099-01-01 00:00".into()),
        last: None,
        status: Some("Not Available".into()),
    };
    let last = Listed { last: Some("2026-11-24 09:01".into()), status: Some("Error(3)".into()), ..task(700, true) };
    let expected = vec![task(8, false), task(12, true), last];
    assert_eq!(all(), Ok((expected.clone(), 0)));
    box_is("early");
    assert_eq!(all(), Ok((expected.clone(), 0)));
    box_is("old");
    let old = expected.into_iter().map(|task| Listed { user: None, next: None, last: None, ..task });
    assert_eq!(all(), Ok((old.collect(), 0)));
    box_without("synoschedtask");
    assert_eq!(all(), Err("/usr/syno/bin/synoschedtask: No such file or directory (os error 2)".into()));
}

/// An owner that DSM does not name, and one that does not exist any more.
#[test]
fn owners_of_tasks() {
    let nas = Nas::new();
    nas.scheduled(7, "enabled", "true");
    nas.scheduled_of(4242, 8, "disabled", b"true");
    let shown = || super::first_hour::bench(&["tasks"]).ok().to_owned();
    let text = shown();
    assert!(
        text.contains("        enabled, of root,") && text.contains("disabled, its owner does not exist any more,"),
        "{text}"
    );
    box_is("no-owner");
    let text = shown();
    assert!(text.contains("        enabled, next run") && text.contains("        disabled, next run"), "{text}");
}

#[test]
fn a_triggered_task_is_handed_to_dsm() {
    let nas = Nas::new();
    let names = ["Open door", "Gärtchen \"zwei\"", "back\\slash\nand line", "; touch /run/effects/hole"];
    let tasks: Vec<String> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            nas.event(name, &format!("echo {at} >>/run/effects/event-{at}"));
            let name = serde_json::to_string(name).expect("JSON");
            format!("\"event {at}\": {{\"identifier\": \"another-key-{at}\", \"event\": {name}}}")
        })
        .collect();
    for scheduler in ["synoschedtask", "synowebapi", "direct"] {
        nas.config_by(scheduler, &tasks.join(","));
        for at in 0..names.len() {
            nas.call(&format!("/{MAGIC}/another-key-{at}"))
                .is("202 Accepted", &format!("Task started: event {at} (handed to DSM)\n"));
            assert_eq!(nas.effect_awaited(&format!("event-{at}")), format!("{at}\n"));
            fs::remove_file(format!("/run/effects/event-{at}")).expect("remove");
        }
    }
    assert_eq!(fs::read_dir("/run/effects").expect("effects").count(), 0);
}

/// A keeper that has answered still has its file open until it has ended.
fn unmount(folder: &str) {
    let unmounted = || Command::new("umount").arg(folder).stderr(Stdio::null()).status().is_ok_and(|s| s.success());
    until("the keeper's end", || unmounted().then_some(()));
}

/// By DSM's own program for them, which waits for the end; and a typo in a name, by both.
#[test]
fn a_triggered_task_by_esynoscheduler() {
    let nas = Nas::new();
    let name = "Gärtchen \"zwei\"";
    nas.event(name, "read -r word </run/effects/gate; echo $word >>/run/effects/door");
    assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
    let config = |events: &str, name: &str| {
        let server = format!("\"events\": \"{events}\", \"magickey\": \"{MAGIC}\"");
        let name = serde_json::to_string(name).expect("JSON");
        nas.raw_config(&format!(
            "{{\"server\": {{{server}}}, \"tasks\": {{\"door\": {{\"identifier\": \"{TASK}\", \"event\": {name}}}}}}}"
        ));
    };
    config("esynoscheduler", name);
    box_without("synowebapi");
    nas.start().is("202 Accepted", "Task started: door\n");
    nas.start().is_like("409 Conflict", "Task is already running: door (since *)\n");
    fs::write("/run/effects/gate", "word\n").expect("written");
    until("the run's end", || (asked(TASK)["state"] == "finished").then_some(()));
    assert_eq!(nas.effect("door"), "word\n");
    fs::rename("/usr/syno/bin/synowebapi.away", "/usr/syno/bin/synowebapi").expect("back");
    for events in ["esynoscheduler", "synowebapi"] {
        config(events, "Gärtchen zwei");
        nas.start().is_like("500 Internal Server Error", "Task not started: door (reference *, see the log)\n");
        let log = nas.log();
        assert!(log.ends_with("why=7f \"DSM has no triggered task \\\"Gärtchen zwei\\\"\"\n"), "{log}");
    }
    config("synowebapi", name);
    box_is("esyno-fail\nwebapi-idle");
    nas.start().is("202 Accepted", "Task started: door (handed to DSM)\n");
    config("esynoscheduler", name);
    nas.start().is_like("500 Internal Server Error", "Task not started: door (reference *, see the log)\n");
    box_is("esyno-hang");
    nas.start().is_like("500 Internal Server Error", "Task not started: door (reference *, see the log)\n");
    assert!(nas.log().contains("esynoscheduler --list had not ended after 4 s"), "{}", nas.log());
    assert_eq!(count("door"), 1);
}

fn asked(key: &str) -> serde_json::Value {
    let line = "exec env -i REQUEST_METHOD=GET QUERY_STRING=status HTTP_ACCEPT=application/json PATH_INFO=\"$1\" \"$2\" </dev/null";
    let mut command = Command::new("setpriv");
    command.args(["--reuid=1023", "--regid=1023", "--clear-groups", "--", "/bin/sh", "-c", line, "sh"]);
    command.args([&format!("/{MAGIC}/{key}"), &at("remotetask-cgi")]).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().expect("setpriv")).json()
}

/// As far as this NAS tells, by each of DSM's programs: it runs; how it ended, when, and after how long.
#[test]
fn the_end_as_dsm_tells_it() {
    for (how, without, times) in [
        ("", "", true),
        ("epochs\nchatty", "", true),
        ("dsm6", "", true),
        // By the list, which knows minutes and no end.
        ("no-history", "", false),
        ("work-time", "synowebapi", false),
        ("no-history\nearly", "", false),
    ] {
        let nas = Nas::new();
        scheduler(&nas);
        assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
        nas.scheduled(7, "enabled", "read -r word </run/effects/gate; exit 3");
        box_is(how);
        if !without.is_empty() {
            box_without(without);
        }
        nas.start().is("202 Accepted", "Task started: Check off (handed to DSM)\n");
        until("its begin", || (asked(TASK)["state"] == "running").then_some(()));
        fs::write("/run/effects/gate", "word\n").expect("written");
        let told = until("its end", || Some(asked(TASK)).filter(|told| told["state"] != "running"));
        // The list may not have it yet.
        let told = if told["state"] == "started" {
            until("its end", || Some(asked(TASK)).filter(|told| told["state"] != "started"))
        } else {
            told
        };
        assert_eq!((&told["state"], &told["exit"]), (&"failed".into(), &3.into()), "{how}: {told}");
        let line = "exec env -i REQUEST_METHOD=GET QUERY_STRING=status PATH_INFO=\"$1\" \"$2\" </dev/null";
        let text = nas.http(line, &[&format!("/{MAGIC}/{TASK}"), &at("remotetask-cgi")]).body();
        let took = if times { ", * s" } else { "" };
        assert!(like(&text, &format!("Task: Check off (failed, exit code 3, started on *{took})\n")), "{text}");
        assert!(times || !text.contains(", )"), "{text}");
        assert_eq!((told["duration_ms"].is_number(), told["ended"].is_string()), (times, times), "{how}: {told}");
        // A run that still went on at the next start would be no answer to it.
        until(&format!("nobody left: {how}"), || remotetask::start::dsm_runs::runs_since(7).is_none().then_some(()));
    }
    // A NAS that tells no times.
    let nas = Nas::new();
    scheduler(&nas);
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    box_is("old\nno-history");
    nas.start().is("202 Accepted", "Task started: Check off (handed to DSM)\n");
    nas.effect_awaited("seven");
    until("its end", || fs::metadata(format!("{STORE}/7.history")).ok());
    until("nothing", || (asked(TASK)["state"] == "started").then_some(()));
}

/// A task that DSM runs once at a time: it would take a second start without a word, and do nothing.
#[test]
fn a_start_that_dsm_would_swallow() {
    let nas = Nas::new();
    scheduler(&nas);
    assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
    let script = "echo ran >>/run/effects/seven; read -r word </run/effects/gate";
    nas.scheduled(7, "enabled", script);
    let path = format!("{STORE}/7.task");
    let text = fs::read_to_string(&path).expect("the task");
    fs::write(&path, format!("{text}can run task same time=0\n")).expect("written");
    // Started by somebody else.
    Command::new("/usr/syno/bin/synoschedtask").args(["--run", "id=7", "check_time=0"]).status().expect("the stand-in");
    nas.effect_awaited("seven");
    nas.start().is_like("409 Conflict", "Task is already running: Check off (since *)\n");
    fs::write("/run/effects/gate", "word\n").expect("written");
    until("its end", || fs::metadata(format!("{STORE}/7.history")).ok());
    until("a start", || (nas.start().status() == "202 Accepted").then_some(()));
    until("the second", || (count("seven") == 2).then_some(()));
    // By us; and where no process is seen, by DSM's history.
    nas.start().is_like("409 Conflict", "Task is already running: Check off (since *)\n");
    fs::write("/run/effects/gate", "word\n").expect("written");
    until("its end", || fs::metadata(format!("{STORE}/7.status")).ok().filter(|_| count("seven") == 2));
    until("nobody left", || remotetask::start::dsm_runs::runs_since(7).is_none().then_some(()));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("now").as_secs();
    fs::write(format!("{STORE}/7.began"), format!("{now}\n")).expect("written");
    nas.start().is_like("409 Conflict", "Task is already running: Check off (since *)\n");
    box_is("no-history");
    nas.start().is("202 Accepted", "Task started: Check off (handed to DSM)\n");
    // And one that may run as often as it likes.
    fs::write(&path, format!("{text}can run task same time=1\n")).expect("written");
    box_is("");
    nas.start().is("202 Accepted", "Task started: Check off (handed to DSM)\n");
    until("the third", || (count("seven") == 3).then_some(()));
    // Each that still waits gets its word: what is left over would be taken for a run of another test's task.
    until("nobody left", || {
        let gate =
            fs::OpenOptions::new().write(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open("/run/effects/gate");
        let _ = gate.and_then(|mut gate| gate.write_all(b"word\n"));
        remotetask::start::dsm_runs::runs_since(7).is_none().then_some(())
    });
}

/// DSM's words on sudo, which waits for a password; on another setuid program of root's, which has all of root's ids by
/// then; and on a process of another user's.
#[test]
fn words_of_dsms_on_a_process_of_others() {
    let nas = Nas::new();
    scheduler(&nas);
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    let path = format!("{STORE}/7.task");
    let text = fs::read_to_string(&path).expect("the task");
    fs::write(&path, format!("{text}can run task same time=0\n")).expect("written");
    let words = "/x/synoschedtask --run id=7";
    fs::copy("/usr/bin/perl", "/run/setuid-perl").expect("copied");
    mode("/run/setuid-perl", 0o4755);
    let mut forged: Vec<Child> = [
        format!("exec sudo -S -p 'password?' {words}"),
        format!("exec perl -e 'print STDERR \"waiting?\"; <STDIN>' {words}"),
        format!("exec /run/setuid-perl -e '$< = $>; print STDERR \"waiting?\"; <STDIN>' {words}"),
    ]
    .iter()
    .map(|line| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=1026", "--regid=100", "--clear-groups", "--", "/bin/sh", "-c", line]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("setpriv")
    })
    .collect();
    for child in &mut forged {
        let mut asked = [0; 1];
        while asked != *b"?" {
            child.stderr.as_mut().expect("stderr").read_exact(&mut asked).expect("its question");
        }
    }
    let ids = |child: &Child| {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("status");
        status.lines().find_map(|line| line.strip_prefix("Uid:\t")).unwrap_or_default().to_owned()
    };
    assert!(ids(&forged[0]).contains("\t0\t") && ids(&forged[2]) == "0\t0\t0\t0", "{}", ids(&forged[2]));
    assert_eq!(remotetask::start::dsm_runs::runs_since(7), None);
    nas.start().is("202 Accepted", "Task started: Check off (handed to DSM)\n");
    assert_eq!(nas.effect_awaited("seven"), "ran\n");
    for mut child in forged {
        child.kill().expect("kill");
        child.wait().expect("its end");
    }
    fs::remove_file("/run/setuid-perl").expect("remove");
}

#[test]
fn the_end_of_a_triggered_task() {
    for (how, without) in [("", ""), ("epochs", "esynoscheduler"), ("no-history", "")] {
        let nas = Nas::new();
        nas.config(&format!("\"door\": {{\"identifier\": \"{TASK}\", \"event\": \"Tür\"}}"));
        assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
        nas.event("Tür", "read -r word </run/effects/gate; kill -TERM $$");
        box_is(how);
        if !without.is_empty() {
            box_without(without);
        }
        nas.start().is("202 Accepted", "Task started: door (handed to DSM)\n");
        let gate = "/run/effects/gate";
        if how != "no-history" {
            until("its begin", || (asked(TASK)["state"] == "running").then_some(()));
        }
        fs::write(gate, "word\n").expect("written");
        let told = until("its end", || Some(asked(TASK)).filter(|told| told["state"] == "failed"));
        assert_eq!((&told["signal"], told["ended"].is_string()), (&15.into(), true), "{how}: {told}");
    }
}

/// A start that cannot be recorded is none.
#[test]
fn a_full_disk() {
    let nas = Nas::with_command("echo started >>$T/effect");
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
    let state = at("state");
    let mount = |words: &[&str]| assert!(Command::new(words[0]).args(&words[1..]).status().expect("mount").success());
    mount(&["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", &state]);
    fs::create_dir(format!("{state}/task-t")).expect("a folder");
    let _ = fs::write(format!("{state}/filler"), vec![0; 128 << 10]);
    nas.start().is_like("500 Internal Server Error", "Task not started: t (reference *, see the log)\n");
    assert!(
        nas.log().contains("why=8a \"/usr/local/remotetask/state/task-t: No space left on device (os error 28)\""),
        "{}",
        nas.log()
    );
    assert_eq!(nas.effect("effect"), "started\n");
    assert_eq!(walk(&state).iter().filter(|name| name.contains(".new")).count(), 0);
    fs::remove_file(format!("{state}/filler")).expect("remove");
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
    unmount(&state);
    // A log that cannot be written changes nothing.
    mount(&["mount", "--bind", "/dev/full", &at("log.txt")]);
    let answer = nas.start();
    assert_eq!(
        (answer.status(), &*answer.stderr),
        ("200 OK".into(), "remotetask-cgi: log.txt: it is not a regular file\n")
    );
    mount(&["umount", &at("log.txt")]);
}

/// The end of a run is worth more than its output.
#[test]
fn a_disk_that_is_full_at_the_end() {
    let nas = Nas::with_command("head -c 200000 /dev/zero; exit 3");
    let state = at("state");
    fs::create_dir(&state).expect("state");
    let mount = |words: &[&str]| assert!(Command::new(words[0]).args(&words[1..]).status().expect("mount").success());
    mount(&["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", &state]);
    nas.start().is_like("500 Internal Server Error", "Task failed: t (exit code 3, * s)\n");
    let path = format!("/{MAGIC}/{TASK}");
    let line = "exec env -i REQUEST_METHOD=GET QUERY_STRING=status PATH_INFO=\"$1\" \"$2\" </dev/null";
    let status = nas.http(line, &[&path, &at("remotetask-cgi")]);
    status.is_like("200 OK", "Task: t (failed, exit code 3, started on *, * s)\n");
    unmount(&state);
}

/// A small disk below the runs.
fn small_disk() -> String {
    let state = at("state");
    fs::create_dir(&state).expect("state");
    let words = ["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", &state];
    assert!(Command::new("mount").args(words).status().expect("mount").success());
    state
}

/// The files of the runs on it, of one kind.
fn of_runs(state: &str, kind: &str) -> Vec<String> {
    walk(&format!("{state}/task-t")).into_iter().filter(|path| path.ends_with(kind)).collect()
}

/// The output that is shown while a run goes on gives its room to the end.
#[test]
fn a_disk_that_the_output_has_filled() {
    let line = "head -c 20000 /dev/zero; read -r word <$T/gate; exit 3";
    let nas = Nas::with_task(line, ", \"wait\": 0, \"output\": true");
    assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
    let state = small_disk();
    // Perhaps with some of its output.
    let answer = nas.start();
    assert!(answer.status() == "202 Accepted" && answer.body().starts_with("Task started: t\n"), "{}", answer.body());
    let size = |path: &String| fs::metadata(path).map_or(0, |meta| meta.len());
    until("the output", || of_runs(&state, ".out").iter().any(|path| size(path) == 20000).then_some(()));
    let _ = fs::write(format!("{state}/filler"), vec![0; 128 << 10]);
    fs::write("/run/effects/gate", "word\n").expect("written");
    until("the end", || of_runs(&state, ".lock").is_empty().then_some(()));
    let record = fs::read_to_string(&of_runs(&state, ".json")[0]).expect("a record");
    assert!(record.contains("\"failed\"") && record.contains("\"exit\":3"), "{record}");
    unmount(&state);
}

/// A start that the disk did not take at once is recorded as soon as there is room.
#[test]
fn a_start_that_is_recorded_later() {
    let nas = Nas::with_task("read -r word <$T/gate", ", \"wait\": 0");
    assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
    let state = small_disk();
    // One page is left: for the run that is announced, and not for another version of its record beside it.
    let filler = format!("{state}/filler");
    let _ = fs::write(&filler, vec![0; 128 << 10]);
    let full = fs::metadata(&filler).expect("filler").len();
    fs::File::options().write(true).open(&filler).and_then(|file| file.set_len(full - 4096)).expect("a page");
    nas.start().is("202 Accepted", "Task started: t\n");
    let record = || fs::read_to_string(&of_runs(&state, ".json")[0]).expect("a record");
    assert!(record().contains("\"starting\"") && record().contains("\"process\":null"), "{}", record());
    fs::remove_file(filler).expect("remove");
    until("its record", || record().contains("\"started\",").then_some(()));
    assert!(record().contains("\"process\":{") && record().contains("\"keeper\":{"), "{}", record());
    fs::write("/run/effects/gate", "word\n").expect("written");
    until("the end", || record().contains("\"finished\"").then_some(()));
    until("no lock", || of_runs(&state, ".lock").is_empty().then_some(()));
    unmount(&state);
}

/// A run outlives the CGI, sudo and the whole of the web server's process group and session.
#[test]
fn a_run_outlives_whoever_started_it() {
    for defaults in ["Defaults !use_pty\n", "Defaults use_pty\n"] {
        let nas = Nas::with_task("echo $$ >$T/pid; read -r word <$T/gate; echo $word >$T/late", ", \"wait\": 0");
        sudoers("aa", defaults);
        assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
        // A session of its own, as a web server's; killed as a whole afterwards.
        let line = "exec setsid sh -c 'env -i REQUEST_METHOD=GET PATH_INFO=\"$1\" \"$2\" </dev/null; echo $$; exec sleep 60' sh \"$1\" \"$2\"";
        let mut child = nas.as_http(line, &[&format!("/{MAGIC}/{TASK}"), &at("remotetask-cgi")]);
        let pid = nas.effect_awaited("pid");
        let session = child.id();
        Command::new("pkill").args(["-KILL", "-s", &session.to_string()]).status().expect("pkill");
        child.wait().expect("its end");
        fs::write("/run/effects/gate", "word\n").expect("written");
        assert_eq!(nas.effect_awaited("late"), "word\n", "{defaults}");
        until("its end", || (!std::path::Path::new(&format!("/proc/{}", pid.trim())).exists()).then_some(()));
        // And nobody is left: no keeper, no zombie.
        until("nobody left", || {
            let left = Command::new("ps").args(["-eo", "stat=,args="]).output().expect("ps");
            let left = String::from_utf8_lossy(&left.stdout).into_owned();
            (!left.contains("remotetask-keep") && !left.lines().any(|line| line.starts_with('Z'))).then_some(())
        });
    }
}
