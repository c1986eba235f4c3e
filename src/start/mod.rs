//! Steps 7 and 8: the target exists; it is recorded that it starts, and then it is started.
//!
//! A target is kept, or handed to DSM. A keeper stays with a command, with a scheduled task's own script, and with
//! esynoscheduler, which waits for a triggered task's end. Of what is handed to DSM, by another of its programs, DSM alone
//! knows more.

pub mod script; // a scheduled task's own script, run without DSM
pub mod store; // where DSM keeps it
pub mod synoschedtask; // DSM's scheduler, by its program
pub mod synowebapi; // the same by its web API; triggered tasks
pub mod esynoscheduler; // triggered tasks by their own program
pub mod dsm_end; // the end of what was handed to DSM
pub mod dsm_runs; // what DSM runs now
pub mod method; // each known method by itself

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::child::{Captured, RunError};
use crate::config::{Events, Scheduler, Server, Starts};
use crate::files::is_executable;
use crate::keep::{self, Kept, Order, Starting};
use crate::line::NEVER;
use crate::outcome::{Outcome, Run};
use crate::record::{self, Runs, State};
use crate::step::Step;
use crate::text::{cut, Quoted};
use crate::trust::Home;
use crate::turn::Turn;
pub use method::StartMethod;
pub use script::Script;
pub use synoschedtask::{cut_name, get, list, Listed};

/// The time that DSM's programs get in all, from the first question to the start.
const DSM_TIME: Duration = Duration::from_secs(10);

/// A target that was found.
pub enum Target<'c> {
    /// A command whose program is there.
    Command(&'c [Cow<'c, str>]),
    /// A scheduled task's own script.
    Script(Script),
    /// A task that the scheduler knows, to be handed to DSM.
    Scheduled {
        /// The task.
        task: Listed,
        /// The method by which DSM is told.
        method: StartMethod,
        /// The settings, with the places of DSM's programs.
        server: &'c Server<'c>,
        /// When DSM's time is over.
        deadline: Instant,
    },
    /// A triggered task, by the program that waits for its end.
    Awaited([String; 3]),
    /// A triggered task, to be handed to DSM.
    Event {
        /// Its name.
        name: &'c str,
        /// The program for DSM's web API, which is there.
        program: &'c str,
        /// When DSM's time is over.
        deadline: Instant,
    },
}

/// Step 7: the scheduler, or its store, knows the number; the program is there.
pub fn find<'c>(starts: &'c Starts<'c>, server: &'c Server<'c>) -> Result<Target<'c>, Outcome> {
    let deadline = Instant::now() + DSM_TIME;
    match (starts, server.scheduler) {
        (Starts::Command(argv), _) => {
            executable(Step::Program, Path::new(&*argv[0]))?;
            Ok(Target::Command(argv))
        }
        (Starts::Scheduled(number), Scheduler::Direct) => {
            let script = store::find(Path::new(&*server.synoschedule), *number)?;
            script.can_start(deadline)?;
            Ok(Target::Script(script))
        }
        (Starts::Scheduled(number), _) => {
            let task = synoschedtask::find(&server.synoschedtask, *number, deadline)?;
            let method = StartMethod::of(server.scheduler, &task);
            if method == StartMethod::WebApi {
                executable(Step::DsmsProgram, Path::new(&*server.synowebapi))?;
            }
            not_swallowed(server, *number, deadline)?;
            Ok(Target::Scheduled { task, method, server, deadline })
        }
        (Starts::Event(name), _) => find_event(name, server, deadline),
    }
}

/// Step 7g: DSM runs this task already, and lets it run once at a time: it would take another start and do nothing.
fn not_swallowed(server: &Server<'_>, number: u32, deadline: Instant) -> Result<(), Outcome> {
    if !store::runs_once(Path::new(&*server.synoschedule), number) {
        return Ok(());
    }
    match dsm_runs::running_since(server, number, deadline) {
        None => Ok(()),
        Some(started) => Err(Outcome::Running(Run {
            run: NEVER.into(),
            started,
            state: State::Started,
            duration_ms: None,
            exit: None,
            signal: None,
            ended: None,
            output: None,
            past: Default::default(),
        })),
    }
}

/// Names a run of DSM's that stands against a start as the task's last run is named: of DSM's own there is no record.
pub fn named(outcome: Outcome, runs: &Runs) -> Outcome {
    match outcome {
        Outcome::Running(run) => Outcome::Running(Run { run: runs.newest().ok().flatten().unwrap_or(run.run), ..run }),
        outcome => outcome,
    }
}

/// Steps 7c and 7f: the program for triggered tasks is there, and DSM knows the name. A start by the web API goes on where
/// esynoscheduler cannot be asked, because some NAS have no such program.
fn find_event<'c>(name: &'c str, server: &'c Server<'c>, deadline: Instant) -> Result<Target<'c>, Outcome> {
    let known = || esynoscheduler::find(&server.esynoscheduler, name, deadline);
    match server.events {
        Events::Esynoscheduler => {
            executable(Step::DsmsProgram, Path::new(&*server.esynoscheduler))?;
            known()?.map_err(|why| Outcome::not_started(Step::TriggeredTask, why))?;
            Ok(Target::Awaited(esynoscheduler::argv(&server.esynoscheduler, name)))
        }
        Events::Synowebapi => {
            executable(Step::DsmsProgram, Path::new(&*server.synowebapi))?;
            if matches!(is_executable(Path::new(&*server.esynoscheduler)), Ok(true)) {
                let _ = known()?;
            }
            Ok(Target::Event { name, program: &server.synowebapi, deadline })
        }
    }
}

