//! The known ways to start a scheduled task, each by itself. Which of them work, only the box shows.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use super::{store, synoschedtask, synowebapi, Listed, DSM_TIME};
use crate::config::{Scheduler, Server};
use crate::outcome::Outcome;
use crate::record::{Record, Runs};
use crate::trust::Home;

/// A way to start a scheduled task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
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

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::OnSchedule => "--run",
            Way::AnyTime => "--run check_time=0",
            Way::AnyTimeAnyState => "--run check_time=0 check_status=0",
            Way::WebApi => "its web API",
            Way::Script => "its own script",
        })
    }
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 5] = [Way::OnSchedule, Way::AnyTime, Way::AnyTimeAnyState, Way::WebApi, Way::Script];

    /// The way that the configuration means for this task.
    pub fn of(scheduler: Scheduler, task: &Listed) -> Way {
        match scheduler {
            Scheduler::Synoschedtask if task.enabled => Way::AnyTime,
            Scheduler::Synoschedtask => Way::AnyTimeAnyState,
            Scheduler::Synowebapi => Way::WebApi,
            Scheduler::Direct => Way::Script,
        }
    }

    /// Starts the task this way, without a turn. Of what was handed to DSM nobody knows here whether it ran;
    /// its own script has begun, and is recorded as a run by `who`.
    pub fn run(self, server: &Server<'_>, task: &Listed, home: &Home, who: &str) -> Result<(), Outcome> {
        let deadline = Instant::now() + DSM_TIME;
        if self != Way::Script {
            return self.hand_over(server, task, deadline);
        }
        let script = store::find(Path::new(&*server.synoschedule), task.id)?;
        script.can_start(deadline)?;
        let (state, id) = (home.state()?, task.id.to_string());
        let runs = Runs::of(&state, &id);
        let record = Record::new(&id, who.to_owned(), runs.newest().as_deref());
        let recorded =
            runs.prepare().and_then(|()| runs.announce(&record.run)).and_then(|()| runs.write_durably(&record));
        recorded.map_err(|e| Outcome::not_started("8a", format!("{}: {e}", runs.folder().display())))?;
        script.begin(&runs, &record, &state, home).map(drop)
    }

    /// Step 8b: hands the task to DSM.
    pub(super) fn hand_over(self, server: &Server<'_>, task: &Listed, deadline: Instant) -> Result<(), Outcome> {
        let run = |words: &[&str]| synoschedtask::run(&server.synoschedtask, task.id, words, deadline);
        match self {
            Way::OnSchedule => run(&[]),
            Way::AnyTime => run(&["check_time=0"]),
            Way::AnyTimeAnyState => run(&["check_time=0", "check_status=0"]),
            Way::WebApi => synowebapi::run_task(&server.synowebapi, task, deadline),
            Way::Script => Err(Outcome::not_started("8b", "its own script is not handed to DSM")),
        }
    }
}
