//! The known methods of starting a scheduled task, each by itself. Only the NAS shows which of them work there.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use super::{store, synoschedtask, synowebapi, Listed, DSM_TIME};
use crate::config::{Keeping, Scheduler, Server};
use crate::keep::Order;
use crate::outcome::Outcome;
use crate::record::{Record, Runs};
use crate::step::Step;
use crate::trust::Home;

/// A method of starting a scheduled task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartMethod {
    /// `synoschedtask --run id=N`: DSM judges the task's schedule again.
    OnSchedule,
    /// The same with `check_time=0`: at any time, if the task is enabled.
    AnyTime,
    /// The same with `check_time=0 check_status=0`: at any time, even a disabled task.
    AnyTimeAnyState,
    /// `synowebapi`, as the Run button of DSM's page does.
    WebApi,
    /// The task's own script, without DSM.
    Script,
}

impl fmt::Display for StartMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StartMethod::OnSchedule => "--run",
            StartMethod::AnyTime => "--run check_time=0",
            StartMethod::AnyTimeAnyState => "--run check_time=0 check_status=0",
            StartMethod::WebApi => "its web API",
            StartMethod::Script => "its own script",
        })
    }
}

impl StartMethod {
    /// All of them.
    pub const ALL: [StartMethod; 5] = [
        StartMethod::OnSchedule,
        StartMethod::AnyTime,
        StartMethod::AnyTimeAnyState,
        StartMethod::WebApi,
        StartMethod::Script,
    ];

    /// The method that the configuration means for this task.
    pub fn of(scheduler: Scheduler, task: &Listed) -> StartMethod {
        match scheduler {
            Scheduler::Synoschedtask if task.enabled => StartMethod::AnyTime,
            Scheduler::Synoschedtask => StartMethod::AnyTimeAnyState,
            Scheduler::Synowebapi => StartMethod::WebApi,
            Scheduler::Direct => StartMethod::Script,
        }
    }

    /// Starts the task by this method, without a turn. A task that was handed to DSM may have run or not: nobody knows it
    /// here. Its own script has begun, and is recorded as a run by `who`.
    pub fn run(self, server: &Server<'_>, task: &Listed, home: &Home, who: &str) -> Result<(), Outcome> {
        let deadline = Instant::now() + DSM_TIME;
        if self != StartMethod::Script {
            return self.hand_over(server, task, deadline);
        }
        let script = store::find(Path::new(&*server.synoschedule), task.id)?;
        script.can_start(deadline)?;
        let (state, id) = (home.state()?, task.id.to_string());
        let runs = Runs::of(&state, &id);
        let fault =
            |e: std::io::Error| Outcome::not_started(Step::Recorded, format!("{}: {e}", runs.folder().display()));
        let record = Record::new(&id, who.to_owned(), runs.newest().map_err(fault)?.as_deref());
        let announced = runs.prepare().and_then(|()| runs.announce(&record.run));
        let held = announced.and_then(|held| runs.begin_durably(&record).map(|()| held)).map_err(fault)?;
        let keeping = Keeping::default();
        let order = Order { home, server, keeping: &keeping, name: &task.name, runs: &runs, record: &record };
        script.begin(&order, &state, Some(held)).map(drop)
    }

    /// Step 8b: hands the task to DSM.
    pub(super) fn hand_over(self, server: &Server<'_>, task: &Listed, deadline: Instant) -> Result<(), Outcome> {
        let run = |words: &[&str]| synoschedtask::run(&server.synoschedtask, task.id, words, deadline);
        match self {
            StartMethod::OnSchedule => run(&[]),
            StartMethod::AnyTime => run(&["check_time=0"]),
            StartMethod::AnyTimeAnyState => run(&["check_time=0", "check_status=0"]),
            StartMethod::WebApi => synowebapi::run_task(&server.synowebapi, task, deadline),
            StartMethod::Script => Err(Outcome::not_started(Step::HandOver, "its own script is not handed to DSM")),
        }
    }
}
