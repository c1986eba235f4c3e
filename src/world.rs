//! Step 0: the root half makes its own world.
//!
//! sudo hands on much of its caller's: its terminal, ignored signals, limits, umask, niceness, timer slack, working
//! directory, PATH, TZ, and by `-P` its groups. Nothing of that may steer what root does.

use std::num::NonZeroU64;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{
    chdir, geteuid, getppid, getrlimit, setpgid, setpriority_process, setrlimit, setsid, umask, Gid, Pid, Resource,
    Rlimit,
};
use rustix::thread::{set_current_timer_slack, set_thread_groups, set_thread_res_gid};
use signal_hook::consts::{
    FORBIDDEN, SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1,
    SIGUSR2, SIGVTALRM, SIGWINCH,
};

use crate::files::read_kernel_file;
use crate::outcome::Outcome;
use crate::step::Step;

const STACK: u64 = 8 << 20;
const FILES: u64 = 1024;
// The kernel's own defaults, in bytes.
const LOCKED: u64 = 8 << 20;
const QUEUED: u64 = 819_200;
// The kernel's own as well, in nanoseconds. Setting "the default" would set what the caller handed on.
const SLACK: Option<NonZeroU64> = NonZeroU64::new(50_000);

/// Frees the process of all that its caller has set; an error names the thing that could not be set.
///
/// Who has no right to raise what was lowered (an unprivileged installation with `elevate: []`, root in
/// a container) goes as high as it may. Root on a NAS has it (capabilities(7), CAP_SYS_RESOURCE).
pub fn sanitize_process() -> Result<(), Outcome> {
    let fault = |step: Step| move |e: std::io::Error| Outcome::not_started(step, e);
    own_session().map_err(fault(Step::OwnSession))?;
    unignore_signals().map_err(fault(Step::Signals))?;
    umask(Mode::from_raw_mode(0o077)); // 0b
    chdir("/").map_err(|e| fault(Step::WorkingFolder)(e.into()))?;
    limits().map_err(|e| fault(Step::Limits)(e.into()))?;
    priority().map_err(fault(Step::Priority))?;
    forget_environment(); // 0f
    set_current_timer_slack(SLACK).map_err(|e| fault(Step::TimerSlack)(e.into()))?;
    own_groups().map_err(|e| fault(Step::Groups)(e.into()))?;
    Ok(())
}

/// A session of its own: then no terminal of the caller's can stop it, end it, or hold what it writes.
///
/// A process that leads its group can make no session (setsid(2)); in its parent's group it leads none. A process that
/// leads a session, or has no parent in it any more, stays there, which is as good where it has no terminal.
fn own_session() -> std::io::Result<()> {
    if setsid().is_ok() {
        return Ok(());
    }
    // Not getpgid(2): a group of another PID namespace has the number 0, which is no `Pid`.
    let parent = getppid().map_or(0, |parent| parent.as_raw_nonzero().get());
    let group = field(&stat_of(&parent.to_string()), GROUP).and_then(Pid::from_raw);
    let _ = group.map(|group| setpgid(None, Some(group)));
    if setsid().is_ok() || field(&stat_of("self"), TERMINAL) == Some(0) {
        return Ok(());
    }
    Err(std::io::Error::other("it leads a session that has a terminal"))
}

// Places in /proc/PID/stat, from the process's state on (proc(5)).
const GROUP: usize = 2;
const TERMINAL: usize = 4;

fn stat_of(process: &str) -> String {
    let stat = read_kernel_file(&format!("/proc/{process}/stat")).unwrap_or_default();
    String::from_utf8_lossy(&stat).into_owned()
}

fn field(stat: &str, at: usize) -> Option<i32> {
    // The process's name, in parentheses, may contain anything.
    stat.rsplit_once(") ")?.1.split(' ').nth(at)?.parse().ok()
}

/// Root's group alone, whatever groups `sudo -P` let the caller keep.
fn own_groups() -> Result<(), Errno> {
    if !geteuid().is_root() {
        return Ok(());
    }
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
    set_thread_groups(&[Gid::ROOT])
}

