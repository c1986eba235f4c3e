//! The runs of a task: the files of its folder.

use std::ffi::{CStr, OsStr};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{flock, FileType, FlockOperation};
use sha2::{Digest, Sha256};

use super::{number, private, Record, State};
use crate::files::{for_each_entry, lock_within, Regular};

/// Records that are kept of a task, the newest.
pub const KEPT: usize = 20;
/// The largest record that is read, in bytes.
const RECORD_MAX: usize = 64 << 10;
/// The time for those who look at a run's lock to let it go.
const HOLD_TIME: Duration = Duration::from_secs(2);
/// The bytes that are kept of a command's output: the last of both streams together, as they came.
pub const TAIL: usize = 64 << 10;
/// The files that a run may have: its record, that being written, its output, its lock, the wish to stop it, and the note that
/// it was reported though its end was not recorded.
const KINDS: [&str; 6] = ["json", "new", "out", "lock", "stop", "told"];

/// The runs of one task.
pub struct Runs {
    folder: PathBuf,
}

impl Runs {
    /// Those of the task `id`, in the folder `state`.
    pub fn of(state: &Path, id: &str) -> Runs {
        Runs::at(state.join(folder_name(id)))
    }

    /// Those in this folder.
    pub fn at(folder: PathBuf) -> Runs {
        Runs { folder }
    }

