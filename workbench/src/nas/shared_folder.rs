//! A folder that others may write, or move away: it is opened once, and everything in it goes by that descriptor, so
//! no link and no renaming leads elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    fchmod, fchown, fstat, ftruncate, mkdirat, openat, readlink, readlinkat, renameat, statat, symlinkat, unlinkat,
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, CWD,
};
use rustix::io::Errno;

use remotetask::files::Regular;

/// The open folder.
pub struct SharedFolder {
    /// Its descriptor.
    pub fd: OwnedFd,
    /// Its path when it was opened.
    pub path: PathBuf,
}

impl SharedFolder {
    /// The folder at this path, by no link.
    pub fn open(path: &Path) -> io::Result<SharedFolder> {
        let fd = openat(CWD, path, FOLDER | OFlags::PATH, Mode::empty())?;
        let really = readlink(format!("/proc/self/fd/{}", fd.as_raw_fd()), Vec::new())?;
        match really.as_bytes() == path.as_os_str().as_bytes() {
            true => Ok(SharedFolder { fd, path: path.to_owned() }),
            false => Err(io::Error::other("its folder is another now; see who moves it, then try again")),
        }
    }

    /// The folder of this name in it, by no link.
    pub fn enter(&self, name: &str) -> io::Result<SharedFolder> {
        let fd = openat(&self.fd, name, FOLDER | OFlags::RDONLY, Mode::empty())?;
        Ok(SharedFolder { fd, path: self.path.join(name) })
    }

    /// Makes a folder of this name; `false` if there is something already.
    pub fn make(&self, name: &str) -> io::Result<bool> {
        match mkdirat(&self.fd, name, Mode::from_raw_mode(0o755)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// The folder itself.
    pub fn stat(&self) -> io::Result<Stat> {
        Ok(fstat(&self.fd)?)
    }

    /// Makes the folder root's, with this mode.
    pub fn close_to_others(&self, mode: u32) -> io::Result<()> {
        fchown(&self.fd, Some(Uid::ROOT), Some(Gid::ROOT))?;
        Ok(fchmod(&self.fd, Mode::from_raw_mode(mode))?)
    }

    /// The names in it. The folder must have been entered, not only opened.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// The file, link or folder of this name, if there is one.
    pub fn look(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => Ok(Some(there)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// The name of the file with this device and inode in it, if it has one.
    pub fn name_of(&self, (dev, ino): (u64, u64)) -> io::Result<Option<OsString>> {
        for entry in Dir::read_from(self.enter(".")?.fd)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if self.look(&name)?.is_some_and(|there| id(&there) == (dev, ino)) {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Empties the regular file that was seen there, whatever other names it has.
    pub fn empty(&self, name: &OsStr, seen: &Stat) -> io::Result<()> {
        let file = openat(&self.fd, name, FILE | OFlags::WRONLY, Mode::empty())?;
        match same(seen, &fstat(&file)?) {
            true => Ok(ftruncate(&file, 0)?),
            false => Ok(()),
        }
    }

    /// The content of a regular file of at most `max` bytes; `None` for anything else. Nothing else than a file is
    /// opened, because opening may do something.
    pub fn read(&self, name: &str, max: usize) -> Option<Vec<u8>> {
        let seen = self.look(name.as_ref()).ok()??;
        if FileType::from_raw_mode(seen.st_mode) != FileType::RegularFile {
            return None;
        }
        Regular::of(openat(&self.fd, name, FILE, Mode::empty()).ok()?).ok()?.read(max).ok()
    }

    /// Returns true if the file that was seen there begins with these bytes.
    pub fn begins_with(&self, name: &OsStr, seen: &Stat, beginning: &[u8]) -> io::Result<bool> {
        if FileType::from_raw_mode(seen.st_mode) != FileType::RegularFile {
            return Ok(false);
        }
        let file = openat(&self.fd, name, FILE, Mode::empty())?;
        let mut begins = Vec::new();
        let is = same(seen, &fstat(&file)?);
        File::from(file).take(beginning.len() as u64).read_to_end(&mut begins)?;
        Ok(is && begins == beginning)
    }

    /// The target of a link.
    pub fn link_target(&self, name: &str) -> Option<PathBuf> {
        let target = readlinkat(&self.fd, name, Vec::new()).ok()?;
        Some(Path::new(OsStr::from_bytes(target.as_bytes())).to_owned())
    }

    /// A new file; nothing that lies there is followed or written to.
    pub fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Puts a file of this content and mode in the place of whatever has the name. A folder is not replaced.
    pub fn replace(&self, name: &str, content: &[u8], mode: u32) -> io::Result<()> {
        let new = format!("{name}.new");
        let _ = unlinkat(&self.fd, &new, AtFlags::empty());
        let mut file = self.create(new.as_ref())?;
        file.write_all(content)?;
        fchmod(&file, Mode::from_raw_mode(mode))?;
        file.sync_all()?;
        Ok(renameat(&self.fd, &new, &self.fd, name)?)
    }

    /// Puts a link in the place of whatever has the name. A folder is not replaced.
    pub fn link(&self, name: &str, target: &Path) -> io::Result<()> {
        let new = format!("{name}.new");
        let _ = unlinkat(&self.fd, &new, AtFlags::empty());
        symlinkat(target, &self.fd, &new)?;
        Ok(renameat(&self.fd, &new, &self.fd, name)?)
    }

    /// Takes the name away, if it is still that file's.
    pub fn remove(&self, name: &OsStr, file: &Stat) -> io::Result<()> {
        match self.look(name)? {
            Some(there) if same(file, &there) => Ok(unlinkat(&self.fd, name, AtFlags::empty())?),
            _ => Ok(()),
        }
    }

    /// Takes an empty folder of this name away.
    pub fn remove_folder(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

/// The device and inode of a file, which no renaming changes.
#[allow(clippy::unnecessary_cast)] // narrower on 32 bits
pub fn id(file: &Stat) -> (u64, u64) {
    (file.st_dev as u64, file.st_ino as u64)
}

fn same(one: &Stat, other: &Stat) -> bool {
    id(one) == id(other)
}
