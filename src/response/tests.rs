mod states;

use super::words::local;
use super::*;
use crate::line::NEVER;
use crate::outcome::{Panel, PanelTask, Past, Run, Short};
use crate::record::State;
use crate::step::Step;

/// A run's start, and 70 s later.
const STARTED: u64 = 1_795_501_411_063;
const NOW: u64 = STARTED + 70_000;

fn about(wish: Wish, method: Method) -> About<'static> {
    About {
        title: None,
        name: "N",
        who: None,
        may_stop: false,
        may_overlap: false,
        language: Language::English,
        now: NOW,
        wish,
        method,
        reference: Some("R"),
    }
}

/// The page of the task `N`.
fn page(outcome: &Outcome, wish: Wish, method: Method) -> String {
    shown(&about(wish, method), outcome)
}

fn shown(about: &About<'_>, outcome: &Outcome) -> String {
    let response = Response::outcome(about, outcome, Form::Html);
    assert_eq!((response.status, response.retry_after), ("200 OK", None));
    String::from_utf8_lossy(&response.body).into_owned()
}

fn run(state: State) -> Run {
    Run {
        run: "01a2".into(),
        started: STARTED,
        state,
        duration_ms: None,
        exit: None,
        signal: None,
        ended: None,
        output: None,
        past: Box::default(),
    }
}

fn ended(state: State, exit: Option<i32>, signal: Option<i32>) -> Run {
    Run { duration_ms: Some(1234), exit, signal, ..run(state) }
}

/// Every row of the table: the outcome, its status, its line, its word.
#[test]
fn the_table_of_answers() {
    let reason = || "a secret reason".to_owned();
    let since = local(STARTED);
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
            Outcome::Failed(ended(State::TimedOut, None, Some(15))),
            "500 Internal Server Error",
            "Task failed: N (ended at its time limit, 1.234 s)".into(),
            "timed_out",
        ),
        (
            Outcome::Failed(ended(State::Stopped, None, Some(15))),
            "500 Internal Server Error",
            "Task failed: N (stopped, 1.234 s)".into(),
            "stopped",
        ),
        (
            Outcome::Failed(run(State::Interrupted)),
            "500 Internal Server Error",
            "Task failed: N (its keeper was killed)".into(),
            "interrupted",
        ),
        (
            Outcome::not_started(Step::Program, "a secret reason"),
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
        (
            Outcome::Cooling { run: run(State::Finished), retry_after: 10 },
            "429 Too Many Requests",
            "Task was started a short time ago: N (try again in 10 s)".into(),
            "cooling",
        ),
        (
            Outcome::Stopped(ended(State::Stopped, None, Some(15))),
            "200 OK",
            "Task stopped: N (1.234 s)".into(),
            "stopped",
        ),
        (
            Outcome::NotStopped { may: true, run: None },
            "200 OK",
            "Task is not running: N (never started)".into(),
            "never",
        ),
        (
            Outcome::NotStopped { may: false, run: Some(run(State::Started)) },
            "409 Conflict",
            format!("Task cannot be stopped by its URL: N (running since {since})"),
            "running",
        ),
        (
            Outcome::Newer(run(State::Started)),
            "409 Conflict",
            format!("Task not stopped: N (this run began in the meantime: running since {since})"),
            "running",
        ),
        (
            Outcome::Again(ended(State::Finished, Some(0), None)),
            "200 OK",
            format!("Not started again: N (this run began in the meantime: finished, started on {since}, 1.234 s)"),
            "finished",
        ),
        (
            Outcome::Last { run: Some(run(State::NotStarted)) },
            "200 OK",
            format!("Task: N (not started on {since}, reference 01a2)"),
            "not_started",
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
        let looks = matches!(outcome, Outcome::Last { .. });
        let about = about(if looks { Wish::Status } else { Wish::Start }, Method::Get);
        let plain = Response::outcome(&about, &outcome, Form::Plain);
        assert_eq!((plain.status, String::from_utf8_lossy(&plain.body).trim_end()), (status, &*line));
        let page = Response::outcome(&about, &outcome, Form::Html);
        let page_body = String::from_utf8_lossy(&page.body).into_owned();
        assert_eq!(page.status, "200 OK");
        assert!(page_body.contains("<title>N</title>") && page_body.contains("<h1><bdi>N</bdi></h1>"), "{page_body}");
        let json = Response::outcome(&about, &outcome, Form::Json);
        let body: serde_json::Value = serde_json::from_slice(&json.body).unwrap_or_default();
        assert_eq!((json.status, body["state"].as_str()), (status, Some(word)));
        // In this order, whatever serde_json's own maps keep.
        let text = String::from_utf8_lossy(&json.body).into_owned();
        let fields =
            ["task", "state", "run", "started", "duration_ms", "exit", "signal", "reference", "ended", "output"];
        let places = fields.map(|field| text.find(&format!("\"{field}\":")));
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{text}");
        assert_eq!(body.as_object().map(serde_json::Map::len), Some(fields.len()), "{text}");
        for answer in [&plain.body, &page.body, &json.body] {
            assert!(!String::from_utf8_lossy(answer).contains("secret reason"));
        }
        let retry_after = status.starts_with("429").then_some(10);
        assert_eq!((plain.retry_after, json.retry_after, page.retry_after), (retry_after, retry_after, None));
    }
}

