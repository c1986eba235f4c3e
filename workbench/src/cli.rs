//! The words that an owner can type.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::commands::recipes::Recipe;
use crate::install::phone::Phones;
use crate::owner::screen::WIDTH;
use crate::owner::urls::Codes;
use crate::owner::version::VERSION;
use crate::parts::job::EntryPointKind;

/// Starts tasks of this NAS by secret URLs. This is the owner's side of it; without a command it says
/// where things stand and what to do next.
#[derive(Parser)]
#[command(name = "remotetask", version = VERSION, max_term_width = WIDTH)]
pub struct Cli {
    /// The command, if there is one.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// An error of the parser without suggestions that are for programs alone.
pub fn without_hidden(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    let hidden =
        |name: &String| Cli::command().get_subcommands().any(|one| one.get_name() == name && one.is_hide_set());
    let suggested = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(several)) => several.clone(),
        _ => return error,
    };
    let shown: Vec<String> = suggested.into_iter().filter(|name| !hidden(name)).collect();
    error.remove(ContextKind::SuggestedSubcommand);
    if !shown.is_empty() {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(shown));
    }
    error
}

#[derive(Subcommand)]
pub enum Command {
    /// Tells of each task's last run: who started it, and how it ended
    Status {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Tells of requests and runs as they came, in words; a refusal with its reason
    #[command(
        after_help = "Examples:\n  remotetask log --since 2h\n  remotetask log --task backup --who \"Anna's phone\"\n  \
        remotetask log 019ac0b1c2d3\n  remotetask log -f"
    )]
    Log {
        /// The reference of an answer, or a run: only what belongs to it
        reference: Option<String>,
        /// Goes on with what comes, until Ctrl+C
        #[arg(short, long, conflicts_with = "reference")]
        follow: bool,
        /// Only this task, by its name or id
        #[arg(long, value_name = "NAME")]
        task: Option<String>,
        /// Only this person or device, by the key's label or number
        #[arg(long, value_name = "LABEL")]
        who: Option<String>,
        /// Only from then on: a day, a day and a time, or a span such as 30m, 2h, 7d
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Lists the Task Scheduler's tasks, and those with a URL
    #[command(alias = "list", alias = "task")]
    Tasks {
        #[command(subcommand)]
        command: Option<Tasks>,
    },
    /// Sets one thing of the server, or of a task, in config.json, and applies it
    #[command(
        override_usage = "remotetask set NAME VALUE\n       remotetask set TASK NAME VALUE\n       \
            remotetask set --unset [TASK] NAME",
        after_help = "Of the server:\n  listen, port  where Apache listens\n  title         the NAS's name on the pages\n  \
            scheduler     synoschedtask, synowebapi, direct\n  events        synowebapi, esynoscheduler\n  \
            panel         new, off\nOf a task:\n  name          the name that callers see\n  \
            get           run, confirm\n  cooldown, timeout, wait\n                seconds, or 90s, 5m, 2h, 1d\n  \
            overlap       skip, parallel\n  stop, output  on, off\n\n\
            Examples:\n  remotetask set port 8443\n  remotetask set panel new\n  \
            remotetask set backup timeout 2h\n  remotetask set --unset backup timeout"
    )]
    Set {
        /// NAME VALUE for the server; TASK NAME VALUE for a task
        #[arg(required = true, num_args = 1..=3, value_name = "WORDS")]
        words: Vec<String>,
        /// Takes the setting out of the file, so that its default holds
        #[arg(long)]
        unset: bool,
        /// Says what would change, and changes nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        codes: Drawn,
    },
    /// People and devices: a key for each; alone it lists them
    #[command(alias = "keys")]
    Key {
        #[command(subcommand)]
        command: Option<Key>,
    },
    /// URLs, as codes for phones, and as text for curl, Home Assistant and other callers
    #[command(alias = "urls")]
    Url {
        /// The task, by id or name [default: all]
        task: Option<String>,
        /// The person or device whose URLs are shown [default: everybody's]
        #[arg(long)]
        who: Option<String>,
        /// Remembers that this NAS is reached there, such as https://nas.example.org
        #[arg(long, value_name = "URL")]
        at: Option<String>,
        /// Text to copy for a caller, for one task and one key
        #[arg(long = "for", value_name = "CALLER")]
        recipe: Option<Recipe>,
        /// Writes a page with them beside this file, for its owner; a minute after it was opened it is gone
        #[arg(long, value_name = "FILE")]
        page: Option<PathBuf>,
        /// The panel's links alone: a page with a button for each task
        #[arg(long, conflicts_with_all = ["task", "recipe", "page"])]
        panel: bool,
        /// Shows the address that --at has noted, and nothing else
        #[arg(long, exclusive = true)]
        noted: bool,
        #[command(flatten)]
        codes: Drawn,
    },
    /// Lets phones reach this NAS, and shows the code to scan; asks how, unless that is said
    #[command(after_help = "Examples:\n  remotetask phone\n  remotetask phone home\n  \
        remotetask phone proxy --url https://tasks.example.org")]
    Phone {
        /// The way by which phones reach this NAS
        phones: Option<Phones>,
        /// The address that phones will use, such as https://tasks.example.org
        #[arg(long)]
        url: Option<String>,
        /// The person whose code is shown [default: the first]
        #[arg(long)]
        who: Option<String>,
        /// Waits for nobody who clicks in DSM
        #[arg(long)]
        no_wait: bool,
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
        /// The harmless task's number or name; without one it says how to make one
        task: Option<String>,
        /// The name of a harmless triggered task, in place of a number
        #[arg(long, value_name = "NAME", conflicts_with = "task")]
        event: Option<String>,
        /// Only reports by the exit code, 0 or 1, if a method is chosen already
        #[arg(long, exclusive = true)]
        chosen: bool,
        /// Starts it without asking
        #[arg(long)]
        yes: bool,
        /// The time for which each way is watched
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
    /// Writes what others do not know of DSM, of this NAS, to be sent to the project; no secret, no name, and no change
    Report,
    /// Proves the whole way with one live request, by a key and a task that are there for it alone
    Prove {
        /// The address by which the NAS is reached, such as https://nas.example.org [default: listen and port of config.json, or for a
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
        /// The order `phone` follows, and shows what is left to click in DSM
        #[arg(long, hide = true)]
        then_phone: bool,
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
        phones: Option<Phones>,
        #[arg(long)]
        probe: Option<String>,
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
pub struct EntryPoint {
    /// Entry point: a port of Apache's own, as config.json says (listen, port). Without one of these three it stays, or the best is taken
    #[arg(long, conflicts_with_all = ["vhost", "php"])]
    pub port: bool,
    /// A folder below the share web, for a virtual host of Web Station's with Apache
    #[arg(long, conflicts_with = "php")]
    pub vhost: bool,
    /// The same for a virtual host with PHP: for a NAS whose Apache runs no programs, or with nginx alone
    #[arg(long)]
    pub php: bool,
}

impl EntryPoint {
    /// The kind that is asked for.
    pub fn kind(&self) -> Option<EntryPointKind> {
        match (self.port, self.vhost, self.php) {
            (true, ..) => Some(EntryPointKind::Port),
            (_, true, _) => Some(EntryPointKind::Vhost),
            (.., true) => Some(EntryPointKind::Php),
            _ => None,
        }
    }
}

#[derive(Subcommand)]
pub enum Tasks {
    /// Lists the Task Scheduler's tasks, and those with a URL
    #[command(alias = "ls", alias = "show")]
    List,
    /// Makes a task reachable: its number in the Task Scheduler, or a name and a command
    #[command(after_help = "Examples:\n  remotetask tasks add 7\n  \
        remotetask tasks add backup -- /volume1/scripts/backup.sh --now\n  \
        remotetask tasks add garage --event \"Open garage share\"")]
    Add {
        /// The number or name of a scheduled task; for a command or an event a name of your own
        task: String,
        /// The name that callers are shown
        #[arg(long)]
        name: Option<String>,
        /// The name of a triggered task
        #[arg(long)]
        event: Option<String>,
        /// The effect of a GET: "run" starts it at once, for NFC tags and devices that cannot POST [default: confirm, a page
        /// with a button]
        #[arg(long)]
        get: Option<Get>,
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
        /// Shows no link
        #[arg(long, hide = true)]
        no_links: bool,
        #[command(flatten)]
        codes: Drawn,
    },
    /// Takes a task's URLs back; the task itself stays
    #[command(alias = "revoke", alias = "delete", alias = "rm")]
    Remove {
        /// Its id or name
        task: String,
    },
    /// Gives a task a new key, and so new URLs
    Rotate {
        /// Its id or name
        task: String,
        /// Lets the URLs of just before go on working until the next rotation
        #[arg(long)]
        keep_old: bool,
        #[command(flatten)]
        codes: Drawn,
    },
}

