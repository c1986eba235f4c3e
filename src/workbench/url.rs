//! `url`: a task's URL as a phone, curl, Home Assistant and iOS want it.

use std::path::Path;

use super::edit::hold;
use super::page;
use super::people::{no_task, person};
use super::secrets::Secrets;
use super::view::{who, View};
use super::{Bench, Fault};
use crate::config::{Config, MagicKey, Task};
use crate::key::well_formed;

/// Whether a URL is shown as a code as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// On a terminal.
    Terminal,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// For whom the ready text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// curl, in three ways.
    Curl,
    /// Home Assistant.
    HomeAssistant,
    /// Shortcuts on iOS.
    Ios,
}

/// What `url` is asked for.
pub struct Wanted<'w> {
    /// One task, or all.
    pub task: Option<&'w str>,
    /// One person, or all.
    pub who: Option<&'w str>,
    /// Remember that this NAS is reached there.
    pub at: Option<&'w str>,
    /// Ready text as well.
    pub recipe: Option<Recipe>,
    /// Codes as well.
    pub codes: Codes,
    /// A page beside this file, in place of the screen.
    pub page: Option<&'w Path>,
}

/// `url`.
pub fn run(bench: &Bench, wanted: &Wanted<'_>) -> Result<(), Fault> {
    if let Some(at) = wanted.at {
        let at = address(at)?;
        let _held = hold(&bench.folder)?;
        let mut secrets = Secrets::read(&bench.folder)?;
        secrets.set_url(at);
        secrets.write()?;
    }
    match (wanted.page, wanted.recipe) {
        (Some(beside), _) => page::write(bench, beside, wanted.who, wanted.task),
        (_, Some(recipe)) => show_recipe(bench, wanted, recipe),
        _ => show_urls(bench, wanted.who, wanted.task, wanted.codes),
    }
}

/// Where a NAS is reached: scheme, host, perhaps port and path; without a slash at its end. A whole secret
/// URL is none: what is added to it would be a request of that task.
pub fn address(text: &str) -> Result<String, Fault> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]".contains(c);
    let key = |part: &&str| well_formed(part.as_bytes()).is_ok();
    match rest {
        Some(rest) if rest.split('/').skip(1).filter(key).count() > 1 => {
            Err(Fault::new(
                "behind the host of this address stands what may be keys, and a request there could start a task. Give the \
                 address alone, such as https://nas.example.org",
            ))
        }
        Some(host) if !host.is_empty() && !host.starts_with(['/', ':']) && host.chars().all(allowed) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        // Not repeated: it may be a secret URL, and what is said here is kept by DSM for a task.
        _ => Err(Fault::new("this is no address; write one such as https://nas.example.org or http://192.168.1.20:10765")),
    }
}

/// Whether an address means whoever uses it: no phone finds the NAS by it.
pub fn is_own(base: &str) -> bool {
    let host = base.split_once("://").map_or("", |(_, rest)| rest);
    ["127.", "localhost", "[::1]", "0.0.0.0"].iter().any(|own| host.starts_with(own))
}

/// Each URL of this person, or of everybody; of this task, or of all that they may start.
pub fn show_urls(bench: &Bench, only: Option<&str>, task: Option<&str>, codes: Codes) -> Result<(), Fault> {
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let screen = &bench.screen;
    let base = view.base(&config);
    let urls = urls(&view, &config, only, task)?;
    for shown in &urls {
        screen.gap();
        screen.heading(&shown.heading);
        match &shown.url {
            Ok(url) => {
                screen.literal(format_args!("  {url}"));
                let wanted = codes == Codes::Always || codes == Codes::Terminal && screen.terminal;
                if wanted && !is_own(&base) && !screen.code(url) {
                    screen.say(format_args!("  This URL is too long for a code of {} columns.", screen.width));
                }
            }
            Err(why) => screen.say(format_args!("  {why}")),
        }
    }
    if urls.is_empty() {
        screen.gap();
        match (config.tasks.is_empty(), task) {
            (true, _) => screen.say("No task can be reached yet; remotetask tasks add makes one reachable."),
            (false, Some(task)) if only.is_none() => {
                screen.say("No key may start it: all are limited to other tasks. Make one that may:");
                screen.literal(format_args!("  {} key new --label me --tasks {}", bench.typed(), quoted(task)));
            }
            _ => screen.say("This key may start none of these."),
        }
    }
    if urls.iter().any(|shown| shown.url.is_ok()) {
        screen.gap();
        screen.say(
            "Whoever has such a URL can start its task: do not send it by chat or mail, where a preview would open it.",
        );
        if is_own(&base) {
            screen.say(format_args!(
                "No phone finds {base}: it means the very machine that asks. Say once how the NAS is reached, and codes are \
                 drawn:"
            ));
            screen.literal(format_args!("  {} url --at https://nas.example.org", bench.typed()));
        }
    }
    Ok(())
}

