//! config.json: its content, or the place of its first fault and the action against it.
//!
//! ```json
//! { "server": { "magickey": [ { "label": "phone", "key": "sha256:…" } ] },
//!   "tasks":  { "7": { "identifier": "sha256:…" } } }
//! ```
//! The fields of `server` may stand beside `tasks` instead. Nothing is ignored: an unknown field, a
//! doubled name, a value of a wrong type refuse the whole file, and a refused file starts nothing.

mod glance;
mod json;
mod schema;
mod values;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use chrono::NaiveDate;
use ipnet::IpNet;

use crate::key::{Digest, Key};
pub use schema::nearly;
pub use values::{as_argv, network};

/// A valid configuration. It borrows from the file's text.
///
/// [`read`] makes one whose tasks can be started. [`glance`] makes a `Config<'_, Glanced>`, with which nothing can.
#[derive(Debug)]
pub struct Config<'t, S = Starts<'t>> {
    /// The fields of `server`.
    pub server: Server<'t>,
    /// The tasks, in the file's order.
    pub tasks: Vec<Task<'t, S>>,
}

/// The callers that may start something, and the settings of the programs.
#[derive(Debug)]
pub struct Server<'t> {
    /// Address of the own-port installation's web server; a CGI does not listen.
    pub listen: IpAddr,
    /// Port of the same.
    pub port: u16,
    /// The magic keys; at least one.
    pub magic_keys: Vec<MagicKey<'t>>,
    /// Log more. Never changes an answer.
    pub debug: bool,
    /// The argv prefix that reaches root; `None` is [`ELEVATE`].
    pub elevate: Option<Vec<Cow<'t, str>>>,
    /// The method that starts a scheduled task.
    pub scheduler: Scheduler,
    /// Path of DSM's scheduler program.
    pub synoschedtask: Cow<'t, str>,
    /// Path of DSM's program for its web API.
    pub synowebapi: Cow<'t, str>,
    /// Path of the scheduler's store.
    pub synoschedule: Cow<'t, str>,
    /// The method that starts a triggered task.
    pub events: Events,
    /// Path of DSM's program for triggered tasks.
    pub esynoscheduler: Cow<'t, str>,
    /// The name of the NAS on the pages.
    pub title: Option<Cow<'t, str>>,
    /// The key of the panel, in an identifier's place.
    pub panel: Option<Key>,
    /// The argv that the keeper runs after a run went wrong; its first element is an absolute path.
    pub on_failure: Option<Vec<Cow<'t, str>>>,
}

/// The method that starts a triggered task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Events {
    /// By DSM's web API, which hands it to DSM.
    #[default]
    Synowebapi,
    /// By DSM's own program, which waits for the task's end and is kept.
    Esynoscheduler,
}

impl Events {
    /// As config.json has it.
    pub fn word(self) -> &'static str {
        match self {
            Events::Synowebapi => "synowebapi",
            Events::Esynoscheduler => "esynoscheduler",
        }
    }
}

/// The method that starts a scheduled task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheduler {
    /// By the scheduler's own program.
    #[default]
    Synoschedtask,
    /// By DSM's web API, as the Run button of its page does.
    Synowebapi,
    /// By the task's own script, read from the scheduler's store.
    Direct,
}

impl Scheduler {
    /// As config.json has it.
    pub fn word(self) -> &'static str {
        match self {
            Scheduler::Synoschedtask => "synoschedtask",
            Scheduler::Synowebapi => "synowebapi",
            Scheduler::Direct => "direct",
        }
    }
}

