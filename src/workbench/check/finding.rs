//! What `check` can find: each kind once, with its words and its cure.

use serde::Serialize;
use serde_json::{json, Value};

use crate::workbench::url::quoted;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something would not work, or anybody could start something.
    Fault,
    /// It works, and could be better.
    Advice,
}

/// A kind of finding. `<name>` in its texts stands for what was found.
#[derive(Debug)]
pub struct Kind {
    /// Its short name, for programs and for docs/workbench.md.
    pub code: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What is wrong, in a sentence.
    pub says: &'static str,
    /// What to do. What is to be typed stands in backticks: a command, in which names are quoted as words
    /// of a shell, or a piece of config.json, which begins with a double quote.
    pub cure: &'static str,
}

/// Something that was found.
#[derive(Debug)]
pub struct Found {
    /// [`Kind::code`].
    pub code: &'static str,
    /// [`Kind::level`].
    pub level: Level,
    /// What is wrong, with names and places.
    pub says: String,
    /// What to do. Its parts are never put together and taken apart again: a name in them may hold a backtick.
    pub cure: Vec<Part<String>>,
}

impl Found {
    /// For programs: `type` has the commands alone, each as it is to be typed.
    pub fn to_json(&self) -> Value {
        let typed: Vec<&str> = self.cure.iter().filter_map(Part::typed).collect();
        let cure: String = self.cure.iter().map(Part::shown).collect();
        json!({ "code": self.code, "level": self.level, "says": self.says, "cure": cure, "type": typed })
    }
}

impl Kind {
    /// This kind, found; `names` are put in the places of its texts, `("file", "/etc/x")` for `<file>`.
    pub fn found(&'static self, names: &[(&str, &str)]) -> Found {
        let words: Vec<(&str, String)> = names.iter().map(|(name, value)| (*name, quoted(value))).collect();
        let words: Vec<(&str, &str)> = words.iter().map(|(name, value)| (*name, &**value)).collect();
        let cure = parts(self.cure).map(|part| match part {
            Part::Prose(text) => Part::Prose(filled(text, names)),
            Part::Typed(text) if text.starts_with('"') => Part::Typed(filled(text, names)),
            Part::Typed(text) => Part::Typed(filled(text, &words)),
        });
        Found { code: self.code, level: self.level, says: filled(self.says, names), cure: cure.collect() }
    }
}

/// A part of a cure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<T> {
    /// Words.
    Prose(T),
    /// What is to be typed.
    Typed(T),
}

impl Part<String> {
    fn typed(&self) -> Option<&str> {
        match self {
            Part::Typed(text) => Some(text),
            Part::Prose(_) => None,
        }
    }

    fn shown(&self) -> String {
        match self {
            Part::Prose(text) => text.clone(),
            Part::Typed(text) => format!("`{text}`"),
        }
    }
}

/// The parts of a kind's cure, without the backticks.
pub fn parts(cure: &str) -> impl Iterator<Item = Part<&str>> {
    cure.split('`').enumerate().map(|(at, part)| if at % 2 == 0 { Part::Prose(part) } else { Part::Typed(part) })
}

/// Each place is filled from the template alone, so that no name can hold a place itself.
fn filled(template: &str, names: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('<') {
        text.push_str(before);
        let name = after.split_once('>').and_then(|(name, behind)| {
            names.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value, behind))
        });
        rest = match name {
            Some((value, behind)) => {
                text.push_str(value);
                behind
            }
            None => {
                text.push('<');
                after
            }
        };
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    static KIND: Kind = Kind {
        code: "a-kind",
        level: Level::Fault,
        says: "<file> is < <what>, says <who>.",
        cure: "Look at <file>: `cat <file> <file>.new` Write `\"key\": <what>`.",
    };

    #[test]
    fn names_are_words_where_they_are_typed() {
        let found = KIND.found(&[("file", "/a b/<what>"), ("what", "\"x\"")]);
        assert_eq!(found.says, "/a b/<what> is < \"x\", says <who>.");
        let cure = "Look at /a b/<what>: `cat '/a b/<what>' '/a b/<what>'.new` Write `\"key\": \"x\"`.";
        assert_eq!(found.to_json()["cure"], cure);
        let typed: Vec<Part<&str>> = parts("a `b` c").collect();
        assert_eq!(typed, [Part::Prose("a "), Part::Typed("b"), Part::Prose(" c")]);
    }
}
