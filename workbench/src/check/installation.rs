//! The installation's files and folders: there, of the right kind, whose, and open to whom.
//!
//! What root believes is judged as the root half judges it (`trust`); beyond that the web server's user
//! must reach what it needs, and nobody else what they need not.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::nas::installation::Installation;
use crate::owner::finding::{Found, Kind, Level};
use crate::owner::workbench::LINK;
use remotetask::files::START_PAGE_MAX;
use remotetask::trust::{flaw, flaw_above, Flaw};

static MISSING: Kind = Kind {
    code: "file-missing",
    level: Level::Fault,
    places: &[],
    says: "<file> is missing.",
    cure: "Install the programs again, as you did the first time; your configuration stays as it is.",
};
static WRONG_KIND: Kind = Kind {
    code: "file-kind",
    level: Level::Fault,
    places: &[],
    says: "<file> is no <wanted>, and is not taken for one.",
    cure: "See what it is and move it away; where it was needed the next check says so: `sudo ls -ld <file>` `sudo \
           mv <file> <file>.away`",
};
static IS_LINK: Kind = Kind {
    code: "file-link",
    level: Level::Fault,
    places: &[],
    says: "<file> is a link, and links are not followed here.",
    cure: "Put what it leads to in its place: `sudo cp -RL <file> <file>.itself` `sudo rm <file>` `sudo mv \
           <file>.itself <file>`",
};
static OWNER: Kind = Kind {
    code: "file-owner",
    level: Level::Fault,
    places: &[],
    says: "<file> belongs to the user <user>, who can change it; it must belong to <wanted>.",
    cure: "Look whether it is as it was, and give it back: `sudo chown <wanted> <file>`",
};
static WRITABLE: Kind = Kind {
    code: "file-writable",
    level: Level::Fault,
    places: &[],
    says: "Others than its owner can change <file> (mode <mode>).",
    cure: "Take that away: `sudo chmod go-w <file>`",
};
static FOLDER_CHANGEABLE: Kind = Kind {
    code: "folder-changeable",
    level: Level::Fault,
    places: &[],
    says: "Others than <wanted> can change what lies in <file> (it belongs to <user>, mode <mode>), the programs and \
           config.json among it.",
    cure: "Whoever could may have put other programs and another configuration there, and closing the folder makes them \
           valid. So install the programs again, look at every key, task, command and program path in config.json, take \
           out what is not yours, and take new keys (remotetask key rotate, for each). The folder is closed by: `sudo \
           chown <wanted> <file>` `sudo chmod go-w <file>`",
};
static PROGRAM_CHANGEABLE: Kind = Kind {
    code: "program-changeable",
    level: Level::Fault,
    places: &[],
    says: "Others than <wanted> can change the program <file> (it belongs to <user>, mode <mode>).",
    cure:
        "Whoever could may have put another program in its place, and closing it makes that one valid. So install the \
           programs again, as you did the first time. If you are sure that nobody has, this closes it: `sudo chown \
           <wanted> <file>` `sudo chmod go-w <file>`",
};
static CONFIG_CHANGEABLE: Kind = Kind {
    code: "config-changeable",
    level: Level::Fault,
    places: &[],
    says: "Others than <wanted> can change <file> (it belongs to <user>, mode <mode>).",
    cure: "Whoever could may have put a key, a task or a program of theirs in, and closing the file makes that valid. So \
           first look at every key, task, command and program path in it, take out what is not yours, and once more when \
           it is closed; and take new keys (remotetask key rotate, for each). It is closed by: `sudo chown <wanted> \
           <file>` `sudo chmod go-w <file>`",
};
static KEYS_CHANGEABLE: Kind = Kind {
    code: "keys-changeable",
    level: Level::Fault,
    places: &[],
    says: "Others than <wanted> can change <file> (it belongs to <user>, mode <mode>), and all keys stand in it.",
    cure: "Whoever could may have read the keys, and put an address of theirs in the place of yours, so that your URLs \
           would lead to them. See that the address that remotetask url shows is yours, and take new keys (remotetask key \
           rotate, for each). The file is closed by: `sudo chown <wanted> <file>` `sudo chmod 0600 <file>`",
};
static NOT_EXECUTABLE: Kind = Kind {
    code: "program-not-executable",
    level: Level::Fault,
    places: &[],
    says: "<file> cannot be started (mode <mode>).",
    cure: "Give it its mode: `sudo chmod <wanted> <file>`",
};
static CGI_READABLE: Kind = Kind {
    code: "cgi-readable",
    level: Level::Fault,
    places: &[],
    says: "Others can read <file> (mode <mode>). Then every web application of this machine can read the URL out \
           of a request while it is answered.",
    cure: "Take that away: `sudo chmod 0711 <file>`",
};
static OPEN: Kind = Kind {
    code: "file-open",
    level: Level::Advice,
    places: &[],
    says: "Others can open <file> (mode <mode>), and nobody else needs to.",
    cure: "Take that away: `sudo chmod <wanted> <file>`",
};
static NO_HTTP: Kind = Kind {
    code: "http-missing",
    level: Level::Fault,
    places: &[],
    says: "This machine has no user called http, and the web server is to run as that.",
    cure: "Install Web Station and the Apache HTTP Server 2.4 in DSM's Package Center.",
};
static FOLDER_CLOSED: Kind = Kind {
    code: "folder-closed",
    level: Level::Fault,
    places: &[],
    says: "The web server's user http cannot get into <file> (mode <mode>).",
    cure: "Let it pass: `sudo chmod a+x <file>`",
};
static CONFIG_CLOSED: Kind = Kind {
    code: "config-closed",
    level: Level::Fault,
    places: &[],
    says: "The web server's user http cannot read <file> (group <group>, mode <mode>), so every URL is refused.",
    cure: "Let it, and nobody else: `sudo chown root:http <file>` `sudo chmod 0640 <file>`",
};
static CONFIG_OPEN: Kind = Kind {
    code: "config-open",
    level: Level::Advice,
    places: &[],
    says: "Every user of this machine can read <file> (mode <mode>).",
    cure: "The web server's user and you are enough: `sudo chmod 0640 <file>`",
};
static CONFIG_OPEN_PLAIN: Kind = Kind {
    code: "config-open-plain",
    level: Level::Fault,
    places: &[],
    says: "Every user of this machine can read <file> (mode <mode>), and keys stand in it as they are: whoever \
           reads them can start something.",
    cure: "Take that away, make digests of the keys, and then take new ones, for somebody may have read these (remotetask \
           key rotate, for each): `sudo chmod 0640 <file>` `sudo remotetask seal`",
};
static KEYS_OPEN: Kind = Kind {
    code: "keys-open",
    level: Level::Fault,
    places: &[],
    says: "Others can read <file> (mode <mode>), and all keys stand in it: whoever reads them can start something.",
    cure:
        "Take that away, and then take new keys, for somebody may have read these (remotetask key rotate, for each): \
           `sudo chmod 0600 <file>`",
};
static START_PAGE: Kind = Kind {
    code: "start-page-unused",
    level: Level::Advice,
    places: &[],
    says: "<file> is not shown, for <why>; callers see the start page that came with the programs.",
    cure: "Make it a file of at most 64 KiB that everybody can read, and look again: `sudo chmod 0644 <file>`",
};
static NO_LINK: Kind = Kind {
    code: "link-missing",
    level: Level::Advice,
    places: &[],
    says: "<link> is no link to <file>, so a shell does not know the name remotetask.",
    cure: "Make it one: `sudo mkdir -p /usr/local/bin` `sudo ln -sf <file> <link>`",
};
static START_PAGE_CHANGEABLE: Kind = Kind {
    code: "start-page-changeable",
    level: Level::Advice,
    places: &[],
    says: "Others than <wanted> can change <file> (it belongs to <user>, mode <mode>): the page that comes for every wrong \
           URL, and could ask for a key.",
    cure: "Look whether it is as you made it, and close it: `sudo chown <wanted> <file>` `sudo chmod go-w <file>`",
};
static LEFTOVER: Kind = Kind {
    code: "leftover",
    level: Level::Advice,
    places: &[],
    says: "<file> (mode <mode>) is a copy that somebody, a cure, or a change that was cut off, has left. There may be keys in \
           it.",
    cure: "Delete it, unless you still need it; and if others could read it, take new keys (remotetask key rotate, for \
           each): `sudo rm -r <file>`",
};

