//! The root half: one line in, one line out; the numbered steps in between. It has no second mode.

use std::panic;
use std::path::Path;
use std::time::{Duration, Instant};

use remotetask::config::{self, Server};
use remotetask::judge::{judge, Granted, Permit};
use remotetask::line::{Ask, Do, Reply, ASK_MAX};
use remotetask::outcome::Outcome;
use remotetask::trust::{self, Home};
use remotetask::{keep, look, start, stop, streams, turn, world};

/// The time that the question may take.
const ASK_TIME: Duration = Duration::from_secs(2);

fn main() {
    panic::set_hook(Box::new(|_| ()));
    let fault = |_| Reply::Outcome(Outcome::Unknown { reason: "a fault in remotetask-run".into() });
    let reply = panic::catch_unwind(run).unwrap_or_else(fault);
    // An answer that nobody takes is lost; what was started is recorded.
    let written = |to| streams::write_line(to, &reply.to_line(), Duration::from_secs(5));
    let _ = streams::own_stdout().and_then(written);
}

fn run() -> Reply {
    match steps() {
        Ok(outcome) | Err(Stop::With(outcome)) => Reply::Outcome(outcome),
        Err(Stop::Refused) => Reply::Refused,
    }
}

/// Why the steps end early.
enum Stop {
    /// Steps 3 to 5: the one constant answer, whatever it was.
    Refused,
    /// The others: what the installation, or the task's state, has against it.
    With(Outcome),
}

impl From<Outcome> for Stop {
    fn from(outcome: Outcome) -> Stop {
        Stop::With(outcome)
    }
}

/// The steps, as SECURITY.md numbers them.
fn steps() -> Result<Outcome, Stop> {
    world::sanitize_process()?; // 0
    let user = trust::identity()?; // 1
    let home = trust::home(user)?; // 2
    let (content, state) = (home.config()?, home.state()?);
    let stdin = streams::own_stdin().map_err(|_| Stop::Refused)?;
    let line = streams::read_line(stdin, ASK_MAX, Instant::now() + ASK_TIME); // 3
    let ask = line.ok().and_then(|line| Ask::from_line(&line)).ok_or(Stop::Refused)?;
    let config = config::read(&content).map_err(|_| Stop::Refused)?; // 4
    let today = chrono::Local::now().date_naive();
    let granted = judge(&config, ask.credentials(), None, ask.from, today).map_err(|_| Stop::Refused)?; // 5
    Ok(match granted {
        // The identifier names the task; another name beside it is no known form.
        Granted::Task(_) if ask.task.is_some() => return Err(Stop::Refused),
        Granted::Task(permit) => {
            keep::settle(&home, &config.server, permit.task(), &state); // 9i
            let outcome = match ask.what {
                Do::Start => start(&permit, &ask, &config.server, &home, &state),
                Do::Stop => stop::stop(&permit, &ask, &config.server, &home, &state),
                Do::Look | Do::Panel => look::last(&permit, &config.server, &state),
            };
            let outcome = look::with_output(outcome, permit.task(), &config.server, &state);
            match ask.page {
                true => look::with_past(outcome, permit.task(), &state),
                false => outcome,
            }
        }
        Granted::Panel(panel) => {
            panel.permits().for_each(|permit| keep::settle(&home, &config.server, permit.task(), &state)); // 9i
            let permit = match (ask.what, &ask.task) {
                (Do::Start | Do::Stop, Some(id)) => panel.permits().find(|permit| permit.task().id == *id),
                _ => None,
            };
            let outcome = |permit: &Permit<'_>| match ask.what {
                Do::Stop => stop::stop(permit, &ask, &config.server, &home, &state),
                _ => start(permit, &ask, &config.server, &home, &state),
            };
            let chosen = permit.map(|permit| look::chosen(outcome(&permit), permit.task(), &config.server, &state));
            look::panel(&panel, chosen, &config.server, &state)
        }
    })
}

/// The steps of a start.
fn start(permit: &Permit<'_>, ask: &Ask, server: &Server<'_>, home: &Home, state: &Path) -> Outcome {
    let steps = || {
        let turn = turn::take(permit, ask, server, state)?; // 6
        Ok(match start::find(&turn.task.starts, server) {
            Ok(target) => target.start(turn, server, home), // 8, 9
            Err(outcome) => {
                let outcome = start::named(outcome, &turn.runs);
                turn.failed(outcome, server, home) // 7
            }
        })
    };
    steps().unwrap_or_else(|outcome: Outcome| outcome)
}
