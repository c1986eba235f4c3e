//! The frame of all orders over the parts: root, signals, the lock, and the report's end.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

use rustix::process::geteuid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::lock::{self, Lock};
use crate::nas::apache::Apache;
use crate::owner::fault::Fault;
use crate::owner::screen::Screen;
use crate::owner::workbench::INSTALLED;
use crate::parts::entry_point::{php_package, NO_APACHE};
use crate::parts::job::{EntryPointKind, Job};
use remotetask::accounts::Accounts;

/// An order at work; it is alone.
pub struct Order {
    screen: Screen,
    interrupted: Arc<AtomicBool>,
    _lock: Lock,
}

impl Order {
    /// Begins an order on this NAS, as root.
    pub fn begin(boot: bool) -> Result<Order, Fault> {
        if !geteuid().is_root() {
            return Err(Fault::new("this needs root: type the same again with sudo in front of it"));
        }
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, interrupted.clone()).map_err(Fault::new)?;
        }
        // A connection that breaks ends nothing half-way.
        signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false))).map_err(Fault::new)?;
        // A file is root's alone until it has its mode.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        rustix::process::chdir("/").map_err(|e| Fault::of(Path::new("/"), &e.into()))?;
        let screen = Screen::own();
        let lock = lock::take(&screen, boot)?;
        Ok(Order { screen, interrupted, _lock: lock })
    }

    /// The job of this order on the installation.
    pub fn job(&self, dry_run: bool) -> Job<'_> {
        let job = Job::new(Path::new(INSTALLED), 0, &self.screen, &self.interrupted);
        Job { dry_run, ..job }
    }
}

/// The fault of a NAS on which no installation can work, before anything is changed.
pub fn requirements(wanted: Option<EntryPointKind>, is_new: bool) -> Result<(), Fault> {
    let accounts = Accounts::read();
    if accounts.http().is_none() || accounts.http_group().is_none() {
        return Err(Fault::new(
            "this NAS has no user and group http, which web servers run as: install Web Station in DSM's Package Center, then run this \
             again",
        ));
    }
    if is_new && wanted != Some(EntryPointKind::Php) && Apache::here().is_none() && php_package().is_none() {
        return Err(Fault::new(NO_APACHE));
    }
    if !Path::new("/usr/bin/sudo").is_file() {
        return Err(Fault::new(
            "there is no /usr/bin/sudo, the web server's way to root: this DSM cannot run the remote task starter",
        ));
    }
    let folder = Path::new(INSTALLED);
    match std::fs::symlink_metadata(folder) {
        Ok(meta) if !meta.is_dir() => {
            Err(Fault(format!("{INSTALLED} is there and no folder: see what it is, move it away, then run this again")))
        }
        Ok(meta) if std::os::unix::fs::MetadataExt::uid(&meta) != 0 => Err(Fault(format!(
            "{INSTALLED} does not belong to root: see whose it is, move it away, then run this again"
        ))),
        _ => Ok(()),
    }
}

/// The report's last sentence.
pub fn end(job: &Job<'_>) {
    match (job.dry_run, job.faults, job.changes) {
        (true, 0, 0) => job.screen.say("Everything is as it should be; there is nothing to do."),
        (true, ..) => job.screen.say("Nothing was changed."),
        (false, 0, 0) => job.screen.say("Everything was as it should be; nothing was changed."),
        _ => {}
    }
}
