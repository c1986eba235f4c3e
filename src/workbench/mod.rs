//! The workbench: what an owner types at a shell, as root. Nothing of it is reached by a request.

pub mod screen; // what the owner sees
pub mod view; // both files as the owner reads them
pub mod edit; // config.json, changed as a whole or not at all
pub mod secrets; // new keys; keys.json
pub mod strength; // can this key be guessed?

pub mod status; // where things stand, and what to do next
pub mod tasks; // what can be started
pub mod people; // key new, list, revoke, rotate
pub mod url; // URLs, codes, text to copy
pub mod page; // URLs for whoever has no shell: a file that goes when it was read
pub mod seal; // plain keys become digests
pub mod attempt; // try: everything but the start
pub mod check; // does everything work?
pub mod probe; // which way starts a scheduled task here?
pub mod prove; // one request, all the way

pub mod apache; // what Web Station's Apache says of itself
pub mod boxes; // what this box is, for docs/boxes.md

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::files;
use crate::outcome::Outcome;
use crate::trust;
use screen::Screen;

/// Why a command did not do what it was told: sentences for the owner, with the cure.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl Fault {
    /// These sentences.
    pub fn new(why: impl fmt::Display) -> Fault {
        Fault(why.to_string())
    }

    /// What the system says about a file, in the owner's words.
    pub fn of(path: &Path, error: &std::io::Error) -> Fault {
        Fault(format!("{}: {}", path.display(), plainly(error)))
    }
}

/// A system's error without its number, with a cure where there is one.
pub fn plainly(error: &std::io::Error) -> String {
    use std::io::ErrorKind::{NotFound, PermissionDenied, ReadOnlyFilesystem, StorageFull};
    match error.kind() {
        NotFound => "there is no such file".into(),
        PermissionDenied => "this user may not do that; try it with sudo in front".into(),
        StorageFull => "there is no space left on the volume; make some, then try again".into(),
        ReadOnlyFilesystem => "the volume is read-only; DSM makes it so when the disk has a fault".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_owned()
        }
    }
}

/// config.json of an installation, by the judgement of the root half: what others could have written is
/// not believed, for it names programs that root starts. `None` where there is none.
pub fn config_of(folder: &Path) -> Result<Option<Vec<u8>>, Fault> {
    let path = folder.join("config.json");
    if path.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let owner = std::fs::metadata(folder).map_err(|e| Fault::of(folder, &e))?.uid();
    let content = trust::at(folder, owner).and_then(|home| home.config());
    content.map(Some).map_err(|outcome| match outcome {
        Outcome::NotStarted { reason, .. } => Fault(format!(
            "{}. Until that is mended nothing that config.json names is started; remotetask check tells how",
            reason.split(" (os error").next().unwrap_or_default()
        )),
        _ => Fault::new("config.json cannot be judged"),
    })
}

/// An installation, and the screen of the one who works on it.
pub struct Bench {
    /// The folder of the programs and their files.
    pub folder: PathBuf,
    /// Where the answers go.
    pub screen: Screen,
}

impl Bench {
    /// The installation that this program belongs to, for the user that it belongs to, or root.
    pub fn own() -> Result<Bench, Fault> {
        let folder = files::own_folder().map_err(|e| Fault(plainly(&e)))?;
        let owner = std::fs::metadata(&folder).map_err(|e| Fault::of(&folder, &e))?.uid();
        let user = geteuid().as_raw();
        match user == owner || user == 0 {
            true => Ok(Bench { folder, screen: Screen::own() }),
            false if owner == 0 => Err(Fault::new("this needs root: type the same again with sudo in front of it")),
            false => {
                Err(Fault(format!("{} belongs to uid {owner}: only that user and root may do this", folder.display())))
            }
        }
    }

    /// What the owner types for this program: its name where it is linked, or else its whole path.
    pub fn typed(&self) -> String {
        let own = self.path("remotetask");
        let linked = std::fs::canonicalize("/usr/local/bin/remotetask").is_ok_and(|program| program == own);
        let name = if linked { "remotetask".to_owned() } else { url::quoted(&own.display().to_string()) };
        format!("{}{name}", self.sudo())
    }

    /// What the owner types in front of a command.
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
