//! Refusals must not teach: they are compared with each other, byte for byte.

use std::os::unix::fs::PermissionsExt;

use crate::support::*;

const TASKS: &str = r#""t": {"identifier": "Hc5yP8dGs3JfU6eA", "command": ["/bin/true"]}"#;

#[test]
fn all_refusals_are_one() {
    let sandbox = Sandbox::new();
    sandbox.config("", TASKS);
    let right = format!("/{MAGIC}/{TASK}");
    let long = format!("/{}/{TASK}", "a".repeat(8000));
    let longer = format!("/{MAGIC}/{}", "a".repeat(129));
    let first = sandbox.get("/wrong-magic-key/wrong-task-key").send();
    first.is_refusal();
    let paths: Vec<Vec<u8>> = [
        format!("/{MAGIC}/wrong-task-key"),
        format!("/wrong-magic-key/{TASK}"),
        format!("/{TASK}/{MAGIC}"),
        format!("/{MAGIC}/{MAGIC}"),
        format!("/{MAGIC}x/{TASK}"),
        format!("/{MAGIC}/{}", &TASK[1..]),
        format!("/{}/{TASK}", MAGIC.to_lowercase()),
        format!("/{MAGIC}/{TASK}/x"),
        format!("/{MAGIC}/{TASK}//"),
        format!("/{MAGIC}//{TASK}"),
        format!("//{MAGIC}/{TASK}"),
        format!("/./{MAGIC}/{TASK}"),
        format!("/{MAGIC}/../{MAGIC}/{TASK}"),
        format!("/{MAGIC}/{TASK}?x"),
        format!("/{MAGIC}/{TASK} "),
        format!("/{MAGIC}/{TASK}\n"),
        format!("{MAGIC}/{TASK}"),
        format!("/{MAGIC}"),
        format!("/{MAGIC}/"),
        "//".into(),
        "///".into(),
        "/favicon.ico".into(),
        "/sha256:a".into(),
        "/%00/%ff".into(),
        long,
        longer,
    ]
    .into_iter()
    .map(String::into_bytes)
    .chain([b"/\xff\xfe/\x01\x02".to_vec(), b"/\r\nSet-Cookie: x/y".to_vec(), b"/\x1b[2J/\x07".to_vec()])
    .collect();
    for path in &paths {
        for query in ["", "status", "ask", "Stop=1", "x=y", "--version"] {
            let answer = sandbox.get("").var("PATH_INFO", path).var("QUERY_STRING", query).send();
            assert_eq!(answer, first, "{} ?{query}", path.escape_ascii());
        }
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO", "get", "", "GET "] {
        assert_eq!(sandbox.call(method, &right).send(), first, "{method}");
        assert_eq!(sandbox.call(method, "/").send(), first, "{method} /");
    }
    assert_eq!(sandbox.call("POST", "/").send(), first, "POST /");
    assert_eq!(sandbox.call("POST", "/a/b").body(b"task=t").send(), first, "POST with a body");
    let form =
        sandbox.call("POST", "/a/b").body(b"after=0&task=t").var("CONTENT_TYPE", "application/x-www-form-urlencoded");
    assert_eq!(form.send(), first, "a form");
    assert_eq!(form.var("QUERY_STRING", "stop").send(), first, "a form that stops");
    for (name, value) in [
        ("HTTP_ACCEPT", "application/json"),
        ("HTTP_ACCEPT", "text/html,application/xhtml+xml"),
        ("HTTP_SEC_FETCH_SITE", "cross-site"),
        ("HTTP_PURPOSE", "prefetch"),
        ("HTTP_SEC_FETCH_DEST", "image"),
        ("HTTP_SEC_FETCH_MODE", "navigate"),
        ("HTTP_USER_AGENT", "WhatsApp/2.23.20.0 A"),
        ("CONTENT_TYPE", "application/x-www-form-urlencoded"),
        ("CONTENT_LENGTH", "-1"),
        ("HTTP_TRANSFER_ENCODING", "chunked"),
        ("HTTP_X_FORWARDED_FOR", "\u{7f}\u{1}"),
        ("REMOTE_ADDR", "nonsense"),
        ("HTTP_X_MAGIC_KEY", MAGIC),
        ("HTTP_X_TASK_KEY", TASK),
    ] {
        assert_eq!(sandbox.get("/wrong-magic-key/b").var(name, value).send(), first, "{name}");
    }
    // Keys in the path and in the headers both.
    let both = sandbox.get(&right).var("HTTP_X_MAGIC_KEY", MAGIC).var("HTTP_X_TASK_KEY", TASK).send();
    assert_eq!(both, first, "both");
    assert_eq!(sandbox.get(&right).var("REDIRECT_STATUS", "403").send(), first, "the server's own");
    assert_eq!(sandbox.files(), ["config.json", "log.txt"], "a refusal leaves no trace but its line");
}

