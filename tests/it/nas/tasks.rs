//! Scheduled tasks by a strict stand-in for DSM's scheduler; commands as root; what outlives what.

use super::*;

const SYNO: &str = "/usr/syno/bin/synoschedtask";

fn box_is(how: &str) {
    fs::write("/usr/syno/etc/stand-in", format!("{how}\n")).expect("stand-in");
}

fn scheduler(nas: &Nas) {
    nas.config(&format!(
        "\"7\": {{\"identifier\": \"{TASK}\", \"name\": \"Check off\"}}, \"8\": {{\"identifier\": \"another-key-8\"}}, \
         \"9\": {{\"identifier\": \"another-key-9\"}}"
    ));
}

fn count(name: &str) -> usize {
    fs::read_to_string(format!("/run/effects/{name}")).unwrap_or_default().lines().count()
}

#[test]
fn the_stand_in_is_as_strict_as_dsm() {
    let nas = Nas::new();
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    nas.scheduled(8, "disabled", "echo ran >>/run/effects/eight");
    let syno = |arguments: &[&str]| {
        let done = Command::new(SYNO).args(arguments).output().expect("the stand-in");
        (done.status.code(), String::from_utf8_lossy(&done.stdout).into_owned())
    };
    let shown = "            User: [root]\n              ID: [7]\n            Name: [Task 7]\n";
    let (code, text) = syno(&["--get", "id=7"]);
    assert_eq!(code, Some(0));
    assert!(text.starts_with(shown) && text.contains("           State: [enabled]\n"), "{text}");
    // A plain --run, off schedule: exit 0, not a word, and nothing runs. Nor without check_status.
    assert_eq!(syno(&["--run", "id=7"]), (Some(0), String::new()));
    assert_eq!(syno(&["--run", "id=8", "check_time=0"]), (Some(0), String::new()));
    assert_eq!(syno(&["--run", "id=9", "check_time=0"]), (Some(0), String::new()));
    assert_eq!(syno(&["--get", "id=9"]), (Some(0), String::new()));
    // Not even a moment later: the next one, which does run, comes to its end first.
    assert_eq!(syno(&["--run", "id=7", "check_time=0"]), (Some(0), String::new()));
    nas.effect_awaited("seven");
    assert_eq!(syno(&["--run", "id=8", "check_time=0", "check_status=0"]), (Some(0), String::new()));
    nas.effect_awaited("eight");
    assert_eq!((count("seven"), count("eight")), (1, 1));
    let other = nas.http("/usr/syno/bin/synoschedtask --run id=7 check_time=0; /usr/syno/bin/synoschedtask --get", &[]);
    assert_eq!(other.stderr, "Task does not exist\nTask does not exist\n");
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
    fs::rename(SYNO, "/usr/syno/bin/away").expect("rename");
    not_started("why=7a \"/usr/syno/bin/synoschedtask: No such file or directory (os error 2)\"");
    fs::rename("/usr/syno/bin/away", SYNO).expect("rename");
    assert_eq!(count("seven"), 0);
}

/// What cannot be recorded is not started.
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
    mount(&["umount", &state]);
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
    mount(&["umount", &state]);
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
