//! `url --page`: the URLs as a page in a share, for whoever has no shell. It is for one reader, and gone
//! once that one has opened it: what stays in a share gets into its backups.
//!
//! Others may write in a share. So its folder is opened once, and what happens there goes by that descriptor.

use crate::owner::addresses::is_own;
use crate::owner::urls::{urls, Shown};
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::fchown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{fstat, ftruncate, inotify, readlink, FileType, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;
use rustix::stdio::stdin;
use serde::{Deserialize, Serialize};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::nas::shared_folder::{id, SharedFolder};
use crate::owner::edit::{lock_config, replace, FileAttrs};
use crate::owner::fault::{plainly, Fault};
use crate::owner::view::View;
use crate::owner::workbench::Workbench;
use remotetask::accounts::Accounts;
use remotetask::files::Regular;
use remotetask::text::Html;
use remotetask::trust::is_own as is_owners;

const PAGE: &str = include_str!("urls.html");
/// The life of a page that nobody opens, in seconds.
const UNREAD: u64 = 3600;
/// And once it was opened: some programs open a file twice to show it.
const READ: u64 = 60;
/// state/pages may be this large, in bytes.
const NOTES_MAX: usize = 1 << 20;

/// A page with the links of this person, or of each.
pub fn with_links(bench: &Workbench, who: Option<&str>, task: Option<&str>) -> Result<String, Fault> {
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let shown = urls(&view, &config, who, task)?;
    match shown.is_empty() {
        true => Err(Fault::new("there is no URL to be shown yet; remotetask tasks add makes one")),
        false => Ok(page(&shown, &view.base(&config))),
    }
}

/// A page with ready text, to be copied where it is read.
pub fn with_text(text: &str) -> String {
    filled(&format!("<pre>{}</pre>\n", Html(text)), "")
}

/// Writes the page beside a file, for that file's owner alone.
pub fn write(bench: &Workbench, beside: &Path, text: &str) -> Result<PathBuf, Fault> {
    let (folder, mut name, owner) = owned(beside)?;
    name.push(".html");
    let path = folder.path.join(&name);
    let Some(noted) = path.to_str() else {
        return Err(Fault(format!(
            "{} is no name in UTF-8; give that file, or its folder, another one",
            path.display()
        )));
    };

    // One page comes and goes at a time.
    let _held = lock_config(&bench.folder)?;
    let fault = |e: io::Error| Fault::of(&path, &e);
    let mut notes = Notes::read(bench)?;
    // The last one's, whose keeper ends with it.
    if let Some(there) = folder.look(&name).map_err(fault)? {
        match is_page(&folder, &name, &there).map_err(fault)? {
            true => folder.remove(&name, &there).map_err(fault)?,
            false => return Err(Fault(format!("{} is there and no page of ours: move it away", path.display()))),
        }
        notes.pages.retain(|page| page.path != noted || page.id.is_some_and(|old| old != id(&there)));
    }
    let mut file = folder.create(&name).map_err(fault)?;
    let ours = fstat(&file).map_err(|e| fault(e.into()))?;
    let mut fill = || -> Result<(), Fault> {
        // Before anything is in it, for its keeper may end before it does: then there is somebody else who knows of it.
        notes.pages.push(Noted { path: noted.to_owned(), id: Some(id(&ours)) });
        notes.write()?;
        keeper(bench, &file).and_then(|()| file.write_all(text.as_bytes())).map_err(fault)?;
        fchown(&file, Some(owner.st_uid), Some(owner.st_gid)).map_err(fault)
    };
    fill().inspect_err(|_| drop(folder.remove(&name, &ours)))?;
    Ok(path)
}

/// The folder that this file lies in, the file's name there, and its owner: where there is no such file, the folder's.
fn owned(file: &Path) -> Result<(SharedFolder, OsString, Stat), Fault> {
    let fault = |e: io::Error| Fault::of(file, &e);
    let Some(name) = file.file_name() else {
        return Err(Fault(format!("{} is no file; name one that the page is to lie beside", file.display())));
    };
    let above = file.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = SharedFolder::open(&above.canonicalize().map_err(fault)?).map_err(fault)?;
    let seen = folder.look(name).map_err(fault)?;
    // A name that nothing has yet: the page is for whoever the folder belongs to.
    let there = match seen {
        Some(there) => there,
        None => fstat(&folder.fd).map_err(|e| fault(e.into()))?,
    };
    if seen.is_some() && FileType::from_raw_mode(there.st_mode) != FileType::RegularFile {
        return Err(Fault(format!("{} is no regular file; name one that the page is to lie beside", file.display())));
    }
    if Accounts::read().http().is_some_and(|http| http.uid == there.st_uid) {
        return Err(Fault(format!(
            "{} belongs to the web server's user, as whom every web application runs; name a file of yours",
            file.display()
        )));
    }
    // By its owner, not by its mode: in a share with an ACL that is always 777.
    let above = fstat(&folder.fd).map_err(|e| fault(e.into()))?.st_uid;
    if ![0, there.st_uid, geteuid().as_raw()].contains(&above) {
        return Err(Fault(format!(
            "{} belongs to uid {above}, who could put another page in the place of this one. Name a file in a folder that \
             is root's or that file's owner's",
            folder.path.display()
        )));
    }
    Ok((folder, name.to_owned(), there))
}

/// The places of pages that may be there still: state/pages. Its readers and writers hold the configuration.
struct Notes {
    path: PathBuf,
    pages: Vec<Noted>,
}

/// A page: where it was put, and its device and inode, by which it is found under another name.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Form")]
struct Noted {
    path: String,
    id: Option<(u64, u64)>,
}

/// A note as it is read; earlier versions wrote the path alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Path(String),
    Whole { path: String, id: Option<(u64, u64)> },
}

