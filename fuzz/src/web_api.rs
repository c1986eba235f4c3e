//! The answers of DSM's web API and of esynoscheduler, and what they tell of a run that was handed to DSM.

use remotetask::outcome::Outcome;
use remotetask::record::{Record, Runs, State};
use remotetask::start::dsm_end::{as_run, Ours, Told};
use remotetask::start::esynoscheduler;
use remotetask::start::synowebapi::Reply;
use remotetask::step::Step;
use serde_json::Value;

use crate::assert_is_a_line;

/// The start of our run, in milliseconds since 1970.
const STARTED: u64 = 1_726_005_620_000;

/// Reads a reply, and its list as a history of runs.
pub fn synowebapi(stdout: &[u8]) {
    let Some(reply) = Reply::parse(stdout) else { return };
    match reply.taken("/usr/syno/bin/synowebapi") {
        Ok(()) => {}
        Err(Outcome::NotStarted { step, reason, .. }) => {
            assert_eq!(step, Step::HandOver);
            assert_is_a_line(&reason);
        }
        Err(other) => panic!("{other:?}"),
    }
    let was_taken = reply.taken("p").is_ok();
    if let Some(history) = reply.list() {
        assert!(was_taken, "a history of a refusal");
        ends(&history);
    }
}

/// Reads an answer, as a list of tasks and as one.
pub fn esynoscheduler(stdout: &[u8]) {
    let Some(answer) = esynoscheduler::parse(stdout) else { return };
    assert!(stdout.windows(5).any(|window| window == b"jOut="));
    let tasks = answer.as_array().cloned().unwrap_or_else(|| vec![answer]);
    for task in &tasks {
        ends(&[as_run(task)]);
    }
    ends(&tasks);
}

/// An end is told of a run that began when ours did, and is recorded whole.
fn ends(history: &[Value]) {
    let runs = Runs::at("/nowhere".into());
    let mut record = Record::new("7", "#1".into(), None);
    record.started = STARTED;
    record.state = State::Handed;
    let Told::Ended(end) = Ours::of(&record, &runs).among(history) else { return };
    end.put_into(&mut record);
    assert!(matches!(record.state, State::Finished | State::Failed));
    assert!(record.exit.is_some() != record.signal.is_some(), "{record:?}");
    assert_eq!(record.state == State::Finished, record.exit == Some(0));
    // It began at most 300 s after ours, and not before.
    let (ended, took) = (record.ended.expect("an end"), record.duration_ms.expect("a duration"));
    let began = ended.checked_sub(took).expect("a begin");
    assert!((STARTED..=STARTED + 300_000).contains(&began), "{record:?}");
    let again: Record = serde_json::from_slice(&serde_json::to_vec(&record).expect("JSON")).expect("our own record");
    assert_eq!(again, record);
}