/// The findings of this module.
#[cfg(test)]
pub static KINDS: &[&Kind] = &[
    &MISSING,
    &WRONG_KIND,
    &IS_LINK,
    &OWNER,
    &WRITABLE,
    &FOLDER_CHANGEABLE,
    &PROGRAM_CHANGEABLE,
    &CONFIG_CHANGEABLE,
    &KEYS_CHANGEABLE,
    &NOT_EXECUTABLE,
    &CGI_READABLE,
    &OPEN,
    &NO_HTTP,
    &FOLDER_CLOSED,
    &CONFIG_CLOSED,
    &CONFIG_OPEN,
    &CONFIG_OPEN_PLAIN,
    &KEYS_OPEN,
    &START_PAGE,
    &START_PAGE_CHANGEABLE,
    &NO_LINK,
    &LEFTOVER,
];

/// The programs, and their modes.
const PROGRAMS: [(&str, u32); 4] =
    [("remotetask-cgi", 0o711), ("remotetask-run", 0o700), ("remotetask-keep", 0o700), ("remotetask", 0o755)];
/// What editors and interrupted changes leave behind a name.
const COPIES: [&str; 8] = [".new", "~", ".bak", ".old", ".orig", ".save", ".swp", ".itself"];
/// The files whose copies count, whatever else is in their names.
const OWN: [&str; 3] = ["config.json", "keys.json", "start.html"];

