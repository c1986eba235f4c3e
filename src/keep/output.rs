//! The last of a command's output: in the keeper's memory, in `<run>.out`, and as its callers are shown it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::record::{Runs, TAIL};

/// The time between two writes of the output of a run that goes on.
const EVERY: Duration = Duration::from_secs(2);
/// The part of it that callers are shown, in lines and in bytes.
const LINES: usize = 100;
const BYTES: usize = 8 << 10;

/// The last [`TAIL`] bytes.
#[derive(Default)]
pub struct Tail(VecDeque<u8>);

impl Tail {
    /// Takes some more.
    pub fn take(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(TAIL)..];
        let excess = (self.0.len() + new.len()).saturating_sub(TAIL);
        self.0.drain(..excess);
        self.0.extend(new);
    }
}

/// The output of one run, and the time to write it, where somebody wants to see it meanwhile.
pub struct Output {
    tail: Tail,
    shown: bool,
    written: Instant,
    due: Option<Instant>,
}

impl Output {
    /// Nothing yet; to be `shown` while the run goes on, or at its end alone.
    pub fn new(shown: bool) -> Output {
        let now = Instant::now();
        Output { tail: Tail::default(), shown, written: now.checked_sub(EVERY).unwrap_or(now), due: None }
    }

    /// Takes some more.
    pub fn take(&mut self, bytes: &[u8]) {
        self.tail.take(bytes);
        if self.shown && self.due.is_none() {
            self.due = Some(Instant::now().max(self.written + EVERY));
        }
    }

    /// The time to write it.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Writes it; on a full disk it gives its room to the record.
    pub fn write(&mut self, runs: &Runs, run: &str) {
        let (first, second) = self.tail.0.as_slices();
        if runs.write_output(run, &[first, second]).is_err() {
            runs.forget_output(run);
        }
        (self.written, self.due) = (Instant::now(), None);
    }
}

/// Returns the last lines of an output for its callers: text, without what would move a cursor.
pub fn last_lines(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output).replace("\r\n", "\n");
    let plain = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c };
    let text: String = text.chars().map(plain).collect();
    let ends = text.ends_with('\n');
    let lines = text.rmatch_indices('\n').nth(LINES - usize::from(!ends)).map_or(0, |(at, _)| at + 1);
    let bytes = (text.len().saturating_sub(BYTES)..).find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    text[lines.max(bytes)..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_holds_the_last_bytes() {
        let mut tail = Tail::default();
        tail.take(b"first");
        tail.take(&vec![b'x'; TAIL - 3]);
        assert_eq!(tail.0.len(), TAIL);
        assert_eq!(tail.0.iter().take(4).copied().collect::<Vec<_>>(), b"rstx");
        tail.take(&[b'y'; TAIL + 5]);
        assert!(tail.0.len() == TAIL && tail.0.iter().all(|&b| b == b'y'));
    }

    #[test]
    fn the_last_lines() {
        for (output, expected) in [
            (&b""[..], ""),
            (b"one\ntwo", "one\ntwo"),
            (b"one\r\n\ttwo\n", "one\n\ttwo\n"),
            (b"\x1b[2J\xff\0\r\x7f\xc2\x9b", "\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(last_lines(output), expected);
        }
        let many: String = (0..300).map(|at| format!("{at}\n")).collect();
        let last: String = (200..300).map(|at| format!("{at}\n")).collect();
        assert_eq!(last_lines(many.as_bytes()), last);
        assert_eq!(last_lines(many.trim_end().as_bytes()), last.trim_end());
        // The worst that a reply has to hold.
        for byte in [b'x', 0xff, b'"', 0] {
            let shown = last_lines(&vec![byte; TAIL]);
            assert!(shown.len() <= BYTES && shown.len() > BYTES - 3, "{byte}: {}", shown.len());
        }
    }
}
