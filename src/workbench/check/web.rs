//! The web server's files, without a request: is Apache there, does it run programs, is our way in as it
//! was installed, and who else could see a URL?

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::finding::{Found, Kind, Level};
use super::Subject;
use crate::files::{Regular, CONFIG_MAX};
use crate::workbench::apache::{self, Apache, Directive, DROP_INS};

static NO_WAY_IN: Kind = Kind {
    code: "web-no-way-in",
    level: Level::Fault,
    says: "No web server leads here: there is no <dropin>, no document root with remotetask.cgi or index.php, and no file of nginx's that names \
           remotetask-cgi.",
    cure: "Set one of them up, as docs/web.md says.",
};
static NO_APACHE: Kind = Kind {
    code: "web-no-apache",
    level: Level::Fault,
    says: "<way> is for Apache 2.4, and this machine has none.",
    cure: "Install \"Apache HTTP Server 2.4\" in DSM's Package Center and choose it as the back-end of the virtual host in \
           Web Station; or take the way by PHP, as docs/web.md says.",
};
static BROKEN: Kind = Kind {
    code: "web-broken",
    level: Level::Fault,
    says: "Apache finds a fault in its own files: <why>.",
    cure: "Mend what it says, and ask it again: `sudo <program> -t`",
};
static CGI_NOT_LOADED: Kind = Kind {
    code: "web-cgi-not-loaded",
    level: Level::Fault,
    says: "Apache does not load its module for programs (mod_cgid), though the module is there.",
    cure: "Make it load the module, and restart it: `echo 'LoadModule cgid_module <module>' | sudo tee \
           /usr/local/etc/apache24/sites-enabled/cgid.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
};
static NO_CGI: Kind = Kind {
    code: "web-no-cgi",
    level: Level::Fault,
    says: "This Apache cannot run programs: it has neither mod_cgid nor mod_cgi.",
    cure: "Take the way by PHP, as docs/web.md says.",
};
static NOT_READ: Kind = Kind {
    code: "web-dropin-not-read",
    level: Level::Fault,
    says: "Apache does not read <dropin>.",
    cure: "Let it read that folder, by a line at the end of its own configuration, and restart it: `echo 'IncludeOptional \
           /usr/local/etc/apache24/sites-enabled/*.conf' | sudo tee -a <main>` `sudo synosystemctl restart \
           pkgctl-Apache2.4`",
};
static CHANGED: Kind = Kind {
    code: "web-changed",
    level: Level::Advice,
    says: "<file> lacks a line that was installed: <line>.",
    cure: "Put it back, for these lines keep keys out of logs and make every refusal the same; then restart Apache: `sudo \
           synosystemctl restart pkgctl-Apache2.4`",
};
static OTHER_PORT: Kind = Kind {
    code: "web-other-port",
    level: Level::Fault,
    says: "Apache is told to listen on <theirs>, config.json says <ours>.",
    cure: "Make the two the same in <dropin>, and restart Apache: `sudo sed -i 's|^Define REMOTETASK_LISTEN .*|Define \
           REMOTETASK_LISTEN <ours>|' <dropin>` `sudo synosystemctl restart pkgctl-Apache2.4`",
};
static ELSEWHERE: Kind = Kind {
    code: "web-link-elsewhere",
    level: Level::Fault,
    says: "<link> does not lead to <program>.",
    cure: "Make it lead there: `sudo ln -sfn <program> <link>`",
};
static NO_HTACCESS: Kind = Kind {
    code: "web-no-htaccess",
    level: Level::Fault,
    says: "<root> has remotetask.cgi, but no .htaccess that sends requests to it.",
    cure: "Put the one from the folder webstation there, as <root>/.htaccess.",
};
static NO_REWRITE: Kind = Kind {
    code: "web-no-rewrite",
    level: Level::Fault,
    says: "Apache does not load mod_rewrite, which the .htaccess in <root> needs.",
    cure: "Take the way by a port of its own, as docs/web.md says.",
};
static ROOT_OPEN: Kind = Kind {
    code: "web-root-open",
    level: Level::Advice,
    says: "Others than root can write <root> (it belongs to uid <uid>, mode <mode>). Whoever can, a web application \
           with a hole among them, can take a key while somebody uses it.",
    cure: "Make it root's: `sudo chown root:root <root>` `sudo chmod 0755 <root>`",
};
static ACCESS_LOG: Kind = Kind {
    code: "web-access-log",
    level: Level::Advice,
    says: "Apache writes the address of every request to <log>, and there every secret URL.",
    cure:
        "Send the keys in headers (remotetask url --for curl shows how), or take the way by a port of its own, which \
           has no such log; docs/web.md tells of both.",
};
static STATUS_PAGE: Kind = Kind {
    code: "web-status-page",
    level: Level::Advice,
    says: "Apache has a status page (server-status), which shows the URLs that are being answered.",
    cure: "Take the lines with \"SetHandler server-status\" out of Apache's configuration, or let them allow nobody.",
};

