//! The files of the scheduler's store.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use remotetask::start::store::parse;

use crate::assert_is_a_line;

/// Reads a task's file.
pub fn store(content: &[u8]) {
    let script = match parse(content, 7) {
        Ok(script) => script,
        Err(why) => return assert_is_a_line(&why),
    };
    let lines: Vec<&[u8]> = content.split(|&b| b == b'\n').collect();
    let once = |line: String| {
        let (name, _) = line.split_once('=').expect("a line");
        let begin = format!("{name}=");
        let values: Vec<_> = lines.iter().filter(|line| line.starts_with(begin.as_bytes())).collect();
        assert!(values.len() == 1, "{} lines {begin}", values.len());
        *values[0] == line.as_bytes()
    };
    assert!(once("id=7".into()) && script.number == 7);
    assert!(once(format!("cmd={}", STANDARD.encode(&script.bytes))) && !script.bytes.is_empty());
    // Zeros may stand before the number.
    let owner = lines.iter().find_map(|line| line.strip_prefix(b"owner=")).expect("an owner");
    let digits: String = owner.iter().map(|b| char::from(*b)).collect();
    assert!(digits.bytes().all(|b| b.is_ascii_digit()) && script.owner != u32::MAX);
    assert!(digits.trim_start_matches('0') == script.owner.to_string().trim_start_matches('0'));
}
