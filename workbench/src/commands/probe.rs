//! `probe`: which way starts a scheduled task on this NAS?
//!
//! A plain `synoschedtask --run` does nothing on many NASes, without a word, and DSM says of none of its
//! ways whether it worked. So a harmless task is started each known way in turn, and DSM is watched: the
//! task's own marker, the process, what `--get` says of the last run, and DSM's history. Triggered tasks are probed in
//! `probe_event`.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::probe_event;
use crate::nas::box_row;
use crate::owner::edit::{lock_config, Edit};
use crate::owner::fault::Fault;
use crate::owner::names::quoted;
use crate::owner::screen::{Screen, Tone};
use crate::owner::view::View;
use crate::owner::workbench::Workbench;
use remotetask::config::{Scheduler, Server};
use remotetask::outcome::Outcome;
use remotetask::start::{self, dsm_runs, synowebapi, Listed, StartMethod};
use remotetask::trust;

/// The order to `probe`.
pub struct ProbeArgs {
    /// The harmless task's number or name.
    pub task: Option<String>,
    /// Or the name of a harmless triggered task.
    pub event: Option<String>,
    /// Asks nothing.
    pub yes: bool,
    /// The time for which each way is watched.
    pub watch: Duration,
}

/// The time that DSM's programs get for one call.
pub const DSM_TIME: Duration = Duration::from_secs(10);
/// The pause between two looks.
pub const LOOK: Duration = Duration::from_millis(100);
/// The time after the last thing that was seen in which something more is expected.
const SETTLED: Duration = Duration::from_secs(2);

/// The result of one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It ran: what was seen of it.
    Ran(Vec<&'static str>),
    /// DSM took the order, and nothing was seen.
    Nothing,
    /// DSM said no.
    Refused(String),
    /// The NAS has no such program, or file.
    Missing(String),
}

impl Verdict {
    /// One word, for the table of docs/boxes.md.
    pub fn word(&self) -> &'static str {
        match self {
            Verdict::Ran(_) => "ran",
            Verdict::Nothing => "nothing",
            Verdict::Refused(_) => "refused",
            Verdict::Missing(_) => "missing",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Ran(seen) => write!(f, "ran: seen by {}", seen.join(", ")),
            Verdict::Nothing => f.write_str("nothing: DSM took it without a word, and nothing was seen"),
            Verdict::Refused(why) => write!(f, "refused: {why}"),
            Verdict::Missing(why) => write!(f, "missing: {why}"),
        }
    }
}

