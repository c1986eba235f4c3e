//! One answer, always: whatever the server, the disk or sudo do.

use crate::support::*;

#[test]
fn keys_in_path_or_headers_start_the_task() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let right = format!("/{MAGIC}/{TASK}");
    sandbox.get(&right).send().is_like("200 OK", "Task finished: t (* s)\n");
    sandbox.get(&format!("{right}/")).send().is_like("200 OK", "Task finished: t (* s)\n");
    sandbox.call("POST", &right).body(b"anything").send().is_like("200 OK", "Task finished: t (* s)\n");
    let headers = sandbox.call("POST", "/").var("HTTP_X_MAGIC_KEY", MAGIC).var("HTTP_X_TASK_KEY", TASK);
    headers.send().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(sandbox.read("effect"), "started\n".repeat(4));
}

#[test]
fn three_forms_of_an_answer() {
    let sandbox = Sandbox::with_task("exit 3", ", \"name\": \"The <task>\"");
    let right = format!("/{MAGIC}/{TASK}");
    let plain = sandbox.get(&right).send();
    plain.is_like("500 Internal Server Error", "Task failed: The <task> (exit code 3, * s)\n");
    assert!(plain.text().contains("\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    let json = sandbox.get(&right).accept("application/json").send();
    let body = json.json();
    assert_eq!(
        (body["task"].as_str(), body["state"].as_str(), body["exit"].as_i64()),
        (Some("The <task>"), Some("failed"), Some(3))
    );
    assert!(body["duration_ms"].is_u64() && body["run"].is_string() && body["started"].is_string());
    assert!(body["signal"].is_null() && body["reference"].is_null());
    let page = sandbox.call("POST", &right).accept("text/html,*/*").send();
    assert!(page.body().contains("<h1>Task failed: The &lt;task&gt;</h1>"), "{}", page.text());
    assert!(page.text().contains("\r\nContent-Type: text/html; charset=utf-8\r\n"));
}

#[test]
fn what_nobody_plainly_asked_for_starts_nothing() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let right = format!("/{MAGIC}/{TASK}");
    let status = |accept: &str| sandbox.get(&right).var("QUERY_STRING", "status").accept(accept).send();
    status("").is("200 OK", "Task: t (never started)\n");
    assert_eq!(status("application/json").json()["state"], "never");
    for (name, value) in [
        ("HTTP_SEC_PURPOSE", "prefetch"),
        ("HTTP_PURPOSE", "prefetch"),
        ("HTTP_X_PURPOSE", "preview"),
        ("HTTP_X_MOZ", "prefetch"),
        ("HTTP_SEC_FETCH_SITE", "cross-site"),
    ] {
        for method in ["GET", "POST"] {
            let answer = sandbox.call(method, &right).var(name, value).accept("application/json").send();
            assert!(answer.body().contains("<h1>Start t?</h1>"), "{}", answer.text());
            assert_eq!(answer.quiet().status(), "200 OK");
        }
    }
    let head = sandbox.call("HEAD", &right).send();
    assert_eq!((head.status(), head.body()), ("200 OK".into(), String::new()));
    assert!(!sandbox.path("effect").exists());
    assert!(!sandbox.path("state").exists(), "looking leaves no trace");
    // Any other query is ignored.
    sandbox.get(&right).var("QUERY_STRING", "utm=1").send().is_like("200 OK", "Task finished: t (* s)\n");
    status("").is_like("200 OK", "Task: t (finished, started on *, * s)\n");
    assert_eq!(sandbox.read("effect"), "started\n");
}

#[test]
fn a_browser_that_asks_again_is_shown_its_run() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let browser = sandbox.get(&format!("/{MAGIC}/{TASK}")).accept("text/html");
    assert!(browser.send().body().contains("<h1>Task finished: t</h1>"));
    let again = browser.send();
    assert!(again.status() == "200 OK" && again.body().contains("<h1>Not started again: t</h1>"), "{}", again.text());
    assert!(sandbox.log().contains("INFO  shown again finished task="), "{}", sandbox.log());
    assert_eq!(sandbox.read("effect"), "started\n");
    // A POST is a plain wish, and so is anything that is no browser.
    sandbox.call("POST", &format!("/{MAGIC}/{TASK}")).accept("text/html").send();
    sandbox.start();
    assert_eq!(sandbox.read("effect"), "started\n".repeat(3));
}

