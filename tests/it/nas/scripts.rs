//! Scheduled tasks by their own scripts, as root and as others.

use super::*;

const CLARA: u32 = 1026;
const BERT: u32 = 1027;

/// Tasks 7, 8 and 9, started by their own scripts.
fn direct(nas: &Nas) {
    nas.config_by(
        "direct",
        &format!(
            "\"7\": {{\"identifier\": \"{TASK}\"}}, \"8\": {{\"identifier\": \"another-key-8\"}}, \
             \"9\": {{\"identifier\": \"another-key-9\"}}"
        ),
    );
    // A folder in which anybody may leave something.
    fs::create_dir("/run/effects/all").expect("a folder");
    mode("/run/effects/all", 0o1777);
}

fn left() -> Vec<String> {
    walk(&at("scripts"))
}

fn not_started(nas: &Nas, why: &str) {
    nas.start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
    let log = nas.log();
    assert!(log.lines().last().unwrap_or_default().ends_with(why), "{why}: {log}");
    assert!(left().is_empty(), "{:?}", left());
}

#[test]
fn a_script_runs_as_its_owner() {
    let nas = Nas::new();
    direct(&nas);
    // Neither of DSM's programs is needed.
    box_without("synoschedtask");
    box_without("synowebapi");
    nas.scheduled(7, "disabled", "id >/run/effects/root; umask >>/run/effects/root; pwd >>/run/effects/root");
    nas.start().is_like("200 OK", "Task finished: 7 (* s)\n");
    assert_eq!(nas.effect("root"), "uid=0(root) gid=0(root) groups=0(root)\n0022\n/\n");
    for defaults in ["Defaults !use_pty\n", "Defaults use_pty\n"] {
        sudoers("aa", defaults);
        let script = "cd /run/effects/all; { id; umask; pwd; echo $HOME $USER; } >clara; echo out; exit 5";
        nas.scheduled_of(CLARA, 7, "enabled", script.as_bytes());
        nas.start().is_like("500 Internal Server Error", "Task failed: 7 (exit code 5, * s)\n");
        let seen = "uid=1026(clara) gid=100(users) groups=100(users),65536(family)\n0022\n/run/effects/all\n\
                    /var/services/homes/clara clara\n";
        assert_eq!(nas.effect("all/clara"), seen, "{defaults}");
        fs::remove_file("/run/effects/all/clara").expect("remove");
        let outputs: Vec<_> = walk(&at("state")).into_iter().filter(|name| name.ends_with(".out")).collect();
        let newest = outputs.iter().max().expect("its output");
        assert_eq!(fs::read_to_string(newest).expect("its output").trim_end(), "out");
    }
    // One that names its program, and one that a signal ends.
    nas.scheduled_of(CLARA, 7, "enabled", b"#!/bin/sh -e\nid -un >/run/effects/all/clara\nfalse\n");
    nas.start().is_like("500 Internal Server Error", "Task failed: 7 (exit code 1, * s)\n");
    assert_eq!(nas.effect("all/clara"), "clara\n");
    nas.scheduled_of(CLARA, 7, "enabled", b"kill -KILL $$");
    nas.start().is_like("500 Internal Server Error", "Task failed: 7 (signal 9, * s)\n");
    assert!(left().is_empty());
}

/// Its file is its owner's to read, and nobody else's; what it says is in no argument list.
#[test]
fn a_script_is_read_by_its_owner_alone() {
    let nas = Nas::new();
    direct(&nas);
    let script = |name: &str| {
        format!(
            "# {name}-secret\necho $0 >/run/effects/all/{name}; read -r word </run/effects/all/gate-{name}; exit 0\n"
        )
    };
    for name in ["root", "clara", "bert"] {
        let gate = format!("/run/effects/all/gate-{name}");
        assert!(Command::new("mkfifo").args(["-m", "666", &gate]).status().expect("mkfifo").success());
    }
    nas.scheduled(7, "enabled", &script("root"));
    nas.scheduled_of(CLARA, 8, "enabled", script("clara").as_bytes());
    nas.scheduled_of(BERT, 9, "enabled", script("bert").as_bytes());
    for key in [TASK, "another-key-8", "another-key-9"] {
        assert_eq!(nas.call(&format!("/{MAGIC}/{key}")).status(), "202 Accepted");
    }
    let path = |name: &str| awaited(Path::new(&format!("/run/effects/all/{name}"))).trim().to_owned();
    let paths = ["root", "clara", "bert"].map(path);
    for (user, own) in [("clara", 1), ("bert", 2), ("http", 9)] {
        let can = |what: &str, path: &str| {
            let words = ["-u", user, "--", "test", what, path];
            Command::new("runuser").args(words).status().expect("runuser").success()
        };
        for (at, path) in paths.iter().enumerate() {
            assert_eq!(can("-r", path), at == own, "{user} {path}");
            assert!(!can("-w", path), "{user} {path}");
        }
        assert!(!can("-r", &at("scripts")) && !can("-w", &at("scripts")), "{user}");
    }
    for process in fs::read_dir("/proc").expect("/proc").flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&line).contains("-secret"));
    }
    assert_eq!(left().len(), 3);
    for name in ["root", "clara", "bert"] {
        fs::write(format!("/run/effects/all/gate-{name}"), "word\n").expect("written");
    }
    until("their ends", || left().is_empty().then_some(()));
}

