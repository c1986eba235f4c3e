//! On a pretend NAS (tests/nas/enter): real users, real sudo with the shipped text, real web servers.

mod answers;
mod bootstrap;
mod boundary;
mod check;
mod faults;
mod first_hour;
mod here;
mod hostile;
mod install;
mod installer;
mod life_of_a_run;
mod load;
mod pages;
mod phone;
mod php;
mod probe;
mod prove;
mod questions;
mod reachable;
mod report;
mod scripts;
mod servers;
mod settings;
mod stand_ins;
mod states;
mod tasks;
mod turns;
mod web_check;
mod world;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{chown, symlink, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::support::*;

pub const FOLDER: &str = "/usr/local/remotetask";
pub const HTTP: u32 = 1023;
const DROP_INS: &str = "/usr/local/etc/apache24/sites-enabled";
const STORE: &str = "/usr/syno/etc/synoschedule.d/root";
/// The name by which a shell knows the workbench.
pub const LINK: &str = "/usr/local/bin/remotetask";
/// The script that DSM calls at its boot.
const BOOT: &str = "/usr/local/etc/rc.d/remotetask.sh";
const EVENTS: &str = "/usr/syno/etc/stand-in-events";

/// The texts of an installation.
const TEXTS: [(&str, &str); 6] = [
    ("webstation/sudoers", include_str!("../../webstation/sudoers")),
    ("webstation/remotetask.conf", include_str!("../../webstation/remotetask.conf")),
    ("webstation/.htaccess", include_str!("../../webstation/.htaccess")),
    ("webstation/php/index.php", include_str!("../../webstation/php/index.php")),
    ("webstation/php/.htaccess", include_str!("../../webstation/php/.htaccess")),
    ("webstation/php/nginx.conf", include_str!("../../webstation/php/nginx.conf")),
];

/// The one installation, for one test at a time.
pub struct Nas {
    _only: MutexGuard<'static, ()>,
}

static ONLY: Mutex<()> = Mutex::new(());

impl Nas {
    /// A fresh installation by the shipped files, as install.sh lays it out; its order `repair` has nothing to do.
    pub fn new() -> Nas {
        assert_eq!(std::env::var("REMOTETASK_NAS").as_deref(), Ok("inside"), "these tests are run by tests/run");
        let only = ONLY.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        nobody_of_before();
        // Leftovers of a test that failed.
        for program in ["synoschedtask", "synowebapi", "esynoscheduler"] {
            let path = program_of_dsm(program);
            let _ = fs::rename(format!("{path}.away"), path);
        }
        for mounted in ["state", "log.txt", ""] {
            let _ = Command::new("umount").arg(at(mounted)).stderr(Stdio::null()).status();
        }
        let _ = fs::remove_dir_all(FOLDER);
        fs::create_dir(FOLDER).expect("the folder");
        mode(FOLDER, 0o755);
        for (name, program, bits) in programs() {
            fs::copy(program, at(name)).expect("copy");
            mode(&at(name), bits);
        }
        fs::write(at("log.txt"), "").expect("log.txt");
        chown(at("log.txt"), Some(HTTP), Some(HTTP)).expect("chown");
        mode(&at("log.txt"), 0o640);
        for folder in ["webstation", "webstation/php"] {
            fs::create_dir(at(folder)).expect("a folder");
            mode(&at(folder), 0o755);
        }
        for (name, text) in TEXTS {
            put(&at(name), text, 0o644);
        }
        put(&at("webstation/way"), "port\n", 0o644);
        put(BOOT, include_str!("../../webstation/boot.sh"), 0o755);
        let _ = fs::remove_dir_all(LINK);
        let _ = fs::remove_file(LINK);
        symlink(at("remotetask"), LINK).expect("a link");
        let _ = fs::remove_dir_all("/etc/sudoers.d");
        fs::create_dir("/etc/sudoers.d").expect("sudoers.d");
        sudoers("remotetask", include_str!("../../webstation/sudoers"));
        for folder in [STORE, EVENTS, "/run/effects"] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder).expect("a folder");
        }
        let _ = fs::remove_file("/usr/syno/etc/stand-in");
        // By a port of its own: Apache's drop-in.
        let _ = fs::remove_dir_all("/volume1/web/remotetask");
        let _ = fs::remove_dir_all(DROP_INS);
        put(&format!("{DROP_INS}/remotetask.conf"), &drop_in(), 0o644);
        Nas { _only: only }
    }

    /// With one task `t` that runs this shell line as root; `$T` is a folder of root's.
    pub fn with_command(line: &str) -> Nas {
        Nas::with_task(line, "")
    }

    pub fn with_task(line: &str, more: &str) -> Nas {
        let nas = Nas::new();
        let argv = serde_json::to_string(&["/bin/sh", "-c", &line.replace("$T", "/run/effects")]).expect("JSON");
        nas.config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}{more}}}"));
        nas
    }

    pub fn config(&self, tasks: &str) {
        self.config_by("synoschedtask", tasks);
    }

    /// With scheduled tasks started this way.
    pub fn config_by(&self, scheduler: &str, tasks: &str) {
        let server = format!("{{\"scheduler\": \"{scheduler}\", \"magickey\": \"{MAGIC}\"}}");
        self.raw_config(&format!("{{\"server\": {server}, \"tasks\": {{{tasks}}}}}"));
    }

    /// As `seal` leaves it: with digests in place of the keys, which `http` may read.
    pub fn sealed_config(&self, tasks: &str) {
        self.config(tasks);
        let text = fs::read_to_string(at("config.json")).expect("config.json");
        self.raw_config(&text.replace(MAGIC, &sealed(MAGIC)).replace(TASK, &sealed(TASK)));
    }

    pub fn raw_config(&self, text: &str) {
        fs::write(at("config.json"), text).expect("config.json");
        chown(at("config.json"), Some(0), Some(HTTP)).expect("chown");
        mode(&at("config.json"), 0o640);
    }

    /// A task of the scheduler's, as its page would make it.
    pub fn scheduled(&self, id: u32, state: &str, script: &str) {
        self.scheduled_of(0, id, state, script.as_bytes());
    }

    /// The same of another owner.
    pub fn scheduled_of(&self, owner: u32, id: u32, state: &str, script: &[u8]) {
        let cmd = base64(script);
        let task = format!("id={id}\nname=Task {id}\nstate={state}\ntype=daily\nowner={owner}\ncmd={cmd}\n");
        let path = format!("{STORE}/{id}.task");
        fs::write(&path, task).expect("the task");
        mode(&path, 0o660);
    }

    /// A triggered task.
    pub fn event(&self, name: &str, script: &str) {
        let digits = name.bytes().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"));
        fs::write(format!("{EVENTS}/{digits}"), script).expect("the event");
    }

    pub fn effect(&self, name: &str) -> String {
        fs::read_to_string(format!("/run/effects/{name}")).unwrap_or_default()
    }

    pub fn effect_awaited(&self, name: &str) -> String {
        awaited(Path::new(&format!("/run/effects/{name}")))
    }

    pub fn log(&self) -> String {
        fs::read_to_string(at("log.txt")).unwrap_or_default()
    }

    /// The CGI as the web server runs it: as `http`, with nothing but CGI variables.
    pub fn call(&self, path: &str) -> Answer {
        finish(self.as_http(
            "exec env -i REQUEST_METHOD=GET REMOTE_ADDR=192.168.1.7 PATH_INFO=\"$1\" \"$2\" </dev/null",
            &[path, &at("remotetask-cgi")],
        ))
    }

    pub fn start(&self) -> Answer {
        self.call(&format!("/{MAGIC}/{TASK}"))
    }

    /// A shell line of somebody who has broken into a web application.
    pub fn as_http(&self, line: &str, arguments: &[&str]) -> Child {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=1023", "--regid=1023", "--clear-groups", "--", "/bin/sh", "-c", line, "sh"])
            .args(arguments);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("setpriv")
    }

    /// The same to its end.
    pub fn http(&self, line: &str, arguments: &[&str]) -> Answer {
        finish(self.as_http(line, arguments))
    }
}

