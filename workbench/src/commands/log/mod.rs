//! `log`: requests and runs as one timeline, in words.
//!
//! Requests stand in log.txt, which the web server's user writes; runs in state/, which is root's.

mod timeline; // both, in the order of time
mod words; // a sentence an event
mod since; // a time as it is typed
mod follow; // new events

use std::collections::BTreeSet;

use crate::owner::fault::Fault;
use crate::owner::names::person;
use crate::owner::run_words::unquoted;
use crate::owner::screen::Screen;
use crate::owner::view::View;
use crate::owner::workbench::Workbench;
use remotetask::config::Config;
use timeline::{Event, Source};
use words::Names;

/// The part of the timeline that is asked for.
pub struct LogArgs<'w> {
    /// The events of one request or run alone.
    pub reference: Option<&'w str>,
    /// Go on with what comes.
    pub follow: bool,
    /// One task.
    pub task: Option<&'w str>,
    /// One person.
    pub who: Option<&'w str>,
    /// A time as it is typed.
    pub since: Option<&'w str>,
}

/// The events that are shown.
struct Filter {
    /// References and runs.
    references: Option<BTreeSet<String>>,
    task: Option<String>,
    who: Option<String>,
    since: Option<i64>,
}

impl Filter {
    fn takes(&self, event: &Event) -> bool {
        let is = |wanted: &Option<String>, there: Option<&str>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| there.is_some_and(|there| there.to_lowercase() == wanted.to_lowercase()))
        };
        self.since.is_none_or(|since| event.at >= since)
            && is(&self.task, event.task().as_deref())
            && is(&self.who, event.who().as_deref())
            && self.references.as_ref().is_none_or(|wanted| event.references().any(|there| wanted.contains(there)))
    }
}

/// Shows the timeline.
pub fn run(bench: &Workbench, wanted: &LogArgs<'_>) -> Result<(), Fault> {
    let since = wanted.since.map(since::parse).transpose()?;
    // The past can be told even if config.json is refused now.
    let view = View::read(&bench.folder).ok();
    let config = view.as_ref().and_then(|view| view.config().ok());
    let names = Names::of(config.as_ref());
    let mut source = Source::of(bench);
    let events = source.news()?;
    let filter = Filter {
        references: wanted.reference.map(|reference| references(&events, reference)).transpose()?,
        task: wanted.task.map(|task| task_id(&events, config.as_ref(), task)).transpose()?,
        who: wanted.who.map(|who| label(&events, config.as_ref(), who)).transpose()?,
        since,
    };
    let show = |events: &[Event]| {
        let shown = events.iter().filter(|event| filter.takes(event));
        shown.map(|event| show(&bench.screen, &names, event)).count()
    };
    let shown = show(&events);
    match wanted.follow {
        true => follow::until_told_to_end(bench, || {
            show(&source.news()?);
            Ok(())
        }),
        false if shown == 0 => {
            bench.screen.say("Nothing of that kind is known: no request and no run.");
            Ok(())
        }
        false => Ok(()),
    }
}

/// On a terminal wrapped beside its time; else one line, for programs that search.
fn show(screen: &Screen, names: &Names, event: &Event) {
    let (mark, sentence) = (words::mark(event), words::sentence(event, names));
    match screen.terminal {
        true => screen.mark(words::tone(event), &mark, sentence),
        false => screen.literal(format_args!("{mark} {sentence}")),
    }
}

/// The reference, and the runs that its lines name.
fn references(events: &[Event], wanted: &str) -> Result<BTreeSet<String>, Fault> {
    let wanted = wanted.trim();
    let wanted = wanted.strip_prefix("reference=").or_else(|| wanted.strip_prefix("run=")).unwrap_or(wanted);
    let named = events.iter().filter(|event| event.references().any(|there| there == wanted));
    let all: BTreeSet<String> = named.flat_map(|event| event.references().map(str::to_owned)).collect();
    match all.is_empty() {
        false => Ok(all),
        true => Err(Fault(format!(
            "nothing is known of the reference {wanted}: log.txt keeps the last thousands of requests, and state/ the last \
             20 runs of each task. See whether it was typed as the answer had it, or look at all of that day: remotetask \
             log --since 1d"
        ))),
    }
}

/// The id of the task that is meant by an id or a name; one that config.json does not have any more counts too.
fn task_id(events: &[Event], config: Option<&Config<'_>>, wanted: &str) -> Result<String, Fault> {
    let tasks = config.map_or(&[][..], |config| &config.tasks);
    let named: Vec<_> = tasks.iter().filter(|task| task.id != wanted && task.shown() == wanted).collect();
    let known =
        tasks.iter().any(|task| task.id == wanted) || events.iter().any(|e| e.task().as_deref() == Some(wanted));
    match (known, &named[..]) {
        (true, _) => Ok(wanted.to_owned()),
        (false, [one]) => Ok(one.id.to_string()),
        (false, []) => Err(Fault(format!(
            "there is no task \"{wanted}\", and there was none{}",
            there_are(tasks.iter().map(|t| &*t.id))
        ))),
        (false, several) => {
            let ids = several.iter().map(|task| &*task.id);
            Err(Fault(format!("several tasks have the name {wanted}; write the id of one{}", there_are(ids))))
        }
    }
}

fn there_are<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        String::new()
    } else {
        format!("; there are: {}", names.join(", "))
    }
}

/// The label that is meant by a label or a number; one that config.json does not have any more counts too.
fn label(events: &[Event], config: Option<&Config<'_>>, wanted: &str) -> Result<String, Fault> {
    let known = config.map(|config| person(config, wanted).map(|(name, _)| name));
    let same = |event: &Event| event.who().is_some_and(|who| who.to_lowercase() == wanted.to_lowercase());
    match known {
        Some(Ok(name)) => Ok(unquoted(&name)),
        _ if events.iter().any(same) => Ok(wanted.to_owned()),
        Some(Err(fault)) => Err(fault),
        None => Err(Fault(format!("nothing is known of a key of {wanted}"))),
    }
}
