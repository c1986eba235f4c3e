//! Space to write in: what cannot be recorded is not started.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{statvfs, StatVfsMountFlags};

use crate::nas::installation::Installation;
use crate::owner::finding::{Found, Kind, Level};

static FULL: Kind = Kind {
    code: "volume-full",
    level: Level::Fault,
    says: "There are only <left> MiB left for <file>, and what cannot be recorded is not started.",
    cure:
        "Make room on that volume. This shows what takes the most, in KiB: `sudo du -xk <mount> | sort -n | tail -n 20`",
};
static NO_FILES: Kind = Kind {
    code: "volume-files",
    level: Level::Fault,
    says: "There is room for only <left> more files where <file> is, and what cannot be recorded is not started.",
    cure: "Delete files on that volume. This shows where the most are: `sudo du -x --inodes <mount> | sort -n | \
           tail -n 20`",
};
static READ_ONLY: Kind = Kind {
    code: "volume-read-only",
    level: Level::Fault,
    says: "The volume of <file> is read-only, and what cannot be recorded is not started.",
    cure: "DSM makes it so when a disk has a fault: look into its Storage Manager first. Then: `sudo mount -o \
           remount,rw <mount>`",
};

/// The findings of this module.
#[cfg(test)]
pub static KINDS: &[&Kind] = &[&FULL, &NO_FILES, &READ_ONLY];

/// Less than this is little, in bytes.
const LITTLE: u64 = 16 << 20;
/// Fewer files than these are few.
const FEW: u64 = 256;

/// Looks at the volumes of state/ and log.txt; mostly they are one.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    let there = |name: &str| Some(nas.path(name)).filter(|path| path.exists());
    let mut volumes = Vec::new();
    let mut found = Vec::new();
    for path in [there("state").unwrap_or_else(|| nas.folder.to_owned())].into_iter().chain(there("log.txt")) {
        let Ok(meta) = fs::metadata(&path) else { continue };
        if !volumes.contains(&meta.dev()) {
            volumes.push(meta.dev());
            found.extend(volume(&path, meta.dev()));
        }
    }
    found
}

fn volume(path: &Path, device: u64) -> Option<Found> {
    let space = statvfs(path).ok()?;
    let (file, mount) = (path.display().to_string(), mount(path, device).display().to_string());
    let names = |left: u64| [("file", file.clone()), ("mount", mount.clone()), ("left", left.to_string())];
    let found = |kind: &'static Kind, left: u64| {
        let names = names(left);
        Some(kind.found(&names.each_ref().map(|(name, value)| (*name, &**value))))
    };
    let left = space.f_bavail.saturating_mul(space.f_frsize);
    match () {
        () if space.f_flag.contains(StatVfsMountFlags::RDONLY) => found(&READ_ONLY, 0),
        () if left < LITTLE => found(&FULL, left >> 20),
        // btrfs does not count them, and says 0 of 0.
        () if space.f_files > 0 && space.f_favail < FEW => found(&NO_FILES, space.f_favail),
        () => None,
    }
}

/// The highest folder of the same volume.
fn mount(path: &Path, device: u64) -> PathBuf {
    let same = path.ancestors().take_while(|above| fs::metadata(above).is_ok_and(|meta| meta.dev() == device));
    same.last().unwrap_or(path).to_owned()
}
