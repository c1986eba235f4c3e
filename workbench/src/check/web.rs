//! The web server's files, without a request: is Apache there, does it run programs, is our way in as it
//! was installed, and who else could see a URL?
//!
//! What stands in a condition of Apache's (`<IfModule>`, `<If>`) is taken to hold, and of `.htaccess` files
//! only ours is looked at. nginx's own files are not: a request tells more (`live`).

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::nas::apache::{self, Apache, Directive, DROP_INS};
use crate::nas::installation::Installation;
use crate::owner::finding::{Found, Kind, Level, Part};
use remotetask::files::{Regular, CONFIG_MAX};
use remotetask::trust::{flaw, flaw_above, Flaw};

static NO_WAY_IN: Kind = Kind {
    code: "web-no-way-in",
    level: Level::Fault,
    places: &[],
    says: "No web server leads here: there is no <dropin>, no document root with remotetask.cgi or index.php, and no \
           file of nginx's that names remotetask-cgi.",
    cure: "Set one of them up, as docs/web.md says.",
};
static NO_APACHE: Kind = Kind {
    code: "web-no-apache",
    level: Level::Fault,
    places: &[],
    says: "<way> is for Apache 2.4, and this machine has none.",
    cure: "Install \"Apache HTTP Server 2.4\" in DSM's Package Center and choose it as the back-end of the virtual host in \
           Web Station; or take the way by PHP, as docs/web.md says.",
};
static BROKEN: Kind = Kind {
    code: "web-broken",
    level: Level::Fault,
    places: &[],
    says: "Apache finds a fault in its own files: <why>.",
    cure: "Mend what it says, and ask it again: `sudo <program> -t`",
};
static NOT_LOADED: Kind = Kind {
    code: "web-module-not-loaded",
    level: Level::Fault,
    places: &[],
    says: "Apache does not load <name>, which <way> needs, though <module> is there.",
    cure: "Make it load the module, and restart it: `echo 'LoadModule <name> <module>' | sudo tee \
           /usr/local/etc/apache24/sites-enabled/<conf>` `sudo synosystemctl restart pkgctl-Apache2.4`",
};
static NO_CGI: Kind = Kind {
    code: "web-no-cgi",
    level: Level::Fault,
    places: &[],
    says: "This Apache cannot run programs: it has neither mod_cgid nor mod_cgi.",
    cure: "Take the way by PHP, as docs/web.md says.",
};
static NO_MODULE: Kind = Kind {
    code: "web-no-module",
    level: Level::Fault,
    places: &[],
    says: "This Apache has no <name>, which <way> needs.",
    cure: "Take the way by a port of its own, as docs/web.md says.",
};
static NOT_READ: Kind = Kind {
    code: "web-dropin-not-read",
    level: Level::Fault,
    places: &[],
    says: "Apache does not read <dropin>.",
    cure: "Let it read that folder, by a line at the end of its own configuration, and restart it: `echo 'IncludeOptional \
           /usr/local/etc/apache24/sites-enabled/*.conf' | sudo tee -a <main>` `sudo synosystemctl restart \
           pkgctl-Apache2.4`",
};
static DROP_IN_ELSEWHERE: Kind = Kind {
    code: "web-dropin-elsewhere",
    level: Level::Fault,
    places: &[],
    says: "Apache's port of its own leads to <theirs>, not to <ours>.",
    cure:
        "Let it lead here, and restart Apache: `sudo sed -i 's|\\(Define REMOTETASK_FOLDER\\) .*|\\1 <ours>|' <file>` \
           `sudo synosystemctl restart pkgctl-Apache2.4`",
};
static OTHER_PORT: Kind = Kind {
    code: "web-other-port",
    level: Level::Fault,
    places: &[],
    says: "Apache is told to listen on <theirs>, config.json says <ours>.",
    cure: "Make the two the same, and restart Apache: `sudo sed -i 's|\\(Define REMOTETASK_LISTEN\\) .*|\\1 <ours>|' \
           <file>` `sudo synosystemctl restart pkgctl-Apache2.4`",
};
static CHANGED: Kind = Kind {
    code: "web-changed",
    level: Level::Fault,
    places: &[],
    says: "<file> lacks a line that was installed: <line>. Without it requests do not arrive, or refusals can be told \
           apart.",
    cure:
        "Put it back where it stood, as the same file in the folder webstation shows it, and restart Apache: `sudo vi \
           <file>` `sudo synosystemctl restart pkgctl-Apache2.4`",
};
static NOT_QUIET: Kind = Kind {
    code: "web-not-quiet",
    level: Level::Advice,
    places: &[],
    says: "<file> lacks a line that keeps keys out of Apache's logs: <line>.",
    cure:
        "Put it back where it stood, as the same file in the folder webstation shows it, and restart Apache: `sudo vi \
           <file>` `sudo synosystemctl restart pkgctl-Apache2.4`",
};
static MORE: Kind = Kind {
    code: "web-more",
    level: Level::Advice,
    places: &[],
    says: "<file> has a line that was not installed: <line>.",
    cure: "If it is not yours, or writes a log, take it out, and restart Apache: `sudo vi <file>` `sudo synosystemctl \
           restart pkgctl-Apache2.4`",
};
static ELSEWHERE: Kind = Kind {
    code: "web-link-elsewhere",
    level: Level::Fault,
    places: &[],
    says: "<link> is no link to <program>, so it is not ours: whoever can write that folder may have put it there, to be \
           given keys.",
    cure: "See what it is, and take it away. If requests are to come in by that folder, set it up as docs/web.md says: `sudo \
           ls -ld <link>`",
};
static OTHER_PAGE: Kind = Kind {
    code: "web-page-other",
    level: Level::Fault,
    places: &[],
    says:
        "<file> names remotetask-cgi, and is not the page that is installed: it could keep every key that it is given.",
    cure: "See what it is, and take it away. If requests are to come in by that folder, put index.php from the folder \
           webstation/php there, as docs/web.md says: `sudo ls -ld <file>`",
};
static NAME: Kind = Kind {
    code: "web-root-name",
    level: Level::Advice,
    places: &[],
    says: "The name of <root> would mean something else in Apache's files, so whether they let it read the .htaccess there is \
           not looked at.",
    cure: "Give that folder a name of letters, digits, - and _ alone.",
};
static NO_HTACCESS: Kind = Kind {
    code: "web-no-htaccess",
    level: Level::Fault,
    places: &[],
    says: "<root> has remotetask.cgi, but no .htaccess that sends requests to it.",
    cure: "Put the one from the folder webstation there, as <root>/.htaccess.",
};
static NOT_APACHES: Kind = Kind {
    code: "web-root-not-served",
    level: Level::Fault,
    places: &[],
    says: "No virtual host of Apache's has <root> as its document root.",
    cure: "In Web Station make a virtual host with that document root, and choose the Apache HTTP Server 2.4 as its \
           back-end; with nginx there is no .htaccess.",
};
static IGNORED: Kind = Kind {
    code: "web-htaccess-ignored",
    level: Level::Fault,
    places: &[],
    says: "Apache ignores <root>/.htaccess: nothing allows it for that folder (AllowOverride All).",
    cure: "Allow it for that folder, and restart Apache: `printf '%s\\n' '<Directory \"<root>\">' 'AllowOverride All' \
           '</Directory>' | sudo tee /usr/local/etc/apache24/sites-enabled/remotetask-htaccess.conf` `sudo \
           synosystemctl restart pkgctl-Apache2.4`",
};
static NOT_ALLOWED: Kind = Kind {
    code: "web-htaccess-line",
    level: Level::Fault,
    places: &[],
    says: "Apache is told to ignore <root>/.htaccess: AllowOverride <what> in <file>, line <line>.",
    cure: "Let that line allow it, and restart Apache: `sudo sed -i '<line>s/.*/AllowOverride All/' <file>` `sudo \
           synosystemctl restart pkgctl-Apache2.4`",
};
static UNCLEAR: Kind = Kind {
    code: "web-htaccess-unclear",
    level: Level::Advice,
    places: &[],
    says: "Whether Apache reads <root>/.htaccess cannot be told from its files: they say it by patterns.",
    cure:
        "Make a request, and see, with this NAS's own address in the place of this one: `sudo remotetask check --url \
           https://nas.example.org`",
};
static ROOT_OPEN: Kind = Kind {
    code: "web-root-open",
    level: Level::Advice,
    places: &[],
    says: "Others than root can write <path> (it belongs to <user>, mode <mode>). Whoever can, a web application \
           with a hole among them, can take a key while somebody uses it.",
    cure: "Look whether what lies there is as it was installed, and make it root's: `sudo chown -h root:root <path>` `sudo \
           chmod go-w <path>`",
};
static ROOT_OPEN_BELOW: Kind = Kind {
    code: "web-root-open-below",
    level: Level::Advice,
    places: &[],
    says: "Others than root can write <path> (it belongs to <user>, mode <mode>), and what lies above it, or it is a link. \
           Whoever can, a web application with a hole among them, can take a key while somebody uses it.",
    cure: "Close what lies above it first, then check again: a command for it by its name could be led to another file now.",
};
static ABOVE_OPEN: Kind = Kind {
    code: "web-above-open",
    level: Level::Advice,
    places: &[],
    says: "Others than root can write <path> (it belongs to <user>, mode <mode>), in which <root> lies: a web application with \
           a hole can put another program in the place of ours, and take keys while they are used.",
    cure: "Take the way by a port of its own, as docs/web.md says: nothing of it lies in a share. Or make that folder root's, \
           if nothing else has to write there.",
};
static ROOT_SHARED: Kind = Kind {
    code: "web-root-shared",
    level: Level::Advice,
    places: &[],
    says: "Others than root can perhaps write <path> (mode <mode>), and take a key there while somebody uses it. On a \
           share of DSM's the mode shows 777 whatever its permissions say.",
    cure: "In Control Panel, Shared Folder, Edit, Permissions, see that nobody may write there whom you do not trust, http \
           among the system's internal users least of all. Or take the way by a port of its own, as docs/web.md says: \
           nothing of it lies in a share.",
};
static ACCESS_LOG: Kind = Kind {
    code: "web-access-log",
    level: Level::Advice,
    places: &[],
    says: "Apache writes the address of every request to <log>, and there every secret URL (<file>, line <line>).",
    cure:
        "Send the keys in headers (remotetask url --for curl shows how), or take the way by a port of its own, which \
           has no such log; docs/web.md tells of both. Or let that line, if it is a CustomLog, end in env=!dontlog and \
           restart Apache: `sudo vi +<line> <file>` `sudo synosystemctl restart pkgctl-Apache2.4`",
};
static ERROR_LOG: Kind = Kind {
    code: "web-error-log",
    level: Level::Advice,
    places: &[],
    says: "<what> in <file>, line <line>, lets Apache write to its error log, which names the path of a request and with it \
           the secret URL.",
    cure: "Take that line out, so that nothing but LogLevel emerg is there, and restart Apache: `sudo vi +<line> <file>` \
           `sudo synosystemctl restart pkgctl-Apache2.4`",
};
static STATUS_PAGE: Kind = Kind {
    code: "web-status-page",
    level: Level::Advice,
    places: &[],
    says: "Apache has a status page (<file>, line <line>), which shows the URLs that are being answered.",
    cure: "Make a comment of that line, and restart Apache: `sudo sed -i '<line>s/^/#/' <file>` `sudo synosystemctl \
           restart pkgctl-Apache2.4`",
};

