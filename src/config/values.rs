//! The values of config.json: each a function that takes a text and refuses it with what to write instead.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use chrono::NaiveDate;
use ipnet::IpNet;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use super::json::{under, List, Str};
use super::{Events, Get, Overlap, Scheduler};
use crate::key::Key;

/// Any text without a NUL byte, which no argument and no path can hold.
pub fn plain(text: Cow<'_, str>) -> Result<Cow<'_, str>, String> {
    match &text {
        // JSON has no control characters but escaped ones, and what is escaped is not borrowed.
        Cow::Owned(unescaped) if unescaped.contains('\0') => Err("a NUL byte cannot stand here; take it out".into()),
        _ => Ok(text),
    }
}

pub fn program(text: Cow<'_, str>) -> Result<Cow<'_, str>, String> {
    match text.starts_with('/') {
        true => plain(text),
        false => Err("a program is named by its whole path, which begins with /, such as \"/bin/sh\"".into()),
    }
}

pub fn folder(text: Cow<'_, str>) -> Result<Cow<'_, str>, String> {
    match text.starts_with('/') {
        true => plain(text),
        false => Err("a folder is named by its whole path, which begins with /, such as \"/usr/syno/etc\"".into()),
    }
}

pub fn event(text: Cow<'_, str>) -> Result<Cow<'_, str>, String> {
    match text.is_empty() {
        true => Err("the name is empty; write that of a triggered task, as DSM's Task Scheduler shows it".into()),
        false => plain(text),
    }
}

pub const SCHEDULERS: &str = "\"synoschedtask\", \"synowebapi\" or \"direct\"";

pub fn scheduler(text: Cow<'_, str>) -> Result<Scheduler, String> {
    match &*text {
        "synoschedtask" => Ok(Scheduler::Synoschedtask),
        "synowebapi" => Ok(Scheduler::Synowebapi),
        "direct" => Ok(Scheduler::Direct),
        _ => Err(format!("write {SCHEDULERS}")),
    }
}

pub const EVENTS: &str = "\"synowebapi\" or \"esynoscheduler\"";

pub fn events(text: Cow<'_, str>) -> Result<Events, String> {
    match &*text {
        "synowebapi" => Ok(Events::Synowebapi),
        "esynoscheduler" => Ok(Events::Esynoscheduler),
        _ => Err(format!("write {EVENTS}")),
    }
}

pub const GET: &str = "\"run\" or \"confirm\"";

pub fn get(text: Cow<'_, str>) -> Result<Get, String> {
    match &*text {
        "run" => Ok(Get::Run),
        "confirm" => Ok(Get::Confirm),
        _ => Err(format!("write {GET}")),
    }
}

pub const OVERLAP: &str = "\"skip\" or \"parallel\"";

pub fn overlap(text: Cow<'_, str>) -> Result<Overlap, String> {
    match &*text {
        "skip" => Ok(Overlap::Skip),
        "parallel" => Ok(Overlap::Parallel),
        _ => Err(format!("write {OVERLAP}")),
    }
}

pub fn key(text: Cow<'_, str>) -> Result<Key, String> {
    Key::parse(&text)
}

pub fn date(text: Cow<'_, str>) -> Result<NaiveDate, String> {
    let digits = text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    let number = |at: std::ops::Range<usize>| text.get(at)?.parse::<u16>().ok();
    let date = || NaiveDate::from_ymd_opt(number(0..4)?.into(), number(5..7)?.into(), number(8..10)?.into());
    let date = (digits && text.len() == 10).then(date).flatten();
    date.ok_or("the last valid day is written as \"2027-01-31\", a day that exists".into())
}

pub fn address(text: Cow<'_, str>) -> Result<IpAddr, String> {
    text.parse().map_err(|_| "this is no IP address; write one such as \"127.0.0.1\"".to_owned())
}

/// A network, or one address; the error says what to write.
pub fn network(text: Cow<'_, str>) -> Result<IpNet, String> {
    let net = match text.parse::<IpNet>() {
        Ok(net) => net,
        Err(_) => match text.parse() {
            Ok(address) => IpNet::from(IpAddr::to_canonical(&address)),
            Err(_) => return Err("write an address or a network, such as \"192.168.1.7\" or \"192.168.1.0/24\"".into()),
        },
    };
    match net.trunc() == net {
        true => Ok(net),
        false => Err(format!("this network has bits set behind its prefix; write \"{}\"", net.trunc())),
    }
}

/// Judges an argv's first word, once the list is read.
pub fn first_is_program<E: Error>(argv: Option<&[Cow<'_, str>]>, name: &str) -> Result<(), E> {
    match argv.and_then(<[_]>::first) {
        Some(first) => match program(Cow::Borrowed(first)) {
            Ok(_) => Ok(()),
            Err(why) => Err(under(format_args!("{name}[0]"), E::custom(why))),
        },
        None => Ok(()),
    }
}

/// The id of a task: its name in `tasks`.
pub fn task_id<E: Error>(name: Cow<'_, str>) -> Result<Cow<'_, str>, E> {
    match name.is_empty() {
        true => Err(under("\"\"", E::custom("a task's id cannot be empty; give it a number or a name"))),
        false => plain(name).map_err(E::custom),
    }
}

/// A task's id in the path of a refusal. A key may stand in its place, so it is shown only if it is shorter than any key, or
/// words.
pub fn shown_id(id: &str) -> String {
    let words = |c: char| c.is_alphabetic() || " -_.,()".contains(c);
    match id.len() < 8 || (id.len() <= 24 && id.chars().all(words)) {
        true => format!("\"{id}\""),
        false => "\"…\"".into(),
    }
}

/// The number of a scheduled task: 1 to 9 digits, not beginning with 0.
pub fn task_number(id: &str) -> Option<u32> {
    let digits = (1..=9).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()) && !id.starts_with('0');
    digits.then(|| id.parse().ok()).flatten()
}

/// `command`: a list of words; the original's `""` counts as none, any other string is refused.
pub struct Argv;

impl<'de> DeserializeSeed<'de> for Argv {
    type Value = Option<Vec<Cow<'de, str>>>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Argv {
    type Value = Option<Vec<Cow<'de, str>>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of words such as [\"/volume1/scripts/backup.sh\", \"--now\"]")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "" => Ok(None),
            line => {
                Err(E::custom(format_args!("a command is a list of words, without a shell; write {}", as_argv(line))))
            }
        }
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        let word = Str("a word in quotes", plain);
        let argv = List { expecting: "", element: word, check: |_: &_| Ok(()) }.visit_seq(seq)?;
        match argv.is_empty() {
            true => Err(A::Error::custom("the list is empty; name the program, or take \"command\" out")),
            false => Ok(Some(argv)),
        }
    }
}

/// The array that does what this line would do in a shell.
pub fn as_argv(line: &str) -> String {
    let words: Vec<&str> = match line.contains(|c: char| "'\"\\$`|&;<>()*?[]#~{}=\n".contains(c)) {
        true => vec!["/bin/sh", "-c", line],
        false => line.split_ascii_whitespace().collect(),
    };
    serde_json::to_string(&words).unwrap_or_default()
}
