//! The end of a task's runs, where a caller asks for it and the task lets its callers do that.
//!
//! The wish is recorded first, and then the keeper is told to look for it: so it is the keeper that ends the command,
//! and it records a run that was stopped. A run without a keeper that could be told is ended here: its keeper was
//! killed, or is one of a version before.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{getpid, Signal};

use crate::child::boot;
use crate::config::{Server, Starts};
use crate::judge::Permit;
use crate::keep;
use crate::line::Ask;
use crate::outcome::{Outcome, Run};
use crate::record::{number, Record, Runs, State};
use crate::tree::{self, Entry, Process, Strike};
use crate::trust::Home;

/// The time that an answer waits for the end: longer than a grace.
const TIME: Duration = Duration::from_secs(8);
/// A keeper that has just begun tells its name within this time.
const BEGINNING: Duration = Duration::from_secs(2);
/// The pause between two looks at the records.
const PAUSE: Duration = Duration::from_millis(20);

/// Stops the runs of the permitted task that are alive now: every one, or for a form those that its page could show.
pub fn stop(permit: &Permit<'_, Starts<'_>>, ask: &Ask, server: &Server<'_>, home: &Home, state: &Path) -> Outcome {
    let task = permit.task();
    let newest = ask.after.as_deref().map_or(u64::MAX, number);
    let is_meant = |record: &Record| number(&record.run) <= newest; // 9s
    let runs = Runs::of(state, &task.id);
    let not_stopped = |may| Outcome::NotStopped { may, run: runs.last().as_ref().map(Run::from) };
    // 9g
    if !(task.keeping.stop && server.keeps(task)) {
        return not_stopped(false);
    }
    let begun = Instant::now();
    let alive = match runs.alive() {
        Ok(alive) => alive,
        Err(e) => return Outcome::unlisted(&runs, &e),
    };
    let (meant, newer): (Vec<Record>, Vec<Record>) = alive.into_iter().partition(is_meant);
    let mut hunts: Vec<Hunt> = meant.iter().map(|record| Hunt::begin(&runs, &task.id, record)).collect();
    hunts.extend(runs.newest_first().filter(is_meant).filter_map(|record| Hunt::of_orphans(&runs, &record)));
    while !all_over(&mut hunts, begun) && begun.elapsed() < TIME {
        std::thread::sleep(PAUSE);
    }
    keep::settle(home, server, task, state);
    let ends: Vec<Record> = hunts.iter().filter_map(Hunt::end).collect();
    let in_state = |states: &[State]| {
        let found = ends.iter().filter(|record| states.contains(&record.state));
        found.max_by_key(|record| number(&record.run)).map(Run::from)
    };
    match (in_state(&[State::Starting, State::Started]), in_state(&[State::Stopped])) {
        (Some(run), _) => Outcome::Running(run),
        (None, Some(run)) => Outcome::Stopped(run),
        (None, None) if hunts.iter().any(|hunt| runs.is_alive(&hunt.run)) => {
            Outcome::Unknown { reason: "a run's record cannot be read".into() } // 6m
        }
        // It ended by itself meanwhile.
        (None, None) => newer.last().map_or_else(|| not_stopped(true), |run| Outcome::Newer(Run::from(run))),
    }
}

