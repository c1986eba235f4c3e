//! Each answer in its three forms, through Apache and real sudo.

use serde_json::Value;

use super::servers::by_port;
use super::*;

/// Answers about the unknown: a task that DSM was given, a run whose keeper was killed, a root half that says nothing.
#[test]
fn each_answer_about_what_is_not_known() {
    let nas = Nas::new();
    // Not before its keeper has said that it runs.
    let killing = "record=/usr/local/remotetask/state/task-lost/$REMOTETASK_RUN.json; \
        until grep -q '\"state\":\"started\"' $record && grep -q '^State:.S' /proc/$PPID/status; do :; done; kill -KILL $PPID";
    let argv = serde_json::to_string(&["/bin/sh", "-c", killing]).expect("JSON");
    let tasks = format!(
        "\"7\": {{\"identifier\": \"{}\", \"name\": \"Check off\"}}, \
         \"lost\": {{\"identifier\": \"{}\", \"command\": {argv}, \"wait\": 30, \"overlap\": \"parallel\"}}",
        key("7"),
        key("lost")
    );
    nas.raw_config(&format!(
        "{{\"server\": {{\"title\": \"Home NAS\", \"magickey\": \"{MAGIC}\"}}, \"tasks\": {{{tasks}}}}}"
    ));
    nas.scheduled(7, "enabled", "true");
    box_is("deaf");
    let server = by_port("cgid");
    let status = |task: &str| format!("{}?status", path(task));
    is(&server, ("POST", &path("7")), (202, "started", "Task started: Check off (handed to DSM)"));
    is(&server, ("GET", &status("7")), (200, "started", "Task: Check off (handed to DSM on *)"));
    let page = server.request("GET", &status("7"), "Accept: text/html\r\n", "");
    assert!(page.body.contains("Home NAS"), "{page:?}");

    is(&server, ("POST", &path("lost")), (500, "interrupted", "Task failed: lost (its keeper was killed)"));
    until("its end", || (json(&server, "GET", &status("lost")).1["state"] == "interrupted").then_some(()));
    let words = "Task: lost (interrupted, its keeper was killed, started on *)";
    is(&server, ("GET", &status("lost")), (200, "interrupted", words));

    let program = at("remotetask-run");
    fs::rename(&program, format!("{program}.away")).expect("away");
    put(&program, "#!/bin/sh\nexit 0\n", 0o700);
    let words = "Task state unknown: Check off (reference *; ask for the status before trying again)";
    is(&server, ("POST", &path("7")), (500, "unknown", words));
    let (_, told) = json(&server, "POST", &path("7"));
    let reference = told["reference"].as_str().expect("a reference");
    assert!(nas.log().contains(&format!(" reference={reference} why=")), "{}", nas.log());
    fs::rename(format!("{program}.away"), &program).expect("back");
}

/// A key for each task of the table, as long as any.
fn key(task: &str) -> String {
    format!("key-of-{task}-a1b2c3")
}

fn path(task: &str) -> String {
    format!("/{MAGIC}/{}", key(task))
}

fn json(server: &Server, method: &str, path: &str) -> (u16, Value) {
    let answer = server.request(method, path, "Accept: application/json\r\nContent-Length: 0\r\n", "");
    (answer.status, serde_json::from_slice(answer.body.as_bytes()).unwrap_or_else(|e| panic!("{e}: {}", answer.body)))
}