#[derive(Subcommand)]
pub enum Key {
    /// Makes one, and shows its panel: one link, a button for each of its tasks
    #[command(alias = "add", alias = "create")]
    New {
        /// The person or device that it is for, such as "Anna's phone"
        #[arg(long)]
        label: String,
        /// The last valid day, such as 2027-01-31
        #[arg(long, value_name = "DAY")]
        expires: Option<String>,
        /// Only from these addresses or networks, such as 192.168.1.0/24
        #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
        from: Vec<String>,
        /// Only for these tasks, by id or name, such as "7,Check off"
        #[arg(long, value_name = "TASK", value_delimiter = ',', num_args = 1..)]
        tasks: Vec<String>,
        #[command(flatten)]
        codes: Drawn,
    },
    /// Lists the keys' labels, limits and last use; never a key
    #[command(alias = "ls", alias = "show")]
    List,
    /// Takes a key back
    #[command(alias = "remove", alias = "delete", alias = "rm")]
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
pub struct Drawn {
    /// Draws codes where the output is no terminal, too; never of an address that means the NAS itself
    #[arg(long, conflicts_with = "no_qr")]
    pub qr: bool,
    /// Draws no codes
    #[arg(long)]
    pub no_qr: bool,
}

impl Drawn {
    /// The codes to draw.
    pub fn codes(&self) -> Codes {
        match (self.qr, self.no_qr) {
            (true, _) => Codes::Always,
            (_, true) => Codes::Never,
            _ => Codes::Terminal,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Get {
    /// Starts it
    Run,
    /// Shows a page with a button
    Confirm,
}
