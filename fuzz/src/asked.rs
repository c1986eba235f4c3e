//! A request: CGI variables, each ended by a NUL as in /proc/PID/environ, an empty one, and the body.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use chrono::NaiveDate;
use remotetask::answer::refuse;
use remotetask::config::{glance, read, Get};
use remotetask::judge::{judge, Granted};
use remotetask::line::{Ask, Do, ASK_MAX};
use remotetask::log::{Caller, Whose};
use remotetask::request::{word, Body, Details, Fields, Form, Method, Request, Wish};
use remotetask::response::Response;

use crate::assert_is_a_line;

const CONFIG: &[u8] = br#"{"magickey": ["key-of-me", {"label": "Anna", "key": "key-of-anna", "from": ["192.168.1.0/24"], "tasks": ["7"]}],
    "panel": "key-of-panel",
    "tasks": {"7": {"identifier": "task-key-7"}, "b": {"identifier": "task-key-8", "command": ["/b"], "get": "confirm"}}}"#;
/// More than a pipe holds at once is not written.
const BODY: usize = 32 << 10;

/// Judges the request by both halves' readers, and looks at its wish and its form.
pub fn request(input: &[u8]) {
    let (variables, body) = split(input);
    let var = |name: &str| variables.get(name.as_bytes()).map(|value| OsString::from_vec(value.to_vec()));
    let request = Request::from_variables(var);
    judged(&request, |name| variables.get(name).copied().unwrap_or_default());
    let body = read_body(body, var);
    let details = Details::of(request.method, &body, var);
    wished(&details, request.method, variables.get(&b"QUERY_STRING"[..]).copied().unwrap_or_default());
    let form = reencoded(&details.form);
    let again = Details::of(Method::Post, &Body { form, flaw: None }, var);
    assert_eq!(again.form, details.form);
}

fn split(mut input: &[u8]) -> (HashMap<&[u8], &[u8]>, &[u8]) {
    let mut variables = HashMap::new();
    while let Some(end) = input.iter().position(|&b| b == 0) {
        let (variable, rest) = (&input[..end], &input[end + 1..]);
        input = rest;
        let Some(equals) = variable.iter().position(|&b| b == b'=') else { break };
        variables.insert(&variable[..equals], &variable[equals + 1..]);
    }
    (variables, input)
}

fn read_body(bytes: &[u8], var: impl Fn(&str) -> Option<OsString>) -> Body {
    let (read, write) = rustix::pipe::pipe().expect("a pipe");
    remotetask::streams::write_all(&write, &bytes[..bytes.len().min(BODY)]).expect("written");
    drop(write);
    let body = Body::read(read, var);
    assert!(bytes.starts_with(&body.form) && body.form.len() <= 4 << 10);
    body
}

/// Both halves judge alike, and a permit takes a right pair in its place.
fn judged<'v>(request: &Request, value: impl Fn(&[u8]) -> &'v [u8]) {
    let (credentials, flaw) = request.credentials();
    let today = NaiveDate::default();
    let glanced = glance(CONFIG, credentials.identifier.digest()).expect("valid");
    let full = read(CONFIG).expect("valid");
    let web = judge(&glanced, credentials, flaw, request.from, today);
    assert_is_a_line(&Caller(request.from).to_string());
    let granted = match web {
        Ok(granted) => granted,
        Err(denied) => {
            assert_is_a_line(&format!("{} {}", Whose(denied.who), denied.why));
            return refused(request, denied.why);
        }
    };
    assert!(is_right_pair(value(b"PATH_INFO"), value(b"HTTP_X_MAGIC_KEY"), value(b"HTTP_X_TASK_KEY")));
    let line = Ask::new(&granted, Do::Look, request.from, false).to_line();
    assert!(line.len() <= ASK_MAX);
    let ask = Ask::from_line(&line).expect("our own line");
    let root = judge(&full, ask.credentials(), None, ask.from, today).ok().expect("judged alike");
    assert_eq!((root.who().number, root.who().label), (granted.who().number, granted.who().label));
    assert_eq!(root.one().map(|task| &task.id), granted.one().map(|task| &task.id));
    if let Granted::Panel(panel) = &root {
        let ids: Vec<&str> = panel.permits().map(|permit| &*permit.task().id).collect();
        assert_eq!(ids, if root.who().number == 1 { &["7", "b"][..] } else { &["7"] });
    }
}

/// The pairs that the configuration allows, and no other form of them.
fn is_right_pair(path: &[u8], magic_key: &[u8], task_key: &[u8]) -> bool {
    let pairs = [
        ("key-of-me", "task-key-7"),
        ("key-of-me", "task-key-8"),
        ("key-of-me", "key-of-panel"),
        ("key-of-anna", "task-key-7"),
        ("key-of-anna", "key-of-panel"),
    ];
    pairs.iter().any(|(magic, task)| {
        let in_path = [format!("/{magic}/{task}"), format!("/{magic}/{task}/")];
        let by_path = magic_key.is_empty() && task_key.is_empty() && in_path.iter().any(|p| p.as_bytes() == path);
        let at_root = path.is_empty() || path == b"/";
        by_path || (at_root && magic_key == magic.as_bytes() && task_key == task.as_bytes())
    })
}

/// The bytes of a refusal are the same whatever was asked.
fn refused(request: &Request, why: impl Display) {
    let response = refuse(Path::new("/nowhere"), request, None, why);
    assert_eq!(response.to_bytes(false), Response::refusal(None).to_bytes(false));
}

/// A look never starts anything.
fn wished(details: &Details, method: Method, query: &[u8]) {
    for get in [Get::Run, Get::Confirm] {
        let wish = details.wish(get);
        let may_start = match method {
            Method::Post => true,
            Method::Get => get == Get::Run,
            Method::Head | Method::Other => false,
        };
        assert!(may_start || wish != Wish::Start, "{method:?} starts");
        assert!(method == Method::Post || wish != Wish::Stop, "{method:?} stops");
        if has_parameter(query, "status") {
            assert!(word(query).is_some() && wish == Wish::Status);
        }
        if has_parameter(query, "ask") || has_parameter(query, "stop") {
            assert!(word(query).is_some() && (wish != Wish::Start || details.form.after.is_some()));
        }
    }
    assert!(details.chosen().is_none() || method == Method::Post);
}

/// The name as it would stand there if no client had touched it.
fn has_parameter(query: &[u8], name: &str) -> bool {
    query
        .split(|&b| b == b'&')
        .any(|part| part.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"=")))
}

fn reencoded(form: &Fields) -> Vec<u8> {
    let mut text = form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("after", &form.after), ("task", &form.task), ("stop", &form.stop)] {
        if let Some(value) = value {
            text.append_pair(name, value);
        }
    }
    text.finish().into_bytes()
}

/// Every form of an answer that there is.
pub const FORMS: [Form; 3] = [Form::Json, Form::Html, Form::Plain];
