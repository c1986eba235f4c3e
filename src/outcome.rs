//! The outcome of a request whose keys are right: one variant a row of the answers' table.

use serde::{Deserialize, Serialize};

use crate::record::{Record, Runs, State};
use crate::step::Step;
use crate::text::beginning;

/// The longest reason of a start that failed, in bytes: records and replies have room for it, whatever an owner wrote.
const REASON_MAX: usize = 1 << 10;

/// The outcome. The root half makes it; `Unknown`, and `NotStarted` where root was not reached, the
/// web half.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// Started, and still running after `wait`; or handed to DSM. 202.
    Started(Run),
    /// Ended well within `wait`. 200.
    Finished(Run),
    /// Ended badly within `wait`, was stopped, ran into its time limit, or its keeper was killed meanwhile. 500.
    Failed(Run),
    /// It could not be started. 500.
    NotStarted {
        /// The numbered step that failed, as in SECURITY.md.
        step: Step,
        /// Why, for the log.
        reason: String,
        /// The run under which that is recorded, where it could be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run: Option<Box<Run>>,
    },
    /// Nobody knows whether it was started. 500.
    Unknown {
        /// Why, for the log.
        reason: String,
    },
    /// It runs already, and may not run twice at a time. 409.
    Running(Run),
    /// It was started too short a time ago. 429.
    Cooling {
        /// The run that was started then.
        run: Run,
        /// The time after which to try again, in seconds.
        retry_after: u32,
    },
    /// As many run as may. 429.
    Busy {
        /// The time after which to try again, in seconds.
        retry_after: u32,
        /// The ceiling that was reached, for the log.
        reason: String,
    },
    /// A browser asks again a moment after a start, or a form was sent twice: that run is shown; nothing was started.
    Again(Run),
    /// The last run, if there was one; nothing was started. 200.
    Last {
        /// The run.
        run: Option<Run>,
    },
    /// It was stopped. 200.
    Stopped(Run),
    /// A stop that stopped nothing: its callers may not stop this task (409), or it does not run (200).
    NotStopped {
        /// True if its callers may stop it.
        may: bool,
        /// The last run.
        run: Option<Run>,
    },
    /// A form asked to stop a run that is over; this one began since, and was not stopped. 409.
    Newer(Run),
    /// The tasks that this caller may start. 200.
    Panel(Panel),
}

/// The panel: the tasks that a magic key may start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panel {
    /// As many tasks as an answer can hold, in the file's order.
    pub tasks: Vec<PanelTask>,
    /// The number of tasks beyond those.
    pub more: usize,
    /// The id of the task that this request chose, and what became of it.
    pub chosen: Option<(String, Box<Outcome>)>,
}

/// A task on the panel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PanelTask {
    /// Its id.
    pub id: String,
    /// Its name for callers.
    pub name: String,
    /// Its last run.
    pub run: Option<Run>,
    /// True if its callers may stop it.
    #[serde(default)]
    pub may_stop: bool,
    /// True where a run does not stand against another start.
    #[serde(default)]
    pub may_overlap: bool,
}

/// The facts of a run that a caller may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its name.
    pub run: String,
    /// When it started, in milliseconds since 1970.
    pub started: u64,
    /// Its state.
    pub state: State,
    /// Its duration, in milliseconds.
    pub duration_ms: Option<u64>,
    /// Its exit code.
    pub exit: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its end, in milliseconds since 1970.
    pub ended: Option<u64>,
    /// The last lines of its output, where the task has `output`.
    pub output: Option<Box<str>>,
    /// The task's runs so far, where a page asks.
    #[serde(default, skip_serializing_if = "Past::is_empty")]
    pub past: Box<Past>,
}

/// A task's runs as a page tells of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Past {
    /// The median duration of those that ended well, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usual_ms: Option<u64>,
    /// Those that are recorded, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Short>,
}

/// A run, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Short {
    /// Its state.
    pub state: State,
    /// Its duration, in milliseconds.
    pub duration_ms: Option<u64>,
}

impl Past {
    /// The past that these records, the newest first, tell of.
    pub fn of(records: impl Iterator<Item = Record>) -> Past {
        let short = |record: Record| Short { state: record.state, duration_ms: record.duration_ms };
        let mut runs: Vec<Short> = records.map(short).collect();
        runs.reverse();
        let well = runs.iter().filter(|run| run.state == State::Finished);
        let mut durations: Vec<u64> = well.filter_map(|run| run.duration_ms).collect();
        durations.sort_unstable();
        Past { usual_ms: durations.get(durations.len() / 2).copied(), runs }
    }

    fn is_empty(&self) -> bool {
        *self == Past::default()
    }
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
            ended: record.ended,
            output: None,
            past: Box::default(),
        }
    }
}

/// The run that an outcome tells of, by these methods of `Option`: a shared or a mutable borrow, like the outcome's.
macro_rules! run_of {
    ($outcome:expr, $option:ident, $boxed:ident) => {
        match $outcome {
            Outcome::Started(run)
            | Outcome::Finished(run)
            | Outcome::Failed(run)
            | Outcome::Running(run)
            | Outcome::Cooling { run, .. }
            | Outcome::Stopped(run)
            | Outcome::Newer(run)
            | Outcome::Again(run) => Some(run),
            Outcome::Last { run } | Outcome::NotStopped { run, .. } => run.$option(),
            Outcome::NotStarted { run, .. } => run.$boxed(),
            Outcome::Unknown { .. } | Outcome::Busy { .. } | Outcome::Panel(_) => None,
        }
    };
}

impl Outcome {
    /// The outcome of a start whose record stands like this when the answer is due.
    pub fn of_start(record: &Record) -> Outcome {
        let run = Run::from(record);
        match record.state {
            State::Starting | State::Started | State::Handing | State::Handed => Outcome::Started(run),
            State::Finished => Outcome::Finished(run),
            State::Failed | State::Interrupted | State::TimedOut | State::Stopped => Outcome::Failed(run),
            State::NotStarted => {
                let (step, reason) = record.fault.clone().unwrap_or((Step::Unknown, String::new()));
                Outcome::NotStarted { step, reason, run: Some(Box::new(run)) }
            }
        }
    }

    /// The run it tells of.
    pub fn run(&self) -> Option<&Run> {
        run_of!(self, as_ref, as_deref)
    }

    /// The same, to add something.
    pub fn run_mut(&mut self) -> Option<&mut Run> {
        run_of!(self, as_mut, as_deref_mut)
    }

    /// A look or a stop where the task's runs cannot be listed: nobody knows.
    pub fn unlisted(runs: &Runs, why: &std::io::Error) -> Outcome {
        Outcome::Unknown { reason: format!("{}: {why}", runs.folder().display()) }
    }

    /// A start that failed at a numbered step.
    pub fn not_started(step: Step, reason: impl ToString) -> Outcome {
        let reason = beginning(&reason.to_string(), REASON_MAX).to_owned();
        Outcome::NotStarted { step, reason, run: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_bounded_and_ends_with_a_whole_character() {
        for (reason, expected) in
            [("short".to_owned(), 5), ("x".repeat(1 << 20), 1024), (format!("x{}", "ü".repeat(600)), 1023)]
        {
            let Outcome::NotStarted { reason, .. } = Outcome::not_started(Step::Program, reason) else {
                panic!("no such outcome")
            };
            assert_eq!(reason.len(), expected);
        }
    }
}
