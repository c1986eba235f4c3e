//! The wish of a caller that a run ends, and ends that a killed keeper could not record.

use std::fs::{self, File};
use std::io;
use std::time::Duration;

use super::runs::{in_order, newest_of};
use super::{private, Record, Runs, State};
use crate::files::{lock_within, open_lock};

/// The time that another call may take to record an end.
const PATIENCE: Duration = Duration::from_secs(1);

impl Runs {
    /// Records durably that a caller wants the end of a run: the keeper looks for it when it is told.
    pub fn wish(&self, run: &str) -> io::Result<()> {
        private(&self.path(run, "stop"))?.sync_all()?;
        File::open(self.folder())?.sync_all()
    }

    /// Returns true if a caller wants the end of a run.
    pub fn is_wished(&self, run: &str) -> bool {
        self.path(run, "stop").exists()
    }

    /// Forgets that, once it has ended.
    pub fn forget_wish(&self, run: &str) {
        let _ = fs::remove_file(self.path(run, "stop"));
    }

    /// Notes that a run was reported to its owner, though no disk took its end. The lock's file becomes the note, so that a full
    /// disk has room for it.
    pub fn note_reported(&self, run: &str) {
        let _ = fs::rename(self.path(run, "lock"), self.path(run, "told"));
    }

    /// Returns true if that is noted.
    pub fn is_reported(&self, run: &str) -> bool {
        self.path(run, "told").exists()
    }

    /// The records of runs that are over and have no recorded end, because their keeper was killed before it could, or because
    /// a full disk did not take it (their lock is a note by then): each with the end that it has to get. Who writes them holds [`Runs::ending`] meanwhile.
    pub fn without_end(&self) -> Vec<Record> {
        let files = self.files(&["json", "lock", "told"]).unwrap_or_default();
        let noted = files.iter().filter(|(_, kind)| matches!(*kind, "lock" | "told")).map(|(run, _)| &**run);
        let mut runs = in_order(noted.chain(newest_of(&files)).map(str::to_owned).collect());
        runs.dedup();
        runs.iter().filter_map(|run| self.dangling(run)).collect()
    }

    /// The hold of whoever writes ends in the place of a keeper: one at a time.
    pub fn ending(&self) -> Option<File> {
        let lock = open_lock(&self.folder().join("settle")).ok()?;
        lock_within(&lock, PATIENCE).is_ok_and(|locked| locked).then_some(lock)
    }

    fn dangling(&self, run: &str) -> Option<Record> {
        let open = self.read(run)?.is_open();
        let mut record = self.get(run).filter(|record| open && record.state == State::Interrupted)?;
        if self.is_wished(run) {
            record.stopped();
        }
        Some(record)
    }
}
