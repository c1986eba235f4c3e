//! The answer of `sudo -l -U http`, and the one rule that is right in it.

/// The answer of `sudo -l -U http`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Settings that hold for the user whatever is started.
    settings: Vec<String>,
    /// `Defaults!…` and the like.
    defaults: Vec<String>,
    /// The rules, a line each.
    pub rules: Vec<String>,
}

/// The terminal that sudo demands for the root half.
#[derive(Debug, PartialEq, Eq)]
pub enum Terminal {
    NotNeeded,
    NotMentioned,
    Needed,
}

impl Listing {
    /// Headings stand at the left, entries are indented, and their further lines more so.
    pub fn of(text: &str) -> Listing {
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

    /// The terminal that is demanded for the program.
    pub fn terminal(&self, program: &str) -> Terminal {
        match self.flag("requiretty", program) {
            (Some(false), _) => Terminal::NotNeeded,
            (Some(true), _) | (None, Some(true)) => Terminal::Needed,
            (None, _) => Terminal::NotMentioned,
        }
    }

    /// Returns true if sudo judges each program that the program starts (sudo 1.9.8 and newer).
    pub fn intercepts(&self, program: &str) -> bool {
        let (for_it, for_all) = self.flag("intercept", program);
        for_it.or(for_all) == Some(true)
    }

    /// A flag for the program, which counts more, and for all; of several the last one counts.
    fn flag(&self, name: &str, program: &str) -> (Option<bool>, Option<bool>) {
        let of = |entries: &[String]| {
            let mut words = entries.iter().flat_map(|entry| entry.split([',', ' ']));
            words.rfind(|word| word.trim_start_matches('!') == name).map(|word| word == name)
        };
        let for_it: Vec<String> = self
            .defaults
            .iter()
            .filter(|line| {
                line.starts_with("Defaults!") && (line.contains(program) || line.starts_with("Defaults!ALL"))
            })
            .cloned()
            .collect();
        (of(&for_it), of(&self.settings))
    }
}

/// `(root) NOSETENV: NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: /…/remotetask-run ""`, the tags in any order.
/// NOSETENV is sudo's own default, and may be left out.
pub fn is_right(rule: &str, program: &str) -> bool {
    let Some(tags) = rule.strip_prefix("(root) ").and_then(|rest| rest.strip_suffix(&format!("{program} \"\""))) else {
        return false;
    };
    let mut tags: Vec<&str> = tags.split_ascii_whitespace().filter(|tag| *tag != "NOSETENV:").collect();
    tags.sort_unstable();
    tags == ["NOLOG_INPUT:", "NOLOG_OUTPUT:", "NOPASSWD:"]
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
            assert_eq!(is_right(rule, RUN), right, "{rule}");
        }
    }

    #[test]
    fn programs_of_the_program_that_sudo_judges() {
        let own = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect();
        for (settings, defaults, expected) in [
            (&["syslog=authpriv"][..], &[][..], false),
            (&["syslog=authpriv, intercept"], &[], true),
            (&["intercept, !intercept"], &[], false),
            (&["intercept_allow_setid"], &[], false),
            (&["intercept"], &["Defaults!/usr/local/remotetask/remotetask-run !intercept"], false),
            (&[], &["Defaults!/usr/local/remotetask/remotetask-run intercept"], true),
            (&[], &["Defaults!/usr/bin/other intercept"], false),
        ] {
            let listing = Listing { settings: own(settings), defaults: own(defaults), rules: Vec::new() };
            assert_eq!(listing.intercepts(RUN), expected, "{settings:?} {defaults:?}");
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
}
