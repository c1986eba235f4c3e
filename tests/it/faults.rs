//! Faults of the system, made by strace(1) at one call of one program: a kill, or an error. Whatever it is, the answer is
//! true, nothing starts twice, nothing that started is without a trace, no key is, and the next request works.
#![allow(clippy::print_stdout)] // figures

use std::fs;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use crate::support::*;
use crate::workbench::remotetask;

/// The errors that a call can have on a NAS in trouble, by the call's name (strace's, without what stands behind it: `openat`
/// is one of `open`).
const ERRORS: [(&str, &[&str]); 17] = [
    ("open", &["EMFILE", "ENFILE", "EIO", "ENOMEM"]),
    ("read", &["EIO"]),
    ("getdents", &["EIO"]),
    ("write", &["ENOSPC", "EIO"]),
    ("pwrite", &["ENOSPC", "EIO"]),
    ("rename", &["ENOSPC", "EIO", "EROFS"]),
    ("unlink", &["EIO", "EROFS"]),
    ("mkdir", &["ENOSPC", "EIO", "EROFS"]),
    ("fchmod", &["EIO", "EROFS"]),
    ("ftruncate", &["EIO"]),
    ("fsync", &["EIO", "ENOSPC"]),
    ("flock", &["ENOLCK"]),
    ("clone", &["EAGAIN", "ENOMEM"]),
    ("fork", &["EAGAIN", "ENOMEM"]),
    ("vfork", &["EAGAIN", "ENOMEM"]),
    ("pipe", &["EMFILE", "ENFILE"]),
    ("socketpair", &["EMFILE", "ENOMEM"]),
];

/// The calls that change something; of those that open a file the ones that may write.
const CHANGES: [&str; 17] = [
    "write",
    "pwrite",
    "rename",
    "unlink",
    "rmdir",
    "mkdir",
    "fchmod",
    "chmod",
    "fchown",
    "ftruncate",
    "fsync",
    "fallocate",
    "link",
    "clone",
    "fork",
    "vfork",
    "kill",
];

/// One fault: the program, the call, which of its calls from 1 on, and what happens at it.
#[derive(Clone, Debug)]
pub struct Fault {
    pub program: &'static str,
    pub call: String,
    pub at: String,
    pub what: String,
}

/// One call of a program.
pub struct Seen {
    call: String,
    at: usize,
    writes: bool,
}

/// The calls in a trace.
pub fn calls(trace: &str) -> Vec<Seen> {
    let mut seen: Vec<Seen> = Vec::new();
    for line in trace.lines() {
        let Some((call, words)) = line.split_once('(') else { continue };
        if !call.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        let at = 1 + seen.iter().filter(|seen| seen.call == call).count();
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| words.contains(flag));
        seen.push(Seen { call: call.to_owned(), at, writes });
    }
    seen
}

impl Seen {
    fn is(&self, name: &str) -> bool {
        let rest = self.call.strip_prefix(name);
        rest.is_some_and(|rest| matches!(rest, "" | "at" | "at2" | "2" | "3" | "64"))
    }

    /// A kill at each call that changes something, and each error that the call can have, once and from there on.
    pub fn faults(&self, program: &'static str) -> Vec<Fault> {
        let fault = |at: String, what: String| Fault { program, call: self.call.clone(), at, what };
        // A pipe has no errors of a disk's, and a keeper reads little else.
        let of_pipes = self.is("read") && program == "remotetask-keep";
        let changes = self.is("open") && self.writes || CHANGES.iter().any(|name| self.is(name));
        let errors = ERRORS.iter().filter(|(name, _)| self.is(name) && !of_pipes).flat_map(|(_, errors)| errors.iter());
        let full: &[&str] = if self.is("open") && self.writes { &["ENOSPC", "EROFS"] } else { &[] };
        let both = |error: &&str| ["", "+"].map(|more| fault(format!("{}{more}", self.at), format!("error={error}")));
        let errors = errors.chain(full).flat_map(both);
        errors.chain(changes.then(|| fault(self.at.to_string(), "signal=KILL".into()))).collect()
    }
}

