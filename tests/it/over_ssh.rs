//! `install.sh`, from the owner's PC to a pretend NAS by SSH alone (tests/nas/box).

use std::fs;
use std::io::Write;
use std::os::unix::fs::{chown, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};

use crate::browser::pressed;
use crate::support::*;
use crate::workbench::{said, Said};

const NAS: &str = "/mnt/nas";
const PC: &str = "/mnt/pc";
const CLONE: &str = env!("CARGO_MANIFEST_DIR");
const STORE: &str = "/usr/syno/etc/synoschedule.d/root";
const URL: &str = "http://127.0.0.1:10765";

static ONLY: Mutex<()> = Mutex::new(());

/// The NAS, for one test at a time, with nothing of ours on it, and ready programs on the PC.
struct Box {
    _only: MutexGuard<'static, ()>,
}

impl Box {
    fn new() -> Box {
        assert_eq!(std::env::var("REMOTETASK_NAS").as_deref(), Ok("box"), "these tests are run by tests/run");
        let only = ONLY.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for folder in ["/usr/local/remotetask", "/usr/local/etc/rc.d", "/volume1/web/remotetask"] {
            let _ = fs::remove_dir_all(inside(folder));
        }
        for file in [
            "/etc/sudoers.d/remotetask",
            "/usr/local/etc/apache24/sites-enabled/remotetask.conf",
            "/usr/local/bin/remotetask",
            "/run/effects/seven",
            "/usr/syno/etc/synoschedule.d/root/7.status",
            "/usr/syno/etc/synoschedule.d/root/7.last",
            "/usr/syno/etc/synoschedule.d/root/7.began",
            "/usr/syno/etc/synoschedule.d/root/7.history",
        ] {
            let _ = fs::remove_file(inside(file));
        }
        let _ = fs::remove_file(format!("{PC}/words"));
        service("restart");
        let programs = format!("{PC}/programs");
        let _ = fs::create_dir(&programs);
        for (name, program, _) in crate::support::programs() {
            fs::copy(program, format!("{programs}/{name}")).expect("copy");
        }
        let task = format!(
            "id=7\nname=Check off\nstate=disabled\ntype=daily\nowner=0\ncmd={}\n",
            base64(b"echo ran >>/run/effects/seven")
        );
        fs::write(inside(&format!("{STORE}/7.task")), task).expect("the task");
        Box { _only: only }
    }
}

fn inside(path: &str) -> String {
    format!("{NAS}{path}")
}

fn service(verb: &str) {
    let done = Command::new("chroot").args([NAS, "/usr/syno/bin/synosystemctl", verb, "pkgctl-Apache2.4"]).status();
    assert!(done.expect("chroot").success());
}

/// `install.sh` where nobody sits at a terminal.
fn install(arguments: &[&str]) -> Said {
    let mut command = Command::new("setsid");
    command.args(["--wait", "/bin/sh", &format!("{CLONE}/install.sh")]).args(arguments).current_dir("/");
    said(&mut command, "")
}

/// At a terminal, with these answers to what stands there.
fn at_a_terminal(arguments: &[&str], answers: &[(&str, &str)]) -> (i32, String) {
    at_a_terminal_in(CLONE, "", arguments, answers)
}

/// The same with another clone, and these folders before those where programs are found.
fn at_a_terminal_in(clone: &str, before: &str, arguments: &[&str], answers: &[(&str, &str)]) -> (i32, String) {
    const PLAY: &str = r#"
import json, os, pty, sys
answers, argv = json.loads(sys.argv[1]), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.execvp(argv[0], argv)
seen, at = b"", 0
while True:
    try:
        part = os.read(fd, 65536)
    except OSError:
        break
    if not part:
        break
    seen += part
    while answers and (found := seen.find(answers[0][0].encode(), at)) >= 0:
        at = found + len(answers[0][0])
        os.write(fd, answers.pop(0)[1].encode() + b"\n")
sys.stdout.buffer.write(seen)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;
    let mut command = Command::new("python3");
    command.args(["-c", PLAY, &serde_json::to_string(answers).expect("JSON"), "/bin/sh"]);
    let path = std::env::var("PATH").expect("PATH");
    command.arg(format!("{clone}/install.sh")).args(arguments).env("PATH", format!("{before}{path}"));
    command.env("TERM", "xterm");
    let done = command.output().expect("python3");
    (done.status.code().unwrap_or(-1), String::from_utf8_lossy(&done.stdout).replace("\r\n", "\n"))
}

/// The columns of the longest line.
fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or_default()
}

fn from() -> [&'static str; 2] {
    ["--from", "/mnt/pc/programs"]
}

/// All that an installation could change on the NAS.
fn tree() -> Tree {
    tree_of(["/etc", "/usr/local", "/usr/syno", "/volume1", "/var/packages", "/var/services", "/tmp"].map(inside))
}

/// The work folders on the PC that calls of SSH have named since this NAS was made. Others' are none of a test's business.
fn work_folders() -> Vec<String> {
    let words = fs::read_to_string(format!("{PC}/words")).expect("words");
    let sockets = words.split_whitespace().filter_map(|word| word.strip_prefix("ControlPath="));
    sockets.filter_map(|socket| socket.strip_suffix("/ssh")).map(str::to_owned).collect()
}

fn status(path: &str) -> u16 {
    status_at(URL, path)
}

fn status_at(base: &str, path: &str) -> u16 {
    status_of(&format!("{base}{path}"))
}

/// The path of task 7, as its owner sees it on the NAS.
fn path() -> String {
    let shown = on_the_nas(&["/usr/local/remotetask/remotetask", "url", "7"]);
    let url = shown.ok().lines().find_map(|line| line.trim().strip_suffix("?ask")?.split_once("://"));
    let (_, rest) = url.unwrap_or_else(|| panic!("no URL: {}", shown.out));
    rest[rest.find('/').expect("a path")..].to_owned()
}