/// `elevate`, if the file does not say otherwise.
pub const ELEVATE: [&str; 2] = ["/usr/bin/sudo", "-n"];
/// `synoschedtask`, if the file does not say otherwise.
pub const SYNOSCHEDTASK: &str = "/usr/syno/bin/synoschedtask";
/// `synowebapi`, if the file does not say otherwise.
pub const SYNOWEBAPI: &str = "/usr/syno/bin/synowebapi";
/// `synoschedule`, if the file does not say otherwise.
pub const SYNOSCHEDULE: &str = "/usr/syno/etc/synoschedule.d";
/// `esynoscheduler`, if the file does not say otherwise.
pub const ESYNOSCHEDULER: &str = "/usr/syno/sbin/esynoscheduler";
/// `listen` and `port`, if the file does not say otherwise.
pub const LISTEN: (IpAddr, u16) = (IpAddr::V4(Ipv4Addr::LOCALHOST), 10765);
/// `wait`, if the file does not say otherwise, in seconds.
pub const WAIT: u64 = 2;
/// The largest `wait`, in seconds.
pub const WAIT_MAX: u64 = 30;
/// The largest `timeout` and `cooldown`, in seconds: a week.
pub const WEEK: u64 = 7 * 24 * 60 * 60;

impl Server<'_> {
    /// The argv prefix that reaches root; empty for none.
    pub fn elevate(&self) -> Vec<&str> {
        match &self.elevate {
            Some(argv) => argv.iter().map(Cow::as_ref).collect(),
            None => ELEVATE.to_vec(),
        }
    }

    /// Returns true where a keeper stays with what is started: then its end is known, and it is not started twice at a
    /// time. Of what is handed to DSM, DSM alone knows.
    pub fn keeps<'s, S>(&self, task: &'s Task<'_, S>) -> bool
    where
        Glanced: From<&'s S>,
    {
        match Glanced::from(&task.starts) {
            Glanced::Command => true,
            Glanced::Scheduled => self.scheduler == Scheduler::Direct,
            Glanced::Event => self.events == Events::Esynoscheduler,
        }
    }

    /// Returns true where a run of the task stands against no other start: it may overlap, or DSM alone knows of its runs.
    pub fn may_overlap<'s, S>(&self, task: &'s Task<'_, S>) -> bool
    where
        Glanced: From<&'s S>,
    {
        !self.keeps(task) || task.keeping.overlap == Overlap::Parallel
    }

    /// The time that an answer waits for the end of what this task starts, in seconds; both halves ask here.
    pub fn wait<'s, S>(&self, task: &'s Task<'_, S>) -> u64
    where
        Glanced: From<&'s S>,
    {
        match self.keeps(task) {
            true => task.keeping.wait,
            false => 0,
        }
    }
}

/// One magic key: who it is, and what it may do.
#[derive(Debug)]
pub struct MagicKey<'t> {
    /// The key.
    pub key: Key,
    /// Its holder, in the owner's words.
    pub label: Option<Cow<'t, str>>,
    /// The last valid day, local time.
    pub expires: Option<NaiveDate>,
    /// Callers' networks; empty for any.
    pub from: Vec<IpNet>,
    /// The ids of the only tasks it may start; `None` for all.
    pub tasks: Option<Vec<Cow<'t, str>>>,
}

impl MagicKey<'_> {
    /// Returns true if this key may start the task of this id.
    pub fn may_start(&self, id: &str) -> bool {
        self.tasks.as_ref().is_none_or(|only| only.iter().any(|task| task == id))
    }
}

/// One task that a URL can start.
#[derive(Debug)]
pub struct Task<'t, S = Starts<'t>> {
    /// Its name in `tasks`; never empty.
    pub id: Cow<'t, str>,
    /// The keys that mean it; at least one (two while one is being replaced).
    pub identifiers: Vec<Key>,
    /// Shown to callers instead of the id.
    pub name: Option<Cow<'t, str>>,
    /// The effect of a GET.
    pub get: Get,
    /// The time from one start to the next, in seconds; 0 for none.
    pub cooldown: u64,
    /// The way in which its runs are kept, if a keeper stays with them.
    pub keeping: Keeping,
    /// The thing that it starts, or what a glance keeps of that.
    pub starts: S,
}

/// The effect of a GET of a task's URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Get {
    /// It starts the task.
    #[default]
    Run,
    /// It shows the page with the button.
    Confirm,
}

