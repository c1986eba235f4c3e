//! What is known of a task's runs, in `state/`: one folder a task, and in it a record a run.
//!
//! `<run>.json` is the record, replaced as a whole. A command's `<run>.lock` is there from before the
//! start to after the end, and its keeper holds a lock (flock(2)) on it: a run is alive while that lock
//! is held, or while the process recorded for it lives, so a killed keeper does not make a second run
//! possible; and at its very beginning, while its keeper may not have come so far. `<run>.out` is the
//! last of what a command wrote, `<run>.stop` a caller's wish that it ends. `used/` has a file for each magic key that ever started something, whose
//! time is when it last did. Nobody but the root half's user can open anything here.

mod ends; // the wish for an end, and ends that no keeper could record

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{flock, FlockOperation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::child::{boot, End, Process};
use crate::key;

/// Records that are kept of a task, the newest.
pub const KEPT: usize = 20;
/// A keeper that has not taken its lock by then never will.
const BEGINNING: Duration = Duration::from_secs(60);

/// A run as its record has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The task's id.
    pub task: String,
    /// The run's name: its start in milliseconds since 1970, in hex, or more if the clock was set
    /// back, so that names sort in the order of the starts.
    pub run: String,
    /// Who started it: the magic key's label or number.
    pub who: String,
    /// The fingerprint of the magic key: two people may have one label.
    #[serde(default)]
    pub key: String,
    /// When, in milliseconds since 1970.
    pub started: u64,
    /// How far it has come.
    pub state: State,
    /// How long it took, in milliseconds, by a clock that nobody sets.
    pub duration_ms: Option<u64>,
    /// Its exit code, once it has ended.
    pub exit: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// When it ended, in milliseconds since 1970.
    pub ended: Option<u64>,
    /// The numbered step at which it could not be started, and why.
    pub fault: Option<(String, String)>,
    /// The boot it belongs to.
    pub boot: String,
    /// The command's first process.
    pub process: Option<Process>,
    /// Its keeper.
    pub keeper: Option<Process>,
    /// Whether its keeper left the web server's control group, where it was in one.
    pub left_cgroup: Option<bool>,
    /// For a task that is handed to DSM: DSM's word for its last run before this one.
    pub dsm_before: Option<String>,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is about to start.
    Starting,
    /// It has started.
    Started,
    /// It is being handed to DSM; whether it was may never be known.
    Handing,
    /// It was handed to DSM, which alone knows its end.
    Handed,
    /// It ended well.
    Finished,
    /// It ended badly.
    Failed,
    /// It was ended because its time limit was over.
    TimedOut,
    /// It was ended because a caller asked for it.
    Stopped,
    /// Its keeper was killed before it ended. Found when the record is read, and recorded by the next call of the task.
    Interrupted,
    /// It could not be started.
    NotStarted,
}

impl Record {
    /// A run that is about to start now, after the run `newest`.
    pub fn new(task: &str, who: String, newest: Option<&str>) -> Record {
        let started = now_ms();
        let after = newest.and_then(|run| u64::from_str_radix(run, 16).ok()).map_or(0, |newest| newest + 1);
        let mut record = Record::damaged(&format!("{:012x}", started.max(after)));
        record.started = started;
        record.task = task.to_owned();
        record.who = who;
        record.boot = boot();
        record
    }

    /// What the name of a run tells, without its record.
    fn damaged(run: &str) -> Record {
        Record {
            task: String::new(),
            run: run.to_owned(),
            who: String::new(),
            key: String::new(),
            started: u64::from_str_radix(run, 16).unwrap_or(0),
            state: State::Starting,
            duration_ms: None,
            exit: None,
            signal: None,
            ended: None,
            fault: None,
            boot: String::new(),
            process: None,
            keeper: None,
            left_cgroup: None,
            dsm_before: None,
        }
    }

    /// Notes the end.
    pub fn ended(&mut self, end: End, duration_ms: u64) {
        self.state = if end.exit == Some(0) { State::Finished } else { State::Failed };
        (self.exit, self.signal, self.duration_ms) = (end.exit, end.signal, Some(duration_ms));
        self.ended = Some(now_ms());
    }

