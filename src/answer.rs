//! The answer to a request, and with it the request's line in log.txt.

use std::fmt::Display;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::config::Glanced;
use crate::judge::{Granted, Who};
use crate::log::{Caller, Whose};
use crate::outcome::Outcome;
use crate::request::Request;
use crate::response::{state, Response};
use crate::text::Quoted;

/// Returns the neutral answer. The reason stands in the log alone.
pub fn refuse(folder: &Path, request: &Request, who: Option<Who<'_>>, why: impl Display) -> Response {
    log::warn!("refused {} {} why={why}", Whose(who), Caller(request.from));
    Response::refusal(Some(folder))
}

/// Returns the answer to a caller who has the keys.
pub fn log_and_answer(
    granted: &Granted<'_, Glanced>,
    request: &Request,
    outcome: &Outcome,
    begun: Instant,
) -> Response {
    let (id, shown) = granted.one().map_or(("panel", "panel"), |task| (&*task.id, task.shown()));
    let reference = match outcome {
        Outcome::NotStarted { run: Some(run), .. } => Some(run.run.clone()),
        Outcome::NotStarted { run: None, .. } | Outcome::Unknown { .. } => Some(reference()),
        _ => None,
    };
    let level = match (outcome, &reference) {
        (_, Some(_)) | (Outcome::Failed(_), _) => log::Level::Error,
        _ => log::Level::Info,
    };
    let run = outcome.run().map(|run| format!(" run={}", run.run)).unwrap_or_default();
    let exit = outcome.run().and_then(|run| match (run.exit, run.signal) {
        (Some(exit), _) => Some(format!(" exit={exit}")),
        (None, signal) => signal.map(|signal| format!(" signal={signal}")),
    });
    let exit = exit.unwrap_or_default();
    let why = match (outcome, &reference) {
        (Outcome::NotStarted { step, reason, .. }, Some(reference)) => {
            format!(" reference={reference} why={step} {}", Quoted(reason.as_bytes()))
        }
        (Outcome::Unknown { reason }, Some(reference)) => {
            format!(" reference={reference} why={}", Quoted(reason.as_bytes()))
        }
        (Outcome::Busy { reason, .. }, _) => format!(" why={}", Quoted(reason.as_bytes())),
        _ => String::new(),
    };
    let what = match outcome {
        Outcome::Again(_) => "shown again ",
        _ if request.may_start() => "",
        _ => "asked ",
    };
    log::log!(
        level,
        "{what}{} task={} who={} {}{run}{exit} took={}ms{why}",
        state(outcome),
        Quoted(id.as_bytes()),
        granted.who(),
        Caller(request.from),
        begun.elapsed().as_millis(),
    );
    match outcome {
        Outcome::Last { run } if !request.status => Response::confirm(shown, run.as_ref()),
        outcome => Response::outcome(shown, outcome, reference.as_deref(), request.form),
    }
}

/// A word that stands in the answer and beside the reason in the log.
fn reference() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{:x}", now.as_millis(), std::process::id())
}
