//! `prove`: one request, all the way, with a canary: a magic key and a task that are there for it alone,
//! and are taken away again whatever becomes of it.

use crate::owner::known_keys::{first, keep};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use chrono::Local;
use serde_json::{json, Value};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::check::live::Live;
use crate::owner::edit::{listen_address, Edit};
use crate::owner::fault::Fault;
use crate::owner::finding::{findings, Found};
use crate::owner::report::show;
use crate::owner::request_log::{lines_since, Line};
use crate::owner::screen::Tone;
use crate::owner::secrets::{new_key, Secrets};
use crate::owner::workbench::Workbench;
use crate::parts::entry_point::{noted, reached};
use crate::parts::job::EntryPointKind;
use remotetask::files::{Regular, CONFIG_MAX};
use remotetask::key::Digest;
use remotetask::record::{self, Runs};

findings! {
    Refused { why, url }: "prove-refused", Fault,
        "remotetask-cgi runs, and took the canary's keys for wrong: <why>.",
        "See what hands the path on, and what else is wrong: `sudo remotetask check --url <url>`";
    NotLogged { log, url }: "prove-not-logged", Fault,
        "The start page came, and <log> says nothing of the request: another installation answers at <url>, or the log \
         cannot be written.",
        "Look at both: `sudo remotetask check --url <url>`";
    StoppedBySudo { why, url }: "prove-sudo", Fault,
        "remotetask-cgi runs, and sudo did not let it through: <why>.",
        "Put the rule back, and prove it again: `sudo remotetask repair` `sudo remotetask prove --url <url>`";
    NotStarted { why }: "prove-not-started", Fault,
        "sudo let it through, and remotetask-run did not start the command: <why>.",
        "Mend what that says: `sudo remotetask check`";
    NotWell { why }: "prove-not-well", Fault,
        "The command /bin/true did not end well: <why>.",
        "See what is wrong with this machine: `sudo remotetask check`";
    NoAnswer { status, url }: "prove-no-answer", Fault,
        "Something else came than an answer to the canary's request: status <status>.",
        "See who answers in between: `sudo remotetask check --url <url>`";
}

/// The names that canaries have, and nobody else should.
pub const NAME: &str = "canary-";
/// Characters of a name behind that: half a key's.
const DIGITS: usize = 13;

/// `prove`: whether one request comes through.
pub fn run(bench: &Workbench, url: Option<&str>) -> Result<bool, Fault> {
    let url = match url {
        Some(url) => url.to_owned(),
        None => known(bench)?,
    };
    let live = Live::of(&bench.folder, &url)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, interrupted.clone()).map_err(Fault::new)?;
    }
    take_away_all(bench)?;
    let wanted = || !interrupted.load(Ordering::Relaxed);
    let canary = Canary::put(bench)?;
    let seen = proof(bench, &live, &canary, &wanted);
    // Taken away whatever was seen.
    canary.take_away(bench)?;
    match seen {
        _ if !wanted() => Err(Fault::new("it was interrupted; what was there for the proof is gone")),
        Ok(()) => {
            bench.screen.mark(Tone::Good, "good  ", format_args!("all of the way works, at {}", live.url));
            Ok(true)
        }
        Err(found) => {
            show(bench, *found);
            Ok(false)
        }
    }
}

/// The address of the entry point that is in place: of a port it follows from config.json.
fn known(bench: &Workbench) -> Result<String, Fault> {
    if !matches!(noted(&bench.folder), Some(EntryPointKind::Vhost | EntryPointKind::Php)) {
        return Ok(format!("http://{}", reached(listen_address(&bench.folder)?)));
    }
    let noted = Secrets::read(&bench.folder)?.url().map(str::to_owned);
    noted.ok_or_else(|| {
        Fault(format!(
            "the entry point is a virtual host of Web Station's, so its address is needed: {} prove --url https://that-name",
            bench.typed()
        ))
    })
}

/// `prove --clean`: what proofs that were killed have left is taken away.
pub fn clean(bench: &Workbench) -> Result<bool, Fault> {
    let gone = take_away_all(bench)?;
    match gone.is_empty() {
        true => bench.screen.say("Nothing of a proof was left."),
        false => bench.screen.say(format_args!("Taken away: {}.", gone.join(", "))),
    }
    Ok(true)
}

/// A key and a task, both for one request; the keys themselves are in this process alone.
struct Canary {
    id: String,
    magic: String,
    identifier: String,
    /// The file as it was, and as it was written with the canary in it.
    files: Option<(String, String)>,
}

impl Canary {
    fn put(bench: &Workbench) -> Result<Canary, Fault> {
        let (magic, identifier) = (new_key()?, new_key()?);
        let id = format!("{NAME}{}", &new_key()?[..DIGITS]);
        let own = new_key()?;
        let mut edit = Edit::begin_or_new(&bench.folder, || Ok(first(&own)))?;
        let before = edit.before().map(|text| String::from_utf8_lossy(text).into_owned());
        if edit.is_new() {
            keep(bench, &[&own])?;
        }
        let sealed = |key: &str| Digest::of(key.as_bytes()).sealed();
        let today = Local::now().date_naive().to_string();
        edit.magic_keys().push(json!({ "label": id, "key": sealed(&magic), "tasks": [id], "expires": today }));
        edit.tasks().insert(id.clone(), json!({ "identifier": sealed(&identifier), "command": ["/bin/true"] }));
        let files = before.map(|before| (before, edit.text()));
        drop(edit.commit()?);
        Ok(Canary { id, magic, identifier, files })
    }

