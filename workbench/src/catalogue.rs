//! All findings, compared with the documentation and with the tests.

use crate::check;
use crate::commands::prove;
use crate::owner::finding::{self, Kind, Level, Part};
use crate::parts;

/// Every kind, in the order of docs/findings.md.
fn catalogue() -> Vec<&'static Kind> {
    [&parts::kinds(), &check::kinds(), prove::KINDS].concat()
}

/// A text in Markdown. Between backticks nothing means anything.
fn markdown(text: &'static str) -> String {
    let parts = finding::parts(text).map(|part| match part {
        Part::Prose(text) => text.replace('<', "\\<"),
        Part::Typed(text) => format!("`{text}`"),
    });
    parts.collect()
}

/// The section of docs/findings.md to which `check` points by the code.
fn section(Kind { code, level, sentence, fix, .. }: &Kind) -> String {
    let level = if *level == Level::Fault { "fault" } else { "advice" };
    format!("### {code}\n\n**{level}:** {}\n\n**fix:** {}\n", markdown(sentence), markdown(fix))
}

/// The headings of groups are the document's own.
#[test]
fn the_documentation_shows_the_whole_catalogue() {
    let expected: Vec<String> = catalogue().into_iter().map(section).collect();
    let text = include_str!("../../docs/findings.md");
    let (_, shown) = text.split_once("by a test -->\n\n").expect("a marker");
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("## ")).collect();
    let shown = lines.join("\n").replace("\n\n\n", "\n\n");
    let expected = expected.join("\n");
    assert!(shown.trim() == expected.trim(), "docs/findings.md must show below its marker:\n{expected}");
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
