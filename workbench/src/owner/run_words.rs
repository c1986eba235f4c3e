//! Runs in an owner's words.

use chrono::{DateTime, Local};

use remotetask::record::{Record, State};

/// The names of signals that end programs, by their numbers on Linux.
const SIGNALS: [(i32, &str); 8] =
    [(1, "HUP"), (2, "INT"), (3, "QUIT"), (6, "ABRT"), (9, "KILL"), (11, "SEGV"), (13, "PIPE"), (15, "TERM")];

/// A time in milliseconds since 1970, if there is such a time.
pub fn time(ms: u64) -> Option<DateTime<Local>> {
    Some(DateTime::from_timestamp_millis(i64::try_from(ms).ok()?)?.with_timezone(&Local))
}

/// A time to the second, in local time.
pub fn when(time: DateTime<Local>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A duration by its two largest units.
pub fn span(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0 => format!("{ms} ms"),
        1..60 => format!("{}.{} s", s, ms % 1000 / 100),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3600 % 24),
    }
}

/// The time at which a run ended, if that is known. Records of earlier versions have a duration alone.
pub fn ended(record: &Record) -> Option<u64> {
    record.ended.or_else(|| record.started.checked_add(record.duration_ms?))
}

/// The state of a run, as the end of a sentence that begins with the task.
pub fn state(record: &Record) -> String {
    match record.unreported {
        true => format!(
            "{}; `on_failure` was left out: as many as may ran already, or it could not be started",
            end(record)
        ),
        false => end(record),
    }
}

fn end(record: &Record) -> String {
    match record.state {
        State::Starting | State::Started => "is running".into(),
        State::Handing => "was being handed to DSM, and whether it was is not known".into(),
        State::Handed => "was handed to DSM, which alone knows its end".into(),
        State::Finished => "ended well".into(),
        State::Failed => failed(record.exit, record.signal),
        State::TimedOut => "was ended because its time limit was over".into(),
        State::Stopped => "was stopped because a caller asked for it".into(),
        State::Interrupted => {
            "was interrupted: its keeper was killed, or the NAS went off, before its end was known".into()
        }
        State::NotStarted => match &record.fault {
            Some((step, why)) => format!("was not started: {why} (step {step})"),
            None => "was not started".into(),
        },
    }
}

/// A failure by its exit code or signal.
pub fn failed(exit: Option<i32>, signal: Option<i32>) -> String {
    let name = |number| SIGNALS.iter().find(|(known, _)| *known == number).map(|(_, name)| format!(" ({name})"));
    match (exit, signal) {
        (Some(exit), _) => format!("failed with exit code {exit}"),
        (None, Some(number)) => format!("was ended by signal {number}{}", name(number).unwrap_or_default()),
        (None, None) => "failed".into(),
    }
}

/// A name as the log and the records hold it (a label in quotes, or the number of a key), without its quotes.
pub fn unquoted(raw: &str) -> String {
    match raw.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => raw.to_owned(),
    }
}

/// The caller of a run; a damaged record has none.
pub fn person(raw: &str) -> String {
    match raw {
        "" | "unknown" => "somebody unknown".into(),
        raw => unquoted(raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (ms, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.2 s"),
            (59_999, "59.9 s"),
            (61_000, "1 min 1 s"),
            (7_500_000, "2 h 5 min"),
            (180_000_000, "2 d 2 h"),
        ] {
            assert_eq!(span(ms), expected);
        }
    }

    #[test]
    fn a_name_without_its_quotes() {
        for (raw, expected) in [("\"Anna's phone\"", "Anna's phone"), ("#2", "#2"), (r#""a\"b\\c\n""#, r#"a"b\c\n"#)] {
            assert_eq!(unquoted(raw), expected);
        }
        assert_eq!(person(""), "somebody unknown");
    }
}
