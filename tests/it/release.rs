//! `installer/release`: the files that an owner without Rust downloads, and what is made of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::*;

const CLONE: &str = env!("CARGO_MANIFEST_DIR");
/// The processors, and their numbers in ELF's header.
const PROCESSORS: [(&str, u8); 3] = [("x86_64", 62), ("aarch64", 183), ("armv7l", 40)];

fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The exit code, and what was said on both outputs.
fn done(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().expect("a program");
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

fn release(words: &[&str]) -> (Option<i32>, String) {
    done(Command::new(format!("{CLONE}/installer/release")).args(words))
}

/// Stand-ins for the programs, in a folder for each processor.
fn programs_for_all(folder: &Path) {
    for (machine, number) in PROCESSORS {
        fs::create_dir_all(folder.join(machine)).expect("a folder");
        for (name, mode) in PROGRAMS {
            let mut program = b"\x7fELF.............................".to_vec();
            program[18] = number;
            let path = folder.join(machine).join(name);
            fs::write(&path, [&program, name.as_bytes()].concat()).expect("written");
            chmod(&path, mode);
        }
    }
}

fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("chmod");
}

/// The files of a folder, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entry = |path: PathBuf| (path.file_name().expect("a name").to_string_lossy().into_owned(), path);
    let entries = fs::read_dir(folder).expect("a folder").map(|found| entry(found.expect("an entry").path()));
    let mut files: Vec<(String, Vec<u8>)> =
        entries.map(|(name, path)| (name, fs::read(path).expect("a file"))).collect();
    files.sort();
    files
}

/// A release of these programs in `NAME` of the folder.
#[track_caller]
fn made(folder: &Path, name: &str) -> PathBuf {
    let (programs, to) = (folder.join("programs"), folder.join(name));
    let (code, said) = release(&["--from", &programs.display().to_string(), "--to", &to.display().to_string()]);
    assert_eq!(code, Some(0), "{said}");
    to
}

/// The unpacked archive.
fn unpacked(folder: &Path, release: &Path) -> PathBuf {
    let archive = release.join(format!("remotetask-{}.tar.gz", version()));
    let (code, said) = done(Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder));
    assert_eq!(code, Some(0), "{said}");
    folder.join(format!("remotetask-{}", version()))
}

#[test]
fn a_release_is_whole_and_the_same_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    programs_for_all(&folder.path().join("programs"));
    let one = made(folder.path(), "one");
    // Newer files of the same content, and another's umask.
    programs_for_all(&folder.path().join("programs"));
    let two = made(folder.path(), "two");
    assert!(files(&one) == files(&two), "not the same bytes");
    let run = |machine: &str| format!("remotetask-{}-{machine}.run", version());
    let mut expected =
        vec!["CHANGES.md".to_owned(), "SHA256SUMS".to_owned(), format!("remotetask-{}.tar.gz", version())];
    expected.extend(PROCESSORS.map(|(machine, _)| run(machine)));
    expected.sort();
    assert_eq!(files(&one).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), expected);
    let sums = done(Command::new("sha256sum").args(["-c", "--strict", "SHA256SUMS"]).current_dir(&one));
    assert_eq!((sums.0, sums.1.lines().count()), (Some(0), 5), "{}", sums.1);
    let changes = fs::read_to_string(one.join("CHANGES.md")).expect("the changelog's part");
    assert!(changes.starts_with("## ") && changes.matches("\n## ").count() == 0, "one part: {changes}");

    // The archive's install.sh makes the same files of its programs, without Rust.
    let archive = unpacked(folder.path(), &one);
    let packed = Command::new("/bin/sh")
        .args(["install.sh", "--pack"])
        .env("PATH", "/usr/bin:/bin")
        .current_dir(&archive)
        .output();
    let said = String::from_utf8_lossy(&packed.expect("install.sh").stdout).into_owned();
    for (machine, _) in PROCESSORS {
        assert!(said.contains(&format!("Made: target/pack/{}\n", run(machine))), "{said}");
        let (theirs, ours) =
            (fs::read(archive.join("target/pack").join(run(machine))), fs::read(one.join(run(machine))));
        assert!(theirs.expect("a file") == ours.expect("a file"), "{machine}");
    }

    let (code, said) = release(&["--from", &folder.path().display().to_string(), "--to", &one.display().to_string()]);
    assert!(code == Some(1) && said.contains("is there already: remove it"), "{said}");
}

#[test]
fn a_release_that_was_changed_does_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    programs_for_all(&folder.path().join("programs"));
    let archive = unpacked(folder.path(), &made(folder.path(), "one"));
    let nothing = |what: &str, words: &[&str]| {
        let (code, said) = done(Command::new("/bin/sh").arg("install.sh").args(words).current_dir(&archive));
        let sentence = "install.sh: a file of this release is missing, or was changed: unpack its archive again\n";
        assert_eq!((code, &*said), (Some(1), sentence), "{what}: {words:?}");
        assert!(!archive.join("target").exists(), "{what}: {words:?}");
    };
    for name in ["programs/armv7l/remotetask-run", "installer/bootstrap.sh", "webstation/sudoers", "SHA256SUMS"] {
        let path = archive.join(name);
        let whole = fs::read(&path).expect("a file");
        let mut changed = whole.clone();
        *changed.last_mut().expect("a byte") ^= 2;
        for content in [Some(&*changed), Some(&whole[..whole.len() - 1]), None] {
            match content {
                // Half a line of sums is none.
                Some(content) if name == "SHA256SUMS" && content.len() < whole.len() => continue,
                Some(content) => fs::write(&path, content).expect("written"),
                None if name == "SHA256SUMS" => continue,
                None => fs::remove_file(&path).expect("removed"),
            }
            nothing(name, &["--pack", "x86_64"]);
            nothing(name, &["--try", "--once"]);
            nothing(name, &["anna@nas.invalid"]);
        }
        fs::write(&path, whole).expect("as it was");
    }
}

