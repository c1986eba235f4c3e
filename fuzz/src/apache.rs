//! Apache's reports of its modules and files, and its files. A NUL parts the report from a file.

use std::path::Path;

use crate::workbench::apache::{directives, Configuration, Directive};

/// Reads a report, which a NUL ends, and behind it the text of every file that it names.
pub fn apache(input: &[u8]) {
    let mut parts = input.splitn(2, |&b| b == 0).map(String::from_utf8_lossy);
    let (report, text) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let configuration = Configuration::reported(&report, |path| {
        let found = directives(path, &text);
        found.iter().for_each(|directive| stands_there(directive, path, &text));
        found
    });
    for module in &configuration.modules {
        assert!(report.contains(&**module) && module.ends_with("_module"));
    }
    assert!(configuration.files.iter().all(|file| report.contains(&*file.to_string_lossy())));
    assert!(!configuration.runs_programs() || report.contains("cgi"));
}

fn stands_there(directive: &Directive, path: &Path, text: &str) {
    let lines = text.lines().count();
    assert!(directive.file == path && (1..=lines).contains(&directive.line), "{directive:?}");
    assert!(directive.host.is_none_or(|host| host < directive.line), "{directive:?}");
    assert!(!directive.name.is_empty() && !directive.name.starts_with(['<', '#']) && text.contains(&*directive.name));
    assert!(directive.is(&directive.name.to_uppercase()) || !directive.name.is_ascii());
    if let Some(word) = directive.word(0) {
        assert!(directive.rest.contains(word));
    }
}
