//! Secret URLs of people and tasks, and codes of them.

use super::addresses::is_own;
use super::fault::Fault;
use super::names::{no_task, person, quoted, who};
use super::view::View;
use super::workbench::Workbench;
use remotetask::config::{Config, MagicKey, Task};

/// The codes to draw beside the URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// On a terminal.
    Terminal,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Each URL of this person, or of everybody; of this task, or of all that they may start.
pub fn show_urls(bench: &Workbench, only: Option<&str>, task: Option<&str>, codes: Codes) -> Result<(), Fault> {
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let screen = &bench.screen;
    let urls = urls(&view, &config, only, task)?;
    show_each(bench, &view.base(&config), &urls, codes);
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
    warn(bench, &view.base(&config), &urls, "start its task");
    Ok(())
}

/// The panel's URL of this person, or of each.
pub fn show_panel(bench: &Workbench, only: Option<&str>, codes: Codes) -> Result<(), Fault> {
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let base = view.base(&config);
    let Some(panel) = &config.server.panel else {
        return Err(Fault::new(
            "there is no panel, a page with a button for each task; make one: remotetask set panel new",
        ));
    };
    let url = |magic_key: &MagicKey<'_>| {
        Some(format!("{base}/{}/{}", view.plain(&magic_key.key.digest)?, view.plain(&panel.digest)?))
    };
    let fix = |name: &str| match view.plain(&panel.digest) {
        None => "remotetask set panel new".to_owned(),
        Some(_) => format!("remotetask key rotate {}", quoted(name)),
    };
    let shown = |(name, magic_key): (String, &MagicKey<'_>)| Shown {
        heading: format!("{name}: the panel"),
        url: url(magic_key).ok_or_else(|| unknown(&fix(&name))),
    };
    let urls: Vec<Shown> = people(&config, only)?.into_iter().map(shown).collect();
    show_each(bench, &base, &urls, codes);
    warn(bench, &base, &urls, "start all of its tasks");
    Ok(())
}

fn show_each(bench: &Workbench, base: &str, urls: &[Shown], codes: Codes) {
    let screen = &bench.screen;
    for shown in urls {
        screen.gap();
        screen.heading(&shown.heading);
        match &shown.url {
            Ok(url) => {
                screen.literal(format_args!("  {url}"));
                let wanted = codes == Codes::Always || codes == Codes::Terminal && screen.terminal;
                if wanted && !is_own(base) && !screen.code(url) {
                    screen.say(format_args!("  This URL is too long for a code of {} columns.", screen.width));
                }
            }
            Err(why) => screen.say(format_args!("  {why}")),
        }
    }
}

/// Warns of shown URLs.
fn warn(bench: &Workbench, base: &str, urls: &[Shown], can: &str) {
    let screen = &bench.screen;
    if urls.iter().any(|shown| shown.url.is_ok()) {
        screen.gap();
        screen.say(format_args!(
            "Whoever has such a URL can {can}: do not send it by chat or mail, where a preview would open it."
        ));
        if is_own(base) {
            screen.say(format_args!(
                "No phone finds {base}: it means the very machine that asks. Say once how the NAS is reached, and codes are \
                 drawn:"
            ));
            screen.literal(format_args!("  {} url --at https://nas.example.org", bench.typed()));
        }
    }
}

/// The words in the place of a URL that cannot be shown.
fn unknown(fix: &str) -> String {
    format!(
        "One of its keys stands in config.json as a digest, and was never known here. Its URL works, but cannot be shown; \
         a new one can: {fix}"
    )
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
        for task in tasks.iter().filter(|task| magic_key.may_start(&task.id)) {
            let url = view.keys(magic_key, task).map(|(magic, identifier)| format!("{base}/{magic}/{identifier}"));
            let fix = || match view.plain(&magic_key.key.digest) {
                None => format!("remotetask key rotate {}", quoted(&name)),
                Some(_) => format!("remotetask tasks rotate {}", quoted(&task.id)),
            };
            urls.push(Shown { heading: format!("{name}: {}", task.shown()), url: url.ok_or_else(|| unknown(&fix())) });
        }
    }
    Ok(urls)
}

/// The people of this name or number, or all.
pub fn people<'c, 't>(config: &'c Config<'t>, only: Option<&str>) -> Result<Vec<(String, &'c MagicKey<'t>)>, Fault> {
    match only {
        Some(wanted) => Ok(vec![person(config, wanted)?]),
        None => {
            let all = config.server.magic_keys.iter().enumerate();
            Ok(all.map(|(number, key)| (who(number, key.label.as_deref()), key)).collect())
        }
    }
}

/// The task of this id, or all.
pub fn tasks<'c, 't>(config: &'c Config<'t>, only: Option<&str>) -> Result<Vec<&'c Task<'t>>, Fault> {
    let found: Vec<&Task<'t>> = config.tasks.iter().filter(|task| only.is_none_or(|id| task.id == id)).collect();
    match only {
        Some(id) if found.is_empty() => {
            let ids = config.tasks.iter().map(|task| (task.id.to_string(), serde_json::Value::Null)).collect();
            Err(no_task(&ids, id))
        }
        _ => Ok(found),
    }
}
