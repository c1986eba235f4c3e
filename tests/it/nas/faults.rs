//! `setup`, `repair` and `uninstall` that are killed, or have an error, at any call of theirs that changes something, by
//! strace(1): the next order puts everything right. What says that all is in its place is believed only where it is.
#![allow(clippy::print_stdout)] // figures

use super::install::{order, package, setup, tree, unpack, Bare, DROP_IN, RULE};
use super::*;
use crate::faults::{calls, each, Fault};

const PACKAGE: &str = "/run/package/remotetask";
const TRACE: &str = "/run/trace";
/// One error in so many is tried: each takes some seconds.
const ERRORS: usize = 23;
const WELL: &str = "Everything was as it should be; nothing was changed.\n";

/// An order: the program that is traced, and its word.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    Setup,
    Repair,
    Uninstall,
}

impl Order {
    /// The NAS on which it has something to do.
    fn prepared(self) -> Bare {
        let bare = Bare::new();
        unpack();
        if self != Order::Setup {
            setup(&[]).ok();
        }
        if self == Order::Repair {
            damage();
        }
        bare
    }

    fn words(self) -> (String, &'static str) {
        match self {
            Order::Setup => (PACKAGE.into(), "setup"),
            Order::Repair => (at("remotetask"), "repair"),
            Order::Uninstall => (at("remotetask"), "uninstall"),
        }
    }

    /// Under strace with these words.
    fn traced(self, words: &[String]) -> Answer {
        let (program, word) = self.words();
        let mut command = Command::new("/usr/bin/strace");
        command.args(["-o", TRACE]).args(words).args([&program, word]);
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(command.spawn().expect("strace"))
    }

    /// The order once more, or what stands for it where it took its own program away.
    fn again(self) {
        match self {
            Order::Setup => drop(package(&["setup"]).ok()),
            Order::Repair => drop(order(&["repair"]).ok()),
            Order::Uninstall => {
                if !Path::new(&at("remotetask")).exists() {
                    package(&["setup"]).ok();
                }
                order(&["uninstall"]).ok();
            }
        }
    }
}

/// Losses by updates, and changes by others.
fn damage() {
    for gone in [RULE, DROP_IN, LINK, BOOT] {
        fs::remove_file(gone).expect(gone);
    }
    fs::remove_file(at("webstation/sudoers")).expect("a text");
    fs::remove_file(at("log.txt")).expect("log.txt");
    mode(&at("remotetask-cgi"), 0o755);
    mode(&at("state"), 0o755);
}

/// Everything that a NAS has: with the installation, and without.
fn expected() -> [Tree; 2] {
    let _bare = Bare::new();
    let without = tree();
    setup(&[]).ok();
    [tree(), without]
}

/// A kill at each call of an order that changes something, and some of the errors that its calls can have.
fn sweep(of: Order) {
    let [with, without] = expected();
    let bare = of.prepared();
    of.traced(&[]).quiet();
    drop(bare);
    let plan = calls(&fs::read_to_string(TRACE).expect("a trace"));
    let all: Vec<Fault> = plan.iter().flat_map(|seen| seen.faults("remotetask")).collect();
    let (killing, failing): (Vec<_>, Vec<_>) = all.iter().partition(|fault| fault.what == "signal=KILL");
    let faults: Vec<&Fault> =
        killing.into_iter().step_by(each()).chain(failing.into_iter().step_by(ERRORS * each())).collect();
    let mut wrong = Vec::new();
    for fault in &faults {
        let _bare = of.prepared();
        let Fault { call, at, what, .. } = fault;
        let words = ["-e".into(), format!("trace={call}"), "-e".into(), format!("inject={call}:{what}:when={at}")];
        let answer = of.traced(&words);
        let right = if of == Order::Uninstall { &without } else { &with };
        let says_well =
            answer.text().contains("Everything is in its place") || of != Order::Setup && answer.code == Some(0);
        let mut differs = |when: &str| {
            let now = tree();
            // Without its holder the file of a lock is nobody's trouble.
            let all = right.keys().chain(now.keys()).filter(|path| *path != "/usr/local/remotetask.lock");
            let differ: Vec<&String> = all.filter(|path| right.get(*path) != now.get(*path)).collect();
            if !differ.is_empty() {
                wrong.push(format!("{call} {at} {what}: {when}: {differ:?}; {}", answer.text()));
            }
        };
        if says_well {
            differs("it says that all is well");
        }
        of.again();
        differs("after the next order");
        if of != Order::Uninstall {
            assert_eq!(order(&["repair"]).ok(), WELL, "{fault:?}");
        }
    }
    println!("{} faults", faults.len());
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// A sudo that does not say what it lets `http` do: the rule is taken out again, and nothing says that all is well.
#[test]
fn a_rule_whose_effect_cannot_be_seen() {
    let _bare = Bare::new();
    let (sudo, real) = ("/usr/bin/sudo", "/usr/bin/sudo.real");
    fs::rename(sudo, real).expect("away");
    script(Path::new(sudo), "case \" $* \" in *' -l '*) exit 3 ;; esac; exec /usr/bin/sudo.real \"$@\"");
    let said = setup(&[]);
    fs::rename(real, sudo).expect("back");
    assert!(said.code == Some(1) && !Path::new(RULE).exists(), "{}", said.out);
    assert!(!said.out.contains("Everything is in its place"), "{}", said.out);
    package(&["setup"]).ok();
    assert!(Path::new(RULE).exists());
}

#[test]
fn long_faults_of_setup() {
    sweep(Order::Setup);
}

#[test]
fn long_faults_of_repair() {
    sweep(Order::Repair);
}

#[test]
fn long_faults_of_uninstall() {
    sweep(Order::Uninstall);
}
