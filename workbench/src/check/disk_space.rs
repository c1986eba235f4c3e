//! Space to write in: what cannot be recorded is not started.

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{statvfs, StatVfsMountFlags};

use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};

findings! {
    Full { left, file, mount }: "volume-full", Fault,
        "There are only <left> MiB left for <file>, and what cannot be recorded is not started.",
        "Make room on that volume. This shows what takes the most, in KiB: `sudo du -xk <mount> | sort -n | tail -n 20`";
    NoFiles { left, file, mount }: "volume-files", Fault,
        "There is room for only <left> more files where <file> is, and what cannot be recorded is not started.",
        "Delete files on that volume. This shows where the most are: `sudo du -x --inodes <mount> | sort -n | tail -n 20`";
    ReadOnly { file, mount }: "volume-read-only", Fault,
        "The volume of <file> is read-only, and what cannot be recorded is not started.",
        "DSM makes it so when a disk has a fault: look into its Storage Manager first. Then: `sudo mount -o remount,rw \
         <mount>`";
}

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
    let mount = mount(path, device);
    let (file, mount): (&dyn Display, &dyn Display) = (&path.display(), &mount.display());
    let left = space.f_bavail.saturating_mul(space.f_frsize);
    match () {
        () if space.f_flag.contains(StatVfsMountFlags::RDONLY) => Some(ReadOnly { file, mount }.found()),
        () if left < LITTLE => Some(Full { left: &(left >> 20), file, mount }.found()),
        // btrfs does not count them, and says 0 of 0.
        () if space.f_files > 0 && space.f_favail < FEW => Some(NoFiles { left: &space.f_favail, file, mount }.found()),
        () => None,
    }
}

/// The highest folder of the same volume.
fn mount(path: &Path, device: u64) -> PathBuf {
    let same = path.ancestors().take_while(|above| fs::metadata(above).is_ok_and(|meta| meta.dev() == device));
    same.last().unwrap_or(path).to_owned()
}
