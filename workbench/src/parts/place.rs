//! A file in a folder of root's: written beside its place, durable, then renamed over it, so that there is
//! no moment without a whole one.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::owner::fault::{plainly, Fault};
use remotetask::files::Regular;

/// The path beside a place, until it is renamed. sudo, and Apache's `*.conf`, skip the name.
pub fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.new"))
}

/// Writes a file of root's with this content and mode.
pub fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), Fault> {
    write_from(path, content, mode)
}

/// Copies a file of root's to this place.
pub fn copy(from: &Path, path: &Path, mode: u32) -> Result<(), Fault> {
    let source = Regular::open(from).map_err(|e| Fault::of(from, &e))?.file;
    write_from(path, source, mode)
}

fn write_from(path: &Path, mut content: impl Read, mode: u32) -> Result<(), Fault> {
    let new = beside(path);
    let failed = |e: io::Error| {
        let _ = fs::remove_file(&new);
        Fault(format!("{} stays as it is: {}", path.display(), plainly(&e)))
    };
    let _ = fs::remove_file(&new);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(failed)?;
    io::copy(&mut content, &mut file).map_err(failed)?;
    file.flush().and_then(|()| file.set_permissions(fs::Permissions::from_mode(mode))).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&new, path).map_err(failed)?;
    // It is in its place, even if the disk does not report when.
    if let Some(folder) = path.parent() {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// True if a regular file of root's, which no other user can write, holds exactly this.
pub fn holds(path: &Path, content: &[u8]) -> bool {
    let Ok(file) = Regular::open(path) else { return false };
    let safe = file.file.metadata().is_ok_and(|meta| meta.uid() == 0 && meta.mode() & 0o022 == 0);
    safe && file.size == content.len() as u64 && file.read(content.len()).is_ok_and(|there| there == content)
}
