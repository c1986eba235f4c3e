//! log.txt: any line is read, and a line of ours is read back as it was written.

use remotetask::text::Quoted;

use crate::assert_is_a_line;
use crate::owner::request_log::Line;

const STAMP: &str = "2026-11-24 07:12:33.123 +01:00";

/// Reads the bytes as a log, and writes them into one.
pub fn log(input: &[u8]) {
    for bytes in input.split(|&b| b == b'\n') {
        let line = Line::of(bytes);
        if let Some(event) = &line.event {
            assert!(line.text.contains(&event.level) && !event.what.contains('='));
            assert!(event.why.as_ref().is_none_or(|why| line.text.ends_with(&**why)));
            assert_eq!(Line::of(line.text.as_bytes()), line);
        }
    }
    written(input);
}

/// Outside bytes stay one field of one line, whatever they are.
fn written(outside: &[u8]) {
    let quoted = Quoted(outside).to_string();
    let text = format!("{STAMP} INFO  not_started task={quoted} who=#1 from=unknown took=4ms why=7b {quoted}");
    assert_is_a_line(&text);
    let event = Line::of(text.as_bytes()).event.expect("a line of ours");
    assert_eq!((&*event.level, &*event.what), ("INFO", "not_started"));
    assert_eq!(event.field("task"), Some(&*quoted));
    for (name, value) in [("who", Some("#1")), ("from", Some("unknown")), ("took", Some("4ms")), ("run", None)] {
        assert_eq!(event.field(name), value, "{name}");
    }
    assert_eq!(event.why, Some(format!("7b {quoted}")));
}
