//! The workbench: what an owner types at a shell.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use remotetask::config;
use remotetask::files::{self, Regular, CONFIG_MAX};

/// Starts tasks of this NAS by secret URLs. This is the owner's side of it.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Says whether the configuration is valid, and where its first fault is
    Check {
        /// The file to check [default: config.json beside this program]
        file: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Check { file } => match check(file) {
            Ok(good) => say(&good, ExitCode::SUCCESS),
            Err(bad) => say(&bad, ExitCode::FAILURE),
        },
    }
}

/// A closed output is no reason to fail.
fn say(text: &str, code: ExitCode) -> ExitCode {
    let _ = remotetask::streams::write_all(rustix::stdio::stdout(), format!("{text}\n").as_bytes());
    code
}

fn check(file: Option<PathBuf>) -> Result<String, String> {
    let path = match file {
        Some(path) => path,
        None => files::own_folder().map_err(|e| e.to_string())?.join("config.json"),
    };
    let shown = path.display();
    let content = Regular::open(&path).and_then(|file| file.read(CONFIG_MAX));
    let content = content.map_err(|e| format!("{shown}: {e}"))?;
    let config = config::read(&content).map_err(|refusal| {
        let (line, column, message) = (refusal.line, refusal.column, refusal.message);
        format!("{shown}:{line}:{column}: {message}\nNothing can be started until this is mended.")
    })?;
    let (keys, tasks) = (config.server.magic_keys.len(), config.tasks.len());
    Ok(format!("{shown}: valid; magic keys: {keys}, tasks: {tasks}"))
}
