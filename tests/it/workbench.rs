//! The workbench, as far as it goes in this version: `check`, `--help`, `--version`.

use std::process::Command;

use crate::support::*;

fn remotetask(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, String, String) {
    let done = Command::new(sandbox.path("remotetask")).args(arguments).output().expect("it starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

#[test]
fn check_says_whether_the_configuration_is_valid() {
    let sandbox = Sandbox::with_command("true");
    let shown = sandbox.path("config.json").display().to_string();
    let valid = |path: &str| (Some(0), format!("{path}: valid; magic keys: 1, tasks: 1\n"), String::new());
    assert_eq!(remotetask(&sandbox, &["check"]), valid(&shown));
    std::fs::rename(sandbox.path("config.json"), sandbox.path("other.json")).expect("rename");
    let other = sandbox.path("other.json").display().to_string();
    assert_eq!(remotetask(&sandbox, &["check", &other]), valid(&other));
    std::fs::remove_file(&other).expect("remove");
    let missing = format!("{shown}: No such file or directory (os error 2)\n");
    assert_eq!(remotetask(&sandbox, &["check"]), (Some(1), missing, String::new()));
    sandbox.raw_config("{\n  \"magickey\": \"key-of-me\",\n  \"tasks\": {\"7\": {\"identifier\": \"key-of-me\"}}\n}\n");
    let fault = format!(
        "{shown}:3:43: tasks.\"7\".identifier: the same key stands in this file already; every key must be its own\n\
         Nothing can be started until this is mended.\n"
    );
    assert_eq!(remotetask(&sandbox, &["check"]), (Some(1), fault, String::new()));
}

#[test]
fn the_shipped_example_is_valid() {
    let sandbox = Sandbox::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/config.json.example");
    let (code, said, _) = remotetask(&sandbox, &["check", example]);
    assert_eq!((code, said), (Some(0), format!("{example}: valid; magic keys: 1, tasks: 2\n")));
}

#[test]
fn help_version_and_what_there_is_not() {
    let sandbox = Sandbox::new();
    let (code, said, complaint) = remotetask(&sandbox, &["--help"]);
    assert!(
        code == Some(0)
            && said.contains("Usage: remotetask <COMMAND>")
            && said.contains("check")
            && complaint.is_empty()
    );
    let version = format!("remotetask {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(remotetask(&sandbox, &["--version"]), (Some(0), version, String::new()));
    for arguments in [&[][..], &["nonsense"], &["check", "a", "b"], &["--nonsense"]] {
        let (code, said, complaint) = remotetask(&sandbox, arguments);
        assert!(code == Some(2) && said.is_empty() && complaint.contains("Usage"), "{arguments:?}: {complaint}");
    }
    // A reader that has gone is no fault.
    let line = "\"$0\" --version | true; \"$0\" check /no >&-; echo $?";
    let done = Command::new("/bin/sh").args(["-c", line]).arg(sandbox.path("remotetask")).output().expect("sh");
    assert_eq!((&*done.stdout, &*done.stderr), (&b"1\n"[..], &b""[..]));
}