/// Puts a program under strace, with these words of its; what it sees goes to `trace`.
fn wrap(sandbox: &Sandbox, program: &str, trace: &Path, words: &str) {
    let real = format!("{program}.real");
    fs::rename(sandbox.path(program), sandbox.path(&real)).expect("renamed");
    sandbox.script(program, &format!("exec /usr/bin/strace -o {} {words} $T{real}", trace.display()));
}

fn unwrap(sandbox: &Sandbox, program: &str) {
    fs::rename(sandbox.path(&format!("{program}.real")), sandbox.path(program)).expect("renamed");
}

/// The processes of this installation: their ids and words.
fn of_ours(sandbox: &Sandbox) -> Vec<(i32, String)> {
    let own = sandbox.path("").display().to_string();
    let line = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        Some((pid, String::from_utf8_lossy(&line).replace('\0', " "))).filter(|(_, line)| line.contains(&own))
    };
    remotetask::tree::pids().into_iter().filter_map(line).collect()
}

/// Waits until nobody of this installation is left.
fn settled(sandbox: &Sandbox) {
    until("the end of all", || of_ours(sandbox).is_empty().then_some(()));
}

/// The records of the task, as they stand.
fn records(sandbox: &Sandbox) -> Vec<(String, serde_json::Value)> {
    let names = sandbox.files().into_iter().filter(|name| name.contains("task-t/") && name.ends_with(".json"));
    names.map(|name| (name.clone(), serde_json::from_str(&sandbox.read(&name)).unwrap_or_default())).collect()
}

/// The same in short.
fn states(sandbox: &Sandbox) -> String {
    let short = |(_, record): (String, serde_json::Value)| {
        format!("{} {} {}", record["state"], record["fault"], record["unreported"])
    };
    records(sandbox).into_iter().map(short).collect::<Vec<_>>().join(", ")
}

/// A run that may have begun stands against the next for a minute: this makes it older.
fn a_minute_later(sandbox: &Sandbox) {
    for (name, record) in records(sandbox) {
        if let (Some("starting"), Some(started)) = (record["state"].as_str(), record["started"].as_u64()) {
            let older = sandbox.read(&name).replace(&started.to_string(), &(started - 61_000).to_string());
            sandbox.write(&name, &older);
        }
    }
}

fn count(sandbox: &Sandbox, name: &str) -> usize {
    sandbox.read(name).lines().count()
}

/// One fault in so many is tried: all, unless `REMOTETASK_EACH` says another number.
pub fn each() -> usize {
    std::env::var("REMOTETASK_EACH").ok().and_then(|each| each.parse().ok()).unwrap_or(1)
}

/// A program's whole way with one fault, and what is wrong with it.
type Way = fn(&Sandbox, Option<&Fault>) -> Vec<String>;