/// Probes, and sets `scheduler` to the way that works. Whether one does is the result.
pub fn run(bench: &Workbench, wanted: &ProbeArgs) -> Result<bool, Fault> {
    let screen = &bench.screen;
    let marker = bench.path("state").join("probe");
    if let Some(event) = &wanted.event {
        return probe_event::run(bench, wanted, event, &marker);
    }
    let Some(named) = &wanted.task else {
        drop(lock_config(&bench.folder)?); // which makes state/, for the marker
        how_to(bench, &marker);
        return Ok(true);
    };
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let server = &config.server;
    let number = numbered(server, named)?;
    let task = known(server, number)?;
    screen.say(format_args!(
        "Task {number} ({}) will be started up to {} times, each known way once, and watched for {} s at most each time. It \
         must be one that may run as often as you like.",
        task.name,
        StartMethod::ALL.len(),
        wanted.watch.as_secs()
    ));
    may_run(screen, wanted.yes)?;

    let mut verdicts = Vec::new();
    for way in StartMethod::ALL {
        let verdict = probe(bench, server, &task, way, &marker, wanted.watch)?;
        let tone = if matches!(verdict, Verdict::Ran(_)) { Tone::Good } else { Tone::Advice };
        screen.mark(tone, &format!("{way}:"), &verdict);
        verdicts.push((way, verdict));
    }
    let ran = |way| verdicts.iter().any(|(tried, verdict)| *tried == way && matches!(verdict, Verdict::Ran(_)));
    // The way that a request would take with this task.
    let known = [Scheduler::Synoschedtask, Scheduler::Synowebapi, Scheduler::Direct];
    let choice = known.into_iter().find(|scheduler| ran(StartMethod::of(*scheduler, &task)));

    screen.gap();
    match choice {
        Some(scheduler) => {
            let mut edit = Edit::begin(&bench.folder)?;
            edit.server().insert("scheduler".into(), Value::from(scheduler.word()));
            drop(edit.commit()?);
            screen.mark(
                Tone::Good,
                "set ",
                format_args!("\"scheduler\": \"{}\" is in config.json now.", scheduler.word()),
            );
            if ran(StartMethod::OnSchedule) {
                screen.say("A plain --run works here too.");
            }
        }
        None => {
            screen.mark(
                Tone::Fault,
                "none",
                "None of the known ways started it as far as could be seen; config.json stays as it is.",
            );
            if !verdicts.iter().any(|(_, verdict)| matches!(verdict, Verdict::Ran(seen) if seen.contains(&MARKER))) {
                screen.say(
                    "The task leaves no marker: remotetask probe, without a number, says how to make one that does.",
                );
            }
        }
    }
    screen.gap();
    screen.say("This row tells others about your box, and holds no secret. Please send it: docs/boxes.md says where.");
    screen.gap();
    let words: Vec<&str> = verdicts.iter().map(|(_, verdict)| verdict.word()).collect();
    screen.literal(box_row::row(server, &words, choice.map_or("none", Scheduler::word)));
    Ok(choice.is_some())
}

/// Asks whether the task may run.
pub fn may_run(screen: &Screen, yes: bool) -> Result<(), Fault> {
    if yes || screen.ask("Is it?")? {
        return Ok(());
    }
    let how = if screen.can_ask() { "" } else { "; where nobody can be asked, --yes says that it may run" };
    Err(Fault(format!("nothing was started{how}")))
}

fn how_to(bench: &Workbench, marker: &Path) {
    let screen = &bench.screen;
    screen.say("Make a harmless task first: in DSM's Control Panel, Task Scheduler, Create, Scheduled Task, User-defined script:");
    screen.literal("  User           root");
    screen.literal("  Enabled        as your own tasks have it");
    screen.literal("  Schedule       any; it need not come");
    screen.literal(format_args!("  Run command    date >>{}", marker.display()));
    screen.say("Then see its number, and probe with it:");
    screen.literal(format_args!("  {} tasks", bench.typed()));
    screen.literal(format_args!("  {} probe NUMBER", bench.typed()));
}

/// The number of the scheduler's task that this number or name means.
fn numbered(server: &Server<'_>, wanted: &str) -> Result<u32, Fault> {
    if let Ok(number) = wanted.parse() {
        return Ok(number);
    }
    let store = Path::new(&*server.synoschedule);
    let (there, _) = start::list(&server.synoschedtask, store, Instant::now() + DSM_TIME).map_err(Fault)?;
    let numbers: Vec<String> =
        there.iter().filter(|task| task.name == wanted).map(|task| task.id.to_string()).collect();
    match &numbers[..] {
        [one] => one.parse().map_err(Fault::new),
        [] => Err(Fault(format!(
            "the Task Scheduler has no task \"{wanted}\"; remotetask tasks shows what it has. A triggered task is probed by \
             remotetask probe --event {}",
            quoted(wanted)
        ))),
        _ => Err(Fault(format!("several tasks have this name: {}; give the number", numbers.join(", ")))),
    }
}

fn known(server: &Server<'_>, number: u32) -> Result<Listed, Fault> {
    let found = start::get(&server.synoschedtask, number, Instant::now() + DSM_TIME).map_err(Fault)?;
    found.ok_or_else(|| {
        Fault(format!("the Task Scheduler has no task {number}; remotetask tasks shows the numbers that it has"))
    })
}

