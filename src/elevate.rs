//! The way to root: one call of sudo, without arguments, with one line in and one line out.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{kill_process_group, Pid, Signal};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::low_level::pipe;

use crate::line::{Ask, Reply, REPLY_MAX};
use crate::outcome::Outcome;
use crate::step::Step;
use crate::streams::{self, NoLine};
use crate::text::{cut, Quoted};

/// The time that the root half gets on top of the task's `wait`.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// The time in which a program that said nothing must have ended once its outputs are closed.
const AFTERWARDS: Duration = Duration::from_secs(1);

/// The reason where the web server gave the request up meanwhile.
const GIVEN_UP: &str = "the web server gave the request up before the answer";

/// Asks `program` by way of `elevate`, and waits for the answer's line alone: sudo ends when it likes.
///
/// The working directory must be `/` already; the environment is empty. From here on a SIGTERM is an answer too: a web
/// server that gives the request up (Apache does) must not end this process before its line is in the log.
pub fn ask(elevate: &[&str], program: &Path, ask: &Ask, wait: Duration) -> Reply {
    match given_up() {
        Ok(given_up) => exchange(command(elevate, program), &ask.to_line(), wait, &given_up),
        Err(e) => Reply::Outcome(Outcome::not_started(Step::Sudo, format!("signals cannot be handled: {e}"))),
    }
}

/// An end that can be read once this process is told to end.
fn given_up() -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    pipe::register(SIGTERM, write.try_clone()?)?;
    pipe::register(SIGHUP, write)?; // Apache's mod_cgid as it ends
    Ok(read)
}

/// `program` by way of `elevate`.
pub fn command(elevate: &[&str], program: &Path) -> Command {
    let mut command = match elevate {
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
        [] => Command::new(program),
    };
    command.env_clear().process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// One question, one answer.
fn exchange(mut command: Command, question: &[u8], wait: Duration, given_up: &UnixStream) -> Reply {
    let deadline = Instant::now() + wait + PATIENCE;
    let name = command.get_program().to_string_lossy().into_owned();
    if streams::wait_any(&[given_up.as_fd()], Some(Instant::now())) {
        return Reply::Outcome(Outcome::not_started(Step::Sudo, GIVEN_UP));
    }
    match command.spawn() {
        Ok(mut child) => reply(&mut child, &name, question, deadline, Some(given_up.as_fd())),
        Err(e) => Reply::Outcome(Outcome::not_started(Step::Sudo, format!("{name}: {e}"))),
    }
}

/// The same in this name, and to its end: who has not ended a moment after the answer, or after the time for one, is
/// killed with its process group. For a question that starts nothing, and a caller who may kill it.
pub fn exchange_to_the_end(mut command: Command, name: &str, question: &[u8]) -> Reply {
    let deadline = Instant::now() + PATIENCE;
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => return Reply::Outcome(Outcome::not_started(Step::Sudo, format!("{name}: {e}"))),
    };
    let reply = reply(&mut child, name, question, deadline, None);
    if end_of(&mut child, Instant::now() + AFTERWARDS).is_none() {
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
        let _ = child.wait();
    }
    reply
}

fn reply(child: &mut Child, name: &str, question: &[u8], deadline: Instant, given_up: Option<BorrowedFd<'_>>) -> Reply {
    answer(child, question, deadline, given_up).unwrap_or_else(|silence| Reply::Outcome(silence.outcome(name)))
}

/// Its end, if it comes until then.
fn end_of(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            other => return other.ok().flatten(),
        }
    }
}

/// Why there is no answer.
enum Silence {
    /// It plainly refused, in these words.
    Refused(Vec<u8>),
    /// Anything else: what is known of it.
    Unknown(String),
}

impl Silence {
    fn outcome(self, name: &str) -> Outcome {
        match self {
            Silence::Refused(words) => {
                Outcome::not_started(Step::Sudo, format!("{name} refuses: {}", Quoted(cut(&words))))
            }
            Silence::Unknown(what) => Outcome::Unknown { reason: format!("{name}: {what}") },
        }
    }
}

fn answer(
    child: &mut Child,
    question: &[u8],
    deadline: Instant,
    given_up: Option<BorrowedFd<'_>>,
) -> Result<Reply, Silence> {
    let unknown = |what: &str| Silence::Unknown(what.to_owned());
    let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(unknown("no pipes"));
    };
    // Smaller than a pipe, so it is never waited for. Who does not read it may still have an answer.
    let _ = streams::write_all(&stdin, question);
    drop(stdin);
    let both: Vec<BorrowedFd<'_>> = given_up.into_iter().chain([stdout.as_fd()]).collect();
    if streams::wait_any(&both, Some(deadline)) && !streams::wait_any(&[stdout.as_fd()], Some(Instant::now())) {
        return Err(unknown(GIVEN_UP));
    }
    match streams::read_line(&stdout, REPLY_MAX, deadline) {
        Ok(line) => Reply::from_line(&line).ok_or_else(|| unknown("the answer is nonsense")),
        Err(NoLine::Ended(0)) => Err(ended(child, stderr, deadline)),
        Err(NoLine::Ended(_)) => Err(unknown("the answer broke off")),
        Err(NoLine::Late) => Err(unknown("no answer in time")),
        Err(why) => Err(Silence::Unknown(format!("no answer: {why:?}"))),
    }
}

/// It closed its output without a word. Exit code 1 and a line of its own is a refusal.
fn ended(child: &mut Child, stderr: ChildStderr, deadline: Instant) -> Silence {
    let deadline = deadline.min(Instant::now() + AFTERWARDS);
    let complaint = streams::read_all(stderr, REPLY_MAX, deadline);
    let Some(status) = end_of(child, deadline) else {
        return Silence::Unknown("it neither answers nor ends".into());
    };
    let line = complaint.split(|&b| b == b'\n').find(|line| !line.is_empty()).unwrap_or_default();
    match status.code() {
        Some(1) if !line.is_empty() => Silence::Refused(line.to_vec()),
        _ => Silence::Unknown(format!("it ended without an answer ({status}): {}", Quoted(cut(line)))),
    }
}