#[test]
fn arguments_are_not_looked_at() {
    let sandbox = Sandbox::with_command("true");
    for argument in ["--version", "--help", "-x", "check", "/etc/passwd"] {
        sandbox.get("/a/b").argument(argument).send().is_refusal();
        sandbox
            .get(&format!("/{MAGIC}/{TASK}"))
            .argument(argument)
            .send()
            .is_like("200 OK", "Task finished: t (* s)\n");
    }
}

#[test]
fn a_body_is_drained_before_the_answer() {
    let sandbox = Sandbox::with_command("true");
    let body = vec![b'x'; 700 << 10];
    let declared = sandbox.call("POST", "/a/b").body(&body);
    declared.send().is_refusal();
    let chunked = Call::var(sandbox.call("POST", "/a/b").body(&body), "CONTENT_LENGTH", "")
        .var("HTTP_TRANSFER_ENCODING", "chunked");
    chunked.send().is_refusal();
    // Both were read to their end: a pipe holds 64 KiB, and the writer was not cut off.
    for call in [&declared, &chunked] {
        let mut child = call.spawn();
        let mut stdin = child.stdin.take().expect("stdin");
        std::io::Write::write_all(&mut stdin, &body).expect("all of it is read");
        drop(stdin);
        finish(child).is_refusal();
    }
    // A body that never comes is waited for, but not for ever; nor is one beyond the bound read.
    let mut child = sandbox.call("POST", "/a/b").var("CONTENT_LENGTH", "5").spawn();
    let held = child.stdin.take();
    finish(child).is_refusal();
    drop(held);
    let endless = sandbox.call("POST", "/a/b").body(&vec![b'x'; 3 << 20]);
    endless.send().is_refusal();
    // Without a body nothing is waited for, even though stdin stays open.
    for length in ["", "0"] {
        let mut child = sandbox.get("/a/b").var("CONTENT_LENGTH", length).spawn();
        let held = child.stdin.take();
        finish(child).is_refusal();
        drop(held);
    }
}

/// The caller went away, or the server gave it up: Apache starts a program before it refuses a body.
#[test]
fn a_body_that_breaks_off_starts_nothing() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let right = format!("/{MAGIC}/{TASK}");
    for (length, sent) in [("5", &b""[..]), ("5", b"four"), ("2147483648", b"x")] {
        sandbox.call("POST", &right).body(sent).var("CONTENT_LENGTH", length).send().is_refusal();
    }
    assert!(sandbox.log().ends_with("why=5a the request's body broke off\n"), "{}", sandbox.log());
    sandbox.call("POST", &right).body(b"five.").send().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(sandbox.read("effect"), "started\n");
}

#[test]
fn closed_descriptors_change_nothing_else() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let right = format!("/{MAGIC}/{TASK}");
    sandbox.get(&right).redirect("<&-").send().is_like("200 OK", "Task finished: t (* s)\n");
    sandbox.get(&right).redirect("2>&-").send().is_like("200 OK", "Task finished: t (* s)\n");
    sandbox.get(&right).redirect("<&- 2>&-").send().is_like("200 OK", "Task finished: t (* s)\n");
    let answer = sandbox.get(&right).redirect(">&-").send();
    assert_eq!((answer.text(), &*answer.stderr, answer.code), (String::new(), "", Some(0)));
    let answer = sandbox.get(&right).redirect("<&- >&- 2>&-").send();
    assert_eq!((answer.text(), &*answer.stderr, answer.code), (String::new(), "", Some(0)));
    let answer = sandbox.get(&right).redirect(">/dev/full").send();
    assert_eq!((answer.text(), &*answer.stderr, answer.code), (String::new(), "", Some(0)));
    assert_eq!(sandbox.read("effect"), "started\n".repeat(6));
    sandbox.get("/a/b").redirect("<&- 2>&-").send().is_refusal();
}

