//! A packed file's run: setup from a task of the Task Scheduler, and all that follows. Nobody can be asked there, and
//! its words are kept by DSM: no URL is among them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::order::Order;
use super::package::Package;
use super::phone::{self, PhoneArgs, Phones};
use super::setup::{self, SetupArgs};
use crate::commands::probe::{self, ProbeArgs};
use crate::commands::{page, prove, tasks, url};
use crate::owner::addresses::is_own;
use crate::owner::fault::Fault;
use crate::owner::screen::{Screen, Tone};
use crate::owner::urls::Codes;
use crate::owner::view::View;
use crate::owner::workbench::{Workbench, INSTALLED};
use crate::parts::entry_point::noted;
use crate::parts::job::EntryPointKind;

/// The arguments of `here`.
pub struct HereArgs {
    /// The packed file; the page with URLs is written beside it.
    pub file: PathBuf,
    /// As for `setup`.
    pub setup: SetupArgs,
    /// Tasks that get a URL: numbers or names, separated by commas.
    pub tasks: String,
    /// The address at which the NAS is reached.
    pub url: Option<String>,
    /// The way on which phones reach this NAS.
    pub phones: Option<Phones>,
    /// A harmless task, to find out which method starts one here.
    pub probe: Option<String>,
}

/// The words that the owner still has to add to the task's line.
enum Pending {
    Nothing,
    Url,
    Tasks,
}

/// `here`. Returns true if nothing is faulty.
pub fn run(mut args: HereArgs) -> Result<bool, Fault> {
    let order = Order::begin(false)?;
    let package = Package::own()?;
    let screen = Screen::own();
    if let Some(config) = &args.setup.config {
        if !config.is_absolute() {
            return Err(Fault::new("--config needs a whole path, such as /volume1/homes/anna/config.json"));
        }
        if Path::new(INSTALLED).join("config.json").exists() {
            screen.say("There is a configuration on this NAS already, and it stays; --config is for a first one.");
            args.setup.config = None;
        }
    }
    let good = setup::put(&order, &package, &args.setup)?;
    if args.setup.dry_run {
        if !args.tasks.is_empty() {
            screen.say(format_args!("And these tasks would get a URL: {}", args.tasks));
        }
        return Ok(good);
    }
    // From here on the installed program goes on, which others may call at the same time.
    drop(order);
    drop(package);
    match good {
        true => follow(&args, screen),
        false => Ok(false),
    }
}

fn follow(args: &HereArgs, screen: Screen) -> Result<bool, Fault> {
    let bench = Workbench { folder: INSTALLED.into(), screen };
    let screen = &bench.screen;
    let mut good = true;
    screen.gap();
    for (task, result) in tasks::give(&bench, &args.tasks) {
        match result {
            Ok(true) => screen.mark(Tone::Good, "  done  ", format_args!("task {task} has a URL")),
            Ok(false) => {}
            Err(Fault(why)) => {
                good = false;
                screen.mark(Tone::Fault, "  fault ", why);
            }
        }
    }
    let mut pending = Pending::Nothing;
    match proof(&bench, args) {
        Ok(still) => pending = still,
        Err(Fault(why)) => {
            good = false;
            screen.mark(Tone::Fault, "  fault ", why);
        }
    }
    if let Some(task) = &args.probe {
        screen.gap();
        let probed = probe::run(
            &bench,
            &ProbeArgs { task: Some(task.clone()), event: None, yes: true, watch: Duration::from_secs(15) },
        );
        if let Err(Fault(why)) = probed.and_then(|found| match found {
            true => Ok(()),
            false => Err(Fault(format!("no method was found that starts task {task}: see above"))),
        }) {
            good = false;
            screen.mark(Tone::Fault, "  fault ", why);
        }
    }
    if let Err(Fault(why)) = write_page(&bench, args, &mut pending) {
        good = false;
        screen.mark(Tone::Fault, "  fault ", format_args!("the page with your URLs could not be written: {why}"));
    }
    say_the_end(screen, args, &pending, good);
    Ok(good)
}

