//! A file of Apache's that was installed, compared with the installed text.

use std::path::Path;

use crate::owner::finding::{findings, Found};
use crate::owner::names::one_line;
use remotetask::files::Regular;

findings! {
    LacksLine { file, line }: "web-changed", Fault,
        "<file> lacks a line that was installed: <line>. Without it requests do not arrive, or refusals can be told \
         apart.",
        "Put it back where it stood, as the same file in the folder webstation shows it, and restart Apache: `sudo vi \
         <file>` `sudo synosystemctl restart pkgctl-Apache2.4`";
    LacksQuietLine { file, line }: "web-not-quiet", Advice,
        "<file> lacks a line that keeps keys out of Apache's logs: <line>.",
        "Put it back where it stood, as the same file in the folder webstation shows it, and restart Apache: `sudo vi \
         <file>` `sudo synosystemctl restart pkgctl-Apache2.4`";
    MoreLines { file, line }: "web-more", Advice,
        "<file> has a line that was not installed: <line>.",
        "If it is not yours, or writes a log, take it out, and restart Apache: `sudo vi <file>` `sudo synosystemctl \
         restart pkgctl-Apache2.4`";
}

/// None of the files that are installed is as large, in bytes.
const OURS_MAX: usize = 64 << 10;

/// The first line of the installed text that a file lacks, of those that matter for an answer and of those
/// that matter for logs; and the first that it has beside them. The value of a Define is the owner's.
pub fn changes(path: &Path, installed: &str) -> Vec<Found> {
    let lines =
        |text: &str| -> Vec<String> { lines(text).into_iter().filter(|line| !line.starts_with("Define ")).collect() };
    let (there, installed) = (lines(&String::from_utf8_lossy(&read(path))), lines(installed));
    let quiet = |line: &str| {
        let words = ["CustomLog", "LogLevel", "SetEnvIf", "<IfModule log_config_", "<IfModule setenvif_"];
        words.iter().any(|word| line.starts_with(word))
    };
    let lacking = |wanted: bool| installed.iter().find(|line| quiet(line) == wanted && !there.contains(line));
    let more = there.iter().find(|line| !loads(line) && !is_log(line) && !installed.contains(line));
    let file = &path.display();
    let mut found = Vec::new();
    found.extend(lacking(false).map(|line| LacksLine { file, line }.found()));
    found.extend(lacking(true).map(|line| LacksQuietLine { file, line }.found()));
    found.extend(more.map(|line| MoreLines { file, line }.found()));
    found
}

/// The lines of a file of Apache's, without comments and empty ones.
fn lines(text: &str) -> Vec<String> {
    let words = text.lines().map(|line| one_line(line.as_bytes()));
    words.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Returns true for a line that the installation adds where Apache does not load its module for programs by itself.
fn loads(line: &str) -> bool {
    let begins = ["LoadModule ", "ScriptSock ", "<IfModule !cgi_module>", "<IfModule !cgid_module>"];
    begins.iter().any(|word| line.starts_with(word))
}

/// Returns true if a drop-in does that and nothing else: it is no entry point then, but there for a virtual host.
pub fn only_loads(text: &[u8]) -> bool {
    let lines = lines(&String::from_utf8_lossy(text));
    !lines.is_empty() && lines.iter().all(|line| loads(line) || line == "</IfModule>")
}

/// Directives that make a log, or let one be written.
const LOGS: [&str; 6] = ["CustomLog", "TransferLog", "GlobalLog", "ForensicLog", "ErrorLog", "LogLevel"];

/// Returns true if this line is one of them, which `check` reports by itself.
fn is_log(line: &str) -> bool {
    LOGS.iter().any(|name| line.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case(name)))
}

/// The content of a small regular file that may be anybody's; a link is not followed.
pub fn read(path: &Path) -> Vec<u8> {
    Regular::open(path).and_then(|file| file.read(OURS_MAX)).unwrap_or_default()
}
