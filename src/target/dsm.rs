//! DSM's Task Scheduler, by `synoschedtask`.
//!
//! `--get id=N` proves that a task exists. A plain `--run id=N` judges the task's own schedule again
//! and, off schedule, exits with 0 and starts nothing; `check_time=0` is what public projects found
//! to be the cure, and `check_status=0` with it for a disabled task. No source says what a real DSM
//! does with the latter: SECURITY.md and ARCHITECTURE.md list it as not verified.

use std::time::Instant;

use crate::child::{gather, Gathered, Trouble};
use crate::outcome::Outcome;
use crate::text::{cut, Quoted};

/// What of an answer is read, in bytes: a script in it may be long, the fields before it are not.
const ANSWER_MAX: usize = 256 << 10;

/// A task that the scheduler knows.
pub struct Scheduled<'c> {
    program: &'c str,
    number: u32,
    enabled: bool,
    deadline: Instant,
}

/// Asks the scheduler for the task `number`.
pub fn find(program: &str, number: u32, deadline: Instant) -> Result<Scheduled<'_>, Outcome> {
    let filter = format!("id={number}");
    let answer = gather([program, "--get", &filter], ANSWER_MAX, deadline)
        .map_err(|trouble| Outcome::not_started("7a", said(program, "--get", trouble)))?;
    match parse(&String::from_utf8_lossy(&answer.stdout)) {
        Some(task) if task.id == number.to_string() => {
            Ok(Scheduled { program, number, enabled: task.enabled, deadline })
        }
        _ => {
            let reason = format!("the Task Scheduler knows no task {number}: {}", summary(&answer));
            Err(Outcome::not_started("7a", reason))
        }
    }
}

impl Scheduled<'_> {
    /// Hands it to DSM. What comes of it only DSM knows.
    pub fn run(&self) -> Result<(), Outcome> {
        let filter = format!("id={}", self.number);
        let mut argv = vec![self.program, "--run", &filter, "check_time=0"];
        if !self.enabled {
            argv.push("check_status=0");
        }
        match gather(argv, ANSWER_MAX, self.deadline) {
            Ok(answer) if answer.end.exit == Some(0) => Ok(()),
            Ok(answer) => Err(Outcome::not_started("8b", format!("{} --run: {}", self.program, summary(&answer)))),
            Err(trouble @ Trouble::Start(_)) => Err(Outcome::not_started("8b", said(self.program, "--run", trouble))),
            // It may have reached the scheduler before it was killed.
            Err(trouble @ Trouble::Late) => Err(Outcome::Unknown { reason: said(self.program, "--run", trouble) }),
        }
    }
}

fn said(program: &str, what: &str, trouble: Trouble) -> String {
    match trouble {
        Trouble::Start(e) => format!("{program}: {e}"),
        Trouble::Late => format!("{program} {what} had not ended after 10 s"),
    }
}

fn summary(answer: &Gathered) -> String {
    let first = |output: &[u8]| cut(output.trim_ascii().split(|&b| b == b'\n').next().unwrap_or_default()).to_owned();
    let words = match first(&answer.stderr) {
        words if words.is_empty() => first(&answer.stdout),
        words => words,
    };
    match (answer.end.exit, answer.end.signal) {
        (Some(code), _) => format!("exit {code}, {}", Quoted(&words)),
        (_, signal) => format!("killed by signal {}, {}", signal.unwrap_or(0), Quoted(&words)),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Task {
    id: String,
    enabled: bool,
}

/// The first record of a `--get`, up to its `Command`: what follows is the owner's script and may
/// look like anything. Labels end at a colon, values stand in brackets.
fn parse(answer: &str) -> Option<Task> {
    let (mut id, mut state) = (None, None);
    for line in answer.lines().skip_while(|line| line.trim().is_empty()) {
        let (label, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim().strip_prefix('[').and_then(|value| value.strip_suffix(']'));
        match label.trim() {
            "Command" | "" => break,
            "ID" if id.is_none() => id = Some(value?.to_owned()),
            "State" if state.is_none() => state = Some(value? == "enabled"),
            _ => {}
        }
    }
    Some(Task { id: id?, enabled: state? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str =
        "             User: [root]\n               ID: [7]\n             Name: [Samsung SSD]\n            \
        State: [enabled]\n            Owner: [root]\n             Type: [daily]\n       Start date: [0/0/0]\n         \
        Run time: [1]:[0]\n          Command: [/bin/true]\n           Status: [Not Available]\n";

    #[test]
    fn the_first_record_up_to_its_command() {
        let old = NEW.replacen("             User: [root]\n", "", 1);
        let disabled = NEW.replace("[enabled]", "[disabled]");
        let two = format!("{NEW}\n{}", NEW.replace("ID: [7]", "ID: [9]"));
        let script = NEW.replace("[/bin/true]", "[echo\n               ID: [9]\n            State: [disabled]\n]");
        let only_in_script = script.replacen("               ID: [7]\n", "", 1);
        let app = NEW.replace("            State", "          AppName: [#common:command_line#]\n            State");
        let late = "          Command: [x\n               ID: [7]\n            State: [enabled]\n]\n";
        let task = |enabled| Some(Task { id: "7".into(), enabled });
        for (answer, expected) in [
            (NEW, task(true)),
            (&old, task(true)),
            (&disabled, task(false)),
            (&two, task(true)),
            (&script, task(true)),
            (&app, task(true)),
            (&only_in_script, None),
            (late, None),
            ("", None),
            ("\n\n", None),
            ("               ID: 7\n            State: [enabled]\n", None),
            ("Failed to get task\n", None),
        ] {
            assert_eq!(parse(answer), expected, "{answer}");
        }
    }
}
