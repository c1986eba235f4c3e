//! `url --page`: the URLs as a page in a share, for whoever has no shell. It is for one reader, and gone
//! once that one has opened it: what stays in a share gets into its backups.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{fchown, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{fstat, ftruncate, inotify, openat, statat, unlinkat, AtFlags, Mode, OFlags, CWD};
use rustix::io::Errno;
use rustix::stdio::stdin;

use super::url::{is_own, urls, Shown};
use super::view::View;
use super::{plainly, Bench, Fault};
use crate::text::Html;

const PAGE: &str = include_str!("../pages/urls.html");
/// How long a page stays that nobody opens, in seconds.
const UNREAD: u64 = 3600;
/// And once it was opened: some programs open a file twice to show it.
const READ: u64 = 60;

/// Writes the page beside a file, for that file's owner alone.
pub fn write(bench: &Bench, beside: &Path, who: Option<&str>, task: Option<&str>) -> Result<(), Fault> {
    let owner = beside.symlink_metadata().map_err(|e| Fault::of(beside, &e))?;
    let mut name = beside.as_os_str().to_owned();
    name.push(".html");
    let path = PathBuf::from(name);

    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let shown = urls(&view, &config, who, task)?;
    if shown.is_empty() {
        return Err(Fault::new("there is no URL to be shown yet; remotetask tasks add makes one"));
    }
    let text = page(&shown, &view.base(&config));

    // The last one's, whose keeper ends with it.
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Fault::of(&path, &e)),
        _ => {}
    }
    // Nothing that lies there is followed or written to.
    let made = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path);
    let mut file = made.map_err(|e| Fault::of(&path, &e))?;
    let kept = keeper(bench, &file).and_then(|()| file.write_all(text.as_bytes()));
    kept.and_then(|()| fchown(&file, Some(owner.uid()), Some(owner.gid()))).map_err(|e| {
        let _ = std::fs::remove_file(&path);
        Fault::of(&path, &e)
    })?;
    bench.screen.literal(path.display());
    Ok(())
}

/// A process of its own, which takes the page away. It knows it by its open file: no name can lead it astray.
fn keeper(bench: &Bench, page: &File) -> std::io::Result<()> {
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
    PAGE.replace(
        "{gone}",
        "The NAS deletes this file a minute after it was first opened. If your browser has stored a copy, delete that as well.",
    )
    .replace("{more}", &more)
    .replace("{urls}", &list)
}

/// The code that a phone reads; nothing where the URL is too long for one.
fn code(url: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(url, EcLevel::L) else { return String::new() };
    let drawn = code.render::<svg::Color<'_>>().build();
    // Inside HTML it begins with its element.
    drawn.find("<svg").map(|at| format!("{}\n", &drawn[at..])).unwrap_or_default()
}

/// `page`: waits until the page on standard input was opened, or for `unread`; then for `read`; and takes it away.
pub fn keep(unread: Duration, read: Duration) -> Result<(), Fault> {
    let failed = |e: Errno| Fault(plainly(&e.into()));
    let _ = rustix::process::setsid();
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC).map_err(failed)?;
    let wanted = inotify::WatchFlags::CLOSE_NOWRITE | inotify::WatchFlags::ATTRIB;
    inotify::add_watch(&watch, "/proc/self/fd/0", wanted).map_err(failed)?;
    let mut end = Instant::now() + unread;
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    let mut opened = false;
    // Gone already, by its owner or with a newer one: nothing is left to do.
    while fstat(stdin()).map_err(failed)?.st_nlink > 0 {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return take_away().map_err(failed);
        }
        let left =
            Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&watch, PollFlags::IN)], Some(&left)) {
            Ok(0) | Err(Errno::INTR) => continue,
            Ok(_) => {}
            Err(e) => return Err(failed(e)),
        }
        // Several may come at once, and what is in the buffer wakes nobody.
        loop {
            let event = events.next().map_err(failed)?.events();
            if event.contains(inotify::ReadFlags::CLOSE_NOWRITE) && !opened {
                opened = true;
                end = end.min(Instant::now() + read);
            }
            if events.is_buffer_empty() {
                break;
            }
        }
    }
    Ok(())
}

/// The file on standard input, emptied, and its name, if it is still that file's.
fn take_away() -> rustix::io::Result<()> {
    ftruncate(stdin(), 0)?;
    let name = rustix::fs::readlink("/proc/self/fd/0", Vec::new())?;
    let path = PathBuf::from(std::ffi::OsString::from_vec(name.into_bytes()));
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let folder = openat(CWD, folder, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let ours = fstat(stdin())?;
    match statat(folder.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(there) if (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino) => {
            unlinkat(folder, name, AtFlags::empty())
        }
        _ => Ok(()),
    }
}
