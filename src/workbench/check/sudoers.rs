//! What sudo lets the web server's user do: start the root half, without arguments, and nothing else.
//!
//! The drop-in is looked at as a file; what it comes to, among all the others, sudo itself is asked.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use super::accounts::HTTP;
use super::finding::{Found, Kind, Level};
use super::Subject;
use crate::child::{run_captured, Captured, RunError};
use crate::config::ELEVATE;

static ELEVATE_NONE: Kind = Kind {
    code: "elevate-none",
    level: Level::Fault,
    says: "\"elevate\" is [] in config.json, so nothing ever becomes root, and remotetask-run is root's: nothing \
           can be started.",
    cure: "Take \"elevate\" out of config.json: `sudo vi <file>`",
};
static SUDO_MISSING: Kind = Kind {
    code: "sudo-missing",
    level: Level::Fault,
    says: "There is no program <sudo> that could be started, so nothing becomes root.",
    cure: "Find out where sudo is, and write that into config.json as the first word of \"elevate\": `command -v \
           sudo` `\"elevate\": [\"/usr/bin/sudo\", \"-n\"]`",
};
static SUDO_NOT_SETUID: Kind = Kind {
    code: "sudo-not-setuid",
    level: Level::Fault,
    says: "<sudo> does not become root (owner <user>, mode <mode>), whoever starts it.",
    cure: "Type this as root: `chown root:root <sudo>` `chmod 4755 <sudo>`",
};
static FILE_MISSING: Kind = Kind {
    code: "sudoers-missing",
    level: Level::Fault,
    says: "There is no <file>, so the web server's user may not start anything. An update of DSM can take it away.",
    cure: "Write it anew: `printf '%s\\n' <defaults> <rule> | sudo tee <file>.new >/dev/null` `sudo chmod 0440 \
           <file>.new` `sudo mv <file>.new <file>`",
};
static FILE_NAME: Kind = Kind {
    code: "sudoers-name",
    level: Level::Fault,
    says: "sudo skips <there>: a name in that folder may have no dot in it and no ~ at its end.",
    cure: "Give it its name: `sudo mv <there> <file>`",
};
static FILE_MODE: Kind = Kind {
    code: "sudoers-mode",
    level: Level::Fault,
    says: "sudo does not read <file>, for others than root can change it (owner <user>, mode <mode>).",
    cure: "Take that away: `sudo chown root:root <file>` `sudo chmod 0440 <file>`",
};
static FILE_OPEN: Kind = Kind {
    code: "sudoers-open",
    level: Level::Advice,
    says: "<file> has mode <mode>; sudo reads it, but its own checker demands 0440.",
    cure: "Give it that: `sudo chmod 0440 <file>`",
};
static NOT_INCLUDED: Kind = Kind {
    code: "sudoers-not-included",
    level: Level::Fault,
    says: "/etc/sudoers does not say that the folder /etc/sudoers.d is to be read.",
    cure: "Add the line that does: `echo '#includedir /etc/sudoers.d' | sudo tee -a /etc/sudoers >/dev/null`",
};
static UNKNOWN: Kind = Kind {
    code: "sudo-unknown",
    level: Level::Advice,
    says: "What else sudo lets the web server's user do cannot be looked at: <why>.",
    cure: "See what sudo says at a terminal: `sudo <sudo> -l -U http`",
};
static RULE: Kind = Kind {
    code: "sudoers-rule",
    level: Level::Fault,
    says: "sudo does not let the web server's user start remotetask-run in the way it should: <is>.",
    cure: "Write the rule anew: `printf '%s\\n' <defaults> <rule> | sudo tee <file>.new >/dev/null` `sudo chmod \
           0440 <file>.new` `sudo mv <file>.new <file>`",
};
static OTHER_RULE: Kind = Kind {
    code: "sudoers-other-rule",
    level: Level::Fault,
    says: "sudo lets the web server's user, which every web application runs as, do something else as well: <rules>.",
    cure: "Take the line for http out of <there>. If nobody needs anything in that file, switch it off as a whole; \
           sudo skips names with a dot: `sudo mv <there> <there>.off`",
};
static OTHER_RULE_SOMEWHERE: Kind = Kind {
    code: "sudoers-other-rule-somewhere",
    level: Level::Fault,
    says: "sudo lets the web server's user, which every web application runs as, do something else as well: <rules>.",
    cure: "Find the line, and take it out: `sudo grep -rn -e http -e '^ALL' /etc/sudoers /etc/sudoers.d`",
};
static DEFAULTS: Kind = Kind {
    code: "sudoers-defaults",
    level: Level::Advice,
    says: "The drop-in's line Defaults is missing; should somebody set requiretty for sudo, nothing could be \
           started any more.",
    cure: "Write both lines anew: `printf '%s\\n' <defaults> <rule> | sudo tee <file>.new >/dev/null` `sudo chmod \
           0440 <file>.new` `sudo mv <file>.new <file>`",
};
static OVERRIDDEN: Kind = Kind {
    code: "sudoers-requiretty",
    level: Level::Fault,
    says: "sudo is told to demand a terminal for remotetask-run (requiretty), and a web server has none.",
    cure: "Find that line, and take it out: `sudo grep -rn requiretty /etc/sudoers /etc/sudoers.d`",
};