impl Target<'_> {
    /// The target in words, for the owner.
    pub fn describe(&self) -> String {
        match self {
            Target::Command(argv) => format!("the command {}", argv[0]),
            Target::Script(script) => format!("the script of task {}, without DSM", script.number),
            Target::Scheduled { task, method, .. } => {
                format!("task {} of the Task Scheduler, {}, handed to DSM by {method}", task.id, task.name)
            }
            Target::Awaited([program, _, task]) => format!("{program} --run {task}, which waits for the end"),
            Target::Event { name, .. } => format!("the triggered task {name}, handed to DSM by its web API"),
        }
    }

    /// Step 8, and for what is kept step 9: recorded durably, started, and watched for up to its `wait`.
    pub fn start(self, turn: Turn<'_>, server: &Server<'_>, home: &Home) -> Outcome {
        let mut turn = turn;
        turn.runs.prune();
        let held = match self.record(&mut turn) {
            Ok(held) => held,
            Err(outcome) => return outcome, // 8a
        };
        let Turn { task, runs, mut record, lock, state, magic_key } = turn;
        record::note_use(&state, &magic_key);
        let order = Order { home, server, keeping: &task.keeping, name: task.shown(), runs: &runs, record: &record };
        match self.begin(&order, &state, held) {
            Ok(Begun::Kept(kept)) => {
                drop(lock);
                kept.outcome(&runs, Duration::from_secs(task.keeping.wait))
            }
            Ok(Begun::Handed) => {
                record.state = State::Handed;
                // It is handed, whether or not the disk takes the note.
                let _ = runs.write_durably(&record);
                Outcome::of_start(&record)
            }
            Err(Outcome::NotStarted { step, reason, .. }) => {
                let run = Starting { runs: &runs, record: &mut record, name: task.shown() };
                keep::not_started(home, server, run, step, reason)
            }
            // The record stands as it is where nobody knows: it may be the keeper's by now.
            Err(outcome) => outcome,
        }
    }

    /// Records that it starts; returns the hold on a run that is kept.
    fn record(&self, turn: &mut Turn<'_>) -> Result<Option<File>, Outcome> {
        match self {
            Target::Command(_) | Target::Script(_) | Target::Awaited(_) => return turn.announce().map(Some),
            Target::Scheduled { task, .. } => turn.record.dsm_before = Some(dsm_end::before(task)),
            Target::Event { .. } => {}
        }
        // Not before: what DSM began while it was still asked is a run of its own.
        turn.record.started = record::now_ms(); // 9n
        turn.record.state = State::Handing;
        turn.record().map(|()| None)
    }

    fn begin(self, order: &Order<'_>, state: &Path, held: Option<File>) -> Result<Begun, Outcome> {
        match self {
            Target::Command(argv) => order.start(argv, None, held).map(Begun::Kept),
            Target::Awaited(argv) => order.start(&argv, None, held).map(Begun::Kept),
            Target::Script(script) => script.begin(order, state, held).map(Begun::Kept),
            Target::Scheduled { task, method, server, deadline } => {
                method.hand_over(server, &task, deadline).map(|()| Begun::Handed)
            }
            Target::Event { name, program, deadline } => {
                synowebapi::run_event(program, name, deadline).map(|()| Begun::Handed)
            }
        }
    }
}

/// The start that has begun.
enum Begun {
    /// A keeper stays with it.
    Kept(Kept),
    /// DSM has it.
    Handed,
}

/// Steps 7b and 7c: a program that is to be started is an executable file.
fn executable(step: Step, program: &Path) -> Result<(), Outcome> {
    match is_executable(program) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Outcome::not_started(step, format!("{} is not an executable file", program.display()))),
        Err(e) => Err(Outcome::not_started(step, format!("{}: {e}", program.display()))),
    }
}

/// The reason why a program gave no result, in words.
fn said(program: &str, what: &str, error: RunError) -> String {
    match error {
        RunError::Start(e) => format!("{program}: {e}"),
        RunError::Late(after) => format!("{program} {what} had not ended after {} s", (after.as_millis() + 500) / 1000),
    }
}

/// The end of a program, and its first words.
fn summary(answer: &Captured) -> String {
    let first = |output: &[u8]| cut(output.trim_ascii().split(|&b| b == b'\n').next().unwrap_or_default()).to_owned();
    let words = match first(&answer.stderr) {
        words if words.is_empty() => first(&answer.stdout),
        words => words,
    };
    match (answer.end.exit, answer.end.signal) {
        (Some(code), _) => format!("exit {code}, {}", Quoted(&words)),
        (_, signal) => format!("killed by signal {}, {}", signal.unwrap_or(0), Quoted(&words)),
    }
}
