//! Findings of `check` and `prove`: each kind is declared once, with its sentence and its fix.

use std::fmt::Display;

use crate::owner::names::quoted;
use serde::ser::{Serialize, SerializeStruct, Serializer};

/// The weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something would not work, or anybody could start something.
    Fault,
    /// It works, and could be better.
    Advice,
}

/// A kind of finding, as [`findings`] declares it. `<name>` in its texts stands for a place.
#[derive(Debug)]
pub struct Kind {
    /// A short name, for programs and its anchor in docs/findings.md.
    pub code: &'static str,
    /// Its weight.
    pub level: Level,
    /// The fault, in a sentence.
    pub sentence: &'static str,
    /// The action. Text to type stands in backticks: a command, in which places are quoted as words of a
    /// shell, or a piece of config.json, which begins with a double quote.
    pub fix: &'static str,
    /// The names of the places, in the order of the structure's fields.
    pub places: &'static [&'static str],
}

/// Declares the findings of a module, each once: a structure whose fields are the places of its texts.
///
/// ```text
/// findings! {
///     /// A file is not there.
///     Missing { file }: "file-missing", Fault,
///         "<file> is missing.",
///         "Put it back: `sudo remotetask repair`";
/// }
/// let found: Found = Missing { file: &path.display() }.found();
/// ```
///
/// A place that is forgotten at a use, or that the finding does not have, does not compile. A test compares the
/// places with the texts. `KINDS` lists them in this order.
macro_rules! findings {
    ($($(#[$doc:meta])* $name:ident $places:tt: $code:literal, $level:ident, $sentence:literal, $fix:literal;)+) => {
        $($crate::owner::finding::finding! { $(#[$doc])* $name $places: $code, $level, $sentence, $fix })+
        /// The findings of this module.
        #[cfg(test)]
        pub static KINDS: &[&$crate::owner::finding::Kind] = &[$(&$name::KIND),+];
    };
}
pub(crate) use findings;

/// One finding of [`findings`].
macro_rules! finding {
    ($(#[$doc:meta])* $name:ident {}: $code:literal, $level:ident, $sentence:literal, $fix:literal) => {
        $(#[$doc])*
        pub struct $name;
        $crate::owner::finding::finding! { @kind [$name] []: $code, $level, $sentence, $fix }
    };
    ($(#[$doc:meta])* $name:ident { $($place:ident),+ }: $code:literal, $level:ident, $sentence:literal, $fix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub struct $name<'f> {
            $(pub $place: &'f dyn ::std::fmt::Display),+
        }
        $crate::owner::finding::finding! { @kind [$name<'_>] [$($place)+]: $code, $level, $sentence, $fix }
    };
    (@kind [$($name:tt)+] [$($place:ident)*]: $code:literal, $level:ident, $sentence:literal, $fix:literal) => {
        impl $($name)+ {
            /// The words of this kind.
            pub const KIND: $crate::owner::finding::Kind = $crate::owner::finding::Kind {
                code: $code,
                level: $crate::owner::finding::Level::$level,
                sentence: $sentence,
                fix: $fix,
                places: &[$(stringify!($place)),*],
            };

            /// Fills the places.
            pub fn found(&self) -> $crate::owner::finding::Found {
                Self::KIND.fill(&[$(self.$place),*])
            }
        }
    };
}
pub(crate) use finding;

/// A finding with its places filled.
#[derive(Debug)]
pub struct Found {
    /// [`Kind::code`].
    pub code: &'static str,
    /// [`Kind::level`].
    pub level: Level,
    /// The fault, in a sentence.
    pub sentence: String,
    /// The action, filled part by part: whatever a name holds, it begins no part.
    pub fix: Vec<Part>,
    /// The paths that its commands change something at.
    changed: Vec<String>,
}

/// The programs of actions that change what they are given the name of.
const CHANGING: [&str; 7] = ["vi", "sed", "chmod", "chown", "cp", "mv", "rm"];

impl Kind {
    /// Fills the places, in their order.
    pub(crate) fn fill(&self, values: &[&dyn Display]) -> Found {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        let names: Vec<(&str, &str)> = self.places.iter().copied().zip(values.iter().map(String::as_str)).collect();
        let names = names.as_slice();
        let fix = parts(self.fix).map(|part| match part {
            Part::Prose(text) => Part::Prose(filled(&text, names, in_prose)),
            Part::Typed(text) if text.starts_with('"') => {
                Part::Typed(filled(&text, names, |value, _| value.to_owned()))
            }
            Part::Typed(text) => Part::Typed(filled(&text, names, in_command)),
        });
        let sentence = filled(self.sentence, names, in_prose);
        Found { code: self.code, level: self.level, sentence, fix: fix.collect(), changed: changed(self.fix, names) }
    }
}

impl Found {
    /// The fix in one string, the text to type in backticks.
    pub fn fix(&self) -> String {
        let shown = self.fix.iter().map(|part| match part {
            Part::Prose(text) => text.clone(),
            Part::Typed(text) => format!("`{text}`"),
        });
        shown.collect()
    }

    /// The same finding with another action where the installation has laid out the file itself: `repair` puts it right.
    pub fn by_repair_if(mut self, is_laid_out: bool) -> Found {
        if is_laid_out {
            self.fix = parts("This makes it again what the installation sets up: `sudo remotetask repair`").collect();
        }
        self
    }

    /// The same finding where what config.json says has only not been applied yet.
    pub fn by_apply_if(mut self, is_laid_out: bool) -> Found {
        if is_laid_out {
            self.fix = parts("Let Apache follow config.json: `sudo remotetask apply`").collect();
        }
        self
    }

    /// The same finding without a command of root's by a name that others can make mean another file.
    pub fn by_sure_names(mut self, is_sure: impl Fn(&str) -> bool) -> Found {
        if let Some(path) = self.changed.iter().find(|path| !is_sure(path)) {
            self.fix = vec![Part::Prose(format!(
                "Others can make the name {} mean another file, so no command of root's goes by it. Let what it names be put right by \
                 the user to whom it belongs, without sudo; or move that into a folder that root alone can write, name it there, \
                 and check again.",
                in_prose(path, "")
            ))];
        }
        self
    }

    /// The text to type, in its order.
    pub fn typed(&self) -> impl Iterator<Item = &str> {
        self.fix.iter().filter_map(|part| match part {
            Part::Prose(_) => None,
            Part::Typed(text) => Some(&**text),
        })
    }
}

impl Serialize for Found {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut found = serializer.serialize_struct("Found", 5)?;
        found.serialize_field("code", self.code)?;
        found.serialize_field("level", &self.level)?;
        found.serialize_field("says", &self.sentence)?;
        found.serialize_field("cure", &self.fix())?;
        found.serialize_field("type", &self.typed().collect::<Vec<&str>>())?;
        found.end()
    }
}

/// A part of a fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Prose(String),
    /// Text to type.
    Typed(String),
}

/// The parts of a fix that is not filled yet, without the backticks.
pub fn parts(template: &'static str) -> impl Iterator<Item = Part> {
    let parts = template.split('`').map(str::to_owned).enumerate();
    parts.map(|(at, part)| if at % 2 == 0 { Part::Prose(part) } else { Part::Typed(part) })
}

/// The paths that stand in commands which change something.
fn changed(fix: &'static str, names: &[(&str, &str)]) -> Vec<String> {
    let changes = |text: &str| {
        text.strip_prefix("sudo ").is_some_and(|line| CHANGING.contains(&line.split(' ').next().unwrap_or("")))
    };
    let typed: Vec<String> = parts(fix)
        .filter_map(|part| match part {
            Part::Typed(text) if changes(&text) => Some(text),
            _ => None,
        })
        .collect();
    let stands = |name: &str| typed.iter().any(|text| text.contains(&format!("<{name}>")));
    let paths = names.iter().filter(|(name, value)| value.starts_with('/') && stands(name));
    paths.map(|(_, value)| (*value).to_owned()).collect()
}

/// Fills each place, a name between `<` and `>`. They are found in the template alone, so that no value can hold a place
/// itself. `shown` gets the value, and the template before its place; a name that is not known stays as it stands.
fn filled(template: &str, names: &[(&str, &str)], shown: impl Fn(&str, &str) -> String) -> String {
    let value = |name: &str| names.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    let mut text = String::with_capacity(template.len() + 256);
    let mut rest = template;
    while let Some((prose, after)) = rest.split_once('<') {
        text.push_str(prose);
        let before = &template[..template.len() - after.len() - 1];
        let place = after.split_once('>').and_then(|(name, behind)| Some((value(name)?, behind)));
        rest = match place {
            Some((value, behind)) => {
                text.push_str(&shown(value, before));
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

/// A name in a sentence: no row of spaces, with which it could fill a line and begin another.
fn in_prose(value: &str, _: &str) -> String {
    let mut text = String::new();
    for c in value.chars() {
        match c == ' ' && text.ends_with(' ') {
            true => text.push_str("\\u{20}"),
            false => text.push(c),
        }
    }
    text
}

/// A name as a word of a shell's, or inside single quotes of the template's.
fn in_command(value: &str, before: &str) -> String {
    let inside = before.matches('\'').count() % 2 == 1;
    let clean = value.chars().all(|c| c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric());
    match (inside, clean) {
        (true, true) => value.replace('\'', "'\\''"),
        (true, false) => format!("'{}'", escaped(value)),
        (false, true) => quoted(value),
        (false, false) => escaped(value),
    }
}

/// A word with what cannot be seen, or would be shown otherwise: bash and ash read `$'…'`.
fn escaped(value: &str) -> String {
    let mut word = "$'".to_owned();
    for byte in value.bytes() {
        match byte {
            b'\'' | b'\\' => word.extend(['\\', char::from(byte)]),
            b' '..=b'~' => word.push(char::from(byte)),
            _ => word.push_str(&format!("\\{byte:03o}")),
        }
    }
    word + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    static KIND: Kind = Kind {
        code: "a-kind",
        level: Level::Fault,
        places: &["file", "what"],
        sentence: "<file> is < <what>, says <who>.",
        fix: "Look at <file>: `cat <file> <file>.new` Write `\"key\": <what>`.",
    };

    #[test]
    fn names_are_words_where_they_are_typed() {
        let found = KIND.fill(&[&"/a b/<what>", &"\"x\""]);
        assert_eq!(found.sentence, "/a b/<what> is < \"x\", says <who>.");
        let fix = "Look at /a b/<what>: `cat '/a b/<what>' '/a b/<what>'.new` Write `\"key\": \"x\"`.";
        assert_eq!(found.fix(), fix);
        assert_eq!(found.typed().collect::<Vec<_>>(), ["cat '/a b/<what>' '/a b/<what>'.new", "\"key\": \"x\""]);
    }

    /// A name that somebody else has chosen.
    #[test]
    fn a_name_begins_no_command() {
        let found = KIND.fill(&[&"/w/`rm -rf /`  it's\n\x1b\u{202e}\"$(id)"]);
        let word = r#"$'/w/`rm -rf /`  it\'s\012\033\342\200\256"$(id)'"#;
        assert_eq!(found.typed().collect::<Vec<_>>(), [&*format!("cat {word} {word}.new"), "\"key\": <what>"]);
        assert_eq!(found.fix.len(), 5);
        assert!(found.sentence.starts_with("/w/`rm -rf /` \\u{20}it's\n"), "{}", found.sentence);
        static QUOTES: Kind = Kind {
            code: "b",
            level: Level::Fault,
            places: &["file"],
            sentence: "",
            fix: "`echo 'a <file> b' '<file>' <file>`",
        };
        for (name, expected) in [
            ("x", "echo 'a x b' 'x' x"),
            ("$(id)'s", "echo 'a $(id)'\\''s b' '$(id)'\\''s' '$(id)'\\''s'"),
            ("'\n", "echo 'a '$'\\'\\012'' b' ''$'\\'\\012''' $'\\'\\012'"),
        ] {
            let found = QUOTES.fill(&[&name]);
            assert_eq!(found.typed().collect::<Vec<_>>(), [expected]);
            let words = std::process::Command::new("bash").args(["-c", expected]).output().expect("bash");
            let plain = std::str::from_utf8(&words.stdout).expect("text");
            assert_eq!(plain, format!("a {name} b {name} {name}\n"));
        }
    }
}
