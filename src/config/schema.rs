//! The schema of config.json: each field judged by itself, then the places of the file compared with each other.
//!
//! Hand-written, because a reader derived by serde takes a list for an object, repeats unknown names, and cannot compare
//! a value with the rest of the file where it stands; and a glance, which reads `server` by this schema too, could not
//! pay for it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

use chrono::NaiveDate;
use ipnet::IpNet;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::json::{self, once, refuse, under, Fields, Flag, List, Number, Object, OneOrMore, Str, TWICE};
use super::values::{address, date, event, events, folder, get, key, network, overlap, plain, program, scheduler};
use super::values::{first_is_program, shown_id, task_id, task_number, Argv, EVENTS, GET, OVERLAP, SCHEDULERS};
use super::{Config, Events, Get, Glanced, Keeping, MagicKey, Overlap, Refusal, Scheduler, Server, Starts, Task};
use super::{ESYNOSCHEDULER, LISTEN, SYNOSCHEDTASK, SYNOSCHEDULE, SYNOWEBAPI, WAIT, WAIT_MAX, WEEK};
use crate::key::{Digest, Key};

/// Reads twice: the ids of all tasks have to be known before a magic key's `tasks` can be judged, and `scheduler` and
/// `events` before a task's fields.
pub fn read(text: &str) -> Result<Config<'_>, Refusal> {
    let fields = config(text, None)?;
    let ids = fields.tasks.iter().map(|task| task.id.to_string()).collect();
    let handed =
        fields.tasks.iter().filter(|task| !fields.server.keeps(task)).map(|task| task.id.to_string()).collect();
    config(text, Some(&Whole { ids, handed, ..Whole::default() }))
}

fn config<'t>(text: &'t str, whole: Option<&Whole>) -> Result<Config<'t>, Refusal> {
    let tasks = Tasks { whole, list: Vec::new() };
    let (server, tasks) = json::read(text, &mut Top::of(tasks, whole))?;
    Ok(Config { server, tasks })
}

/// The part of the file that each value is compared with.
#[derive(Default)]
pub struct Whole {
    ids: HashSet<String>,
    /// The ids of the tasks that are handed to DSM.
    handed: HashSet<String>,
    seen_tasks: RefCell<HashSet<String>>,
    seen_keys: RefCell<HashSet<Digest>>,
}

/// Two keys of one file must differ, magic keys and identifiers together.
fn distinct(whole: Option<&Whole>, key: &Key) -> Result<(), String> {
    match whole {
        Some(whole) if !whole.seen_keys.borrow_mut().insert(key.digest) => {
            Err("the same key stands in this file already; every key must be its own".into())
        }
        _ => Ok(()),
    }
}

// ---- the fields' names -----------------------------------------------------------------------

const TOP: &[&str] = &["server", "tasks"];
const SERVER: &[&str] = &[
    "listen",
    "port",
    "title",
    "magickey",
    "panel",
    "debug",
    "elevate",
    "scheduler",
    "events",
    "on_failure",
    "synoschedtask",
    "synowebapi",
    "esynoscheduler",
    "synoschedule",
];
const MAGIC_KEY: &[&str] = &["key", "label", "expires", "from", "tasks"];
pub const TASK: &[&str] =
    &["identifier", "name", "command", "event", "get", "cooldown", "overlap", "timeout", "wait", "output", "stop"];

/// Refuses a field that does not exist. Its name may be a key in the wrong place, so it is shown only if it is nearly
/// the name of a field, which no secret is.
#[cold]
pub fn unknown<E: Error>(name: &str, here: &[&str]) -> Result<(), E> {
    let names = here.join(", ");
    match [TOP, SERVER, MAGIC_KEY, TASK].concat().iter().any(|known| nearly(name, known)) {
        true => refuse(name, &format!("no such field; there are {names}")),
        false => Err(E::custom(format_args!("no field has the name at this place; there are {names}"))),
    }
}

