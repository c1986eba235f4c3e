//! `remotetask setup`, `repair` and `uninstall`, as root on a NAS that has nothing of ours yet.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{symlink, MetadataExt};

use super::first_hour::bench;
use super::*;
use crate::workbench::{said, Said};

pub const DROP_IN: &str = "/usr/local/etc/apache24/sites-enabled/remotetask.conf";
pub const RULE: &str = "/etc/sudoers.d/remotetask";
pub const MODULES: &str = "/var/packages/Apache2.4/target/usr/local/etc/apache24/conf/modules.d";
const PACKAGE: &str = "/run/package";
const BOOT: &str = "/usr/local/etc/rc.d/remotetask.sh";
const WELL: &str = "Everything was as it should be; nothing was changed.\n";

/// A NAS with Apache's package running, and nothing of ours.
pub struct Bare {
    pub nas: Nas,
}

impl Bare {
    pub fn new() -> Bare {
        let nas = Nas::new();
        let _ = service("stop");
        for mine in [FOLDER, "/usr/local/etc/rc.d", "/volume1/web/remotetask", PACKAGE] {
            let _ = fs::remove_dir_all(mine);
        }
        for mine in [RULE, DROP_IN, "/usr/local/bin/remotetask", "/run/services"] {
            let _ = fs::remove_file(mine);
        }
        let cgid = "LoadModule cgid_module modules/mod_cgid.so\nScriptSock /run/httpd/cgid.sock\n";
        fs::write(format!("{MODULES}/cgid.conf"), cgid).expect("a module");
        let _ = fs::remove_file(format!("{MODULES}/more.conf"));
        assert!(service("start"));
        Bare { nas }
    }

    /// Set up, with one task `t` that runs this shell line.
    pub fn installed(line: &str) -> Bare {
        let bare = Bare::new();
        let nas = &bare.nas;
        setup(&[]).ok();
        let argv = serde_json::to_string(&["/bin/sh", "-c", &line.replace("$T", "/run/effects")]).expect("JSON");
        nas.sealed_config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}}}"));
        bare
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = service("stop");
    }
}

pub fn service(verb: &str) -> bool {
    let done = Command::new("/usr/syno/bin/synosystemctl").args([verb, "pkgctl-Apache2.4"]).output();
    done.expect("synosystemctl").status.success()
}

/// The package, unpacked.
pub fn unpack() {
    let _ = fs::remove_dir_all(PACKAGE);
    fs::create_dir_all(PACKAGE).expect("a folder");
    for (name, program, bits) in programs() {
        fs::copy(program, format!("{PACKAGE}/{name}")).expect("copy");
        mode(&format!("{PACKAGE}/{name}"), bits);
    }
}

/// A program with these arguments. Wrapped lines are joined.
fn by(program: &str, arguments: &[&str]) -> Said {
    let mut command = Command::new(program);
    // DSM's sudo hands on what it finds: nothing of that is relied upon.
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    let Said { code, out, err } = said(&mut command, "");
    let (mut joined, mut open) = (String::new(), false);
    for line in out.lines() {
        let further = line.strip_prefix("           ").filter(|rest| open && !rest.starts_with(' '));
        match further {
            Some(rest) => joined.push_str(&format!(" {rest}")),
            None => joined.push_str(&format!("\n{line}")),
        }
        open = ["  done   ", "  to do  ", "  fault  ", "  advice "].iter().any(|mark| line.starts_with(mark))
            || further.is_some();
    }
    let out = joined.strip_prefix('\n').map_or_else(String::new, |text| format!("{text}\n"));
    let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
    Said { code, out, err }
}

/// From the unpacked package.
pub fn package(arguments: &[&str]) -> Said {
    by(&format!("{PACKAGE}/remotetask"), arguments)
}

pub fn setup(arguments: &[&str]) -> Said {
    unpack();
    package(&[&["setup"], arguments].concat())
}

/// By the installed program.
pub fn order(arguments: &[&str]) -> Said {
    by(&at("remotetask"), arguments)
}

/// Everything that an installation could leave something in: kind, owner, mode, content.
pub fn tree() -> Tree {
    tree_of(["/etc", "/usr/local", "/usr/syno", "/volume1", "/var/packages"].map(str::to_owned))
}

pub fn status(path: &str) -> u16 {
    status_of(&format!("http://127.0.0.1:10765{path}"))
}

fn who_and_mode(name: &str) -> (u32, u32, u32) {
    let meta = fs::symlink_metadata(at(name)).expect(name);
    (meta.uid(), meta.gid(), meta.mode() & 0o7777)
}

#[test]
fn from_nothing_to_a_start_and_back_to_nothing() {
    {
        let bare = Bare::new();
        let before = tree();
        let first = setup(&[]);
        assert!(
            like(
                first.ok(),
                "  done   remotetask * is installed in /usr/local/remotetask\n\
                 \x20 done   sudo lets the web server's user start remotetask-run, and nothing else\n\
                 \x20 done   a shell knows the name remotetask\n\
                 \x20 done   DSM's boot repairs what an update takes (/usr/local/etc/rc.d/remotetask.sh)\n\
                 \x20 done   Apache answers at http://127.0.0.1:10765\n\
                 Everything is in its place.\n"
            ),
            "{}",
            first.out
        );
        for (name, expected) in [
            ("", (0, 0, 0o755)),
            ("remotetask-cgi", (0, 0, 0o711)),
            ("remotetask-run", (0, 0, 0o700)),
            ("remotetask-keep", (0, 0, 0o700)),
            ("remotetask", (0, 0, 0o755)),
            ("log.txt", (HTTP, HTTP, 0o640)),
            ("state", (0, 0, 0o700)),
            ("webstation/sudoers", (0, 0, 0o644)),
        ] {
            assert_eq!(who_and_mode(name), expected, "{name}");
        }
        bare.nas.scheduled(7, "disabled", "echo ran >>/run/effects/seven");
        bench(&["tasks", "add", "7", "--get", "run"]).ok();
        let seven = bench(&["url", "7"]).paths().remove(0);
        assert_eq!(who_and_mode("config.json"), (0, HTTP, 0o640));
        assert_eq!(status(&seven), 202);
        assert_eq!(bare.nas.effect_awaited("seven"), "ran\n");
        // `check` agrees with what is there.
        let check = bench(&["check"]);
        assert!(check.out.contains("everything that can be looked at from here works"), "{}", check.out);

        // Again, and again from its own place: nothing changes, Apache is left alone.
        let services = fs::read_to_string("/run/services").expect("calls");
        let installed = tree();
        assert_eq!(setup(&[]).ok(), WELL);
        for words in [&["repair"][..], &["repair", "--boot"], &["apply"]] {
            assert_eq!(order(words).ok(), WELL);
        }
        for shell in ["/bin/dash", "/bin/busybox ash", "/bin/bash --posix"] {
            let words: Vec<&str> = shell.split(' ').chain([BOOT, "start"]).collect();
            assert_eq!(by(words[0], &words[1..]).ok(), WELL, "{shell}");
        }
        same(&installed, &tree());
        assert_eq!(fs::read_to_string("/run/services").expect("calls"), services);

        let gone = order(&["uninstall"]);
        assert!(gone.ok().ends_with("  done   /usr/local/remotetask is gone\n"), "{}", gone.out);
        let _ = fs::remove_file(format!("{STORE}/7.task"));
        let mut now = tree();
        for note in ["7.status", "7.last", "7.began", "7.history"] {
            now.remove(&format!("{STORE}/{note}"));
        }
        same(&before, &now);
        assert_eq!(status(&seven), 0, "Apache does not listen there any more");
    }
}