/// The status of a start there. A new task answers a GET with a page.
fn started(base: &str, path: &str) -> u16 {
    let mut curl = Command::new("curl");
    curl.args([
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "--max-time",
        "20",
        "-X",
        "POST",
        &format!("{base}{path}"),
    ]);
    String::from_utf8_lossy(&curl.output().expect("curl").stdout).parse().unwrap_or(0)
}

/// The page that a browser gets there.
fn page_at(url: &str) -> String {
    let done = Command::new("curl").args(["-s", "--max-time", "20", "-H", "Accept: text/html", url]).output();
    String::from_utf8_lossy(&done.expect("curl").stdout).into_owned()
}

/// A configuration with a command, as an owner writes it.
fn configuration() -> String {
    let path = format!("{PC}/config.json");
    let text = format!(
        "{{\"magickey\": \"{MAGIC}\", \"tasks\": {{\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}}}}}"
    );
    fs::write(&path, text).expect("written");
    path
}

/// A PC with nothing ready: a clone of its own, and in Rust's place programs that note their words. cargo builds
/// into that clone what this machine has, when the file `built` is there.
struct Fresh {
    clone: String,
    rust: String,
}

impl Fresh {
    fn new() -> Fresh {
        let fresh = Fresh { clone: format!("{PC}/clone"), rust: format!("{PC}/rust") };
        for folder in [&fresh.clone, &fresh.rust] {
            let _ = fs::remove_dir_all(folder);
        }
        for file in ["cargo", "built"] {
            let _ = fs::remove_file(format!("{PC}/{file}"));
        }
        fs::create_dir(&fresh.clone).expect("a clone");
        let copied = Command::new("cp")
            .args(["-r", "install.sh", "installer", "webstation", "Cargo.toml", &fresh.clone])
            .current_dir(CLONE)
            .status();
        assert!(copied.expect("cp").success());
        let target = match machine() {
            "armv7l" => "armv7-unknown-linux-musleabihf".to_owned(),
            machine => format!("{machine}-unknown-linux-musl"),
        };
        for folder in ["bin".to_owned(), format!("lib/rustlib/{target}")] {
            fs::create_dir_all(format!("{}/{folder}", fresh.rust)).expect("a folder");
        }
        let rustc =
            "case $* in --version) echo 'rustc 1.85.0 (x 2025-02-17)' ;; -vV) echo 'host: this-pc-linux-gnu' ;; \
             *) echo /mnt/pc/rust ;; esac";
        let cargo = "echo \"$*\" >>/mnt/pc/cargo\n[ $1 = build ] || exit 0\nuntil [ -e /mnt/pc/built ]; do sleep 0.05; done\n\
             while [ \"$1\" != --target ]; do shift; done\nmkdir -p target/$2/release\ncp /mnt/pc/programs/* target/$2/release\n";
        script(Path::new(&format!("{}/bin/rustc", fresh.rust)), rustc);
        script(Path::new(&format!("{}/bin/cargo", fresh.rust)), cargo);
        fresh
    }

    /// The folders for PATH, with a colon behind them.
    fn before(&self) -> String {
        format!("{}/bin:", self.rust)
    }

    /// Without a terminal, and with programs in these folders alone.
    fn install(&self, path: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new("/usr/bin/setsid");
        command.args(["--wait", "/bin/sh", &format!("{}/install.sh", self.clone)]).args(arguments);
        said(command.current_dir(PC).env("PATH", path), "")
    }

    /// The words of all calls of cargo.
    fn cargo(&self) -> String {
        fs::read_to_string(format!("{PC}/cargo")).unwrap_or_default()
    }
}

/// An owner who logs in by a password, on a PC that builds for longer than SSH's connection would last by itself.
#[test]
fn the_password_of_ssh_is_asked_once() {
    let _box = Box::new();
    let fresh = Fresh::new();
    let before = fresh.before();
    let slow = std::thread::spawn(move || {
        until("that it builds", || fs::read_to_string(format!("{PC}/cargo")).ok()?.contains("build ").then_some(()));
        // Kept until it is closed, and there while the build goes on.
        let words = fs::read_to_string(format!("{PC}/words")).expect("words");
        let socket =
            words.split_whitespace().find(|word| word.starts_with("ControlPath=")).unwrap_or("none").to_owned();
        let check = Command::new("ssh").args(["-o", &socket, "-O", "check", "asks"]).output().expect("ssh");
        // Whatever was seen: nothing else ends the build.
        fs::write(format!("{PC}/built"), "").expect("built");
        assert!(words.contains("-o ControlPersist=yes "), "{words}");
        assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    });
    let (code, shown) = at_a_terminal_in(
        &fresh.clone,
        &before,
        &["anna@asks", "--port"],
        &[
            ("'s password: ", "secret of anna"),
            ("Password of anna@asks for sudo: ", "secret of anna"),
            ("for none yet: ", "7"),
            ("remotetask probe): ", ""),
            ("a, b, c or d: ", ""),
        ],
    );
    slow.join().expect("the connection");
    assert_eq!(code, 0, "{shown}");
    assert_eq!(shown.matches("'s password: ").count(), 1, "{shown}");
    let said = shown.find("Connecting to anna@asks by SSH. Should it ask for a password, ");
    assert!(said.is_some_and(|at| at < shown.find("'s password: ").unwrap_or_default()), "{shown}");
    assert_eq!(started(URL, &path()), 202);
    // An owner who waits for a build sees cargo's own words.
    assert!(fresh.cargo().contains("build --locked --release --workspace "), "{}", fresh.cargo());
    let masters = Command::new("ps").args(["-eo", "args="]).output().expect("ps");
    let masters = String::from_utf8_lossy(&masters.stdout).into_owned();
    assert!(!masters.contains("ssh: /tmp/remotetask."), "it is closed: {masters}");
    let again = fresh.install(&format!("{before}{}", std::env::var("PATH").expect("PATH")), &["auto@nas"]);
    assert!(again.ok().contains("Everything was as it should be; nothing was changed.\n"), "{}", again.out);
    let quiet = "build --locked --quiet --release --workspace ";
    assert!(fresh.cargo().contains(quiet), "{}", fresh.cargo());
    install(&["auto@nas", "--uninstall"]).ok();
}