/// Compares two names by the letters that have to be changed, added or left out to make one of the other: two at most.
/// Capitals count as small letters.
pub fn nearly(name: &str, known: &str) -> bool {
    if name.len() > known.len() + 2 {
        return false;
    }
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (at, theirs) in name.bytes().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (at, ours) in known.bytes().enumerate() {
            let changed = diagonal + usize::from(!theirs.eq_ignore_ascii_case(&ours));
            diagonal = row[at + 1];
            row[at + 1] = changed.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[known.len()] <= 2
}

// ---- the file --------------------------------------------------------------------------------

/// The file: `server` and `tasks`, or all of `server`'s fields beside `tasks`. `T` reads what `tasks` holds.
pub struct Top<'w, 'de, T: Object<'de>> {
    whole: Option<&'w Whole>,
    nested: Option<Server<'de>>,
    flat: ServerFields<'w, 'de>,
    flat_field: Option<String>,
    tasks: T,
    tasks_read: Option<T::Value>,
}

impl<'w, 'de, T: Object<'de>> Top<'w, 'de, T> {
    pub fn of(tasks: T, whole: Option<&'w Whole>) -> Self {
        let flat = ServerFields { whole, beside: TOP, ..ServerFields::default() };
        Top { whole, nested: None, flat, flat_field: None, tasks, tasks_read: None }
    }
}

impl<'de, T: Object<'de>> Object<'de> for Top<'_, 'de, T> {
    type Value = (Server<'de>, T::Value);
    const EXPECTING: &'static str = "an object { … } with \"server\" and \"tasks\"";
    fn take<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        match &*name {
            "tasks" => return once(map, &name, &mut self.tasks_read, Fields(&mut self.tasks)),
            "server" => {
                let mut fields = ServerFields { whole: self.whole, ..ServerFields::default() };
                once(map, &name, &mut self.nested, Fields(&mut fields))?;
            }
            _ => {
                let field = name.clone().into_owned();
                self.flat.take(name, map)?;
                self.flat_field = Some(field);
            }
        }
        match (&self.nested, &self.flat_field) {
            (Some(_), Some(field)) => Err(under(
                field,
                A::Error::custom("stands outside \"server\", and there is a \"server\" too; move it in there"),
            )),
            _ => Ok(()),
        }
    }
    fn finish(&mut self) -> Result<Self::Value, String> {
        let server = match self.nested.take() {
            Some(server) => server,
            None => self.flat.finish()?,
        };
        let tasks =
            self.tasks_read.take().ok_or("there is no \"tasks\"; add \"tasks\": { … } with what may be started")?;
        Ok((server, tasks))
    }
}

#[derive(Default)]
struct ServerFields<'w, 'de> {
    whole: Option<&'w Whole>,
    /// The names of other fields that may stand where these do.
    beside: &'static [&'static str],
    listen: Option<IpAddr>,
    port: Option<u64>,
    magic_keys: Option<Vec<MagicKey<'de>>>,
    debug: Option<bool>,
    elevate: Option<Vec<Cow<'de, str>>>,
    scheduler: Option<Scheduler>,
    synoschedtask: Option<Cow<'de, str>>,
    synowebapi: Option<Cow<'de, str>>,
    synoschedule: Option<Cow<'de, str>>,
    events: Option<Events>,
    esynoscheduler: Option<Cow<'de, str>>,
    title: Option<Cow<'de, str>>,
    panel: Option<Key>,
    on_failure: Option<Vec<Cow<'de, str>>>,
}

