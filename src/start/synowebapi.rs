//! DSM's web API, by `synowebapi`: what its Task Scheduler page calls, without a login.
//!
//! Each `key=value` is read as JSON by the program. It tells how it gets on on stderr, and its reply is
//! JSON on stdout. `success` says that DSM took the call; whether the task ran it does not say.

use std::time::Instant;

use serde::Deserialize;
use serde_json::json;

use super::{said, summary, Listed};
use crate::child::{run_captured, RunError};
use crate::outcome::Outcome;

/// What of a reply is read, in bytes.
const REPLY_MAX: usize = 256 << 10;

/// Step 8b: hands a scheduled task to DSM.
pub fn run_task(program: &str, task: &Listed, deadline: Instant) -> Result<(), Outcome> {
    let owner = task.user.as_deref().filter(|user| !user.is_empty()).unwrap_or("root");
    let tasks = format!("tasks={}", json!([{ "id": task.id, "real_owner": owner }]));
    call(&[program, "--exec", "api=SYNO.Core.TaskScheduler", "method=run", "version=2", &tasks], deadline)
}

/// Step 8b: hands a triggered task to DSM.
pub fn run_event(program: &str, name: &str, deadline: Instant) -> Result<(), Outcome> {
    let name = format!("task_name={}", json!(name));
    call(&[program, "-s", "--exec", "api=SYNO.Core.EventScheduler", "method=run", "version=1", &name], deadline)
}

#[derive(Deserialize)]
struct Reply {
    success: bool,
    error: Option<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    code: i64,
}

fn call(argv: &[&str], deadline: Instant) -> Result<(), Outcome> {
    let program = argv[0];
    let answer = match run_captured(argv.iter().copied(), REPLY_MAX, deadline) {
        Ok(answer) => answer,
        Err(error @ RunError::Start(_)) => return Err(Outcome::not_started("8b", said(program, "--exec", error))),
        // The call may have reached DSM before the program was killed.
        Err(error @ RunError::Late(_)) => return Err(Outcome::Unknown { reason: said(program, "--exec", error) }),
    };
    let why = match serde_json::from_slice(&answer.stdout) {
        Ok(Reply { success: true, .. }) => return Ok(()),
        Ok(Reply { error: Some(Fault { code }), .. }) => format!("DSM refuses with error {code}"),
        Ok(Reply { error: None, .. }) => "DSM refuses without a reason".into(),
        // It may have done so before it said something that is no reply, or was killed.
        Err(_) => {
            let reason = format!("{program}: its reply is nonsense: {}", summary(&answer));
            return Err(Outcome::Unknown { reason });
        }
    };
    Err(Outcome::not_started("8b", format!("{program}: {why}")))
}
