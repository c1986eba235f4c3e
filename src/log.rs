//! log.txt: one line an event, written by the web half alone.
//!
//! `2026-11-24 07:12:33.123 +01:00 INFO  started task="backup" who="Anna's phone" from=192.168.1.7 …`
//! No key nor a part of one comes here, and every outside text through [`Quoted`](crate::text::Quoted). A log that cannot
//! be written changes nothing else. Where it is full the oldest lines go, refusals and looks before the lines of runs.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;
use rustix::fs::{fcntl_setfl, open, Mode, OFlags};

use crate::files::{lock_within, Regular};
use crate::judge::Who;
use crate::streams;

/// From this size on, in bytes, the older half goes.
pub const FULL: u64 = 1 << 20;
/// The bytes of a line before its words, and those of a start or a stop that happened, or of a start that failed.
const HEAD: usize = "2026-11-24 07:12:33.123 +01:00 INFO  ".len();
const RUNS: [&str; 8] =
    ["started", "finished", "failed", "timed_out", "stopped", "interrupted", "not_started", "unknown"];
/// The time that a line waits for another's lock; then it is written without one.
const PATIENCE: Duration = Duration::from_millis(50);

/// Makes the events of this process lines of the file `path`.
pub fn open_at(path: PathBuf) {
    let line = |out: fern::FormatCallback<'_>, message: &fmt::Arguments<'_>, record: &log::Record<'_>| {
        let now = chrono::Local::now();
        out.finish(format_args!("{} {:5} {message}", Stamp(now), record.level()));
    };
    // fern's own file output panics when neither file nor stderr take a line.
    let write = fern::Output::call(move |record| write_line(&path, &format!("{}\n", record.args())));
    let _ = fern::Dispatch::new().level(LevelFilter::Debug).format(line).chain(write).apply();
    log::set_max_level(LevelFilter::Info);
}

/// Lines for the curious as well (`debug` in config.json).
pub fn log_more() {
    log::set_max_level(LevelFilter::Debug);
}

/// `2026-11-24 07:12:33.123 +01:00`, without the work of a format text.
struct Stamp(chrono::DateTime<chrono::Local>);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use chrono::{Datelike, Timelike};
        let t = &self.0;
        let offset = t.offset().local_minus_utc();
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
        write!(
            f,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03} {sign}{:02}:{:02}",
            t.year(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.timestamp_subsec_millis(),
            minutes / 60,
            minutes % 60
        )
    }
}

/// `who=` and whose magic key it was, if it was one.
pub struct Whose<'c>(pub Option<Who<'c>>);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("who=")?;
        match &self.0 {
            Some(who) => who.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

/// `from=` and the caller's address. A header's text that is no address does not come so far.
pub struct Caller(pub Option<IpAddr>);

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(address) => write!(f, "from={address}"),
            None => f.write_str("from=unknown"),
        }
    }
}

fn write_line(path: &PathBuf, line: &str) {
    let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = open(path, flags, Mode::from_raw_mode(0o640)).map_err(Into::into).and_then(Regular::of);
    let written = opened.and_then(|Regular { mut file, size, .. }| {
        // Everything that runs as the web server's user can hold this lock.
        let locked = matches!(lock_within(&file, PATIENCE), Ok(true));
        let forgotten = if locked && size >= FULL { forget_older_half(&mut file) } else { Ok(()) };
        // One write of a file opened for appending: lines of parallel requests do not mix.
        streams::write_all(&file, line.as_bytes()).and(forgotten)
    });
    if let Err(e) = written {
        // The web server's error log, if it takes it; nothing depends on it.
        let complaint = format!("remotetask-cgi: log.txt: {e}\n");
        let _ = streams::write_all(rustix::stdio::stderr(), complaint.as_bytes());
    }
}

/// Leaves the newest lines, in place, so that whoever reads along keeps reading the same file. Whatever ends it in
/// between, no line that was to stay is lost.
fn forget_older_half(file: &mut File) -> std::io::Result<()> {
    let size = file.metadata()?.len();
    if size < FULL {
        return Ok(()); // somebody else was first
    }
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(size.saturating_sub(2 * FULL)))?;
    (&*file).take(2 * FULL).read_to_end(&mut text)?;
    let kept = newest(&text);
    fcntl_setfl(&*file, OFlags::empty())?; // opened for appending, each write would go to the end
    let written = replace(file, &kept);
    fcntl_setfl(&*file, OFlags::APPEND | OFlags::NONBLOCK)?;
    written
}