    /// Returns true for a run that has no recorded end, though a keeper was to see it.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Starting | State::Started)
    }

    /// Notes that it was stopped, where its keeper could not.
    pub fn stopped(&mut self) {
        self.state = State::Stopped;
        self.ended.get_or_insert_with(now_ms);
    }

    /// Whether its keeper may still be on its way to the lock.
    fn begins(&self) -> bool {
        self.state == State::Starting && self.boot == boot() && self.is_younger_than(BEGINNING)
    }

    /// Whether it started less than `age` ago. A start in the future is the clock's fault, and did not.
    pub fn is_younger_than(&self, age: Duration) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        now.checked_sub(Duration::from_millis(self.started)).is_some_and(|since| since < age)
    }

    fn process_lives(&self) -> bool {
        self.boot == boot() && self.process.is_some_and(|process| process.lives())
    }
}

/// The time of day, in milliseconds since 1970.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64)
}

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

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder, if it is the task's first run.
    pub fn prepare(&self) -> io::Result<()> {
        fs::DirBuilder::new().mode(0o700).recursive(true).create(&self.folder)
    }

    /// Records a run so that it is still recorded after a loss of power.
    pub fn write_durably(&self, record: &Record) -> io::Result<()> {
        let new = self.path(&record.run, "new");
        let written = private(&new).and_then(|mut file| {
            file.write_all(&serde_json::to_vec(record)?)?;
            file.sync_all()?;
            fs::rename(&new, self.path(&record.run, "json"))?;
            File::open(&self.folder)?.sync_all()
        });
        if written.is_err() {
            let _ = fs::remove_file(&new);
        }
        written
    }

    /// Makes a command's run known before it begins; its keeper holds it then.
    pub fn announce(&self, run: &str) -> io::Result<()> {
        private(&self.path(run, "lock")).map(drop)
    }

    /// Returns true while a run is alive.
    pub fn is_alive(&self, run: &str) -> bool {
        let record = self.read(run).unwrap_or_else(|| Record::damaged(run));
        self.is_held(run) || record.process_lives() || record.begins()
    }

    /// Returns a run's record as it stands in its file.
    pub fn recorded(&self, run: &str) -> Option<Record> {
        self.read(run)
    }

    /// The name of the newest run.
    pub fn newest(&self) -> Option<String> {
        self.names("json").into_iter().max()
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
        fs::read(self.path(run, "out")).ok()
    }

    /// Gives the output's room to the record of the end.
    pub fn forget_output(&self, run: &str) {
        for kind in ["out", "new"] {
            let _ = fs::remove_file(self.path(run, kind));
        }
    }

    /// The keeper's hold on a run; it lasts as long as the file is open.
    pub fn hold(&self, run: &str) -> io::Result<File> {
        let file = private(&self.path(run, "lock"))?;
        flock(&file, FlockOperation::LockExclusive)?;
        Ok(file)
    }

    /// Takes the keeper's hold away, once the end is recorded.
    pub fn release(&self, run: &str) {
        let _ = fs::remove_file(self.path(run, "lock"));
    }

    /// The run that was started last, if there is one whose record can be read.
    pub fn last(&self) -> Option<Record> {
        let mut runs = self.names("json");
        runs.sort_unstable();
        runs.into_iter().rev().find_map(|run| self.read(&run)).map(|record| self.as_it_is(record))
    }

    /// The runs that are alive.
    pub fn alive(&self) -> Vec<Record> {
        self.held().into_iter().filter(|(_, alive)| *alive).map(|(record, _)| record).collect()
    }

    /// Takes the locks of runs away that are over and have an end, so that no later call asks again. Who calls this has the
    /// turn: what another one announces at this moment is not over.
    pub fn sweep(&self) {
        let is_over = |record: &Record| !record.is_open() || record.task.is_empty();
        let over = self.held().into_iter().filter(|(record, alive)| !alive && is_over(record));
        over.for_each(|(record, _)| self.release(&record.run));
    }

    /// Each run that has a lock, and whether it is alive.
    fn held(&self) -> Vec<(Record, bool)> {
        let held = |run: String| {
            // A damaged record counts as none; what its keeper holds is alive even so.
            let record = self.read(&run).unwrap_or_else(|| Record::damaged(&run));
            let alive = self.is_held(&run) || record.process_lives() || record.begins();
            (record, alive)
        };
        self.names("lock").into_iter().map(held).collect()
    }

    /// One run's record as it is now.
    pub fn get(&self, run: &str) -> Option<Record> {
        self.read(run).map(|record| self.as_it_is(record))
    }

    /// Forgets all but the newest [`KEPT`].
    pub fn prune(&self) {
        let mut runs = self.names("json");
        runs.sort_unstable();
        let old = runs.len().saturating_sub(KEPT);
        for run in runs[..old].iter().filter(|run| !self.path(run, "lock").exists()) {
            for kind in ["json", "out", "new", "stop"] {
                let _ = fs::remove_file(self.path(run, kind));
            }
        }
    }

    /// A record says "started" for ever when its keeper was killed.
    fn as_it_is(&self, mut record: Record) -> Record {
        if record.is_open() && !self.is_held(&record.run) && !record.process_lives() && !record.begins() {
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
        let Ok(file) = File::open(self.path(run, "lock")) else { return false };
        flock(&file, FlockOperation::NonBlockingLockShared).is_err()
    }

    fn read(&self, run: &str) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.path(run, "json")).ok()?).ok()
    }

    fn names(&self, kind: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let name = |entry: io::Result<fs::DirEntry>| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let run = name.strip_suffix(kind)?.strip_suffix('.')?;
            run.bytes().all(|b| b.is_ascii_hexdigit()).then(|| run.to_owned())
        };
        entries.filter_map(name).collect()
    }

    fn path(&self, run: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{run}.{kind}"))
    }
}

