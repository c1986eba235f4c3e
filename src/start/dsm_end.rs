//! The end of a task that was handed to DSM, as far as DSM tells it.
//!
//! DSM is asked by each of its programs that is there: its web API has a history of runs; else `synoschedtask --get` has
//! the last run in minutes, and `esynoscheduler --get` in seconds. A run of DSM's that began before ours, or long after
//! it, is another run. What DSM does not tell stays handed to DSM. That the history is told to a shell, and that the times
//! are the beginnings of runs, no source shows on a real DSM.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use chrono::{Local, NaiveDate, NaiveDateTime, TimeZone};
use serde_json::{json, Value};

use super::dsm_runs::runs_since;
use super::{esynoscheduler, synoschedtask, synowebapi, Listed, DSM_TIME};
use crate::child::boot;
use crate::config::{Server, Starts, Task};
use crate::files::{is_executable, lock_within, open_lock};
use crate::record::{Record, Runs, State};
use crate::text::beginning;

/// The time from one question about a task to the next.
const PAUSE: Duration = Duration::from_secs(2);
/// A run that DSM began later than this after ours, in seconds, was started by something else.
const BEGINS_WITHIN: i64 = 300;
/// The longest field that is noted of what DSM shows, in bytes: a script can look like any field, and a record has an end.
const WORD_MAX: usize = 256;
/// The last second of the year 9999. A later time is nonsense, and its milliseconds may fit no number.
const LATEST: i64 = 253_402_300_799;
/// Begins the note of a task that DSM was seen to run already, before our start.
const RAN: &str = "runs ";
/// The facts about a run that was handed to DSM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// DSM says nothing that is about this run.
    Nothing,
    /// It runs.
    Runs,
    /// It has ended.
    Ended(Ended),
}

/// An end as DSM tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When, in seconds since 1970, and after how many.
    at: Option<(i64, i64)>,
    exit: Option<i32>,
    signal: Option<i32>,
}

/// Returns the task's last run; of one that was handed to DSM, what DSM says of it. An end is recorded, and never asked for
/// again.
pub fn last_run(task: &Task<'_>, server: &Server<'_>, state: &Path, time: Duration) -> io::Result<Option<Record>> {
    let runs = Runs::of(state, &task.id);
    let Some(mut record) = runs.recorded_runs()?.next() else { return Ok(None) };
    // One that is being handed over at this moment is the other call's.
    let handed = match record.state {
        State::Handed => true,
        State::Handing => !record.is_younger_than(DSM_TIME),
        _ => false,
    };
    if handed && !time.is_zero() {
        match told(task, server, &runs, &record, Instant::now() + time) {
            Told::Ended(end) => end.put_into(&mut record),
            Told::Runs => record.state = State::Started,
            Told::Nothing => {}
        }
    }
    Ok(Some(record))
}

/// DSM's word for the last run of a scheduled task before ours.
pub fn before(task: &Listed) -> String {
    let ran = if runs_since(task.id).is_some() { RAN } else { "" };
    format!("{ran}{}", word(task))
}

fn word(task: &Listed) -> String {
    let shown = |text: &Option<String>| beginning(text.as_deref().unwrap_or("-"), WORD_MAX).to_owned();
    format!("{} {}", shown(&task.last), shown(&task.status))
}

/// Asks DSM, unless somebody asks at this moment or has asked a moment ago: then that answer counts.
fn told(task: &Task<'_>, server: &Server<'_>, runs: &Runs, record: &Record, deadline: Instant) -> Told {
    let path = runs.folder().join("asked");
    let (noted, runs_note) = (format!("{}\n", record.run), format!("{} runs\n", record.run));
    let Ok(mut file) = open_lock(&path) else { return Told::Nothing };
    let mine = matches!(lock_within(&file, Duration::ZERO), Ok(true));
    let note = fs::read_to_string(&path).unwrap_or_default();
    if !mine || (note == noted || note == runs_note) && is_recent(&file) {
        return if note == runs_note || process(task, record) { Told::Runs } else { Told::Nothing };
    }
    let told = ask(task, server, runs, record, deadline);
    if let Told::Ended(end) = told {
        let mut record = record.clone();
        end.put_into(&mut record);
        // Should the disk refuse it, the next look asks again.
        let _ = runs.write_durably(&record);
    }
    let text = if told == Told::Runs { runs_note } else { noted };
    let _ = file.set_len(0).and_then(|()| file.write_all(text.as_bytes()));
    let _ = file.set_modified(SystemTime::now());
    told
}