/// Goes on with each of them.
fn all_over(hunts: &mut [Hunt<'_>], begun: Instant) -> bool {
    let mut over = true;
    for hunt in hunts {
        over &= hunt.is_over(begun);
    }
    over
}

/// The end of one run, as far as it has come.
struct Hunt<'a> {
    runs: &'a Runs,
    run: String,
    /// The variables in its processes' environment.
    marks: [(&'static str, String); 2],
    /// The pipes that its command writes into, and that command's start: what has them and is younger is of this run.
    outputs: Vec<u64>,
    since: Option<u64>,
    wished: bool,
    /// The keeper that was told.
    told: Option<Process>,
    session: Option<i32>,
    group: Option<i32>,
    strike: Option<Strike>,
    /// Looks in a row that found nobody.
    empty: u32,
}

impl Hunt<'_> {
    fn begin<'a>(runs: &'a Runs, id: &str, record: &Record) -> Hunt<'a> {
        let marks = tree::marks(id, &record.run);
        let wished = runs.wish(&record.run).is_ok(); // 9g
        let hunt = Hunt::of(runs, marks, record);
        Hunt { wished, ..hunt }
    }

    fn of<'a>(runs: &'a Runs, marks: [(&'static str, String); 2], record: &Record) -> Hunt<'a> {
        let (run, wished) = (record.run.clone(), false);
        let (outputs, since) = (record.outputs.clone(), record.process.map(|process| process.start));
        Hunt {
            runs,
            run,
            marks,
            outputs,
            since,
            wished,
            told: None,
            session: None,
            group: None,
            strike: None,
            empty: 0,
        }
    }

    /// The processes that a run left whose keeper was killed and whose first process has ended.
    fn of_orphans<'a>(runs: &'a Runs, record: &Record) -> Option<Hunt<'a>> {
        let interrupted = record.state == State::Interrupted && record.boot == boot();
        let hunt =
            Hunt { strike: Some(Strike::begin()), ..Hunt::of(runs, tree::marks(&record.task, &record.run), record) };
        (interrupted && !hunt.found(None).is_empty()).then_some(hunt)
    }

    /// Goes on with it; returns true once it is over.
    fn is_over(&mut self, begun: Instant) -> bool {
        let record = self.runs.recorded(&self.run);
        let open = record.as_ref().is_none_or(Record::is_open);
        if self.strike.is_none() && !open {
            return !self.runs.is_alive(&self.run);
        }
        let record = record.filter(|record| record.boot == boot());
        let keeper = record.as_ref().and_then(|record| record.keeper).filter(Process::lives);
        let begins = record.as_ref().is_some_and(|record| record.state == State::Starting);
        match keeper {
            Some(keeper) if self.wished && self.strike.is_none() => self.tell(keeper),
            None if self.wished && self.strike.is_none() && begins && begun.elapsed() < BEGINNING => {}
            // 9h
            _ => self.strike_at(record.as_ref()),
        }
        self.empty >= 2 && !self.runs.is_alive(&self.run)
    }

    fn tell(&mut self, keeper: Process) {
        if self.told != Some(keeper) {
            tree::send(keeper, Signal::USR1);
            self.told = Some(keeper);
            // Its session holds what stays, should it be killed now.
            self.session = Entry::of(keeper.pid).map(|keeper| keeper.session).filter(|session| *session == keeper.pid);
        }
    }

    /// One round at all that can be found of the run.
    fn strike_at(&mut self, record: Option<&Record>) {
        let process = record.and_then(|record| record.process).filter(Process::lives);
        if let Some(first) = process.and_then(|process| Entry::of(process.pid)) {
            self.group = Some(first.group).filter(|group| *group == first.process.pid);
            // A keeper's session: its own number, which nobody else has while it has a member.
            let keeper = record.and_then(|record| record.keeper).map_or(first.parent, |keeper| keeper.pid);
            self.session = Some(first.session).filter(|session| *session == keeper).or(self.session);
        }
        let mut strike = self.strike.take().unwrap_or_else(Strike::begin);
        if strike.next() <= Instant::now() {
            let found = strike.round(|| self.found(process));
            self.empty = if found { 0 } else { self.empty + 1 };
        }
        self.strike = Some(strike);
    }

    /// The recorded process, its group, the session of its keeper, what carries the run's name or writes into its pipes,
    /// and all that descends from these; the keeper itself stays.
    fn found(&self, first: Option<Process>) -> Vec<Process> {
        let keeper = |entry: &Entry| Some(entry.process.pid) == self.session;
        let is_root = |entry: &Entry| {
            Some(entry.process) == first
                || Some(entry.group) == self.group
                || Some(entry.session) == self.session && !keeper(entry)
                || Some(entry.parent) == self.session
                || tree::is_marked(entry.process.pid, &self.marks)
                || self.since.is_some_and(|since| entry.process.start >= since)
                    && tree::writes_into(entry.process.pid, &self.outputs)
        };
        let own = getpid().as_raw_nonzero().get();
        let all: Vec<Entry> = Entry::all().into_iter().filter(|entry| entry.process.pid != own).collect();
        tree::below(&all, is_root)
    }

    /// The record in the end: also where the run was ended here and its keeper, if it lived, knew nothing of the wish, and
    /// where no disk took its end.
    fn end(&self) -> Option<Record> {
        let alone = self.runs.ending();
        let mut record = self.runs.get(&self.run)?;
        let struck = self.strike.is_some();
        let ended_here = match record.state {
            State::Interrupted => struck || self.told.is_some(),
            State::Failed => struck && matches!(record.signal, Some(9 | 15)),
            _ => false,
        };
        let mut recorded = !record.is_open();
        if ended_here && !self.runs.is_alive(&self.run) {
            record.stopped();
            recorded = alone.is_some() && self.runs.write_durably(&record).is_ok();
        }
        if recorded {
            self.runs.forget_wish(&self.run);
        }
        Some(record)
    }
}
