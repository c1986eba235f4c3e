//! The workbench: the commands that an owner types at a shell, as root. No request reaches it.
//!
//! Imports point down the list of modules.

mod cli; // the words that can be typed
mod install; // orders over the parts: set up, repair, uninstall
#[cfg(test)]
mod catalogue; // all findings, compared with the documentation and the tests
#[cfg(test)]
mod documented; // the commands in the documents, compared with those there are
mod commands; // a module each
mod check; // does everything work?
mod parts; // an installation, part by part: look, put, take away
mod nas; // facts of this machine
mod owner; // screen, sentences, keys

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use remotetask::files::{Regular, CONFIG_MAX};
use remotetask::streams;

use cli::{Cli, Command, Get, Key, Tasks};
use commands::key::NewKey;
use commands::log::LogArgs;
use commands::probe::ProbeArgs;
use commands::set::{Done, SetArgs};
use commands::tasks::NewTask;
use commands::url::UrlArgs;
use commands::{key, log, overview, page, probe, prove, report, seal, set, status, tasks, try_request, url};
use install::here::HereArgs;
use install::phone::{PhoneArgs, Phones};
use install::setup::SetupArgs;
use install::{here, phone, repair, setup, uninstall};
use owner::edit;
use owner::fault::Fault;
use owner::screen::{width, wrapped, Screen};
use owner::typed;
use owner::view::{is_published, published_key};
use owner::workbench::Workbench;
use parts::job::EntryPointKind;

fn main() -> ExitCode {
    match parsed().and_then(run) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(Fault(why)) => {
            let stderr = rustix::stdio::stderr();
            let text = wrapped(&format!("remotetask: {why}."), "", width(stderr));
            let _ = streams::write_all(stderr, text.as_bytes());
            ExitCode::FAILURE
        }
    }
}

/// The words that were typed, unless a secret is among them: neither this program nor the parser's errors repeat one.
fn parsed() -> Result<Cli, Fault> {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let folder = Workbench::own().ok().map(|bench| bench.folder);
    if let Some(fault) = typed::secret(&words, folder.as_deref()) {
        return Err(fault);
    }
    Ok(Cli::try_parse().unwrap_or_else(|error| cli::without_hidden(error).exit()))
}

