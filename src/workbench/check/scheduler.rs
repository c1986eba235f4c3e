//! The tasks of DSM's Task Scheduler: it answers, and knows each number that config.json names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::finding::{Found, Kind, Level};
use super::Subject;
use crate::config::Starts;
use crate::target;

static MISSING: Kind = Kind {
    code: "scheduler-missing",
    level: Level::Fault,
    says: "There is no program <program> that could be started, so no scheduled task can.",
    cure: "If it lies elsewhere on this machine, write its place into config.json: `find / -name synoschedtask \
           2>/dev/null` `\"synoschedtask\": \"/usr/syno/bin/synoschedtask\"`",
};
static ELSEWHERE: Kind = Kind {
    code: "scheduler-elsewhere",
    level: Level::Advice,
    says: "This machine has no Task Scheduler of DSM's. On a Synology NAS these tasks can be started, here they \
           cannot: <tasks>.",
    cure: "Nothing is to be done for a trial.",
};
static SILENT: Kind = Kind {
    code: "scheduler-silent",
    level: Level::Fault,
    says: "The Task Scheduler gives no answer: <why>.",
    cure: "See what it says by itself: `sudo <program> --get id=<number>`",
};
static UNKNOWN: Kind = Kind {
    code: "task-unknown",
    level: Level::Fault,
    says: "The Task Scheduler knows no task <number>, so nobody can start it.",
    cure: "See which tasks it knows. Make this one in DSM's Task Scheduler, or take its URLs back: `sudo \
           remotetask tasks` `sudo remotetask tasks remove <number>`",
};

/// What can be found here.
pub static KINDS: &[&Kind] = &[&MISSING, &ELSEWHERE, &SILENT, &UNKNOWN];

/// How long the scheduler may take for all of them.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks for each, as the root half does before it starts one.
pub fn look(subject: &Subject<'_>) -> Vec<Found> {
    let Some(config) = subject.config else { return Vec::new() };
    let numbers = config.tasks.iter().filter_map(|task| match task.starts {
        Starts::Scheduled(number) => Some(number),
        _ => None,
    });
    let numbers: Vec<u32> = numbers.collect();
    if numbers.is_empty() {
        return Vec::new();
    }
    let program = &*config.server.synoschedtask;
    if !fs::metadata(program).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0) {
        let tasks = numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let kind = if subject.trial { &ELSEWHERE } else { &MISSING };
        return vec![kind.found(&[("program", program), ("tasks", &tasks)])];
    }
    let deadline = Instant::now() + PATIENCE;
    let mut found = Vec::new();
    for number in numbers {
        let shown = number.to_string();
        match target::get(program, number, deadline) {
            Ok(Some(_)) => {}
            Ok(None) => found.push(UNKNOWN.found(&[("number", &shown)])),
            Err(why) => {
                // The next one would only wait as long.
                found.push(SILENT.found(&[("why", &why), ("program", program), ("number", &shown)]));
                break;
            }
        }
    }
    found
}
