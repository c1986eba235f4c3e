//! The words of an answer, the same in every form.

use chrono::{DateTime, Local};

use crate::outcome::{Outcome, Run};
use crate::record::State;

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
        Outcome::Newer(_) => ("409 Conflict", "Task not stopped"),
        Outcome::Panel(_) => ("200 OK", "Tasks"),
        Outcome::Last { .. } => ("200 OK", "Task"),
        Outcome::Again(_) => ("200 OK", "Not started again"),
    }
}

/// More of it, or nothing.
pub fn detail(outcome: &Outcome, reference: Option<&str>) -> String {
    let reference = reference.unwrap_or("none");
    match outcome {
        Outcome::Started(run) if run.state == State::Handed => "handed to DSM".into(),
        Outcome::Started(_) | Outcome::Panel(_) => String::new(),
        Outcome::Finished(run) | Outcome::Stopped(run) => duration(run),
        Outcome::Failed(run) => list([end(run), duration(run)]),
        Outcome::NotStarted { .. } => format!("reference {reference}, see the log"),
        Outcome::Unknown { .. } => format!("reference {reference}; ask for the status before trying again"),
        Outcome::Running(run) => format!("since {}", local(run.started)),
        Outcome::Cooling { retry_after, .. } | Outcome::Busy { retry_after, .. } => {
            format!("try again in {retry_after} s")
        }
        Outcome::Last { run } | Outcome::NotStopped { run, .. } => last(run.as_ref()),
        Outcome::Again(run) | Outcome::Newer(run) => format!("this run began in the meantime: {}", summary(run)),
    }
}

/// A task's last run, if there was one.
pub fn last(run: Option<&Run>) -> String {
    run.map_or_else(|| "never started".into(), summary)
}

/// A run in a few words.
pub fn summary(run: &Run) -> String {
    let since = local(run.started);
    let started = |how: &str| list([how.to_owned(), format!("started on {since}"), duration(run)]);
    match run.state {
        State::Starting | State::Started => format!("running since {since}"),
        State::Handing => format!("it may have been handed to DSM on {since}"),
        State::Handed => format!("handed to DSM on {since}"),
        State::Finished => started("finished"),
        State::Failed => started(&format!("failed, {}", end(run))),
        State::TimedOut => started("ended at its time limit"),
        State::Stopped => started("stopped"),
        State::Interrupted => format!("interrupted, {}, started on {since}", end(run)),
        State::NotStarted => format!("not started on {since}, reference {}", run.run),
    }
}

/// Returns true while a run of ours runs; of what was handed to DSM the end may never be told.
pub fn is_running(run: &Run) -> bool {
    matches!(run.state, State::Starting | State::Started)
}

fn list<const N: usize>(parts: [String; N]) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}

fn end(run: &Run) -> String {
    match (run.state, run.exit, run.signal) {
        (State::TimedOut, ..) => "ended at its time limit".into(),
        (State::Stopped, ..) => "stopped".into(),
        (_, Some(code), _) => format!("exit code {code}"),
        (_, None, Some(signal)) => format!("signal {signal}"),
        (_, None, None) => "its keeper was killed".into(),
    }
}

fn duration(run: &Run) -> String {
    match run.duration_ms {
        Some(ms) => format!("{}.{:03} s", ms / 1000, ms % 1000),
        None => String::new(),
    }
}

/// A time as an answer shows it.
pub fn local(ms: u64) -> String {
    time(ms).map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// A record's time.
pub fn time(ms: u64) -> Option<DateTime<Local>> {
    Some(DateTime::from_timestamp_millis(ms.try_into().ok()?)?.with_timezone(&Local))
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
        | Outcome::Newer(run)
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
