//! `check`: does everything work? One module looks at one thing and says what it found; the kinds of
//! finding that there are stand beside it, and docs/findings.md shows them all.

mod configuration; // config.json: valid, whole, nothing over
mod keys; // can they be read, or guessed?
pub mod sudo_path; // and the way through it
mod scheduler; // the tasks of DSM's Task Scheduler
mod commands; // the programs that tasks start
mod disk_space; // space to write in
mod clock; // and the time
mod web; // the web server's files
mod live_headers; // the headers of live answers
pub mod live; // requests through the web server

use std::path::Path;

use serde_json::json;

use crate::nas::installation::Installation;
use crate::nas::sure_name::is_sure;
use crate::owner::fault::Fault;
use crate::owner::finding::{Found, Level};
use crate::owner::report::{show_one, typed_here};
use crate::owner::screen::Tone;
use crate::owner::version::VERSION;
use crate::owner::workbench::Workbench;
use crate::parts::files::Files;
use crate::parts::{self, Part};
use remotetask::config::{self, Config, Refusal};
use remotetask::files::{Regular, CONFIG_MAX};

/// The findings of all modules, in the order in which they are looked for.
#[cfg(test)]
pub fn kinds() -> Vec<&'static crate::owner::finding::Kind> {
    [
        configuration::KINDS,
        keys::KINDS,
        sudo_path::KINDS,
        scheduler::KINDS,
        commands::KINDS,
        disk_space::KINDS,
        clock::KINDS,
        &web::kinds(),
        live::KINDS,
    ]
    .concat()
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
    web::on_this_dsm(&mut found);
    found.sort_by_key(|found| found.level); // stable: in the order of the looks below that
    let is_sure = |path: &str| is_sure(Path::new(path), nas.user);
    let mut found: Vec<Found> = found.into_iter().map(|found| found.by_sure_names(is_sure)).collect();
    found.iter_mut().for_each(|found| typed_here(bench, found));
    match as_json {
        true => bench.screen.raw(&json!({ "works": works(&found), "version": VERSION, "findings": found })),
        false => show(bench, &found),
    }
    Ok(works(&found))
}

/// The number of faults that a look at files alone finds: nothing is started, so it takes no time.
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
    let [files, sudo_rule, others @ ..] = parts::all();
    let mut way = files.look(nas);
    way.extend(sudo_rule.look(nas));
    // It would fail for what was found already.
    if works(&way) {
        way.extend(sudo_path::look(nas));
    }
    found.extend(way);
    found.extend(others.iter().flat_map(|part| part.look(nas)));
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
    screen.literal(format_args!("remotetask {VERSION}"));
    found.iter().for_each(|found| show_one(bench, found));
    let faults = faults(found);
    match (faults, found.len() - faults) {
        (0, 0) => screen.mark(Tone::Good, "good  ", "everything that can be looked at from here works"),
        (0, advice) => screen.mark(Tone::Good, "good  ", format_args!("everything would work; advice: {advice}")),
        (faults, advice) => {
            screen.mark(Tone::Fault, "faults", format_args!("{faults}, and something would not work; advice: {advice}"))
        }
    }
    if let Some(anchors) = anchors(found) {
        screen.say(format_args!("       More about each in docs/findings.md: {anchors}"));
    }
}

/// The places of these findings in the documentation, each once.
fn anchors(found: &[Found]) -> Option<String> {
    let mut anchors: Vec<String> = Vec::new();
    for anchor in found.iter().map(|found| format!("#{}", found.code)) {
        if !anchors.contains(&anchor) {
            anchors.push(anchor);
        }
    }
    (!anchors.is_empty()).then(|| anchors.join(", "))
}
