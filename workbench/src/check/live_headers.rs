//! The headers of a live answer, compared with those that every answer has.

use super::live::{AddedHeader, OtherHeader};
use crate::nas::http::Answer;
use crate::owner::finding::Found;
use remotetask::response::promised;

/// Headers that no answer may have: they lead a caller on, mark one, or let other sites read along.
const NEVER: [&str; 5] = ["location", "refresh", "set-cookie", "www-authenticate", "access-control-allow-origin"];

/// Judges the headers of an answer; nothing that was found already is found again.
pub fn headers(answer: &Answer, found: &mut Vec<Found>) {
    let mut new = Vec::new();
    for (name, wanted) in promised() {
        let there: Vec<&str> = answer.header(name).collect();
        // Twice the same is the same.
        if there.is_empty() || there.iter().any(|value| *value != wanted) {
            let there = if there.is_empty() { "missing".to_owned() } else { format!("\"{}\"", there.join("\", \"")) };
            new.push(OtherHeader { header: &name, there: &there, wanted: &format_args!("\"{wanted}\"") }.found());
        }
    }
    let added = NEVER.into_iter().filter(|name| answer.header(name).next().is_some());
    new.extend(added.map(|name| AddedHeader { header: &name }.found()));
    new.retain(|new| found.iter().all(|known| known.sentence != new.sentence));
    found.append(&mut new);
}
