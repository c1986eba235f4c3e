//! A scheduled task's own script, started without DSM, as the task's owner.
//!
//! It goes through a file of its own that nobody but that owner can read: an argument list could be
//! read by everybody, and holds neither every byte nor much of them. The keeper removes the file when
//! the run has ended.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{fchown, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use super::{executable, said, summary};
use crate::child::run_captured;
use crate::config::ELEVATE;
use crate::keep::{Kept, Order};
use crate::outcome::Outcome;
use crate::record::{Runs, State};
use crate::step::Step;

/// The program for a script that names none of its own.
const SHELL: &str = "/bin/sh";
/// The most that is read of a program's output, in bytes.
const OUTPUT_MAX: usize = 64 << 10;
/// The time for sudo to say that it would: other starts of the task wait meanwhile.
const SUDO_TIME: Duration = Duration::from_secs(4);

/// A script as DSM's store has it.
#[derive(Debug, PartialEq, Eq)]
pub struct Script {
    /// The task's number.
    pub number: u32,
    /// The uid that it runs as.
    pub owner: u32,
    /// Its bytes, whatever they are.
    pub bytes: Vec<u8>,
}

/// A script in a file of its own, ready to be started.
pub struct ScriptFile {
    /// The file.
    pub path: PathBuf,
    /// The words that start it as its owner.
    pub argv: Vec<String>,
}

impl Script {
    /// Step 7e: this process can become the script's owner. And 7b: the program that it names is there.
    pub fn can_start(&self, deadline: Instant) -> Result<(), Outcome> {
        let user = geteuid().as_raw();
        if self.owner != user && user != 0 {
            let reason =
                format!("task {} is uid {}'s; this installation is uid {user}'s alone", self.number, self.owner);
            return Err(Outcome::not_started(Step::ScriptsOwner, reason));
        }
        if let Some(program) = self.interpreter() {
            executable(Step::Program, program)?;
        }
        let become_owner = self.become_owner();
        if become_owner.is_empty() {
            return Ok(());
        }
        // A later refusal of sudo could not be told from the script's own end. And a uid that no account has
        // would get root's group from a sudo that takes it.
        let argv = become_owner.iter().map(String::as_str).chain([SHELL, "-c", "test \"$(id -g)\" != 0"]);
        match run_captured(argv, OUTPUT_MAX, deadline.min(Instant::now() + SUDO_TIME)) {
            Ok(answer) if answer.end.exit == Some(0) => Ok(()),
            Ok(answer) => {
                Err(Outcome::not_started(Step::ScriptsOwner, format!("{}: {}", ELEVATE[0], summary(&answer))))
            }
            Err(error) => Err(Outcome::not_started(Step::ScriptsOwner, said(ELEVATE[0], "-u", error))),
        }
    }

    /// Steps 8e and 8f, and 8: written into a file, and started by the keeper, which removes that file.
    pub fn begin(&self, order: &Order<'_>, state: &Path, held: Option<File>) -> Result<Kept, Outcome> {
        let scripts = order.home.scripts()?;
        sweep(&scripts, state);
        let file = self.write_script(&scripts, &order.record.run)?;
        let kept = order.start(&file.argv, Some(&file.path), held);
        // Where nobody knows, the keeper may still need it; a later start sweeps it away.
        if matches!(kept, Err(Outcome::NotStarted { .. })) {
            file.remove();
        }
        kept
    }

    /// Step 8f: writes it into a file of its own, which its owner alone can read.
    pub fn write_script(&self, folder: &Path, run: &str) -> Result<ScriptFile, Outcome> {
        let path = folder.join(format!("{}-{run}.sh", self.number));
        let fault =
            |e: &dyn std::fmt::Display| Outcome::not_started(Step::ScriptsFile, format!("{}: {e}", path.display()));
        let Some(name) = path.to_str() else { return Err(fault(&"its name is not UTF-8")) };
        let mut argv = self.become_owner();
        if !self.bytes.starts_with(b"#!") {
            argv.push(SHELL.into());
        }
        argv.push(name.into());
        let file = ScriptFile { path: path.clone(), argv };
        self.write_to(&path).map_err(|e| {
            file.remove();
            fault(&e)
        })?;
        Ok(file)
    }

    fn write_to(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(&self.bytes)?;
        // Not the other way round: the owner could open it to write meanwhile, and it could not be executed.
        file.set_permissions(Permissions::from_mode(0o500))?;
        match self.owner == geteuid().as_raw() {
            true => Ok(()),
            false => fchown(&file, Some(self.owner), None),
        }
    }

    /// The first words of what runs as the owner, with the owner's groups; none for this very user.
    fn become_owner(&self) -> Vec<String> {
        match self.owner == geteuid().as_raw() {
            true => Vec::new(),
            false => [ELEVATE[0], ELEVATE[1], "-H", "-u", &format!("#{}", self.owner), "--"].map(str::to_owned).into(),
        }
    }

    /// The program behind `#!`, as the kernel reads it (execve(2)).
    fn interpreter(&self) -> Option<&Path> {
        let line = self.bytes.strip_prefix(b"#!")?.split(|&b| b == b'\n').next()?;
        let blank = |b: &u8| matches!(b, b' ' | b'\t');
        let begin = line.iter().position(|b| !blank(b)).unwrap_or(line.len());
        let program = line[begin..].split(blank).next()?;
        Some(Path::new(OsStr::from_bytes(program)))
    }
}

impl ScriptFile {
    /// Removes the file.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the files of scripts whose run is over: of those whose keeper was killed.
pub fn sweep(folder: &Path, state: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let run = name.to_str().and_then(|name| name.strip_suffix(".sh")?.split_once('-'));
        let alive = run.is_some_and(|(number, run)| {
            let record = Runs::of(state, number).get(run);
            record.is_some_and(|record| matches!(record.state, State::Starting | State::Started))
        });
        if !alive {
            let _ = fs::remove_file(entry.path());
        }
    }
}
