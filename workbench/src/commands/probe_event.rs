//! `probe --event`: which way starts a triggered task on this NAS?

use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::probe::{marked, may_run, refusal, ProbeArgs, Seen, Verdict, DSM_TIME, HISTORY, LOOK, MARKER, RECORD};
use crate::nas::box_row;
use crate::owner::edit::Edit;
use crate::owner::fault::Fault;
use crate::owner::names::no_event;
use crate::owner::screen::Tone;
use crate::owner::view::View;
use crate::owner::workbench::Workbench;
use remotetask::child::{run_captured, End, RunError};
use remotetask::config::{Events, Server};
use remotetask::outcome::Outcome;
use remotetask::start::{esynoscheduler, synowebapi};

/// The most that is kept of esynoscheduler's words, in bytes.
const WORDS_MAX: usize = 4096;

/// Probes, and sets `events` to the way that works. Whether one does is the result.
pub fn run(bench: &Workbench, wanted: &ProbeArgs, event: &str, marker: &Path) -> Result<bool, Fault> {
    let screen = &bench.screen;
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let server = &config.server;
    is_known(server, event)?;
    screen.say(format_args!(
        "The triggered task \"{event}\" will be started twice, each known way once, and watched for {} s at most each time. It \
         must be one that may run as often as you like.",
        wanted.watch.as_secs()
    ));
    may_run(screen, wanted.yes)?;
    let mut verdicts = Vec::new();
    for way in [Events::Synowebapi, Events::Esynoscheduler] {
        let (verdict, end) = probe(server, event, way, marker, wanted);
        let tone = if matches!(verdict, Verdict::Ran(_)) { Tone::Good } else { Tone::Advice };
        screen.mark(tone, &format!("{}:", way.word()), &verdict);
        if let Some(End { exit: Some(code), .. }) = end {
            screen.say(format_args!(
                "It ended with exit code {code}; DSM's record of the task says {}.",
                said(server, event)
            ));
        }
        verdicts.push((way, verdict));
    }
    let choice = verdicts.iter().find(|(_, verdict)| matches!(verdict, Verdict::Ran(_))).map(|(way, _)| *way);
    screen.gap();
    match choice {
        Some(way) => {
            let mut edit = Edit::begin(&bench.folder)?;
            edit.server().insert("events".into(), Value::from(way.word()));
            drop(edit.commit()?);
            screen.mark(Tone::Good, "set ", format_args!("\"events\": \"{}\" is in config.json now.", way.word()));
        }
        None => screen.mark(
            Tone::Fault,
            "none",
            "Neither way started it as far as could be seen; config.json stays as it is.",
        ),
    }
    screen.gap();
    screen.say("This row tells others about your NAS, and holds no secret. Please send it: docs/boxes.md says where.");
    screen.gap();
    let words: Vec<&str> = verdicts.iter().map(|(_, verdict)| verdict.word()).collect();
    screen.literal(box_row::row(server, &words, choice.map_or("none", Events::word)));
    Ok(choice.is_some())
}

/// DSM has this name, as far as it can be asked.
fn is_known(server: &Server<'_>, event: &str) -> Result<(), Fault> {
    match esynoscheduler::names(&server.esynoscheduler, Instant::now() + DSM_TIME) {
        Ok(names) if !names.iter().any(|name| name == event) => Err(no_event(&names, event)),
        _ => Ok(()),
    }
}

/// Starts it one way and watches. Returns how esynoscheduler ended, too.
fn probe(server: &Server<'_>, event: &str, way: Events, marker: &Path, wanted: &ProbeArgs) -> (Verdict, Option<End>) {
    let history = || synowebapi::event_history(&server.synowebapi, event, Instant::now() + DSM_TIME);
    let record = || esynoscheduler::get(&server.esynoscheduler, event, Instant::now() + DSM_TIME).ok().flatten();
    let (before, before_in_history, before_in_record) = (marked(marker), history(), record());
    let end = Instant::now() + wanted.watch;
    let ended = match start(server, event, way, end) {
        Ok(ended) => ended,
        Err(why) => return (refusal(why), None),
    };
    let mut seen = Seen::nothing();
    while !seen.is_settled() && Instant::now() < end {
        seen.note(MARKER, marked(marker) != before);
        seen.note(RECORD, before_in_record.is_some() && record().is_some_and(|now| Some(now) != before_in_record));
        seen.note(HISTORY, before_in_history.is_some() && history().is_some_and(|now| Some(now) != before_in_history));
        std::thread::sleep(LOOK);
    }
    match seen.what.is_empty() {
        true => (Verdict::Nothing, ended),
        false => (Verdict::Ran(seen.what), ended),
    }
}

fn start(server: &Server<'_>, event: &str, way: Events, end: Instant) -> Result<Option<End>, String> {
    match way {
        Events::Synowebapi => match synowebapi::run_event(&server.synowebapi, event, Instant::now() + DSM_TIME) {
            Err(Outcome::NotStarted { reason, .. }) => Err(reason),
            // It may have been started all the same: it is watched.
            _ => Ok(None),
        },
        Events::Esynoscheduler => {
            let argv = esynoscheduler::argv(&server.esynoscheduler, event);
            match run_captured(argv.iter().map(String::as_str), WORDS_MAX, end) {
                Ok(answer) => Ok(Some(answer.end)),
                Err(RunError::Start(e)) => Err(format!("{}: {e}", server.esynoscheduler)),
                Err(RunError::Late(_)) => Ok(None),
            }
        }
    }
}

/// The exit of the last run, in DSM's words.
fn said(server: &Server<'_>, event: &str) -> String {
    let task = esynoscheduler::get(&server.esynoscheduler, event, Instant::now() + DSM_TIME).ok().flatten();
    task.map_or_else(|| "nothing".into(), |task| task["last_exit_info"].to_string())
}