/// A Rust for one processor makes no release for three, and says how to get one.
#[test]
fn a_processor_that_cannot_be_built_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let rust = folder.path().join("rust");
    fs::create_dir_all(rust.join("lib/rustlib/x86_64-unknown-linux-musl")).expect("a folder");
    let at = rust.display();
    script(
        &rust.join("rustc"),
        &format!(
            "case $* in --version) echo 'rustc 1.85.0 (x 2025-02-17)' ;; -vV) echo 'host: x86_64-unknown-linux-gnu' ;; *) echo {at} ;; esac"
        ),
    );
    script(&rust.join("rustup"), "exit 1");
    script(&rust.join("cargo"), "echo built >&2; exit 1");
    let to = folder.path().join("made");
    let mut command = Command::new(format!("{CLONE}/installer/release"));
    command.args(["--to", &to.display().to_string()]).env("PATH", format!("{at}:/usr/bin:/bin"));
    let (code, said) = done(&mut command);
    assert_eq!(code, Some(1), "{said}");
    for (machine, target) in [("aarch64", "aarch64-unknown-linux-musl"), ("armv7l", "armv7-unknown-linux-musleabihf")] {
        let line = format!(
            "Cannot be built here: {machine}, because this Rust cannot build for {machine}: type 'rustup target add {target}', or take ready \
             programs by --from.\n"
        );
        assert!(said.contains(&line), "{said}");
    }
    let end =
        "installer/release: nothing was made: without aarch64 armv7l the release is not whole. For fewer name them: \
               installer/release x86_64\n";
    assert!(said.ends_with(end) && !said.contains("built\n"), "{said}");
    assert!(!to.exists());
    for (words, expected) in [
        (&["i686"][..], "there are programs for x86_64, aarch64 and armv7l alone, not for i686"),
        (&["--nonsense"], "there is no option --nonsense"),
        (&["--from"], "--from wants a word behind it"),
    ] {
        let (code, said) = release(words);
        assert!(code == Some(2) && said.ends_with(&format!("\ninstaller/release: {expected}\n")), "{said}");
    }
    let (code, said) = release(&["--from", &folder.path().display().to_string(), "--to", &to.display().to_string()]);
    assert!(code == Some(1) && said.contains("nothing was made: there are no programs for x86_64 in "), "{said}");
}

/// Two folders, two owners with two homes: the programs, and so all of the files, are the same bytes.
#[test]
fn long_two_folders_give_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = std::env::var("HOME").expect("HOME");
    let registry = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo")) + "/registry";
    let rustup = std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{home}/.rustup"));
    // This machine's Rust stays as it is: nothing is added to it.
    let tools = folder.path().join("tools");
    fs::create_dir(&tools).expect("a folder");
    script(&tools.join("rustup"), "exit 1");
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").expect("PATH"));
    let made = ["one", "another/deeper"].map(|name| {
        let at = folder.path().join(name);
        fs::create_dir_all(at.join("clone")).expect("a folder");
        let cargo_home = at.join("cargo");
        fs::create_dir(&cargo_home).expect("a folder");
        std::os::unix::fs::symlink(&registry, cargo_home.join("registry")).expect("a link");
        let line = format!(
            "cd {CLONE} && tar -c --exclude=./target --exclude=./.git . | tar -x -C {0} && cd {0} && exec installer/release {1} --to made",
            at.join("clone").display(),
            std::env::consts::ARCH
        );
        let mut build = Command::new("/bin/sh");
        build.args(["-c", &line]).env("CARGO_HOME", &cargo_home).env("RUSTUP_HOME", &rustup).env("HOME", &at);
        let (code, said) = done(build.env("CARGO_NET_OFFLINE", "true").env("PATH", &path));
        assert_eq!(code, Some(0), "{name}: {said}");
        at.join("clone/made")
    });
    assert!(files(&made[0]) == files(&made[1]), "not the same bytes: {made:?}");
    let run = made[0].join(format!("remotetask-{}-{}.run", version(), std::env::consts::ARCH));
    assert!(run.is_file());
    // Nothing of the folders stands in the programs.
    let programs = folder.path().join("one/clone/target/release-build");
    let named = done(Command::new("grep").args(["-rlF", &folder.path().display().to_string()]).args(built(&programs)));
    assert_eq!(named, (Some(1), String::new()), "a path of this machine's");
}

/// The programs that cargo left below this folder.
fn built(folder: &Path) -> Vec<PathBuf> {
    let targets = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let releases: Vec<PathBuf> = targets.map(|target| target.join("release")).collect();
    let programs = releases.iter().flat_map(|release| PROGRAMS.map(|(name, _)| release.join(name)));
    programs.filter(|program| program.is_file()).collect()
}
