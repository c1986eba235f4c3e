//! Folders outside the installation that it had to make, noted so that an uninstall takes them away again.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::job::Job;
use super::place;
use crate::owner::fault::Fault;
use remotetask::files::Regular;
use remotetask::trust::is_own;

/// The note, a path a line.
const NOTE: &str = "webstation/made";
/// The note may be this large, in bytes.
const NOTE_MAX: usize = 64 << 10;

/// Makes a folder and what is missing above it. Its parents belong to root.
pub fn make_folder(job: &Job<'_>, path: &Path) -> Result<(), Fault> {
    if job.dry_run || path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folder(job, above)?;
    }
    fs::DirBuilder::new().mode(0o755).create(path).map_err(|e| Fault::of(path, &e))?;
    // The umask is 077.
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(|e| Fault::of(path, &e))?;
    let mut noted = read(job);
    noted.push(path.to_owned());
    let text: String = noted.iter().map(|path| format!("{}\n", path.display())).collect();
    place::write(&job.path(NOTE), text.as_bytes(), 0o644)
}

/// Takes away those that are empty, the deepest first.
pub fn take_away(job: &Job<'_>) {
    let mut noted = read(job);
    noted.sort();
    if !job.dry_run {
        noted.iter().rev().for_each(|path| drop(fs::remove_dir(path)));
    }
}

fn read(job: &Job<'_>) -> Vec<PathBuf> {
    // A note that others could have written names no folder.
    let note = Regular::open(&job.path(NOTE)).ok().filter(|note| is_own(note, job.folder));
    let text = note.and_then(|note| note.read(NOTE_MAX).ok()).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().filter(|line| line.starts_with('/')).map(PathBuf::from).collect()
}
