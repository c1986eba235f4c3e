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

/// Opens a regular file for reading. A link, a pipe or a folder in its place is an error.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = open(path, flags, Mode::empty()).map_err(|e| match e {
        rustix::io::Errno::LOOP => io::Error::other("it is a link; put the file itself there"),
        e => e.into(),
    })?;
    regular(file)
}

/// The opened thing, if it is a regular file.
pub fn regular(file: OwnedFd) -> io::Result<File> {
    match FileType::from_raw_mode(fstat(&file)?.st_mode) {
        FileType::RegularFile => Ok(File::from(file)),
        _ => Err(io::Error::other("it is not a regular file")),
    }
}

/// The whole file, unless it is larger than `max` bytes.
pub fn read_bounded(file: File, max: usize) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    let mut content = Vec::with_capacity(size.min(max as u64) as usize + 1);
    file.take(max as u64 + 1).read_to_end(&mut content)?;
    if content.len() > max {
        return Err(io::Error::other(format!("it is larger than {} KiB", max >> 10)));
    }
    Ok(content)
}