/// All faults of one program on one way; panics with what is wrong.
fn sweep(program: &'static str, new: fn() -> Sandbox, way: Way) {
    let traces = tempfile::tempdir().expect("a folder");
    let sandbox = new();
    let trace = traces.path().join("plan");
    wrap(&sandbox, program, &trace, "");
    let plain = way(&sandbox, None);
    assert!(plain.is_empty(), "without a fault: {plain:?}");
    let plan = calls(&fs::read_to_string(&trace).expect("a trace"));
    let all: Vec<Fault> = plan.iter().flat_map(|seen| seen.faults(program)).step_by(each()).collect();
    assert!(all.len() * each() > 40, "{} faults", all.len());
    let (left, wrong) = (Mutex::new(all.iter().enumerate()), Mutex::new(Vec::new()));
    let hits = Mutex::new(0);
    let work = || loop {
        let Some((at, fault)) = left.lock().expect("the rest").next() else { return };
        let trace = traces.path().join(at.to_string());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let sandbox = new();
            let Fault { call, at, what, .. } = fault;
            wrap(&sandbox, program, &trace, &format!("-e trace={call} -e inject={call}:{what}:when={at}"));
            way(&sandbox, Some(fault))
        }));
        let trace = fs::read_to_string(trace).unwrap_or_default();
        *hits.lock().expect("hits") += usize::from(trace.contains("INJECTED") || trace.contains("killed by SIGKILL"));
        let faults = outcome.unwrap_or_else(|_| vec!["it panicked".into()]);
        let of = |text: String| format!("{program} {} {} {}: {text}", fault.call, fault.at, fault.what);
        wrong.lock().expect("wrong").extend(faults.into_iter().map(of));
    };
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(work);
        }
    });
    let (hits, wrong) = (hits.into_inner().expect("hits"), wrong.into_inner().expect("wrong"));
    println!("{program}: {hits} of {} faults struck", all.len());
    assert!(hits * 10 > all.len() * 8, "{hits} of {}", all.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

const ON_FAILURE: &str = "echo \"$REMOTETASK_STATE\" >>$T/told";

fn reporting(line: &str, more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let own = sandbox.path("").display().to_string();
    let report = sandbox.script("report", ON_FAILURE);
    let argv = serde_json::to_string(&["/bin/sh", "-c", &line.replace("$T", &own)]).expect("JSON");
    let server = format!("\"on_failure\": [\"{}\"],", report.display());
    sandbox.config(&server, &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}{more}}}"));
    sandbox
}

/// A start, the answer, the record, and the next start.
fn a_start(sandbox: &Sandbox, fault: Option<&Fault>) -> Vec<String> {
    let mut wrong = Vec::new();
    let answer = sandbox.start();
    assert_no_key(&[&answer.bytes[..], answer.stderr.as_bytes()].concat(), "the answer");
    settled(sandbox);
    let ran = count(sandbox, "ran");
    let said = answer.body();
    let word = said.split(':').next().unwrap_or_default();
    let is_refusal = answer.status().starts_with("404");
    let well = match word {
        "Task started" | "Task finished" | "Task failed" => ran == 1,
        "Task not started" => ran == 0,
        "Task state unknown" => ran <= 1,
        _ if is_refusal => ran == 0,
        "" => ran <= 1 && fault.is_some_and(|fault| fault.program == "remotetask-cgi"),
        _ => false,
    };
    let state = || format!("{}, log {}", states(sandbox), sandbox.log());
    if !well {
        wrong.push(format!("{ran} runs, and the answer {said:?}; {}", state()));
    }
    let started = |record: &serde_json::Value| record["state"].is_string() && record["state"] != "not_started";
    let recorded = records(sandbox).iter().any(|(_, record)| started(record));
    if ran == 1 && !recorded && !sandbox.log().contains("unknown task=\"t\"") {
        wrong.push(format!("a run without a trace, {}", state()));
    }
    unwrap_any(sandbox);
    a_minute_later(sandbox);
    let next = sandbox.start();
    settled(sandbox);
    let now = count(sandbox, "ran");
    if now != ran + 1 || !["Task finished", "Task failed"].contains(&next.body().split(':').next().unwrap_or_default())
    {
        wrong.push(format!("the next start: {now} runs after {ran}, and the answer {:?}; {}", next.body(), state()));
    }
    wrong
}

fn unwrap_any(sandbox: &Sandbox) {
    for (name, _) in PROGRAMS {
        if sandbox.path(&format!("{name}.real")).exists() {
            unwrap(sandbox, name);
        }
    }
}

fn stoppable() -> Sandbox {
    let line = "echo ran >>$T/ran; echo $$ >$T/pid; read -r word <$T/gate";
    let sandbox = reporting(line, ", \"wait\": 0, \"stop\": true");
    assert!(Command::new("mkfifo").arg(sandbox.path("gate")).status().expect("mkfifo").success());
    sandbox
}

/// With a run that does not end by itself, and this done with its keeper.
fn running(and: fn(&str)) -> Sandbox {
    let sandbox = stoppable();
    sandbox.start().is("202 Accepted", "Task started: t\n");
    and(awaited(&sandbox.path("pid")).trim());
    sandbox
}