/// Does what is asked; whether it is as the owner would have it.
fn run(cli: Cli) -> Result<bool, Fault> {
    if let Some(Command::Check { file: Some(file), .. }) = &cli.command {
        return check_file(file).map(|()| true);
    }
    let bench = &Workbench::own()?;
    let Some(command) = cli.command else { return overview::run(bench).map(|()| true) };
    match command {
        Command::Status { json } => status::run(bench, json),
        Command::Log { reference, follow, task, who, since } => {
            let (reference, task, who) = (reference.as_deref(), task.as_deref(), who.as_deref());
            log::run(bench, &LogArgs { reference, follow, task, who, since: since.as_deref() })
        }
        Command::Tasks { command: None | Some(Tasks::List) } => tasks::show(bench),
        Command::Tasks { command: Some(Tasks::Add { task, name, event, get, command, codes }) } => {
            let get_runs = matches!(get, Some(Get::Run));
            tasks::add(bench, NewTask { id: task, name, event, command, get_runs }, codes.codes())
        }
        Command::Tasks { command: Some(Tasks::Give { list, no_links, codes }) } => {
            return tasks::give_and_show(bench, &list, (!no_links).then(|| codes.codes()))
        }
        Command::Tasks { command: Some(Tasks::Remove { task }) } => return tasks::remove(bench, &task),
        Command::Tasks { command: Some(Tasks::Rotate { task, keep_old, codes }) } => {
            return tasks::rotate(bench, &task, keep_old, codes.codes())
        }
        Command::Set { words, unset, dry_run, codes } => {
            return match set::run(bench, &SetArgs { words: &words, unset, dry_run, codes: codes.codes() })? {
                Done::Apply => repair::run(bench, false, false),
                done => Ok(done == Done::All),
            }
        }
        Command::Key { command: Some(Key::New { label, expires, from, tasks, codes }) } => {
            key::new(bench, NewKey { label, expires, from, tasks }, codes.codes())
        }
        Command::Key { command: None | Some(Key::List) } => key::list(bench),
        Command::Key { command: Some(Key::Revoke { who }) } => return key::revoke(bench, &who),
        Command::Key { command: Some(Key::Rotate { who, old_until, codes }) } => {
            return key::rotate(bench, &who, old_until.as_deref(), codes.codes())
        }
        Command::Url { noted: true, .. } => url::show_noted(bench),
        Command::Url { task, who, at, recipe, page, panel, codes, .. } => {
            let (task, who, at, page) = (task.as_deref(), who.as_deref(), at.as_deref(), page.as_deref());
            url::run(bench, &UrlArgs { task, who, at, recipe, codes: codes.codes(), page, panel })
        }
        Command::Phone { phones, url, who, no_wait, codes } => {
            let (url, who, codes) = (url.as_deref(), who.as_deref(), codes.codes());
            return phone::run(bench, &PhoneArgs { phones, url, who, codes, no_wait });
        }
        Command::Seal { renew } => return seal::run(bench, renew),
        Command::Try { from } => return try_request::run(bench, from),
        Command::Probe { chosen: true, .. } => return probe::is_chosen(bench),
        Command::Probe { task, event, yes, watch, .. } => {
            return probe::run(bench, &ProbeArgs { task, event, yes, watch: Duration::from_secs(watch) })
        }
        Command::Report => report::run(bench),
        Command::Prove { clean: true, .. } => return prove::clean(bench),
        Command::Prove { url, .. } => return prove::run(bench, url.as_deref()),
        Command::Setup { entry_point, config, config_name, then_phone, dry_run } => {
            let entry_point = entry_point.kind();
            return setup::run(&SetupArgs { entry_point, config, config_name, dry_run, then_phone });
        }
        Command::Repair { boot, dry_run } => return repair::run(bench, boot, dry_run),
        Command::Apply { dry_run } => return repair::run(bench, false, dry_run),
        Command::Uninstall { keep_config, dry_run } => return uninstall::run(bench, keep_config, dry_run),
        Command::Here { file, entry_point, tasks, url, config, phones, probe, dry_run } => {
            // A virtual host is an entry point of its own.
            let by_host = (phones == Some(Phones::Vhost)).then_some(EntryPointKind::Vhost);
            let entry_point = entry_point.kind().or(by_host);
            let setup = SetupArgs { entry_point, config, config_name: None, dry_run, then_phone: true };
            return here::run(HereArgs { file, setup, tasks, url, phones, probe });
        }
        Command::Page { unread, read } => page::keep(bench, Duration::from_secs(unread), Duration::from_secs(read)),
        Command::Become { uid, gid, words } => Err(check::sudo_path::go_on(uid, gid, &words)),
        Command::Check { url, json, .. } => return check::run(bench, url.as_deref(), json),
    }
    .map(|()| true)
}

/// A configuration that is not in its place yet.
fn check_file(path: &Path) -> Result<(), Fault> {
    let content = Regular::open(path).and_then(|file| file.read(CONFIG_MAX)).map_err(|e| Fault::of(path, &e))?;
    let config = edit::valid(path, &content)?;
    // A trial on this machine alone may have the example's keys.
    let trial = config.server.elevate().is_empty() && config.server.listen.is_loopback();
    if let Some(whose) = published_key(&content).filter(|_| !trial) {
        return Err(Fault(format!("{}: {}", path.display(), is_published(&whose))));
    }
    let (keys, tasks) = (config.server.magic_keys.len(), config.tasks.len());
    Screen::own().literal(format_args!("{}: valid; magic keys: {keys}, tasks: {tasks}", path.display()));
    Ok(())
}
