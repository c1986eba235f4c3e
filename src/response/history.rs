//! The picture of a task's last runs: a bar a run, as high as it took long; what failed is an empty frame.

use super::texts::with;
use super::view::Viewer;
use crate::outcome::{Past, Short};
use crate::record::State;

/// The bars' room, in units of the picture; it holds as many as there are records.
const HEIGHT: u64 = 40;
const STEP: usize = 12;
/// The least height of a bar.
const LEAST: u64 = 4;

/// The picture.
pub struct History {
    /// Its bars, the oldest run first.
    pub bars: Vec<Bar>,
    /// The same in words.
    pub caption: String,
}

/// A run.
pub struct Bar {
    pub class: &'static str,
    pub x: usize,
    pub y: u64,
    pub height: u64,
    pub text: String,
}

/// The picture of these runs, where there are two that have ended at least.
pub fn history(past: &Past, viewer: &Viewer<'_>) -> Option<History> {
    let ended = |run: &&Short| !matches!(run.state, State::Starting | State::Started | State::Handing);
    let runs: Vec<&Short> = past.runs.iter().filter(ended).collect();
    if runs.len() < 2 {
        return None;
    }
    let longest = runs.iter().filter_map(|run| run.duration_ms).max().unwrap_or(0).max(1);
    let bar = |(at, run): (usize, &&Short)| {
        let height = (run.duration_ms.unwrap_or(0) * HEIGHT / longest).max(LEAST);
        let took = run.duration_ms.map(|ms| format!("{}, ", viewer.duration(ms))).unwrap_or_default();
        let (class, text) = kind(run.state, viewer);
        Bar { class, x: at * STEP, y: HEIGHT - height, height, text: format!("{took}{}", with(text, ["1"])) }
    };
    Some(History { bars: runs.iter().enumerate().map(bar).collect(), caption: caption(&runs, past, viewer) })
}

/// The bar's class, and the words for a number of such runs.
fn kind(state: State, viewer: &Viewer<'_>) -> (&'static str, &'static str) {
    match state {
        State::Finished => ("ok", viewer.texts.were_done),
        State::Failed | State::TimedOut | State::Interrupted | State::NotStarted => ("bad", viewer.texts.were_failed),
        State::Stopped => ("", viewer.texts.were_stopped),
        _ => ("", viewer.texts.were_other),
    }
}

fn caption(runs: &[&Short], past: &Past, viewer: &Viewer<'_>) -> String {
    let texts = viewer.texts;
    let counted = |words: &&'static str| {
        let number = runs.iter().filter(|run| kind(run.state, viewer).1 == *words).count();
        (number > 0).then(|| with(words, [&number.to_string()]))
    };
    let counts: Vec<String> =
        [texts.were_done, texts.were_failed, texts.were_stopped, texts.were_other].iter().filter_map(counted).collect();
    let whole = with(texts.last_runs, [&runs.len().to_string(), &counts.join(", ")]);
    match past.usual_ms {
        Some(ms) => format!("{whole}; {}", with(texts.usually, [&viewer.duration(ms)])),
        None => whole,
    }
}