fn kill(pid: &str) {
    assert!(Command::new("kill").args(["-KILL", pid]).status().expect("kill").success());
}

fn kill_keeper(pid: &str) {
    let parent = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)).unwrap_or_default().to_owned()
    };
    let keeper = parent();
    kill(&keeper);
    until("the keeper's end", || (parent() != keeper).then_some(()));
}

/// A run that fails, its end, and its report: once, or its record says that there was none.
fn a_failure(sandbox: &Sandbox, fault: Option<&Fault>) -> Vec<String> {
    let mut wrong = Vec::new();
    let said = sandbox.start().body();
    settled(sandbox);
    unwrap_any(sandbox);
    a_minute_later(sandbox);
    for _ in 0..2 {
        sandbox.get(&format!("/{MAGIC}/{TASK}")).var("QUERY_STRING", "status").send();
        settled(sandbox);
    }
    let told = sandbox.read("told");
    let last = records(sandbox).pop().unwrap_or_default().1;
    let well = match told.lines().count() {
        0 => last["unreported"] == true || !sandbox.path("ran").exists(),
        1 => true,
        // Without a new name for any file there is no note either that it was reported.
        _ => fault.is_some_and(|fault| fault.call.starts_with("rename")) && told == "failed\ninterrupted\n",
    };
    if !well || matches!(last["state"].as_str(), Some("starting" | "started")) {
        wrong.push(format!("said {said:?}, told {told:?}; {}, {:?}", states(sandbox), sandbox.files()));
    }
    wrong
}

#[test]
fn long_faults_of_the_keeper_at_a_failure() {
    sweep("remotetask-keep", || reporting("echo ran >>$T/ran; exit 3", ""), a_failure);
}

/// A start under the fault where it is the keeper's, and a stop.
fn a_stop(sandbox: &Sandbox, fault: Option<&Fault>) -> Vec<String> {
    let mut wrong = Vec::new();
    let program = fault.map_or("", |fault| fault.program);
    if sandbox.read("ran").is_empty() {
        sandbox.start();
    }
    let stop = || sandbox.call("POST", &format!("/{MAGIC}/{TASK}")).var("QUERY_STRING", "stop").send();
    let pid = || sandbox.read("pid").trim().to_owned();
    let lives = || !pid().is_empty() && Path::new(&format!("/proc/{}/exe", pid())).exists();
    let answer = stop();
    assert_no_key(&[&answer.bytes[..], answer.stderr.as_bytes()].concat(), "the answer");
    let said = answer.body();
    if said.starts_with("Task stopped") && lives() || said.contains("not running") && lives() {
        wrong.push(format!("it lives, and the answer {said:?}; {}", states(sandbox)));
    }
    unwrap_any(sandbox);
    if program == "remotetask-keep" {
        a_minute_later(sandbox);
    }
    let next = stop().body();
    let ended = (0..500).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        of_ours(sandbox).is_empty()
    });
    let last = records(sandbox).pop().unwrap_or_default().1;
    let over = matches!(last["state"].as_str(), Some("stopped" | "not_started" | "interrupted" | "failed") | None);
    let left = sandbox.files().into_iter().filter(|name| name.ends_with(".stop")).count();
    if lives() || !ended || !over || left > 0 {
        let alive = of_ours(sandbox);
        wrong.push(format!("said {said:?}, then {next:?}; {}, {alive:?}, {:?}", states(sandbox), sandbox.files()));
        alive.iter().for_each(|(pid, _)| kill(&pid.to_string()));
    }
    wrong
}

#[test]
fn long_faults_of_the_root_half_at_a_stop() {
    sweep("remotetask-run", || running(|_| ()), a_stop);
}

#[test]
fn long_faults_of_the_root_half_at_a_stop_without_a_keeper() {
    sweep("remotetask-run", || running(kill_keeper), a_stop);
}

#[test]
fn long_faults_of_the_keeper_at_a_stop() {
    sweep("remotetask-keep", stoppable, a_stop);
}

