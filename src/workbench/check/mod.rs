//! `check`: does everything work? One module looks at one thing and says what it found; the kinds of
//! finding that there are stand beside it, and docs/workbench.md shows them all as a table.

pub mod finding;

mod configuration; // config.json: valid, whole, nothing over

use std::path::Path;

use serde_json::json;

use super::screen::Tone;
use super::{Bench, Fault};
use crate::config::{self, Config, Refusal};
use crate::files::{Regular, CONFIG_MAX};
use finding::{Found, Kind, Level};

/// What is looked at.
pub struct Subject<'s> {
    /// The installation's folder.
    pub folder: &'s Path,
    /// The configuration, where it is valid.
    pub config: Option<&'s Config<'s>>,
}

/// Every kind of finding that there is, in the order in which they are looked for.
pub fn catalogue() -> impl Iterator<Item = &'static Kind> {
    [configuration::KINDS].into_iter().flatten().copied()
}

/// Looks at everything and shows what it found; whether everything would work.
pub fn run(bench: &Bench, url: Option<&str>, as_json: bool) -> Result<bool, Fault> {
    let path = bench.path("config.json");
    let content = Regular::open(&path).and_then(|file| file.read(CONFIG_MAX));
    let config: Option<Result<Config<'_>, Refusal>> = content.as_ref().ok().map(|content| config::read(content));
    let subject = Subject { folder: &bench.folder, config: config.as_ref().and_then(|config| config.as_ref().ok()) };
    let mut found = configuration::look(&path, content.as_ref().err(), config.as_ref());
    let _ = (url, &subject);
    found.sort_by_key(|found| found.level); // stable: in the order of the looks below that
    match as_json {
        true => bench.screen.raw(&json!({ "works": works(&found), "findings": found }).to_string()),
        false => show(bench, &found),
    }
    Ok(works(&found))
}

fn works(found: &[Found]) -> bool {
    found.iter().all(|found| found.level != Level::Fault)
}

fn show(bench: &Bench, found: &[Found]) {
    let screen = &bench.screen;
    for found in found {
        let (tone, mark) = match found.level {
            Level::Fault => (Tone::Fault, "fault "),
            Level::Advice => (Tone::Advice, "advice"),
        };
        screen.mark(tone, mark, &found.says);
        screen.say(format_args!("       {}", found.cure));
    }
    let count = |level| found.iter().filter(|found| found.level == level).count();
    match (count(Level::Fault), count(Level::Advice)) {
        (0, 0) => screen.mark(Tone::Good, "good  ", "everything that can be looked at from here works"),
        (0, advice) => screen.mark(Tone::Good, "good  ", format_args!("everything would work; advice: {advice}")),
        (faults, advice) => {
            screen.mark(Tone::Fault, "faults", format_args!("{faults}, and something would not work; advice: {advice}"))
        }
    }
}
