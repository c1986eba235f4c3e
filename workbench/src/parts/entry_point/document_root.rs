//! A folder below the share `web`, as the document root of a virtual host that the owner makes in Web Station.
//!
//! A user who may write the share, the web server's perhaps, may put something else in the folder's place at any
//! moment: it is opened once, and everything goes by that descriptor.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

use super::{drop_in, php_package};
use crate::nas::apache::{Apache, Configuration};
use crate::nas::shared_folder::SharedFolder;
use crate::owner::fault::{plainly, Fault};
use crate::owner::screen::Screen;
use crate::owner::workbench::INSTALLED;
use crate::parts::job::{EntryPointKind, Job};
use crate::parts::texts::{HTACCESS, PHP_HTACCESS, PHP_PAGE};

/// The folder's name in the share.
const NAME: &str = "remotetask";
const MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
/// None of the files that are installed is as large, in bytes.
const FILE_MAX: usize = 64 << 10;
const LINK: &str = "remotetask.cgi";
const NAMES: [&str; 3] = [".htaccess", "index.php", LINK];

/// The places of the share `web`, DSM's own link first.
pub fn web_shares() -> Vec<PathBuf> {
    let volumes = fs::read_dir("/").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut volumes: Vec<PathBuf> =
        volumes.filter(|path| path.to_string_lossy().starts_with("/volume")).map(|path| path.join("web")).collect();
    volumes.sort();
    volumes.insert(0, PathBuf::from("/var/services/web"));
    volumes
}

/// The share `web`, as it really lies on its volume.
fn web_share() -> Option<PathBuf> {
    web_shares().into_iter().find(|share| share.is_dir()).and_then(|share| share.canonicalize().ok())
}

/// The folder that is laid out.
pub fn folder() -> Option<PathBuf> {
    web_share().map(|share| share.join(NAME))
}

/// Lays the folder out for one of the two kinds.
pub fn put(job: &mut Job<'_>, kind: EntryPointKind) -> Result<(), Fault> {
    let mut loads = None;
    let apache = Apache::here();
    if let (EntryPointKind::Vhost, Some(apache)) = (kind, &apache) {
        if !drop_in::apache_is_sound(job, apache) {
            return Ok(());
        }
        let Some(module) = drop_in::cgi_module(job, apache) else {
            return Ok(());
        };
        let Some(module) = module else {
            job.fault("this Apache has no module that runs programs: take the entry point by PHP, --php");
            return Ok(());
        };
        // A module that is loaded may be loaded by our own file.
        if !Configuration::of(apache).is_ok_and(|configuration| configuration.runs_programs())
            || drop_in::path().exists()
        {
            loads = Some(module);
        }
    }
    let files: &[(&str, &str)] = match kind {
        EntryPointKind::Php => &[(".htaccess", PHP_HTACCESS), ("index.php", PHP_PAGE)],
        _ => &[(".htaccess", HTACCESS)],
    };
    if !lay_out(job, files, kind)? {
        return Ok(());
    }
    // No .htaccess can load what runs programs. Last, because it may have been the old entry point.
    if let (Some(module), Some(apache)) = (loads, &apache) {
        let done = "Apache loads what runs programs, and has no port of its own for it";
        drop_in::put(job, apache, &module, None, done)?;
    }
    if kind == EntryPointKind::Php && php_package().is_none() {
        job.advice("there is no PHP here yet: install PHP 8.2, or 7.4 at least, in DSM's Package Center");
    }
    Ok(())
}

/// Gives the folder these files and no other of ours; `false` where something stands in its way.
fn lay_out(job: &mut Job<'_>, files: &[(&str, &str)], kind: EntryPointKind) -> Result<bool, Fault> {
    let Some(share) = web_share() else {
        job.fault("there is no shared folder web: open Web Station once, which makes it, then run this again");
        return Ok(false);
    };
    let path = share.join(NAME);
    let fault = |e: std::io::Error| Fault(format!("{}: {}", path.display(), plainly(&e)));
    let share = SharedFolder::open(&share).map_err(fault)?;
    let is_new = share.look(NAME.as_ref()).map_err(fault)?.is_none();
    if is_new && job.dry_run {
        job.done(format_args!("{} is laid out", path.display()));
        return Ok(true);
    }
    let mut changed = is_new && share.make(NAME).map_err(fault)?;
    let Ok(root) = share.enter(NAME) else {
        job.fault(format_args!("{} is there and no folder: move it away, then run this again", path.display()));
        return Ok(false);
    };
    let foreign = format!(
        "{} has something in it that is not ours: see what it is, move it away, then run this again",
        path.display()
    );
    if !is_ours(&root).map_err(fault)? {
        job.fault(foreign);
        return Ok(false);
    }
    let stat = root.stat().map_err(fault)?;
    if !is_roots(&stat, MODE) {
        changed = true;
        if !job.dry_run {
            root.close_to_others(MODE).map_err(fault)?;
            // Until now its owner could put something into it.
            if !is_ours(&root).map_err(fault)? {
                job.fault(foreign);
                return Ok(false);
            }
        }
    }
    for (name, text) in files {
        let there = root.look(name.as_ref()).map_err(fault)?;
        let right = there.is_some_and(|stat| is_file(&stat) && is_roots(&stat, FILE_MODE));
        if right && root.read(name, FILE_MAX).as_deref() == Some(text.as_bytes()) {
            continue;
        }
        changed = true;
        if !job.dry_run {
            root.replace(name, text.as_bytes(), FILE_MODE).map_err(fault)?;
        }
    }
    let program = Path::new(INSTALLED).join("remotetask-cgi");
    let (put_link, remove) = match kind {
        EntryPointKind::Php => (false, LINK),
        _ => (root.link_target(LINK).as_deref() != Some(&program), "index.php"),
    };
    let old = root.look(remove.as_ref()).map_err(fault)?;
    changed |= put_link || old.is_some();
    if !job.dry_run {
        if put_link {
            root.link(LINK, &program).map_err(fault)?;
        }
        if let Some(old) = old {
            root.remove(remove.as_ref(), &old).map_err(fault)?;
        }
    }
    if changed {
        job.done(format_args!("{} is laid out", path.display()));
    }
    Ok(true)
}

