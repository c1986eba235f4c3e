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
    assert!(says(&page.body(), "The &#60;task&#62;", "Failed"), "{}", page.text());
    assert!(page.text().contains("\r\nContent-Type: text/html; charset=utf-8\r\n"));
}

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

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
        ("HTTP_SEC_FETCH_DEST", "image"),
        ("HTTP_SEC_FETCH_DEST", "script"),
        ("HTTP_SEC_FETCH_DEST", "iframe"),
        ("HTTP_SEC_FETCH_MODE", "no-cors"),
        ("HTTP_USER_AGENT", "WhatsApp/2.23.20.0 A"),
        ("HTTP_USER_AGENT", "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)"),
    ] {
        for method in ["GET", "POST"] {
            let answer = sandbox.call(method, &right).var(name, value).accept("application/json").send();
            assert!(is_button(&answer.body()), "{}", answer.text());
            assert_eq!(answer.quiet().status(), "200 OK");
        }
        // Nor does it stop anything.
        let stop = sandbox.call("POST", &right).var("QUERY_STRING", "stop").var(name, value).send();
        stop.is("200 OK", "Task: t (never started)\n");
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

/// Clients normalise a query and add to it: a look stays a look, by any method.
#[test]
fn a_look_in_any_spelling_starts_nothing() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let right = format!("/{MAGIC}/{TASK}");
    let send = |method: &str, query: &str, form: &str| {
        let call = sandbox.call(method, &right).var("QUERY_STRING", query).body(form.as_bytes());
        call.var("CONTENT_TYPE", "application/x-www-form-urlencoded").send()
    };
    for query in ["status=", "status=1", "x=1&status", "Status", "%73tatus", "utm_source=x&STATUS=y", "stop&status"] {
        for method in ["GET", "POST"] {
            send(method, query, "after=0").is("200 OK", "Task: t (never started)\n");
        }
        assert_eq!(send("HEAD", query, "").body(), "");
    }
    for query in ["ask", "ask=", "Ask&fbclid=x", "%61sk"] {
        for (method, form) in [("GET", "after=0"), ("POST", ""), ("POST", "x=1"), ("HEAD", "after=0")] {
            let answer = send(method, query, form);
            assert_eq!(answer.status(), "200 OK");
            assert!(method == "HEAD" || is_button(&answer.body()), "{}", answer.text());
        }
    }
    // To stop is a POST's alone; by another method it is a look.
    for (method, query) in [("GET", "stop"), ("GET", "STOP=1"), ("HEAD", "stop")] {
        let answer = send(method, query, "");
        assert!(method == "HEAD" || answer.body() == "Task: t (never started)\n", "{}", answer.text());
    }
    assert!(!sandbox.path("effect").exists());
    assert!(!sandbox.path("state").exists(), "looking leaves no trace");
}

#[test]
fn a_task_that_asks_first() {
    let sandbox = Sandbox::with_task("echo started >>$T/effect", ", \"get\": \"confirm\"");
    let right = format!("/{MAGIC}/{TASK}");
    for accept in ["", BROWSER, "application/json"] {
        let answer = sandbox.get(&right).accept(accept).send();
        assert!(answer.status() == "200 OK" && is_button(&answer.body()), "{}", answer.text());
    }
    assert!(!sandbox.path("effect").exists());
    sandbox.call("POST", &right).send().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(sandbox.read("effect"), "started\n");
}

