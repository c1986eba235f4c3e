//! `check`: does everything work? One module looks at one thing and says what it found; the kinds of
//! finding that there are stand beside it, and docs/workbench.md shows them all as a table.

pub mod finding; // what can be found, in which words

mod configuration; // config.json: valid, whole, nothing over
mod keys; // can they be read, or guessed?
mod installation; // programs, folders and files: there, whose, open to whom
mod journal; // log.txt
mod sudoers; // what sudo lets the web server's user do
pub mod passage; // and whether it gets through
mod scheduler; // the tasks of DSM's Task Scheduler
mod commands; // the programs that tasks start
mod room; // space to write in
mod clock; // and the time
mod web; // the web server's files
pub mod live; // requests through the web server

pub(super) mod accounts; // users and groups

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;
use serde_json::json;

use super::screen::Tone;
use super::secrets::Secrets;
use super::url::quoted;
use super::view::plain_keys;
use super::{Bench, Fault};
use crate::config::{self, Config, Refusal};
use crate::files::{Regular, CONFIG_MAX};
use crate::trust;
use accounts::Accounts;
use finding::{Found, Kind, Level, Part};

/// Where an installation lies; anything else may be a trial.
const INSTALLED: &str = "/usr/local/remotetask";
/// The name that an owner types.
const LINK: &str = "/usr/local/bin/remotetask";

/// What is looked at.
pub struct Subject<'s> {
    /// The installation's folder.
    pub folder: &'s Path,
    /// The configuration, where it is valid.
    pub config: Option<&'s Config<'s>>,
    /// The keys that stand in it as they are.
    plain: Vec<String>,
    /// keys.json, or why it cannot be used.
    secrets: Result<Secrets, Fault>,
    accounts: Accounts,
    /// Whose everything must be: root's, or in a trial its owner's.
    user: u32,
    /// It becomes nobody else, on whatever machine: what needs a NAS is not looked at.
    trial: bool,
    /// Whether nobody else could have written the configuration.
    trusted: bool,
}

