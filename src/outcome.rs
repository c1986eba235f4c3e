//! What became of a request whose keys are right: one variant a row of the answers' table.

use serde::{Deserialize, Serialize};

use crate::record::{Record, State};

/// The outcome. The root half makes it; `Unknown`, and `NotStarted` where root was not reached, the
/// web half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// Started, and still running after `wait`; or handed to DSM. 202.
    Started(Run),
    /// Ended well within `wait`. 200.
    Finished(Run),
    /// Ended badly within `wait`, or its keeper was killed meanwhile. 500.
    Failed(Run),
    /// It could not be started. 500.
    NotStarted {
        /// The numbered step that failed, as in SECURITY.md.
        step: String,
        /// Why, for the log.
        reason: String,
    },
    /// Nobody knows whether it was started. 500.
    Unknown {
        /// Why, for the log.
        reason: String,
    },
    /// It runs already, and may not run twice at a time. 409.
    Running(Run),
    /// As many run as may. 429.
    Busy {
        /// When to try again, in seconds.
        retry_after: u32,
        /// Which ceiling, for the log.
        reason: String,
    },
    /// A browser asks again a moment after a start, and is shown that run; nothing was started.
    Again(Run),
    /// The last run, if there was one; nothing was started. 200.
    Last {
        /// The run.
        run: Option<Run>,
    },
}

/// What a caller may know of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its name.
    pub run: String,
    /// When it started, in milliseconds since 1970.
    pub started: u64,
    /// How far it has come.
    pub state: State,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Its exit code.
    pub exit: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl From<&Record> for Run {
    fn from(record: &Record) -> Run {
        Run {
            run: record.run.clone(),
            started: record.started,
            state: record.state,
            duration_ms: record.duration_ms,
            exit: record.exit,
            signal: record.signal,
        }
    }
}

impl Outcome {
    /// The outcome of a start whose record stands like this when the answer is due.
    pub fn of_start(record: &Record) -> Outcome {
        let run = Run::from(record);
        match record.state {
            State::Starting | State::Started | State::Handing | State::Handed => Outcome::Started(run),
            State::Finished => Outcome::Finished(run),
            State::Failed | State::Interrupted => Outcome::Failed(run),
            State::NotStarted => Outcome::NotStarted { step: "8".into(), reason: "it could not be started".into() },
        }
    }

    /// The run it tells of.
    pub fn run(&self) -> Option<&Run> {
        match self {
            Outcome::Started(run)
            | Outcome::Finished(run)
            | Outcome::Failed(run)
            | Outcome::Running(run)
            | Outcome::Again(run) => Some(run),
            Outcome::Last { run } => run.as_ref(),
            Outcome::NotStarted { .. } | Outcome::Unknown { .. } | Outcome::Busy { .. } => None,
        }
    }

    /// A start that failed at a numbered step.
    pub fn not_started(step: &str, reason: impl ToString) -> Outcome {
        Outcome::NotStarted { step: step.into(), reason: reason.to_string() }
    }
}
