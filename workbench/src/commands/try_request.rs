//! `try`: a request's way, step by step, with everything but the start.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;

use crate::owner::fault::Fault;
use crate::owner::screen::Tone;
use crate::owner::secrets::Secrets;
use crate::owner::workbench::Workbench;
use remotetask::config;
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
    let (path, query) = path_of(&line, secrets.url().unwrap_or_default());
    if path.is_empty() {
        return Err(Fault::new("nothing was given; remotetask try reads a URL, or its path, from standard input"));
    }
    let says = |tone, mark: &str, text: String| bench.screen.mark(tone, mark, text);
    match way(bench, &path, from, &|text| says(Tone::Good, "holds ", text)) {
        Ok(_) if word(query.as_bytes()).is_some() => {
            says(Tone::Good, "status", "it asks for the last run, and starts nothing".into());
            Ok(true)
        }
        Ok(end) => {
            says(Tone::Good, "start ", end);
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

/// Where it ends without a start.
struct Stop {
    why: String,
    answer: String,
}

const START_PAGE: &str = "the start page, as every stranger does";

/// The steps of the two halves, in their order. The numbers are those of SECURITY.md.
fn way(bench: &Workbench, path: &str, from: Option<IpAddr>, holds: &dyn Fn(String)) -> Result<String, Stop> {
    let refused = |why: String| Stop { why, answer: START_PAGE.into() };
    let variable = |name: &str| match name {
        "REQUEST_METHOD" => Some(OsString::from("GET")),
        "PATH_INFO" => Some(OsString::from(path)),
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
    let Some(permit) = granted.task() else {
        holds("5 the key in the identifier's place is that of the panel".into());
        return Ok("the panel: the tasks that this magic key may start".into());
    };
    holds(format!("5 the magic key is that of {}, the identifier that of task {}", permit.who(), permit.task().id));
    turn::is_free(permit.task(), &state, config.server.keeps(permit.task()))
        .map_err(|outcome| Stop { why: against(&outcome).into(), answer: said(&permit, &outcome) })?;
    holds("6 nothing stands against a start now".into());
    let target = start::find(&permit.task().starts, &config.server).map_err(fault)?;
    Ok(format!("7 it exists: {}", target.describe()))
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

/// Path and query of the URL, or of the path, that stands in a line: alone, or in one to copy for curl.
fn path_of<'l>(line: &'l str, base: &str) -> (String, &'l str) {
    let of_url = |word: &&str| word.contains("://");
    let words = || line.split_whitespace().map(|word| word.trim_matches(['\'', '"']));
    let text = words().find(of_url).unwrap_or_else(|| line.trim());
    let text = text.strip_prefix(base).unwrap_or(text);
    let rest = text.split_once("://").map(|(_, rest)| rest);
    let path = match rest {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => text,
    };
    let path = path.split('#').next().unwrap_or_default();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    (format!("{slash}{path}"), query)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_path_of_a_url() {
        for (text, expected) in [
            ("https://nas.example.org/a/b\n", ("/a/b", "")),
            ("https://base.example.org/tasks/a/b?status", ("/a/b", "status")),
            ("https://nas.example.org:8443/a/b/?status", ("/a/b/", "status")),
            ("http://nas", ("/", "")),
            ("/a/b", ("/a/b", "")),
            ("a/b", ("/a/b", "")),
            ("curl -X POST 'https://nas.example.org/a/b'", ("/a/b", "")),
            ("", ("", "")),
        ] {
            let (path, query) = super::path_of(text, "https://base.example.org/tasks");
            assert_eq!((&*path, query), expected, "{text}");
        }
    }
}
