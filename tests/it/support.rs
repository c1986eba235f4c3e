//! A folder with the four programs, as an installation without sudo; calls of it, and their answers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The two keys of every test. Neither, nor eight characters of one, may stand in any trace.
pub const MAGIC: &str = "Zq7vK2mXw9RtB4nL";
pub const TASK: &str = "Hc5yP8dGs3JfU6eA";

/// The programs of an installation, and their modes.
pub const PROGRAMS: [(&str, u32); 4] =
    [("remotetask-cgi", 0o711), ("remotetask-run", 0o700), ("remotetask-keep", 0o700), ("remotetask", 0o755)];

/// A program under test: as cargo built it for the workspace, or the one in the folder `REMOTETASK_PROGRAMS`, which may
/// be for another processor if this machine can run it.
pub fn program(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_remotetask-cgi"));
    let folder = std::env::var_os("REMOTETASK_PROGRAMS").map_or_else(|| built.with_file_name(""), PathBuf::from);
    let program = folder.join(name);
    assert!(program.is_file(), "{}: build all programs first, as tests/run does", program.display());
    program
}

/// All of them: name, place, mode.
pub fn programs() -> [(&'static str, PathBuf, u32); 4] {
    PROGRAMS.map(|(name, mode)| (name, program(name), mode))
}

/// The processor that they are for, as `uname -m` names it: the field e_machine of ELF's header.
pub fn machine() -> &'static str {
    match std::fs::read(program("remotetask-cgi")).expect("a program")[18] {
        62 => "x86_64",
        183 => "aarch64",
        40 => "armv7l",
        other => panic!("a processor {other}"),
    }
}

/// An installation of one's own. When it goes, its traces are searched for keys.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    /// With one task `t` that runs this shell line, in which `$T` is the sandbox's folder.
    pub fn with_command(line: &str) -> Sandbox {
        Sandbox::with_task(line, "")
    }

    /// The same, with more fields of the task.
    pub fn with_task(line: &str, more: &str) -> Sandbox {
        let sandbox = Sandbox::new();
        let line = line.replace("$T", &sandbox.path("").display().to_string());
        let argv = serde_json::to_string(&["/bin/sh", "-c", &line]).expect("JSON");
        sandbox.config("", &format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}{more}}}"));
        sandbox
    }

    /// Without a configuration.
    pub fn new() -> Sandbox {
        let folder = tempfile::Builder::new().prefix("remotetask-it-").tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("chmod");
        let sandbox = Sandbox { folder };
        // By another process: a file that is open for writing here could be inherited by a child that another
        // test starts at this moment, and not be executed (ETXTBSY).
        let copied = Command::new("cp")
            .args(PROGRAMS.map(|(name, _)| program(name)))
            .arg(sandbox.path(""))
            .status()
            .expect("cp");
        assert!(copied.success());
        for (name, mode) in PROGRAMS {
            fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(mode)).expect("chmod");
        }
        sandbox
    }

    /// A configuration with these fields of the server (each with a comma behind it) and tasks.
    pub fn config(&self, server: &str, tasks: &str) {
        let elevate = if server.contains("\"elevate\"") { "" } else { "\"elevate\": []," };
        self.raw_config(&format!(
            "{{\"server\": {{{server}{elevate}\"magickey\": \"{MAGIC}\"}}, \"tasks\": {{{tasks}}}}}"
        ));
    }

    pub fn raw_config(&self, text: &str) {
        self.write("config.json", text);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).expect("write");
    }

    /// A shell script of the sandbox, executable.
    pub fn script(&self, name: &str, line: &str) -> PathBuf {
        script(&self.path(name), &line.replace("$T", &self.path("").display().to_string()))
    }

    pub fn read(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).unwrap_or_default()).into_owned()
    }

    pub fn log(&self) -> String {
        self.read("log.txt")
    }

    /// A GET of the task's URL, for plain text.
    pub fn start(&self) -> Answer {
        self.get(&format!("/{MAGIC}/{TASK}")).send()
    }

    pub fn get(&self, path: &str) -> Call {
        self.call("GET", path)
    }

    pub fn call(&self, method: &str, path: &str) -> Call {
        let mut call = Call { program: self.path("remotetask-cgi"), ..Call::default() };
        call.set("REQUEST_METHOD", method);
        call.set("PATH_INFO", path);
        call.set("REMOTE_ADDR", "192.168.1.7");
        call
    }

    /// The files below the sandbox, the programs left out.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.folder.path(), &mut |path| {
            let name = path.strip_prefix(self.folder.path()).expect("below").display().to_string();
            if !name.starts_with("remotetask") {
                found.push(name);
            }
        });
        found.sort();
        found
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        walk(self.folder.path(), &mut |path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // The two files whose keys they are; keys.json is its owner's alone.
            if !matches!(&*name, "config.json" | "keys.json") && !name.starts_with("remotetask") {
                assert_no_key(&fs::read(path).unwrap_or_default(), &path.display().to_string());
            }
        });
    }
}

