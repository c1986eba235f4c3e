//! The program's own folder, and reads that are bounded.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{fstat, open, FileType, Mode, OFlags};

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

/// An open regular file, and how large it was then, in bytes.
pub struct Regular {
    /// The file.
    pub file: File,
    /// Its size.
    pub size: u64,
}

impl Regular {
    /// Opens a file to read it. A link, a pipe or a folder in its place is an error.
    pub fn open(path: &Path) -> io::Result<Regular> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = open(path, flags, Mode::empty()).map_err(|e| match e {
            rustix::io::Errno::LOOP => io::Error::other("it is a link; put the file itself there"),
            e => e.into(),
        })?;
        Regular::of(file)
    }

    /// The opened thing, if it is a regular file.
    pub fn of(file: OwnedFd) -> io::Result<Regular> {
        let stat = fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(Regular { file: File::from(file), size: stat.st_size as u64 }),
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
