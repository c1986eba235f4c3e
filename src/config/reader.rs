//! The visitors behind [`super::read`]: one a shape, each field refused where it stands.
//!
//! Hand-written, because a derived reader costs several times the work per task, and because an
//! error has to name the field and the cure.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::{self, Display};

use chrono::NaiveDate;
use ipnet::IpNet;
use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Command, Config, Glanced, MagicKey, Refusal, Scheduler, Server, Starts, Task};
use super::{LISTEN, SYNOSCHEDTASK, SYNOSCHEDULE, SYNOWEBAPI, WAIT, WAIT_MAX};
use crate::key::{Digest, Key, Sought};

/// Reads `text` in one of the ways of [`Reading`], and each task by `task_reader`.
pub fn read<'t, R: TaskReader<'t>>(
    text: &'t str,
    reading: &Reading,
    task_reader: R,
) -> Result<Config<'t, R::Starts>, Refusal> {
    let mut json = serde_json::Deserializer::from_str(text);
    let top = Fields { reading, object: &mut Top::of(task_reader) };
    top.deserialize(&mut json).and_then(|config| json.end().map(|()| config)).map_err(refusal)
}

/// How thoroughly a file is read.
pub enum Reading {
    /// Every field by itself.
    Fields,
    /// The places of the file compared with each other as well.
    Whole(Whole),
}

/// What is compared across the whole file.
#[derive(Default)]
pub struct Whole {
    ids: HashSet<String>,
    seen_tasks: RefCell<HashSet<String>>,
    seen_keys: RefCell<HashSet<Digest>>,
}

impl Reading {
    /// The whole file, whose tasks have these ids.
    pub fn of_whole(ids: HashSet<String>) -> Reading {
        Reading::Whole(Whole { ids, ..Whole::default() })
    }

    fn whole(&self) -> Option<&Whole> {
        match self {
            Reading::Whole(whole) => Some(whole),
            _ => None,
        }
    }
}

// ---- errors that know their field ------------------------------------------------------------

/// Begins an error that already names its field; a JSON text cannot bring it in unescaped.
const FIELD: char = '\u{1}';

/// Puts `field` in front of an error. serde_json keeps the line and column over this.
#[cold]
fn under<E: Error>(field: impl Display, error: E) -> E {
    let error = without_value(error.to_string());
    E::custom(match error.strip_prefix(FIELD) {
        Some(inner) if inner.starts_with('[') => format!("{FIELD}{field}{inner}"),
        Some(inner) => format!("{FIELD}{field}.{inner}"),
        None => format!("{FIELD}{field}: {error}"),
    })
}

fn refusal(error: serde_json::Error) -> Refusal {
    let (line, column) = (error.line(), error.column());
    let mut message = error.to_string();
    message.truncate(message.rfind(" at line ").unwrap_or(message.len()));
    if error.is_syntax() || error.is_eof() {
        message = format!("{message}; {}", cure(&message));
    }
    Refusal { line, column, message: without_value(message).replace(FIELD, "") }
}

/// What serde says about a value of a wrong kind, without the value: it may be a key in the wrong field, and an
/// owner shows errors to others. The last "expected" is ours, whatever the value holds.
#[cold]
fn without_value(error: String) -> String {
    let parts = error.strip_prefix("invalid ").zip(error.rsplit_once(", expected "));
    let Some((there, (_, expected))) = parts else { return error };
    let kinds = [
        ("type: map", "an object { … }"),
        ("type: sequence", "a list [ … ]"),
        ("type: integer", "a number"),
        ("type: floating point", "a number"),
        ("type: string", "a text"),
        ("type: boolean", "true or false"),
        ("type: null", "null"),
        ("value: integer", "a number"),
    ];
    let kind = kinds.iter().find(|(theirs, _)| there.starts_with(theirs)).map_or("something else", |(_, ours)| ours);
    format!("this is {kind}, expected {expected}")
}

