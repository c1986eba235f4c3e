//! The names of this NAS's hosts and users, and its keys: what the report must not show.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::mask::Mask;
use super::web::{nginx_files, NginxFile};
use crate::nas::apache::{Apache, Configuration, Directive};
use crate::owner::secrets::Secrets;
use crate::owner::workbench::Workbench;
use remotetask::files::{Regular, CONFIG_MAX};

/// The least number of an owner's users.
const FIRST_USER: u32 = 1000;

/// The names that are known, and what decides which lines of nginx are ours.
pub struct Names {
    hosts: BTreeSet<String>,
    users: BTreeSet<String>,
    keys: Vec<String>,
    /// The host by which this NAS is reached, as the owner has said.
    pub own_host: Option<String>,
    /// The port of its own, as config.json has it.
    pub port: u16,
    /// Files of nginx's.
    pub nginx: Vec<NginxFile>,
}

impl Names {
    /// Gathers them, as far as they can be read.
    pub fn of(bench: &Workbench) -> Names {
        let content =
            Regular::open(&bench.path("config.json")).and_then(|file| file.read(CONFIG_MAX)).unwrap_or_default();
        let value: Value = serde_json::from_slice(&content).unwrap_or_default();
        let server = value.get("server").unwrap_or(&value);
        let port = server["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        let secrets = Secrets::read(&bench.folder).ok();
        let url = secrets.as_ref().and_then(Secrets::url).and_then(|url| url.split_once("://")).map(|(_, rest)| rest);
        let own_host = url.and_then(|rest| rest.split(['/', ':']).next()).map(str::to_owned);
        let mut keys: Vec<String> = secrets.iter().flat_map(Secrets::all).map(str::to_owned).collect();
        keys_below(&value, false, &mut keys);
        let port = port.unwrap_or(remotetask::config::LISTEN.1);
        let nginx = nginx_files();
        Names { hosts: hosts(own_host.as_deref(), &nginx), users: users(), keys, own_host, port, nginx }
    }

    /// The mask over all of them.
    pub fn mask(&self) -> Mask {
        let mut mask = Mask::default();
        self.keys.iter().for_each(|key| mask.key(key));
        self.hosts.iter().for_each(|host| mask.name("host", host));
        self.users.iter().for_each(|user| mask.name("user", user));
        mask
    }
}

/// The plain keys of a file that may be refused, whatever its form.
fn keys_below(value: &Value, is_key: bool, found: &mut Vec<String>) {
    match value {
        Value::String(text) if is_key && !text.starts_with("sha256:") => found.push(text.clone()),
        Value::Array(list) => list.iter().for_each(|value| keys_below(value, is_key, found)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            let is_key = matches!(&**name, "magickey" | "key" | "identifier" | "panel");
            keys_below(value, is_key, found);
        }),
        _ => {}
    }
}

fn read(path: &str) -> String {
    // Bounded, and nothing is waited for: links in /etc are followed.
    let opened = rustix::fs::open(
        path,
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    );
    let content = opened.map_err(Into::into).and_then(Regular::of).and_then(|file| file.read(1 << 20));
    String::from_utf8_lossy(&content.unwrap_or_default()).into_owned()
}

fn hosts(own: Option<&str>, nginx: &[NginxFile]) -> BTreeSet<String> {
    // Files of /proc have no size.
    let proc = |name| fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default().trim().to_owned();
    let mut names: Vec<String> = vec![proc("hostname"), proc("domainname"), read("/etc/hostname").trim().to_owned()];
    names.extend(own.map(str::to_owned));
    for line in read("/etc/hosts").lines().filter(|line| !line.trim_start().starts_with('#')) {
        names.extend(line.split_whitespace().skip(1).map(str::to_owned));
    }
    for line in read("/etc/resolv.conf").lines() {
        let mut words = line.split_whitespace();
        if matches!(words.next(), Some("search" | "domain")) {
            names.extend(words.map(str::to_owned));
        }
    }
    let ddns = read("/etc/ddns.conf");
    names.extend(ddns.lines().filter_map(|line| line.trim().strip_prefix("hostname=")).map(str::to_owned));
    names.extend(nginx.iter().flat_map(NginxFile::server_names));
    let configuration = Apache::here().and_then(|apache| Configuration::of(&apache).ok());
    let directives = configuration.map(|configuration| configuration.directives).unwrap_or_default();
    let named =
        |directive: &&Directive| ["ServerName", "ServerAlias", "ServerAdmin"].iter().any(|name| directive.is(name));
    for directive in directives.iter().filter(named) {
        names.extend(directive.rest.split_whitespace().map(|word| word.trim_matches('"').to_owned()));
    }
    let without_port = |name: String| {
        name.split("://").last().and_then(|name| name.split([':', '/']).next()).unwrap_or_default().to_owned()
    };
    let whole: BTreeSet<String> = names
        .into_iter()
        .flat_map(|name| name.split('@').map(str::to_owned).collect::<Vec<_>>())
        .map(without_port)
        .collect();
    whole.iter().flat_map(|name| domains(name.trim_start_matches(['*', '.', '~', '^']))).collect()
}

/// The name itself, its first part, and the domains above it that are no top level.
fn domains(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned()];
    if let Some((first, _)) = name.split_once('.') {
        // Short ones are words of every configuration, such as www.
        all.extend((first.len() > 3).then(|| first.to_owned()));
    }
    let mut rest = name;
    while let Some((_, above)) = rest.split_once('.').filter(|(_, above)| above.contains('.')) {
        all.push(above.to_owned());
        rest = above;
    }
    all
}

fn users() -> BTreeSet<String> {
    let passwd = read("/etc/passwd");
    let account = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let uid: u32 = fields.get(2)?.parse().ok()?;
        (uid >= FIRST_USER).then(|| fields[0].to_owned())
    };
    let mut names: BTreeSet<String> = passwd.lines().filter_map(account).collect();
    let calling = ["SUDO_USER", "USER", "LOGNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    // A domain's user is called DOMAIN\name.
    names.extend(calling.flat_map(|name| name.split('\\').map(str::to_owned).collect::<Vec<_>>()));
    for homes in ["/var/services/homes", "/volume1/homes", "/volume2/homes"].map(Path::new) {
        let entries = fs::read_dir(homes).into_iter().flatten().flatten();
        names.extend(entries.take(1000).map(|entry| entry.file_name().to_string_lossy().into_owned()));
    }
    names.retain(|name| !name.starts_with(['@', '.', '#']));
    names
}
