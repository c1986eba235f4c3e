//! Apache 2.4 as Web Station's package has it: what it says of itself, and what stands in its files.
//!
//! The places are those that public sources name; no DSM was at hand.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{open, Mode, OFlags};

use crate::owner::fault::plainly;
use remotetask::child::{run_captured, RunError};
use remotetask::files::Regular;

/// Its program, in the places where a package may put it.
const PROGRAMS: [&str; 2] = ["/usr/local/bin/httpd24", "/var/packages/Apache2.4/target/usr/local/bin/httpd24"];
/// Its own file, where the package has it.
const MAIN: &str = "/var/packages/Apache2.4/target/usr/local/etc/apache24/conf/httpd24.conf";
/// Files that it reads beside its own: a port of one's own has its drop-in there.
pub const DROP_INS: &str = "/usr/local/etc/apache24/sites-enabled";

/// The time that it may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_MAX: usize = 1 << 20;
const FILE_MAX: usize = 1 << 20;
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
    /// The rest of the line, behind the name.
    pub rest: String,
    /// The file that it stands in.
    pub file: PathBuf,
    /// Its line there, from 1; of several that are joined, the first.
    pub line: usize,
    /// The line of the `<VirtualHost>` around it.
    pub host: Option<usize>,
    /// The folder of the `<Directory>` around it; `~` before a pattern.
    pub folder: Option<String>,
}

impl Directive {
    /// Returns true if it has this name; Apache does not look at the case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The word number `at` behind the name, without quotes.
    pub fn word(&self, at: usize) -> Option<&str> {
        words(&self.rest).into_iter().nth(at)
    }

    /// Its virtual host: the same for all that stand in one.
    pub fn of_host(&self) -> (&Path, Option<usize>) {
        (&self.file, self.host)
    }
}

/// Apache's configuration, as it reports it itself.
pub struct Configuration {
    /// The names of the loaded modules, such as `cgid_module`.
    pub modules: Vec<String>,
    /// The files that it reads.
    pub files: Vec<PathBuf>,
    /// The directives in them, in their order.
    pub directives: Vec<Directive>,
}

impl Configuration {
    /// Asks Apache, once for all of it; or returns its complaint about its files.
    ///
    /// Conditions (`<IfModule>`, `<If>`) are taken to hold, and a file that is read inside a virtual host is taken to
    /// stand outside. A `.htaccess` is none of these files.
    pub fn of(apache: &Apache) -> Result<Configuration, String> {
        let report = apache.ask(&["-t", "-D", "DUMP_MODULES", "-D", "DUMP_INCLUDES", "-D", "DUMP_RUN_CFG"])?;
        Ok(Configuration::reported(&report, read))
    }

    /// The configuration of this report; `read` reads a file that it names.
    pub fn reported(report: &str, read: impl Fn(&Path) -> Vec<Directive>) -> Configuration {
        // ` cgid_module (shared)`; `    (12) /etc/apache2/ports.conf`; `Define: NAME=value`.
        let modules = report.lines().filter_map(|line| line.strip_prefix(' ')?.split_once(" (")).map(|(name, _)| name);
        let modules = modules.filter(|name| name.ends_with("_module")).map(str::to_owned).collect();
        let files: Vec<PathBuf> = report.lines().filter_map(included).map(PathBuf::from).collect();
        let defines = report.lines().filter_map(|line| line.strip_prefix("Define: ")?.split_once('='));
        let defines: Vec<_> = defines.map(|(name, value)| (format!("${{{name}}}"), value)).collect();
        // An Apache that does not report what it reads reads its own file at least.
        let own = [PathBuf::from(MAIN)];
        let read_files = if files.is_empty() { &own[..] } else { &files };
        let mut directives: Vec<Directive> = read_files.iter().flat_map(|path| read(path)).collect();
        for directive in &mut directives {
            for text in [&mut directive.rest].into_iter().chain(&mut directive.folder) {
                for (place, value) in &defines {
                    *text = text.replace(place, value);
                }
            }
        }
        Configuration { modules, files, directives }
    }

    /// Returns true if a module that runs programs is loaded.
    pub fn runs_programs(&self) -> bool {
        self.loads("cgi_module") || self.loads("cgid_module")
    }

    /// Returns true if this module is loaded.
    pub fn loads(&self, module: &str) -> bool {
        self.modules.iter().any(|loaded| loaded == module)
    }

    /// The directives of this name.
    pub fn all<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t Directive> {
        self.directives.iter().filter(move |directive| directive.is(name))
    }
}

impl Apache {
    /// That of this machine.
    pub fn here() -> Option<Apache> {
        PROGRAMS.into_iter().find(|program| Path::new(program).is_file()).map(|program| Apache { program })
    }

    /// Tests its files as they are; the error is Apache's own complaint.
    pub fn test(&self) -> Result<(), String> {
        self.ask(&["-t"]).map(drop)
    }

    /// Returns true if it runs: the process that its PidFile names lives.
    pub fn runs(&self) -> bool {
        let answer = self.ask(&["-t", "-D", "DUMP_RUN_CFG"]).unwrap_or_default();
        let file = answer.lines().find_map(|line| line.strip_prefix("PidFile: \"")?.strip_suffix('"'));
        let pid = file.and_then(|file| std::fs::read_to_string(file).ok());
        pid.is_some_and(|pid| Path::new("/proc").join(pid.trim()).is_dir())
    }

