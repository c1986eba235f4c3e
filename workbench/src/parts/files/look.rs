//! Findings about the installation's files: there, of the right kind, whose, and open to whom.
//!
//! Files that root trusts are judged as in `trust`; beyond that the web server's user
//! must reach what it needs, and nobody else what they need not.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{there, Content, Difference, Row, TABLE};
use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};
use crate::owner::names::shown_mode;
use remotetask::accounts::Accounts;
use remotetask::files::START_PAGE_MAX;
use remotetask::trust::{flaw, flaw_above};

findings! {
    Missing { file }: "file-missing", Fault,
        "<file> is missing.",
        "Install the programs again, as you did the first time; your configuration stays as it is.";
    WrongKind { file, wanted }: "file-kind", Fault,
        "<file> is no <wanted>, and is not taken for one.",
        "See what it is and move it away; where it was needed the next check says so: `sudo ls -ld <file>` `sudo mv <file> \
         <file>.away`";
    IsLink { file }: "file-link", Fault,
        "<file> is a link, and links are not followed here.",
        "See where it leads, and whose that is: what it leads to is believed once it is here. If it is yours alone, put it in its \
         place: `sudo cp -RL <file> <file>.itself` `sudo rm <file>` `sudo mv <file>.itself <file>`";
    /// A folder with nothing in it that is believed.
    OtherOwner { file, user, wanted }: "file-owner", Fault,
        "<file> belongs to the user <user>, who can change it; it must belong to <wanted>.",
        "Look whether it is as it was, and give it back: `sudo remotetask repair`";
    Writable { file, mode }: "file-writable", Fault,
        "Others than its owner can change <file> (mode <mode>).",
        "Take that away: `sudo remotetask repair`";
    FolderChangeable { file, wanted, user, mode }: "folder-changeable", Fault,
        "Others than <wanted> can change what lies in <file> (it belongs to <user>, mode <mode>), the programs and config.json \
         among it.",
        "Whoever could may have put other programs and another configuration there, and closing the folder makes them valid. So \
         install the programs again, look at every key, task, command and program path in config.json, take out what is not \
         yours, and take new keys (remotetask key rotate, for each). The folder is closed by: `sudo chown <wanted> <file>` \
         `sudo chmod go-w <file>`";
    ProgramChangeable { file, wanted, user, mode }: "program-changeable", Fault,
        "Others than <wanted> can change the program <file> (it belongs to <user>, mode <mode>).",
        "Whoever could may have put another program in its place, and closing it makes that one valid. So install the programs \
         again, as you did the first time: that puts it in place anew. If you are sure that nobody has, this puts a copy of it in \
         its place that nobody else has open: `sudo cp -p <file> <file>.itself` `sudo chown <wanted> <file>.itself` `sudo chmod \
         go-w <file>.itself` `sudo mv <file>.itself <file>`";
    TextChangeable { file, user, mode }: "text-changeable", Fault,
        "Others than root can change <file> (it belongs to <user>, mode <mode>).",
        "Put it in place anew: `sudo remotetask repair`";
    ConfigChangeable { file, wanted, user, mode }: "config-changeable", Fault,
        "Others than <wanted> can change <file> (it belongs to <user>, mode <mode>), so nothing is started.",
        "Another user may have put a key, a task or a program in, and may still have the file open: closing it would make that \
         valid. So make a copy that nobody else has, and look at every key, task, command and program path in the copy: `sudo cp \
         <file> <file>.itself` `sudo chmod go-w <file>.itself` Take out what is not yours. Then put the copy in its place, and \
         take new keys (remotetask key rotate, for each): `sudo mv <file>.itself <file>` `sudo remotetask repair`";
    KeysChangeable { file, wanted, user, mode }: "keys-changeable", Fault,
        "Others than <wanted> can change <file> (it belongs to <user>, mode <mode>), and all keys stand in it.",
        "Another user may have read the keys, and put an address of theirs in the place of yours, so that your URLs would lead \
         to them. So make a copy that nobody else has, and see that the address in it is yours: `sudo cp <file> <file>.itself` \
         `sudo chmod 0600 <file>.itself` Then put it in its place, and take new keys (remotetask key rotate, for each): `sudo mv \
         <file>.itself <file>` `sudo remotetask repair`";
    NoteChangeable { file, user, mode }: "note-changeable", Fault,
        "Others than root can change <file> (it belongs to <user>, mode <mode>), in which the installation notes what it has set \
         up.",
        "Whoever could may have written another note. Take it away, and choose the entry point anew by installing again with \
         --port, --vhost or --php: `sudo rm <file>`";
    NotExecutable { file, mode }: "program-not-executable", Fault,
        "<file> cannot be started (mode <mode>).",
        "Give it its mode: `sudo remotetask repair`";
    CgiReadable { file, mode }: "cgi-readable", Fault,
        "Others can read <file> (mode <mode>). Then every web application of this machine can read the URL out of a request \
         while it is answered.",
        "Take that away: `sudo remotetask repair`";
    Open { file, mode }: "file-open", Advice,
        "Others can open <file> (mode <mode>), and nobody else needs to.",
        "Take that away: `sudo remotetask repair`";
    NoHttp {}: "http-missing", Fault,
        "This machine has no user called http, and the web server is to run as that.",
        "Install Web Station and the Apache HTTP Server 2.4 in DSM's Package Center.";
    FolderClosed { file, mode }: "folder-closed", Fault,
        "The web server's user http cannot get into <file> (mode <mode>).",
        "Let it pass: `sudo chmod a+x <file>`";
    ConfigClosed { file, group, mode }: "config-closed", Fault,
        "The web server's user http cannot read <file> (group <group>, mode <mode>), so every URL is refused.",
        "Let it, and nobody else: `sudo remotetask repair`";
    ConfigOpen { file, mode }: "config-open", Advice,
        "Every user of this machine can read <file> (mode <mode>).",
        "The web server's user and you are enough: `sudo remotetask repair`";
    ConfigOpenPlain { file, mode }: "config-open-plain", Fault,
        "Every user of this machine can read <file> (mode <mode>), and keys stand in it in plain text: whoever reads them can \
         start something.",
        "Take that away, make digests of the keys, and then take new ones, because somebody may have read these (remotetask key \
         rotate, for each): `sudo remotetask repair` `sudo remotetask seal`";
    KeysOpen { file, mode }: "keys-open", Fault,
        "Others can read <file> (mode <mode>), and all keys stand in it: whoever reads them can start something.",
        "Take that away, and then take new keys, because somebody may have read these (remotetask key rotate, for each): `sudo \
         remotetask repair`";
    StartPage { file, why }: "start-page-unused", Advice,
        "<file> is not shown, because <why>; callers see the start page that came with the programs.",
        "Make it a file of at most 64 KiB that everybody can read, and look again: `sudo chmod 0644 <file>`";
    StartPageChangeable { file, wanted, user, mode }: "start-page-changeable", Advice,
        "Others than <wanted> can change <file> (it belongs to <user>, mode <mode>), so callers see the start page that came with \
         the programs: this one could ask for a key.",
        "Look whether a copy that nobody else has open is as you made it, and put that in its place: `sudo cp <file> \
         <file>.itself` `sudo chmod 0644 <file>.itself` `sudo mv <file>.itself <file>`";
    Leftover { file, mode }: "leftover", Advice,
        "<file> (mode <mode>) is a copy that an editor, a repair, or a change that was cut off has left. There may be keys in it.",
        "Delete it, unless you still need it; and if others could read it, take new keys (remotetask key rotate, for each): \
         `sudo rm -r <file>`";
}

