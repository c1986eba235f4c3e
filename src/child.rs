//! A process that the root half starts: its environment built from nothing, its output read as it
//! comes, its end awaited in the same place.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::fstat;
use rustix::io::{ioctl_fionbio, Errno};
use rustix::process::{geteuid, wait, waitpid, Pid, WaitOptions, WaitStatus};
use signal_hook::consts::SIGCHLD;
use signal_hook::SigId;

use crate::accounts::Accounts;
use crate::files::read_kernel_file;
use crate::streams;

/// The folders that DSM's own shells and a plain Debian look in.
pub const PATH: &str = "/sbin:/bin:/usr/sbin:/usr/bin:/usr/syno/sbin:/usr/syno/bin:/usr/local/sbin:/usr/local/bin";

/// The end of a process: by its exit code, or by a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The exit code.
    pub exit: Option<i32>,
    /// The signal that killed it.
    pub signal: Option<i32>,
}

/// The events that [`Watched::next`] sees.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// Some output was taken.
    Output,
    /// The process has ended, and what it wrote before has been taken.
    Ended(End),
    /// It has ended, and nobody holds its outputs any more; or, where all are waited for, nobody is left.
    Quiet,
    /// The signal came that is listened for.
    Called,
    /// The deadline is over.
    Late,
}

/// One of the two outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A started process, in a process group of its own, with stdin null.
pub struct Watched {
    /// Its process id, and its group's.
    pub pid: Pid,
    ended: bool,
    adopts: bool,
    // All that it adopted is waited for as well, and whether nobody of those is left.
    to_the_last: bool,
    alone: bool,
    child_ended: Signalled,
    called: Option<Signalled>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
}

/// The most that is read of one output before the others have their turn, in bytes.
const TURN: usize = 1 << 20;
/// The size that every pipe takes at once, in bytes (pipe(7), one page).
const PIPE: usize = 4096;

