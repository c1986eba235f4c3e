//! The answer to a request, and with it the request's line in log.txt.

use std::fmt::{self, Display};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::config::{Config, Glanced};
use crate::judge::{Granted, Who};
use crate::log::{Caller, Whose};
use crate::outcome::{Outcome, Run};
use crate::record::{now_ms, State};
use crate::request::{Form, Language, Request, Wish};
use crate::response::{state, About, Response};
use crate::text::Quoted;

/// Returns the neutral answer. The reason stands in the log alone.
pub fn refuse(folder: &Path, request: &Request, who: Option<Who<'_>>, why: impl Display) -> Response {
    log::warn!("refused {} {} why={why}", Whose(who), Caller(request.from));
    Response::refusal(Some(folder))
}

/// A request whose keys are proven.
pub struct Proven<'r> {
    /// The configuration at a glance.
    pub config: &'r Config<'r, Glanced>,
    /// The thing that its keys open.
    pub granted: &'r Granted<'r, Glanced>,
    /// The request.
    pub request: &'r Request,
    /// Its wish; on the panel it starts or stops the chosen task, or shows the panel.
    pub wish: Wish,
    /// The id of the task that was chosen on the panel.
    pub chosen: Option<&'r str>,
    /// The language of a page.
    pub language: Language,
    /// When it came.
    pub begun: Instant,
}

/// Returns the answer to a caller who has the keys.
pub fn log_and_answer(proven: &Proven<'_>, outcome: &Outcome) -> Response {
    let task = proven.granted.one();
    // The panel tells of the task that was chosen on it.
    let (id, told) = match outcome {
        Outcome::Panel(panel) => match &panel.chosen {
            Some((id, outcome)) => (Some(&**id), &**outcome),
            None => (None, outcome),
        },
        outcome => (task.map(|task| &*task.id).or(proven.chosen), outcome),
    };
    let reference = reference(told);
    log::log!(
        level(told, reference.as_deref()),
        "{}{}{} {} {}{} took={}ms{}",
        what(proven.wish, told),
        state(told),
        Of(id),
        Whose(Some(proven.granted.who())),
        Caller(proven.request.from),
        Ran(told.run()),
        proven.begun.elapsed().as_millis(),
        Why(told, reference.as_deref()),
    );
    let about = About {
        title: proven.config.server.title.as_deref(),
        name: task.map_or(id.unwrap_or("panel"), |task| task.shown()),
        who: proven.granted.who().label,
        may_stop: task.is_some_and(|task| task.keeping.stop),
        may_overlap: task.is_some_and(|task| proven.config.server.may_overlap(task)),
        language: proven.language,
        now: now_ms(),
        wish: proven.wish,
        method: proven.request.method,
        reference: reference.as_deref(),
    };
    // The panel is for people alone.
    let form = task.map_or(Form::Html, |_| proven.request.form);
    Response::outcome(&about, outcome, form)
}

fn level(outcome: &Outcome, reference: Option<&str>) -> log::Level {
    match outcome {
        Outcome::NotStarted { .. } | Outcome::Unknown { .. } if reference.is_some() => log::Level::Error,
        Outcome::Failed(_) => log::Level::Error,
        _ => log::Level::Info,
    }
}

/// The words before the state's: none for a start.
fn what(wish: Wish, outcome: &Outcome) -> &'static str {
    match (outcome, wish) {
        (Outcome::Again(_), _) => "shown again ",
        (Outcome::NotStopped { may: true, .. }, _) => "not stopped ",
        (Outcome::Newer(_), _) => "stop of an earlier run ",
        (Outcome::NotStopped { may: false, .. }, _) => "may not stop ",
        (Outcome::Panel(_), _) | (_, Wish::Status | Wish::Page) => "asked ",
        (Outcome::Stopped(_), _) | (_, Wish::Start) => "",
        (_, Wish::Stop) => "stop ",
    }
}

/// A word that stands in the answer and beside the reason in the log: the run's name, where there is a record of it.
fn reference(outcome: &Outcome) -> Option<String> {
    match (outcome, outcome.run()) {
        (_, Some(run)) if run.state == State::NotStarted => Some(run.run.clone()),
        (Outcome::NotStarted { .. } | Outcome::Unknown { .. }, _) => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Some(format!("{:x}-{:x}", now.as_millis(), std::process::id()))
        }
        _ => None,
    }
}

/// ` task=`, where it is about one.
struct Of<'a>(Option<&'a str>);

impl Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |id| write!(f, " task={}", Quoted(id.as_bytes())))
    }
}

/// ` run=`, and how it ended.
struct Ran<'a>(Option<&'a Run>);

impl Display for Ran<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(run) = self.0 else { return Ok(()) };
        write!(f, " run={}", run.run)?;
        match (run.exit, run.signal) {
            (Some(exit), _) => write!(f, " exit={exit}"),
            (None, Some(signal)) => write!(f, " signal={signal}"),
            (None, None) => Ok(()),
        }
    }
}

/// ` reference=` and ` why=`, where something has one.
struct Why<'a>(&'a Outcome, Option<&'a str>);

impl Display for Why<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reference) = self.1 {
            write!(f, " reference={reference}")?;
        }
        match self.0 {
            Outcome::NotStarted { step, reason, .. } => write!(f, " why={step} {}", Quoted(reason.as_bytes())),
            Outcome::Unknown { reason } | Outcome::Busy { reason, .. } => {
                write!(f, " why={}", Quoted(reason.as_bytes()))
            }
            Outcome::Cooling { retry_after, .. } => write!(f, " why=\"again in {retry_after} s\""),
            _ => Ok(()),
        }
    }
}
