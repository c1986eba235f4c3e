//! Steps 1 and 2: who we are, and whether anybody else could have changed what we are about to
//! believe. Everything is looked at after it was opened, so that it is what is used.

use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{chmodat, fstat, mkdirat, openat, AtFlags, Mode, OFlags, Stat, CWD};
use rustix::io::Errno;
use rustix::process::geteuid;

use crate::files::{self, Regular};
use crate::outcome::Outcome;
use crate::step::Step;

/// The program's own folder, which its user alone can change.
pub struct Home {
    path: PathBuf,
    folder: OwnedFd,
    user: u32,
}

/// Step 1: no arguments, and the effective user is the one that the installation belongs to.
///
/// `sudo -g http` would run the program as its caller; sudo itself passes no argument on.
pub fn identity() -> Result<u32, Outcome> {
    if std::env::args_os().len() != 1 {
        return Err(Outcome::not_started(Step::NoArguments, "it takes no arguments"));
    }
    let user = geteuid().as_raw();
    let program = rustix::fs::stat("/proc/self/exe").map_err(|e| Outcome::not_started(Step::OwnUser, e))?;
    match program.st_uid == user {
        true => Ok(user),
        false => Err(Outcome::not_started(
            Step::OwnUser,
            format!("it runs as uid {user} but belongs to uid {}", program.st_uid),
        )),
    }
}

/// Step 2: the folder, config.json and state/ are that user's, the folders above that user's or
/// root's, and nobody else can write any of them.
pub fn home(user: u32) -> Result<Home, Outcome> {
    let path = files::own_folder().map_err(|e| Outcome::not_started(Step::FoldersAbove, e))?;
    let home = at(&path, user)?;
    home.check_file("remotetask-keep", Step::KeepersProgram)?;
    Ok(home)
}

/// Steps 2a and 2b for this folder, whose whole path it is.
pub fn at(path: &Path, user: u32) -> Result<Home, Outcome> {
    let mut walked = PathBuf::from("/");
    let mut folder = open_folder(None, Path::new("/")).map_err(|e| untrusted(Step::FoldersAbove, Path::new("/"), e))?;
    for part in path.components().filter(|part| !matches!(part, Component::RootDir)) {
        above(&folder, &walked, user)?;
        walked.push(part);
        folder = open_folder(Some(&folder), part.as_ref()).map_err(|e| untrusted(Step::FoldersAbove, &walked, e))?;
    }
    owned(&folder, Step::OwnFolder, &walked, user)?;
    Ok(Home { path: path.to_owned(), folder, user })
}

impl Home {
    /// Step 2, config.json: opened, judged, read.
    pub fn config(&self) -> Result<Vec<u8>, Outcome> {
        let file = self.check_file("config.json", Step::Configuration)?;
        file.read(files::CONFIG_MAX).map_err(|e| untrusted(Step::Configuration, &self.path.join("config.json"), e))
    }

    /// Step 2, state/. Where it is missing nobody has written it; the first turn makes it.
    pub fn state(&self) -> Result<PathBuf, Outcome> {
        let path = self.path.join("state");
        match open_folder(Some(&self.folder), Path::new("state")) {
            Ok(folder) => owned(&folder, Step::StateFolder, &path, self.user)?,
            Err(Errno::NOENT) => {}
            Err(e) => return Err(untrusted(Step::StateFolder, &path, e)),
        }
        Ok(path)
    }

    /// The keeper's program.
    pub fn keeper(&self) -> PathBuf {
        self.path.join("remotetask-keep")
    }

    /// Step 8e, scripts/: the user's, and nobody else can write or list it; a task's owner passes through
    /// to the own script. The first script makes it.
    pub fn scripts(&self) -> Result<PathBuf, Outcome> {
        let path = self.path.join("scripts");
        let fault = |e: Errno| untrusted(Step::ScriptsFolder, &path, e);
        match mkdirat(&self.folder, "scripts", Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(fault(e)),
        }
        let folder = open_folder(Some(&self.folder), Path::new("scripts")).map_err(fault)?;
        owned(&folder, Step::ScriptsFolder, &path, self.user)?;
        chmodat(&self.folder, "scripts", Mode::from_raw_mode(0o711), AtFlags::empty()).map_err(fault)?;
        Ok(path)
    }

    fn check_file(&self, name: &str, step: Step) -> Result<Regular, Outcome> {
        let path = self.path.join(name);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.folder, name, flags, Mode::empty()).map_err(|e| untrusted(step, &path, e))?;
        owned(&file, step, &path, self.user)?;
        Regular::of(file).map_err(|e| untrusted(step, &path, e))
    }
}

fn open_folder(base: Option<&OwnedFd>, name: &Path) -> Result<OwnedFd, Errno> {
    // To look at and walk on from, without a right to list it.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match base {
        Some(base) => openat(base, name, flags, Mode::empty()),
        None => openat(CWD, name, flags, Mode::empty()),
    }
}

fn stat(file: &OwnedFd, step: Step, path: &Path) -> Result<Stat, Outcome> {
    fstat(file).map_err(|e| untrusted(step, path, e))
}

/// A reason against a file or a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It belongs to somebody else.
    Owner,
    /// Others can write it.
    Writable,
}

/// A folder above: the user's or root's, and writable to others only if it is sticky, as /tmp is:
/// nobody can rename what is not theirs there.
pub fn flaw_above(uid: u32, mode: u32, user: u32) -> Option<Flaw> {
    match () {
        () if uid != user && uid != 0 => Some(Flaw::Owner),
        () if mode & 0o022 != 0 && mode & 0o1000 == 0 => Some(Flaw::Writable),
        () => None,
    }
}

/// Judges a file or a folder: it is believed if it is the user's, and nobody else's to write.
pub fn flaw(uid: u32, mode: u32, user: u32) -> Option<Flaw> {
    match () {
        () if uid != user => Some(Flaw::Owner),
        () if mode & 0o022 != 0 => Some(Flaw::Writable),
        () => None,
    }
}

/// Returns true for an open file of root's, or of the user whose this folder is, that nobody else can write.
pub fn is_own(file: &Regular, folder: &Path) -> bool {
    let is_of = |user| flaw(file.uid, file.mode, user).is_none();
    is_of(0) || rustix::fs::stat(folder).is_ok_and(|folder| is_of(folder.st_uid))
}

fn above(folder: &OwnedFd, path: &Path, user: u32) -> Result<(), Outcome> {
    let stat = stat(folder, Step::FoldersAbove, path)?;
    let flaw = flaw_above(stat.st_uid, stat.st_mode, user);
    verdict(flaw, Step::FoldersAbove, path, &stat, &format!("root or uid {user}"))
}

fn owned(file: &OwnedFd, step: Step, path: &Path, user: u32) -> Result<(), Outcome> {
    let stat = stat(file, step, path)?;
    verdict(flaw(stat.st_uid, stat.st_mode, user), step, path, &stat, &format!("uid {user}"))
}

fn verdict(flaw: Option<Flaw>, step: Step, path: &Path, stat: &Stat, whose: &str) -> Result<(), Outcome> {
    let why = match flaw {
        None => return Ok(()),
        Some(Flaw::Owner) => format!("it belongs to uid {}, not to {whose}", stat.st_uid),
        Some(Flaw::Writable) => {
            format!("others can write it (mode {:04o}); take that away: chmod go-w", stat.st_mode & 0o7777)
        }
    };
    Err(untrusted(step, path, why))
}

fn untrusted(step: Step, path: &Path, why: impl std::fmt::Display) -> Outcome {
    Outcome::not_started(step, format!("{}: {why}", path.display()))
}
