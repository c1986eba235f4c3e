//! Processes and their descendants, by `/proc/PID/stat` (proc(5)), and the way in which all of them are ended.

use std::collections::HashSet;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{geteuid, kill_process, Pid, Signal};

use crate::files::read_kernel_file;
use crate::text::beginning;

/// The time between the request to end (TERM) and the end (KILL).
pub const GRACE: Duration = Duration::from_secs(5);
/// The pause between two looks for who is left: before KILL; from then on at first, and where nobody new comes at last.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(20), Duration::from_secs(1)];
/// Looks in a row, without a pause, for what was started while the others were killed.
const HASTE: usize = 20;
/// The time that these looks may take together; the next round goes on.
const ROUND: Duration = Duration::from_secs(2);
/// The longest value of a variable, in bytes.
const VARIABLE_MAX: usize = 4096;
/// The part of a process's environment that is looked at, in bytes.
const ENVIRONMENT_MAX: u64 = 64 << 10;

/// A process as it can be found again: its id alone is used anew one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Its start, in clock ticks since boot (proc(5), `/proc/PID/stat`, field 22).
    pub start: u64,
}

impl Process {
    /// The living process of this id; a zombie is none.
    pub fn of(pid: i32) -> Option<Process> {
        Entry::of(pid).filter(|entry| entry.lives).map(|entry| entry.process)
    }

    /// Returns true unless this very process is known to have gone: a fault of the system's proves nothing.
    pub fn may_live(&self) -> bool {
        match stat_of(self.pid) {
            Ok(stat) => Entry::parse(self.pid, &stat).is_some_and(|entry| entry.lives && entry.process == *self),
            Err(e) => !matches!(Errno::from_io_error(&e), Some(Errno::NOENT | Errno::SRCH)), // 6m
        }
    }

    /// Returns true while this very process lives.
    pub fn lives(&self) -> bool {
        Process::of(self.pid) == Some(*self)
    }
}

/// A process as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The process.
    pub process: Process,
    /// Its parent's id.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// Its session.
    pub session: i32,
    /// False for a zombie. One whose first thread alone has ended lives.
    pub lives: bool,
}

impl Entry {
    /// Returns the process of this id.
    pub fn of(pid: i32) -> Option<Entry> {
        Entry::parse(pid, &stat_of(pid).ok()?)
    }

    fn parse(pid: i32, stat: &[u8]) -> Option<Entry> {
        // The name in parentheses may hold anything, a parenthesis too.
        let after = stat.iter().rposition(|&b| b == b')')?;
        let fields: Vec<&str> = std::str::from_utf8(stat.get(after + 2..)?).ok()?.split(' ').collect();
        let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
        let ended = matches!(fields[..], ["Z" | "X", ..]);
        Some(Entry {
            process: Process { pid, start: fields.get(19)?.parse().ok()? },
            parent: number(1)?,
            group: number(2)?,
            session: number(3)?,
            lives: !ended || number(17)? > 1,
        })
    }

    /// Returns every process.
    pub fn all() -> Vec<Entry> {
        pids().into_iter().filter_map(Entry::of).collect()
    }
}

fn stat_of(pid: i32) -> std::io::Result<Vec<u8>> {
    read_kernel_file(&format!("/proc/{pid}/stat"))
}

/// Returns the id of every process.
pub fn pids() -> Vec<i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Returns a process's four user ids: real, effective, saved, and for files.
fn users(pid: i32) -> Option<[u32; 4]> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    let ids: Vec<u32> = line.split_ascii_whitespace().map_while(|id| id.parse().ok()).collect();
    ids.try_into().ok()
}

/// Returns true for a process that root has started: it is root's alone, and its program is not setuid. A program that is
/// may have been started by anybody, with any words, and be all root's while it waits for a password.
pub fn is_roots_own(pid: i32) -> bool {
    let is_setuid = |meta: std::fs::Metadata| meta.mode() & 0o4000 != 0;
    users(pid) == Some([0; 4]) && std::fs::metadata(format!("/proc/{pid}/exe")).is_ok_and(|exe| !is_setuid(exe))
}

