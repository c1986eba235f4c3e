//! `try`: a request's way, step by step, with everything but the start.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use crate::owner::addresses::looks_like_a_host;
use crate::owner::fault::Fault;
use crate::owner::screen::Tone;
use crate::owner::secrets::Secrets;
use crate::owner::workbench::Workbench;
use crate::parts::entry_point::noted;
use crate::parts::job::EntryPointKind;
use remotetask::config::{self, Get};
use remotetask::judge::{judge, Denied, Permit};
use remotetask::outcome::Outcome;
use remotetask::request::{word, Request};
use remotetask::trust;
use remotetask::{start, turn};

/// Asks for a path, or a whole URL, and says where a request for it would end, and why. Whether it would
/// come to a start is the result.
///
/// The path is read from the terminal or from standard input: an argument could be read by every user,
/// and stays in the shell's history.
pub fn run(bench: &Workbench, from: Option<IpAddr>) -> Result<bool, Fault> {
    bench.screen.prompt("Paste the URL, or its end, /…/…: ");
    let line = bench.screen.line()?;
    let secrets = Secrets::read(&bench.folder)?;
    let Typed { path, query, no_scheme } = path_of(&line, secrets.url().unwrap_or_default());
    if path.is_empty() {
        return Err(Fault::new("nothing was given; remotetask try reads a URL, or its path, from standard input"));
    }
    let says = |tone, mark: &str, text: String| bench.screen.mark(tone, mark, text);
    if no_scheme {
        says(
            Tone::Advice,
            "advice",
            "https:// is missing in front: a browser may look this up in a search engine, and curl goes there without https".into(),
        );
    }
    let served = as_served(&path, noted(&bench.folder).unwrap_or(EntryPointKind::Port));
    match served.and_then(|path| way(bench, path, from, &|text| says(Tone::Good, "holds ", text))) {
        Ok(_) if word(query.as_bytes()).is_some() => {
            says(Tone::Good, "status", "it asks for the last run, and starts nothing".into());
            Ok(true)
        }
        Ok(end) => {
            says(Tone::Good, "start ", end.exists);
            if end.asks_first {
                bench.screen.say("       By POST, or by the button: the task has \"get\": \"confirm\", so a GET shows the page with the button.");
            }
            bench.screen.say(
                "Nothing was started. Whether the web server and sudo let a request through to here, remotetask check \
                 --url tells.",
            );
            Ok(true)
        }
        Err(Stop { why, answer }) => {
            says(Tone::Fault, "ends  ", why);
            bench.screen.say(format_args!("       The caller sees {answer}."));
            Ok(false)
        }
    }
}

/// The end of a way that comes to a start.
struct End {
    exists: String,
    asks_first: bool,
}

/// The place where it ends without a start.
struct Stop {
    why: String,
    answer: String,
}

const START_PAGE: &str = "the start page, as every stranger does";

/// The path as the web server in front hands it on: its escapes decoded, a row of slashes as one, `.` and `..` taken out.
fn as_served(path: &str, entry: EntryPointKind) -> Result<Vec<u8>, Stop> {
    let page = match entry {
        EntryPointKind::Port => START_PAGE,
        EntryPointKind::Vhost | EntryPointKind::Php => "a page of the web server's own",
    };
    let by_itself = |what: &str| Stop {
        why: format!("the web server answers this by itself, because it has {what}, and no key has one"),
        answer: page.into(),
    };
    let (mut decoded, mut rest) = (Vec::new(), path.as_bytes());
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let Some(byte) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            return Err(by_itself("a % without two hex digits"));
        };
        match byte {
            b'/' => return Err(by_itself("a slash written as %2F")),
            0 => return Err(by_itself("a %00")),
            byte => decoded.push(byte),
        }
        rest = &rest[2..];
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    let all: Vec<&[u8]> = decoded.split(|&b| b == b'/').collect();
    for part in &all {
        match *part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let end: &[u8] = if all.len() > 2 && all.last().is_some_and(|last| last.is_empty()) { b"/" } else { b"" };
    let end = if parts.is_empty() { &b""[..] } else { end };
    Ok([b"/", &parts.join(&b'/')[..], end].concat())
}