/// Leaves these lines, and behind them those that did not wait for the lock: they are read after the long write, so that hardly
/// any can come later.
fn replace(file: &File, kept: &[u8]) -> std::io::Result<()> {
    file.write_all_at(kept, 0)?;
    let mut since = Vec::new();
    file.take(FULL).read_to_end(&mut since)?;
    file.write_all_at(&since, kept.len() as u64)?;
    file.set_len((kept.len() + since.len()) as u64)
}

/// Returns the newest lines, half of `FULL` at most. Refusals and looks can be of any number, so they get the room that the lines of
/// runs leave, an eighth of `FULL` at least, and take none from those.
fn newest(text: &[u8]) -> Vec<u8> {
    let lines = || text.split_inclusive(|&b| b == b'\n').rev();
    let half = FULL as usize / 2;
    let of_runs = lines().filter(|line| is_of_a_run(line)).map(<[u8]>::len).sum::<usize>().min(half / 4 * 3);
    let mut room = [half - of_runs, of_runs];
    let mut kept = Vec::new();
    for line in lines() {
        let room = &mut room[usize::from(is_of_a_run(line))];
        match room.checked_sub(line.len()) {
            Some(left) => {
                *room = left;
                kept.push(line);
            }
            None => *room = 0, // nothing older of this kind is kept either
        }
    }
    kept.reverse();
    kept.concat()
}

/// Returns true for the line of a start or a stop that happened, or of a start that failed: whoever made one had the keys.
fn is_of_a_run(line: &[u8]) -> bool {
    let what = line.get(HEAD..).unwrap_or_default().split(|&b| b == b' ').next();
    RUNS.iter().any(|word| what == Some(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of about 100 bytes, each with its number.
    fn lines(what: &str, numbers: std::ops::Range<usize>) -> String {
        let line = |at| format!("2026-11-24 07:12:33.123 +01:00 INFO  {what} task=\"t\" {at:06} {}\n", "x".repeat(40));
        numbers.map(line).collect()
    }

    fn kept(text: &str) -> String {
        String::from_utf8(newest(text.as_bytes())).expect("text")
    }

    /// Numbers of the lines that begin with this word.
    fn numbers(text: &str, what: &str) -> Vec<usize> {
        let of = text.lines().filter(|line| line[HEAD..].starts_with(what));
        of.map(|line| line[HEAD..].split(' ').nth_back(1).and_then(|at| at.parse().ok()).expect("a number")).collect()
    }

    #[test]
    fn lines_of_runs_outlast_a_flood() {
        for flood in ["refused", "asked finished", "shown again running", "cooling", "fault panic"] {
            let mut log: String = RUNS.map(|word| lines(word, 0..20)).concat();
            for round in 0..3 {
                log.push_str(&lines(flood, round * 8_000..(round + 1) * 8_000));
                log = kept(&log);
                assert!(
                    log.len() <= FULL as usize / 2 && log.len() > FULL as usize / 2 - 200,
                    "{flood}: {}",
                    log.len()
                );
            }
            RUNS.iter().for_each(|word| assert_eq!(numbers(&log, word), Vec::from_iter(0..20), "{flood}: {word}"));
            let newest = numbers(&log, flood);
            assert_eq!(newest, Vec::from_iter(24_000 - newest.len()..24_000), "{flood}");
        }
    }

    #[test]
    fn the_newest_of_each_kind_in_their_order() {
        let log = kept(&(lines("refused", 0..9_000) + &lines("finished", 0..9_000) + &lines("failed", 9_000..9_010)));
        let (refused, runs) = (numbers(&log, "refused"), numbers(&log, "fi"));
        assert_eq!(refused, Vec::from_iter(9_000 - refused.len()..9_000));
        assert_eq!(runs, Vec::from_iter(9_000 - runs.len()..9_000));
        assert_eq!(numbers(&log, "failed").len(), 10);
        assert!(refused.len() > 1000 && runs.len() > 3000, "{} {}", refused.len(), runs.len());
        assert!(log.find("finished") > log.rfind("refused") && log.ends_with("x\n"));
        // Neither a line that is too long, nor what is older, takes another one's room.
        let long = lines("started", 0..1) + &"x".repeat(1 << 20) + "\n" + &lines("refused", 0..1);
        assert_eq!(kept(&long), lines("started", 0..1) + &lines("refused", 0..1));
        assert_eq!(kept(&"x".repeat(1 << 20)), "");
    }
}