/// What can be found here.
pub static KINDS: &[&Kind] = &[
    &NO_WAY_IN,
    &NO_APACHE,
    &BROKEN,
    &CGI_NOT_LOADED,
    &NO_CGI,
    &NOT_READ,
    &CHANGED,
    &OTHER_PORT,
    &ELSEWHERE,
    &NO_HTACCESS,
    &NO_REWRITE,
    &ROOT_OPEN,
    &ACCESS_LOG,
    &STATUS_PAGE,
];

const DROP_IN: &str = include_str!("../../../webstation/remotetask.conf");
const HTACCESS: &str = include_str!("../../../webstation/.htaccess");

/// A way in for requests.
enum Way {
    /// A port of its own: Apache's drop-in.
    Port(PathBuf),
    /// A document root with a link to the program.
    Root(PathBuf),
    /// By PHP, or by nginx and fcgiwrap: nothing more of it is looked at from here.
    Other,
}

/// Looks at them, on a NAS.
pub fn look(subject: &Subject<'_>) -> Vec<Found> {
    if subject.trial || !Path::new("/etc.defaults/VERSION").exists() {
        return Vec::new();
    }
    let apache = Apache::here();
    let directives = apache.as_ref().map(Apache::directives);
    let known: &[Directive] = match &directives {
        Some(Ok(directives)) => directives,
        _ => &[],
    };
    let ways = ways(known);
    if ways.is_empty() {
        return vec![NO_WAY_IN.found(&[("dropin", &drop_in().display().to_string())])];
    }
    let mut found = Vec::new();
    match (&apache, &directives) {
        (Some(apache), Some(Ok(directives))) => {
            found.extend(runs_programs(apache, directives, &ways));
            found.extend(shows_urls(directives, &ways));
        }
        (Some(apache), Some(Err(why))) => {
            found.push(BROKEN.found(&[("why", why), ("program", apache.program)]));
        }
        _ => found.extend(ways.iter().filter_map(|way| {
            let way = match way {
                Way::Port(path) | Way::Root(path) => path.display().to_string(),
                Way::Other => return None,
            };
            Some(NO_APACHE.found(&[("way", &way)]))
        })),
    }
    for way in &ways {
        match way {
            Way::Port(path) => found.extend(port(path, subject, apache.as_ref())),
            Way::Root(path) => found.extend(root(path, subject)),
            Way::Other => {}
        }
    }
    found
}

fn drop_in() -> PathBuf {
    Path::new(DROP_INS).join("remotetask.conf")
}

/// The ways that are laid out: the drop-in, and every document root with one of our two entries.
fn ways(directives: &[Directive]) -> Vec<Way> {
    let mut ways = Vec::new();
    if drop_in().symlink_metadata().is_ok() {
        ways.push(Way::Port(drop_in()));
    }
    let mut roots: Vec<PathBuf> = shares().into_iter().flat_map(|share| folders(&share)).collect();
    roots.extend(directives.iter().filter(|d| d.is("DocumentRoot")).filter_map(|d| d.word(0)).map(PathBuf::from));
    // /var/services/web and /volume1/web are the same folders.
    let mut roots: Vec<PathBuf> = roots.iter().filter_map(|root| fs::canonicalize(root).ok()).collect();
    roots.sort();
    roots.dedup();
    for root in roots {
        if root.join("remotetask.cgi").symlink_metadata().is_ok() {
            ways.push(Way::Root(root));
        } else if fs::read(root.join("index.php")).is_ok_and(|page| has(&page, b"remotetask-cgi")) {
            ways.push(Way::Other);
        }
    }
    if NGINX.iter().any(|folder| names_program(Path::new(folder), 4)) {
        ways.push(Way::Other);
    }
    ways
}

/// Where nginx's files are: DSM's, Entware's, Debian's.
const NGINX: [&str; 3] = ["/usr/local/etc/nginx", "/opt/etc/nginx", "/etc/nginx"];

/// Whether a file below this folder names our program.
fn names_program(folder: &Path, depth: usize) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.into_iter().any(|path| match path.is_dir() {
        true => depth > 0 && names_program(&path, depth - 1),
        false => {
            let file = Regular::open(&path).and_then(|file| file.read(CONFIG_MAX));
            file.is_ok_and(|text| has(&text, b"remotetask-cgi"))
        }
    })
}

