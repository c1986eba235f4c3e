//! New events: awaited by inotify, until a signal comes or nobody reads any more.

use std::io;
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, WatchFlags};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::owner::fault::Fault;
use crate::owner::workbench::Workbench;

/// Looked at in any case after this time: a keeper that is killed changes no file.
const LOOK: Duration = Duration::from_secs(2);
/// The least time from one look to the next, whatever the web server's user writes.
const GAP: Duration = Duration::from_millis(200);

/// Calls `look` at each change until SIGINT, SIGTERM or SIGHUP comes, or the reader of standard output has gone.
pub fn until_told_to_end(bench: &Workbench, mut look: impl FnMut() -> Result<(), Fault>) -> Result<(), Fault> {
    let (told, tell) = UnixStream::pair().map_err(Fault::new)?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let tell = tell.try_clone().map_err(Fault::new)?;
        signal_hook::low_level::pipe::register(signal, tell).map_err(Fault::new)?;
    }
    // Without it the looks come by time alone.
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK).ok();
    loop {
        watch.iter().for_each(|watch| watch_all(watch, bench));
        look()?;
        if is_over(&told, None, GAP)? || is_over(&told, watch.as_ref(), LOOK)? {
            return Ok(());
        }
        watch.iter().for_each(drain);
    }
}

/// The folder of log.txt, that of the runs, and those of each task; a task's first run makes a new one.
fn watch_all(watch: &OwnedFd, bench: &Workbench) {
    let state = bench.path("state");
    let add = |path: &Path, flags| {
        let _ = inotify::add_watch(watch, path, flags | WatchFlags::ONLYDIR);
    };
    add(&bench.folder, WatchFlags::MODIFY | WatchFlags::CREATE);
    add(&state, WatchFlags::CREATE);
    for entry in std::fs::read_dir(&state).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            add(&entry.path(), WatchFlags::MOVED_TO);
        }
    }
}

/// Waits for a change, as long as this at most. Returns true where a signal came, or nobody reads any more.
fn is_over(told: &UnixStream, watch: Option<&OwnedFd>, most: Duration) -> Result<bool, Fault> {
    let most = Timespec { tv_sec: most.as_secs() as i64, tv_nsec: most.subsec_nanos().into() };
    let stdout = rustix::stdio::stdout();
    // A pipe without a reader reports that by itself.
    let mut polled = vec![PollFd::new(told, PollFlags::IN), PollFd::new(&stdout, PollFlags::empty())];
    polled.extend(watch.map(|watch| PollFd::new(watch, PollFlags::IN)));
    match poll(&mut polled, Some(&most)) {
        Ok(_) => Ok(polled[..2].iter().any(|polled| !polled.revents().is_empty())),
        Err(Errno::INTR) => Ok(false),
        Err(e) => Err(Fault::new(io::Error::from(e))),
    }
}

fn drain(watch: &OwnedFd) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(watch, &mut buffer);
    while events.next().is_ok() {}
}
