//! config.json: there, and valid, and something in it.

use std::io;
use std::path::Path;

use crate::nas::installation::Installation;
use crate::owner::fault::plainly;
use crate::owner::finding::{Found, Kind, Level};
use remotetask::config::{Config, Refusal};

static MISSING: Kind = Kind {
    code: "config-missing",
    level: Level::Fault,
    places: &[],
    says: "There is no <file>, so no URL starts anything.",
    cure: "See what the Task Scheduler has, and make one of its tasks reachable, such as the task 7; that makes \
           the file too: `sudo remotetask tasks` `sudo remotetask tasks add 7`",
};
static UNREADABLE: Kind = Kind {
    code: "config-unreadable",
    level: Level::Fault,
    places: &[],
    says: "<file> cannot be read: <why>.",
    cure: "Put a regular file of at most 1 MiB in its place; nothing can be started until then. This shows what is \
           there now: `sudo ls -ld <file>`",
};
static REFUSED: Kind = Kind {
    code: "config-refused",
    level: Level::Fault,
    places: &[],
    says: "<file>, line <line>, column <column>: <what>.",
    cure: "Mend that place. Nothing can be started until then: `sudo vi <file>`",
};
static NO_TASKS: Kind = Kind {
    code: "tasks-none",
    level: Level::Advice,
    places: &[],
    says: "There is no task in <file>, so no URL starts anything.",
    cure: "See what the Task Scheduler has, and make one of its tasks reachable, such as the task 7: `sudo \
           remotetask tasks` `sudo remotetask tasks add 7`",
};
static NOT_TRUSTED: Kind = Kind {
    code: "not-looked",
    level: Level::Advice,
    places: &[],
    says: "Others could have written <file>, so no program that it names was started or looked at.",
    cure: "Mend what is said of its files and folders, or check as the user to whom all of them belong; then check again: \
           `sudo remotetask check`",
};

/// The findings of this module.
#[cfg(test)]
pub static KINDS: &[&Kind] = &[&MISSING, &UNREADABLE, &REFUSED, &NO_TASKS, &NOT_TRUSTED];

/// Looks at the file.
pub fn look(path: &Path, unreadable: Option<&io::Error>, config: Option<&Result<Config<'_>, Refusal>>) -> Vec<Found> {
    let file = path.display().to_string();
    if let Some(e) = unreadable {
        return vec![match e.kind() {
            io::ErrorKind::NotFound => MISSING.found(&[("file", &file)]),
            _ => UNREADABLE.found(&[("file", &file), ("why", &plainly(e))]),
        }];
    }
    match config {
        Some(Err(refusal)) => {
            let (line, column) = (refusal.line.to_string(), refusal.column.to_string());
            let names = [("file", &*file), ("line", &line), ("column", &column), ("what", &refusal.message)];
            vec![REFUSED.found(&names)]
        }
        Some(Ok(config)) if config.tasks.is_empty() => vec![NO_TASKS.found(&[("file", &file)])],
        _ => Vec::new(),
    }
}

/// Says that its programs were left alone.
pub fn not_trusted(nas: &Installation<'_>) -> Option<Found> {
    let file = nas.path("config.json").display().to_string();
    (!nas.trusted).then(|| NOT_TRUSTED.found(&[("file", &file)]))
}