/// The web shares of all volumes.
fn shares() -> Vec<PathBuf> {
    let volumes = folders(Path::new("/")).into_iter();
    let mut shares: Vec<PathBuf> = volumes
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("volume")))
        .map(|volume| volume.join("web"))
        .collect();
    shares.push("/var/services/web".into());
    shares
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn has(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// The modules that our ways need.
fn runs_programs(apache: &Apache, directives: &[Directive], ways: &[Way]) -> Vec<Found> {
    let modules = match apache.modules() {
        Ok(modules) => modules,
        Err(why) => return vec![BROKEN.found(&[("why", &why), ("program", apache.program)])],
    };
    let loaded = |name: &str| modules.iter().any(|module| module == name);
    let mut found = Vec::new();
    let needed = ways.iter().any(|way| !matches!(way, Way::Other));
    if needed && !loaded("cgi_module") && !loaded("cgid_module") {
        found.push(match module(directives, "mod_cgid.so") {
            Some(file) => CGI_NOT_LOADED.found(&[("module", &file.display().to_string())]),
            None => NO_CGI.found(&[]),
        });
    }
    if !loaded("rewrite_module") {
        let roots = ways.iter().filter_map(|way| if let Way::Root(root) = way { Some(root) } else { None });
        found.extend(roots.map(|root| NO_REWRITE.found(&[("root", &root.display().to_string())])));
    }
    if loaded("status_module") && directives.iter().any(|d| d.is("SetHandler") && d.word(0) == Some("server-status")) {
        found.push(STATUS_PAGE.found(&[]));
    }
    found
}

/// A module that lies where the loaded ones do.
fn module(directives: &[Directive], name: &str) -> Option<PathBuf> {
    let root = directives.iter().find(|d| d.is("ServerRoot")).and_then(|d| d.word(0)).unwrap_or("/");
    let loaded = directives.iter().filter(|d| d.is("LoadModule")).filter_map(|d| d.word(1));
    let mut beside = loaded.map(|file| Path::new(root).join(file).with_file_name(name));
    beside.find(|file| file.is_file())
}

/// Logs that hold our URLs: our port has none, and a document root can only ask to be left out.
fn shows_urls(directives: &[Directive], ways: &[Way]) -> Vec<Found> {
    if !ways.iter().any(|way| matches!(way, Way::Root(_))) {
        return Vec::new();
    }
    let logs = directives.iter().filter(|d| d.is("CustomLog") || d.is("TransferLog"));
    let logs = logs.filter(|d| !d.rest.ends_with("env=!dontlog") && d.word(0) != Some("/dev/null"));
    let mut logs: Vec<&str> = logs.filter_map(|d| d.word(0)).collect();
    logs.sort_unstable();
    logs.dedup();
    logs.into_iter().map(|log| ACCESS_LOG.found(&[("log", log)])).collect()
}

/// The drop-in: read, whole, and on the configured port.
fn port(path: &Path, subject: &Subject<'_>, apache: Option<&Apache>) -> Vec<Found> {
    let file = path.display().to_string();
    let mut found = Vec::new();
    if let Some(files) = apache.and_then(|apache| apache.files().ok()) {
        if !files.iter().any(|read| read == path) {
            let main = files.first().map_or_else(String::new, |main| main.display().to_string());
            found.push(NOT_READ.found(&[("dropin", &file), ("main", &main)]));
        }
    }
    found.extend(lacks(path, DROP_IN));
    let listen = |d: &Directive| d.is("Define") && d.word(0) == Some("REMOTETASK_LISTEN");
    let theirs = apache::read(path).iter().find(|d| listen(d)).and_then(|d| d.word(1)).map(str::to_owned);
    if let (Some(theirs), Some(config)) = (theirs, subject.config) {
        let ours = std::net::SocketAddr::new(config.server.listen, config.server.port).to_string();
        if theirs != ours {
            found.push(OTHER_PORT.found(&[("theirs", &theirs), ("ours", &ours), ("dropin", &file)]));
        }
    }
    found
}

/// A document root: its link, its .htaccess, and who can write it.
fn root(root: &Path, subject: &Subject<'_>) -> Vec<Found> {
    let shown = root.display().to_string();
    let (link, htaccess) = (root.join("remotetask.cgi"), root.join(".htaccess"));
    let program = subject.path("remotetask-cgi");
    let mut found = Vec::new();
    if fs::canonicalize(&link).ok() != fs::canonicalize(&program).ok() {
        let names = [("link", &*link.display().to_string()), ("program", &*program.display().to_string())];
        found.push(ELSEWHERE.found(&names));
    }
    match htaccess.is_file() {
        false => found.push(NO_HTACCESS.found(&[("root", &shown)])),
        true => found.extend(lacks(&htaccess, HTACCESS)),
    }
    let meta = fs::metadata(root).ok().filter(|meta| meta.uid() != 0 || meta.mode() & 0o022 != 0);
    if let Some(meta) = meta {
        let (uid, mode) = (meta.uid().to_string(), format!("{:04o}", meta.mode() & 0o7777));
        found.push(ROOT_OPEN.found(&[("root", &shown), ("uid", &uid), ("mode", &mode)]));
    }
    found
}

/// The first line of the installed text that a file lacks. What a Define says is the owner's.
fn lacks(path: &Path, installed: &str) -> Option<Found> {
    let there = fs::read_to_string(path).unwrap_or_default();
    let there: Vec<&str> = there.lines().map(str::trim).collect();
    let matter = |line: &&str| !line.is_empty() && !line.starts_with('#') && !line.starts_with("Define ");
    let line = installed.lines().map(str::trim).filter(matter).find(|line| !there.contains(line))?;
    Some(CHANGED.found(&[("file", &path.display().to_string()), ("line", line)]))
}
