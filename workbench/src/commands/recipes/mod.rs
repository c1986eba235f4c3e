//! Ready text for callers of a task: programs, homes, phones, other devices. They POST, and where they can their keys stand
//! in headers, which no server on the way writes to a log.

mod command_line; // curl, and a CI that calls it
mod home_assistant; // all tasks of a person as a package
mod steps; // what to tap, on phones and in DSM

use crate::owner::fault::Fault;
use crate::owner::names::{person, quoted};
use crate::owner::urls::{people, tasks};
use crate::owner::view::View;
use crate::owner::workbench::Workbench;
use remotetask::config::{Get, Task};
use remotetask::key::Digest;

/// The caller that the ready text is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Recipe {
    /// curl on Linux and macOS, in three ways, and on Windows
    Curl,
    /// Home Assistant: a package with buttons and their states, for one task or all
    HomeAssistant,
    /// iPhone and iPad: home screen, Shortcuts
    Ios,
    /// Android: home screen, HTTP Shortcuts
    Android,
    /// An NFC tag
    Nfc,
    /// GitHub Actions, GitLab and the like
    Ci,
    /// DSM's own notifications, as a webhook
    DsmWebhook,
    /// An action rule of Surveillance Station
    Surveillance,
    /// A slash command of Synology Chat
    SynologyChat,
    /// A tile of the dashboard Homer
    Homer,
}

/// A task, as one person calls it.
struct Call<'c> {
    /// The address of the NAS.
    base: String,
    magic: &'c str,
    identifier: &'c str,
    id: &'c str,
    shown: &'c str,
    /// A name that files and programs take, another one for each task.
    slug: String,
    /// A GET starts it.
    get_runs: bool,
    /// Seconds after which no answer comes any more.
    patience: u64,
}

impl Call<'_> {
    /// The address for machines.
    fn url(&self) -> String {
        format!("{}/{}/{}", self.base, self.magic, self.identifier)
    }

    /// The page with the button.
    fn ask(&self) -> String {
        format!("{}?ask", self.url())
    }

    /// The line that makes a GET start the task, for callers that cannot POST.
    fn get_run(&self, bench: &Workbench) -> String {
        format!("{} set {} get run", bench.typed(), quoted(self.id))
    }
}

/// Shows text to copy, for one person, and one task or all.
pub fn show_recipe(bench: &Workbench, task: Option<&str>, who: Option<&str>, recipe: Recipe) -> Result<(), Fault> {
    for line in recipe_text(bench, task, who, recipe)?.lines() {
        bench.screen.literal(line);
    }
    Ok(())
}

/// The text to copy.
pub fn recipe_text(bench: &Workbench, task: Option<&str>, who: Option<&str>, recipe: Recipe) -> Result<String, Fault> {
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    if let Some(only) = who {
        person(&config, only)?;
    }
    let mut pairs: Vec<_> = tasks(&config, task)?
        .into_iter()
        .flat_map(|task| people(&config, who).into_iter().flatten().map(move |(name, key)| (name, key, task)))
        .filter(|(_, key, task)| key.may_start(&task.id))
        .collect();
    let one_person = pairs.iter().all(|(name, ..)| *name == pairs[0].0);
    let several = matches!(recipe, Recipe::HomeAssistant | Recipe::Homer) && one_person;
    if pairs.is_empty() {
        return Err(Fault::new("nobody of these may start this; remotetask key list shows who may start what"));
    }
    if pairs.len() > 1 && !several {
        let (person, task) = (&pairs[0].0, &pairs[0].2.id);
        return Err(Fault(format!(
            "this text is for one task and one key; say which, such as remotetask url {} --who {}",
            quoted(task),
            quoted(person)
        )));
    }
    let known: Vec<_> = pairs.iter().map(|(_, key, task)| view.keys(key, task)).collect();
    if known.iter().all(Option::is_none) {
        let (name, _, task) = &pairs[0];
        return Err(Fault(format!(
            "the keys of {name} for {} are not known here; remotetask url says what to do",
            task.shown()
        )));
    }
    let base = view.base(&config);
    let calls: Vec<Call<'_>> =
        pairs.drain(..).zip(known).filter_map(|((_, _, task), keys)| Some(call(&base, keys?, task))).collect();
    let [first, ..] = &calls[..] else { return Err(Fault::new("no task is left")) };
    Ok(match recipe {
        Recipe::Curl => command_line::curl(first),
        Recipe::Ci => command_line::ci(first),
        Recipe::HomeAssistant => home_assistant::package(&calls),
        Recipe::Homer => steps::homer(&calls),
        Recipe::Ios => steps::ios(first),
        Recipe::Android => steps::android(first),
        Recipe::Nfc => steps::nfc(first, bench),
        Recipe::DsmWebhook => steps::dsm_webhook(first),
        Recipe::Surveillance => steps::surveillance(first, bench),
        Recipe::SynologyChat => steps::synology_chat(first),
    })
}

fn call<'c>(base: &str, (magic, identifier): (&'c str, &'c str), task: &'c Task<'_>) -> Call<'c> {
    Call {
        base: base.to_owned(),
        magic,
        identifier,
        id: &task.id,
        shown: task.shown(),
        slug: slug(&task.id),
        get_runs: task.get == Get::Run,
        // The web half gives an answer by wait and 15 s.
        patience: task.keeping.wait + 20,
    }
}

/// Characters of an id that a slug keeps.
const SLUG_MAX: usize = 40;

/// A name that a file takes, and that Home Assistant's slugify leaves as it is: small letters, digits, single underscores
/// between them. Where the id had to be changed, six hex digits of its digest keep two ids apart.
fn slug(id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let changed: String = id.chars().map(plain).collect();
    let parts: Vec<&str> = changed.split('_').filter(|part| !part.is_empty()).collect();
    let mut name: String = parts.join("_").chars().take(SLUG_MAX).collect();
    if name != id {
        let digest = Digest::of(id.as_bytes()).fingerprint();
        name = format!("{}_{}", name.trim_end_matches('_'), &digest[..6]);
    }
    format!("task_{}", name.trim_start_matches('_'))
}

/// A text as YAML and JSON have it.
fn in_quotes(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Home Assistant's rule: `slugify(name) == name`.
    fn is_slug(name: &str) -> bool {
        let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        name.split('_').all(part)
    }

    #[test]
    fn names_differ_where_tasks_differ() {
        let long = "x".repeat(300);
        let longer = format!("{long}y");
        let ids = [
            "7",
            "t",
            "backup",
            "Backup",
            "BACKUP",
            "backup (daily)",
            "Check off!",
            "x_",
            "_x",
            "x",
            "Café",
            "备份",
            "打印",
            "a_b",
            "a.b",
            "a__b",
            "a-b",
            " ",
            "_",
            &long[..130],
            &longer[..60],
        ];
        let names: Vec<String> = ids.iter().map(|id| slug(id)).collect();
        assert!(names.iter().all(|name| is_slug(name)), "{names:?}");
        let different: std::collections::HashSet<&String> = names.iter().collect();
        assert_eq!(different.len(), ids.len(), "{names:?}");
        assert_eq!((slug("7"), slug("a_b")), ("task_7".into(), "task_a_b".into()));
    }
}