#[test]
fn limits_of_a_key_refuse_like_a_wrong_key() {
    let sandbox = Sandbox::new();
    let yesterday = chrono::Local::now().date_naive() - chrono::Days::new(1);
    let today = yesterday + chrono::Days::new(1);
    sandbox.raw_config(&format!(
        r#"{{"server": {{"elevate": [], "magickey": [
            {{"key": "{MAGIC}", "expires": "{yesterday}"}},
            {{"key": "another-key-1", "label": "Bert", "from": ["10.0.0.0/8"]}},
            {{"key": "another-key-2", "tasks": ["u"]}},
            {{"key": "another-key-3", "expires": "{today}", "from": ["192.168.1.0/24"], "tasks": ["t"]}}]}},
          "tasks": {{{TASKS}, "u": {{"identifier": "another-key-4", "command": ["/bin/true"]}}}}}}"#
    ));
    let start = |key: &str| sandbox.get(&format!("/{key}/{TASK}")).send();
    let first = start("wrong-magic-key");
    first.is_refusal();
    for key in [MAGIC, "another-key-1", "another-key-2"] {
        assert_eq!(start(key), first);
    }
    start("another-key-3").is_like("200 OK", "Task finished: t (* s)\n");
    let log = sandbox.log();
    let whys: Vec<&str> = log.lines().filter_map(|line| line.split_once("refused who=").map(|(_, why)| why)).collect();
    assert_eq!(
        whys,
        [
            "unknown from=192.168.1.7 why=5b wrong magic key",
            "#1 from=192.168.1.7 why=5d the magic key has expired",
            "\"Bert\" from=192.168.1.7 why=5e the magic key is not for this network",
            "#3 from=192.168.1.7 why=5f the magic key is not for this task"
        ]
    );
}