#[test]
fn words_that_it_does_not_know() {
    let _bare = Bare::new();
    let before = tree();
    unpack();
    for words in [
        &["setup", "--prot"][..],
        &["setup", "--port", "--php"],
        &["install"],
        &["repair", "--port"],
        &["uninstall", "--keep"],
    ] {
        let said = package(words);
        assert_eq!((said.code, &*said.out), (Some(2), ""), "{words:?}");
        assert!(said.err.contains("Usage: remotetask"), "{}", said.err);
    }
    same(&before, &tree());
}

#[test]
fn an_upgrade_during_a_run_keeps_everything() {
    let bare = Bare::installed("until [ -e $T/go ]; do sleep 0.05; done; echo done >$T/done");
    bench(&["key", "new", "--label", "guest"]).ok();
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 202);
    let kept: Vec<Vec<u8>> = ["config.json", "keys.json", "log.txt"].map(|name| fs::read(at(name)).expect(name)).into();
    // An earlier build: other bytes in each program.
    for (name, bits) in PROGRAMS {
        let mut old = fs::read(at(name)).expect(name);
        old.extend_from_slice(b"older");
        fs::remove_file(at(name)).expect("removed");
        fs::write(at(name), old).expect("older");
        mode(&at(name), bits);
    }
    let upgrade = setup(&[]);
    assert_eq!(
        upgrade.ok(),
        "  done   remotetask-keep is new\n  done   remotetask-run is new\n  done   remotetask-cgi is new\n  \
         done   remotetask is new\nEverything is in its place.\n"
    );
    let now: Vec<Vec<u8>> = ["config.json", "keys.json", "log.txt"].map(|name| fs::read(at(name)).expect(name)).into();
    assert_eq!(now, kept);
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 409, "it runs on");
    fs::write("/run/effects/go", "").expect("go");
    assert_eq!(bare.nas.effect_awaited("done"), "done\n");
    until("its end", || (status(&format!("/{MAGIC}/{TASK}?status")) == 200).then_some(()));
    let log = bare.nas.log();
    assert!(log.contains(" asked finished task=\"t\" ") && log.contains(" exit=0 "), "{log}");
    assert!(!walk(FOLDER).iter().any(|name| name.ends_with(".new")));
}

/// The files that an update of DSM is known or suspected to take, and then its boot.
#[test]
fn an_update_of_dsm_and_its_boot() {
    let bare = Bare::installed("echo ran >>$T/ran");
    let installed = tree();
    fs::remove_dir_all("/etc/sudoers.d").expect("wiped");
    fs::create_dir("/etc/sudoers.d").expect("empty");
    fs::remove_file("/usr/local/bin/remotetask").expect("wiped");
    fs::remove_file(DROP_IN).expect("wiped");
    mode(&at("remotetask-cgi"), 0o755);
    chown(at("config.json"), Some(0), Some(0)).expect("chown");
    assert!(service("restart"));
    assert_eq!(status("/"), 0);
    let boot = by("/bin/sh", &[BOOT, "start"]);
    assert_eq!(
        boot.ok(),
        "  done   /usr/local/remotetask/remotetask-cgi has its owner and mode again\n\
         \x20 done   /usr/local/remotetask/config.json has its owner and mode again\n\
         \x20 done   sudo lets the web server's user start remotetask-run, and nothing else\n\
         \x20 done   a shell knows the name remotetask\n\
         \x20 done   Apache answers at http://127.0.0.1:10765\n"
    );
    same(&installed, &tree());
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 200);
    assert_eq!(bare.nas.effect("ran"), "ran\n");
    fs::remove_file(at("log.txt")).expect("wiped");
    assert_eq!(order(&["repair"]).ok(), "  done   /usr/local/remotetask/log.txt is there again\n");
    // Without the folder as well.
    fs::remove_dir_all("/etc/sudoers.d").expect("wiped");
    assert!(order(&["repair"]).ok().starts_with("  done   /etc/sudoers.d is there again\n"));
    // Stopping at shutdown repairs nothing.
    fs::remove_file(RULE).expect("wiped");
    assert_eq!(by("/bin/sh", &[BOOT, "stop"]).ok(), "");
    assert!(!Path::new(RULE).exists());
}

/// The sentence of the only fault.
#[track_caller]
fn the_fault(said: &Said) -> String {
    assert_eq!((said.code, &*said.err), (Some(1), ""), "{}", said.out);
    let faults: Vec<&str> = said.out.lines().filter_map(|line| line.strip_prefix("  fault  ")).collect();
    let [fault] = faults[..] else { panic!("{}", said.out) };
    fault.to_owned()
}

#[test]
fn a_rule_that_cannot_hold_is_taken_out_again() {
    let bare = Bare::installed("echo ran >>$T/ran");
    let wiped = || fs::remove_file(RULE).expect("wiped");
    // A later drop-in that demands a password again.
    sudoers("zz-later", "http ALL=(root) PASSWD: /usr/local/remotetask/remotetask-run \"\"\n");
    wiped();
    let said = order(&["repair"]);
    assert_eq!(
        the_fault(&said),
        "sudo lets the web server's user, which every web application runs as, do something else as well: (root) PASSWD: \
         /usr/local/remotetask/remotetask-run \"\"."
    );
    assert!(
        said.out.contains("\n           sudo mv /etc/sudoers.d/zz-later /etc/sudoers.d/zz-later.off\n"),
        "{}",
        said.out
    );
    assert!(said.out.contains("\n  advice the rule was taken out again; "), "{}", said.out);
    assert!(!Path::new(RULE).exists() && !Path::new("/etc/sudoers.d/remotetask.new").exists());
    fs::remove_file("/etc/sudoers.d/zz-later").expect("removed");
    assert!(order(&["repair"]).ok().contains("  done   sudo lets the web server's user"));

    // The folder is not read at all.
    let main = fs::read_to_string("/etc/sudoers").expect("sudoers");
    fs::write("/etc/sudoers", main.replace("#includedir", "# includedir")).expect("sudoers");
    wiped();
    let fault = the_fault(&order(&["repair"]));
    assert_eq!(fault, "/etc/sudoers does not say that the folder /etc/sudoers.d is to be read.");
    fs::write("/etc/sudoers", &main).expect("sudoers");

    // sudo's own checker does not accept it.
    let (visudo, away) = ("/usr/sbin/visudo", "/usr/sbin/visudo.away");
    fs::rename(visudo, away).expect("away");
    script(Path::new(visudo), "echo \"$2: syntax error\" >&2; exit 1");
    let refused = the_fault(&order(&["repair"]));
    assert!(refused.starts_with("sudo's own checker refuses the rule, which was not put in place: /etc/"), "{refused}");
    assert!(!Path::new(RULE).exists() && fs::read_dir("/etc/sudoers.d").expect("names").count() == 0);
    // A DSM without it: sudo itself is asked, and the old rule comes back.
    fs::remove_file(visudo).expect("removed");
    sudoers("remotetask", "http ALL=(root) NOPASSWD: /usr/local/remotetask/remotetask-run \"\"\n");
    sudoers("zz-later", "http ALL=(root) NOPASSWD: /bin/true\n");
    let broken = the_fault(&order(&["repair"]));
    assert!(broken.contains("do something else as well: (root) NOPASSWD: /bin/true"), "{broken}");
    assert!(!fs::read_to_string(RULE).expect("the old one").contains("NOLOG_INPUT"));
    fs::remove_file("/etc/sudoers.d/zz-later").expect("removed");
    order(&["repair"]).ok();
    assert!(fs::read_to_string(RULE).expect("the new one").contains("NOLOG_INPUT"));
    fs::rename(away, visudo).expect("back");
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 200);
    drop(bare);
}

