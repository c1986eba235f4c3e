//! The owner's command after a run that failed, `on_failure`: run by a keeper of its own, so that no answer waits for
//! it, and so that its end ends nothing that the run left behind. Its own failure is nobody's trouble.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::process::umask;

use super::keeper::descendants;
use super::{give, Job, Report};
use crate::child::{Seen, Watched};
use crate::config::{Server, Task};
use crate::files::{lock_within, open_lock};
use crate::outcome::Outcome;
use crate::record::{Record, Runs, State};
use crate::step::Step;
use crate::tree::{variable, Strike};
use crate::trust::Home;

/// The time limit of the owner's command.
const LIMIT: Duration = Duration::from_secs(60);
/// The same, of which the tests' build has less.
const TIME: Duration = if cfg!(feature = "drill") { Duration::from_secs(10) } else { LIMIT };

/// The running program's own file, even if another version has taken its place.
const OWN: &str = "/proc/self/exe";

/// Reports that may be under way at a time: whoever has the keys of a task that fails at once can start one after the other.
const PLACES: usize = 4;

/// Records a start that failed, as far as the disk takes it, and reports it.
pub fn not_started(home: &Home, server: &Server<'_>, turn: Starting<'_>, step: Step, reason: String) -> Outcome {
    let Starting { runs, record, name } = turn;
    record.state = State::NotStarted;
    let due = Due::of(Report::of(server, name), record, runs);
    let recorded = runs.not_started(record, step, &reason).is_ok();
    let begun = due.start(&home.keeper(), record, runs);
    match recorded {
        true => {
            note_begun(&begun, record, runs);
            Outcome::of_start(record)
        }
        false => Outcome::NotStarted { step, reason, run: None },
    }
}

/// A run that was to start.
pub struct Starting<'a> {
    /// The task's runs.
    pub runs: &'a Runs,
    /// The run.
    pub record: &'a mut Record,
    /// The task's name.
    pub name: &'a str,
}

/// Records the ends that killed keepers could not record (9i), and reports them, once: what its keeper has reported, but a
/// full disk did not take, is not reported again.
pub fn settle<S>(home: &Home, server: &Server<'_>, task: &Task<'_, S>, state: &Path) {
    let runs = Runs::of(state, &task.id);
    if runs.without_end().is_empty() {
        return;
    }
    let Some(_alone) = runs.ending() else { return };
    for mut record in runs.without_end() {
        let report = Report::of(server, task.shown()).filter(|_| !runs.is_reported(&record.run));
        let due = Due::of(report, &mut record, &runs);
        if runs.write_durably(&record).is_ok() {
            let begun = due.start(&home.keeper(), &record, &runs);
            note_begun(&begun, &mut record, &runs);
        }
    }
}

/// The report of a run that failed, and its place among those that may be under way.
pub(super) struct Due(Option<(Report, Place)>);

/// The hold on a place among the reports, for as long as the file is open; none where no place can be held at all.
struct Place(Option<File>);

impl Due {
    /// The report of a run that has ended like this, if it failed. The record says that it was not reported until the report
    /// has begun, and for ever where every place is taken.
    pub fn of(report: Option<Report>, record: &mut Record, runs: &Runs) -> Due {
        let failed = matches!(record.state, State::Failed | State::TimedOut | State::Interrupted | State::NotStarted);
        let Some(report) = report.filter(|_| failed) else { return Due(None) };
        let place = place(runs.folder().parent().unwrap_or(Path::new("/"))); // 9o
        record.unreported = true; // 9o
        Due(place.map(|place| (report, place)))
    }

    /// By the keeper of the run. Returns true unless it could not be started.
    pub fn hand_on(self, record: &mut Record, runs: &Runs) -> bool {
        let begun = self.start(Path::new(OWN), record, runs);
        note_begun(&begun, record, runs);
        begun.is_ok()
    }

    /// Starts the report. Returns false if there is none.
    fn start(self, program: &Path, record: &Record, runs: &Runs) -> io::Result<bool> {
        let Some((report, place)) = self.0 else { return Ok(false) };
        let job = Job {
            state: runs.folder().to_owned(),
            record: record.clone(),
            argv: Vec::new(),
            script: None,
            held: false,
            timeout: None,
            output: false,
            report: Some(report),
        };
        give(program, &job, Stdio::null(), place.0).map(|_| true)
    }
}

/// Notes in the record that the report has begun. Where the disk does not take it, the owner sees in the log that there was none.
fn note_begun(begun: &io::Result<bool>, record: &mut Record, runs: &Runs) {
    if matches!(begun, Ok(true)) {
        record.unreported = false;
        let _ = runs.write_durably(record);
    }
}

/// Returns a free place, unless all are taken; nobody waits for one. A disk that is full or read-only, and has no place to
/// hold, is no reason to report nothing.
fn place(state: &Path) -> Option<Place> {
    let open = |at: usize| open_lock(&state.join(format!("report.{at}"))).ok();
    let places: Vec<File> = (0..PLACES).filter_map(open).collect();
    match places.is_empty() {
        true => Some(Place(None)),
        false => places
            .into_iter()
            .find(|file| matches!(lock_within(file, Duration::ZERO), Ok(true)))
            .map(|file| Place(Some(file))),
    }
}

/// The keeper's side: runs the owner's command, and ends all that is left of it after its time.
pub fn run(job: &Job) {
    let Some(report) = &job.report else { return };
    let variables = variables(&job.record, &report.name);
    umask(Mode::from_raw_mode(0o022));
    let Ok(watched) = Watched::start_with(report.argv.iter().map(String::as_str), &[], &variables) else { return };
    let mut watched = watched.adopting();
    watched.to_the_last();
    let mut due = Instant::now() + TIME;
    let mut strike: Option<Strike> = None;
    while watched.next(Some(due), &mut |_, _| ()) != Seen::Quiet {
        if Instant::now() >= due {
            let strike = strike.get_or_insert_with(Strike::begin);
            strike.round(descendants);
            due = strike.next();
        }
    }
}

/// The run, for the owner's command: nothing secret.
fn variables(record: &Record, name: &str) -> Vec<(&'static str, String)> {
    let state = serde_json::to_value(record.state).ok();
    let exit = match (record.exit, record.signal) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => String::new(),
    };
    vec![
        ("REMOTETASK_TASK", variable(&record.task)),
        ("REMOTETASK_NAME", variable(name)),
        ("REMOTETASK_STATE", state.as_ref().and_then(|state| state.as_str()).unwrap_or_default().to_owned()),
        ("REMOTETASK_EXIT", exit),
        ("REMOTETASK_RUN", record.run.clone()),
        ("REMOTETASK_WHO", variable(&record.who)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_limit_is_a_minute_but_for_tests() {
        assert_eq!((LIMIT.as_secs(), TIME == LIMIT), (60, !cfg!(feature = "drill")));
    }

    #[test]
    fn places_are_given_back() {
        let state = tempfile::tempdir().expect("a folder");
        let mut held: Vec<Place> = (0..PLACES).filter_map(|_| place(state.path())).collect();
        assert!(held.len() == PLACES && place(state.path()).is_none());
        held.pop();
        assert!(place(state.path()).is_some());
        // Whatever lies there is in nobody's way.
        std::fs::remove_file(state.path().join("report.3")).expect("remove");
        std::fs::create_dir(state.path().join("report.3")).expect("a folder");
        assert!(held.len() == PLACES - 1 && place(state.path()).is_none());
        assert!(place(&state.path().join("none")).is_some_and(|place| place.0.is_none()));
    }
}
