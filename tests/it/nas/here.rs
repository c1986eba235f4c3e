//! One file a processor (`install.sh --pack`), put on a share and started from a task of the Task Scheduler,
//! for owners without SSH.

use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use super::first_hour::bench;
use super::install::{order, status, tree, Bare};
use super::php::{by_nginx, fitted};
use super::*;
use crate::browser::pressed;
use crate::workbench::said;

const HOME: &str = "/volume1/homes/clara";
const CLARA: (u32, u32) = (1026, 100);

/// The file as File Station leaves it in clara's home, and the NAS.
struct Uploaded {
    bare: Bare,
    file: String,
}

/// The file, made once, because packing takes longer than most of what the tests do with it.
static MADE: OnceLock<String> = OnceLock::new();

fn made() -> String {
    let clone = env!("CARGO_MANIFEST_DIR");
    let folder = tempfile::tempdir().expect("a folder");
    for (name, program, _) in programs() {
        fs::copy(program, folder.path().join(name)).expect("copy");
    }
    let made = Command::new("/bin/sh")
        .args([&format!("{clone}/install.sh"), "--pack", "--from", &folder.path().display().to_string()])
        .output()
        .expect("install.sh");
    let words = String::from_utf8_lossy(&made.stdout);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    format!("{clone}/{}", words.lines().find_map(|line| line.strip_prefix("Made: ")).expect("a file"))
}

impl Uploaded {
    fn new() -> Uploaded {
        let bare = Bare::new();
        let _ = fs::remove_dir_all(HOME);
        fs::create_dir_all(HOME).expect("a folder");
        let made = MADE.get_or_init(made);
        let file = format!("{HOME}/{}", Path::new(made).file_name().expect("a name").to_string_lossy());
        fs::copy(made, &file).expect("uploaded");
        for path in [HOME, &file] {
            chown(path, Some(CLARA.0), Some(CLARA.1)).expect("chown");
        }
        uname(machine());
        bare.nas.scheduled(7, "disabled", "echo ran >>/run/effects/seven");
        bare.nas.scheduled(8, "disabled", "echo ran >>/run/effects/eight");
        Uploaded { bare, file }
    }

    /// From a task of root's, as the Task Scheduler starts it; its exit code, and the words of the task's result.
    fn task(&self, words: &str) -> (i32, String) {
        self.task_by("sh", words)
    }

    fn task_by(&self, shell: &str, words: &str) -> (i32, String) {
        let effects = "/run/effects";
        let _ = fs::remove_file(format!("{effects}/end"));
        let line = format!("{shell} {} {words} >{effects}/result 2>&1\necho $? >{effects}/end", self.file);
        self.bare.nas.scheduled(9, "enabled", &line);
        let run = Command::new("/usr/syno/bin/synoschedtask").args(["--run", "id=9", "check_time=0"]).status();
        assert!(run.expect("synoschedtask").success());
        let code = self.bare.nas.effect_awaited("end").trim().parse().expect("a code");
        until("that DSM has noted it", || fs::metadata(format!("{STORE}/9.status")).ok());
        for note in ["task", "status", "last"] {
            let _ = fs::remove_file(format!("{STORE}/9.{note}"));
        }
        (code, self.bare.nas.effect("result"))
    }

    fn page(&self) -> String {
        format!("{}.html", self.file)
    }