/// What can be found here.
pub static KINDS: &[&Kind] = &[
    &ELEVATE_NONE,
    &SUDO_MISSING,
    &SUDO_NOT_SETUID,
    &FILE_MISSING,
    &FILE_NAME,
    &FILE_MODE,
    &FILE_OPEN,
    &NOT_INCLUDED,
    &UNKNOWN,
    &RULE,
    &OTHER_RULE,
    &OTHER_RULE_SOMEWHERE,
    &DEFAULTS,
    &OVERRIDDEN,
];

const MAIN: &str = "/etc/sudoers";
const DROP_INS: &str = "/etc/sudoers.d";
const FILE: &str = "/etc/sudoers.d/remotetask";
/// How long sudo may think.
const PATIENCE: Duration = Duration::from_secs(10);
/// What of its answer is read, in bytes.
const ANSWER_MAX: usize = 256 << 10;

/// Looks where sudo is the way to root.
pub fn look(subject: &Subject<'_>) -> Vec<Found> {
    let elevate = subject.believed().map_or_else(|| ELEVATE.to_vec(), |config| config.server.elevate());
    let Some(sudo) = elevate.first().filter(|_| !subject.trial) else {
        let file = subject.path("config.json").display().to_string();
        return if subject.trial { Vec::new() } else { vec![ELEVATE_NONE.found(&[("file", &file)])] };
    };
    if !sudo.ends_with("/sudo") {
        return Vec::new();
    }
    let mut found: Vec<Found> = program(subject, sudo).into_iter().collect();
    let text = Text::of(&subject.path("remotetask-run"));
    found.extend(drop_in(subject, &text));
    // The answer would only repeat what was found, and others' lists are shown to root alone.
    if found.iter().all(|found| found.level != Level::Fault) && geteuid().is_root() && subject.accounts.http().is_some()
    {
        found.extend(ask(sudo, &text));
    }
    found
}

/// The two lines of the drop-in, for this program.
struct Text {
    program: String,
    defaults: String,
    rule: String,
}

impl Text {
    fn of(program: &Path) -> Text {
        let program = program.display().to_string();
        let shipped =
            include_str!("../../../webstation/sudoers").replace("/usr/local/remotetask/remotetask-run", &program);
        let mut lines = shipped.lines().map(str::to_owned);
        let (defaults, rule) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        Text { program, defaults, rule }
    }

    fn names(&self) -> [(&str, &str); 3] {
        [("file", FILE), ("defaults", &self.defaults), ("rule", &self.rule)]
    }
}

fn program(subject: &Subject<'_>, sudo: &str) -> Option<Found> {
    let Some(meta) = fs::metadata(sudo).ok().filter(|meta| meta.is_file() && meta.mode() & 0o111 != 0) else {
        return Some(SUDO_MISSING.found(&[("sudo", sudo)]));
    };
    let (user, mode) = (subject.accounts.user(meta.uid()), format!("{:04o}", meta.mode() & 0o7777));
    let not_setuid = || SUDO_NOT_SETUID.found(&[("sudo", sudo), ("user", &user), ("mode", &mode)]);
    (meta.uid() != 0 || meta.mode() & 0o4000 == 0).then(not_setuid)
}