/// Ends what an earlier test left running: a late start would take a later test's task for its own, and an Apache of a
/// failed test its port.
fn nobody_of_before() {
    until("nobody of an earlier test", || {
        let own = i32::try_from(std::process::id()).expect("a number");
        let others = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            let ended = stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['Z', 'X']));
            (pid != 1 && pid != own && !ended).then_some(pid)
        });
        let others: Vec<i32> = others.collect();
        for pid in &others {
            let _ = rustix::process::Pid::from_raw(*pid)
                .map(|pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL));
        }
        others.is_empty().then_some(())
    });
}

impl Drop for Nas {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_no_key(self.log().as_bytes(), "log.txt");
            for entry in walk(&at("state")).into_iter().chain(walk("/var/log")) {
                assert_no_key(&fs::read(&entry).unwrap_or_default(), &entry);
            }
        }
    }
}

/// Makes it another NAS: lines that the stand-ins understand.
pub fn box_is(how: &str) {
    fs::write("/usr/syno/etc/stand-in", format!("{how}\n")).expect("stand-in");
}

/// A NAS without this program of DSM's.
pub fn box_without(program: &str) {
    let path = program_of_dsm(program);
    fs::rename(&path, format!("{path}.away")).expect("rename");
}

fn program_of_dsm(program: &str) -> String {
    let folder = if program == "esynoscheduler" { "sbin" } else { "bin" };
    format!("/usr/syno/{folder}/{program}")
}

