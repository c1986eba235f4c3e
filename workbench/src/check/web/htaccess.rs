//! Others' files of Apache's: does a virtual host serve our document root, and do they let Apache read the .htaccess
//! there?

use std::fs;
use std::path::Path;

use crate::nas::apache::{Configuration, Directive};
use crate::owner::finding::{findings, Found};

findings! {
    UnclearName { root }: "web-root-name", Advice,
        "The name of <root> would mean something else in Apache's files, so whether they let it read the .htaccess \
         there is not looked at.",
        "Give that folder a name of letters, digits, - and _ alone.";
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
pub fn look(conf: &Configuration, root: &Path) -> Option<Found> {
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
