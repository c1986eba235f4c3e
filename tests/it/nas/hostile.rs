//! Attacks on `setup`, `repair` and `uninstall`: files that another user has put into the installation, or holds open.

use std::io::Write;
use std::os::unix::fs::{symlink, MetadataExt};

use super::first_hour::bench;
use super::install::{order, package, status, unpack, Bare, DROP_IN, RULE};
use super::*;

fn as_http(script: &str) -> Child {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=1023", "--regid=1023", "--clear-groups", "python3", "-c", script]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("python3")
}

/// A link in the place of a folder of the table leads to somebody else's files.
#[test]
fn a_link_for_a_folder_is_not_gone_into() {
    let _bare = Bare::installed("true");
    let sudoers = fs::read("/etc/sudoers").expect("sudoers");
    let others = || ["/etc/remotetask.conf", "/etc/php/index.php"].map(|path| Path::new(path).exists());
    let before = others();
    fs::remove_dir_all(at("webstation")).expect("removed");
    symlink("/etc", at("webstation")).expect("a link");
    let said = order(&["repair", "--boot"]);
    assert!(said.code == Some(1) && said.out.contains("/usr/local/remotetask/webstation is a link, "), "{}", said.out);
    assert_eq!(fs::read("/etc/sudoers").expect("sudoers"), sudoers);
    assert_eq!(others(), before);
    fs::remove_file(at("webstation")).expect("removed");
    order(&["repair"]).ok();
}

/// A second name of a file elsewhere is neither closed nor opened to others.
#[test]
fn a_hard_link_is_not_given_a_mode() {
    let _bare = Bare::installed("true");
    let mode = fs::metadata("/etc/shadow").expect("shadow").mode();
    fs::remove_file(at("webstation/sudoers")).expect("removed");
    fs::hard_link("/etc/shadow", at("webstation/sudoers")).expect("a hard link");
    let said = order(&["repair"]);
    assert!(said.code == Some(1) && said.out.contains("is no regular file with this one name"), "{}", said.out);
    assert_eq!(fs::metadata("/etc/shadow").expect("shadow").mode(), mode);
}

/// log.txt is the web server's user's own, so that user may hold a lease on it.
#[test]
fn a_lease_on_the_log_keeps_nothing_from_being_put_back() {
    let bare = Bare::installed("true");
    let mut holder = as_http(
        "import fcntl, os, sys\nfd = os.open('/usr/local/remotetask/log.txt', os.O_RDWR)\nos.fchmod(fd, 0o666)\n\
         fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)\nopen('/run/effects/held', 'w').close()\nsys.stdin.read()",
    );
    mode("/run/effects", 0o777);
    until("the lease", || Path::new("/run/effects/held").exists().then_some(()));
    fs::remove_file(RULE).expect("as an update of DSM does");
    fs::remove_file(DROP_IN).expect("as an update of DSM does");
    let said = order(&["repair", "--boot"]);
    let _ = holder.kill();
    let _ = holder.wait();
    assert!(Path::new(RULE).exists() && Path::new(DROP_IN).exists(), "{said:?}");
    assert_eq!(fs::metadata(at("log.txt")).expect("the log").mode() & 0o777, 0o640, "{}", said.out);
    drop(bare);
}