/// The page's button, and where the page goes from there by itself.
#[test]
fn the_button_starts_and_its_page_looks() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect; read -r word <$T/gate");
    assert!(std::process::Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    sandbox.raw_config(&sandbox.read("config.json").replace("\"command\"", "\"wait\": 0, \"command\""));
    let right = format!("/{MAGIC}/{TASK}");
    let ask = |method: &str| sandbox.call(method, &right).accept(BROWSER).var("QUERY_STRING", "ask");
    let page = ask("GET").send().body();
    let button = "<form method=\"post\" action=\"?ask\"><input type=\"hidden\" name=\"after\" value=\"0\">";
    assert!(page.contains(button) && !page.contains("refresh\""), "{page}");
    let press = || ask("POST").body(b"after=0").var("CONTENT_TYPE", "application/x-www-form-urlencoded; charset=UTF-8");
    let page = press().send();
    assert!(page.status() == "200 OK" && says(&page.body(), "t", "Running"), "{}", page.text());
    assert!(page.body().contains("http-equiv=\"refresh\" content=\"3; url=?ask\""), "{}", page.text());
    // The same form again, by a double tap, a reload or the back button.
    let again = press().send().body();
    assert!(
        again.contains("Nothing was started a second time") && again.contains("content=\"3; url=?ask\""),
        "{again}"
    );
    // That address, and the one after a GET, show the run; neither starts another.
    awaited(&sandbox.path("effect"));
    for query in ["ask", "status"] {
        let page = sandbox.get(&right).accept(BROWSER).var("QUERY_STRING", query).send().body();
        assert!(says(&page, "t", "Running") && page.contains(&format!("content=\"3; url=?{query}\"")), "{page}");
    }
    std::fs::write(sandbox.path("gate"), "word\n").expect("written");
    until("its end", || {
        let page = sandbox.get(&right).accept(BROWSER).var("QUERY_STRING", "ask").send().body();
        (says(&page, "t", "Done") && !page.contains("refresh\"")).then_some(())
    });
    assert_eq!(sandbox.read("effect"), "started\n");
}

