//! Code that runs as `http` and does not know the keys starts nothing; what it hands on steers nothing.

use remotetask::line::REFUSED;

use super::*;

pub const RUN: &str = "/usr/local/remotetask/remotetask-run";

pub fn ask(magickey: &str, identifier: &str) -> String {
    format!(
        "{{\"v\":1,\"do\":\"start\",\"magickey\":\"{magickey}\",\"identifier\":\"{identifier}\",\"browser\":false}}"
    )
}

pub fn armed() -> Nas {
    let nas = Nas::new();
    let argv = "[\"/bin/sh\", \"-c\", \"echo started >>/run/effects/effect\"]";
    nas.sealed_config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}}}"));
    nas
}

fn finished(answer: &str) -> bool {
    like(answer, "{\"v\":1,\"outcome\":{\"is\":\"finished\",*}}\n")
}

#[test]
fn the_shipped_rule_gives_http_this_and_nothing_else() {
    let _nas = armed();
    let listed = Command::new("sudo").args(["-l", "-U", "http"]).output().expect("sudo");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let rules: Vec<&str> = listed.lines().filter(|line| line.trim_start().starts_with('(')).map(str::trim).collect();
    let expected = format!("(root) NOSETENV: NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: {RUN} \"\"");
    assert_eq!(rules, [expected], "{listed}");
    let checked = Command::new("/usr/sbin/visudo").args(["-c"]).output().expect("visudo");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn the_keys_start_it_by_sudo() {
    let nas = armed();
    let answer = nas.http("printf '%s\\n' \"$1\" | sudo -n \"$2\"", &[&ask(MAGIC, TASK), RUN]);
    assert!(finished(&answer.text()), "{answer:?}");
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(nas.effect("effect"), "started\n".repeat(2));
}

#[test]
fn what_http_finds_on_the_disk_starts_nothing() {
    let nas = armed();
    let config = nas.http("cat /usr/local/remotetask/config.json", &[]);
    let found: Vec<String> = config.text().split('"').filter(|word| word.len() > 7).map(str::to_owned).collect();
    assert!(found.contains(&sealed(MAGIC)));
    let words: Vec<String> = found.iter().flat_map(|word| [word.clone(), word.replace("sha256:", "")]).collect();
    for magic in &words {
        for task in &words {
            let answer = nas.http("printf '%s\\n' \"$1\" | sudo -n \"$2\"", &[&ask(magic, task), RUN]);
            assert_eq!((&*answer.text(), &*answer.stderr), (REFUSED, ""), "{magic} {task}");
            nas.call(&format!("/{magic}/{task}")).is_refusal();
        }
    }
    assert!(!std::path::Path::new(&at("state")).exists());
    assert_eq!(nas.effect("effect"), "");
}

#[test]
fn no_other_way_to_the_wrapper() {
    let nas = armed();
    let right = ask(MAGIC, TASK);
    // Even with the right line: other words, other programs, other users, other names of the file.
    for line in [
        "sudo -n \"$2\" x",
        "sudo -n \"$2\" ''",
        "sudo -n \"$2\" --help",
        "sudo -n -E \"$2\"",
        "sudo -n -s \"$2\"",
        "sudo -n -i \"$2\"",
        "sudo -n -u daemon \"$2\"",
        "sudo -n -g http \"$2\"",
        "sudo -n -g daemon \"$2\"",
        "sudo -n /usr/local/remotetask/remotetask-keep",
        "sudo -n /usr/local/remotetask/remotetask-cgi",
        "sudo -n /usr/local/remotetask/remotetask check",
        "sudo -n /bin/sh -c \"$2\"",
        "cd /usr/local/remotetask && sudo -n ./remotetask-run x",
        "\"$2\"",
        "/usr/local/remotetask/remotetask-keep",
        "cat \"$2\"",
        "cp \"$2\" /tmp/copy && /tmp/copy",
        "ln \"$2\" /tmp/hard && /tmp/hard",
        "cat /usr/local/remotetask/remotetask-cgi",
    ] {
        let answer = nas.http(&format!("printf '%s\\n' \"$1\" | {{ {line}; }}"), &[&right, RUN]);
        assert_ne!(answer.code, Some(0), "{line}: {}", answer.text());
        assert!(!answer.text().contains("finished"), "{line}: {}", answer.text());
    }
    assert_eq!(nas.effect("effect"), "");
    // The same program, if sudo takes it for that: without the keys, nothing.
    for line in [
        "sudo -n /usr/local/remotetask/../remotetask/remotetask-run",
        "ln -sf \"$2\" /tmp/remotetask-run; sudo -n /tmp/remotetask-run",
        "sudo -n PATH=/tmp TZ=A24 \"$2\"",
        "sudo -n --preserve-env=TZ,PATH \"$2\"",
    ] {
        let answer = nas.http(&format!("printf '%s\\n' \"$1\" | {{ {line}; }}"), &[&ask(MAGIC, &sealed(TASK)), RUN]);
        assert_eq!(answer.text(), REFUSED, "{line}");
    }
    // Step 1b, should somebody have opened the file to everybody.
    mode(&at("remotetask-run"), 0o755);
    for line in ["sudo -n -g http \"$2\"", "\"$2\""] {
        let answer = nas.http(&format!("printf '%s\\n' \"$1\" | {line}"), &[&right, RUN]);
        assert!(answer.text().contains("\"step\":\"1b\"") || answer.code != Some(0), "{line}: {}", answer.text());
        assert!(!answer.text().contains("finished"), "{line}");
    }
    assert_eq!(nas.effect("effect"), "");
    let direct = nas.http("printf '%s\\n' \"$1\" | \"$2\"", &[&right, RUN]);
    assert!(
        direct.text().contains("\"step\":\"1b\",\"reason\":\"it runs as uid 1023 but belongs to uid 0\""),
        "{direct:?}"
    );
}

/// Its owner could write another page, or another address into keys.json.
#[test]
fn what_another_owns_is_neither_shown_nor_read() {
    let nas = armed();
    fs::write(at("start.html"), "<p>mine</p>\n").expect("a page");
    fs::write(at("keys.json"), "{\"url\": \"https://mine.example\", \"keys\": {}}").expect("keys.json");
    mode(&at("keys.json"), 0o600);
    let noted = || crate::workbench::said(Command::new(at("remotetask")).args(["url", "--noted"]), "");
    nas.call("/a/b").is("404 Not Found", "<p>mine</p>\n");
    for (name, uid) in [("start.html", HTTP), ("keys.json", HTTP), ("start.html", 1026), ("keys.json", 1026)] {
        chown(at(name), Some(uid), None).expect("chown");
        match name {
            "start.html" => {
                nas.call("/a/b").is_refusal();
            }
            _ => {
                let expected =
                    format!("it belongs to uid {uid}, mode 0600), and all keys stand in it, so it is not read.");
                let refused = noted().refused();
                assert!(refused.contains(&expected), "{refused}");
            }
        }
        chown(at(name), Some(0), None).expect("chown");
    }
    nas.call("/a/b").is("404 Not Found", "<p>mine</p>\n");
    assert_eq!(noted().ok(), "https://mine.example\n");
}

#[test]
fn http_changes_nothing_that_root_believes() {
    let nas = armed();
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
    for line in [
        "echo >>/usr/local/remotetask/config.json",
        "mv /usr/local/remotetask/config.json /tmp/",
        "rm -f /usr/local/remotetask/remotetask-run",
        "touch /usr/local/remotetask/start.html",
        "rm -f /usr/local/remotetask/log.txt",
        "ls /usr/local/remotetask/state",
        "chmod 0777 /usr/local/remotetask/log.txt /usr/local/remotetask",
        "echo >>/usr/local/remotetask/remotetask-cgi",
        "echo >>/etc/sudoers.d/remotetask",
        "cat /etc/sudoers.d/remotetask",
    ] {
        assert_ne!(nas.http(line, &[]).code, Some(0), "{line}");
    }
    // It owns the log. Whatever it does to it, no answer changes.
    for line in [
        "chmod 0000 /usr/local/remotetask/log.txt",
        "chmod 0777 /usr/local/remotetask/log.txt",
        "head -c 3000000 /dev/urandom >/usr/local/remotetask/log.txt",
    ] {
        assert_eq!(nas.http(line, &[]).code, Some(0), "{line}");
        let answer = nas.start();
        assert_eq!((answer.status(), answer.code), ("200 OK".into(), Some(0)), "{line}: {answer:?}");
        nas.call("/a/b").is_like_refusal();
    }
}

#[test]
fn locks_of_http_hold_nobody() {
    let nas = armed();
    let locker = "exec 8<config.json 9>>log.txt; flock -x 8 && flock -x 9 && echo locked && exec sleep 600";
    let mut child = nas.as_http(&format!("cd /usr/local/remotetask && {locker}"), &[]);
    let mut told = [0; 7];
    child.stdout.take().expect("stdout").read_exact(&mut told).expect("locked");
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
    nas.call("/a/b").is_refusal();
    let answer = nas.http("printf '%s\\n' \"$1\" | sudo -n \"$2\"", &[&ask(MAGIC, TASK), RUN]);
    assert!(finished(&answer.text()), "{answer:?}");
    // The lines were written all the same.
    assert_eq!(nas.log().lines().count(), 2, "{}", nas.log());
    child.kill().expect("killed");
    child.wait().expect("its end");
}

#[test]
fn who_feeds_nothing_leaves_no_root_process_waiting() {
    let nas = armed();
    let mut child = nas.as_http("exec sudo -n \"$1\"", &[RUN]);
    let held = child.stdin.take();
    let answer = finish(child);
    assert_eq!((&*answer.text(), answer.code), (REFUSED, Some(0)));
    drop(held);
    // Nor one that never reads the answer: a full pipe would hold it.
    let unread = nas.http("sudo -n \"$1\" </dev/null >/dev/full", &[RUN]);
    assert_eq!(unread.stderr, "");
    assert!(running("remotetask-run").is_empty());
}

fn running(name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(name) && !line.contains("sh -c") {
            found.push(line);
        }
    }
    found
}