/// What to do about a text that is no JSON, by serde_json's words.
fn cure(fault: &str) -> &'static str {
    match fault {
        _ if fault.contains("EOF while parsing a value") => "the file is empty, or ends too early",
        _ if fault.contains("EOF") => "the file ends too early: a } or ] is missing at its end",
        _ if fault.contains("trailing comma") => "take the comma before this place out",
        _ if fault.contains("expected `,`") => {
            "a comma is missing before this place, perhaps at the end of the line above"
        }
        _ if fault.contains("control character") => "a closing quote is missing, perhaps on the line above",
        _ if fault.contains("key must be") => "a name stands in straight double quotes \"…\"; JSON has no comments",
        _ => "look for a comma or a quote too many or too few",
    }
}

const TWICE: &str = "is given twice; keep one of the two";
const NOT_YET: &str = "not in this version; take it out";

// ---- values ----------------------------------------------------------------------------------

/// A JSON string, which `make` turns into a value or refuses.
#[derive(Clone, Copy)]
struct Str<F>(&'static str, F);

impl<'de, T, F: FnOnce(Cow<'de, str>) -> Result<T, String>> DeserializeSeed<'de> for Str<F> {
    type Value = T;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<T, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de, T, F: FnOnce(Cow<'de, str>) -> Result<T, String>> Visitor<'de> for Str<F> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<T, E> {
        self.1(Cow::Borrowed(text)).map_err(E::custom)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        self.1(Cow::Owned(text.to_owned())).map_err(E::custom)
    }
}

fn plain(text: Cow<'_, str>) -> Result<Cow<'_, str>, String> {
    match &text {
        // JSON has no control characters but escaped ones, and what is escaped is not borrowed.
        Cow::Owned(unescaped) if unescaped.contains('\0') => Err("a NUL byte cannot stand here; take it out".into()),
        _ => Ok(text),
    }
}

fn program(text: Cow<'_, str>) -> Result<Cow<'_, str>, String> {
    match text.starts_with('/') {
        true => plain(text),
        false => Err("a program is named by its whole path, which begins with /, such as \"/bin/sh\"".into()),
    }
}

fn folder(text: Cow<'_, str>) -> Result<Cow<'_, str>, String> {
    match text.starts_with('/') {
        true => plain(text),
        false => Err("a folder is named by its whole path, which begins with /, such as \"/usr/syno/etc\"".into()),
    }
}

fn event(text: Cow<'_, str>) -> Result<Cow<'_, str>, String> {
    match text.is_empty() {
        true => Err("the name is empty; write that of a triggered task, as DSM's Task Scheduler shows it".into()),
        false => plain(text),
    }
}

fn scheduler(text: Cow<'_, str>) -> Result<Scheduler, String> {
    match &*text {
        "synoschedtask" => Ok(Scheduler::Synoschedtask),
        "synowebapi" => Ok(Scheduler::Synowebapi),
        "direct" => Ok(Scheduler::Direct),
        _ => Err(format!("write {SCHEDULERS}")),
    }
}

const SCHEDULERS: &str = "\"synoschedtask\", \"synowebapi\" or \"direct\"";

fn key(text: Cow<'_, str>) -> Result<Key, String> {
    Key::parse(&text)
}

fn date(text: Cow<'_, str>) -> Result<NaiveDate, String> {
    let digits = text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
    let date = (digits && text.len() == 10).then(|| text.parse().ok()).flatten();
    date.ok_or("the last valid day is written as \"2027-01-31\", a day that exists".into())
}

fn network(text: Cow<'_, str>) -> Result<IpNet, String> {
    let net = match text.parse::<IpNet>() {
        Ok(net) => net,
        Err(_) => match text.parse() {
            Ok(address) => IpNet::from(std::net::IpAddr::to_canonical(&address)),
            Err(_) => return Err("write an address or a network, such as \"192.168.1.7\" or \"192.168.1.0/24\"".into()),
        },
    };
    match net.trunc() == net {
        true => Ok(net),
        false => Err(format!("this network has bits set behind its prefix; write \"{}\"", net.trunc())),
    }
}

/// A whole number from `.1` to `.2`.
struct Number(&'static str, u64, u64);

impl<'de> DeserializeSeed<'de> for Number {
    type Value = u64;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<u64, D::Error> {
        json.deserialize_u64(self)
    }
}

impl Visitor<'_> for Number {
    type Value = u64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, a whole number from {} to {}, without quotes", self.0, self.1, self.2)
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        match (self.1..=self.2).contains(&number) {
            true => Ok(number),
            false => Err(E::invalid_value(serde::de::Unexpected::Unsigned(number), &self)),
        }
    }
}

struct Flag;

impl<'de> DeserializeSeed<'de> for Flag {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_bool(self)
    }
}

impl Visitor<'_> for Flag {
    type Value = bool;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false, without quotes")
    }
    fn visit_bool<E: Error>(self, flag: bool) -> Result<bool, E> {
        Ok(flag)
    }
}