impl<'de> Object<'de> for ServerFields<'_, 'de> {
    type Value = Server<'de>;
    const EXPECTING: &'static str = "an object { … } with the server's fields";
    fn take<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let name = &*name;
        match name {
            "listen" => {
                once(map, name, &mut self.listen, Str("an IP address in quotes, such as \"127.0.0.1\"", address))
            }
            "port" => once(map, name, &mut self.port, Number("a port", 1, 65_535)),
            "magickey" => {
                let check = |entry: &MagicKey<'de>| distinct(self.whole, &entry.key);
                let expecting = "a key in quotes, or a list [ … ] of keys and of objects with a \"key\"";
                let list = List { expecting, element: Entry(self.whole), check };
                let empty = "the list is empty, so nobody could start anything; add a key";
                once(map, name, &mut self.magic_keys, OneOrMore { list, empty })
            }
            "debug" => once(map, name, &mut self.debug, Flag),
            "elevate" => {
                let expecting = "a list of words such as [\"/usr/bin/sudo\", \"-n\"], or [] for none";
                let list = List { expecting, element: Str("a word in quotes", plain), check: |_: &_| Ok(()) };
                once(map, name, &mut self.elevate, list)?;
                first_is_program(self.elevate.as_deref(), name)
            }
            "scheduler" => once(map, name, &mut self.scheduler, Str(SCHEDULERS, scheduler)),
            "synoschedtask" => {
                once(map, name, &mut self.synoschedtask, Str("a program's whole path in quotes", program))
            }
            "synowebapi" => once(map, name, &mut self.synowebapi, Str("a program's whole path in quotes", program)),
            "synoschedule" => once(map, name, &mut self.synoschedule, Str("a folder's whole path in quotes", folder)),
            "events" => once(map, name, &mut self.events, Str(EVENTS, events)),
            "esynoscheduler" => {
                once(map, name, &mut self.esynoscheduler, Str("a program's whole path in quotes", program))
            }
            "title" => once(map, name, &mut self.title, Str("a name for this NAS in quotes", plain)),
            "panel" => {
                once(map, name, &mut self.panel, Str("a key in quotes", key))?;
                let distinct = self.panel.as_ref().map_or(Ok(()), |key| distinct(self.whole, key));
                distinct.map_err(|why| under(name, A::Error::custom(why)))
            }
            "on_failure" => {
                let expecting = "a list of words such as [\"/volume1/scripts/report.sh\"]";
                let list = List { expecting, element: Str("a word in quotes", plain), check: |_: &_| Ok(()) };
                once(map, name, &mut self.on_failure, list)?;
                not_empty(&self.on_failure, name, "the list is empty; name the program, or take \"on_failure\" out")?;
                first_is_program(self.on_failure.as_deref(), name)
            }
            _ => unknown(name, &[self.beside, SERVER].concat()),
        }
    }
    fn finish(&mut self) -> Result<Server<'de>, String> {
        let magic_keys =
            self.magic_keys.take().ok_or("there is no \"magickey\"; add one, the key that says who calls")?;
        Ok(Server {
            listen: self.listen.unwrap_or(LISTEN.0),
            port: self.port.map_or(LISTEN.1, |port| port as u16),
            magic_keys,
            debug: self.debug.unwrap_or(false),
            elevate: self.elevate.take(),
            scheduler: self.scheduler.unwrap_or_default(),
            synoschedtask: self.synoschedtask.take().unwrap_or(Cow::Borrowed(SYNOSCHEDTASK)),
            synowebapi: self.synowebapi.take().unwrap_or(Cow::Borrowed(SYNOWEBAPI)),
            synoschedule: self.synoschedule.take().unwrap_or(Cow::Borrowed(SYNOSCHEDULE)),
            events: self.events.unwrap_or_default(),
            esynoscheduler: self.esynoscheduler.take().unwrap_or(Cow::Borrowed(ESYNOSCHEDULER)),
            title: self.title.take(),
            panel: self.panel,
            on_failure: self.on_failure.take(),
        })
    }
}

/// An entry of `magickey`: a key, or an object with one.
#[derive(Clone, Copy)]
struct Entry<'w>(Option<&'w Whole>);

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = MagicKey<'de>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<MagicKey<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_> {
    type Value = MagicKey<'de>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key in quotes, or an object { \"key\": … }")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<MagicKey<'de>, E> {
        let key = Key::parse(text).map_err(E::custom)?;
        Ok(MagicKey { key, label: None, expires: None, from: Vec::new(), tasks: None })
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MagicKey<'de>, A::Error> {
        Fields(&mut EntryFields { whole: self.0, ..EntryFields::default() }).visit_map(map)
    }
}

