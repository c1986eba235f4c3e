//! A sentence an event.

use std::collections::HashMap;

use super::timeline::{Event, What};
use crate::owner::request_log;
use crate::owner::run_words::{failed, person, span, state, time, unquoted, when};
use crate::owner::screen::Tone;
use remotetask::config::Config;
use remotetask::record::{Record, State};

/// The tasks' names by their ids.
pub struct Names(HashMap<String, String>);

impl Names {
    /// Those of a configuration.
    pub fn of(config: Option<&Config<'_>>) -> Names {
        let tasks = config.into_iter().flat_map(|config| &config.tasks);
        Names(tasks.map(|task| (task.id.to_string(), task.shown().to_owned())).collect())
    }

    fn shown(&self, id: &str) -> String {
        match self.0.get(id) {
            Some(name) if name != id => format!("{name} ({id})"),
            _ => format!("task {id}"),
        }
    }
}

/// The time of an event; before a line of log.txt that has not its form, the file's name.
pub fn mark(event: &Event) -> String {
    match &event.what {
        What::Line(line) if line.event.is_none() => "log.txt:".into(),
        _ => u64::try_from(event.at).ok().and_then(time).map_or_else(|| "at some time".into(), when),
    }
}

/// Its weight.
pub fn tone(event: &Event) -> Tone {
    let level = |line: &request_log::Line| line.event.as_ref().map(|event| event.level.clone());
    match &event.what {
        What::Start(record) if record.state == State::NotStarted => Tone::Fault,
        What::Start(_) => Tone::Good,
        What::End(record) if record.state == State::Finished => Tone::Good,
        What::End(_) => Tone::Fault,
        What::Line(line) => match level(line).as_deref() {
            Some("INFO") => Tone::Good,
            Some("ERROR") => Tone::Fault,
            _ => Tone::Advice,
        },
    }
}

/// The sentence of an event. The screen escapes it.
pub fn sentence(event: &Event, names: &Names) -> String {
    match &event.what {
        What::Start(record) => start(record, names),
        What::End(record) => {
            let took = record.duration_ms.map(|ms| format!(" after {}", span(ms))).unwrap_or_default();
            format!("{} {}{took} (run {}).", names.shown(&record.task), state(record), record.run)
        }
        What::Line(line) => match &line.event {
            Some(event) => request(event, names).unwrap_or_else(|| line.text.clone()),
            None => line.text.clone(),
        },
    }
}

fn start(record: &Record, names: &Names) -> String {
    let (who, task, run) = (person(&record.who), names.shown(&record.task), &record.run);
    match record.state {
        State::NotStarted | State::Handed | State::Handing => {
            format!("{who} asked for {task}, which {} (run {run}).", state(record))
        }
        _ => format!("{who} started {task} (run {run})."),
    }
}

/// A line of log.txt in words, if it is one of those that are known.
fn request(event: &request_log::Event, names: &Names) -> Option<String> {
    if let Some(fault) = event.what.strip_prefix("fault ") {
        return Some(format!(
            "A fault here: {fault}{}",
            event.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
        ));
    }
    let caller = match event.field("who")? {
        "unknown" => "A caller without a valid magic key".to_owned(),
        who => person(who),
    };
    let caller = match event.field("from")? {
        "unknown" => format!("{caller}, from an unknown address,"),
        from => format!("{caller}, from {from},"),
    };
    let (numbers, why) = event.why.as_deref().map(numbered).unwrap_or_default();
    let mut notes: Vec<String> = Vec::new();
    if !numbers.is_empty() {
        notes.push(format!("{} {}", if numbers.len() == 1 { "check" } else { "checks" }, numbers.join(", ")));
    }
    notes.extend(event.field("reference").map(|reference| format!("reference {reference}")));
    notes.extend(event.field("run").map(|run| format!("run {run}")));
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    let why = if why.is_empty() { why } else { format!(": {why}") };
    if event.what == "refused" {
        return Some(format!("{caller} was refused{why}{notes}."));
    }
    let did = match (&*event.what, event.field("task")) {
        ("panel" | "asked panel", _) => "looked at the panel".into(),
        (_, Some(task)) => did(event, &names.shown(&unquoted(task)))?,
        (_, None) => return None,
    };
    Some(format!("{caller} {did}{why}{notes}."))
}