/// A list, each element read by its seed and then passed by `check`.
#[derive(Clone, Copy)]
struct List<S, V> {
    expecting: &'static str,
    element: S,
    check: V,
}

impl<'de, S, V> DeserializeSeed<'de> for List<S, V>
where
    S: DeserializeSeed<'de> + Copy,
    V: Fn(&S::Value) -> Result<(), String>,
{
    type Value = Vec<S::Value>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de, S, V> Visitor<'de> for List<S, V>
where
    S: DeserializeSeed<'de> + Copy,
    V: Fn(&S::Value) -> Result<(), String>,
{
    type Value = Vec<S::Value>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        loop {
            let at = list.len();
            let next = seq.next_element_seed(self.element).map_err(|e| under(format_args!("[{at}]"), e))?;
            let Some(element) = next else { return Ok(list) };
            (self.check)(&element).map_err(|e| under(format_args!("[{at}]"), A::Error::custom(e)))?;
            list.push(element);
        }
    }
}

/// One element without brackets, or a list that is not empty.
struct OneOrMore<S, V> {
    list: List<S, V>,
    empty: &'static str,
}

impl<S, V> OneOrMore<S, V> {
    fn one<'de, D: Deserializer<'de>>(self, json: D) -> Result<Vec<S::Value>, D::Error>
    where
        S: DeserializeSeed<'de>,
        V: Fn(&S::Value) -> Result<(), String>,
    {
        let element = self.list.element.deserialize(json)?;
        (self.list.check)(&element).map_err(D::Error::custom)?;
        Ok(vec![element])
    }
}

impl<'de, S, V> DeserializeSeed<'de> for OneOrMore<S, V>
where
    S: DeserializeSeed<'de> + Copy,
    V: Fn(&S::Value) -> Result<(), String>,
{
    type Value = Vec<S::Value>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, S, V> Visitor<'de> for OneOrMore<S, V>
where
    S: DeserializeSeed<'de> + Copy,
    V: Fn(&S::Value) -> Result<(), String>,
{
    type Value = Vec<S::Value>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.list.expecting)
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        self.one(BorrowedStrDeserializer::new(text))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        self.one(StrDeserializer::new(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        let elements = self.list.visit_seq(seq)?;
        match elements.is_empty() {
            true => Err(A::Error::custom(self.empty)),
            false => Ok(elements),
        }
    }
}

// ---- objects ---------------------------------------------------------------------------------

/// An object whose fields are taken one by one; `finish` makes the value of them.
trait Object<'de> {
    type Value;
    const EXPECTING: &'static str;
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, reading: &Reading) -> Result<(), A::Error>;
    fn finish(&mut self) -> Result<Self::Value, String>;
}

/// Reads an object's fields into where it stands: what is large is not moved about.
struct Fields<'w, O> {
    reading: &'w Reading,
    object: &'w mut O,
}

impl<'de, O: Object<'de>> DeserializeSeed<'de> for Fields<'_, O> {
    type Value = O::Value;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<O::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, O: Object<'de>> Visitor<'de> for Fields<'_, O> {
    type Value = O::Value;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(O::EXPECTING)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<O::Value, A::Error> {
        let Fields { reading, object } = self;
        while let Some(name) = map.next_key_seed(Str("a name in double quotes", Ok))? {
            object.take(&name, &mut map, reading)?;
        }
        object.finish().map_err(A::Error::custom)
    }
}

