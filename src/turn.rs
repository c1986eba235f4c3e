//! Step 6: the task's turn. Whoever holds one may start the task; two cannot hold it at a time.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Overlap, Server, Starts, Task};
use crate::files::{lock_within, open_lock};
use crate::judge::Permit;
use crate::keep::{self, Starting};
use crate::key::Digest;
use crate::line::Ask;
use crate::outcome::{Outcome, Run};
use crate::record::{self, alive_in_all, now_ms, number, Record, Runs};
use crate::step::Step;
use crate::trust::Home;

/// Runs that may be alive at a time, of all tasks.
pub const CEILING: usize = 32;
/// Runs of one task that may be alive at a time.
pub const TASK_CEILING: usize = 8;
/// The time after which the ceilings are worth another try, in seconds.
const BUSY: u32 = 10;
/// A browser that asks again this soon is shown the run that it started.
pub const SHOWN_AGAIN: Duration = Duration::from_secs(10);
/// How long another start may take before this one gives up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The right to start a task now, and the record to do it under. Given back when dropped.
pub struct Turn<'c> {
    /// The task.
    pub task: &'c Task<'c>,
    /// Its runs.
    pub runs: Runs,
    /// The run to be.
    pub record: Record,
    /// Held for as long as nobody else may decide about this task.
    pub lock: File,
    /// The folder `state/`.
    pub state: PathBuf,
    /// The digest of the magic key that it is taken with.
    pub magic_key: Digest,
}

/// Takes the permitted task's turn, or returns the reason against it.
///
/// The permit must come from a configuration that was read in full:
///
/// ```
/// # use {chrono::NaiveDate, remotetask::{config, judge::judge, line::Ask, turn}, std::path::Path};
/// fn root_half(content: &[u8], ask: &Ask, today: NaiveDate, state: &Path) -> Option<()> {
///     let config = config::read(content).ok()?;
///     let permit = judge(&config, ask.credentials(), None, ask.from, today).ok()?.task()?;
///     turn::take(&permit, ask, &config.server, state).ok().map(drop)
/// }
/// ```
///
/// The permit of a glance, which has nothing to start, does not compile here:
///
/// ```compile_fail,E0308
/// # use {chrono::NaiveDate, remotetask::{config, judge::judge, line::Ask, turn}, std::path::Path};
/// fn root_half(content: &[u8], ask: &Ask, today: NaiveDate, state: &Path) -> Option<()> {
///     let config = config::glance(content, ask.credentials().identifier.digest()).ok()?;
///     let permit = judge(&config, ask.credentials(), None, ask.from, today).ok()?.task()?;
///     turn::take(&permit, ask, &config.server, state).ok().map(drop)
/// }
/// ```
pub fn take<'c>(
    permit: &Permit<'c, Starts<'c>>,
    ask: &Ask,
    server: &Server<'_>,
    state: &Path,
) -> Result<Turn<'c>, Outcome> {
    let task = permit.task();
    let runs = Runs::of(state, &task.id);
    runs.prepare().map_err(|e| Outcome::not_started(Step::Turn, format!("{}: {e}", runs.folder().display())))?;
    // The task's alone: a program of DSM's, or a disk that hangs, holds up no other task.
    let lock = lock(&runs.folder().join("turn"))?;
    let (who, key) = (permit.who().to_string(), permit.magic_key().fingerprint());
    let newest = runs.newest().map_err(|e| unknown(&runs, &e))?;
    if let Some(run) = shown_instead(ask, &runs, &key, &who).map_err(|e| unknown(&runs, &e))? {
        return Err(Outcome::Again(Run::from(&run)));
    }
    is_free(task, server, state)?;
    let mut record = Record::new(&task.id, who, newest.as_deref());
    record.key = key;
    Ok(Turn { task, record, runs, lock, state: state.to_owned(), magic_key: permit.magic_key() })
}

impl Turn<'_> {
    /// Gives the run of a task that is kept its place among those of all tasks, and records it; returns the hold on it.
    ///
    /// The ceiling is over all that is kept, so these take turns together, for some milliseconds. Who holds that turn has
    /// the task's already, and waits for nothing else.
    pub fn announce(&self) -> Result<File, Outcome> {
        let _all = lock(&self.state.join("commands.turn"))?;
        let all = record::sweep(&self.state).map_err(|e| unknown(&self.runs, &e))?;
        is_free_among(self.task, &self.state, Some(all))?; // 6k
        let held = self.runs.announce(&self.record.run);
        held.and_then(|held| self.runs.begin_durably(&self.record).map(|()| held)).map_err(|e| self.not_recorded(&e))
    }

    /// Step 8a: records a run that is handed to DSM.
    pub fn record(&self) -> Result<(), Outcome> {
        self.runs.begin_durably(&self.record).map_err(|e| self.not_recorded(&e))
    }

    fn not_recorded(&self, why: &std::io::Error) -> Outcome {
        self.runs.forget(&self.record.run);
        Outcome::not_started(Step::Recorded, format!("{}: {why}", self.runs.folder().display()))
    }

    /// Records what failed before there was a target to start; other outcomes are no runs.
    pub fn failed(mut self, outcome: Outcome, server: &Server<'_>, home: &Home) -> Outcome {
        match outcome {
            Outcome::NotStarted { step, reason, .. } => {
                self.runs.prune();
                let run = Starting { runs: &self.runs, record: &mut self.record, name: self.task.shown() };
                keep::not_started(home, server, run, step, reason)
            }
            outcome => outcome,
        }
    }
}