/// The words for a request about a task, and its result.
fn did(event: &request_log::Event, task: &str) -> Option<String> {
    let number = |name| event.field(name).and_then(|text| text.parse::<i32>().ok());
    let past = |word: &str| past(word, || failed(number("exit"), number("signal")));
    if let Some(word) = event.what.strip_prefix("stop of an earlier run ") {
        return Some(format!("wanted to stop an earlier run of {task}, of which a newer one {}", past(word)?));
    }
    for (begin, did) in [("asked ", "asked about"), ("stop ", "wanted to stop")] {
        if let Some(word) = event.what.strip_prefix(begin) {
            return Some(format!("{did} {task}, which {}", past(word)?));
        }
    }
    Some(match &*event.what {
        "started" => format!("started {task}"),
        "running" => format!("asked for {task}, which was running already"),
        "cooling" => format!("asked for {task} again before its cool-down was over"),
        "busy" => format!("asked for {task} while too many runs were alive"),
        "not_started" => format!("asked for {task}, which was not started"),
        "unknown" => format!("asked for {task}, and whether it started is not known"),
        // A start whose run was stopped meanwhile is an error.
        "stopped" if event.level == "INFO" => format!("stopped {task}"),
        what if what.starts_with("shown again ") => format!("asked for {task} again, and was shown its last run"),
        what if what.starts_with("not stopped ") => format!("wanted to stop {task}, which was not running"),
        what if what.starts_with("may not stop ") => format!("wanted to stop {task}, which its callers may not stop"),
        what => format!("asked for {task}, which {}", past(what)?),
    })
}

/// The state of a run as the log has it.
fn past(word: &str, failed: impl Fn() -> String) -> Option<String> {
    Some(match word {
        "running" => "was running".into(),
        "started" => "was handed to DSM".into(),
        "unknown" => "had perhaps been handed to DSM".into(),
        "finished" => "had ended well".into(),
        "failed" => failed(),
        "timed_out" => "was ended because its time limit was over".into(),
        "stopped" => "was stopped".into(),
        "interrupted" => "was interrupted".into(),
        "not_started" => "could not be started".into(),
        "never" => "had never been started".into(),
        _ => return None,
    })
}

/// The numbers of checks at the beginning of a reason, and the words behind them.
fn numbered(why: &str) -> (Vec<&str>, String) {
    let is_number = |word: &&str| {
        let letter = word.trim_start_matches(|c: char| c.is_ascii_digit());
        match (word.len() - letter.len(), letter.as_bytes()) {
            (1, []) => true,
            (1..=2, [letter]) => letter.is_ascii_lowercase(),
            _ => false,
        }
    };
    let mut rest = why;
    let mut numbers = Vec::new();
    while let Some((word, behind)) = rest.split_once(' ').filter(|(word, _)| is_number(word)) {
        numbers.push(word);
        rest = behind;
    }
    (numbers, unquoted(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_of_the_log() {
        let names = Names(HashMap::from([("t".to_owned(), "The task".to_owned())]));
        let stamp = "2026-11-24 07:12:33.123 +01:00";
        for (line, expected) in [
            ("INFO  started task=\"t\"", "started The task (t)"),
            ("INFO  finished task=\"x\"", "asked for task x, which had ended well"),
            ("ERROR timed_out task=\"t\"", "asked for The task (t), which was ended because its time limit was over"),
            ("INFO  stopped task=\"t\"", "stopped The task (t)"),
            ("ERROR stopped task=\"t\"", "asked for The task (t), which was stopped"),
            ("INFO  not stopped finished task=\"t\"", "wanted to stop The task (t), which was not running"),
            ("INFO  may not stop running task=\"t\"", "wanted to stop The task (t), which its callers may not stop"),
            (
                "INFO  stop of an earlier run running task=\"t\"",
                "wanted to stop an earlier run of The task (t), of which a newer one was running",
            ),
            ("INFO  stop unknown task=\"t\"", "wanted to stop The task (t), which had perhaps been handed to DSM"),
            ("INFO  shown again running task=\"t\"", "asked for The task (t) again, and was shown its last run"),
            ("INFO  asked never task=\"t\"", "asked about The task (t), which had never been started"),
            ("INFO  asked panel", "looked at the panel"),
            ("INFO  panel", "looked at the panel"),
        ] {
            let line = request_log::Line::of(format!("{stamp} {line} who=\"A b\" from=::1 took=4ms").as_bytes());
            let told = line.event.as_ref().and_then(|event| request(event, &names));
            assert_eq!(told.as_deref(), Some(&*format!("A b, from ::1, {expected}.")));
        }
        let line = format!("{stamp} WARN  something who=#1 from=::1 task=\"t\"");
        assert_eq!(request_log::Line::of(line.as_bytes()).event.and_then(|event| request(&event, &names)), None);
    }

    #[test]
    fn the_numbers_of_a_reason() {
        for (why, numbers, words) in [
            ("5b 5c wrong magic key and identifier", vec!["5b", "5c"], "wrong magic key and identifier"),
            ("7b \"/no: such\"", vec!["7b"], "/no: such"),
            ("sudo \"a password is required\"", vec![], "sudo \"a password is required\""),
            ("32 runs are alive", vec![], "32 runs are alive"),
            ("4 5 the root half disagrees", vec!["4", "5"], "the root half disagrees"),
            ("", vec![], ""),
        ] {
            assert_eq!(numbered(why), (numbers, words.to_owned()));
        }
    }
}
