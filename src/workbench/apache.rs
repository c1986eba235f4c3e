//! Apache 2.4 as Web Station's package has it: what it says of itself, and what stands in its files.
//!
//! The places are those that public sources name; no DSM was at hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::child::gather;

/// Its program, in the places where a package may put it.
const PROGRAMS: [&str; 2] = ["/usr/local/bin/httpd24", "/var/packages/Apache2.4/target/usr/local/bin/httpd24"];
/// Files that it reads beside its own: a port of one's own has its drop-in there.
pub const DROP_INS: &str = "/usr/local/etc/apache24/sites-enabled";

/// What it may take to tell something.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_MAX: usize = 1 << 20;
const FILE_MAX: u64 = 1 << 20;
/// Characters of its own words that are shown.
const WORDS: usize = 400;

/// The web server's program.
pub struct Apache {
    /// Its path.
    pub program: &'static str,
}

/// A line of its configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: String,
    /// What stands behind the name.
    pub rest: String,
}

impl Directive {
    /// Whether it has this name; Apache does not look at the case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The word number `at` behind the name, without quotes.
    pub fn word(&self, at: usize) -> Option<&str> {
        words(&self.rest).into_iter().nth(at)
    }
}

impl Apache {
    /// That of this machine.
    pub fn here() -> Option<Apache> {
        PROGRAMS.into_iter().find(|program| Path::new(program).is_file()).map(|program| Apache { program })
    }

    /// The names of the loaded modules, such as `cgid_module`; or what it says is wrong with its files.
    pub fn modules(&self) -> Result<Vec<String>, String> {
        let answer = self.ask(&["-M"])?;
        Ok(answer.lines().filter_map(|line| line.strip_prefix(' ')?.split(' ').next()).map(str::to_owned).collect())
    }

    /// The directives of all files that it reads, in their order. What a file reads by a variable is not
    /// resolved.
    pub fn directives(&self) -> Result<Vec<Directive>, String> {
        Ok(self.files()?.iter().flat_map(|path| read(path)).collect())
    }

    /// The files that it reads: `(line) path`, indented.
    pub fn files(&self) -> Result<Vec<PathBuf>, String> {
        let answer = self.ask(&["-t", "-D", "DUMP_INCLUDES"])?;
        Ok(answer.lines().filter_map(|line| line.trim().split_once(") ")).map(|(_, path)| path.into()).collect())
    }

    fn ask(&self, words: &[&str]) -> Result<String, String> {
        let argv = [&[self.program], words].concat();
        let answer = gather(argv, ANSWER_MAX, Instant::now() + PATIENCE).map_err(|trouble| format!("{trouble:?}"))?;
        match answer.end.exit {
            Some(0) => Ok(String::from_utf8_lossy(&answer.stdout).into_owned()),
            _ => Err(String::from_utf8_lossy(&answer.stderr).trim().replace('\n', " ").chars().take(WORDS).collect()),
        }
    }
}

/// The directives of one file; of one that cannot be read, none.
pub fn read(path: &Path) -> Vec<Directive> {
    let small = fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() <= FILE_MAX);
    let text = if small { fs::read(path).unwrap_or_default() } else { Vec::new() };
    directives(&String::from_utf8_lossy(&text))
}

/// Lines, those with a backslash at their end joined; without comments and sections' brackets.
fn directives(text: &str) -> Vec<Directive> {
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '<']));
    let split = |line: &str| match line.split_once(char::is_whitespace) {
        Some((name, rest)) => Directive { name: name.into(), rest: rest.trim().into() },
        None => Directive { name: line.into(), rest: String::new() },
    };
    lines.map(split).collect()
}

/// Words, some in double quotes.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (word, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word);
        rest = behind.trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directives_of_a_file() {
        let text = "# CustomLog no\n\n<VirtualHost *:80>\n  customlog \"/a b/c\" \\\n    combined env=!dontlog\n</VirtualHost>\nTraceEnable\toff\nX\n";
        let found = directives(text);
        let shown: Vec<(&str, Vec<&str>)> = found.iter().map(|d| (&*d.name, words(&d.rest))).collect();
        let expected =
            [("customlog", vec!["/a b/c", "combined", "env=!dontlog"]), ("TraceEnable", vec!["off"]), ("X", vec![])];
        assert_eq!(shown, expected);
        assert!(found[0].is("CustomLog") && found[0].word(2) == Some("env=!dontlog") && found[2].word(0).is_none());
    }
}
