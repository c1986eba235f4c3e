//! Processes of web servers in which keys have been, and whose memory another process of their user's can read: the kernel gives
//! `/proc/PID/mem` to root where it cannot.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};

findings! {
    OfServer { name, program }: "web-memory", Advice,
        "The memory of <name> (<program>) can be read by every program that runs as http, and another one does: a web application \
         with a hole can find the keys of past requests there.",
        "nginx has no setting against it. Of php-fpm's pool take process.dumpable out, of Apache's files CoreDumpDirectory. Give what \
         you do not trust a user of its own or a container, and take new keys after a hole in it (remotetask key rotate, for each).";
    OfWrap { program }: "web-memory-fcgiwrap", Advice,
        "The memory of <program> can be read by every program that runs as http: a web application with a hole can find the keys of \
         past requests there.",
        "Make the program one that http may start and not read, which closes the memory of what is started from then on, and start \
         its task at boot again: `sudo chmod 0711 <program>`";
}

/// Servers whose processes have requests in their memory; php-fpm's names end in a version.
const SERVERS: [&str; 5] = ["nginx", "httpd", "apache2", "php-fpm", "fcgiwrap"];
/// The kernel lets none but a debugger's own children be read from 1 on.
const YAMA: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// A process of the web server's user.
struct Process {
    name: String,
    program: PathBuf,
    is_open: bool,
}

/// Looks at the processes that run now.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    let closed = fs::read_to_string(YAMA).is_ok_and(|scope| scope.trim() != "0");
    let Some(http) = nas.accounts.http().filter(|_| !closed) else { return Vec::new() };
    let processes: Vec<Process> = numbers().filter_map(|folder| process(&folder, http.uid)).collect();
    let mut open: Vec<&Process> =
        processes.iter().filter(|process| process.is_open && server(process).is_some()).collect();
    open.sort_by_key(|process| &process.program);
    open.dedup_by_key(|process| &process.program);
    let others: Vec<&Process> = processes.iter().filter(|process| !runs_nothing_else(process)).collect();
    let found = open.into_iter().filter_map(|process| {
        let program = &process.program.display();
        match server(process)? {
            "fcgiwrap" => Some(OfWrap { program }.found()),
            name => others
                .iter()
                .any(|other| other.program != process.program)
                .then(|| OfServer { name: &name, program }.found()),
        }
    });
    found.collect()
}

fn server(process: &Process) -> Option<&'static str> {
    SERVERS.into_iter().find(|name| process.name.starts_with(name))
}

/// Returns true for servers that run no application in their own processes, and for ours.
fn runs_nothing_else(process: &Process) -> bool {
    let ours = process.name.starts_with("remotetask");
    ours || server(process).is_some_and(|name| name != "php-fpm")
}

fn numbers() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .map(|entry| entry.path())
}

/// The process of this folder, if it is this user's.
fn process(folder: &Path, uid: u32) -> Option<Process> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let mut ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace();
    ids.next().filter(|real| *real == uid.to_string())?;
    let name = fs::read_to_string(folder.join("comm")).ok()?.trim_end().to_owned();
    let is_open = fs::metadata(folder.join("mem")).is_ok_and(|mem| mem.uid() == uid);
    Some(Process { name, program: fs::read_link(folder.join("exe")).unwrap_or_default(), is_open })
}
