//! log.txt: one line an event, written by the web half alone.
//!
//! `2026-11-24 07:12:33.123 +01:00 INFO  started task="backup" who="Anna's phone" from=192.168.1.7 …`
//! No key nor a part of one comes here, and every outside text through [`Quoted`](crate::text::Quoted). A log that cannot
//! be written changes nothing else.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use log::LevelFilter;
use rustix::fs::{open, Mode, OFlags};

use crate::files::{lock_within, Regular};
use crate::judge::Who;
use crate::streams;

/// From this size on, in bytes, the older half goes.
pub const FULL: u64 = 1 << 20;
/// How long a line waits for another's lock; then it is written without one.
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
        if locked && size >= FULL {
            forget_older_half(&mut file)?;
        }
        // One write of a file opened for appending: lines of parallel requests do not mix.
        streams::write_all(&file, line.as_bytes())
    });
    if let Err(e) = written {
        // The web server's error log, if it takes it; nothing depends on it.
        let complaint = format!("remotetask-cgi: log.txt: {e}\n");
        let _ = streams::write_all(rustix::stdio::stderr(), complaint.as_bytes());
    }
}

/// In place, so that whoever reads along keeps reading the same file.
fn forget_older_half(file: &mut File) -> std::io::Result<()> {
    let size = file.metadata()?.len();
    if size < FULL {
        return Ok(()); // somebody else was first
    }
    let mut newer = Vec::new();
    file.seek(SeekFrom::Start(size - FULL / 2))?;
    file.take(FULL).read_to_end(&mut newer)?;
    let start = newer.iter().position(|&b| b == b'\n').map_or(0, |end| end + 1);
    file.set_len(0)?;
    file.write_all(&newer[start..])
}
