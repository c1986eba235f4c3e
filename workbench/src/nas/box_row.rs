//! This NAS in a row of docs/boxes.md. No name, no address, no script.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::nas::apache::{Apache, Configuration};
use remotetask::child::run_captured;
use remotetask::config::Server;
use remotetask::files::is_executable;
use remotetask::start::synowebapi;

/// The time that a program gets to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// The row: what the box is, the word for each way, and the way that was chosen.
pub fn row(server: &Server<'_>, ways: &[&str], chosen: &str) -> String {
    let version = |name| value("/etc.defaults/VERSION", name);
    let dsm = match (version("productversion"), version("buildnumber")) {
        (Some(version), Some(build)) => format!("{version}-{build}"),
        _ => "none".into(),
    };
    let model = value("/etc.defaults/synoinfo.conf", "upnpmodelname").unwrap_or_else(|| "not known".into());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let mut cells = vec![model, dsm, kernel, std::env::consts::ARCH.into(), cgi(), sudo()];
    cells.extend([programs(server), versions(server)]);
    cells.extend(ways.iter().map(|word| word.to_string()));
    cells.push(chosen.into());
    // A cell is a cell, whatever a file said.
    format!("| {} |", cells.iter().map(|cell| cell.replace('|', "/")).collect::<Vec<_>>().join(" | "))
}

/// A value of a file of `name="value"` lines.
pub fn value(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(found.trim_matches('"').to_owned())
}

/// The programs of DSM's that can be started.
fn programs(server: &Server<'_>) -> String {
    let programs = [&server.synoschedtask, &server.synowebapi, &server.esynoscheduler];
    let there = programs.into_iter().filter(|program| matches!(is_executable(Path::new(&***program)), Ok(true)));
    let names: Vec<&str> = there.filter_map(|program| program.rsplit('/').next()).collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(" ")
    }
}

/// The newest versions of the web API's two schedulers.
fn versions(server: &Server<'_>) -> String {
    let version = |name: &str| {
        let api = format!("SYNO.Core.{name}");
        let version = synowebapi::newest_version(&server.synowebapi, &api, Instant::now() + PATIENCE);
        version.map_or_else(|| format!("{name} not known"), |version| format!("{name} {version}"))
    };
    format!("{}, {}", version("TaskScheduler"), version("EventScheduler"))
}

/// The module that would run a program for Apache, as far as Apache says.
fn cgi() -> String {
    let Some(apache) = Apache::here() else { return "no Apache 2.4".into() };
    let modules = Configuration::of(&apache).map(|configuration| configuration.modules).unwrap_or_default();
    let loaded = ["cgi_module", "cgid_module"].into_iter().filter(|name| modules.iter().any(|module| module == name));
    match loaded.collect::<Vec<_>>()[..] {
        [] => "not loaded".into(),
        ref names => names.join(" and "),
    }
}

fn sudo() -> String {
    let answer = run_captured(["/usr/bin/sudo", "-V"], 4096, Instant::now() + PATIENCE).ok();
    let text = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned()).unwrap_or_default();
    let version = text.lines().next().and_then(|line| line.strip_prefix("Sudo version "));
    version.unwrap_or("none").to_owned()
}
