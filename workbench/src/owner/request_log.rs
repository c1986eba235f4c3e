//! log.txt, read: one parser of its lines for `check`, `log` and `prove`.
//!
//! The web server's user writes it: a line may be anything, it may be of any length, and the file may shrink meanwhile.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use chrono::{DateTime, FixedOffset};

use remotetask::files::Regular;
use remotetask::log::FULL;

/// No more than so many of the last bytes are read.
const MOST: u64 = 2 * FULL;
/// Bytes of a line that are kept.
const LONGEST: usize = 4096;
/// The characters of a line's time.
const STAMP: usize = "2026-11-24 07:12:33.123 +01:00".len();

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// All of it, cut where it is too long.
    pub text: String,
    /// Its parts, where it has the log's form.
    pub event: Option<Event>,
}

/// The parts of a line: `time LEVEL what name=value … why=…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The time.
    pub time: DateTime<FixedOffset>,
    /// The level, such as `WARN`.
    pub level: String,
    /// The words before the first field, such as `asked finished`.
    pub what: String,
    /// Names and values; a value in quotes still has them.
    fields: Vec<(String, String)>,
    /// The reason, which stands last.
    pub why: Option<String>,
}

impl Line {
    /// The parts of a line, without its end.
    pub fn of(bytes: &[u8]) -> Line {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST)]).into_owned();
        Line { event: event(&text), text }
    }
}

impl Event {
    /// The value of this field, as it stands.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// The whole lines behind the byte `from`, and the byte behind the last of them. Where the file is shorter now its older
/// half has gone, and all of it is read; of what is too much the end.
pub fn read(log: &Path, from: u64) -> io::Result<(Vec<Line>, u64)> {
    let Regular { mut file, size, .. } = match Regular::open(log) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), 0)),
        opened => opened?,
    };
    let wanted = if from <= size { from } else { 0 };
    let begin = wanted.max(size.saturating_sub(MOST));
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(begin))?;
    file.take(size - begin).read_to_end(&mut content)?;
    let whole = content.iter().rposition(|&b| b == b'\n').map_or(0, |last| last + 1);
    // A line of which the beginning was left out is none.
    let cut =
        if begin > wanted { content[..whole].iter().position(|&b| b == b'\n').map_or(0, |end| end + 1) } else { 0 };
    let lines = content[cut..whole].split(|&b| b == b'\n').filter(|line| !line.is_empty()).map(Line::of).collect();
    Ok((lines, begin + whole as u64))
}

/// The lines behind the byte `from`; none where the log cannot be read.
pub fn lines_since(log: &Path, from: u64) -> Vec<Line> {
    read(log, from).map(|(lines, _)| lines).unwrap_or_default()
}

fn event(text: &str) -> Option<Event> {
    let (stamp, rest) = text.split_at_checked(STAMP)?;
    let time = DateTime::parse_from_str(stamp, "%Y-%m-%d %H:%M:%S%.3f %:z").ok()?;
    let (level, rest) = rest.strip_prefix(' ')?.split_once(' ')?;
    let mut event = Event { time, level: level.to_owned(), what: String::new(), fields: Vec::new(), why: None };
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        if let Some(why) = rest.strip_prefix("why=") {
            event.why = Some(why.to_owned());
            break;
        }
        rest = match field(rest) {
            Some((name, value, behind)) => {
                event.fields.push((name.to_owned(), value.to_owned()));
                behind
            }
            None => {
                let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
                // Neither words between fields nor broken fields are the log's.
                if !event.fields.is_empty() || word.contains('=') {
                    return None;
                }
                event.what = if event.what.is_empty() { word.to_owned() } else { format!("{} {word}", event.what) };
                behind
            }
        };
    }
    Some(event)
}

/// `name=value` at the beginning, and the text behind it.
fn field(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('=')?;
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
        return None;
    }
    let end = match rest.starts_with('"') {
        true => closing_quote(rest)? + 1,
        false => rest.find(' ').unwrap_or(rest.len()),
    };
    let (value, behind) = rest.split_at(end);
    match behind.is_empty() || behind.starts_with(' ') {
        true => Some((name, value, behind.trim_start())),
        false => None,
    }
}

/// The place of the quote that ends the quoted text at the beginning.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMPED: &str = "2026-11-24 07:12:33.123 +01:00";

    #[test]
    fn the_parts_of_a_line() {
        let line = format!(
            "{STAMPED} INFO  asked finished task=\"a\\\" why=b\" who=#1 from=::1 run=01a2 exit=0 took=4ms why=7b \"/x y\""
        );
        let event = event(&line).expect("an event");
        assert_eq!((&*event.level, &*event.what), ("INFO", "asked finished"));
        for (name, expected) in
            [("task", Some("\"a\\\" why=b\"")), ("who", Some("#1")), ("run", Some("01a2")), ("why", None)]
        {
            assert_eq!(event.field(name), expected, "{name}");
        }
        assert_eq!(event.why.as_deref(), Some("7b \"/x y\""));
        assert_eq!(event.time.to_rfc3339(), "2026-11-24T07:12:33.123+01:00");
    }

    #[test]
    fn what_has_no_form_is_no_event() {
        for line in [
            "",
            "x",
            STAMPED,
            "2026-13-24 07:12:33.123 +01:00 INFO  started task=\"t\"",
            "2026-11-24 07:12:33.123 +01:00 INFO  started task=\"t",
            "2026-11-24 07:12:33.123 +01:00 INFO  started task=\"t\"x who=#1",
            "2026-11-24 07:12:33.123 +01:00 INFO  started task=\"t\" and more",
            "€€€€€€€€€€€€",
        ] {
            assert_eq!(event(line), None, "{line}");
        }
    }

    #[test]
    fn no_more_is_read_than_must_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log.txt");
        assert_eq!(read(&path, 7).expect("none"), (Vec::new(), 0));
        std::fs::write(&path, "one\ntwo\nthr").expect("written");
        let texts = |from| {
            let (lines, next) = read(&path, from).expect("read");
            (lines.into_iter().map(|line| line.text).collect::<Vec<_>>(), next)
        };
        assert_eq!(texts(0), (vec!["one".to_owned(), "two".to_owned()], 8));
        assert_eq!(texts(4), (vec!["two".to_owned()], 8));
        assert_eq!(texts(8), (vec![], 8));
        assert_eq!(texts(100).0.len(), 2, "it has shrunk");
        std::fs::write(&path, "x".repeat(3 << 20) + "\nlast\n").expect("written");
        assert_eq!(texts(0).0, ["last"]);
        std::fs::write(&path, "x".repeat(1 << 20) + "\nlast\n").expect("written");
        assert_eq!(texts(0).0.iter().map(String::len).collect::<Vec<_>>(), [LONGEST, 4]);
    }
}
