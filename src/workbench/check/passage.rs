//! Does the web server's user get through to the root half? Tried as that user, in the way of a request,
//! with a question that holds no keys: the answer is a refusal, and nothing is started or recorded.

use std::os::unix::process::CommandExt;
use std::time::Duration;

use rustix::process::geteuid;

use super::finding::{Found, Kind, Level};
use super::Subject;
use crate::elevate;
use crate::line::Reply;
use crate::outcome::Outcome;

static BLOCKED: Kind = Kind {
    code: "way-blocked",
    level: Level::Fault,
    says: "The web server's user does not get through to remotetask-run: <why>.",
    cure: "Mend what that says, and try the way yourself until the answer is {\"v\":1,\"refused\":true}: `echo | \
           sudo -u http <sudo> -n <program>`",
};

/// What can be found here.
pub static KINDS: &[&Kind] = &[&BLOCKED];

/// Tries it, where there is such a user and root to become it.
pub fn look(subject: &Subject<'_>) -> Option<Found> {
    let config = subject.believed().filter(|_| !subject.trial && geteuid().is_root())?;
    let http = subject.accounts.http()?;
    let (elevate, program) = (config.server.elevate(), subject.path("remotetask-run"));
    let mut command = elevate::command(&elevate, &program);
    command.uid(http.uid).gid(http.gid).current_dir("/");
    let why = match elevate::exchange(command, b"\n", Duration::ZERO) {
        Reply::Refused => return None,
        Reply::Outcome(Outcome::NotStarted { reason, .. } | Outcome::Unknown { reason }) => reason,
        Reply::Outcome(_) => "it gives an answer to no question".into(),
    };
    let sudo = elevate.first().copied().unwrap_or_default();
    Some(BLOCKED.found(&[("why", &why), ("sudo", sudo), ("program", &program.display().to_string())]))
}