impl From<Form> for Noted {
    fn from(form: Form) -> Noted {
        match form {
            Form::Path(path) => Noted { path, id: None },
            Form::Whole { path, id } => Noted { path, id },
        }
    }
}

impl Notes {
    fn read(bench: &Workbench) -> Result<Notes, Fault> {
        let path = bench.path("state/pages");
        let opened = Regular::open(&path);
        // A note that others could have written names no page of ours.
        if opened.as_ref().is_ok_and(|file| !is_owners(file, &bench.folder)) {
            return Ok(Notes { path, pages: Vec::new() });
        }
        let pages = match opened.and_then(|file| file.read(NOTES_MAX)) {
            Ok(text) => serde_json::from_slice(&text).map_err(|_| {
                Fault(format!(
                    "{}: this is not as remotetask wrote it. Move it away; a page that it names, and that is still there, goes \
                     by hand",
                    path.display()
                ))
            })?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(Fault::of(&path, &e)),
        };
        Ok(Notes { path, pages })
    }

    fn write(&self) -> Result<(), Fault> {
        let text = serde_json::json!(self.pages).to_string();
        let like = FileAttrs { mode: 0o600, ..FileAttrs::folder_of(&self.path)? };
        replace(&self.path, format!("{text}\n").as_bytes(), like)
    }
}

/// Takes away what keepers that were ended have left; for `repair`.
pub fn forget(bench: &Workbench) -> Result<(), Fault> {
    drop_notes(bench, &|page| matches!(look_for(page), Ok(Left::Nothing)))?;
    let left = Notes::read(bench)?.pages;
    let of = |wanted: bool| {
        let pages = left.iter().filter(|page| matches!(look_for(page), Ok(Left::Perhaps)) == wanted);
        pages.map(|page| &*page.path).collect::<Vec<_>>().join(", ")
    };
    match (of(false), of(true)) {
        (unseen, moved) if unseen.is_empty() && moved.is_empty() => Ok(()),
        (unseen, _) if !unseen.is_empty() => Err(Fault(format!(
            "a page with URLs may still be there and cannot be looked for, because its folder is not there or cannot be opened: \
             {unseen}. It goes with the next remotetask repair that can; or delete it yourself"
        ))),
        (_, moved) => Err(Fault(format!(
            "a page with URLs was put there and is not in that folder any more, by any name: {moved}. Unless somebody has deleted \
             it, it was moved: look for it and delete it, or take new keys. To hear of it no more, delete {}",
            bench.path("state/pages").display()
        ))),
    }
}