#[test]
fn a_fault_is_answered_too() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let right = format!("/{MAGIC}/{TASK}");
    sandbox.get(&right).var("REMOTETASK_DRILL", "before the keys").send().is_refusal();
    let known = sandbox.get(&right).var("REMOTETASK_DRILL", "after the keys").send();
    let expected = "Task state unknown: t (reference *; ask for the status before trying again)\n";
    known.is_like("500 Internal Server Error", expected);
    sandbox.get("/a/b").var("REMOTETASK_DRILL", "after the keys").send().is_refusal();
    assert!(!sandbox.path("effect").exists());
    let head = sandbox.call("HEAD", "/a/b").var("REMOTETASK_DRILL", "before the keys").send();
    assert_eq!((head.status(), head.body()), ("404 Not Found".into(), String::new()));
    assert!(sandbox.log().contains("ERROR fault panic at src/lib.rs:"), "{}", sandbox.log());
}

/// What stands between the halves, by `elevate`: what it does, the answer, and the log's reason.
#[test]
fn whatever_stands_in_sudos_place() {
    let sandbox = Sandbox::new();
    let not_started = "Task not started: t (reference *, see the log)\n";
    let unknown = "Task state unknown: t (reference *; ask for the status before trying again)\n";
    for (line, body, why) in [
        (
            "echo 'sudo: a password is required' >&2; exit 1",
            not_started,
            "refuses: \\\"sudo: a password is required\\\"",
        ),
        ("exit 1", unknown, "it ended without an answer (exit status: 1): \\\"\\\""),
        ("echo x >&2; exit 2", unknown, "it ended without an answer (exit status: 2): \\\"x\\\""),
        ("kill -9 $$", unknown, "it ended without an answer (signal: 9 (SIGKILL)): \\\"\\\""),
        ("exit 0", unknown, "it ended without an answer (exit status: 0): \\\"\\\""),
        ("echo nonsense", unknown, "the answer is nonsense"),
        ("echo '{\"v\":1}'", unknown, "the answer is nonsense"),
        ("echo '{\"v\":2,\"refused\":true}'", unknown, "the answer is nonsense"),
        ("printf '{\"v\":1'", unknown, "the answer broke off"),
        ("head -c 70000 /dev/zero | tr '\\0' x; echo", unknown, "no answer: Long"),
        ("exec >&- 2>&-; sleep 3", unknown, "it neither answers nor ends"),
        // Who answers without reading the question has answered.
        ("exec <&-; echo '{\"v\":1,\"outcome\":{\"is\":\"last\",\"run\":null}}'", "", ""),
    ] {
        let path = sandbox.script("sudo", line);
        let elevate = format!("\"elevate\": [\"{}\", \"-n\"],", path.display());
        sandbox.config(&elevate, &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
        let answer = sandbox.start();
        match body {
            "" => assert!(answer.body().contains("Start t?"), "{line}: {}", answer.text()),
            body => {
                answer.is_like("500 Internal Server Error", body);
            }
        }
        let log = sandbox.log();
        let last = log.lines().last().unwrap_or_default();
        assert!(last.contains(why), "{line}: {last}");
        let reference = answer
            .body()
            .split_once("reference ")
            .map(|(_, rest)| rest.split([',', ';']).next().unwrap_or("").to_owned());
        assert!(reference.is_none_or(|reference| last.contains(&format!("reference={reference} "))), "{last}");
    }
    sandbox.config(
        "\"elevate\": [\"/no/sudo\", \"-n\"],",
        &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"),
    );
    sandbox.start().is_like("500 Internal Server Error", not_started);
    assert!(sandbox
        .log()
        .lines()
        .last()
        .unwrap_or_default()
        .ends_with("why=sudo \"/no/sudo: No such file or directory (os error 2)\""));
    // The root half disagrees: neutral to the caller, an error in the log.
    let path = sandbox.script("sudo", "echo '{\"v\":1,\"refused\":true}'");
    sandbox.config(
        &format!("\"elevate\": [\"{}\"],", path.display()),
        &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"),
    );
    sandbox.start().is_refusal();
    assert!(sandbox.log().contains("ERROR fault the root half refuses what is valid here"));
}

/// A sudo that hangs: 15 s on top of a `wait` of 0.
#[test]
fn a_sudo_that_hangs() {
    let sandbox = Sandbox::new();
    let path = sandbox.script("sudo", "exec sleep 60");
    let elevate = format!("\"elevate\": [\"{}\"],", path.display());
    sandbox
        .config(&elevate, &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"], \"wait\": 0}}"));
    sandbox.start().is_like(
        "500 Internal Server Error",
        "Task state unknown: t (reference *; ask for the status before trying again)\n",
    );
    assert!(sandbox.log().contains("no answer in time"));
}