/// The steps of the two halves, in their order. The numbers are those of SECURITY.md.
fn way(bench: &Workbench, path: Vec<u8>, from: Option<IpAddr>, holds: &dyn Fn(String)) -> Result<End, Stop> {
    let refused = |why: String| Stop { why, answer: START_PAGE.into() };
    let variable = |name: &str| match name {
        "REQUEST_METHOD" => Some(OsString::from("GET")),
        "PATH_INFO" => Some(OsString::from_vec(path.clone())),
        "REMOTE_ADDR" => from.map(|address| address.to_string().into()),
        _ => None,
    };
    let request = Request::from_variables(variable);
    if request.is_doorstep() {
        return Err(Stop { why: "this is the doorstep: no key was given".into(), answer: "the start page".into() });
    }
    let fault = |outcome: Outcome| match outcome {
        Outcome::NotStarted { step, reason, .. } => {
            Stop { why: format!("{step} {reason}"), answer: "\"Task not started\", and a reference to the log".into() }
        }
        outcome => Stop { why: remotetask::response::state(&outcome).into(), answer: "an answer that says so".into() },
    };
    let owner = std::fs::metadata(&bench.folder).map_or(0, |meta| meta.uid());
    let home = trust::home(owner).map_err(fault)?;
    let (content, state) = (home.config().map_err(fault)?, home.state().map_err(fault)?);
    holds("2 the files are the owner's alone".into());
    let config = config::read(&content).map_err(|refusal| refused(format!("4 {refusal}")))?;
    holds("4 the configuration is valid".into());

    let (credentials, flaw) = request.credentials();
    let today = chrono::Local::now().date_naive();
    let granted = judge(&config, credentials, flaw, request.from, today).map_err(|Denied { why, who }| {
        let whose = who.map_or_else(String::new, |who| format!("; the magic key is that of {who}"));
        let address = match (why, request.from) {
            (remotetask::judge::Denial::Network, None) => {
                "; say where the call comes from: remotetask try --from 192.168.1.7"
            }
            _ => "",
        };
        refused(format!("{why}{whose}{address}"))
    })?;
    let who = granted.who();
    let Some(permit) = granted.task() else {
        holds(format!("5 the magic key is that of {who}, the key in the identifier's place that of the panel"));
        return Ok(End { exists: "the panel: the tasks that this magic key may start".into(), asks_first: false });
    };
    holds(format!("5 the magic key is that of {}, the identifier that of task {}", permit.who(), permit.task().id));
    turn::is_free(permit.task(), &config.server, &state)
        .map_err(|outcome| Stop { why: against(&outcome).into(), answer: said(&permit, &outcome) })?;
    holds("6 nothing stands against a start now".into());
    let target = start::find(&permit.task().starts, &config.server).map_err(fault)?;
    Ok(End { exists: format!("7 it exists: {}", target.describe()), asks_first: permit.task().get == Get::Confirm })
}

fn against(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Cooling { .. } => "6f it was started a short time ago, and has to cool down",
        _ => "6 it runs already, or too many do",
    }
}

fn said(permit: &Permit<'_>, outcome: &Outcome) -> String {
    format!("\"{}: {}\"", remotetask::response::headline(outcome).1, permit.task().shown())
}

/// A pasted address: path and query.
#[derive(Debug, PartialEq, Eq)]
struct Typed<'l> {
    path: String,
    query: &'l str,
    /// A host stands in front, without `https://`.
    no_scheme: bool,
}

/// Path and query of the URL, or of the path, that stands in a line: alone, or in one to copy for curl.
fn path_of<'l>(line: &'l str, base: &str) -> Typed<'l> {
    let of_url = |word: &&str| word.contains("://");
    let words = || line.split_whitespace().map(|word| word.trim_matches(['\'', '"']));
    let text = words().find(of_url).unwrap_or_else(|| line.trim());
    let text = text.strip_prefix(base).unwrap_or(text);
    let text = text.split('#').next().unwrap_or_default();
    let (text, query) = text.split_once('?').unwrap_or((text, ""));
    let behind_host = |rest: &'l str| rest.find('/').map_or("/", |at| &rest[at..]);
    // A key may have a dot, too; two parts are a pair of keys.
    let no_scheme =
        !text.contains("://") && looks_like_a_host(text) && text.split('/').filter(|part| !part.is_empty()).count() > 2;
    let path = match text.split_once("://") {
        Some((_, rest)) => behind_host(rest),
        None if no_scheme => behind_host(text),
        None => text,
    };
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    Typed { path: format!("{slash}{path}"), query, no_scheme }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_url() {
        for (text, path, query, no_scheme) in [
            ("https://nas.example.org/a/b\n", "/a/b", "", false),
            ("http://192.168.1.20:10765/a/b", "/a/b", "", false),
            ("https://base.example.org/tasks/a/b?status", "/a/b", "status", false),
            ("https://nas.example.org:8443/a/b/?status", "/a/b/", "status", false),
            ("https://nas.example.org/a/b?x=1#y", "/a/b", "x=1", false),
            ("https://nas.example.org/a/b#?status", "/a/b", "", false),
            ("http://nas", "/", "", false),
            ("nas.example.org/a/b", "/a/b", "", true),
            ("nas:10765/a/b?status", "/a/b", "status", true),
            ("key.with.dots/b", "/key.with.dots/b", "", false),
            ("/a/b", "/a/b", "", false),
            ("a/b", "/a/b", "", false),
            ("curl -X POST 'https://nas.example.org/a/b'", "/a/b", "", false),
            ("", "", "", false),
        ] {
            let expected = Typed { path: path.to_owned(), query, no_scheme };
            assert_eq!(path_of(text, "https://base.example.org/tasks"), expected, "{text}");
        }
    }

    #[test]
    fn a_path_as_the_web_server_hands_it_on() {
        for (path, expected) in [
            ("/a/b", Some("/a/b")),
            ("//a///b", Some("/a/b")),
            ("/%61na%7Ekey/b/", Some("/ana~key/b/")),
            ("/./a/../b/c", Some("/b/c")),
            ("/", Some("/")),
            ("//", Some("/")),
            ("/a%2Fb", None),
            ("/a%2fb", None),
            ("/a/%zz", None),
            ("/a/%4", None),
            ("/a/%00", None),
        ] {
            let served = as_served(path, EntryPointKind::Port).ok();
            assert_eq!(served.as_deref(), expected.map(str::as_bytes), "{path}");
        }
    }
}
