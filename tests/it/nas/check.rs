//! `check` on the pretend NAS: what needs root, sudo, the web server's user or a volume of its own.

use std::os::unix::fs::lchown;

use serde_json::Value;

use super::*;
use crate::check::{findings, Row};
use crate::workbench::{said, Said};

const DROP_IN: &str = "/etc/sudoers.d/remotetask";

fn look() -> Said {
    said(Command::new(at("remotetask")).args(["check", "--json"]), "")
}

/// Files of the machine that a row changes, as they were.
struct Kept(Vec<(&'static str, Vec<u8>)>);

impl Kept {
    fn new() -> Kept {
        let files = ["/etc/passwd", "/etc/shadow", "/etc/sudoers", "/etc/pam.d/sudo"];
        Kept(files.into_iter().map(|path| (path, fs::read(path).expect("a file"))).collect())
    }

    fn restore(&self) {
        for (path, content) in &self.0 {
            fs::write(path, content).expect("written");
        }
        mode("/usr/bin/sudo", 0o4755);
        mode("/usr/local", 0o755);
        let _ = fs::remove_file(format!("{LINK}.away"));
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.restore();
    }
}

/// An installation in which nothing is to be found.
fn healthy() -> Nas {
    let nas = Nas::new();
    let seven = "\"7\": {\"identifier\": \"another-key-of-seven\"}";
    nas.sealed_config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}, {seven}"));
    let config = read("config.json").replace("another-key-of-seven", &sealed("another-key-of-seven"));
    nas.raw_config(&config);
    nas.scheduled(7, "enabled", "true");
    for folder in ["/volume1/scripts", "/usr/local/own"] {
        let _ = fs::remove_dir_all(folder);
    }
    nas
}

fn read(name: &str) -> String {
    fs::read_to_string(at(name)).expect("a file")
}

fn with_elevate(nas: &Nas, argv: &str) {
    nas.raw_config(&read("config.json").replace("{\"server\": {", &format!("{{\"server\": {{\"elevate\": {argv}, ")));
}

fn with_command(nas: &Nas, program: &str) {
    nas.raw_config(&read("config.json").replace("/bin/true", program));
}

/// A volume of its own for state/.
fn volume(options: &str) {
    fs::create_dir(at("state")).expect("a folder");
    mode(&at("state"), 0o700);
    let options = format!("mode=0700,{options}");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs", &at("state")]).status();
    assert!(mounted.expect("mount").success());
}

/// The account of the web server's user is over since 1970.
fn expire() {
    let text = fs::read_to_string("/etc/shadow").expect("shadow");
    fs::write("/etc/shadow", text.replace("http:*:19000:0:99999:7:::", "http:*:19000:0:99999:7::1:")).expect("shadow");
}

const MAKE_VALID: &str = "Make the account valid. If it has a line there, this takes the day of its expiry, the eighth field, out of it; if it has none, add the line http:*::::::: there: `sudo sed -i 's/^\\(http\\(:[^:]*\\)\\{6\\}:\\)[^:]*/\\1/' /etc/shadow`";

const ROWS: &[Row<Nas>] = &[
    Row {
        code: "file-owner",
        plant: |_| {
            fs::create_dir(at("state")).expect("a folder");
            mode(&at("state"), 0o700);
            chown(at("state"), Some(HTTP), None).expect("chown");
        },
        says: "/usr/local/remotetask/state belongs to the user http, who can change it; it must belong to root.",
        cure: "Look whether it is as it was, and give it back: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "program-changeable",
        plant: |_| chown(at("remotetask-keep"), Some(HTTP), None).expect("chown"),
        says: "Others than root can change the program /usr/local/remotetask/remotetask-keep (it belongs to http, mode 0700).",
        cure: "Whoever could may have put another program in its place, and closing it makes that one valid. So install the programs again, as you did the first time: that puts it in place anew. If you are sure that nobody has, this puts a copy of it in its place that nobody else has open: `sudo cp -p /usr/local/remotetask/remotetask-keep /usr/local/remotetask/remotetask-keep.itself` `sudo chown root /usr/local/remotetask/remotetask-keep.itself` `sudo chmod go-w /usr/local/remotetask/remotetask-keep.itself` `sudo mv /usr/local/remotetask/remotetask-keep.itself /usr/local/remotetask/remotetask-keep`",
        along: &[],
        cured: true,
    },
    Row {
        code: "folder-changeable",
        plant: |_| chown(FOLDER, Some(HTTP), None).expect("chown"),
        says: "Others than root can change what lies in /usr/local/remotetask (it belongs to http, mode 0755), the programs and config.json among it.",
        cure: "Whoever could may have put other programs and another configuration there, and closing the folder makes them valid. So install the programs again, look at every key, task, command and program path in config.json, take out what is not yours, and take new keys (remotetask key rotate, for each). The folder is closed by: `sudo chown root /usr/local/remotetask` `sudo chmod go-w /usr/local/remotetask`",
        along: &["not-looked"],
        cured: true,
    },
    Row {
        code: "folder-changeable",
        plant: |_| mode("/usr/local", 0o777),
        says: "Others than root can change what lies in /usr/local (it belongs to root, mode 0777), the programs and config.json among it.",
        cure: "Whoever could may have put *: `sudo chown root /usr/local` `sudo chmod go-w /usr/local`",
        along: &["not-looked"],
        cured: true,
    },
    Row {
        code: "config-changeable",
        plant: |_| chown(at("config.json"), Some(HTTP), None).expect("chown"),
        says: "Others than root can change /usr/local/remotetask/config.json (it belongs to http, mode 0640), so nothing is started.",
        cure: "Another user may have put *: `sudo mv /usr/local/remotetask/config.json.itself /usr/local/remotetask/config.json` `sudo remotetask repair`",
        along: &["not-looked"],
        cured: true,
    },
    Row {
        code: "http-missing",
        plant: |_| {
            let text = fs::read_to_string("/etc/passwd").expect("passwd");
            fs::write("/etc/passwd", text.replace("http:x:1023", "web:x:1023")).expect("written");
        },
        says: "This machine has no user called http, and the web server is to run as that.",
        cure: "Install Web Station and the Apache HTTP Server 2.4 in DSM's Package Center.",
        along: &["web-broken"],
        cured: false,
    },
    Row {
        code: "folder-closed",
        plant: |_| mode(FOLDER, 0o700),
        says: "The web server's user http cannot get into /usr/local/remotetask (mode 0700).",
        cure: "Let it pass: `sudo chmod a+x /usr/local/remotetask`",
        along: &[],
        cured: true,
    },
    Row {
        code: "config-closed",
        plant: |_| chown(at("config.json"), None, Some(0)).expect("chgrp"),
        says: "The web server's user http cannot read /usr/local/remotetask/config.json (group root, mode 0640), so every URL is refused.",
        cure: "Let it, and nobody else: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "config-open-plain",
        plant: |nas| {
            nas.config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}"));
            mode(&at("config.json"), 0o644);
        },
        says: "Every user of this machine can read /usr/local/remotetask/config.json (mode 0644), and keys stand in it in plain text: whoever reads them can start something.",
        cure: "Take that away, make digests of the keys, and then take new ones, because somebody may have read these (remotetask key rotate, for each): `sudo remotetask repair` `sudo remotetask seal`",
        along: &["keys-plain"],
        cured: true,
    },
    Row {
        code: "start-page-changeable",
        plant: |_| {
            fs::write(at("start.html"), "Welcome").expect("written");
            chown(at("start.html"), Some(HTTP), None).expect("chown");
        },
        says: "Others than root can change /usr/local/remotetask/start.html (it belongs to http, mode 0644), so callers see *",
        cure: "Look whether *: `sudo cp /usr/local/remotetask/start.html /usr/local/remotetask/start.html.itself` `sudo chmod 0644 /usr/local/remotetask/start.html.itself` `sudo mv /usr/local/remotetask/start.html.itself /usr/local/remotetask/start.html`",
        along: &[],
        cured: true,
    },
    Row {
        code: "link-missing",
        plant: |_| fs::remove_file(LINK).expect("removed"),
        says: "/usr/local/bin/remotetask is no link to /usr/local/remotetask/remotetask, so a shell does not know the name remotetask.",
        cure: "Put it back: `sudo /usr/local/remotetask/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "link-other",
        plant: |_| {
            fs::remove_file(LINK).expect("removed");
            fs::write(LINK, "#!/bin/sh\n").expect("written");
        },
        says: "/usr/local/bin/remotetask is there and leads elsewhere, so a shell starts something else by the name remotetask.",
        cure: "See what it is and move it away, then put the link there: `sudo mv /usr/local/bin/remotetask /usr/local/bin/remotetask.away` `sudo /usr/local/remotetask/remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "boot-script-missing",
        plant: |_| fs::remove_file(BOOT).expect("removed"),
        says: "/usr/local/etc/rc.d/remotetask.sh is not there as it was installed, so nothing puts back at boot what an update of DSM has taken.",
        cure: "Put it back: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "boot-script-missing",
        plant: |_| mode(BOOT, 0o775),
        says: "/usr/local/etc/rc.d/remotetask.sh is not there as it was installed, *",
        cure: "Put it back: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "text-changeable",
        plant: |_| mode(&at("webstation/sudoers"), 0o666),
        says: "Others than root can change /usr/local/remotetask/webstation/sudoers (it belongs to root, mode 0666).",
        cure: "Put it in place anew: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "note-changeable",
        plant: |_| chown(at("webstation/way"), Some(HTTP), None).expect("chown"),
        says: "Others than root can change /usr/local/remotetask/webstation/way (it belongs to http, mode 0644), in which the installation notes what it has set up.",
        cure: "Whoever could may have written another note. Take it away, and choose the entry point anew by installing again with --port, --vhost or --php: `sudo rm /usr/local/remotetask/webstation/way`",
        along: &[],
        cured: true,
    },
    Row {
        code: "log-missing",
        plant: |_| fs::remove_file(at("log.txt")).expect("removed"),
        says: "There is no /usr/local/remotetask/log.txt, and the web server's user cannot make one there: nothing is logged.",
        cure: "Make it: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "log-unwritable",
        plant: |_| chown(at("log.txt"), Some(0), None).expect("chown"),
        says: "The user http cannot write /usr/local/remotetask/log.txt (it belongs to root, mode 0640): nothing is logged.",
        cure: "Give it to that user: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "elevate-none",
        plant: |nas| with_elevate(nas, "[]"),
        says: "\"elevate\" is [] in config.json, so nothing ever becomes root, and remotetask-run is root's: nothing can be started.",
        cure: "Take \"elevate\" out of config.json: `sudo vi /usr/local/remotetask/config.json`",
        along: &[],
        cured: false,
    },
    Row {
        code: "sudo-missing",
        plant: |nas| with_elevate(nas, "[\"/opt/bin/sudo\", \"-n\"]"),
        says: "There is no program /opt/bin/sudo that could be started, so nothing becomes root.",
        cure: "Find out where sudo is, and write that into config.json as the first word of \"elevate\": `command -v sudo` `\"elevate\": [\"/usr/bin/sudo\", \"-n\"]`",
        along: &[],
        cured: false,
    },
    Row {
        code: "sudo-not-setuid",
        plant: |_| mode("/usr/bin/sudo", 0o755),
        says: "/usr/bin/sudo does not become root (owner root, mode 0755), whoever starts it.",
        cure: "Type this as root: `chown root:root /usr/bin/sudo` `chmod 4755 /usr/bin/sudo`",
        along: &[],
        cured: true,
    },
    // A possible effect of an update of DSM.
    Row {
        code: "sudoers-missing",
        plant: |_| fs::remove_file(DROP_IN).expect("removed"),
        says: "There is no /etc/sudoers.d/remotetask, so the web server's user may not start anything. An update of DSM can take it away.",
        cure: "Put it back: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "sudoers-name",
        plant: |_| fs::rename(DROP_IN, format!("{DROP_IN}.conf")).expect("moved"),
        says: "sudo skips /etc/sudoers.d/remotetask.conf: a name in that folder may have no dot in it and no ~ at its end.",
        cure: "Give it its name: `sudo mv /etc/sudoers.d/remotetask.conf /etc/sudoers.d/remotetask`",
        along: &[],
        cured: true,
    },
    Row {
        code: "sudoers-mode",
        plant: |_| mode(DROP_IN, 0o666),
        says: "sudo does not read /etc/sudoers.d/remotetask, because others than root can change it (owner root, mode 0666).",
        cure: "Put it in place anew: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "sudoers-open",
        plant: |_| mode(DROP_IN, 0o644),
        says: "/etc/sudoers.d/remotetask has mode 0644; sudo reads it, but its own checker demands 0440.",
        cure: "Give it that mode: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "sudoers-text",
        plant: |_| sudoers("remotetask", &format!("# mine\n{}", include_str!("../../../webstation/sudoers"))),
        says: "/etc/sudoers.d/remotetask does not have the text that is installed, although it has the same effect.",
        cure: "Put it in place anew: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "sudoers-not-included",
        plant: |_| {
            let text = fs::read_to_string("/etc/sudoers").expect("sudoers");
            fs::write("/etc/sudoers", text.replace("#includedir", "# includedir")).expect("written");
        },
        says: "/etc/sudoers does not say that the folder /etc/sudoers.d is to be read.",
        cure: "Add the line that does, then put the rule in place: `echo '#includedir /etc/sudoers.d' | sudo tee -a /etc/sudoers >/dev/null` `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    // It would allow any argument.
    Row {
        code: "sudoers-rule",
        plant: |_| sudoers("remotetask", &include_str!("../../../webstation/sudoers").replace(" \"\"", "")),
        says: "sudo does not let the web server's user start remotetask-run in the way it should: its rule is (root) NOSETENV: NOPASSWD: NOLOG_INPUT: NOLOG_OUTPUT: /usr/local/remotetask/remotetask-run.",
        cure: "Put the rule in place anew: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "sudoers-rule",
        plant: |_| sudoers("remotetask", "http ALL = nonsense (\n"),
        says: "sudo does not let the web server's user start remotetask-run in the way it should: it has no rule for that, and says \"/etc/sudoers.d/remotetask:1:*\".",
        cure: "Put the rule in place anew: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    // It comes later, and so it overrides ours.
    Row {
        code: "sudoers-other-rule",
        plant: |_| sudoers("zz", "http ALL=(root) PASSWD: ALL\n"),
        says: "sudo lets the web server's user, which every web application runs as, do something else as well: (root) PASSWD: ALL.",
        cure: "Take the line for http out of /etc/sudoers.d/zz. If nobody needs anything in that file, switch it off as a whole; sudo skips names with a dot: `sudo mv /etc/sudoers.d/zz /etc/sudoers.d/zz.off`",
        along: &[],
        cured: true,
    },
    Row {
        code: "sudoers-other-rule-somewhere",
        plant: |_| {
            let text = fs::read_to_string("/etc/sudoers").expect("sudoers");
            fs::write("/etc/sudoers", text + "http ALL=(ALL) NOPASSWD: /bin/ls, /bin/cat\n").expect("written");
        },
        says: "sudo lets the web server's user, which every web application runs as, do something else as well: (ALL) NOPASSWD: /bin/ls, /bin/cat.",
        cure: "Find the line, and take it out: `sudo grep -rn -e http -e '^ALL' /etc/sudoers /etc/sudoers.d`",
        along: &[],
        cured: false,
    },
    Row {
        code: "sudoers-defaults",
        plant: |_| {
            let text = include_str!("../../../webstation/sudoers");
            sudoers("remotetask", text.split_inclusive('\n').next_back().expect("a line"));
        },
        says: "The drop-in's line Defaults is missing; should somebody set requiretty for sudo, nothing could be started any more.",
        cure: "Put both lines in place anew: `sudo remotetask repair`",
        along: &[],
        cured: true,
    },
    Row {
        code: "sudoers-requiretty",
        plant: |_| sudoers("zz", "Defaults!/usr/local/remotetask/remotetask-run requiretty\n"),
        says: "sudo is told to demand a terminal for remotetask-run (requiretty), and a web server has none.",
        cure: "Find that line, and take it out: `sudo grep -rn requiretty /etc/sudoers /etc/sudoers.d`",
        along: &[],
        cured: false,
    },
    Row {
        code: "sudoers-intercept",
        plant: |_| sudoers("zz", "Defaults intercept\n"),
        says: "sudo is told to judge each program that remotetask-run starts (intercept), and no rule lets it start one: nothing can be started.",
        cure: "Find that line, and take the word out: `sudo grep -rnw intercept /etc/sudoers /etc/sudoers.d`",
        along: &[],
        cured: false,
    },
    // A program on a volume that nothing may be started from, as late versions of DSM mount /tmp.
    Row {
        code: "command-noexec",
        plant: |nas| {
            volume("noexec");
            script(Path::new(&at("state/own")), "true");
            with_command(nas, &at("state/own"));
        },
        says: "Task t: /usr/local/remotetask/state/own lies on a file system that is mounted with noexec (/usr/local/remotetask/state), so nothing there can be started.",
        cure: "Put it where programs may lie, such as /usr/local/bin, and name it there at the task's \"command\" in config.json; or start a script by its interpreter there, such as [\"/bin/sh\", \"/the/script\"]: `sudo cp /usr/local/remotetask/state/own /usr/local/bin/` `sudo vi /usr/local/remotetask/config.json`",
        along: &[],
        cured: false,
    },
    // A sudo that lists nothing, and lets everything through that it should.
    Row {
        code: "sudo-unknown",
        plant: |nas| {
            script(
                Path::new("/run/effects/sudo"),
                "case \"$*\" in *-l*) echo 'sudo: not today' >&2; exit 1 ;; esac\nexec /usr/bin/sudo \"$@\"",
            );
            mode("/run/effects/sudo", 0o4755);
            with_elevate(nas, "[\"/run/effects/sudo\", \"-n\"]");
        },
        says: "The rest of what sudo lets the web server's user do cannot be read: sudo says \"not today\".",
        cure: "See what sudo says at a terminal: `sudo /run/effects/sudo -l -U http`",
        along: &[],
        cured: false,
    },
    // An older sudo refuses everything for a fault in any of its files.
    Row {
        code: "sudo-root-refused",
        plant: |_| {
            let text = fs::read_to_string("/etc/sudoers").expect("sudoers");
            fs::write("/etc/sudoers", text.replace("root ALL=(ALL) ALL\n", "")).expect("written");
        },
        says: "root's own sudo does not work: root is not in the sudoers file.",
        cure: "See what sudo says about its files, and correct that: `sudo -n true`",
        along: &[],
        cured: false,
    },
    Row {
        code: "http-expired",
        plant: |_| expire(),
        says: "sudo refuses the user http, whose account has expired or is missing from /etc/shadow: /usr/bin/sudo refuses: \"sudo: account validation failure*\".",
        cure: MAKE_VALID,
        along: &[],
        cured: true,
    },
    // PAM's own word for it, which Debian's configuration hides.
    Row {
        code: "http-expired",
        plant: |_| {
            expire();
            fs::write("/etc/pam.d/sudo", "auth sufficient pam_rootok.so\naccount required pam_unix.so\n").expect("PAM");
        },
        says: "sudo refuses the user http, *: /usr/bin/sudo refuses: \"sudo: Account expired *\".",
        cure: MAKE_VALID,
        along: &[],
        cured: true,
    },
    Row {
        code: "http-expired",
        plant: |_| {
            let text = fs::read_to_string("/etc/shadow").expect("shadow");
            fs::write("/etc/shadow", text.replace("http:*:19000:0:99999:7:::\n", "")).expect("shadow");
        },
        says: "sudo refuses the user http, *: /usr/bin/sudo refuses: \"sudo: account validation failure*\".",
        cure: MAKE_VALID,
        along: &[],
        cured: false,
    },
    // A sudo that lists what it should, and lets nobody through.
    Row {
        code: "way-blocked",
        plant: |nas| {
            script(
                Path::new("/run/effects/sudo"),
                "case \"$*\" in *-l* | *true) exec /usr/bin/sudo \"$@\" ;; esac\necho 'sudo: not today' >&2; exit 1",
            );
            mode("/run/effects/sudo", 0o4755);
            with_elevate(nas, "[\"/run/effects/sudo\", \"-n\"]");
        },
        says: "The web server's user does not get through to remotetask-run: /run/effects/sudo refuses: \"sudo: not today\".",
        cure: "Mend what that says, and try the way yourself until the answer is {\"v\":1,\"refused\":true}: `echo | sudo -u http /run/effects/sudo -n /usr/local/remotetask/remotetask-run`",
        along: &[],
        cured: false,
    },
    Row {
        code: "task-unknown",
        plant: |_| fs::remove_file(format!("{STORE}/7.task")).expect("removed"),
        says: "The Task Scheduler knows no task 7, so nobody can start it.",
        cure: "See which tasks it knows. Make this one in DSM's Task Scheduler, or take its URLs back: `sudo remotetask tasks` `sudo remotetask tasks remove 7`",
        along: &[],
        cured: true,
    },
    Row {
        code: "command-shared",
        plant: |nas| {
            fs::create_dir(Path::new("/volume1/scripts")).expect("a folder");
            script(Path::new("/volume1/scripts/backup.sh"), "true");
            mode("/volume1/scripts/backup.sh", 0o777);
            with_command(nas, "/volume1/scripts/backup.sh");
        },
        says: "Others than root can perhaps change /volume1/scripts/backup.sh (mode 0777), and with it what task t does as root. On a share of DSM's the mode shows 777 whatever its permissions say.",
        cure: "Leave it if only people whom you trust may write in that share. Else put the script where root alone can write, such as /usr/local/bin, and name it there in config.json: `sudo cp /volume1/scripts/backup.sh /usr/local/bin/` `sudo vi /usr/local/remotetask/config.json`",
        along: &[],
        cured: false,
    },
    // No command of root's goes by a name that others can make mean another file.
    Row {
        code: "script-windows-lines",
        plant: |nas| {
            fs::create_dir(Path::new("/volume1/scripts")).expect("a folder");
            fs::write("/volume1/scripts/backup.sh", "#!/bin/sh\r\n").expect("a script");
            mode("/volume1/scripts/backup.sh", 0o755);
            mode("/volume1/scripts", 0o777);
            with_command(nas, "/volume1/scripts/backup.sh");
        },
        says: "Task t: the lines of /volume1/scripts/backup.sh end as on Windows, *",
        cure: "Others can make the name /volume1/scripts/backup.sh mean another file, so no command of root's goes by it. *, and check again.",
        along: &["command-shared"],
        cured: false,
    },
    // The folder that leads to it counts as much.
    Row {
        code: "command-owner",
        plant: |nas| {
            fs::create_dir(Path::new("/usr/local/own")).expect("a folder");
            script(Path::new("/usr/local/own/backup.sh"), "true");
            lchown("/usr/local/own", Some(HTTP), None).expect("chown");
            with_command(nas, "/usr/local/own/backup.sh");
        },
        says: "/usr/local/own belongs to the user http, who can change what task t does as root.",
        cure: "Give it to root, unless that user may do everything anyway: `sudo chown root /usr/local/own`",
        along: &[],
        cured: true,
    },
    Row {
        code: "volume-full",
        plant: |_| volume("size=8m"),
        says: "There are only 8 MiB left for /usr/local/remotetask/state, and what cannot be recorded is not started.",
        cure: "Make room on that volume. This shows what takes the most, in KiB: `sudo du -xk /usr/local/remotetask/state | sort -n | tail -n 20`",
        along: &[],
        cured: false,
    },
    Row {
        code: "volume-files",
        plant: |_| volume("nr_inodes=100"),
        says: "There is room for only 9* more files where /usr/local/remotetask/state is, and what cannot be recorded is not started.",
        cure: "Delete files on that volume. This shows where the most are: `sudo du -x --inodes /usr/local/remotetask/state | sort -n | tail -n 20`",
        along: &[],
        cured: false,
    },
    Row {
        code: "volume-read-only",
        plant: |_| volume("ro"),
        says: "The volume of /usr/local/remotetask/state is read-only, and what cannot be recorded is not started.",
        cure: "DSM makes it so when a disk has a fault: look into its Storage Manager first. Then: `sudo mount -o remount,rw /usr/local/remotetask/state`",
        along: &[],
        cured: true,
    },
];

fn try_all(cured: bool) -> usize {
    let kept = Kept::new();
    let rows: Vec<&Row<Nas>> = ROWS.iter().filter(|row| row.cured == cured).collect();
    for row in &rows {
        kept.restore();
        let nas = healthy();
        row.try_on(&nas, &look, &str::to_owned);
    }
    rows.len()
}

/// Each is found in its words, and after what its fix says was typed, nothing is.
#[test]
fn twelve_planted_faults() {
    assert!(try_all(true) >= 12);
}

#[test]
fn what_no_command_alone_cures() {
    try_all(false);
}

/// Programs that somebody else may have named are not started by root: neither sudo's nor the scheduler's.
#[test]
fn root_starts_nothing_that_others_could_have_named() {
    for plant in [
        (|| mode(&at("config.json"), 0o660)) as fn(),
        || mode(FOLDER, 0o777),
        || mode("/usr/local", 0o775),
        || chown(at("config.json"), Some(HTTP), None).expect("chown"),
    ] {
        let kept = Kept::new();
        let nas = healthy();
        for name in ["sudo", "scheduler"] {
            script(&Path::new("/run/effects").join(name), "touch /run/effects/touched");
        }
        let text = read("config.json");
        let fields = "\"elevate\": [\"/run/effects/sudo\", \"-n\"], \"synoschedtask\": \"/run/effects/scheduler\", ";
        nas.raw_config(&text.replace("{\"server\": {", &format!("{{\"server\": {{{fields}")));
        plant();
        let found = findings(&look());
        assert!(found.iter().any(|found| found["code"] == "not-looked"), "{found:?}");
        assert!(!Path::new("/run/effects/touched").exists(), "{found:?}");
        // A fix that makes a planted sudo root's would do the planter's work.
        assert!(found.iter().all(|found| !found.to_string().contains("/run/effects")), "{found:?}");
        drop(kept);
    }
}

/// Nothing that was looked at has left a trace, or started anything.
#[test]
fn a_look_changes_nothing() {
    let nas = healthy();
    nas.raw_config(&read("config.json").replace("/bin/true", "/run/effects/began"));
    script(Path::new("/run/effects/began"), "touch /run/effects/touched");
    let before = walk(FOLDER);
    assert_eq!(findings(&look()), [] as [Value; 0]);
    assert_eq!((walk(FOLDER), nas.log()), (before, String::new()));
    assert!(!Path::new("/run/effects/touched").exists());
    let shown = |word| said(Command::new(at("remotetask")).arg(word), "").out;
    let good = "good   everything that can be looked at from here works\n";
    assert_eq!(shown("check"), format!("{}{good}", shown("--version")));
}

/// A folder of an ordinary user's, as install.sh --try lays it out: no http, no sudo, and no fault.
#[test]
fn an_ordinary_users_trial_has_no_fault() {
    let _nas = healthy();
    let folder = tempfile::tempdir().expect("a folder");
    mode(&folder.path().display().to_string(), 0o755);
    let path = |name: &str| folder.path().join(name);
    for (name, program, bits) in programs() {
        fs::copy(program, path(name)).expect("copy");
        mode(&path(name).display().to_string(), bits);
    }
    let example = include_str!("../../../config.json.example");
    fs::write(
        path("config.json"),
        example.replace("\"server\": {", "\"server\": {\n \"elevate\": [],\n \"synoschedtask\": \"/none\","),
    )
    .expect("written");
    mode(&path("config.json").display().to_string(), 0o640);
    for entry in fs::read_dir(folder.path()).expect("names").flatten() {
        chown(entry.path(), Some(1026), Some(100)).expect("chown");
    }
    chown(folder.path(), Some(1026), Some(100)).expect("chown");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=1026", "--regid=100", "--clear-groups", "--"]).arg(path("remotetask")).arg("check");
    let told = said(&mut command, "");
    assert_eq!(told.code, Some(0), "{told:?}");
    let program = path("remotetask").display().to_string();
    assert!(told.out.lines().any(|line| line == format!("         {program} seal")), "{}", told.out);
    assert!(!told.out.contains("sudo") && told.out.contains("everything would work; advice: 5"), "{}", told.out);
}

/// The finding of `check` about the way, with its `why`.
fn way() -> Option<String> {
    let found = findings(&look());
    let text = |found: &Value, name: &str| found[name].as_str().unwrap_or_default().to_owned();
    let mut ways = found.iter().filter(|found| ["way-blocked", "http-expired"].contains(&&*text(found, "code")));
    let way = ways.next().map(|found| text(found, "says"))?;
    assert!(ways.next().is_none(), "{found:?}");
    Some(way.split_once(": ").expect("why").1.to_owned())
}

#[test]
fn the_way_is_tried_as_a_request_goes_it() {
    let kept = Kept::new();
    let nas = healthy();
    assert_eq!(way(), None);
    expire();
    let expired = "/usr/bin/sudo refuses: \"sudo: account validation failure*\".";
    let blocked =
        |why: Option<String>, expected: &str| assert!(why.as_deref().is_some_and(|why| like(why, expected)), "{why:?}");
    blocked(way(), expired);
    // A fault of config.json is no fault of the way.
    nas.raw_config("{");
    blocked(way(), expired);
    // `repair` tries it too, where something is configured.
    let repair = || {
        let said = said(Command::new(at("remotetask")).arg("repair"), "");
        (said.code, said.out.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    fs::remove_file(at("config.json")).expect("removed");
    let well = (Some(0), "Everything was as it should be; nothing was changed.".to_owned());
    assert_eq!(repair(), well);
    nas.config("");
    let (code, out) = repair();
    assert!(code == Some(1) && out.starts_with("fault sudo refuses the user http, "), "{out}");
    kept.restore();
    assert_eq!(repair(), well);
    with_elevate(&nas, "[\"/none/sudo\"]");
    let (code, out) = repair();
    let refused = "/none/sudo refuses: \"remotetask: /none/sudo: there is no such file.\".";
    assert!(code == Some(1) && out.contains(refused), "{out}");
    // A program that others may have named is not started.
    script(Path::new("/run/effects/sudo"), "touch /run/effects/touched");
    nas.config("");
    with_elevate(&nas, "[\"/run/effects/sudo\"]");
    mode(&at("config.json"), 0o666);
    assert_eq!((repair().0, way()), (Some(1), None));
    assert!(!Path::new("/run/effects/touched").exists());
}

/// An attacker in a web application can stop what runs as its user: it is waited for until the time is over,
/// and killed.
#[test]
fn a_way_that_is_stopped() {
    let nas = healthy();
    let attacker = "import os, signal\n\
        while True:\n \
         for pid in os.listdir('/proc'):\n  \
          try:\n   \
           if pid.isdigit() and open(f'/proc/{pid}/comm').read() in ('sudo\\n', 'remotetask\\n'):\n    \
            os.kill(int(pid), signal.SIGSTOP)\n  \
          except OSError: pass\n";
    let attacker = Server { children: vec![nas.as_http("exec python3 -c \"$1\"", &[attacker])], port: 0 };
    let stopped = || {
        let processes = fs::read_dir("/proc").expect("proc").flatten();
        let stats = processes.filter_map(|process| fs::read_to_string(process.path().join("stat")).ok());
        stats.filter(|stat| stat.contains(") T ")).collect::<Vec<_>>()
    };
    let late = (0..50).find_map(|_| {
        let why = way();
        assert_eq!(stopped(), [] as [String; 0], "nothing stays behind");
        why
    });
    drop(attacker);
    assert_eq!(late.expect("one that was stopped"), "/usr/bin/sudo: no answer in time.");
    assert_eq!(way(), None);
}
