//! config.json: there, and valid.

use std::io;
use std::path::Path;

use super::finding::{Found, Kind, Level};
use crate::config::{Config, Refusal};
use crate::workbench::plainly;

static UNREADABLE: Kind = Kind {
    code: "config-unreadable",
    level: Level::Fault,
    says: "<file> cannot be read: <why>.",
    cure: "Put a configuration there; remotetask tasks add makes a first one.",
};
static REFUSED: Kind = Kind {
    code: "config-refused",
    level: Level::Fault,
    says: "<file>, line <line>, column <column>: <what>.",
    cure: "Mend that place. Nothing can be started until then.",
};

/// What can be found here.
pub static KINDS: &[&Kind] = &[&UNREADABLE, &REFUSED];

/// Looks at the file.
pub fn look(path: &Path, unreadable: Option<&io::Error>, config: Option<&Result<Config<'_>, Refusal>>) -> Vec<Found> {
    let file = path.display().to_string();
    if let Some(e) = unreadable {
        return vec![UNREADABLE.found(&[("file", &file), ("why", &plainly(e))])];
    }
    match config {
        Some(Err(refusal)) => {
            let (line, column) = (refusal.line.to_string(), refusal.column.to_string());
            let names = [("file", &*file), ("line", &line), ("column", &column), ("what", &refusal.message)];
            vec![REFUSED.found(&names)]
        }
        _ => Vec::new(),
    }
}