    /// Lines that load the module that runs programs, unless Apache does so by itself; empty where it does and the
    /// module's file is elsewhere; `None` where there is none. The error is Apache's own complaint.
    pub fn cgi_module(&self) -> Result<Option<String>, String> {
        let configuration = Configuration::of(self)?;
        let word =
            |name: &str, at: usize| configuration.directives.iter().find(|d| d.is(name)).and_then(|d| d.word(at));
        let folder = word("LoadModule", 1).map(|file| match word("ServerRoot", 0) {
            Some(root) => Path::new(root).join(file),
            None => PathBuf::from(file),
        });
        let folder = folder.as_deref().and_then(Path::parent);
        // Threads want cgid.
        let names = match configuration.loads("mpm_prefork_module") {
            true => ["cgi", "cgid"],
            false => ["cgid", "cgi"],
        };
        let there = |name: &&str| folder.is_some_and(|folder| folder.join(format!("mod_{name}.so")).is_file());
        let Some(name) = names.into_iter().find(there) else {
            return Ok(configuration.runs_programs().then(String::new));
        };
        let file = folder.unwrap_or(Path::new("")).join(format!("mod_{name}.so"));
        let socket = if name == "cgid" { "    ScriptSock /var/run/remotetask-cgid.sock\n" } else { "" };
        Ok(Some(format!(
            "# This Apache may have its module for programs without loading it.\n<IfModule !cgi_module>\n<IfModule \
             !cgid_module>\n    LoadModule {name}_module \"{}\"\n{socket}</IfModule>\n</IfModule>\n",
            file.display()
        )))
    }

    fn ask(&self, words: &[&str]) -> Result<String, String> {
        let argv = [&[self.program], words].concat();
        let answer = run_captured(argv, ANSWER_MAX, Instant::now() + PATIENCE).map_err(|trouble| match trouble {
            RunError::Start(e) => format!("{} cannot be started: {}", self.program, plainly(&e)),
            RunError::Late(_) => format!("{} gives no answer within {} s", self.program, PATIENCE.as_secs()),
        })?;
        match answer.end.exit {
            Some(0) => Ok(String::from_utf8_lossy(&answer.stdout).into_owned()),
            _ => Err(said(&answer.stderr).trim().replace('\n', " ").chars().take(WORDS).collect()),
        }
    }
}

/// The path in a line of Apache's list of the files that it reads.
fn included(line: &str) -> Option<&str> {
    let (number, path) = line.trim_start().strip_prefix('(')?.split_once(") ")?;
    (number == "*" || number.bytes().all(|b| b.is_ascii_digit())).then_some(path)
}

/// Its words, without the warning about its own name.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr).into_owned();
    text.lines().filter(|line| !line.starts_with("AH00558")).collect::<Vec<_>>().join("\n")
}

/// The directives of one file; of one that cannot be read, none.
pub fn read(path: &Path) -> Vec<Directive> {
    // Links are followed, as Apache does; nothing is waited for.
    let opened = open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty());
    let text = opened.map_err(Into::into).and_then(Regular::of).and_then(|file| file.read(FILE_MAX));
    directives(path, &String::from_utf8_lossy(&text.unwrap_or_default()))
}

/// Without comments; of the sections, those that matter here are remembered.
pub fn directives(file: &Path, text: &str) -> Vec<Directive> {
    let (mut found, mut host, mut folder) = (Vec::new(), None, None);
    for (line, text) in lines(text) {
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
        let rest = rest.trim();
        let Some(section) = name.strip_prefix('<') else {
            let (name, rest, file) = (name.to_owned(), rest.to_owned(), file.to_owned());
            found.push(Directive { name, rest, file, line, host, folder: folder.clone() });
            continue;
        };
        let of = rest.trim_end_matches('>').trim();
        match &*section.trim_end_matches('>').to_ascii_lowercase() {
            "virtualhost" => host = Some(line),
            "/virtualhost" => host = None,
            "directory" => folder = Some(words(of).join(" ")),
            "directorymatch" => folder = Some(format!("~ {of}")),
            "/directory" | "/directorymatch" => folder = None,
            _ => {}
        }
    }
    found
}

/// Lines with their numbers, those with a backslash at their end joined; neither comments nor empty ones.
fn lines(text: &str) -> Vec<(usize, String)> {
    let (mut whole, mut joined) = (Vec::new(), String::new());
    let mut begun = 1;
    for (line, text) in (1..).zip(text.lines()) {
        if joined.is_empty() {
            begun = line;
        }
        match text.strip_suffix('\\') {
            Some(text) => joined.push_str(&format!("{text} ")),
            None => whole.push((begun, std::mem::take(&mut joined) + text)),
        }
    }
    whole.push((begun, joined));
    let trimmed = whole.into_iter().map(|(line, text)| (line, text.trim().to_owned()));
    trimmed.filter(|(_, text)| !text.is_empty() && !text.starts_with('#')).collect()
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
        let text = "# CustomLog no \\\nmore of it\n\n<VirtualHost *:80>\n  customlog \"/a b/c\" \\\n    combined env=!dontlog\n\
            <Directory \"/volume1/web\" >\nAllowOverride All\n</Directory>\n</virtualhost>\n<Directory ~ /x>\r\n\
            TraceEnable\toff\r\n</Directory>\nX\nY \\";
        let found = directives(Path::new("/f"), text);
        let shown: Vec<_> =
            found.iter().map(|d| (&*d.name, words(&d.rest), d.line, d.host, d.folder.as_deref())).collect();
        let expected = [
            ("customlog", vec!["/a b/c", "combined", "env=!dontlog"], 5, Some(4), None),
            ("AllowOverride", vec!["All"], 8, Some(4), Some("/volume1/web")),
            ("TraceEnable", vec!["off"], 12, None, Some("~ /x")),
            ("X", vec![], 14, None, None),
            ("Y", vec![], 15, None, None),
        ];
        assert_eq!(shown, expected);
        assert!(found[0].is("CustomLog") && found[0].word(2) == Some("env=!dontlog") && found[2].word(1).is_none());
    }
}