fn walk(folder: &Path, see: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => walk(&entry.path(), see),
            Ok(kind) if kind.is_file() => see(&entry.path()),
            _ => {}
        }
    }
}

/// Neither key, nor eight characters of one, stands here.
#[track_caller]
pub fn assert_no_key(content: &[u8], place: &str) {
    // As a text: the standard library's own search is fast in a build for tests too, and all logs of a machine are read.
    let content = String::from_utf8_lossy(content);
    for key in [MAGIC, TASK] {
        for at in 0..=key.len() - 8 {
            assert!(!content.contains(&key[at..at + 8]), "a part of a key stands in {place}");
        }
    }
}

/// A shell script, executable; written by another process, as the programs are.
pub fn script(path: &Path, line: &str) -> PathBuf {
    let mut writer = Command::new("install");
    writer.args(["-m", "755", "/dev/stdin"]).arg(path).stdin(Stdio::piped());
    let mut writer = writer.spawn().expect("install");
    writer.stdin.take().expect("stdin").write_all(format!("#!/bin/sh\n{line}\n").as_bytes()).expect("written");
    assert!(writer.wait().expect("install").success(), "{}", path.display());
    path.to_owned()
}

/// One request, as a web server hands it on.
#[derive(Default)]
pub struct Call {
    program: PathBuf,
    variables: BTreeMap<String, Vec<u8>>,
    arguments: Vec<String>,
    body: Vec<u8>,
    redirect: String,
}

impl Call {
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.variables.insert(name.to_owned(), value.as_ref().to_owned());
    }

    pub fn var(mut self, name: &str, value: impl AsRef<[u8]>) -> Call {
        self.set(name, value);
        self
    }

    pub fn accept(self, form: &str) -> Call {
        self.var("HTTP_ACCEPT", form)
    }

    pub fn argument(mut self, argument: &str) -> Call {
        self.arguments.push(argument.to_owned());
        self
    }

    pub fn body(mut self, body: &[u8]) -> Call {
        self.body = body.to_owned();
        self.var("CONTENT_LENGTH", body.len().to_string())
    }

    /// A shell's words behind the program, such as `>&-`.
    pub fn redirect(mut self, words: &str) -> Call {
        self.redirect = words.to_owned();
        self
    }

    pub fn spawn(&self) -> Child {
        let mut command = match self.redirect.is_empty() {
            true => Command::new(&self.program),
            false => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!("exec \"$0\" {}", self.redirect)]).arg(&self.program);
                shell
            }
        };
        command.args(&self.arguments).env_clear();
        for (name, value) in &self.variables {
            use std::os::unix::ffi::OsStrExt;
            command.env(name, std::ffi::OsStr::from_bytes(value));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    pub fn send(&self) -> Answer {
        let mut child = self.spawn();
        // A program that does not read its body is not waited for.
        let _ = child.stdin.take().expect("stdin").write_all(&self.body);
        finish(child)
    }
}

/// The words of a program until it closed its outputs.
pub fn finish(mut child: Child) -> Answer {
    let (mut output, mut complaint) = (Vec::new(), String::new());
    let mut stderr = child.stderr.take().expect("stderr");
    let errors = std::thread::spawn(move || {
        let _ = stderr.read_to_string(&mut complaint);
        complaint
    });
    child.stdout.take().expect("stdout").read_to_end(&mut output).expect("its answer");
    let status = child.wait().expect("its end");
    Answer { bytes: output, stderr: errors.join().expect("stderr"), code: status.code() }
}

