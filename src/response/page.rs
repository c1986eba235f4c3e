//! The pages for people: a task's, and the panel.
//!
//! A page's buttons are forms that carry the name of the newest run it shows (`after`), so that each starts at most once.
//! A page refreshes itself by addresses alone at which nothing starts: `?status`, `?ask`, and the panel's own.

use std::fmt::Write as _;

use super::words::{detail, headline, is_running, last};
use super::About;
use crate::line::NEVER;
use crate::outcome::{Outcome, Panel, PanelTask, Run};
use crate::request::{Method, Wish};
use crate::text::{self, Html};

/// The task's page.
pub const TASK_PAGE: &str = include_str!("../pages/answer.html");
/// The panel.
pub const PANEL_PAGE: &str = include_str!("../pages/panel.html");

/// The delay before a page moves on from the address that started something, in seconds: at 2 browsers keep that address
/// in their history, and Back starts it again.
const MOVES_ON: u32 = 1;
/// The delay before a page looks again, in seconds.
const LOOKS_AGAIN: u32 = 3;

/// The page of a task: what became of the request, and its buttons.
pub fn task(about: &About<'_>, outcome: &Outcome) -> Vec<u8> {
    let (heading, detail) = match outcome {
        Outcome::Last { run } if about.is_asked() => (
            format!("Start {}?", about.name),
            match run {
                Some(run) => format!("Last run: {}.", last(Some(run))),
                None => "It has not been started yet.".to_owned(),
            },
        ),
        outcome => (format!("{}: {}", headline(outcome).1, about.name), detail(outcome, about.reference)),
    };
    let output = outcome.run().and_then(|run| run.output.as_deref());
    fill(TASK_PAGE, |place, page| match place {
        "title" => title(page, &heading, about.title),
        "nas" => nas(page, about.title),
        "heading" => write!(page, "{}", Html(&heading)),
        "refresh" => match refresh(about, outcome) {
            Some((delay, url)) => refresh_to(page, delay, Some(url)),
            None => Ok(()),
        },
        "detail" => write!(page, "{}", Html(&detail)),
        "output" => pre(page, output),
        "buttons" => buttons(page, about, outcome),
        _ => Ok(()),
    })
}

/// The panel: what became of the chosen task, and a button for each.
pub fn panel(about: &About<'_>, panel: &Panel) -> Vec<u8> {
    let heading = about.title.unwrap_or("Tasks");
    let chosen = panel.chosen.as_ref().map(|(id, outcome)| (name_of(panel, id), &**outcome));
    let runs = panel.tasks.iter().filter_map(|task| task.run.as_ref());
    let running = runs.chain(chosen.as_ref().and_then(|(_, outcome)| outcome.run())).any(is_running);
    fill(PANEL_PAGE, |place, page| match place {
        "heading" => write!(page, "{}", Html(heading)),
        // Without an address: the panel's own, where nothing starts by a GET.
        "refresh" if running => refresh_to(page, LOOKS_AGAIN, None),
        "result" => match &chosen {
            Some((name, outcome)) => result(page, name, outcome, about.reference),
            None => Ok(()),
        },
        "tasks" => panel.tasks.iter().try_for_each(|task| row(page, task)),
        "more" if panel.tasks.is_empty() && panel.more == 0 => {
            page.write_str("<p>This key may start no task at present.</p>\n")
        }
        "more" if panel.more > 0 => writeln!(
            page,
            "<p>{} more {} no room on this page.</p>",
            panel.more,
            if panel.more == 1 { "task has" } else { "tasks have" }
        ),
        _ => Ok(()),
    })
}

fn name_of<'p>(panel: &'p Panel, id: &'p str) -> &'p str {
    panel.tasks.iter().find(|task| task.id == id).map_or(id, |task| &task.name)
}

fn result(page: &mut String, name: &str, outcome: &Outcome, reference: Option<&str>) -> std::fmt::Result {
    write!(page, "<section>\n<h2>{}: {}</h2>\n", headline(outcome).1, Html(name))?;
    match detail(outcome, reference) {
        detail if detail.is_empty() => {}
        detail => writeln!(page, "<p>{}</p>", Html(&detail))?,
    }
    pre(page, outcome.run().and_then(|run| run.output.as_deref()))?;
    page.write_str("</section>\n")
}

fn row(page: &mut String, task: &PanelTask) -> std::fmt::Result {
    write!(page, "<li><form method=\"post\">{}", After(task.run.as_ref()))?;
    write!(page, "<button name=\"task\" value=\"{}\">{}</button></form>", Html(&task.id), Html(&task.name))?;
    writeln!(page, "<p>{}</p></li>", Html(&last(task.run.as_ref())))
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

/// A button that starts the task, and one that stops it while it runs and may be stopped. Without a known run there is a
/// link that looks for it: a form could not say what it starts after.
fn buttons(page: &mut String, about: &About<'_>, outcome: &Outcome) -> std::fmt::Result {
    let run = match (outcome, outcome.run()) {
        (Outcome::Last { run: None } | Outcome::NotStopped { run: None, .. }, _) => None,
        (_, None) => return page.write_str("<p><a href=\"?ask\">Look again</a></p>\n"),
        (_, run) => run,
    };
    form(page, "?ask", run, "Start it")?;
    match run.is_some_and(is_running) && about.may_stop {
        true => form(page, "?stop", run, "Stop it"),
        false => Ok(()),
    }
}

fn form(page: &mut String, action: &str, run: Option<&Run>, label: &str) -> std::fmt::Result {
    writeln!(page, "<form method=\"post\" action=\"{action}\">{}<button>{label}</button></form>", After(run))
}

/// The hidden field that names the newest run.
struct After<'a>(Option<&'a Run>);

impl std::fmt::Display for After<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let run = self.0.map_or(NEVER, |run| &*run.run);
        write!(f, "<input type=\"hidden\" name=\"after\" value=\"{}\">", Html(run))
    }
}

fn title(page: &mut String, heading: &str, nas: Option<&str>) -> std::fmt::Result {
    match nas {
        Some(nas) => write!(page, "{} – {}", Html(heading), Html(nas)),
        None => write!(page, "{}", Html(heading)),
    }
}

fn nas(page: &mut String, nas: Option<&str>) -> std::fmt::Result {
    nas.map_or(Ok(()), |nas| writeln!(page, "<p>{}</p>", Html(nas)))
}

fn pre(page: &mut String, output: Option<&str>) -> std::fmt::Result {
    match output {
        // A line break right behind the tag is none of the text's.
        Some(output) if !output.is_empty() => writeln!(page, "<pre>\n{}</pre>", Html(output)),
        _ => Ok(()),
    }
}

fn refresh_to(page: &mut String, delay: u32, url: Option<&str>) -> std::fmt::Result {
    let url = url.map_or_else(String::new, |url| format!("; url={url}"));
    writeln!(page, "<meta http-equiv=\"refresh\" content=\"{delay}{url}\">")
}

/// Fills each `{place}` of a template; what stands in braces and is no place is a style's.
fn fill(template: &str, mut at: impl FnMut(&str, &mut String) -> std::fmt::Result) -> Vec<u8> {
    let value = |place: &str, _: &str| {
        let mut value = String::new();
        let is_place = place.bytes().all(|b| b.is_ascii_lowercase());
        is_place.then(|| at(place, &mut value)).and_then(Result::ok).map(|()| value)
    };
    text::fill(template, ['{', '}'], value).into_bytes()
}
