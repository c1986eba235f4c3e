//! The pages for people: a task's, and the panel. The templates are in `templates/`, compiled, and escape what they are given.
//!
//! A page's buttons are forms that carry the name of the newest run it shows (`after`), so that each starts at most once.
//! A page refreshes itself by addresses alone at which nothing starts: `?status`, `?ask`, and the panel's own.

use askama::Template;

use super::history::{history, History};
use super::texts::{with, Texts};
use super::view::{may_start, start_label, Clock, View, Viewer};
use super::words::{is_running, time};
use super::About;
use crate::line::NEVER;
use crate::outcome::{Outcome, Panel, PanelTask, Run};
use crate::request::{Method, Wish};

/// The delay before a page moves on from the address that started something, in seconds: at 2 browsers keep that address
/// in their history, and Back starts it again.
const MOVES_ON: u32 = 1;
/// The delay before a page looks again, in seconds.
const LOOKS_AGAIN: u32 = 3;

#[derive(Template)]
#[template(path = "task.html")]
struct TaskPage<'a> {
    texts: &'a Texts,
    refresh: Option<String>,
    nas: Option<&'a str>,
    who: Option<&'a str>,
    as_of: String,
    name: &'a str,
    /// True where it tells what became of a request.
    answer: bool,
    view: View,
    history: Option<History>,
    after: Option<&'a str>,
    start: Option<&'static str>,
    stop: bool,
}

#[derive(Template)]
#[template(path = "panel.html")]
struct PanelPage<'a> {
    texts: &'a Texts,
    refresh: Option<String>,
    who: Option<&'a str>,
    as_of: String,
    title: &'a str,
    chosen: Option<(&'a str, View)>,
    cards: Vec<Card<'a>>,
    rest: Option<String>,
}

/// A task on the panel.
struct Card<'a> {
    id: &'a str,
    name: &'a str,
    view: View,
    after: &'a str,
    start: bool,
    stop: bool,
}

/// The page of a task: what became of the request, the picture of its runs, and its buttons.
pub fn task(about: &About<'_>, outcome: &Outcome) -> Vec<u8> {
    let texts = &Texts::of(about.language);
    let viewer = Viewer { texts, now: about.now, clock: Clock::Exact };
    let answer = !matches!(outcome, Outcome::Last { .. });
    let view = viewer.outcome(outcome, about.reference);
    let run = outcome.run();
    // Without a known run a form could not say what it starts after: there is the link alone, which looks for it.
    let never = matches!(outcome, Outcome::Last { run: None } | Outcome::NotStopped { run: None, .. });
    let after = run.map(|run| &*run.run).or(never.then_some(NEVER));
    let page = TaskPage {
        texts,
        refresh: refresh(about, outcome).map(|(delay, url)| format!("{delay}; url={url}")),
        nas: about.title,
        who: about.who,
        as_of: as_of(about, texts),
        name: about.name,
        answer,
        history: run.and_then(|run| history(&run.past, &viewer)),
        after,
        start: may_start(run, about.may_overlap).then(|| start_label(texts, &view, answer && !never)),
        stop: about.may_stop && run.is_some_and(is_running),
        view,
    };
    page.render().unwrap_or_default().into_bytes()
}

/// The panel: what became of the chosen task, and a card with the buttons of each.
pub fn panel(about: &About<'_>, panel: &Panel) -> Vec<u8> {
    let texts = &Texts::of(about.language);
    let exact = Viewer { texts, now: about.now, clock: Clock::Exact };
    let viewer = Viewer { texts, now: about.now, clock: Clock::Relative };
    let chosen = panel.chosen.as_ref().map(|(id, outcome)| (name_of(panel, id), &**outcome));
    let runs = panel.tasks.iter().filter_map(|task| task.run.as_ref());
    let running = runs.chain(chosen.as_ref().and_then(|(_, outcome)| outcome.run())).any(is_running);
    let page = PanelPage {
        texts,
        // Without an address: the panel's own, where nothing starts by a GET.
        refresh: running.then(|| LOOKS_AGAIN.to_string()),
        who: about.who,
        as_of: as_of(about, texts),
        title: about.title.unwrap_or(texts.tasks),
        chosen: chosen.map(|(name, outcome)| (name, exact.outcome(outcome, about.reference))),
        cards: panel.tasks.iter().map(|task| card(task, &viewer)).collect(),
        rest: match (panel.more, panel.tasks.is_empty()) {
            (0, true) => Some(texts.no_task.to_owned()),
            (0, false) => None,
            (1, _) => Some(texts.one_more.to_owned()),
            (more, _) => Some(with(texts.more, [&more.to_string()])),
        },
    };
    page.render().unwrap_or_default().into_bytes()
}

fn name_of<'p>(panel: &'p Panel, id: &'p str) -> &'p str {
    panel.tasks.iter().find(|task| task.id == id).map_or(id, |task| &task.name)
}

fn card<'p>(task: &'p PanelTask, viewer: &Viewer<'_>) -> Card<'p> {
    let run = task.run.as_ref();
    Card {
        id: &task.id,
        name: &task.name,
        view: viewer.of_last(run),
        after: after(run),
        start: may_start(run, task.may_overlap),
        stop: task.may_stop && run.is_some_and(is_running),
    }
}

/// The name of the newest run that a page shows.
fn after(run: Option<&Run>) -> &str {
    run.map_or(NEVER, |run| &*run.run)
}

fn as_of(about: &About<'_>, texts: &Texts) -> String {
    time(about.now).map_or_else(String::new, |time| time.format(texts.as_of).to_string())
}

/// The address that the page asks for by itself, and when.
fn refresh(about: &About<'_>, outcome: &Outcome) -> Option<(u32, &'static str)> {
    let by_get = about.method != Method::Post;
    match outcome {
        // The start's own address is left, so that no open tab, and no step back, starts anything again.
        Outcome::Started(_)
        | Outcome::Finished(_)
        | Outcome::Failed(_)
        | Outcome::Again(_)
        | Outcome::NotStarted { run: Some(_), .. }
            if by_get && about.wish == Wish::Start =>
        {
            Some((MOVES_ON, "?status"))
        }
        _ if !outcome.run().is_some_and(is_running) => None,
        _ if by_get && about.wish != Wish::Page => Some((LOOKS_AGAIN, "?status")),
        _ => Some((LOOKS_AGAIN, "?ask")),
    }
}