/// One CGI response. What a test does not say anything about must be as usual.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub bytes: Vec<u8>,
    pub stderr: String,
    pub code: Option<i32>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn status(&self) -> String {
        let text = self.text();
        text.lines().next().and_then(|line| line.strip_prefix("Status: ")).unwrap_or("no status").to_owned()
    }

    pub fn body(&self) -> String {
        self.text().split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }

    /// Its status and body, and that nothing else was said.
    #[track_caller]
    pub fn is(&self, status: &str, body: &str) -> &Answer {
        assert_eq!((&*self.status(), &*self.body()), (status, body));
        self.quiet()
    }

    /// Its status, and a body that matches: each `*` stands for some characters of one line.
    #[track_caller]
    pub fn is_like(&self, status: &str, pattern: &str) -> &Answer {
        assert_eq!(self.status(), status, "{}", self.text());
        assert!(like(&self.body(), pattern), "{:?} is not like {pattern:?}", self.body());
        self.quiet()
    }

    #[track_caller]
    pub fn quiet(&self) -> &Answer {
        assert_eq!((&*self.stderr, self.code), ("", Some(0)));
        self
    }

    #[track_caller]
    pub fn is_refusal(&self) -> &Answer {
        assert_eq!(self.status(), "404 Not Found", "{}", self.text());
        assert_eq!(self.body(), remotetask::response::START_PAGE);
        self.quiet()
    }

    /// The same, where the log complains on stderr.
    #[track_caller]
    pub fn is_like_refusal(&self) {
        assert_eq!((&*self.status(), &*self.body()), ("404 Not Found", remotetask::response::START_PAGE));
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body()).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

/// As the scheduler's store has a script.
pub fn base64(bytes: &[u8]) -> String {
    let mut encoder = Command::new("base64").arg("-w0").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let encoder = encoder.as_mut().expect("base64");
    let (mut stdin, bytes) = (encoder.stdin.take().expect("stdin"), bytes.to_owned());
    let writer = std::thread::spawn(move || stdin.write_all(&bytes).expect("written"));
    let mut text = String::new();
    encoder.stdout.take().expect("stdout").read_to_string(&mut text).expect("base64");
    writer.join().expect("written");
    encoder.wait().expect("base64");
    text
}

/// Matches a text with a pattern in which `*` stands for anything within a line.
pub fn like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        let found = if last && part.is_empty() {
            Some(rest.len())
        } else if last {
            rest.rfind(part)
        } else {
            rest.find(part)
        };
        match found {
            Some(skipped) if !rest[..skipped].contains('\n') => rest = &rest[skipped + part.len()..],
            _ => return false,
        }
    }
    rest.is_empty()
}

/// The status that a real web server answers with, 0 where none does.
pub fn status_of(url: &str) -> u16 {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "20", url]);
    let done = curl.output().expect("curl");
    String::from_utf8_lossy(&done.stdout).parse().unwrap_or(0)
}

/// Files by their paths: owner, group and mode of each, and its content.
pub type Tree = BTreeMap<String, (String, Vec<u8>)>;

/// All that lies below these folders.
pub fn tree_of(tops: impl IntoIterator<Item = String>) -> Tree {
    let mut seen = Tree::new();
    tops.into_iter().for_each(|top| look_at(&top, &mut seen));
    seen
}

fn look_at(path: &str, seen: &mut Tree) {
    let meta = fs::symlink_metadata(path).expect(path);
    let content = match () {
        () if meta.is_symlink() => fs::read_link(path).expect(path).into_os_string().into_encoded_bytes(),
        () if meta.is_file() && meta.len() < 1 << 20 => fs::read(path).unwrap_or_else(|e| e.to_string().into_bytes()),
        () => Vec::new(),
    };
    seen.insert(path.into(), (format!("{} {} {:o}", meta.uid(), meta.gid(), meta.mode()), content));
    if meta.is_dir() {
        for entry in fs::read_dir(path).expect(path).flatten() {
            look_at(&entry.path().display().to_string(), seen);
        }
    }
}

#[track_caller]
pub fn same(before: &Tree, now: &Tree) {
    let all = before.keys().chain(now.keys());
    let differ: Vec<&String> = all.filter(|path| before.get(*path) != now.get(*path)).collect();
    assert!(differ.is_empty(), "{differ:?}");
}

