//! The keeper: stays with a command, or a scheduled task's script, until it has ended, so that no web request has to.
//!
//! `remotetask-run` gives it a job on its stdin and reads two words from its stdout: that the command
//! has started (or could not be), and that it has ended. It holds the run's lock, reads the
//! command's output away and keeps the last of it, ends it where its time is over or a caller wants that, and
//! records the end.

mod failure; // the owner's command after a run that failed
mod keeper; // remotetask-keep itself
mod output; // the last of a command's output

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::config::{Keeping, Server};
use crate::outcome::{Outcome, Run};
use crate::record::{Record, Runs, State};
use crate::step::Step;
use crate::streams::{self, Lines, NoLine};
use crate::trust::Home;
pub use failure::{not_started, settle, Starting};
pub use keeper::keep;
pub use output::last_lines;

/// The longest job: the configuration's largest command, escaped.
const JOB_MAX: usize = 8 << 20;
const WORD_MAX: usize = 64 << 10;
/// How long the start of a program may take, before nobody knows.
const START_TIME: Duration = Duration::from_secs(10);

/// The work of a keeper. One of the version before has less of it.
#[derive(Serialize, Deserialize)]
struct Job {
    /// The task's folder in `state/`, and in it the run.
    state: PathBuf,
    record: Record,
    /// The command; empty where nothing but the report of a failure is to be done.
    argv: Vec<String>,
    /// The script file to delete when the run ends.
    script: Option<PathBuf>,
    /// The run's lock is held already, by the open file that is the keeper's stderr.
    #[serde(default)]
    held: bool,
    /// The time after which the run is ended, in seconds.
    #[serde(default)]
    timeout: Option<u64>,
    /// The last of its output is wanted while it runs.
    #[serde(default)]
    output: bool,
    #[serde(default)]
    report: Option<Report>,
}

/// The owner's command after a run that failed.
#[derive(Clone, Serialize, Deserialize)]
struct Report {
    argv: Vec<String>,
    /// The task's name.
    name: String,
}

impl Report {
    fn of(server: &Server<'_>, name: &str) -> Option<Report> {
        let argv = server.on_failure.as_ref()?.iter().map(|word| word.to_string()).collect();
        Some(Report { argv, name: name.to_owned() })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Started,
    NotStarted(String),
    Ended(Box<Record>),
}

// ---- the side of remotetask-run ---------------------------------------------------------------

/// A run that a keeper is to start and stay with.
pub struct Order<'a> {
    /// The installation.
    pub home: &'a Home,
    /// The fields of `server`.
    pub server: &'a Server<'a>,
    /// The way in which the run is kept.
    pub keeping: &'a Keeping,
    /// The task's name.
    pub name: &'a str,
    /// The task's runs.
    pub runs: &'a Runs,
    /// The run.
    pub record: &'a Record,
}

/// A started command, as long as the answer may wait for it.
pub struct Kept {
    run: String,
    // Dropping it neither kills the keeper nor waits for it.
    _keeper: Child,
    words: Lines<ChildStdout>,
}

impl Order<'_> {
    /// Step 8: starts the keeper, and through it the command; it has started when this returns. The keeper inherits the
    /// hold on the run, so that there is no moment in which nobody has it.
    pub fn start(&self, argv: &[impl AsRef<str>], script: Option<&Path>, held: Option<File>) -> Result<Kept, Outcome> {
        let program = self.home.keeper();
        let job = Job {
            state: self.runs.folder().to_owned(),
            record: self.record.clone(),
            argv: argv.iter().map(|word| word.as_ref().to_owned()).collect(),
            script: script.map(Path::to_owned),
            held: held.is_some(),
            timeout: self.keeping.timeout,
            output: self.keeping.output,
            report: Report::of(self.server, self.name),
        };
        let fault = |e: io::Error| Outcome::not_started(Step::Keeper, format!("{}: {e}", program.display()));
        let mut keeper = give(&program, &job, Stdio::piped(), held).map_err(fault)?;
        let words =
            keeper.stdout.take().ok_or_else(|| Outcome::not_started(Step::Keeper, "the keeper has no pipes"))?;
        let mut words = Lines::new(words);
        match word(&mut words, START_TIME) {
            Ok(Word::Started) => Ok(Kept { run: self.record.run.clone(), _keeper: keeper, words }),
            Ok(Word::NotStarted(reason)) => Err(Outcome::not_started(Step::Keeper, reason)),
            Ok(Word::Ended(_)) => Err(unknown("the keeper says that it ended, but not that it started")),
            Err(NoLine::Late) => Err(unknown("the command has not started within 10 s")),
            Err(why) => Err(unknown(&format!("the keeper ended before it said anything: {why:?}"))),
        }
    }
}

fn unknown(reason: &str) -> Outcome {
    Outcome::Unknown { reason: reason.into() }
}

/// Starts a keeper with this job, which inherits a locked file: as its stderr, the one place where a program of safe Rust can
/// find it. Nothing writes there, and the command gets a stderr of its own.
fn give(program: &Path, job: &Job, stdout: Stdio, locked: Option<File>) -> io::Result<Child> {
    let mut line = serde_json::to_vec(job)?;
    line.push(b'\n');
    let mut command = Command::new(program);
    let stderr = locked.map_or_else(Stdio::null, Stdio::from);
    let mut keeper = command.env_clear().stdin(Stdio::piped()).stdout(stdout).stderr(stderr).spawn()?;
    let stdin = keeper.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
    streams::write_all(&stdin, &line)?;
    Ok(keeper)
}

impl Kept {
    /// Step 9 as far as the caller waits: how the record stands at the end, or after `wait`.
    pub fn outcome(mut self, runs: &Runs, wait: Duration) -> Outcome {
        let ended = match wait {
            Duration::ZERO => Err(NoLine::Late),
            wait => word(&mut self.words, wait),
        };
        if let Ok(Word::Ended(record)) = ended {
            return Outcome::of_start(&record);
        }
        match (ended, runs.get(&self.run)) {
            (Err(NoLine::Late), Some(record)) => Outcome::of_start(&record),
            // A keeper that was killed says nothing more, whether or not its command lives on.
            (_, Some(record)) => match Outcome::of_start(&record) {
                Outcome::Started(run) => Outcome::Failed(Run { state: State::Interrupted, ..run }),
                outcome => outcome,
            },
            (_, None) => Outcome::Unknown { reason: "the run's record has gone".into() },
        }
    }
}

fn word(words: &mut Lines<ChildStdout>, time: Duration) -> Result<Word, NoLine> {
    let line = words.next(WORD_MAX, Instant::now() + time)?;
    serde_json::from_slice(&line).map_err(|_| NoLine::Ended(line.len()))
}
