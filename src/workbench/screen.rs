//! What the owner sees: plain sentences, at most 80 columns wide, with a little colour on a terminal.

use std::fmt::Display;
use std::io::IsTerminal;

use qrcode::types::Color;
use qrcode::{EcLevel, QrCode};

use crate::streams;
use crate::text::printable;

/// Columns of a line.
pub const WIDTH: usize = 80;
/// Light modules around a code; readers want four (ISO/IEC 18004).
const QUIET: usize = 4;

/// Standard output. Who has closed it is not written to, and that is no fault.
pub struct Screen {
    /// Whether somebody looks at it.
    pub terminal: bool,
    colour: bool,
}

/// What a line means.
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
        Screen { terminal, colour: terminal && set("NO_COLOR").is_empty() && set("TERM") != "dumb" }
    }

    /// A paragraph, wrapped between words; further lines are indented as its first one is.
    pub fn say(&self, text: impl Display) {
        self.write(&wrapped(&text.to_string(), ""));
    }

    /// A paragraph behind a mark in its own colour; further lines stand below its first word.
    pub fn mark(&self, tone: Tone, mark: &str, text: impl Display) {
        let plain = wrapped(&format!("{mark} {text}"), &" ".repeat(mark.chars().count() + 1));
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

    /// A line for a program.
    pub fn raw(&self, line: &str) {
        self.write(&format!("{line}\n"));
    }

    /// An empty line.
    pub fn gap(&self) {
        self.write("\n");
    }

    /// A code that a phone reads; `false` if it would be wider than the screen.
    pub fn code(&self, text: &str) -> bool {
        match code(text, self.colour) {
            Some(drawn) => {
                self.write(&drawn);
                true
            }
            None => false,
        }
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
        let _ = streams::write_all(rustix::stdio::stdout(), text.as_bytes());
    }
}

/// `text` as lines of at most [`WIDTH`] columns, where its words allow it. Further lines are indented as
/// the first one is, and by `hanging`.
pub fn wrapped(text: &str, hanging: &str) -> String {
    let text = printable(text);
    let lead = &text[..text.len() - text.trim_start_matches(' ').len()];
    let (mut lines, mut line, mut begun) = (String::new(), lead.to_owned(), false);
    for word in text[lead.len()..].split(' ') {
        if begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
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

/// Two modules a character, one above the other. Where colour may be used it is black on white whatever
/// the terminal's own are; otherwise light is drawn, as it must be on a dark terminal.
fn code(text: &str, colour: bool) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    let size = code.width() + 2 * QUIET;
    if size > WIDTH {
        return None;
    }
    let modules = code.to_colors();
    let dark = |x: usize, y: usize| {
        let inside = (QUIET..size - QUIET).contains(&x) && (QUIET..size - QUIET).contains(&y);
        inside && modules[(y - QUIET) * code.width() + (x - QUIET)] == Color::Dark
    };
    let mut drawn = String::new();
    for y in (0..size).step_by(2) {
        let row: String = (0..size)
            .map(|x| match (dark(x, y) == colour, dark(x, y + 1) == colour) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            })
            .collect();
        match colour {
            true => drawn.push_str(&format!("\x1b[30;107m{row}\x1b[0m\n")),
            false => drawn.push_str(&format!("{row}\n")),
        }
    }
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a drawing as a phone's camera would, each module some pixels wide.
    fn read(drawn: &str, colour: bool) -> String {
        const PIXELS: usize = 4;
        let plain = drawn.replace("\x1b[30;107m", "").replace("\x1b[0m", "");
        let rows: Vec<Vec<char>> = plain.lines().map(|line| line.chars().collect()).collect();
        let (width, height) = (rows[0].len(), rows.len() * 2);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width * PIXELS, height * PIXELS, |x, y| {
            let (x, y) = (x / PIXELS, y / PIXELS);
            let full = matches!((rows[y / 2][x], y % 2), ('█', _) | ('▀', 0) | ('▄', 1));
            if full == colour {
                0
            } else {
                255
            }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "{drawn}");
        grids[0].decode().expect("it can be read").1
    }

    #[test]
    fn a_code_is_read_as_it_was_meant() {
        let key = "abcdefghjkmnpqrstuvwxyz2345";
        for text in [
            "http://127.0.0.1:10765/76sdf7678fds687/hjhass665s".to_owned(),
            format!("https://nas.example.org/{key}/{key}"),
            format!("https://{}.example.org:8443/{key}/{}", "n".repeat(60), "k".repeat(128)),
        ] {
            for colour in [true, false] {
                let drawn = code(&text, colour).expect("it fits");
                assert!(drawn.lines().all(|line| line.chars().filter(|c| "█▀▄ ".contains(*c)).count() <= WIDTH));
                assert_eq!(read(&drawn, colour), text);
            }
        }
        assert_eq!(code(&"x".repeat(2000), false), None);
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
            assert_eq!(wrapped(text, hanging), expected);
        }
    }
}
