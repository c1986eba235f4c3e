//! Corrections of the installation's files.

use std::fs::{self, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use rustix::fs::{chmod, chown, fstat, open, FileType, Gid, Mode, OFlags, Uid};
use rustix::process::geteuid;

use super::{log_file, look};
use super::{there, Content, Difference, IfChangeable, Row, OLD, TABLE};
use crate::owner::fault::{plainly, Fault};
use crate::owner::names::shown_mode;
use crate::parts::job::Job;
use crate::parts::place;
use remotetask::files::Regular;

/// User and group; any group is right where none is given.
type Ids = (u32, Option<u32>);

/// Corrects each row that differs. A first installation is one line of the report.
pub fn put(job: &mut Job<'_>) -> Result<(), Fault> {
    let is_new = job.package.is_some() && fs::read_dir(job.folder).map_or(true, |mut names| names.next().is_none());
    // A folder that is none is not gone into: what it leads to is somebody else's.
    let mut barred: Vec<&str> = Vec::new();
    for row in TABLE {
        if barred.iter().any(|folder| row.name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))) {
            continue;
        }
        match put_row(job, row, is_new) {
            Ok(Done::Barred) => barred.push(row.name),
            Ok(Done::Settled) => {}
            // One file in a bad state keeps nothing else from being put right.
            Err(Fault(why)) => job.fault(why),
        }
    }
    if is_new {
        job.done(format_args!("remotetask {} is installed in {}", env!("CARGO_PKG_VERSION"), job.folder.display()));
    }
    take_old_away(job)
}

/// The result for one row.
enum Done {
    Settled,
    /// Something else is in the place of a folder.
    Barred,
}

fn put_row(job: &mut Job<'_>, row: &Row, is_new: bool) -> Result<Done, Fault> {
    let path = if row.name.is_empty() { job.folder.to_owned() } else { job.path(row.name) };
    // A trial has no texts of a web server's.
    if job.trial && row.name.starts_with("webstation") {
        return Ok(Done::Settled);
    }
    let ids = row.ids(job.user, job.http(), job.trial);
    let meta = there(&path);
    let news = match (row.difference(meta.as_ref(), ids), &meta) {
        (None, _) => renewed(job, row, &path, ids)?,
        (Some(Difference::Missing), _) => if_missing(job, row, &path, ids)?,
        (Some(difference @ (Difference::Link | Difference::Kind)), _) => {
            job.found(&match difference {
                _ if row.content == Content::Log => log_file::other_kind(&path),
                Difference::Link => look::link(&path),
                _ => look::wrong_kind(&path, row.is_folder()),
            });
            return Ok(if row.is_folder() { Done::Barred } else { Done::Settled });
        }
        (Some(Difference::Changeable(_)), Some(meta)) => if_changeable(job, row, &path, ids, meta)?,
        (Some(Difference::Attributes), Some(meta)) => match renewed(job, row, &path, ids)? {
            None => Some(if_attributes(job, row, &path, ids, meta)?),
            news => news,
        },
        (Some(_), None) => None,
    };
    // A new installation is one line of the report.
    news.filter(|_| !is_new).into_iter().for_each(|news| job.done(news));
    Ok(Done::Settled)
}

/// Writes a program or text that differs from the package's, or from this program's own.
fn renewed(job: &Job<'_>, row: &Row, path: &Path, ids: Ids) -> Result<Option<String>, Fault> {
    if !is_outdated(job, row, path) {
        return Ok(None);
    }
    write(job, row, path, ids)?;
    Ok(Some(format!("{} is new", row.name)))
}

fn if_missing(job: &mut Job<'_>, row: &Row, path: &Path, ids: Ids) -> Result<Option<String>, Fault> {
    match row.content {
        Content::Program if job.package.is_none() => job.found(&look::missing(path)),
        // A folder that is made beside its programs is no news.
        Content::Folder => make_folder(job, path, row.mode, ids)?,
        // In a trial the writer makes it: the folder is the writer's own.
        Content::Log if job.trial => {}
        Content::Log => {
            make_log(job, path, row.mode, ids)?;
            return Ok(Some(format!("{} is there again", path.display())));
        }
        _ => {
            write(job, row, path, ids)?;
            return Ok(Some(format!("{} is new", row.name)));
        }
    }
    Ok(None)
}