/// The status and the state in JSON, the same status and the line as text, and the page's 200 with the same words.
fn is(server: &Server, request: (&str, &str), expected: (u16, &str, &str)) {
    let (method, path) = request;
    let (status, state, line) = expected;
    let (code, value) = json(server, method, path);
    assert_eq!((code, value["state"].as_str()), (status, Some(state)), "{method} {path}: {value}");
    let fields: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    for field in ["task", "run", "started", "ended", "duration_ms", "exit", "signal", "output", "reference"] {
        assert!(fields.contains(&field), "{field}: {value}");
    }
    let text = server.request(method, path, "Content-Length: 0\r\n", "");
    assert!(text.status == status && like(&text.body, &format!("{line}\n")), "{method} {path}: {text:?}");
    // Not a browser's: that one is shown the run that it has just started.
    let page = server.request(method, path, "Accept: text/html\r\nContent-Length: 0\r\n", "");
    let name = line.split([':', '(']).nth(1).unwrap_or_default().trim();
    assert!(page.status == 200 && says(&page.body, name, word(state, line)), "{method} {path}: {page:?}");
}

/// The word of the page that tells what this line does.
fn word(state: &str, line: &str) -> &'static str {
    match state {
        _ if line.contains("cannot be stopped") => "Cannot be stopped here",
        _ if line.contains("is not running") => "Not running",
        _ if line.contains("handed to DSM") => "Handed to DSM",
        "finished" => "Done",
        "interrupted" => "Interrupted",
        "unknown" => "Not known",
        "failed" => "Failed",
        "timed_out" => "Took too long",
        "not_started" => "Not started",
        "cooling" => "Not yet",
        "busy" => "Too much is running",
        "started" | "running" => "Running",
        "never" => "Never started",
        state => panic!("{state}"),
    }
}

