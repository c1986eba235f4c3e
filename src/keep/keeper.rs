//! The keeper's side: `remotetask-keep` does one job, from its start to its end.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::fs::{flock, FlockOperation, Mode};
use rustix::process::{getpid, set_child_subreaper, setsid, umask};
use signal_hook::consts::SIGUSR1;

use super::output::Output;
use super::{failure, Job, Word, JOB_MAX, START_TIME};
use crate::child::{End, Seen, Signalled, Watched};
use crate::files::read_kernel_file;
use crate::record::{Record, Runs, State};
use crate::streams;
use crate::tree::{self, Entry, Process, Strike};

/// The time between two tries to record the start.
const AGAIN: Duration = Duration::from_secs(2);

/// `remotetask-keep`: one job, from its start to its end.
pub fn keep() {
    let Ok(line) = streams::read_line(rustix::stdio::stdin(), JOB_MAX, Instant::now() + START_TIME) else { return };
    let Ok(mut job) = serde_json::from_slice::<Job>(&line) else { return };

    // Nothing that ends the web server, its shell or its session ends this one.
    let _ = setsid();
    let _ = set_child_subreaper(Some(getpid()));
    job.record.left_cgroup = leave_service();
    match job.argv.is_empty() {
        true => failure::run(&job),
        false => match Keeper::start(job) {
            Ok(keeper) => keeper.stay(),
            Err(reason) => tell(&Word::NotStarted(reason)),
        },
    }
}

/// A keeper whose command has started.
struct Keeper {
    job: Job,
    runs: Runs,
    held: File,
    watched: Watched,
    output: Output,
    begun: Instant,
    /// The time to record the start again, where the disk did not take it.
    again: Option<Instant>,
    /// The time when it has to end.
    limit: Option<Instant>,
    /// The end that it is brought to, and how the record is to call it.
    strike: Option<(State, Strike)>,
    /// The end of its first process.
    end: Option<End>,
}

impl Keeper {
    fn start(mut job: Job) -> Result<Keeper, String> {
        let runs = Runs::at(job.state.clone());
        let held = match job.held {
            true => rustix::stdio::stderr().try_clone_to_owned().map(File::from),
            // By a remotetask-run of the version before.
            false => runs.hold(&job.record.run),
        };
        let held = held.map_err(|e| format!("{}: {e}", runs.folder().display()))?;
        // Before anybody can know of this keeper: an unhandled signal would end it.
        let called = Signalled::by(SIGUSR1).map_err(|e| e.to_string())?;
        umask(Mode::from_raw_mode(0o022));
        let begun = Instant::now();
        let started = Watched::start_with(
            job.argv.iter().map(String::as_str),
            &[],
            &tree::marks(&job.record.task, &job.record.run),
        );
        umask(Mode::from_raw_mode(0o077));
        let watched = started.map_err(|e| format!("{}: {e}", job.argv.first().map_or("", String::as_str)))?;
        let record = &mut job.record;
        record.process = Process::of(watched.pid.as_raw_nonzero().get());
        record.keeper = Process::of(getpid().as_raw_nonzero().get());
        record.outputs = watched.pipes();
        record.state = State::Started;
        // If the disk refuses this, the lock still says that it runs; but without its processes in the record, nobody could
        // find them once this keeper was killed.
        let again = record_start(&runs, record);
        tell(&Word::Started);
        let watched = watched.adopting().listening(called);
        let limit = job.timeout.and_then(|seconds| begun.checked_add(Duration::from_secs(seconds))); // 9f
        let output = Output::new(job.output);
        Ok(Keeper { job, runs, held, watched, output, begun, again, limit, strike: None, end: None })
    }

    fn stay(mut self) {
        // A caller may have wanted its end before this keeper could be told.
        self.stop_if_wished();
        loop {
            match self.watched.next(self.due(), &mut |_, bytes| self.output.take(bytes)) {
                Seen::Ended(end) => self.first_ended(end),
                Seen::Called => self.stop_if_wished(),
                Seen::Quiet => break,
                // What the command left running keeps its outputs: somebody has to read them away, or
                // it would be killed for writing.
                Seen::Output | Seen::Late => {}
            }
            self.on_time(Instant::now());
        }
        if let (Some(end), Some(_)) = (self.end, &self.strike) {
            self.close(end);
        }
    }

