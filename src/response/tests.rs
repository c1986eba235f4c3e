use super::*;

fn run(state: State) -> Run {
    Run {
        run: "01a2".into(),
        started: 1_795_501_411_063,
        state,
        duration_ms: None,
        exit: None,
        signal: None,
        ended: None,
        output: None,
    }
}

fn ended(state: State, exit: Option<i32>, signal: Option<i32>) -> Run {
    Run { duration_ms: Some(1234), exit, signal, ..run(state) }
}

/// Every row of the table: the outcome, its status, its line, its word.
#[test]
fn the_table_of_answers() {
    let reason = || "a secret reason".to_owned();
    let since = local(1_795_501_411_063);
    for (outcome, status, line, word) in [
        (Outcome::Started(run(State::Started)), "202 Accepted", "Task started: N".to_owned(), "started"),
        (Outcome::Started(run(State::Handed)), "202 Accepted", "Task started: N (handed to DSM)".into(), "started"),
        (
            Outcome::Finished(ended(State::Finished, Some(0), None)),
            "200 OK",
            "Task finished: N (1.234 s)".into(),
            "finished",
        ),
        (
            Outcome::Failed(ended(State::Failed, Some(3), None)),
            "500 Internal Server Error",
            "Task failed: N (exit code 3, 1.234 s)".into(),
            "failed",
        ),
        (
            Outcome::Failed(ended(State::Failed, None, Some(9))),
            "500 Internal Server Error",
            "Task failed: N (signal 9, 1.234 s)".into(),
            "failed",
        ),
        (
            Outcome::Failed(run(State::Interrupted)),
            "500 Internal Server Error",
            "Task failed: N (its keeper was killed)".into(),
            "interrupted",
        ),
        (
            Outcome::not_started("7b", "a secret reason"),
            "500 Internal Server Error",
            "Task not started: N (reference R, see the log)".into(),
            "not_started",
        ),
        (
            Outcome::Unknown { reason: reason() },
            "500 Internal Server Error",
            "Task state unknown: N (reference R; ask for the status before trying again)".into(),
            "unknown",
        ),
        (
            Outcome::Running(run(State::Started)),
            "409 Conflict",
            format!("Task is already running: N (since {since})"),
            "running",
        ),
        (
            Outcome::Busy { retry_after: 10, reason: reason() },
            "429 Too Many Requests",
            "Too many tasks are running: N (try again in 10 s)".into(),
            "busy",
        ),
        (Outcome::Last { run: None }, "200 OK", "Task: N (never started)".into(), "never"),
        (
            Outcome::Last { run: Some(run(State::Started)) },
            "200 OK",
            format!("Task: N (running since {since})"),
            "running",
        ),
        (
            Outcome::Last { run: Some(ended(State::Finished, Some(0), None)) },
            "200 OK",
            format!("Task: N (finished, started on {since}, 1.234 s)"),
            "finished",
        ),
        (
            Outcome::Last { run: Some(run(State::Interrupted)) },
            "200 OK",
            format!("Task: N (interrupted, its keeper was killed, started on {since})"),
            "interrupted",
        ),
    ] {
        let plain = Response::outcome("N", &outcome, Some("R"), Form::Plain);
        assert_eq!((plain.status, String::from_utf8_lossy(&plain.body).trim_end()), (status, &*line));
        let page = Response::outcome("N", &outcome, Some("R"), Form::Html);
        let page_body = String::from_utf8_lossy(&page.body).into_owned();
        assert_eq!(page.status, status);
        let title = line.split(" (").next().unwrap_or_default();
        assert!(page_body.contains(&format!("<h1>{title}</h1>")), "{page_body}");
        let json = Response::outcome("N", &outcome, Some("R"), Form::Json);
        let body: serde_json::Value = serde_json::from_slice(&json.body).unwrap_or_default();
        assert_eq!((json.status, body["state"].as_str()), (status, Some(word)));
        let fields: Vec<&str> =
            body.as_object().map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default();
        assert_eq!(
            fields,
            ["task", "state", "run", "started", "duration_ms", "exit", "signal", "reference", "ended", "output"]
        );
        for answer in [&plain.body, &page.body, &json.body] {
            assert!(!String::from_utf8_lossy(answer).contains("secret reason"));
        }
        assert_eq!(plain.retry_after, matches!(outcome, Outcome::Busy { .. }).then_some(10));
    }
}

#[test]
fn the_page_of_a_start_moves_on_to_the_status_and_no_other_does() {
    let moves = |outcome: Outcome| {
        let page = Response::outcome("N", &outcome, None, Form::Html);
        String::from_utf8_lossy(&page.body).contains("http-equiv=\"refresh\" content=\"2; url=?status\"")
    };
    assert!(moves(Outcome::Started(run(State::Started))));
    assert!(moves(Outcome::Finished(ended(State::Finished, Some(0), None))));
    assert!(!moves(Outcome::Last { run: None }));
    assert!(!moves(Outcome::Running(run(State::Started))));
}

#[test]
fn a_name_cannot_leave_its_place() {
    let outcome = Outcome::Started(run(State::Started));
    let name = "<b>{detail}</b>\r\nStatus: 200";
    let page = Response::outcome(name, &outcome, None, Form::Html).body;
    let page = String::from_utf8_lossy(&page).into_owned();
    assert!(page.contains("<h1>Task started: &lt;b&gt;{detail}&lt;/b&gt;\r\nStatus: 200</h1>"), "{page}");
    let plain = Response::outcome(name, &outcome, None, Form::Plain).body;
    assert_eq!(String::from_utf8_lossy(&plain), "Task started: <b>{detail}</b>  Status: 200\n");
    let confirm = String::from_utf8_lossy(&Response::confirm(name, None).body).into_owned();
    assert!(confirm.contains("Start &lt;b&gt;{detail}&lt;/b&gt;"), "{confirm}");
    assert!(confirm.contains("<form method=\"post\"><button>"), "{confirm}");
}

#[test]
fn the_bytes_of_an_answer() {
    let response =
        Response { status: "429 Too Many Requests", content_type: "x/y", retry_after: Some(7), body: b"body".to_vec() };
    let expected =
        "Status: 429 Too Many Requests\r\nContent-Type: x/y\r\nContent-Length: 4\r\nCache-Control: no-store\r\n\
        Referrer-Policy: no-referrer\r\nX-Robots-Tag: noindex, nofollow\r\nX-Content-Type-Options: nosniff\r\n\
        Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; \
        base-uri 'none'; frame-ancestors 'none'\r\nRetry-After: 7\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(&response.to_bytes(true)), expected);
    assert_eq!(String::from_utf8_lossy(&response.to_bytes(false)), format!("{expected}body"));
}

#[test]
fn no_page_asks_for_anything_or_runs_anything() {
    for page in [START_PAGE, ANSWER_PAGE] {
        for word in ["<script", "http://", "https://", "src=", "@import", "url(", "onload"] {
            let page = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!page.contains(word), "{word} in {page}");
        }
    }
}