#[test]
fn each_answer_in_each_form() {
    let nas = Nas::new();
    assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
    let task = |id: &str, command: &str, more: &str| {
        let argv = serde_json::to_string(&["/bin/sh", "-c", command]).expect("JSON");
        format!("\"{id}\": {{\"identifier\": \"{}\", \"command\": {argv}{more}}}", key(id))
    };
    nas.config(
        &[
            task("well", "exit 0", ""),
            task("badly", "exit 3", ""),
            task("killed", "kill -KILL $$", ""),
            task("late", "exec sleep 600", ", \"timeout\": 1, \"wait\": 20, \"overlap\": \"parallel\""),
            task("slow", "exec sleep 600", ", \"wait\": 0, \"overlap\": \"parallel\", \"stop\": true"),
            task("once", "exec sleep 600", ", \"wait\": 0, \"stop\": true"),
            task("endless", "read -r word </run/effects/gate", ", \"wait\": 0"),
            task("cool", "exit 0", ", \"cooldown\": 3600"),
            task("tells", "echo first; echo last", ", \"output\": true"),
            format!("\"gone\": {{\"identifier\": \"{}\", \"command\": [\"/no/such\"]}}", key("gone")),
        ]
        .join(", "),
    );
    let server = by_port("cgid");
    let status = |task: &str| format!("{}?status", path(task));
    let stop = |task: &str| format!("{}?stop", path(task));
    let post = |task: &str, expected| is(&server, ("POST", &path(task)), expected);
    let look = |task: &str, expected| is(&server, ("GET", &status(task)), expected);

    look("well", (200, "never", "Task: well (never started)"));
    post("well", (200, "finished", "Task finished: well (* s)"));
    look("well", (200, "finished", "Task: well (finished, started on *, * s)"));
    let told = json(&server, "GET", &status("well")).1;
    let text = |field: &str| told[field].as_str().unwrap_or_default().to_owned();
    assert!(told["task"] == "well" && told["exit"] == 0 && told["signal"].is_null(), "{told}");
    assert!(text("run").len() == 12 && text("started").len() > 18 && text("ended") >= text("started"), "{told}");
    assert!(told["duration_ms"].is_u64() && told["output"].is_null() && told["reference"].is_null(), "{told}");
    post("badly", (500, "failed", "Task failed: badly (exit code 3, * s)"));
    assert_eq!(json(&server, "GET", &status("badly")).1["exit"], 3);
    post("killed", (500, "failed", "Task failed: killed (signal 9, * s)"));
    assert_eq!(json(&server, "GET", &status("killed")).1["signal"], 9);
    post("late", (500, "timed_out", "Task failed: late (*time limit*, * s)"));
    look("late", (200, "timed_out", "Task: late (ended at its time limit, started on *, * s)"));
    post("gone", (500, "not_started", "Task not started: gone (reference *, see the log)"));
    look("gone", (200, "not_started", "Task: gone (not started on *, reference *)"));

    assert_eq!(json(&server, "POST", &path("cool")).0, 200);
    post("cool", (429, "cooling", "Task was started a short time ago: cool (try again in * s)"));
    let told = server.request("POST", &path("cool"), "Accept: application/json\r\nContent-Length: 0\r\n", "");
    assert!(told.headers.iter().any(|line| line.to_ascii_lowercase().starts_with("retry-after: 3")), "{told:?}");

    let told = json(&server, "POST", &path("tells")).1;
    assert_eq!(told["output"], "first\nlast\n");
    let text = server.request("POST", &path("tells"), "Content-Length: 0\r\n", "");
    assert!(text.body.ends_with("first\nlast\n"), "{text:?}");

    assert_eq!(json(&server, "POST", &path("endless")).0, 202);
    post("endless", (409, "running", "Task is already running: endless (since *)"));
    look("endless", (200, "running", "Task: endless (running since *)"));
    is(
        &server,
        ("POST", &stop("endless")),
        (409, "running", "Task cannot be stopped by its URL: endless (running since *)"),
    );
    // No keeper is left for other tests to find.
    fs::write("/run/effects/gate", "word\n").expect("written");
    until("its end", || (json(&server, "GET", &status("endless")).1["state"] == "finished").then_some(()));
    look("endless", (200, "finished", "Task: endless (finished, started on *, * s)"));

    assert_eq!(json(&server, "POST", &path("once")).0, 202);
    let stopped = json(&server, "POST", &stop("once"));
    assert_eq!((stopped.0, &stopped.1["state"]), (200, &"stopped".into()), "{stopped:?}");
    is(&server, ("POST", &stop("once")), (200, "stopped", "Task is not running: once (stopped, started on *, * s)"));
    assert_eq!(json(&server, "POST", &path("once")).0, 202);
    let text = server.request("POST", &stop("once"), "Content-Length: 0\r\n", "");
    assert!(text.status == 200 && like(&text.body, "Task stopped: once (* s)\n"), "{text:?}");
    // A form stops what its page showed, and nothing newer.
    let earlier = json(&server, "GET", &status("once")).1["run"].as_str().unwrap_or_default().to_owned();
    let newer = json(&server, "POST", &path("once")).1["run"].as_str().unwrap_or_default().to_owned();
    let form = |run: &str| {
        let form = format!("after={run}");
        let headers = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", form.len());
        server.request("POST", &stop("once"), &headers, &form)
    };
    let text = form(&earlier);
    let left = "Task not stopped: once (this run began in the meantime: running since *)\n";
    assert!(text.status == 409 && like(&text.body, left), "{text:?}");
    let text = form(&newer);
    assert!(text.status == 200 && like(&text.body, "Task stopped: once (* s)\n"), "{text:?}");

    post("slow", (202, "started", "Task started: slow"));
    for _ in 3..8 {
        assert_eq!(json(&server, "POST", &path("slow")).0, 202);
    }
    post("slow", (429, "busy", "Too many tasks are running: slow (try again in * s)"));
    assert_eq!(json(&server, "POST", &stop("slow")).1["state"], "stopped");
    // A refusal is the start page in every form.
    let refused = |accept: &str| {
        let headers = format!("Accept: {accept}\r\nContent-Length: 0\r\n");
        let answer = server.request("POST", &format!("/{MAGIC}/wrong-key-of-none"), &headers, "");
        (answer.status, answer.body)
    };
    assert_eq!(refused("text/plain").0, 404);
    assert!(["application/json", "text/html"].iter().all(|form| refused(form) == refused("text/plain")));
}
