//! config.json: there, and valid, and something in it.

use std::io;
use std::path::Path;

use crate::nas::installation::Installation;
use crate::owner::fault::plainly;
use crate::owner::finding::{findings, Found};
use remotetask::config::{Config, Refusal};

findings! {
    Missing { file }: "config-missing", Fault,
        "There is no <file>, so no URL starts anything.",
        "See what the Task Scheduler has, and make one of its tasks reachable, such as the task 7; that makes the file \
         too: `sudo remotetask tasks` `sudo remotetask tasks add 7`";
    Unreadable { file, why }: "config-unreadable", Fault,
        "<file> cannot be read: <why>.",
        "Put a regular file of at most 1 MiB in its place; nothing can be started until then. This shows what is there \
         now: `sudo ls -ld <file>`";
    Refused { file, line, column, what }: "config-refused", Fault,
        "<file>, line <line>, column <column>: <what>.",
        "Mend that place. Nothing can be started until then: `sudo vi <file>`";
    NoTasks { file }: "tasks-none", Advice,
        "There is no task in <file>, so no URL starts anything.",
        "See what the Task Scheduler has, and make one of its tasks reachable, such as the task 7: `sudo remotetask \
         tasks` `sudo remotetask tasks add 7`";
    NotTrusted { file }: "not-looked", Advice,
        "Others could have written <file>, so no program that it names was started or looked at.",
        "Mend what is said of its files and folders, or check as the user to whom all of them belong; then check \
         again: `sudo remotetask check`";
}

/// Looks at the file.
pub fn look(path: &Path, unreadable: Option<&io::Error>, config: Option<&Result<Config<'_>, Refusal>>) -> Vec<Found> {
    let file = path.display();
    if let Some(e) = unreadable {
        return vec![match e.kind() {
            io::ErrorKind::NotFound => Missing { file: &file }.found(),
            _ => Unreadable { file: &file, why: &plainly(e) }.found(),
        }];
    }
    match config {
        Some(Err(refusal)) => {
            let Refusal { line, column, message } = refusal;
            vec![Refused { file: &file, line, column, what: message }.found()]
        }
        Some(Ok(config)) if config.tasks.is_empty() => vec![NoTasks { file: &file }.found()],
        _ => Vec::new(),
    }
}

/// Says that its programs were left alone.
pub fn not_trusted(nas: &Installation<'_>) -> Option<Found> {
    (!nas.trusted).then(|| NotTrusted { file: &nas.path("config.json").display() }.found())
}