/// Takes a field that may be given once.
fn once<'de, A: MapAccess<'de>, S: DeserializeSeed<'de>>(
    map: &mut A,
    name: &str,
    slot: &mut Option<S::Value>,
    seed: S,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(under(name, A::Error::custom(TWICE)));
    }
    *slot = Some(map.next_value_seed(seed).map_err(|e| under(name, e))?);
    Ok(())
}

/// Refuses a field by its name, where the name stands.
#[cold]
fn refuse<E: Error>(name: &str, why: &str) -> Result<(), E> {
    Err(under(name, E::custom(why)))
}

/// Two keys of one file must differ, magic keys and identifiers together.
fn distinct(reading: &Reading, key: &Key) -> Result<(), String> {
    match reading.whole() {
        Some(whole) if !whole.seen_keys.borrow_mut().insert(key.digest) => {
            Err("the same key stands in this file already; every key must be its own".into())
        }
        _ => Ok(()),
    }
}

/// The file: `server` and `tasks`, or all of `server`'s fields beside `tasks`.
struct Top<'de, R: TaskReader<'de>> {
    task_reader: R,
    nested: Option<Server<'de>>,
    flat: ServerFields<'de>,
    flat_field: Option<String>,
    tasks: Option<Vec<Task<'de, R::Starts>>>,
}

impl<'de, R: TaskReader<'de>> Top<'de, R> {
    fn of(task_reader: R) -> Self {
        Top { task_reader, nested: None, flat: ServerFields::default(), flat_field: None, tasks: None }
    }
}

impl<'de, R: TaskReader<'de>> Object<'de> for Top<'de, R> {
    type Value = Config<'de, R::Starts>;
    const EXPECTING: &'static str = "an object { … } with \"server\" and \"tasks\"";
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, reading: &Reading) -> Result<(), A::Error> {
        match name {
            "tasks" => return once(map, name, &mut self.tasks, Tasks(self.task_reader)),
            "server" => once(map, name, &mut self.nested, Fields { reading, object: &mut ServerFields::default() })?,
            _ => {
                self.flat.beside = "server, tasks, ";
                self.flat.take(name, map, reading)?;
                self.flat_field = Some(name.to_owned());
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
        let tasks = self.tasks.take().ok_or("there is no \"tasks\"; add \"tasks\": { … } with what may be started")?;
        Ok(Config { server, tasks })
    }
}

#[derive(Default)]
struct ServerFields<'de> {
    /// What else may stand where these do.
    beside: &'static str,
    listen: Option<std::net::IpAddr>,
    port: Option<u64>,
    magic_keys: Option<Vec<MagicKey<'de>>>,
    debug: Option<bool>,
    elevate: Option<Vec<Cow<'de, str>>>,
    scheduler: Option<Scheduler>,
    synoschedtask: Option<Cow<'de, str>>,
    synowebapi: Option<Cow<'de, str>>,
    synoschedule: Option<Cow<'de, str>>,
}

impl<'de> Object<'de> for ServerFields<'de> {
    type Value = Server<'de>;
    const EXPECTING: &'static str = "an object { … } with the server's fields";
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, reading: &Reading) -> Result<(), A::Error> {
        match name {
            "listen" => once(
                map,
                name,
                &mut self.listen,
                Str("an IP address in quotes, such as \"127.0.0.1\"", |text: Cow<'de, str>| {
                    text.parse().map_err(|_| "this is no IP address; write one such as \"127.0.0.1\"".to_owned())
                }),
            ),
            "port" => once(map, name, &mut self.port, Number("a port", 1, 65_535)),
            "magickey" => {
                let check = |entry: &MagicKey<'de>| distinct(reading, &entry.key);
                let expecting = "a key in quotes, or a list [ … ] of keys and of objects with a \"key\"";
                let list = List { expecting, element: Entry(reading), check };
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
            "panel" => refuse(name, NOT_YET),
            _ => refuse(
                name,
                &format!(
                    "no such field; there are {}listen, port, magickey, debug, elevate, scheduler, synoschedtask, \
                     synowebapi, synoschedule",
                    self.beside
                ),
            ),
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
        })
    }
}