/// The findings of this module.
#[cfg(test)]
pub static KINDS: &[&Kind] = &[
    &NO_WAY_IN,
    &NO_APACHE,
    &BROKEN,
    &NOT_LOADED,
    &NO_CGI,
    &NO_MODULE,
    &NOT_READ,
    &DROP_IN_ELSEWHERE,
    &OTHER_PORT,
    &CHANGED,
    &NOT_QUIET,
    &MORE,
    &ELSEWHERE,
    &OTHER_PAGE,
    &NAME,
    &NO_HTACCESS,
    &NOT_APACHES,
    &IGNORED,
    &NOT_ALLOWED,
    &UNCLEAR,
    &ROOT_OPEN,
    &ROOT_OPEN_BELOW,
    &ABOVE_OPEN,
    &ROOT_SHARED,
    &ACCESS_LOG,
    &ERROR_LOG,
    &STATUS_PAGE,
];

const DROP_IN: &str = include_str!("../../../webstation/remotetask.conf");
const HTACCESS: &str = include_str!("../../../webstation/.htaccess");
const PAGE: &str = include_str!("../../../webstation/php/index.php");
/// None of the files that we install is as large, in bytes.
const OURS_MAX: usize = 64 << 10;
/// DSM's own word for what it is.
const VERSION: &str = "/etc.defaults/VERSION";