/// Returns true if everything in the folder was put there by this program, or nothing lies there. In a folder of
/// another user nothing is read, because it may be another thing by then: root's files of our names count as ours.
fn is_ours(root: &SharedFolder) -> std::io::Result<bool> {
    let names = root.names()?;
    let known = |name: &OsString| NAMES.iter().any(|known| name == known || *name == *format!("{known}.new"));
    if !names.iter().all(known) {
        return Ok(false);
    }
    if root.stat()?.st_uid != 0 {
        let roots = |name: &OsString| Ok(root.look(name)?.is_none_or(|stat| stat.st_uid == 0));
        return names.iter().map(roots).collect::<std::io::Result<Vec<bool>>>().map(|all| all.into_iter().all(|is| is));
    }
    let link = root.look(LINK.as_ref())?.is_none_or(|stat| is_link(&stat));
    let texts = [".htaccess", "index.php"].into_iter().all(|name| match root.look(name.as_ref()) {
        Ok(None) => true,
        Ok(Some(_)) => is_our_text(root, name),
        Err(_) => false,
    });
    Ok(link && texts)
}

/// Returns true for a text that this program has installed, in this version or an earlier one.
fn is_our_text(root: &SharedFolder, name: &str) -> bool {
    let text = root.read(name, FILE_MAX).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.contains("remotetask-cgi") || text.lines().any(|line| line.starts_with("# Remote task starter"))
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

fn is_roots(stat: &Stat, mode: u32) -> bool {
    (stat.st_uid, stat.st_gid, stat.st_mode & 0o7777) == (0, 0, mode)
}

/// Takes our files away, and the folder if nothing else lies there.
pub fn take_away(job: &mut Job<'_>) -> Result<(), Fault> {
    let Some(share) = web_share() else { return Ok(()) };
    let path = share.join(NAME);
    let fault = |e: std::io::Error| Fault(format!("{}: {}", path.display(), plainly(&e)));
    let share = SharedFolder::open(&share).map_err(fault)?;
    let Ok(root) = share.enter(NAME) else { return Ok(()) };
    if root.stat().map_err(fault)?.st_uid != 0 {
        job.advice(format_args!("{} is not root's any more, and stays: see what is in it", path.display()));
        return Ok(());
    }
    let is_link_of_ours = root.look(LINK.as_ref()).map_err(fault)?.is_some_and(|stat| is_link(&stat));
    if !is_link_of_ours && !is_our_text(&root, "index.php") {
        return Ok(());
    }
    if !job.dry_run {
        for name in NAMES {
            let there = root.look(name.as_ref()).map_err(fault)?;
            let ours = if name == LINK { is_link_of_ours } else { is_our_text(&root, name) };
            if let Some(stat) = there.filter(|_| ours) {
                root.remove(name.as_ref(), &stat).map_err(fault)?;
            }
        }
        if share.remove_folder(NAME).is_err() {
            job.advice(format_args!("{} has other files in it, and stays", path.display()));
        }
    }
    job.done("the folder for Web Station's virtual host is gone; take the virtual host away in Web Station's page");
    Ok(())
}

/// The steps in Web Station's page.
pub fn show_clicks(screen: &Screen, kind: EntryPointKind) {
    let by_apache = Apache::here().is_some();
    let server = if by_apache { "Apache HTTP Server 2.4" } else { "Nginx" };
    let (first, second) = match kind {
        EntryPointKind::Php => (
            "Web Station, Script Language Settings, PHP, Create: a profile that nothing else uses, PHP 7.4 or newer.",
            "Web Station, Web Service, Create: \"Native script language website\", PHP, that profile;",
        ),
        _ => (
            "Package Center: install \"Web Station\" and \"Apache HTTP Server 2.4\", if they are not there.",
            "Web Station, Web Service, Create: \"Static website\" or \"Native script language website\";",
        ),
    };
    screen.gap();
    screen.say("Now in DSM, once:");
    let step =
        |number: &str, text: &str| screen.mark(crate::owner::screen::Tone::Strong, &format!("  {number}."), text);
    step("1", first);
    step("2", second);
    screen.say("     Document root          web/remotetask");
    screen.say(format_args!("     HTTP back-end server   {server}"));
    screen.say("     (DSM 6: Virtual Host, Create; the same two fields there)");
    if !by_apache {
        screen.say("     Then one file more, for nginx: docs/web.md, \"nginx and PHP\", from step 2 on.");
    }
    step(
        "3",
        "Web Station, Web Portal, Create, Service portal: that service; \"Name-based\", the host name that you call it by, \
         HTTPS.",
    );
    step("4", "Control Panel, Security, Certificate: one for that name.");
}
