//! DSM: version, model, kernel; its programs and what they say of themselves; sudo; what is called at boot.

use std::path::Path;

use super::{answer, Report};
use crate::nas::box_row::value;

/// Programs of DSM's in the places that public sources name.
const PROGRAMS: [(&str, &[&str]); 7] = [
    ("synoschedtask", &["/usr/syno/bin/synoschedtask", "/usr/syno/sbin/synoschedtask"]),
    ("synowebapi", &["/usr/syno/bin/synowebapi", "/usr/syno/sbin/synowebapi"]),
    ("esynoscheduler", &["/usr/syno/sbin/esynoscheduler", "/usr/syno/bin/esynoscheduler"]),
    ("synosystemctl", &["/usr/syno/bin/synosystemctl", "/usr/syno/sbin/synosystemctl"]),
    ("synoservice", &["/usr/syno/sbin/synoservice", "/usr/syno/bin/synoservice"]),
    ("synologset1", &["/usr/syno/bin/synologset1", "/usr/syno/sbin/synologset1"]),
    ("jq", &["/usr/bin/jq", "/bin/jq"]),
];
const VISUDO: [&str; 4] = ["/usr/sbin/visudo", "/usr/bin/visudo", "/sbin/visudo", "/usr/local/sbin/visudo"];
/// A number that no task has.
const UNUSED: &str = "id=987654321";
const RCLOCAL: [&str; 4] = [
    "/usr/lib/systemd/system/pkg-rclocal.service",
    "/lib/systemd/system/pkg-rclocal.service",
    "/etc/systemd/system/pkg-rclocal.service",
    "/usr/local/lib/systemd/system/pkg-rclocal.service",
];

/// Tells all of it.
pub fn tell(report: &Report<'_>) {
    report.heading("DSM");
    for name in ["productversion", "buildnumber", "smallfixnumber"] {
        report.fact(name, value("/etc.defaults/VERSION", name).unwrap_or_else(|| "not known".into()));
    }
    for name in ["upnpmodelname", "unique"] {
        report.fact(name, value("/etc.defaults/synoinfo.conf", name).unwrap_or_else(|| "not known".into()));
    }
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    report.fact("kernel", kernel.trim());
    report.fact("machine", std::env::consts::ARCH);
    let rclocal = there(&RCLOCAL);
    report.fact("pkg-rclocal.service", rclocal.unwrap_or("not there"));

    report.heading("sudo");
    match answer(&["/usr/bin/sudo", "-V"]) {
        // The rest of it is root's settings, names of hosts among them.
        Ok((_, text)) => report.fact("version", text.lines().next().unwrap_or("not told")),
        Err(why) => report.fact("/usr/bin/sudo -V", why),
    }
    report.fact("visudo", there(&VISUDO).unwrap_or("not there"));

    report.heading("DSM's programs");
    for (name, paths) in PROGRAMS {
        match there(paths) {
            Some(path) => report.ask(&[path, "--help"]),
            None => report.fact(name, "not there"),
        }
    }
    if let Some(path) = there(PROGRAMS[0].1) {
        unknown_task(report, path);
    }
}

/// Shows the scheduler's answer about a task that is not there. One that is there is its owner's alone.
fn unknown_task(report: &Report<'_>, program: &str) {
    let argv = [program, "--get", UNUSED];
    match answer(&argv) {
        Ok((_, text)) if text.contains(&UNUSED["id=".len()..]) && text.contains("Command:") => {
            report.fact(&argv.join(" "), "there is such a task, so nothing is shown of it")
        }
        Ok((end, text)) => report.block(&format!("{} ({end})", argv.join(" ")), text.lines()),
        Err(why) => report.fact(&argv.join(" "), why),
    }
}

fn there<'p>(paths: &[&'p str]) -> Option<&'p str> {
    paths.iter().copied().find(|path| Path::new(path).exists())
}