    /// The next moment at which something is to be done here. An output is written after the end no more, however much
    /// comes of what the command left behind: it would be late for ever, and this would never sleep.
    fn due(&self) -> Option<Instant> {
        let output = self.output.due().filter(|_| self.end.is_none()); // 9q
        let strike = self.strike.as_ref().map(|(_, strike)| strike.next());
        [self.again, self.limit, strike, output].into_iter().flatten().min()
    }

    /// The run ends with its first process, unless it is ended: then with the last.
    fn first_ended(&mut self, end: End) {
        self.end = Some(end);
        (self.again, self.limit) = (None, None);
        if self.strike.is_none() {
            self.close(end);
        }
    }

    fn stop_if_wished(&mut self) {
        if self.end.is_none() && self.runs.is_wished(&self.job.record.run) {
            self.strike(State::Stopped); // 9g
        }
    }

    fn strike(&mut self, state: State) {
        if self.strike.is_none() {
            self.watched.to_the_last();
            self.strike = Some((state, Strike::begin()));
        }
        self.limit = None;
    }

    fn on_time(&mut self, now: Instant) {
        if self.limit.is_some_and(|limit| limit <= now) {
            self.strike(State::TimedOut);
        }
        if let Some((_, strike)) = self.strike.as_mut().filter(|(_, strike)| strike.next() <= now) {
            strike.round(descendants);
        }
        if self.again.is_some_and(|again| again <= now) {
            self.again = record_start(&self.runs, &self.job.record);
        }
        if self.output.due().is_some_and(|due| due <= now) && self.end.is_none() {
            self.output.write(&self.runs, &self.job.record.run);
        }
    }

    fn close(&mut self, end: End) {
        let record = &mut self.job.record;
        record.ended(end, self.begun.elapsed().as_millis() as u64);
        if let Some((state, _)) = &self.strike {
            record.state = *state;
        }
        let due = failure::Due::of(self.job.report.clone(), record, &self.runs);
        let recorded = record_end(&self.runs, record, &mut self.output);
        if recorded {
            self.runs.forget_wish(&record.run);
        }
        if let Some(script) = &self.job.script {
            let _ = std::fs::remove_file(script);
        }
        let due = match recorded {
            true => Some(due),
            false => {
                // A later call that records the end has nothing left to report, if this began. 9t
                if due.hand_on(record, &self.runs) {
                    self.runs.note_reported(&record.run);
                }
                None
            }
        };
        self.runs.release(&record.run);
        let _ = flock(&self.held, FlockOperation::Unlock);
        tell(&Word::Ended(Box::new(record.clone())));
        close_stdout();
        // The record is whole, and everybody sees it; nobody waits for the disk to have its name.
        let _ = self.runs.make_durable();
        if let Some(due) = due {
            due.hand_on(&mut self.job.record, &self.runs);
        }
    }
}

/// All that descends from this keeper: it is the parent of what lost its own.
pub fn descendants() -> Vec<Process> {
    let own = getpid().as_raw_nonzero().get();
    tree::below(&Entry::all(), |entry| entry.parent == own)
}

/// Records the start. Returns the time for another try, where the disk does not take it.
fn record_start(runs: &Runs, record: &Record) -> Option<Instant> {
    let refused = runs.write(record).is_err();
    refused.then(|| Instant::now() + AGAIN) // 9r
}

/// The record first: it is worth a few tries, and on a full disk more than the output of this run, which gives it the room
/// that it took while the run went on. Returns true once it is written.
fn record_end(runs: &Runs, record: &Record, output: &mut Output) -> bool {
    let written = (0..3).any(|tries| {
        if tries > 0 {
            runs.forget_output(&record.run);
            std::thread::sleep(Duration::from_millis(500));
        }
        runs.write(record).is_ok()
    });
    output.write(runs, &record.run);
    written
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
    let groups = read_kernel_file("/proc/self/cgroup").unwrap_or_default();
    let groups = String::from_utf8_lossy(&groups);
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