/// A start that something recorded stands against.
fn a_start_too_many(sandbox: &Sandbox, _: Option<&Fault>) -> Vec<String> {
    let mut wrong = Vec::new();
    let before = count(sandbox, "ran");
    let known = records(sandbox).len();
    for under in ["with the fault", "afterwards"] {
        let answer = sandbox.start();
        assert_no_key(&[&answer.bytes[..], answer.stderr.as_bytes()].concat(), "the answer");
        let said = answer.body();
        let says_started = ["Task started", "Task finished", "Task failed"].iter().any(|word| said.starts_with(word));
        let ran = count(sandbox, "ran");
        if ran != before || says_started {
            wrong.push(format!("{under}: {ran} runs, and the answer {said:?}; {}", states(sandbox)));
        }
        if under == "afterwards" && !["409", "429"].contains(&&answer.status()[..3]) {
            wrong.push(format!("{under}: {said:?}"));
        }
        unwrap_any(sandbox);
    }
    if records(sandbox).len() < known {
        wrong.push(format!("of {known} records are left {:?}", records(sandbox)));
    }
    end_all(sandbox);
    wrong
}

fn cooling() -> Sandbox {
    let sandbox = reporting("echo ran >>$T/ran", ", \"cooldown\": 600");
    sandbox.start();
    settled(&sandbox);
    sandbox
}

fn end_all(sandbox: &Sandbox) {
    let pid = sandbox.read("pid");
    if !pid.is_empty() && Path::new(&format!("/proc/{}", pid.trim())).exists() {
        kill(pid.trim());
    }
    settled(sandbox);
}

#[test]
fn long_faults_while_it_runs() {
    sweep("remotetask-run", || running(|_| ()), a_start_too_many);
}

#[test]
fn long_faults_after_a_keeper_was_killed() {
    sweep("remotetask-run", || running(kill_keeper), a_start_too_many);
}

#[test]
fn long_faults_while_it_cools_down() {
    sweep("remotetask-run", cooling, a_start_too_many);
}

#[test]
fn long_faults_of_the_web_half_at_a_start() {
    sweep("remotetask-cgi", || reporting("echo ran >>$T/ran", ""), a_start);
}

#[test]
fn long_faults_of_the_root_half_at_a_start() {
    sweep("remotetask-run", || reporting("echo ran >>$T/ran", ""), a_start);
}

#[test]
fn long_faults_of_the_keeper_at_a_start() {
    sweep("remotetask-keep", || reporting("echo ran >>$T/ran", ""), a_start);
}

/// A task's folder that cannot be listed proves nothing: no start is given by it, and a look says that nobody knows.
#[test]
fn a_folder_that_cannot_be_listed() {
    let ways: [fn() -> Sandbox; 3] = [cooling, || running(|_| ()), || running(kill_keeper)];
    let traces = tempfile::tempdir().expect("a folder");
    for new in ways {
        for from in ["1+", "6+"] {
            let sandbox = new();
            let words = format!("-e trace=getdents64 -e inject=getdents64:error=EIO:when={from}");
            wrap(&sandbox, "remotetask-run", &traces.path().join(from), &words);
            let looked = sandbox.get(&format!("/{MAGIC}/{TASK}")).var("QUERY_STRING", "status").send();
            assert!(from != "1+" || looked.body().starts_with("Task state unknown"), "{}", looked.body());
            let wrong = a_start_too_many(&sandbox, None);
            assert!(wrong.is_empty(), "{from}: {wrong:?}");
        }
    }
}

