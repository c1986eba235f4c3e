//! What `check` can find: each kind once, with its words and its cure.

use serde::Serialize;

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
    /// What to do.
    pub cure: &'static str,
}

/// Something that was found.
#[derive(Debug, Serialize)]
pub struct Found {
    /// [`Kind::code`].
    pub code: &'static str,
    /// [`Kind::level`].
    pub level: Level,
    /// What is wrong, with names and places.
    pub says: String,
    /// What to do.
    pub cure: String,
}

impl Kind {
    /// This kind, found; `names` are put in the places of its texts, `("file", "/etc/x")` for `<file>`.
    pub fn found(&'static self, names: &[(&str, &str)]) -> Found {
        let filled = |text: &str| filled(text, names);
        Found { code: self.code, level: self.level, says: filled(self.says), cure: filled(self.cure) }
    }
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