/// By the row's policy: named and left, put in place anew, or closed.
fn if_changeable(
    job: &mut Job<'_>,
    row: &Row,
    path: &Path,
    ids: Ids,
    meta: &Metadata,
) -> Result<Option<String>, Fault> {
    match row.if_changeable {
        IfChangeable::Reinstall if job.package.is_some() || row.content != Content::Program => {
            write(job, row, path, ids)?;
            Ok(Some(format!("{} is put in place anew, because others could write it", row.name)))
        }
        IfChangeable::LookFirst | IfChangeable::Reinstall => {
            let found = look::changeable(row, path, meta, &job.accounts, job.user);
            found.iter().for_each(|found| job.found(found));
            Ok(None)
        }
        IfChangeable::Close => {
            set_attributes(job, row, path, ids)?;
            if row.is_folder() && !job.dry_run {
                remove_of_others(path, ids.0)?;
            }
            Ok(Some(format!("{} is closed again: others could write it", path.display())))
        }
    }
}

fn if_attributes(job: &Job<'_>, row: &Row, path: &Path, ids: Ids, meta: &Metadata) -> Result<String, Fault> {
    // Others may have had it open to write until its owner closed it: a copy has nobody's hold on it.
    if row.content == Content::Own && !job.dry_run {
        place::copy(path, path, row.mode)?;
    }
    set_attributes(job, row, path, ids)?;
    if row.name == "keys.json" && meta.mode() & 0o044 & !row.mode != 0 {
        job.advice(format_args!(
            "Others could read {}, in which all keys stand: take new ones (remotetask key rotate, for each).",
            path.display()
        ));
    }
    Ok(format!("{} has its owner and mode again", path.display()))
}

/// True if the package, or this program, has another content for it.
fn is_outdated(job: &Job<'_>, row: &Row, path: &Path) -> bool {
    match (row.content, job.package) {
        (Content::Text(text), _) => !place::holds(path, text.as_bytes()),
        (Content::Program, Some(package)) => !same_content(&package.join(row.name), path).unwrap_or(false),
        _ => false,
    }
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (Regular::open(one)?, Regular::open(other)?);
    if one.size != other.size {
        return Ok(false);
    }
    let size = one.size as usize;
    Ok(one.read(size)? == other.read(size)?)
}

fn write(job: &Job<'_>, row: &Row, path: &Path, ids: Ids) -> Result<(), Fault> {
    if job.dry_run {
        return Ok(());
    }
    match (row.content, job.package) {
        (Content::Text(text), _) => place::write(path, text.as_bytes(), row.mode)?,
        (Content::Program, Some(package)) => place::copy(&package.join(row.name), path, row.mode)?,
        _ => {}
    }
    set_attributes(job, row, path, ids)
}

fn make_folder(job: &Job<'_>, path: &Path, mode: u32, ids: Ids) -> Result<(), Fault> {
    if job.dry_run {
        return Ok(());
    }
    fs::DirBuilder::new().mode(0o700).create(path).map_err(|e| Fault::of(path, &e))?;
    set(path, mode, ids)
}

/// An empty log, for `remotetask-cgi` to write.
fn make_log(job: &Job<'_>, path: &Path, mode: u32, ids: Ids) -> Result<(), Fault> {
    if job.dry_run {
        return Ok(());
    }
    fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(|e| Fault::of(path, &e))?;
    set(path, mode, ids)
}

/// Gives a file of a row its owner and mode.
pub fn give_owner_and_mode(job: &Job<'_>, row: &Row) -> Result<(), Fault> {
    set_attributes(job, row, &job.path(row.name), row.ids(job.user, job.http(), job.trial))
}

fn set_attributes(job: &Job<'_>, row: &Row, path: &Path, ids: Ids) -> Result<(), Fault> {
    match job.dry_run {
        true => Ok(()),
        false => set(path, row.mode, ids),
    }
}

