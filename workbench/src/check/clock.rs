//! The clock: expiry and the times in the log go by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Datelike, Local};

use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};

findings! {
    Past { now }: "clock-past", Advice,
        "The clock says <now>, which is long ago: keys that have expired would be accepted.",
        "Let DSM fetch the time from the network: Control Panel, Regional Options, Time, \"Synchronize with NTP \
         server\".";
    Future { file, then, now }: "clock-future", Advice,
        "<file> was written at <then>, and the clock says <now>: it is wrong, or it was.",
        "See whether the clock is right now. If it is, give the file today's time, and all is well: `date` `sudo touch \
         <file>`";
}

/// Before this year there was no such program.
const FIRST_YEAR: i32 = 2024;
/// Clocks of two processors, or of a volume elsewhere, may differ a little.
const TOLERANCE: Duration = Duration::from_secs(60);

/// Compares the clock with what was written before now.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    let now = SystemTime::now();
    let mut newest: Option<(PathBuf, SystemTime)> = None;
    for path in written(nas) {
        let Ok(time) = fs::metadata(&path).and_then(|meta| meta.modified()) else { continue };
        if newest.as_ref().is_none_or(|(_, newest)| time > *newest) {
            newest = Some((path, time));
        }
    }
    judge(now, newest.as_ref().map(|(path, time)| (&**path, *time)))
}

/// The log, and the records of runs.
fn written(nas: &Installation<'_>) -> Vec<PathBuf> {
    let files = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let runs = files(nas.path("state")).filter(|path| path.is_dir()).flat_map(files);
    let records = runs.filter(|path| path.extension().is_some_and(|kind| kind == "json"));
    [nas.path("log.txt")].into_iter().chain(records).collect()
}

fn judge(now: SystemTime, newest: Option<(&Path, SystemTime)>) -> Vec<Found> {
    let local = DateTime::<Local>::from;
    let shown = |time| local(time).format("%Y-%m-%d %H:%M").to_string();
    let mut found = Vec::new();
    if local(now).year() < FIRST_YEAR {
        found.push(Past { now: &shown(now) }.found());
    }
    if let Some((path, time)) = newest.filter(|(_, time)| *time > now + TOLERANCE) {
        found.push(Future { file: &path.display(), then: &shown(time), now: &shown(now) }.found());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_clock_may_say() {
        let at =
            |day: &str| SystemTime::from(DateTime::parse_from_rfc3339(&format!("{day}T12:00:00Z")).expect("a day"));
        let log = Path::new("/usr/local/remotetask/log.txt");
        for (now, newest, expected) in [
            (at("2026-11-24"), None, &[][..]),
            (at("2026-11-24"), Some(at("2026-11-24")), &[]),
            (at("2026-11-24"), Some(at("2026-11-24") + TOLERANCE), &[]),
            (at("2026-11-24"), Some(at("2026-11-25")), &["clock-future"]),
            (at("2000-01-02"), None, &["clock-past"]),
            (at("2023-12-30"), Some(at("2023-12-31")), &["clock-past", "clock-future"]),
        ] {
            let found = judge(now, newest.map(|time| (log, time)));
            let codes: Vec<&str> = found.iter().map(|found| found.code).collect();
            assert_eq!(codes, expected, "{now:?} {newest:?}");
        }
        let found = judge(at("2000-01-02"), None).remove(0);
        let says = "which is long ago: keys that have expired would be accepted.";
        assert!(
            found.sentence.starts_with("The clock says 2000-01-02 ") && found.sentence.ends_with(says),
            "{}",
            found.sentence
        );
    }
}