/// A way in for requests.
enum Way {
    /// A port of its own: Apache's drop-in.
    Port(PathBuf),
    /// A document root with a link to the program.
    Root(PathBuf),
    /// A document root with our page of PHP.
    Php(PathBuf),
    /// Something at this place that has the name of ours and is not.
    Other(PathBuf, &'static Kind),
    /// nginx, by a file of this folder's: nothing more of it is looked at from here.
    Nginx(PathBuf),
}

/// What Apache says of itself, and what stands in its files.
struct Told {
    modules: Vec<String>,
    files: Vec<PathBuf>,
    directives: Vec<Directive>,
}

impl Told {
    fn by(apache: &Apache) -> Result<Told, String> {
        Ok(Told { modules: apache.modules()?, files: apache.files()?, directives: apache.directives()? })
    }

    fn loads(&self, module: &str) -> bool {
        self.modules.iter().any(|loaded| loaded == module)
    }

    fn all<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t Directive> {
        self.directives.iter().filter(move |directive| directive.is(name))
    }
}

/// Looks at them, on a NAS.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    if nas.trial || !Path::new(VERSION).exists() {
        return Vec::new();
    }
    let apache = Apache::here();
    let asked = apache.as_ref().map(Told::by);
    let told = asked.as_ref().and_then(|told| told.as_ref().ok());
    let ways = ways(told, nas);
    if ways.is_empty() {
        return vec![NO_WAY_IN.found(&[("dropin", &drop_in().display().to_string())])];
    }
    let mut found = Vec::new();
    if let (Some(apache), Some(Err(why))) = (&apache, &asked) {
        found.push(BROKEN.found(&[("why", why.trim_end_matches('.')), ("program", apache.program)]));
    }
    if apache.is_none() {
        let needy = ways.iter().filter(|way| way.by_cgi());
        found.extend(needy.map(|way| NO_APACHE.found(&[("way", &way.path().display().to_string())])));
    }
    found.extend(told.map(|told| modules(told, &ways)).unwrap_or_default());
    for way in &ways {
        match way {
            Way::Port(path) => found.extend(port(path, nas, told)),
            Way::Root(root) => found.extend(by_link(root, nas, told)),
            Way::Php(root) => found.extend(open(root, &["index.php", ".htaccess"], nas)),
            Way::Other(path, kind) => {
                let (shown, program) = (path.display().to_string(), nas.path("remotetask-cgi").display().to_string());
                found.push(kind.found(&[("link", &shown), ("file", &shown), ("program", &program)]));
            }
            Way::Nginx(_) => {}
        }
    }
    if let Some(told) = told {
        found.extend(logs(told, &ways));
        found.extend(status_page(told));
    }
    on_this_dsm(&mut found);
    found
}

