//! Steps 7 and 8: the target exists; it is recorded that it starts, and then it is started.

mod dsm;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::config::{Command, Server, Starts};
use crate::keep;
use crate::outcome::Outcome;
use crate::record::{self, State};
use crate::turn::Turn;

/// What the scheduler's programs get in all, from the first question to the start.
const DSM_TIME: Duration = Duration::from_secs(10);

/// A target that was found.
pub enum Target<'c> {
    /// A command whose program is there.
    Command(&'c Command<'c>),
    /// A task that the scheduler knows.
    Scheduled(dsm::Scheduled<'c>),
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
            dsm::find(&server.synoschedtask, *number, deadline).map(Target::Scheduled)
        }
    }
}

impl Target<'_> {
    /// Step 8, and for a command step 9: recorded durably, started, and watched for up to its `wait`.
    pub fn start(self, turn: Turn<'_>, keeper: &Path) -> Outcome {
        let Turn { runs, mut record, lock, state, magic_key, .. } = turn;
        runs.prune();
        let announced = match self {
            Target::Command(_) => runs.announce(&record.run),
            Target::Scheduled(_) => {
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
            Target::Scheduled(task) => match task.run() {
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