/// Every outcome that tells of a run, with each state of it.
fn outcomes() -> Vec<Outcome> {
    let states = [
        State::Starting,
        State::Started,
        State::Handing,
        State::Handed,
        State::Finished,
        State::Failed,
        State::TimedOut,
        State::Stopped,
        State::Interrupted,
        State::NotStarted,
    ];
    let of = |state| {
        let run = || run(state);
        [
            Outcome::Started(run()),
            Outcome::Finished(run()),
            Outcome::Failed(run()),
            Outcome::NotStarted { step: Step::Program, reason: "x".into(), run: Some(Box::new(run())) },
            Outcome::Running(run()),
            Outcome::Cooling { run: run(), retry_after: 7 },
            Outcome::Again(run()),
            Outcome::Last { run: Some(run()) },
            Outcome::Stopped(run()),
            Outcome::NotStopped { may: true, run: Some(run()) },
            Outcome::Newer(run()),
        ]
    };
    let none = [
        Outcome::Last { run: None },
        Outcome::NotStopped { may: false, run: None },
        Outcome::Unknown { reason: "x".into() },
        Outcome::not_started(Step::Sudo, "x"),
        Outcome::Busy { retry_after: 7, reason: "x".into() },
    ];
    states.into_iter().flat_map(of).chain(none).collect()
}

const REQUESTS: [(Wish, Method); 8] = [
    (Wish::Start, Method::Get),
    (Wish::Start, Method::Post),
    (Wish::Status, Method::Get),
    (Wish::Status, Method::Post),
    (Wish::Page, Method::Get),
    (Wish::Page, Method::Post),
    (Wish::Page, Method::Head),
    (Wish::Stop, Method::Post),
];

/// The delay and the address of a page's refresh.
fn refresh_of(page: &str) -> Option<(&str, &str)> {
    let (_, rest) = page.split_once("http-equiv=\"refresh\" content=\"")?;
    rest.split_once('"')?.0.split_once("; url=")
}

#[test]
fn no_page_leads_by_itself_to_an_address_that_starts_something() {
    for outcome in outcomes() {
        for (wish, method) in REQUESTS {
            let page = page(&outcome, wish, method);
            assert!(page.matches("refresh\"").count() <= 1, "{page}");
            if let Some((_, url)) = refresh_of(&page) {
                assert!(matches!(url, "?status" | "?ask"), "{page}");
                use crate::request::{word, Word};
                assert!(matches!(word(&url.as_bytes()[1..]), Some(Word::Status | Word::Ask)), "{url}");
            }
            assert_eq!(page.contains("refresh\""), refresh_of(&page).is_some(), "{page}");
        }
    }
}

