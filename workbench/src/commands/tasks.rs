//! `tasks`: what can be started, and making it so.

use super::targets::{can_be_started, is_a_nas, not_asked, scheduled, triggered, NO_NAS, PATIENCE};
use crate::owner::known_keys::{first, forget, keep};
use crate::owner::names::{called, quoted, task_id, who};
use crate::owner::urls::{show_urls, Codes};
use std::path::Path;
use std::time::Instant;

use serde_json::{json, Map, Value};

use crate::owner::edit::{list, Edit};
use crate::owner::fault::Fault;
use crate::owner::panel;
use crate::owner::screen::{Screen, Tone};
use crate::owner::secrets::new_key;
use crate::owner::view::View;
use crate::owner::workbench::Workbench;
use remotetask::config::{Config, Starts, Task, ESYNOSCHEDULER, SYNOSCHEDTASK, SYNOSCHEDULE};
use remotetask::key::Digest;
use remotetask::record::Runs;
use remotetask::start::{self, esynoscheduler, Listed};

/// The thing that a task to be added starts.
pub struct NewTask {
    /// Its id; for a task of the scheduler its number, or its name there.
    pub id: String,
    /// The name that callers are shown.
    pub name: Option<String>,
    /// The name of a triggered task.
    pub event: Option<String>,
    /// A command, word by word.
    pub command: Vec<String>,
    /// A GET starts it at once, for devices that cannot POST; otherwise it shows the page with the button.
    pub get_runs: bool,
}

/// `tasks`: those of the scheduler, and those of config.json.
pub fn show(bench: &Workbench) -> Result<(), Fault> {
    let screen = &bench.screen;
    let view = match bench.path("config.json").symlink_metadata() {
        Ok(_) => Some(View::read(&bench.folder)?),
        Err(_) => None,
    };
    let config = view.as_ref().map(View::config).transpose()?;
    let server = config.as_ref().map(|config| &config.server);
    let program = server.map_or(SYNOSCHEDTASK, |server| &server.synoschedtask);
    let store = Path::new(server.map_or(SYNOSCHEDULE, |server| &server.synoschedule));

    screen.heading("In DSM's Task Scheduler");
    match start::list(program, store, Instant::now() + PATIENCE) {
        Ok((tasks, 0)) if tasks.is_empty() => screen.say("  none"),
        Ok((tasks, left)) => {
            tasks.iter().for_each(|task| scheduled_one(screen, task, config.as_ref()));
            if left > 0 {
                screen.say(format_args!("  {}", not_asked(left)));
            }
        }
        Err(_) if !is_a_nas(program) => screen.say(format_args!("  {NO_NAS}: it has no Task Scheduler.")),
        Err(why) => screen.say(format_args!("  cannot be shown: {why}")),
    }
    let events = server.map_or(ESYNOSCHEDULER, |server| &server.esynoscheduler);
    match esynoscheduler::names(events, Instant::now() + PATIENCE) {
        Ok(names) if !names.is_empty() => {
            screen.say("  Triggered tasks, by their names:");
            names.iter().for_each(|name| screen.say(format_args!("        {name}")));
        }
        _ => {}
    }
    screen.gap();
    screen.heading("By URL");
    match config.as_ref().map(|config| (config, &config.tasks[..])) {
        None | Some((_, [])) => screen.say("  none yet"),
        Some((config, tasks)) => tasks.iter().for_each(|task| {
            let shown = if task.shown() == task.id { String::new() } else { format!(" ({})", task.shown()) };
            screen.say(format_args!("  {}{shown}: {}", task.id, starts(&task.starts)));
            let runs = Runs::of(&bench.path("state"), &task.id);
            let last = runs
                .last()
                .map_or_else(|| "never started by URL".into(), |run| remotetask::response::summary(&(&run).into()));
            screen.say(format_args!("      {}; {last}", may_start(config, &task.id)));
        }),
    }
    Ok(())
}