/// A time in the future is the clock's fault.
fn is_recent(file: &File) -> bool {
    let age = |time: SystemTime| time.elapsed().map_err(io::Error::other);
    file.metadata().and_then(|meta| meta.modified()).and_then(age).is_ok_and(|age| age < PAUSE)
}

fn ask(task: &Task<'_>, server: &Server<'_>, runs: &Runs, record: &Record, deadline: Instant) -> Told {
    let ours = Ours::of(record, runs);
    let there = |program: &str| matches!(is_executable(Path::new(program)), Ok(true));
    let web_api = there(&server.synowebapi);
    let told = match &task.starts {
        Starts::Command(_) => return Told::Nothing,
        Starts::Scheduled(number) => {
            let history = web_api.then(|| synowebapi::task_history(&server.synowebapi, *number, deadline)).flatten();
            match history.map_or(Told::Nothing, |list| ours.among(&list)) {
                Told::Nothing => match synoschedtask::get(&server.synoschedtask, *number, deadline) {
                    Ok(Some(listed)) => ours.listed(&listed, record.dsm_before.as_deref()),
                    _ => Told::Nothing,
                },
                told => told,
            }
        }
        Starts::Event(name) => {
            let history = web_api.then(|| synowebapi::event_history(&server.synowebapi, name, deadline)).flatten();
            match history.map_or(Told::Nothing, |list| ours.among(&list)) {
                Told::Nothing if there(&server.esynoscheduler) => {
                    match esynoscheduler::get(&server.esynoscheduler, name, deadline) {
                        Ok(Some(task)) => ours.among(&[as_run(&task)]),
                        _ => Told::Nothing,
                    }
                }
                told => told,
            }
        }
    };
    match told {
        Told::Nothing if process(task, record) => Told::Runs,
        told => told,
    }
}

/// Returns true where a process of DSM's is seen to run the task, in the boot of this run.
fn process(task: &Task<'_>, record: &Record) -> bool {
    matches!(task.starts, Starts::Scheduled(number) if record.boot == boot() && runs_since(number).is_some())
}

/// Our run, to be found among DSM's.
pub struct Ours {
    /// The hand-over to DSM, in seconds since 1970.
    started: i64,
    /// True where an earlier run of ours was started within the same second.
    second: bool,
    /// True if the NAS was not started anew since.
    same_boot: bool,
}

impl Ours {
    /// That of this record, among the task's runs.
    pub fn of(record: &Record, runs: &Runs) -> Ours {
        let started = (record.started / 1000) as i64;
        let earlier = |other: &Record| other.run < record.run;
        let second = runs.newest_first().filter(earlier).any(|other| (other.started / 1000) as i64 == started);
        Ours { started, second, same_boot: record.boot == boot() }
    }

    fn may_begin(&self, at: i64) -> bool {
        let first = if self.second { self.started + 1 } else { self.started };
        (first..=self.started + BEGINS_WITHIN).contains(&at)
    }

    /// The first of DSM's runs since ours was started.
    pub fn among(&self, history: &[Value]) -> Told {
        // Another event than a start on demand is not ours.
        let on_demand = |run: &&Value| run["trigger_event"].as_str().is_none_or(|event| event == "on_demand");
        let dated = history.iter().filter(on_demand).filter_map(|run| Some((begun(run)?, run)));
        let Some((begun, run)) = dated.filter(|(at, _)| self.may_begin(*at)).min_by_key(|(at, _)| *at) else {
            return Told::Nothing;
        };
        match (time(&run["stop_time"]).filter(|stop| *stop >= begun), exit(run)) {
            (Some(stop), Some((exit, signal))) => Told::Ended(Ended { at: Some((stop, stop - begun)), exit, signal }),
            (None, _) if self.same_boot => Told::Runs,
            _ => Told::Nothing,
        }
    }

