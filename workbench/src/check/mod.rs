//! `check`: does everything work? One module looks at one thing and says what it found; the kinds of
//! finding that there are stand beside it, and docs/workbench.md shows them all as a table.

mod configuration; // config.json: valid, whole, nothing over
mod keys; // can they be read, or guessed?
pub mod sudo_path; // and the way through it
mod scheduler; // the tasks of DSM's Task Scheduler
mod commands; // the programs that tasks start
mod disk_space; // space to write in
mod clock; // and the time
mod web; // the web server's files
pub mod live; // requests through the web server

use std::path::Path;

use serde_json::json;

use crate::nas::installation::Installation;
use crate::owner::fault::Fault;
use crate::owner::finding::{Found, Level};
use crate::owner::report::{show_one, typed_here};
use crate::owner::screen::Tone;
use crate::owner::workbench::Workbench;
use crate::parts::files::Files;
use crate::parts::{self, Part};
use remotetask::config::{self, Config, Refusal};
use remotetask::files::{Regular, CONFIG_MAX};

/// Every kind of finding, in the order in which they are looked for.
#[cfg(test)]
fn catalogue() -> impl Iterator<Item = &'static crate::owner::finding::Kind> {
    [
        configuration::KINDS,
        keys::KINDS,
        parts::files::look::KINDS,
        parts::files::log_file::KINDS,
        parts::sudo_rule::KINDS,
        parts::link::KINDS,
        parts::boot_script::KINDS,
        sudo_path::KINDS,
        scheduler::KINDS,
        commands::KINDS,
        disk_space::KINDS,
        clock::KINDS,
        web::KINDS,
        live::KINDS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Looks at everything and shows what it found; whether everything would work.
pub fn run(bench: &Workbench, url: Option<&str>, as_json: bool) -> Result<bool, Fault> {
    let path = bench.path("config.json");
    let content = Regular::open(&path).and_then(|file| file.read(CONFIG_MAX));
    let config: Option<Result<Config<'_>, Refusal>> = content.as_ref().ok().map(|content| config::read(content));
    let valid = config.as_ref().and_then(|config| config.as_ref().ok());
    let nas = Installation::new(&bench.folder, content.as_deref().unwrap_or_default(), valid);
    let mut found = configuration::look(&path, content.as_ref().err(), config.as_ref());
    found.extend(on_this_machine(&nas));
    if let Some(url) = url {
        found.extend(live::look(&nas, url)?);
    }
    found.sort_by_key(|found| found.level); // stable: in the order of the looks below that
    found.iter_mut().for_each(|found| typed_here(bench, found));
    match as_json {
        true => bench.screen.raw(&json!({ "works": works(&found), "findings": found })),
        false => show(bench, &found),
    }
    Ok(works(&found))
}

/// How many faults a look at files alone finds: nothing is started and nobody asked, so that it takes no time.
pub fn faults_in_files(folder: &Path, content: &[u8], config: &Config<'_>) -> usize {
    let nas = Installation::new(folder, content, Some(config));
    let mut found = keys::look(&nas);
    found.extend(Files.look(&nas));
    found.extend(commands::look(&nas));
    found.extend(disk_space::look(&nas));
    faults(&found)
}

fn on_this_machine(nas: &Installation<'_>) -> Vec<Found> {
    let mut found = keys::look(nas);
    found.extend(configuration::not_trusted(nas));
    let mut way: Vec<Found> = parts::all().iter().flat_map(|part| part.look(nas)).collect();
    // It would fail for what was found already.
    if works(&way) {
        way.extend(sudo_path::look(nas));
    }
    found.extend(way);
    found.extend(scheduler::look(nas));
    found.extend(commands::look(nas));
    found.extend(disk_space::look(nas));
    found.extend(clock::look(nas));
    found.extend(web::look(nas));
    found
}

fn works(found: &[Found]) -> bool {
    faults(found) == 0
}

fn faults(found: &[Found]) -> usize {
    found.iter().filter(|found| found.level == Level::Fault).count()
}

fn show(bench: &Workbench, found: &[Found]) {
    let screen = &bench.screen;
    found.iter().for_each(|found| show_one(bench, found));
    let faults = faults(found);
    match (faults, found.len() - faults) {
        (0, 0) => screen.mark(Tone::Good, "good  ", "everything that can be looked at from here works"),
        (0, advice) => screen.mark(Tone::Good, "good  ", format_args!("everything would work; advice: {advice}")),
        (faults, advice) => {
            screen.mark(Tone::Fault, "faults", format_args!("{faults}, and something would not work; advice: {advice}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::finding::{parts, Kind, Part};

    /// A text in a cell of a Markdown table. Between backticks nothing but the bar means anything.
    fn cell(text: &'static str) -> String {
        let parts = parts(text).map(|part| match part {
            Part::Prose(text) => text.replace('<', "\\<"),
            Part::Typed(text) => format!("`{text}`"),
        });
        parts.collect::<String>().replace('|', "\\|")
    }

    #[test]
    fn the_documentation_shows_the_whole_catalogue() {
        let mut table = "| code | level | what it says | cure |\n|---|---|---|---|\n".to_owned();
        for Kind { code, level, says, cure, .. } in catalogue() {
            let level = if *level == Level::Fault { "fault" } else { "advice" };
            table.push_str(&format!("| `{code}` | {level} | {} | {} |\n", cell(says), cell(cure)));
        }
        let text = include_str!("../../../docs/workbench.md");
        let shown = text.split_once("<!-- findings -->\n").and_then(|(_, rest)| rest.split_once("<!-- /findings -->"));
        let (shown, _) = shown.expect("two markers");
        assert!(shown.trim() == table.trim(), "docs/workbench.md must show between its markers:\n{table}");
    }

    #[test]
    fn each_kind_has_its_own_code() {
        let mut codes: Vec<&str> = catalogue().map(|kind| kind.code).collect();
        codes.sort_unstable();
        let all = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), all);
        assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{codes:?}");
    }

    /// Each row of the tests' tables demands that its code is found, and in which words.
    #[test]
    fn each_kind_is_provoked_by_a_test() {
        let rows = [include_str!("../../../tests/it/check.rs"), include_str!("../../../tests/it/nas/check.rs")];
        // Nobody can set the clock; its judgement has a table beside it.
        let (_, clock) = include_str!("clock.rs").split_once("mod tests").expect("tests");
        let in_a_row =
            |code: &str| rows.iter().any(|text| text.contains(&format!("code: \"{code}\",\n        plant:")));
        // The web server's findings stand in tuples, each beside its words.
        let web = include_str!("../../../tests/it/nas/web_check.rs");
        let provoked =
            |code: &str| in_a_row(code) || [clock, web].iter().any(|text| text.contains(&format!("\"{code}\"")));
        let forgotten: Vec<&str> = catalogue().map(|kind| kind.code).filter(|code| !provoked(code)).collect();
        assert!(forgotten.is_empty(), "no test provokes {forgotten:?}");
    }
}
