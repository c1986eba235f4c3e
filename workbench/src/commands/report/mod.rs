//! `report`: what public sources leave open about DSM, of this NAS, in one paste. It changes nothing and holds no
//! secret: names of hosts and users, keys and addresses are masked, each by the same word wherever it stands.

mod mask; // names and addresses in the place of others
mod names; // those of this NAS
mod dsm; // DSM and its programs
mod web; // its web servers

use std::fmt::Display;
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use crate::owner::fault::{plainly, Fault};
use crate::owner::screen::Screen;
use crate::owner::version::VERSION;
use crate::owner::workbench::Workbench;
use mask::Mask;
use remotetask::child::{run_captured, RunError};

/// The time that a program gets for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are taken, of each stream.
const ANSWER_MAX: usize = 64 << 10;
/// Lines of an answer that are shown, and characters of each.
const LINES: usize = 60;
const COLUMNS: usize = 300;

/// The report as it is written.
struct Report<'b> {
    screen: &'b Screen,
    mask: Mask,
}

/// Writes it.
pub fn run(bench: &Workbench) -> Result<(), Fault> {
    let names = names::Names::of(bench);
    let report = Report { screen: &bench.screen, mask: names.mask() };
    report.heading("Remote task starter");
    report.fact("version", VERSION);
    if !geteuid().is_root() {
        report.fact("not as root", "what only root may see is missing below");
    }
    dsm::tell(&report);
    web::tell(&report, bench, &names);
    report.heading("end of the report");
    Ok(())
}

impl Report<'_> {
    fn heading(&self, text: &str) {
        self.screen.literal(format_args!("== {text}"));
    }

    fn fact(&self, name: &str, value: impl Display) {
        self.line(&format!("{name}: {value}"));
    }

    /// A fact of several lines; of too many the first.
    fn block<'t>(&self, name: &str, lines: impl IntoIterator<Item = &'t str>) {
        let mut lines = lines.into_iter().filter(|line| !line.trim().is_empty());
        let shown: Vec<&str> = lines.by_ref().take(LINES).collect();
        if shown.is_empty() {
            return self.fact(name, "nothing");
        }
        self.line(&format!("{name}:"));
        shown.iter().for_each(|line| self.line(&format!("  | {}", line.trim_end())));
        let left = lines.count();
        if left > 0 {
            self.line(&format!("  | ({left} more lines)"));
        }
    }

    /// The one way to the screen: everything is masked there.
    fn line(&self, text: &str) {
        let masked = self.mask.masked(&text.replace('\t', "    "));
        let cut: String = masked.chars().take(COLUMNS).collect();
        let more = if cut.len() < masked.len() { "…" } else { "" };
        self.screen.literal(format_args!("{cut}{more}"));
    }

    /// Asks a program, and shows its answer and how it ended.
    fn ask(&self, argv: &[&str]) {
        let name = argv.join(" ");
        match answer(argv) {
            Ok((end, text)) => self.block(&format!("{name} ({end})"), text.lines()),
            Err(why) => self.fact(&name, why),
        }
    }
}

/// The end of a program, and what it said on both streams.
fn answer(argv: &[&str]) -> Result<(String, String), String> {
    let answer =
        run_captured(argv.iter().copied(), ANSWER_MAX, Instant::now() + PATIENCE).map_err(|why| match why {
            RunError::Start(e) => format!("cannot be asked: {}", plainly(&e)),
            RunError::Late(_) => format!("gives no answer within {} s", PATIENCE.as_secs()),
        })?;
    let end = match (answer.end.exit, answer.end.signal) {
        (Some(exit), _) => format!("exit {exit}"),
        (None, signal) => format!("signal {}", signal.unwrap_or(0)),
    };
    let text = [&answer.stdout[..], &answer.stderr].map(String::from_utf8_lossy).join("\n");
    Ok((end, text))
}