/// Returns the living ones among `all` that are a root, or descend from one.
pub fn below(all: &[Entry], is_root: impl Fn(&Entry) -> bool) -> Vec<Process> {
    let mut members: HashSet<i32> = all.iter().filter(|entry| is_root(entry)).map(|entry| entry.process.pid).collect();
    loop {
        let children = all.iter().filter(|entry| members.contains(&entry.parent)).map(|entry| entry.process.pid);
        let grown: HashSet<i32> = children.chain(members.iter().copied()).collect();
        if grown.len() == members.len() {
            break;
        }
        members = grown;
    }
    let member = |entry: &&Entry| entry.lives && members.contains(&entry.process.pid);
    all.iter().filter(member).map(|entry| entry.process).collect()
}

/// Returns the variables by which a run's processes are found when nothing else leads to them any more.
pub fn marks(task: &str, run: &str) -> [(&'static str, String); 2] {
    [("REMOTETASK_TASK", variable(task)), ("REMOTETASK_RUN", run.to_owned())]
}

/// Returns true for a process whose environment has these variables. The owner's command after a failure has them too,
/// and the run's state: it is not the run's.
///
/// Others' processes are not looked into: they could put their environment where reading it never ends (before Linux 4.17,
/// CVE-2018-1120), and be ended by root for having the variables.
pub fn is_marked(pid: i32, marks: &[(&str, String)]) -> bool {
    let is_own = match geteuid().as_raw() {
        0 => is_roots_own(pid),
        own => users(pid) == Some([own; 4]),
    };
    if !is_own {
        return false;
    }
    has_marks(&environment(pid).unwrap_or_default(), marks)
}

/// Each of them once: an environment with the names of many runs is none of theirs.
fn has_marks(environment: &[u8], marks: &[(&str, String)]) -> bool {
    let of = |name: &str| {
        let name = format!("{name}=").into_bytes();
        environment.split(|&b| b == 0).filter(move |variable| variable.starts_with(&name)).collect::<Vec<_>>()
    };
    marks.iter().all(|(name, value)| of(name) == [format!("{name}={value}").as_bytes()])
        && of("REMOTETASK_STATE").is_empty()
}

/// Returns true for a process whose standard output or error is one of these pipes. Whatever a run starts has them from
/// it, as another user and in a session of its own too, until it redirects both.
pub fn writes_into(pid: i32, pipes: &[u64]) -> bool {
    let is_one = |link: PathBuf| pipes.iter().any(|pipe| link.as_os_str() == format!("pipe:[{pipe}]").as_str());
    [1, 2].into_iter().any(|fd| std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).is_ok_and(is_one))
}

fn environment(pid: i32) -> std::io::Result<Vec<u8>> {
    let mut environment = Vec::new();
    let file = std::fs::File::open(format!("/proc/{pid}/environ"))?;
    file.take(ENVIRONMENT_MAX).read_to_end(&mut environment)?;
    Ok(environment)
}

/// Outside text as the value of a variable: bounded, and without the byte that would end it.
pub fn variable(text: &str) -> String {
    beginning(text, VARIABLE_MAX).replace('\0', "")
}

/// Sends a signal to this very process: its id alone may be another one's by now.
pub fn send(process: Process, signal: Signal) {
    if let (true, Some(pid)) = (process.lives(), Pid::from_raw(process.pid)) {
        let _ = kill_process(pid, signal);
    }
}

/// The end of a tree of processes: TERM to each, and after the grace KILL to who is left.
pub struct Strike {
    kill: Instant,
    next: Instant,
    pause: Duration,
    asked: HashSet<Process>,
    killed: HashSet<Process>,
}

impl Strike {
    /// Begins now.
    pub fn begin() -> Strike {
        let now = Instant::now();
        Strike { kill: now + GRACE, next: now, pause: PAUSES[1], asked: HashSet::new(), killed: HashSet::new() }
    }

    /// The time of the next round.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Tells those whom `find` finds now, and returns true if there was anybody.
    pub fn round(&mut self, find: impl Fn() -> Vec<Process>) -> bool {
        let killing = Instant::now() >= self.kill;
        let found = match killing {
            true => self.kill_all(&find, Instant::now() + ROUND),
            false => self.ask(find()),
        };
        let now = Instant::now();
        self.next = if killing { now + self.pause } else { self.kill.min(now + PAUSES[0]) };
        found
    }

