//! The owner's screen: plain sentences, at most 80 columns wide and no wider than the terminal, with a little
//! colour there.

use std::fmt::Display;
use std::io::IsTerminal;

use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};
use rustix::fd::AsFd;
use rustix::termios::tcgetwinsize;

use crate::owner::fault::{plainly, Fault};
use remotetask::streams;
use remotetask::text::printable;

/// Columns of a line, at most.
pub const WIDTH: usize = 80;
/// Columns of a sentence's line in a terminal that has fewer.
const NARROWEST: usize = 40;
/// Light modules around a code; readers want four (ISO/IEC 18004).
const QUIET: usize = 4;

/// Standard output. Who has closed it is not written to, and that is no fault.
pub struct Screen {
    /// True if somebody looks at it.
    pub terminal: bool,
    colour: bool,
    /// It understands no colours at all.
    dumb: bool,
    /// Its columns, at most [`WIDTH`].
    pub width: usize,
    /// Nothing is written.
    quiet: bool,
}

/// The meaning of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// It is as it should be.
    Good,
    /// It could be better.
    Advice,
    /// It does not work.
    Fault,
    /// A heading.
    Strong,
}

impl Screen {
    /// The screen of this process: colour on a terminal alone, and not where `NO_COLOR` has a value
    /// (no-color.org) or `TERM` is `dumb`.
    pub fn own() -> Screen {
        let terminal = std::io::stdout().is_terminal();
        let set = |name| std::env::var_os(name).unwrap_or_default();
        let width = width(rustix::stdio::stdout());
        let dumb = set("TERM") == "dumb";
        Screen { dumb, terminal, width, quiet: false, colour: terminal && set("NO_COLOR").is_empty() && !dumb }
    }

    /// A screen on which nothing is written, and nobody is asked.
    pub fn silent() -> Screen {
        Screen { terminal: false, quiet: true, ..Screen::own() }
    }

    /// A paragraph, wrapped between words; further lines are indented as its first one is.
    pub fn say(&self, text: impl Display) {
        self.write(&wrapped(&text.to_string(), "", self.width));
    }

    /// A paragraph behind a mark in its own colour; further lines stand below its first word.
    pub fn mark(&self, tone: Tone, mark: &str, text: impl Display) {
        let plain = wrapped(&format!("{mark} {text}"), &" ".repeat(mark.chars().count() + 1), self.width);
        match plain.strip_prefix(mark) {
            Some(rest) => self.write(&format!("{}{rest}", self.painted(tone, mark))),
            None => self.write(&plain),
        }
    }

    /// A heading.
    pub fn heading(&self, text: impl Display) {
        self.write(&format!("{}\n", self.painted(Tone::Strong, &printable(&text.to_string()))));
    }

    /// A line to copy: a command, a URL. Never wrapped.
    pub fn literal(&self, text: impl Display) {
        self.write(&format!("{}\n", printable(&text.to_string())));
    }

    /// A line of JSON for a program. What is not ASCII may move a terminal's cursor or turn its line around.
    pub fn raw(&self, value: &serde_json::Value) {
        self.write(&format!("{}\n", ascii(&value.to_string())));
    }

    /// An empty line.
    pub fn gap(&self) {
        self.write("\n");
    }

    /// Asks whoever sits at the terminal; where nobody does the answer is no.
    pub fn ask(&self, question: &str) -> Result<bool, Fault> {
        if !self.can_ask() {
            return Ok(false);
        }
        loop {
            self.write(&format!("{question} [y/n] "));
            match self.line()?.trim_end_matches('\r') {
                "y\n" | "Y\n" | "yes\n" => return Ok(true),
                "n\n" | "N\n" | "no\n" => return Ok(false),
                "" => {
                    self.gap();
                    return Err(Fault::new("no answer came; nothing was changed"));
                }
                _ => {}
            }
        }
    }

    /// Returns true if somebody sits at the terminal.
    pub fn can_ask(&self) -> bool {
        self.terminal && std::io::stdin().is_terminal()
    }

    /// The next line of standard input; its end is an empty one.
    pub fn line(&self) -> Result<String, Fault> {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(|e| Fault(format!("standard input: {}", plainly(&e))))?;
        Ok(line)
    }

    /// A question without an end of its line, for [`Screen::line`] to answer.
    pub fn prompt(&self, text: &str) {
        if self.terminal {
            self.write(text);
        }
    }

    /// A code that a phone reads; `false` if it would be wider than the screen.
    ///
    /// Black on white, also where `NO_COLOR` has a value or the output is a pipe to a terminal elsewhere: the colours are
    /// what is read. A terminal that knows none gets it twice, for dark and for light ones.
    pub fn code(&self, text: &str) -> bool {
        let Some(code) = Code::of(text, self.width) else { return false };
        match self.dumb {
            false => self.write(&code.drawn(true, "\x1b[30;107m", "\x1b[0m")),
            true => {
                self.say("  On a dark background:");
                self.write(&code.drawn(false, "", ""));
                self.say("  On a light background:");
                self.write(&code.drawn(true, "", ""));
            }
        }
        true
    }