impl Watched {
    /// Starts `argv` with the environment of [`environment`].
    pub fn start<'a>(argv: impl IntoIterator<Item = &'a str>) -> io::Result<Watched> {
        Watched::start_with(argv, &[], &[])
    }

    /// The same with this on its stdin, which must fit into a pipe: it is not waited for.
    pub fn start_fed<'a>(argv: impl IntoIterator<Item = &'a str>, input: &[u8]) -> io::Result<Watched> {
        Watched::start_with(argv, input, &[])
    }

    /// The same with more variables in its environment.
    pub fn start_with<'a>(
        argv: impl IntoIterator<Item = &'a str>,
        input: &[u8],
        more: &[(&str, String)],
    ) -> io::Result<Watched> {
        if input.len() > PIPE {
            return Err(io::Error::other("more than a pipe takes"));
        }
        // Before the start, so that no end is missed. A handled signal is default again in the child.
        let child_ended = Signalled::by(SIGCHLD)?;
        let mut argv = argv.into_iter();
        let mut command = Command::new(argv.next().unwrap_or_default());
        command.args(argv).env_clear().envs(environment()).envs(more.iter().cloned()).process_group(0);
        let stdin = if input.is_empty() { Stdio::null() } else { Stdio::piped() };
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        if let Some(stdin) = child.stdin.take() {
            // A program that does not read it may still have something to say.
            let _ = streams::write_all(&stdin, input);
        }
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        for output in [stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd)].into_iter().flatten() {
            ioctl_fionbio(output, true)?;
        }
        let pid = Pid::from_child(&child);
        let watched = Watched {
            pid,
            ended: false,
            adopts: false,
            to_the_last: false,
            alone: false,
            child_ended,
            called: None,
            stdout,
            stderr,
        };
        Ok(watched)
    }

    /// Returns the numbers of the pipes that it writes into (proc(5), `pipe:[number]` in `/proc/PID/fd`).
    pub fn pipes(&self) -> Vec<u64> {
        let outputs = [self.stdout.as_ref().map(AsFd::as_fd), self.stderr.as_ref().map(AsFd::as_fd)];
        outputs.into_iter().flatten().filter_map(|output| Some(fstat(output).ok()?.st_ino)).collect()
    }

    /// Reaps what else ends as well: for who adopts orphans and has no other children.
    pub fn adopting(self) -> Watched {
        Watched { adopts: true, ..self }
    }

    /// Listens for a signal as well.
    pub fn listening(self, called: Signalled) -> Watched {
        Watched { called: Some(called), ..self }
    }

    /// From now on waits for all that it adopted, and not only for the process and its outputs.
    pub fn to_the_last(&mut self) {
        self.to_the_last = true;
    }

    /// Waits for the next thing; output goes to `take`.
    pub fn next(&mut self, deadline: Option<Instant>, take: &mut dyn FnMut(From, &[u8])) -> Seen {
        let quiet = match self.to_the_last {
            true => self.alone,
            false => self.stdout.is_none() && self.stderr.is_none(),
        };
        if self.ended && quiet {
            return Seen::Quiet;
        }
        let mut fds: Vec<BorrowedFd<'_>> = vec![self.child_ended.0.as_fd()];
        fds.extend(self.called.as_ref().map(|called| called.0.as_fd()));
        fds.extend(self.stdout.as_ref().map(AsFd::as_fd));
        fds.extend(self.stderr.as_ref().map(AsFd::as_fd));
        let late = !streams::wait_any(&fds, deadline);
        // First the end, then the outputs: what it wrote before its end is complete then. An end goes before a
        // deadline and a call, too.
        let end = self.reap();
        self.take_outputs(take);
        match end {
            Some(end) => {
                self.ended = true;
                Seen::Ended(end)
            }
            None if late => Seen::Late,
            None if self.called.as_ref().is_some_and(Signalled::came) => Seen::Called,
            None => Seen::Output,
        }
    }

    fn reap(&mut self) -> Option<End> {
        self.child_ended.came();
        let mut end = None;
        let next = || match self.adopts {
            true => wait(WaitOptions::NOHANG),
            false => waitpid(Some(self.pid), WaitOptions::NOHANG),
        };
        loop {
            match next() {
                Ok(Some((pid, status))) if pid == self.pid => end = Some(of_status(status)),
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return end,
                // Not even a child's child: all of them were adopted.
                Err(_) => {
                    self.alone = true;
                    return end;
                }
            }
        }
    }

    fn take_outputs(&mut self, take: &mut dyn FnMut(From, &[u8])) {
        if self.stdout.as_ref().is_some_and(|fd| !drain(fd, |bytes| take(From::Stdout, bytes))) {
            self.stdout = None;
        }
        if self.stderr.as_ref().is_some_and(|fd| !drain(fd, |bytes| take(From::Stderr, bytes))) {
            self.stderr = None;
        }
    }
}

/// A signal that can be waited for: its arrival is told on a pipe for as long as this lives.
pub struct Signalled(UnixStream, SigId);

impl Signalled {
    /// Begins to listen for the signal.
    pub fn by(signal: i32) -> io::Result<Signalled> {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        Ok(Signalled(read, signal_hook::low_level::pipe::register(signal, write)?))
    }

    /// Returns true if it came since the last call.
    fn came(&self) -> bool {
        let mut told = [0; 64];
        let mut came = false;
        while matches!((&self.0).read(&mut told), Ok(count) if count > 0) {
            came = true;
        }
        came
    }
}

impl Drop for Signalled {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.1);
    }
}

/// Takes what is there; whether more may come.
fn drain(fd: impl AsFd, mut take: impl FnMut(&[u8])) -> bool {
    let mut buffer = [0; 16 << 10];
    let mut taken = 0;
    while taken < TURN {
        match streams::read_some(&fd, &mut buffer) {
            Ok(0) => return false,
            Ok(count) => {
                take(&buffer[..count]);
                taken += count;
            }
            Err(e) => return e.kind() == io::ErrorKind::WouldBlock,
        }
    }
    true
}

fn of_status(status: WaitStatus) -> End {
    End { exit: status.exit_status(), signal: status.terminating_signal() }
}

/// The output of a program that has ended, and how it ended.
pub struct Captured {
    /// Its end.
    pub end: End,
    /// The beginning of its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of its standard error.
    pub stderr: Vec<u8>,
}

