//! The life of a run behind real sudo: its end by force, and what a kill of each process of the chain leaves.

use super::*;

const CLARA: u32 = 1026;

/// The root half's answer, asked by `http` through sudo.
fn ask(nas: &Nas, what: &str) -> serde_json::Value {
    let line =
        format!("{{\"v\":1,\"do\":\"{what}\",\"magickey\":\"{MAGIC}\",\"identifier\":\"{TASK}\",\"browser\":false}}");
    let answer = nas.http("printf '%s\\n' \"$1\" | exec sudo -n \"$2\"", &[&line, &at("remotetask-run")]);
    assert_eq!(answer.stderr, "");
    let reply: serde_json::Value = serde_json::from_str(&answer.text()).unwrap_or_else(|e| panic!("{e}: {answer:?}"));
    reply["outcome"].clone()
}

fn stat(pid: &str) -> Vec<String> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(") ").next().unwrap_or_default().split(' ').map(str::to_owned).collect()
}

fn lives(pid: &str) -> bool {
    !matches!(&*stat(pid)[0], "" | "Z")
}

fn kill(pid: &str) {
    let _ = Command::new("kill").args(["-KILL", pid.trim()]).stderr(Stdio::null()).status();
}

/// A process and those that it descends from, up to the one that has this name, and their names.
fn chain(pid: &str, up_to: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut pid = pid.trim().to_owned();
    while pid != "1" && pid != "0" && found.last().is_none_or(|(_, name): &(String, String)| name != up_to) {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
        let parent = stat(&pid)[1].clone();
        found.push((pid, name));
        pid = parent;
    }
    found
}

fn pids(count: usize) -> Vec<String> {
    until("the processes", || {
        let text = fs::read_to_string("/run/effects/all/pids").unwrap_or_default();
        (text.lines().count() >= count && text.ends_with('\n')).then(|| text.lines().map(str::to_owned).collect())
    })
}

/// A script of another owner, deaf to TERM, with a child that left its session; its keeper lives, or was killed.
#[test]
fn a_script_of_another_owner_is_stopped_with_all_that_it_started() {
    let script = "trap '' TERM; cd /run/effects/all; echo $$ >>pids; \
                  (setsid sh -c 'echo $$ >>pids; exec sleep 600' &); sleep 600 & echo $! >>pids; wait";
    for defaults in ["Defaults !use_pty\n", "Defaults use_pty\n"] {
        for killed in [false, true] {
            let nas = Nas::new();
            sudoers("aa", defaults);
            nas.config_by("direct", &format!("\"7\": {{\"identifier\": \"{TASK}\", \"wait\": 0, \"stop\": true}}"));
            fs::create_dir("/run/effects/all").expect("a folder");
            mode("/run/effects/all", 0o1777);
            nas.scheduled_of(CLARA, 7, "enabled", script.as_bytes());
            assert_eq!(ask(&nas, "start")["is"], "started");
            let pids = pids(3);
            if killed {
                let keeper = chain(&pids[0], "remotetask-keep").pop().expect("a keeper");
                assert_eq!(keeper.1, "remotetask-keep");
                kill(&keeper.0);
                until("the keeper's end", || (!lives(&keeper.0)).then_some(()));
            }
            let outcome = ask(&nas, "stop");
            assert_eq!((&outcome["is"], &outcome["state"]), (&"stopped".into(), &"stopped".into()), "{outcome}");
            let left: Vec<&String> = pids.iter().filter(|pid| lives(pid)).collect();
            assert!(left.is_empty(), "{defaults} {killed} {left:?} of {pids:?}");
            assert_eq!(ask(&nas, "stop")["is"], "not_stopped");
        }
    }
}

/// Each process between the web server and the command, killed while the command runs: no second run meanwhile, and
/// the next one as soon as it has ended.
#[test]
fn each_process_of_the_chain_killed_while_the_command_runs() {
    let nas = Nas::with_task("mkdir -p $T/all; echo $$ >>$T/all/pids; exec sleep 600", ", \"wait\": 30");
    let call = || {
        nas.as_http(
            "exec env -i REQUEST_METHOD=GET PATH_INFO=\"$1\" \"$2\" </dev/null",
            &[&format!("/{MAGIC}/{TASK}"), &at("remotetask-cgi")],
        )
    };
    let mut count = 0;
    for victim in ["sleep", "remotetask-keep", "remotetask-run", "sudo", "remotetask-cgi"] {
        let caller = call();
        count += 1;
        let pid = pids(count)[count - 1].clone();
        let recorded = || {
            walk(&at("state")).iter().any(|name| {
                name.ends_with(".json") && fs::read_to_string(name).unwrap_or_default().contains("\"started\",")
            })
        };
        until("its record", || recorded().then_some(()));
        // The shell notes its number, and is sleep a moment later.
        let chain = until("sleep", || {
            Some(chain(&pid, "remotetask-cgi")).filter(|chain| chain.first().is_some_and(|(_, name)| name == "sleep"))
        });
        let names: Vec<&str> = chain.iter().map(|(_, name)| &**name).collect();
        let (victim, _) =
            chain.iter().find(|(_, name)| name == victim).unwrap_or_else(|| panic!("{victim}: {names:?}"));
        kill(victim);
        until("its end", || (!lives(victim)).then_some(()));
        if lives(&pid) {
            assert_eq!(ask(&nas, "start")["is"], "running", "{names:?}");
            kill(&pid);
        }
        until("the command's end", || (!lives(&pid)).then_some(()));
        until("the run's end", || {
            (!matches!(ask(&nas, "look")["run"]["state"].as_str(), Some("started"))).then_some(())
        });
        finish(caller);
        assert_eq!(pids(count).len(), count);
    }
    fs::write("/run/effects/all/pids", "").expect("written");
    nas.config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
}