    /// What `--get` says, which knows minutes: an earlier run within the same minute must differ from what it said before
    /// our start.
    pub fn listed(&self, task: &Listed, before: Option<&str>) -> Told {
        let Some(last) = task.last.as_deref().and_then(|last| time(&Value::from(last))) else { return Told::Nothing };
        let minute = self.started - self.started.rem_euclid(60);
        let since = self.may_begin(last) || last == minute && before.is_some();
        let earlier = before.is_some_and(|before| before.starts_with(RAN) || before == word(task));
        let exit = match task.status.as_deref() {
            Some("Success") => Some(0),
            Some(status) => status.strip_prefix("Error(").and_then(|rest| rest.strip_suffix(')')?.parse().ok()),
            None => None,
        };
        match exit {
            Some(exit) if since && !earlier && runs_since(task.id).is_none() => {
                Told::Ended(Ended { at: None, exit: Some(exit), signal: None })
            }
            _ => Told::Nothing,
        }
    }
}

impl Ended {
    /// Notes the end.
    pub fn put_into(self, record: &mut Record) {
        record.state = if self.exit == Some(0) { State::Finished } else { State::Failed };
        (record.exit, record.signal) = (self.exit, self.signal);
        record.ended = self.at.and_then(|(at, _)| u64::try_from(at).ok()).map(|at| at * 1000);
        record.duration_ms = self.at.and_then(|(_, took)| u64::try_from(took).ok()).map(|took| took * 1000);
    }
}

/// Exit code and signal of a run. `by_signal` with a code that is no signal's is an exit code.
pub(super) fn exit(run: &Value) -> Option<(Option<i32>, Option<i32>)> {
    let own = run.get("exit_info").unwrap_or(run);
    // DSM's database has it as a text.
    let info = own.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| own.clone());
    let code = number(&info["exit_code"]).and_then(|code| i32::try_from(code).ok())?;
    match info["exit_type"].as_str() {
        Some("by_signal") if (1..=64).contains(&code) => Some((None, Some(code))),
        Some("by_signal") if code == 0 => None,
        _ => Some((Some(code), None)),
    }
}

/// The begin of a run of DSM's.
pub(super) fn begun(run: &Value) -> Option<i64> {
    time(&run["timestamp"]).or_else(|| time(&run["start_time"]))
}

/// A triggered task's last run, from what esynoscheduler says of the task.
pub fn as_run(task: &Value) -> Value {
    let status = task["status"].as_str().and_then(|text| serde_json::from_str(text).ok());
    let status: Value = status.unwrap_or_else(|| task["status"].clone());
    let runs = status["running"].as_array().is_some_and(|running| !running.is_empty());
    let stop = if runs { &Value::Null } else { &task["last_stop_time"] };
    json!({ "start_time": task["last_start_time"], "stop_time": stop, "exit_info": task["last_exit_info"] })
}

/// A time as DSM has it, in seconds since 1970: a number, or a local time without or with seconds. An hour that comes twice
/// counts as the first one, so that no earlier run is taken for a later one.
pub(super) fn time(value: &Value) -> Option<i64> {
    let seconds = match number(value) {
        Some(number) => number,
        None => {
            let text = value.as_str()?.trim().replace('/', "-");
            Local.from_local_datetime(&local_time(&text)?).earliest()?.timestamp()
        }
    };
    Some(seconds).filter(|seconds| (1..=LATEST).contains(seconds))
}

/// `2026-11-24 07:12`, or with seconds behind. By hand, because chrono's parser takes as much code as all of this module.
fn local_time(text: &str) -> Option<NaiveDateTime> {
    let numbers =
        |text: &str, between: char| text.split(between).map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>();
    let (date, time) = text.split_once(' ')?;
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let [hour, minute, ref seconds @ ..] = numbers(time.trim_start(), ':')?[..] else { return None };
    let second = match seconds {
        [] => 0,
        [second] => *second,
        _ => return None,
    };
    NaiveDate::from_ymd_opt(year.try_into().ok()?, month, day)?.and_hms_opt(hour, minute, second)
}

