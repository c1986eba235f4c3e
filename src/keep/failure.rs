//! The owner's command after a run that failed, `on_failure`: run by a keeper of its own, so that no answer waits for
//! it, and so that its end ends nothing that the run left behind. Its own failure is nobody's trouble.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::process::umask;

use super::keeper::descendants;
use super::{give, Job, Report};
use crate::child::{Seen, Watched};
use crate::config::{Server, Task};
use crate::outcome::Outcome;
use crate::record::{Record, Runs, State};
use crate::tree::{variable, Strike};
use crate::trust::Home;

/// The time limit of the owner's command; the tests' build has less of it.
const TIME: Duration = Duration::from_secs(if cfg!(feature = "drill") { 10 } else { 60 });

/// The running program's own file, even if another version has taken its place.
const OWN: &str = "/proc/self/exe";

/// Records a start that failed, as far as the disk takes it, and reports it.
pub fn not_started(home: &Home, server: &Server<'_>, turn: Starting<'_>, step: String, reason: String) -> Outcome {
    let Starting { runs, record, name } = turn;
    let recorded = runs.not_started(record, &step, &reason).is_ok();
    report(home, server, record, name);
    match recorded {
        true => Outcome::of_start(record),
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

/// Reports a run of the task with this name to the owner, if it failed and its record is written.
fn report(home: &Home, server: &Server<'_>, record: &Record, name: &str) {
    if let Some(report) = Report::of(server, name) {
        start(&home.keeper(), Path::new(""), record, report);
    }
}

/// Records the ends that killed keepers could not record (9i), and reports them, once.
pub fn settle<S>(home: &Home, server: &Server<'_>, task: &Task<'_, S>, state: &Path) {
    for record in Runs::of(state, &task.id).settle() {
        report(home, server, &record, task.shown());
    }
}

/// The same by the keeper of the run.
pub fn hand_on(job: &Job) {
    if let Some(report) = job.report.clone() {
        start(Path::new(OWN), &job.state, &job.record, report);
    }
}

fn start(program: &Path, state: &Path, record: &Record, report: Report) {
    let failed = matches!(record.state, State::Failed | State::TimedOut | State::Interrupted | State::NotStarted);
    if failed {
        let (state, record, report) = (state.to_owned(), record.clone(), Some(report));
        let job = Job { state, record, argv: Vec::new(), script: None, timeout: None, output: false, report };
        let _ = give(program, &job, Stdio::null());
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
