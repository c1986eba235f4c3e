//! Steps 7 and 8: the target exists; it is recorded that it starts, and then it is started.

pub mod synoschedtask;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::child::{Gathered, Trouble};
use crate::config::{Command, Server, Starts};
use crate::keep;
use crate::outcome::Outcome;
use crate::record::{self, State};
use crate::text::{cut, Quoted};
use crate::turn::Turn;
pub use synoschedtask::{get, list, Listed};

/// What the scheduler's programs get in all, from the first question to the start.
const DSM_TIME: Duration = Duration::from_secs(10);

/// A target that was found.
pub enum Target<'c> {
    /// A command whose program is there.
    Command(&'c Command<'c>),
    /// A task that the scheduler knows.
    Scheduled {
        /// The scheduler's program.
        program: &'c str,
        /// The task.
        task: Listed,
        /// When DSM's time is over.
        deadline: Instant,
    },
}

/// Step 7: the scheduler knows the number; the program is there.
pub fn find<'c>(starts: &'c Starts<'c>, server: &'c Server<'c>) -> Result<Target<'c>, Outcome> {
    match starts {
        Starts::Command(command) => {
            let program = Path::new(&*command.argv[0]);
            match std::fs::metadata(program) {
                Ok(file) if file.is_file() && file.permissions().mode() & 0o111 != 0 => Ok(Target::Command(command)),
                Ok(_) => Err(Outcome::not_started("7b", format!("{} is not an executable file", program.display()))),
                Err(e) => Err(Outcome::not_started("7b", format!("{}: {e}", program.display()))),
            }
        }
        Starts::Scheduled(number) => {
            let deadline = Instant::now() + DSM_TIME;
            let program = &*server.synoschedtask;
            synoschedtask::find(program, *number, deadline).map(|task| Target::Scheduled { program, task, deadline })
        }
    }
}

impl Target<'_> {
    /// What would be started, for the owner.
    pub fn describe(&self) -> String {
        match self {
            Target::Command(command) => format!("the command {}", command.argv[0]),
            Target::Scheduled { task, .. } => format!("task {} of the Task Scheduler, {}", task.id, task.name),
        }
    }

    /// Step 8, and for a command step 9: recorded durably, started, and watched for up to its `wait`.
    pub fn start(self, turn: Turn<'_>, keeper: &Path) -> Outcome {
        let Turn { runs, mut record, lock, state, magic_key, .. } = turn;
        runs.prune();
        let announced = match self {
            Target::Command(_) => runs.announce(&record.run),
            Target::Scheduled { .. } => {
                record.state = State::Handing;
                Ok(())
            }
        };
        if let Err(e) = announced.and_then(|()| runs.write_durably(&record)) {
            runs.release(&record.run);
            return Outcome::not_started("8a", format!("{}: {e}", runs.folder().display()));
        }
        record::note_use(&state, &magic_key);
        let outcome = match self {
            Target::Command(command) => match keep::start(keeper, runs.folder(), &record, &command.argv) {
                Ok(kept) => {
                    drop(lock);
                    return kept.outcome(&runs, Duration::from_secs(command.wait));
                }
                Err(outcome) => outcome,
            },
            Target::Scheduled { program, task, deadline } => match hand_over(program, &task, deadline) {
                Ok(()) => {
                    record.state = State::Handed;
                    Outcome::of_start(&record)
                }
                Err(outcome) => outcome,
            },
        };
        if matches!(outcome, Outcome::NotStarted { .. }) {
            record.state = State::NotStarted;
            runs.release(&record.run);
        }
        // Where nobody knows, the record stands as it is: it may be the keeper's by now. And what was
        // handed to DSM is handed, whether or not the disk takes the note.
        if !matches!(outcome, Outcome::Unknown { .. }) {
            let _ = runs.write_durably(&record);
        }
        outcome
    }
}

fn hand_over(program: &str, task: &Listed, deadline: Instant) -> Result<(), Outcome> {
    let words: &[&str] = if task.enabled { &["check_time=0"] } else { &["check_time=0", "check_status=0"] };
    synoschedtask::run(program, task.id, words, deadline)
}

/// Why one of DSM's programs gave no result.
fn said(program: &str, what: &str, trouble: Trouble) -> String {
    match trouble {
        Trouble::Start(e) => format!("{program}: {e}"),
        Trouble::Late(after) => format!("{program} {what} had not ended after {:.0} s", after.as_secs_f64()),
    }
}

/// How it ended, and its first words.
fn summary(answer: &Gathered) -> String {
    let first = |output: &[u8]| cut(output.trim_ascii().split(|&b| b == b'\n').next().unwrap_or_default()).to_owned();
    let words = match first(&answer.stderr) {
        words if words.is_empty() => first(&answer.stdout),
        words => words,
    };
    match (answer.end.exit, answer.end.signal) {
        (Some(code), _) => format!("exit {code}, {}", Quoted(&words)),
        (_, signal) => format!("killed by signal {}, {}", signal.unwrap_or(0), Quoted(&words)),
    }
}