#[derive(Default)]
struct EntryFields<'w, 'de> {
    whole: Option<&'w Whole>,
    key: Option<Key>,
    label: Option<Cow<'de, str>>,
    expires: Option<NaiveDate>,
    from: Option<Vec<IpNet>>,
    tasks: Option<Vec<Cow<'de, str>>>,
}

impl<'de> Object<'de> for EntryFields<'_, 'de> {
    type Value = MagicKey<'de>;
    const EXPECTING: &'static str = "an object { \"key\": … }";
    fn take<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let name = &*name;
        match name {
            "key" => once(map, name, &mut self.key, Str("a key in quotes", key)),
            "label" => once(map, name, &mut self.label, Str("a label in quotes", plain)),
            "expires" => once(map, name, &mut self.expires, Str("a day in quotes, such as \"2027-01-31\"", date)),
            "from" => {
                let expecting = "a list of networks, such as [\"192.168.1.0/24\"]";
                let element = Str("an address or a network in quotes", network);
                let list = List { expecting, element, check: |_: &_| Ok(()) };
                once(map, name, &mut self.from, list)?;
                not_empty(
                    &self.from,
                    name,
                    "the list is empty, so no network could call; add one, or take \"from\" out",
                )
            }
            "tasks" => {
                let check = |id: &Cow<'_, str>| match self.whole {
                    Some(whole) if !whole.ids.contains(&**id) => {
                        Err("there is no such task in \"tasks\"; add it there, or take it out here".into())
                    }
                    _ => Ok(()),
                };
                let expecting = "a list of task ids in quotes, such as [\"7\", \"backup\"]";
                let list = List { expecting, element: Str("a task's id in quotes", plain), check };
                once(map, name, &mut self.tasks, list)?;
                not_empty(
                    &self.tasks,
                    name,
                    "the list is empty, so this key could start nothing; add a task, or take \"tasks\" out",
                )
            }
            _ => unknown(name, MAGIC_KEY),
        }
    }
    fn finish(&mut self) -> Result<MagicKey<'de>, String> {
        Ok(MagicKey {
            key: self.key.ok_or("there is no \"key\"; add one")?,
            label: self.label.take(),
            expires: self.expires,
            from: self.from.take().unwrap_or_default(),
            tasks: self.tasks.take(),
        })
    }
}

fn not_empty<T, E: Error>(list: &Option<Vec<T>>, name: &str, why: &str) -> Result<(), E> {
    match list.as_ref().is_some_and(Vec::is_empty) {
        true => Err(under(name, E::custom(why))),
        false => Ok(()),
    }
}

// ---- tasks -----------------------------------------------------------------------------------

/// `tasks`: ids and what each starts.
struct Tasks<'w, 'de> {
    whole: Option<&'w Whole>,
    list: Vec<Task<'de>>,
}

impl<'de> Object<'de> for Tasks<'_, 'de> {
    type Value = Vec<Task<'de>>;
    const EXPECTING: &'static str = TASKS;
    fn take<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let id = task_id(name)?;
        let mut fields = TaskFields { whole: self.whole, id: id.clone(), ..TaskFields::default() };
        let task = match self.whole {
            Some(whole) if !whole.seen_tasks.borrow_mut().insert(id.to_string()) => Err(A::Error::custom(TWICE)),
            _ => map.next_value_seed(Fields(&mut fields)),
        };
        self.list.push(task.map_err(|e| under(shown_id(&id), e))?);
        Ok(())
    }
    fn finish(&mut self) -> Result<Self::Value, String> {
        Ok(std::mem::take(&mut self.list))
    }
}

/// The form of `tasks`, and that of a task in it.
pub const TASKS: &str = "an object { … } with a task a line, such as \"7\": { \"identifier\": … }";
pub const A_TASK: &str = "an object { \"identifier\": … }";

#[derive(Default)]
struct TaskFields<'w, 'de> {
    whole: Option<&'w Whole>,
    id: Cow<'de, str>,
    identifiers: Option<Vec<Key>>,
    name: Option<Cow<'de, str>>,
    /// `Some(None)` is the original's `""`.
    command: Option<Option<Vec<Cow<'de, str>>>>,
    event: Option<Cow<'de, str>>,
    get: Option<Get>,
    cooldown: Option<u64>,
    overlap: Option<Overlap>,
    timeout: Option<u64>,
    wait: Option<u64>,
    output: Option<bool>,
    stop: Option<bool>,
}

