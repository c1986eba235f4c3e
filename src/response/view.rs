//! An outcome, or a run, as a page tells it to a person: a sign, a word, and what stands behind them.

use chrono::{DateTime, Datelike, Local};

use super::texts::{with, Texts};
use super::words::{is_running, time};
use crate::outcome::{Outcome, Run};
use crate::record::State;

/// The kinds of state that are told apart at arm's length, by sign and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It ended well.
    Ok,
    /// It did not.
    Bad,
    /// It runs.
    Run,
    /// Nothing to wait for, and nothing that went wrong.
    Wait,
}

impl Kind {
    /// The name in the style.
    pub fn class(self) -> &'static str {
        match self {
            Kind::Ok => "ok",
            Kind::Bad => "bad",
            Kind::Run => "run",
            Kind::Wait => "wait",
        }
    }
}

/// A state as it is shown.
pub struct View {
    /// Its kind.
    pub kind: Kind,
    /// Its sign, which no screen reader reads.
    pub sign: &'static str,
    /// Its word.
    pub word: &'static str,
    /// The rest of the line.
    pub more: String,
    /// The bar of what runs.
    pub progress: Option<Progress>,
    /// Sentences below it.
    pub notes: Vec<String>,
    /// The word that leads the owner to the reason, where something went wrong.
    pub reference: Option<String>,
    /// The last lines of its output.
    pub output: Option<String>,
}

/// The bar of what runs.
pub struct Progress {
    /// The run's milliseconds so far, and the usual ones, where they are known.
    pub part: Option<(u64, u64)>,
    /// The same in words.
    pub label: String,
}

/// The way in which a page speaks of times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// By the clock: the page stays open, and says how something ended.
    Exact,
    /// From now, where that is short.
    Relative,
}

/// Views in one language, at one time.
pub struct Viewer<'t> {
    /// The language.
    pub texts: &'t Texts,
    /// The time, in milliseconds since 1970.
    pub now: u64,
    /// The way of its times.
    pub clock: Clock,
}

impl View {
    /// Returns true for what went wrong, which is read out at once.
    pub fn is_bad(&self) -> bool {
        self.kind == Kind::Bad
    }
}

