//! DSM's Task Scheduler, by `synoschedtask`.
//!
//! `--get id=N` proves that a task exists. A plain `--run id=N` judges the task's own schedule again
//! and, off schedule, exits with 0 and starts nothing; `check_time=0` is what public projects found
//! to help, and `check_status=0` with it for a disabled task. No source says what a real DSM
//! does with the latter: SECURITY.md and ARCHITECTURE.md list it as not verified.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use super::{said, store, summary};
use crate::child::{run_captured, Captured, RunError};
use crate::outcome::Outcome;
use crate::step::Step;

/// The most that is read of an answer, in bytes: larger than any script that DSM keeps.
const ANSWER_MAX: usize = 4 << 20;

/// Numbers without a file in the store that are asked for; a NAS without such files has no more tasks than these.
const FEW: usize = 256;

/// Characters of a task's name that are taken over: DSM's own pages let anybody who may make a task type any number of them.
const NAME_MAX: usize = 100;

/// A task as the scheduler shows it. All but the id is DSM's and the owner's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub id: u32,
    /// Its owner's name for it, [cut](cut_name).
    pub name: String,
    /// True if its own schedule starts it.
    pub enabled: bool,
    /// The user as whom it runs; empty where that user does not exist any more. Some DSM do not say.
    pub owner: Option<String>,
    /// The user whose store it lies in; older DSM does not say.
    pub user: Option<String>,
    /// When its schedule starts it next.
    pub next: Option<String>,
    /// When it last ran.
    pub last: Option<String>,
    /// The result of that run, as DSM words it.
    pub status: Option<String>,
}

/// The beginning of a task's name, which is all of it for a name that people type.
pub fn cut_name(name: &str) -> String {
    name.chars().take(NAME_MAX).collect()
}

/// The task `number`, if the scheduler knows it.
pub fn get(program: &str, number: u32, deadline: Instant) -> Result<Option<Listed>, String> {
    let (task, answer) = ask(program, number, deadline)?;
    match answer.end.signal {
        None => Ok(task),
        Some(_) => Err(format!("{program} --get: {}", summary(&answer))),
    }
}

/// All tasks, by their numbers, and how many numbers were not asked for.
///
/// A script in the list may look like any number of tasks, so each is asked for by itself: all that have a file in
/// DSM's store, which no script can forge, and of the rest, for a store that is elsewhere, the first [`FEW`].
pub fn list(program: &str, store: &Path, deadline: Instant) -> Result<(Vec<Listed>, usize), String> {
    let answer =
        run_captured([program, "--get"], ANSWER_MAX, deadline).map_err(|error| said(program, "--get", error))?;
    if answer.end.exit != Some(0) {
        return Err(format!("{program} --get: {}", summary(&answer)));
    }
    if answer.stdout.len() == ANSWER_MAX {
        return Err(format!("{program} --get: its answer is longer than {} MiB", ANSWER_MAX >> 20));
    }
    let stored = store::numbers(store);
    let mentioned = mentioned(&String::from_utf8_lossy(&answer.stdout));
    let (sure, rest): (Vec<u32>, Vec<u32>) = mentioned.into_iter().partition(|number| stored.contains(number));
    let mut tasks = Vec::new();
    for number in sure.iter().chain(rest.iter().take(FEW)) {
        tasks.extend(get(program, *number, deadline)?);
    }
    tasks.sort_by_key(|task| task.id);
    Ok((tasks, rest.len().saturating_sub(FEW)))
}

/// Step 7a: the scheduler knows the task `number`.
pub fn find(program: &str, number: u32, deadline: Instant) -> Result<Listed, Outcome> {
    let (task, answer) =
        ask(program, number, deadline).map_err(|why| Outcome::not_started(Step::ScheduledTask, why))?;
    task.ok_or_else(|| {
        let reason = format!("the Task Scheduler knows no task {number}: {}", summary(&answer));
        Outcome::not_started(Step::ScheduledTask, reason)
    })
}