#[test]
fn an_account_that_has_expired() {
    let _bare = Bare::installed("true");
    let shadow = fs::read_to_string("/etc/shadow").expect("shadow");
    fs::write("/etc/shadow", shadow.replace("http:*:19000:0:99999:7:::", "http:*:19000:0:99999:7::1:"))
        .expect("expired");
    let repair = order(&["repair"]);
    fs::write("/etc/shadow", shadow).expect("as it was");
    let fault = the_fault(&repair);
    assert!(
        fault.starts_with("sudo refuses the user http, whose account has expired or is missing from /etc/shadow: "),
        "{fault}"
    );
    assert!(fault.contains("account validation failure"), "{fault}");
}

#[test]
fn apaches_that_cannot_and_apaches_that_will_not() {
    let bare = Bare::new();
    let cgid = format!("{MODULES}/cgid.conf");
    let was = fs::read_to_string(&cgid).expect("a file");
    // The module is there and not loaded: ours loads it.
    fs::write(&cgid, "").expect("not loaded");
    assert!(service("restart"));
    assert!(setup(&[]).ok().contains("  done   Apache answers at http://127.0.0.1:10765\n"));
    assert_eq!(status("/"), 200);
    assert_eq!(order(&["repair"]).ok(), WELL);
    order(&["uninstall"]).ok();

    // An Apache that does not tell what it reads: a request proves that it read ours.
    let httpd = "/usr/local/bin/httpd24";
    fs::rename(httpd, "/usr/local/bin/httpd24.real").expect("away");
    script(
        Path::new(httpd),
        r#"case "$*" in *DUMP_INCLUDES*) ;; *) exec /usr/local/bin/httpd24.real "$@" ;; esac
said=$(/usr/local/bin/httpd24.real "$@")
code=$?
printf '%s\n' "$said" | sed '/^ *([0-9*]*) /d'
exit "$code""#,
    );
    setup(&[]).ok();
    assert_eq!(status("/"), 200);
    order(&["uninstall"]).ok();
    let main = "/var/packages/Apache2.4/target/usr/local/etc/apache24/conf/httpd24.conf";
    let text = fs::read_to_string(main).expect("httpd24.conf");
    fs::write(main, text.replace("IncludeOptional /usr/local", "#IncludeOptional /usr/local")).expect("written");
    let fault = the_fault(&setup(&[]));
    assert!(fault.starts_with("nothing answered at http://127.0.0.1:10765 within 15 s, so "), "{fault}");
    assert!(!Path::new(DROP_IN).exists());
    fs::rename("/usr/local/bin/httpd24.real", httpd).expect("back");
    // And one that tells.
    assert_eq!(
        the_fault(&order(&["repair"])),
        format!(
            "Apache does not read /usr/local/etc/apache24/sites-enabled: add the line 'IncludeOptional \
             /usr/local/etc/apache24/sites-enabled/*.conf' at the end of {main}, then run this again"
        )
    );
    fs::write(main, text).expect("as it was");
    order(&["uninstall"]).ok();

    // A fault in somebody else's file: nothing of ours is put in.
    fs::write(format!("{MODULES}/more.conf"), "Nonsense on\n").expect("more");
    let fault = the_fault(&setup(&[]));
    assert!(fault.starts_with("Apache finds a fault in its own files, and would not start again: "), "{fault}");
    assert!(!Path::new(DROP_IN).exists());
    fs::remove_file(format!("{MODULES}/more.conf")).expect("removed");

    // The port is taken: Apache would not come up any more, so it is put back as it was.
    let taken = std::net::TcpListener::bind("127.0.0.1:10765").expect("the port");
    let fault = the_fault(&order(&["repair"]));
    assert_eq!(
        fault,
        "port 10765 is in use by another program; nothing of it was changed. Choose another port in config.json (\"port\"), then \
         run this again"
    );
    drop(taken);
    assert!(!Path::new(DROP_IN).exists());
    awaited(Path::new("/run/httpd/httpd24.pid")); // Apache writes it after its start has returned
    order(&["repair"]).ok();
    order(&["uninstall"]).ok();

    // No module at all.
    fs::write(&cgid, "").expect("not loaded");
    let modules = ["cgid", "cgi"].map(|name| format!("/usr/lib/apache2/modules/mod_{name}.so"));
    modules.iter().for_each(|module| fs::rename(module, format!("{module}.away")).expect("away"));
    let without = setup(&[]);
    modules.iter().for_each(|module| fs::rename(format!("{module}.away"), module).expect("back"));
    assert_eq!(
        the_fault(&without),
        "this Apache cannot run programs, because it has neither mod_cgid nor mod_cgi: install PHP 8.2 in DSM's Package Center, then run \
         this again with --php"
    );
    fs::write(&cgid, was).expect("as it was");

    // No Apache.
    fs::rename("/usr/local/bin/httpd24", "/usr/local/bin/httpd24.away").expect("away");
    let without = order(&["repair"]);
    fs::rename("/usr/local/bin/httpd24.away", "/usr/local/bin/httpd24").expect("back");
    assert_eq!(
        the_fault(&without),
        "this NAS has no Apache 2.4: install \"Apache HTTP Server 2.4\" in DSM's Package Center, then run this again"
    );
    drop(bare);
}

