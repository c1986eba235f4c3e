//! `setup`: the package that this program lies in becomes the installation, or a newer one. A second time it changes
//! nothing.

use std::path::PathBuf;

use super::order::{self, Order};
use super::package::Package;
use crate::check;
use crate::commands::prove;
use crate::owner::fault::Fault;
use crate::owner::screen::Screen;
use crate::owner::workbench::Workbench;
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
}

/// `setup`. Returns true if everything is in its place.
pub fn run(args: &SetupArgs) -> Result<bool, Fault> {
    let order = Order::begin(false)?;
    let package = Package::own()?;
    put(&order, &package, args)
}

/// Puts every part of the package in place.
pub(super) fn put(order: &Order, package: &Package, args: &SetupArgs) -> Result<bool, Fault> {
    let mut job = order.job(args.dry_run);
    let is_new = crate::parts::entry_point::noted(job.folder).is_none();
    order::requirements(args.entry_point, is_new)?;
    let config = package.take_configuration(args.config.as_deref(), args.config_name.as_deref(), args.dry_run)?;
    job.package = Some(&package.folder);
    job.wanted = args.entry_point;
    for (at, part) in parts::all().into_iter().enumerate() {
        put_part(&mut job, part)?;
        if at == 0 && config {
            package.put_configuration(&mut job)?;
        }
    }
    afterwards(&mut job)?;
    match (job.dry_run, job.faults, job.changes) {
        (false, 0, 1..) => job.screen.say("Everything is in its place."),
        (false, 1.., _) => {
            job.screen.say("The programs are there, and something would not work yet: see above, and run this again.");
        }
        _ => order::end(&job),
    }
    Ok(job.faults == 0)
}

/// Puts one part, unless a signal has asked for an end.
pub(super) fn put_part(job: &mut Job<'_>, part: &dyn Part) -> Result<(), Fault> {
    match job.is_interrupted() {
        true => Err(Fault::new("this was interrupted; what was begun was taken back, and the next run goes on")),
        false => part.put(job),
    }
}

/// The proof that requests get through to the root half, and what a proof that was cut off has left.
pub(super) fn afterwards(job: &mut Job<'_>) -> Result<(), Fault> {
    if job.is_interrupted() {
        return Err(Fault::new("this was interrupted; what was begun was taken back, and the next run goes on"));
    }
    // It would fail for a fault that was reported already.
    if job.faults == 0 && !job.boot && !job.dry_run {
        if let Some(found) = check::sudo_path::of(job.folder) {
            job.found(&found);
        }
    }
    if !job.dry_run {
        let bench = Workbench { folder: job.folder.to_owned(), screen: Screen::silent() };
        // Nothing is taken out of a configuration that is refused; its fault is reported by `check`.
        let gone = prove::take_away_all(&bench).unwrap_or_default();
        if !gone.is_empty() {
            job.done(format_args!("what a proof that was cut off has left is gone: {}", gone.join(", ")));
        }
    }
    Ok(())
}