/// Drops the notes of which this is so.
fn drop_notes(bench: &Workbench, is: &dyn Fn(&Noted) -> bool) -> Result<(), Fault> {
    if bench.path("state/pages").symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    let _held = lock_config(&bench.folder)?;
    let mut notes = Notes::read(bench)?;
    let before = notes.pages.len();
    notes.pages.retain(|page| !is(page));
    match notes.pages.len() == before {
        true => Ok(()),
        false => notes.write(),
    }
}

/// The state of a page after it was looked for.
enum Left {
    /// It is not there any more.
    Nothing,
    /// It is not in its folder; it may have been deleted, or moved.
    Perhaps,
}

/// Takes a page away that was put there, by whatever name it has in its folder now. Where its folder is not there, of a share
/// that is encrypted or not mounted, it may come again with it.
fn look_for(page: &Noted) -> io::Result<Left> {
    let path = Path::new(&page.path);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Left::Nothing) };
    let folder = SharedFolder::open(folder)?;
    let is_it = |seen: &Stat| page.id.is_none_or(|noted| noted == id(seen));
    let at_its_place = folder.look(name)?.is_some_and(|there| is_it(&there));
    let name = match (at_its_place, page.id) {
        (false, Some(noted)) => folder.name_of(noted)?,
        _ => Some(name.to_owned()),
    };
    let Some(name) = name else { return Ok(Left::Perhaps) };
    let Some(there) = folder.look(&name)?.filter(is_it) else { return Ok(Left::Nothing) };
    // An empty one is what a power cut leaves of it. The number of a file that is gone may be another one's by now.
    let is_empty = FileType::from_raw_mode(there.st_mode) == FileType::RegularFile && there.st_size == 0;
    if is_empty || is_page(&folder, &name, &there)? {
        if page.id.is_some() {
            folder.empty(&name, &there)?; // it may have names elsewhere
        }
        folder.remove(&name, &there)?;
    }
    Ok(Left::Nothing)
}

/// Returns true if what was seen there is a page of ours. Nothing else than a file is opened, because opening may do
/// something.
fn is_page(folder: &SharedFolder, name: &OsStr, seen: &Stat) -> io::Result<bool> {
    folder.begins_with(name, seen, beginning().as_bytes())
}

/// The beginning of every page of ours; another version's too, so it stays as it is.
fn beginning() -> &'static str {
    PAGE.split("\n<style>").next().unwrap_or(PAGE)
}

/// A process of its own, which takes the page away. It knows it by its open file: no name can lead it astray.
fn keeper(bench: &Workbench, page: &File) -> std::io::Result<()> {
    let mut command = Command::new(bench.path("remotetask"));
    command.args(["page", &UNREAD.to_string(), &READ.to_string()]);
    command.stdin(page.try_clone()?).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(drop)
}

fn page(shown: &[Shown], base: &str) -> String {
    let mut list = String::new();
    for one in shown {
        let _ = writeln!(list, "<h2>{}</h2>", Html(&one.heading));
        let _ = match &one.url {
            Ok(url) if is_own(base) => writeln!(list, "<p><code>{}</code></p>", Html(url)),
            Ok(url) => write!(list, "<p><a href=\"{0}\"><code>{0}</code></a></p>\n{1}", Html(url), code(url)),
            Err(why) => writeln!(list, "<p>{}</p>", Html(why)),
        };
    }
    let more = match is_own(base) {
        true => format!(
            "<p>{} means the NAS itself. What stands behind it is what counts: put your NAS's own address in its place, as \
             your reverse proxy or virtual host has it.</p>\n",
            Html(base)
        ),
        false => String::new(),
    };
    filled(&list, &more)
}

