//! Bounded reads of pipes, each with a deadline.

use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{fcntl_getfl, open, Mode, OFlags};
use rustix::io::{read, write, Errno};

/// Waits until one of them has something (data, or its end), or the deadline is over: then `false`.
pub fn wait_any(fds: &[BorrowedFd<'_>], deadline: Option<Instant>) -> bool {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        match poll(&mut polled, left.map(timespec).as_ref()) {
            Ok(0) => return false,
            Ok(_) => return true,
            Err(Errno::INTR) => continue,
            // Not to be waited for; the read that follows says why.
            Err(_) => return true,
        }
    }
}

/// Standard input, which must be a pipe to read from, opened anew, so that it is nobody else's to set, and never blocking:
/// who shares it could take away between poll(2) and read(2) what is there.
///
/// Root can open whatever its caller has only named (O_PATH), or may only write. So nothing but a pipe that the caller
/// could read is opened.
pub fn own_stdin() -> io::Result<OwnedFd> {
    let stdin = rustix::stdio::stdin();
    let is_readable = !fcntl_getfl(stdin)?.intersects(OFlags::PATH | OFlags::WRONLY);
    match is_readable && leads_to("/proc/self/fd/0", "pipe:[") {
        true => own(stdin, "/proc/self/fd/0", OFlags::RDONLY),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Standard output in the same way: a pipe, or a terminal, for a person who tries it. Of anything else its owner could
/// say how long a write takes.
pub fn own_stdout() -> io::Result<OwnedFd> {
    let stdout = rustix::stdio::stdout();
    let flags = fcntl_getfl(stdout)?;
    let is_writable = flags.intersects(OFlags::WRONLY | OFlags::RDWR) && !flags.contains(OFlags::PATH);
    let is_terminal = || leads_to("/proc/self/fd/1", "/dev/") && stdout.is_terminal();
    match is_writable && (leads_to("/proc/self/fd/1", "pipe:[") || is_terminal()) {
        true => own(stdout, "/proc/self/fd/1", OFlags::WRONLY),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Returns true where a descriptor is of a thing with such a name. No file system is asked, which could be the caller's
/// (fuse(4)) and never answer.
fn leads_to(descriptor: &str, name: &str) -> bool {
    std::fs::read_link(descriptor).is_ok_and(|path| path.as_os_str().as_bytes().starts_with(name.as_bytes()))
}

fn own(fd: BorrowedFd<'_>, path: &str, access: OFlags) -> io::Result<OwnedFd> {
    let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match open(path, flags, Mode::empty()) {
        Ok(fd) => Ok(fd),
        // Another user's, in an installation without root.
        Err(_) => Ok(fd.try_clone_to_owned()?),
    }
}

/// Reads at most `buffer.len()` bytes of what is there now; 0 is the end.
pub fn read_some(fd: impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match read(&fd, &mut *buffer) {
            Err(Errno::INTR) => continue,
            result => return result.map_err(io::Error::from),
        }
    }
}

/// Writes all of it; whoever does not read is not written to.
pub fn write_all(fd: impl AsFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(&fd, bytes) {
            Err(Errno::INTR) => continue,
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Writes a line to somebody who may not take it: what is not taken in `time` is dropped.
pub fn write_line(fd: impl AsFd, mut line: &[u8], time: Duration) -> io::Result<()> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    let deadline = Instant::now() + time;
    while !line.is_empty() {
        let mut writable = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::OUT)];
        let left = deadline.saturating_duration_since(Instant::now());
        match poll(&mut writable, Some(&timespec(left))) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        match write(&fd, line) {
            Ok(written) => line = &line[written..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Why there was no line.
#[derive(Debug, PartialEq, Eq)]
pub enum NoLine {
    /// The deadline was over first.
    Late,
    /// It ended first, after this many bytes.
    Ended(usize),
    /// It is longer than allowed.
    Long,
    /// Something stands behind the line.
    More,
    /// It could not be read.
    Unreadable(i32),
}

/// Lines that come one after the other, perhaps several at a time.
pub struct Lines<F> {
    fd: F,
    read: Vec<u8>,
}

impl<F: AsFd> Lines<F> {
    /// The lines of `fd`.
    pub fn new(fd: F) -> Lines<F> {
        Lines { fd, read: Vec::with_capacity(512) }
    }

    /// The next line of at most `max` bytes, the newline counted and taken off.
    pub fn next(&mut self, max: usize, deadline: Instant) -> Result<Vec<u8>, NoLine> {
        let mut buffer = [0; 4096];
        let mut searched = 0;
        loop {
            if let Some(end) = self.read[searched..].iter().position(|&b| b == b'\n') {
                let rest = self.read.split_off(searched + end + 1);
                let mut line = std::mem::replace(&mut self.read, rest);
                line.pop();
                return if line.len() < max { Ok(line) } else { Err(NoLine::Long) };
            }
            searched = self.read.len();
            if searched >= max {
                return Err(NoLine::Long);
            }
            if !wait_any(&[self.fd.as_fd()], Some(deadline)) {
                return Err(NoLine::Late);
            }
            match read_some(&self.fd, &mut buffer) {
                Ok(0) => return Err(NoLine::Ended(searched)),
                Ok(count) => self.read.extend_from_slice(&buffer[..count]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {} // another reader was faster
                Err(e) => return Err(NoLine::Unreadable(e.raw_os_error().unwrap_or(0))),
            }
        }
    }
}

/// Reads the only line of `fd`, of at most `max` bytes, the newline counted and taken off.
pub fn read_line(fd: impl AsFd, max: usize, deadline: Instant) -> Result<Vec<u8>, NoLine> {
    let mut lines = Lines::new(fd);
    let line = lines.next(max, deadline)?;
    match lines.read.is_empty() {
        true => Ok(line),
        false => Err(NoLine::More),
    }
}

/// Reads until the end or the deadline, and keeps the first `max` bytes.
pub fn read_all(fd: impl AsFd, max: usize, deadline: Instant) -> Vec<u8> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while wait_any(&[fd.as_fd()], Some(deadline)) {
        match read_some(&fd, &mut buffer) {
            Ok(count) if count > 0 => all.extend_from_slice(&buffer[..count.min(max - all.len())]),
            _ => break,
        }
    }
    all
}

/// The end of reading away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All of it came.
    Whole,
    /// It ended before its length.
    Ended,
    /// The deadline was over first.
    Late,
}

/// Reads `length` bytes away, until the end or the deadline at the latest, and adds them to `kept` where there is one.
pub fn drain(fd: impl AsFd, mut length: u64, deadline: Instant, mut kept: Option<&mut Vec<u8>>) -> Drained {
    let mut buffer = [0; 16 << 10];
    while length > 0 {
        // Looked at before poll(2), which says of a stream that always has something that it is never late.
        if Instant::now() >= deadline || !wait_any(&[fd.as_fd()], Some(deadline)) {
            return Drained::Late;
        }
        let most = length.min(buffer.len() as u64) as usize;
        match read_some(&fd, &mut buffer[..most]) {
            Ok(0) | Err(_) => return Drained::Ended,
            Ok(count) => {
                length -= count as u64;
                if let Some(kept) = &mut kept {
                    kept.extend_from_slice(&buffer[..count]);
                }
            }
        }
    }
    Drained::Whole
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: duration.subsec_nanos().into() }
}