/// A task of the scheduler's, and whether it has a URL.
fn scheduled_one(screen: &Screen, task: &Listed, config: Option<&Config<'_>>) {
    screen.say(format_args!("  {:>4}  {}", task.id, task.name));
    let state = if task.enabled { "enabled" } else { "disabled" };
    let mut facts = vec![match task.owner.as_deref() {
        Some("") => format!("{state}, its owner does not exist any more"),
        Some(owner) => format!("{state}, of {owner}"),
        None => state.to_owned(),
    }];
    facts.extend(task.next.as_ref().map(|next| format!("next run {next}")));
    facts.extend(task.last.as_ref().map(|last| format!("last run {last}")));
    facts.extend(task.status.as_ref().map(|status| format!("last result {status}")));
    screen.say(format_args!("        {}", facts.join(", ")));
    let is_ours = |ours: &&Task<'_>| matches!(ours.starts, Starts::Scheduled(number) if number == task.id);
    let ours = config.and_then(|config| config.tasks.iter().find(is_ours));
    screen.say(match ours.map(|ours| ours.name.as_deref().filter(|name| *name != task.name)) {
        Some(None) => "        can be started by URL".to_owned(),
        Some(Some(name)) => format!("        can be started by URL; its callers see {name}"),
        // In a task's result nobody types it.
        None if screen.terminal => format!("        no URL; remotetask tasks add {} makes one", task.id),
        None => "        no URL yet".to_owned(),
    });
}

fn starts(starts: &Starts<'_>) -> String {
    match starts {
        Starts::Scheduled(number) => format!("task {number} of the Task Scheduler"),
        Starts::Event(name) => format!("the triggered task \"{name}\""),
        Starts::Command(argv) => argv.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
    }
}

fn may_start(config: &Config<'_>, id: &str) -> String {
    let people = config.server.magic_keys.iter().enumerate();
    let may = people.filter(|(_, key)| key.may_start(id));
    let names: Vec<String> = may.map(|(at, key)| who(at, key.label.as_deref())).collect();
    match names[..] {
        [] => "nobody may start it".into(),
        _ => format!("for {}", names.join(", ")),
    }
}

/// `tasks add`: makes one reachable.
pub fn add(bench: &Workbench, new: NewTask, codes: Codes) -> Result<(), Fault> {
    let screen = &bench.screen;
    let (id, begins, doubt) = match add_to_config(bench, new)? {
        Added::New { id, begins, doubt } => (id, begins, doubt),
        Added::Renamed { id, name } => {
            screen.say(format_args!("Task {id} has its URL already; its callers see \"{name}\" from now on."));
            return Ok(());
        }
        Added::IsThere { id } => {
            return Err(Fault(format!(
                "there is a task \"{id}\" already; remotetask url {id} shows its URLs, remotetask tasks remove {id} takes it out"
            )))
        }
    };
    if begins {
        screen.say(format_args!("{} is new, with a key for you, \"me\".", bench.path("config.json").display()));
    }
    screen.say(format_args!("Task {id} has a URL now."));
    if let Some(doubt) = doubt {
        screen.mark(Tone::Advice, "advice", doubt);
    }
    if begins {
        // The one that is kept.
        return show_urls(bench, None, None, codes);
    }
    on_panels(bench)?;
    show_urls(bench, None, Some(&id), codes)
}

/// Says that whoever has a link of the panel has the new button already.
fn on_panels(bench: &Workbench) -> Result<(), Fault> {
    let view = View::read(&bench.folder)?;
    if view.config()?.server.panel.is_some() {
        bench.screen.say("It stands on the panel of each person below; its own page is there:");
    }
    Ok(())
}

