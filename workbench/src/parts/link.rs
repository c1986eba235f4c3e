//! The link by which a shell knows the name `remotetask`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::job::Job;
use super::{made, Part};
use crate::nas::installation::Installation;
use crate::owner::fault::Fault;
use crate::owner::finding::{findings, Found};
use crate::owner::workbench::LINK;

findings! {
    Missing { link, file }: "link-missing", Advice,
        "<link> is no link to <file>, so a shell does not know the name remotetask.",
        "Put it back: `sudo remotetask repair`";
    InTheWay { link }: "link-other", Fault,
        "<link> is there and leads elsewhere, so a shell starts something else by the name remotetask.",
        "See what it is and move it away, then put the link there: `sudo mv <link> <link>.away` `sudo remotetask repair`";
}

/// The part.
pub struct Link;

impl Part for Link {
    fn look(&self, nas: &Installation<'_>) -> Vec<Found> {
        let program = nas.path("remotetask");
        // Beside a program that is not there a missing link is no news.
        if nas.trial || leads_to(&program) || !program.exists() {
            return Vec::new();
        }
        vec![match is_in_the_way() {
            true => InTheWay { link: &LINK }.found(),
            false => Missing { link: &LINK, file: &program.display() }.found(),
        }]
    }

    fn put(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        let program = job.path("remotetask");
        let link = Path::new(LINK);
        if leads_to(&program) {
            return Ok(());
        }
        if is_in_the_way() {
            job.found(&InTheWay { link: &LINK }.found());
            return Ok(());
        }
        if !job.dry_run {
            made::make_folder(job, link.parent().unwrap_or(link))?;
            symlink(&program, link).map_err(|e| Fault::of(link, &e))?;
        }
        job.done("a shell knows the name remotetask");
        Ok(())
    }

    fn take_away(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        let link = Path::new(LINK);
        // Another program's is not ours to take away.
        if !leads_to(&job.path("remotetask")) {
            return Ok(());
        }
        if !job.dry_run {
            fs::remove_file(link).map_err(|e| Fault::of(link, &e))?;
        }
        job.done("the name remotetask is gone");
        Ok(())
    }
}

fn leads_to(program: &Path) -> bool {
    fs::read_link(LINK).is_ok_and(|target| target == program)
}

fn is_in_the_way() -> bool {
    fs::symlink_metadata(LINK).is_ok()
}
