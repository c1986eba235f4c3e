//! The two forms for programs: a line of plain text, and JSON.

use serde::Serialize;

use super::words::{detail, headline, state, time};
use crate::outcome::Outcome;

/// The plain form: one line, and below it the task's output where callers may see it.
pub fn plain(name: &str, outcome: &Outcome, reference: Option<&str>) -> Vec<u8> {
    let title = format!("{}: {name}", headline(outcome).1);
    let mut text = match detail(outcome, reference) {
        detail if detail.is_empty() => line(&title),
        detail => line(&format!("{title} ({detail})")),
    };
    text.push('\n');
    let output = outcome.run().and_then(|run| run.output.as_deref()).unwrap_or_default();
    // Left out, because it is the command's own business: what would move a terminal's cursor.
    text.extend(output.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.into()
}

/// A name may hold a line break; a line of plain text may not.
fn line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), " ")
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

/// The JSON form.
pub fn json(name: &str, outcome: &Outcome, reference: Option<&str>) -> Vec<u8> {
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