    fn ask(&mut self, found: Vec<Process>) -> bool {
        for process in &found {
            if self.asked.insert(*process) {
                send(*process, Signal::TERM);
            }
        }
        !found.is_empty()
    }

    /// Kills until nobody new is found: a process that starts the next one and goes is not to get away.
    fn kill_all(&mut self, find: &impl Fn() -> Vec<Process>, due: Instant) -> bool {
        let (mut anybody, before) = (false, self.killed.len());
        for _ in 0..HASTE {
            let known = self.killed.len();
            for process in find() {
                anybody = true;
                self.killed.insert(process);
                send(process, Signal::KILL);
            }
            if self.killed.len() == known || Instant::now() >= due {
                break;
            }
        }
        // A process that hangs in the kernel dies once it returns from there.
        self.pause = if self.killed.len() > before { PAUSES[1] } else { PAUSES[2].min(self.pause * 2) };
        anybody
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pid: i32, parent: i32) -> Entry {
        Entry { process: Process { pid, start: 1 }, parent, group: pid, session: pid, lives: pid != 5 }
    }

    #[test]
    fn who_descends_from_whom() {
        // 5 is a zombie, 6 its child; 3 is listed before its parent, whose number is larger.
        let all = [(1, 0), (2, 1), (3, 9), (9, 2), (5, 2), (6, 5), (7, 1)].map(|(pid, parent)| entry(pid, parent));
        let mut found: Vec<i32> = below(&all, |entry| entry.parent == 2).iter().map(|process| process.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [3, 6, 9]);
        assert!(below(&all, |_| false).is_empty());
    }

    #[test]
    fn this_very_process() {
        let own = std::process::id() as i32;
        let entry = Entry::of(own).expect("this process");
        assert!(entry.lives && entry.process.lives() && Entry::all().contains(&entry));
        assert_eq!(Some(entry.process), Process::of(own));
        // A signal to another one of this number is not sent.
        send(Process { pid: own, start: entry.process.start + 1 }, Signal::KILL);
    }

    /// Somebody new in each look: a round is over in time even so.
    #[test]
    fn a_round_has_an_end() {
        for (due, expected) in [(Instant::now(), 1), (Instant::now() + Duration::from_secs(3600), HASTE)] {
            let looks = std::cell::Cell::new(0);
            let find = || {
                looks.set(looks.get() + 1);
                // Of no process that there is: a number beyond the kernel's.
                vec![Process { pid: i32::MAX - looks.get(), start: 1 }]
            };
            assert!(Strike::begin().kill_all(&find, due));
            assert_eq!(looks.get(), expected as i32);
        }
    }

    #[test]
    fn the_marks_of_one_run() {
        for (environment, expected) in [
            ("A=b\0REMOTETASK_TASK=t\0REMOTETASK_RUN=1", true),
            ("REMOTETASK_RUN=1\0REMOTETASK_TASK=t\0", true),
            ("REMOTETASK_TASK=t\0REMOTETASK_RUN=2", false),
            ("REMOTETASK_TASK=t", false),
            ("REMOTETASK_TASK=t\0REMOTETASK_RUN=2\0REMOTETASK_RUN=1", false),
            ("REMOTETASK_TASK=t\0REMOTETASK_RUN=1\0REMOTETASK_STATE=failed", false),
            ("", false),
        ] {
            assert_eq!(has_marks(environment.as_bytes(), &marks("t", "1")), expected, "{environment:?}");
        }
    }

    #[test]
    fn no_more_of_an_environment_is_read() {
        let mut command = std::process::Command::new("sleep");
        let marks = [("REMOTETASK_RUN", "1".to_owned())];
        let long = "x".repeat(100 << 10);
        let mut child =
            command.arg("600").env_clear().env("REMOTETASK_RUN", "1").env("Z", long).spawn().expect("sleep");
        let pid = child.id() as i32;
        assert_eq!(
            (environment(pid).map_or(0, |read| read.len() as u64), is_marked(pid, &marks)),
            (ENVIRONMENT_MAX, true)
        );
        child.kill().and_then(|()| child.wait()).expect("its end");
    }
}