/// The way in which a run is kept. For a task that DSM runs, the file cannot say any of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// The answer to a second start while a run is alive.
    pub overlap: Overlap,
    /// The time after which a run is ended, in seconds.
    pub timeout: Option<u64>,
    /// The time that an answer waits for the end, in seconds, at most [`WAIT_MAX`].
    pub wait: u64,
    /// True if callers are shown the last lines of its output.
    pub output: bool,
    /// True if callers may stop it.
    pub stop: bool,
}

impl Default for Keeping {
    fn default() -> Keeping {
        Keeping { overlap: Overlap::Skip, timeout: None, wait: WAIT, output: false, stop: false }
    }
}

/// The answer to a start while a run of the task is alive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overlap {
    /// It is refused.
    #[default]
    Skip,
    /// It begins as well.
    Parallel,
}

/// The thing that a task starts.
#[derive(Debug)]
pub enum Starts<'t> {
    /// The task of DSM's Task Scheduler that has this number.
    Scheduled(u32),
    /// The triggered task of this name.
    Event(Cow<'t, str>),
    /// This argv, executed as it stands, without a shell; its first element is an absolute path.
    Command(Vec<Cow<'t, str>>),
}

/// The part of [`Starts`] that a glance keeps: nothing that could be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glanced {
    /// A task of DSM's Task Scheduler.
    Scheduled,
    /// A triggered task.
    Event,
    /// A command.
    Command,
}

impl From<&Glanced> for Glanced {
    fn from(starts: &Glanced) -> Glanced {
        *starts
    }
}

impl From<&Starts<'_>> for Glanced {
    fn from(starts: &Starts<'_>) -> Glanced {
        match starts {
            Starts::Scheduled(_) => Glanced::Scheduled,
            Starts::Event(_) => Glanced::Event,
            Starts::Command(_) => Glanced::Command,
        }
    }
}

impl<S> Task<'_, S> {
    /// The name that callers are shown, or else the id.
    pub fn shown(&self) -> &str {
        self.name.as_ref().unwrap_or(&self.id)
    }
}

/// Why a file is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, counted in bytes; where the faulty thing ends. 0 where a line has nothing.
    pub column: usize,
    /// The field, what is wrong with it, and what to do.
    pub message: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "config.json:{}:{}: {}", self.line, self.column, self.message)
    }
}

impl Refusal {
    /// The place of the fault, without a word of the file.
    pub fn place(&self) -> String {
        format!("config.json has a fault at line {}, column {}; remotetask check names it", self.line, self.column)
    }
}

/// Reads a configuration as the web half does: the magic keys, and of the tasks only those that the presented
/// `identifier` means, with nothing that could be started. All identifiers are compared.
///
/// A refused request pays for every task of the file, and what would be found by reading it whole
/// costs it several times as much. A file with such a fault starts nothing all the same, because the
/// root half reads it by [`read`].
pub fn glance<'t>(content: &'t [u8], identifier: &Digest) -> Result<Config<'t, Glanced>, Refusal> {
    glance::glance(text(content)?, identifier)
}

/// Reads a configuration as the root half and the workbench do: every field is judged, and the
/// places of the file are compared with each other (equal keys, a task named twice, a magic key's
/// `tasks` that do not exist).
pub fn read(content: &[u8]) -> Result<Config<'_>, Refusal> {
    schema::read(text(content)?)
}

fn text(content: &[u8]) -> Result<&str, Refusal> {
    if content.starts_with(b"\xef\xbb\xbf") {
        let message = "the file begins with a byte order mark; save it as UTF-8 without BOM".into();
        return Err(Refusal { line: 1, column: 1, message });
    }
    std::str::from_utf8(content).map_err(|e| {
        let before = &content[..e.valid_up_to()];
        let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|&&b| b != b'\n').count() + 1;
        Refusal { line, column, message: "this is not UTF-8; save the file as UTF-8".into() }
    })
}

#[cfg(test)]
mod tests;
