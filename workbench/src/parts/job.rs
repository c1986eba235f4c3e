//! One order at work on the parts: what it may change, and its report.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::owner::finding::{Found, Level};
use crate::owner::screen::{Screen, Tone};
use remotetask::accounts::{Accounts, Http};

/// The kinds of entry point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryPointKind {
    /// A port of Apache's own.
    Port,
    /// A virtual host's document root, in which Apache starts the program.
    Vhost,
    /// A virtual host's document root with a page of PHP.
    Php,
}

impl EntryPointKind {
    /// As the options and the note have it.
    pub fn word(self) -> &'static str {
        match self {
            EntryPointKind::Port => "port",
            EntryPointKind::Vhost => "vhost",
            EntryPointKind::Php => "php",
        }
    }

    /// The kind of this word.
    pub fn of(word: &str) -> Option<EntryPointKind> {
        [EntryPointKind::Port, EntryPointKind::Vhost, EntryPointKind::Php].into_iter().find(|kind| kind.word() == word)
    }
}

/// An order over the parts.
pub struct Job<'j> {
    /// The installation's folder.
    pub folder: &'j Path,
    /// The unpacked package, for a setup.
    pub package: Option<&'j Path>,
    /// The order only reports.
    pub dry_run: bool,
    /// DSM is starting: packages have not started yet, so nothing is waited for.
    pub boot: bool,
    /// An uninstall leaves config.json, keys.json and start.html.
    pub keep_config: bool,
    /// The entry point that was asked for.
    pub wanted: Option<EntryPointKind>,
    /// The user that everything belongs to: root, or in a trial its owner.
    pub user: u32,
    /// The installation becomes no other user: nothing outside its folder belongs to it.
    pub trial: bool,
    /// The accounts of this machine.
    pub accounts: Accounts,
    /// Output goes here.
    pub screen: &'j Screen,
    /// Set by a signal that asks for an end.
    pub interrupted: &'j AtomicBool,
    /// Corrections so far.
    pub changes: usize,
    /// Faults so far that this order does not correct.
    pub faults: usize,
}

impl<'j> Job<'j> {
    /// A job on the installation in this folder, which belongs to this user.
    pub fn new(folder: &'j Path, user: u32, screen: &'j Screen, interrupted: &'j AtomicBool) -> Job<'j> {
        Job {
            folder,
            package: None,
            dry_run: false,
            boot: false,
            keep_config: false,
            wanted: None,
            user,
            trial: false,
            accounts: Accounts::read(),
            screen,
            interrupted,
            changes: 0,
            faults: 0,
        }
    }

    /// Reports a correction, or in a dry run one to be made.
    pub fn done(&mut self, text: impl Display) {
        self.changes += 1;
        self.screen.mark(Tone::Good, if self.dry_run { "  to do " } else { "  done  " }, text);
    }

    /// Reports a fault in words.
    pub fn fault(&mut self, text: impl Display) {
        self.faults += 1;
        self.screen.mark(Tone::Fault, "  fault ", text);
    }

    /// Reports advice in words.
    pub fn advice(&self, text: impl Display) {
        self.screen.mark(Tone::Advice, "  advice", text);
    }

    /// Reports a finding in the words of `check`, with its action, unless that is only this order again.
    pub fn found(&mut self, found: &Found) {
        match found.level {
            Level::Fault => self.fault(&found.sentence),
            Level::Advice => self.advice(&found.sentence),
        }
        let is_this = |part: &str| part.starts_with("sudo remotetask repair");
        if found.typed().any(|part| !is_this(part)) || found.typed().next().is_none() {
            crate::owner::report::show_action(self.screen, found, "         ");
        }
    }

    /// True once a signal has asked for an end.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// A file of the installation.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The web server's user, on a NAS.
    pub fn http(&self) -> Option<Http> {
        self.accounts.http().filter(|_| !self.trial)
    }
}
