//! The files of the installation's folder: one table with owner, group, mode, content, and what to do with a file that
//! others than root could have written.

pub mod log_file; // findings about log.txt
pub mod look; // findings about the others
pub mod put; // corrections

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::job::Job;
use super::{made, texts, Part};
use crate::nas::installation::Installation;
use crate::owner::fault::Fault;
use crate::owner::finding::Found;
use remotetask::accounts::Http;
use remotetask::trust::{flaw, Flaw};

/// The part.
pub struct Files;

/// A file or folder of the installation.
pub struct Row {
    /// Its path below the installation's folder; empty for the folder itself.
    pub name: &'static str,
    /// Its content.
    pub content: Content,
    /// The user and group that it belongs to.
    pub owner: Owner,
    /// Its permissions.
    pub mode: u32,
    /// The correction where others than its owner could have written it.
    pub if_changeable: IfChangeable,
}

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A folder that an installation has.
    Folder,
    /// A folder that the programs make when they first need it.
    LaterFolder,
    /// A program of the package.
    Program,
    /// This text; `repair` has it too.
    Text(&'static str),
    /// Lines that `remotetask-cgi` writes.
    Log,
    /// Its owner's, or a command's of the workbench; it may be missing.
    Own,
}

/// The user and group of a file, on a NAS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// root, root
    Root,
    /// root, and the web server's group
    RootForHttp,
    /// The web server's user and group
    Http,
}

/// The correction of a file that others than its owner could have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfChangeable {
    /// Never closed: closing it would make valid what somebody put into it. Its owner looks first.
    LookFirst,
    /// Put in place anew from the package, or from this program's own texts.
    Reinstall,
    /// Closed, which is reported: nothing in it is a permission to start anything.
    Close,
}

use Content::{Folder, LaterFolder, Log, Own, Program, Text};
use IfChangeable::{Close, LookFirst, Reinstall};
use Owner::{Http as OfHttp, Root, RootForHttp};

const fn row(name: &'static str, content: Content, owner: Owner, mode: u32, if_changeable: IfChangeable) -> Row {
    Row { name, content, owner, mode, if_changeable }
}

const fn text(name: &'static str, text: &'static str) -> Row {
    row(name, Text(text), Root, 0o644, Reinstall)
}

/// Every file of an installation, folders before what lies in them. `remotetask` comes last of the programs: it is the
/// one that puts the others.
pub static TABLE: &[Row] = &[
    row("", Folder, Root, 0o755, LookFirst),
    row("state", Folder, Root, 0o700, Close),
    row("scripts", LaterFolder, Root, 0o711, Close),
    row("webstation", Folder, Root, 0o755, Close),
    row("webstation/php", Folder, Root, 0o755, Close),
    row("remotetask-keep", Program, Root, 0o700, Reinstall),
    row("remotetask-run", Program, Root, 0o700, Reinstall),
    // Unreadable: so the kernel keeps its environment from other processes of its user.
    row("remotetask-cgi", Program, Root, 0o711, Reinstall),
    row("remotetask", Program, Root, 0o755, Reinstall),
    row("config.json", Own, RootForHttp, 0o640, LookFirst),
    row("keys.json", Own, Root, 0o600, LookFirst),
    row("start.html", Own, Root, 0o644, LookFirst),
    row("log.txt", Log, OfHttp, 0o640, Close),
    text("webstation/sudoers", texts::SUDOERS),
    text("webstation/remotetask.conf", texts::DROP_IN),
    text("webstation/.htaccess", texts::HTACCESS),
    text("webstation/php/index.php", texts::PHP_PAGE),
    text("webstation/php/.htaccess", texts::PHP_HTACCESS),
    text("webstation/php/nginx.conf", texts::PHP_NGINX),
    // Notes of the entry point and of folders that were made.
    row("webstation/way", Own, Root, 0o644, LookFirst),
    row("webstation/made", Own, Root, 0o644, LookFirst),
];

/// Files of earlier versions, which a setup takes away.
const OLD: [&str; 1] = ["nas.sh"];

/// A difference between a file and its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It is not there, and should be.
    Missing,
    /// A link is in its place.
    Link,
    /// Something else is in its place: a folder for a file, a pipe, …
    Kind,
    /// Others than its owner can write it, or it belongs to another user.
    Changeable(Flaw),
    /// Owner, group or mode differ.
    Attributes,
}

impl Row {
    /// True for a folder.
    pub fn is_folder(&self) -> bool {
        matches!(self.content, Folder | LaterFolder)
    }

    /// User and group on this machine; in a trial its owner's, and any group.
    pub fn ids(&self, user: u32, http: Option<Http>, trial: bool) -> (u32, Option<u32>) {
        match (self.owner, http) {
            _ if trial => (user, None),
            (OfHttp, Some(http)) => (http.uid, Some(http.gid)),
            (RootForHttp, Some(http)) => (user, Some(http.gid)),
            _ => (user, Some(0)),
        }
    }

    /// The first difference of what is there, from the gravest on. A start page may be closed or open as its owner
    /// likes: only others' writing counts.
    pub fn difference(&self, meta: Option<&Metadata>, ids: (u32, Option<u32>)) -> Option<Difference> {
        let Some(meta) = meta else {
            return matches!(self.content, Folder | Program | Text(_) | Log).then_some(Difference::Missing);
        };
        let flaw = flaw(meta.uid(), meta.mode(), ids.0);
        match () {
            () if meta.is_symlink() => Some(Difference::Link),
            () if meta.is_dir() != self.is_folder() || !(meta.is_dir() || meta.is_file()) => Some(Difference::Kind),
            // A second name of somebody else's file: it is neither closed nor written.
            () if meta.is_file() && meta.nlink() > 1 => Some(Difference::Kind),
            () if flaw.is_some() => flaw.map(Difference::Changeable),
            () if self.name == "start.html" => None,
            () if ids.1.is_some_and(|gid| meta.gid() != gid) || meta.mode() & 0o7777 != self.mode => {
                Some(Difference::Attributes)
            }
            () => None,
        }
    }
}

impl Part for Files {
    fn look(&self, nas: &Installation<'_>) -> Vec<Found> {
        let mut found = look::look(nas);
        found.extend(log_file::look(nas));
        found
    }

    fn put(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        put::put(job)
    }

    fn take_away(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        made::take_away(job);
        put::take_away(job)
    }
}

/// The file, link or folder there, without following a link.
fn there(path: &Path) -> Option<Metadata> {
    fs::symlink_metadata(path).ok()
}

#[cfg(test)]
mod tests {
    mod states; // look, put, look on generated states

    use super::*;

    /// Nothing that a request is judged by, or that root executes, is closed without a look.
    #[test]
    fn a_file_that_others_could_write_is_not_closed_silently() {
        for row in TABLE {
            let expected = match row.content {
                Program | Text(_) => Reinstall,
                Own => LookFirst,
                Folder if row.name.is_empty() => LookFirst,
                Folder | LaterFolder | Log => Close,
            };
            assert_eq!(row.if_changeable, expected, "{}", row.name);
        }
    }

    #[test]
    fn folders_come_before_their_files() {
        for (at, row) in TABLE.iter().enumerate() {
            let Some((above, _)) = row.name.rsplit_once('/') else { continue };
            assert!(TABLE[..at].iter().any(|row| row.name == above && row.is_folder()), "{}", row.name);
        }
    }
}