fn drop_in(subject: &Subject<'_>, text: &Text) -> Option<Found> {
    let Ok(meta) = fs::metadata(FILE) else {
        return Some(match misnamed() {
            Some(there) => FILE_NAME.found(&[("there", &there.display().to_string()), ("file", FILE)]),
            None => FILE_MISSING.found(&text.names()),
        });
    };
    let (user, mode) = (subject.accounts.user(meta.uid()), format!("{:04o}", meta.mode() & 0o7777));
    let names = [("file", FILE), ("user", &*user), ("mode", &*mode)];
    match () {
        () if meta.uid() != 0 || meta.mode() & 0o022 != 0 => Some(FILE_MODE.found(&names)),
        () if !includes(&String::from_utf8_lossy(&fs::read(MAIN).unwrap_or_default())) => Some(NOT_INCLUDED.found(&[])),
        () if meta.mode() & 0o7777 != 0o440 => Some(FILE_OPEN.found(&names)),
        () => None,
    }
}

/// The drop-in under a name that sudo skips.
fn misnamed() -> Option<PathBuf> {
    let mut skipped: Vec<PathBuf> = drop_ins().into_iter().filter(|path| is_skipped(path)).collect();
    skipped.retain(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("/remotetask-run \"\"")));
    skipped.into_iter().next()
}

fn drop_ins() -> Vec<PathBuf> {
    let entries = fs::read_dir(DROP_INS).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn is_skipped(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains('.') || name.ends_with('~')
}

/// Whether this sudoers text has the folder read.
fn includes(main: &str) -> bool {
    main.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        let included = matches!(words.next(), Some("#includedir" | "@includedir"));
        included && words.next().is_some_and(|folder| folder.trim_matches('"').trim_end_matches('/') == DROP_INS)
    })
}

fn ask(sudo: &str, text: &Text) -> Vec<Found> {
    let unknown = |why: &str| vec![UNKNOWN.found(&[("why", why), ("sudo", sudo)])];
    let answer = match run_captured([sudo, "-n", "-l", "-U", HTTP], ANSWER_MAX, Instant::now() + PATIENCE) {
        Ok(answer) => answer,
        Err(RunError::Start(e)) => return unknown(&crate::workbench::plainly(&e)),
        Err(RunError::Late(_)) => return unknown("sudo gave no answer within 10 s"),
    };
    let complaint = first_line(&answer);
    if answer.end.exit != Some(0) {
        return unknown(&format!("sudo says \"{complaint}\""));
    }
    judge(&Listing::of(&String::from_utf8_lossy(&answer.stdout)), text, &complaint)
}

/// The first words of its complaint, without its name.
fn first_line(answer: &Captured) -> String {
    let text = String::from_utf8_lossy(&answer.stderr);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.strip_prefix("sudo: ").unwrap_or(line).to_owned()
}

fn judge(listing: &Listing, text: &Text, complaint: &str) -> Vec<Found> {
    let (ours, others): (Vec<&String>, Vec<&String>) =
        listing.rules.iter().partition(|rule| rule.contains(&text.program) && !rule.contains(", "));
    let mut found = Vec::new();
    let wrong = ours.iter().find(|rule| !is_right(rule, text));
    let is = match (wrong, ours.is_empty()) {
        (Some(rule), _) => Some(format!("its rule is {rule}")),
        (None, true) if complaint.is_empty() => Some("it has no rule for that".to_owned()),
        (None, true) => Some(format!("it has no rule for that, and says \"{complaint}\"")),
        (None, false) => None,
    };
    if let Some(is) = is {
        found.push(RULE.found(&[&text.names()[..], &[("is", &is)]].concat()));
    }
    if !others.is_empty() {
        let rules = others.iter().map(|rule| rule.as_str()).collect::<Vec<_>>().join("; ");
        found.push(match where_it_stands() {
            Some(there) => OTHER_RULE.found(&[("rules", &rules), ("there", &there.display().to_string())]),
            None => OTHER_RULE_SOMEWHERE.found(&[("rules", &rules)]),
        });
    }
    if found.is_empty() {
        found.extend(match listing.terminal(&text.program) {
            Terminal::NotNeeded => None,
            Terminal::NotMentioned => Some(DEFAULTS.found(&text.names())),
            Terminal::Needed => Some(OVERRIDDEN.found(&[])),
        });
    }
    found
}