impl<'de> Object<'de> for TaskFields<'_, 'de> {
    type Value = Task<'de>;
    const EXPECTING: &'static str = A_TASK;
    fn take<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let name = &*name;
        match name {
            "identifier" => {
                let check = |key: &Key| distinct(self.whole, key);
                let expecting = "a key in quotes, or a list [ … ] of keys";
                let list = List { expecting, element: Str("a key in quotes", key), check };
                let empty = "the list is empty, so no URL could start this task; add a key";
                once(map, name, &mut self.identifiers, OneOrMore { list, empty })
            }
            "name" => once(map, name, &mut self.name, Str("a name in quotes", plain)),
            "command" => {
                once(map, name, &mut self.command, Argv)?;
                first_is_program(self.command.as_ref().and_then(|c| c.as_deref()), name)
            }
            "event" => once(map, name, &mut self.event, Str("a triggered task's name in quotes", event)),
            "get" => once(map, name, &mut self.get, Str(GET, get)),
            "cooldown" => once(map, name, &mut self.cooldown, Number("seconds", 0, WEEK)),
            "overlap" => once(map, name, &mut self.overlap, Str(OVERLAP, overlap)),
            "timeout" => once(map, name, &mut self.timeout, Number("seconds", 1, WEEK)),
            "wait" => once(map, name, &mut self.wait, Number("seconds", 0, WAIT_MAX)),
            "output" => once(map, name, &mut self.output, Flag),
            "stop" => once(map, name, &mut self.stop, Flag),
            _ => unknown(name, TASK),
        }
    }
    fn finish(&mut self) -> Result<Task<'de>, String> {
        let identifiers = self.identifiers.take().ok_or("there is no \"identifier\"; add one, the task's key")?;
        let starts = match (self.command.take().flatten(), self.event.take()) {
            (Some(_), Some(_)) => {
                return Err("there are both \"command\" and \"event\"; a task starts one of them: take one out".into());
            }
            (Some(argv), None) => Starts::Command(argv),
            (None, Some(event)) => Starts::Event(event),
            (None, None) => Starts::Scheduled(task_number(&self.id).ok_or(
                "without a \"command\" or an \"event\" the id is the number of a task in DSM's Task Scheduler, \
                 1 to 9 digits, such as \"7\"; rename it, or add one of the two",
            )?),
        };
        if let Some(field) = self.whole.filter(|whole| whole.handed.contains(&*self.id)).and_then(|_| self.keeping()) {
            let elsewhere = match Glanced::from(&starts) {
                Glanced::Event => "set \"events\": \"esynoscheduler\" in \"server\"",
                _ => "set \"scheduler\": \"direct\" in \"server\"",
            };
            let why = "is for what this program keeps by itself, and DSM decides it for its own tasks";
            return Err(format!("\"{field}\" {why}: take it out, or {elsewhere}"));
        }
        let keeping = Keeping {
            overlap: self.overlap.unwrap_or_default(),
            timeout: self.timeout,
            wait: self.wait.unwrap_or(WAIT),
            output: self.output.unwrap_or(false),
            stop: self.stop.unwrap_or(false),
        };
        Ok(Task {
            id: std::mem::take(&mut self.id),
            identifiers,
            name: self.name.take(),
            get: self.get.unwrap_or_default(),
            cooldown: self.cooldown.unwrap_or(0),
            keeping,
            starts,
        })
    }
}

impl TaskFields<'_, '_> {
    /// The first given field that only a kept run can have.
    fn keeping(&self) -> Option<&'static str> {
        let given = [
            ("overlap", self.overlap.is_some()),
            ("timeout", self.timeout.is_some()),
            ("wait", self.wait.is_some()),
            ("output", self.output.is_some()),
            ("stop", self.stop.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(field, _)| field)
    }
}