impl Way {
    fn path(&self) -> &Path {
        match self {
            Way::Port(path) | Way::Root(path) | Way::Php(path) | Way::Nginx(path) | Way::Other(path, _) => path,
        }
    }

    /// Whether it is Apache that starts the program.
    fn by_cgi(&self) -> bool {
        matches!(self, Way::Port(_) | Way::Root(_))
    }
}

/// DSM 6 restarts its packages by another program.
fn on_this_dsm(found: &mut [Found]) {
    let version = fs::read_to_string(VERSION).unwrap_or_default();
    if version.lines().any(|line| line == "majorversion=\"6\"") {
        for part in found.iter_mut().flat_map(|found| &mut found.fix) {
            if let Part::Typed(text) = part {
                *text = text.replace("synosystemctl restart ", "synoservice --restart ");
            }
        }
    }
}

fn drop_in() -> PathBuf {
    Path::new(DROP_INS).join("remotetask.conf")
}

/// The ways that are laid out: the drop-in, and every document root with one of our two entries.
fn ways(told: Option<&Told>, nas: &Installation<'_>) -> Vec<Way> {
    let mut ways = Vec::new();
    if drop_in().symlink_metadata().is_ok() && !only_loads(&read(&drop_in())) {
        ways.push(Way::Port(drop_in()));
    }
    let mut roots: Vec<PathBuf> = shares().into_iter().flat_map(|share| folders(&share)).collect();
    let served = told.into_iter().flat_map(|told| told.all("DocumentRoot"));
    roots.extend(served.filter_map(|directive| directive.word(0)).map(PathBuf::from));
    // /var/services/web and /volume1/web are the same folders.
    let mut roots: Vec<PathBuf> = roots.iter().filter_map(|root| fs::canonicalize(root).ok()).collect();
    roots.sort();
    roots.dedup();
    let program = fs::canonicalize(nas.path("remotetask-cgi")).ok();
    for root in roots {
        let (link, page) = (root.join("remotetask.cgi"), root.join("index.php"));
        if let Ok(meta) = link.symlink_metadata() {
            let ours = meta.is_symlink() && program.is_some() && fs::canonicalize(&link).ok() == program;
            ways.push(if ours { Way::Root(root) } else { Way::Other(link, &ELSEWHERE) });
            continue;
        }
        let text = read(&page);
        if text == PAGE.as_bytes() {
            ways.push(Way::Php(root));
        } else if has(&text, b"remotetask-cgi") {
            ways.push(Way::Other(page, &OTHER_PAGE));
        }
    }
    ways.extend(NGINX.iter().map(PathBuf::from).find(|folder| names_program(folder, 4)).map(Way::Nginx));
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

/// A file that may be anybody's, if it is one and small; no link of his leads elsewhere.
fn read(path: &Path) -> Vec<u8> {
    Regular::open(path).and_then(|file| file.read(OURS_MAX)).unwrap_or_default()
}

fn has(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// The modules that our ways need.
fn modules(told: &Told, ways: &[Way]) -> Vec<Found> {
    let mut found = Vec::new();
    // Whichever is there; the first is the one that is meant for its kind of processes.
    let cgi = match told.loads("mpm_prefork_module") {
        true => ["cgi", "cgid"],
        false => ["cgid", "cgi"],
    };
    let needy = ways.iter().find(|way| way.by_cgi());
    found.extend(needy.and_then(|way| missing(told, &cgi, way.path(), &NO_CGI)));
    if let Some(Way::Root(root)) = ways.iter().find(|way| matches!(way, Way::Root(_))) {
        let htaccess = root.join(".htaccess");
        found.extend(["rewrite", "mime"].iter().filter_map(|name| missing(told, &[name], &htaccess, &NO_MODULE)));
    }
    found
}

/// What is found where none of these modules is loaded.
fn missing(told: &Told, names: &[&str], way: &Path, none: &'static Kind) -> Option<Found> {
    if names.iter().any(|name| told.loads(&format!("{name}_module"))) {
        return None;
    }
    let there = names.iter().find_map(|name| Some((name, module(told, &format!("mod_{name}.so"))?)));
    let way = way.display().to_string();
    Some(match there {
        Some((name, file)) => NOT_LOADED.found(&[
            ("name", &format!("{name}_module")),
            ("conf", &format!("{name}.conf")),
            ("module", &file.display().to_string()),
            ("way", &way),
        ]),
        None => none.found(&[("name", &format!("{}_module", names.join(" or "))), ("way", &way)]),
    })
}

/// A module that lies where the loaded ones do.
fn module(told: &Told, name: &str) -> Option<PathBuf> {
    let root = told.all("ServerRoot").find_map(|directive| directive.word(0)).unwrap_or("/");
    let loaded = told.all("LoadModule").filter_map(|directive| directive.word(1));
    let mut beside = loaded.map(|file| Path::new(root).join(file).with_file_name(name));
    beside.find(|file| file.is_file())
}

/// The drop-in: read, leading here, on the configured port, whole.
fn port(path: &Path, nas: &Installation<'_>, told: Option<&Told>) -> Vec<Found> {
    let shown = path.display().to_string();
    let mut found = Vec::new();
    if let Some(told) = told.filter(|told| !told.files.iter().any(|read| read == path)) {
        let main = told.files.first().map_or_else(String::new, |main| main.display().to_string());
        found.push(NOT_READ.found(&[("dropin", &shown), ("main", &main)]));
    }
    let own = apache::read(path);
    // Who includes the drop-in may define the two names first.
    let defined = |name: &str| {
        let all = told.map_or(&own, |told| &told.directives);
        let mut named = all.iter().chain(&own).filter(|d| d.is("Define") && d.word(0) == Some(name));
        let first = named.next()?;
        Some((first.word(1)?.to_owned(), first.file.display().to_string()))
    };
    let ours = nas.folder.display().to_string();
    if let Some((theirs, file)) = defined("REMOTETASK_FOLDER").filter(|(theirs, _)| *theirs != ours) {
        found.push(DROP_IN_ELSEWHERE.found(&[("theirs", &theirs), ("ours", &ours), ("file", &file)]));
    }
    if let (Some((theirs, file)), Some(config)) = (defined("REMOTETASK_LISTEN"), nas.config) {
        let ours = SocketAddr::new(config.server.listen, config.server.port);
        if !same(&theirs, ours) {
            found.push(OTHER_PORT.found(&[("theirs", &theirs), ("ours", &ours.to_string()), ("file", &file)]));
        }
    }
    found.extend(changes(path, DROP_IN));
    found
}

/// Whether Apache's words mean this address; a port alone is that of every address.
fn same(theirs: &str, ours: SocketAddr) -> bool {
    let (address, port) = theirs.rsplit_once(':').unwrap_or(("*", theirs));
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let every = address == "*" && ours.ip().is_unspecified();
    port.parse() == Ok(ours.port()) && (every || address.parse::<IpAddr>() == Ok(ours.ip()))
}

/// A document root with a link: its .htaccess, and who can write them.
fn by_link(root: &Path, nas: &Installation<'_>, told: Option<&Told>) -> Vec<Found> {
    let shown = root.display().to_string();
    let htaccess = root.join(".htaccess");
    let mut found = Vec::new();
    match htaccess.is_file() {
        false => found.push(NO_HTACCESS.found(&[("root", &shown)])),
        true => found.extend(changes(&htaccess, HTACCESS)),
    }
    found.extend(told.and_then(|told| override_of(told, root)));
    found.extend(open(root, &[".htaccess"], nas));
    found
}

/// The virtual hosts that have this document root; where none has, those whose root lies above.
fn hosts<'t>(told: &'t Told, root: &Path) -> Vec<&'t Directive> {
    let real = |directive: &Directive| fs::canonicalize(directive.word(0)?).ok();
    let all: Vec<_> = told.all("DocumentRoot").filter_map(|d| Some((d, real(d)?))).collect();
    let those = |fits: &dyn Fn(&Path) -> bool| -> Vec<&'t Directive> {
        all.iter().filter(|(_, folder)| fits(folder)).map(|(directive, _)| *directive).collect()
    };
    match those(&|folder| folder == root) {
        none if none.is_empty() => those(&|folder| root.starts_with(folder)),
        same => same,
    }
}

