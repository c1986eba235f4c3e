//! The records in `state/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use remotetask::outcome::{Outcome, Past};
use remotetask::record::{history, Record, Runs, State};
use remotetask::response::summary;
use tempfile::TempDir;

const RUN: &str = "0191dbc2d3e0";

/// A folder in memory, where there is one: files are made thousands of times a second.
static STATE: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    tempfile::tempdir_in(folder).expect("a folder")
});

/// Reads a record as a file of a task that has one run.
pub fn record(content: &[u8]) {
    let runs = Runs::of(STATE.path(), "7");
    runs.prepare().expect("a folder");
    let file: PathBuf = runs.folder().join(format!("{RUN}.json"));
    fs::write(&file, content).expect("written");
    let read = runs.get(RUN);
    let last = runs.last().expect("a name alone makes a run");
    assert_eq!(last.run, RUN);
    match &read {
        None => assert!(last.task.is_empty(), "a damaged record counts as none"),
        Some(read) => is_told(read, &runs),
    }
    assert_eq!(history(STATE.path()).len(), usize::from(read.is_some()));
    assert_eq!(runs.newest().expect("a folder").as_deref(), Some(RUN));
    assert!(runs.alive().expect("a folder").is_empty(), "no lock is held");
    runs.sweep().expect("a folder");
    runs.prune();
    assert_eq!(fs::read(&file).expect("still there"), content, "who looks changes nothing");
}

fn is_told(record: &Record, runs: &Runs) {
    assert_eq!(record.run, RUN);
    let _ = runs.is_alive(RUN);
    let outcome = Outcome::of_start(record);
    assert_eq!(matches!(outcome, Outcome::NotStarted { .. }), record.state == State::NotStarted);
    let run = outcome.run().expect("a run");
    assert_eq!(
        (&run.run, run.started, run.exit, run.signal),
        (&record.run, record.started, record.exit, record.signal)
    );
    crate::assert_is_a_line(&summary(run));
    let past = Past::of([record.clone()].into_iter());
    assert!(past.runs.len() == 1 && past.usual_ms.is_none_or(|ms| Some(ms) == record.duration_ms));
    let again: Record = serde_json::from_slice(&serde_json::to_vec(record).expect("JSON")).expect("our own record");
    assert_eq!(&again, record);
}
