//! The unpacked package: the folder that this program was started from.

use std::fs;
use std::path::{Path, PathBuf};

use crate::commands::seal;
use crate::owner::edit;
use crate::owner::fault::{plainly, Fault};
use crate::owner::screen::Screen;
use crate::owner::view::{is_published, published_key};
use crate::owner::workbench::{Workbench, INSTALLED};
use crate::parts::files::{put, Content, TABLE};
use crate::parts::job::Job;
use crate::parts::place;
use remotetask::files::{self, Regular, CONFIG_MAX};
use remotetask::outcome::Outcome;
use remotetask::trust::{self, is_own};

/// Names of the folders that packages are unpacked in; behind it stands the number of the process.
const STAGES: &str = "remotetask.new.";

/// The package. A folder that it was unpacked in goes with it.
pub struct Package {
    /// Its folder.
    pub folder: PathBuf,
}

impl Package {
    /// The package that this program belongs to: whole, and root's alone.
    pub fn own() -> Result<Package, Fault> {
        let folder = files::own_folder().map_err(|e| Fault(plainly(&e)))?;
        if folder == Path::new(INSTALLED) {
            return Err(Fault::new(
                "this is the installation itself: setup is for an unpacked package, repair for the installation",
            ));
        }
        let package = Package { folder };
        trust::at(&package.folder, 0).map_err(|why| match why {
            Outcome::NotStarted { reason, .. } => {
                Fault(format!("{reason}. Unpack the package as root, in a folder of root's"))
            }
            _ => Fault::new("the package's folder cannot be judged"),
        })?;
        for row in TABLE.iter().filter(|row| row.content == Content::Program) {
            match Regular::open(&package.folder.join(row.name)) {
                Ok(file) if file.size == 0 => return Err(package.incomplete(row.name)),
                Ok(file) if is_own(&file, &package.folder) => {}
                Ok(_) => return Err(package.changeable(row.name)),
                Err(_) => return Err(package.incomplete(row.name)),
            }
        }
        Ok(package)
    }

    fn incomplete(&self, name: &str) -> Fault {
        Fault(format!("this package is not complete: {name} is missing"))
    }

    fn changeable(&self, name: &str) -> Fault {
        let path = self.folder.join(name);
        Fault(format!("others than root can change {}: unpack the package as root, with tar -o", path.display()))
    }

    /// Takes an owner's configuration into the package, checked and sealed. `file` is one on this NAS, or the package has
    /// one; `named` is the name that its owner knows it by. Returns true if there is one.
    pub fn take_configuration(&self, file: Option<&Path>, named: Option<&str>, dry_run: bool) -> Result<bool, Fault> {
        let own = self.folder.join("config.json");
        let source = file.unwrap_or(&own);
        if file.is_none() && !own.exists() {
            return Ok(false);
        }
        let name = named.map_or_else(|| source.to_owned(), PathBuf::from);
        let installed = Path::new(INSTALLED).join("config.json");
        if installed.symlink_metadata().is_ok() {
            return Err(Fault(format!(
                "there is a configuration already, {}: move it away if yours is to take its place, then run this again",
                installed.display()
            )));
        }
        let unreadable = |e: std::io::Error| Fault(format!("{} could not be read: {}", name.display(), plainly(&e)));
        let opened = Regular::open(source).map_err(unreadable)?;
        // An owner's file elsewhere is read once; the package's own stays what it is.
        if file.is_none() && !is_own(&opened, &self.folder) {
            return Err(self.changeable("config.json"));
        }
        let content = opened.read(CONFIG_MAX).map_err(unreadable)?;
        edit::valid(&name, &content)?;
        if let Some(whose) = published_key(&content) {
            return Err(Fault(format!("{}: {}", name.display(), is_published(&whose))));
        }
        if dry_run {
            return Ok(true);
        }
        place::write(&own, &content, 0o600)?;
        let screen = Screen::own();
        seal::run(&Workbench { folder: self.folder.clone(), screen }, false)?;
        Ok(true)
    }

    /// Puts the configuration that was taken in its place. Keys of an earlier one, which may come back, stay.
    pub fn put_configuration(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        let keys = job.path("keys.json");
        if keys.exists() {
            let name = (1..)
                .map(|number| if number == 1 { "keys.json.old".to_owned() } else { format!("keys.json.old.{number}") })
                .find(|name| job.path(name).symlink_metadata().is_err())
                .unwrap_or_default();
            if !job.dry_run {
                fs::rename(&keys, job.path(&name)).map_err(|e| Fault::of(&keys, &e))?;
            }
            job.done(format_args!("the keys that were there are in {name} now: delete it when nobody needs them"));
        }
        if !job.dry_run {
            // The keys first: whatever interrupts this, none is lost that the configuration knows. A configuration of
            // digests alone has none.
            let rows = ["keys.json", "config.json"].map(|name| TABLE.iter().find(|row| row.name == name));
            for row in rows.into_iter().flatten().filter(|row| self.folder.join(row.name).exists()) {
                place::copy(&self.folder.join(row.name), &job.path(row.name), row.mode)?;
                put::give_owner_and_mode(job, row)?;
            }
        }
        job.done("config.json is yours, with digests in place of plain keys");
        Ok(())
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        if self.folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(STAGES)) {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Removes the folders that packages of killed processes have left.
pub fn sweep() {
    let above = Path::new(INSTALLED).parent().unwrap_or(Path::new("/"));
    for entry in fs::read_dir(above).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let dead = name.strip_prefix(STAGES).is_some_and(|pid| !Path::new("/proc").join(pid).is_dir());
        if dead || name == STAGES.trim_end_matches('.') {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
