//! Sizes and times that do not fit into 32 bits, for the processors that count with those. The files are sparse.

use std::fs::File;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::*;
use crate::workbench::remotetask;

/// The room of 32 bits, in bytes.
const ROOM: u64 = 1 << 32;

fn lengthen(sandbox: &Sandbox, name: &str, more: u64) {
    let file = File::options().write(true).open(sandbox.path(name)).expect(name);
    file.set_len(file.metadata().expect(name).len() + more).expect(name);
}

/// Without its upper bits its size would be that of a sound configuration, and its content would be.
#[test]
fn a_configuration_of_four_gigabytes() {
    let sandbox = Sandbox::with_command("echo started >>$T/effect");
    lengthen(&sandbox, "config.json", ROOM);
    sandbox.start().is_refusal();
    assert!(sandbox.log().ends_with("why=4a it is larger than 1024 KiB\n"), "{}", sandbox.log());
    let check = remotetask(&sandbox, &["check", &sandbox.path("config.json").display().to_string()]);
    assert_eq!(check.code, Some(1), "{check:?}");
    assert!(check.err.contains("it is larger than 1024 KiB"), "{check:?}");
    assert!(!sandbox.path("effect").exists() && !sandbox.path("state").exists());
}

#[test]
fn a_start_page_of_four_gigabytes_is_not_sent() {
    let sandbox = Sandbox::with_command("true");
    sandbox.write("start.html", "<p>hello");
    lengthen(&sandbox, "start.html", ROOM);
    sandbox.get("/a/b").send().is_refusal();
    // It would be searched for keys.
    std::fs::remove_file(sandbox.path("start.html")).expect("remove");
}

#[test]
fn a_log_of_five_gigabytes_loses_its_older_part() {
    let sandbox = Sandbox::with_command("true");
    sandbox.write("log.txt", "old\n");
    lengthen(&sandbox, "log.txt", ROOM + (1 << 30));
    let log = File::options().append(true).open(sandbox.path("log.txt")).expect("log.txt");
    std::io::Write::write_all(&mut &log, b"\nnewest\n").expect("log.txt");
    sandbox.get("/a/b").send().is_refusal();
    let log = sandbox.log();
    assert!(like(&log, "newest\n* WARN  refused *\n"), "{} bytes: {:?}", log.len(), &log[..log.len().min(200)]);
}

/// 2040-01-01 00:00:00 UTC; 32 bits of seconds end in January 2038.
const LATER: Duration = Duration::from_secs(2_208_988_800);

/// A key's last start is the time of a file.
#[test]
fn a_file_of_2040() {
    let sandbox = Sandbox::with_command("true");
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    let used = sandbox.files().into_iter().find(|name| name.starts_with("state/used/")).expect("the key's last use");
    let file = File::options().write(true).open(sandbox.path(&used)).expect("its file");
    file.set_modified(UNIX_EPOCH + LATER + Duration::from_secs(86_400)).expect("2040");
    let list = remotetask(&sandbox, &["key", "list"]);
    assert!(list.ok().contains("last start 2040-01-0"), "{}", list.out);
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    let now = File::open(sandbox.path(&used)).and_then(|file| file.metadata()?.modified()).expect("its file");
    assert!(now.duration_since(SystemTime::now() - Duration::from_secs(3600)).is_ok_and(|age| age < 2 * LATER));
}

#[test]
fn a_run_of_2040_and_a_key_until_2100() {
    let sandbox = Sandbox::with_command("true");
    let config = sandbox.read("config.json");
    let forever = format!("\"magickey\": [{{\"key\": \"{MAGIC}\", \"expires\": \"2100-12-31\"}}]");
    sandbox.raw_config(&config.replace(&format!("\"magickey\": \"{MAGIC}\""), &forever));
    sandbox.start().is_like("200 OK", "Task finished: t (* s)\n");
    let record = sandbox.files().into_iter().find(|name| name.ends_with(".json") && name.contains("task-t"));
    let record = record.expect("its record");
    let text = sandbox.read(&record);
    let started = text.split("\"started\":").nth(1).and_then(|rest| rest.split(',').next()).expect("its start");
    let later = (LATER + Duration::from_secs(86_400)).as_millis();
    sandbox.write(&record, &text.replace(&format!("\"started\":{started}"), &format!("\"started\":{later}")));
    let status = sandbox.get(&format!("/{MAGIC}/{TASK}")).var("QUERY_STRING", "status").send();
    status.is_like("200 OK", "Task: t (finished, started on 2040-01-0*, * s)\n");
}