/// Endings that editors and interrupted changes leave behind a name.
const COPIES: [&str; 8] = [".new", "~", ".bak", ".old", ".orig", ".save", ".swp", ".itself"];
/// The files whose copies count, whatever else is in their names.
const OWN: [&str; 3] = ["config.json", "keys.json", "start.html"];

/// Looks at each.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    let mut found = folders(nas);
    found.extend(TABLE.iter().filter(|row| !row.name.is_empty()).flat_map(|row| look_at(nas, row)));
    if !nas.trial && nas.accounts.http().is_none() {
        found.push(NoHttp.found());
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
        if flaw.is_some() {
            let names = Names::of(&meta, &nas.accounts, nas.user);
            found.push(folder_changeable(path, &names));
        }
        let http = nas.accounts.http().filter(|_| !nas.trial);
        if http.is_some_and(|http| !http.may(&meta, 1)) {
            found.push(FolderClosed { file: &path.display(), mode: &shown_mode(meta.mode()) }.found());
        }
    }
    found
}

/// The words for a file's owner and mode.
struct Names {
    user: String,
    wanted: String,
    mode: String,
}

impl Names {
    fn of(meta: &Metadata, accounts: &Accounts, wanted: u32) -> Names {
        Names { user: accounts.user(meta.uid()), wanted: accounts.user(wanted), mode: shown_mode(meta.mode()) }
    }
}

fn folder_changeable(path: &Path, names: &Names) -> Found {
    let Names { user, wanted, mode } = names;
    FolderChangeable { file: &path.display(), wanted, user, mode }.found()
}

/// A program that is not there.
pub fn missing(path: &Path) -> Found {
    Missing { file: &path.display() }.found()
}

/// A link in the place of a file.
pub fn link(path: &Path) -> Found {
    IsLink { file: &path.display() }.found()
}

/// Something else in the place of a file or folder.
pub fn wrong_kind(path: &Path, folder: bool) -> Found {
    WrongKind { file: &path.display(), wanted: if folder { &"folder" } else { &"regular file with this one name" } }
        .found()
}

