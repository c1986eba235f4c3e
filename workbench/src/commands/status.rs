//! `status`: the last run of each task, and all that run now.

use chrono::{DateTime, Local};
use serde_json::{json, Value};

use crate::owner::fault::Fault;
use crate::owner::run_words::{ended, person, span, state, time, when};
use crate::owner::view::View;
use crate::owner::workbench::Workbench;
use remotetask::config::Task;
use remotetask::outcome::{Outcome, Run};
use remotetask::record::{Record, Runs, State};

/// A task with the runs that are to be told of.
struct Shown<'c, 't> {
    task: &'c Task<'t>,
    alive: bool,
    /// Those that are alive, the newest first; else the last one, if there is one.
    runs: Vec<Record>,
}

/// Tells of each task, those that run now first.
pub fn run(bench: &Workbench, as_json: bool) -> Result<(), Fault> {
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let mut tasks: Vec<Shown<'_, '_>> = config.tasks.iter().map(|task| shown(bench, task)).collect();
    tasks.sort_by_key(|task| !task.alive); // stable: else in the order of config.json
    if as_json {
        bench.screen.raw(&json!({ "tasks": tasks.iter().map(as_value).collect::<Vec<_>>() }));
        return Ok(());
    }
    if tasks.is_empty() {
        bench.screen.say("No task can be reached yet; remotetask tasks add makes one reachable.");
    }
    tasks.iter().for_each(|task| tell(bench, task));
    Ok(())
}

fn shown<'c, 't>(bench: &Workbench, task: &'c Task<'t>) -> Shown<'c, 't> {
    let runs = Runs::of(&bench.path("state"), &task.id);
    let mut alive = runs.alive().unwrap_or_default();
    alive.sort_by(|one, other| other.run.cmp(&one.run));
    match alive.is_empty() {
        false => Shown { task, alive: true, runs: alive },
        true => Shown { task, alive: false, runs: runs.last().into_iter().collect() },
    }
}

fn tell(bench: &Workbench, shown: &Shown<'_, '_>) {
    let screen = &bench.screen;
    let id = &shown.task.id;
    match shown.task.name.as_deref().filter(|name| name != id) {
        Some(name) => screen.heading(format_args!("{name} ({id})")),
        None => screen.heading(id),
    }
    if shown.runs.is_empty() {
        screen.say("  never started by URL");
    }
    for run in &shown.runs {
        let by = person(&run.who);
        let started = time(run.started);
        let at = started.map(when).unwrap_or_else(|| "a time that is not known".into());
        if shown.alive {
            let age = started.map(|at| (Local::now() - at).num_milliseconds());
            let age = age.and_then(|ms| u64::try_from(ms).ok()).map(|ms| format!(", for {}", span(ms)));
            screen.say(format_args!("  is running since {at}{}; started by {by}", age.unwrap_or_default()));
            continue;
        }
        screen.say(format_args!("  {}", state(run)));
        let asked = if run.state == State::NotStarted { "asked for" } else { "started" };
        let took = run.duration_ms.map(|ms| format!(", after {}", span(ms))).unwrap_or_default();
        let end = ended(run).and_then(time).map(|end| format!("; ended {}{took}", later(end, started)));
        let end = end.unwrap_or_default();
        screen.say(format_args!("  {asked} by {by} at {at}{end}"));
        if run.state == State::NotStarted {
            screen.literal(format_args!("  {} log {}", bench.typed(), run.run));
        }
    }
}

/// A time after another: on the same day its clock time alone.
fn later(time: DateTime<Local>, before: Option<DateTime<Local>>) -> String {
    match before.is_some_and(|before| before.date_naive() == time.date_naive()) {
        true => time.format("%H:%M:%S").to_string(),
        false => when(time),
    }
}

fn as_value(shown: &Shown<'_, '_>) -> Value {
    let runs: Vec<Value> = shown.runs.iter().map(run_value).collect();
    json!({ "task": shown.task.id, "name": shown.task.shown(), "alive": shown.alive, "runs": runs })
}

/// A run, its state by the word that callers get for it.
fn run_value(record: &Record) -> Value {
    let stamp = |ms: Option<u64>| ms.and_then(time).map(|time| time.to_rfc3339());
    let (step, reason) = record.fault.clone().unzip();
    let reference = (record.state == State::NotStarted).then_some(&record.run);
    json!({
        "run": record.run,
        "state": remotetask::response::state(&Outcome::Last { run: Some(Run::from(record)) }),
        "who": person(&record.who),
        "started": stamp(Some(record.started)),
        "ended": stamp(ended(record)),
        "duration_ms": record.duration_ms,
        "exit": record.exit,
        "signal": record.signal,
        "step": step,
        "reason": reason,
        "reference": reference,
    })
}
