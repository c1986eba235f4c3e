//! The program's own folder, reads that are bounded, programs that can be started, and locks that are waited for.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{flock, fstat, open, statat, AtFlags, FileType, FlockOperation, Mode, OFlags, RawDir};
use rustix::io::Errno;

/// config.json may be this large, in bytes.
pub const CONFIG_MAX: usize = 1 << 20;
/// start.html may be this large, in bytes.
pub const START_PAGE_MAX: usize = 64 << 10;

/// The folder that the running program's file really lies in, whatever its caller says.
///
/// The kernel answers (proc(5), `/proc/self/exe`): no argument, variable, link or working directory
/// has a say in it.
pub fn own_folder() -> io::Result<PathBuf> {
    let mut program = std::fs::read_link("/proc/self/exe")?;
    program.pop();
    Ok(program)
}

/// An open regular file, as it was when it was opened.
pub struct Regular {
    /// The file.
    pub file: File,
    /// Its size in bytes.
    pub size: u64,
    /// Its owner.
    pub uid: u32,
    /// Its mode.
    pub mode: u32,
}

impl Regular {
    /// Opens a file to read it. A link, a pipe or a folder in its place is an error.
    pub fn open(path: &Path) -> io::Result<Regular> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = open(path, flags, Mode::empty()).map_err(|e| match e {
            Errno::LOOP => io::Error::other("it is a link; put the file itself there"),
            e => e.into(),
        })?;
        Regular::of(file)
    }

    /// The opened thing, if it is a regular file.
    pub fn of(file: OwnedFd) -> io::Result<Regular> {
        let stat = fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                Ok(Regular { file: File::from(file), size: stat.st_size as u64, uid: stat.st_uid, mode: stat.st_mode })
            }
            _ => Err(io::Error::other("it is not a regular file")),
        }
    }

    /// The whole file, unless it is larger than `max` bytes.
    pub fn read(self, max: usize) -> io::Result<Vec<u8>> {
        if self.size > max as u64 {
            return Err(io::Error::other(format!("it is larger than {} KiB", max >> 10)));
        }
        // No more than was there: who writes it in place is not waited for.
        let mut content = Vec::with_capacity(self.size as usize);
        self.file.take(self.size).read_to_end(&mut content)?;
        Ok(content)
    }
}

/// Reads a file of the kernel's (proc(5)), which has no size to go by: in one read, where it is as small as most are.
pub fn read_kernel_file(path: &str) -> io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(2 << 10);
    File::open(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Tells of each entry of a folder, without a copy of its name: a start lists the folders of all tasks. A folder that cannot
/// be read has none.
pub fn for_each_entry(folder: &Path, mut take: impl FnMut(&CStr, FileType)) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = open(folder, flags, Mode::empty()) else { return };
    let mut buffer = [MaybeUninit::uninit(); 4 << 10];
    let mut entries = RawDir::new(&folder, &mut buffer);
    while let Some(Ok(entry)) = entries.next() {
        let name = entry.file_name();
        let kind = match entry.file_type() {
            // Not every file system says it here.
            FileType::Unknown => statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)
                .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
            kind => kind,
        };
        if !matches!(name.to_bytes(), b"." | b"..") {
            take(name, kind);
        }
    }
}

/// Returns true for a regular file that at least one class of users may execute; links are followed.
pub fn is_executable(path: &Path) -> io::Result<bool> {
    let meta = std::fs::metadata(path)?;
    Ok(meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Opens a file to lock it, and makes it where it is missing. A link or a pipe in its place is an error, and nothing is
/// waited for.
pub fn open_lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Regular::of(open(path, flags, Mode::RUSR | Mode::WUSR)?).map(|lock| lock.file)
}

/// Takes the exclusive lock (flock(2)) of an open file, which lasts as long as the file is open. Returns false where
/// somebody else still holds it after this time.
pub fn lock_within(file: &File, patience: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + patience;
    loop {
        match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(true),
            Err(Errno::WOULDBLOCK) if Instant::now() >= deadline => return Ok(false),
            // flock(2) knows no deadline. It is seldom waited for, so a short sleep is good enough.
            Err(Errno::WOULDBLOCK) => std::thread::sleep(Duration::from_millis(5)),
            Err(e) => return Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_waited_for_and_given_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let open = || File::options().write(true).create(true).truncate(false).open(&path).expect("the file");
        let (held, other) = (open(), open());
        assert!(lock_within(&held, Duration::ZERO).expect("locked"));
        let begun = Instant::now();
        assert!(!lock_within(&other, Duration::from_millis(50)).expect("asked"));
        assert!(begun.elapsed() >= Duration::from_millis(50));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                std::thread::sleep(Duration::from_millis(50));
                drop(held);
            });
            assert!(lock_within(&other, Duration::from_secs(60)).expect("asked"));
        });
    }

    #[test]
    fn programs_that_can_be_started() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("program");
        File::create(&path).expect("the file");
        for (mode, expected) in [(0o644, false), (0o700, true), (0o010, true), (0o001, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("its mode");
            assert_eq!(is_executable(&path).ok(), Some(expected), "{mode:o}");
        }
        assert_eq!(is_executable(folder.path()).ok(), Some(false), "a folder");
        assert_eq!(is_executable(&folder.path().join("none")).map_err(|e| e.kind()), Err(io::ErrorKind::NotFound));
    }
}
