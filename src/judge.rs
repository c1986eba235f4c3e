//! The judgement: who calls, and what may they start? Pure, and the same in both halves.
//!
//! All keys are compared every time, in constant time, and every limit is evaluated whether or not
//! the keys are right, so that refusals cannot be told apart by the work they cost.

use std::fmt;
use std::net::IpAddr;

use chrono::NaiveDate;

use crate::config::{Config, MagicKey, Starts, Task};
use crate::credentials::{Credentials, Flaw};
use crate::key::Digest;
use crate::text::Quoted;

/// The proof that this caller may start this task now. [`judge`] alone makes one, or the [`PanelPermit`] that it made.
///
/// Judged by a [glance](crate::config::glance) it is a `Permit<'_, Glanced>`. The root half can be asked with it, but
/// nothing can be started: [`turn::take`](crate::turn::take) accepts only the permit of a task that was read in full.
pub struct Permit<'c, S = Starts<'c>> {
    task: &'c Task<'c, S>,
    who: Who<'c>,
    credentials: Credentials<'c>,
}

/// The proof that this caller may see the panel. [`judge`] alone makes one.
pub struct PanelPermit<'c, S = Starts<'c>> {
    config: &'c Config<'c, S>,
    key: &'c MagicKey<'c>,
    who: Who<'c>,
    credentials: Credentials<'c>,
}

/// The things that a valid pair of keys can open.
pub enum Granted<'c, S = Starts<'c>> {
    /// The one task that the identifier means.
    Task(Permit<'c, S>),
    /// The panel: every task that the magic key may start.
    Panel(PanelPermit<'c, S>),
}

/// The holder of the magic key, for the log: the label, or the key's place in the list, from 1.
#[derive(Clone, Copy)]
pub struct Who<'c> {
    /// The owner's words for the key.
    pub label: Option<&'c str>,
    /// The key's place in `magickey`, from 1.
    pub number: usize,
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.label {
            Some(label) => Quoted(label.as_bytes()).fmt(f),
            None => {
                f.write_str("#")?;
                self.number.fmt(f)
            }
        }
    }
}

/// That there is no permit, and whose magic key it was, where that was right.
pub struct Denied<'c> {
    /// Why.
    pub why: Denial,
    /// The caller, if the magic key tells.
    pub who: Option<Who<'c>>,
}

/// Why there is no permit. The caller never learns it; the log does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// 5a: the request is no pair of keys.
    Flawed(Flaw),
    /// 5b: no such magic key.
    MagicKey,
    /// 5c: no such identifier.
    Identifier,
    /// 5b and 5c.
    Both,
    /// 5d: the magic key's last day is over.
    Expired,
    /// 5e: the magic key is not for the caller's network.
    Network,
    /// 5f: the magic key is not for this task.
    Task,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Denial::Flawed(Flaw::Segments) => "5a the path is not /<magickey>/<identifier>",
            Denial::Flawed(Flaw::Mixed) => "5a keys in path and headers, or one header of the two",
            Denial::Flawed(Flaw::Method) => "5a the method is not GET, HEAD or POST",
            Denial::Flawed(Flaw::Body) => "5a the request's body broke off",
            Denial::Flawed(Flaw::LargeBody) => "5a the request's body is larger than 1 MiB",
            Denial::Flawed(Flaw::SlowBody) => "5a the request's body did not come within 3 s",
            Denial::Flawed(Flaw::NoLength) => {
                "5a the request's body came without a Content-Length, so that its end looks like a break"
            }
            Denial::Flawed(Flaw::Server) => "5a the web server refused it by itself",
            Denial::MagicKey => "5b wrong magic key",
            Denial::Identifier => "5c wrong identifier",
            Denial::Both => "5b 5c wrong magic key and identifier",
            Denial::Expired => "5d the magic key has expired",
            Denial::Network => "5e the magic key is not for this network",
            Denial::Task => "5f the magic key is not for this task",
        })
    }
}

impl<'c, S> Permit<'c, S> {
    /// The task.
    pub fn task(&self) -> &'c Task<'c, S> {
        self.task
    }

    /// The caller.
    pub fn who(&self) -> Who<'c> {
        self.who
    }

    /// The digest of its magic key.
    pub fn magic_key(&self) -> Digest {
        *self.credentials.magic_key.digest()
    }
}