/// A task that may not overlap has no button to start it while it runs.
#[test]
fn every_form_says_what_it_starts_after() {
    let form = |action: &str, after: &str, class: &str| {
        format!(
            "<form method=\"post\" action=\"{action}\"><input type=\"hidden\" name=\"after\" value=\"{after}\">\
             <button{class}>"
        )
    };
    let stop = form("?stop", "01a2", " class=\"stop\"");
    for outcome in outcomes() {
        for (wish, method) in REQUESTS {
            let may = About { may_stop: true, may_overlap: true, ..about(wish, method) };
            let (page, of_one_that_may) = (page(&outcome, wish, method), shown(&may, &outcome));
            let never = matches!(outcome, Outcome::Last { run: None } | Outcome::NotStopped { run: None, .. });
            let runs = outcome.run().is_some_and(words::is_running);
            let (forms, start) = match outcome.run() {
                Some(_) => (1, form("?ask", "01a2", "")),
                None if never => (1, form("?ask", NEVER, "")),
                None => (0, String::new()),
            };
            assert_eq!(page.matches("<form").count(), if runs { 0 } else { forms }, "{page}");
            assert_eq!(of_one_that_may.matches("<form").count(), forms + usize::from(runs), "{of_one_that_may}");
            assert!(of_one_that_may.contains(&start) && (runs || page.contains(&start)), "{page}");
            assert_eq!((of_one_that_may.contains(&stop), page.contains("?stop")), (runs, false), "{of_one_that_may}");
            assert!(page.contains("<a href=\"?ask\">Look again</a>"), "{page}");
        }
    }
}

#[test]
fn the_output_is_shown_where_there_is_one() {
    let output = Some("a <b>\n\u{1b}[31mb\tc\n".into());
    let outcome = Outcome::Finished(Run { output, ..ended(State::Finished, Some(0), None) });
    let html = page(&outcome, Wish::Start, Method::Post);
    assert!(html.contains("<pre dir=\"auto\">\na &#60;b&#62;\n\u{1b}[31mb\tc\n</pre>"), "{html}");
    let plain = Response::outcome(&about(Wish::Start, Method::Get), &outcome, Form::Plain).body;
    assert_eq!(String::from_utf8_lossy(&plain), "Task finished: N (1.234 s)\na <b>\n[31mb\tc\n");
    let json = Response::outcome(&about(Wish::Start, Method::Get), &outcome, Form::Json).body;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap_or_default();
    assert_eq!(json["output"], "a <b>\n\u{1b}[31mb\tc\n");
    let none = Outcome::Finished(ended(State::Finished, Some(0), None));
    assert!(!page(&none, Wish::Start, Method::Post).contains("<pre"));
}

/// A task on the panel.
fn on_panel(id: &str, name: &str, run: Option<Run>) -> PanelTask {
    PanelTask { id: id.into(), name: name.into(), run, may_stop: false, may_overlap: false }
}

fn panel(tasks: Vec<PanelTask>, more: usize, chosen: Option<(&str, Outcome)>) -> Outcome {
    Outcome::Panel(Panel { tasks, more, chosen: chosen.map(|(id, outcome)| (id.into(), Box::new(outcome))) })
}

