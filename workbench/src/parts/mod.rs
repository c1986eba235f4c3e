//! An installation is this list of parts. Each part knows in one place what is correct: `check` looks,
//! `setup` and `repair` put, `uninstall` takes away. A proof is a second look.

pub mod job; // one order at work: what it may change, and its report
pub mod files; // /usr/local/remotetask: each file with owner, group, mode and content
pub mod sudo_rule; // /etc/sudoers.d/remotetask
pub mod link; // /usr/local/bin/remotetask
pub mod boot_script; // /usr/local/etc/rc.d/remotetask.sh
pub mod entry_point; // requests come in by a port of Apache's, or by a document root
pub mod texts; // the installed texts
mod made; // folders that an installation had to make
pub mod place; // a file is written beside its place, then renamed

use crate::nas::installation::Installation;
use crate::owner::fault::Fault;
use crate::owner::finding::Found;
use job::Job;

/// A part of an installation.
pub trait Part {
    /// Compares the NAS with the description, and changes nothing.
    fn look(&self, nas: &Installation<'_>) -> Vec<Found>;
    /// Looks, then corrects what differs; a dry run only reports it.
    fn put(&self, job: &mut Job<'_>) -> Result<(), Fault>;
    /// Takes away what was put; a dry run only reports it.
    fn take_away(&self, job: &mut Job<'_>) -> Result<(), Fault>;
}

/// All parts, in the order in which they are put; they are taken away in the opposite one: first what
/// leads to the programs, then the programs.
pub fn all() -> [&'static dyn Part; 5] {
    [&files::Files, &sudo_rule::SudoRule, &link::Link, &boot_script::BootScript, &entry_point::EntryPoint]
}

/// The findings of all parts.
#[cfg(test)]
pub fn kinds() -> Vec<&'static crate::owner::finding::Kind> {
    let entry_point = entry_point::kinds();
    [files::look::KINDS, files::log_file::KINDS, sudo_rule::KINDS, link::KINDS, boot_script::KINDS, &entry_point]
        .concat()
}
