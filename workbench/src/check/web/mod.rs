//! The web server's files, without a request: is Apache there, does it run programs, is our entry point as it
//! was installed, and who else could see a URL?
//!
//! A condition of Apache's (`<IfModule>`, `<If>`) is taken to lock_config, and of `.htaccess` files only ours is looked
//! at. nginx's own files are not: a request shows more (`live`).

mod port; // the drop-in for a port of its own
mod changes; // an installed file, line by line
mod document_root; // folders with one of our two entries
mod logs; // and status pages

use std::fs;
use std::path::{Path, PathBuf};

use crate::nas::apache::{Apache, Directive};
use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found, Part};
use remotetask::files::{Regular, CONFIG_MAX};

use changes::only_loads;
use document_root::{LinkElsewhere, OtherPage};
use port::drop_in;

findings! {
    NoWayIn { dropin }: "web-no-way-in", Fault,
        "No web server leads here: there is no <dropin>, no document root with remotetask.cgi or index.php, and no \
         file of nginx's that names remotetask-cgi.",
        "Set one of them up, as docs/web.md says.";
    NoApache { way }: "web-no-apache", Fault,
        "<way> is for Apache 2.4, and this machine has none.",
        "Install \"Apache HTTP Server 2.4\" in DSM's Package Center and choose it as the back-end of the virtual host \
         in Web Station; or take the way by PHP, as docs/web.md says.";
    Broken { why, program }: "web-broken", Fault,
        "Apache finds a fault in its own files: <why>.",
        "Mend what it says, and ask it again: `sudo <program> -t`";
    NotLoaded { name, way, module, conf }: "web-module-not-loaded", Fault,
        "Apache does not load <name>, which <way> needs, though <module> is there.",
        "Make it load the module, and restart it: `echo 'LoadModule <name> <module>' | sudo tee \
         /usr/local/etc/apache24/sites-enabled/<conf>` `sudo synosystemctl restart pkgctl-Apache2.4`";
    NoCgi {}: "web-no-cgi", Fault,
        "This Apache cannot run programs: it has neither mod_cgid nor mod_cgi.",
        "Take the way by PHP, as docs/web.md says.";
    NoModule { name, way }: "web-no-module", Fault,
        "This Apache has no <name>, which <way> needs.",
        "Take the way by a port of its own, as docs/web.md says.";
}

const PAGE: &str = include_str!("../../../../webstation/php/index.php");
/// None of the files that we install is as large, in bytes.
const OURS_MAX: usize = 64 << 10;
/// DSM's own word for what it is.
const VERSION: &str = "/etc.defaults/VERSION";

/// The findings of this module and those below it, in the order of docs/workbench.md.
#[cfg(test)]
pub fn kinds() -> Vec<&'static crate::owner::finding::Kind> {
    [KINDS, port::KINDS, changes::KINDS, document_root::KINDS, logs::KINDS].concat()
}

/// An entry point for requests.
enum EntryPoint {
    /// A port of its own: Apache's drop-in.
    Port(PathBuf),
    /// A document root with a link to the program.
    Root(PathBuf),
    /// A document root with our page of PHP.
    Php(PathBuf),
    /// A link that has the name of ours and is not.
    OtherLink(PathBuf),
    /// A page that has the name of ours and is not.
    OtherPage(PathBuf),
    /// nginx, by a file of this folder's: nothing more of it is looked at from here.
    Nginx(PathBuf),
}

/// Apache's configuration, as it reports it itself.
struct Configuration {
    modules: Vec<String>,
    files: Vec<PathBuf>,
    directives: Vec<Directive>,
}

impl Configuration {
    fn of(apache: &Apache) -> Result<Configuration, String> {
        Ok(Configuration { modules: apache.modules()?, files: apache.files()?, directives: apache.directives()? })
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
    let asked = apache.as_ref().map(Configuration::of);
    let conf = asked.as_ref().and_then(|conf| conf.as_ref().ok());
    let entry_points = entry_points(conf, nas);
    if entry_points.is_empty() {
        return vec![NoWayIn { dropin: &drop_in().display() }.found()];
    }
    let mut found = Vec::new();
    if let (Some(apache), Some(Err(why))) = (&apache, &asked) {
        found.push(Broken { why: &why.trim_end_matches('.'), program: &apache.program }.found());
    }
    if apache.is_none() {
        let needy = entry_points.iter().filter(|entry_point| entry_point.by_cgi());
        found.extend(needy.map(|entry_point| NoApache { way: &entry_point.path().display() }.found()));
    }
    found.extend(conf.map(|conf| modules(conf, &entry_points)).unwrap_or_default());
    for entry_point in &entry_points {
        match entry_point {
            EntryPoint::Port(path) => found.extend(port::look(path, nas, conf)),
            EntryPoint::Root(root) => found.extend(document_root::look(root, nas, conf)),
            EntryPoint::Php(root) => found.extend(document_root::open(root, &["index.php", ".htaccess"], nas)),
            EntryPoint::OtherLink(link) => {
                let program = nas.path("remotetask-cgi");
                found.push(LinkElsewhere { link: &link.display(), program: &program.display() }.found());
            }
            EntryPoint::OtherPage(file) => found.push(OtherPage { file: &file.display() }.found()),
            EntryPoint::Nginx(_) => {}
        }
    }
    if let Some(conf) = conf {
        found.extend(logs::logs(conf, &entry_points));
        found.extend(logs::status_pages(conf));
    }
    on_this_dsm(&mut found);
    found
}

impl EntryPoint {
    fn path(&self) -> &Path {
        match self {
            EntryPoint::Port(path)
            | EntryPoint::Root(path)
            | EntryPoint::Php(path)
            | EntryPoint::OtherLink(path)
            | EntryPoint::OtherPage(path)
            | EntryPoint::Nginx(path) => path,
        }
    }

