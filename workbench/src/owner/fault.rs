//! The faults that an owner reads: sentences that name the thing, what is wrong with it, and the action.

use std::fmt;
use std::path::Path;

/// The reason that a command did not do its work: sentences for the owner, with the fix.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault(pub String);

impl Fault {
    /// These sentences.
    pub fn new(why: impl fmt::Display) -> Fault {
        Fault(why.to_string())
    }

    /// The system's error about a file, in an owner's words.
    pub fn of(path: &Path, error: &std::io::Error) -> Fault {
        Fault(format!("{}: {}", path.display(), plainly(error)))
    }
}

/// A system's error without its number, with a fix where there is one.
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
