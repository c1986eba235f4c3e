//! The line between the halves: one JSON object in, one out.
//!
//! In: `{"v":1,"do":"start","magickey":"…","identifier":"…","task":"7","after":"19ac…","from":"192.168.1.7","browser":false}`,
//! at most 4 KiB; `task`, `after`, `from` and `page` only where there is one. Out: `{"v":1,…}`, at most 64 KiB; without a proven pair always [`REFUSED`].

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;
use crate::judge::Granted;
use crate::outcome::Outcome;

/// The longest question, in bytes.
pub const ASK_MAX: usize = 4 << 10;
/// The longest answer, in bytes.
pub const REPLY_MAX: usize = 64 << 10;
/// The one answer to everything that is not a valid pair under a valid configuration.
pub const REFUSED: &str = "{\"v\":1,\"refused\":true}\n";

/// The name in the place of a run's, where a task was never started.
pub const NEVER: &str = "0";

const VERSION: u8 = 1;

/// The question of the web half to the root half. No `Debug`: it holds keys.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    v: u8,
    /// The order.
    #[serde(rename = "do")]
    pub what: Do,
    magickey: String,
    identifier: String,
    /// The id of the task that the panel is to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The name of the task's newest run when the form was made, or [`NEVER`]: only while that is still the newest may
    /// the form start the task, and it stops no newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The caller's address, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// True if a browser's GET asks: shortly after a start it is shown that run.
    pub browser: bool,
    /// True where a page is made of the answer, which tells of earlier runs as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub page: bool,
}

/// The order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Do {
    /// Start it.
    Start,
    /// Tell of the last run; start nothing.
    Look,
    /// Stop its runs, for a form none newer than its page; start nothing.
    Stop,
    /// Tell of every task that this caller may start; start nothing.
    Panel,
}

impl Ask {
    /// The question for a permitted request; there is no other way to one.
    pub fn new<S>(granted: &Granted<'_, S>, what: Do, from: Option<IpAddr>, browser: bool) -> Ask {
        let (magickey, identifier) = granted.credentials().text();
        Ask { v: VERSION, what, magickey, identifier, task: None, after: None, from, browser, page: false }
    }

    /// One line, the newline included.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// Reads a line; anything but exactly this form is none.
    pub fn from_line(line: &[u8]) -> Option<Ask> {
        object(line).filter(|ask: &Ask| ask.v == VERSION)
    }

    /// The keys, to be judged.
    pub fn credentials(&self) -> Credentials<'_> {
        Credentials::new(self.magickey.as_bytes(), self.identifier.as_bytes())
    }
}

/// The answer of the root half.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply {
    /// No valid pair, or no valid configuration.
    Refused,
    /// The outcome of the question.
    Outcome(Outcome),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

impl Reply {
    /// One line, the newline included.
    pub fn to_line(&self) -> Vec<u8> {
        let outcome = match self {
            Reply::Refused => return REFUSED.as_bytes().to_vec(),
            Reply::Outcome(outcome) => outcome.clone(),
        };
        let wire = Wire { v: VERSION, refused: None, outcome: Some(outcome) };
        let mut line = serde_json::to_vec(&wire).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// Reads a line; nonsense is none.
    pub fn from_line(line: &[u8]) -> Option<Reply> {
        match object(line)? {
            Wire { v: VERSION, refused: Some(true), outcome: None } => Some(Reply::Refused),
            Wire { v: VERSION, refused: None, outcome: Some(outcome) } => Some(Reply::Outcome(outcome)),
            _ => None,
        }
    }
}

/// Reads an object: serde takes a list of the values in their order for one too.
fn object<'l, T: Deserialize<'l>>(line: &'l [u8]) -> Option<T> {
    line.starts_with(b"{").then(|| serde_json::from_slice(line).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_no_line() {
        let ask = r#"{"v":1,"do":"look","magickey":"key-of-me","identifier":"task-key-7","browser":false}"#;
        let list = r#"[1,"look","key-of-me","task-key-7",null,null,null,false,false]"#;
        for (line, expected) in [(ask, true), (list, false), (&format!(" {ask}"), false), ("", false), ("{}", false)] {
            assert_eq!(Ask::from_line(line.as_bytes()).is_some(), expected, "{line}");
        }
        assert_eq!(Reply::from_line(REFUSED.as_bytes()), Some(Reply::Refused));
        assert_eq!(Reply::from_line(b"[1,true,null]"), None);
    }
}