pub fn count(name: &str) -> usize {
    fs::read_to_string(format!("/run/effects/{name}")).unwrap_or_default().lines().count()
}

pub fn at(name: &str) -> String {
    format!("{FOLDER}/{name}")
}

pub fn mode(path: &str, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).expect("chmod");
}

/// `sha256sum` of a key, as the configuration has it.
pub fn sealed(key: &str) -> String {
    let mut sum = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sha256sum");
    sum.stdin.take().expect("stdin").write_all(key.as_bytes()).expect("written");
    let out = String::from_utf8(sum.wait_with_output().expect("sha256sum").stdout).expect("UTF-8");
    format!("sha256:{}", &out[..64])
}

/// A file of root's, and the folder that it needs.
fn put(path: &str, text: &str, bits: u32) {
    fs::create_dir_all(Path::new(path).parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect(path);
    mode(path, bits);
}

/// Apache's drop-in as an installation writes it.
fn drop_in() -> String {
    let module = "# This Apache may have its module for programs without loading it.\n\
        <IfModule !cgi_module>\n<IfModule !cgid_module>\n    \
        LoadModule cgid_module \"/usr/lib/apache2/modules/mod_cgid.so\"\n    \
        ScriptSock /var/run/remotetask-cgid.sock\n</IfModule>\n</IfModule>\n";
    let text = include_str!("../../webstation/remotetask.conf");
    format!("Define REMOTETASK_LISTEN 127.0.0.1:10765\n{module}{text}")
}

pub fn sudoers(name: &str, text: &str) {
    let path = format!("/etc/sudoers.d/{name}");
    fs::write(&path, text).expect("sudoers");
    mode(&path, 0o440);
}

pub fn walk(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path().display().to_string();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(walk(&path)),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
    found
}

/// A server of a test's own; its end is the test's end.
pub struct Server {
    children: Vec<Child>,
    pub port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in &mut self.children {
            end(child);
        }
    }
}

fn end(child: &mut Child) {
    let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    let _ = child.wait();
}

/// The answer of a server.
#[derive(Debug, PartialEq, Eq)]
pub struct Http {
    pub status: u16,
    pub headers: Vec<String>,
    pub body: String,
}

impl Http {
    /// The headers that are ours to promise, in the server's order.
    pub fn promised(&self) -> Vec<&str> {
        let theirs = ["date:", "server:", "connection:", "keep-alive:", "upgrade:", "vary:"];
        let ours = |header: &&String| !theirs.iter().any(|name| header.to_ascii_lowercase().starts_with(name));
        self.headers.iter().filter(ours).map(String::as_str).collect()
    }
}

impl Server {
    pub fn new(children: Vec<Child>, port: u16) -> Server {
        let server = Server { children, port };
        until("the server", || TcpStream::connect(("127.0.0.1", port)).ok());
        server
    }

    /// A process more that ends with it.
    pub fn also(&mut self, child: Child) {
        self.children.push(child);
    }

    /// Ends what the server hands its requests to.
    pub fn end_last(&mut self) {
        end(&mut self.children.pop().expect("a process"));
    }

    /// Sends these bytes and reads to the end.
    pub fn raw(&self, request: impl AsRef<[u8]>) -> Http {
        self.slowly(request, Duration::ZERO, "")
    }

    /// Sends these bytes, the rest a while later, and reads to the end.
    pub fn slowly(&self, request: impl AsRef<[u8]>, later: Duration, rest: &str) -> Http {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        stream.write_all(request.as_ref()).expect("sent");
        if !rest.is_empty() {
            std::thread::sleep(later);
            stream.write_all(rest.as_bytes()).expect("sent");
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        Http { status, headers: lines.map(str::to_owned).collect(), body: body.to_owned() }
    }

    /// Sends these bytes and goes away.
    pub fn cut_off(&self, request: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server");
        stream.write_all(request.as_bytes()).expect("sent");
    }

    pub fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Http {
        self.raw(format!("{method} {path} HTTP/1.1\r\nHost: nas\r\nConnection: close\r\n{headers}\r\n{body}"))
    }

    pub fn get(&self, path: &str) -> Http {
        self.request("GET", path, "", "")
    }
}
