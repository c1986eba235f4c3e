//! The entry point: requests come in by a port of Apache's own, or by the document root of a virtual host, in which
//! Apache starts the program or PHP hands requests to it.
//!
//! An old entry point stays until the new one is in place.

mod port; // Apache's drop-in
mod listen; // its address
mod drop_in; // a file for Apache: put, proved, taken back
mod document_root; // a folder below the share web
pub mod entries; // all entries that are laid out, an owner's too
mod look_port; // findings about the drop-in
mod look_document_root; // and about folders with our files
mod changes; // an installed file, line by line

pub use document_root::show_clicks;
pub use drop_in::path as drop_in_path;
pub use listen::reached;
pub use look_port::pending;

use std::path::Path;

use super::job::{EntryPointKind, Job};
use super::{place, Part};
use crate::nas::apache::Apache;
use crate::nas::installation::Installation;
use crate::owner::fault::Fault;
use crate::owner::finding::Found;
use crate::owner::screen::Tone;
use entries::Entry;
use remotetask::files::Regular;
use remotetask::trust::is_own;

/// The part.
pub struct EntryPoint;

/// The note of the entry point that is in place. install.sh reads it too.
const NOTE: &str = "webstation/way";

/// The noted entry point of the installation in this folder.
pub fn noted(folder: &Path) -> Option<EntryPointKind> {
    let note = Regular::open(&folder.join(NOTE)).ok().filter(|note| is_own(note, folder))?;
    let note = note.read(64).unwrap_or_default();
    EntryPointKind::of(String::from_utf8_lossy(&note).trim())
}

/// The findings of this part.
#[cfg(test)]
pub fn kinds() -> Vec<&'static crate::owner::finding::Kind> {
    [look_port::KINDS, changes::KINDS, look_document_root::KINDS].concat()
}

impl Part for EntryPoint {
    /// An entry that an owner has made counts too. Web servers as a whole are looked at by `check`.
    fn look(&self, nas: &Installation<'_>) -> Vec<Found> {
        if !nas.is_on_dsm() {
            return Vec::new();
        }
        let conf = nas.apache().and_then(|conf| conf.as_ref().ok());
        let look = |entry: Entry| match &entry {
            Entry::Port(path) => look_port::look(path, nas, conf),
            Entry::Root(root) => look_document_root::look(root, nas),
            Entry::Php(root) => look_document_root::open(root, &["index.php", ".htaccess"], nas),
            Entry::OtherLink(link) => vec![look_document_root::other_link(link, nas)],
            Entry::OtherPage(file) => vec![look_document_root::other_page(file)],
        };
        entries::entries(conf, nas).into_iter().flat_map(look).collect()
    }

    fn put(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        let last = noted(job.folder);
        // A note that others could have written is reported with the files: what is in place stays.
        if job.wanted.is_none() && last.is_none() && job.path(NOTE).symlink_metadata().is_ok() {
            return Ok(());
        }
        let kind = match job.wanted.or(last) {
            Some(kind) => kind,
            None => best(job),
        };
        let faults = job.faults;
        match kind {
            EntryPointKind::Port => port::put(job)?,
            EntryPointKind::Vhost | EntryPointKind::Php => document_root::put(job, kind)?,
        }
        if job.faults != faults {
            if let Some(last) = last.filter(|last| *last != kind) {
                job.screen.say(format_args!("  The entry point stays what it was: {}.", last.word()));
            }
            return Ok(());
        }
        match (last, kind) {
            (Some(EntryPointKind::Vhost | EntryPointKind::Php), EntryPointKind::Port) => document_root::take_away(job)?,
            (Some(EntryPointKind::Port | EntryPointKind::Vhost), EntryPointKind::Php) => drop_in::take_away(job)?,
            _ => {}
        }
        let note = format!("{}\n", kind.word());
        match job.dry_run || last == Some(kind) {
            true => Ok(()),
            false => place::write(&job.path(NOTE), note.as_bytes(), 0o644),
        }
    }

    fn take_away(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        drop_in::take_away(job)?;
        document_root::take_away(job)
    }
}

/// A port first: nothing else shares it, and no URL gets into a log.
fn best(job: &Job<'_>) -> EntryPointKind {
    let why = match Apache::here() {
        None => "there is no Apache 2.4 here",
        Some(apache) => match apache.cgi_module() {
            // Its complaint is reported where a port is put.
            Err(_) => return EntryPointKind::Port,
            Ok(None) => "this Apache has no module that runs programs",
            Ok(Some(_)) => return EntryPointKind::Port,
        },
    };
    // The fault that is reported without PHP is that of the better entry point.
    if php_package().is_none() {
        return EntryPointKind::Port;
    }
    job.screen.mark(Tone::Advice, "  advice", format_args!("the entry point is by PHP, because {why}"));
    EntryPointKind::Php
}

/// The folder of a package of PHP; DSM's have names such as PHP8.2.
pub fn php_package() -> Option<String> {
    let packages = std::fs::read_dir("/var/packages").into_iter().flatten().flatten();
    let names = packages.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("PHP7") || name.starts_with("PHP8")).max()
}

/// The fault of a NAS that has no Apache.
pub const NO_APACHE: &str =
    "this NAS has no Apache 2.4: install \"Apache HTTP Server 2.4\" in DSM's Package Center, then run this again";