/// Step 8b: hands the task to DSM, with these further words. What comes of it only DSM knows.
pub fn run(program: &str, number: u32, words: &[&str], deadline: Instant) -> Result<(), Outcome> {
    let filter = format!("id={number}");
    let argv = [program, "--run", &filter].into_iter().chain(words.iter().copied());
    match run_captured(argv, ANSWER_MAX, deadline) {
        Ok(answer) if answer.end.exit == Some(0) => Ok(()),
        Ok(answer) if answer.end.signal.is_some() => {
            Err(Outcome::Unknown { reason: format!("{program} --run: {}", summary(&answer)) })
        }
        Ok(answer) => Err(Outcome::not_started(Step::HandOver, format!("{program} --run: {}", summary(&answer)))),
        Err(error @ RunError::Start(_)) => Err(Outcome::not_started(Step::HandOver, said(program, "--run", error))),
        // It may have reached the scheduler before it was killed.
        Err(error @ RunError::Late(_)) => Err(Outcome::Unknown { reason: said(program, "--run", error) }),
    }
}

fn ask(program: &str, number: u32, deadline: Instant) -> Result<(Option<Listed>, Captured), String> {
    let filter = format!("id={number}");
    let answer = run_captured([program, "--get", &filter], ANSWER_MAX, deadline);
    let answer = answer.map_err(|error| said(program, "--get", error))?;
    // An answer that is not whole has no end to read.
    let whole = answer.stdout.len() < ANSWER_MAX;
    let task = parse(&String::from_utf8_lossy(&answer.stdout), whole).filter(|task| task.id == number);
    Ok((task, answer))
}

/// The first record of a `--get`. Labels end at a colon, values stand in brackets.
///
/// Its fields count up to its `Command`: that is the owner's script and may look like anything. What
/// DSM shows behind the script is read from the end backwards, as far as it looks like fields.
pub fn parse(answer: &str, whole: bool) -> Option<Listed> {
    let mut lines = answer.lines().skip_while(|line| line.trim().is_empty());
    let mut head = Vec::new();
    let mut behind = Vec::new();
    for line in lines.by_ref() {
        match label(line) {
            "" => break,
            "Command" => {
                behind = lines.collect();
                break;
            }
            name => head.push((name, value(line))),
        }
    }
    let backwards = behind.iter().rev().skip_while(|line| line.trim().is_empty());
    let tail: Vec<_> = match whole {
        true => backwards.map_while(|line| Some((label(line), Some(value(line)?)))).collect(),
        false => Vec::new(),
    };
    let first = |fields: &[(&str, Option<&str>)], name: &str| {
        let found = fields.iter().find(|field| field.0 == name)?;
        found.1.map(str::to_owned)
    };
    let shown = |name: &str| first(&head, name).or_else(|| first(&tail, name)).filter(|value| !value.is_empty());
    Some(Listed {
        id: number(&first(&head, "ID")?)?,
        name: cut_name(&first(&head, "Name").unwrap_or_default()),
        enabled: first(&head, "State")? == "enabled",
        owner: first(&head, "Owner"),
        user: first(&head, "User"),
        next: shown("Next Trigger"),
        last: shown("Last Run Time").or_else(|| shown("Last work time")), // as older DSM calls it
        status: shown("Status"),
    })
}

/// The numbers that an answer names anywhere, in a script too.
pub fn mentioned(answer: &str) -> BTreeSet<u32> {
    answer.lines().filter(|line| label(line) == "ID").filter_map(|line| number(value(line)?)).collect()
}

fn label(line: &str) -> &str {
    line.split_once(':').map_or(line, |(label, _)| label).trim()
}

fn value(line: &str) -> Option<&str> {
    line.split_once(':')?.1.trim().strip_prefix('[')?.strip_suffix(']')
}

/// A number as the scheduler writes it, in one way only.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number: &u32| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = "             User: [root]
               ID: [7]
             Name: [Samsung SSD]
            State: [enabled]
            Owner: [anna]
             Type: [daily]
       Start date: [0/0/0]
         Run time: [1]:[0]
          Command: [/bin/true]
           Status: [Not Available]