/// Sets owner and mode of the file or folder there, which is no link. It is not opened to read: a lease of another
/// user's on it would keep that waiting.
fn set(path: &Path, mode: u32, (uid, gid): Ids) -> Result<(), Fault> {
    let fault = |e: rustix::io::Errno| Fault(format!("{}: {}", path.display(), plainly(&e.into())));
    let file = open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).map_err(fault)?;
    if FileType::from_raw_mode(fstat(&file).map_err(fault)?.st_mode) == FileType::Symlink {
        return Err(Fault(format!("{} is a link by now; run this again", path.display())));
    }
    // This very file, whatever has its name by now (proc(5), /proc/PID/fd).
    let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
    if geteuid().is_root() {
        chown(&*opened, Some(Uid::from_raw(uid)), gid.map(Gid::from_raw)).map_err(fault)?;
    }
    chmod(&*opened, Mode::from_raw_mode(mode)).map_err(fault)?;
    let now = fstat(&file).map_err(fault)?;
    match now.st_mode & 0o7777 == mode {
        true => Ok(()),
        false => Err(Fault(format!("{} keeps the mode {}", path.display(), shown_mode(now.st_mode)))),
    }
}

/// Removes from a folder that is closed by now what another user has left there: a record or a pipe of theirs would be
/// obeyed, or waited for. Nothing is followed.
fn remove_of_others(folder: &Path, user: u32) -> Result<(), Fault> {
    let entries = fs::read_dir(folder).map_err(|e| Fault::of(folder, &e))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(meta) = there(&path) else { continue };
        let own =
            meta.uid() == user && meta.mode() & 0o022 == 0 && (meta.is_dir() || meta.is_file() && meta.nlink() == 1);
        let done = match (own, meta.is_dir()) {
            (true, true) => remove_of_others(&path, user),
            (true, false) => Ok(()),
            (false, true) => fs::remove_dir_all(&path).map_err(|e| Fault::of(&path, &e)),
            (false, false) => fs::remove_file(&path).map_err(|e| Fault::of(&path, &e)),
        };
        done?;
    }
    Ok(())
}

/// Takes away what an earlier version has left.
fn take_old_away(job: &mut Job<'_>) -> Result<(), Fault> {
    for name in OLD {
        let path = job.path(name);
        if job.trial || there(&path).is_none() {
            continue;
        }
        if !job.dry_run {
            fs::remove_file(&path).map_err(|e| Fault::of(&path, &e))?;
        }
        job.done(format_args!("{name} of an earlier version is gone"));
        job.advice(format_args!(
            "If you made a task for DSM's boot that starts {}, let it start this in its place: {} repair --boot",
            path.display(),
            job.path("remotetask").display()
        ));
    }
    Ok(())
}

/// Takes the folder away; without config.json, keys.json and start.html where they are to be kept.
pub fn take_away(job: &mut Job<'_>) -> Result<(), Fault> {
    let own = |name: &str| matches!(name, "config.json" | "start.html") || name.starts_with("keys.json");
    let entries = || fs::read_dir(job.folder).into_iter().flatten().flatten();
    let kept: Vec<&str> = ["config.json", "keys.json", "start.html"]
        .into_iter()
        .filter(|name| there(&job.path(name)).is_some())
        .collect();
    if job.keep_config && !kept.is_empty() {
        let mut rest: Vec<_> = entries().filter(|entry| !own(&entry.file_name().to_string_lossy())).collect();
        if rest.is_empty() {
            return Ok(());
        }
        rest.retain(|_| !job.dry_run);
        for entry in rest {
            let path = entry.path();
            let removed = match there(&path).is_some_and(|meta| meta.is_dir()) {
                true => fs::remove_dir_all(&path),
                false => fs::remove_file(&path),
            };
            removed.map_err(|e| Fault::of(&path, &e))?;
        }
        job.done(format_args!("the programs are gone; kept: {}", kept.join(" ")));
    } else if there(job.folder).is_some_and(|meta| meta.is_dir()) {
        if !job.dry_run {
            fs::remove_dir_all(job.folder).map_err(|e| Fault::of(job.folder, &e))?;
        }
        job.done(format_args!("{} is gone", job.folder.display()));
    }
    Ok(())
}