/// The finding about a file that others than its owner could have written; log.txt has its own.
pub fn changeable(row: &Row, path: &Path, meta: &Metadata, accounts: &Accounts, wanted: u32) -> Option<Found> {
    let names = Names::of(meta, accounts, wanted);
    let Names { user, wanted: owner, mode } = &names;
    let file = &path.display();
    Some(match (row.name, row.content) {
        ("", _) => folder_changeable(path, &names),
        ("config.json", _) => ConfigChangeable { file, wanted: owner, user, mode }.found(),
        ("keys.json", _) => KeysChangeable { file, wanted: owner, user, mode }.found(),
        ("start.html", _) => StartPageChangeable { file, wanted: owner, user, mode }.found(),
        (_, Content::Program) => ProgramChangeable { file, wanted: owner, user, mode }.found(),
        (_, Content::Text(_)) => TextChangeable { file, user, mode }.found(),
        (_, Content::Own) => NoteChangeable { file, user, mode }.found(),
        (_, Content::Log) => return None,
        (_, Content::Folder | Content::LaterFolder) if meta.uid() != wanted => {
            OtherOwner { file, user, wanted: owner }.found()
        }
        (_, Content::Folder | Content::LaterFolder) => Writable { file, mode }.found(),
    })
}

/// The findings about one row of the table. log.txt is looked at by itself; config.json may be missing, and a link in
/// its place is found with its content.
fn look_at(nas: &Installation<'_>, row: &Row) -> Vec<Found> {
    let path = nas.path(row.name);
    let meta = there(&path);
    let ids = row.ids(nas.user, nas.accounts.http(), nas.trial);
    let Some(difference) = row.difference(meta.as_ref(), ids) else {
        return start_page(nas, row, meta.as_ref(), &path);
    };
    let (file, mode) = (&path.display(), &shown_mode(meta.as_ref().map_or(0, Metadata::mode)));
    let mut found: Vec<Found> = match (difference, &meta) {
        _ if row.content == Content::Log => return Vec::new(),
        (Difference::Missing, _) if row.content == Content::Program => return vec![missing(&path)],
        // A folder is made when it is first needed; a text is there for its reader.
        (Difference::Missing, _) => return Vec::new(),
        (Difference::Link | Difference::Kind, _) if row.name == "config.json" => return Vec::new(),
        (Difference::Link | Difference::Kind, Some(meta)) if row.name == "start.html" => {
            // A second name of another user's file.
            let is_theirs = meta.is_file() && flaw(meta.uid(), meta.mode(), nas.user).is_some();
            return match is_theirs {
                true => changeable(row, &path, meta, &nas.accounts, nas.user).into_iter().collect(),
                false => start_page(nas, row, Some(meta), &path),
            };
        }
        (Difference::Link, _) => return vec![link(&path)],
        (Difference::Kind, _) => return vec![wrong_kind(&path, row.is_folder())],
        (Difference::Changeable(_), Some(meta)) => {
            changeable(row, &path, meta, &nas.accounts, nas.user).into_iter().collect()
        }
        _ => Vec::new(),
    };
    let Some(meta) = meta else { return found };
    let bits = meta.mode() & 0o7777;
    match row.name {
        "config.json" => found.extend(config_access(nas, &path, &meta)),
        "keys.json" if bits & 0o044 != 0 => found.push(KeysOpen { file, mode }.found()),
        "start.html" | "keys.json" => {}
        _ if row.content == Content::Program && row.mode & 0o111 & !bits != 0 => {
            found.push(NotExecutable { file, mode }.found());
        }
        "remotetask-cgi" if bits & 0o044 != 0 => found.push(CgiReadable { file, mode }.found()),
        _ if bits & 0o055 & !row.mode != 0 => found.push(Open { file, mode }.found()),
        _ => {}
    }
    found
}

/// The web server's user must read config.json, and no other user.
fn config_access(nas: &Installation<'_>, path: &Path, meta: &Metadata) -> Option<Found> {
    let (file, mode, group) = (&path.display(), &shown_mode(meta.mode()), &nas.accounts.group(meta.gid()));
    let http = nas.accounts.http().filter(|_| !nas.trial);
    match () {
        () if http.is_some_and(|http| !http.may(meta, 4)) => Some(ConfigClosed { file, group, mode }.found()),
        () if meta.mode() & 0o004 == 0 => None,
        () if nas.plain.is_empty() || nas.trial => Some(ConfigOpen { file, mode }.found()),
        () => Some(ConfigOpenPlain { file, mode }.found()),
    }
}

/// The owner's start page, where the web half does not show it.
fn start_page(nas: &Installation<'_>, row: &Row, meta: Option<&Metadata>, path: &Path) -> Vec<Found> {
    let Some(meta) = meta.filter(|_| row.name == "start.html") else { return Vec::new() };
    let closed = match nas.accounts.http() {
        Some(http) if !nas.trial => !http.may(meta, 4),
        _ => meta.mode() & 0o400 == 0,
    };
    let why: &'static str = match () {
        () if meta.is_symlink() => "it is a link",
        () if !meta.is_file() => "it is no regular file",
        () if meta.len() > START_PAGE_MAX as u64 => "it is larger than 64 KiB",
        () if closed => "the web server's user cannot read it",
        () => return Vec::new(),
    };
    vec![StartPage { file: &path.display(), why: &why }.found()]
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
        let mode = there(path).map(|meta| shown_mode(meta.mode())).unwrap_or_default();
        Leftover { file: &path.display(), mode: &mode }.found()
    };
    copies.iter().map(found).collect()
}
