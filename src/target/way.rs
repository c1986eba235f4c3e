//! The known ways to start a scheduled task, each by itself. Which of them work, only the box shows.

use std::fmt;
use std::path::Path;
use std::time::Instant;

use super::{script, store, synoschedtask, synowebapi, Listed};
use crate::config::{Scheduler, Server};
use crate::outcome::Outcome;

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

    /// Starts the task this way, and nothing else: no turn, no record. Of what was handed to DSM nobody
    /// knows here whether it ran; its own script has run to its end, well or not, with `scripts` as the
    /// folder for it.
    pub fn run(self, server: &Server<'_>, task: &Listed, scripts: &Path, deadline: Instant) -> Result<(), Outcome> {
        match self {
            Way::Script => {
                let script = store::find(Path::new(&*server.synoschedule), task.id)?;
                script.can_start(deadline)?;
                script::run(&script, scripts, deadline)
            }
            way => way.hand_over(server, task, deadline),
        }
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
