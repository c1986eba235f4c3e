//! The answers of `sudo -l -U http`.

use crate::workbench::listing::{is_right, Listing, Terminal};

const RUN: &str = "/usr/local/remotetask/remotetask-run";

/// Reads an answer.
pub fn sudo(answer: &[u8]) {
    let answer = String::from_utf8_lossy(answer);
    let listing = Listing::of(&answer);
    for rule in &listing.rules {
        assert!(!rule.contains('\n'), "{rule:?}");
        let words: Vec<&str> = rule.split_ascii_whitespace().collect();
        assert!(!is_right(rule, RUN) || is_exactly_ours(&words), "{rule:?}");
    }
    let needed = listing.terminal(RUN);
    assert!(needed == Terminal::NotMentioned || answer.contains("requiretty"));
    assert!(!listing.intercepts(RUN) || answer.contains("intercept"));
}

/// The rule as root alone, without a password, without arguments, and nothing else.
fn is_exactly_ours(words: &[&str]) -> bool {
    let [first, tags @ .., program, arguments] = words else { return false };
    let known = ["NOSETENV:", "NOPASSWD:", "NOLOG_INPUT:", "NOLOG_OUTPUT:"];
    (*first, *program, *arguments) == ("(root)", RUN, "\"\"") && tags.iter().all(|tag| known.contains(tag))
}