    /// Their folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder, if it is the task's first run.
    pub fn prepare(&self) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).recursive(true).create(&self.folder)
    }

    /// Records a run so that it is still recorded after a loss of power.
    pub fn write_durably(&self, record: &Record) -> io::Result<()> {
        self.write(record)?;
        self.make_durable()
    }

    /// Records a run that has a record already: after a loss of power one of the two is there, whole.
    pub fn write(&self, record: &Record) -> io::Result<()> {
        self.replace(record, |file, new, path| file.sync_all().and_then(|()| fs::rename(new, path)))
    }

    /// Records a run for the first time, durably. Its name comes before the wait for the disk, which then is one wait for
    /// both: no record is there that could be lost.
    pub fn begin_durably(&self, record: &Record) -> io::Result<()> {
        self.replace(record, |file, new, path| fs::rename(new, path).and_then(|()| file.sync_all()))?;
        self.make_durable()
    }

    /// Waits until the disk has the names of all files that are there now.
    pub fn make_durable(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn replace(&self, record: &Record, put: impl Fn(&File, &Path, &Path) -> io::Result<()>) -> io::Result<()> {
        let (new, path) = (self.path(&record.run, "new"), self.path(&record.run, "json"));
        let written = private(&new).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(record)?)?;
            put(&file, &new, &path)
        });
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }

    /// Makes a command's run known before it begins, and holds it until its keeper does: that one inherits the hold.
    pub fn announce(&self, run: &str) -> io::Result<File> {
        self.hold(run)
    }

    /// Records that a run could not be started: a start that failed is a run. Where not even that can be recorded,
    /// nothing is left of it.
    pub fn not_started(&self, record: &mut Record, step: &str, reason: &str) -> io::Result<()> {
        self.release(&record.run);
        record.state = State::NotStarted;
        record.fault = Some((step.to_owned(), reason.to_owned()));
        let written = self.write_durably(record);
        if written.is_err() {
            self.forget(&record.run);
        }
        written
    }

    /// Returns true while a run is alive.
    pub fn is_alive(&self, run: &str) -> bool {
        self.lives(&self.read(run).unwrap_or_else(|| Record::damaged(run)))
    }

    fn lives(&self, record: &Record) -> bool {
        self.is_held(&record.run) || record.process_lives() || record.begins()
    }

    /// Returns a run's record as it stands in its file.
    pub fn recorded(&self, run: &str) -> Option<Record> {
        self.read(run)
    }

    /// The name of the newest run.
    pub fn newest(&self) -> Option<String> {
        newest_of(&self.files(&["json"])).map(str::to_owned)
    }

    /// Keeps the last of a command's output.
    pub fn write_output(&self, run: &str, tail: &[&[u8]]) -> io::Result<()> {
        // Whoever reads it meanwhile reads the one before.
        let new = self.path(run, "new");
        let mut file = private(&new)?;
        tail.iter().try_for_each(|part| file.write_all(part))?;
        fs::rename(&new, self.path(run, "out"))
    }

    /// Returns what is kept of a command's output.
    pub fn output(&self, run: &str) -> Option<Vec<u8>> {
        Regular::open(&self.path(run, "out")).and_then(|file| file.read(TAIL)).ok()
    }

    /// Gives the output's room to the record of the end.
    pub fn forget_output(&self, run: &str) {
        for kind in ["out", "new"] {
            let _ = fs::remove_file(self.path(run, kind));
        }
    }

    /// The keeper's hold on a run; it lasts as long as the file is open. Somebody who looks has it for a moment; who keeps
    /// it longer has the run, and nobody waits for that.
    pub fn hold(&self, run: &str) -> io::Result<File> {
        let file = private(&self.path(run, "lock"))?;
        match lock_within(&file, HOLD_TIME)? {
            true => Ok(file),
            false => Err(io::Error::other(format!("another process holds the run {run}"))),
        }
    }

    /// Takes the keeper's hold away, once the end is recorded.
    pub fn release(&self, run: &str) {
        let _ = fs::remove_file(self.path(run, "lock"));
    }

    /// The run that was started last. Of a damaged record its name alone is known.
    pub fn last(&self) -> Option<Record> {
        self.newest_first().next()
    }

    /// All runs that are recorded, as they are now.
    pub fn newest_first(&self) -> impl Iterator<Item = Record> + use<'_> {
        let record = |run: String| self.as_it_is(self.read(&run).unwrap_or_else(|| Record::damaged(&run)));
        self.names("json").into_iter().rev().map(record)
    }

    /// The runs that are alive.
    pub fn alive(&self) -> Vec<Record> {
        self.held().into_iter().filter(|(_, alive)| *alive).map(|(record, _)| record).collect()
    }

    /// Takes the locks of runs away that are over and have an end, so that no later call asks again; returns how many are
    /// alive. Who calls this has the turn: what another one announces at this moment is not over.
    pub fn sweep(&self) -> usize {
        let is_over = |record: &Record| !record.is_open() || record.task.is_empty();
        let (alive, over): (Vec<_>, Vec<_>) = self.held().into_iter().partition(|(_, alive)| *alive);
        let ended = over.iter().map(|(record, _)| record).filter(|record| is_over(record));
        ended.for_each(|record| self.release(&record.run));
        alive.len()
    }

    /// Each run that has a lock, and whether it is alive.
    fn held(&self) -> Vec<(Record, bool)> {
        let held = |run: String| {
            // A damaged record counts as none; what its keeper holds is alive even so.
            let record = self.read(&run).unwrap_or_else(|| Record::damaged(&run));
            let alive = self.lives(&record);
            (record, alive)
        };
        self.names("lock").into_iter().map(held).collect()
    }

    /// One run's record as it is now.
    pub fn get(&self, run: &str) -> Option<Record> {
        self.read(run).map(|record| self.as_it_is(record))
    }

    /// Forgets all but the newest [`KEPT`], and what is left of runs that have no record. What has a lock stays. Who
    /// calls this has the turn: nobody else begins a run meanwhile.
    pub fn prune(&self) {
        let files = self.files(&KINDS);
        let recorded = in_order(of_kind(&files, "json").map(str::to_owned).collect());
        let kept = &recorded[recorded.len().saturating_sub(KEPT)..];
        let old = files.iter().map(|(run, _)| run).filter(|run| !kept.contains(run));
        old.filter(|run| !self.path(run, "lock").exists()).for_each(|run| self.forget(run));
    }

    /// Takes all files of a run away.
    pub fn forget(&self, run: &str) {
        for kind in KINDS {
            let _ = fs::remove_file(self.path(run, kind));
        }
    }

    /// A record says "started" for ever when its keeper was killed.
    fn as_it_is(&self, mut record: Record) -> Record {
        if record.is_open() && !self.lives(&record) {
            // Its end may have been recorded in between.
            record = self.read(&record.run).unwrap_or(record);
            if record.is_open() {
                record.state = State::Interrupted;
            }
        }
        record
    }

    fn is_held(&self, run: &str) -> bool {
        // Shared, so that two who ask do not take each other for the keeper.
        let lock = match Regular::open(&self.path(run, "lock")) {
            Ok(lock) => lock,
            // A fault of the system's proves nothing: a run that may live counts as alive.
            Err(e) => return e.raw_os_error().is_some() && e.kind() != io::ErrorKind::NotFound,
        };
        flock(&lock.file, FlockOperation::NonBlockingLockShared).is_err()
    }

    pub(super) fn read(&self, run: &str) -> Option<Record> {
        let content = Regular::open(&self.path(run, "json")).and_then(|file| file.read(RECORD_MAX)).ok()?;
        serde_json::from_slice(&content).ok().filter(|record: &Record| record.run == run)
    }

    /// The names of the runs that have a file of this kind, the oldest first.
    pub(super) fn names(&self, kind: &str) -> Vec<String> {
        in_order(self.files(&[kind]).into_iter().map(|(run, _)| run).collect())
    }

    /// Each file of a run that is of one of these kinds: the run's name, and the kind. What is no regular file is nobody's.
    pub(super) fn files<'k>(&self, kinds: &[&'k str]) -> Vec<(String, &'k str)> {
        let mut files = Vec::new();
        for_each_entry(&self.folder, |name, kind| {
            if kind == FileType::RegularFile {
                files.extend(run_and_kind(name, kinds));
            }
        });
        files
    }

    pub(super) fn path(&self, run: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{run}.{kind}"))
    }
}

