//! installer/bootstrap.sh: what runs on the NAS, as root, before one of the programs can.

use super::*;
use crate::workbench::Said;

const STAGES: &str = "/usr/local/remotetask.new";
/// In the place of the program: it says where it lies, what it was called with, and what it finds.
const PROGRAM: &str = "#!/bin/sh\n[ \"$1\" != --version ] || { echo 'remotetask 0.1.0'; exit; }\necho \"$0 $*\"\n\
    stat -c %a \"${0%/*}\"\numask\npwd\nreadlink /proc/self/fd/0\ngrep -E '^Sig(Ign)' /proc/$$/status\n";

fn text() -> String {
    let text = include_str!("../../../installer/bootstrap.sh");
    text.replace("@PROCESSORS@", "x86_64, aarch64 and armv7l").replace("@PROCESSOR@", "x86_64|aarch64|armv7l")
}

/// A package with this program, as tar and gzip make it.
fn package(program: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("remotetask"), program).expect("the program");
    fs::set_permissions(folder.path().join("remotetask"), fs::Permissions::from_mode(0o700)).expect("chmod");
    let made = Command::new("tar").arg("-C").arg(folder.path()).args(["-czf", "-", "remotetask"]).output();
    made.expect("tar").stdout
}

/// As root's shell executes it, with this package.
fn bootstrap(shell: &str, package: &[u8]) -> Said {
    let mut words = shell.split_whitespace();
    let mut command = Command::new(words.next().expect("a shell"));
    command.args(words).args(["-c", &text(), "install.sh", "setup", "--port"]).env("PATH", "/usr/bin:/bin");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
    // A shell that refuses does not read it.
    let _ = child.stdin.take().expect("stdin").write_all(package);
    let done = child.wait_with_output().expect("its end");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

fn stages() -> Vec<String> {
    let names = fs::read_dir("/usr/local").expect("names").flatten().map(|entry| entry.path().display().to_string());
    names.filter(|name| name.starts_with(STAGES)).collect()
}

fn no_stages() {
    stages().iter().for_each(|stage| fs::remove_dir_all(stage).expect("removed"));
}

#[test]
fn the_program_starts_from_a_folder_of_roots_own() {
    let _nas = Nas::new();
    no_stages();
    let package = package(PROGRAM);
    for shell in ["dash", "busybox ash", "bash --posix", "bash"] {
        let said = bootstrap(shell, &package);
        assert_eq!((said.code, &*said.err), (Some(0), ""), "{shell}: {}", said.out);
        let [stage] = &stages()[..] else { panic!("{shell}: {:?}", stages()) };
        let begin = format!("{stage}/remotetask setup --port\n700\n0077\n/\n/dev/null\n");
        assert!(said.out.starts_with(&begin), "{shell}: {}", said.out);
        // HUP and PIPE, 1 and 13.
        let ignored = said.out.trim_end().rsplit('\t').next().and_then(|word| u64::from_str_radix(word, 16).ok());
        assert_eq!(ignored.map(|ignored| ignored & 0x1001), Some(0x1001), "{shell}: {}", said.out);
        no_stages();
    }
}

#[test]
fn a_package_that_did_not_arrive_as_a_whole() {
    let _nas = Nas::new();
    no_stages();
    let package = package(PROGRAM);
    for shell in ["dash", "busybox ash"] {
        for length in [0, 1, 100, package.len() / 2, package.len() - 1] {
            let said = bootstrap(shell, &package[..length]);
            let sentence = "install.sh: the package did not arrive as a whole; nothing was changed\n";
            assert!(said.code == Some(1) && said.err.ends_with(sentence), "{length}: {said:?}");
            assert_eq!((&*said.out, stages().len()), ("", 0), "{length}");
        }
    }
}

#[test]
fn a_nas_that_cannot_run_the_programs() {
    let _nas = Nas::new();
    no_stages();
    let (own, away) = ("/usr/bin/uname", "/usr/bin/uname.away");
    let why = |machine: &str, kernel: &str, program: &str| {
        fs::rename(own, away).expect("away");
        script(Path::new(own), &format!("case $1 in -m) echo {machine} ;; *) echo {kernel} ;; esac"));
        let said = bootstrap("dash", &package(program));
        fs::rename(away, own).expect("back");
        assert_eq!((said.code, &*said.out, stages().len()), (Some(1), "", 0), "{said:?}");
        said.err
    };
    for kernel in ["2.6.32", "3.2.101", "3.9"] {
        let sentence = format!(
            "install.sh: this NAS has Linux {kernel}, and the programs need 3.10 or newer: it cannot run them\n"
        );
        assert_eq!(why("x86_64", kernel, PROGRAM), sentence);
    }
    assert_eq!(
        why("ppc", "3.10.108", PROGRAM),
        "install.sh: this NAS has the processor ppc, and there are programs for x86_64, aarch64 and armv7l alone\n"
    );
    let begin = "install.sh: these programs do not run on this NAS (x86_64, Linux 3.10.108): ";
    for program in ["#!/bin/sh\necho broken\nexit 1\n", "\u{7f}ELF"] {
        assert!(why("x86_64", "3.10.108", program).starts_with(begin));
    }
}

#[test]
fn folders_of_processes_that_are_no_more() {
    let _nas = Nas::new();
    no_stages();
    for number in ["1", "4194304", "none"] {
        fs::create_dir(format!("{STAGES}.{number}")).expect("a folder");
    }
    let said = bootstrap("dash", &package(PROGRAM));
    assert_eq!(said.code, Some(0), "{said:?}");
    let own = said.out.split("/remotetask ").next().expect("its folder");
    let mut left = stages();
    left.sort();
    let mut expected = vec![format!("{STAGES}.1"), own.to_owned()];
    expected.sort();
    assert_eq!(left, expected);
    no_stages();
}
