//! Findings about Apache's drop-in for a port of its own: read, leading here, on the configured port, whole.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;

use super::changes::changes;
use super::noted;
use crate::nas::apache::{self, Configuration};
use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};
use crate::parts::job::EntryPointKind;
use crate::parts::texts::DROP_IN;

findings! {
    NotRead { dropin, main }: "web-dropin-not-read", Fault,
        "Apache does not read <dropin>.",
        "Let it read that folder, by a line at the end of its own configuration, and restart it: `echo \
         'IncludeOptional /usr/local/etc/apache24/sites-enabled/*.conf' | sudo tee -a <main>` `sudo synosystemctl \
         restart pkgctl-Apache2.4`";
    DropInElsewhere { theirs, ours, file }: "web-dropin-elsewhere", Fault,
        "Apache's port of its own leads to <theirs>, not to <ours>.",
        "Let it lead here, and restart Apache: `sudo sed -i 's|\\(Define REMOTETASK_FOLDER\\) .*|\\1 <ours>|' <file>` \
         `sudo synosystemctl restart pkgctl-Apache2.4`";
    OtherPort { theirs, ours, file }: "web-other-port", Fault,
        "Apache is told to listen on <theirs>, config.json says <ours>.",
        "Make the two the same, and restart Apache: `sudo sed -i 's|\\(Define REMOTETASK_LISTEN\\) .*|\\1 <ours>|' \
         <file>` `sudo synosystemctl restart pkgctl-Apache2.4`";
    AddressGone { ours }: "web-address-gone", Fault,
        "Apache is to listen on <ours>, and this NAS does not have that address any more: Apache does not start so.",
        "Take the address that it has now, and scan the new code; then let the router give it always the same one (DHCP \
         reservation): `sudo remotetask phone home`";
}

/// Looks at the drop-in. What stands in one that the installation has laid out is put right by `repair`.
pub fn look(path: &Path, nas: &Installation<'_>, conf: Option<&Configuration>) -> Vec<Found> {
    let dropin = &path.display();
    let mut found = Vec::new();
    if let Some(conf) = conf.filter(|conf| !conf.files.iter().any(|read| read == path)) {
        let main = conf.files.first().map_or_else(String::new, |main| main.display().to_string());
        found.push(NotRead { dropin, main: &main }.found());
    }
    let own = apache::read(path);
    // A file that includes the drop-in may define the two names first.
    let defined = |name: &str| {
        let all = conf.map_or(&own, |conf| &conf.directives);
        let mut named = all.iter().chain(&own).filter(|d| d.is("Define") && d.word(0) == Some(name));
        let first = named.next()?;
        Some((first.word(1)?.to_owned(), first.file.display().to_string()))
    };
    let is_laid_out = noted(nas.folder) == Some(EntryPointKind::Port);
    let ours = nas.folder.display().to_string();
    if let Some((theirs, file)) = defined("REMOTETASK_FOLDER").filter(|(theirs, _)| *theirs != ours) {
        let elsewhere = DropInElsewhere { theirs: &theirs, ours: &ours, file: &file }.found();
        found.push(elsewhere.by_repair_if(is_laid_out && Path::new(&file) == path));
    }
    if let (Some((theirs, file)), Some(config)) = (defined("REMOTETASK_LISTEN"), nas.config) {
        let ours = SocketAddr::new(config.server.listen, config.server.port);
        if !same(&theirs, ours) {
            let other = OtherPort { theirs: &theirs, ours: &ours, file: &file }.found();
            found.push(other.by_apply_if(is_laid_out && Path::new(&file) == path));
        }
    }
    let ours = nas.config.map(|config| SocketAddr::new(config.server.listen, config.server.port));
    found.extend(ours.filter(|ours| is_laid_out && is_gone(ours.ip())).map(|ours| AddressGone { ours: &ours }.found()));
    found.extend(changes(path, DROP_IN).into_iter().map(|found| found.by_repair_if(is_laid_out)));
    found
}

/// The address in config.json that Apache's file does not have yet.
pub fn pending(nas: &Installation<'_>) -> Option<SocketAddr> {
    let config = nas.config.filter(|_| noted(nas.folder) == Some(EntryPointKind::Port))?;
    let ours = SocketAddr::new(config.server.listen, config.server.port);
    let own = apache::read(&super::drop_in_path());
    let theirs = own.iter().find(|d| d.is("Define") && d.word(0) == Some("REMOTETASK_LISTEN"))?.word(1)?;
    (!same(theirs, ours)).then_some(ours)
}

/// Returns true if this machine has no such address: the router gave it another one.
fn is_gone(ip: IpAddr) -> bool {
    // At a port that is free: nothing is in the way but the address.
    TcpListener::bind((ip, 0)).is_err_and(|e| e.kind() == ErrorKind::AddrNotAvailable)
}

/// Returns true if Apache's words mean this address; a port alone is that of every address.
fn same(theirs: &str, ours: SocketAddr) -> bool {
    let (address, port) = theirs.rsplit_once(':').unwrap_or(("*", theirs));
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let every = address == "*" && ours.ip().is_unspecified();
    port.parse() == Ok(ours.port()) && (every || address.parse::<IpAddr>() == Ok(ours.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_apache_listens() {
        for (theirs, ours, expected) in [
            ("127.0.0.1:10765", "127.0.0.1:10765", true),
            ("127.0.0.1:10765", "127.0.0.1:10766", false),
            ("127.0.0.1:10765", "0.0.0.0:10765", false),
            ("10765", "0.0.0.0:10765", true),
            ("*:10765", "[::]:10765", true),
            ("10765", "127.0.0.1:10765", false),
            ("[::1]:10765", "[::1]:10765", true),
            ("nas:10765", "127.0.0.1:10765", false),
            ("", "0.0.0.0:80", false),
        ] {
            assert_eq!(same(theirs, ours.parse().expect("an address")), expected, "{theirs} {ours}");
        }
    }
}