/// Whether Apache reads a .htaccess there: what its innermost `<Directory>` says, or nothing.
fn override_of(told: &Told, root: &Path) -> Option<Found> {
    let shown = root.display().to_string();
    // The folder may be anybody's who can write the share, and his name for it would be a line of a cure.
    if !shown.chars().all(|c| c.is_alphanumeric() || "-_./ ".contains(c)) {
        return Some(NAME.found(&[("root", &shown)]));
    }
    let hosts = hosts(told, root);
    if hosts.is_empty() {
        return Some(NOT_APACHES.found(&[("root", &shown)]));
    }
    let here = |d: &&Directive| d.host.is_none() || hosts.iter().any(|host| host.of_host() == d.of_host());
    let all: Vec<(&Directive, &str)> =
        told.all("AllowOverride").filter(here).filter_map(|d| Some((d, d.folder.as_deref()?))).collect();
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
        return Some(UNCLEAR.found(&[("root", &shown)]));
    }
    Some(match innermost {
        // A line for folders above stays: it is for others too.
        Some(d) if d.folder.as_deref().and_then(|folder| fs::canonicalize(folder).ok()).as_deref() == Some(root) => {
            let (file, line) = (d.file.display().to_string(), d.line.to_string());
            NOT_ALLOWED.found(&[("root", &shown), ("what", &d.rest), ("file", &file), ("line", &line)])
        }
        _ => IGNORED.found(&[("root", &shown)]),
    })
}