pub const MARKER: &str = "its marker";
const PROCESS: &str = "its process";
const KEEPER: &str = "its keeper";
pub const RECORD: &str = "DSM's record of the last run";
pub const HISTORY: &str = "DSM's history";

/// The signs of a task that can be seen.
#[derive(Clone, PartialEq, Eq)]
struct Traces {
    marker: Marked,
    status: Option<String>,
    last: Option<String>,
}

impl Traces {
    fn of(server: &Server<'_>, number: u32, marker: &Path) -> Result<Traces, Fault> {
        let task = known(server, number)?;
        Ok(Traces { marker: marked(marker), status: task.status, last: task.last })
    }
}

/// A state of a marker, to be compared.
pub type Marked = Option<(u64, std::time::SystemTime)>;

/// The state of a task's marker.
pub fn marked(marker: &Path) -> Marked {
    fs::metadata(marker).ok().and_then(|meta| Some((meta.len(), meta.modified().ok()?)))
}

/// Starts it one way and watches.
fn probe(
    bench: &Workbench,
    server: &Server<'_>,
    task: &Listed,
    way: StartMethod,
    marker: &Path,
    watch: Duration,
) -> Result<Verdict, Fault> {
    // It takes a second, so it is asked before and afterwards alone.
    let history = || synowebapi::task_history(&server.synowebapi, task.id, Instant::now() + DSM_TIME);
    let (before, before_in_history) = (Traces::of(server, task.id, marker)?, history());
    let owner = fs::metadata(&bench.folder).map_or(0, |meta| meta.uid());
    let mut own_run = false;
    match trust::at(&bench.folder, owner).and_then(|home| way.run(server, task, &home, "probe")) {
        Ok(()) => own_run = way == StartMethod::Script,
        Err(Outcome::NotStarted { reason, .. }) => return Ok(refusal(reason)),
        // It may have been started all the same: it is watched like the others.
        Err(_) => {}
    }
    let end = Instant::now() + watch;
    let mut seen = Seen::nothing();
    loop {
        let runs = dsm_runs::runs_since(task.id).is_some();
        seen.note(PROCESS, runs);
        seen.note(KEEPER, own_run);
        let now = Traces::of(server, task.id, marker)?;
        seen.note(MARKER, now.marker != before.marker);
        seen.note(RECORD, (&now.status, &now.last) != (&before.status, &before.last));
        // A late sign must not be taken for the next way's.
        let settled = !runs && seen.is_settled();
        if settled || Instant::now() >= end {
            break;
        }
        std::thread::sleep(LOOK);
    }
    seen.note(HISTORY, before_in_history.is_some() && history().is_some_and(|now| Some(now) != before_in_history));
    match seen.what.is_empty() {
        true => Ok(Verdict::Nothing),
        false => Ok(Verdict::Ran(seen.what)),
    }
}

/// The signs that were seen, and when for the last time something new.
pub struct Seen {
    pub what: Vec<&'static str>,
    last: Instant,
}

impl Seen {
    /// Nothing yet.
    pub fn nothing() -> Seen {
        Seen { what: Vec::new(), last: Instant::now() }
    }

    /// Returns true where nothing more is expected.
    pub fn is_settled(&self) -> bool {
        !self.what.is_empty() && self.last.elapsed() >= SETTLED
    }

    /// Notes something that is seen.
    pub fn note(&mut self, what: &'static str, is: bool) {
        if is && !self.what.contains(&what) {
            self.what.push(what);
            self.last = Instant::now();
        }
    }
}

/// DSM's words instead of a start.
pub fn refusal(reason: String) -> Verdict {
    match reason.contains("No such file") {
        true => Verdict::Missing(reason),
        false => Verdict::Refused(reason),
    }
}

/// `probe --chosen`: returns true if config.json names a method for scheduled tasks.
pub fn is_chosen(bench: &Workbench) -> Result<bool, Fault> {
    Ok(bench.path("config.json").exists() && View::read(&bench.folder)?.scheduler_chosen)
}
