//! Its web servers, by their files and processes: nothing is started but Apache's own account of itself.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{open, Mode, OFlags};

use super::names::Names;
use super::Report;
use crate::nas::apache::{Apache, Configuration};
use crate::owner::workbench::Workbench;
use crate::parts::entry_point::noted;
use remotetask::accounts::Accounts;
use remotetask::files::Regular;

/// Files of one kind that are read, and bytes of each.
const FILES: usize = 300;
const FILE_MAX: usize = 1 << 20;
/// Folders below a place that are gone into.
const DEPTH: usize = 5;
/// Modules of Apache's that an entry point needs.
const WANTED: [&str; 8] = ["cgi", "cgid", "env", "rewrite", "setenvif", "headers", "proxy_fcgi", "alias"];
/// The places of nginx's files in DSM 6 and 7.
const NGINX: [&str; 6] = [
    "/etc/nginx/nginx.conf",
    "/etc/nginx/conf.d",
    "/etc/nginx/app.d",
    "/etc/nginx/sites-enabled",
    "/usr/local/etc/nginx/conf.d",
    "/usr/local/etc/nginx/sites-enabled",
];
/// Its lines that decide about callers, pages and logs.
const LINES: [&str; 9] = [
    "real_ip_header",
    "real_ip_recursive",
    "set_real_ip_from",
    "proxy_intercept_errors",
    "fastcgi_intercept_errors",
    "error_page",
    "access_log",
    "error_log",
    "proxy_read_timeout",
];
/// The places of PHP's profiles, besides those in PHP's packages.
const PHP: [&str; 3] = ["/usr/local/etc", "/etc/php", "/var/packages/WebStation/etc"];
const PHP_PACKAGE: &str = "target/usr/local/etc";

/// The places of systemd's units.
const UNITS: [&str; 4] =
    ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/run/systemd/system"];

/// Tells all of it.
pub fn tell(report: &Report<'_>, bench: &Workbench, names: &Names) {
    report.heading("Apache");
    report.fact("entry point", noted(&bench.folder).map_or("none", |kind| kind.word()));
    match Apache::here() {
        Some(apache) => apache_itself(report, &apache),
        None => report.fact("program", "not there"),
    }
    report.heading("PHP");
    php(report);
    report.heading("nginx");
    nginx(report, names);
    report.heading("units and processes");
    units(report);
    processes(report);
}

fn apache_itself(report: &Report<'_>, apache: &Apache) {
    report.ask(&[apache.program, "-v"]);
    let configuration = match Configuration::of(apache) {
        Ok(configuration) => configuration,
        Err(why) => return report.fact("it finds a fault in its files", why),
    };
    report.fact("modules that are loaded", configuration.modules.join(" "));
    let folders = [
        "/var/packages/Apache2.4/target/usr/local/modules",
        "/var/packages/Apache2.4/target/usr/local/lib/apache24/modules",
        "/usr/lib/apache2/modules",
    ];
    for name in WANTED {
        let loaded = if configuration.loads(&format!("{name}_module")) { "loaded" } else { "not loaded" };
        let mut files = folders.iter().map(|folder| Path::new(folder).join(format!("mod_{name}.so")));
        let there = files.find(|file| file.is_file());
        let there = there.map_or_else(|| "its file was not found".into(), |file| file.display().to_string());
        report.fact(&format!("mod_{name}"), format!("{loaded}; {there}"));
    }
    let files: Vec<String> = configuration.files.iter().map(|file| file.display().to_string()).collect();
    report.block("files that it reads", files.iter().map(String::as_str));
}

fn php(report: &Report<'_>) {
    let mut files = Vec::new();
    let packages = fs::read_dir("/var/packages").into_iter().flatten().flatten();
    let of_php = packages.filter(|entry| entry.file_name().to_string_lossy().starts_with("PHP"));
    let packaged = of_php.map(|entry| entry.path().join(PHP_PACKAGE));
    PHP.iter().map(PathBuf::from).chain(packaged).for_each(|place| below(&place, 0, &is_of_php, &mut files));
    files.sort();
    files.dedup();
    let mut found = false;
    for file in files {
        let text = read(&file);
        let lines: Vec<&str> =
            text.lines().filter(|line| line.contains("disable_functions") && !line.starts_with(';')).collect();
        if !lines.is_empty() {
            found = true;
            report.block(&file.display().to_string(), lines);
        }
    }
    if !found {
        report.fact("disable_functions", "no file of a profile that names it was found");
    }
}

fn is_of_php(path: &Path) -> bool {
    let name = path.display().to_string().to_lowercase();
    let kind = [".ini", ".conf", ".json"].iter().any(|end| name.ends_with(end));
    kind && (name.contains("php") || name.contains("webstation"))
}

fn nginx(report: &Report<'_>, names: &Names) {
    if names.nginx.is_empty() {
        return report.fact("files", "none in the places that are known");
    }
    report.fact("files that were read", names.nginx.len());
    for file in &names.nginx {
        let lines = file.told(names);
        if !lines.is_empty() {
            report.block(&file.path.display().to_string(), lines.iter().map(String::as_str));
        }
    }
}

/// Units of systemd's for web servers, and what ends with them.
fn units(report: &Report<'_>) {
    let mut files = Vec::new();
    let is_wanted = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        name.ends_with(".service")
            && ["apache", "httpd", "nginx", "php", "webstation"].iter().any(|of| name.contains(of))
    };
    UNITS.iter().for_each(|place| below(Path::new(place), DEPTH - 1, &is_wanted, &mut files));
    if files.is_empty() {
        report.fact("units of web servers", "none in the places that are known");
    }
    for file in files {
        let text = read(&file);
        let wanted = ["ExecStart=", "KillMode=", "User=", "Slice=", "Type="];
        let lines = text.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
        report.block(&file.display().to_string(), lines);
    }
}