impl<'s> Subject<'s> {
    fn new(folder: &'s Path, content: &[u8], config: Option<&'s Config<'s>>) -> Subject<'s> {
        let owner = std::fs::metadata(folder).map_or(0, |meta| meta.uid());
        let installed = owner == 0 && folder == Path::new(INSTALLED);
        let trial = !installed && config.is_none_or(|config| config.server.elevate().is_empty());
        let user = if trial { owner } else { 0 };
        let plain = config.and_then(|_| serde_json::from_slice(content).ok()).map(plain_keys).unwrap_or_default();
        // Judged as the root half judges it, and of whoever starts things here. No configuration names nothing.
        let judged = || trust::at(folder, geteuid().as_raw()).and_then(|home| home.config());
        let trusted = config.is_none() || judged().is_ok_and(|judged| judged == content);
        Subject {
            folder,
            config,
            plain,
            secrets: Secrets::read(folder),
            accounts: Accounts::read(),
            user,
            trial,
            trusted,
        }
    }

    /// The configuration, where what it names may be started, and may stand in a cure.
    fn believed(&self) -> Option<&'s Config<'s>> {
        self.config.filter(|_| self.trusted)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Every kind of finding that there is, in the order in which they are looked for.
pub fn catalogue() -> impl Iterator<Item = &'static Kind> {
    [
        configuration::KINDS,
        keys::KINDS,
        installation::KINDS,
        journal::KINDS,
        sudoers::KINDS,
        passage::KINDS,
        scheduler::KINDS,
        commands::KINDS,
        room::KINDS,
        clock::KINDS,
        web::KINDS,
        live::KINDS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Looks at everything and shows what it found; whether everything would work.
pub fn run(bench: &Bench, url: Option<&str>, as_json: bool) -> Result<bool, Fault> {
    let path = bench.path("config.json");
    let content = Regular::open(&path).and_then(|file| file.read(CONFIG_MAX));
    let config: Option<Result<Config<'_>, Refusal>> = content.as_ref().ok().map(|content| config::read(content));
    let valid = config.as_ref().and_then(|config| config.as_ref().ok());
    let subject = Subject::new(&bench.folder, content.as_deref().unwrap_or_default(), valid);
    let mut found = configuration::look(&path, content.as_ref().err(), config.as_ref());
    found.extend(on_this_machine(&subject));
    if let Some(url) = url {
        found.extend(live::look(&subject, url)?);
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
    let subject = Subject::new(folder, content, Some(config));
    let mut found = keys::look(&subject);
    found.extend(installation::look(&subject));
    found.extend(journal::look(&subject));
    found.extend(commands::look(&subject));
    found.extend(room::look(&subject));
    faults(&found)
}

fn on_this_machine(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = keys::look(subject);
    found.extend(configuration::not_trusted(subject));
    let mut way = installation::look(subject);
    way.extend(journal::look(subject));
    way.extend(sudoers::look(subject));
    // It would fail for what was found already.
    if works(&way) {
        way.extend(passage::look(subject));
    }
    found.extend(way);
    found.extend(scheduler::look(subject));
    found.extend(commands::look(subject));
    found.extend(room::look(subject));
    found.extend(clock::look(subject));
    found.extend(web::look(subject));
    found
}

fn works(found: &[Found]) -> bool {
    faults(found) == 0
}

fn faults(found: &[Found]) -> usize {
    found.iter().filter(|found| found.level == Level::Fault).count()
}

/// A cure's commands as they work for this owner: without sudo where nothing is root's, and by the whole
/// path where the program's name alone is not known.
fn typed_here(bench: &Bench, found: &mut Found) {
    let linked = std::fs::canonicalize(LINK).is_ok_and(|program| program == bench.path("remotetask"));
    // Not where somebody else has taken root's folder.
    let own = bench.sudo().is_empty() && bench.folder != Path::new(INSTALLED);
    for part in &mut found.cure {
        let Part::Typed(text) = part else { continue };
        let bare = text.strip_prefix("sudo ").unwrap_or(text);
        // Nobody but root gives files away.
        let sudo = if bare.len() == text.len() || own && !bare.starts_with("chown ") { "" } else { "sudo " };
        *text = match bare.strip_prefix("remotetask ") {
            Some(rest) if !linked => {
                format!("{sudo}{} {rest}", quoted(&bench.path("remotetask").display().to_string()))
            }
            _ => format!("{sudo}{bare}"),
        };
    }
}

fn show(bench: &Bench, found: &[Found]) {
    let screen = &bench.screen;
    found.iter().for_each(|found| tell_as_it_is(bench, found));
    let faults = faults(found);
    match (faults, found.len() - faults) {
        (0, 0) => screen.mark(Tone::Good, "good  ", "everything that can be looked at from here works"),
        (0, advice) => screen.mark(Tone::Good, "good  ", format_args!("everything would work; advice: {advice}")),
        (faults, advice) => {
            screen.mark(Tone::Fault, "faults", format_args!("{faults}, and something would not work; advice: {advice}"))
        }
    }
}

/// Shows one finding, and what is to be typed here.
pub fn tell(bench: &Bench, mut found: Found) {
    typed_here(bench, &mut found);
    tell_as_it_is(bench, &found);
}

fn tell_as_it_is(bench: &Bench, found: &Found) {
    let screen = &bench.screen;
    let (tone, mark) = match found.level {
        Level::Fault => (Tone::Fault, "fault "),
        Level::Advice => (Tone::Advice, "advice"),
    };
    screen.mark(tone, mark, &found.says);
    for part in &found.cure {
        match part {
            Part::Prose(text) if text.contains(char::is_alphanumeric) => {
                screen.say(format_args!("       {}", text.trim()))
            }
            Part::Prose(_) => {}
            Part::Typed(text) => screen.literal(format_args!("         {text}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::finding::parts;
    use super::*;

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
        for Kind { code, level, says, cure } in catalogue() {
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