/// Some process of the chain killed at some moment of a start: never two commands at a time, and never a task that cannot
/// be started again.
#[test]
fn some_process_of_the_chain_killed_at_some_moment() {
    let line = "exec flock -F -n -E 99 $T/only sleep 0.05";
    let nas = Nas::with_task(line, ", \"wait\": 1");
    let ours = ["remotetask-cgi", "sudo", "remotetask-run", "remotetask-keep", "flock", "sleep"];
    let mut killed = 0;
    for round in 0_u64..60 {
        let calls: Vec<_> = (0..2)
            .map(|_| {
                nas.as_http(
                    "exec env -i REQUEST_METHOD=GET PATH_INFO=\"$1\" \"$2\" </dev/null",
                    &[&format!("/{MAGIC}/{TASK}"), &at("remotetask-cgi")],
                )
            })
            .collect();
        let victim = ours[round as usize % ours.len()];
        // Once it is there, and some thousandths of a second later.
        let seen = (0..200).find_map(|_| {
            let all = fs::read_dir("/proc").expect("proc").flatten().map(|entry| entry.file_name());
            let is =
                |pid: &String| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == victim);
            all.filter_map(|name| name.into_string().ok()).find(is)
        });
        std::thread::sleep(Duration::from_millis(round / 6));
        if let Some(pid) = seen {
            kill(&pid);
            killed += 1;
        }
        calls.into_iter().for_each(|call| drop(finish(call)));
    }
    assert!(killed > 20, "{killed}");
    // A keeper that was killed on its way to the lock is waited for for a minute.
    let started = || {
        let is = ask(&nas, "start")["is"].clone();
        (is == "finished").then_some(())
    };
    let _ = (0..200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(400));
        started()
    });
    until("a start", started);
    let records = walk(&at("state")).into_iter().filter(|name| name.ends_with(".json"));
    for record in records.map(|name| fs::read_to_string(name).expect("a record")) {
        assert!(!record.contains("\"exit\":99"), "{record}");
    }
}

/// A restart of the NAS while a task runs: its records are of another boot.
#[test]
fn a_reboot_in_the_middle() {
    let nas = Nas::with_task("mkdir -p $T/all; echo $$ >>$T/all/pids; exec sleep 600", ", \"wait\": 0, \"stop\": true");
    assert_eq!(ask(&nas, "start")["is"], "started");
    let pid = pids(1)[0].clone();
    let (keeper, _) = chain(&pid, "remotetask-keep").pop().expect("a keeper");
    let is_record = |name: &String| name.ends_with(".json");
    let record = walk(&at("state")).into_iter().find(is_record).expect("a record");
    let text = fs::read_to_string(&record).expect("a record");
    assert!(text.contains(&format!("\"keeper\":{{\"pid\":{keeper},")), "{text}");
    kill(&keeper);
    until("the keeper's end", || (!lives(&keeper)).then_some(()));
    // What has these numbers now is somebody else's.
    fs::write(&record, text.replacen("\"boot\":\"", "\"boot\":\"another-", 1)).expect("written");
    let outcome = ask(&nas, "stop");
    assert_eq!((&outcome["is"], &outcome["run"]["state"]), (&"not_stopped".into(), &"interrupted".into()), "{outcome}");
    assert!(lives(&pid));
    assert_eq!(ask(&nas, "start")["is"], "started");
    let second = pids(2)[1].clone();
    assert_eq!(ask(&nas, "stop")["is"], "stopped");
    assert!(lives(&pid) && !lives(&second));
    kill(&pid);
}

/// A run that fills the disk is stopped too, and is called stopped once there is room for that.
#[test]
fn a_stop_on_a_full_disk() {
    let nas = Nas::with_task("mkdir -p $T/all; echo $$ >>$T/all/pids; exec sleep 600", ", \"wait\": 0, \"stop\": true");
    let state = at("state");
    fs::create_dir(&state).expect("state");
    let mount = |words: &[&str]| assert!(Command::new(words[0]).args(&words[1..]).status().expect("mount").success());
    mount(&["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", &state]);
    assert_eq!(ask(&nas, "start")["is"], "started");
    let pid = pids(1)[0].clone();
    let _ = fs::write(format!("{state}/filler"), vec![0; 128 << 10]);
    let outcome = ask(&nas, "stop");
    assert_eq!((&outcome["is"], &outcome["state"]), (&"stopped".into(), &"stopped".into()), "{outcome}");
    assert!(!lives(&pid));
    fs::remove_file(format!("{state}/filler")).expect("remove");
    assert_eq!(ask(&nas, "look")["run"]["state"], "stopped");
    assert_eq!(ask(&nas, "stop")["is"], "not_stopped");
    assert_eq!(ask(&nas, "start")["is"], "started");
    assert_eq!(ask(&nas, "stop")["is"], "stopped");
    mount(&["umount", &state]);
}
