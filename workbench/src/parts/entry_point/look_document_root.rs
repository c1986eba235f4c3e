//! Findings about document roots with one of our two entries: what lies there is ours, and nobody else can write it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::changes::changes;
use super::{document_root, noted};
use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};
use crate::owner::names::shown_mode;
use crate::parts::job::EntryPointKind;
use crate::parts::texts::HTACCESS;
use remotetask::trust::{flaw, flaw_above, Flaw};

findings! {
    LinkElsewhere { link, program }: "web-link-elsewhere", Fault,
        "<link> is no link to <program>, so it is not ours: whoever can write that folder may have put it there, to be \
         given keys.",
        "See what it is, and take it away. If requests are to come in by that folder, set it up as docs/web.md says: \
         `sudo ls -ld <link>`";
    OtherPage { file }: "web-page-other", Fault,
        "<file> names remotetask-cgi, and is not the page that is installed: it could keep every key that it is given.",
        "See what it is, and take it away. If requests are to come in by that folder, put index.php from the folder \
         webstation/php there, as docs/web.md says: `sudo ls -ld <file>`";
    NoHtaccess { root }: "web-no-htaccess", Fault,
        "<root> has remotetask.cgi, but no .htaccess that sends requests to it.",
        "Put the one from the folder webstation there, as <root>/.htaccess.";
    RootOpen { path, user, mode }: "web-root-open", Advice,
        "Others than root can write <path> (it belongs to <user>, mode <mode>). Whoever can, a web application with a \
         hole among them, can take a key while somebody uses it.",
        "Look whether what lies there is as it was installed, and make it root's: `sudo chown -h root:root <path>` \
         `sudo chmod go-w <path>`";
    RootOpenBelow { path, user, mode }: "web-root-open-below", Advice,
        "Others than root can write <path> (it belongs to <user>, mode <mode>), and what lies above it, or it is a \
         link. Whoever can, a web application with a hole among them, can take a key while somebody uses it.",
        "Close what lies above it first, then check again: a command for it by its name could be led to another file \
         now.";
    AboveOpen { path, user, mode, root }: "web-above-open", Advice,
        "Others than root can write <path> (it belongs to <user>, mode <mode>), in which <root> lies: a web \
         application with a hole can put another program in the place of ours, and take keys while they are used.",
        "Take the way by a port of its own, as docs/web.md says: nothing of it lies in a share. Or make that folder \
         root's, if nothing else has to write there.";
    RootShared { path, mode }: "web-root-shared", Advice,
        "Others than root can perhaps write <path> (mode <mode>), and take a key there while somebody uses it. On a \
         share of DSM's the mode shows 777 whatever its permissions say.",
        "In Control Panel, Shared Folder, Edit, Permissions, see that nobody may write there whom you do not trust, \
         http among the system's internal users least of all. Or take the way by a port of its own, as docs/web.md \
         says: nothing of it lies in a share.";
}

/// Looks at a document root with a link: its .htaccess, and who can write them. What is missing or changed in the one
/// that the installation has laid out is put right by `repair`.
pub fn look(root: &Path, nas: &Installation<'_>) -> Vec<Found> {
    let htaccess = root.join(".htaccess");
    let is_laid_out = is_laid_out(root, nas);
    let mut found = match htaccess.is_file() {
        false => {
            let is_free = htaccess.symlink_metadata().is_err();
            vec![NoHtaccess { root: &root.display() }.found().by_repair_if(is_laid_out && is_free)]
        }
        true => changes(&htaccess, HTACCESS).into_iter().map(|found| found.by_repair_if(is_laid_out)).collect(),
    };
    found.extend(open(root, &[".htaccess"], nas));
    found
}

/// A link of our name that leads elsewhere, or something else of its name.
pub fn other_link(link: &Path, nas: &Installation<'_>) -> Found {
    let found = LinkElsewhere { link: &link.display(), program: &nas.path("remotetask-cgi").display() }.found();
    let is_laid_out = link.parent().is_some_and(|root| is_laid_out(root, nas));
    found.by_repair_if(is_laid_out && link.is_symlink())
}

/// A page of our name that is another one.
pub fn other_page(file: &Path) -> Found {
    OtherPage { file: &file.display() }.found()
}

/// Returns true for the folder that the installation lays out, where it is the entry point.
fn is_laid_out(root: &Path, nas: &Installation<'_>) -> bool {
    matches!(noted(nas.folder), Some(EntryPointKind::Vhost | EntryPointKind::Php))
        && document_root::folder().as_deref() == Some(root)
}

/// Users other than root who could put a page of theirs in the place of ours: from the top, because a command
/// goes by names.
pub fn open(root: &Path, names: &[&str], nas: &Installation<'_>) -> Vec<Found> {
    let mut above: Vec<PathBuf> = root.ancestors().map(Path::to_owned).collect();
    above.reverse();
    let mut found = Vec::new();
    for path in above.into_iter().chain(names.iter().map(|name| root.join(name))) {
        let (Ok(itself), Ok(meta)) = (fs::symlink_metadata(&path), fs::metadata(&path)) else { continue };
        let is_above = root != path && root.starts_with(&path);
        let judge = if is_above { flaw_above } else { flaw };
        let Some(flaw) = judge(meta.uid(), meta.mode(), 0) else { continue };
        let (user, mode) = (&nas.accounts.user(meta.uid()), &shown_mode(meta.mode()));
        let on_a_share = path.display().to_string().starts_with("/volume");
        let path = &path.display();
        let one = match flaw {
            Flaw::Writable if meta.mode() & 0o777 == 0o777 && on_a_share => RootShared { path, mode }.found(),
            _ if is_above => AboveOpen { path, user, mode, root: &root.display() }.found(),
            _ if !found.is_empty() || itself.is_symlink() => RootOpenBelow { path, user, mode }.found(),
            _ => RootOpen { path, user, mode }.found(),
        };
        found.push(one);
    }
    found
}
