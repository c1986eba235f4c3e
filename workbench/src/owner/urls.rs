//! Secret links of people: the panel and the tasks' pages, and codes of them.

use super::addresses::is_own;
use super::fault::Fault;
use super::names::{both, called_in, person, quoted, task_id, who};
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

/// The links for people: of this person, or of each. Without a task the panel, or where there is none the page of each
/// task; with one that task's page. Opening them starts nothing.
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
    warn(bench, &view.base(&config), &urls);
    Ok(())
}

/// The panel's URL of this person, or of each.
pub fn show_panel(bench: &Workbench, only: Option<&str>, codes: Codes) -> Result<(), Fault> {
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    if config.server.panel.is_none() {
        return Err(Fault::new(
            "there is no panel, a page with a button for each task; make one: remotetask set panel new",
        ));
    }
    let urls = panels(&view, &config, only)?;
    show_each(bench, &view.base(&config), &urls, codes);
    warn(bench, &view.base(&config), &urls);
    Ok(())
}

/// The panel's link of this person, or of each; nothing where there is no panel.
fn panels(view: &View, config: &Config<'_>, only: Option<&str>) -> Result<Vec<Shown>, Fault> {
    let Some(panel) = &config.server.panel else { return Ok(Vec::new()) };
    let (base, plain) = (view.base(config), view.plain(&panel.digest));
    let shown = |(name, magic_key): (String, &MagicKey<'_>)| {
        let url = plain.zip(view.plain(&magic_key.key.digest)).map(|(panel, magic)| format!("{base}/{magic}/{panel}"));
        let fix = || match plain {
            None => "remotetask set panel new".to_owned(),
            Some(_) => format!("remotetask key rotate {}", quoted(&name)),
        };
        Shown { heading: format!("{name}: the panel"), url: url.ok_or_else(|| unknown(&fix())) }
    };
    Ok(people(config, only)?.into_iter().map(shown).collect())
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

/// Says who can do what with the shown links.
fn warn(bench: &Workbench, base: &str, urls: &[Shown]) {
    let screen = &bench.screen;
    if urls.iter().any(|shown| shown.url.is_ok()) {
        screen.gap();
        screen.say(
            "Whoever has such a link can start what stands there: give it to its person alone. Opening it starts nothing, so it \
             may be a bookmark, on the home screen, or sent to that person.",
        );
        if is_own(base) {
            screen.say(format_args!(
                "No phone finds {base}: it means the very machine that asks. Choose how phones reach this NAS, and codes are \
                 drawn:"
            ));
            screen.literal(format_args!("  {} phone", bench.typed()));
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

/// One person's link.
pub struct Shown {
    /// The person, and what it leads to.
    pub heading: String,
    /// The link, or why it cannot be shown.
    pub url: Result<String, String>,
}

/// The links of this person, or of each: the panel; of a task, or where no panel can be shown, the tasks' own pages.
pub fn urls(view: &View, config: &Config<'_>, only: Option<&str>, task: Option<&str>) -> Result<Vec<Shown>, Fault> {
    let base = view.base(config);
    let mut urls = match (task, config.tasks.is_empty()) {
        (None, false) => panels(view, config, only)?,
        _ => Vec::new(),
    };
    if urls.iter().any(|shown| shown.url.is_ok()) {
        return Ok(urls);
    }
    let tasks = tasks(config, task)?;
    for (name, magic_key) in people(config, only)? {
        for task in tasks.iter().filter(|task| magic_key.may_start(&task.id)) {
            let url = view.keys(magic_key, task).map(|(magic, identifier)| format!("{base}/{magic}/{identifier}?ask"));
            let fix = || match view.plain(&magic_key.key.digest) {
                None => format!("remotetask key rotate {}", quoted(&name)),
                Some(_) => format!("remotetask tasks rotate {}", quoted(&task.id)),
            };
            let heading = format!("{name}: {}", both(&task.id, task.name.as_deref()));
            urls.push(Shown { heading, url: url.ok_or_else(|| unknown(&fix())) });
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

/// The task of this id or name, or all.
pub fn tasks<'c, 't>(config: &'c Config<'t>, only: Option<&str>) -> Result<Vec<&'c Task<'t>>, Fault> {
    let Some(wanted) = only else { return Ok(config.tasks.iter().collect()) };
    let id = task_id(&called_in(config), wanted)?;
    Ok(config.tasks.iter().filter(|task| task.id == *id).collect())
}