#[test]
fn an_owner_that_nobody_can_become() {
    let nas = Nas::new();
    direct(&nas);
    nas.scheduled_of(4242, 7, "enabled", b"echo ran >>/run/effects/all/ran");
    not_started(&nas, "why=7e \"/usr/bin/sudo: exit 1, \\\"sudo: unknown user #4242\\\"\"");
    nas.scheduled_of(u32::MAX, 7, "enabled", b"echo ran >>/run/effects/all/ran");
    let path = format!("{STORE}/7.task");
    not_started(&nas, &format!("why=7d \"{path}: its line owner= is \\\"4294967295\\\", no user's number\""));
    nas.scheduled_of(CLARA, 7, "enabled", b"echo ran >>/run/effects/all/ran");
    sudoers("zz", "Defaults:root requiretty\n");
    not_started(&nas, "why=7e \"/usr/bin/sudo: exit 1, \\\"sudo: sorry, you must have a tty to run sudo\\\"\"");
    assert_eq!(count("all/ran"), 0);
}

#[test]
fn a_store_that_others_have_written() {
    let nas = Nas::new();
    direct(&nas);
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/ran");
    let path = format!("{STORE}/7.task");
    // As DSM's own: the group may write it.
    chown(&path, Some(0), Some(101)).expect("chown");
    nas.start().is_like("200 OK", "Task finished: 7 (* s)\n");
    mode(&path, 0o666);
    not_started(&nas, &format!("why=7d \"{path}: others can write it (mode 0666); take that away: chmod o-w\""));
    mode(&path, 0o660);
    chown(&path, Some(CLARA), Some(0)).expect("chown");
    not_started(&nas, &format!("why=7d \"{path}: it belongs to uid 1026, not to uid 0\""));
    fs::remove_file(&path).expect("remove");
    not_started(&nas, &format!("why=7d \"{path}: No such file or directory (os error 2)\""));
    assert_eq!(count("ran"), 1);
    // A folder for scripts that is another's.
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/ran");
    chown(at("scripts"), Some(CLARA), None).expect("chown");
    not_started(&nas, "why=8e \"/usr/local/remotetask/scripts: it belongs to uid 1026, not to uid 0\"");
    assert_eq!(count("ran"), 1);
}

/// A link is root's, and so is all that it leads by.
#[test]
fn a_link_of_others_is_not_followed() {
    let nas = Nas::new();
    direct(&nas);
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/ran");
    let (path, folder) = (format!("{STORE}/7.task"), format!("{STORE}/real"));
    fs::create_dir(&folder).expect("a folder");
    fs::rename(&path, format!("{folder}/7")).expect("rename");
    symlink("real/7", &path).expect("a link");
    nas.start().is_like("200 OK", "Task finished: 7 (* s)\n");
    std::os::unix::fs::lchown(&path, Some(CLARA), None).expect("lchown");
    not_started(&nas, &format!("why=7d \"{path}: it is a link of uid 1026's, and is not followed\""));
    std::os::unix::fs::lchown(&path, Some(0), None).expect("lchown");
    chown(&folder, Some(CLARA), None).expect("chown");
    not_started(&nas, &format!("why=7d \"{path}: it is a link, and others can change {folder} on its way\""));
    chown(&folder, Some(0), None).expect("chown");
    chown(format!("{folder}/7"), Some(CLARA), None).expect("chown");
    not_started(&nas, &format!("why=7d \"{path}: it belongs to uid 1026, not to uid 0\""));
    assert_eq!(count("ran"), 1);
}

/// An installation of clara's own: her tasks alone.
#[test]
fn without_root_only_ones_own() {
    let nas = Nas::new();
    let home = "/run/effects/claras";
    fs::create_dir_all(format!("{home}/store/root")).expect("folders");
    for (name, program, bits) in programs() {
        fs::copy(program, format!("{home}/{name}")).expect("copy");
        mode(&format!("{home}/{name}"), bits);
    }
    let task = |owner: u32| {
        let cmd = base64(b"id -u");
        fs::write(format!("{home}/store/root/7.task"), format!("id=7\nowner={owner}\ncmd={cmd}\n")).expect("the task");
    };
    let server = format!(
        "\"elevate\": [], \"scheduler\": \"direct\", \"synoschedule\": \"{home}/store\", \"magickey\": \"{MAGIC}\""
    );
    let config = format!("{{\"server\": {{{server}}}, \"tasks\": {{\"7\": {{\"identifier\": \"{TASK}\"}}}}}}");
    fs::write(format!("{home}/config.json"), config).expect("config.json");
    task(CLARA);
    assert!(Command::new("chown").args(["-R", "clara:users", home]).status().expect("chown").success());
    let start = || {
        let line = "exec runuser -u clara -- env -i REQUEST_METHOD=GET PATH_INFO=\"$0\" \"$1\" </dev/null";
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line, &format!("/{MAGIC}/{TASK}"), &format!("{home}/remotetask-cgi")]);
        command.current_dir("/").stdout(Stdio::piped()).stderr(Stdio::piped());
        finish(command.spawn().expect("sh"))
    };
    start().is_like("200 OK", "Task finished: 7 (* s)\n");
    for owner in [0, BERT] {
        task(owner);
        start().is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
        let log = fs::read_to_string(format!("{home}/log.txt")).expect("the log");
        let why = format!("why=7e \"task 7 is uid {owner}'s; this installation is uid 1026's alone\"\n");
        assert!(log.ends_with(&why), "{log}");
    }
    drop(nas);
}