impl<'c, S> PanelPermit<'c, S> {
    /// The caller.
    pub fn who(&self) -> Who<'c> {
        self.who
    }

    /// A permit for each task that this caller may start, in the file's order. A glance keeps none.
    pub fn permits(&self) -> impl Iterator<Item = Permit<'c, S>> + use<'c, '_, S> {
        let allowed = self.config.tasks.iter().filter(|task| self.key.may_start(&task.id));
        allowed.map(|task| Permit { task, who: self.who, credentials: self.credentials })
    }
}

impl<'c, S> Granted<'c, S> {
    /// The caller.
    pub fn who(&self) -> Who<'c> {
        match self {
            Granted::Task(permit) => permit.who,
            Granted::Panel(panel) => panel.who,
        }
    }

    /// The keys that proved it, to be proven again by the root half.
    pub fn credentials(&self) -> Credentials<'c> {
        match self {
            Granted::Task(permit) => permit.credentials,
            Granted::Panel(panel) => panel.credentials,
        }
    }

    /// The task, where the identifier is one's.
    pub fn one(&self) -> Option<&'c Task<'c, S>> {
        match self {
            Granted::Task(permit) => Some(permit.task),
            Granted::Panel(_) => None,
        }
    }

    /// The permit for the task, where the identifier is a task's.
    pub fn task(self) -> Option<Permit<'c, S>> {
        match self {
            Granted::Task(permit) => Some(permit),
            Granted::Panel(_) => None,
        }
    }
}

/// Judges the keys of a request on the local day `today`, from the address `from`.
///
/// Both halves judge by this one function. It never looks at what a task starts.
pub fn judge<'c, S>(
    config: &'c Config<'c, S>,
    credentials: Credentials<'c>,
    flaw: Option<Flaw>,
    from: Option<IpAddr>,
    today: NaiveDate,
) -> Result<Granted<'c, S>, Denied<'c>> {
    let mut magic_key = None;
    for (at, entry) in config.server.magic_keys.iter().enumerate() {
        let right = credentials.magic_key.matches(&entry.key);
        let in_time = entry.expires.is_none_or(|last| today <= last);
        let in_network = entry.from.is_empty() || entry.from.iter().any(|net| within(net, from));
        if right {
            let who = Who { label: entry.label.as_deref(), number: at + 1 };
            magic_key = Some((who, in_time, in_network));
        }
    }
    let mut task = None;
    for (at, entry) in config.tasks.iter().enumerate() {
        let all = entry.identifiers.iter();
        let right = all.fold(false, |right, key| right | credentials.identifier.matches(key));
        if right {
            task = Some(at);
        }
    }
    let panel = config.server.panel.as_ref().is_some_and(|key| credentials.identifier.matches(key));
    // For a wrong key the first entry's list is searched in its place.
    let (key_at, task_at) = (magic_key.map_or(0, |(who, ..)| who.number - 1), task.unwrap_or(0));
    let allowed = match (config.server.magic_keys.get(key_at), config.tasks.get(task_at)) {
        (Some(key), Some(task)) => key.may_start(&task.id),
        _ => false,
    };

    let why = match (flaw, magic_key, task) {
        (Some(flaw), ..) => Denial::Flawed(flaw),
        (None, None, None) if !panel => Denial::Both,
        (None, None, _) => Denial::MagicKey,
        (None, Some(_), None) if !panel => Denial::Identifier,
        (None, Some((_, false, _)), _) => Denial::Expired,
        (None, Some((_, _, false)), _) => Denial::Network,
        (None, Some((who, ..)), None) => {
            let key = &config.server.magic_keys[key_at];
            return Ok(Granted::Panel(PanelPermit { config, key, who, credentials }));
        }
        (None, Some(_), Some(_)) if !allowed => Denial::Task,
        (None, Some((who, ..)), Some(task)) => {
            return Ok(Granted::Task(Permit { task: &config.tasks[task], who, credentials }));
        }
    };
    Err(Denied { why, who: magic_key.map(|(who, ..)| who) })
}

fn within(net: &ipnet::IpNet, from: Option<IpAddr>) -> bool {
    from.is_some_and(|address| net.contains(&address))
}

#[cfg(test)]
mod tests;