/// `tasks give`: gives each of these tasks of the scheduler a URL; a task that has one keeps it. Then shows the links, with
/// these codes. Returns true if each has one.
pub fn give_and_show(bench: &Workbench, list: &str, links: Option<Codes>) -> Result<bool, Fault> {
    let (mut good, mut any) = (true, false);
    for (task, result) in give(bench, list) {
        match result {
            Ok(true) => {
                any = true;
                bench.screen.say(format_args!("Task {task} has a URL now."));
            }
            Ok(false) => bench.screen.say(format_args!(
                "Task {task} has its URL already: {} url {}",
                bench.typed(),
                quoted(&task)
            )),
            Err(Fault(why)) => {
                good = false;
                bench.screen.mark(Tone::Fault, "  fault ", why);
            }
        }
    }
    if let Some(codes) = links.filter(|_| any) {
        show_urls(bench, None, None, codes)?;
    }
    Ok(good)
}

/// Quotes that a page or a word processor makes of straight ones; a shell takes them for letters.
const CURLY: [char; 7] = ['\u{201c}', '\u{201d}', '\u{201e}', '\u{2018}', '\u{2019}', '\u{ab}', '\u{bb}'];

/// Gives each of these tasks, numbers or names between commas, a URL. For each: its id, and true if the URL is new.
pub fn give(bench: &Workbench, list: &str) -> Vec<(String, Result<bool, Fault>)> {
    let wanted = list.split(',').map(str::trim).filter(|task| !task.is_empty());
    let one = |task: &str| {
        if task.contains(CURLY) {
            let why =
                format!("{task} has curly quotes in it, which a shell does not know: type straight ones, \" or '");
            return (task.to_owned(), Err(Fault(why)));
        }
        let new = NewTask { id: task.to_owned(), name: None, event: None, command: Vec::new(), get_runs: false };
        match add_to_config(bench, new) {
            Ok(Added::New { id, .. }) => (id, Ok(true)),
            Ok(Added::IsThere { id } | Added::Renamed { id, .. }) => (id, Ok(false)),
            Err(fault) => (task.to_owned(), Err(fault)),
        }
    };
    wanted.map(one).collect()
}

/// The result of adding a task.
enum Added {
    /// It has a key now; `begins` if config.json is new too, and a doubt whether DSM has such a task.
    New { id: String, begins: bool, doubt: Option<String> },
    /// It was there, and has the name now that DSM has for it.
    Renamed { id: String, name: String },
    /// It was there.
    IsThere { id: String },
}

fn add_to_config(bench: &Workbench, new: NewTask) -> Result<Added, Fault> {
    let (first_key, key) = (new_key()?, new_key()?);
    let mut edit = Edit::begin_or_new(&bench.folder, || Ok(first(&first_key)))?;
    let (begins, get_runs) = (edit.is_new(), new.get_runs);
    let Described { id, fields, doubt } = described(&mut edit, new)?;
    if let Some(task) = edit.tasks().get_mut(&id) {
        // A task that was renamed in DSM; a command or an event of this id is another thing.
        let is_scheduled =
            !["command", "event"].iter().any(|field| fields.contains_key(*field) || !task[field].is_null());
        let name = fields.get("name").filter(|name| is_scheduled && task["name"] != **name).cloned();
        let Some(name) = name else { return Ok(Added::IsThere { id }) };
        task["name"] = name.clone();
        drop(edit.commit()?);
        return Ok(Added::Renamed { id, name: name.as_str().unwrap_or_default().to_owned() });
    }
    let mut task = Map::from_iter([("identifier".to_owned(), Value::from(Digest::of(key.as_bytes()).sealed()))]);
    task.extend(fields);
    if !get_runs {
        task.insert("get".into(), "confirm".into());
    }
    edit.tasks().insert(id.clone(), task.into());
    let panel = if begins { panel::begin(&mut edit)? } else { None };
    let mut keys = if begins { vec![&*first_key, &*key] } else { vec![&*key] };
    keys.extend(panel.as_deref());
    keep(bench, &keys)?;
    drop(edit.commit()?);
    Ok(Added::New { id, begins, doubt })
}

/// A task to be added, as config.json has it.
struct Described {
    id: String,
    /// The fields that say what it starts, and its name.
    fields: Map<String, Value>,
    /// A doubt whether DSM has such a task.
    doubt: Option<String>,
}