#[test]
fn by_a_virtual_host() {
    let bare = Bare::new();
    let before = tree();
    let first = setup(&["--vhost"]);
    assert!(first.ok().contains("  done   /volume1/web/remotetask is laid out\n"), "{}", first.out);
    assert!(first
        .out
        .contains("     Document root          web/remotetask\n     HTTP back-end server   Apache HTTP Server 2.4\n"));
    assert_eq!(
        fs::read_link("/volume1/web/remotetask/remotetask.cgi").expect("a link"),
        Path::new(&at("remotetask-cgi"))
    );
    assert_eq!(order(&["repair"]).ok(), WELL);
    // The owner has clicked.
    let host = "Listen 127.0.0.1:10765\n<VirtualHost 127.0.0.1:10765>\nDocumentRoot \"/volume1/web/remotetask\"\n\
        <Directory /volume1/web>\nAllowOverride All\nRequire all granted\n</Directory>\n</VirtualHost>\n";
    fs::write(format!("{MODULES}/more.conf"), host).expect("more");
    assert!(service("restart"));
    assert_eq!(status("/"), 200);
    fs::remove_file(format!("{MODULES}/more.conf")).expect("as it was");
    // Another way in: the old one goes.
    let other = setup(&["--port"]);
    let gone = "  done   the folder for Web Station's virtual host is gone; take the virtual host away in Web Station's page\n";
    assert_eq!(
        other.ok(),
        format!("  done   Apache answers at http://127.0.0.1:10765\n{gone}Everything is in its place.\n")
    );
    assert!(!Path::new("/volume1/web/remotetask").exists());
    assert_eq!(status("/"), 200);
    // A way that does not work does not take the old one's place.
    symlink("/run", "/volume1/web/remotetask").expect("a link");
    let refused = setup(&["--vhost"]);
    assert_eq!(
        the_fault(&refused),
        "/volume1/web/remotetask is there and no folder: move it away, then run this again"
    );
    assert!(refused.out.contains("\n  The entry point stays what it was: port.\n"), "{}", refused.out);
    fs::remove_file("/volume1/web/remotetask").expect("removed");
    assert_eq!(fs::read_to_string(at("webstation/way")).expect("way"), "port\n");
    let closed = "  done   Apache loads what runs programs, and has no port of its own for it\n";
    let again = setup(&["--vhost"]);
    assert!(again.ok().contains(closed), "{}", again.out);
    assert_eq!(status("/"), 0);
    assert_eq!(order(&["repair"]).ok(), WELL);
    order(&["uninstall"]).ok();
    same(&before, &tree());
    drop(bare);
}

#[test]
fn what_is_asked_to_be_kept_stays_and_is_used_again() {
    let bare = Bare::installed("echo ran >>$T/ran");
    bench(&["key", "new", "--label", "guest"]).ok();
    let kept = ["config.json", "keys.json"].map(|name| fs::read(at(name)).expect(name));
    let gone = order(&["uninstall", "--keep-config"]);
    assert!(gone.ok().ends_with("  done   the programs are gone; kept: config.json keys.json\n"), "{}", gone.out);
    assert!(!Path::new(RULE).exists() && !Path::new(DROP_IN).exists());
    setup(&[]).ok();
    assert_eq!(["config.json", "keys.json"].map(|name| fs::read(at(name)).expect(name)), kept);
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 200);
    drop(bare);
}

#[test]
fn what_is_in_the_way_is_named_and_left_alone() {
    let bare = Bare::new();
    let refused = |said: Said| {
        assert_eq!((said.code, &*said.out), (Some(1), ""), "{}", said.err);
        said.err
    };
    symlink("/volume1", FOLDER).expect("a link");
    assert_eq!(
        refused(setup(&[])),
        "remotetask: /usr/local/remotetask is there and no folder: see what it is, move it away, then run this again."
    );
    fs::remove_file(FOLDER).expect("removed");
    // A package that was cut off.
    unpack();
    fs::write(format!("{PACKAGE}/remotetask-run"), "").expect("cut off");
    assert_eq!(refused(package(&["setup"])), "remotetask: this package is not complete: remotetask-run is missing.");
    assert!(ours_in_usr_local().is_empty());
    unpack();
    fs::remove_file(format!("{PACKAGE}/remotetask-cgi")).expect("removed");
    assert_eq!(refused(package(&["setup"])), "remotetask: this package is not complete: remotetask-cgi is missing.");
    // An owner's own configuration, plain: it is sealed before it can be read.
    unpack();
    let plain = format!("{{\"magickey\": \"{MAGIC}\", \"tasks\": {{\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}}}}}");
    fs::write(format!("{PACKAGE}/config.json"), &plain).expect("a configuration");
    let sealed = package(&["setup"]);
    assert!(sealed.ok().contains("Sealed: 2."), "{}", sealed.out);
    assert_no_key(&fs::read(at("config.json")).expect("config.json"), "config.json");
    assert_eq!((who_and_mode("config.json"), who_and_mode("keys.json")), ((0, HTTP, 0o640), (0, 0, 0o600)));
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 200);
    // A second one does not take the place of the first without a word.
    fs::write(format!("{PACKAGE}/config.json"), &plain).expect("a configuration");
    let why = package(&["setup"]).err;
    assert!(
        why.starts_with("remotetask: there is a configuration already, /usr/local/remotetask/config.json: "),
        "{why}"
    );
    drop(bare);
}

/// Ended while Apache is being restarted, politely or not: nothing half-done stays for good.
#[test]
fn an_end_in_the_middle() {
    let bare = Bare::new();
    let before = tree();
    let manager = "/usr/syno/bin/synosystemctl";
    fs::rename(manager, "/usr/syno/bin/manager").expect("away");
    script(Path::new(manager), "echo now >/run/effects/now\nsleep 1\n/usr/syno/bin/manager \"$@\"\ncode=$?\necho over >/run/effects/over\nexit $code");
    let begin = || {
        for name in ["now", "over"] {
            let _ = fs::remove_file(format!("/run/effects/{name}"));
        }
        unpack();
        let mut command = Command::new(format!("{PACKAGE}/remotetask"));
        let setup = command.arg("setup").stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("setup");
        assert_eq!(bare.nas.effect_awaited("now"), "now\n");
        setup
    };
    let setup_ended = begin();
    assert!(Command::new("kill").arg(setup_ended.id().to_string()).status().expect("kill").success());
    let done = setup_ended.wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&done.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "remotetask: this was interrupted; what was begun was taken back, and the next run goes on.";
    assert_eq!((done.status.code(), &*said), (Some(1), expected));
    assert!(!Path::new(DROP_IN).exists());
    assert_eq!(ours_in_usr_local(), ["remotetask"]);
    // Nobody can take back anything: the next one finds out that nothing was proved.
    let mut killed = begin();
    killed.kill().expect("killed");
    killed.wait().expect("its end");
    assert!(Path::new(DROP_IN).exists());
    assert_eq!(bare.nas.effect_awaited("over"), "over\n", "what it had started ends by itself");
    fs::remove_file(manager).expect("removed");
    fs::rename("/usr/syno/bin/manager", manager).expect("back");
    assert!(setup(&[]).ok().contains("  done   Apache answers at http://127.0.0.1:10765\n"));
    assert_eq!(setup(&[]).ok(), WELL);
    order(&["uninstall"]).ok();
    same(&before, &tree());
}