fn filled(list: &str, more: &str) -> String {
    PAGE.replace(
        "{gone}",
        "The NAS deletes this file a minute after it was first opened. If your browser has stored a copy, delete that as well.",
    )
    .replace("{more}", more)
    .replace("{urls}", list)
}

/// The code that a phone reads; nothing where the URL is too long for one.
fn code(url: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(url, EcLevel::L) else { return String::new() };
    let drawn = code.render::<svg::Color<'_>>().build();
    // Inside HTML it begins with its element.
    drawn.find("<svg").map(|at| format!("{}\n", &drawn[at..])).unwrap_or_default()
}

/// `page`: waits until the page on standard input was opened, or for `unread`; then for `read`; and takes it away, or
/// at once when it is told to end.
pub fn keep(bench: &Workbench, unread: Duration, read: Duration) -> Result<(), Fault> {
    let failed = |e: io::Error| Fault(plainly(&e));
    let ours = fstat(stdin()).map_err(|e| failed(e.into()))?;
    let due = is_due(unread, read);
    // As well where it could not be waited for.
    let path = match due {
        Ok(false) => None,
        _ => Some(take_away().map_err(failed)?),
    };
    due.map_err(failed)?;
    // Unless a newer one lies there by now.
    drop_notes(bench, &|noted| match noted.id {
        Some(noted) => noted == id(&ours),
        None => {
            path.as_deref() == Some(Path::new(&noted.path))
                && path.as_deref().is_some_and(|path| path.symlink_metadata().is_err())
        }
    })
}

/// Waits until the page is to be taken away; or else it is gone already, by its owner or with a newer one.
fn is_due(unread: Duration, read: Duration) -> io::Result<bool> {
    let (told, tell) = UnixStream::pair()?;
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::low_level::pipe::register(signal, tell.try_clone()?)?;
    }
    let _ = rustix::process::setsid();
    let wanted = inotify::WatchFlags::CLOSE_NOWRITE | inotify::WatchFlags::ATTRIB;
    // The page stays for as long as if nobody opened it where there are too many of them.
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)
        .and_then(|watch| inotify::add_watch(&watch, "/proc/self/fd/0", wanted).map(|_| watch))
        .ok();
    let mut end = Instant::now() + unread;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = watch.as_ref().map(|watch| inotify::Reader::new(watch, &mut buffer));
    let mut opened = false;
    while fstat(stdin())?.st_nlink > 0 {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(true);
        }
        let left =
            Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        let mut polled = vec![PollFd::new(&told, PollFlags::IN)];
        polled.extend(watch.as_ref().map(|watch| PollFd::new(watch, PollFlags::IN)));
        match poll(&mut polled, Some(&left)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) if !polled[0].revents().is_empty() => return Ok(true),
            Ok(_) => {}
            Err(e) => return Err(e.into()),
        }
        // Several may come at once, and what is in the buffer wakes nobody.
        while let Some(events) = &mut events {
            let event = events.next()?.events();
            if event.contains(inotify::ReadFlags::CLOSE_NOWRITE) && !opened {
                opened = true;
                end = end.min(Instant::now() + read);
            }
            if events.is_buffer_empty() {
                break;
            }
        }
    }
    Ok(false)
}

/// The file on standard input, emptied, and its name, if it is still that file's; the name.
fn take_away() -> io::Result<PathBuf> {
    ftruncate(stdin(), 0)?;
    let name = readlink("/proc/self/fd/0", Vec::new())?;
    let path = PathBuf::from(OsString::from_vec(name.into_bytes()));
    if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
        SharedFolder::open(folder)?.remove(name, &fstat(stdin())?)?;
    }
    Ok(path)
}
