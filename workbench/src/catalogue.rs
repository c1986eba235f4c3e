//! All findings, compared with the documentation and with the tests.

use crate::check;
use crate::commands::prove;
use crate::owner::finding::{self, Kind, Level, Part};
use crate::parts;

/// Every kind, in the order of docs/workbench.md.
fn catalogue() -> Vec<&'static Kind> {
    [&parts::kinds(), &check::kinds(), prove::KINDS].concat()
}

/// A text in a cell of a Markdown table. Between backticks nothing but the bar means anything.
fn cell(text: &'static str) -> String {
    let parts = finding::parts(text).map(|part| match part {
        Part::Prose(text) => text.replace('<', "\\<"),
        Part::Typed(text) => format!("`{text}`"),
    });
    parts.collect::<String>().replace('|', "\\|")
}

#[test]
fn the_documentation_shows_the_whole_catalogue() {
    let mut table = "| code | level | what it says | cure |\n|---|---|---|---|\n".to_owned();
    for Kind { code, level, sentence, fix, .. } in catalogue() {
        let level = if *level == Level::Fault { "fault" } else { "advice" };
        table.push_str(&format!("| `{code}` | {level} | {} | {} |\n", cell(sentence), cell(fix)));
    }
    let text = include_str!("../../docs/workbench.md");
    let shown = text.split_once("<!-- findings -->\n").and_then(|(_, rest)| rest.split_once("<!-- /findings -->"));
    let (shown, _) = shown.expect("two markers");
    assert!(shown.trim() == table.trim(), "docs/workbench.md must show between its markers:\n{table}");
}

#[test]
fn each_kind_has_its_own_code() {
    let mut codes: Vec<&str> = catalogue().iter().map(|kind| kind.code).collect();
    codes.sort_unstable();
    let all = codes.len();
    codes.dedup();
    assert_eq!(codes.len(), all);
    assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{codes:?}");
}

/// The words in angle brackets.
fn marks(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split('<').skip(1).filter_map(|rest| Some(rest.split_once('>')?.0));
    words.filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
}

#[test]
fn each_place_is_in_the_texts_and_each_text_has_its_places() {
    for kind in catalogue() {
        let mut in_texts: Vec<&str> = marks(kind.sentence).chain(marks(kind.fix)).collect();
        in_texts.sort_unstable();
        in_texts.dedup();
        let mut places = kind.places.to_vec();
        places.sort_unstable();
        assert_eq!(places, in_texts, "{}", kind.code);
    }
}

/// Each row of the tests' tables demands its code and the words of its finding.
#[test]
fn each_kind_is_provoked_by_a_test() {
    let rows = [include_str!("../../tests/it/check.rs"), include_str!("../../tests/it/nas/check.rs")];
    // Nobody can set the clock; its judgement has a table beside it.
    let (_, clock) = include_str!("check/clock.rs").split_once("mod tests").expect("tests");
    let in_a_row = |code: &str| rows.iter().any(|text| text.contains(&format!("code: \"{code}\",\n        plant:")));
    // The web server's findings stand in tuples, each beside its words.
    let web = concat!(
        include_str!("../../tests/it/nas/web_check.rs"),
        include_str!("../../tests/it/nas/servers.rs"),
        include_str!("../../tests/it/nas/reachable.rs"),
        include_str!("../../tests/it/nas/install.rs")
    );
    let provoked = |code: &str| in_a_row(code) || [clock, web].iter().any(|text| text.contains(&format!("\"{code}\"")));
    let mut forgotten: Vec<&str> =
        [parts::kinds(), check::kinds()].concat().iter().map(|kind| kind.code).filter(|code| !provoked(code)).collect();
    // `prove` shows no codes: its tests hold the words in front of the first place.
    let proofs = include_str!("../../tests/it/nas/prove.rs");
    let begins =
        |kind: &Kind| kind.sentence.split('<').next().is_some_and(|words| proofs.contains(&format!("\"{words}")));
    forgotten.extend(prove::KINDS.iter().filter(|kind| !begins(kind)).map(|kind| kind.code));
    assert!(forgotten.is_empty(), "no test provokes {forgotten:?}");
}
