//! log.txt: what its lines are, and that it never stops anything.

use std::os::unix::fs::PermissionsExt;

use crate::support::*;

#[test]
fn one_line_an_event() {
    let sandbox = Sandbox::with_task("true", ", \"name\": \"shown\"");
    sandbox.start();
    sandbox.get("/a/b").send();
    sandbox.get(&format!("/{MAGIC}/{TASK}")).var("QUERY_STRING", "status").send();
    sandbox
        .get(&format!("/{MAGIC}/{TASK}"))
        .var("REMOTE_ADDR", "127.0.0.1")
        .var("HTTP_X_REAL_IP", "2001:db8::1")
        .send();
    let log = sandbox.log();
    let stamp = "20??-??-?? ??:??:??.??? ?*";
    for (line, expected) in log.lines().zip([
        "INFO  finished task=\"t\" who=#1 from=192.168.1.7 run=* exit=0 took=*ms",
        "WARN  refused who=unknown from=192.168.1.7 why=5b 5c wrong magic key and identifier",
        "INFO  asked finished task=\"t\" who=#1 from=192.168.1.7 run=* exit=0 took=*ms",
        "INFO  finished task=\"t\" who=#1 from=2001:db8::1 run=* exit=0 took=*ms",
    ]) {
        let (time, rest) = line.split_at(stamp.len() + 4);
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        assert!(shape == "0000-00-00 00:00:00.000 +00:00" || shape == "0000-00-00 00:00:00.000 -00:00", "{line}");
        assert!(like(rest, &format!(" {expected}")), "{rest} is not like {expected}");
    }
    assert_eq!(log.lines().count(), 4);
    assert_eq!(std::fs::metadata(sandbox.path("log.txt")).expect("log.txt").permissions().mode() & 0o777, 0o640);
}

#[test]
fn outside_bytes_stay_in_their_line() {
    let sandbox = Sandbox::new();
    sandbox.raw_config(&format!(
        "{{\"server\": {{\"elevate\": [], \"magickey\": [{{\"key\": \"{MAGIC}\", \"label\": \"a\\nb\\u001b[31m\\\"\"}}]}}, \
         \"tasks\": {{\"x\\ny\": {{\"identifier\": \"{TASK}\", \"command\": [\"/no\\nsuch\"]}}}}}}"
    ));
    sandbox
        .get("/a\nFORGED/b\r\n\x1b[2J")
        .var("HTTP_X_FORWARDED_FOR", "1.2.3.4\nFORGED")
        .var("REMOTE_ADDR", "127.0.0.1\nFORGED")
        .send();
    sandbox.start();
    let log = sandbox.log();
    assert_eq!(log.lines().count(), 2, "{log}");
    assert!(!log.contains("FORGED") && !log.contains('\x1b'), "{log}");
    assert!(log.contains("task=\"x\\ny\" who=\"a\\nb\\u{1b}[31m\\\"\" "), "{log}");
    assert!(log.contains("\"/no\\nsuch: No such file"), "{log}");
}

#[test]
fn debug_logs_more_and_answers_the_same() {
    let sandbox = Sandbox::with_command("true");
    let quiet = sandbox.get("/a/b").send();
    let lines = sandbox.log().lines().count();
    let config = sandbox.read("config.json");
    sandbox.raw_config(&config.replace("\"elevate\"", "\"debug\": true, \"elevate\""));
    assert_eq!(sandbox.get("/a/b").send(), quiet);
    let log = sandbox.log();
    assert!(log.lines().count() > 2 * lines && log.contains(" DEBUG request "), "{log}");
}

#[test]
fn a_full_log_loses_its_older_half() {
    let sandbox = Sandbox::with_command("true");
    let old: String = (0..20_000).map(|at| format!("line {at:06} {}\n", "x".repeat(50))).collect();
    sandbox.write("log.txt", &old);
    let reader = std::fs::File::open(sandbox.path("log.txt")).expect("log.txt");
    sandbox.get("/a/b").send().is_refusal();
    let log = sandbox.log();
    assert!(log.len() < 600 << 10 && log.len() > 500 << 10, "{}", log.len());
    assert!(log.starts_with("line ") && log.lines().next().is_some_and(|line| line.len() == 62), "whole lines");
    assert!(log.contains("line 019999") && log.ends_with("why=5b 5c wrong magic key and identifier\n"));
    // In place: whoever reads along still reads this file.
    use std::os::unix::fs::MetadataExt;
    let now = std::fs::metadata(sandbox.path("log.txt")).expect("log.txt").ino();
    assert_eq!(reader.metadata().expect("open").ino(), now);
}

/// A stranger's refusals, and looks, push the line of a run out of no log.
#[test]
fn a_flood_leaves_the_lines_of_runs() {
    let sandbox = Sandbox::with_command("true");
    sandbox.start();
    let started = sandbox.log();
    let refused = started.replace("INFO  finished task=\"t\" who=#1", "WARN  refused who=unknown");
    let looked = started.replace("finished", "asked finished");
    for flood in [refused, looked, "x\n".into()] {
        let log = sandbox.log() + &flood.repeat((5 << 18) / flood.len());
        sandbox.write("log.txt", &log);
        let calls: Vec<_> = (0..20).map(|_| sandbox.get("/a/b").spawn()).collect();
        calls.into_iter().for_each(|call| {
            finish(call).is_refusal();
        });
        let log = sandbox.log();
        assert!(log.len() < 600 << 10 && log.starts_with(&started), "{} {}", log.len(), &log[..200]);
    }
}

