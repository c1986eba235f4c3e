//! The web servers around our entry point, without a request: is Apache there, does it run programs, does it heed our
//! files, and who else could see a URL? The entry point's own files are looked at as a part of the installation.
//!
//! A condition of Apache's (`<IfModule>`, `<If>`) is taken to lock_config, and of `.htaccess` files only ours is looked
//! at. nginx's own files are not: a request shows more (`live`).

mod htaccess; // others' files decide if Apache reads ours
mod logs; // and status pages
mod memory; // of processes that had keys in it

use std::fs;
use std::path::{Path, PathBuf};

use crate::nas::apache::{Apache, Configuration};
use crate::nas::installation::{Installation, VERSION};
use crate::owner::finding::{findings, Found, Part};
use crate::parts::entry_point::drop_in_path;
use crate::parts::entry_point::entries::{entries, Entry};
use remotetask::files::{Regular, CONFIG_MAX};

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

/// The findings of this module and those below it, in the order of docs/findings.md.
#[cfg(test)]
pub fn kinds() -> Vec<&'static crate::owner::finding::Kind> {
    [KINDS, htaccess::KINDS, logs::KINDS, memory::KINDS].concat()
}

/// Looks at them, on a NAS.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    if !nas.is_on_dsm() {
        return Vec::new();
    }
    let asked = nas.apache();
    let conf = asked.and_then(|conf| conf.as_ref().ok());
    let entries = entries(conf, nas);
    if entries.is_empty() && !NGINX.iter().any(|folder| names_program(Path::new(folder), 4)) {
        return vec![NoWayIn { dropin: &drop_in_path().display() }.found()];
    }
    let mut found = Vec::new();
    if let (Some(apache), Some(Err(why))) = (Apache::here(), asked) {
        found.push(Broken { why: &why.trim_end_matches('.'), program: &apache.program }.found());
    }
    if asked.is_none() {
        let needy = entries.iter().filter(|entry| entry.by_cgi());
        found.extend(needy.map(|entry| NoApache { way: &entry.path().display() }.found()));
    }
    if let Some(conf) = conf {
        let roots = entries.iter().filter_map(root_of);
        found.extend(modules(conf, &entries));
        found.extend(roots.filter_map(|root| htaccess::look(conf, root)));
        found.extend(logs::logs(conf, &entries));
        found.extend(logs::status_pages(conf));
    }
    found.extend(memory::look(nas));
    found
}

/// A document root in which Apache reads a .htaccess of ours.
fn root_of(entry: &Entry) -> Option<&Path> {
    match entry {
        Entry::Root(root) => Some(root),
        _ => None,
    }
}

/// Changes the commands that restart a package to those of DSM 6, where this is one.
pub fn on_this_dsm(found: &mut [Found]) {
    let version = fs::read_to_string(VERSION).unwrap_or_default();
    if version.lines().any(|line| line == "majorversion=\"6\"") {
        for part in found.iter_mut().flat_map(|found| &mut found.fix) {
            if let Part::Typed(text) = part {
                *text = text.replace("synosystemctl restart ", "synoservice --restart ");
            }
        }
    }
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

fn has(text: &[u8], wanted: &[u8]) -> bool {
    text.windows(wanted.len()).any(|window| window == wanted)
}

/// Looks for the modules that our entry points need.
fn modules(conf: &Configuration, entries: &[Entry]) -> Vec<Found> {
    let mut found = Vec::new();
    // Either will do; the first is the one that is meant for its kind of processes.
    let cgi = match conf.loads("mpm_prefork_module") {
        true => ["cgi", "cgid"],
        false => ["cgid", "cgi"],
    };
    let needy = entries.iter().find(|entry| entry.by_cgi());
    if let Some(entry) = needy.filter(|_| !cgi.iter().any(|name| conf.loads(&format!("{name}_module")))) {
        let loadable = cgi.iter().find_map(|name| not_loaded(conf, name, entry.path()));
        found.push(loadable.unwrap_or_else(|| NoCgi.found()));
    }
    if let Some(root) = entries.iter().find_map(root_of) {
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
