//! The keeper: stays with a command, or a scheduled task's script, until it has ended, so that no web request has to.
//!
//! `remotetask-run` gives it a job on its stdin and reads two words from its stdout: that the command
//! has started (or could not be), and that it has ended. It holds the run's lock, reads the
//! command's output away and keeps the last of it, and records the end.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{flock, FlockOperation, Mode};
use rustix::process::{getpid, set_child_subreaper, setsid, umask};
use serde::{Deserialize, Serialize};

use crate::child::{Process, Seen, Watched};
use crate::outcome::{Outcome, Run};
use crate::record::{Record, Runs, State};
use crate::streams::{self, Lines, NoLine};

/// What is kept of a command's output, of both streams together as they came: the last bytes.
pub const TAIL: usize = 64 << 10;

/// The longest job: the configuration's largest command, escaped.
const JOB_MAX: usize = 8 << 20;
const WORD_MAX: usize = 64 << 10;
/// How long the start of a program may take, before nobody knows.
const START_TIME: Duration = Duration::from_secs(10);

#[derive(Serialize, Deserialize)]
struct Job {
    /// The folder `state/`, and in it the run.
    state: PathBuf,
    record: Record,
    argv: Vec<String>,
    /// The script file to delete when the run ends.
    script: Option<PathBuf>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Started,
    NotStarted(String),
    Ended(Box<Record>),
}

// ---- the side of remotetask-run ---------------------------------------------------------------

/// A started command, as long as the answer may wait for it.
pub struct Kept {
    run: String,
    // Dropping it neither kills the keeper nor waits for it.
    _keeper: Child,
    words: Lines<ChildStdout>,
}

/// Step 8: starts the keeper, and through it the command; it has started when this returns.
pub fn start(
    program: &Path,
    state: &Path,
    record: &Record,
    argv: &[impl AsRef<str>],
    script: Option<&Path>,
) -> Result<Kept, Outcome> {
    let argv = argv.iter().map(|word| word.as_ref().to_owned()).collect();
    let job = Job { state: state.to_owned(), record: record.clone(), argv, script: script.map(Path::to_owned) };
    let fault = |e: std::io::Error| Outcome::not_started("8", format!("{}: {e}", program.display()));
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut keeper = command.spawn().map_err(fault)?;
    let (Some(stdin), Some(words)) = (keeper.stdin.take(), keeper.stdout.take()) else {
        return Err(Outcome::not_started("8", "the keeper has no pipes"));
    };
    let mut line = serde_json::to_vec(&job).map_err(|e| fault(e.into()))?;
    line.push(b'\n');
    let told = streams::write_all(&stdin, &line);
    drop(stdin);
    let mut words = Lines::new(words);
    let word = told.map_err(fault).and_then(|()| match word(&mut words, START_TIME) {
        Ok(word) => Ok(word),
        Err(NoLine::Late) => Err(Outcome::Unknown { reason: "the command has not started within 10 s".into() }),
        Err(why) => Err(Outcome::Unknown { reason: format!("the keeper ended before it said anything: {why:?}") }),
    })?;
    match word {
        Word::Started => Ok(Kept { run: record.run.clone(), _keeper: keeper, words }),
        Word::NotStarted(reason) => Err(Outcome::not_started("8", reason)),
        Word::Ended(_) => {
            Err(Outcome::Unknown { reason: "the keeper says that it ended, but not that it started".into() })
        }
    }
}

