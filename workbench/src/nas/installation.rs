//! The installation as it lies on this machine: its folder, configuration, keys and accounts.

use std::cell::OnceCell;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::apache::{Apache, Configuration};
use crate::owner::fault::Fault;
use crate::owner::secrets::Secrets;
use crate::owner::view::plain_keys;
use crate::owner::workbench::INSTALLED;
use remotetask::accounts::Accounts;
use remotetask::config::Config;
use remotetask::trust;

/// DSM's own word for what it is.
pub const VERSION: &str = "/etc.defaults/VERSION";

/// An installation as `check` and the parts look at it.
pub struct Installation<'s> {
    /// The installation's folder.
    pub folder: &'s Path,
    /// The configuration, where it is valid.
    pub config: Option<&'s Config<'s>>,
    /// The keys that stand in it as they are.
    pub plain: Vec<String>,
    /// keys.json, or why it cannot be used.
    pub secrets: Result<Secrets, Fault>,
    pub accounts: Accounts,
    /// The user that everything must belong to: root, or in a trial its owner.
    pub user: u32,
    /// It becomes nobody else, on whatever machine: what needs a NAS is not looked at.
    pub trial: bool,
    /// True if nobody else could have written the configuration.
    pub trusted: bool,
    /// Asked when it is first needed.
    apache: OnceCell<Option<Result<Configuration, String>>>,
}

impl<'s> Installation<'s> {
    /// Reads what there is of it.
    pub fn new(folder: &'s Path, content: &[u8], config: Option<&'s Config<'s>>) -> Installation<'s> {
        let owner = std::fs::metadata(folder).map_or(0, |meta| meta.uid());
        let installed = owner == 0 && folder == Path::new(INSTALLED);
        let trial = !installed && config.is_none_or(|config| config.server.elevate().is_empty());
        let user = if trial { owner } else { 0 };
        let plain = config.and_then(|_| serde_json::from_slice(content).ok()).map(plain_keys).unwrap_or_default();
        // Judged as the root half judges it, and of whoever starts things here. No configuration names nothing.
        let judged = || trust::at(folder, geteuid().as_raw()).and_then(|home| home.config());
        let trusted = config.is_none() || judged().is_ok_and(|judged| judged == content);
        Installation {
            folder,
            config,
            plain,
            secrets: Secrets::read(folder),
            accounts: Accounts::read(),
            user,
            trial,
            trusted,
            apache: OnceCell::new(),
        }
    }

    /// Returns true for an installation that web servers of DSM lead to.
    pub fn is_on_dsm(&self) -> bool {
        !self.trial && Path::new(VERSION).exists()
    }

    /// The configuration of this machine's Apache, if there is one; or its complaint about its files.
    pub fn apache(&self) -> Option<&Result<Configuration, String>> {
        self.apache.get_or_init(|| Apache::here().as_ref().map(Configuration::of)).as_ref()
    }

    /// The configuration, where what it names may be started, and may stand in a fix.
    pub fn believed(&self) -> Option<&'s Config<'s>> {
        self.config.filter(|_| self.trusted)
    }

    /// A file of it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}
