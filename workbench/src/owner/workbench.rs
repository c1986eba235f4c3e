//! The workbench: the installation that this program belongs to, and the owner's screen.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::process::geteuid;

use super::fault::{plainly, Fault};
use super::names::quoted;
use super::screen::Screen;
use remotetask::files;

/// The folder of an installation on a NAS; any other may be a trial, which becomes no other user.
pub const INSTALLED: &str = "/usr/local/remotetask";
/// The name that an owner types, a link to the program.
pub const LINK: &str = "/usr/local/bin/remotetask";

/// An installation, and the screen of the one who works on it.
pub struct Workbench {
    /// The folder of the programs and their files.
    pub folder: PathBuf,
    /// The owner's screen.
    pub screen: Screen,
}

impl Workbench {
    /// The installation that this program belongs to, for the user that it belongs to, or root.
    pub fn own() -> Result<Workbench, Fault> {
        let folder = files::own_folder().map_err(|e| Fault(plainly(&e)))?;
        let owner = std::fs::metadata(&folder).map_err(|e| Fault::of(&folder, &e))?.uid();
        let user = geteuid().as_raw();
        match user == owner || user == 0 {
            true => Ok(Workbench { folder, screen: Screen::own() }),
            false if owner == 0 => Err(Fault::new("this needs root: type the same again with sudo in front of it")),
            false => {
                Err(Fault(format!("{} belongs to uid {owner}: only that user and root may do this", folder.display())))
            }
        }
    }

    /// The words that the owner types for this program: its name where it is linked, or else its whole path.
    pub fn typed(&self) -> String {
        let own = self.path("remotetask");
        let linked = std::fs::canonicalize(LINK).is_ok_and(|program| program == own);
        let name = if linked { "remotetask".to_owned() } else { quoted(&own.display().to_string()) };
        format!("{}{name}", self.sudo())
    }

    /// The word that the owner types in front of a command.
    pub fn sudo(&self) -> &'static str {
        let of_root = std::fs::metadata(&self.folder).is_ok_and(|meta| meta.uid() == 0);
        if of_root {
            "sudo "
        } else {
            ""
        }
    }

    /// A file of the installation.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
