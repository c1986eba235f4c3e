//! The wish of a caller that a run ends, and ends that a killed keeper could not record.

use std::fs::{self, File};
use std::io;
use std::time::Duration;

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

    /// Records the end of each run whose keeper was killed before it could, and returns those records: each to one caller.
    pub fn settle(&self) -> Vec<Record> {
        let mut runs: Vec<String> = self.names("lock").into_iter().chain(self.newest()).collect();
        runs.sort_unstable();
        runs.dedup();
        runs.retain(|run| self.dangling(run).is_some());
        if runs.is_empty() {
            return Vec::new();
        }
        let lock = open_lock(&self.folder().join("settle"));
        if !lock.as_ref().is_ok_and(|lock| lock_within(lock, PATIENCE).unwrap_or(false)) {
            return Vec::new();
        }
        let dangling = runs.iter().filter_map(|run| self.dangling(run));
        dangling.filter(|record| self.write_durably(record).is_ok()).collect()
    }

    /// The record of a run that is over and has no recorded end, with the end that it has to get.
    fn dangling(&self, run: &str) -> Option<Record> {
        let open = self.read(run)?.is_open();
        let mut record = self.get(run).filter(|record| open && record.state == State::Interrupted)?;
        if self.is_wished(run) {
            record.stopped();
        }
        Some(record)
    }
}
