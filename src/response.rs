//! The answer as one value, and the bytes of it: one CGI response (RFC 3875, section 6), written once.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, Local};
use serde::Serialize;

use crate::files::{Regular, START_PAGE_MAX};
use crate::outcome::{Outcome, Run};
use crate::record::State;
use crate::request::Form;
use crate::streams;
use crate::text::{fill, Html};
use crate::trust::is_own;

/// The page for everybody who has no valid keys.
pub const START_PAGE: &str = include_str!("../webstation/start.html");
const ANSWER_PAGE: &str = include_str!("pages/answer.html");

/// Headers of every answer. No `Location`: a server would run the request again inside (RFC 3875,
/// 6.2.2). Styles stand in the pages; nothing else may be loaded, and nothing run.
const HEADERS: &str = "Cache-Control: no-store\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Robots-Tag: noindex, nofollow\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n";

/// One CGI response.
pub struct Response {
    status: &'static str,
    content_type: &'static str,
    retry_after: Option<u32>,
    body: Vec<u8>,
}

impl Response {
    /// The start page at the doorstep.
    pub fn doorstep(folder: &Path) -> Response {
        Response { status: "200 OK", ..Response::refusal(Some(folder)) }
    }

    /// The start page for whoever has no valid keys: always the same.
    ///
    /// `start.html` in the program's `folder` takes the place of our page.
    pub fn refusal(folder: Option<&Path>) -> Response {
        let body = start_page(folder);
        Response { status: "404 Not Found", content_type: "text/html; charset=utf-8", retry_after: None, body }
    }

    /// The confirm page: name, last run, one button. Always HTML.
    pub fn confirm(name: &str, last: Option<&Run>) -> Response {
        let detail = last
            .map_or_else(|| "It has not been started yet.".to_owned(), |run| format!("Last run: {}.", summary(run)));
        let button = "<form method=\"post\"><button>Start it</button></form>\n";
        let body = page(&format!("Start {name}?"), &detail, false, button);
        Response { status: "200 OK", content_type: "text/html; charset=utf-8", retry_after: None, body }
    }

    /// What became of the task `name`, in the caller's form.
    pub fn outcome(name: &str, outcome: &Outcome, reference: Option<&str>, form: Form) -> Response {
        let (status, title) = headline(outcome);
        let detail = detail(outcome, reference);
        let retry_after = match outcome {
            Outcome::Busy { retry_after, .. } | Outcome::Cooling { retry_after, .. } => Some(*retry_after),
            _ => None,
        };
        let title = format!("{title}: {name}");
        let (content_type, body) = match form {
            Form::Json => ("application/json", json(name, outcome, reference)),
            // The page of a start moves on, so that no open tab starts anything again.
            Form::Html => {
                let moves_on = matches!(
                    outcome,
                    Outcome::Started(_) | Outcome::Finished(_) | Outcome::Failed(_) | Outcome::Again(_)
                );
                ("text/html; charset=utf-8", page(&title, &detail, moves_on, ""))
            }
            Form::Plain if detail.is_empty() => ("text/plain; charset=utf-8", format!("{}\n", line(&title)).into()),
            Form::Plain => ("text/plain; charset=utf-8", format!("{} ({detail})\n", line(&title)).into()),
        };
        Response { status, content_type, retry_after, body }
    }