/// Asserts that no connection was made, so that nothing was asked.
#[track_caller]
fn nobody_was_asked() {
    assert!(fs::metadata(format!("{PC}/words")).is_err(), "SSH was called");
}

#[test]
fn a_fault_of_this_pc_is_said_before_anybody_is_asked() {
    let _box = Box::new();
    let fresh = Fresh::new();
    let usual = std::env::var("PATH").expect("PATH");
    let why = |path: &str, arguments: &[&str]| {
        let said = fresh.install(path, &[&["anna@nas"], arguments].concat());
        assert_eq!((said.code, &*said.out), (Some(1), ""), "{said:?}");
        nobody_was_asked();
        said.err
    };
    assert_eq!(
        why(&usual, &[]),
        "install.sh: there is no Rust compiler here: install one as https://rustup.rs says (1.85 or newer; just installed? open a new terminal), then run this again\n"
    );
    // All but a linker.
    let few = format!("{PC}/few");
    let _ = fs::remove_dir_all(&few);
    fs::create_dir(&few).expect("a folder");
    for tool in ["ssh", "tar", "gzip", "dirname", "basename", "cut", "awk", "sed", "cat"] {
        std::os::unix::fs::symlink(format!("/usr/bin/{tool}"), format!("{few}/{tool}")).expect("a link");
    }
    assert_eq!(
        why(&format!("{}{few}", fresh.before()), &[]),
        "install.sh: there is no C linker on this PC, which Rust needs: type 'sudo apt-get install gcc libc6-dev' (on macOS: \
         xcode-select --install), then run this again\n"
    );
    for missing in ["none.json", "/mnt/none/none.json", "/mnt/pc"] {
        let sentence = format!("install.sh: there is no file {missing} that could be read\n");
        assert_eq!(why(&usual, &["--from", "/mnt/pc/programs", "--config", missing]), sentence);
    }
    assert_eq!(why(&usual, &["--from", "/mnt/none"]), "install.sh: there is no folder /mnt/none\n");
    assert_eq!(why(&usual, &["--from", &few]), format!("install.sh: there is no program remotetask-keep in {few}\n"));
}

#[test]
fn a_configuration_is_judged_before_anybody_is_asked() {
    let _box = Box::new();
    let fresh = Fresh::new();
    fs::write(format!("{PC}/built"), "").expect("built");
    let usual = std::env::var("PATH").expect("PATH");
    let with_rust = format!("{}{usual}", fresh.before());
    for (text, line, column, expected) in [
        ("\u{feff}{\"magickey\": \"x\"}", 1, 1, "the file begins with a byte order mark"),
        ("{\n  \"magickey\": }", 2, 15, ""),
        ("{\n \"magickey\": \"short\"}", 2, 20, "magickey: a key has 8 to 128"),
    ] {
        fs::write(format!("{PC}/mine.json"), text).expect("written");
        for (path, arguments) in [(&usual, &from()[..]), (&with_rust, &[])] {
            let said = fresh.install(path, &[&["anna@nas", "--config", "mine.json"], arguments].concat());
            assert_eq!(said.code, Some(1), "{said:?}");
            nobody_was_asked();
            let shown = said.err.split_whitespace().collect::<Vec<_>>().join(" ");
            let begin = format!("remotetask: /mnt/pc/mine.json, line {line}, column {column}: {expected}");
            let end = " install.sh: your configuration is refused; what stands above says why";
            assert!(shown.starts_with(&begin) && shown.ends_with(end), "{begin}: {}", said.err);
        }
    }
    assert!(fresh.cargo().contains(" --package remotetask-workbench --bins --target this-pc-linux-gnu "));
}

/// A second run for a virtual host, where the address was noted and a way to start tasks was found.
#[test]
fn what_is_known_is_not_asked_again() {
    let _box = Box::new();
    clicked(false);
    let ssh = format!("{PC}/bin/ssh");
    let real = fs::read_to_string(&ssh).expect("ssh");
    // In the place of a program that does not know this yet.
    let knows = format!(
        "#!/bin/sh\ncase $* in *'url --noted'*) echo {CLICKED}; exit ;; *'probe --chosen'*) exit ;; esac\n{}",
        real.trim_start_matches("#!/bin/sh\n")
    );
    fs::write(&ssh, knows).expect("ssh");
    let run = std::panic::catch_unwind(|| {
        let prompt = format!("Just press Enter for {CLICKED}: ");
        at_a_terminal(&[&["auto@nas", "--vhost", "--tasks", "7"][..], &from()].concat(), &[(&prompt, "")])
    });
    fs::write(&ssh, real).expect("ssh");
    let (code, shown) = run.expect("it ends");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains(&format!("good   all of the way works, at {CLICKED}\n")), "{shown}");
    assert!(!shown.contains("Its number") && !shown.contains("Now in DSM"), "{shown}");
    install(&["auto@nas", "--uninstall"]).ok();
    fs::remove_file(inside_apache("more.conf")).expect("as it was");
}

