//! Document roots with one of our two entries: what lies there is ours, Apache reads it, and nobody else
//! can write it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::changes::changes;
use super::Configuration;
use crate::nas::apache::Directive;
use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};
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
    UnclearName { root }: "web-root-name", Advice,
        "The name of <root> would mean something else in Apache's files, so whether they let it read the .htaccess \
         there is not looked at.",
        "Give that folder a name of letters, digits, - and _ alone.";
    NoHtaccess { root }: "web-no-htaccess", Fault,
        "<root> has remotetask.cgi, but no .htaccess that sends requests to it.",
        "Put the one from the folder webstation there, as <root>/.htaccess.";
    NotServed { root }: "web-root-not-served", Fault,
        "No virtual host of Apache's has <root> as its document root.",
        "In Web Station make a virtual host with that document root, and choose the Apache HTTP Server 2.4 as its \
         back-end; with nginx there is no .htaccess.";
    Ignored { root }: "web-htaccess-ignored", Fault,
        "Apache ignores <root>/.htaccess: nothing allows it for that folder (AllowOverride All).",
        "Allow it for that folder, and restart Apache: `printf '%s\\n' '<Directory \"<root>\">' 'AllowOverride All' \
         '</Directory>' | sudo tee /usr/local/etc/apache24/sites-enabled/remotetask-htaccess.conf` `sudo synosystemctl \
         restart pkgctl-Apache2.4`";
    IgnoredByLine { root, what, file, line }: "web-htaccess-line", Fault,
        "Apache is told to ignore <root>/.htaccess: AllowOverride <what> in <file>, line <line>.",
        "Let that line allow it, and restart Apache: `sudo sed -i '<line>s/.*/AllowOverride All/' <file>` `sudo \
         synosystemctl restart pkgctl-Apache2.4`";
    Unclear { root }: "web-htaccess-unclear", Advice,
        "Whether Apache reads <root>/.htaccess cannot be told from its files: they say it by patterns.",
        "Make a request, and see, with this NAS's own address in the place of this one: `sudo remotetask check --url \
         https://nas.example.org`";
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

const HTACCESS: &str = include_str!("../../../../webstation/.htaccess");

/// Looks at a document root with a link: its .htaccess, and who can write them.
pub fn look(root: &Path, nas: &Installation<'_>, conf: Option<&Configuration>) -> Vec<Found> {
    let htaccess = root.join(".htaccess");
    let mut found = Vec::new();
    match htaccess.is_file() {
        false => found.push(NoHtaccess { root: &root.display() }.found()),
        true => found.extend(changes(&htaccess, HTACCESS)),
    }
    found.extend(conf.and_then(|conf| override_of(conf, root)));
    found.extend(open(root, &[".htaccess"], nas));
    found
}

/// The virtual hosts that have this document root; where none has, those whose root lies above.
pub fn hosts<'t>(conf: &'t Configuration, root: &Path) -> Vec<&'t Directive> {
    let real = |directive: &Directive| fs::canonicalize(directive.word(0)?).ok();
    let all: Vec<_> = conf.all("DocumentRoot").filter_map(|d| Some((d, real(d)?))).collect();
    let those = |fits: &dyn Fn(&Path) -> bool| -> Vec<&'t Directive> {
        all.iter().filter(|(_, folder)| fits(folder)).map(|(directive, _)| *directive).collect()
    };
    match those(&|folder| folder == root) {
        none if none.is_empty() => those(&|folder| root.starts_with(folder)),
        same => same,
    }
}

/// Judges by the innermost `<Directory>` around it if Apache reads a .htaccess there.
fn override_of(conf: &Configuration, root: &Path) -> Option<Found> {
    let shown = &root.display();
    // The folder may be anybody's who can write the share, and the name that they gave it would be a line of a fix.
    if !shown.to_string().chars().all(|c| c.is_alphanumeric() || "-_./ ".contains(c)) {
        return Some(UnclearName { root: shown }.found());
    }
    let hosts = hosts(conf, root);
    if hosts.is_empty() {
        return Some(NotServed { root: shown }.found());
    }
    let here = |d: &&Directive| d.host.is_none() || hosts.iter().any(|host| host.of_host() == d.of_host());
    let all: Vec<(&Directive, &str)> =
        conf.all("AllowOverride").filter(here).filter_map(|d| Some((d, d.folder.as_deref()?))).collect();
    let depth = |folder: &str| Some(fs::canonicalize(folder).ok().filter(|f| root.starts_with(f))?.iter().count());
    // The later of two with the same folder counts, as with Apache.
    let innermost = all.iter().filter_map(|(d, folder)| Some((depth(folder)?, *d))).max_by_key(|(depth, _)| *depth);
    let allows = |d: &Directive| {
        let rest = d.rest.to_ascii_lowercase();
        rest.contains("all") || rest.contains("fileinfo") && rest.contains("options")
    };
    let innermost = innermost.map(|(_, directive)| directive);
    if innermost.is_some_and(allows) {
        return None;
    }
    if all.iter().any(|(_, folder)| folder.starts_with('~') || folder.contains(['*', '?', '['])) {
        return Some(Unclear { root: shown }.found());
    }
    Some(match innermost {
        // A line for folders above stays: it is for others too.
        Some(d) if d.folder.as_deref().and_then(|folder| fs::canonicalize(folder).ok()).as_deref() == Some(root) => {
            IgnoredByLine { root: shown, what: &d.rest, file: &d.file.display(), line: &d.line }.found()
        }
        _ => Ignored { root: shown }.found(),
    })
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
        let (user, mode) = (&nas.accounts.user(meta.uid()), &format!("{:04o}", meta.mode() & 0o7777));
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