";

    fn seven() -> Listed {
        Listed {
            id: 7,
            name: "Samsung SSD".into(),
            enabled: true,
            owner: Some("anna".into()),
            user: Some("root".into()),
            next: None,
            last: None,
            status: Some("Not Available".into()),
        }
    }

    #[test]
    fn the_first_record_up_to_its_command() {
        let old = NEW.replacen("             User: [root]\n", "", 1);
        let disabled = NEW.replace("[enabled]", "[disabled]");
        let two = format!("{NEW}\n{}", NEW.replace("ID: [7]", "ID: [9]"));
        let script = NEW.replace("[/bin/true]", "[echo\n               ID: [9]\n            State: [disabled]\n]");
        let only_in_script = script.replacen("               ID: [7]\n", "", 1);
        let app = NEW.replace("            State", "          AppName: [#common:command_line#]\n            State");
        let late = "          Command: [x\n               ID: [7]\n            State: [enabled]\n]\n";
        for (answer, expected) in [
            (NEW, Some(seven())),
            (&old, Some(Listed { user: None, ..seven() })),
            (&NEW.replace("            Owner: [anna]\n", ""), Some(Listed { owner: None, ..seven() })),
            (&NEW.replace("[anna]", "[]"), Some(Listed { owner: Some(String::new()), ..seven() })),
            (&disabled, Some(Listed { enabled: false, ..seven() })),
            (&two, Some(seven())),
            (&script, Some(seven())),
            (&app, Some(seven())),
            (&format!("\n\n{NEW}\n\n"), Some(seven())),
            (&only_in_script, None),
            (late, None),
            ("", None),
            ("\n\n", None),
            ("               ID: 7\n            State: [enabled]\n", None),
            ("               ID: [07]\n            State: [enabled]\n", None),
            ("               ID: [+7]\n            State: [enabled]\n", None),
            ("               ID: [7]\n", None),
            ("Failed to get task\n", None),
        ] {
            assert_eq!(parse(answer, true), expected, "{answer}");
        }
    }

    #[test]
    fn what_stands_behind_the_script_is_read_from_the_end() {
        let shown = |status: Option<&str>, last: Option<&str>, next: Option<&str>| {
            let own = |text: Option<&str>| text.map(str::to_owned);
            Some(Listed { status: own(status), last: own(last), next: own(next), ..seven() })
        };
        let times = "    Last Run Time: [2026-11-24 9:01]\n     Next Trigger: [2026-11-25 1:00]\n";
        let behind = format!("{NEW}{times}");
        let all = shown(Some("Not Available"), Some("2026-11-24 9:01"), Some("2026-11-25 1:00"));
        let status = "           Status: [Not Available]\n";
        let before = NEW.replace(status, "").replace("          Command", &format!("{status}{times}          Command"));
        // Scripts that look like what DSM shows.
        let fooling = "[x\n           Status: [Success]\n     Next Trigger: [never]\n]";
        let to_the_end = "[x\n\n           Status: [Success]";
        for (answer, expected) in [
            (behind.clone(), all.clone()),
            (format!("{behind}\n\n"), all.clone()),
            (behind.replace(" Last Run Time", "Last work time"), all.clone()),
            (before.clone(), all.clone()),
            (behind.replace("[/bin/true]", fooling), all.clone()),
            (before.replace("[/bin/true]", fooling), all.clone()),
            (before.replace("[/bin/true]", to_the_end), all.clone()),
            (NEW.replace("[/bin/true]", fooling), shown(Some("Not Available"), None, None)),
            (NEW.replace(status, "").replace("[/bin/true]", fooling), shown(None, None, None)),
            (NEW.replace(status, "           Status: [Error(1)]\n"), shown(Some("Error(1)"), None, None)),
            (NEW.replace(status, "           Status: []\n"), shown(None, None, None)),
            // Without a Command what follows is another record.
            (format!("{}\n{behind}", before.split("          Command").next().unwrap_or_default()), all.clone()),
            (
                NEW.split("          Command").next().map(|head| format!("{head}\n{NEW}")).unwrap_or_default(),
                shown(None, None, None),
            ),
        ] {
            assert_eq!(parse(&answer, true), expected, "{answer}");
        }
        assert_eq!(parse(&behind, false), shown(None, None, None), "an answer without its end");
    }

    #[test]
    fn every_number_that_is_named_is_a_candidate() {
        let nine = NEW
            .replace("ID: [7]", "ID: [9]")
            .replace("[/bin/true]", "[x\n               ID: [12]\nID: [x]\n ID: [012]\n]");
        assert_eq!(mentioned(&format!("{nine}\n{NEW}\n{NEW}")).into_iter().collect::<Vec<_>>(), [7, 9, 12]);
        assert!(mentioned("").is_empty());
    }
}
