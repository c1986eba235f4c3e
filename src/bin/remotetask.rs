//! The workbench: what an owner types at a shell.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use remotetask::config;
use remotetask::files::{Regular, CONFIG_MAX};
use remotetask::streams;
use remotetask::workbench::screen::{wrapped, Screen};
use remotetask::workbench::{check, edit, Bench, Fault};

/// Starts tasks of this NAS by secret URLs. This is the owner's side of it.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Does everything work? Each fault with its cure
    Check {
        /// Judges this configuration alone, and nothing else
        #[arg(conflicts_with = "url")]
        file: Option<PathBuf>,
        /// Makes a live request to this address as well, such as https://nas.example.org
        #[arg(long)]
        url: Option<String>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(Fault(why)) => {
            let _ = streams::write_all(rustix::stdio::stderr(), wrapped(&format!("remotetask: {why}."), "").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Fault> {
    match cli.command {
        Command::Check { file: Some(file), .. } => check_file(&file).map(|()| ExitCode::SUCCESS),
        Command::Check { file: None, url, json } => match check::run(&Bench::own()?, url.as_deref(), json)? {
            true => Ok(ExitCode::SUCCESS),
            false => Ok(ExitCode::FAILURE),
        },
    }
}

fn check_file(path: &std::path::Path) -> Result<(), Fault> {
    let content = Regular::open(path).and_then(|file| file.read(CONFIG_MAX)).map_err(|e| Fault::of(path, &e))?;
    let config: config::Config<'_> = edit::valid(path, &content)?;
    let (keys, tasks) = (config.server.magic_keys.len(), config.tasks.len());
    Screen::own().literal(format_args!("{}: valid; magic keys: {keys}, tasks: {tasks}", path.display()));
    Ok(())
}