fn described(edit: &mut Edit, new: NewTask) -> Result<Described, Fault> {
    let mut fields = Map::new();
    let mut id = new.id.trim().to_owned();
    let (mut name, mut doubt) = (new.name, None);
    match (&new.event, &new.command[..]) {
        (Some(_), [_, ..]) => {
            return Err(Fault::new("a task has a command or an event, not both; leave one of them out"));
        }
        (None, []) => {
            let server = edit.server();
            let path = |field: &str| server.get(field).and_then(Value::as_str);
            let program = path("synoschedtask").unwrap_or(SYNOSCHEDTASK);
            let store = path("synoschedule").unwrap_or(SYNOSCHEDULE);
            let task = scheduled(program, Path::new(store), &id)?;
            id = task.id.to_string();
            name = name.or(Some(task.name));
        }
        (Some(event), []) => {
            let program = edit.server().get("esynoscheduler").and_then(Value::as_str).unwrap_or(ESYNOSCHEDULER);
            doubt = triggered(program, event)?;
            fields.extend([("event".to_owned(), json!(event))]);
        }
        (None, command) => {
            can_be_started(command)?;
            fields.extend([("command".to_owned(), json!(command))]);
        }
    }
    if id.is_empty() || id.chars().any(char::is_control) {
        return Err(Fault::new("a task needs a name of one line, such as backup"));
    }
    if let Some(name) = name.filter(|name| *name != id && !name.is_empty()) {
        fields.insert("name".into(), name.into());
    }
    Ok(Described { id, fields, doubt })
}

/// `tasks remove`: its URLs are refused from the next request on. The scheduler's task stays. Whether nothing is left
/// to do.
pub fn remove(bench: &Workbench, wanted: &str) -> Result<bool, Fault> {
    let mut edit = Edit::begin(&bench.folder)?;
    let id = task_id(&called(edit.tasks()), wanted)?;
    edit.tasks().shift_remove(&id);
    for (at, entry) in edit.magic_keys().iter_mut().enumerate() {
        let label = who(at, entry["label"].as_str());
        let Some(only) = entry.get_mut("tasks").and_then(Value::as_array_mut) else { continue };
        only.retain(|task| *task != id);
        if only.is_empty() {
            return Err(Fault(format!(
                "the key of {label} is for this task alone, and could start nothing; take it back first: \
                 remotetask key revoke {}",
                quoted(&label)
            )));
        }
    }
    let _held = edit.commit()?;
    bench.screen.say(format_args!("The URLs of task {id} are refused from the next request on."));
    Ok(forget(bench, &[]))
}

/// `tasks rotate`: a new key for the task; the old one goes, or stays beside it until the next time. Whether nothing
/// is left to do.
pub fn rotate(bench: &Workbench, wanted: &str, keep_old: bool, codes: Codes) -> Result<bool, Fault> {
    let mut edit = Edit::begin(&bench.folder)?;
    let id = task_id(&called(edit.tasks()), wanted)?;
    let key = new_key()?;
    let sealed = Value::from(Digest::of(key.as_bytes()).sealed());
    let task = &mut edit.tasks()[&id];
    let mut old = std::mem::take(list(&mut task["identifier"]));
    old.truncate(if keep_old { 1 } else { 0 }); // the newest of the old ones
    task["identifier"] = match old.is_empty() {
        true => sealed,
        false => Value::from_iter(std::iter::once(sealed).chain(old)),
    };
    keep(bench, &[&key])?;
    let held = edit.commit()?;
    let forgotten = forget(bench, &[]);
    drop(held);
    bench.screen.say(match keep_old {
        true => format!("Task {id} has a new key. The URLs of just before go on working until the next rotation."),
        false => format!("Task {id} has a new key. Its old URLs are refused from the next request on."),
    });
    show_urls(bench, None, Some(&id), codes)?;
    Ok(forgotten)
}