/// The question that the root half gets, by a stand-in for sudo that keeps it.
#[test]
fn a_forms_fields_reach_the_root_half() {
    let sandbox = Sandbox::new();
    let reply = "{\"v\":1,\"outcome\":{\"is\":\"last\",\"run\":null}}";
    let path = sandbox.script("sudo", &format!("/bin/cat >$T/question; echo '{reply}'"));
    let server = format!("\"elevate\": [\"{}\"], \"panel\": \"panel-key-of-tests\",", path.display());
    sandbox.config(&server, &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
    let (task, panel) = (format!("/{MAGIC}/{TASK}"), format!("/{MAGIC}/panel-key-of-tests"));
    let form = "application/x-www-form-urlencoded";
    let long = format!("after=1&x={}", "y".repeat(5000));
    let longer = format!("task={}", "x".repeat(1300));
    let longest = format!("task={0}&after={0}", "%01".repeat(512));
    for (method, path, query, content_type, body, expected) in [
        ("POST", &task, "", form, "after=19ac", ["start", "", "19ac"]),
        ("POST", &task, "ask", form, "after=19ac", ["start", "", "19ac"]),
        ("POST", &task, "stop", form, "after=19ac", ["stop", "", "19ac"]),
        ("POST", &task, "", form, "after=a%20b&task=x", ["start", "", "a b"]),
        ("POST", &task, "", "Application/X-WWW-Form-Urlencoded;charset=utf-8", "after=1", ["start", "", "1"]),
        // Not a form of ours: as curl's.
        ("POST", &task, "", form, "value1=x", ["start", "", ""]),
        ("POST", &task, "", form, &long, ["start", "", ""]),
        ("POST", &task, "", "application/json", "after=1", ["start", "", ""]),
        ("POST", &task, "", "", "after=1", ["start", "", ""]),
        ("GET", &task, "", form, "after=1", ["start", "", ""]),
        ("POST", &task, "status", form, "after=1", ["look", "", "1"]),
        ("GET", &panel, "", "", "", ["panel", "", ""]),
        ("HEAD", &panel, "", "", "", ["panel", "", ""]),
        ("POST", &panel, "", form, "task=t&after=0", ["start", "t", "0"]),
        ("POST", &panel, "", form, "task=t", ["start", "t", ""]),
        ("POST", &panel, "", form, "stop=t&after=0", ["stop", "t", "0"]),
        ("POST", &panel, "", form, "task=x&stop=t&after=0", ["stop", "t", "0"]),
        ("GET", &panel, "", form, "stop=t&after=0", ["panel", "", ""]),
        ("POST", &panel, "", form, "after=0", ["panel", "", "0"]),
        ("POST", &panel, "", "", "", ["panel", "", ""]),
        ("POST", &panel, "stop", form, "task=t&after=0", ["panel", "", "0"]),
        ("POST", &panel, "status", form, "task=t&after=0", ["panel", "", "0"]),
        ("GET", &panel, "", form, "task=t&after=0", ["panel", "", ""]),
        ("POST", &panel, "", form, &longer, ["start", "", ""]),
        ("POST", &panel, "", form, &longest, ["panel", "", ""]),
    ] {
        let _ = std::fs::remove_file(sandbox.path("question"));
        let call = sandbox.call(method, path).var("QUERY_STRING", query).var("CONTENT_TYPE", content_type);
        call.body(body.as_bytes()).send().quiet();
        let question: serde_json::Value = serde_json::from_str(&sandbox.read("question")).expect("a question");
        let field = |name: &str| question[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(
            [field("do"), field("task"), field("after")],
            expected.map(str::to_owned),
            "{method} {query} {body}"
        );
        std::fs::remove_file(sandbox.path("question")).expect("it holds keys");
    }
}

/// Through both halves: the panel shows what may be started, starts what is chosen there, and nothing else.
#[test]
fn the_panel_shows_and_starts() {
    let sandbox = Sandbox::new();
    let command = |name: &str| {
        let line = format!("echo {name} >>{}", sandbox.path("effect").display());
        serde_json::to_string(&["/bin/sh", "-c", &line]).expect("JSON")
    };
    sandbox.raw_config(&format!(
        "{{\"server\": {{\"elevate\": [], \"title\": \"Home\", \"panel\": \"panel-key-of-tests\", \"magickey\": [\"{MAGIC}\", \
         {{\"key\": \"another-key-1\", \"tasks\": [\"b\"]}}]}}, \"tasks\": {{\"a\": {{\"identifier\": \"{TASK}\", \"name\": \"The a\", \
         \"command\": {}}}, \"b\": {{\"identifier\": \"another-key-2\", \"command\": {}}}}}}}",
        command("a"),
        command("b")
    ));
    let panel = |method: &str, key: &str, form: &str| {
        let call = sandbox.call(method, &format!("/{key}/panel-key-of-tests")).body(form.as_bytes());
        let answer = call.var("CONTENT_TYPE", "application/x-www-form-urlencoded").accept("application/json").send();
        assert_eq!(answer.quiet().status(), "200 OK");
        answer.body()
    };
    let page = panel("GET", MAGIC, "");
    assert!(page.contains("<h1><bdi>Home</bdi></h1>") && page.contains("name=\"task\" value=\"a\""), "{page}");
    assert!(page.contains("<bdi>The a</bdi></h2>") && page.contains("<bdi>b</bdi></h2>"), "{page}");
    assert!(!panel("GET", "another-key-1", "").contains("The a"));
    assert_eq!(sandbox.read("effect"), "");
    let page = panel("POST", MAGIC, "task=a&after=0");
    assert!(page.contains("<bdi>The a</bdi></h2>\n<p class=\"state ok answer\""), "{page}");
    assert!(panel("POST", MAGIC, "task=a&after=0").contains("Nothing was started a second time"));
    assert!(
        sandbox.log().ends_with("ms\n") && sandbox.log().contains("INFO  finished task=\"a\" who=#1 "),
        "{}",
        sandbox.log()
    );
    // Not this key's, none at all, and no choice.
    panel("POST", "another-key-1", "task=a&after=0");
    panel("POST", MAGIC, "task=nope&after=0");
    panel("POST", MAGIC, "");
    assert_eq!(sandbox.read("effect"), "a\n");
    assert!(sandbox.log().contains("INFO  asked panel who=#1 "), "{}", sandbox.log());
    // The panel's key is no task's: what it shows is all that it does.
    sandbox.get(&format!("/{MAGIC}/panel-key-of-tests/a")).send().is_refusal();
    sandbox.get("/wrong-magic-key/panel-key-of-tests").send().is_refusal();
}

/// A running task is stopped by its button on the panel, under the panel's own address.
#[test]
fn the_panel_stops() {
    let sandbox = Sandbox::new();
    let argv = serde_json::to_string(&["/bin/sh", "-c", "exec sleep 600"]).expect("JSON");
    sandbox.config(
        "\"elevate\": [], \"panel\": \"panel-key-of-tests\",",
        &format!(
            "\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}, \"wait\": 0, \"stop\": true}}, \
             \"u\": {{\"identifier\": \"another-key-2\", \"command\": {argv}, \"wait\": 0, \"timeout\": 60}}"
        ),
    );
    let panel = |method: &str, form: &str| {
        let call = sandbox.call(method, &format!("/{MAGIC}/panel-key-of-tests")).body(form.as_bytes());
        call.var("CONTENT_TYPE", "application/x-www-form-urlencoded").send().body()
    };
    let button = |page: &str, what: &str| page.contains(&format!("name=\"{what}\" value=\"t\""));
    let page = panel("POST", "task=t&after=0");
    assert!(button(&page, "stop") && !button(&page, "task"), "{page}");
    assert!(page.contains("<progress ") && page.contains("http-equiv=\"refresh\" content=\"3\">"), "{page}");
    // By a GET, and of a task that its callers may not stop, nothing ends.
    assert!(button(&panel("GET", "stop=t&after=0"), "stop"));
    panel("POST", "task=u&after=0");
    assert!(panel("POST", "stop=u").contains("<strong>Cannot be stopped here</strong>"));
    let (_, after) = page.split_once("name=\"after\" value=\"").expect("a form");
    let page = panel("POST", &format!("stop=t&after={}", after.split('"').next().expect("its run")));
    assert!(page.contains("<strong>Stopped</strong>") && button(&page, "task") && !button(&page, "stop"), "{page}");
    assert!(sandbox.log().contains("INFO  stopped task=\"t\" who=#1 "), "{}", sandbox.log());
    assert!(panel("GET", "").contains("<strong>Running</strong>"), "the other one");
    sandbox.raw_config(&sandbox.read("config.json").replace("\"timeout\": 60", "\"stop\": true"));
    assert!(panel("POST", "stop=u").contains("<strong>Stopped</strong>"));
}

/// Through both halves, in each form of an answer and on the panel: the button of an old page leaves a newer run alone.
#[test]
fn the_stop_form_of_an_old_page() {
    let sandbox = Sandbox::with_task("echo $$ >$T/pid; exec sleep 600", ", \"wait\": 0, \"stop\": true");
    sandbox.raw_config(&sandbox.read("config.json").replacen(
        "\"magickey\"",
        "\"panel\": \"panel-key-of-tests\", \"magickey\"",
        1,
    ));
    let send = |identifier: &str, query: &str, form: &str, accept: &str| {
        let call = sandbox.call("POST", &format!("/{MAGIC}/{identifier}")).var("QUERY_STRING", query).accept(accept);
        call.var("CONTENT_TYPE", "application/x-www-form-urlencoded").body(form.as_bytes()).send()
    };
    let start = || {
        let started = send(TASK, "", "", "application/json").body();
        let started: serde_json::Value = serde_json::from_str(&started).expect("JSON");
        started["run"].as_str().expect("a run").to_owned()
    };
    let earlier = start();
    send(TASK, "stop", &format!("after={earlier}"), "").is_like("200 OK", "Task stopped: t (* s)\n");
    let newer = start();
    for form in [format!("after={earlier}"), "after=0".into(), "after=".into(), format!("after={}", "f".repeat(16))] {
        send(TASK, "stop", &form, "")
            .is_like("409 Conflict", "Task not stopped: t (this run began in the meantime: running since *)\n");
        let json = send(TASK, "stop", &form, "application/json");
        assert!(json.status() == "409 Conflict" && json.body().contains("\"state\":\"running\""), "{}", json.text());
        for page in [
            send(TASK, "stop", &form, BROWSER).body(),
            send("panel-key-of-tests", "", &format!("stop=t&{form}"), BROWSER).body(),
        ] {
            assert!(page.contains("Nothing was stopped: this run began in the meantime."), "{page}");
            // Its own button is the newer run's.
            assert!(
                page.contains("<strong>Running</strong>") && page.contains(&format!("value=\"{newer}\"")),
                "{page}"
            );
        }
    }
    let said = "INFO  stop of an earlier run running task=\"t\" who=#1 ";
    assert!(sandbox.log().contains(said), "{}", sandbox.log());
    let page = send("panel-key-of-tests", "", &format!("stop=t&after={newer}"), BROWSER).body();
    assert!(page.contains("<strong>Stopped</strong>"), "{page}");
    // Without a form, as curl's, it stops what runs.
    start();
    send(TASK, "stop", "", "").is_like("200 OK", "Task stopped: t (* s)\n");
}

/// A page tells of earlier runs; the other forms, and the panel, are not held up by them.
#[test]
fn a_page_has_the_picture_of_the_last_runs() {
    let sandbox = Sandbox::with_command("[ ! -e $T/bad ]");
    sandbox.start();
    sandbox.start();
    sandbox.write("bad", "");
    sandbox.start();
    let ask = |language: &str| {
        let call = sandbox.get(&format!("/{MAGIC}/{TASK}")).var("QUERY_STRING", "ask").accept(BROWSER);
        call.var("HTTP_ACCEPT_LANGUAGE", language).send().body()
    };
    let page = ask("");
    assert!(page.contains("id=\"runs\">Last 3 runs: 2 done, 1 failed; usually less than 1 s</figcaption>"), "{page}");
    assert_eq!((page.matches("<rect class=\"ok\"").count(), page.matches("<rect class=\"bad\"").count()), (2, 1));
    let german = ask("de-DE,de;q=0.9,en;q=0.8");
    assert!(
        german.contains("<html lang=\"de\">") && german.contains("Letzte 3 Läufe: 2 fertig, 1 fehlgeschlagen"),
        "{german}"
    );
    assert!(german.contains("<button>Starten</button>"), "{german}");
}

/// A refusal, a line and JSON are the same in every language.
#[test]
fn only_pages_speak_the_callers_language() {
    let sandbox = Sandbox::with_command("true");
    let send = |path: &str, accept: &str, language: &str| {
        sandbox.get(path).accept(accept).var("HTTP_ACCEPT_LANGUAGE", language).send()
    };
    let right = format!("/{MAGIC}/{TASK}");
    send(&right, "", "de").is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(send(&right, "application/json", "de").json()["state"], "finished");
    assert!(says(&send(&right, BROWSER, "de").body(), "t", "Fertig"));
    let refusal = send("/a/b", BROWSER, "");
    refusal.is_refusal();
    assert_eq!(send("/a/b", BROWSER, "de").text(), refusal.text());
}

#[test]
fn a_page_has_the_status_200_and_the_other_forms_their_own() {
    let sandbox = Sandbox::with_command("exit 3");
    let right = format!("/{MAGIC}/{TASK}");
    let html = sandbox.call("POST", &right).accept(BROWSER).send();
    assert!(html.status() == "200 OK" && says(&html.body(), "t", "Failed"), "{}", html.text());
    assert_eq!(sandbox.get(&right).accept("application/json").send().status(), "500 Internal Server Error");
    assert_eq!(sandbox.get(&right).send().status(), "500 Internal Server Error");
    // A refusal has one status in every form.
    for accept in [BROWSER, "text/html", "application/json", ""] {
        sandbox.get("/a/b").accept(accept).send().is_refusal();
    }
}

#[test]
fn a_browser_that_asks_again_is_shown_its_run() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let browser = sandbox.get(&format!("/{MAGIC}/{TASK}")).accept(BROWSER);
    assert!(says(&browser.send().body(), "t", "Done"));
    let again = browser.send();
    assert!(
        again.status() == "200 OK" && again.body().contains("Nothing was started a second time"),
        "{}",
        again.text()
    );
    assert!(again.body().contains("http-equiv=\"refresh\" content=\"1; url=?status\""), "{}", again.text());
    assert!(sandbox.log().contains("INFO  shown again finished task="), "{}", sandbox.log());
    assert_eq!(sandbox.read("effect"), "started\n");
    // A POST is a plain wish, and so is anything that is no browser: Java's HttpURLConnection asks for HTML too.
    sandbox.call("POST", &format!("/{MAGIC}/{TASK}")).accept(BROWSER).send();
    sandbox.get(&format!("/{MAGIC}/{TASK}")).accept("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2").send();
    sandbox.start();
    assert_eq!(sandbox.read("effect"), "started\n".repeat(4));
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
    let large = vec![b'x'; 3 << 20];
    let chunked = |body: &[u8]| {
        let call = sandbox.call("POST", "/a/b").body(body).var("CONTENT_LENGTH", "");
        call.var("HTTP_TRANSFER_ENCODING", "chunked")
    };
    // All are read to their end, the one that is too large as well: a pipe holds 64 KiB, and the writer is not cut off.
    for (call, body) in [
        (sandbox.call("POST", "/a/b").body(&body), &body),
        (chunked(&body), &body),
        (sandbox.call("POST", "/a/b").body(&large), &large),
        (chunked(&large), &large),
    ] {
        call.send().is_refusal();
        let mut child = call.spawn();
        let mut stdin = child.stdin.take().expect("stdin");
        std::io::Write::write_all(&mut stdin, body).expect("all of it is read");
        drop(stdin);
        finish(child).is_refusal();
    }
    // A body that never comes is waited for, but not for ever.
    let mut child = sandbox.call("POST", "/a/b").var("CONTENT_LENGTH", "5").spawn();
    let held = child.stdin.take();
    finish(child).is_refusal();
    drop(held);
    // Nor is one read for ever that never ends.
    let endless = sandbox.call("POST", "/a/b").var("CONTENT_LENGTH", "99999999999999").redirect("</dev/zero");
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
    for (length, sent) in [("5", &b""[..]), ("5", b"four"), ("1048576", b"x")] {
        sandbox.call("POST", &right).body(sent).var("CONTENT_LENGTH", length).send().is_refusal();
        assert!(sandbox.log().ends_with("why=5a the request's body broke off\n"), "{}", sandbox.log());
    }
    sandbox.call("POST", &right).body(b"five.").send().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(sandbox.read("effect"), "started\n");
}

/// Larger than may be, slower, without a length, with one that is none: answered, and nothing starts.
#[test]
fn a_body_that_was_not_seen_whole_starts_nothing() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    let right = format!("/{MAGIC}/{TASK}");
    let post = |body: &[u8]| sandbox.call("POST", &right).body(body);
    let refused = |call: Call, why: &str| {
        call.send().is_refusal();
        assert!(sandbox.log().ends_with(&format!("why=5a {why}\n")), "{}", sandbox.log());
    };
    refused(post(&vec![b'x'; (1 << 20) + 1]), "the request's body is larger than 1 MiB");
    let no_length = "the request's body came without a Content-Length, so that its end looks like a break";
    refused(post(b"x").var("CONTENT_LENGTH", "").var("HTTP_TRANSFER_ENCODING", "chunked"), no_length);
    refused(post(b"").var("CONTENT_LENGTH", "").var("HTTP_TRANSFER_ENCODING", "chunked"), no_length);
    refused(sandbox.get(&right).var("HTTP_TRANSFER_ENCODING", "chunked"), no_length);
    for length in ["-1", "x", "5x", "18446744073709551616"] {
        refused(post(b"x").var("CONTENT_LENGTH", length), no_length);
    }
    let mut slow = post(b"").var("CONTENT_LENGTH", "5").spawn();
    let held = slow.stdin.take();
    finish(slow).is_refusal();
    drop(held);
    assert!(sandbox.log().ends_with("why=5a the request's body did not come within 3 s\n"), "{}", sandbox.log());
    assert!(!sandbox.path("effect").exists() && !sandbox.path("state").exists());
    post(&vec![b'x'; 1 << 20]).send().is_like("200 OK", "Task finished: t (* s)\n");
    assert_eq!(sandbox.read("effect"), "started\n");
}