/// Who else could put a page of his own in the place of ours: from the top, for a command goes by names.
fn open(root: &Path, entries: &[&str], nas: &Installation<'_>) -> Vec<Found> {
    let mut above: Vec<PathBuf> = root.ancestors().map(Path::to_owned).collect();
    above.reverse();
    let shown = root.display().to_string();
    let mut found = Vec::new();
    for path in above.into_iter().chain(entries.iter().map(|entry| root.join(entry))) {
        let (Ok(itself), Ok(meta)) = (fs::symlink_metadata(&path), fs::metadata(&path)) else { continue };
        let is_above = root != path && root.starts_with(&path);
        let judge = if is_above { flaw_above } else { flaw };
        let Some(flaw) = judge(meta.uid(), meta.mode(), 0) else { continue };
        let (path, user) = (path.display().to_string(), nas.accounts.user(meta.uid()));
        let mode = format!("{:04o}", meta.mode() & 0o7777);
        let kind = match flaw {
            Flaw::Writable if meta.mode() & 0o777 == 0o777 && path.starts_with("/volume") => &ROOT_SHARED,
            _ if is_above => &ABOVE_OPEN,
            _ if !found.is_empty() || itself.is_symlink() => &ROOT_OPEN_BELOW,
            _ => &ROOT_OPEN,
        };
        found.push(kind.found(&[("path", &path), ("root", &shown), ("user", &user), ("mode", &mode)]));
    }
    found
}