/// After a connection that broke the first one still goes on, while its owner types the same again.
#[test]
fn one_at_a_time_on_the_nas() {
    let bare = Bare::new();
    let (manager, real) = ("/usr/syno/bin/synosystemctl", "/usr/syno/bin/manager");
    fs::rename(manager, real).expect("away");
    let slow =
        format!("echo now >/run/effects/now\nuntil [ -e /run/effects/go ]; do sleep 0.05; done\nexec {real} \"$@\"");
    script(Path::new(manager), &slow);
    unpack();
    let begin = || {
        let mut command = Command::new(format!("{PACKAGE}/remotetask"));
        command.arg("setup").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("setup")
    };
    let first = begin();
    assert_eq!(bare.nas.effect_awaited("now"), "now\n");
    let mut second = begin();
    // Its first word comes when it waits.
    let mut words = BufReader::new(second.stdout.take().expect("its words"));
    let mut line = String::new();
    words.read_line(&mut line).expect("a line");
    assert!(line == "Another remotetask changes this installation; waiting for its end ...\n", "{line}");
    fs::write("/run/effects/go", "").expect("go");
    let (first, mut rest) = (finish(first), String::new());
    words.read_to_string(&mut rest).expect("the rest");
    let second = second.wait_with_output().expect("its end");
    fs::remove_file(manager).expect("removed");
    fs::rename(real, manager).expect("back");
    assert!(first.text().ends_with("Everything is in its place.\n"), "{first:?} {second:?}");
    assert_eq!((second.status.success(), &*second.stderr, &*rest), (true, &b""[..], WELL));
    // Leftovers of killed ones block nothing, and are removed.
    symlink("1-1", "/usr/local/remotetask.lock").expect("a lock");
    fs::create_dir("/usr/local/remotetask.new.4194999").expect("a folder");
    assert_eq!(setup(&[]).ok(), WELL);
    assert_eq!(ours_in_usr_local(), ["remotetask"]);
}

/// Names of ours in /usr/local.
fn ours_in_usr_local() -> Vec<String> {
    let names = fs::read_dir("/usr/local").expect("names").flatten();
    let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("remotetask")).collect()
}

/// The share may be writable for the web server's user: what that puts in our folder's place while root
/// works there is not followed.
#[test]
fn a_link_in_the_share_is_not_followed() {
    let bare = Bare::new();
    fs::create_dir_all("/run/victim").expect("a folder");
    chown("/run/victim", Some(1026), Some(100)).expect("chown");
    mode("/run/victim", 0o700);
    let (web, away) = ("/volume1/web/remotetask", "/volume1/web/away");
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut rounds = 0;
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                rounds += u32::from(fs::rename(web, away).is_ok());
                let _ = symlink("/run/victim", web);
                let _ = fs::remove_file(web);
                let _ = fs::rename(away, web);
            }
            rounds
        });
        for round in 0..12 {
            setup(&[["--vhost", "--php"][round % 2]]);
            let _ = fs::remove_file(format!("{web}/.htaccess"));
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(writer.join().expect("the writer") > 12);
    });
    let meta = fs::metadata("/run/victim").expect("victim");
    assert_eq!((meta.uid(), meta.mode() & 0o7777), (1026, 0o700));
    assert_eq!(fs::read_dir("/run/victim").expect("names").count(), 0);
    // At its quietest: the link is there all the time.
    let _ = fs::remove_dir_all(web);
    symlink("/run/victim", web).expect("a link");
    assert_eq!(setup(&["--vhost"]).code, Some(1));
    order(&["uninstall"]).ok();
    assert_eq!(fs::read_dir("/run/victim").expect("names").count(), 0);
    for left in [away, "/run/victim"] {
        let _ = fs::remove_dir_all(left);
    }
    let _ = fs::remove_file(web);
    drop(bare);
}

/// Somebody else's files in the virtual host's folder are neither written over nor opened to the web server.
#[test]
fn somebody_elses_folder_is_not_taken_over() {
    let bare = Bare::new();
    let web = "/volume1/web/remotetask";
    let refused = |way: &str| {
        let fault = the_fault(&setup(&[way]));
        assert_eq!(
            fault,
            format!("{web} has something in it that is not ours: see what it is, move it away, then run this again")
        );
    };
    fs::create_dir(web).expect("a folder");
    for (name, owner) in [("diary", 1026), (".htaccess", 0), ("index.php", 0), ("remotetask.cgi", 0)] {
        chown(web, Some(owner), Some(owner)).expect("chown");
        mode(web, 0o700);
        fs::write(format!("{web}/{name}"), "theirs").expect("a file");
        refused("--vhost");
        refused("--php");
        let meta = fs::metadata(web).expect("it");
        assert_eq!((meta.uid(), meta.mode() & 0o7777), (owner, 0o700), "{name}");
        assert_eq!(fs::read_to_string(format!("{web}/{name}")).expect(name), "theirs");
        fs::remove_file(format!("{web}/{name}")).expect("removed");
    }
    // Nothing waits for a thing that is no file.
    assert!(Command::new("mkfifo").arg(format!("{web}/.htaccess")).status().expect("mkfifo").success());
    refused("--vhost");
    fs::remove_file(format!("{web}/.htaccess")).expect("removed");
    for target in ["/proc/kmsg", "/etc/passwd"] {
        for name in [".htaccess", "index.php"] {
            symlink(target, format!("{web}/{name}")).expect("a link");
            refused("--vhost");
            fs::remove_file(format!("{web}/{name}")).expect("removed");
        }
    }
    // A folder of root's that is closed stays so.
    fs::write(format!("{web}/diary"), "root's").expect("a file");
    mode(web, 0o700);
    refused("--vhost");
    assert_eq!(fs::metadata(web).expect("it").mode() & 0o7777, 0o700);
    fs::remove_file(format!("{web}/diary")).expect("removed");
    // Our own files in a folder that became another's are ours again, and nobody has hold of them.
    setup(&["--php"]).ok();
    let page = format!("{web}/index.php");
    chown(web, Some(HTTP), Some(HTTP)).expect("chown");
    setup(&["--php"]).ok();
    assert_eq!(fs::metadata(web).expect("it").uid(), 0);
    chown(&page, Some(HTTP), Some(HTTP)).expect("chown");
    let mut held = fs::OpenOptions::new().append(true).open(&page).expect("held");
    setup(&["--php"]).ok();
    held.write_all(b"<?php evil();").expect("into nothing");
    assert!(!fs::read_to_string(&page).expect("it").contains("evil"));
    order(&["uninstall"]).ok();
    drop(bare);
}

