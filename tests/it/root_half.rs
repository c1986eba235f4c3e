//! `remotetask-run`, fed by hand: what it answers to whoever can run it.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use remotetask::line::REFUSED;

use crate::support::*;

pub fn ask(magickey: &str, identifier: &str) -> String {
    format!(
        "{{\"v\":1,\"do\":\"start\",\"magickey\":\"{magickey}\",\"identifier\":\"{identifier}\",\"browser\":false}}\n"
    )
}

/// The answer to this, by this command line behind the program.
fn feed_by(sandbox: &Sandbox, arguments: &[&str], input: &[u8]) -> String {
    let mut command = Command::new(sandbox.path("remotetask-run"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let _ = child.stdin.take().expect("stdin").write_all(input);
    let answer = finish(child);
    assert_eq!(answer.stderr, "");
    answer.text()
}

pub fn feed(sandbox: &Sandbox, input: impl AsRef<[u8]>) -> String {
    feed_by(sandbox, &[], input.as_ref())
}

#[track_caller]
fn stops_at(sandbox: &Sandbox, step: &str, reason: &str) {
    let answer = feed(sandbox, ask(MAGIC, TASK));
    let expected =
        format!("{{\"v\":1,\"outcome\":{{\"is\":\"not_started\",\"step\":\"{step}\",\"reason\":\"{reason}\"}}}}\n");
    assert!(like(&answer, &expected), "{answer:?} is not like {expected:?}");
}

fn chmod(sandbox: &Sandbox, name: &str, mode: u32) {
    std::fs::set_permissions(sandbox.path(name), std::fs::Permissions::from_mode(mode)).expect("chmod");
}

#[test]
fn without_a_proven_pair_there_is_one_answer_and_no_trace() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let right = ask(MAGIC, TASK);
    let with = |from: &str, to: &str| right.replacen(from, to, 1);
    for line in [
        String::new(),
        "\n".into(),
        "x\n".into(),
        "{}\n".into(),
        "null\n".into(),
        right.trim_end().into(),
        right.repeat(2),
        format!("{right} "),
        format!("\n{right}"),
        with("\"v\":1", "\"v\":2"),
        with("\"v\":1,", ""),
        with("start", "run"),
        with("\"do\":\"start\",", ""),
        with("false", "\"false\""),
        with(",\"browser\":false", ""),
        with("\"browser\"", "\"task\":\"t\",\"browser\""),
        with("\"browser\"", "\"argv\":[\"/bin/sh\"],\"browser\""),
        with("\"browser\"", "\"from\":\"here\",\"browser\""),
        with("\"browser\"", "\"from\":[127,0,0,1],\"browser\""),
        ask("wrong-magic-key", TASK),
        ask(MAGIC, "wrong-task-key"),
        ask(TASK, MAGIC),
        ask(MAGIC, "t"),
        ask("", ""),
        ask(&"k".repeat(3000), TASK),
        format!("{}{right}", " ".repeat(4096)),
        format!("{}\n", "x".repeat(1 << 20)),
        ask(MAGIC, "sha256:ef797c8118f02dfb649607dd5d3f8c7623048c9c063d532cc95c5ed7a898a64f"),
    ] {
        assert_eq!(feed(&sandbox, &line), REFUSED, "{}", &line[..line.len().min(200)]);
    }
    assert_eq!(feed(&sandbox, b"\xff\xfe\x00\n"), REFUSED);
    assert!(!sandbox.path("state").exists() && !sandbox.path("effect").exists());
    let answer = feed(&sandbox, &right);
    assert!(like(&answer, "{\"v\":1,\"outcome\":{\"is\":\"finished\",*}}\n"), "{answer}");
    assert_eq!(sandbox.read("effect"), "started\n");
}

#[test]
fn whoever_feeds_nothing_is_waited_for_2_seconds() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let mut command = Command::new(sandbox.path("remotetask-run"));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let held = child.stdin.take();
    assert_eq!(finish(child).text(), REFUSED);
    drop(held);
    // Nor does a closed stdin, or one with the beginning of a line, hold it.
    let closed = Command::new("/bin/sh").args(["-c", "exec \"$0\" <&-"]).arg(sandbox.path("remotetask-run")).output();
    assert_eq!(String::from_utf8_lossy(&closed.expect("it starts").stdout), REFUSED);
}

