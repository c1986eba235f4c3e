//! The programs that tasks start: there, fit to be started, and nobody else's to change.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{statvfs, StatVfsMountFlags};

use crate::nas::installation::Installation;
use crate::owner::finding::{findings, Found};
use crate::owner::names::shown_mode;
use remotetask::child;
use remotetask::config::{as_argv, Starts};
use remotetask::files::is_executable;
use remotetask::trust::{flaw_above, Flaw};

findings! {
    Missing { task, program, config }: "command-missing", Fault,
        "Task <task>: there is no program <program>.",
        "Put it there, write its right place at the task's \"command\" in config.json, or take the task's URLs back: \
         `sudo vi <config>` `sudo remotetask tasks remove <task>`";
    WholeLine { task, program, argv }: "command-is-line", Fault,
        "Task <task>: a whole line stands in the place of its program's name, and nothing is called \"<program>\".",
        "In config.json write the line word by word: `\"command\": <argv>`";
    NoFile { task, program, config }: "command-no-file", Fault,
        "Task <task>: <program> is a folder or the like, no program.",
        "Write the program's whole path at the task's \"command\" in config.json: `sudo vi <config>`";
    NotExecutable { task, program, mode }: "command-not-executable", Fault,
        "Task <task>: <program> is not allowed to be started (mode <mode>).",
        "Allow it: `sudo chmod a+x <program>`";
    NoFirstLine { task, program }: "script-first-line", Fault,
        "Task <task>: <program> does not begin with #!, so the system does not know what to start it with.",
        "If it is a shell script, put that in front of its first line: `sudo sed -i '1i #!/bin/sh' <program>`";
    Empty { task, program }: "script-empty", Fault,
        "Task <task>: <program> is empty, so the system does not know what to start it with.",
        "Put the script there again. If it is to do nothing, this makes it a script that does: `sudo sh -c 'echo \"#!/bin/sh\" \
         >\"$0\"' <program>`";
    ByteOrderMark { task, program }: "script-byte-order-mark", Fault,
        "Task <task>: <program> begins with a byte order mark, which some editors put there unseen, so the system does not \
         know what to start it with.",
        "Take the mark out, and save the file as UTF-8 without it from now on: `sudo sh -c 'tail -c +4 \"$0\" >\"$0\".new && \
         cat \"$0\".new >\"$0\" && rm \"$0\".new' <program>`";
    Swapped { task, program }: "script-first-line-swapped", Fault,
        "Task <task>: <program> begins with !#, where #! is meant, so the system does not know what to start it with.",
        "Swap the two: `sudo sed -i '1s/^!#/#!/' <program>`";
    NoExec { task, program, place, config }: "command-noexec", Fault,
        "Task <task>: <program> lies on a file system that is mounted with noexec (<place>), so nothing there can be started.",
        "Put it where programs may lie, such as /usr/local/bin, and name it there at the task's \"command\" in config.json; or \
         start a script by its interpreter there, such as [\"/bin/sh\", \"/the/script\"]: `sudo cp <program> /usr/local/bin/` \
         `sudo vi <config>`";
    WindowsLines { task, program }: "script-windows-lines", Fault,
        "Task <task>: the lines of <program> end as on Windows, so the system looks for a program whose name ends in a \
         carriage return.",
        "Make them end as they do here: `sudo sed -i 's/\\r$//' <program>`";
    NoInterpreter { task, program, interpreter }: "script-interpreter", Fault,
        "Task <task>: <program> is to be run by <interpreter>, which is not on this machine.",
        "Install it, or name another program in the script's first line: `sudo vi <program>`";
    Writable { wanted, path, mode, task }: "command-writable", Advice,
        "Others than <wanted> can change <path> (mode <mode>), and with it what task <task> does as <wanted>.",
        "Take that away: `sudo chmod go-w <path>`";
    Shared { wanted, path, mode, task, program, config }: "command-shared", Advice,
        "Others than <wanted> can perhaps change <path> (mode <mode>), and with it what task <task> does as <wanted>. \
         On a share of DSM's the mode shows 777 whatever its permissions say.",
        "Leave it if only people whom you trust may write in that share. Else put the script where root alone can \
         write, such as /usr/local/bin, and name it there in config.json: `sudo cp <program> /usr/local/bin/` `sudo vi \
         <config>`";
    OtherOwner { path, user, task, wanted }: "command-owner", Advice,
        "<path> belongs to the user <user>, who can change what task <task> does as <wanted>.",
        "Give it to <wanted>, unless that user may do everything anyway: `sudo chown <wanted> <path>`";
}

