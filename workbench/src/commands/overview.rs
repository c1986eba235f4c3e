//! `remotetask` alone: where things stand, and what to do next.

use std::path::Path;

use chrono::Local;

use super::prove;
use crate::check;
use crate::nas::installation::Installation;
use crate::owner::addresses::is_own;
use crate::owner::fault::Fault;
use crate::owner::names::{both, who};
use crate::owner::request_log::{lines_since, Event};
use crate::owner::screen::Tone;
use crate::owner::view::View;
use crate::owner::workbench::{Workbench, INSTALLED};
use crate::parts::entry_point::pending;
use remotetask::config::Starts;
use remotetask::record::Runs;

/// The log's words for a request that started something.
const STARTS: [&str; 5] = ["started", "finished", "failed", "timed_out", "stopped"];

/// Shows it. The first thing that is missing is what comes next.
pub fn run(bench: &Workbench) -> Result<(), Fault> {
    let screen = &bench.screen;
    screen.heading(format_args!("Remote task starter {}", env!("CARGO_PKG_VERSION")));
    let path = bench.path("config.json");
    if path.symlink_metadata().is_err() {
        screen.say(format_args!("In {}, without a configuration yet: no URL starts anything.", bench.folder.display()));
        next(bench, "See what there is, and make the first URL:", &["tasks", "tasks add 7"]);
        return Ok(());
    }
    let view = match View::read(&bench.folder) {
        Ok(view) => view,
        Err(Fault(why)) => {
            screen.say(format_args!("{why}."));
            next(bench, "When that is done:", &["check"]);
            return Ok(());
        }
    };
    let config = view.config()?;
    let today = Local::now().date_naive();
    screen.say(format_args!("In {}; the configuration is valid.", bench.folder.display()));
    let faults = check::faults_in_files(&bench.folder, &view.content, &config);
    if faults > 0 {
        let told = format!("{faults} by a look at files alone; remotetask check tells each, and its cure");
        screen.mark(Tone::Fault, "faults", told);
    }
    let people = config.server.magic_keys.iter().enumerate();
    let names: Vec<String> = people
        .map(|(at, key)| {
            let expired = key.expires.is_some_and(|last| last < today);
            who(at, key.label.as_deref()) + if expired { " (expired)" } else { "" }
        })
        .collect();
    screen.say(format_args!("Keys: {}", names.join(", ")));
    for task in &config.tasks {
        let last = Runs::of(&bench.path("state"), &task.id).last();
        let last =
            last.map_or_else(|| "never started by URL".into(), |run| remotetask::response::summary(&(&run).into()));
        screen.say(format_args!("Task {}: {last}", both(&task.id, task.name.as_deref())));
    }

    let plain = config.server.magic_keys.iter().any(|key| !key.key.sealed)
        || config.server.panel.as_ref().is_some_and(|key| !key.sealed)
        || config.tasks.iter().any(|task| task.identifiers.iter().any(|key| !key.sealed));
    let has_scheduler = Path::new(&*config.server.synoschedtask).exists();
    let scheduled = config.tasks.iter().any(|task| matches!(task.starts, Starts::Scheduled(_)));
    let nas = Installation::new(&bench.folder, &view.content, Some(&config));
    let pending = pending(&nas).filter(|_| nas.is_on_dsm());
    match () {
        () if faults > 0 => {
            next(bench, "Something would not work, or others could start something. See what:", &["check"])
        }
        () if pending.is_some() => {
            next(bench, "listen or port in config.json has changed, and Apache does not know of it yet:", &["apply"])
        }
        () if config.tasks.is_empty() => next(
            bench,
            "No task can be reached yet. See what there is, and make one reachable:",
            &["tasks", "tasks add 7"],
        ),
        () if plain => next(
            bench,
            "Keys stand in config.json as they are; all that runs as the web server's user can read them there:",
            &["seal"],
        ),
        () if scheduled && !view.scheduler_chosen && has_scheduler => next(
            bench,
            "Which way starts a scheduled task on this NAS has not been tried yet. With a harmless one:",
            &["probe"],
        ),
        () if bench.folder == Path::new(INSTALLED) && is_own(&view.base(&config)) => next(
            bench,
            "No phone finds this NAS yet. Choose how phones shall reach it; at the end stands the code to scan:",
            &["phone"],
        ),
        () if view.secrets.url().is_some() && !has_started(&bench.path("log.txt")) => next(
            bench,
            "No phone has started anything yet. Scan the code with one, and press a button:",
            &["url", "try"],
        ),
        () if view.secrets.url().is_none() => next(
            bench,
            "Say once by which name this NAS is reached, so that URLs are shown as they are used:",
            &["url --at https://nas.example.org"],
        ),
        () => next(
            bench,
            "See whether everything works, from the web server to the task:",
            &[&format!("check --url {}", view.base(&config)), "--help"],
        ),
    }
    Ok(())
}

/// Returns true if the log tells of a start by somebody's URL; a proof's canary is nobody.
fn has_started(log: &Path) -> bool {
    let is_start = |event: &Event| {
        let who = event.field("who").unwrap_or_default();
        STARTS.contains(&&*event.what) && !who.contains(prove::NAME)
    };
    lines_since(log, 0).iter().any(|line| line.event.as_ref().is_some_and(is_start))
}

fn next(bench: &Workbench, why: &str, commands: &[&str]) {
    bench.screen.gap();
    bench.screen.heading("Next");
    bench.screen.say(why);
    for command in commands {
        bench.screen.literal(format_args!("  {} {command}", bench.typed()));
    }
}