/// A moved time zone moves no last valid day.
#[test]
fn a_time_zone_of_the_callers_moves_no_date() {
    let nas = Nas::new();
    let yesterday = chrono::Local::now().date_naive() - chrono::Days::new(1);
    let argv = "[\"/bin/sh\", \"-c\", \"echo started >>/run/effects/effect\"]";
    nas.raw_config(&format!(
        "{{\"server\": {{\"magickey\": [{{\"key\": \"{MAGIC}\", \"expires\": \"{yesterday}\"}}]}}, \
         \"tasks\": {{\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}}}}}}}"
    ));
    // The third one is another day at any hour but for a minute; a name has three letters at least (POSIX).
    for zone in ["AAA24", "Etc/GMT+12", "AAA23:59", ":/usr/share/zoneinfo/Etc/GMT+12"] {
        let answer = nas.http("printf '%s\\n' \"$1\" | TZ=$3 sudo -n \"$2\"", &[&ask(MAGIC, TASK), RUN, zone]);
        assert_eq!(answer.text(), REFUSED, "{zone}");
    }
    assert_eq!(nas.effect("effect"), "");
}

/// Step 0 as a whole: a hostile caller who knows the keys, and what the command sees of it.
#[test]
fn nothing_of_the_callers_world_reaches_the_command() {
    let nas = Nas::new();
    let see = "exec >/run/effects/seen; /usr/bin/env; pwd; umask; ulimit -a; grep -E '^Sig(Blk|Ign|Pnd)' /proc/self/status; \
        cat /proc/self/limits | grep -v 'open files'; cat /proc/self/oom_score_adj; nice; ls -l /proc/self/fd | sed 's/.* \\([0-9]* ->\\)/\\1/' ; readlink /proc/$PPID/exe; cat; echo end";
    let argv = serde_json::to_string(&["/bin/sh", "-c", see]).expect("JSON");
    nas.config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}}}"));
    let plain = nas.http("printf '%s\\n' \"$1\" | sudo -n \"$2\"", &[&ask(MAGIC, TASK), RUN]);
    assert!(finished(&plain.text()), "{plain:?}");
    let expected = nas.effect("seen");
    for line in ["HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/bash", "LANG=C.UTF-8", "/", "0022", "0", "end"]
    {
        assert!(expected.lines().any(|seen| seen == line), "{line}: {expected}");
    }
    let path = format!("PATH={}", remotetask::child::PATH);
    assert!(expected.lines().any(|line| line == path), "{expected}");
    let ours = ["HOME", "LANG", "LOGNAME", "PATH", "REMOTETASK_RUN", "REMOTETASK_TASK", "SHELL", "USER"];
    let names = [&ours[..], &["PWD", "_", "OLDPWD"]].concat();
    let variables = expected.lines().take_while(|line| *line != "/").filter_map(|line| line.split_once('='));
    for (name, _) in variables {
        assert!(names.contains(&name), "{name}: {expected}");
    }
    for limit in [
        "time(seconds)        unlimited",
        "file(blocks)         unlimited",
        "data(kbytes)         unlimited",
        "stack(kbytes)        8192",
    ] {
        assert!(expected.contains(limit), "{limit}: {expected}");
    }
    assert!(expected.contains("SigBlk:\t0000000000000000") && expected.contains("/remotetask-keep\n"), "{expected}");
    // ls itself has the folder open; beyond that only 0, 1 and 2.
    let descriptors = expected.lines().filter(|line| line.contains(" -> ")).count();
    assert_eq!(descriptors, 4, "{expected}");

    // A hard limit only where root may raise it again: in some containers it may not.
    let status = fs::read_to_string("/proc/self/status").expect("status");
    let mask = status.lines().find_map(|line| line.strip_prefix("CapEff:")).expect("CapEff").trim();
    let may_raise = u64::from_str_radix(mask, 16).expect("hex") >> 24 & 1 == 1;
    let hostile = "umask 0777; cd /tmp; trap '' HUP INT QUIT TERM CHLD USR1 USR2 ALRM CONT TSTP TTIN TTOU URG WINCH; \
        ulimit $S -t 100; ulimit $S -f 0; ulimit $S -n 30; ulimit $S -v 4000000; ulimit $S -d 100000; ulimit $S -s 1000; \
        echo 900 >/proc/self/oom_score_adj; export PATH=/tmp:$PATH IFS=x TZ=A24 LANG=de LD_PRELOAD=/tmp/x BASH_ENV=/tmp/x ENV=/tmp/x; \
        exec 7</etc/passwd; printf '%s\\n' \"$1\" | nice -n 19 /usr/bin/sudo -n \"$2\"";
    let hostile = hostile.replace("$S", if may_raise { "" } else { "-S" });
    fs::remove_dir_all(at("state")).expect("removed");
    let answer = nas.http(&hostile, &[&ask(MAGIC, TASK), RUN]);
    assert!(finished(&answer.text()), "{answer:?}");
    for file in walk(&at("state")) {
        let bits = fs::metadata(&file).expect("a file").permissions().mode() & 0o7777;
        assert_eq!(bits, 0o600, "{file}");
    }
    // Literally, but for the names of pipes and of the run, and pending signals.
    let steady = |seen: &str| -> Vec<String> {
        let changing = ["SigPnd", "_=", "REMOTETASK_RUN="];
        let lines = seen.lines().filter(|line| !changing.iter().any(|begin| line.starts_with(begin)));
        lines.map(|line| line.split(['[', '>']).next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(steady(&nas.effect("seen")), steady(&expected));
    let ignored = |seen: &str| seen.lines().find(|line| line.starts_with("SigIgn")).map(str::to_owned);
    assert_eq!(ignored(&nas.effect("seen")), ignored(&expected));
    for line in ["time(seconds)        unlimited", "stack(kbytes)        8192", "0022", "0"] {
        assert!(nas.effect("seen").lines().any(|seen| seen == line), "{line}: {}", nas.effect("seen"));
    }
}

/// An ignored SIGCHLD would lose the exit code.
#[test]
fn an_ignored_sigchld_loses_no_exit_code() {
    let nas = Nas::with_command("exit 3");
    let answer = nas.http("trap '' CHLD; printf '%s\\n' \"$1\" | sudo -n \"$2\"", &[&ask(MAGIC, TASK), RUN]);
    assert!(like(&answer.text(), "{*\"is\":\"failed\",*\"exit\":3,*}\n"), "{answer:?}");
}

/// Step 2 with owners: whatever is not root's is not believed.
#[test]
fn what_another_owns_is_not_believed() {
    let nas = armed();
    let stops = |step: &str| {
        let answer = nas.http("printf '%s\\n' \"$1\" | sudo -n \"$2\"", &[&ask("wrong-magic-key", "b"), RUN]).text();
        assert!(
            answer.contains(&format!("\"step\":\"{step}\"")) && answer.contains("it belongs to uid 1023"),
            "{step}: {answer}"
        );
        nas.start().is_like("500 Internal Server Error", "Task not started: t (reference *, see the log)\n");
        assert!(
            nas.log().lines().last().unwrap_or_default().contains(&format!("why={step} \"/usr/local")),
            "{}",
            nas.log()
        );
    };
    fs::create_dir(at("state")).expect("state");
    for (path, step) in [
        ("/usr/local", "2a"),
        (FOLDER, "2b"),
        (&at("config.json"), "2c"),
        (&at("state"), "2d"),
        (&at("remotetask-keep"), "2e"),
    ] {
        let group = if path.ends_with(".json") { HTTP } else { 0 };
        chown(path, Some(HTTP), None).expect("chown");
        stops(step);
        chown(path, Some(0), Some(group)).expect("chown");
    }
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(nas.effect("effect"), "started\n");
}

/// The ways in which sudo may refuse, and the words of the owner's log for each.
#[test]
fn a_sudo_that_refuses() {
    let nas = armed();
    let refused = |why: &str| {
        nas.start().is_like("500 Internal Server Error", "Task not started: t (reference *, see the log)\n");
        let log = nas.log();
        let last = log.lines().last().unwrap_or_default().to_owned();
        assert!(last.contains(&format!("why=sudo \"/usr/bin/sudo refuses: \\\"{why}")), "{last}");
    };
    // A later drop-in silently overrides ours.
    sudoers("zz", "http ALL=(root) PASSWD: ALL\n");
    refused("sudo: a password is required");
    fs::remove_file("/etc/sudoers.d/zz").expect("remove");
    // No drop-in at all, or one whose name sudo skips.
    fs::rename("/etc/sudoers.d/remotetask", "/etc/sudoers.d/remotetask.conf").expect("rename");
    refused("sudo: a password is required");
    fs::rename("/etc/sudoers.d/remotetask.conf", "/etc/sudoers.d/remotetask").expect("rename");
    // One that others can write.
    mode("/etc/sudoers.d/remotetask", 0o666);
    refused("sudo: ");
    mode("/etc/sudoers.d/remotetask", 0o440);
    let shadow = fs::read_to_string("/etc/shadow").expect("shadow");
    for (text, why) in [
        (shadow.replace("http:*:19000:0:99999:7:::", "http:*:19000:0:99999:7::1:"), "sudo: account validation failure"),
        (shadow.replace("http:*:19000:0:99999:7:::\n", ""), "sudo: account validation failure"),
    ] {
        assert_ne!(text, shadow);
        fs::write("/etc/shadow", &text).expect("shadow");
        refused(why);
    }
    fs::write("/etc/shadow", shadow).expect("shadow");
    fs::rename("/usr/bin/sudo", "/usr/bin/sudo.away").expect("rename");
    nas.start().is_like("500 Internal Server Error", "Task not started: t (reference *, see the log)\n");
    fs::rename("/usr/bin/sudo.away", "/usr/bin/sudo").expect("rename");
    assert!(nas.log().contains("why=sudo \"/usr/bin/sudo: No such file or directory (os error 2)\""), "{}", nas.log());
    assert_eq!(nas.effect("effect"), "");
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
}

/// The owner's sudoers may ask for a terminal, or keep what goes in and out: not of this program.
#[test]
fn the_rule_holds_under_requiretty_and_log_input() {
    let nas = armed();
    sudoers("aa", "Defaults requiretty, log_input, log_output, use_pty\nDefaults iolog_dir=/var/log/sudo-io\n");
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(nas.effect("effect"), "started\n");
    assert!(walk("/var/log/sudo-io").is_empty());
    // It is the tags that do it: without them the line is kept, keys and all.
    let text = include_str!("../../../webstation/sudoers").replace("NOLOG_INPUT:NOLOG_OUTPUT:", "");
    sudoers("remotetask", &text);
    nas.start();
    assert!(!walk("/var/log/sudo-io").is_empty());
    fs::remove_dir_all("/var/log/sudo-io").expect("remove");
}

/// Mode 0711: the URL in a request's environment is not another process's to read.
#[test]
fn another_process_of_http_cannot_read_a_request() {
    let nas = armed();
    let waiting =
        "exec env -i REQUEST_METHOD=POST CONTENT_LENGTH=5 PATH_INFO=/a/b /usr/local/remotetask/remotetask-cgi";
    let look = |expected: bool| {
        let mut child = nas.as_http(waiting, &[]);
        let held = child.stdin.take();
        let pid = child.id().to_string();
        until("the program", || {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
            name.starts_with("remotetask").then_some(())
        });
        let read = nas.http("cat /proc/$1/environ", &[&pid]);
        assert_eq!(read.code == Some(0) && read.text().contains("PATH_INFO=/a/b"), expected, "{read:?}");
        drop(held);
        finish(child);
    };
    look(false);
    mode(&at("remotetask-cgi"), 0o755);
    look(true);
}

/// No key is in any argument list, nor in the environment of what runs as root.
#[test]
fn no_key_in_any_process_list() {
    let nas = Nas::with_command("echo started >$T/began; read -r word <$T/gate");
    assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
    let path = format!("/{MAGIC}/{TASK}");
    let line = "exec env -i REQUEST_METHOD=GET PATH_INFO=\"$(cat)\" /usr/local/remotetask/remotetask-cgi";
    let mut child = nas.as_http(line, &[]);
    child.stdin.take().expect("stdin").write_all(path.as_bytes()).expect("written");
    nas.effect_awaited("began");
    let mut names = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let arguments = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let shown = String::from_utf8_lossy(&arguments).replace('\0', " ");
        // env(1) has the URL for a moment before it is the program; a web server has no such step.
        assert_no_key(&arguments, &shown);
        let status = fs::read_to_string(entry.path().join("status")).unwrap_or_default();
        if status.contains("Uid:\t0\t0") && !shown.contains("it-") {
            assert_no_key(
                &fs::read(entry.path().join("environ")).unwrap_or_default(),
                &format!("the environment of {shown}"),
            );
        }
        names.push(shown);
    }
    for program in ["sudo -n", "remotetask-run", "remotetask-keep"] {
        assert!(names.iter().any(|name| name.contains(program)), "{program}: {names:?}");
    }
    fs::write("/run/effects/gate", "word\n").expect("written");
    finish(child).is_like("200 OK", "Task finished: t (* s)\n");
}