/// A record or a pipe that was left in state/ while others could write there is neither obeyed nor waited for.
#[test]
fn what_others_left_in_state_goes() {
    let _bare = Bare::installed("true");
    order(&["repair"]).ok();
    mode(&at("state"), 0o777);
    let _ = fs::remove_file(at("state/workbench"));
    assert!(Command::new("mkfifo").arg(at("state/workbench")).status().expect("mkfifo").success());
    chown(at("state/workbench"), Some(HTTP), Some(HTTP)).expect("chown");
    fs::write("/etc/theirs.allow", "").expect("an empty file");
    fs::write(at("state/pages"), "[\"/etc/theirs.allow\"]").expect("a note");
    chown(at("state/pages"), Some(HTTP), Some(HTTP)).expect("chown");
    symlink("/etc/hello-from-http", at("state/link")).expect("a link");
    fs::create_dir(at("state/theirs")).expect("a folder");
    chown(at("state/theirs"), Some(HTTP), Some(HTTP)).expect("chown");
    let said = order(&["repair", "--boot"]);
    assert!(
        said.ok().contains("  done   /usr/local/remotetask/state is closed again: others could write it\n"),
        "{}",
        said.out
    );
    for gone in ["workbench", "pages", "link", "theirs"] {
        assert!(fs::symlink_metadata(at(&format!("state/{gone}"))).is_err(), "{gone}");
    }
    assert!(Path::new("/etc/theirs.allow").exists() && !Path::new("/etc/hello-from-http").exists());
    bench(&["key", "new", "--label", "guest"]).ok();
    // A note of theirs alone names no page, whoever made the folder.
    fs::write(at("state/pages"), "[\"/etc/theirs.allow\"]").expect("a note");
    chown(at("state/pages"), Some(HTTP), Some(HTTP)).expect("chown");
    order(&["uninstall", "--keep-config"]).ok();
    assert!(Path::new("/etc/theirs.allow").exists());
}

/// A user who could write a file may still have it open: the action that is shown leaves no way in.
#[test]
fn an_open_descriptor_writes_into_nothing() {
    let _bare = Bare::installed("true");
    bench(&["key", "new", "--label", "guest"]).ok();
    let good = fs::read(at("config.json")).expect("config.json");
    chown(at("config.json"), Some(0), Some(HTTP)).expect("chown");
    mode(&at("config.json"), 0o666);
    let mut held = fs::OpenOptions::new().write(true).open(at("config.json")).expect("held");
    let said = order(&["repair"]);
    let typed: Vec<&str> = said
        .out
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("sudo ") && !line.contains("sudo remotetask"))
        .collect();
    assert_eq!(typed.len(), 3, "{}", said.out);
    for line in typed {
        assert!(Command::new("sh").args(["-c", line]).status().expect("sh").success(), "{line}");
    }
    order(&["repair"]).ok();
    held.write_all(b"{\"magickey\": \"theirs-theirs\", \"tasks\": {}}").expect("into nothing");
    assert_eq!(fs::read(at("config.json")).expect("config.json"), good);
    assert!(bench(&["check"]).out.contains("everything that can be looked at from here works"));
    // Closed by its owner's own chmod: repair takes a copy as well.
    mode(&at("config.json"), 0o644);
    let mut held = fs::OpenOptions::new().write(true).open(at("config.json")).expect("held");
    assert!(order(&["repair"]).ok().contains("config.json has its owner and mode again"));
    held.write_all(b"{}").expect("into nothing");
    assert_eq!(fs::read(at("config.json")).expect("config.json"), good);
}

/// Unpacked as another user's: nothing of it becomes root's.
#[test]
fn a_package_that_others_could_write_is_refused() {
    let _bare = Bare::new();
    for (name, owner, bits) in
        [("remotetask-run", 1026, 0o755), ("remotetask-cgi", 0, 0o777), ("config.json", 1026, 0o666)]
    {
        unpack();
        let path = format!("/run/package/{name}");
        if name == "config.json" {
            fs::write(&path, format!("{{\"magickey\": \"{MAGIC}\", \"tasks\": {{}}}}")).expect("theirs");
        }
        chown(&path, Some(owner), Some(owner)).expect("chown");
        mode(&path, bits);
        let said = package(&["setup"]);
        assert_eq!((said.code, &*said.out), (Some(1), ""), "{name}");
        assert!(said.err.starts_with(&format!("remotetask: others than root can change {path}")), "{}", said.err);
        assert!(!Path::new(FOLDER).exists());
    }
    // A dry run leaves the owner's own configuration in a package as it is.
    unpack();
    let plain = format!("{{\"magickey\": \"{MAGIC}\", \"tasks\": {{}}}}");
    fs::write("/run/package/config.json", &plain).expect("mine");
    mode("/run/package/config.json", 0o600);
    package(&["setup", "--dry-run"]).ok();
    assert_eq!(fs::read_to_string("/run/package/config.json").expect("mine"), plain);
    assert!(!Path::new("/run/package/state").exists());
    assert_eq!(status("/"), 0);
}
