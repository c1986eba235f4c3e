//! DSM's web API, by `synowebapi`: what its Task Scheduler page calls, without a login.
//!
//! Each `key=value` is read as JSON by the program. It tells how it gets on on stderr, on some NASes on stdout as well,
//! before its reply or behind it; the reply is JSON. `success` says that DSM took the call; whether the task ran it does
//! not say.

use std::time::Instant;

use serde::Deserialize;
use serde_json::{json, Value};

use super::{said, summary, Listed};
use crate::child::{run_captured, RunError};
use crate::outcome::Outcome;
use crate::step::Step;
use crate::text::Quoted;

/// The most that is read of a reply, in bytes.
const REPLY_MAX: usize = 256 << 10;
/// DSM's error for a method or a version that it does not have: nothing was done.
const NO_SUCH_METHOD: &str = "103";

/// Step 8b: hands a scheduled task to DSM.
///
/// DSM 6 refuses version 2 as unknown and takes version 1 with other words. The order matters: version 1 with the words of
/// version 2 says success and does nothing.
pub fn run_task(program: &str, task: &Listed, deadline: Instant) -> Result<(), Outcome> {
    let owner = task.user.as_deref().filter(|user| !user.is_empty()).unwrap_or("root");
    let tasks = format!("tasks={}", json!([{ "id": task.id, "real_owner": owner }]));
    let run = |version: &str, words: &str| {
        call(&[program, "--exec", "api=SYNO.Core.TaskScheduler", "method=run", version, words], deadline)
    };
    let reply = run("version=2", &tasks)?;
    match reply.code().as_deref() {
        Some(NO_SUCH_METHOD) => run("version=1", &format!("task=[{}]", task.id))?.taken(program),
        _ => reply.taken(program),
    }
}

/// Step 8b: hands a triggered task to DSM.
pub fn run_event(program: &str, name: &str, deadline: Instant) -> Result<(), Outcome> {
    let name = task_name(name);
    let argv = [program, "-s", "--exec", "api=SYNO.Core.EventScheduler", "method=run", "version=1", &name];
    call(&argv, deadline)?.taken(program)
}

/// Returns DSM's history of a scheduled task's runs, where it tells one.
pub fn task_history(program: &str, number: u32, deadline: Instant) -> Option<Vec<Value>> {
    let id = format!("id={number}");
    let words = ["--exec", "api=SYNO.Core.TaskScheduler", "method=get_history_status_list", "version=1", &id];
    call(&[&[program], &words[..]].concat(), deadline).ok()?.list()
}

/// Returns DSM's history of a triggered task's runs, where it tells one.
pub fn event_history(program: &str, name: &str, deadline: Instant) -> Option<Vec<Value>> {
    let name = task_name(name);
    let words = ["-s", "--exec", "api=SYNO.Core.EventScheduler", "method=result_list", "version=1", &name];
    call(&[&[program], &words[..]].concat(), deadline).ok()?.list()
}

/// Returns the newest version of an API that this DSM has, for the owner's report.
pub fn newest_version(program: &str, api: &str, deadline: Instant) -> Option<u64> {
    let query = format!("query={}", json!(api));
    let words = ["--exec-fastwebapi", "api=SYNO.API.Info", "method=query", "version=1", &query];
    let reply = call(&[&[program], &words[..]].concat(), deadline).ok()?;
    reply.data.get(api)?.get("maxVersion")?.as_u64()
}

fn task_name(name: &str) -> String {
    format!("task_name={}", json!(name))
}

/// DSM's reply.
#[derive(Debug, Deserialize)]
pub struct Reply {
    success: bool,
    #[serde(default)]
    error: Value,
    #[serde(default)]
    data: Value,
}

impl Reply {
    /// The first line that begins with a brace begins the reply; one JSON value is read from there. What stands before it
    /// and behind it is ignored.
    pub fn parse(stdout: &[u8]) -> Option<Reply> {
        let mut rest = stdout;
        loop {
            let line = rest.strip_prefix(b"\xef\xbb\xbf").unwrap_or(rest);
            if line.starts_with(b"{") {
                return serde_json::Deserializer::from_slice(line).into_iter().next()?.ok();
            }
            rest = &rest[rest.iter().position(|&b| b == b'\n')? + 1..];
        }
    }

