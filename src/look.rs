//! What is told of a task's runs; nothing starts here.

use std::path::Path;

use crate::config::{Server, Starts, Task};
use crate::judge::{PanelPermit, Permit};
use crate::keep;
use crate::line::REPLY_MAX;
use crate::outcome::{Outcome, Panel, PanelTask, Run};
use crate::record::Runs;
use crate::text::cut;

/// Bytes of a reply that its tasks on the panel may take; the rest is for the outcome of a chosen one.
const PANEL_MAX: usize = REPLY_MAX / 2;

/// Returns the last run of the permitted task.
pub fn last(permit: &Permit<'_, Starts<'_>>, state: &Path) -> Outcome {
    Outcome::Last { run: last_run(permit.task(), state) }
}

/// Adds the last lines of the run's output, where the task shows them to its callers.
pub fn with_output(mut outcome: Outcome, task: &Task<'_>, server: &Server<'_>, state: &Path) -> Outcome {
    // 9j
    if let (true, Some(run)) = (task.keeping.output && server.keeps(task), outcome.run_mut()) {
        run.output = Runs::of(state, &task.id).output(&run.run).map(|output| keep::last_lines(&output));
    }
    outcome
}

/// Returns every task that this caller may start, with its last run, and the outcome of the chosen one.
pub fn panel(permit: &PanelPermit<'_, Starts<'_>>, chosen: Option<(String, Outcome)>, state: &Path) -> Outcome {
    let all: Vec<_> = permit.permits().collect();
    let mut left = PANEL_MAX;
    let fits = |task: &PanelTask| {
        let bytes = serde_json::to_vec(task).map_or(usize::MAX, |json| json.len() + 1);
        let fits = bytes <= left;
        left -= bytes.min(left);
        fits
    };
    let tasks: Vec<_> = all.iter().map(|permit| panel_task(permit.task(), state)).take_while(fits).collect();
    let more = all.len() - tasks.len();
    Outcome::Panel(Panel { tasks, more, chosen: chosen.map(|(id, outcome)| (id, Box::new(outcome))) })
}

fn panel_task(task: &Task<'_>, state: &Path) -> PanelTask {
    let name = String::from_utf8_lossy(cut(task.shown().as_bytes())).into_owned();
    PanelTask { id: task.id.to_string(), name, run: last_run(task, state) }
}

fn last_run(task: &Task<'_>, state: &Path) -> Option<Run> {
    Runs::of(state, &task.id).last().as_ref().map(Run::from)
}
