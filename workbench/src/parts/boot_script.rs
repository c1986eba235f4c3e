//! The script that DSM calls at boot with `start` (as it calls every /usr/local/etc/rc.d/*.sh, before packages have
//! started) and at shutdown with `stop`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::job::Job;
use super::{made, place, texts, Part};
use crate::nas::installation::Installation;
use crate::owner::fault::Fault;
use crate::owner::finding::{findings, Found};

findings! {
    Missing { file }: "boot-script-missing", Advice,
        "<file> is not there as it was installed, so nothing puts back at boot what an update of DSM has taken.",
        "Put it back: `sudo remotetask repair`";
}

const SCRIPT: &str = "/usr/local/etc/rc.d/remotetask.sh";
const MODE: u32 = 0o755;

/// The part.
pub struct BootScript;

impl Part for BootScript {
    fn look(&self, nas: &Installation<'_>) -> Vec<Found> {
        match nas.trial || is_right() {
            true => Vec::new(),
            false => vec![Missing { file: &SCRIPT }.found()],
        }
    }

    fn put(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        if is_right() {
            return Ok(());
        }
        let script = Path::new(SCRIPT);
        if !job.dry_run {
            made::make_folder(job, script.parent().unwrap_or(script))?;
            place::write(script, texts::BOOT.as_bytes(), MODE)?;
        }
        job.done(format_args!("DSM's boot repairs what an update takes ({SCRIPT})"));
        Ok(())
    }

    fn take_away(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        let script = Path::new(SCRIPT);
        if fs::symlink_metadata(script).is_err() {
            return Ok(());
        }
        if !job.dry_run {
            let _ = fs::remove_file(place::beside(script));
            fs::remove_file(script).map_err(|e| Fault::of(script, &e))?;
        }
        job.done("DSM's boot repairs nothing any more");
        Ok(())
    }
}

fn is_right() -> bool {
    let mode = fs::symlink_metadata(SCRIPT).is_ok_and(|meta| meta.mode() & 0o7777 == MODE && meta.gid() == 0);
    mode && place::holds(Path::new(SCRIPT), texts::BOOT.as_bytes())
}