/// Killed at a bad moment, or damaged: what is ours is put back, and holds up nothing else.
#[test]
fn what_is_damaged_is_mended_or_named() {
    let bare = Bare::installed("true");
    let good = fs::read_to_string(DROP_IN).expect("the drop-in");
    // Half of it, which Apache refuses; as it stood, with what a killed run had set aside, and without.
    for old in [true, false] {
        fs::write(DROP_IN, "<VirtualHost 127.0.0.1:10765>\n").expect("half");
        if old {
            fs::write(format!("{DROP_IN}.old"), &good).expect("set aside");
            fs::write(at("webstation/unproved"), "").expect("a mark");
        }
        order(&["repair", "--boot"]).ok();
        assert_eq!(fs::read_to_string(DROP_IN).expect("the drop-in"), good, "{old}");
        assert!(!["old", "bad", "new"].iter().any(|end| Path::new(&format!("{DROP_IN}.{end}")).exists()), "{old}");
        assert_eq!(status("/"), 200);
        assert_eq!(order(&["repair"]).ok(), WELL);
    }
    // The same where it only loads the module, for a virtual host.
    let cgid = format!("{MODULES}/cgid.conf");
    let was = fs::read_to_string(&cgid).expect("a file");
    fs::write(&cgid, "").expect("not loaded");
    setup(&["--vhost"]).ok();
    let good = fs::read_to_string(DROP_IN).expect("the drop-in");
    fs::write(DROP_IN, good.replace("mod_cgid", "mod_gone")).expect("moved by an update");
    order(&["repair", "--boot"]).ok();
    assert_eq!(fs::read_to_string(DROP_IN).expect("the drop-in"), good);
    assert_eq!(order(&["repair"]).ok(), WELL);
    fs::write(&cgid, was).expect("as it was");
    // A text is put in place anew; a program comes with a package alone.
    fs::remove_file(at("webstation/sudoers")).expect("removed");
    assert_eq!(order(&["repair"]).ok(), "  done   webstation/sudoers is new\n");
    fs::remove_file(at("remotetask-keep")).expect("removed");
    assert_eq!(the_fault(&order(&["repair"])), "/usr/local/remotetask/remotetask-keep is missing.");
    assert!(setup(&[]).ok().contains("  done   remotetask-keep is new\n"));
    drop(bare);
}

/// A configuration that was moved away may come back: its keys stay.
#[test]
fn keys_of_a_configuration_that_was_moved_away() {
    let bare = Bare::installed("true");
    bench(&["key", "new", "--label", "guest"]).ok();
    let keys = fs::read(at("keys.json")).expect("keys.json");
    fs::rename(at("config.json"), at("moved.json")).expect("away");
    unpack();
    let plain = format!("{{\"magickey\": \"{MAGIC}\", \"tasks\": {{\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"]}}}}}}");
    fs::write(format!("{PACKAGE}/config.json"), plain).expect("a configuration");
    let done = package(&["setup"]);
    assert!(done.ok().contains("  done   the keys that were there are in keys.json.old now: "), "{}", done.out);
    assert_eq!(fs::read(at("keys.json.old")).expect("kept"), keys);
    assert_eq!(who_and_mode("keys.json.old"), (0, 0, 0o600));
    // And again.
    let second = fs::read(at("keys.json")).expect("keys.json");
    fs::rename(at("config.json"), at("moved.json")).expect("away");
    package(&["setup"]).ok();
    assert_eq!(fs::read(at("keys.json.old")).expect("kept"), keys);
    assert_eq!(fs::read(at("keys.json.old.2")).expect("kept"), second);
    order(&["uninstall", "--keep-config"]).ok();
    assert!(fs::metadata(at("keys.json.old")).is_ok());
    drop(bare);
}

/// Neither Apache nor PHP: it is said before anything is changed.
#[test]
fn a_box_without_a_way_in() {
    let bare = Bare::new();
    let before = tree();
    fs::rename("/usr/local/bin/httpd24", "/usr/local/bin/httpd24.away").expect("away");
    let refused = setup(&[]);
    fs::rename("/usr/local/bin/httpd24.away", "/usr/local/bin/httpd24").expect("back");
    let expected = "remotetask: this NAS has no Apache 2.4: install \"Apache HTTP Server 2.4\" in DSM's Package Center, then run this again.";
    assert_eq!((refused.code, &*refused.err, &*refused.out), (Some(1), expected, ""));
    same(&before, &tree());
    drop(bare);
}

/// PHP hands requests over where Apache runs no programs, or is not there; the best way is found out.
#[test]
fn by_php_where_nothing_better_works() {
    let bare = Bare::new();
    let before = tree();
    let cgid = format!("{MODULES}/cgid.conf");
    let was = fs::read_to_string(&cgid).expect("a file");
    let modules = ["cgid", "cgi"].map(|name| format!("/usr/lib/apache2/modules/mod_{name}.so"));
    let without = |line: &str| {
        fs::write(&cgid, "").expect("not loaded");
        modules.iter().for_each(|module| fs::rename(module, format!("{module}.away")).expect("away"));
        let done = setup(&[]);
        let vhost = setup(&["--vhost"]);
        modules.iter().for_each(|module| fs::rename(format!("{module}.away"), module).expect("back"));
        fs::write(&cgid, &was).expect("as it was");
        assert!(done.ok().contains(line), "{}", done.out);
        (done, vhost)
    };
    fs::create_dir("/var/packages/PHP8.2").expect("a package");
    let (done, vhost) =
        without("\n  advice the entry point is by PHP, because this Apache has no module that runs programs\n");
    assert!(done.out.contains("  done   /volume1/web/remotetask is laid out\n"), "{}", done.out);
    assert!(done.out.contains("HTTP back-end server   Apache HTTP Server 2.4\n"), "{}", done.out);
    let expected = "this Apache has no module that runs programs: take the entry point by PHP, --php";
    assert_eq!(the_fault(&vhost), expected);
    // The owner has clicked.
    let server = super::php::by_apache("");
    setup(&["--php"]).ok();
    assert!(bench(&["prove", "--url", "http://127.0.0.1:10765"]).ok().contains("good   all of the way works"));
    drop(server);
    for (name, shipped) in [("index.php", "php/index.php"), (".htaccess", "php/.htaccess")] {
        let shipped = fs::read_to_string(format!("{}/webstation/{shipped}", env!("CARGO_MANIFEST_DIR"))).expect(name);
        assert_eq!(fs::read_to_string(format!("/volume1/web/remotetask/{name}")).expect(name), shipped);
    }
    assert_eq!(order(&["repair"]).ok(), WELL);
    // It is a folder of either kind, and never of both.
    setup(&["--vhost"]).ok();
    assert!(!Path::new("/volume1/web/remotetask/index.php").exists());
    setup(&["--php"]).ok();
    assert!(!Path::new("/volume1/web/remotetask/remotetask.cgi").exists());
    order(&["uninstall"]).ok();

    fs::rename("/usr/local/bin/httpd24", "/usr/local/bin/httpd24.away").expect("away");
    let (nginx, _) = without("\n  advice the entry point is by PHP, because there is no Apache 2.4 here\n");
    fs::rename("/usr/local/bin/httpd24.away", "/usr/local/bin/httpd24").expect("back");
    assert!(nginx.out.contains("     Then one file more, for nginx: docs/web.md, "));
    order(&["uninstall"]).ok();
    fs::remove_dir("/var/packages/PHP8.2").expect("removed");
    same(&before, &tree());
    drop(bare);
}

