//! The texts of the callers' pages: a file a language, each with every text.
//!
//! `{}` is the place of a value. Times are in the form that `chrono` takes.

mod de;
mod en;

use crate::request::Language;

/// Every text of the pages.
///
/// A function makes it, and no constant holds it: a static program adjusts each address in its constants when it begins,
/// for a refused request as well.
pub struct Texts {
    /// The language, as HTML names it.
    pub lang: &'static str,

    // A run's state.
    pub running: &'static str,
    pub done: &'static str,
    pub failed: &'static str,
    pub timed_out: &'static str,
    pub stopped: &'static str,
    pub interrupted: &'static str,
    pub not_started: &'static str,
    pub handed: &'static str,
    pub perhaps_handed: &'static str,
    pub never: &'static str,

    // An answer that is no run's state, and what stands behind it.
    pub unknown: &'static str,
    pub unknown_more: &'static str,
    pub cooling: &'static str,
    pub busy: &'static str,
    pub try_again_in: &'static str,
    pub not_running: &'static str,
    pub no_stop: &'static str,

    // Notes below a state.
    pub again: &'static str,
    pub already: &'static str,
    pub newer: &'static str,
    pub last_run: &'static str,
    pub output: &'static str,
    /// Before a reference.
    pub owner: &'static str,
    /// The name of what is folded away: the line with the reference.
    pub tell_owner: &'static str,

    // More about a run.
    pub running_for: &'static str,
    pub usually: &'static str,
    pub took: &'static str,
    pub after: &'static str,
    pub exit_code: &'static str,
    pub signal: &'static str,
    pub no_end: &'static str,
    /// The run's time so far, and the usual one.
    pub part: &'static str,

    // A time.
    pub just_now: &'static str,
    pub minute_ago: &'static str,
    pub minutes_ago: &'static str,
    pub today: &'static str,
    pub yesterday: &'static str,
    pub this_year: &'static str,
    pub earlier: &'static str,

    // A duration.
    pub no_second: &'static str,
    pub seconds: &'static str,
    pub minutes: &'static str,
    pub hours: &'static str,

    // The picture of the last runs: their number and what follows; then each number of an outcome.
    pub last_runs: &'static str,
    pub were_done: &'static str,
    pub were_failed: &'static str,
    pub were_stopped: &'static str,
    pub were_other: &'static str,

    // Buttons and links.
    pub start: &'static str,
    pub start_again: &'static str,
    pub try_again: &'static str,
    pub stop: &'static str,
    pub look_again: &'static str,
    pub back: &'static str,

    // The panel, and the foot of each page.
    pub tasks: &'static str,
    pub no_task: &'static str,
    pub one_more: &'static str,
    pub more: &'static str,
    pub nothing_starts: &'static str,
    pub as_of: &'static str,
}

impl Texts {
    /// Those of a language.
    pub fn of(language: Language) -> Texts {
        match language {
            Language::English => en::texts(),
            Language::German => de::texts(),
        }
    }
}

/// A text with each value in its place.
pub fn with<const N: usize>(text: &str, values: [&str; N]) -> String {
    let mut parts = text.split("{}");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for (value, part) in values.iter().zip(parts) {
        whole.push_str(value);
        whole.push_str(part);
    }
    whole
}