/// Owners of nginx's and Apache's processes, each once, and the control group of one of them.
fn processes(report: &Report<'_>) {
    let accounts = Accounts::read();
    for wanted in ["nginx", "httpd24", "httpd", "apache2", "php-fpm"] {
        let mut owners = Vec::new();
        let mut group = None;
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            let (true, Ok(meta)) = (name.trim().starts_with(wanted), entry.metadata()) else { continue };
            owners.push(accounts.user(meta.uid()));
            group = group.or_else(|| fs::read_to_string(entry.path().join("cgroup")).ok());
        }
        owners.sort();
        owners.dedup();
        if !owners.is_empty() {
            report.fact(&format!("{wanted} runs as"), owners.join(", "));
            let group = group.unwrap_or_default();
            report.block(
                &format!("{wanted} is in the control group"),
                group.lines().filter(|line| line.contains("systemd") || line.starts_with("0:")),
            );
        }
    }
}

/// A file of nginx's.
pub struct NginxFile {
    path: PathBuf,
    text: String,
}

/// Those in the known places.
pub fn nginx_files() -> Vec<NginxFile> {
    let mut paths = Vec::new();
    NGINX.iter().for_each(|place| below(Path::new(place), 0, &|_| true, &mut paths));
    paths.into_iter().map(|path| NginxFile { text: read(&path), path }).collect()
}

impl NginxFile {
    /// The names of its hosts.
    pub fn server_names(&self) -> Vec<String> {
        let lines =
            statements(&self.text).into_iter().filter_map(|line| Some(line.strip_prefix("server_name ")?.to_owned()));
        lines.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    /// The lines that are told: those outside of hosts, and those of the hosts that are ours.
    fn told(&self, names: &Names) -> Vec<String> {
        let (mut told, mut host, mut depth, mut host_depth) = (Vec::new(), Vec::new(), 0usize, None);
        for line in statements(&self.text) {
            match &*line {
                "}" => {
                    depth = depth.saturating_sub(1);
                    if host_depth == Some(depth) {
                        host_depth = None;
                        let block = std::mem::take(&mut host);
                        if is_ours(&block, names) {
                            told.push("server {".into());
                            told.extend(block.into_iter().filter(|line| is_told(line)).map(|line| format!("  {line}")));
                            told.push("}".into());
                        }
                    }
                }
                line if line.ends_with('{') => {
                    if line.trim_end_matches('{').trim() == "server" && host_depth.is_none() {
                        host_depth = Some(depth);
                    }
                    depth += 1;
                }
                line if host_depth.is_some() => host.push(line.to_owned()),
                line if is_told(line) => told.push(line.to_owned()),
                _ => {}
            }
        }
        told
    }
}

fn is_told(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|name| LINES.contains(&name))
}

/// A host of the name by which the owner reaches this NAS, one that leads to the port of its own, or to our folder.
fn is_ours(block: &[String], names: &Names) -> bool {
    let port = format!(":{}", names.port);
    block.iter().any(|line| {
        let words = || line.split_whitespace().skip(1);
        match line.split_whitespace().next() {
            Some("server_name") => {
                words().any(|name| names.own_host.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name)))
            }
            Some("proxy_pass") => words().any(|to| to.trim_end_matches('/').ends_with(&port)),
            Some("root" | "fastcgi_param" | "include") => line.contains("remotetask"),
            _ => false,
        }
    })
}

/// A text's statements, without comments: `name words`, `name words {` and `}`.
fn statements(text: &str) -> Vec<String> {
    let without = text.lines().map(|line| line.split('#').next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let mut found = Vec::new();
    let mut now = String::new();
    for c in without.chars() {
        match c {
            ';' | '{' | '}' => {
                let words = now.split_whitespace().collect::<Vec<_>>().join(" ");
                match c {
                    '{' => found.push(format!("{words} {{")),
                    _ if !words.is_empty() => found.push(words),
                    _ => {}
                }
                if c == '}' {
                    found.push("}".into());
                }
                now.clear();
            }
            c => now.push(c),
        }
    }
    found
}

/// Regular files at or below a place, links to files among them; neither too deep nor too many.
fn below(place: &Path, depth: usize, wanted: &dyn Fn(&Path) -> bool, found: &mut Vec<PathBuf>) {
    let Ok(meta) = fs::metadata(place) else { return };
    let is_link = place.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
    match () {
        () if found.len() >= FILES || depth > DEPTH => {}
        () if meta.is_file() && wanted(place) => found.push(place.to_owned()),
        // A linked folder may lead back, or anywhere.
        () if meta.is_dir() && (!is_link || depth == 0) => {
            let mut names: Vec<PathBuf> =
                fs::read_dir(place).into_iter().flatten().flatten().map(|entry| entry.path()).take(2000).collect();
            names.sort();
            names.iter().for_each(|path| below(path, depth + 1, wanted, found));
        }
        () => {}
    }
}

fn read(path: &Path) -> String {
    // Links are followed, as nginx does; nothing is waited for.
    let opened = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    let content = opened.map_err(Into::into).and_then(Regular::of).and_then(|file| file.read(FILE_MAX));
    String::from_utf8_lossy(&content.unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_nginx() {
        let text = "a b; # c;\nserver\n{ listen 80; location / { x\n  y; } }\n}";
        assert_eq!(statements(text), ["a b", "server {", "listen 80", "location / {", "x y", "}", "}", "}"]);
    }
}