    fn painted(&self, tone: Tone, text: &str) -> String {
        let number = match tone {
            Tone::Good => "32",
            Tone::Advice => "33",
            Tone::Fault => "31",
            Tone::Strong => "1",
        };
        match self.colour {
            true => format!("\x1b[{number}m{text}\x1b[0m"),
            false => text.to_owned(),
        }
    }

    fn write(&self, text: &str) {
        if self.quiet {
            return;
        }
        let _ = streams::write_all(rustix::stdio::stdout(), text.as_bytes());
    }
}

/// The same JSON in ASCII: nothing else stands there but in strings, and `\u` means it there.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            ' '..='~' => text.push(c),
            c => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    text
}

/// Columns of a line in what this leads to: as a terminal has them, at most [`WIDTH`].
pub fn width(output: impl AsFd) -> usize {
    match tcgetwinsize(output).map_or(0, |size| size.ws_col) {
        0 => WIDTH,
        columns => usize::from(columns).min(WIDTH),
    }
}

/// `text` as lines of at most `width` columns, or [`NARROWEST`], where its words allow it. Further lines are indented as
/// the first one is, and by `hanging`.
pub fn wrapped(text: &str, hanging: &str, width: usize) -> String {
    let (text, width) = (printable(text), width.max(NARROWEST));
    let lead = &text[..text.len() - text.trim_start_matches(' ').len()];
    let (mut lines, mut line, mut begun) = (String::new(), lead.to_owned(), false);
    for word in text[lead.len()..].split(' ') {
        if begun && line.chars().count() + 1 + word.chars().count() > width {
            lines.push_str(line.trim_end());
            lines.push('\n');
            line = format!("{lead}{hanging}");
        } else if begun {
            line.push(' ');
        }
        line.push_str(word);
        begun = true;
    }
    lines + line.trim_end() + "\n"
}

/// A code with the light around it.
struct Code {
    modules: Vec<Color>,
    inner: usize,
}

impl Code {
    /// The code of this text; none where it would be wider than this.
    fn of(text: &str, width: usize) -> Option<Code> {
        let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
        let inner = code.width();
        (inner + 2 * QUIET <= width).then(|| Code { modules: code.to_colors(), inner })
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = (QUIET..self.inner + QUIET).contains(&x) && (QUIET..self.inner + QUIET).contains(&y);
        inside && self.modules[(y - QUIET) * self.inner + (x - QUIET)] == Color::Dark
    }

    /// Two modules a character, one above the other. What is drawn is dark or light; `before` and `after` each row.
    fn drawn(&self, dark: bool, before: &str, after: &str) -> String {
        let size = self.inner + 2 * QUIET;
        let is = |x: usize, y: usize| self.is_dark(x, y) == dark;
        let mut drawn = String::new();
        for y in (0..size).step_by(2) {
            let row: String = (0..size)
                .map(|x| match (is(x, y), is(x, y + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                })
                .collect();
            drawn.push_str(&format!("{before}{row}{after}\n"));
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_ascii_and_means_the_same() {
        let text = "K\u{fc}che \u{9b}31m \u{202e}\u{7f}\u{1f511} \"\\";
        let json = serde_json::json!(text).to_string();
        let shown = ascii(&json);
        assert_eq!(shown, r#""K\u00fcche \u009b31m \u202e\u007f\ud83d\udd11 \"\\""#);
        assert_eq!(serde_json::from_str::<String>(&shown).expect("JSON"), text);
    }

    #[test]
    fn lines_are_no_wider_than_the_screen() {
        for (text, hanging, expected) in [
            ("", "", "\n".to_owned()),
            ("one", "", "one\n".to_owned()),
            (&*format!("{} b", "a".repeat(79)), "", format!("{}\nb\n", "a".repeat(79))),
            (&*format!("{} b", "a".repeat(78)), "", format!("{} b\n", "a".repeat(78))),
            (&*format!("  {} b", "a".repeat(78)), "", format!("  {}\n  b\n", "a".repeat(78))),
            (&*format!("- {} b", "a".repeat(78)), "  ", format!("- {}\n  b\n", "a".repeat(78))),
            (&*format!("{} b", "a".repeat(99)), "", format!("{}\nb\n", "a".repeat(99))),
            ("two\nlines \x1b[31m", "", "two\\nlines \\u{1b}[31m\n".to_owned()),
        ] {
            assert_eq!(wrapped(text, hanging, WIDTH), expected);
        }
    }
}
