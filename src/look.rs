//! The answers about a task's runs; nothing starts here.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::config::{Server, Starts, Task};
use crate::judge::{PanelPermit, Permit};
use crate::keep;
use crate::line::REPLY_MAX;
use crate::outcome::{Outcome, Panel, PanelTask, Past, Run};
use crate::record::{Runs, State};
use crate::start::dsm_end;
use crate::text::cut;

/// Bytes of a reply that its tasks on the panel may take; the rest is for the outcome of a chosen one.
const PANEL_MAX: usize = REPLY_MAX / 2;

/// The time that DSM's programs get to tell of one task, and for all tasks of the panel.
const LOOK_TIME: Duration = Duration::from_secs(5);
const PANEL_TIME: Duration = Duration::from_secs(3);

/// Returns the last run of the permitted task; what was handed to DSM is asked of DSM.
pub fn last(permit: &Permit<'_, Starts<'_>>, server: &Server<'_>, state: &Path) -> Outcome {
    match last_run(permit.task(), server, state, LOOK_TIME) {
        Ok(run) => Outcome::Last { run },
        Err(e) => Outcome::unlisted(&Runs::of(state, &permit.task().id), &e), // 6m
    }
}

/// Adds the last lines of the run's output, where the task shows them to its callers.
pub fn with_output(mut outcome: Outcome, task: &Task<'_>, server: &Server<'_>, state: &Path) -> Outcome {
    // 9j
    if let (true, Some(run)) = (task.keeping.output && server.keeps(task), outcome.run_mut()) {
        run.output = Runs::of(state, &task.id).output(&run.run).map(|output| keep::last_lines(&output).into());
    }
    outcome
}

/// Adds what a page tells of the task's runs so far.
pub fn with_past(mut outcome: Outcome, task: &Task<'_>, state: &Path) -> Outcome {
    if let Some(run) = outcome.run_mut() {
        *run.past = Past::of(Runs::of(state, &task.id).newest_first());
    }
    outcome
}

/// Returns the outcome of the task that was chosen on the panel, with what its page shows beside.
pub fn chosen(outcome: Outcome, task: &Task<'_>, server: &Server<'_>, state: &Path) -> (String, Outcome) {
    let mut outcome = with_output(outcome, task, server, state);
    if let Some(run) = outcome.run_mut() {
        add_usual(run, task, state);
    }
    (task.id.to_string(), outcome)
}

/// Returns every task that this caller may start, with its last run, and the outcome of the chosen one.
pub fn panel(
    permit: &PanelPermit<'_, Starts<'_>>,
    chosen: Option<(String, Outcome)>,
    server: &Server<'_>,
    state: &Path,
) -> Outcome {
    let deadline = Instant::now() + PANEL_TIME;
    let left_time = || deadline.saturating_duration_since(Instant::now());
    let all: Vec<_> = permit.permits().collect();
    let mut left = PANEL_MAX;
    let fits = |task: &PanelTask| {
        let bytes = serde_json::to_vec(task).map_or(usize::MAX, |json| json.len() + 1);
        let fits = bytes <= left;
        left -= bytes.min(left);
        fits
    };
    let tasks: Vec<_> =
        all.iter().map(|permit| panel_task(permit.task(), server, state, left_time())).take_while(fits).collect();
    let more = all.len() - tasks.len();
    Outcome::Panel(Panel { tasks, more, chosen: chosen.map(|(id, outcome)| (id, Box::new(outcome))) })
}

fn panel_task(task: &Task<'_>, server: &Server<'_>, state: &Path, time: Duration) -> PanelTask {
    let name = String::from_utf8_lossy(cut(task.shown().as_bytes())).into_owned();
    let mut run = last_run(task, server, state, time).ok().flatten();
    if let Some(run) = &mut run {
        add_usual(run, task, state);
    }
    PanelTask {
        id: task.id.to_string(),
        name,
        run,
        may_stop: server.keeps(task) && task.keeping.stop,
        may_overlap: server.may_overlap(task),
    }
}

/// Adds the usual duration to what runs, for its bar on the panel; pictures have no room there.
fn add_usual(run: &mut Run, task: &Task<'_>, state: &Path) {
    if matches!(run.state, State::Starting | State::Started) {
        run.past.usual_ms = Past::of(Runs::of(state, &task.id).newest_first()).usual_ms;
    }
}

fn last_run(task: &Task<'_>, server: &Server<'_>, state: &Path, time: Duration) -> io::Result<Option<Run>> {
    Ok(dsm_end::last_run(task, server, state, time)?.as_ref().map(Run::from))
}