    /// The whole response; for a HEAD without its body.
    pub fn to_bytes(&self, head: bool) -> Vec<u8> {
        let mut bytes = String::with_capacity(1024);
        let _ = write!(
            bytes,
            "Status: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{HEADERS}",
            self.status,
            self.content_type,
            self.body.len()
        );
        if let Some(seconds) = self.retry_after {
            let _ = write!(bytes, "Retry-After: {seconds}\r\n");
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        if !head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// Writes it to standard output. A caller who has gone is no error of ours.
    pub fn send(&self, head: bool) {
        let _ = streams::write_all(rustix::stdio::stdout(), &self.to_bytes(head));
    }
}

/// The start page that an installation in `folder` shows.
pub fn start_page(folder: Option<&Path>) -> Vec<u8> {
    folder.and_then(own_start_page).unwrap_or_else(|| START_PAGE.as_bytes().to_vec())
}

/// Names and values of the headers that every answer has, but for its type and length.
pub fn promised() -> impl Iterator<Item = (&'static str, &'static str)> {
    HEADERS.lines().filter_map(|line| line.split_once(": "))
}

/// A page that others could have written may ask for a key: it is not shown.
fn own_start_page(folder: &Path) -> Option<Vec<u8>> {
    let file = Regular::open(&folder.join("start.html")).ok().filter(|file| is_own(file, folder))?;
    file.read(START_PAGE_MAX).ok()
}

/// The status line, and the words of an answer.
pub fn headline(outcome: &Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Started(_) => ("202 Accepted", "Task started"),
        Outcome::Finished(_) => ("200 OK", "Task finished"),
        Outcome::Failed(_) => ("500 Internal Server Error", "Task failed"),
        Outcome::NotStarted { .. } => ("500 Internal Server Error", "Task not started"),
        Outcome::Unknown { .. } => ("500 Internal Server Error", "Task state unknown"),
        Outcome::Running(_) => ("409 Conflict", "Task is already running"),
        Outcome::Cooling { .. } => ("429 Too Many Requests", "Task was started a short time ago"),
        Outcome::Busy { .. } => ("429 Too Many Requests", "Too many tasks are running"),
        Outcome::Stopped(_) => ("200 OK", "Task stopped"),
        Outcome::NotStopped { may: true, .. } => ("200 OK", "Task is not running"),
        Outcome::NotStopped { may: false, .. } => ("409 Conflict", "Task cannot be stopped by its URL"),
        Outcome::Panel(_) => ("200 OK", "Tasks"),
        Outcome::Last { .. } => ("200 OK", "Task"),
        Outcome::Again(_) => ("200 OK", "Not started again"),
    }
}

fn detail(outcome: &Outcome, reference: Option<&str>) -> String {
    let reference = reference.unwrap_or("none");
    match outcome {
        Outcome::Started(run) if run.state == State::Handed => "handed to DSM".into(),
        Outcome::Started(_) => String::new(),
        Outcome::Finished(run) => duration(run),
        Outcome::Failed(run) => match duration(run) {
            took if took.is_empty() => end(run),
            took => format!("{}, {took}", end(run)),
        },
        Outcome::NotStarted { .. } => format!("reference {reference}, see the log"),
        Outcome::Unknown { .. } => format!("reference {reference}; ask for the status before trying again"),
        Outcome::Running(run) => format!("since {}", local(run.started)),
        Outcome::Cooling { retry_after, .. } | Outcome::Busy { retry_after, .. } => {
            format!("try again in {retry_after} s")
        }
        Outcome::Stopped(run) => duration(run),
        Outcome::Panel(_) => String::new(),
        Outcome::Last { run: None } | Outcome::NotStopped { run: None, .. } => "never started".into(),
        Outcome::Last { run: Some(run) } | Outcome::NotStopped { run: Some(run), .. } => summary(run),
        Outcome::Again(run) => format!("you started it a moment ago: {}", summary(run)),
    }
}

/// A run in a few words.
pub fn summary(run: &Run) -> String {
    let since = local(run.started);
    match run.state {
        State::Starting | State::Started => format!("running since {since}"),
        State::Handing => format!("it may have been handed to DSM on {since}"),
        State::Handed => format!("handed to DSM on {since}"),
        // DSM does not always tell how long.
        State::Finished if run.duration_ms.is_none() => format!("finished, started on {since}"),
        State::Finished => format!("finished, started on {since}, {}", duration(run)),
        State::Failed if run.duration_ms.is_none() => format!("failed, {}, started on {since}", end(run)),
        State::Failed => format!("failed, {}, started on {since}, {}", end(run), duration(run)),
        State::TimedOut => format!("ended at its time limit, started on {since}, {}", duration(run)),
        State::Stopped => format!("stopped, started on {since}, {}", duration(run)),
        State::Interrupted => format!("interrupted, {}, started on {since}", end(run)),
        State::NotStarted => format!("not started on {since}"),
    }
}

fn end(run: &Run) -> String {
    match (run.exit, run.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "its keeper was killed".into(),
    }
}

fn duration(run: &Run) -> String {
    match run.duration_ms {
        Some(ms) => format!("{}.{:03} s", ms / 1000, ms % 1000),
        None => String::new(),
    }
}

fn local(ms: u64) -> String {
    time(ms).map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

fn time(ms: u64) -> Option<DateTime<Local>> {
    Some(DateTime::from_timestamp_millis(ms.try_into().ok()?)?.with_timezone(&Local))
}

/// A name may hold a line break; a line of plain text may not.
fn line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
}

fn page(title: &str, detail: &str, moves_on: bool, button: &str) -> Vec<u8> {
    let refresh = if moves_on { "<meta http-equiv=\"refresh\" content=\"2; url=?status\">\n" } else { "" };
    let value = |name: &str, _: &str| match name {
        "title" => Some(Html(title).to_string()),
        "detail" => Some(Html(detail).to_string()),
        "refresh" => Some(refresh.to_owned()),
        "button" => Some(button.to_owned()),
        _ => None,
    };
    fill(ANSWER_PAGE, ['{', '}'], value).into_bytes()
}

/// The JSON form: every field always there, null where there is nothing to say.
#[derive(Serialize)]
struct Json<'a> {
    task: &'a str,
    state: &'static str,
    run: Option<&'a str>,
    started: Option<String>,
    duration_ms: Option<u64>,
    exit: Option<i32>,
    signal: Option<i32>,
    reference: Option<&'a str>,
    ended: Option<String>,
    output: Option<&'a str>,
}