/// Programs that are given a script to run as their first word.
const INTERPRETERS: [&str; 10] = ["sh", "bash", "ash", "dash", "zsh", "python", "python3", "perl", "php", "node"];

/// Looks at each command.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    let Some(config) = nas.believed() else { return Vec::new() };
    let path = nas.path("config.json");
    let file = path.display();
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for task in &config.tasks {
        let Starts::Command(argv) = &task.starts else { continue };
        let argv: Vec<&str> = argv.iter().map(AsRef::as_ref).collect();
        let [program, ..] = argv[..] else { continue };
        found.extend(cannot_start(&task.id, &argv, &file));
        // The same program in two tasks is one finding.
        for path in [Some(program), script(&argv)].into_iter().flatten() {
            found.extend(others(nas, Path::new(path), &task.id, &file, &mut seen));
        }
    }
    found
}

fn cannot_start(task: &dyn Display, argv: &[&str], config: &dyn Display) -> Option<Found> {
    let name = argv[0];
    let program = &name;
    let meta = match fs::metadata(name) {
        Ok(meta) => meta,
        Err(_) if name.contains(char::is_whitespace) => {
            return Some(WholeLine { task, program, argv: &as_argv(&argv.join(" ")) }.found());
        }
        Err(_) => return Some(Missing { task, program, config }.found()),
    };
    if !meta.is_file() {
        return Some(NoFile { task, program, config }.found());
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return Some(NotExecutable { task, program, mode: &mode(meta.mode()) }.found());
    }
    if let Some(place) = noexec(Path::new(name)) {
        return Some(NoExec { task, program, place: &place.display(), config }.found());
    }
    match first_line(Path::new(name)) {
        Some(Beginning::Empty) => Some(Empty { task, program }.found()),
        Some(Beginning::ByteOrderMark) => Some(ByteOrderMark { task, program }.found()),
        Some(Beginning::Swapped) => Some(Swapped { task, program }.found()),
        Some(Beginning::Neither) => Some(NoFirstLine { task, program }.found()),
        Some(Beginning::Windows) => Some(WindowsLines { task, program }.found()),
        Some(Beginning::Script(words)) => {
            let interpreter = &missing_interpreter(&words)?;
            Some(NoInterpreter { task, program, interpreter }.found())
        }
        Some(Beginning::Binary) | None => None,
    }
}

/// The beginning of a file, as far as execve(2) cares.
#[derive(Debug, PartialEq, Eq)]
enum Beginning {
    /// A binary.
    Binary,
    /// `#!` and these words.
    Script(Vec<String>),
    /// The same, its line ended as on Windows.
    Windows,
    /// Nothing at all.
    Empty,
    /// The mark of an editor, unseen.
    ByteOrderMark,
    /// `!#` for `#!`.
    Swapped,
    /// Nothing that it knows.
    Neither,
}

/// The folder of the mount from which nothing can be started, where the program lies on such a one.
fn noexec(program: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(program).ok()?;
    let flags = statvfs(&real).ok()?.f_flag;
    if !flags.contains(StatVfsMountFlags::NOEXEC) {
        return None;
    }
    let device = fs::metadata(&real).ok()?.dev();
    let same = |folder: &&Path| fs::metadata(folder).is_ok_and(|meta| meta.dev() == device);
    real.ancestors().skip(1).take_while(same).last().map(Path::to_owned)
}

fn first_line(program: &Path) -> Option<Beginning> {
    let mut begins = Vec::new();
    File::open(program).ok()?.take(4096).read_to_end(&mut begins).ok()?;
    Some(beginning(&begins))
}

fn beginning(bytes: &[u8]) -> Beginning {
    if bytes.starts_with(b"\x7fELF") {
        return Beginning::Binary;
    }
    let Some(rest) = bytes.strip_prefix(b"#!") else {
        return match bytes {
            b"" => Beginning::Empty,
            _ if bytes.starts_with(b"\xef\xbb\xbf") => Beginning::ByteOrderMark,
            _ if bytes.starts_with(b"!#") => Beginning::Swapped,
            _ => Beginning::Neither,
        };
    };
    let line = rest.split(|&b| b == b'\n').next().unwrap_or_default();
    if line.ends_with(b"\r") {
        return Beginning::Windows;
    }
    let words: Vec<String> = String::from_utf8_lossy(line).split_ascii_whitespace().map(str::to_owned).collect();
    match words.is_empty() {
        true => Beginning::Neither,
        false => Beginning::Script(words),
    }
}

