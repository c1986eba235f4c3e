//! A port of Apache's own, from `listen` and `port` of config.json.

use std::path::Path;

use super::listen::Listen;
use super::{drop_in, NO_APACHE};
use crate::nas::apache::Apache;
use crate::owner::edit::listen_address;
use crate::owner::fault::Fault;
use crate::parts::job::Job;
use crate::parts::texts::DROP_IN;

/// Puts the drop-in in place.
pub fn put(job: &mut Job<'_>) -> Result<(), Fault> {
    let Some(apache) = Apache::here() else {
        job.fault(NO_APACHE);
        return Ok(());
    };
    if !drop_in::apache_is_sound(job, &apache) {
        return Ok(());
    }
    let Some(module) = drop_in::cgi_module(job, &apache) else {
        return Ok(());
    };
    let Some(module) = module else {
        job.fault(
            "this Apache cannot run programs, because it has neither mod_cgid nor mod_cgi: install PHP 8.2 in DSM's Package \
             Center, then run this again with --php",
        );
        return Ok(());
    };
    // An owner's configuration that came with the package is not in its place yet in a dry run.
    let folder = if job.path("config.json").exists() { job.folder } else { job.package.unwrap_or(job.folder) };
    let listen = match listen_address(Path::new(folder)) {
        Ok(address) => Listen(address),
        // A configuration that is not believed was reported already, and the port that is in place stays.
        Err(_) if job.faults > 0 && drop_in::path().is_file() => return Ok(()),
        Err(Fault(why)) => {
            job.fault(why);
            return Ok(());
        }
    };
    let text = format!("{}{module}{DROP_IN}", listen.define());
    let done = format!("Apache answers at http://{}", listen.0);
    drop_in::put(job, &apache, &text, Some(listen), &done)
}