/// `(root) NOSETENV: NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: /…/remotetask-run ""`, the tags in any order.
/// NOSETENV is sudo's own default, and may be left out.
fn is_right(rule: &str, text: &Text) -> bool {
    let Some(tags) = rule.strip_prefix("(root) ").and_then(|rest| rest.strip_suffix(&format!("{} \"\"", text.program)))
    else {
        return false;
    };
    let mut tags: Vec<&str> = tags.split_ascii_whitespace().filter(|tag| *tag != "NOSETENV:").collect();
    tags.sort_unstable();
    tags == ["NOLOG_INPUT:", "NOLOG_OUTPUT:", "NOPASSWD:"]
}

/// The first drop-in with a line for the web server's user, or for everybody.
fn where_it_stands() -> Option<PathBuf> {
    let for_http = |line: &str| {
        let first = line.split(|c: char| c.is_ascii_whitespace() || c == ',').next().unwrap_or_default();
        [HTTP, "%http", "ALL"].contains(&first)
    };
    let others = drop_ins().into_iter().filter(|path| path != Path::new(FILE) && !is_skipped(path));
    let mut theirs = others.filter(|path| fs::read_to_string(path).is_ok_and(|text| text.lines().any(for_http)));
    theirs.next()
}

/// What `sudo -l -U http` tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Listing {
    /// Settings that hold for the user whatever is started.
    settings: Vec<String>,
    /// `Defaults!…` and the like.
    defaults: Vec<String>,
    rules: Vec<String>,
}

/// Whether the root half can be started without a terminal.
#[derive(Debug, PartialEq, Eq)]
enum Terminal {
    NotNeeded,
    NotMentioned,
    Needed,
}

impl Listing {
    /// Headings stand at the left, entries are indented, and their further lines more so.
    fn of(text: &str) -> Listing {
        let mut listing = Listing::default();
        let mut section: Option<&mut Vec<String>> = None;
        for line in text.lines() {
            let indent = line.len() - line.trim_start().len();
            match (indent, &mut section) {
                (0, _) if line.is_empty() => {}
                (0, _) if line.starts_with("Matching Defaults") => section = Some(&mut listing.settings),
                (0, _) if line.starts_with("Runas and Command") => section = Some(&mut listing.defaults),
                (0, _) if line.starts_with("User ") && line.contains("may run") => section = Some(&mut listing.rules),
                (0, _) => section = None,
                (..=4, Some(entries)) => entries.push(line.trim().to_owned()),
                (_, Some(entries)) => match entries.last_mut() {
                    Some(entry) => *entry = format!("{entry} {}", line.trim()),
                    None => entries.push(line.trim().to_owned()),
                },
                (_, None) => {}
            }
        }
        listing
    }

