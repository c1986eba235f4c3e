//! The numbered steps of a start at which it can fail. The log, a run's record, SECURITY.md and the tests name them by
//! these numbers.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! steps {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// A step at which a start can fail. Steps 3 to 5 have none here: their failure is the one constant answer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "Cow<str>", into = "&'static str")]
        pub enum Step {
            $($(#[doc = $doc])+ $name,)+
            /// One of another version's.
            Unknown,
        }

        impl Step {
            /// All of them, in their order.
            pub const ALL: &'static [Step] = &[$(Step::$name,)+];

            /// Returns its number, as a row of SECURITY.md has it.
            pub fn number(self) -> &'static str {
                match self {
                    $(Step::$name => $number,)+
                    Step::Unknown => "?",
                }
            }

            fn of(number: &str) -> Step {
                match number {
                    $($number => Step::$name,)+
                    _ => Step::Unknown,
                }
            }
        }
    };
}

steps! {
    /// sudo, which did not let the root half run.
    Sudo = "sudo",
    /// Signals are not ignored any more.
    Signals = "0a",
    /// The folder that it works in is `/`.
    WorkingFolder = "0c",
    /// Root's usual limits.
    Limits = "0d",
    /// Its own priority, and place before the out-of-memory killer.
    Priority = "0e",
    /// A session of its own.
    OwnSession = "0g",
    /// Its own timer slack.
    TimerSlack = "0h",
    /// Root's group alone.
    Groups = "0i",
    /// No arguments.
    NoArguments = "1a",
    /// The user that it belongs to.
    OwnUser = "1b",
    /// The folders above.
    FoldersAbove = "2a",
    /// Its folder.
    OwnFolder = "2b",
    /// config.json.
    Configuration = "2c",
    /// state/.
    StateFolder = "2d",
    /// The keeper's program.
    KeepersProgram = "2e",
    /// The task's turn.
    Turn = "6a",
    /// The task's runs are listed and read.
    RunsListed = "6m",
    /// The scheduler knows the task.
    ScheduledTask = "7a",
    /// The program of a command or a script is there.
    Program = "7b",
    /// DSM's program is there.
    DsmsProgram = "7c",
    /// The script comes out of the scheduler's store.
    Store = "7d",
    /// The script's owner is one whom the root half can become.
    ScriptsOwner = "7e",
    /// DSM knows the triggered task.
    TriggeredTask = "7f",
    /// The start is recorded.
    Recorded = "8a",
    /// DSM takes it.
    HandOver = "8b",
    /// The folder of scripts.
    ScriptsFolder = "8e",
    /// The script's own file.
    ScriptsFile = "8f",
    /// The keeper starts it.
    Keeper = "8i",
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

impl From<Cow<'_, str>> for Step {
    fn from(number: Cow<'_, str>) -> Step {
        Step::of(&number)
    }
}

impl From<Step> for &'static str {
    fn from(step: Step) -> &'static str {
        step.number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_stands_in_the_table_of_checks() {
        let table = include_str!("../SECURITY.md");
        for step in Step::ALL.iter().filter(|step| **step != Step::Sudo) {
            assert!(table.contains(&format!("\n| {step} | ")), "SECURITY.md has no row {step} ({step:?})");
        }
    }

    #[test]
    fn a_step_of_another_version_is_read() {
        let read = |text: &str| serde_json::from_str::<Step>(text).expect("a step");
        assert_eq!((read("\"7f\""), read("\"8\""), read("\"\"")), (Step::TriggeredTask, Step::Unknown, Step::Unknown));
        for step in Step::ALL {
            assert_eq!(read(&serde_json::to_string(step).expect("JSON")), *step);
        }
    }
}