/// A virtual host's Apache must load what runs programs as well.
#[test]
fn by_a_virtual_host_where_nobody_loads_the_module() {
    let bare = Bare::new();
    let before = tree();
    let cgid = format!("{MODULES}/cgid.conf");
    let was = fs::read_to_string(&cgid).expect("a file");
    fs::write(&cgid, "").expect("not loaded");
    let host = "Listen 127.0.0.1:10765\n<VirtualHost 127.0.0.1:10765>\nDocumentRoot \"/volume1/web/remotetask\"\n\
        <Directory /volume1/web>\nAllowOverride All\nRequire all granted\n</Directory>\n</VirtualHost>\n";
    fs::write(format!("{MODULES}/more.conf"), host).expect("more");
    let done = setup(&["--vhost"]);
    assert!(done.ok().contains("  done   Apache loads what runs programs, and has no port of its own for it\n"));
    assert_eq!(status("/"), 200);
    assert_eq!(order(&["repair"]).ok(), WELL);
    order(&["uninstall"]).ok();
    fs::write(&cgid, was).expect("as it was");
    fs::remove_file(format!("{MODULES}/more.conf")).expect("as it was");
    same(&before, &tree());
    drop(bare);
}

/// A dry run goes the same way: what there is to do is what is done then, and before that nothing is changed.
#[test]
fn a_dry_run_says_what_is_done_then() {
    let bare = Bare::new();
    let both = |setup_again: bool, arguments: &[&str], lines: usize| {
        let run = |more: &[&str]| match setup_again {
            true => setup(&[arguments, more].concat()),
            false => order(&[arguments, more].concat()),
        };
        let before = tree();
        let dry = run(&["--dry-run"]);
        same(&before, &tree());
        let wet = run(&[]);
        let marked = |said: &Said, mark: &str| -> Vec<String> {
            said.ok().lines().filter_map(|line| line.strip_prefix(mark).map(str::to_owned)).collect()
        };
        let (to_do, done) = (marked(&dry, "  to do  "), marked(&wet, "  done   "));
        assert_eq!(to_do, done, "{arguments:?}");
        assert_eq!(done.len(), lines, "{arguments:?}: {done:?}");
        let end = if lines == 0 { "there is nothing to do.\n" } else { "Nothing was changed.\n" };
        assert!(dry.out.ends_with(end), "{}", dry.out);
    };
    let services = || fs::read_to_string("/run/services").expect("calls").lines().count();
    both(true, &[], 5);
    both(true, &[], 0);
    both(false, &["repair"], 0);
    let calls = services();
    // The files that an update takes.
    for file in [RULE, DROP_IN, "/usr/local/bin/remotetask", "/usr/local/etc/rc.d/remotetask.sh"] {
        fs::remove_file(file).expect("wiped");
    }
    mode(&at("remotetask-run"), 0o755);
    both(false, &["repair"], 5);
    assert_eq!(services(), calls + 1, "Apache was restarted once");
    for name in ["remotetask-cgi", "webstation/remotetask.conf"] {
        // Not written over: it may still be running.
        fs::remove_file(at(name)).expect("removed");
        fs::write(at(name), "older").expect("older");
    }
    both(true, &[], 2);
    both(true, &["--vhost"], 2);
    both(true, &["--php"], 2);
    both(true, &["--port"], 2);
    both(false, &["uninstall", "--keep-config"], 5);
    both(true, &[], 5);
    bench(&["tasks", "add", "t", "--", "/bin/true"]).ok();
    both(false, &["uninstall", "--keep-config"], 5);
    both(true, &[], 15);
    both(false, &["uninstall"], 5);
    let dry = setup(&["--dry-run", "--vhost"]);
    assert!(!dry.ok().contains("Now in DSM"), "{}", dry.out);
    drop(bare);
}

/// Closing a file would make valid what another user has put into it: it stays refused, whatever is ordered.
#[test]
fn what_another_user_wrote_is_never_closed() {
    let bare = Bare::installed("echo ran >>$T/ran");
    bench(&["key", "new", "--label", "guest"]).ok();
    fs::write(at("start.html"), "mine").expect("a page");
    mode(&at("start.html"), 0o644);
    let config = fs::read_to_string(at("config.json")).expect("config.json");
    let theirs = config.replace("ran >>", "theirs >>");
    for (name, kept_mode, sentence) in [
        ("config.json", 0o640, "Others than root can change /usr/local/remotetask/config.json (it belongs to "),
        ("keys.json", 0o600, "Others than root can change /usr/local/remotetask/keys.json (it belongs to "),
        ("start.html", 0o644, "Others than root can change /usr/local/remotetask/start.html (it belongs to "),
    ] {
        let good = fs::read(at(name)).expect(name);
        let (_, group, _) = who_and_mode(name);
        for (owner, bits) in [(0, 0o666), (1026, kept_mode), (HTTP, 0o600), (0, kept_mode | 0o020)] {
            if name == "config.json" {
                fs::write(at(name), &theirs).expect("theirs");
            }
            chown(at(name), Some(owner), Some(group)).expect("chown");
            mode(&at(name), bits);
            let before = who_and_mode(name);
            let content = fs::read(at(name)).expect(name);
            for words in [&["repair"][..], &["repair", "--boot"], &["setup"], &["repair", "--dry-run"]] {
                let said = if words[0] == "setup" { setup(&[]) } else { order(words) };
                assert!(said.out.contains(sentence), "{name} {owner} {bits:o} {words:?}: {}", said.out);
                assert_eq!(said.code == Some(1), name != "start.html", "{words:?}: {}", said.out);
                assert!(said.out.contains("\n           sudo chmod "), "{}", said.out);
                assert_eq!(
                    (who_and_mode(name), fs::read(at(name)).expect(name)),
                    (before, content.clone()),
                    "{words:?}"
                );
            }
            // The same words by check.
            let check = bench(&["check"]).out.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(check.contains(sentence), "{check}");
            if name == "config.json" {
                assert!([404, 500].contains(&status(&format!("/{MAGIC}/{TASK}"))));
                assert!(!Path::new("/run/effects/theirs").exists());
            }
        }
        fs::write(at(name), good).expect(name);
        chown(at(name), Some(0), Some(group)).expect("chown");
        mode(&at(name), kept_mode);
    }
    assert_eq!(order(&["repair"]).ok(), WELL);
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 200);
    assert_eq!(bare.nas.effect("ran"), "ran\n");
    // The folder of all of them.
    mode(FOLDER, 0o777);
    let said = order(&["repair", "--boot"]);
    assert!(said.out.contains("Others than root can change what lies in /usr/local/remotetask "), "{}", said.out);
    assert_eq!(who_and_mode("").2, 0o777);
    mode(FOLDER, 0o755);
}

