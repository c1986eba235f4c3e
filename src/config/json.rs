//! Combinators over serde: a value, a list, an object, each fault refused where it stands.
//!
//! An error carries the path of its field through serde_json, and [`read`] makes a [`Refusal`] of it: place, fault and
//! action. Nothing of the file but field names, task ids and command lines gets into one.

use std::borrow::Cow;
use std::fmt::{self, Display};

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Refusal;
use crate::text::printable;

/// Reads `text`, which holds one object and nothing else.
pub fn read<'t, O: Object<'t>>(text: &'t str, object: &mut O) -> Result<O::Value, Refusal> {
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Fields(object).deserialize(&mut json);
    value.and_then(|value| json.end().map(|()| value)).map_err(|error| refusal(text, &error))
}

// ---- objects ---------------------------------------------------------------------------------

/// An object whose fields are taken one by one; `finish` makes the value of them.
pub trait Object<'de> {
    type Value;
    const EXPECTING: &'static str;
    fn take<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error>;
    fn finish(&mut self) -> Result<Self::Value, String>;
}

/// Reads an object's fields into where it stands: what is large is not moved about.
pub struct Fields<'o, O>(pub &'o mut O);

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
        while let Some(name) = map.next_key_seed(Str("a name in double quotes", Ok))? {
            self.0.take(name, &mut map)?;
        }
        self.0.finish().map_err(A::Error::custom)
    }
}

pub const TWICE: &str = "is given twice; keep one of the two";

/// Takes a field that may be given once.
pub fn once<'de, A: MapAccess<'de>, S: DeserializeSeed<'de>>(
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
pub fn refuse<E: Error>(name: &str, why: &str) -> Result<(), E> {
    Err(under(name, E::custom(why)))
}

// ---- values ----------------------------------------------------------------------------------

/// A JSON string, which the function turns into a value or refuses.
#[derive(Clone, Copy)]
pub struct Str<F>(pub &'static str, pub F);

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

/// A whole number from `.1` to `.2`.
pub struct Number(pub &'static str, pub u64, pub u64);

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

/// `true` or `false`.
pub struct Flag;

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
pub struct List<S, V> {
    pub expecting: &'static str,
    pub element: S,
    pub check: V,
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
pub struct OneOrMore<S, V> {
    pub list: List<S, V>,
    pub empty: &'static str,
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

// ---- errors that know their field ------------------------------------------------------------

/// The mark before and behind the path of an error's field. No fault's words hold it, because a JSON text has it
/// escaped only, and so has serde where it repeats a value.
const MARK: char = '\u{1}';

/// Puts `field` in front of an error. serde_json keeps the line and column over this.
#[cold]
pub fn under<E: Error>(field: impl Display, error: E) -> E {
    let error = error.to_string();
    E::custom(match error.strip_prefix(MARK) {
        Some(inner) if inner.starts_with('[') => format!("{MARK}{field}{inner}"),
        Some(inner) => format!("{MARK}{field}.{inner}"),
        None => format!("{MARK}{field}{MARK}{error}"),
    })
}

fn refusal(text: &str, error: &serde_json::Error) -> Refusal {
    let (line, column) = (error.line(), error.column());
    let mut message = error.to_string();
    message.truncate(message.rfind(" at line ").unwrap_or(message.len()));
    let (path, fault) = match message.strip_prefix(MARK).and_then(|marked| marked.rsplit_once(MARK)) {
        Some((path, fault)) => (format!("{}: ", path.replace(MARK, "")), fault),
        None => (String::new(), &*message),
    };
    let here = text.split('\n').nth(line.saturating_sub(1)).and_then(|line| line.get(column.checked_sub(1)?..));
    let fault = match action(fault, here.unwrap_or_default()) {
        Some(action) => format!("{fault}; {action}"),
        None => without_value(fault),
    };
    // A field's name or a task's id may hold any character.
    Refusal { line, column, message: printable(&(path + &fault)) }
}

/// serde's words about a value of a wrong kind, without the value: it may be a key in the wrong field, and an owner
/// shows errors to others. The last "expected" is ours, whatever the value holds.
fn without_value(fault: &str) -> String {
    let parts = fault.strip_prefix("invalid ").zip(fault.rsplit_once(", expected "));
    let Some((there, (_, expected))) = parts else { return fault.to_owned() };
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

/// The action against serde_json's fault in a text that is no JSON; `here` is the rest of the line from the fault on.
/// The fault is known by serde_json's words, because deep in the file the path before them hides the kind of error.
fn action(fault: &str, here: &str) -> Option<&'static str> {
    let comment = ["//", "/*", "#"].iter().any(|sign| here.starts_with(sign));
    let quote = here.starts_with(['“', '”', '„', '‟', '‘', '’', '‚', '‛', '«', '»', '\'', '`']);
    Some(match fault {
        "EOF while parsing a value" => "the file is empty, or ends too early",
        "EOF while parsing a list" | "EOF while parsing an object" | "EOF while parsing a string" => {
            "the file ends too early: a } or ] is missing at its end"
        }
        "trailing comma" => "take the comma before this place out",
        "control character (\\u0000-\\u001F) found while parsing a string" => {
            "a closing quote is missing, perhaps on the line above"
        }
        "expected value"
        | "expected `:`"
        | "expected `,` or `]`"
        | "expected `,` or `}`"
        | "key must be a string"
        | "trailing characters"
            if comment =>
        {
            "take this comment out: JSON has no comments"
        }
        "expected `,` or `]`" | "expected `,` or `}`" => {
            "a comma is missing before this place, perhaps at the end of the line above"
        }
        "key must be a string" => "a name stands in straight double quotes \"…\"; JSON has no comments",
        "expected value" if quote => "a text stands in straight double quotes \"…\"",
        "invalid escape" | "lone leading surrogate in hex escape" | "unexpected end of hex escape" => {
            "write a backslash in a text twice, \\\\"
        }
        "invalid number" | "number out of range" => "write a whole number in digits, without a 0 in front",
        "expected value" | "expected ident" | "expected `:`" | "trailing characters" => {
            "look for a comma or a quote too many or too few"
        }
        _ => return None,
    })
}