fn json(name: &str, outcome: &Outcome, reference: Option<&str>) -> Vec<u8> {
    let run = outcome.run();
    let form = Json {
        task: name,
        state: state(outcome),
        run: run.map(|run| &*run.run),
        started: run.and_then(|run| Some(time(run.started)?.to_rfc3339())),
        duration_ms: run.and_then(|run| run.duration_ms),
        exit: run.and_then(|run| run.exit),
        signal: run.and_then(|run| run.signal),
        reference,
        ended: run.and_then(|run| Some(time(run.ended?)?.to_rfc3339())),
        output: run.and_then(|run| run.output.as_deref()),
    };
    let mut body = serde_json::to_vec(&form).unwrap_or_default();
    body.push(b'\n');
    body
}

/// The word for an outcome, in JSON and in the log.
pub fn state(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Started(_) => "started",
        Outcome::Running(_) => "running",
        Outcome::NotStarted { .. } => "not_started",
        Outcome::Unknown { .. } => "unknown",
        Outcome::Busy { .. } => "busy",
        Outcome::Cooling { .. } => "cooling",
        Outcome::Panel(_) => "panel",
        Outcome::Last { run: None } | Outcome::NotStopped { run: None, .. } => "never",
        Outcome::Finished(run)
        | Outcome::Failed(run)
        | Outcome::Again(run)
        | Outcome::Stopped(run)
        | Outcome::NotStopped { run: Some(run), .. }
        | Outcome::Last { run: Some(run) } => match run.state {
            State::Starting | State::Started => "running",
            State::Handing => "unknown",
            State::Handed => "started",
            State::Finished => "finished",
            State::Failed => "failed",
            State::TimedOut => "timed_out",
            State::Stopped => "stopped",
            State::Interrupted => "interrupted",
            State::NotStarted => "not_started",
        },
    }
}

#[cfg(test)]
mod tests;