impl Viewer<'_> {
    /// The result of a request.
    pub fn outcome(&self, outcome: &Outcome, reference: Option<&str>) -> View {
        let texts = self.texts;
        let wait = |seconds: u32| with(texts.try_again_in, [&self.duration(u64::from(seconds) * 1000)]);
        let noted = |run: &Run, note: &str| View { notes: vec![note.to_owned()], ..self.run(run) };
        let mut view = match outcome {
            Outcome::NotStarted { run: None, .. } => plain(Kind::Bad, "✗", texts.not_started, ""),
            Outcome::Unknown { .. } => plain(Kind::Wait, "?", texts.unknown, texts.unknown_more),
            Outcome::Busy { retry_after, .. } => plain(Kind::Wait, "○", texts.busy, &wait(*retry_after)),
            Outcome::Cooling { run, retry_after } => {
                let view = plain(Kind::Wait, "○", texts.cooling, &wait(*retry_after));
                View { notes: vec![self.last(Some(run))], ..view }
            }
            Outcome::NotStopped { may, run } => {
                let word = if *may { texts.not_running } else { texts.no_stop };
                View { notes: vec![self.last(run.as_ref())], ..plain(Kind::Wait, "○", word, "") }
            }
            Outcome::Running(run) => noted(run, texts.already),
            Outcome::Again(run) => noted(run, texts.again),
            Outcome::Newer(run) => noted(run, texts.newer),
            Outcome::Last { run: None } | Outcome::Panel(_) => plain(Kind::Wait, "○", texts.never, ""),
            Outcome::NotStarted { run: Some(run), .. } => self.run(run),
            Outcome::Last { run: Some(run) }
            | Outcome::Started(run)
            | Outcome::Finished(run)
            | Outcome::Failed(run)
            | Outcome::Stopped(run) => self.run(run),
        };
        if let Some(reference) = reference {
            view.reference = Some(reference.to_owned());
        }
        view.output =
            outcome.run().and_then(|run| run.output.as_deref()).filter(|output| !output.is_empty()).map(str::to_owned);
        view
    }

    /// A task's last run, if there was one.
    pub fn of_last(&self, run: Option<&Run>) -> View {
        run.map_or_else(|| plain(Kind::Wait, "○", self.texts.never, ""), |run| self.run(run))
    }

    /// The same in one sentence.
    fn last(&self, run: Option<&Run>) -> String {
        let view = self.of_last(run);
        match run {
            Some(_) => with(self.texts.last_run, [&format!("{} {}", view.word, view.more)]),
            None => view.word.to_owned(),
        }
    }

    fn run(&self, run: &Run) -> View {
        let texts = self.texts;
        let when = self.when(run.ended.unwrap_or(run.started));
        let after = || run.duration_ms.map(|ms| with(texts.after, [&self.duration(ms)])).unwrap_or_default();
        let ended = || list([when.clone(), after()]);
        let bad = |word: &'static str, more: &str| View {
            reference: Some(run.run.clone()),
            ..plain(Kind::Bad, "✗", word, more)
        };
        match run.state {
            State::Starting | State::Started => self.running(run),
            State::Finished => {
                let took = run.duration_ms.map(|ms| with(texts.took, [&self.duration(ms)])).unwrap_or_default();
                plain(Kind::Ok, "✓", texts.done, &list([when, took]))
            }
            State::Failed => {
                let why = list([self.end(run), after()]);
                bad(texts.failed, &if why.is_empty() { when } else { format!("{when}: {why}") })
            }
            State::TimedOut => bad(texts.timed_out, &ended()),
            State::Interrupted => bad(texts.interrupted, &ended()),
            State::NotStarted => bad(texts.not_started, &when),
            State::Stopped => plain(Kind::Wait, "■", texts.stopped, &ended()),
            State::Handing => plain(Kind::Wait, "○", texts.perhaps_handed, &when),
            State::Handed => plain(Kind::Wait, "○", texts.handed, &list([when, texts.no_end.to_owned()])),
        }
    }

    fn running(&self, run: &Run) -> View {
        let texts = self.texts;
        let so_far = self.now.saturating_sub(run.started);
        let spent = self.duration(so_far);
        let usual = run.past.usual_ms.map(|ms| (ms, self.duration(ms)));
        let usually = usual.as_ref().map(|(_, words)| with(texts.usually, [words])).unwrap_or_default();
        let more = list([with(texts.running_for, [&spent]), usually]);
        let progress = Progress {
            part: usual.as_ref().map(|(ms, _)| (so_far.min(*ms), (*ms).max(1))),
            label: match &usual {
                Some((_, usual)) => with(texts.part, [&spent, usual]),
                None => format!("{} {more}", texts.running),
            },
        };
        View { progress: Some(progress), ..plain(Kind::Run, "●", texts.running, &more) }
    }

    fn end(&self, run: &Run) -> String {
        match (run.exit, run.signal) {
            (Some(code), _) => with(self.texts.exit_code, [&code.to_string()]),
            (None, Some(signal)) => with(self.texts.signal, [&signal.to_string()]),
            (None, None) => String::new(),
        }
    }

    /// A time, or nothing where there is none such.
    fn when(&self, ms: u64) -> String {
        let (Some(then), Some(now)) = (time(ms), time(self.now)) else { return String::new() };
        let minutes = self.now.checked_sub(ms).map(|age| age / 60_000);
        match (self.clock, minutes) {
            (Clock::Relative, Some(0)) => self.texts.just_now.into(),
            (Clock::Relative, Some(1)) => self.texts.minute_ago.into(),
            (Clock::Relative, Some(minutes @ 2..60)) => with(self.texts.minutes_ago, [&minutes.to_string()]),
            _ => then.format(self.day(then, now)).to_string(),
        }
    }

    fn day(&self, then: DateTime<Local>, now: DateTime<Local>) -> &'static str {
        match (now.date_naive() - then.date_naive()).num_days() {
            0 => self.texts.today,
            1 => self.texts.yesterday,
            _ if now.year() == then.year() => self.texts.this_year,
            _ => self.texts.earlier,
        }
    }

    /// A duration, as exactly as a person wants it.
    pub fn duration(&self, ms: u64) -> String {
        let unit = |text: &str, number: u64| with(text, [&number.to_string()]);
        let two = |text, number: u64, smaller, rest: u64| match rest {
            0 => unit(text, number),
            rest => format!("{} {}", unit(text, number), unit(smaller, rest)),
        };
        let seconds = (ms + 500) / 1000;
        match seconds {
            0 => self.texts.no_second.into(),
            1..60 => unit(self.texts.seconds, seconds),
            60..3600 => two(self.texts.minutes, seconds / 60, self.texts.seconds, seconds % 60),
            _ => two(self.texts.hours, seconds / 3600, self.texts.minutes, seconds % 3600 / 60),
        }
    }
}

/// The button that starts a task again, by what its page shows.
pub fn start_label(texts: &Texts, view: &View, is_answer: bool) -> &'static str {
    match (is_answer, view.kind) {
        (false, _) => texts.start,
        (true, Kind::Bad) => texts.try_again,
        (true, _) => texts.start_again,
    }
}

/// Returns true where a start makes sense beside a run: none is alive, or they may overlap.
pub fn may_start(run: Option<&Run>, may_overlap: bool) -> bool {
    may_overlap || !run.is_some_and(is_running)
}

fn plain(kind: Kind, sign: &'static str, word: &'static str, more: &str) -> View {
    View { kind, sign, word, more: more.into(), progress: None, notes: Vec::new(), reference: None, output: None }
}

/// Joins the parts that say something.
fn list<const N: usize>(parts: [String; N]) -> String {
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join(", ")
}