/// Reads a code that stands in a terminal's lines as a phone's camera would; what is drawn is dark or light.
#[track_caller]
pub fn decoded(screen: &str, drawn_is_dark: bool) -> String {
    const PIXELS: usize = 4; // a module's
    const QUIET: usize = 8; // and what a terminal trims of the light around a code
    let part_of_code =
        |line: &&str| line.chars().any(|c| "█▀▄".contains(c)) && line.chars().all(|c| "█▀▄ ".contains(c));
    let rows: Vec<Vec<char>> = screen.lines().filter(part_of_code).map(|line| line.chars().collect()).collect();
    let width = rows.iter().map(Vec::len).max().unwrap_or_default();
    let dark = |x: usize, y: usize| {
        let (Some(x), Some(y)) = (x.checked_sub(QUIET), y.checked_sub(QUIET)) else { return false };
        let Some(row) = rows.get(y / 2) else { return false };
        let drawn = matches!((row.get(x).unwrap_or(&' '), y % 2), ('█', _) | ('▀', 0) | ('▄', 1));
        x < width && drawn == drawn_is_dark
    };
    let side = |modules: usize| (modules + 2 * QUIET) * PIXELS;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side(width), side(2 * rows.len()), |x, y| {
        if dark(x / PIXELS, y / PIXELS) {
            0
        } else {
            255
        }
    });
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1, "one code:\n{screen}");
    grids[0].decode().expect("it can be read").1
}

/// A text without a terminal's colours.
pub fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

/// An address that a NAS has at home, for as long as this lives.
pub struct HomeAddress(&'static str);

impl HomeAddress {
    pub fn new() -> HomeAddress {
        HomeAddress::of("192.168.1.20/32")
    }

    /// This one. A test that failed may have left it.
    pub fn of(address: &'static str) -> HomeAddress {
        ip("add", address);
        HomeAddress(address)
    }
}

impl Drop for HomeAddress {
    fn drop(&mut self) {
        ip("del", self.0);
    }
}

fn ip(verb: &str, address: &str) {
    let words = ["addr", verb, address, "dev", "lo"];
    let _ = std::process::Command::new("ip").args(words).stderr(std::process::Stdio::null()).status();
}

/// The codes that a phone's camera reads off a terminal with this background, which shows this text.
pub fn seen_on(text: &str, light: bool) -> Vec<String> {
    const PIXELS: usize = 4; // a module's
    const MARGIN: usize = 8; // modules of the terminal's own around the text
    let own = if light { (0, 255) } else { (255, 0) };
    let lines: Vec<Vec<[u8; 2]>> = text.lines().map(|line| cells(line, own)).collect();
    let width = lines.iter().map(Vec::len).max().unwrap_or_default();
    let at = |x: usize, y: usize| {
        let (x, y) = (x.checked_sub(MARGIN)?, y.checked_sub(MARGIN)?);
        lines.get(y / 2)?.get(x).map(|halves| halves[y % 2])
    };
    let side = |modules: usize| (modules + 2 * MARGIN) * PIXELS;
    let pixel = |x: usize, y: usize| at(x / PIXELS, y / PIXELS).unwrap_or(own.1);
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side(width), side(2 * lines.len()), pixel);
    image.detect_grids().iter().flat_map(|grid| grid.decode()).map(|(_, text)| text).collect()
}

/// The upper and the lower half of each character of a line: how light it is in these colours of the terminal's own.
fn cells(line: &str, own: (u8, u8)) -> Vec<[u8; 2]> {
    let (mut cells, mut now, mut rest) = (Vec::new(), own, line);
    while let Some(c) = rest.chars().next() {
        if let Some((colour, behind)) = rest.strip_prefix("\x1b[").and_then(|escape| escape.split_once('m')) {
            now = if colour == "30;107" { (0, 255) } else { own };
            rest = behind;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        let (fore, back) = now;
        cells.push(match c {
            '█' => [fore, fore],
            '▀' => [fore, back],
            '▄' => [back, fore],
            _ => [back, back],
        });
    }
    cells
}

/// Waits until something is so, by looking again; for ends of processes that are nobody's children.
#[track_caller]
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3000 {
        if let Some(seen) = look() {
            return seen;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("this never came: {what}");
}

/// A file that somebody else writes, once it has something to say.
#[track_caller]
pub fn awaited(path: &Path) -> String {
    until(&path.display().to_string(), || fs::read_to_string(path).ok().filter(|content| content.ends_with('\n')))
}

/// Returns true for a task's page that says this word of the task of this name, as its template has them.
pub fn says(page: &str, name: &str, word: &str) -> bool {
    page.contains(&format!("<h1><bdi>{name}</bdi></h1>")) && page.contains(&format!("<strong>{word}</strong>"))
}

/// Returns true for the page with the button of the task `t`, which was never started.
pub fn is_button(page: &str) -> bool {
    let form = "<form method=\"post\" action=\"?ask\"><input type=\"hidden\" name=\"after\" value=\"0\"><button>Start</button>";
    says(page, "t", "Never started") && page.contains(form)
}
