//! `setup`: the package that this program lies in becomes the installation, or a newer one. A second time it changes
//! nothing.

use std::path::PathBuf;

use super::order::{self, Order};
use super::package::{self, Package};
use crate::check;
use crate::commands::prove;
use crate::owner::fault::Fault;
use crate::owner::screen::Screen;
use crate::owner::workbench::Workbench;
use crate::parts::entry_point::{noted, show_clicks};
use crate::parts::job::{EntryPointKind, Job};
use crate::parts::{self, Part};

/// The arguments of `setup`.
#[derive(Default)]
pub struct SetupArgs {
    /// The entry point; without one it stays, or the best is taken.
    pub entry_point: Option<EntryPointKind>,
    /// An owner's configuration on this NAS.
    pub config: Option<PathBuf>,
    /// The name that its owner knows the package's configuration by.
    pub config_name: Option<String>,
    /// Only report.
    pub dry_run: bool,
    /// The order on how phones reach the NAS follows, and shows what is left to click in DSM.
    pub then_phone: bool,
}

/// `setup`. Returns true if everything is in its place.
pub fn run(args: &SetupArgs) -> Result<bool, Fault> {
    let order = Order::begin(false)?;
    let package = Package::own()?;
    put(&order, &package, args)
}

/// Puts every part of the package in place.
pub(super) fn put(order: &Order, unpacked: &Package, args: &SetupArgs) -> Result<bool, Fault> {
    let mut job = order.job(args.dry_run);
    let is_new = noted(job.folder).is_none();
    order::requirements(args.entry_point, is_new)?;
    let config = unpacked.take_configuration(args.config.as_deref(), args.config_name.as_deref(), args.dry_run)?;
    if !args.dry_run {
        package::sweep();
    }
    job.package = Some(&unpacked.folder);
    job.wanted = args.entry_point;
    let [files, others @ ..] = parts::all();
    put_part(&mut job, files)?;
    if config {
        unpacked.put_configuration(&mut job)?;
    }
    for part in others {
        put_part(&mut job, part)?;
    }
    afterwards(&mut job)?;
    match (job.dry_run, job.faults, job.changes) {
        (false, 0, 1..) => job.screen.say("Everything is in its place."),
        (false, 1.., _) => {
            job.screen.say("The programs are there, and something would not work yet: see above, and run this again.");
        }
        _ => order::end(&job),
    }
    let kind = noted(job.folder).filter(|kind| *kind != EntryPointKind::Port);
    if let (Some(kind), false) = (kind, args.then_phone || job.dry_run || job.faults > 0) {
        show_clicks(job.screen, kind);
    }
    Ok(job.faults == 0)
}

/// Puts one part, unless a signal has asked for an end. One that is in a bad state keeps no other from being put right.
pub(super) fn put_part(job: &mut Job<'_>, part: &dyn Part) -> Result<(), Fault> {
    not_interrupted(job)?;
    if let Err(Fault(why)) = part.put(job) {
        job.fault(why);
    }
    Ok(())
}

fn not_interrupted(job: &Job<'_>) -> Result<(), Fault> {
    match job.is_interrupted() {
        true => Err(Fault::new("this was interrupted; what was begun was taken back, and the next run goes on")),
        false => Ok(()),
    }
}

/// The proof that requests get through to the root half, and what a proof that was cut off has left.
pub(super) fn afterwards(job: &mut Job<'_>) -> Result<(), Fault> {
    not_interrupted(job)?;
    // It would fail for a fault that was reported already.
    if job.faults == 0 && !job.boot && !job.dry_run {
        if let Some(found) = check::sudo_path::of(job.folder) {
            job.found(&found);
        }
    }
    if !job.dry_run {
        let bench = Workbench { folder: job.folder.to_owned(), screen: Screen::silent() };
        match prove::take_away_all(&bench) {
            Ok(gone) if gone.is_empty() => {}
            Ok(gone) => job.done(format_args!("what a proof that was cut off has left is gone: {}", gone.join(", "))),
            Err(Fault(why)) => {
                job.advice(format_args!("what a proof that was cut off has left stays in config.json: {why}"))
            }
        }
    }
    Ok(())
}
