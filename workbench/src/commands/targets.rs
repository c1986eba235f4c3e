//! The target of a new task: a task that DSM has, by number or name, or a program that is there.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::nas::installation::VERSION;
use crate::owner::fault::{plainly, Fault};
use crate::owner::names::{no_event, quoted, shortened};
use remotetask::files::is_executable;
use remotetask::start::{self, esynoscheduler, Listed};

/// The scheduler's time to answer: each of its tasks is asked for.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Tasks that are named to whoever has asked for another one.
const SHOWN: usize = 10;

/// The words for a machine without DSM.
pub const NO_NAS: &str = "This machine is no Synology NAS";

/// Returns false on a machine that has neither DSM nor the scheduler's program.
pub fn is_a_nas(program: &str) -> bool {
    Path::new(program).exists() || Path::new(VERSION).exists()
}

/// Refuses a triggered task that DSM does not have. Returns a doubt where nobody can be asked.
pub fn triggered(program: &str, event: &str) -> Result<Option<String>, Fault> {
    match esynoscheduler::names(program, Instant::now() + PATIENCE) {
        Ok(names) if names.iter().any(|name| name == event) => Ok(None),
        Ok(names) => {
            Err(no_event(&names, event))
        }
        Err(why) => Ok(Some(format!(
            "Nobody can be asked whether DSM has a triggered task \"{event}\": {why}. If its name is not exactly this, DSM's web \
             API says yes and nothing runs: start it once by its URL, and look whether it ran."
        ))),
    }
}

/// The scheduler's task of this number, or the only one of this name.
pub fn scheduled(program: &str, store: &Path, wanted: &str) -> Result<Listed, Fault> {
    let ask = |e: String| {
        let why = if is_a_nas(program) { e } else { NO_NAS.to_owned() };
        Fault(format!(
            "{why}. Without the Task Scheduler a task needs a command: remotetask tasks add NAME -- /the/program WORDS"
        ))
    };
    let number =
        (1..=9).contains(&wanted.len()) && wanted.bytes().all(|b| b.is_ascii_digit()) && !wanted.starts_with('0');
    if number {
        let number = wanted.parse().map_err(Fault::new)?;
        let found = start::get(program, number, Instant::now() + PATIENCE).map_err(ask)?;
        return found.ok_or_else(|| {
            Fault(format!("the Task Scheduler has no task {wanted}; remotetask tasks shows the numbers that it has"))
        });
    }
    let (there, left) = start::list(program, store, Instant::now() + PATIENCE).map_err(ask)?;
    let there_are = there_are(&there);
    let mut named: Vec<Listed> = there.into_iter().filter(|task| task.name == start::cut_name(wanted)).collect();
    match named.len() {
        1 => Ok(named.remove(0)),
        0 if left > 0 => Err(Fault(format!("no task \"{wanted}\" was found. {}{there_are}", not_asked(left)))),
        0 => Err(Fault(format!(
            "the Task Scheduler has no task \"{wanted}\"; remotetask tasks shows what it has. For a command of your own: \
             remotetask tasks add {} -- /the/program WORDS; for a triggered task: --event \"its name\"{there_are}",
            quoted(wanted)
        ))),
        _ => {
            let numbers: Vec<String> = named.iter().map(|task| task.id.to_string()).collect();
            Err(Fault(format!("several tasks have this name: {}; give the number", numbers.join(", "))))
        }
    }
}

/// A sentence more with the first of the scheduler's tasks.
fn there_are(tasks: &[Listed]) -> String {
    let shown = |task: &Listed| format!("{} \"{}\"", task.id, shortened(&task.name));
    let mut names: Vec<String> = tasks.iter().take(SHOWN).map(shown).collect();
    if tasks.len() > SHOWN {
        names.push(format!("and {} more", tasks.len() - SHOWN));
    }
    match names.is_empty() {
        true => String::new(),
        false => format!(". It has {}", names.join(", ")),
    }
}

/// Judges a command as the root half will, and a little more for a first attempt.
pub fn can_be_started(command: &[String]) -> Result<(), Fault> {
    let program = command.first().map(String::as_str).unwrap_or_default();
    if !program.starts_with('/') {
        let line = command.join(" ");
        return Err(Fault(format!(
            "\"{program}\" is not a whole path: a command begins with / and is executed without a shell. For a shell line: \
             -- /bin/sh -c {}",
            quoted(&line)
        )));
    }
    if program.contains(' ') && !Path::new(program).exists() {
        return Err(Fault(format!(
            "\"{program}\" is no program: write its words apart, without quotes around them all"
        )));
    }
    match is_executable(Path::new(program)).map_err(|e| Fault(format!("{program}: {}", plainly(&e))))? {
        true => Ok(()),
        false if Path::new(program).is_file() => {
            Err(Fault(format!("{program} is not executable; make it so: chmod +x {}", quoted(program))))
        }
        false => Err(Fault(format!("{program} is not a file; name the program itself"))),
    }
}

/// The tasks that a list of the scheduler's may lack.
pub fn not_asked(left: usize) -> String {
    format!(
        "Numbers in the scheduler's answer that were not asked for: {left}; they look like tasks in a script. A task that \
         is missing here is made reachable by its number: remotetask tasks add 7"
    )
}