/// An ignored signal stays so through exec(2), and an ignored SIGCHLD loses exit codes. A handler
/// takes the place of "ignored", and exec turns a handled signal into the default one.
///
/// What a terminal or a clock of the caller's could send (stop, hang up, alarm) is handled too, by
/// doing nothing: else the caller could hold or end the root half between two steps.
///
/// SIGILL, SIGFPE and SIGSEGV cannot be handled by safe code. A fault of the program's own kills it
/// all the same: the kernel does not let it ignore that. 32 and 33 are the C library's own, which it
/// lets nobody change (nptl(7)).
fn unignore_signals() -> std::io::Result<()> {
    let ignored = ignored_signals(&String::from_utf8_lossy(&read_kernel_file("/proc/self/status")?));
    let nothing = Arc::new(AtomicBool::new(false));
    for signal in ignored.into_iter().chain(SENDABLE) {
        // std ignores SIGPIPE for us and resets it in each child.
        let others = signal == SIGPIPE || FORBIDDEN.contains(&signal) || matches!(signal, 32 | 33);
        if !others {
            signal_hook::flag::register(signal, Arc::clone(&nothing))?;
        }
    }
    Ok(())
}

/// The signals that a terminal or a timer of the caller's sends.
const SENDABLE: [i32; 13] = [
    SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGALRM, SIGVTALRM, SIGPROF, SIGUSR1, SIGUSR2,
    SIGWINCH,
];

/// The numbers in the mask `SigIgn` of `/proc/PID/status` (proc(5)).
fn ignored_signals(status: &str) -> Vec<i32> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).unwrap_or(0);
    (1..=64).filter(|signal| mask >> (signal - 1) & 1 == 1).collect()
}

fn limits() -> Result<(), Errno> {
    use Resource::{As, Cpu, Data, Fsize, Locks, Memlock, Msgqueue, Nofile, Nproc, Rss, Sigpending, Stack};
    for resource in [Cpu, Fsize, As, Data, Rss, Nproc, Locks, Sigpending] {
        set_limit(resource, Rlimit { current: None, maximum: None })?;
    }
    set_limit(Stack, Rlimit { current: Some(STACK), maximum: None })?;
    for (resource, least) in [(Nofile, FILES), (Memlock, LOCKED), (Msgqueue, QUEUED)] {
        let now = getrlimit(resource);
        let at_least = |limit: Option<u64>| limit.map(|limit| limit.max(least));
        set_limit(resource, Rlimit { current: at_least(now.current), maximum: at_least(now.maximum) })?;
    }
    Ok(())
}

fn set_limit(resource: Resource, limit: Rlimit) -> Result<(), Errno> {
    match setrlimit(resource, limit) {
        Err(Errno::PERM) => {
            let maximum = getrlimit(resource).maximum;
            let current = match (limit.current, maximum) {
                (Some(wanted), Some(most)) => Some(wanted.min(most)),
                (wanted, most) => wanted.or(most),
            };
            setrlimit(resource, Rlimit { current, maximum })
        }
        result => result,
    }
}

fn priority() -> std::io::Result<()> {
    let allowed = |result: std::io::Result<()>| match result {
        Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    };
    allowed(setpriority_process(None, 0).map_err(Into::into))?;
    allowed(std::fs::write("/proc/self/oom_score_adj", "0"))
}

fn forget_environment() {
    for (name, _) in std::env::vars_os() {
        std::env::remove_var(name);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_process_s_group_and_terminal() {
        for (stat, expected) in [
            ("7 (run) R 1 7 9 0 -1 4194560", (Some(7), Some(0))),
            ("7 (a) R 2 3 4 5 b) R 1 7 9 34816 7 4194560", (Some(7), Some(34816))),
            ("7 (run) R 1 7 9", (Some(7), None)),
            ("", (None, None)),
        ] {
            assert_eq!((super::field(stat, super::GROUP), super::field(stat, super::TERMINAL)), expected, "{stat}");
        }
    }

    #[test]
    fn the_mask_of_ignored_signals() {
        for (status, expected) in [
            ("Name:\tx\nSigIgn:\t0000000000000000\n", vec![]),
            ("SigIgn:\t0000000000001000\nSigCgt:\tffff\n", vec![13]),
            ("SigIgn:\t8000000000010001\n", vec![1, 17, 64]),
            ("", vec![]),
        ] {
            assert_eq!(super::ignored_signals(status), expected, "{status}");
        }
    }
}