fn not_empty<T, E: Error>(list: &Option<Vec<T>>, name: &str, why: &str) -> Result<(), E> {
    match list.as_ref().is_some_and(Vec::is_empty) {
        true => Err(under(name, E::custom(why))),
        false => Ok(()),
    }
}

fn first_is_program<E: Error>(argv: Option<&[Cow<'_, str>]>, name: &str) -> Result<(), E> {
    match argv.and_then(<[_]>::first) {
        Some(first) => match program(Cow::Borrowed(first)) {
            Ok(_) => Ok(()),
            Err(why) => Err(under(format_args!("{name}[0]"), E::custom(why))),
        },
        None => Ok(()),
    }
}

/// An entry of `magickey`: a key, or an object with one.
#[derive(Clone, Copy)]
struct Entry<'w>(&'w Reading);

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
        Fields { reading: self.0, object: &mut EntryFields::default() }.visit_map(map)
    }
}

#[derive(Default)]
struct EntryFields<'de> {
    key: Option<Key>,
    label: Option<Cow<'de, str>>,
    expires: Option<NaiveDate>,
    from: Option<Vec<IpNet>>,
    tasks: Option<Vec<Cow<'de, str>>>,
}

impl<'de> Object<'de> for EntryFields<'de> {
    type Value = MagicKey<'de>;
    const EXPECTING: &'static str = "an object { \"key\": … }";
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, reading: &Reading) -> Result<(), A::Error> {
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
                let check = |id: &Cow<'_, str>| match reading.whole() {
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
            _ => refuse(name, "no such field; there are key, label, expires, from, tasks"),
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

/// Reads one task into the list. The reader decides how much of the task is kept.
pub trait TaskReader<'de>: Copy {
    /// The part of a task that says what it starts.
    type Starts;
    /// Reads the value of `id`.
    fn read<A: MapAccess<'de>>(
        self,
        id: &Cow<'de, str>,
        map: &mut A,
        list: &mut Vec<Task<'de, Self::Starts>>,
    ) -> Result<(), A::Error>;
}

/// Every task with all that it starts.
impl<'de> TaskReader<'de> for &Reading {
    type Starts = Starts<'de>;
    fn read<A: MapAccess<'de>>(
        self,
        id: &Cow<'de, str>,
        map: &mut A,
        list: &mut Vec<Task<'de>>,
    ) -> Result<(), A::Error> {
        match self.whole() {
            Some(whole) if !whole.seen_tasks.borrow_mut().insert(id.to_string()) => Err(A::Error::custom(TWICE)),
            _ => map.next_value_seed(Fields { reading: self, object: &mut TaskFields::of(id.clone(), list) }),
        }
    }
}

/// Only the tasks that this identifier means, and of those only the part that an answer needs.
impl<'de> TaskReader<'de> for &Sought {
    type Starts = Glanced;
    fn read<A: MapAccess<'de>>(
        self,
        id: &Cow<'de, str>,
        map: &mut A,
        list: &mut Vec<Task<'de, Glanced>>,
    ) -> Result<(), A::Error> {
        map.next_value_seed(Fields { reading: &Reading::Fields, object: &mut Glimpse::of(self, id.clone(), list) })
    }
}

/// `tasks`: the ids, and the value of each by the task reader.
struct Tasks<R>(R);

impl<'de, R: TaskReader<'de>> DeserializeSeed<'de> for Tasks<R> {
    type Value = Vec<Task<'de, R::Starts>>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de, R: TaskReader<'de>> Visitor<'de> for Tasks<R> {
    type Value = Vec<Task<'de, R::Starts>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object { … } with a task a line, such as \"7\": { \"identifier\": … }")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // One place at once: a glance that finds a task costs as much as one that finds none.
        let mut tasks = Vec::with_capacity(1);
        while let Some(id) = map.next_key_seed(Str("a task's id in quotes", plain))? {
            if id.is_empty() {
                return refuse("\"\"", "a task's id cannot be empty; give it a number or a name").map(|()| tasks);
            }
            self.0.read(&id, &mut map, &mut tasks).map_err(|e| under(format_args!("\"{id}\""), e))?;
        }
        Ok(tasks)
    }
}