/// One person's URL of one task.
pub struct Shown {
    /// Both of them.
    pub heading: String,
    /// The URL, or why it cannot be shown.
    pub url: Result<String, String>,
}

/// Those of this person, or of everybody; of this task, or of all that they may start.
pub fn urls(view: &View, config: &Config<'_>, only: Option<&str>, task: Option<&str>) -> Result<Vec<Shown>, Fault> {
    let base = view.base(config);
    let tasks = tasks(config, task)?;
    let mut urls = Vec::new();
    for (name, magic_key) in people(config, only)? {
        for task in tasks.iter().filter(|task| may(magic_key, task)) {
            let url = view.keys(magic_key, task).map(|(magic, identifier)| format!("{base}/{magic}/{identifier}"));
            let cure = || match view.plain(&magic_key.key.digest) {
                None => format!("remotetask key rotate {}", quoted(&name)),
                Some(_) => format!("remotetask tasks rotate {}", quoted(&task.id)),
            };
            urls.push(Shown {
                heading: format!("{name}: {}", task.shown()),
                url: url.ok_or_else(|| {
                    format!(
                        "One of its keys stands in config.json as a digest, and was never known here. Its URL works, but \
                         cannot be shown; a new one can: {}",
                        cure()
                    )
                }),
            });
        }
    }
    Ok(urls)
}

fn people<'c, 't>(config: &'c Config<'t>, only: Option<&str>) -> Result<Vec<(String, &'c MagicKey<'t>)>, Fault> {
    match only {
        Some(wanted) => Ok(vec![person(config, wanted)?]),
        None => {
            let all = config.server.magic_keys.iter().enumerate();
            Ok(all.map(|(number, key)| (who(number, key.label.as_deref()), key)).collect())
        }
    }
}

fn tasks<'c, 't>(config: &'c Config<'t>, only: Option<&str>) -> Result<Vec<&'c Task<'t>>, Fault> {
    let found: Vec<&Task<'t>> = config.tasks.iter().filter(|task| only.is_none_or(|id| task.id == id)).collect();
    match only {
        Some(id) if found.is_empty() => {
            let ids = config.tasks.iter().map(|task| (task.id.to_string(), serde_json::Value::Null)).collect();
            Err(no_task(&ids, id))
        }
        _ => Ok(found),
    }
}

fn may(key: &MagicKey<'_>, task: &Task<'_>) -> bool {
    key.tasks.as_ref().is_none_or(|only| only.contains(&task.id))
}