/// Nor does a record, a process or the boot that cannot be looked at: a killed keeper's run runs on.
#[test]
fn what_cannot_be_read_is_alive() {
    let traces = tempfile::tempdir().expect("a folder");
    for what in ["record", "process", "boot"] {
        let sandbox = running(kill_keeper);
        let path = match what {
            "record" => sandbox.path(&records(&sandbox)[0].0).display().to_string(),
            "process" => format!("/proc/{}/stat", sandbox.read("pid").trim()),
            _ => "/proc/sys/kernel/random/boot_id".into(),
        };
        let words = format!("-P {path} -e trace=?open,openat -e inject=?open,openat:error=EIO");
        wrap(&sandbox, "remotetask-run", &traces.path().join(what), &words);
        let wrong = a_start_too_many(&sandbox, None);
        assert!(fs::read_to_string(traces.path().join(what)).expect("a trace").contains("INJECTED"), "{what}");
        assert!(wrong.is_empty(), "{what}: {wrong:?}");
    }
}

/// A line that does not wait for the lock comes while another process leaves the newest lines of a full log.
#[test]
fn a_line_that_comes_while_a_full_log_is_cut() {
    let sandbox = Sandbox::with_command("true");
    let line = "2026-11-24 07:12:33.123 +01:00 WARN  refused who=unknown from=unknown why=5b 5c\n";
    sandbox.write("log.txt", &format!("the first line\n{}", line.repeat((1 << 20) / line.len() + 1)));
    let traces = tempfile::tempdir().expect("a folder");
    let slow = "-e trace=pwrite64 -e inject=pwrite64:delay_exit=1000000:when=1";
    wrap(&sandbox, "remotetask-cgi", &traces.path().join("trace"), slow);
    let cutting = sandbox.get("/wrong/keys").var("REMOTE_ADDR", "10.0.0.1").spawn();
    until("the newest lines in their new place", || (!sandbox.log().starts_with("the first line")).then_some(()));
    unwrap_any(&sandbox);
    sandbox.get("/wrong/keys").var("REMOTE_ADDR", "10.0.0.2").send().is_refusal();
    let size = sandbox.log().len();
    finish(cutting).is_refusal();
    let log = sandbox.log();
    assert!(size > 1 << 20 && log.len() < 1 << 20, "{size} {}", log.len());
    for caller in ["10.0.0.1", "10.0.0.2"] {
        assert_eq!(log.matches(&format!(" from={caller} ")).count(), 1, "{caller}");
    }
}

/// A change of config.json and keys.json: no key that starts something is lost, and the same change goes through afterwards.
fn a_change(sandbox: &Sandbox, words: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    let first = remotetask(sandbox, words);
    if first.code == Some(0) && words[0] == "seal" && sandbox.read("config.json").contains(MAGIC) {
        wrong.push(format!("it says {:?}, and the key is not sealed", first.out));
    }
    unwrap_any(sandbox);
    for after in ["with the fault", "afterwards"] {
        let urls = remotetask(sandbox, &["url", "t"]);
        let path = urls.paths().into_iter().next().unwrap_or_default();
        let answer = sandbox.call("POST", &path).send();
        if urls.code != Some(0) || !answer.body().starts_with("Task finished") {
            wrong.push(format!("{after}: {urls:?} {first:?}; {}", answer.body()));
        }
        if after == "with the fault" {
            let again = remotetask(sandbox, words);
            let known = again.err.contains("has a key already") || again.err.contains("already");
            if again.code != Some(0) && !known {
                wrong.push(format!("again: {again:?}, after {first:?}"));
            }
        }
    }
    if let Some(left) = sandbox.files().into_iter().find(|name| name.ends_with(".new")) {
        wrong.push(format!("{left} is left; {first:?}"));
    }
    wrong
}

fn plain() -> Sandbox {
    Sandbox::with_command("true")
}

#[test]
fn long_faults_of_the_workbench_at_seal() {
    sweep("remotetask", plain, |sandbox, _| a_change(sandbox, &["seal"]));
}

#[test]
fn long_faults_of_the_workbench_at_a_new_key() {
    sweep("remotetask", plain, |sandbox, _| a_change(sandbox, &["key", "new", "--label", "guest"]));
}

#[test]
fn long_faults_of_the_workbench_at_a_rotation() {
    sweep("remotetask", plain, |sandbox, _| a_change(sandbox, &["key", "rotate", "#1"]));
}
