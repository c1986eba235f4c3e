//! The tasks of DSM's Task Scheduler: what starts them is there, and each is proven to exist as the root
//! half proves it. Whether a triggered task exists no program of DSM's tells.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};
use remotetask::config::{Scheduler, Server, Starts, Task};
use remotetask::outcome::Outcome;
use remotetask::start;

findings! {
    Missing { program, tasks, name }: "scheduler-missing", Fault,
        "There is no program <program> that could be started, and without it these tasks cannot: <tasks>.",
        "If it lies elsewhere on this machine, write its place into config.json: `find / -name <name> 2>/dev/null` \
         `\"<name>\": \"/usr/syno/bin/<name>\"`";
    Elsewhere { tasks }: "scheduler-elsewhere", Advice,
        "This machine has no Task Scheduler of DSM's. On a Synology NAS these tasks can be started, here they cannot: \
         <tasks>.",
        "Nothing is to be done for a trial.";
    Silent { why, program, number }: "scheduler-silent", Fault,
        "The Task Scheduler gives no answer: <why>.",
        "See what it says by itself: `sudo <program> --get id=<number>`";
    Unknown { number }: "task-unknown", Fault,
        "The Task Scheduler knows no task <number>, so nobody can start it.",
        "See which tasks it knows. Make this one in DSM's Task Scheduler, or take its URLs back: `sudo remotetask \
         tasks` `sudo remotetask tasks remove <number>`";
    NoScript { number, why }: "task-script", Fault,
        "The script of task <number> cannot be started without DSM, as \"scheduler\": \"direct\" demands: <why>.",
        "Look at the task in DSM's Task Scheduler and save it there once more; or let remotetask probe find another \
         way.";
}

/// Time that the scheduler may take for all of them.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks at each task that DSM is to start, or whose script it keeps.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    let Some(config) = nas.believed() else { return Vec::new() };
    let server = &config.server;
    let theirs: Vec<&Task<'_>> =
        config.tasks.iter().filter(|task| !matches!(task.starts, Starts::Command(_))).collect();
    let lacking = |task: &Task<'_>| needs(task, server).iter().copied().find(|(_, place)| !is_there(Path::new(place)));
    if nas.trial && !theirs.is_empty() && theirs.iter().all(|task| lacking(task).is_some()) {
        return vec![Elsewhere { tasks: &ids(&theirs) }.found()];
    }
    let mut found = Vec::new();
    for name in ["synoschedtask", "synowebapi"] {
        let without = |task: &&&Task<'_>| lacking(task).is_some_and(|(lacks, _)| lacks == name);
        let without: Vec<&Task<'_>> = theirs.iter().filter(without).copied().collect();
        if let Some((_, program)) = without.first().and_then(|task| lacking(task)) {
            found.push(Missing { program: &program, tasks: &ids(&without), name: &name }.found());
        }
    }
    let deadline = Instant::now() + PATIENCE;
    for task in theirs {
        match (&task.starts, server.scheduler) {
            (Starts::Scheduled(number), Scheduler::Direct) => found.extend(script(task, *number, server)),
            (Starts::Scheduled(number), _) if lacking(task).is_none() => {
                found.extend(known(*number, &server.synoschedtask, deadline));
            }
            _ => {}
        }
    }
    // One that gives no answer gives none to the next question either.
    found.dedup_by(|one, other| one.code == Silent::KIND.code && other.code == Silent::KIND.code);
    found
}

/// The programs and folders of DSM's that a task cannot be started without, and their places.
fn needs<'c>(task: &Task<'_>, server: &'c Server<'_>) -> Vec<(&'static str, &'c str)> {
    let program = ("synoschedtask", &*server.synoschedtask);
    let web_api = ("synowebapi", &*server.synowebapi);
    match (&task.starts, server.scheduler) {
        (Starts::Command(_), _) => Vec::new(),
        (Starts::Event(_), _) => vec![web_api],
        (Starts::Scheduled(_), Scheduler::Synoschedtask) => vec![program],
        (Starts::Scheduled(_), Scheduler::Synowebapi) => vec![program, web_api],
        (Starts::Scheduled(_), Scheduler::Direct) => vec![("synoschedule", &*server.synoschedule)],
    }
}

/// A program that can be started, or a folder that can be entered.
fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}

fn known(number: u32, program: &str, deadline: Instant) -> Option<Found> {
    match start::get(program, number, deadline) {
        Ok(Some(_)) => None,
        Ok(None) => Some(Unknown { number: &number }.found()),
        Err(why) => Some(Silent { why: &why, program: &program, number: &number }.found()),
    }
}

fn script(task: &Task<'_>, number: u32, server: &Server<'_>) -> Option<Found> {
    match start::find(&task.starts, server) {
        Err(Outcome::NotStarted { reason, .. }) => Some(NoScript { number: &number, why: &reason }.found()),
        _ => None,
    }
}

fn ids(tasks: &[&Task<'_>]) -> String {
    tasks.iter().map(|task| &*task.id).collect::<Vec<_>>().join(", ")
}