#[test]
fn from_nothing_to_a_scheduled_task_by_url_and_back() {
    let _box = Box::new();
    let before = tree();
    let arguments = [&["anna@nas", "--port"][..], &from()].concat();
    let (code, shown) = at_a_terminal(
        &arguments,
        &[
            ("Password of anna@nas for sudo: ", "secret of guest"),
            ("for sudo: ", "secret of anna"),
            ("for none yet: ", "70"),
            ("for none yet: ", " Check off, 7"),
            ("remotetask probe): ", "seven"),
            ("remotetask probe): ", "7"),
            ("a, b, c or d: ", "x"),
            ("a, b, c or d: ", "d"),
        ],
    );
    assert_eq!(code, 0, "{shown}");
    for line in [
        &format!("anna@nas: DSM 7.2-64570, {}, Linux ", machine()),
        "Apache 2.4 is there, and runs programs. PHP is not there. The share for web\npages is /volume1/web.\n  1. take the programs from /mnt/pc/programs\n  2. become root, by sudo, which asks for your password\n",
        "That was not it, or sudo does not let this user become root.\n",
        "  done   Apache answers at http://127.0.0.1:10765\n",
        "     7  Check off\n",
        "Task 7 has a URL now.\n",
        "good   all of the way works, at http://127.0.0.1:10765\n",
        "Task 7 (Check off) will be started up to ",
        "Installed. What to do next:\n    ssh -t anna@nas sudo remotetask\nNo phone finds this NAS yet. When one shall:\n  sudo remotetask phone\n",
        "\n    /usr/local/remotetask/remotetask repair --boot\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!shown.contains("secret of"), "{shown}");
    let url = path();
    assert!(!shown.contains(url.split('/').nth(1).expect("a key")), "no link before a phone finds the NAS: {shown}");
    fs::remove_file(inside("/run/effects/seven")).expect("probe has started it");
    assert_eq!(started(URL, &url), 202);
    assert_eq!(awaited(Path::new(&inside("/run/effects/seven"))), "ran\n");
    // The password is in nothing that was written, on neither machine.
    for place in ["/mnt/upper", "/mnt/nas/run", "/mnt/nas/tmp", PC] {
        let found =
            Command::new("grep").args(["-rlsaF", "--devices=skip", "secret of anna", place]).output().expect("grep");
        assert_eq!((found.status.code(), String::from_utf8_lossy(&found.stdout)), (Some(1), "".into()), "{place}");
    }
    // On the PC nothing secret was an argument, and nothing is left.
    let words = fs::read_to_string(format!("{PC}/words")).expect("words");
    assert!(!words.contains("secret of") && !words.contains(url.split('/').nth(1).expect("a key")), "{words}");
    let folders = work_folders();
    assert!(!folders.is_empty() && folders.iter().all(|folder| !Path::new(folder).exists()), "{folders:?}");

    // Again, by an administrator who needs no password and sits at no terminal.
    let installed = tree();
    let again = install(&[&["auto@nas", "--tasks", "7"][..], &from()].concat());
    assert!(again.ok().contains("Everything was as it should be; nothing was changed.\n"), "{}", again.out);
    assert!(again.out.contains("Task 7 has its URL already: sudo remotetask url 7\n"), "{}", again.out);
    let mut now = tree();
    let log = inside("/usr/local/remotetask/log.txt");
    now.insert(log.clone(), installed[&log].clone());
    now.retain(|path, _| !path.contains("/state/") || installed.contains_key(path));
    same(&installed, &now);

    let dry = install(&["auto@nas", "--uninstall", "--dry-run"]);
    assert!(
        dry.ok().contains("every URL ends\n\nOn auto@nas:\n  to do  Apache reads nothing of ours any more\n"),
        "{}",
        dry.out
    );
    assert!(dry.out.ends_with("  to do  /usr/local/remotetask is gone\nNothing was changed.\n"), "{}", dry.out);
    assert_eq!(status("/"), 200);
    let gone = install(&["auto@nas", "--uninstall"]);
    assert!(gone.ok().ends_with("  done   /usr/local/remotetask is gone\n"), "{}", gone.out);
    let mut now = tree();
    for note in ["7.status", "7.last", "7.began", "7.history"] {
        now.remove(&inside(&format!("{STORE}/{note}")));
    }
    same(&before, &now);
    assert!(install(&["auto@nas", "--uninstall"]).ok().ends_with("There was nothing to take away.\n"));
}

/// An owner, from `./install.sh` to the code on the screen, and a phone that scans it, opens it and is pressed.
#[test]
fn from_nothing_to_a_code_that_a_phone_scans() {
    let _box = Box::new();
    let _address = HomeAddress::new();
    let (code, shown) = at_a_terminal(
        &[&["auto@nas"][..], &from()].concat(),
        &[("for none yet: ", "Check off"), ("remotetask probe): ", ""), ("a, b, c or d: ", "a")],
    );
    assert_eq!(code, 0, "{shown}");
    let base = "http://192.168.1.20:10765";
    for line in [
        &*format!("  done   Apache answers at {base}\n"),
        &format!("good   all of the way works, at {base}\n"),
        "whoever is in that network can read a link while it is used, and use it then.",
        "Scan this with the phone's camera, open it, and put it on the home screen",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    // README.md prepares its reader for these.
    for question in ["Which of them get a URL?", "How shall phones reach it?"] {
        let told = include_str!("../../README.md").contains(&format!("`{question}`"));
        assert!(told && shown.contains(question), "{question}: {shown}");
    }
    // On a light terminal and on a dark one.
    let scanned = seen_on(&shown, true);
    assert_eq!((scanned.len(), &scanned), (1, &seen_on(&shown, false)), "{shown}");
    let panel = &scanned[0];
    assert!(panel.starts_with(&format!("{base}/")), "{panel}");
    let end = &shown[shown.rfind("me: the panel\n").expect("the code")..];
    assert!(!end.contains("Installed.") && end.lines().count() < 40, "the code is the end: {end}");
    pressed(panel, "Check off", &inside("/run/effects/seven"));
    // Again: nothing is asked, and the code comes once more.
    let (code, again) = at_a_terminal(&[&["auto@nas"][..], &from()].concat(), &[("remotetask probe): ", "")]);
    assert_eq!((code, seen_on(&again, false)), (0, scanned), "{again}");
    install(&["auto@nas", "--uninstall"]).ok();
}

#[test]
fn a_dry_run_changes_nothing() {
    let _box = Box::new();
    let before = tree();
    let config = configuration();
    let dry =
        install(&[&["anna@nas", "--vhost", "--dry-run", "--tasks", "7", "--config", &config][..], &from()].concat());
    let expected = "anna@nas: DSM 7.2-64570, x86_64, Linux *\nApache 2.4 is there, and runs programs. PHP is not there. The share for web\npages is /volume1/web.\n  1. take the programs from /mnt/pc/programs\n  \
        2. become root, by sudo, which asks for your password\n  3. install into /usr/local/remotetask, with a rule for sudo that \
        lets the web\n     server's user start remotetask-run alone\n  4. lay out the folder remotetask below the share web, and show you \
        what to\n     click in Web Station\n  5. take /mnt/pc/config.json as its configuration, with digests in place of\n     plain keys\n  \
        6. give the tasks 7 of DSM's Task Scheduler a URL each\n  7. prove with one request that all of the way works\n  \
        8. ask how phones shall reach it, and show the code to scan\n\nNothing was changed. What root alone can see there is not known: sudo on\nanna@nas \
        asks for a password, and there is no terminal here to ask you at.\n";
    assert!(like(dry.ok(), expected), "{}", dry.out);
    assert!(widest(&dry.out) <= 80, "{}", dry.out);
    same(&before, &tree());
    let dry = install(&[&["auto@nas", "--dry-run", "--config", &config][..], &from()].concat());
    assert!(
        dry.ok().contains(" is installed in /usr/local/remotetask\n  to do  config.json is yours, with digests in place of plain keys\n"),
        "{}",
        dry.out
    );
    assert!(dry.out.contains("\nOn auto@nas:\n  to do  remotetask "), "{}", dry.out);
    let root = install(&[&["root@nas", "--dry-run", "--config", &config][..], &from()].concat());
    let by_sudo = dry.out.replace("auto@nas", "root@nas").replace("root, by sudo, which asks for no password", "root");
    assert_eq!(root.ok(), by_sudo);
    assert!(
        dry.out.ends_with("  to do  Apache answers at http://127.0.0.1:10765\nNothing was changed.\n"),
        "{}",
        dry.out
    );
    same(&before, &tree());
}

/// A text without its lines' ends.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_cannot_be_is_said_in_one_sentence_and_changes_nothing() {
    let _box = Box::new();
    let before = tree();
    let config = configuration();
    let example = format!("{PC}/example.json");
    fs::copy(format!("{CLONE}/config.json.example"), &example).expect("copy");
    let why = |arguments: &[&str]| {
        let said = install(&[arguments, &from()].concat());
        assert_eq!(said.code, Some(1), "{}", said.out);
        said.err
    };
    assert_eq!(
        why(&["anna@nas"]),
        "install.sh: sudo on anna@nas asks for a password, and there is no terminal here to ask you at\n"
    );
    assert_eq!(
        why(&["auto@nas", "--config", &example]),
        "remotetask: /mnt/pc/example.json: the magic key #1 stands in a published\nexample: take one that nobody knows, then run this again.\ninstall.sh: your configuration is refused; what stands above says why\n"
    );
    assert_eq!(
        why(&["auto@nas", "--config", "/mnt/pc/none.json"]),
        "install.sh: there is no file /mnt/pc/none.json that could be read\n"
    );
    assert!(why(&["nobody@nas"]).ends_with(
        "install.sh: SSH gets no answer from nobody@nas: is SSH on in DSM (Control Panel, Terminal & SNMP), and is the name right?\n"
    ));
    assert_eq!(
        why(&["guest@nas"]),
        "install.sh: guest is no administrator of DSM, and nobody else may become root there: take a user who is one\n"
    );
    let (code, shown) = at_a_terminal(
        &[&["anna@nas"][..], &from()].concat(),
        &[("sudo: ", "secret of guest"), ("sudo: ", "x"), ("sudo: ", "")],
    );
    assert_eq!(code, 1);
    assert!(
        shown.ends_with(
            "install.sh: sudo on anna@nas does not take this password: is the user an\nadministrator of DSM?\n"
        ),
        "{shown}"
    );
    // Other boxes.
    let pose = |path: &str, change: &dyn Fn(&str) -> Option<String>, expected: &str| {
        let (path, was) = (inside(path), fs::read_to_string(inside(path)).unwrap_or_default());
        let bits = fs::metadata(&path).map_or(0o644, |meta| meta.mode());
        let away = format!("{path}.away");
        fs::rename(&path, &away).expect("away");
        if let Some(text) = change(&was) {
            fs::write(&path, text).expect("posed");
            fs::set_permissions(&path, fs::Permissions::from_mode(bits)).expect("chmod");
        }
        let said = install(&[&["auto@nas", "--config", &config][..], &from()].concat());
        fs::rename(&away, &path).expect("back");
        assert_eq!((said.code, one_line(&said.err).ends_with(expected)), (Some(1), true), "{}", said.out);
    };
    pose(
        "/usr/local/bin/httpd24",
        &|_| None,
        "install.sh: this NAS has no Apache 2.4: install \"Apache HTTP Server 2.4\" in DSM's Package Center, then run this again",
    );
    pose(
        "/etc/group",
        &|_| None,
        "remotetask: this NAS has no user and group http, which web servers run as: install Web Station in DSM's Package Center, \
         then run this again.",
    );
    let uname = |machine: &'static str, kernel: &'static str| {
        move |_: &str| Some(format!("#!/bin/sh\ncase $1 in -m) echo {machine} ;; *) echo {kernel} ;; esac\n"))
    };
    pose(
        "/usr/bin/uname",
        &uname("x86_64", "3.2.101"),
        "install.sh: this NAS has Linux 3.2.101, and the programs need 3.10 or newer: it cannot run them",
    );
    pose(
        "/usr/bin/uname",
        &uname("ppc", "3.10.108"),
        "install.sh: this NAS has the processor ppc, and there are programs for x86_64, aarch64 and armv7l alone",
    );
    same(&before, &tree());
}

#[test]
fn the_owners_own_configuration() {
    let _box = Box::new();
    let config = configuration();
    let done = install(&[&["auto@nas", "--config", &config][..], &from()].concat());
    assert!(done.ok().contains("Sealed: 2."), "{}", done.out);
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 200);
    let there = fs::read(inside("/usr/local/remotetask/config.json")).expect("config.json");
    assert_no_key(&there, "config.json");
    let again = install(&[&["auto@nas", "--config", &config][..], &from()].concat());
    assert_eq!(
        (again.code, &*again.err),
        (
            Some(1),
            "install.sh: there is a configuration on auto@nas already, /usr/local/remotetask/config.json: move it away if yours is \
             to take its place, then run this again\n"
        )
    );
    // By a virtual host, where nobody waits.
    let other = install(&[&["auto@nas", "--vhost", "--no-wait"][..], &from()].concat());
    assert!(other.ok().contains("  2. Web Station, Web Service, Create: "), "{}", other.out);
    assert_eq!(other.out.matches("Now in DSM, once:").count(), 1, "{}", other.out);
    let end = "No phone finds this NAS yet. When Web Station is set up:\n  sudo remotetask phone vhost --url https://that-name\n";
    assert!(other.out.ends_with(end), "{}", other.out);
    // And where somebody does.
    let host = "Listen 127.0.0.1:10765\n<VirtualHost 127.0.0.1:10765>\nDocumentRoot \"/volume1/web/remotetask\"\n\
        <Directory /volume1/web>\nAllowOverride All\nRequire all granted\n</Directory>\n</VirtualHost>\n";
    let clicked = inside("/var/packages/Apache2.4/target/usr/local/etc/apache24/conf/modules.d/more.conf");
    let click = {
        let clicked = clicked.clone();
        std::thread::spawn(move || {
            until("that it waits", || {
                (fs::read_to_string(format!("{PC}/words")).ok()?.contains("'vhost' '--url'")).then_some(())
            });
            fs::write(&clicked, host).expect("clicked");
            service("restart");
        })
    };
    let (code, shown) = at_a_terminal(
        &[&["auto@nas"][..], &from()].concat(),
        &[("remotetask probe): ", ""), ("Enter for later: ", URL)],
    );
    click.join().expect("clicked");
    fs::remove_file(clicked).expect("as it was");
    assert!(code == 0 && shown.contains("good   all of the way works, at http://127.0.0.1:10765\n"), "{shown}");
    // Not at all where the click was faster than the look.
    assert!(shown.matches("Now in DSM, once:").count() < 2, "{shown}");
    let kept = install(&["auto@nas", "--uninstall", "--keep-config"]);
    assert!(kept.ok().ends_with("  done   the programs are gone; kept: config.json keys.json\n"), "{}", kept.out);
    let gone = install(&["auto@nas", "--uninstall"]);
    assert!(gone.ok().ends_with("  done   /usr/local/remotetask is gone\n"), "{}", gone.out);
    assert!(fs::metadata(inside("/usr/local/remotetask")).is_err());
}

