//! `repair`: puts back what an update of DSM, or a mistake, has taken. DSM's boot calls it with `--boot`: packages have
//! not started yet, so it waits for nothing.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::order::{self, Order};
use super::setup::{afterwards, put_part};
use crate::commands::page;
use crate::owner::fault::Fault;
use crate::owner::screen::Screen;
use crate::owner::workbench::{Workbench, INSTALLED};
use crate::parts;
use crate::parts::entry_point::EntryPoint;
use crate::parts::files::Files;
use crate::parts::job::{EntryPointKind, Job};

/// `repair`. Returns true if nothing is left to do for the owner.
pub fn run(bench: &Workbench, boot: bool, dry_run: bool) -> Result<bool, Fault> {
    if bench.folder != Path::new(INSTALLED) {
        return trial(bench, dry_run);
    }
    let order = Order::begin(boot)?;
    order::requirements(None, false)?;
    let mut job = order.job(dry_run);
    job.boot = boot;
    for part in parts::all() {
        put_part(&mut job, part)?;
    }
    afterwards(&mut job)?;
    forget_pages(bench, &job);
    order::end(&job);
    Ok(job.faults == 0)
}

/// Puts another entry point in the place of the one that is there. Returns true if it is in place.
pub fn entry_point(kind: EntryPointKind) -> Result<bool, Fault> {
    let order = Order::begin(false)?;
    let mut job = order.job(false);
    job.wanted = Some(kind);
    put_part(&mut job, &EntryPoint)?;
    Ok(job.faults == 0)
}

/// A trial, or another installation that becomes no other user: its files alone.
fn trial(bench: &Workbench, dry_run: bool) -> Result<bool, Fault> {
    let meta = std::fs::metadata(&bench.folder).map_err(|e| Fault::of(&bench.folder, &e))?;
    let (screen, interrupted) = (Screen::own(), AtomicBool::new(false));
    let job = Job::new(&bench.folder, meta.uid(), &screen, &interrupted);
    let mut job = Job { trial: true, dry_run, ..job };
    put_part(&mut job, &Files)?;
    forget_pages(bench, &job);
    order::end(&job);
    Ok(job.faults == 0)
}

/// Pages with URLs whose own keepers could not take them away, because the NAS was switched off.
fn forget_pages(bench: &Workbench, job: &Job<'_>) {
    if !job.dry_run {
        if let Err(Fault(why)) = page::forget(bench) {
            job.advice(why);
        }
    }
}