    /// The file becomes what it was, byte for byte, unless somebody has changed it meanwhile.
    fn take_away(self, bench: &Workbench) -> Result<(), Fault> {
        let edit = Edit::begin(&bench.folder)?;
        match self.files {
            Some((before, with)) if edit.before() == Some(with.as_bytes()) => {
                drop(edit.commit_as(before)?);
                forget(bench, &self.id, Some(Digest::of(self.magic.as_bytes())));
            }
            _ => {
                drop(edit);
                take_away_all(bench)?;
            }
        }
        Ok(())
    }
}

/// Takes every canary out of config.json and state/; their names.
pub fn take_away_all(bench: &Workbench) -> Result<Vec<String>, Fault> {
    // Not even a lock is taken where there is none.
    let content = Regular::open(&bench.path("config.json")).and_then(|file| file.read(CONFIG_MAX)).unwrap_or_default();
    if !String::from_utf8_lossy(&content).contains(NAME) {
        return Ok(Vec::new());
    }
    let mut edit = Edit::begin(&bench.folder)?;
    let ids: Vec<String> = edit.tasks().keys().filter(|id| is_canary(id)).cloned().collect();
    let key = |entry: &Value| is_canary(entry["label"].as_str().unwrap_or_default());
    // Not magic_keys(), which would make a list of one key.
    let keys = edit.server().get("magickey").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let digests: Vec<(String, Option<Digest>)> = keys
        .iter()
        .filter(|entry| key(entry))
        .map(|entry| {
            let sealed = entry["key"].as_str().and_then(|key| remotetask::key::Key::parse(key).ok());
            (entry["label"].as_str().unwrap_or_default().to_owned(), sealed.map(|key| key.digest))
        })
        .collect();
    if ids.is_empty() && digests.is_empty() {
        return Ok(Vec::new());
    }
    ids.iter().for_each(|id| drop(edit.tasks().shift_remove(id)));
    edit.magic_keys().retain(|entry| !key(entry));
    let _held = edit.commit()?;
    ids.iter().for_each(|id| forget(bench, id, None));
    digests.iter().for_each(|(id, digest)| forget(bench, id, *digest));
    Ok(ids)
}

fn is_canary(name: &str) -> bool {
    name.strip_prefix(NAME).is_some_and(|rest| rest.len() == DIGITS && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Deletes what a run leaves in state/.
fn forget(bench: &Workbench, id: &str, magic_key: Option<Digest>) {
    let state = bench.path("state");
    let _ = fs::remove_dir_all(Runs::of(&state, id).folder());
    if let Some(digest) = magic_key {
        record::forget_use(&state, &digest);
    }
}

/// Step by step.
fn proof(bench: &Workbench, live: &Live<'_>, canary: &Canary, wanted: &dyn Fn() -> bool) -> Result<(), Box<Found>> {
    let screen = &bench.screen;
    let good = |text: &str| screen.mark(Tone::Good, "good  ", text);
    live.doorstep()?;
    good("the web server answers, and runs remotetask-cgi: the start page came");
    let log = bench.path("log.txt");
    let before = fs::metadata(&log).map_or(0, |meta| meta.len());
    let answer = live.send_secretly(&format!("/{}/{}", canary.magic, canary.identifier), wanted)?;
    let line = line(&log, before, &canary.id);
    let why = line.as_ref().and_then(|line| line.event.as_ref()?.why.as_deref()).unwrap_or("the log does not say why");
    let (why, url, status) = (&why, &live.url, &answer.status);
    let stopped_by_sudo = |why: &str| Err(Box::new(StoppedBySudo { why: &why, url }.found()));
    let not_started = |why: &str| Err(Box::new(NotStarted { why: &why }.found()));
    let not_well = |why: &str| Err(Box::new(NotWell { why: &why }.found()));
    if live.is_refusal(&answer) {
        return Err(Box::new(match line {
            Some(_) => Refused { why, url }.found(),
            None => NotLogged { log: &log.display(), url }.found(),
        }));
    }
    let said: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if said["task"] != *canary.id {
        return Err(Box::new(NoAnswer { status, url }.found()));
    }
    good("remotetask-cgi takes the canary's keys");
    let state = said["state"].as_str().unwrap_or_default();
    match state {
        "not_started" => match why.strip_prefix("sudo ") {
            Some(why) => return stopped_by_sudo(why),
            None => return not_started(why),
        },
        "unknown" => return stopped_by_sudo(why),
        "busy" | "cooling" => return not_started(state),
        _ => good("sudo lets it through to remotetask-run, which starts the command"),
    }
    match state {
        "finished" => good(&format!("the command ended well, after {} ms", said["duration_ms"])),
        "failed" => return not_well(&format!("exit {}, signal {}", said["exit"], said["signal"])),
        "started" | "running" => return not_well("it had not ended after 2 s"),
        other => return not_well(other),
    }
    Ok(())
}

/// The log's last line about the canary, since it had this size; or else the last refusal since then.
fn line(log: &Path, before: u64, id: &str) -> Option<Line> {
    let lines = lines_since(log, before);
    let refused = |line: &&Line| line.event.as_ref().is_some_and(|event| event.what == "refused");
    let of_ours = lines.iter().rev().find(|line| line.text.contains(id));
    of_ours.or_else(|| lines.iter().rev().find(refused)).cloned()
}