#[test]
fn an_answer_that_nobody_takes_is_dropped() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let line = ask(MAGIC, TASK);
    let shell = format!("printf '%s' '{}' | \"$0\" >&-", line.replace('\n', "\\n").replace("\\n", "\n"));
    let done =
        Command::new("/bin/sh").args(["-c", &shell]).arg(sandbox.path("remotetask-run")).output().expect("it starts");
    assert_eq!(done.status.code(), Some(0));
    until("the effect", || (sandbox.read("effect") == "started\n").then_some(()));
}

#[test]
fn it_takes_no_arguments() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    for argument in ["--help", "t", "", "-"] {
        let answer = feed_by(&sandbox, &[argument], ask(MAGIC, TASK).as_bytes());
        let expected =
            "{\"v\":1,\"outcome\":{\"is\":\"not_started\",\"step\":\"1a\",\"reason\":\"it takes no arguments\"}}\n";
        assert_eq!(answer, expected);
    }
    assert!(!sandbox.path("effect").exists());
}

#[test]
fn a_configuration_with_a_fault_is_refused_here_as_well() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let good = sandbox.read("config.json");
    for (from, to) in [
        ("\"command\"", "\"comand\""),
        ("\"t\":", "\"u\": {\"identifier\": \"Zq7vK2mXw9RtB4nL\", \"command\": [\"/x\"]}, \"t\":"),
        ("\"t\":", "\"t\": {\"identifier\": \"another-key-1\", \"command\": [\"/x\"]}, \"t\":"),
        ("}}", "}},"),
    ] {
        sandbox.raw_config(&good.replacen(from, to, 1));
        assert_eq!(feed(&sandbox, ask(MAGIC, TASK)), REFUSED, "{to}");
    }
    assert!(!sandbox.path("state").exists() && !sandbox.path("effect").exists());
}

/// Step 2, as far as one user can try it; other owners are tried in `nas`.
#[test]
fn what_others_can_write_is_not_believed() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let folder = sandbox.path("").display().to_string();
    let folder = folder.trim_end_matches('/');
    for mode in [0o775, 0o757, 0o1777] {
        chmod(&sandbox, "", mode);
        stops_at(&sandbox, "2b", &format!("{folder}: others can write it (mode *); take that away: chmod go-w"));
    }
    chmod(&sandbox, "", 0o755);
    for (name, step) in [("config.json", "2c"), ("remotetask-keep", "2e")] {
        for mode in [0o620, 0o602, 0o777] {
            chmod(&sandbox, name, mode);
            stops_at(
                &sandbox,
                step,
                &format!("{folder}/{name}: others can write it (mode *); take that away: chmod go-w"),
            );
        }
        chmod(&sandbox, name, 0o700);
    }
    std::fs::create_dir(sandbox.path("state")).expect("state");
    for mode in [0o770, 0o702] {
        chmod(&sandbox, "state", mode);
        stops_at(&sandbox, "2d", &format!("{folder}/state: others can write it (mode *); take that away: chmod go-w"));
    }
    std::fs::remove_dir(sandbox.path("state")).expect("remove");
    sandbox.write("state", "");
    stops_at(&sandbox, "2d", &format!("{folder}/state: Not a directory (os error 20)"));
    std::fs::remove_file(sandbox.path("state")).expect("remove");
    std::os::unix::fs::symlink("/tmp", sandbox.path("state")).expect("a link");
    stops_at(&sandbox, "2d", &format!("{folder}/state: *"));
    std::fs::remove_file(sandbox.path("state")).expect("remove");
    std::fs::rename(sandbox.path("config.json"), sandbox.path("real.json")).expect("rename");
    std::os::unix::fs::symlink("real.json", sandbox.path("config.json")).expect("a link");
    stops_at(&sandbox, "2c", &format!("{folder}/config.json: *"));
    std::fs::remove_file(sandbox.path("config.json")).expect("remove");
    std::fs::create_dir(sandbox.path("config.json")).expect("a folder");
    stops_at(&sandbox, "2c", &format!("{folder}/config.json: it is not a regular file"));
    std::fs::remove_dir(sandbox.path("config.json")).expect("remove");
    stops_at(&sandbox, "2c", &format!("{folder}/config.json: No such file or directory (os error 2)"));
    std::fs::rename(sandbox.path("real.json"), sandbox.path("config.json")).expect("rename");
    assert!(!sandbox.path("effect").exists());
    let answer = feed(&sandbox, ask(MAGIC, TASK));
    assert!(like(&answer, "{\"v\":1,\"outcome\":{\"is\":\"finished\",*}}\n"), "{answer}");
}