/// What sudo is given: its words, no environment, the folder /, a group of its own.
#[test]
fn what_sudo_is_given() {
    let sandbox = Sandbox::new();
    let path = sandbox.script(
        "sudo",
        "{ echo \"$0 $*\"; /usr/bin/tr '\\0' '\\n' </proc/self/environ; pwd; read -r pid c s p group rest </proc/self/stat; \
         [ \"$group\" = $$ ] && echo own-group; } >$T/seen; /bin/cat >/dev/null; exit 1",
    );
    let elevate = format!("\"elevate\": [\"{}\", \"-n\", \"--\"],", path.display());
    sandbox.config(&elevate, &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
    sandbox
        .get(&format!("/{MAGIC}/{TASK}"))
        .var("SECRET", "x")
        .var("PATH", "/evil")
        .var("LD_PRELOAD", "/evil.so")
        .send();
    let folder = sandbox.path("").display().to_string();
    let seen = sandbox.read("seen");
    let mut lines = seen.lines();
    assert_eq!(lines.next(), Some(&*format!("{folder}sudo -n -- {folder}remotetask-run")), "{seen}");
    // A shell makes itself PWD; nothing else.
    let rest: Vec<&str> = lines
        .filter(|line| !line.starts_with("PWD=") && !line.starts_with("OLDPWD=") && *line != "_=/usr/bin/tr")
        .collect();
    assert_eq!(rest, ["/", "own-group"], "{seen}");
}

/// The words in capitals behind each `before` of a text.
fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    let word = |rest: &'a str| rest.split(|c: char| !c.is_ascii_uppercase() && c != '_').next().unwrap_or_default();
    let mut found: Vec<&str> = text.split(before).skip(1).map(word).filter(|word| word.len() > 4).collect();
    found.sort();
    found.dedup();
    found
}

/// A variable that is read, and that PHP or nginx does not hand on, would be missed by nobody.
#[test]
fn every_way_in_hands_on_what_is_read() {
    let mut read = named(include_str!("../../src/request.rs"), "\"");
    // Where these hand on, the length is known.
    read.retain(|name| *name != "HTTP_TRANSFER_ENCODING");
    assert!(read.contains(&"HTTP_X_MAGIC_KEY") && read.contains(&"REDIRECT_STATUS"), "{read:?}");
    let and = |more: &[&'static str], less: &str| {
        let mut all: Vec<&str> = read.iter().chain(more).copied().filter(|name| *name != less).collect();
        all.sort();
        all
    };
    let php = include_str!("../../webstation/php/index.php");
    assert_eq!(named(php, "'"), and(&["REQUEST_URI"], ""));
    let fcgiwrap = include_str!("../../webstation/nginx-fcgiwrap.conf");
    assert_eq!(named(fcgiwrap, "fastcgi_param "), and(&["SCRIPT_FILENAME"], ""));
    let nginx = include_str!("../../webstation/php/nginx.conf");
    let own = ["REQUEST_URI", "SCRIPT_FILENAME", "SCRIPT_NAME"];
    assert_eq!(named(nginx, "fastcgi_param "), and(&own, "PATH_INFO"));
}
