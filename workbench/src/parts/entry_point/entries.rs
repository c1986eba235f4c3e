//! The entries for requests that are laid out on this machine, by the installation or by its owner.

use std::fs;
use std::path::{Path, PathBuf};

use super::changes::{only_loads, read};
use super::document_root::web_shares;
use super::drop_in;
use crate::nas::apache::Configuration;
use crate::nas::installation::Installation;
use crate::parts::texts::PHP_PAGE;

/// An entry for requests.
pub enum Entry {
    /// A port of Apache's own: the drop-in.
    Port(PathBuf),
    /// A document root with a link to the program.
    Root(PathBuf),
    /// A document root with our page of PHP.
    Php(PathBuf),
    /// A link that has the name of ours and is not.
    OtherLink(PathBuf),
    /// A page that has the name of ours and is not.
    OtherPage(PathBuf),
}

impl Entry {
    /// Its file or folder.
    pub fn path(&self) -> &Path {
        match self {
            Entry::Port(path)
            | Entry::Root(path)
            | Entry::Php(path)
            | Entry::OtherLink(path)
            | Entry::OtherPage(path) => path,
        }
    }

    /// Returns true if Apache starts the program.
    pub fn by_cgi(&self) -> bool {
        matches!(self, Entry::Port(_) | Entry::Root(_))
    }
}

/// The entries: the drop-in, and every document root with one of our two files.
pub fn entries(conf: Option<&Configuration>, nas: &Installation<'_>) -> Vec<Entry> {
    let mut found = Vec::new();
    let drop_in = drop_in::path();
    if drop_in.symlink_metadata().is_ok() && !only_loads(&read(&drop_in)) {
        found.push(Entry::Port(drop_in));
    }
    let mut roots: Vec<PathBuf> = web_shares().into_iter().flat_map(|share| folders(&share)).collect();
    let served = conf.into_iter().flat_map(|conf| conf.all("DocumentRoot"));
    roots.extend(served.filter_map(|directive| directive.word(0)).map(PathBuf::from));
    // /var/services/web and /volume1/web are the same folders.
    let mut roots: Vec<PathBuf> = roots.iter().filter_map(|root| fs::canonicalize(root).ok()).collect();
    roots.sort();
    roots.dedup();
    let program = fs::canonicalize(nas.path("remotetask-cgi")).ok();
    for root in roots {
        let (link, page) = (root.join("remotetask.cgi"), root.join("index.php"));
        if let Ok(meta) = link.symlink_metadata() {
            let ours = meta.is_symlink() && program.is_some() && fs::canonicalize(&link).ok() == program;
            found.push(if ours { Entry::Root(root) } else { Entry::OtherLink(link) });
            continue;
        }
        let text = read(&page);
        if text == PHP_PAGE.as_bytes() {
            found.push(Entry::Php(root));
        } else if String::from_utf8_lossy(&text).contains("remotetask-cgi") {
            found.push(Entry::OtherPage(page));
        }
    }
    found
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}