#[test]
fn a_folder_above_that_others_can_write_is_not_believed_unless_it_is_sticky() {
    let sandbox = Sandbox::with_command("true");
    let below = sandbox.path("above/below");
    std::fs::create_dir_all(&below).expect("folders");
    for (name, _) in PROGRAMS {
        // A copy could not be started while another test's child still has it open to write.
        std::fs::hard_link(sandbox.path(name), below.join(name)).expect("link");
    }
    std::fs::copy(sandbox.path("config.json"), below.join("config.json")).expect("copy");
    let run = |mode: u32| {
        chmod(&sandbox, "above", mode);
        let mut command = Command::new(below.join("remotetask-run"));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let _ = child.stdin.take().expect("stdin").write_all(ask(MAGIC, TASK).as_bytes());
        finish(child).text()
    };
    for mode in [0o775, 0o757, 0o777] {
        let answer = run(mode);
        assert!(
            like(&answer, "{*\"step\":\"2a\",\"reason\":\"*/above: others can write it (mode *)*\"}}\n"),
            "{answer}"
        );
    }
    for mode in [0o755, 0o711, 0o1777] {
        let answer = run(mode);
        assert!(like(&answer, "{\"v\":1,\"outcome\":{\"is\":\"finished\",*}}\n"), "{mode:o} {answer}");
    }
}

/// The program finds its own folder, whatever stands at the place that the caller names.
#[test]
fn its_folder_is_where_its_file_lies() {
    let sandbox = Sandbox::with_command("true");
    let elsewhere = Sandbox::new();
    std::os::unix::fs::symlink(sandbox.path("remotetask-run"), elsewhere.path("link")).expect("a link");
    elsewhere.config("", &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/no/such\"]}}"));
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(elsewhere.path("link"));
    command.arg0(elsewhere.path("remotetask-run")).current_dir(elsewhere.path("")).env("PWD", elsewhere.path(""));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let _ = child.stdin.take().expect("stdin").write_all(ask(MAGIC, TASK).as_bytes());
    let answer = finish(child).text();
    assert!(like(&answer, "{\"v\":1,\"outcome\":{\"is\":\"finished\",*}}\n"), "{answer}");
    assert!(sandbox.path("state").exists());
}

/// 0d, without sudo, which raises soft limits by itself.
#[test]
fn limits_of_the_caller_reach_no_command() {
    let sandbox = Sandbox::with_command("ulimit -S -a >$T/seen; nice >>$T/seen");
    let by = |limits: &str| {
        let line = format!("ulimit -S -n 1024; {limits} printf '%s' \"$1\" | \"$0\"");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &line]).arg(sandbox.path("remotetask-run")).arg(ask(MAGIC, TASK));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let answer = finish(command.spawn().expect("sh")).text();
        assert!(like(&answer, "{\"v\":1,\"outcome\":{\"is\":\"finished\",*}}\n"), "{answer}");
        sandbox.read("seen")
    };
    let plain = by("");
    for limits in [
        "ulimit -S -t 100;",
        "ulimit -S -f 1000;",
        "ulimit -S -d 100000;",
        "ulimit -S -v 4000000;",
        "ulimit -S -s 1000;",
        "ulimit -S -n 30;",
    ] {
        assert_eq!(by(limits), plain, "{limits}");
    }
}

/// 0a: a terminal of the caller's could stop or end it between two steps, with the turn in its hand.
#[test]
fn signals_of_a_terminal_neither_stop_nor_end_it() {
    let sandbox = Sandbox::with_command("true");
    let mut command = Command::new(sandbox.path("remotetask-run"));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let pid = child.id().to_string();
    let caught = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap_or("0").to_owned();
        u64::from_str_radix(&mask, 16).unwrap_or(0)
    };
    // SIGUSR2 is among the last that it handles.
    until("its own world", || (caught() >> 11 & 1 == 1 && caught() >> 27 & 1 == 1).then_some(()));
    for signal in ["HUP", "INT", "QUIT", "TERM", "TSTP", "TTIN", "TTOU", "ALRM", "VTALRM", "PROF", "USR1", "USR2"] {
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().expect("kill").success());
    }
    child.stdin.take().expect("stdin").write_all(ask(MAGIC, TASK).as_bytes()).expect("it lives");
    let answer = finish(child).text();
    assert!(like(&answer, "{\"v\":1,\"outcome\":{\"is\":\"finished\",*}}\n"), "{answer}");
}
