//! A glance at config.json: the part that the web half needs, and only that.
//!
//! A refused request pays for every task of the file. So the magic keys are read by the schema, but of the tasks only the
//! one that the presented identifier means is kept, and of that one no more than an answer needs; all identifiers are
//! compared. A reader derived by serde would cost several times as much for each task.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::json::{self, under, Fields, Flag, Number, Object, Str};
use super::schema::{unknown, Top, A_TASK, TASK, TASKS};
use super::values::{get, shown_id, task_id, GET};
use super::{Config, Get, Glanced, Keeping, Refusal, Task, WAIT, WAIT_MAX};
use crate::key::{Digest, Key, Sought};

/// Reads `text` for the task that this identifier means.
pub fn glance<'t>(text: &'t str, identifier: &Digest) -> Result<Config<'t, Glanced>, Refusal> {
    // A place for each at once: a glance that finds a task costs as much as one that finds none.
    let (found, identifiers) = (Vec::with_capacity(1), Vec::with_capacity(1));
    let tasks = Tasks { wanted: &Sought::new(*identifier), found, identifiers };
    let (server, tasks) = json::read(text, &mut Top::of(tasks, None))?;
    Ok(Config { server, tasks })
}

/// `tasks`: those alone that are wanted, and one can be.
struct Tasks<'l, 'de> {
    wanted: &'l Sought,
    found: Vec<Task<'de, Glanced>>,
    identifiers: Vec<Key>,
}

impl<'de> Object<'de> for Tasks<'_, 'de> {
    type Value = Vec<Task<'de, Glanced>>;
    const EXPECTING: &'static str = TASKS;
    fn take<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let id = task_id(name)?;
        let mut glimpse = Glimpse::of(self.wanted, id, &mut self.found, &mut self.identifiers);
        map.next_value_seed(Fields(&mut glimpse)).map_err(|e| under(shown_id(&glimpse.id), e))
    }
    fn finish(&mut self) -> Result<Self::Value, String> {
        Ok(std::mem::take(&mut self.found))
    }
}

/// A task at a glance, put among those found only if it is one. Other faults of it the root half finds.
struct Glimpse<'l, 'de> {
    wanted: &'l Sought,
    id: Cow<'de, str>,
    found: &'l mut Vec<Task<'de, Glanced>>,
    identifiers: &'l mut Vec<Key>,
    identifier: Option<Key>,
    name: Option<Cow<'de, str>>,
    command: bool,
    event: bool,
    get: Get,
    wait: u64,
    stop: bool,
}

impl<'l, 'de> Glimpse<'l, 'de> {
    fn of(
        wanted: &'l Sought,
        id: Cow<'de, str>,
        found: &'l mut Vec<Task<'de, Glanced>>,
        identifiers: &'l mut Vec<Key>,
    ) -> Self {
        Glimpse {
            wanted,
            id,
            found,
            identifiers,
            identifier: None,
            name: None,
            command: false,
            event: false,
            get: Get::Run,
            wait: WAIT,
            stop: false,
        }
    }
}

impl<'de> Object<'de> for Glimpse<'_, 'de> {
    type Value = ();
    const EXPECTING: &'static str = A_TASK;
    fn take<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let name = &*name;
        match name {
            "identifier" => self.identifier = map.next_value_seed(Wanted(self.wanted)).map_err(|e| under(name, e))?,
            "name" => self.name = Some(map.next_value_seed(Str("a name in quotes", Ok))?),
            "command" => self.command = map.next_value_seed(IsCommand)?,
            "event" => {
                map.next_value::<IgnoredAny>()?;
                self.event = true;
            }
            "get" => self.get = map.next_value_seed(Str(GET, get)).map_err(|e| under(name, e))?,
            "wait" => self.wait = map.next_value_seed(Number("seconds", 0, WAIT_MAX))?,
            "stop" => self.stop = map.next_value_seed(Flag)?,
            _ if TASK.contains(&name) => drop(map.next_value::<IgnoredAny>()?),
            // Told apart here already: without its `identifier` a task would look like a wrong key in the log.
            _ => return unknown(name, TASK),
        }
        Ok(())
    }
    fn finish(&mut self) -> Result<(), String> {
        if let Some(identifier) = self.identifier {
            let (id, name) = (std::mem::take(&mut self.id), self.name.take());
            let starts = match (self.command, self.event) {
                (true, _) => Glanced::Command,
                (false, true) => Glanced::Event,
                (false, false) => Glanced::Scheduled,
            };
            let keeping = Keeping { wait: self.wait, stop: self.stop, ..Keeping::default() };
            self.identifiers.push(identifier);
            self.found.push(Task {
                id,
                identifiers: std::mem::take(self.identifiers),
                name,
                get: self.get,
                cooldown: 0,
                keeping,
                starts,
            });
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

/// `true` for a `command` that is one; the original's `""` is none.
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