struct TaskFields<'l, 'de> {
    id: Cow<'de, str>,
    list: &'l mut Vec<Task<'de>>,
    identifiers: Option<Vec<Key>>,
    name: Option<Cow<'de, str>>,
    /// `Some(None)` is the original's `""`.
    command: Option<Option<Vec<Cow<'de, str>>>>,
    event: Option<Cow<'de, str>>,
    get: Option<()>,
    overlap: Option<()>,
    wait: Option<u64>,
}

impl<'l, 'de> TaskFields<'l, 'de> {
    fn of(id: Cow<'de, str>, list: &'l mut Vec<Task<'de>>) -> Self {
        TaskFields {
            id,
            list,
            identifiers: None,
            name: None,
            command: None,
            event: None,
            get: None,
            overlap: None,
            wait: None,
        }
    }
}

impl<'de> Object<'de> for TaskFields<'_, 'de> {
    type Value = ();
    const EXPECTING: &'static str = "an object { \"identifier\": … }";
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, reading: &Reading) -> Result<(), A::Error> {
        match name {
            "identifier" => {
                let check = |key: &Key| distinct(reading, key);
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
            "get" => once(map, name, &mut self.get, choice("\"run\"", "run", "confirm")),
            "overlap" => once(map, name, &mut self.overlap, choice("\"skip\"", "skip", "parallel")),
            "wait" => once(map, name, &mut self.wait, Number("seconds", 0, WAIT_MAX)),
            "cooldown" | "timeout" | "output" => refuse(name, NOT_YET),
            _ => refuse(name, "no such field; there are identifier, name, command, event, get, overlap, wait"),
        }
    }
    fn finish(&mut self) -> Result<(), String> {
        let identifiers = self.identifiers.take().ok_or("there is no \"identifier\"; add one, the task's key")?;
        let starts = match (self.command.take().flatten(), self.event.take()) {
            (Some(_), Some(_)) => {
                return Err("there are both \"command\" and \"event\"; a task starts one of them: take one out".into());
            }
            (Some(argv), None) => Starts::Command(Command { argv, wait: self.wait.unwrap_or(WAIT) }),
            (None, Some(event)) => Starts::Event(event),
            (None, None) => Starts::Scheduled(task_number(&self.id).ok_or(
                "without a \"command\" or an \"event\" the id is the number of a task in DSM's Task Scheduler, \
                 1 to 9 digits, such as \"7\"; rename it, or add one of the two",
            )?),
        };
        if !matches!(starts, Starts::Command(_)) {
            for (field, given) in [("overlap", self.overlap.is_some()), ("wait", self.wait.is_some())] {
                if given {
                    let why = "is for a task with a \"command\"; DSM decides it for its own tasks: take it out";
                    return Err(format!("\"{field}\" {why}"));
                }
            }
        }
        let (id, name) = (std::mem::take(&mut self.id), self.name.take());
        self.list.push(Task { id, identifiers, name, starts });
        Ok(())
    }
}

/// A task at a glance: kept only if the wanted identifier means it, and then no more of it than an
/// answer needs. What else is wrong with it the root half finds.
struct Glimpse<'l, 'de> {
    wanted: &'l Sought,
    id: Cow<'de, str>,
    list: &'l mut Vec<Task<'de, Glanced>>,
    identifier: Option<Key>,
    name: Option<Cow<'de, str>>,
    command: bool,
    event: bool,
    wait: u64,
}

impl<'l, 'de> Glimpse<'l, 'de> {
    fn of(wanted: &'l Sought, id: Cow<'de, str>, list: &'l mut Vec<Task<'de, Glanced>>) -> Self {
        Glimpse { wanted, id, list, identifier: None, name: None, command: false, event: false, wait: WAIT }
    }
}