#[test]
fn every_refused_configuration_refuses_alike_and_starts_nothing() {
    let sandbox = Sandbox::new();
    let good = r#"{"server": {"elevate": [], "magickey": "Zq7vK2mXw9RtB4nL"}, "tasks":
        {"t": {"identifier": "Hc5yP8dGs3JfU6eA", "command": ["/bin/touch", "$T/started"]}}}"#
        .replace("$T", &sandbox.path("").display().to_string());
    sandbox.raw_config(&good);
    let first = sandbox.get("/wrong-magic-key/b").send();
    first.is_refusal();
    let doorstep = sandbox.get("/").send();
    assert_eq!(doorstep.status(), "200 OK");
    assert_eq!(doorstep.body(), first.body());
    let variants = [
        good.replace("\"server\"", "\"sever\""),
        good.replace("\"tasks\"", "\"task\""),
        good.replace("\"command\"", "\"comand\""),
        good.replace("\"command\"", "\"timeout\": \"5\", \"command\""),
        good.replace("\"command\"", "\"command\": [\"/bin/true\"], \"command\""),
        good.replace("\"identifier\"", "\"name\": 7, \"identifier\""),
        good.replace("[\"/bin/touch\"", "[\"touch\""),
        good.replace("\"magickey\"", "\"magickey\": \"another-key-1\", \"magickey\""),
        good.replace("\"Zq7vK2mXw9RtB4nL\"", "[{\"key\": \"Zq7vK2mXw9RtB4nL\", \"tasks\": [\"nope\"]}]"),
        good.replace("\"Zq7vK2mXw9RtB4nL\"", "[{\"key\": \"Zq7vK2mXw9RtB4nL\", \"tasks\": [\"t\", \"nope\"]}]"),
        good.replace("\"Zq7vK2mXw9RtB4nL\"", "[\"Zq7vK2mXw9RtB4nL\", \"Zq7vK2mXw9RtB4nL\"]"),
        good.replace("\"t\":", "\"t\": {\"identifier\": \"another-key-1\", \"command\": [\"/x\"]}, \"t\":"),
        good.replace("\"t\":", "\"u\": {\"identifier\": \"another-key-1\"}, \"t\":"),
        good.replace("\"Hc5yP8dGs3JfU6eA\"", "[\"Hc5yP8dGs3JfU6eA\", \"Zq7vK2mXw9RtB4nL\"]"),
        format!("\u{feff}{good}"),
        format!("{good},"),
        good[..good.len() - 1].to_owned(),
        format!("{good}{}", " ".repeat(1 << 20)),
        String::new(),
        "null".into(),
    ];
    for text in &variants {
        sandbox.raw_config(text);
        assert_eq!(sandbox.start(), first, "{}", &text[..text.len().min(300)]);
        assert_eq!(sandbox.get("/wrong-magic-key/b").send(), first, "{}", &text[..text.len().min(300)]);
        assert_eq!(sandbox.get("/").send(), doorstep);
    }
    // No file at all; a folder, a link, a pipe in its place.
    let config = sandbox.path("config.json");
    std::fs::remove_file(&config).expect("remove");
    assert_eq!(sandbox.start(), first, "none");
    std::fs::create_dir(&config).expect("a folder");
    assert_eq!(sandbox.start(), first, "a folder");
    std::fs::remove_dir(&config).expect("remove");
    sandbox.write("elsewhere.json", "");
    std::fs::write(sandbox.path("config.json.real"), &good).expect("write");
    std::os::unix::fs::symlink(sandbox.path("config.json.real"), &config).expect("a link");
    assert_eq!(sandbox.start(), first, "a link");
    std::fs::remove_file(&config).expect("remove");
    assert!(std::process::Command::new("mkfifo").arg(&config).status().expect("mkfifo").success());
    assert_eq!(sandbox.start(), first, "a pipe");
    std::fs::remove_file(&config).expect("remove");
    std::fs::remove_file(sandbox.path("config.json.real")).expect("remove");
    assert!(!sandbox.path("started").exists());
    assert!(!sandbox.path("state").exists());
    // And the good one is good.
    sandbox.raw_config(&good);
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    assert!(sandbox.path("started").exists());
}

#[test]
fn the_owners_start_page_takes_the_place_of_ours() {
    let sandbox = Sandbox::new();
    sandbox.config("", TASKS);
    sandbox.write("start.html", "<p>mine</p>\n");
    sandbox.get("/").send().is("200 OK", "<p>mine</p>\n");
    sandbox.get("/a/b").send().is("404 Not Found", "<p>mine</p>\n");
    // Larger than 64 KiB, or no regular file: ours.
    sandbox.write("start.html", &"x".repeat((64 << 10) + 1));
    sandbox.get("/a/b").send().is_refusal();
    std::fs::remove_file(sandbox.path("start.html")).expect("remove");
    std::os::unix::fs::symlink("/etc/passwd", sandbox.path("start.html")).expect("a link");
    sandbox.get("/a/b").send().is_refusal();
}

/// It could ask for a key.
#[test]
fn a_start_page_that_others_could_write_is_not_shown() {
    let sandbox = Sandbox::new();
    sandbox.config("", TASKS);
    sandbox.write("start.html", "<p>mine</p>\n");
    for (bits, is_shown) in [(0o644, true), (0o664, false), (0o646, false), (0o600, true)] {
        std::fs::set_permissions(sandbox.path("start.html"), PermissionsExt::from_mode(bits)).expect("chmod");
        match is_shown {
            true => sandbox.get("/a/b").send().is("404 Not Found", "<p>mine</p>\n"),
            false => sandbox.get("/a/b").send().is_refusal(),
        };
    }
}

#[test]
fn a_head_has_headers_and_no_body() {
    let sandbox = Sandbox::new();
    sandbox.config("", TASKS);
    for path in ["/", "/a/b"] {
        let (get, head) = (sandbox.get(path).send(), sandbox.call("HEAD", path).send());
        let headers = get.text().split_once("\r\n\r\n").map(|(headers, _)| format!("{headers}\r\n\r\n"));
        assert_eq!(Some(head.text()), headers, "{path}");
    }
}