/// A program on the NAS, by root there.
fn on_the_nas(words: &[&str]) -> Said {
    said(Command::new("chroot").args([NAS, "/usr/bin/env", "-i", "PATH=/usr/bin:/bin"]).args(words), "")
}

/// The address of a virtual host after the clicks in Web Station.
const CLICKED: &str = "http://127.0.0.1:10770";
const PHP_SOCKET: &str = "/run/php-fpm/php-37a21fc5.sock";

/// The virtual host, clicked before its folder is there: with Apache, in whose PHP profile php-fpm runs.
fn clicked(php: bool) {
    let inside = match php {
        true => format!(
            "LoadModule proxy_module modules/mod_proxy.so\nLoadModule proxy_fcgi_module modules/mod_proxy_fcgi.so\n\
             <VirtualHost 127.0.0.1:10770>\n<FilesMatch \"\\.(php[345]?|phtml)$\">\n\
             SetHandler \"proxy:unix:{PHP_SOCKET}|fcgi://localhost\"\n</FilesMatch>\n"
        ),
        false => "<VirtualHost 127.0.0.1:10770>\n".into(),
    };
    let host = format!(
        "Listen 127.0.0.1:10770\n{inside}DocumentRoot \"/volume1/web/remotetask\"\n<Directory /volume1/web>\n\
         AllowOverride All\nRequire all granted\n</Directory>\n</VirtualHost>\n"
    );
    fs::write(inside_apache("more.conf"), host).expect("clicked");
    service("restart");
}

