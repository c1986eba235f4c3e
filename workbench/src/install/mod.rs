//! Orders over the parts of an installation: set up, repair, uninstall; and a packed file's run.

mod lock; // one order at a time
mod order; // what all orders share
mod package; // the unpacked package of a setup
pub mod setup; // a package becomes an installation, or a newer one
pub mod repair; // what an update of DSM took is put back
pub mod uninstall; // everything is taken away
pub mod phone; // the way on which phones reach this NAS
pub mod here; // a packed file's run, from a task of the Task Scheduler