/// The run that is shown instead of a start: to a form, the one that was started after it was made (6g); to a browser,
/// the one that the same key started a moment ago. What could not be started is nobody's answer.
fn shown_instead(ask: &Ask, runs: &Runs, key: &str, who: &str) -> io::Result<Option<Record>> {
    let mut started = runs.recorded_runs()?.filter(Record::was_started);
    let Some(last) = started.next() else { return Ok(None) };
    if ask.after.as_ref().is_some_and(|after| number(&last.run) > number(after)) {
        return Ok(Some(last));
    }
    if !ask.browser {
        return Ok(None);
    }
    let just_now = |run: &Record| run.is_by(key, who) && run.is_younger_than(SHOWN_AGAIN);
    Ok(std::iter::once(last).chain(started).find(just_now))
}

/// 6m: a folder that cannot be listed may hold anything.
fn unknown(runs: &Runs, why: &io::Error) -> Outcome {
    Outcome::not_started(Step::RunsListed, format!("{}: {why}", runs.folder().display()))
}

/// Returns the reason against a start of `task` now.
pub fn is_free(task: &Task<'_>, server: &Server<'_>, state: &Path) -> Result<(), Outcome> {
    let all = server.keeps(task).then(|| alive_in_all(state)).transpose();
    is_free_among(task, state, all.map_err(|e| unknown(&Runs::of(state, &task.id), &e))?)
}

/// The same. `all` is the number of runs that are alive, of all tasks; none for a task that is not kept, because DSM alone knows
/// its runs.
fn is_free_among(task: &Task<'_>, state: &Path, all: Option<usize>) -> Result<(), Outcome> {
    let runs = Runs::of(state, &task.id);
    if let Some(all) = all {
        let alive = runs.alive().map_err(|e| unknown(&runs, &e))?;
        if let (Overlap::Skip, Some(running)) = (task.keeping.overlap, alive.first()) {
            return Err(Outcome::Running(Run::from(running))); // 6b
        }
        let busy = |ceiling, whose| {
            let reason = format!("{ceiling} runs {whose}are alive already, as many as may");
            Err(Outcome::Busy { retry_after: BUSY, reason })
        };
        if alive.len() >= TASK_CEILING {
            return busy(TASK_CEILING, "of this task "); // 6h
        }
        if all >= CEILING {
            return busy(CEILING, ""); // 6c
        }
    }
    match cooling(task, &runs).map_err(|e| unknown(&runs, &e))? {
        Some((last, retry_after)) => Err(Outcome::Cooling { run: Run::from(&last), retry_after }), // 6f
        None => Ok(()),
    }
}

/// The last start, where the task has to cool down after it, and for how many seconds from now.
fn cooling(task: &Task<'_>, runs: &Runs) -> io::Result<Option<(Record, u32)>> {
    if task.cooldown == 0 {
        return Ok(None);
    }
    let now = now_ms();
    // By its time, not its name: names are in order even where the clock was set back.
    let past = runs.recorded_runs()?.filter(|run| run.was_started() && run.started <= now);
    let Some(last) = past.max_by_key(|run| run.started) else { return Ok(None) };
    let over = last.started.saturating_add(task.cooldown.saturating_mul(1000));
    let left = over.saturating_sub(now).div_ceil(1000);
    Ok((left > 0).then(|| (last, u32::try_from(left).unwrap_or(u32::MAX))))
}

fn lock(path: &Path) -> Result<File, Outcome> {
    let fault = |e: std::io::Error| Outcome::not_started(Step::Turn, format!("{}: {e}", path.display()));
    let file = open_lock(path).map_err(fault)?;
    match lock_within(&file, PATIENCE).map_err(fault)? {
        true => Ok(file),
        false => Err(Outcome::not_started(Step::Turn, "another start has not ended within 5 s")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{flock, FlockOperation};

    /// Not even a shared lock may be had while the turn is held.
    #[test]
    fn who_has_the_turn_has_it_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("turn");
        let _held = lock(&path).expect("the turn");
        let other = File::open(&path).expect("its file");
        assert_eq!(flock(&other, FlockOperation::NonBlockingLockShared), Err(rustix::io::Errno::WOULDBLOCK));
    }
}