/// A server that gives a request up tells the program to end (Apache does): its line is written all the same.
#[test]
fn who_is_told_to_end_writes_its_line_first() {
    let sandbox = Sandbox::with_command("true");
    let path = sandbox.script("sudo", "/bin/cat >/dev/null; echo >$T/asked; read -r word <$T/gate");
    assert!(std::process::Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    let elevate = format!("\"elevate\": [\"{}\"],", path.display());
    sandbox.config(&elevate, &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
    for signal in ["-TERM", "-HUP"] {
        let child = sandbox.get(&format!("/{MAGIC}/{TASK}")).spawn();
        awaited(&sandbox.path("asked"));
        let killed = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(killed.expect("kill").success());
        let expected = "Task state unknown: t (reference *; ask for the status before trying again)\n";
        finish(child).is_like("500 Internal Server Error", expected);
        let log = sandbox.log();
        let last = log.lines().last().unwrap_or_default();
        assert!(like(last, "* ERROR unknown task=\"t\" who=#1 * reference=* why=*gave the request up*"), "{log}");
        std::fs::remove_file(sandbox.path("asked")).expect("removed");
        std::fs::write(sandbox.path("gate"), "word\n").expect("written");
    }
}

/// A fault that only the root half finds is named by its place, and by no word of the file.
#[test]
fn a_configuration_that_the_root_half_refuses_is_named_by_its_place() {
    let sandbox = Sandbox::new();
    sandbox.raw_config(&format!(
        "{{\"server\": {{\"elevate\": [], \"magickey\": \"{MAGIC}\"}},\n\"tasks\": {{\"t\": {{\"identifier\": \"{TASK}\",\n\
         \"command\": \"/bin/true\"}}}}}}"
    ));
    sandbox.start().is_refusal();
    let log = sandbox.log();
    let place = "config.json has a fault at line 3, column *; remotetask check names it";
    let lines: Vec<&str> = log.lines().collect();
    assert!(like(lines[0], &format!("* ERROR fault {place}; the root half refuses it")), "{log}");
    assert!(lines[1].ends_with("why=4 5 the root half disagrees") && !log.contains("/bin/true"), "{log}");
    // A field that does not exist is found at once, even where it hides the key.
    sandbox.raw_config(&format!(
        "{{\"server\": {{\"elevate\": [], \"magickey\": \"{MAGIC}\"}},\n\"tasks\": {{\"t\": {{\"identifer\": \"{TASK}\"}}}}}}"
    ));
    sandbox.start().is_refusal();
    assert!(like(sandbox.log().lines().last().unwrap_or_default(), "*why=4a config.json has a fault at line 2, *"));
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

/// A program between the halves, by `elevate`: what it does, the answer, and the log's reason.
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
        // An answer counts although nobody has read the question.
        ("exec <&-; echo '{\"v\":1,\"outcome\":{\"is\":\"last\",\"run\":null}}'", "", ""),
    ] {
        let path = sandbox.script("sudo", line);
        let elevate = format!("\"elevate\": [\"{}\", \"-n\"],", path.display());
        sandbox.config(&elevate, &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
        let answer = sandbox.start();
        match body {
            "" => assert!(is_button(&answer.body()), "{line}: {}", answer.text()),
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

/// The world that sudo is given: its words, no environment, the folder /, a group of its own.
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
    let sources = [
        include_str!("../../src/request/mod.rs"),
        include_str!("../../src/request/body.rs"),
        include_str!("../../src/request/caller.rs"),
        include_str!("../../src/request/wish.rs"),
    ];
    // Without their tests, which name the same.
    let sources = sources.map(|source| source.split("#[cfg(test)]").next().unwrap_or_default()).concat();
    let read = named(&sources, "\"");
    assert!(read.contains(&"HTTP_X_MAGIC_KEY") && read.contains(&"REDIRECT_STATUS"), "{read:?}");
    let and = |more: &[&'static str], less: &[&str]| {
        let mut all: Vec<&str> = read.iter().chain(more).copied().filter(|name| !less.contains(name)).collect();
        all.sort();
        all
    };
    let php = include_str!("../../webstation/php/index.php");
    assert_eq!(named(php, "'"), and(&["REQUEST_URI"], &[]));
    // nginx hands a body on once it is whole, so that its length is known.
    let fcgiwrap = include_str!("../../webstation/nginx-fcgiwrap.conf");
    assert_eq!(named(fcgiwrap, "fastcgi_param "), and(&["SCRIPT_FILENAME"], &["HTTP_TRANSFER_ENCODING"]));
    let nginx = include_str!("../../webstation/php/nginx.conf");
    let own = ["REQUEST_URI", "SCRIPT_FILENAME", "SCRIPT_NAME"];
    assert_eq!(named(nginx, "fastcgi_param "), and(&own, &["PATH_INFO", "HTTP_TRANSFER_ENCODING"]));
}
