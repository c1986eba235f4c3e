//! Step 6: the task's turn. Whoever holds one may start the task; two cannot hold it at a time.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Server, Starts, Task};
use crate::files::lock_within;
use crate::judge::Permit;
use crate::key::Digest;
use crate::line::Ask;
use crate::outcome::{Outcome, Run};
use crate::record::{self, alive_in_all, Record, Runs};

/// Runs that may be alive at a time, of all tasks.
pub const CEILING: usize = 32;
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
    /// Held for as long as nobody else may decide.
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
    let kept = server.keeps(task);
    let runs = Runs::of(state, &task.id);
    runs.prepare().map_err(|e| Outcome::not_started("6a", format!("{}: {e}", runs.folder().display())))?;
    let lock = match kept {
        // The ceiling is over all that is kept, so that it takes turns together: some milliseconds.
        true => lock(&state.join("commands.turn"))?,
        // DSM may take seconds, and only about this task.
        false => lock(&runs.folder().join("turn"))?,
    };
    let who = permit.who().to_string();
    if ask.browser {
        if let Some(last) = runs.last().filter(|last| last.who == who && last.is_younger_than(SHOWN_AGAIN)) {
            return Err(Outcome::Again(Run::from(&last)));
        }
    }
    if kept {
        record::sweep(state);
    }
    is_free(task, state, kept)?;
    let mut record = Record::new(&task.id, who, runs.newest().as_deref());
    record.key = permit.magic_key().fingerprint();
    Ok(Turn { task, record, runs, lock, state: state.to_owned(), magic_key: permit.magic_key() })
}

/// Whether nothing stands against a start of `task` now; DSM decides about those that are not `kept`.
pub fn is_free(task: &Task<'_>, state: &Path, kept: bool) -> Result<(), Outcome> {
    if kept {
        if let Some(running) = Runs::of(state, &task.id).alive().first() {
            return Err(Outcome::Running(Run::from(running))); // 6b
        }
        if alive_in_all(state) >= CEILING {
            let reason = format!("{CEILING} runs are alive already, as many as may");
            return Err(Outcome::Busy { retry_after: 10, reason }); // 6c
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, Outcome> {
    let fault = |e: std::io::Error| Outcome::not_started("6a", format!("{}: {e}", path.display()));
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(fault)?;
    match lock_within(&file, PATIENCE).map_err(fault)? {
        true => Ok(file),
        false => Err(Outcome::not_started("6a", "another start has not ended within 5 s")),
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
