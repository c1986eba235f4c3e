//! The workbench: the commands that an owner types at a shell, as root. No request reaches it.
//!
//! Imports point down the list of modules.

mod install; // orders over the parts: set up, repair, uninstall
#[cfg(test)]
mod catalogue; // all findings, compared with the documentation and the tests
mod commands; // a module each
mod check; // does everything work?
mod parts; // an installation, part by part: look, put, take away
mod nas; // facts of this machine
mod owner; // screen, sentences, keys

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use remotetask::files::{Regular, CONFIG_MAX};
use remotetask::streams;

use commands::key::NewKey;
use commands::probe::ProbeArgs;
use commands::recipes::Recipe;
use commands::tasks::NewTask;
use commands::url::UrlArgs;
use commands::{key, page, probe, prove, seal, status, tasks, try_request, url};
use install::here::HereArgs;
use install::setup::SetupArgs;
use install::{here, repair, setup, uninstall};
use owner::edit;
use owner::fault::Fault;
use owner::screen::{width, wrapped, Screen, WIDTH};
use owner::urls::Codes;
use owner::view::{is_published, published_key};
use owner::workbench::Workbench;
use parts::job::EntryPointKind;

/// Starts tasks of this NAS by secret URLs. This is the owner's side of it; without a command it says
/// where things stand and what to do next.
#[derive(Parser)]
#[command(name = "remotetask", version, max_term_width = WIDTH)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Shows the state, and the next step
    Status,
    /// Lists the Task Scheduler's tasks, and those with a URL
    Tasks {
        #[command(subcommand)]
        command: Option<Tasks>,
    },
    /// People and devices: a key for each
    Key {
        #[command(subcommand)]
        command: Key,
    },
    /// URLs, as codes for phones, and as text for curl, Home Assistant and iOS
    Url {
        /// The task [default: all]
        task: Option<String>,
        /// Whose URLs [default: everybody's]
        #[arg(long)]
        who: Option<String>,
        /// Remembers that this NAS is reached there, such as https://nas.example.org
        #[arg(long, value_name = "URL")]
        at: Option<String>,
        /// Text to copy, for one task and one key
        #[arg(long = "for")]
        recipe: Option<For>,
        /// Writes a page with them beside this file, for its owner; a minute after it was opened it is gone
        #[arg(long, value_name = "FILE", conflicts_with = "recipe")]
        page: Option<PathBuf>,
        /// Shows the address that --at has noted, and nothing else
        #[arg(long, exclusive = true)]
        noted: bool,
        #[command(flatten)]
        codes: Drawn,
    },
    /// Makes plain keys in config.json digests, which are useless to whoever reads them
    Seal {
        /// Takes new keys in the place of weak ones
        #[arg(long)]
        renew: bool,
    },
    /// Reads a path or a URL and says where a request for it would end; starts nothing
    Try {
        /// The address that the call would come from
        #[arg(long, value_name = "ADDRESS")]
        from: Option<IpAddr>,
    },
    /// Finds the method that starts a scheduled task on this NAS, with a harmless one, and remembers it
    Probe {
        /// The harmless task's number; without one it says how to make one
        task: Option<u32>,
        /// The name of a harmless triggered task, in place of a number
        #[arg(long, value_name = "NAME", conflicts_with = "task")]
        event: Option<String>,
        /// Only reports by the exit code, 0 or 1, if a method is chosen already
        #[arg(long, exclusive = true)]
        chosen: bool,
        /// Starts it without asking
        #[arg(long)]
        yes: bool,
        /// How long each way is watched
        #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(3..=600))]
        watch: u64,
    },
    /// Checks everything; shows each fault with its fix
    Check {
        /// Judges this configuration alone, and nothing else
        #[arg(conflicts_with_all = ["url", "json"])]
        file: Option<PathBuf>,
        /// Makes live requests to this address as well, such as https://nas.example.org
        #[arg(long)]
        url: Option<String>,
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Proves the whole way with one live request, by a key and a task that are there for it alone
    Prove {
        /// Where the NAS is reached, such as https://nas.example.org [default: listen and port of config.json, or for a
        /// virtual host the address that url --at has noted]
        #[arg(long)]
        url: Option<String>,
        /// Only takes away what a proof that was killed has left
        #[arg(long, conflicts_with = "url")]
        clean: bool,
    },
    /// Installs the unpacked package that this program lies in, or upgrades to it (install.sh calls this)
    Setup {
        #[command(flatten)]
        entry_point: EntryPoint,
        /// Your configuration; plain keys in it become digests
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Its name where it came from, for messages
        #[arg(long, hide = true)]
        config_name: Option<String>,
        /// Says what there is to do, and changes nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Puts back what an update of DSM, or a mistake, has taken
    Repair {
        /// At DSM's start: waits for nothing, and leaves an Apache alone that does not run yet
        #[arg(long)]
        boot: bool,
        /// Says what there is to do, and changes nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Puts in place what follows from config.json after listen or port has changed: the same as repair
    Apply {
        /// Says what there is to do, and changes nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Removes the installation with config.json and all keys: every URL ends. Asks nothing
    Uninstall {
        /// Keeps config.json, keys.json and start.html
        #[arg(long)]
        keep_config: bool,
        /// Says what there is to do, and changes nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Setup from a packed file, and all that follows; the file calls it
    #[command(hide = true)]
    Here {
        file: PathBuf,
        #[command(flatten)]
        entry_point: EntryPoint,
        #[arg(long, default_value = "")]
        tasks: String,
        #[arg(long)]
        url: Option<String>,
        #[arg(long)]
        config: Option<PathBuf>,
        #[arg(long)]
        probe: Option<u32>,
        #[arg(long)]
        dry_run: bool,
    },
    /// Takes the page on standard input away after this many seconds, or so many after it was opened
    #[command(hide = true)]
    Page { unread: u64, read: u64 },
    /// Goes on as this user with this program
    #[command(hide = true)]
    Become {
        uid: u32,
        gid: u32,
        #[arg(last = true, required = true)]
        words: Vec<String>,
    },
}

/// The entry point from the web server; without one of these it stays, or the best of this NAS is taken.
#[derive(Args)]
struct EntryPoint {
    /// Entry point: a port of Apache's own, as config.json says (listen, port). Without one of these three it stays, or the best is taken
    #[arg(long, conflicts_with_all = ["vhost", "php"])]
    port: bool,
    /// A folder below the share web, for a virtual host of Web Station's with Apache
    #[arg(long, conflicts_with = "php")]
    vhost: bool,
    /// The same for a virtual host with PHP: for a NAS whose Apache runs no programs, or with nginx alone
    #[arg(long)]
    php: bool,
}

impl EntryPoint {
    fn kind(&self) -> Option<EntryPointKind> {
        match (self.port, self.vhost, self.php) {
            (true, ..) => Some(EntryPointKind::Port),
            (_, true, _) => Some(EntryPointKind::Vhost),
            (.., true) => Some(EntryPointKind::Php),
            _ => None,
        }
    }
}

#[derive(Subcommand)]
enum Tasks {
    /// Makes a task reachable: its number in the Task Scheduler, or a name and a command
    #[command(after_help = "Examples:\n  remotetask tasks add 7\n  \
        remotetask tasks add backup -- /volume1/scripts/backup.sh --now\n  \
        remotetask tasks add garage --event \"Open garage share\"")]
    Add {
        /// The number or name of a scheduled task; for a command or an event a name of your own
        task: String,
        /// What callers are shown
        #[arg(long)]
        name: Option<String>,
        /// The name of a triggered task
        #[arg(long)]
        event: Option<String>,
        /// The command, word by word, behind --
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
        #[command(flatten)]
        codes: Drawn,
    },
    /// Gives tasks of the Task Scheduler a URL each, and shows it; a task that has one keeps it
    Give {
        /// Numbers or names, such as "7,Check off"
        list: String,
        #[command(flatten)]
        codes: Drawn,
    },
    /// Takes a task's URLs back; the task itself stays
    Remove {
        /// Its name here
        task: String,
    },
    /// Gives a task a new key, and so new URLs
    Rotate {
        /// Its name here
        task: String,
        /// Lets the URLs of just before go on working until the next rotation
        #[arg(long)]
        keep_old: bool,
        #[command(flatten)]
        codes: Drawn,
    },
}

#[derive(Subcommand)]
enum Key {
    /// Makes one, and shows its URLs
    New {
        /// Whose it is, such as "Anna's phone"
        #[arg(long)]
        label: String,
        /// The last valid day, such as 2027-01-31
        #[arg(long, value_name = "DAY")]
        expires: Option<String>,
        /// Only from these addresses or networks, such as 192.168.1.0/24
        #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
        from: Vec<String>,
        /// Only for these tasks, such as 7,garage
        #[arg(long, value_name = "TASK", value_delimiter = ',', num_args = 1..)]
        tasks: Vec<String>,
        #[command(flatten)]
        codes: Drawn,
    },
    /// Lists the keys' labels, limits and last use; never a key
    List,
    /// Takes a key back
    Revoke {
        /// Its label, or its number such as '#2'
        who: String,
    },
    /// Puts a new key in the place of an old one
    Rotate {
        /// Its label, or its number such as '#2'
        who: String,
        /// Lets the old one go on working until the end of this day, such as 2027-01-31
        #[arg(long, value_name = "DAY")]
        old_until: Option<String>,
        #[command(flatten)]
        codes: Drawn,
    },
}

#[derive(Args)]
struct Drawn {
    /// Draws codes where the output is no terminal, too; never of an address that means the NAS itself
    #[arg(long, conflicts_with = "no_qr")]
    qr: bool,
    /// Draws no codes
    #[arg(long)]
    no_qr: bool,
}

impl Drawn {
    fn codes(&self) -> Codes {
        match (self.qr, self.no_qr) {
            (true, _) => Codes::Always,
            (_, true) => Codes::Never,
            _ => Codes::Terminal,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum For {
    /// curl, in three ways
    Curl,
    /// Home Assistant's rest_command
    HomeAssistant,
    /// Shortcuts on iOS
    Ios,
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
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

/// Does what is asked; whether it is as the owner would have it.
fn run(cli: Cli) -> Result<bool, Fault> {
    if let Some(Command::Check { file: Some(file), .. }) = &cli.command {
        return check_file(file).map(|()| true);
    }
    let bench = &Workbench::own()?;
    match cli.command.unwrap_or(Command::Status) {
        Command::Status => status::run(bench),
        Command::Tasks { command: None } => tasks::show(bench),
        Command::Tasks { command: Some(Tasks::Add { task, name, event, command, codes }) } => {
            tasks::add(bench, NewTask { id: task, name, event, command }, codes.codes())
        }
        Command::Tasks { command: Some(Tasks::Give { list, codes }) } => {
            return tasks::give_and_show(bench, &list, codes.codes())
        }
        Command::Tasks { command: Some(Tasks::Remove { task }) } => return tasks::remove(bench, &task),
        Command::Tasks { command: Some(Tasks::Rotate { task, keep_old, codes }) } => {
            return tasks::rotate(bench, &task, keep_old, codes.codes())
        }
        Command::Key { command: Key::New { label, expires, from, tasks, codes } } => {
            key::new(bench, NewKey { label, expires, from, tasks }, codes.codes())
        }
        Command::Key { command: Key::List } => key::list(bench),
        Command::Key { command: Key::Revoke { who } } => return key::revoke(bench, &who),
        Command::Key { command: Key::Rotate { who, old_until, codes } } => {
            return key::rotate(bench, &who, old_until.as_deref(), codes.codes())
        }
        Command::Url { noted: true, .. } => url::show_noted(bench),
        Command::Url { task, who, at, recipe, page, codes, .. } => {
            let recipe = recipe.map(|wanted| match wanted {
                For::Curl => Recipe::Curl,
                For::HomeAssistant => Recipe::HomeAssistant,
                For::Ios => Recipe::Ios,
            });
            let (task, who, at, page) = (task.as_deref(), who.as_deref(), at.as_deref(), page.as_deref());
            url::run(bench, &UrlArgs { task, who, at, recipe, codes: codes.codes(), page })
        }
        Command::Seal { renew } => return seal::run(bench, renew),
        Command::Try { from } => return try_request::run(bench, from),
        Command::Probe { chosen: true, .. } => return probe::is_chosen(bench),
        Command::Probe { task, event, yes, watch, .. } => {
            return probe::run(bench, &ProbeArgs { task, event, yes, watch: Duration::from_secs(watch) })
        }
        Command::Prove { clean: true, .. } => return prove::clean(bench),
        Command::Prove { url, .. } => return prove::run(bench, url.as_deref()),
        Command::Setup { entry_point, config, config_name, dry_run } => {
            return setup::run(&SetupArgs { entry_point: entry_point.kind(), config, config_name, dry_run })
        }
        Command::Repair { boot, dry_run } => return repair::run(bench, boot, dry_run),
        Command::Apply { dry_run } => return repair::run(bench, false, dry_run),
        Command::Uninstall { keep_config, dry_run } => return uninstall::run(bench, keep_config, dry_run),
        Command::Here { file, entry_point, tasks, url, config, probe, dry_run } => {
            let setup = SetupArgs { entry_point: entry_point.kind(), config, config_name: None, dry_run };
            return here::run(HereArgs { file, setup, tasks, url, probe });
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