/// Looks at each.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    let mut found = folders(nas);
    for (name, mode) in PROGRAMS {
        found.extend(program(nas, name, mode));
    }
    found.extend(config(nas));
    found.extend(keys(nas));
    found.extend(folder(nas, "state", 0o700));
    found.extend(folder(nas, "scripts", 0o711));
    found.extend(start_page(nas));
    if !nas.trial {
        if nas.accounts.http().is_none() {
            found.push(NO_HTTP.found(&[]));
        }
        found.extend(link(nas));
    }
    found.extend(leftovers(nas));
    found
}

/// The folder, and those above it.
fn folders(nas: &Installation<'_>) -> Vec<Found> {
    let mut found = Vec::new();
    let mut above: Vec<&Path> = nas.folder.ancestors().collect();
    above.reverse();
    for path in above {
        let Ok(meta) = fs::metadata(path) else { continue };
        let flaw = match path == nas.folder {
            true => flaw(meta.uid(), meta.mode(), nas.user),
            false => flaw_above(meta.uid(), meta.mode(), nas.user),
        };
        found.extend(untrusted(nas, flaw, path, &meta, &FOLDER_CHANGEABLE));
        let http = nas.accounts.http().filter(|_| !nas.trial);
        if http.is_some_and(|http| !http.may(&meta, 1)) {
            found.push(FOLDER_CLOSED.found(&[("file", &shown(path)), ("mode", &mode(&meta))]));
        }
    }
    found
}

/// What others can change, by the kind for what it is.
fn untrusted(
    nas: &Installation<'_>,
    flaw: Option<Flaw>,
    path: &Path,
    meta: &Metadata,
    kind: &'static Kind,
) -> Option<Found> {
    let (user, wanted) = (nas.accounts.user(meta.uid()), nas.accounts.user(nas.user));
    let names = [("file", &*shown(path)), ("user", &user), ("wanted", &wanted), ("mode", &*mode(meta))];
    flaw.map(|_| kind.found(&names))
}

/// What is there, if it is of the right kind.
fn there(path: &Path, folder: bool) -> Result<Option<Metadata>, Found> {
    let Ok(meta) = fs::symlink_metadata(path) else { return Ok(None) };
    match () {
        () if meta.is_symlink() => Err(IS_LINK.found(&[("file", &shown(path))])),
        () if folder && meta.is_dir() || !folder && meta.is_file() => Ok(Some(meta)),
        () => {
            let wanted = if folder { "folder" } else { "regular file" };
            Err(WRONG_KIND.found(&[("file", &shown(path)), ("wanted", wanted)]))
        }
    }
}

fn program(nas: &Installation<'_>, name: &str, wanted: u32) -> Vec<Found> {
    let path = nas.path(name);
    let meta = match there(&path, false) {
        Ok(Some(meta)) => meta,
        Ok(None) => return vec![MISSING.found(&[("file", &shown(&path))])],
        Err(found) => return vec![found],
    };
    let flaw = flaw(meta.uid(), meta.mode(), nas.user);
    let mut found: Vec<Found> = untrusted(nas, flaw, &path, &meta, &PROGRAM_CHANGEABLE).into_iter().collect();
    let bits = meta.mode() & 0o7777;
    let names = [("file", &*shown(&path)), ("mode", &*mode(&meta)), ("wanted", &*format!("{wanted:04o}"))];
    if wanted & 0o111 & !bits != 0 {
        found.push(NOT_EXECUTABLE.found(&names));
    } else if name == "remotetask-cgi" && bits & 0o044 != 0 {
        found.push(CGI_READABLE.found(&names));
    } else if bits & 0o055 & !wanted != 0 {
        found.push(OPEN.found(&names));
    }
    found
}