/// Names of runs, the oldest first.
pub(super) fn in_order(mut names: Vec<String>) -> Vec<String> {
    names.sort_by_key(|run| number(run));
    names
}

/// The runs in a listing that have a file of this kind.
fn of_kind<'f>(files: &'f [(String, &str)], kind: &'f str) -> impl Iterator<Item = &'f str> {
    files.iter().filter(move |(_, other)| *other == kind).map(|(run, _)| &**run)
}

/// The newest run in a listing, by its record.
pub(super) fn newest_of<'f>(files: &'f [(String, &str)]) -> Option<&'f str> {
    of_kind(files, "json").max_by_key(|run| number(run))
}

/// Counts the runs that are alive, of all tasks.
pub fn alive_in_all(state: &Path) -> usize {
    all(state).iter().map(|runs| runs.alive().len()).sum()
}

/// Takes the locks of all runs away that are over, and counts those that are alive. Who calls this has the turn.
pub fn sweep(state: &Path) -> usize {
    all(state).iter().map(Runs::sweep).sum()
}

/// The records that are kept of all tasks' runs, each run as it is now.
pub fn history(state: &Path) -> Vec<Record> {
    let records = |runs: Runs| runs.names("json").into_iter().filter_map(move |run| runs.get(&run));
    all(state).into_iter().flat_map(records).collect()
}

fn all(state: &Path) -> Vec<Runs> {
    let mut all = Vec::new();
    for_each_entry(state, |name, kind| {
        if kind == FileType::Directory {
            all.push(Runs::at(state.join(OsStr::from_bytes(name.to_bytes()))));
        }
    });
    all
}

/// The run's name, and the kind, if it is one of these, of a file of this name.
fn run_and_kind<'k>(name: &CStr, kinds: &[&'k str]) -> Option<(String, &'k str)> {
    let (run, kind) = name.to_str().ok()?.split_once('.')?;
    let kind = *kinds.iter().find(|wanted| **wanted == kind)?;
    (number(run) > 0).then(|| (run.to_owned(), kind))
}

/// The task's id where that is a file name, else its digest.
fn folder_name(id: &str) -> String {
    let plain = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    match plain {
        true => format!("task-{id}"),
        false => Sha256::digest(id).iter().fold("other-".to_owned(), |name, byte| format!("{name}{byte:02x}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_takes_no_lock_away() {
        let state = tempfile::tempdir().expect("a folder");
        let runs = Runs::of(state.path(), "t");
        drop(runs.prepare().and_then(|()| runs.announce("1")).expect("announced"));
        assert_eq!((runs.alive().len(), alive_in_all(state.path()), runs.names("lock").len()), (0, 0, 1));
        sweep(state.path());
        assert_eq!(runs.names("lock").len(), 0);
    }
}