/// The reason why a program gave no result.
#[derive(Debug)]
pub enum RunError {
    /// It could not be started.
    Start(io::Error),
    /// It had not ended at the deadline, or when nobody wanted it any more, after this long, and was killed.
    Late(Duration),
}

/// The pause between two looks whether a program's result is still wanted.
const LOOK: Duration = Duration::from_millis(50);

/// Runs `argv` to its end and captures its output, at most `max` bytes of each. What it leaves behind
/// in the background is not waited for.
pub fn run_captured<'a>(
    argv: impl IntoIterator<Item = &'a str>,
    max: usize,
    deadline: Instant,
) -> Result<Captured, RunError> {
    capture_until(Watched::start(argv).map_err(RunError::Start)?, max, deadline, None)
}

/// The same with `input` on its stdin, as long as `wanted` says so.
pub fn run_captured_fed<'a>(
    argv: impl IntoIterator<Item = &'a str>,
    input: &[u8],
    max: usize,
    deadline: Instant,
    wanted: &dyn Fn() -> bool,
) -> Result<Captured, RunError> {
    capture_until(Watched::start_fed(argv, input).map_err(RunError::Start)?, max, deadline, Some(wanted))
}

fn capture_until(
    mut watched: Watched,
    max: usize,
    deadline: Instant,
    wanted: Option<&dyn Fn() -> bool>,
) -> Result<Captured, RunError> {
    let begun = Instant::now();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    loop {
        let next = wanted.map_or(deadline, |_| deadline.min(Instant::now() + LOOK));
        let seen = watched.next(Some(next), &mut |from, bytes| {
            let kept = match from {
                From::Stdout => &mut stdout,
                From::Stderr => &mut stderr,
            };
            kept.extend_from_slice(&bytes[..bytes.len().min(max - kept.len())]);
        });
        match seen {
            Seen::Output | Seen::Called => {}
            Seen::Ended(end) => return Ok(Captured { end, stdout, stderr }),
            Seen::Late if next < deadline && wanted.is_some_and(|wanted| wanted()) => {}
            Seen::Late | Seen::Quiet => {
                let _ = rustix::process::kill_process_group(watched.pid, rustix::process::Signal::KILL);
                // It is gone at once; the reaping leaves no zombie behind.
                watched.next(Some(Instant::now() + Duration::from_secs(1)), &mut |_, _| ());
                return Err(RunError::Late(begun.elapsed()));
            }
        }
    }
}

/// The whole environment of everything that the root half starts.
pub fn environment() -> Vec<(&'static str, String)> {
    let account = Accounts::users().account(geteuid().as_raw());
    vec![
        ("PATH", PATH.into()),
        ("HOME", account.home),
        ("USER", account.name.clone()),
        ("LOGNAME", account.name),
        ("SHELL", account.shell),
        // A locale that every C library has, or replaces by C without a word.
        ("LANG", "C.UTF-8".into()),
    ]
}

/// The kernel's name for this boot; what ran before it does not live.
pub fn boot() -> String {
    let id = read_kernel_file("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    String::from_utf8_lossy(id.trim_ascii()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: &str) -> End {
        let argv = ["/bin/sh", "-c", "echo said; exit \"$0\"", code];
        match run_captured(argv, 64, Instant::now() + Duration::from_secs(60)) {
            Ok(answer) if answer.stdout == b"said\n" => answer.end,
            Ok(answer) => panic!("{:?}", answer.stdout),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn one_after_the_other_leaves_nothing_open() {
        let open = || std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let before = open();
        for _ in 0..200 {
            assert_eq!(exit("3"), End { exit: Some(3), signal: None });
        }
        // Other tests open something too.
        assert!(open() < before + 100, "{before} descriptors became {}", open());
    }

    #[test]
    fn two_at_a_time_keep_their_ends_apart() {
        let threads = ["1", "2", "3"].map(|code| {
            std::thread::spawn(move || {
                (0..20).all(|_| exit(code).exit.map(|exit| exit.to_string()) == Some(code.into()))
            })
        });
        assert!(threads.into_iter().all(|thread| thread.join().is_ok_and(|well| well)));
    }
}
