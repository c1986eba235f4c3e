//! The workbench in a real terminal, mostly of 80 columns: tmux.

use std::process::Command;

use crate::support::*;

/// A terminal of a test's own; its end is the test's end.
struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    /// A terminal of 80 columns in which this shell line runs; `$P` is the program.
    fn running(sandbox: &Sandbox, line: &str) -> Terminal {
        Terminal::of_width(80, sandbox, line)
    }

    fn of_width(columns: usize, sandbox: &Sandbox, line: &str) -> Terminal {
        let terminal = Terminal { folder: tempfile::tempdir().expect("a folder") };
        let line = line.replace("$P", &sandbox.path("remotetask").display().to_string());
        // It stays open, so that the last screen can be seen.
        let line = format!("{line}; echo \"[$?]\"; exec sleep 600");
        let columns = columns.to_string();
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", &columns, "-y", "120", "/bin/sh", "-c", &line]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.env_remove("TMUX").env("LC_ALL", "C.UTF-8").arg("-u").arg("-S").arg(self.folder.path().join("socket"));
        let done = command.args(arguments).output().expect("tmux");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// The screen, once this stands on it.
    #[track_caller]
    fn showing(&self, wanted: &str) -> String {
        until(wanted, || {
            let screen = self.tmux(&["capture-pane", "-p"]);
            screen.contains(wanted).then_some(screen)
        })
    }

    /// The same with its colours.
    fn coloured(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"])
    }

    fn types(&self, keys: &str) {
        self.tmux(&["send-keys", keys, "Enter"]);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux").arg("-S").arg(self.folder.path().join("socket")).arg("kill-server").output();
    }
}

fn weak() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.raw_config(
        "{\"magickey\": \"76sdf7678fds687\", \"elevate\": [], \"tasks\": {\"t\": {\"identifier\": \"hjhass665s\", \"command\": [\"/bin/true\"]}}}",
    );
    sandbox
}

#[test]
fn a_code_is_read_off_the_screen() {
    let sandbox = Sandbox::with_command("true");
    let base = "http://192.168.1.20:10765";
    crate::workbench::remotetask(&sandbox, &["url", "--at", base]).ok();
    let expected = format!("{base}/{MAGIC}/{TASK}?ask");
    let terminal = Terminal::running(&sandbox, "$P url");
    let screen = terminal.showing("[0]");
    assert_eq!(decoded(&screen, true), expected);
    // Black on white, whatever the terminal's own colours are.
    assert!(terminal.coloured().contains("\x1b[30m\x1b[107m"), "{}", terminal.coloured());
    // A line that is wider than the terminal would have become two.
    assert!(screen.contains("\nWhoever has such a link can start what stands there: give it to its person\nalone. "));

    // Without the colours it could be read on a dark terminal alone: they are no ornament.
    let terminal = Terminal::running(&sandbox, "NO_COLOR=1 $P url");
    assert_eq!(decoded(&terminal.showing("[0]"), true), expected);
    let coloured = terminal.coloured();
    assert!(coloured.contains("\x1b[30m\x1b[107m") && !coloured.contains("\x1b[1m"), "{coloured}");
    // A terminal that knows no colours gets one for each background.
    let terminal = Terminal::running(&sandbox, "TERM=dumb $P url");
    terminal.showing("[0]");
    let shown = terminal.coloured();
    assert!(!shown.contains('\x1b'), "{shown}");
    for light in [true, false] {
        assert!(seen_on(&shown, light).contains(&expected), "{light}: {shown}");
    }
    let terminal = Terminal::running(&sandbox, "$P url | cat");
    assert!(!terminal.showing("[0]").contains('█'));
    // No phone finds this machine by the name that it has for itself.
    let terminal = Terminal::running(&sandbox, "$P url --at http://127.0.0.1:10765");
    let screen = terminal.showing("[0]");
    assert!(!screen.contains('█') && screen.contains("No phone finds http://127.0.0.1:10765"), "{screen}");
}

#[test]
fn seal_asks_about_a_weak_key() {
    let sandbox = weak();
    let terminal = Terminal::running(&sandbox, "$P seal");
    terminal.showing("The key of #1 is weak: it stands in a published example, where everybody can\nread it.");
    terminal.showing("Take a new one in its place (its URLs change), or seal it as it is (n)? [y/n]");
    terminal.types("y");
    terminal.showing("The key of task t is weak");
    terminal.types("n");
    let screen = terminal.showing("[0]");
    assert!(screen.contains("Replaced: 1. Their old URLs are refused from the next request on.\n"), "{screen}");
    let config = sandbox.read("config.json");
    sandbox.get("/76sdf7678fds687/hjhass665s").send().is_refusal();
    assert_eq!(config.matches("sha256:").count(), 2);
    assert!(sandbox.read("keys.json").contains("hjhass665s"));
}

/// A question keeps nobody from changing something, and what they change stays.
#[test]
fn a_change_while_a_question_stands_open() {
    let sandbox = weak();
    let terminal = Terminal::running(&sandbox, "$P seal");
    terminal.showing("[y/n]");
    crate::workbench::remotetask(&sandbox, &["key", "new", "--label", "x"]).ok();
    sandbox.raw_config(&sandbox.read("config.json").replace("/bin/true", "/bin/false"));
    terminal.types("n");
    terminal.showing("The key of task t is weak");
    terminal.types("maybe");
    terminal.types("n");
    terminal.showing("[0]");
    let config = sandbox.read("config.json");
    assert!(
        config.contains("/bin/false") && config.contains("\"x\"") && config.matches("sha256:").count() == 4,
        "{config}"
    );
}

