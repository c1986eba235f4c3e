//! `uninstall`: takes every part away, first what leads to the programs, then the programs.

use std::path::Path;

use super::order::Order;
use crate::commands::page;
use crate::owner::fault::Fault;
use crate::owner::workbench::{Workbench, INSTALLED};
use crate::parts;

/// `uninstall`. Returns true if nothing is left to do for the owner.
pub fn run(bench: &Workbench, keep_config: bool, dry_run: bool) -> Result<bool, Fault> {
    if bench.folder != Path::new(INSTALLED) {
        return Err(Fault(format!(
            "{} is no installation on a NAS but a trial: delete that folder, and nothing of it is left",
            bench.folder.display()
        )));
    }
    let order = Order::begin(false)?;
    let mut job = order.job(dry_run);
    job.keep_config = keep_config;
    if !dry_run && bench.path("state").is_dir() {
        if let Err(Fault(why)) = page::forget(bench) {
            job.advice(why);
        }
    }
    for part in parts::all().into_iter().rev() {
        // One that cannot be taken away keeps no other.
        if let Err(Fault(why)) = part.take_away(&mut job) {
            job.fault(why);
        }
    }
    match (job.changes, dry_run) {
        (0, _) => job.screen.say("There was nothing to take away."),
        (_, true) => job.screen.say("Nothing was changed."),
        _ => {}
    }
    Ok(job.faults == 0)
}
