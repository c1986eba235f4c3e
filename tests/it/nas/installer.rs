//! `install.sh --try` and `--pack`, as somebody who has just cloned this; the machine is the throw-away one.

use std::io::BufRead;
use std::net::TcpListener;

use super::*;

const CLONE: &str = env!("CARGO_MANIFEST_DIR");

fn install(arguments: &[&str], path: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg(format!("{CLONE}/install.sh")).args(arguments).env("PATH", path);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn with_cargo() -> String {
    std::env::var("REMOTETASK_PATH").expect("tests/nas/enter hands it on")
}

fn done(arguments: &[&str], path: &str) -> (Option<i32>, String, String) {
    let done = install(arguments, path).output().expect("sh");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

fn nobody_left() {
    until("nobody left", || {
        let left = Command::new("ps").args(["-eo", "args="]).output().expect("ps");
        let left = String::from_utf8_lossy(&left.stdout).into_owned();
        (!left.contains("apache2") && !left.contains("remotetask-")).then_some(())
    });
}

#[test]
fn words_that_it_does_not_know() {
    let _nas = Nas::new();
    for arguments in [&["--nonsense"][..], &["--try", "nas"], &[], &["--once"], &["--try", "--help=1"]] {
        let (code, said, complaint) = done(arguments, "/usr/bin:/bin");
        assert_eq!((code, &*said), (Some(2), ""), "{arguments:?}");
        assert!(complaint.contains("Usage: ./install.sh --try"), "{complaint}");
    }
    let (code, said, _) = done(&["--help"], "/usr/bin:/bin");
    assert!(code == Some(0) && said.starts_with("Usage: ./install.sh --try"));
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
}

#[test]
fn it_starts_the_examples_task_through_apache() {
    let _nas = Nas::new();
    // In curl's place a program that notes its words, and is curl.
    fs::create_dir_all("/run/tools").expect("a folder");
    script(Path::new("/run/tools/curl"), "echo \"$*\" >/run/effects/words\nexec /usr/bin/curl \"$@\"");
    let (code, said, complaint) = done(&["--try", "--once"], &format!("/run/tools:{}", with_cargo()));
    assert_eq!((code, &*complaint), (Some(0), ""), "{said}");
    for line in [
        "  the answer:      Task finished: Say hello (",
        "  its effect:      -rw-r--r-- 1 root root 0 ",
        " INFO  finished task=\"hello\" who=#1 ",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let words = fs::read_to_string("/run/effects/words").expect("its words");
    assert!(!words.contains("76sdf") && !words.contains("hjhass"), "{words}");
    nobody_left();
    for log in ["apache/error.log", "log.txt"] {
        let log = fs::read_to_string(format!("{CLONE}/target/try/{log}")).expect("a log");
        assert!(!log.contains("76sdf") && !log.contains("hjhass"), "{log}");
    }
}

/// The owner's own files there are kept.
#[test]
fn a_second_try_keeps_the_configuration_and_the_log() {
    let _nas = Nas::new();
    let config = format!("{CLONE}/target/try/config.json");
    let _ = fs::remove_file(&config);
    assert_eq!(done(&["--try", "--once"], &with_cargo()).0, Some(0));
    let mine = fs::read_to_string(&config).expect("config.json").replace("Say hello", "Say my hello");
    fs::write(&config, &mine).expect("written");
    let (code, said, _) = done(&["--try", "--once"], &with_cargo());
    assert!(
        code == Some(0) && said.contains("Keeping target/try/config.json") && said.contains("Say my hello"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&config).expect("config.json"), mine);
    assert!(fs::read_to_string(format!("{CLONE}/target/try/log.txt")).expect("log.txt").lines().count() >= 2);
    fs::write(&config, mine.replace("76sdf7678fds687", "my-own-magic-key")).expect("written");
    let (code, _, complaint) = done(&["--try", "--once"], &with_cargo());
    let expected = "install.sh: target/try/config.json has no example to call; delete it to get that back\n";
    assert_eq!((code, &*complaint), (Some(1), expected));
    fs::remove_file(&config).expect("removed");
    nobody_left();
}

/// A processor's targets, with musl and with glibc.
fn targets(machine: &str) -> [String; 2] {
    ["musl", "gnu"].map(|library| match machine {
        "armv7l" => format!("armv7-unknown-linux-{library}eabihf"),
        _ => format!("{machine}-unknown-linux-{library}"),
    })
}

/// A Rust of this processor's, with glibc's target alone, in /run/rust; its cargo notes its words and copies the programs.
fn rust_that_copies(rustup: &str) {
    let _ = fs::remove_dir_all("/run/rust");
    fs::create_dir_all("/run/rust").expect("a folder");
    let [_, host] = targets(machine());
    let rustc = format!(
        "case $* in --version) echo 'rustc 1.85.0 (x 2025-02-17)' ;; -vV) echo 'host: {host}' ;; *) echo /run/rust ;; esac"
    );
    script(Path::new("/run/rust/rustc"), &rustc);
    script(Path::new("/run/rust/rustup"), rustup);
    let copies: String = programs()
        .iter()
        .map(|(name, program, _)| format!("cp {} target/$2/release/{name}\n", program.display()))
        .collect();
    let cargo = format!(
        "[ $1 = build ] || exit 0\necho \"$*\" >>/run/rust/built\nwhile [ \"$1\" != --target ]; do shift; done\n\
         mkdir -p target/$2/release\n{copies}"
    );
    script(Path::new("/run/rust/cargo"), &cargo);
}

/// Words of a paragraph, whose lines break between them.
fn flat(said: &str) -> String {
    assert!(said.lines().all(|line| line.chars().count() <= 80), "{said}");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// musl is what an owner gets wherever rustup has it; else glibc, and what that costs.
#[test]
fn a_file_is_built_with_musl_where_rust_has_it() {
    let _nas = Nas::new();
    let pack = || {
        let _ = fs::remove_file("/run/rust/built");
        let (code, said, complaint) = done(&["--pack", machine()], "/run/rust:/usr/bin:/bin");
        assert_eq!((code, &*complaint), (Some(0), ""), "{said}");
        (flat(&said), fs::read_to_string("/run/rust/built").expect("a build"))
    };
    let [musl, glibc] = targets(machine());
    let (adding, without) = (
        format!("Adding Rust's target {musl} by rustup (rustup target add {musl}) ... "),
        format!("This Rust has no target {musl}, so the programs are built with glibc: each request takes "),
    );
    rust_that_copies("exit 1");
    let (said, built) = pack();
    assert!(said.starts_with(&format!("{adding}{without}")), "{said}");
    assert!(said.contains(&format!("Nothing else is different. Building for {glibc} ")), "{said}");
    assert!(built.contains(&format!(" --target {glibc} ")), "{built}");
    fs::remove_file("/run/rust/rustup").expect("removed");
    assert!(pack().0.starts_with(&without));
    rust_that_copies("[ \"$*\" = \"target add $3\" ] && mkdir -p /run/rust/lib/rustlib/$3");
    let (said, built) = pack();
    assert!(said.starts_with(&format!("{adding}Building for {musl} ")), "{said}");
    assert!(built.contains(&format!(" --target {musl} ")), "{built}");
    assert!(pack().0.starts_with(&format!("Building for {musl} ")), "it is there now");
}

/// A PC whose Rust can build for one processor makes that one's file, and says how to get the others.
#[test]
fn a_pc_that_can_build_for_fewer_processors() {
    let _nas = Nas::new();
    rust_that_copies("exit 1");
    let (code, said, complaint) = done(&["--pack"], "/run/rust:/usr/bin:/bin");
    assert_eq!((code, &*complaint), (Some(0), ""), "{said}");
    let file = |machine: &str| format!("target/pack/remotetask-{}-{machine}.run", env!("CARGO_PKG_VERSION"));
    assert!(said.contains(&format!("Made: {}\n", file(machine()))), "{said}");
    let one = flat(&said);
    let others = ["x86_64", "aarch64", "armv7l"].into_iter().filter(|other| *other != machine());
    for other in others.clone() {
        let [target, _] = targets(other);
        let sentence = format!(
            "Left out: {other}, because this Rust cannot build for {other}: type 'rustup target add {target}', or take ready \
             programs by --from."
        );
        assert!(one.contains(&sentence), "{said}");
        assert!(!said.contains(&file(other)), "{said}");
    }
    assert!(said.ends_with("How to go on: docs/install.md, \"Without SSH\"\n"), "{said}");
    // None at all is a fault.
    let other = others.clone().next().expect("another");
    let (code, said, complaint) = done(&["--pack", other], "/run/rust:/usr/bin:/bin");
    assert_eq!((code, &*complaint), (Some(1), "install.sh: no file was made\n"), "{said}");
    assert!(flat(&said).contains(&format!(" Left out: {other}, because ")), "{said}");
}

/// In a container root may make no user namespace; then www-data serves.
#[test]
fn it_works_for_root_without_user_namespaces() {
    let _nas = Nas::new();
    fs::create_dir_all("/run/no-unshare").expect("a folder");
    script(Path::new("/run/no-unshare/unshare"), "exit 1");
    let (code, said, complaint) = done(&["--try", "--once"], &format!("/run/no-unshare:{}", with_cargo()));
    assert_eq!((code, &*complaint), (Some(0), ""), "{said}");
    assert!(said.contains("  its effect:      -rw-r--r-- 1 www-data www-data 0 "), "{said}");
    nobody_left();
    fs::remove_dir_all(format!("{CLONE}/target/try")).expect("remove");
}

/// Somebody who is not root, in a clone of their own; it builds everything anew.
#[test]
fn long_an_ordinary_user() {
    let _nas = Nas::new();
    let home = std::env::var("HOME").expect("HOME");
    let cargo_home = std::env::var("CARGO_HOME").unwrap_or_else(|_| format!("{home}/.cargo"));
    let line = format!(
        "set -e; useradd -m anna; chmod 0755 {home}; cp -r {cargo_home}/registry /home/anna/; \
         mkdir /home/anna/clone; cd {CLONE}; tar -c --exclude=./target --exclude=./.git . | tar -x -C /home/anna/clone; \
         chown -R anna:anna /home/anna; exec setpriv --reuid=anna --regid=anna --clear-groups env HOME=/home/anna \
         CARGO_HOME=/home/anna CARGO_NET_OFFLINE=true RUSTUP_HOME={} /home/anna/clone/install.sh --try --once",
        rustup()
    );
    let done = Command::new("/bin/sh").args(["-c", &line]).env("PATH", with_cargo()).output().expect("sh");
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!((done.status.code(), &*String::from_utf8_lossy(&done.stderr)), (Some(0), ""), "{said}");
    assert!(said.contains("  its effect:      -rw-r--r-- 1 anna anna 0 "), "{said}");
    nobody_left();
}

#[test]
fn it_serves_until_it_is_told_to_end() {
    let _nas = Nas::new();
    for signal in ["-INT", "-TERM"] {
        let mut child = install(&["--try"], &with_cargo()).spawn().expect("sh");
        let mut said = std::io::BufReader::new(child.stdout.take().expect("stdout")).lines();
        assert!(said.any(|line| line.is_ok_and(|line| line.starts_with("Serving on http://127.0.0.1:10765 "))));
        let server = Server::new(Vec::new(), 10765);
        let answer = server.get("/76sdf7678fds687/hjhass665s");
        assert!(answer.status == 200 && like(&answer.body, "Task finished: Say hello (* s)\n"), "{answer:?}");
        assert_eq!(server.get("/76sdf7678fds687/wrong-task-key").status, 404);
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill").success());
        assert_ne!(child.wait().expect("its end").code(), Some(0));
        nobody_left();
    }
}

/// One clear sentence each.
#[test]
fn what_can_stand_in_its_way() {
    let nas = Nas::new();
    let sentence = |path: &str, expected: &str| {
        let (code, said, complaint) = done(&["--try", "--once"], path);
        assert_eq!((code, &*complaint), (Some(1), &*format!("install.sh: {expected}\n")), "{said}");
        nobody_left();
    };
    let listener = TcpListener::bind("127.0.0.1:10765").expect("the port");
    sentence(&with_cargo(), "127.0.0.1:10765 is in use: is another ./install.sh --try still open? End it, or what else serves there, then run this again");
    drop(listener);
    let no_rust =
        "there is no Rust compiler here: install one as https://rustup.rs says (1.85 or newer; just installed? open a new terminal), then run this again";
    sentence("/usr/bin:/bin", no_rust);
    fs::create_dir_all("/run/old").expect("a folder");
    script(Path::new("/run/old/cargo"), "exit 1");
    script(Path::new("/run/old/rustc"), "echo 'rustc 1.84.1 (x 2025-01-27)'");
    sentence("/run/old:/usr/bin:/bin", "Rust 1.84.1 is too old, 1.85 is needed: update it with 'rustup update'");
    // This machine has no network; with the package away it shows.
    fs::rename("/usr/sbin/apache2", "/usr/sbin/apache2.away").expect("rename");
    let (code, said, complaint) = done(&["--try", "--once"], &with_cargo());
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("\nInstalling: apache2-bin\n"), "{said}");
    let expected = "install.sh: these packages could not be installed (no network?): apache2-bin\n";
    assert!(complaint.ends_with(expected), "{complaint}");
    fs::rename("/usr/sbin/apache2.away", "/usr/sbin/apache2").expect("rename");
    let mut bare = install(&["--try", "--once"], &with_cargo());
    let bare = bare
        .env("CARGO_HOME", "/run/empty")
        .env("CARGO_NET_RETRY", "0")
        .env("RUSTUP_HOME", rustup())
        .output()
        .expect("sh");
    let complaint = String::from_utf8_lossy(&bare.stderr).into_owned();
    let expected = "install.sh: cargo could not fetch the packages that this needs; is there a network?\n";
    assert!(bare.status.code() == Some(1) && complaint.ends_with(expected), "{complaint}");
    // Somebody else's clone is not believed.
    chown(CLONE, Some(HTTP), None).expect("chown");
    sentence(
        &with_cargo(),
        "this folder belongs to http, but you are root: run this as http, or clone it again as root",
    );
    chown(CLONE, Some(0), None).expect("chown");
    drop(nas);
}

fn rustup() -> String {
    std::env::var("RUSTUP_HOME").unwrap_or_else(|_| format!("{}/.rustup", std::env::var("HOME").unwrap_or_default()))
}