fn inside_apache(name: &str) -> String {
    inside(&format!("/var/packages/Apache2.4/target/usr/local/etc/apache24/conf/modules.d/{name}"))
}

/// A server on the NAS that ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&self.0),
            rustix::process::Signal::TERM,
        );
        let _ = self.0.wait();
    }
}

fn running(words: &[&str]) -> Running {
    let mut command = Command::new("chroot");
    command.args([NAS, "/usr/bin/env", "-i", "PATH=/usr/bin:/bin"]).args(words);
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Running(quiet.process_group(0).spawn().expect("a server"))
}

/// Web Station's PHP: php-fpm as `http`.
fn php() -> Running {
    let _ = fs::remove_dir_all(inside("/run/php-fpm"));
    fs::create_dir(inside("/run/php-fpm")).expect("a folder");
    let conf = format!(
        "[global]\nerror_log = /run/php-fpm/log\ndaemonize = no\n[www]\nuser = http\ngroup = http\nlisten = {PHP_SOCKET}\n\
         listen.owner = http\nlisten.group = http\npm = static\npm.max_children = 2\n"
    );
    fs::write(inside("/run/php-fpm/conf"), conf).expect("written");
    let found = fs::read_dir("/usr/sbin").expect("/usr/sbin").flatten().map(|entry| entry.path().display().to_string());
    let program = found.filter(|path| path.starts_with("/usr/sbin/php-fpm")).max().expect("php-fpm");
    let server = running(&[&program, "-F", "-n", "-y", "/run/php-fpm/conf"]);
    until("php-fpm", || fs::metadata(inside(PHP_SOCKET)).ok());
    server
}

/// Web Station's nginx with PHP, and our file for it, with the one line fitted.
fn nginx() -> Running {
    let shipped = include_str!("../../webstation/php/nginx.conf");
    let user_conf = shipped.replace("unix:/run/php-fpm/php-YOUR-PROFILE.sock;", &format!("unix:{PHP_SOCKET};"));
    let folder = "/run/nginx-of-the-box";
    let _ = fs::remove_dir_all(inside(folder));
    fs::create_dir(inside(folder)).expect("a folder");
    let kept: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    let conf = format!(
        "user http http; pid {folder}/pid; error_log {folder}/log; daemon off; worker_processes 1;\nevents {{ }}\n\
         http {{ {kept} server {{ listen 127.0.0.1:10770; root /volume1/web/remotetask;\n{user_conf} }} }}\n"
    );
    fs::write(inside(&format!("{folder}/conf")), conf).expect("written");
    let server = running(&["/usr/sbin/nginx", "-c", &format!("{folder}/conf"), "-e", &format!("{folder}/log")]);
    until("nginx", || (status_at(CLICKED, "/") != 0).then_some(()));
    server
}

