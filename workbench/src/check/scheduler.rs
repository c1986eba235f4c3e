//! The tasks of DSM's Task Scheduler: what starts them is there, and each is proven to exist as the root
//! half proves it. Of triggered tasks esynoscheduler alone knows the names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};
use crate::owner::names::nearest;
use remotetask::accounts::Accounts;
use remotetask::config::{Events, Scheduler, Server, Starts, Task, ESYNOSCHEDULER, SYNOSCHEDTASK, SYNOWEBAPI};
use remotetask::outcome::Outcome;
use remotetask::start::{self, esynoscheduler, store};

findings! {
    Missing { program, tasks, name, usual }: "scheduler-missing", Fault,
        "There is no program <program> that could be started, and without it these tasks cannot: <tasks>.",
        "If it lies elsewhere on this machine, write its place into config.json: `find / -name <name> 2>/dev/null` \
         `\"<name>\": \"<usual>\"`";
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
    Renamed { number, name, shown }: "task-renamed", Advice,
        "Task <number> is called \"<name>\" in DSM's Task Scheduler, and its callers see \"<shown>\".",
        "If they are to see the name that it has in DSM: `sudo remotetask tasks add <number>`";
    NoEvent { task, name, there }: "event-unknown", Fault,
        "DSM has no triggered task \"<name>\", so task <task> cannot be started.<there>",
        "Write its name as DSM's Task Scheduler has it at the task's \"event\" in config.json, or take the task's URLs back: \
         `sudo remotetask tasks` `sudo remotetask tasks remove <task>`";
    Unproven { tasks, why }: "event-unproven", Advice,
        "Nobody can be asked whether DSM has the triggered tasks of <tasks>: <why>. DSM's web API says yes to any name, and \
         then nothing runs.",
        "Compare each name in config.json with DSM's Task Scheduler, letter by letter, and start each task once by its URL.";
    WindowsScript { number }: "task-windows-lines", Fault,
        "The lines of the script of task <number> end as on Windows, and \"scheduler\": \"direct\" hands it to its program as \
         it is, which looks for names that end in a carriage return.",
        "Open the task in DSM's Task Scheduler, take its script out, paste it from an editor that ends lines as Linux does \
         (in Notepad++: Edit, EOL Conversion, Unix), and save.";
    NoOwner { number, uid }: "task-no-owner", Fault,
        "Task <number> runs as the user with the number <uid>, who does not exist any more, so its script cannot be started \
         without DSM.",
        "Open the task in DSM's Task Scheduler, choose another user, and save.";
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
    for (name, usual) in
        [("synoschedtask", SYNOSCHEDTASK), ("synowebapi", SYNOWEBAPI), ("esynoscheduler", ESYNOSCHEDULER)]
    {
        let without = |task: &&&Task<'_>| lacking(task).is_some_and(|(lacks, _)| lacks == name);
        let without: Vec<&Task<'_>> = theirs.iter().filter(without).copied().collect();
        if let Some((_, program)) = without.first().and_then(|task| lacking(task)) {
            found.push(Missing { program: &program, tasks: &ids(&without), name: &name, usual: &usual }.found());
        }
    }
    let deadline = Instant::now() + PATIENCE;
    let events: Vec<_> = theirs.iter().copied().filter(|task| lacking(task).is_none()).filter_map(event).collect();
    found.extend(named(&events, &server.esynoscheduler, deadline));
    for task in theirs {
        match (&task.starts, server.scheduler) {
            (Starts::Scheduled(number), Scheduler::Direct) => {
                found.extend(script(task, *number, server, &nas.accounts))
            }
            (Starts::Scheduled(number), _) if lacking(task).is_none() => {
                found.extend(known(task, *number, &server.synoschedtask, deadline));
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
        (Starts::Event(_), _) => match server.events {
            Events::Synowebapi => vec![web_api],
            Events::Esynoscheduler => vec![("esynoscheduler", &*server.esynoscheduler)],
        },
        (Starts::Scheduled(_), Scheduler::Synoschedtask) => vec![program],
        (Starts::Scheduled(_), Scheduler::Synowebapi) => vec![program, web_api],
        (Starts::Scheduled(_), Scheduler::Direct) => vec![("synoschedule", &*server.synoschedule)],
    }
}

/// A program that can be started, or a folder that can be entered.
fn is_there(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o111 != 0)
}

fn event<'c>(task: &'c Task<'_>) -> Option<(&'c Task<'c>, &'c str)> {
    match &task.starts {
        Starts::Event(name) => Some((task, name)),
        _ => None,
    }
}

/// Triggered tasks, by the names that DSM has.
fn named(events: &[(&Task<'_>, &str)], program: &str, deadline: Instant) -> Vec<Found> {
    if events.is_empty() {
        return Vec::new();
    }
    match esynoscheduler::names(program, deadline) {
        Err(why) => {
            let tasks: Vec<&Task<'_>> = events.iter().map(|(task, _)| *task).collect();
            vec![Unproven { tasks: &ids(&tasks), why: &why }.found()]
        }
        Ok(names) => {
            let unknown = events.iter().filter(|(_, event)| !names.iter().any(|name| name == event));
            let found = |(task, name): &(&Task<'_>, &str)| {
                let there = nearest(&names, name);
                let there = if there.is_empty() { there } else { format!(" It has {there}.") };
                NoEvent { task: &task.id, name, there: &there }.found()
            };
            unknown.map(found).collect()
        }
    }
}

fn known(task: &Task<'_>, number: u32, program: &str, deadline: Instant) -> Option<Found> {
    match start::get(program, number, deadline) {
        Ok(Some(listed)) => {
            let shown = task.name.as_deref().filter(|name| *name != listed.name && !listed.name.is_empty())?;
            Some(Renamed { number: &number, name: &listed.name, shown: &shown }.found())
        }
        Ok(None) => Some(Unknown { number: &number }.found()),
        Err(why) => Some(Silent { why: &why, program: &program, number: &number }.found()),
    }
}

fn script(task: &Task<'_>, number: u32, server: &Server<'_>, accounts: &Accounts) -> Option<Found> {
    let script = store::find(Path::new(&*server.synoschedule), number).ok();
    let refused = match start::find(&task.starts, server) {
        Err(Outcome::NotStarted { reason, .. }) => Some(reason),
        _ => None,
    };
    // A domain's users stand in no file; one of theirs is refused for other reasons, if at all.
    let uid = script.as_ref().map(|script| script.owner).filter(|uid| accounts.user(*uid) == uid.to_string());
    if let (Some(_), Some(uid)) = (&refused, uid) {
        return Some(NoOwner { number: &number, uid: &uid }.found());
    }
    if script.is_some_and(|script| script.bytes.windows(2).any(|two| two == b"\r\n")) {
        return Some(WindowsScript { number: &number }.found());
    }
    refused.map(|why| NoScript { number: &number, why: &why }.found())
}

fn ids(tasks: &[&Task<'_>]) -> String {
    tasks.iter().map(|task| &*task.id).collect::<Vec<_>>().join(", ")
}