impl<'de> Object<'de> for Glimpse<'_, 'de> {
    type Value = ();
    const EXPECTING: &'static str = "an object { \"identifier\": … }";
    fn take<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A, _: &Reading) -> Result<(), A::Error> {
        match name {
            "identifier" => self.identifier = map.next_value_seed(Wanted(self.wanted)).map_err(|e| under(name, e))?,
            "name" => self.name = Some(map.next_value_seed(Str("a name in quotes", Ok))?),
            "command" => self.command = map.next_value_seed(IsCommand)?,
            "wait" => self.wait = map.next_value_seed(Number("seconds", 0, WAIT_MAX))?,
            "event" => {
                map.next_value::<IgnoredAny>()?;
                self.event = true;
            }
            _ => drop(map.next_value::<IgnoredAny>()?),
        }
        Ok(())
    }
    fn finish(&mut self) -> Result<(), String> {
        if let Some(identifier) = self.identifier {
            let (id, name) = (std::mem::take(&mut self.id), self.name.take());
            let starts = match (self.command, self.event) {
                (true, _) => Glanced::Command { wait: self.wait },
                (false, true) => Glanced::Event,
                (false, false) => Glanced::Scheduled,
            };
            self.list.push(Task { id, identifiers: vec![identifier], name, starts });
        }
        Ok(())
    }
}

/// The one of a task's identifiers that is wanted; all are compared.
struct Wanted<'l>(&'l Sought);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Option<Key>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Option<Key>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Option<Key>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key in quotes, or a list [ … ] of keys")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Option<Key>, E> {
        self.0.in_text(text).map_err(E::custom)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Option<Key>, A::Error> {
        let mut found = None;
        while let Some(text) = seq.next_element_seed(Str("a key in quotes", Ok))? {
            found = self.0.in_text(&text).map_err(A::Error::custom)?.or(found);
        }
        Ok(found)
    }
}

/// Whether a `command` is one; the original's `""` is none.
struct IsCommand;

impl<'de> DeserializeSeed<'de> for IsCommand {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<bool, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for IsCommand {
    type Value = bool;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of words")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<bool, E> {
        Ok(!text.is_empty())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<bool, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| true)
    }
}

/// 1 to 9 digits, not beginning with 0.
fn task_number(id: &str) -> Option<u32> {
    let digits = (1..=9).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()) && !id.starts_with('0');
    digits.then(|| id.parse().ok()).flatten()
}

/// A field with one value now and one that is still to come.
fn choice<'de>(
    expecting: &'static str,
    now: &'static str,
    later: &'static str,
) -> Str<impl FnOnce(Cow<'de, str>) -> Result<(), String>> {
    Str(expecting, move |text: Cow<'de, str>| match &*text {
        text if text == now => Ok(()),
        text if text == later => Err(format!("\"{text}\" is {NOT_YET}")),
        _ => Err(format!("write {expecting}")),
    })
}

/// `command`: a list of words; the original's `""` counts as none, any other string is refused.
struct Argv;

impl<'de> DeserializeSeed<'de> for Argv {
    type Value = Option<Vec<Cow<'de, str>>>;
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Argv {
    type Value = Option<Vec<Cow<'de, str>>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of words such as [\"/volume1/scripts/backup.sh\", \"--now\"]")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        match text {
            "" => Ok(None),
            line => {
                Err(E::custom(format_args!("a command is a list of words, without a shell; write {}", as_argv(line))))
            }
        }
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        let word = Str("a word in quotes", plain);
        let argv = List { expecting: "", element: word, check: |_: &_| Ok(()) }.visit_seq(seq)?;
        match argv.is_empty() {
            true => Err(A::Error::custom("the list is empty; name the program, or take \"command\" out")),
            false => Ok(Some(argv)),
        }
    }
}

/// The array that does what this line would do in a shell.
pub fn as_argv(line: &str) -> String {
    let words: Vec<&str> = match line.contains(|c: char| "'\"\\$`|&;<>()*?[]#~{}=\n".contains(c)) {
        true => vec!["/bin/sh", "-c", line],
        false => line.split_ascii_whitespace().collect(),
    };
    serde_json::to_string(&words).unwrap_or_default()
}
