//! Findings on the owner's screen.

use std::path::Path;

use super::finding::{Found, Level, Part};
use super::names::quoted;
use super::screen::{Screen, Tone};
use super::workbench::{Workbench, INSTALLED, LINK};

/// Shows one finding, and what is to be typed here.
pub fn show(bench: &Workbench, mut found: Found) {
    typed_here(bench, &mut found);
    show_one(bench, &found);
}

/// Shows one finding as it stands.
pub fn show_one(bench: &Workbench, found: &Found) {
    let screen = &bench.screen;
    let (tone, mark) = match found.level {
        Level::Fault => (Tone::Fault, "fault "),
        Level::Advice => (Tone::Advice, "advice"),
    };
    screen.mark(tone, mark, &found.sentence);
    show_action(screen, found, "       ");
}

/// Shows what to do about a finding.
pub fn show_action(screen: &Screen, found: &Found, indent: &str) {
    for part in &found.fix {
        match part {
            Part::Prose(text) if text.contains(char::is_alphanumeric) => {
                screen.say(format_args!("{indent}{}", text.trim()))
            }
            Part::Prose(_) => {}
            Part::Typed(text) => screen.literal(format_args!("{indent}  {text}")),
        }
    }
}

/// Rewrites the commands of a fix as they work for this owner: without sudo where nothing is root's, and by the whole
/// path where the program's name alone is not known.
pub fn typed_here(bench: &Workbench, found: &mut Found) {
    let linked = std::fs::canonicalize(LINK).is_ok_and(|program| program == bench.path("remotetask"));
    // Not where somebody else has taken root's folder.
    let own = bench.sudo().is_empty() && bench.folder != Path::new(INSTALLED);
    for part in &mut found.fix {
        let Part::Typed(text) = part else { continue };
        let bare = text.strip_prefix("sudo ").unwrap_or(text);
        // Nobody but root gives files away.
        let sudo = if bare.len() == text.len() || own && !bare.starts_with("chown ") { "" } else { "sudo " };
        *text = match bare.strip_prefix("remotetask ") {
            Some(rest) if !linked => {
                format!("{sudo}{} {rest}", quoted(&bench.path("remotetask").display().to_string()))
            }
            _ => format!("{sudo}{bare}"),
        };
    }
}