/// A word for a shell.
pub fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    match plain {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Text to copy, for one person and one task.
fn show_recipe(bench: &Bench, wanted: &Wanted<'_>, recipe: Recipe) -> Result<(), Fault> {
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let pairs: Vec<_> = tasks(&config, wanted.task)?
        .into_iter()
        .flat_map(|task| people(&config, wanted.who).into_iter().flatten().map(move |(name, key)| (name, key, task)))
        .filter(|(_, key, task)| may(key, task))
        .collect();
    if let Some(only) = wanted.who {
        person(&config, only)?;
    }
    let [(name, key, task)] = &pairs[..] else {
        return Err(Fault(match pairs.len() {
            0 => "nobody of these may start this".into(),
            _ => {
                let (who, task) = (&pairs[0].0, &pairs[0].2.id);
                format!(
                    "this text is for one task and one key; say which, such as remotetask url {} --who {}",
                    quoted(task),
                    quoted(who)
                )
            }
        }));
    };
    let Some((magic, identifier)) = view.keys(key, task) else {
        return Err(Fault(format!(
            "the keys of {name} for {} are not known here; remotetask url says what to do",
            task.shown()
        )));
    };
    let base = view.base(&config);
    let text = match recipe {
        Recipe::Curl => curl(&base, magic, identifier, &task.id),
        Recipe::HomeAssistant => home_assistant(&base, magic, identifier, &task.id),
        Recipe::Ios => ios(&base, magic, identifier, task.shown()),
    };
    for line in text.lines() {
        bench.screen.literal(line);
    }
    Ok(())
}

fn curl(base: &str, magic: &str, identifier: &str, id: &str) -> String {
    let file = format!("{}.curl", slug(id));
    format!(
        "# The keys in the path. Other users of that machine see them while curl runs.\n\
         curl -X POST '{base}/{magic}/{identifier}'\n\
         \n\
         # The keys in headers: no web server writes them to its log.\n\
         curl -X POST -H 'X-Magic-Key: {magic}' -H 'X-Task-Key: {identifier}' '{base}/'\n\
         \n\
         # No key among the arguments: make this file once, then only the last line is needed.\n\
         (umask 077; cat >{file}) <<'END'\n\
         url = \"{base}/\"\n\
         request = \"POST\"\n\
         header = \"X-Magic-Key: {magic}\"\n\
         header = \"X-Task-Key: {identifier}\"\n\
         END\n\
         curl -K {file}\n"
    )
}

fn home_assistant(base: &str, magic: &str, identifier: &str, id: &str) -> String {
    let name = slug(id);
    format!(
        "# secrets.yaml\n\
         remotetask_{name}_magic_key: \"{magic}\"\n\
         remotetask_{name}_task_key: \"{identifier}\"\n\
         \n\
         # configuration.yaml; then it is the action rest_command.remotetask_{name}\n\
         rest_command:\n\
         \x20 remotetask_{name}:\n\
         \x20   url: \"{base}/\"\n\
         \x20   method: post\n\
         \x20   headers:\n\
         \x20     X-Magic-Key: !secret remotetask_{name}_magic_key\n\
         \x20     X-Task-Key: !secret remotetask_{name}_task_key\n"
    )
}

fn ios(base: &str, magic: &str, identifier: &str, shown: &str) -> String {
    format!(
        "In the app Shortcuts: a new shortcut, {shown}.\nIts one action is Get Contents of URL:\n\
         \x20 URL      {base}/\n\
         \x20 Method   POST (tap the arrow to see it)\n\
         \x20 Headers  X-Magic-Key   {magic}\n\
         \x20          X-Task-Key    {identifier}\n"
    )
}

/// A name that a file, and Home Assistant, takes.
fn slug(id: &str) -> String {
    let name: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    format!("task_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address() {
        for (text, expected) in [
            ("https://nas.example.org", Some("https://nas.example.org")),
            ("https://nas.example.org:8443/", Some("https://nas.example.org:8443")),
            ("http://[fd00::1]:10765/tasks/", Some("http://[fd00::1]:10765/tasks")),
            ("nas.example.org", None),
            ("https://", None),
            ("https:///x", None),
            ("https://nas.example.org/?x", None),
            ("https://nas example.org", None),
            ("ftp://nas", None),
            ("https://nas.example.org/tasks/start", Some("https://nas.example.org/tasks/start")),
            ("https://nas.example.org/76sdf7678fds687/hjhass665s", None),
            ("https://nas.example.org/tasks/76sdf7678fds687/hjhass665s/", None),
        ] {
            assert_eq!(address(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_word_for_a_shell() {
        for (word, expected) in
            [("backup", "backup"), ("Anna's phone", r"'Anna'\''s phone'"), ("#2", "'#2'"), ("", "''")]
        {
            assert_eq!(quoted(word), expected);
        }
    }
}