    /// The paths of the URLs on the page, read without opening it: that would be its end.
    #[track_caller]
    fn urls(&self, base: &str) -> Vec<String> {
        let text = fs::read_to_string(self.page()).expect("the page");
        let begin = format!("<code>{base}");
        text.split(&begin).skip(1).map(|part| part.split('<').next().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Uploaded {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all("/volume1/homes");
    }
}

/// The words of a task's result without its lines' ends.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A NAS with this processor.
fn uname(machine: &str) {
    let (own, real) = ("/usr/bin/uname", "/usr/bin/uname.own");
    if fs::metadata(real).is_err() {
        fs::rename(own, real).expect("away");
    }
    script(Path::new(own), &format!("[ \"$*\" != -m ] || {{ echo {machine}; exit; }}\nexec {real} \"$@\""));
}

/// But for the scheduler's store, which each start by a task changes.
fn same_as(before: &Tree) {
    let rest = |tree: &Tree| tree.clone().into_iter().filter(|(path, _)| !path.starts_with(STORE)).collect();
    same(&rest(before), &rest(&tree()));
}

#[test]
fn from_a_share_to_a_scheduled_task_by_url() {
    for shell in ["dash", "busybox ash", "bash --posix"] {
        // busybox has a uname of its own, which knows this machine alone.
        if shell.starts_with("busybox") && machine() != std::env::consts::ARCH {
            continue;
        }
        let up = Uploaded::new();
        let before = tree();
        let (code, result) = up.task_by(shell, "--here --dry-run --tasks 7");
        let end = "Nothing was changed.\nAnd these tasks would get a URL: 7\n";
        assert!(code == 0 && result.ends_with(end), "{shell}: {result}");
        same_as(&before);

        let (code, result) = up.task_by(shell, "--here --tasks '7,Task 8'");
        assert_eq!(code, 0, "{shell}: {result}");
        for line in [
            "  done   Apache answers at http://127.0.0.1:10765\n",
            "  done   task 7 has a URL\n  done   task 8 has a URL\n",
            "good   all of the way works, at http://127.0.0.1:10765\n",
            "\nNot done yet: no phone finds these links, because no address of this NAS is\nknown. Write ",
            "\n    /usr/local/remotetask/remotetask repair --boot\n",
        ] {
            assert!(result.contains(line), "{line}: {result}");
        }
        assert!(
            words(&result).contains(&format!("Your URLs stand in {}: open it in File Station.", up.page())),
            "{result}"
        );
        // For its owner alone, and all that shows a URL.
        let meta = fs::metadata(up.page()).expect("the page");
        assert_eq!((meta.uid(), meta.gid(), meta.mode() & 0o7777), (CLARA.0, CLARA.1, 0o600));
        let urls = up.urls("http://127.0.0.1:10765");
        let [panel] = &urls[..] else { panic!("one link: {urls:?}") };
        assert_eq!(status(panel), 200, "{shell}");
        for (task, name) in [("7", "seven"), ("8", "eight")] {
            assert_eq!(posted(&url_of(task)), 202, "{shell}");
            assert_eq!(up.bare.nas.effect_awaited(name), "ran\n");
        }
        for key in panel.split('/').skip(1) {
            assert!(key.len() == 26 && !result.contains(key), "{result}");
        }

        // Again: nothing changes, and there is a page anew.
        let (code, again) = up.task_by(shell, "--here --tasks 7");
        assert!(code == 0 && again.starts_with("Everything was as it should be; nothing was changed.\n"), "{again}");
        assert_eq!(up.urls("http://127.0.0.1:10765"), urls);
        assert!(bench(&["check"]).out.contains("everything that can be looked at from here works"));

        order(&["uninstall"]).ok();
        assert!(fs::metadata(up.page()).is_err(), "the page goes with the rest");
        same_as(&before);
    }
}

/// The path of a task.
fn url_of(task: &str) -> String {
    bench(&["url", task]).ok().lines().find_map(|line| line.trim().strip_suffix("?ask")).map(path_of).expect("a link")
}

fn path_of(url: &str) -> String {
    let (_, rest) = url.split_once("://").expect("a URL");
    rest[rest.find('/').expect("a path")..].to_owned()
}

/// The status of a start at the NAS's own port.
fn posted(path: &str) -> u16 {
    let mut curl = Command::new("curl");
    curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", &format!("http://127.0.0.1:10765{path}")]);
    String::from_utf8_lossy(&curl.output().expect("curl").stdout).parse().unwrap_or(0)
}

/// One line to paste, and the page has the code that a phone scans, opens and starts a task with.
#[test]
fn from_a_share_to_a_code_that_a_phone_scans() {
    let up = Uploaded::new();
    let _address = HomeAddress::new();
    let (code, result) = up.task("--here --tasks 'Task 7' --phones home");
    let base = "http://192.168.1.20:10765";
    assert!(code == 0 && result.contains(&format!("good   all of the way works, at {base}\n")), "{result}");
    assert!(
        words(&result).contains("Without https whoever is in that network can read a link while it is used"),
        "{result}"
    );
    assert!(words(&result).contains("Now delete ") && !result.contains("Not done yet"), "{result}");
    let panel = crate::page::code(&fs::read_to_string(up.page()).expect("the page"));
    assert!(panel.starts_with(&format!("{base}/")) && !result.contains(&panel), "{panel}");
    pressed(&panel, "Task 7", "/run/effects/seven");
    // By DSM's reverse proxy, which nobody has set up yet: the fields to fill in.
    let (code, result) = up.task("--here --phones proxy --url http://127.0.0.1:10766");
    assert_eq!(code, 1, "{result}");
    for line in [
        "  Source       Protocol    HTTP\n               Hostname    127.0.0.1\n               Port        10766\n",
        "  Destination  Protocol    HTTP\n               Hostname    192.168.1.20\n               Port        10765\n",
        "And its certificate: Control Panel, Security, Certificate: Add one for",
    ] {
        assert!(result.contains(line), "{line}: {result}");
    }
    assert!(words(&result).contains("the start page does not answer there yet: Nothing answers at "), "{result}");
}

#[test]
fn by_php_and_with_an_address() {
    let up = Uploaded::new();
    let (code, result) = up.task("--here --php --tasks 7");
    assert_eq!(code, 0, "{result}");
    let next = "--phones vhost --url https://that-name for a virtual host of Web Station's.";
    assert!(words(&result).contains(next) && result.contains("Document root          web/remotetask"), "{result}");
    assert_eq!(result.matches("Now in DSM, once:").count(), 1, "{result}");
    // The owner's clicks.
    let server: Server = by_nginx(&fitted(), "");
    let base = format!("http://127.0.0.1:{}", server.port);
    let (code, result) = up.task(&format!("--here --php --tasks 7 --url {base}"));
    assert!(code == 0 && result.contains(&format!("good   all of the way works, at {base}\n")), "{result}");
    let end = format!("Now delete {} and this task: whoever could change that file ", up.file);
    assert!(words(&result).contains(&end) && !result.contains("Not done yet"), "{result}");
    assert!(!result.contains("Now in DSM"), "nothing is left to click: {result}");
    let panel = up.urls(&base).remove(0);
    assert!(server.get(&panel).body.contains("<button"));
    bench(&["set", "7", "get", "run"]).ok();
    assert_eq!(server.get(&url_of("7")).body, "Task started: Task 7 (handed to DSM)\n");
    assert_eq!(up.bare.nas.effect_awaited("seven"), "ran\n");
}

#[test]
fn what_it_refuses_changes_nothing() {
    let up = Uploaded::new();
    let before = tree();
    fs::write("/run/broken.json", "{").expect("a file");
    fs::write("/run/mark.json", "\u{feff}{}").expect("a file");
    fs::write("/run/example.json", include_str!("../../../config.json.example")).expect("a file");
    for (words, expected) in [
        ("--here --config config.json", "--config needs a whole path, such as /volume1/homes/anna/config.json"),
        ("--here --config /run/none.json", "/run/none.json could not be read: there is no such file."),
        ("--here --config /run/broken.json", "/run/broken.json, line 1, column 1: "),
        (
            "--here --config /run/example.json",
            "/run/example.json: the magic key #1 stands in a published example: take one that nobody knows, then run this \
             again.",
        ),
        (
            "--here --config /run/mark.json",
            "/run/mark.json, line 1, column 1: the file begins with a byte order mark; save it as UTF-8 without BOM.",
        ),
    ] {
        let (code, result) = up.task(words);
        let said = self::words(&result);
        assert!(code == 1 && said.starts_with(&format!("remotetask: {expected}")), "{words}: {result}");
        assert!(!result.contains("/usr/local/remotetask.new"), "{result}");
    }
    for (words, expected) in [
        ("", "Usage: sh remotetask-"),
        ("--uninstall", "there is no --uninstall here"),
        ("--here --prot", "there is no --prot here"),
        ("--here https://nas.example.org/a/b", "there is a word here that belongs to no option"),
    ] {
        let (code, result) = up.task(words);
        assert!(code == 2 && result.contains(expected), "{words}: {result}");
    }
    let (code, help) = up.task("--help");
    assert!(code == 0 && help.lines().all(|line| line.chars().count() <= 80), "{help}");
    let as_clara = |words: &str| {
        let done = Command::new("setpriv")
            .args(["--reuid=1026", "--regid=100", "--clear-groups", "sh", &up.file, words])
            .output()
            .expect("setpriv");
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (code, why) = as_clara("--here");
    assert!(
        code == Some(1)
            && why.ends_with("this needs root: make a task in the Task Scheduler, user root, that starts it\n"),
        "{why}"
    );
    // Another NAS's file, and a NAS that there is no file for.
    let (ours, other) = (machine(), if machine() == "armv7l" { "aarch64" } else { "armv7l" });
    let wrong = format!(
        "this file is for the processor {ours}, and this NAS has {other}: take remotetask-{}-{other}.run",
        env!("CARGO_PKG_VERSION")
    );
    let none = "this NAS has the processor ppc, and there are programs for x86_64, aarch64 and armv7l alone".into();
    for (machine, expected) in [(other, wrong), ("ppc", none)] {
        uname(machine);
        let (code, result) = up.task("--here");
        assert!(
            code == 1 && result == format!("remotetask-{}-{ours}.run: {expected}\n", env!("CARGO_PKG_VERSION")),
            "{result}"
        );
    }
    uname(ours);
    same_as(&before);
}

/// As much of it as an upload that broke off leaves.
#[test]
fn half_a_file_does_nothing() {
    let up = Uploaded::new();
    let whole = fs::read(&up.file).expect("the file");
    let text = whole.windows(6).position(|part| part == b"\nexit\n").expect("the end of the text") + 6;
    let before = tree();
    for length in [0, 100, text / 2, text - 20, text, text + 1, text + 100_000, whole.len() - 1] {
        fs::write(&up.file, &whole[..length]).expect("a part");
        let (code, result) = up.task("--here --tasks 7");
        match length >= text {
            true => assert!(
                code == 1 && result.ends_with("is not complete, or was changed: upload it again\n"),
                "{length}: {result}"
            ),
            false => assert!(!result.contains("done"), "{length}: {result}"),
        }
        assert_eq!(status("/"), 0, "{length}");
    }
    fs::write(&up.file, whole).expect("whole again");
    same_as(&before);
}

/// The file has its own sum. Where a NAS has no program for sums, gzip's own of the package is compared.
#[test]
fn a_changed_file_does_nothing() {
    let up = Uploaded::new();
    let whole = fs::read(&up.file).expect("the file");
    let text = whole.windows(6).position(|part| part == b"\nexit\n").expect("the end of the text") + 6;
    let comment = whole.windows(8).position(|part| part == b"# Remote").expect("a comment") + 2;
    let before = tree();
    let changed = |at: usize| {
        let mut content = whole.clone();
        content[at] ^= 1;
        fs::write(&up.file, content).expect("changed");
        let (code, result) = up.task("--here --tasks 7");
        let end = format!("{} is not complete, or was changed: upload it again\n", up.file);
        assert!(code == 1 && result.ends_with(&end), "{at}: {result}");
        assert_eq!(status("/"), 0, "{at}");
    };
    [comment, text + 4, text + 100_000, whole.len() - 1].into_iter().for_each(changed);
    fs::rename("/usr/bin/sha256sum", "/usr/bin/sha256sum.away").expect("away");
    changed(text + 100_000);
    fs::write(&up.file, &whole).expect("whole again");
    let (code, result) = up.task("--here --dry-run");
    assert!(code == 0 && result.ends_with("Nothing was changed.\n"), "{result}");
    fs::rename("/usr/bin/sha256sum.away", "/usr/bin/sha256sum").expect("back");
    same_as(&before);
}

#[test]
fn without_tasks_it_shows_what_there_is_and_a_wrong_one_is_said() {
    let up = Uploaded::new();
    let (code, result) = up.task("--here");
    assert_eq!(code, 0, "{result}");
    assert!(
        result.contains("     7  Task 7\n")
            && words(&result).contains("such as --tasks \"7,Check off\", and run it again. "),
        "{result}"
    );
    assert!(fs::metadata(up.page()).is_err());
    assert!(words(&result).contains("Not done yet: see above. When you have your URLs, delete "), "{result}");
    let (code, result) = up.task("--here --tasks '7, 70,--help'");
    assert!(
        code == 1 && result.contains("  done   task 7 has a URL\n  fault  the Task Scheduler has no task 70; "),
        "{result}"
    );
    let (code, result) = up.task("--here --tasks '“6'");
    assert!(
        code == 1 && words(&result).contains("fault “6 has curly quotes in it, which a shell does not know"),
        "{result}"
    );
    let (code, result) = up.task("--here --url http://127.0.0.1:1");
    assert!(
        code == 1 && words(&result).contains("a request by that address does not come all the way: see above"),
        "{result}"
    );
}

/// Each way is watched for a quarter of a minute.
#[test]
fn long_which_way_starts_a_task_here() {
    let up = Uploaded::new();
    let said = said(Command::new("sh").args([&up.file, "--here", "--tasks", "7", "--probe", "8"]), "");
    assert!(said.ok().contains("\nTask 8 (Task 8) will be started up to "), "{}", said.out);
    assert!(fs::read_to_string(at("config.json")).expect("it").contains("\"scheduler\""), "{}", said.out);
    assert!(up.urls("http://127.0.0.1:10765").len() == 1);
}

/// A NAS that was switched off meanwhile has a page that nobody takes away but its boot.
#[test]
fn a_page_that_was_left_goes_at_boot() {
    let up = Uploaded::new();
    up.task("--here --tasks 7");
    let page = up.page();
    assert!(fs::metadata(&page).is_ok());
    order(&["repair", "--boot"]).ok();
    assert!(fs::metadata(&page).is_err());
    // Something else in its place holds up nothing.
    up.task("--here --tasks 7");
    fs::remove_file(&page).expect("removed");
    fs::create_dir(&page).expect("a folder");
    fs::remove_file(super::install::RULE).expect("as an update of DSM does");
    order(&["repair", "--boot"]).ok();
    assert!(Path::new(super::install::RULE).exists());
    fs::remove_dir(&page).expect("removed");
    // No link leads it to what is somebody else's.
    up.task("--here --tasks 7");
    fs::create_dir("/volume1/other").expect("a folder");
    fs::copy(&page, format!("/volume1/other/{}", Path::new(&page).file_name().expect("a name").to_string_lossy()))
        .expect("copy");
    fs::rename(HOME, format!("{HOME}.away")).expect("away");
    std::os::unix::fs::symlink("/volume1/other", HOME).expect("a link");
    let start = order(&["repair", "--boot"]);
    assert!(
        start.ok().contains("  advice a page with URLs may still be there and cannot be looked for, "),
        "{}",
        start.out
    );
    assert_eq!(fs::read_dir("/volume1/other").expect("it").count(), 1);
    fs::remove_file(HOME).expect("removed");
    fs::remove_dir_all("/volume1/other").expect("removed");
    fs::rename(format!("{HOME}.away"), HOME).expect("back");
}