/// The first line of the installed text that a file lacks, of those that matter for an answer and of those
/// that matter for logs; and the first that it has beside them. What a Define says is the owner's.
fn changes(path: &Path, installed: &str) -> Vec<Found> {
    let lines =
        |text: &str| -> Vec<String> { lines(text).into_iter().filter(|line| !line.starts_with("Define ")).collect() };
    let (there, installed) = (lines(&String::from_utf8_lossy(&read(path))), lines(installed));
    let quiet = |line: &str| {
        let words = ["CustomLog", "LogLevel", "SetEnvIf", "<IfModule log_config_", "<IfModule setenvif_"];
        words.iter().any(|word| line.starts_with(word))
    };
    let lacking = |wanted: bool| installed.iter().find(|line| quiet(line) == wanted && !there.contains(line));
    let more = there.iter().find(|line| !loads(line) && !is_log(line) && !installed.contains(line));
    let rows = [(&CHANGED, lacking(false)), (&NOT_QUIET, lacking(true)), (&MORE, more)];
    let file = path.display().to_string();
    rows.into_iter().filter_map(|(kind, line)| Some(kind.found(&[("file", &file), ("line", line?)]))).collect()
}

/// The lines of a file of Apache's that mean something.
fn lines(text: &str) -> Vec<String> {
    let words = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// What nas.sh adds where Apache does not load its module for programs by itself.
fn loads(line: &str) -> bool {
    let begins = ["LoadModule ", "ScriptSock ", "<IfModule !cgi_module>", "<IfModule !cgid_module>"];
    begins.iter().any(|word| line.starts_with(word))
}

/// Whether a drop-in does that and nothing else: it is no way in then, but there for a virtual host.
fn only_loads(text: &[u8]) -> bool {
    let lines = lines(&String::from_utf8_lossy(text));
    !lines.is_empty() && lines.iter().all(|line| loads(line) || line == "</IfModule>")
}

/// Directives that make a log, or let one be written.
const LOGS: [&str; 6] = ["CustomLog", "TransferLog", "GlobalLog", "ForensicLog", "ErrorLog", "LogLevel"];

/// Whether this line is one of them: [`logs`] tells of it.
fn is_log(line: &str) -> bool {
    LOGS.iter().any(|name| line.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case(name)))
}

