//! Findings about log.txt: the web server's user must be able to write it, and nobody else need read it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};
use crate::owner::names::shown_mode;
use remotetask::accounts::HTTP;

findings! {
    Missing { file }: "log-missing", Fault,
        "There is no <file>, and the web server's user cannot make one there: nothing is logged.",
        "Make it: `sudo remotetask repair`";
    Unwritable { wanted, file, user, mode }: "log-unwritable", Fault,
        "The user <wanted> cannot write <file> (it belongs to <user>, mode <mode>): nothing is logged.",
        "Give it to that user: `sudo remotetask repair`";
    NoFile { file }: "log-kind", Fault,
        "<file> is no regular file (a link is none), so nothing is logged.",
        "Move it away and make one: `sudo mv <file> <file>.away` `sudo remotetask repair`";
    Open { file, mode }: "log-open", Advice,
        "Every user of this machine can read or write <file> (mode <mode>). No key stands in it, but who called, and from \
         where.",
        "Take that away: `sudo remotetask repair`";
}

/// Something else than a file in its place.
pub fn other_kind(path: &Path) -> Found {
    NoFile { file: &path.display() }.found()
}

/// Looks at the file.
pub fn look(nas: &Installation<'_>) -> Option<Found> {
    let path = nas.path("log.txt");
    let file = path.display().to_string();
    let writer = match nas.trial {
        true => Some((nas.user, nas.accounts.user(nas.user))),
        false => nas.accounts.http().map(|http| (http.uid, HTTP.to_owned())),
    };
    let (uid, wanted) = writer?;
    let Ok(meta) = fs::symlink_metadata(&path) else {
        // In a trial the folder is the writer's own, who makes it.
        return (!nas.trial).then(|| Missing { file: &file }.found());
    };
    let (user, mode) = (&nas.accounts.user(meta.uid()), &shown_mode(meta.mode()));
    let file = &file;
    match () {
        () if !meta.is_file() => Some(other_kind(&path)),
        () if meta.uid() != uid || meta.mode() & 0o600 != 0o600 => {
            Some(Unwritable { wanted: &wanted, file, user, mode }.found())
        }
        () if meta.mode() & 0o006 != 0 => Some(Open { file, mode }.found()),
        () => None,
    }
}