#[test]
fn lines_of_parallel_requests_do_not_mix() {
    let sandbox = Sandbox::with_command("true");
    let calls: Vec<_> = (0..40).map(|_| sandbox.get("/a/b").spawn()).collect();
    calls.into_iter().for_each(|call| {
        finish(call).is_refusal();
    });
    let log = sandbox.log();
    assert_eq!(log.lines().count(), 40);
    for line in log.lines() {
        assert!(
            line.starts_with("20")
                && line
                    .ends_with(" WARN  refused who=unknown from=192.168.1.7 why=5b 5c wrong magic key and identifier"),
            "{line}"
        );
    }
}

/// A log that cannot be written changes no answer; the web server's error log hears of it.
#[test]
fn an_unwritable_log_changes_no_answer() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let log = sandbox.path("log.txt");
    let check = |complaint: &str| {
        let refusal = sandbox.get("/a/b").send();
        assert_eq!(
            (refusal.status(), refusal.body()),
            ("404 Not Found".into(), remotetask::response::START_PAGE.into())
        );
        assert!(like(&refusal.stderr, complaint), "{}", refusal.stderr); // each C library has words of its own
        assert_eq!(sandbox.start().status(), "200 OK");
    };
    std::fs::create_dir(&log).expect("a folder");
    check("remotetask-cgi: log.txt: * (os error 21)\n");
    std::fs::remove_dir(&log).expect("remove");
    sandbox.write("precious", "precious\n");
    std::os::unix::fs::symlink(sandbox.path("precious"), &log).expect("a link");
    check("remotetask-cgi: log.txt: * (os error 40)\n");
    assert_eq!(sandbox.read("precious"), "precious\n", "a link is not followed");
    std::fs::remove_file(&log).expect("remove");
    assert!(std::process::Command::new("mkfifo").arg(&log).status().expect("mkfifo").success());
    check("remotetask-cgi: log.txt: it is not a regular file\n");
    assert_eq!(sandbox.read("effect"), "started\n".repeat(3));
}

/// A fault of the configuration may be a key in the wrong place: the log names the place alone.
#[test]
fn a_faulty_configuration_brings_no_word_of_itself_into_the_log() {
    let sandbox = Sandbox::new();
    for text in [
        format!("{{\"magickey\": \"key-of-me\", \"tasks\": {{\"7\": \"{TASK}\"}}}}"),
        format!("{{\"magickey\": [{{\"{MAGIC}\": \"phone\"}}], \"tasks\": {{}}}}"),
        format!("{{\"server\": \"{MAGIC}\", \"tasks\": {{}}}}"),
        format!("{{\"{MAGIC}\": 1}}"),
        format!("{{\"magickey\": \"key-of-me\", \"tasks\": {{\"{TASK}\": {{\"identifier\": 7}}}}}}"),
        "{\"a\\nb forged\": 1}".into(),
    ] {
        sandbox.raw_config(&text);
        sandbox.get("/a/b").send().is_refusal();
    }
    let log = sandbox.log();
    assert_eq!(log.lines().count(), 6, "{log}");
    for line in log.lines() {
        assert!(like(line, "* WARN  refused who=unknown from=192.168.1.7 why=4a config.json has a fault at line 1, column *; remotetask check names it"), "{line}");
    }
}

/// `debug` adds lines to the log, and changes no answer.
#[test]
fn more_is_logged_where_the_owner_wants_that() {
    let sandbox = Sandbox::with_command("true");
    let config = sandbox.read("config.json");
    for (debug, lines) in [("false", 0), ("true", 1)] {
        sandbox.raw_config(&config.replacen("\"magickey\"", &format!("\"debug\": {debug}, \"magickey\""), 1));
        sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
        assert_eq!(
            sandbox.log().matches(" DEBUG request from=192.168.1.7 method=").count(),
            lines,
            "{}",
            sandbox.log()
        );
    }
}

/// Twenty that write at once to a log at its bound: no line is torn, and of each writer's lines the oldest alone go.
#[test]
fn twenty_writers_on_a_full_log() {
    const WRITERS: usize = 20;
    const LINES: usize = 1500;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.txt");
    remotetask::log::open_at(path.clone());
    let write = |writer: usize| {
        for at in 0..LINES {
            log::warn!("refused who=unknown from=unknown why=5b by {writer} {at} {}.", "x".repeat(at % 150));
        }
    };
    std::thread::scope(|threads| (0..WRITERS).for_each(|writer| drop(threads.spawn(move || write(writer)))));
    let text = std::fs::read_to_string(path).expect("the log");
    assert!(text.len() < 2 * remotetask::log::FULL as usize, "{}", text.len());
    let mut left = vec![Vec::new(); WRITERS];
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, _, _, "WARN", "", "refused", _, _, _, "by", writer, at, filler] = words[..] else {
            panic!("torn: {line}")
        };
        let (writer, at): (usize, usize) = (writer.parse().expect("a writer"), at.parse().expect("a line"));
        assert_eq!(filler.len(), at % 150 + 1, "torn: {line}");
        left[writer].push(at);
    }
    for (writer, left) in left.iter().enumerate() {
        assert_eq!(*left, Vec::from_iter(LINES - left.len()..LINES), "of writer {writer}");
    }
}
