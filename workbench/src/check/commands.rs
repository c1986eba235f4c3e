//! The programs that tasks start: there, fit to be started, and nobody else's to change.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::nas::installation::Installation;
use crate::owner::finding::{Found, Kind, Level};
use remotetask::child;
use remotetask::config::{as_argv, Starts};
use remotetask::trust::{flaw_above, Flaw};

static MISSING: Kind = Kind {
    code: "command-missing",
    level: Level::Fault,
    places: &[],
    says: "Task <task>: there is no program <program>.",
    cure: "Put it there, write its right place at the task's \"command\" in config.json, or take the task's URLs \
           back: `sudo vi <config>` `sudo remotetask tasks remove <task>`",
};
static LINE: Kind = Kind {
    code: "command-is-line",
    level: Level::Fault,
    places: &[],
    says: "Task <task>: a whole line stands in the place of its program's name, and nothing is called \"<program>\".",
    cure: "In config.json write the line word by word: `\"command\": <argv>`",
};
static NO_FILE: Kind = Kind {
    code: "command-no-file",
    level: Level::Fault,
    places: &[],
    says: "Task <task>: <program> is a folder or the like, no program.",
    cure: "Write the program's whole path at the task's \"command\" in config.json: `sudo vi <config>`",
};
static NOT_EXECUTABLE: Kind = Kind {
    code: "command-not-executable",
    level: Level::Fault,
    places: &[],
    says: "Task <task>: <program> is not allowed to be started (mode <mode>).",
    cure: "Allow it: `sudo chmod a+x <program>`",
};
static NO_FIRST_LINE: Kind = Kind {
    code: "script-first-line",
    level: Level::Fault,
    places: &[],
    says: "Task <task>: <program> does not begin with #!, so the system does not know what to start it with.",
    cure: "If it is a shell script, put that in front of its first line: `sudo sed -i '1i #!/bin/sh' <program>`",
};
static WINDOWS: Kind = Kind {
    code: "script-windows-lines",
    level: Level::Fault,
    places: &[],
    says: "Task <task>: the lines of <program> end as on Windows, so the system looks for a program whose name \
           ends in a carriage return.",
    cure: "Make them end as they do here: `sudo sed -i 's/\\r$//' <program>`",
};
static INTERPRETER: Kind = Kind {
    code: "script-interpreter",
    level: Level::Fault,
    places: &[],
    says: "Task <task>: <program> is to be run by <interpreter>, which is not on this machine.",
    cure: "Install it, or name another program in the script's first line: `sudo vi <program>`",
};
static WRITABLE: Kind = Kind {
    code: "command-writable",
    level: Level::Advice,
    places: &[],
    says: "Others than <wanted> can change <path> (mode <mode>), and with it what task <task> does as <wanted>.",
    cure: "Take that away: `sudo chmod go-w <path>`",
};
static SHARED: Kind = Kind {
    code: "command-shared",
    level: Level::Advice,
    places: &[],
    says: "Others than <wanted> can perhaps change <path> (mode <mode>), and with it what task <task> does as \
           <wanted>. On a share of DSM's the mode shows 777 whatever its permissions say.",
    cure: "Leave it if only people whom you trust may write in that share. Else put the script where root alone \
           can write, such as /usr/local/bin, and name it there in config.json: `sudo cp <program> \
           /usr/local/bin/` `sudo vi <config>`",
};
static OWNER: Kind = Kind {
    code: "command-owner",
    level: Level::Advice,
    places: &[],
    says: "<path> belongs to the user <user>, who can change what task <task> does as <wanted>.",
    cure: "Give it to <wanted>, unless that user may do everything anyway: `sudo chown <wanted> <path>`",
};

/// The findings of this module.
#[cfg(test)]
pub static KINDS: &[&Kind] =
    &[&MISSING, &LINE, &NO_FILE, &NOT_EXECUTABLE, &NO_FIRST_LINE, &WINDOWS, &INTERPRETER, &WRITABLE, &SHARED, &OWNER];