/// A request all the way, on the NAS itself and by the address that was given; or the words that are missing for it.
fn proof(bench: &Workbench, args: &HereArgs) -> Result<Pending, Fault> {
    let screen = &bench.screen;
    if noted(&bench.folder) == Some(EntryPointKind::Port) {
        screen.say("The proof, on this NAS itself:");
        if !prove::run(bench, None)? {
            return Err(Fault::new("a request does not come all the way: see above"));
        }
    }
    let url = args.url.as_deref();
    if let Some(phones @ (Phones::Home | Phones::Proxy | Phones::Vhost)) = args.phones {
        let wanted = PhoneArgs { phones: args.phones, url, who: None, codes: Codes::Never, no_wait: true };
        return match phone::prepare(bench, phones, &wanted)? {
            true => Ok(Pending::Nothing),
            false => Err(Fault::new("a request by that address does not come all the way: see above")),
        };
    }
    phone::show_what_is_left(bench, url)?;
    let Some(url) = url else { return Ok(Pending::Url) };
    url::note(bench, url).map_err(|Fault(why)| Fault(format!("--url: {why}")))?;
    screen.say("The proof, by that address:");
    match prove::run(bench, Some(url))? {
        true => Ok(Pending::Nothing),
        false => Err(Fault::new(
            "a request by that address does not come all the way: see above. Where it works from outside all the same, your \
             router does not let the NAS reach its own address, and nothing is wrong",
        )),
    }
}

/// The URLs, where an owner without a shell can see them.
fn write_page(bench: &Workbench, args: &HereArgs, pending: &mut Pending) -> Result<(), Fault> {
    let screen = &bench.screen;
    let has_tasks = match bench.path("config.json").exists() {
        true => !View::read(&bench.folder)?.config()?.tasks.is_empty(),
        false => false,
    };
    screen.gap();
    if !has_tasks {
        *pending = Pending::Tasks;
        tasks::show(bench)?;
        screen.gap();
        screen.say(
            "Choose the tasks that get a URL, write them behind the line of this task, such as --tasks \"7,Check off\", and run \
             it again.",
        );
        return Ok(());
    }
    let view = View::read(&bench.folder)?;
    // An address was noted by an earlier run.
    if matches!(pending, Pending::Url) && !is_own(&view.base(&view.config()?)) {
        *pending = Pending::Nothing;
    }
    let page = page::write(bench, &args.file, &page::with_links(bench, None, None)?)?;
    screen.say(format_args!("Your URLs stand in {}: open it in File Station.", page.display()));
    screen.say("A minute after that, or in an hour, it is deleted. Have you missed it? Run this task again.");
    Ok(())
}

fn say_the_end(screen: &Screen, args: &HereArgs, pending: &Pending, good: bool) {
    let file = args.file.display();
    screen.gap();
    match pending {
        Pending::Url => {
            screen.say(
                "Not done yet: no phone finds these links, because no address of this NAS is known. Write how phones shall reach \
                 it behind the line of this task, and run it again: --phones home for your home network alone, without https; \
                 --phones proxy --url https://that-name for DSM's reverse proxy; --phones vhost --url https://that-name for a \
                 virtual host of Web Station's.",
            );
        }
        Pending::Nothing if good => {
            screen.say(format_args!(
                "Now delete {file} and this task: whoever could change that file would be root with its next run."
            ));
        }
        Pending::Tasks | Pending::Nothing => {
            screen.say(format_args!("Not done yet: see above. When you have your URLs, delete {file} and this task."));
        }
    }
    screen.gap();
    screen.say(
        "After an update of DSM its boot puts back what the update took. Should yours not do that, make a task for it: Task \
         Scheduler, Create, Triggered Task, User-defined script; user root, event Boot-up, and the script",
    );
    screen.literal(format_args!("    {INSTALLED}/remotetask repair --boot"));
}