    /// Returns true if Apache starts the program.
    fn by_cgi(&self) -> bool {
        matches!(self, EntryPoint::Port(_) | EntryPoint::Root(_))
    }
}

/// Changes the commands that restart a package to those of DSM 6, where this is one.
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

/// The entry points that are laid out: the drop-in, and every document root with one of our two entries.
fn entry_points(conf: Option<&Configuration>, nas: &Installation<'_>) -> Vec<EntryPoint> {
    let mut found = Vec::new();
    if drop_in().symlink_metadata().is_ok() && !only_loads(&read(&drop_in())) {
        found.push(EntryPoint::Port(drop_in()));
    }
    let mut roots: Vec<PathBuf> = shares().into_iter().flat_map(|share| folders(&share)).collect();
    let served = conf.into_iter().flat_map(|conf| conf.all("DocumentRoot"));
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
            found.push(if ours { EntryPoint::Root(root) } else { EntryPoint::OtherLink(link) });
            continue;
        }
        let text = read(&page);
        if text == PAGE.as_bytes() {
            found.push(EntryPoint::Php(root));
        } else if has(&text, b"remotetask-cgi") {
            found.push(EntryPoint::OtherPage(page));
        }
    }
    found.extend(NGINX.iter().map(PathBuf::from).find(|folder| names_program(folder, 4)).map(EntryPoint::Nginx));
    found
}

/// The folders of nginx's files: DSM's, Entware's, Debian's.
const NGINX: [&str; 3] = ["/usr/local/etc/nginx", "/opt/etc/nginx", "/etc/nginx"];

/// Returns true if a file below this folder names our program.
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

/// The content of a small regular file that may be anybody's; a link is not followed.
fn read(path: &Path) -> Vec<u8> {
    Regular::open(path).and_then(|file| file.read(OURS_MAX)).unwrap_or_default()
}

fn has(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// Looks for the modules that our entry points need.
fn modules(conf: &Configuration, entry_points: &[EntryPoint]) -> Vec<Found> {
    let mut found = Vec::new();
    // Either will do; the first is the one that is meant for its kind of processes.
    let cgi = match conf.loads("mpm_prefork_module") {
        true => ["cgi", "cgid"],
        false => ["cgid", "cgi"],
    };
    let needy = entry_points.iter().find(|entry_point| entry_point.by_cgi());
    if let Some(entry_point) = needy.filter(|_| !cgi.iter().any(|name| conf.loads(&format!("{name}_module")))) {
        let loadable = cgi.iter().find_map(|name| not_loaded(conf, name, entry_point.path()));
        found.push(loadable.unwrap_or_else(|| NoCgi.found()));
    }
    let root = entry_points.iter().find_map(|entry_point| match entry_point {
        EntryPoint::Root(root) => Some(root),
        _ => None,
    });
    if let Some(root) = root {
        let htaccess = root.join(".htaccess");
        for name in ["rewrite", "mime"] {
            let module = format!("{name}_module");
            if !conf.loads(&module) {
                let none = || NoModule { name: &module, way: &htaccess.display() }.found();
                found.push(not_loaded(conf, name, &htaccess).unwrap_or_else(none));
            }
        }
    }
    found
}

/// The finding for a module that is there, and that Apache does not load.
fn not_loaded(conf: &Configuration, name: &str, way: &Path) -> Option<Found> {
    let file = module(conf, &format!("mod_{name}.so"))?;
    let found = NotLoaded {
        name: &format_args!("{name}_module"),
        way: &way.display(),
        module: &file.display(),
        conf: &format_args!("{name}.conf"),
    };
    Some(found.found())
}

/// A module that lies where the loaded ones do.
fn module(conf: &Configuration, name: &str) -> Option<PathBuf> {
    let root = conf.all("ServerRoot").find_map(|directive| directive.word(0)).unwrap_or("/");
    let loaded = conf.all("LoadModule").filter_map(|directive| directive.word(1));
    let mut beside = loaded.map(|file| Path::new(root).join(file).with_file_name(name));
    beside.find(|file| file.is_file())
}