/// The file that `install.sh --pack` makes, where File Station leaves it.
fn packed() -> String {
    let made = install(&[&["--pack"][..], &from()].concat());
    let name = made.ok().lines().find_map(|line| line.strip_prefix("Made: ")).expect("a file").to_owned();
    let home = "/var/services/homes/anna";
    fs::copy(format!("{CLONE}/{name}"), inside(&format!("{home}/remotetask.run"))).expect("uploaded");
    chown(inside(&format!("{home}/remotetask.run")), Some(1030), Some(100)).expect("anna's");
    format!("{home}/remotetask.run")
}

/// One way in, from nothing to a URL that starts the task, which DSM then shows as run, and back to nothing:
/// by SSH, and by the packed file. `option` is the installer's, or none for what it takes by itself.
#[track_caller]
fn ends_in_a_start(option: &str, base: &str, expected: &str) {
    let starts = |path: &str, by: &str| {
        assert_eq!(started(base, path), 202, "{by} {option}");
        assert_eq!(awaited(Path::new(&inside("/run/effects/seven"))), "ran\n");
        fs::remove_file(inside("/run/effects/seven")).expect("its effect");
        until("that DSM shows it as run", || fs::remove_file(inside(&format!("{STORE}/7.status"))).ok());
    };
    let option: Vec<&str> = option.split_whitespace().collect();
    let url: &[&str] = if base == URL { &[] } else { &["--url", base] };

    let done = install(&[&["auto@nas", "--tasks", "7"][..], &option, &from()].concat());
    assert!(done.ok().contains(expected), "{}", done.out);
    if base != URL {
        assert!(done.out.contains("No phone finds this NAS yet. When Web Station is set up:\n"), "{}", done.out);
        let proof = on_the_nas(&[&["/usr/local/remotetask/remotetask", "prove"][..], url].concat());
        assert!(proof.ok().contains("good   all of the way works"), "{}", proof.out);
    }
    starts(&path(), "by SSH");
    install(&["auto@nas", "--uninstall"]).ok();

    let file = packed();
    let here = on_the_nas(&[&["sh", &file, "--here", "--tasks", "7"][..], &option, url].concat());
    assert!(here.ok().contains("good   all of the way works"), "{}", here.out);
    let page = fs::read_to_string(inside(&format!("{file}.html"))).expect("the page");
    let begin = format!("<code>{base}");
    let panel = page.split(&begin).nth(1).and_then(|rest| rest.split('<').next()).expect("a link");
    let shown = page_at(&format!("{base}{panel}"));
    assert!(shown.contains("<button") && shown.contains("Check off"), "{shown}");
    starts(&path(), "from a share");
    install(&["auto@nas", "--uninstall"]).ok();
    fs::remove_file(inside(&file)).expect("the owner's");
}

/// Boxes of each kind that can work: each way in ends in a URL that starts the task.
#[test]
fn boxes_of_other_kinds() {
    let _box = Box::new();
    let before = tree();
    let version = inside("/etc.defaults/VERSION");
    let was = fs::read_to_string(&version).expect("VERSION");
    let dsm = |product: &str, build: &str| {
        let text =
            format!("majorversion=\"{}\"\nproductversion=\"{product}\"\nbuildnumber=\"{build}\"\n", &product[..1]);
        fs::write(&version, text).expect("VERSION");
    };
    let works = |first: &str| {
        ends_in_a_start("", URL, first);
        ends_in_a_start("--vhost", CLICKED, first);
    };
    clicked(false);
    for (product, build) in [("7.0.1", "42218"), ("7.1.1", "42962"), ("7.3", "81180")] {
        dsm(product, build);
        works(&format!("auto@nas: DSM {product}-{build}, {}, Linux ", machine()));
    }
    // DSM 6.2: its own name for the service manager, and an older list of tasks.
    dsm("6.2.4", "25556");
    let (seven, six) = (inside("/usr/syno/bin/synosystemctl"), inside("/usr/syno/sbin/synoservice"));
    fs::rename(&seven, &six).expect("renamed");
    fs::write(inside("/usr/syno/etc/stand-in"), "old\n").expect("stand-in");
    works(&format!("auto@nas: DSM 6.2.4-25556, {}, Linux ", machine()));
    fs::rename(&six, &seven).expect("back");
    fs::remove_file(inside("/usr/syno/etc/stand-in")).expect("as it was");
    fs::write(&version, was).expect("VERSION");
    let nas = format!("auto@nas: DSM 7.2-64570, {}, Linux ", machine());
    // busybox in the place of the shell and of what it calls.
    let tools = "sh tar gzip cp mv ls awk sed grep cmp chmod chown mkdir readlink tail head wc sha256sum setsid dirname basename";
    let there: Vec<String> = tools.split(' ').map(|tool| inside(&format!("/usr/bin/{tool}"))).collect();
    there.iter().for_each(|tool| {
        fs::rename(tool, format!("{tool}.away")).expect("away");
        std::os::unix::fs::symlink("/usr/bin/busybox", tool).expect("a link");
    });
    let busy = std::panic::catch_unwind(|| {
        // It has a uname of its own, which knows this machine alone.
        if machine() == std::env::consts::ARCH {
            works(&nas)
        }
    });
    there.iter().for_each(|tool| fs::rename(format!("{tool}.away"), tool).expect("back"));
    busy.expect("busybox");
    // No visudo, and the module that runs programs is there and not loaded.
    let visudo = inside("/usr/sbin/visudo");
    let cgid = inside_apache("cgid.conf");
    let loaded = fs::read_to_string(&cgid).expect("cgid.conf");
    fs::rename(&visudo, format!("{visudo}.away")).expect("away");
    fs::write(&cgid, "").expect("not loaded");
    service("restart");
    works(&nas);
    fs::rename(format!("{visudo}.away"), &visudo).expect("back");
    // No such module at all, but PHP.
    fs::create_dir(inside("/var/packages/PHP8.2")).expect("a package");
    let fpm = php();
    clicked(true);
    let modules = ["cgid", "cgi"].map(|name| inside(&format!("/usr/lib/apache2/modules/mod_{name}.so")));
    modules.iter().for_each(|module| fs::rename(module, format!("{module}.away")).expect("away"));
    let no_module =
        "\n  advice the entry point is by PHP, because this Apache has no module that runs\n           programs\n";
    let by_php = std::panic::catch_unwind(|| ends_in_a_start("", CLICKED, no_module));
    modules.iter().for_each(|module| fs::rename(format!("{module}.away"), module).expect("back"));
    by_php.expect("PHP with Apache");
    // No Apache: nginx and PHP.
    service("stop");
    let httpd = inside("/usr/local/bin/httpd24");
    fs::rename(&httpd, format!("{httpd}.away")).expect("away");
    let server = nginx();
    let by_nginx = std::panic::catch_unwind(|| {
        ends_in_a_start("", CLICKED, "\n  advice the entry point is by PHP, because there is no Apache 2.4 here\n");
        ends_in_a_start("--php", CLICKED, &nas);
    });
    drop((server, fpm));
    fs::rename(format!("{httpd}.away"), &httpd).expect("back");
    by_nginx.expect("PHP with nginx");
    fs::remove_dir(inside("/var/packages/PHP8.2")).expect("removed");
    fs::write(&cgid, loaded).expect("as it was");
    fs::remove_file(inside_apache("more.conf")).expect("as it was");
    let mut now = tree();
    now.retain(|path, _| !["/7.last", "/7.began", "/7.history"].iter().any(|note| path.ends_with(note)));
    same(&before, &now);
}

