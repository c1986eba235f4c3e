//! Logs and status pages of Apache's that show secret URLs.

use super::htaccess::hosts;
use crate::nas::apache::{Configuration, Directive};
use crate::owner::finding::{findings, Found};
use crate::parts::entry_point::entries::Entry;

findings! {
    AccessLog { log, file, line }: "web-access-log", Advice,
        "Apache writes the address of every request to <log>, and there every secret URL (<file>, line <line>).",
        "Send the keys in headers (remotetask url --for curl shows how), or take the way by a port of its own, which \
         has no such log; docs/web.md tells of both. Or let that line, if it is a CustomLog, end in env=!dontlog and \
         restart Apache: `sudo vi +<line> <file>` `sudo synosystemctl restart pkgctl-Apache2.4`";
    ErrorLog { what, file, line }: "web-error-log", Advice,
        "<what> in <file>, line <line>, lets Apache write to its error log, which names the path of a request and with \
         it the secret URL.",
        "Take that line out, so that nothing but LogLevel emerg is there, and restart Apache: `sudo vi +<line> <file>` \
         `sudo synosystemctl restart pkgctl-Apache2.4`";
    StatusPage { file, line }: "web-status-page", Advice,
        "Apache has a status page (<file>, line <line>), which shows the URLs that are being answered.",
        "Make a comment of that line, and restart Apache: `sudo sed -i '<line>s/^/#/' <file>` `sudo synosystemctl \
         restart pkgctl-Apache2.4`";
}

/// Finds logs that hold our URLs. Those of a virtual host take the place of the server's own; a document root can
/// only ask to be left out.
pub fn logs(conf: &Configuration, entries: &[Entry]) -> Vec<Found> {
    let access = || conf.all("CustomLog").chain(conf.all("TransferLog"));
    // For all virtual hosts, whatever they have of their own.
    let mut logs: Vec<&Directive> = conf.all("GlobalLog").chain(conf.all("ForensicLog")).collect();
    let mut found = Vec::new();
    for entry in entries {
        match entry {
            Entry::Port(dropin) => {
                logs.extend(access().filter(|d| d.file == *dropin));
                let errors = conf.all("ErrorLog").filter(|d| d.word(0) != Some("/dev/null"));
                let loud = conf.all("LogLevel").filter(|d| !d.rest.eq_ignore_ascii_case("emerg"));
                found.extend(errors.chain(loud).filter(|d| d.file == *dropin).map(|d| {
                    let what = &format!("{} {}", d.name, d.rest);
                    ErrorLog { what, file: &d.file.display(), line: &d.line }.found()
                }));
            }
            Entry::Root(root) | Entry::Php(root) => {
                let heeded = conf.loads("setenvif_module");
                for host in hosts(conf, root) {
                    let own: Vec<&Directive> = access().filter(|d| d.of_host() == host.of_host()).collect();
                    let all = if own.is_empty() { access().filter(|d| d.host.is_none()).collect() } else { own };
                    logs.extend(all.into_iter().filter(|d| !(heeded && d.rest.ends_with("env=!dontlog"))));
                }
            }
            Entry::OtherLink(_) | Entry::OtherPage(_) => {}
        }
    }
    logs.retain(|d| d.word(0) != Some("/dev/null"));
    logs.sort_by_key(|d| (&d.file, d.line));
    logs.dedup_by_key(|d| (&d.file, d.line));
    found.extend(logs.into_iter().map(|d| {
        let log = &d.word(0).unwrap_or_default();
        AccessLog { log, file: &d.file.display(), line: &d.line }.found()
    }));
    found
}

/// Finds status pages, which show URLs.
pub fn status_pages(conf: &Configuration) -> Vec<Found> {
    if !conf.loads("status_module") {
        return Vec::new();
    }
    let pages = conf.all("SetHandler").filter(|d| d.word(0).is_some_and(|to| to.eq_ignore_ascii_case("server-status")));
    pages.map(|d| StatusPage { file: &d.file.display(), line: &d.line }.found()).collect()
}
