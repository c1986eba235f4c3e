//! Requests and runs in the order of time.

use std::collections::HashSet;
use std::path::PathBuf;

use crate::owner::fault::Fault;
use crate::owner::request_log::{self, Line};
use crate::owner::run_words::{ended, unquoted};
use crate::owner::workbench::Workbench;
use remotetask::record::{self, Record, State};

/// Something that happened.
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The thing that happened.
    pub what: What,
}

/// The kinds of events, in the order of those of one moment: a request's line is written when it is answered.
pub enum What {
    /// A run started, or could not.
    Start(Record),
    /// It ended.
    End(Record),
    /// A line of log.txt.
    Line(Line),
}

impl Event {
    /// The id of its task.
    pub fn task(&self) -> Option<String> {
        match &self.what {
            What::Start(record) | What::End(record) => Some(record.task.clone()),
            What::Line(line) => line.event.as_ref()?.field("task").map(unquoted),
        }
    }

    /// Its caller.
    pub fn who(&self) -> Option<String> {
        match &self.what {
            What::Start(record) | What::End(record) => Some(unquoted(&record.who)),
            What::Line(line) => line.event.as_ref()?.field("who").map(unquoted),
        }
    }

    /// The references that lead to it: of a run its name.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        let (run, line) = match &self.what {
            What::Start(record) | What::End(record) => (Some(&*record.run), None),
            What::Line(line) => (None, line.event.as_ref()),
        };
        let field = move |name| line.and_then(|event| event.field(name));
        run.into_iter().chain(field("run")).chain(field("reference"))
    }

    fn order(&self) -> (i64, u8) {
        let among_those_of_one_moment = match self.what {
            What::Start(_) => 0,
            What::End(_) => 1,
            What::Line(_) => 2,
        };
        (self.at, among_those_of_one_moment)
    }
}

/// Both places, and how far they have been read.
pub struct Source {
    log: PathBuf,
    state: PathBuf,
    next: u64,
    /// The last line of log.txt that was read, and its time.
    last: Option<Line>,
    at: i64,
    /// Its older half has gone, and the last line was not found again yet.
    shrunk: bool,
    /// Starts and ends of runs: task, run, whether it is the end.
    seen: HashSet<(String, String, bool)>,
}

impl Source {
    /// Those of an installation; nothing is read yet.
    pub fn of(bench: &Workbench) -> Source {
        let (log, state) = (bench.path("log.txt"), bench.path("state"));
        Source { log, state, next: 0, last: None, at: 0, shrunk: false, seen: HashSet::new() }
    }

    /// The events that were not told yet, in the order of time.
    pub fn news(&mut self) -> Result<Vec<Event>, Fault> {
        let mut events = self.lines()?;
        for record in record::history(&self.state) {
            events.extend(self.of_run(record));
        }
        events.sort_by_key(Event::order); // stable: lines stay in their order
        Ok(events)
    }

    fn lines(&mut self) -> Result<Vec<Event>, Fault> {
        let (mut lines, next) = request_log::read(&self.log, self.next).map_err(|e| Fault::of(&self.log, &e))?;
        self.shrunk |= next < self.next;
        self.next = next;
        if self.shrunk && !lines.is_empty() {
            let known = lines.iter().rposition(|line| Some(line) == self.last.as_ref());
            lines.drain(..known.map_or(0, |known| known + 1));
            self.shrunk = false;
        }
        self.last = lines.last().cloned().or(self.last.take());
        // A line without a time is as old as the one before it.
        let timed = |line: Line| {
            self.at = line.event.as_ref().map_or(self.at, |event| event.time.timestamp_millis());
            Event { at: self.at, what: What::Line(line) }
        };
        Ok(lines.into_iter().map(timed).collect())
    }

    fn of_run(&mut self, record: Record) -> Vec<Event> {
        let at = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let is_over = matches!(
            record.state,
            State::Finished | State::Failed | State::TimedOut | State::Stopped | State::Interrupted
        );
        let mut is_new = |end| self.seen.insert((record.task.clone(), record.run.clone(), end));
        let mut events = Vec::new();
        // A run that was just recorded may not come to its start yet.
        if record.state != State::Starting && is_new(false) {
            events.push(Event { at: at(record.started), what: What::Start(record.clone()) });
        }
        if is_over && is_new(true) {
            // Of an interrupted run the end's time is not known.
            let end = ended(&record).unwrap_or(record.started);
            events.push(Event { at: at(end), what: What::End(record) });
        }
        events
    }
}