/// Nothing runs for it on the NAS any more.
fn settled() {
    until("the end on the NAS", || {
        let list = Command::new("ps").args(["-eo", "args="]).output().expect("ps");
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        let ours = |line: &&str| line.contains("remotetask.new") && !line.starts_with("ps ");
        (!list.lines().any(|line| ours(&line))).then_some(())
    });
}

#[test]
fn a_connection_that_breaks_leaves_the_old_or_the_new() {
    let _box = Box::new();
    let programs = from();
    // In ssh's place: of the package so many bytes get through, then the connection dies. If it is
    // all, once the programs are in place.
    let ssh = format!("{PC}/bin/ssh");
    let real = fs::read_to_string(&ssh).expect("ssh");
    let breaking = |bytes: &str| {
        let there = match bytes {
            "-0" => {
                let installed = inside("/usr/local/remotetask/remotetask");
                format!("exec 3>&-\nuntil cmp -s {PC}/programs/remotetask {installed}; do sleep 0.05; done")
            }
            _ => "sleep 0.3".to_owned(),
        };
        let text = format!(
            "#!/bin/sh\ncase \"$*\" in *'tar -xzof'*) ;; *) exec /usr/bin/ssh -F {PC}/ssh_config \"$@\" ;; esac\nmkfifo {PC}/pipe\n\
             /usr/bin/ssh -F {PC}/ssh_config -o ControlPath=none \"$@\" <{PC}/pipe &\n\
             exec 3>{PC}/pipe\nrm {PC}/pipe\nhead -c {bytes} >&3\n{there}\nkill -9 $!\nwait $!\nexit 255\n"
        );
        fs::write(&ssh, text).expect("ssh");
    };
    let broken = |bytes: &str| {
        breaking(bytes);
        let said = install(&[&["auto@nas"][..], &programs].concat());
        fs::write(&ssh, &real).expect("ssh");
        settled();
        assert_eq!(
            (said.code, said.err.lines().last()),
            (Some(1), Some("install.sh: the connection to auto@nas broke: what was there before works, or what is new; run this again")),
            "{bytes}: {said:?}"
        );
        let names = fs::read_dir(inside("/usr/local")).expect("names").flatten().map(|entry| entry.file_name());
        let half: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("remotetask.")).collect();
        assert!(half.is_empty(), "{bytes}: {half:?}");
    };
    for bytes in ["0", "1", "100", "100000", "3000000"] {
        let before = tree();
        broken(bytes);
        same(&before, &tree());
    }
    // All of it has come: it goes on to the end by itself.
    broken("-0");
    assert_eq!(status("/"), 200);
    let done = install(&[&["auto@nas"][..], &programs].concat());
    assert!(done.ok().contains("Everything was as it should be; nothing was changed.\n"), "{}", done.out);

    // The same over an installation that works.
    let config = inside("/usr/local/remotetask/config.json");
    fs::copy(configuration(), &config).expect("copy");
    chown(&config, Some(0), Some(1023)).expect("chown");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).expect("chmod");
    let older = |name: &str| {
        let mut file = fs::OpenOptions::new().append(true).open(format!("{PC}/programs/{name}")).expect(name);
        file.write_all(b"newer").expect("written");
    };
    PROGRAMS.iter().for_each(|(name, ..)| older(name));
    for bytes in ["0", "100000", "3000000", "-0"] {
        broken(bytes);
        assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 200, "{bytes}");
    }
}

/// With nothing ready: built here for the NAS's processor, by this machine's own compiler.
#[test]
fn long_what_it_builds_itself() {
    let _box = Box::new();
    let mut command = Command::new("setsid");
    command.args(["--wait", "/bin/sh", &format!("{CLONE}/install.sh"), "auto@nas", "--tasks", "7"]).current_dir("/");
    let programs = std::env::var("REMOTETASK_PATH").expect("tests/nas/box hands it on");
    let done = said(command.env("PATH", format!("{PC}/bin:{programs}")), "");
    assert!(done.ok().contains("good   all of the way works, at http://127.0.0.1:10765\n"), "{}", done.out);
    assert_eq!(started(URL, &path()), 202);
    assert_eq!(awaited(Path::new(&inside("/run/effects/seven"))), "ran\n");
}