    /// Success, or the refusal as the reason why nothing was started.
    pub fn taken(&self, program: &str) -> Result<(), Outcome> {
        let why = match (self.success, self.code()) {
            (true, _) => return Ok(()),
            (false, Some(code)) => format!("DSM refuses with error {code}"),
            (false, None) => "DSM refuses without a reason".into(),
        };
        Err(Outcome::not_started(Step::HandOver, format!("{program}: {why}")))
    }

    /// The code of a refusal: a number, on some NASes a text.
    fn code(&self) -> Option<String> {
        match self.error.get("code").unwrap_or(&self.error) {
            _ if self.success => None,
            Value::Number(code) => Some(code.to_string()),
            Value::String(code) if code.bytes().all(|b| b.is_ascii_digit()) => Some(code.clone()),
            Value::String(code) => Some(Quoted(code.as_bytes()).to_string()),
            _ => None,
        }
    }

    /// The list that DSM gives as its data.
    pub fn list(self) -> Option<Vec<Value>> {
        match self {
            Reply { success: true, data: Value::Array(list), .. } => Some(list),
            _ => None,
        }
    }
}

fn call(argv: &[&str], deadline: Instant) -> Result<Reply, Outcome> {
    let program = argv[0];
    let answer = match run_captured(argv.iter().copied(), REPLY_MAX, deadline) {
        Ok(answer) => answer,
        Err(error @ RunError::Start(_)) => {
            return Err(Outcome::not_started(Step::HandOver, said(program, "--exec", error)))
        }
        // The call may have reached DSM before the program was killed.
        Err(error @ RunError::Late(_)) => return Err(Outcome::Unknown { reason: said(program, "--exec", error) }),
    };
    // It may have reached DSM before it said something that is no reply, or was killed.
    Reply::parse(&answer.stdout)
        .ok_or_else(|| Outcome::Unknown { reason: format!("{program}: its reply is nonsense: {}", summary(&answer)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHATTER: &str =
        "[Line 295] Exec WebAPI:  api=SYNO.Core.TaskScheduler, version=2, method=run, runner=, param={\"tasks\":[]}";

    /// The meaning of a reply: taken, refused and why, or none at all.
    fn came_to(stdout: &str) -> Result<(), String> {
        let reply = Reply::parse(stdout.as_bytes()).ok_or("nonsense")?;
        reply.taken("p").map_err(|outcome| match outcome {
            Outcome::NotStarted { reason, .. } => reason,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn a_reply_among_chatter() {
        let yes = "{\"success\":true}";
        let no = "{\"error\":{\"code\":105},\"success\":false}";
        let refused = |why: &str| Err(format!("p: DSM refuses {why}"));
        let nonsense = || Err("nonsense".to_owned());
        for (stdout, expected) in [
            (yes.to_owned(), Ok(())),
            (format!("{CHATTER}\n{yes}\n"), Ok(())),
            (format!("{yes}\n{CHATTER}\n"), Ok(())),
            (format!("{CHATTER}\r\n\u{feff}{yes}\r\n{CHATTER}\r\n"), Ok(())),
            (format!("\u{feff}{yes}"), Ok(())),
            (format!("{yes} {CHATTER}"), Ok(())),
            (format!("{yes}{no}"), Ok(())),
            ("{\n   \"data\" : {},\n   \"success\" : true\n}\n".into(), Ok(())),
            (format!("{CHATTER}\n{no}\n{yes}"), refused("with error 105")),
            ("{\"success\":false,\"error\":{\"code\":\"105\"}}".into(), refused("with error 105")),
            ("{\"success\":false,\"error\":{\"code\":\"a\\nb\"}}".into(), refused("with error \"a\\nb\"")),
            ("{\"success\":false,\"error\":{}}".into(), refused("without a reason")),
            ("{\"success\":false,\"error\":{\"errors\":[]}}".into(), refused("without a reason")),
            ("{\"success\":false,\"error\":null}".into(), refused("without a reason")),
            ("{\"success\":false,\"error\":117}".into(), refused("with error 117")),
            ("{\"success\":false}".into(), refused("without a reason")),
            ("{}".into(), nonsense()),
            ("{\"success\":\"true\"}".into(), nonsense()),
            ("{\"success\":tr".into(), nonsense()),
            (format!("{{nonsense}}\n{yes}"), nonsense()),
            (format!("{CHATTER} {yes}"), nonsense()),
            (CHATTER.into(), nonsense()),
            (String::new(), nonsense()),
        ] {
            assert_eq!(came_to(&stdout), expected, "{stdout}");
        }
    }
}