#[test]
fn the_panel() {
    let tasks = |run| vec![on_panel("a\"b", "The a\"b", run), on_panel("c", "The c", None)];
    let about = About { title: Some("Home <NAS>"), who: Some("Anna"), ..about(Wish::Page, Method::Get) };
    let plain = Response::outcome(&about, &panel(tasks(None), 0, None), Form::Json);
    assert_eq!((plain.status, plain.content_type), ("200 OK", "text/html; charset=utf-8"));
    let page = shown(&about, &panel(tasks(Some(ended(State::Finished, Some(0), None))), 0, None));
    assert!(page.contains("<h1><bdi>Home &#60;NAS&#62;</bdi></h1>") && !page.contains("refresh\""), "{page}");
    for part in [
        "<title>Home &#60;NAS&#62;</title>",
        "<h2 id=\"name1\"><bdi>The a&#34;b</bdi></h2>",
        "<form method=\"post\"><input type=\"hidden\" name=\"after\" value=\"01a2\"><button id=\"start1\" \
         aria-labelledby=\"start1 name1\" name=\"task\" value=\"a&#34;b\">Start</button></form>",
        "<strong>Done</strong> 1 minute ago, took 1 s",
        "<form method=\"post\"><input type=\"hidden\" name=\"after\" value=\"0\"><button id=\"start2\" \
         aria-labelledby=\"start2 name2\" name=\"task\" value=\"c\">Start</button></form>",
        "<strong>Never started</strong>",
        "<bdi>Anna</bdi>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let started = Outcome::Started(run(State::Started));
    let page = shown(&about, &panel(tasks(None), 2, Some(("c", started))));
    assert!(page.contains("<bdi>The c</bdi></h2>\n<p class=\"state run answer\" role=\"status\">"), "{page}");
    assert!(
        page.contains("2 more tasks have no room") && page.contains("<a href=\"\">Back to all tasks</a>"),
        "{page}"
    );
    assert!(page.contains("<meta http-equiv=\"refresh\" content=\"3\">"), "its own address: {page}");
    let fault = Outcome::not_started(Step::Program, "a secret reason");
    let page = shown(&about, &panel(tasks(None), 1, Some(("c", fault))));
    assert!(page.contains("<code>sudo remotetask log R</code>") && !page.contains("secret"), "{page}");
    assert!(page.contains("1 more task has no room") && page.contains("role=\"alert\""), "{page}");
    assert!(shown(&about, &panel(Vec::new(), 0, None)).contains("no task at present"));
}

#[test]
fn a_name_cannot_leave_its_place() {
    let outcome = Outcome::Started(run(State::Started));
    let name = "<b>{{ view }}</b>\r\nStatus: 200";
    let about = |wish| About { name, title: Some("{{ name }}<i>"), who: Some("<u>"), ..about(wish, Method::Post) };
    for page in [shown(&about(Wish::Start), &outcome), shown(&about(Wish::Page), &Outcome::Last { run: None })] {
        let escaped = "&#60;b&#62;{{ view }}&#60;/b&#62;\r\nStatus: 200";
        assert!(page.contains(&format!("<h1><bdi>{escaped}</bdi></h1>")), "{page}");
        assert!(page.contains(&format!("<title>{escaped}</title>")), "{page}");
        assert!(page.contains("<bdi>{{ name }}&#60;i&#62;</bdi>") && page.contains("<bdi>&#60;u&#62;</bdi>"), "{page}");
    }
    let plain = Response::outcome(&about(Wish::Start), &outcome, Form::Plain).body;
    assert_eq!(String::from_utf8_lossy(&plain), "Task started: <b>{{ view }}</b>  Status: 200\n");
    let task = on_panel("\"><script>", "</button><script>", None);
    let panel = shown(&about(Wish::Page), &panel(vec![task], 0, Some(("x<script>", Outcome::Last { run: None }))));
    assert!(!panel.contains("<script") && panel.contains("x&#60;script&#62;"), "{panel}");
    assert!(panel.contains("value=\"&#34;&#62;&#60;script&#62;\""), "{panel}");
}

/// Every tag that is opened is closed, in order, and no place of a template is left.
#[test]
fn pages_are_whole() {
    let panel = |run: Option<Run>| {
        let chosen = run.clone().map(|run| ("t", Outcome::Failed(run)));
        panel(vec![PanelTask { may_stop: true, ..on_panel("t", "t", run) }], 1, chosen)
    };
    let with_past = |outcome: Outcome| {
        let mut outcome = outcome;
        if let Some(run) = outcome.run_mut() {
            run.output = Some("x".into());
            run.past.runs = vec![Short { state: State::Finished, duration_ms: Some(1) }; 2];
        }
        outcome
    };
    let panels = [panel(None), panel(Some(run(State::Started))), panel(Some(run(State::Failed)))];
    for outcome in outcomes().into_iter().chain(outcomes().into_iter().map(with_past)).chain(panels) {
        let about = About { title: Some("NAS"), may_stop: true, ..about(Wish::Page, Method::Get) };
        let page = shown(&about, &outcome);
        let (_, body) = page.split_once("</style>").expect("a style");
        assert!(!body.contains(['{', '}']), "{page}");
        let mut open = vec!["html", "head"];
        for tag in body.split('<').skip(1) {
            let name = tag.split(['>', ' ']).next().unwrap_or_default();
            match name.strip_prefix('/') {
                Some(name) => assert_eq!(open.pop(), Some(name), "{page}"),
                None if matches!(name, "input" | "meta") => {}
                None => open.push(name),
            }
        }
        assert!(open.is_empty(), "{open:?} in {page}");
    }
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
    let templates = [
        START_PAGE,
        include_str!("../../templates/base.html"),
        include_str!("../../templates/parts.html"),
        include_str!("../../templates/task.html"),
        include_str!("../../templates/panel.html"),
        include_str!("../../templates/style.css"),
    ];
    for page in templates {
        for word in ["<script", "http://", "https://", "src=", "@import", "url(", "onload", "|safe", "style=\""] {
            let page = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!page.contains(word), "{word} in {page}");
        }
    }
}
