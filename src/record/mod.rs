//! The record of a task's runs, in `state/`: one folder a task, and in it a record a run.
//!
//! `<run>.json` is the record, replaced as a whole. A command's `<run>.lock` is there from before the
//! start to after the end, and its keeper holds a lock (flock(2)) on it: a run is alive while that lock
//! is held, or while the process recorded for it lives, so a killed keeper does not make a second run
//! possible; and at its very beginning, while its keeper may not have come so far. `<run>.out` is the
//! last of what a command wrote, `<run>.stop` a caller's wish that it ends; `<run>.told` says that a run whose end the full
//! disk did not take has been reported. `report.0` to `report.3` are locked by reports under way. `used/` has a file for each magic key that ever started something, whose
//! time is when it last did. Nobody but the root half's user can open anything here.

mod ends; // the wish for an end, and ends that no keeper could record
mod runs; // a task's folder
mod uses; // when a key last started something

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::child::{boot, End};
use crate::step::Step;
use crate::tree::Process;
pub use runs::{alive_in_all, history, sweep, Runs, KEPT, TAIL};
pub use uses::{forget_use, last_use, note_use};

/// A keeper that has not taken its lock by then never will.
const BEGINNING: Duration = Duration::from_secs(60);

/// A run as its record has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The task's id.
    pub task: String,
    /// The run's name: its start in milliseconds since 1970, in hex, or more if the clock was set
    /// back, so that names sort in the order of the starts.
    pub run: String,
    /// The caller who started it: the magic key's label or number.
    pub who: String,
    /// The fingerprint of the magic key: two people may have one label.
    #[serde(default)]
    pub key: String,
    /// When, in milliseconds since 1970.
    pub started: u64,
    /// Its state.
    pub state: State,
    /// Its duration in milliseconds, by a clock that nobody sets.
    pub duration_ms: Option<u64>,
    /// Its exit code, once it has ended.
    pub exit: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Its end, in milliseconds since 1970.
    pub ended: Option<u64>,
    /// The numbered step at which it could not be started, and why.
    pub fault: Option<(Step, String)>,
    /// The boot it belongs to.
    pub boot: String,
    /// The command's first process.
    pub process: Option<Process>,
    /// Its keeper.
    pub keeper: Option<Process>,
    /// The pipes that its command's output goes into, as the kernel numbers them.
    #[serde(default)]
    pub outputs: Vec<u64>,
    /// True where its keeper left the web server's control group, none where it was in none.
    pub left_cgroup: Option<bool>,
    /// True where its failure was not reported to the owner: as many reports as may were under way, or it could not start.
    #[serde(default)]
    pub unreported: bool,
    /// For a task that is handed to DSM: DSM's word for its last run before this one.
    pub dsm_before: Option<String>,
}

/// The states of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is about to start.
    Starting,
    /// It has started.
    Started,
    /// It is being handed to DSM; whether it was may never be known.
    Handing,
    /// It was handed to DSM, which alone knows its end.
    Handed,
    /// It ended well.
    Finished,
    /// It ended badly.
    Failed,
    /// It was ended because its time limit was over.
    TimedOut,
    /// It was ended because a caller asked for it.
    Stopped,
    /// Its keeper was killed before it ended. Found when the record is read, and recorded by the next call of the task.
    Interrupted,
    /// It could not be started.
    NotStarted,
}

impl Record {
    /// A run that is about to start now, after the run `newest`.
    pub fn new(task: &str, who: String, newest: Option<&str>) -> Record {
        let started = now_ms();
        let after = newest.map_or(0, |newest| number(newest) + 1);
        let mut record = Record::damaged(&format!("{:012x}", started.max(after)));
        record.started = started;
        record.task = task.to_owned();
        record.who = who;
        record.boot = boot();
        record
    }

    /// A run of which the name alone is known.
    fn damaged(run: &str) -> Record {
        Record {
            task: String::new(),
            run: run.to_owned(),
            who: String::new(),
            key: String::new(),
            started: number(run),
            state: State::Starting,
            duration_ms: None,
            exit: None,
            signal: None,
            ended: None,
            fault: None,
            boot: String::new(),
            process: None,
            keeper: None,
            outputs: Vec::new(),
            left_cgroup: None,
            unreported: false,
            dsm_before: None,
        }
    }

    /// Notes the end.
    pub fn ended(&mut self, end: End, duration_ms: u64) {
        self.state = if end.exit == Some(0) { State::Finished } else { State::Failed };
        (self.exit, self.signal, self.duration_ms) = (end.exit, end.signal, Some(duration_ms));
        self.ended = Some(now_ms());
    }

    /// Returns true for a run that has no recorded end, though a keeper was to see it.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Starting | State::Started)
    }

    /// Notes that it was stopped, where its keeper could not.
    pub fn stopped(&mut self) {
        self.state = State::Stopped;
        self.ended.get_or_insert_with(now_ms);
    }

    /// Returns true unless it could not be started.
    pub fn was_started(&self) -> bool {
        self.state != State::NotStarted
    }

    /// Returns true where the magic key of this fingerprint started it. Older records have only the label.
    pub fn is_by(&self, key: &str, who: &str) -> bool {
        match self.key.is_empty() {
            true => self.who == who,
            false => self.key == key,
        }
    }

    /// Returns true while its keeper may still be on its way to the lock.
    fn begins(&self) -> bool {
        self.state == State::Starting && self.boot == boot() && self.is_younger_than(BEGINNING)
    }

    /// Returns true where it started less than `age` ago. A start in the future is the clock's fault, and did not.
    pub fn is_younger_than(&self, age: Duration) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.checked_sub(Duration::from_millis(self.started)).is_some_and(|since| since < age)
    }

    /// Returns true unless its recorded process is known to have gone.
    fn process_may_live(&self) -> bool {
        let this_boot = boot();
        let is_of_this_boot = this_boot.is_empty() || self.boot == this_boot; // 6m
        is_of_this_boot && self.process.is_some_and(|process| process.may_live())
    }
}

/// The number that a run's name is, by which runs are in order; 0 for no run's name, as for that of none.
pub fn number(run: &str) -> u64 {
    let is_name = (1..=15).contains(&run.len()) && run.bytes().all(|b| b.is_ascii_hexdigit());
    is_name.then(|| u64::from_str_radix(run, 16).ok()).flatten().unwrap_or(0)
}

/// The time of day, in milliseconds since 1970.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64)
}

/// Opens a file of the root half's own to write it anew. A link is not followed, and a pipe not waited for.
fn private(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(flags).open(path)
}
