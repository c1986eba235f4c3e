//! Scheduled tasks that DSM runs now, as far as it can be seen.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::dsm_end::{begun, exit, time};
use super::synowebapi;
use crate::config::Server;
use crate::files::is_executable;
use crate::tree::{self, Process};

/// The time that the history may take before a start.
const HISTORY_TIME: Duration = Duration::from_secs(4);
/// A run without an end counts for so many seconds.
const A_DAY: u64 = 24 * 60 * 60;
/// The clock of `/proc/PID/stat`, in ticks a second: the same on every Linux.
const TICKS: u64 = 100;

/// Returns the time since when DSM runs a scheduled task, in milliseconds since 1970: since the begin of a process of
/// root's, `synoschedtask --run id=N`. Others can give a process of their own any words, and a setuid program of root's too.
pub fn runs_since(number: u32) -> Option<u64> {
    let filter = format!("id={number}");
    let runs = |pid: &i32| {
        // Not a word is read before: who else can hold up the reading of a process's words is its user.
        if !tree::is_roots_own(*pid) {
            return false;
        }
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = command.split(|&b| b == 0).collect();
        words.iter().any(|word| word.ends_with(b"synoschedtask"))
            && words.contains(&&b"--run"[..])
            && words.contains(&filter.as_bytes())
    };
    let running = tree::pids().into_iter().filter(runs).filter_map(Process::of);
    running.map(|process| (booted() + process.start / TICKS) * 1000).min()
}

/// The same, or else by the history: the newest run without an end, if it began in this boot and today. An end that DSM
/// has lost must not keep the task from ever starting again.
pub fn running_since(server: &Server<'_>, number: u32, deadline: Instant) -> Option<u64> {
    runs_since(number).or_else(|| {
        if !matches!(is_executable(Path::new(&*server.synowebapi)), Ok(true)) {
            return None;
        }
        let soon = deadline.min(Instant::now() + HISTORY_TIME);
        open_since(&synowebapi::task_history(&server.synowebapi, number, soon)?, booted(), now())
    })
}

fn open_since(history: &[Value], booted: u64, now: u64) -> Option<u64> {
    let newest = history.iter().rev().filter_map(|run| Some((begun(run)?, run))).max_by_key(|(begun, _)| *begun);
    let (begun, run) = newest.filter(|(begun, run)| time(&run["stop_time"]).is_none_or(|stop| stop < *begun))?;
    let begun = u64::try_from(begun).ok()?;
    // A run of which DSM says how it ended has ended.
    (exit(run).is_none() && begun >= booted && (begun..begun + A_DAY).contains(&now)).then_some(begun * 1000)
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs())
}

/// The start of the NAS, in seconds since 1970.
fn booted() -> u64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|time| time.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_run_without_an_end() {
        let since = |history: Value| open_since(history.as_array().expect("a list"), 50_000, 90_000);
        for (history, expected) in [
            (json!([{"start_time": 80_000}]), Some(80_000_000)),
            (json!([{"start_time": 80_000, "stop_time": ""}, {"start_time": 10, "stop_time": 20}]), Some(80_000_000)),
            (json!([{"start_time": 80_000, "stop_time": 80_001, "exit_code": 0}]), None),
            (json!([{"start_time": 80_000, "exit_code": 0}]), None),
            (json!([{"start_time": 80_000, "stop_time": 80_001}, {"start_time": 70_000}]), None),
            // Of another boot, and in the future.
            (json!([{"start_time": 49_999}]), None),
            (json!([{"start_time": 90_001}]), None),
            (json!([]), None),
        ] {
            assert_eq!(since(history.clone()), expected, "{history}");
        }
        let long_ago = [json!({"start_time": 80_000})];
        assert_eq!(open_since(&long_ago, 50_000, 80_000 + A_DAY), None, "too old to be believed");
    }
}
