//! One order at a time: after a connection that broke, the first one still goes on while its owner types the same
//! again.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::owner::fault::Fault;
use crate::owner::screen::Screen;
use remotetask::files::{lock_within, open_lock};

/// In a folder of root's, so that no other user can hold it.
const LOCK: &str = "/usr/local/remotetask.lock";
/// The time that another order is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The right to change the installation, until it is dropped.
pub struct Lock {
    _file: File,
}

/// Takes the lock. At boot nothing is waited for.
pub fn take(screen: &Screen, boot: bool) -> Result<Lock, Fault> {
    let (path, deadline) = (Path::new(LOCK), Instant::now() + PATIENCE);
    let fault = |e: std::io::Error| Fault::of(path, &e);
    let mut said = false;
    let mut wait = || {
        if boot || Instant::now() >= deadline {
            return Err(Fault(format!(
                "another order changes this installation ({LOCK} is held); run this again when it has ended"
            )));
        }
        if !said {
            screen.say("Another remotetask changes this installation; waiting for its end ...");
            said = true;
        }
        Ok(deadline.saturating_duration_since(Instant::now()))
    };
    loop {
        if of_nas_sh(path) {
            wait()?;
            // A link is no lock to wait for.
            std::thread::sleep(Duration::from_millis(100));
            continue;
        }
        let file = open_lock(path).map_err(fault)?;
        let is_held = lock_within(&file, Duration::ZERO).map_err(fault)?;
        if !is_held && !lock_within(&file, wait()?).map_err(fault)? {
            continue;
        }
        // The one before removed its file before it gave the lock up.
        let inode = |meta: fs::Metadata| (meta.dev(), meta.ino());
        let mine = file.metadata().map(inode).map_err(fault)?;
        if fs::symlink_metadata(path).map(inode).is_ok_and(|there| there == mine) {
            return Ok(Lock { _file: file });
        }
    }
}

/// Returns true while a `nas.sh` of an earlier version is at work: its lock is a link to its process and that one's
/// start time. The link of a process that is no more is removed.
fn of_nas_sh(path: &Path) -> bool {
    let Ok(target) = fs::read_link(path) else { return false };
    let target = target.to_string_lossy().into_owned();
    let alive = target.split_once('-').is_some_and(|(pid, started)| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        fields.split(' ').nth(19) == Some(started)
    });
    if !alive {
        let _ = fs::remove_file(path);
    }
    alive
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The lock itself goes with the descriptor, after this.
        let _ = fs::remove_file(LOCK);
    }
}