/// A number, or a text of digits.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_726_005_600; // a whole minute

    fn ours() -> Ours {
        Ours { started: START + 20, second: false, same_boot: true }
    }

    /// As DSM writes a local time.
    fn local(at: i64, form: &str) -> String {
        let time = Local.timestamp_opt(at, 0).single().expect("a time");
        time.format(form).to_string()
    }

    fn seconds(at: i64) -> String {
        local(at, "%Y-%m-%d %H:%M:%S")
    }

    fn ended(stop: i64, took: i64, exit: Option<i32>, signal: Option<i32>) -> Told {
        Told::Ended(Ended { at: Some((stop, took)), exit, signal })
    }

    #[test]
    fn our_run_among_dsms() {
        let run = |from: i64, to: i64, code: i32, kind: &str| {
            json!({"start_time": seconds(START + from), "stop_time": seconds(START + to), "exit_code": code,
                   "exit_type": kind, "timestamp": (START + from).to_string()})
        };
        let event = json!({"start_time": START + 22, "stop_time": START + 23, "trigger_event": "on_demand",
                           "exit_info": {"exit_code": 4, "exit_type": "stop"}});
        let of = |trigger: &str| {
            let mut other = event.clone();
            other["trigger_event"] = trigger.into();
            other
        };
        let open = json!({"start_time": seconds(START + 21)});
        for (history, expected) in [
            (json!([run(21, 24, 0, "normal")]), ended(START + 24, 3, Some(0), None)),
            (json!([run(20, 20, 7, "normal")]), ended(START + 20, 0, Some(7), None)),
            (json!([run(21, 24, 15, "by_signal")]), ended(START + 24, 3, None, Some(15))),
            (json!([run(21, 24, 127, "by_signal")]), ended(START + 24, 3, Some(127), None)),
            // The first since our start, whatever ran later or before.
            (
                json!([run(100, 120, 1, "normal"), run(22, 30, 0, "normal"), run(5, 21, 9, "normal")]),
                ended(START + 30, 8, Some(0), None),
            ),
            (json!([run(19, 40, 0, "normal")]), Told::Nothing),
            (json!([run(400, 401, 0, "normal")]), Told::Nothing),
            (json!([open]), Told::Runs),
            (json!([{"start_time": START + 21, "stop_time": "", "exit_code": ""}]), Told::Runs),
            // Left over from the run before.
            (json!([{"start_time": START + 21, "stop_time": START + 2, "exit_code": 0}]), Told::Runs),
            (json!([{"start_time": START + 21, "stop_time": START + 22}]), Told::Nothing),
            (json!([run(21, 24, 0, "by_signal")]), Told::Nothing),
            (json!([event]), ended(START + 23, 1, Some(4), None)),
            (json!([of("bootup")]), Told::Nothing),
            (json!([{"start_time": "soon"}, 7, null, {}]), Told::Nothing),
            (json!([]), Told::Nothing),
        ] {
            let list = history.as_array().expect("a list");
            assert_eq!(ours().among(list), expected, "{history}");
        }
        let again = Ours { second: true, ..ours() };
        assert_eq!(again.among(&[run(20, 21, 0, "normal")]), Told::Nothing, "it may be the run before");
        assert_eq!(again.among(&[run(21, 21, 0, "normal")]), ended(START + 21, 0, Some(0), None));
        let since_boot = Ours { same_boot: false, ..ours() };
        assert_eq!(since_boot.among(&[open]), Told::Nothing, "nothing runs over a boot");
    }

    #[test]
    fn what_a_list_of_minutes_proves() {
        let listed = |last: &str, status: &str| Listed {
            id: 4_000_000_000, // nobody runs it
            name: String::new(),
            enabled: true,
            owner: None,
            user: None,
            next: None,
            last: Some(last.into()).filter(|last: &String| !last.is_empty()),
            status: Some(status.into()),
        };
        let minute = |at: i64| local(START + at, "%Y-%m-%d %H:%M");
        let (this, next, old) = (minute(0), minute(60), minute(-60));
        let before = |last: &str, status: &str| Some(word(&listed(last, status)));
        let end = |exit| Told::Ended(Ended { at: None, exit: Some(exit), signal: None });
        for (last, status, before, expected) in [
            (&this, "Success", before(&old, "Success"), end(0)),
            (&this, "Error(3)", before("", "Not Available"), end(3)),
            (&next, "Success", None, end(0)),
            // Within our minute, as before: that run may be another.
            (&this, "Success", before(&this, "Success"), Told::Nothing),
            (&this, "Error(1)", before(&this, "Success"), end(1)),
            (&this, "Success", None, Told::Nothing),
            (&this, "Success", before(&old, "Success").map(|word| format!("{RAN}{word}")), Told::Nothing),
            (&old, "Success", before(&old, "Error(1)"), Told::Nothing),
            (&minute(600), "Success", before(&old, "Success"), Told::Nothing),
            (&this, "Not Available", before(&old, "Success"), Told::Nothing),
            (&this, "No last run record", before(&old, "Success"), Told::Nothing),
            (&this, "Error(x)", before(&old, "Success"), Told::Nothing),
            (&String::new(), "Success", before(&old, "Success"), Told::Nothing),
            (&"never".to_owned(), "Success", before(&old, "Success"), Told::Nothing),
        ] {
            assert_eq!(ours().listed(&listed(last, status), before.as_deref()), expected, "{last} {status} {before:?}");
        }
    }

    /// A script's own line can stand where DSM shows none, and a record is read only to a bound.
    #[test]
    fn a_note_has_an_end() {
        let long = Some("x".repeat(100 << 10));
        let task = Listed {
            id: 4_000_000_000,
            name: String::new(),
            enabled: true,
            owner: None,
            user: None,
            next: None,
            last: long.clone(),
            status: long,
        };
        assert_eq!(word(&task).len(), 2 * WORD_MAX + 1);
    }

    #[test]
    fn what_esynoscheduler_says_of_a_task() {
        let task = |running: Value, stop: Value, info: Value| {
            as_run(&json!({"task_name": "x", "status": running, "last_start_time": START + 21, "last_stop_time": stop,
                           "last_exit_info": info}))
        };
        let info = json!({"exit_code": 3, "exit_type": "stop"});
        let stop = json!(START + 25);
        for (run, expected) in [
            (task(json!({"running": []}), stop.clone(), info.clone()), ended(START + 25, 4, Some(3), None)),
            (
                task(json!("{\"running\":[]}"), stop.clone(), json!(info.to_string())),
                ended(START + 25, 4, Some(3), None),
            ),
            (task(json!({"running": [42]}), stop.clone(), info.clone()), Told::Runs),
            (task(json!("{\"running\":[42]}"), stop.clone(), info.clone()), Told::Runs),
            (task(json!({}), json!(START + 2), info.clone()), Told::Runs),
            (task(json!({}), stop, json!({})), Told::Nothing),
        ] {
            assert_eq!(ours().among(std::slice::from_ref(&run)), expected, "{run}");
        }
    }

    #[test]
    fn times_as_dsm_has_them() {
        for (value, expected) in [
            (json!(START), Some(START)),
            (json!(START.to_string()), Some(START)),
            (json!(seconds(START + 7)), Some(START + 7)),
            (json!(local(START, "%Y-%m-%d %H:%M")), Some(START)),
            (json!(local(START, "%Y/%m/%d %-H:%M")), Some(START)),
            (json!(0), None),
            (json!(LATEST), Some(LATEST)),
            (json!(LATEST + 1), None),
            (json!(i64::MAX.to_string()), None),
            (json!("+262142-12-31 23:59"), None),
            (json!("-262143-01-01 00:00"), None),
            (json!(""), None),
            (json!("-"), None),
            (json!(null), None),
            (json!("2026-13-01 00:00"), None),
            (json!("2026-11-24 24:00"), None),
            (json!("2026-11-24"), None),
            (json!("2026-11-24 07"), None),
            (json!("2026-11-24 07:12:33.5"), None),
            (json!("2026-11-24 07:12:33:1"), None),
        ] {
            assert_eq!(time(&value), expected, "{value}");
        }
    }
}