/// Logs that hold our URLs. Those of a virtual host take the place of the server's own; a document root can
/// only ask to be left out.
fn logs(told: &Told, ways: &[Way]) -> Vec<Found> {
    let access = || told.all("CustomLog").chain(told.all("TransferLog"));
    // For all virtual hosts, whatever they have of their own.
    let mut logs: Vec<&Directive> = told.all("GlobalLog").chain(told.all("ForensicLog")).collect();
    let mut found = Vec::new();
    for way in ways {
        match way {
            Way::Port(dropin) => {
                logs.extend(access().filter(|d| d.file == *dropin));
                let errors = told.all("ErrorLog").filter(|d| d.word(0) != Some("/dev/null"));
                let loud = told.all("LogLevel").filter(|d| !d.rest.eq_ignore_ascii_case("emerg"));
                found.extend(errors.chain(loud).filter(|d| d.file == *dropin).map(|d| {
                    let (what, file, line) =
                        (format!("{} {}", d.name, d.rest), d.file.display().to_string(), d.line.to_string());
                    ERROR_LOG.found(&[("what", &what), ("file", &file), ("line", &line)])
                }));
            }
            Way::Root(root) | Way::Php(root) => {
                let heeded = told.loads("setenvif_module");
                for host in hosts(told, root) {
                    let own: Vec<&Directive> = access().filter(|d| d.of_host() == host.of_host()).collect();
                    let all = if own.is_empty() { access().filter(|d| d.host.is_none()).collect() } else { own };
                    logs.extend(all.into_iter().filter(|d| !(heeded && d.rest.ends_with("env=!dontlog"))));
                }
            }
            Way::Nginx(_) | Way::Other(..) => {}
        }
    }
    logs.retain(|d| d.word(0) != Some("/dev/null"));
    logs.sort_by_key(|d| (&d.file, d.line));
    logs.dedup_by_key(|d| (&d.file, d.line));
    found.extend(logs.into_iter().map(|d| {
        let (log, file, line) = (d.word(0).unwrap_or_default(), d.file.display().to_string(), d.line.to_string());
        ACCESS_LOG.found(&[("log", log), ("file", &file), ("line", &line)])
    }));
    found
}

fn status_page(told: &Told) -> Vec<Found> {
    if !told.loads("status_module") {
        return Vec::new();
    }
    let pages = told.all("SetHandler").filter(|d| d.word(0).is_some_and(|to| to.eq_ignore_ascii_case("server-status")));
    let found =
        |d: &Directive| STATUS_PAGE.found(&[("file", &d.file.display().to_string()), ("line", &d.line.to_string())]);
    pages.map(found).collect()
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