/// The interpreter that is not there, or what `env` would look for in vain.
fn missing_interpreter(words: &[String]) -> Option<String> {
    let interpreter = &words[0];
    if !is_program(Path::new(interpreter)) {
        return Some(interpreter.clone());
    }
    let wanted = words.get(1).filter(|word| interpreter.ends_with("/env") && !word.starts_with('-'))?;
    let there = child::PATH.split(':').any(|folder| is_program(&Path::new(folder).join(wanted)));
    (!there).then(|| wanted.clone())
}

fn is_program(path: &Path) -> bool {
    is_executable(path).unwrap_or(false)
}

/// The script that an interpreter is given.
fn script<'a>(argv: &[&'a str]) -> Option<&'a str> {
    let [program, words @ ..] = argv else { return None };
    let name = program.rsplit('/').next().unwrap_or_default();
    let script = words.iter().find(|word| !word.starts_with('-')).filter(|_| INTERPRETERS.contains(&name))?;
    Path::new(script).is_file().then_some(script)
}

/// Users other than the wanted one who could change the program: itself, or the folders that lead to it.
fn others(
    nas: &Installation<'_>,
    program: &Path,
    task: &dyn Display,
    config: &dyn Display,
    seen: &mut HashSet<PathBuf>,
) -> Vec<Found> {
    let real = fs::canonicalize(program);
    let mut paths: Vec<&Path> = program.ancestors().collect();
    paths.extend(real.iter().flat_map(|real| real.ancestors()));
    let mut found = Vec::new();
    for path in paths {
        let Ok(meta) = fs::metadata(path) else { continue };
        let Some(flaw) = flaw_above(meta.uid(), meta.mode(), nas.user) else { continue };
        if !seen.insert(path.to_owned()) {
            continue;
        }
        let (user, wanted) = (&nas.accounts.user(meta.uid()), &nas.accounts.user(nas.user));
        let (mode, on_a_share) = (&mode(meta.mode()), path.display().to_string().starts_with("/volume"));
        let (path, program) = (&path.display(), &program.display());
        found.push(match flaw {
            Flaw::Owner => OtherOwner { path, user, task, wanted }.found(),
            Flaw::Writable if on_a_share => Shared { wanted, path, mode, task, program, config }.found(),
            Flaw::Writable => Writable { wanted, path, mode, task }.found(),
        });
    }
    found
}

fn mode(bits: u32) -> String {
    shown_mode(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_program_begins() {
        let script = |words: &[&str]| Beginning::Script(words.iter().map(|word| (*word).to_owned()).collect());
        for (bytes, expected) in [
            (&b"\x7fELF\x02\x01"[..], Beginning::Binary),
            (b"#!/bin/sh\necho\r\n", script(&["/bin/sh"])),
            (b"#! /usr/bin/env  python3 \n", script(&["/usr/bin/env", "python3"])),
            (b"#!/bin/sh", script(&["/bin/sh"])),
            (b"#!/bin/sh\r\necho\r\n", Beginning::Windows),
            (b"#!\n", Beginning::Neither),
            (b"echo\n", Beginning::Neither),
            (b" #!/bin/sh\n", Beginning::Neither),
            (b"\xef\xbb\xbf#!/bin/sh\n", Beginning::ByteOrderMark),
            (b"!#/bin/sh\n", Beginning::Swapped),
            (b"", Beginning::Empty),
        ] {
            assert_eq!(beginning(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn which_word_is_a_script() {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        for (argv, expected) in [
            (&["/bin/sh", here, "/x"][..], Some(here)),
            (&["/bin/bash", "-e", here], Some(here)),
            (&["/bin/sh", "-c", "echo"], None),
            (&["/bin/sh", "/no/such/file"], None),
            (&["/bin/cp", here, "/x"], None),
            (&["/bin/sh"], None),
        ] {
            assert_eq!(script(argv), expected, "{argv:?}");
        }
    }
}
