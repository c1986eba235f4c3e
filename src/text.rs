//! Outside text on its way to a line of the log, or to a page.

use std::fmt;

/// Outside text that travels on is cut to this many bytes.
pub const CUT: usize = 64;

/// Bytes from outside, shown so that they stay one word of one line: in double quotes, with what is
/// not printable ASCII, and the quote and the backslash, escaped. Nothing else lets them into the log.
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (shown, cut) = match self.0.len() > 4 * CUT {
            true => (&self.0[..4 * CUT], "…"),
            false => (self.0, ""),
        };
        // Labels and names are the owner's and may be in any script.
        match std::str::from_utf8(shown) {
            Ok(text) => write!(f, "\"{}{cut}\"", Lettered(text)),
            Err(_) => write!(f, "\"{}{cut}\"", shown.escape_ascii()),
        }
    }
}

struct Lettered<'a>(&'a str);

impl fmt::Display for Lettered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let special = |c: char| c == '"' || c == '\\' || !(c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric());
        let mut rest = self.0;
        while let Some(at) = rest.find(special) {
            let (clean, tail) = rest.split_at(at);
            let c = tail.chars().next().unwrap_or_default();
            f.write_str(clean)?;
            write!(f, "{}", c.escape_default())?;
            rest = &tail[c.len_utf8()..];
        }
        f.write_str(rest)
    }
}

/// Text for a terminal: what would move its cursor, change its colours or begin a line is escaped.
pub fn printable(text: &str) -> String {
    let special =
        |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match special(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// Text for HTML, safe inside an element and inside a quoted attribute.
pub struct Html<'a>(pub &'a str);

impl fmt::Display for Html<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

/// At most `CUT` bytes of what came from outside.
pub fn cut(outside: &[u8]) -> &[u8] {
    &outside[..outside.len().min(CUT)]
}

/// Returns the beginning of a text, at most `max` bytes of it, and no half of a character.
pub fn beginning(text: &str, max: usize) -> &str {
    let end = (0..=text.len().min(max)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_bytes_stay_one_word_of_one_line() {
        for (bytes, expected) in [
            (&b"plain"[..], r#""plain""#),
            (b"two words", r#""two words""#),
            (b"a\"b\\c", r#""a\"b\\c""#),
            (b"line\nline\x1b[31m", r#""line\nline\u{1b}[31m""#),
            (b"\xff\xfe", r#""\xff\xfe""#),
            ("Küche\u{202e}".as_bytes(), r#""Küche\u{202e}""#),
        ] {
            assert_eq!(Quoted(bytes).to_string(), expected);
        }
        assert_eq!(Quoted(&[b'a'; 1000]).to_string().chars().count(), 4 * CUT + 3);
    }

    #[test]
    fn html_cannot_be_left() {
        assert_eq!(Html("<a href='\"'>&").to_string(), "&lt;a href=&#39;&quot;&#39;&gt;&amp;");
    }
}
