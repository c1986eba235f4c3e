//! Triggered tasks, by DSM's `esynoscheduler`.
//!
//! It knows their names, and it can start one: `--run` waits for the task's end, so it is kept like a command. Its answers
//! stand among other words, behind `jOut=`. Its exit codes prove nothing that is relied on here.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{said, summary};
use crate::child::run_captured;
use crate::outcome::Outcome;
use crate::step::Step;
use crate::text::Quoted;

/// The most that is read of an answer, in bytes: the scripts of all triggered tasks stand in it.
const ANSWER_MAX: usize = 4 << 20;
/// The time in which it must list the names: DSM has to start the task in the rest of its time.
const NAME_TIME: Duration = Duration::from_secs(4);

/// Returns the names of all triggered tasks.
pub fn names(program: &str, deadline: Instant) -> Result<Vec<String>, String> {
    let list = ask(program, &["--list"], deadline)?;
    let Value::Array(tasks) = list else { return Err(format!("{program} --list: its answer is no list")) };
    Ok(tasks.iter().filter_map(|task| Some(task.get("task_name")?.as_str()?.to_owned())).collect())
}

/// Returns a triggered task as DSM has it; none where it has no task of this name.
pub fn get(program: &str, name: &str, deadline: Instant) -> Result<Option<Value>, String> {
    let task = ask(program, &["--get", &task_name(name)], deadline)?;
    Ok(Some(task).filter(|task| task.get("task_name").and_then(Value::as_str) == Some(name)))
}

/// Step 7f: DSM knows the name, by its list or by the task itself. Returns the reason in the inner error where DSM cannot
/// be asked.
pub fn find(program: &str, name: &str, deadline: Instant) -> Result<Result<(), String>, Outcome> {
    let soon = deadline.min(Instant::now() + NAME_TIME);
    let known = match names(program, soon) {
        Ok(names) => names.iter().any(|known| known == name),
        Err(why) => match get(program, name, soon) {
            Ok(task) => task.is_some(),
            Err(_) => return Ok(Err(why)),
        },
    };
    match known {
        true => Ok(Ok(())),
        false => Err(Outcome::not_started(
            Step::TriggeredTask,
            format!("DSM has no triggered task {}", Quoted(name.as_bytes())),
        )),
    }
}

/// The words that start a triggered task and wait for its end.
pub fn argv(program: &str, name: &str) -> [String; 3] {
    [program.to_owned(), "--run".to_owned(), task_name(name)]
}

fn task_name(name: &str) -> String {
    format!("task_name={name}")
}

fn ask(program: &str, words: &[&str], deadline: Instant) -> Result<Value, String> {
    let argv = [program].into_iter().chain(words.iter().copied());
    let answer = run_captured(argv, ANSWER_MAX, deadline).map_err(|error| said(program, words[0], error))?;
    parse(&answer.stdout).ok_or_else(|| format!("{program} {}: {}", words[0], summary(&answer)))
}

/// The JSON value behind the first `jOut=` that one follows.
pub fn parse(stdout: &[u8]) -> Option<Value> {
    const MARK: &[u8] = b"jOut=";
    let places = (0..stdout.len()).filter(|&at| stdout[at..].starts_with(MARK));
    places.into_iter().find_map(|at| {
        let mut values = serde_json::Deserializer::from_slice(&stdout[at + MARK.len()..]).into_iter();
        values.next()?.ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_answer_among_noise() {
        let list = json!([{"task_name": "Tür \"1\"", "operation": "echo jOut=[1]"}, {"task_name": "b"}]);
        for (stdout, expected) in [
            (format!("jOut={list}"), Some(list.clone())),
            (format!("e.cpp:1 [--list]\njOut= {list:#}\nmore [x]\n"), Some(list.clone())),
            (format!("no jOut=yet\njOut={list}"), Some(list.clone())),
            ("jOut={}\n".into(), Some(json!({}))),
            ("e.cpp:1 [--list]\n".into(), None),
            ("jOut=[{\"task_name\": \"cut o".into(), None),
            (String::new(), None),
        ] {
            assert_eq!(parse(stdout.as_bytes()), expected, "{stdout}");
        }
    }
}