#[test]
fn a_key_that_changes_while_a_question_stands_open() {
    let sandbox = weak();
    let terminal = Terminal::running(&sandbox, "$P seal");
    terminal.showing("[y/n]");
    let edited = sandbox.read("config.json").replace("hjhass665s", "hjhass665t");
    sandbox.raw_config(&edited);
    terminal.types("n");
    terminal.showing("The key of task t is weak");
    terminal.types("n");
    let screen = terminal.showing("[1]").replace('\n', " ");
    assert!(screen.contains("the keys in config.json were changed meanwhile; nothing was sealed"), "{screen}");
    assert_eq!(sandbox.read("config.json"), edited);
}

#[test]
fn no_answer_changes_nothing() {
    let sandbox = weak();
    let before = sandbox.read("config.json");
    let terminal = Terminal::running(&sandbox, "$P seal");
    terminal.showing("[y/n]");
    terminal.tmux(&["send-keys", "C-d"]);
    assert!(terminal.showing("[1]").contains("\nremotetask: no answer came; nothing was changed.\n"));
    assert_eq!(sandbox.read("config.json"), before);
}

#[test]
fn ctrl_c_at_a_question_changes_nothing() {
    let sandbox = weak();
    let before = sandbox.read("config.json");
    let terminal = Terminal::running(&sandbox, "trap '' INT; (trap - INT; exec $P seal)");
    terminal.showing("[y/n]");
    terminal.tmux(&["send-keys", "C-c"]);
    terminal.showing("[130]");
    assert_eq!(sandbox.read("config.json"), before);
    assert!(!sandbox.path("keys.json").exists());
}

#[test]
fn try_asks_for_the_path() {
    let sandbox = Sandbox::with_command("true");
    let terminal = Terminal::running(&sandbox, "$P try");
    terminal.showing("Paste the URL, or its end, /…/…:");
    terminal.types(&format!("https://nas.example.org/{MAGIC}/{TASK}"));
    let screen = terminal.showing("[0]");
    assert!(screen.contains("start  7 it exists: the command /bin/sh\n"), "{screen}");
    assert!(terminal.coloured().contains("\x1b[32mholds"), "{}", terminal.coloured());
}

#[test]
fn where_things_stand_fits_on_the_screen() {
    let sandbox = Sandbox::with_task(
        "true",
        ", \"name\": \"A name that is rather long, so that a line with it has to be wrapped\"",
    );
    for command in ["", "status", "tasks", "key list", "--help", "key new --help", "log --help", "set --help"] {
        let terminal = Terminal::running(&sandbox, &format!("$P {command}"));
        let screen = terminal.showing("[0]");
        let piped = crate::workbench::remotetask(&sandbox, &command.split_whitespace().collect::<Vec<_>>());
        // As it was written, line for line: nothing was broken by the terminal.
        assert_eq!(screen.split("[0]").next(), Some(piped.ok()), "{command}");
    }
}

/// On a terminal the words of an event stand beside its time; in a pipe it is one line.
#[test]
fn a_timeline_beside_its_times() {
    let sandbox = Sandbox::with_command("true");
    sandbox.get("/a/b").send();
    let terminal = Terminal::of_width(60, &sandbox, "$P log");
    let screen = terminal.showing("[0]");
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with("20") && lines[0].ends_with("A caller without a valid magic key, from"), "{screen}");
    assert!(lines[1].starts_with(&" ".repeat(20)) && lines[1].contains("192.168.1.7, was refused"), "{screen}");
    let said = crate::workbench::remotetask(&sandbox, &["log"]);
    assert_eq!(said.ok().lines().count(), 1);
}

/// Words are not broken in the middle, and nothing is wider than it can be read well.
#[test]
fn a_narrower_terminal_gets_narrower_lines() {
    let sandbox = Sandbox::with_command("true");
    for (columns, widest) in [(50, 50), (30, 40), (120, 80)] {
        let line = "$P tasks; $P tasks add hello -- /bin/no/such/program with words; $P tasks add x -- 'a b c'";
        let terminal = Terminal::of_width(columns, &sandbox, line);
        terminal.showing("[1]");
        // As they were written, whatever the terminal made of them.
        let written = terminal.tmux(&["capture-pane", "-p", "-J"]);
        let found = written.lines().map(|line| line.trim_end().chars().count()).max();
        assert!(found.is_some_and(|found| (widest - 8..=widest).contains(&found)), "{columns}: {found:?}\n{written}");
    }
    // A code that would not fit is not drawn.
    crate::workbench::remotetask(&sandbox, &["url", "--at", "http://192.168.1.20:10765"]).ok();
    let terminal = Terminal::of_width(36, &sandbox, "$P url");
    let screen = terminal.showing("[0]");
    assert!(!screen.contains('█') && screen.contains("  This URL is too long for a code of"), "{screen}");
}

/// The next line to type stands where it can be typed.
#[test]
fn tasks_says_how_a_task_gets_a_url() {
    let sandbox = Sandbox::new();
    let program = sandbox.script("syno", "printf '%17s [%s]\\n' ID: 7 Name: Seven State: enabled Command: x");
    let server = format!("\"synoschedtask\": \"{}\",", program.display());
    sandbox.config(&server, "");
    let screen = Terminal::running(&sandbox, "$P tasks").showing("[0]");
    assert!(
        screen.contains("     7  Seven\n") && screen.contains("        no URL; remotetask tasks add 7 makes one\n"),
        "{screen}"
    );
}
