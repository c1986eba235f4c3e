//! log.txt: the web server's user must be able to write it, and nobody else need read it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::nas::accounts::HTTP;
use crate::nas::installation::Installation;
use crate::owner::finding::{Found, Kind, Level};

static MISSING: Kind = Kind {
    code: "log-missing",
    level: Level::Fault,
    places: &[],
    says: "There is no <file>, and the web server's user cannot make one there: nothing is logged.",
    cure: "Make it: `sudo touch <file>` `sudo chown http:http <file>` `sudo chmod 0640 <file>`",
};
static UNWRITABLE: Kind = Kind {
    code: "log-unwritable",
    level: Level::Fault,
    places: &[],
    says: "The user <wanted> cannot write <file> (it belongs to <user>, mode <mode>): nothing is logged.",
    cure: "Give it to that user: `sudo chown <wanted> <file>` `sudo chmod 0640 <file>`",
};
static NO_FILE: Kind = Kind {
    code: "log-kind",
    level: Level::Fault,
    places: &[],
    says: "<file> is no regular file (a link is none), so nothing is logged.",
    cure: "Move it away and make one: `sudo mv <file> <file>.away` `sudo touch <file>` `sudo chown <wanted> \
           <file>` `sudo chmod 0640 <file>`",
};
static OPEN: Kind = Kind {
    code: "log-open",
    level: Level::Advice,
    places: &[],
    says: "Every user of this machine can read or write <file> (mode <mode>). No key stands in it, but who called, \
           and from where.",
    cure: "Take that away: `sudo chmod 0640 <file>`",
};

/// The findings of this module.
#[cfg(test)]
pub static KINDS: &[&Kind] = &[&MISSING, &UNWRITABLE, &NO_FILE, &OPEN];

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
        return (!nas.trial).then(|| MISSING.found(&[("file", &file)]));
    };
    let (user, mode) = (nas.accounts.user(meta.uid()), format!("{:04o}", meta.mode() & 0o7777));
    let names = [("file", &*file), ("wanted", &*wanted), ("user", &*user), ("mode", &*mode)];
    match () {
        () if !meta.is_file() => Some(NO_FILE.found(&names)),
        () if meta.uid() != uid || meta.mode() & 0o600 != 0o600 => Some(UNWRITABLE.found(&names)),
        () if meta.mode() & 0o006 != 0 => Some(OPEN.found(&names)),
        () => None,
    }
}