/// Programs that are given a script to run as their first word.
const INTERPRETERS: [&str; 10] = ["sh", "bash", "ash", "dash", "zsh", "python", "python3", "perl", "php", "node"];

/// Looks at each command.
pub fn look(nas: &Installation<'_>) -> Vec<Found> {
    let Some(config) = nas.believed() else { return Vec::new() };
    let file = nas.path("config.json").display().to_string();
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    for task in &config.tasks {
        let Starts::Command(command) = &task.starts else { continue };
        let argv: Vec<&str> = command.argv.iter().map(AsRef::as_ref).collect();
        let [program, ..] = argv[..] else { continue };
        let names = [("task", &*task.id), ("program", program), ("config", &*file)];
        found.extend(cannot_start(&argv, &names));
        // The same program in two tasks is one finding.
        for path in [Some(program), script(&argv)].into_iter().flatten() {
            found.extend(others(nas, Path::new(path), &task.id, &file, &mut seen));
        }
    }
    found
}

type Names<'n> = [(&'n str, &'n str); 3];

fn cannot_start(argv: &[&str], names: &Names<'_>) -> Option<Found> {
    let program = argv[0];
    let with = |kind: &'static Kind, more: (&str, &str)| Some(kind.found(&[&names[..], &[more]].concat()));
    let meta = match fs::metadata(program) {
        Ok(meta) => meta,
        Err(_) if program.contains(char::is_whitespace) => {
            return with(&LINE, ("argv", &as_argv(&argv.join(" "))));
        }
        Err(_) => return Some(MISSING.found(names)),
    };
    if !meta.is_file() {
        return Some(NO_FILE.found(names));
    }
    if meta.permissions().mode() & 0o111 == 0 {
        return with(&NOT_EXECUTABLE, ("mode", &mode(meta.mode())));
    }
    match first_line(Path::new(program)) {
        Some(Beginning::Neither) => Some(NO_FIRST_LINE.found(names)),
        Some(Beginning::Windows) => Some(WINDOWS.found(names)),
        Some(Beginning::Script(words)) => {
            let missing = missing_interpreter(&words)?;
            with(&INTERPRETER, ("interpreter", &missing))
        }
        Some(Beginning::Binary) | None => None,
    }
}

/// How a file begins, as far as execve(2) cares.
#[derive(Debug, PartialEq, Eq)]
enum Beginning {
    /// A binary.
    Binary,
    /// `#!` and these words.
    Script(Vec<String>),
    /// The same, its line ended as on Windows.
    Windows,
    /// Nothing that it knows.
    Neither,
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
    let Some(rest) = bytes.strip_prefix(b"#!") else { return Beginning::Neither };
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
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// The script that an interpreter is given.
fn script<'a>(argv: &[&'a str]) -> Option<&'a str> {
    let [program, words @ ..] = argv else { return None };
    let name = program.rsplit('/').next().unwrap_or_default();
    let script = words.iter().find(|word| !word.starts_with('-')).filter(|_| INTERPRETERS.contains(&name))?;
    Path::new(script).is_file().then_some(script)
}

/// Who else could change the program: itself, and the folders that lead to it.
fn others(nas: &Installation<'_>, program: &Path, task: &str, file: &str, seen: &mut HashSet<PathBuf>) -> Vec<Found> {
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
        let (path, program) = (path.display().to_string(), program.display().to_string());
        let (user, wanted) = (nas.accounts.user(meta.uid()), nas.accounts.user(nas.user));
        let names = [
            ("task", task),
            ("config", file),
            ("program", &program),
            ("path", &path),
            ("mode", &mode(meta.mode())),
            ("user", &user),
            ("wanted", &wanted),
        ];
        let kind = match flaw {
            Flaw::Owner => &OWNER,
            Flaw::Writable if path.starts_with("/volume") => &SHARED,
            Flaw::Writable => &WRITABLE,
        };
        found.push(kind.found(&names));
    }
    found
}

fn mode(bits: u32) -> String {
    format!("{:04o}", bits & 0o7777)
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
            (b"\xef\xbb\xbf#!/bin/sh\n", Beginning::Neither),
            (b"", Beginning::Neither),
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