impl Kept {
    /// Step 9 as far as the caller waits: how the record stands at the end, or after `wait`.
    pub fn outcome(mut self, runs: &Runs, wait: Duration) -> Outcome {
        let ended = match wait {
            Duration::ZERO => Err(NoLine::Late),
            wait => word(&mut self.words, wait),
        };
        match (ended, runs.get(&self.run)) {
            (Ok(Word::Ended(record)), _) => Outcome::of_start(&record),
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

// ---- the keeper's side ------------------------------------------------------------------------

/// `remotetask-keep`: one job, from its start to its end.
pub fn keep() {
    let Ok(line) = streams::read_line(rustix::stdio::stdin(), JOB_MAX, Instant::now() + START_TIME) else { return };
    let Ok(Job { state: folder, mut record, argv, script }) = serde_json::from_slice(&line) else { return };
    let runs = Runs::at(folder);

    // Nothing that ends the web server, its shell or its session ends this one.
    let _ = setsid();
    let _ = set_child_subreaper(Some(getpid()));
    record.left_cgroup = leave_service();

    let held = match runs.hold(&record.run) {
        Ok(held) => held,
        Err(e) => return tell(&Word::NotStarted(format!("{}: {e}", runs.folder().display()))),
    };
    umask(Mode::from_raw_mode(0o022));
    let begun = Instant::now();
    let started = Watched::start(argv.iter().map(String::as_str));
    umask(Mode::from_raw_mode(0o077));
    let mut watched = match started {
        Ok(watched) => watched.adopting(),
        Err(e) => return tell(&Word::NotStarted(format!("{}: {e}", argv.first().map_or("", String::as_str)))),
    };
    record.process = Process::of(watched.pid.as_raw_nonzero().get());
    record.state = State::Started;
    // If the disk refuses this, the lock still says that it runs.
    let _ = runs.write_durably(&record);
    tell(&Word::Started);

    let mut tail = Tail::default();
    loop {
        match watched.next(None, &mut |_, bytes| tail.take(bytes)) {
            Seen::Ended(end) => {
                record.ended(end, begun.elapsed().as_millis() as u64);
                record_end(&runs, &record, &tail);
                if let Some(script) = &script {
                    let _ = std::fs::remove_file(script);
                }
                runs.release(&record.run);
                let _ = flock(&held, FlockOperation::Unlock);
                tell(&Word::Ended(Box::new(record.clone())));
                close_stdout();
            }
            // What the command left running keeps its outputs: somebody has to read them away, or
            // it would be killed for writing.
            Seen::Output | Seen::Late => {}
            Seen::Quiet => return,
        }
    }
}

/// The record first: it is worth a few tries, and on a full disk more than the output of this run.
fn record_end(runs: &Runs, record: &Record, tail: &Tail) {
    for _ in 0..3 {
        if runs.write_durably(record).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let (first, second) = tail.0.as_slices();
    if runs.write_output(&record.run, &[first, second]).is_err() {
        runs.forget_output(&record.run);
    }
}

fn tell(word: &Word) {
    let mut line = serde_json::to_vec(word).unwrap_or_default();
    line.push(b'\n');
    // remotetask-run may have answered and gone.
    let _ = streams::write_all(rustix::stdio::stdout(), &line);
}

fn close_stdout() {
    if let Ok(null) = std::fs::File::options().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(null.as_fd());
    }
}

/// On a systemd DSM a restart of the web server may end all that is in its unit: leaves the unit's
/// control group where that is possible. `None` if it is in no unit's.
fn leave_service() -> Option<bool> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let in_service = |hierarchy: &str| {
        let group = groups.lines().find_map(|line| line.split_once(hierarchy).map(|(_, group)| group));
        group.is_some_and(|group| group.contains(".service"))
    };
    let root = match () {
        () if in_service(":name=systemd:") => "/sys/fs/cgroup/systemd/cgroup.procs",
        () if in_service("0::") => "/sys/fs/cgroup/cgroup.procs",
        () => return None,
    };
    Some(std::fs::write(root, getpid().as_raw_nonzero().to_string()).is_ok())
}

/// The last [`TAIL`] bytes.
#[derive(Default)]
struct Tail(VecDeque<u8>);

impl Tail {
    fn take(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(TAIL)..];
        let excess = (self.0.len() + new.len()).saturating_sub(TAIL);
        self.0.drain(..excess);
        self.0.extend(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_holds_the_last_bytes() {
        let mut tail = Tail::default();
        tail.take(b"first");
        tail.take(&vec![b'x'; TAIL - 3]);
        assert_eq!(tail.0.len(), TAIL);
        assert_eq!(tail.0.iter().take(4).copied().collect::<Vec<_>>(), b"rstx");
        tail.take(&[b'y'; TAIL + 5]);
        assert!(tail.0.len() == TAIL && tail.0.iter().all(|&b| b == b'y'));
    }
}
