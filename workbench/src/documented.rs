//! The commands in the documents for owners: each is one that this program knows.

use clap::error::ErrorKind;
use clap::Parser;

use crate::cli::Cli;

const DOCUMENTS: [(&str, &str); 9] = [
    ("README.md", include_str!("../../README.md")),
    ("boxes.md", include_str!("../../docs/boxes.md")),
    ("calling.md", include_str!("../../docs/calling.md")),
    ("config.md", include_str!("../../docs/config.md")),
    ("install.md", include_str!("../../docs/install.md")),
    ("questions.md", include_str!("../../docs/questions.md")),
    ("use.md", include_str!("../../docs/use.md")),
    ("web.md", include_str!("../../docs/web.md")),
    ("workbench.md", include_str!("../../docs/workbench.md")),
];

/// The lines to type, which are indented; and what stands between two backticks, where it may be a command's name alone.
fn lines(text: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut rest = String::new();
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(typed) => found.push((typed.trim().to_owned(), false)),
            None => rest.extend([line, " "]),
        }
    }
    // A span may go on in the next line.
    found.extend(rest.split('`').skip(1).step_by(2).map(|span| (span.to_owned(), true)));
    found
}

/// The words behind the program's name, as a shell splits them.
fn words(line: &str) -> Option<Vec<String>> {
    let names = ["sudo remotetask", "remotetask", "target/try/remotetask", "/usr/local/remotetask/remotetask"];
    let typed = names.iter().find_map(|name| line.strip_prefix(name))?;
    // A file's name goes on; what is left out, or is a finding's place, is no word; a version is no command.
    let version = format!(" {}", env!("CARGO_PKG_VERSION"));
    if !(typed.is_empty() || typed.starts_with(' ')) || typed.contains(['…', '<']) || typed.starts_with(&version) {
        return None;
    }
    let typed = typed.split(" >").next().unwrap_or_default();
    let mut words = vec!["remotetask".to_owned()];
    for (at, part) in typed.split('"').enumerate() {
        match at % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    Some(words)
}

#[test]
fn each_command_in_the_documents_is_known() {
    let mut known = 0;
    for (name, text) in DOCUMENTS {
        for (line, is_span) in lines(text) {
            let Some(words) = words(&line) else { continue };
            match Cli::try_parse_from(&words).map_err(|e| e.kind()) {
                Ok(_) | Err(ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => known += 1,
                Err(ErrorKind::MissingRequiredArgument | ErrorKind::InvalidValue) if is_span => known += 1,
                Err(why) => panic!("{name}: {line}: {why:?}"),
            }
        }
    }
    assert!(known > 100, "{known}");
}