/// The entry point's note says which files are put in place: one that others could have written is not followed.
#[test]
fn a_note_that_others_could_write_is_not_followed() {
    let bare = Bare::installed("true");
    let (before, way) = (tree(), at("webstation/way"));
    fs::write(&way, "php\n").expect("theirs");
    mode(&way, 0o666);
    let said = order(&["repair"]);
    assert!(
        said.code == Some(1) && said.out.contains("Others than root can change /usr/local/remotetask/webstation/way "),
        "{}",
        said.out
    );
    assert!(!Path::new("/volume1/web/remotetask").exists() && Path::new(DROP_IN).exists());
    let made = at("webstation/made");
    fs::write(&made, "/run/victim\n").expect("theirs");
    mode(&made, 0o666);
    fs::create_dir_all("/run/victim").expect("a folder");
    fs::remove_file(&way).expect("as check says");
    assert!(setup(&["--port"]).code == Some(1));
    order(&["uninstall"]).ok();
    assert!(Path::new("/run/victim").exists());
    drop((bare, before));
}

/// An owner moves to a new NAS with a configuration that holds digests alone.
#[test]
fn a_configuration_of_digests_alone() {
    let _bare = Bare::new();
    unpack();
    let (magic, task) = (sealed(MAGIC), sealed(TASK));
    let text = format!("{{\"magickey\": \"{magic}\", \"tasks\": {{\"t\": {{\"identifier\": \"{task}\", \"command\": [\"/bin/true\"]}}}}}}");
    fs::write("/run/config.json", text).expect("a configuration");
    package(&["setup", "--config", "/run/config.json"]).ok();
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 200);
    assert_eq!(who_and_mode("config.json"), (0, HTTP, 0o640));
}

/// A program comes with a package, a text with the program: neither is believed for being there.
#[test]
fn a_program_that_others_could_write_is_put_anew() {
    let bare = Bare::installed("true");
    let installed = tree();
    for (name, good) in [("remotetask-keep", 0o700), ("remotetask-cgi", 0o711)] {
        let program = fs::read(at(name)).expect(name);
        chown(at(name), Some(HTTP), Some(HTTP)).expect("chown");
        let before = (who_and_mode(name), program.clone());
        for words in [&["repair"][..], &["repair", "--boot"]] {
            let expected = format!("Others than root can change the program /usr/local/remotetask/{name} (it belongs to http, mode 0{good:o}).");
            assert_eq!(the_fault(&order(words)), expected);
            assert_eq!((who_and_mode(name), fs::read(at(name)).expect(name)), before);
        }
        fs::write(at(name), "theirs").expect("theirs");
        mode(&at(name), 0o777);
        let again = setup(&[]);
        assert!(
            again.ok().contains(&format!("  done   {name} is put in place anew, because others could write it\n")),
            "{}",
            again.out
        );
        assert_eq!((who_and_mode(name), fs::read(at(name)).expect(name)), ((0, 0, good), program));
    }
    mode(&at("webstation/sudoers"), 0o666);
    fs::write(at("webstation/sudoers"), "http ALL=(ALL) NOPASSWD: ALL\n").expect("theirs");
    assert_eq!(
        order(&["repair", "--boot"]).ok(),
        "  done   webstation/sudoers is put in place anew, because others could write it\n"
    );
    same(&installed, &tree());
    drop(bare);
}

/// Installed by the version whose half on the NAS was a shell script, then upgraded, repaired and taken away.
#[test]
fn an_upgrade_from_the_version_with_nas_sh() {
    let bare = Bare::new();
    let before = tree();
    unpack();
    let previous = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nas/previous");
    let texts = concat!(env!("CARGO_MANIFEST_DIR"), "/webstation");
    fs::create_dir_all(format!("{PACKAGE}/webstation/php")).expect("a folder");
    for name in ["sudoers", "remotetask.conf", ".htaccess", "php/index.php", "php/.htaccess", "php/nginx.conf"] {
        fs::copy(format!("{texts}/{name}"), format!("{PACKAGE}/webstation/{name}")).expect("copy");
    }
    fs::copy(format!("{previous}/nas.sh"), format!("{PACKAGE}/nas.sh")).expect("copy");
    fs::rename(format!("{PACKAGE}/remotetask"), "/run/remotetask.now").expect("away");
    fs::copy(format!("{previous}/remotetask"), format!("{PACKAGE}/remotetask")).expect("copy");
    let old = fs::read_to_string(format!("{PACKAGE}/remotetask")).expect("it");
    fs::write(format!("{PACKAGE}/remotetask"), old.replace("${0%/*}", "/run")).expect("written");
    by("/bin/dash", &[&format!("{PACKAGE}/nas.sh"), "setup"]).ok();
    let argv = "[\"/bin/sh\", \"-c\", \"echo ran >>/run/effects/ran\"]";
    bare.nas.sealed_config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": {argv}}}"));
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 200);
    assert!(fs::read_to_string(BOOT).expect("the boot script").contains("nas.sh start"));
    let kept = ["config.json", "log.txt"].map(|name| fs::read(at(name)).expect(name));

    let upgrade = setup(&[]);
    for line in [
        "  done   remotetask is new\n",
        "  done   nas.sh of an earlier version is gone\n",
        "  advice If you made a task for DSM's boot that starts /usr/local/remotetask/nas.sh, ",
        "  done   DSM's boot repairs what an update takes (/usr/local/etc/rc.d/remotetask.sh)\n",
    ] {
        assert!(upgrade.ok().contains(line), "{line}: {}", upgrade.out);
    }
    assert!(
        !fs::read_to_string(BOOT).expect("the boot script").contains("nas.sh") && !Path::new(&at("nas.sh")).exists()
    );
    assert_eq!(["config.json", "log.txt"].map(|name| fs::read(at(name)).expect(name)), kept);
    assert_eq!(setup(&[]).ok(), WELL);
    assert_eq!(by("/bin/sh", &[BOOT, "start"]).ok(), WELL);
    assert!(bench(&["check"]).out.contains("everything that can be looked at from here works"));
    assert_eq!(status(&format!("/{MAGIC}/{TASK}")), 200);
    assert_eq!(bare.nas.effect("ran"), "ran\nran\n");

    // The lock of one of its orders that still is at work: waited for, and not at boot.
    let stat = fs::read_to_string("/proc/self/stat").expect("this process");
    let started = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(19)).expect("its start").to_owned();
    symlink(format!("{}-{started}", std::process::id()), "/usr/local/remotetask.lock").expect("a lock");
    let busy = order(&["repair", "--boot"]);
    assert!(busy.code == Some(1) && busy.err.contains("another order changes this installation"), "{busy:?}");
    fs::remove_file("/usr/local/remotetask.lock").expect("given up");

    order(&["uninstall"]).ok();
    same(&before, &tree());
}