/// Whether there is such a file is said elsewhere.
fn config(nas: &Installation<'_>) -> Vec<Found> {
    let path = nas.path("config.json");
    let meta = match there(&path, false) {
        Ok(Some(meta)) => meta,
        Ok(None) | Err(_) => return Vec::new(),
    };
    let flaw = flaw(meta.uid(), meta.mode(), nas.user);
    let mut found: Vec<Found> = untrusted(nas, flaw, &path, &meta, &CONFIG_CHANGEABLE).into_iter().collect();
    let group = nas.accounts.group(meta.gid());
    let names = [("file", &*shown(&path)), ("mode", &*mode(&meta)), ("group", &*group)];
    let http = nas.accounts.http().filter(|_| !nas.trial);
    if http.is_some_and(|http| !http.may(&meta, 4)) {
        found.push(CONFIG_CLOSED.found(&names));
    } else if meta.mode() & 0o004 != 0 {
        let kind = if nas.plain.is_empty() || nas.trial { &CONFIG_OPEN } else { &CONFIG_OPEN_PLAIN };
        found.push(kind.found(&names));
    }
    found
}

fn keys(nas: &Installation<'_>) -> Vec<Found> {
    let path = nas.path("keys.json");
    let meta = match there(&path, false) {
        Ok(Some(meta)) => meta,
        Ok(None) => return Vec::new(),
        Err(found) => return vec![found],
    };
    let flaw = flaw(meta.uid(), meta.mode(), nas.user);
    let mut found: Vec<Found> = untrusted(nas, flaw, &path, &meta, &KEYS_CHANGEABLE).into_iter().collect();
    if meta.mode() & 0o044 != 0 {
        found.push(KEYS_OPEN.found(&[("file", &shown(&path)), ("mode", &mode(&meta))]));
    }
    found
}

/// What the root half makes when it first needs it.
fn folder(nas: &Installation<'_>, name: &str, wanted: u32) -> Vec<Found> {
    let path = nas.path(name);
    let meta = match there(&path, true) {
        Ok(Some(meta)) => meta,
        Ok(None) => return Vec::new(),
        Err(found) => return vec![found],
    };
    let flaw = flaw(meta.uid(), meta.mode(), nas.user);
    let kind = if flaw == Some(Flaw::Owner) { &OWNER } else { &WRITABLE };
    let mut found: Vec<Found> = untrusted(nas, flaw, &path, &meta, kind).into_iter().collect();
    if meta.mode() & 0o055 & !wanted != 0 {
        let wanted = format!("{wanted:04o}");
        found.push(OPEN.found(&[("file", &shown(&path)), ("mode", &mode(&meta)), ("wanted", &wanted)]));
    }
    found
}

fn start_page(nas: &Installation<'_>) -> Vec<Found> {
    let path = nas.path("start.html");
    let Ok(meta) = fs::symlink_metadata(&path) else { return Vec::new() };
    let closed = match nas.accounts.http() {
        Some(http) if !nas.trial => !http.may(&meta, 4),
        _ => meta.mode() & 0o400 == 0,
    };
    let why = match () {
        () if meta.is_symlink() => "it is a link",
        () if !meta.is_file() => "it is no regular file",
        () if meta.len() > START_PAGE_MAX as u64 => "it is larger than 64 KiB",
        () if closed => "the web server's user cannot read it",
        () => {
            let flaw = flaw(meta.uid(), meta.mode(), nas.user);
            return untrusted(nas, flaw, &path, &meta, &START_PAGE_CHANGEABLE).into_iter().collect();
        }
    };
    vec![START_PAGE.found(&[("file", &shown(&path)), ("why", why)])]
}

fn link(nas: &Installation<'_>) -> Option<Found> {
    let program = nas.path("remotetask");
    let right = fs::symlink_metadata(LINK).is_ok_and(|meta| meta.is_symlink())
        && fs::canonicalize(LINK).is_ok_and(|leads| leads == program);
    (!right && program.exists()).then(|| NO_LINK.found(&[("file", &shown(&program)), ("link", LINK)]))
}

fn leftovers(nas: &Installation<'_>) -> Vec<Found> {
    let entries = fs::read_dir(nas.folder).into_iter().flatten().flatten();
    let is_copy = |name: &str| {
        let of_own = OWN.iter().any(|own| name.contains(own)) && !OWN.contains(&name);
        of_own || COPIES.iter().any(|end| name.ends_with(end)) || name.starts_with('#') && name.ends_with('#')
    };
    let mut copies: Vec<PathBuf> =
        entries.filter(|entry| is_copy(&entry.file_name().to_string_lossy())).map(|entry| entry.path()).collect();
    copies.sort();
    let found = |path: &PathBuf| {
        let mode = fs::symlink_metadata(path).map(|meta| mode(&meta)).unwrap_or_default();
        LEFTOVER.found(&[("file", &shown(path)), ("mode", &mode)])
    };
    copies.iter().map(found).collect()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn mode(meta: &Metadata) -> String {
    format!("{:04o}", meta.mode() & 0o7777)
}