    /// What is said for the program counts more than what is said for all; the last word counts.
    fn terminal(&self, program: &str) -> Terminal {
        let of = |entries: &[String]| {
            let mut words = entries.iter().flat_map(|entry| entry.split([',', ' ']));
            words.rfind(|word| matches!(*word, "requiretty" | "!requiretty")).map(|word| word == "requiretty")
        };
        let for_it: Vec<String> = self
            .defaults
            .iter()
            .filter(|line| {
                line.starts_with("Defaults!") && (line.contains(program) || line.starts_with("Defaults!ALL"))
            })
            .cloned()
            .collect();
        match (of(&for_it), of(&self.settings)) {
            (Some(false), _) => Terminal::NotNeeded,
            (Some(true), _) | (None, Some(true)) => Terminal::Needed,
            (None, _) => Terminal::NotMentioned,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "/usr/local/remotetask/remotetask-run";
    const OURS: &str =
        "(root) NOSETENV: NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: /usr/local/remotetask/remotetask-run \"\"";

    fn listing(defaults: &str, rules: &str) -> String {
        format!(
            "Matching Defaults entries for http on nas:\n    syslog=authpriv\n\nRunas and Command-specific defaults \
             for http:\n{defaults}\nUser http may run the following commands on nas:\n{rules}"
        )
    }

    #[test]
    fn a_listing_is_read_with_its_wrapped_lines() {
        let text = listing(
            "    Defaults!/usr/local/remotetask/remotetask-run !requiretty,\n        env_reset\n",
            "    (root) NOSETENV: NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT:\n        /usr/local/remotetask/remotetask-run \
             \"\"\n    (ALL) PASSWD: ALL\n",
        );
        let read = Listing::of(&text);
        assert_eq!(read.settings, ["syslog=authpriv"]);
        assert_eq!(read.defaults, ["Defaults!/usr/local/remotetask/remotetask-run !requiretty, env_reset"]);
        assert_eq!(read.rules, [OURS, "(ALL) PASSWD: ALL"]);
        for text in ["", "User http is not allowed to run sudo on nas.\n", "    (root) ALL\n"] {
            assert_eq!(Listing::of(text), Listing::default(), "{text}");
        }
    }

    #[test]
    fn only_the_shipped_rule_is_right() {
        let text = Text::of(Path::new(RUN));
        for (rule, right) in [
            (OURS, true),
            ("(root) NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: /usr/local/remotetask/remotetask-run \"\"", true),
            ("(root) NOLOG_OUTPUT: NOLOG_INPUT: NOSETENV: NOPASSWD: /usr/local/remotetask/remotetask-run \"\"", true),
            ("(root) NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: /usr/local/remotetask/remotetask-run", false),
            ("(root) NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: /usr/local/remotetask/remotetask-run *", false),
            ("(root) NOPASSWD: SETENV: NOLOG_INPUT: NOLOG_OUTPUT: /usr/local/remotetask/remotetask-run \"\"", false),
            ("(root) NOPASSWD: /usr/local/remotetask/remotetask-run \"\"", false),
            ("(root) NOLOG_INPUT: NOLOG_OUTPUT: /usr/local/remotetask/remotetask-run \"\"", false),
            ("(ALL) NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: /usr/local/remotetask/remotetask-run \"\"", false),
            ("(root : root) NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: /usr/local/remotetask/remotetask-run \"\"", false),
            ("(root) NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: /tmp/usr/local/remotetask/remotetask-run \"\"", false),
        ] {
            assert_eq!(is_right(rule, &text), right, "{rule}");
        }
    }

    #[test]
    fn whether_a_terminal_is_needed() {
        let ours = "Defaults!/usr/local/remotetask/remotetask-run !requiretty, env_reset";
        let theirs = "Defaults!/usr/local/remotetask/remotetask-run requiretty";
        for (settings, defaults, expected) in [
            (&["syslog=authpriv"][..], &[ours][..], Terminal::NotNeeded),
            (&["requiretty, log_input"], &[ours], Terminal::NotNeeded),
            (&["requiretty"], &[], Terminal::Needed),
            (&["syslog=authpriv"], &[], Terminal::NotMentioned),
            (&[], &["Defaults!/usr/bin/other !requiretty"], Terminal::NotMentioned),
            (&[], &[ours, theirs], Terminal::Needed),
            (&[], &[theirs, ours], Terminal::NotNeeded),
            (&[], &[ours, "Defaults!ALL requiretty"], Terminal::Needed),
        ] {
            let own = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
            let listing = Listing { settings: own(settings), defaults: own(defaults), rules: Vec::new() };
            assert_eq!(listing.terminal(RUN), expected, "{settings:?} {defaults:?}");
        }
    }

    #[test]
    fn which_main_files_include_the_folder() {
        for (main, expected) in [
            ("root ALL=(ALL) ALL\n#includedir /etc/sudoers.d\n", true),
            ("@includedir /etc/sudoers.d/\n", true),
            ("  #includedir\t\"/etc/sudoers.d\"\n", true),
            ("# includedir /etc/sudoers.d\n", false),
            ("#includedir /etc/sudoers.more\n", false),
            ("", false),
        ] {
            assert_eq!(includes(main), expected, "{main}");
        }
    }
}