/// How many runs are alive, of all tasks.
pub fn alive_in_all(state: &Path) -> usize {
    all(state).iter().map(|runs| runs.alive().len()).sum()
}

/// Takes the locks of all runs away that are over. Who calls this has the turn.
pub fn sweep(state: &Path) {
    all(state).iter().for_each(Runs::sweep);
}

/// The records that are kept of all tasks' runs, each run as it is now.
pub fn history(state: &Path) -> Vec<Record> {
    let records = |runs: Runs| runs.names("json").into_iter().filter_map(move |run| runs.get(&run));
    all(state).into_iter().flat_map(records).collect()
}

fn all(state: &Path) -> Vec<Runs> {
    let Ok(entries) = fs::read_dir(state) else { return Vec::new() };
    let folders = entries.filter_map(Result::ok).filter(|entry| entry.file_type().is_ok_and(|t| t.is_dir()));
    folders.map(|entry| Runs::at(entry.path())).collect()
}

/// Notes that the magic key of this digest starts something now. Only the owner's list of keys is the
/// poorer where that fails.
pub fn note_use(state: &Path, magic_key: &key::Digest) {
    let path = use_of(state, magic_key);
    let folder = path.parent().unwrap_or(state);
    let _ = fs::DirBuilder::new().mode(0o700).recursive(true).create(folder);
    let _ = private(&path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// When the magic key of this digest last started something.
pub fn last_use(state: &Path, magic_key: &key::Digest) -> Option<SystemTime> {
    fs::metadata(use_of(state, magic_key)).and_then(|file| file.modified()).ok()
}

/// Forgets that, for a key that has gone.
pub fn forget_use(state: &Path, magic_key: &key::Digest) {
    let _ = fs::remove_file(use_of(state, magic_key));
}

fn use_of(state: &Path, magic_key: &key::Digest) -> PathBuf {
    state.join("used").join(magic_key.fingerprint())
}

/// The task's id where that is a file name, else its digest.
fn folder_name(id: &str) -> String {
    let plain = id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    match plain {
        true => format!("task-{id}"),
        false => Sha256::digest(id).iter().fold("other-".to_owned(), |name, byte| format!("{name}{byte:02x}")),
    }
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_takes_no_lock_away() {
        let state = tempfile::tempdir().expect("a folder");
        let runs = Runs::of(state.path(), "t");
        runs.prepare().and_then(|()| runs.announce("1")).expect("announced");
        assert_eq!((runs.alive().len(), alive_in_all(state.path()), runs.names("lock").len()), (0, 0, 1));
        sweep(state.path());
        assert_eq!(runs.names("lock").len(), 0);
    }

    #[test]
    fn the_last_use_of_a_key() {
        let state = tempfile::tempdir().expect("a folder");
        let [used, other] = [b"key-of-me", b"key-of-an"].map(|key| key::Digest::of(key));
        assert_eq!(last_use(state.path(), &used), None);
        let before = SystemTime::now() - Duration::from_secs(3600);
        note_use(state.path(), &used);
        let file = File::options().write(true).open(use_of(state.path(), &used)).expect("the file");
        file.set_modified(before).expect("an hour ago");
        note_use(state.path(), &used);
        assert!(last_use(state.path(), &used).is_some_and(|last| last > before + Duration::from_secs(3000)));
        assert_eq!(last_use(state.path(), &other), None);
        forget_use(state.path(), &used);
        forget_use(state.path(), &other);
        assert_eq!(last_use(state.path(), &used), None);
        // A folder that cannot be made is nobody's trouble.
        note_use(Path::new("/dev/null"), &used);
    }
}
