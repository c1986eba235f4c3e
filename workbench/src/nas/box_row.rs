//! What this box is, in a row of docs/boxes.md. No name, no address, no script.

use std::fs;
use std::time::{Duration, Instant};

use crate::nas::apache::Apache;
use remotetask::child::run_captured;

/// What a program gets to tell its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// The row: what the box is, the word for each way, and the way that was chosen.
pub fn row(ways: &[&str], scheduler: &str) -> String {
    let version = |name| value("/etc.defaults/VERSION", name);
    let dsm = match (version("productversion"), version("buildnumber")) {
        (Some(version), Some(build)) => format!("{version}-{build}"),
        _ => "none".into(),
    };
    let model = value("/etc.defaults/synoinfo.conf", "upnpmodelname").unwrap_or_else(|| "not known".into());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let mut cells = vec![model, dsm, kernel, std::env::consts::ARCH.into(), cgi(), sudo()];
    cells.extend(ways.iter().map(|word| word.to_string()));
    cells.push(scheduler.into());
    // A cell is a cell, whatever a file said.
    format!("| {} |", cells.iter().map(|cell| cell.replace('|', "/")).collect::<Vec<_>>().join(" | "))
}

/// A value of a file of `name="value"` lines.
pub fn value(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
    Some(found.trim_matches('"').to_owned())
}

/// Which module would run a program for Apache, as far as Apache says.
fn cgi() -> String {
    let Some(apache) = Apache::here() else { return "no Apache 2.4".into() };
    let modules = apache.modules().unwrap_or_default();
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
