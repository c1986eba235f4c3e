//! The life of a run through Apache and real sudo: many at once, what state/ may be like, and a root half that is killed.

use super::boundary::{ask, RUN};
use super::servers::by_port;
use super::*;

const MANY: usize = 50;

/// The statuses of many requests at the same moment, sorted.
fn at_once(server: &Server) -> Vec<u16> {
    let path = format!("/{MAGIC}/{TASK}");
    let mut answers = std::thread::scope(|threads| {
        let calls: Vec<_> = (0..MANY).map(|_| threads.spawn(|| server.get(&path).status)).collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect::<Vec<_>>()
    });
    answers.sort_unstable();
    answers
}

fn gate() {
    assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
}

fn locks() -> usize {
    walk(&at("state")).iter().filter(|name| name.ends_with(".lock")).count()
}

#[test]
fn fifty_at_once_of_a_task_that_skips_start_one() {
    let nas = Nas::with_task("echo started >>$T/effect; read -r word <$T/gate", ", \"wait\": 0");
    gate();
    let server = by_port("cgid");
    assert_eq!(at_once(&server), [vec![202], vec![409; MANY - 1]].concat());
    fs::write("/run/effects/gate", "word\n").expect("written");
    until("its end", || (locks() == 0).then_some(()));
    assert_eq!(nas.effect("effect"), "started\n");
}

#[test]
fn fifty_at_once_of_a_task_that_cools_down_start_one() {
    let nas = Nas::with_task("echo started >>$T/effect", ", \"wait\": 0, \"cooldown\": 3600");
    let server = by_port("cgid");
    let answers = at_once(&server);
    // While it runs it is running; afterwards it cools down.
    let refused = answers[1..].iter().all(|status| [409, 429].contains(status));
    assert!([200, 202].contains(&answers[0]) && refused, "{answers:?}");
    until("its end", || (locks() == 0).then_some(()));
    let then = server.request("GET", &format!("/{MAGIC}/{TASK}"), "Accept: application/json\r\n", "");
    assert_eq!(then.status, 429);
    assert!(
        then.body.contains("\"state\":\"cooling\"")
            && then.headers.iter().any(|line| line.starts_with("Retry-After: 3")),
        "{then:?}"
    );
    assert_eq!(nas.effect("effect"), "started\n");
}

#[test]
fn fifty_at_once_of_a_parallel_task_start_eight() {
    let more = ", \"wait\": 0, \"overlap\": \"parallel\"";
    let nas = Nas::with_task("echo started >>$T/effect; read -r word <$T/gate", more);
    gate();
    let server = by_port("cgid");
    assert_eq!(at_once(&server), [vec![202; 8], vec![429; MANY - 8]].concat());
    until("8 starts", || (count("effect") == 8).then_some(()));
    fs::write("/run/effects/gate", "word\n".repeat(8)).expect("written");
    until("all ends", || (locks() == 0).then_some(()));
    assert_eq!(nas.effect("effect"), "started\n".repeat(8));
}

/// The root half decides: two presses at the same moment are one start.
#[test]
fn a_form_pressed_many_times_at_once_starts_one() {
    let nas = Nas::with_task("echo started >>$T/effect", ", \"overlap\": \"parallel\"");
    let line = ask(MAGIC, TASK).replace("\"browser\"", "\"after\":\"0\",\"browser\"");
    let presses = "for at in 1 2 3 4 5 6 7 8; do printf '%s\\n' \"$1\" | sudo -n \"$2\" & done; wait";
    let answers = nas.http(presses, &[&line, RUN]).text();
    let of = |word: &str| answers.lines().filter(|line| line.contains(&format!("\"is\":\"{word}\""))).count();
    assert_eq!((of("finished"), of("again")), (1, 7), "{answers}");
    assert_eq!(nas.effect("effect"), "started\n");
}

/// Eight forms at once on a task of DSM's, whose turn is its own.
#[test]
fn a_form_for_a_task_of_dsms_starts_one() {
    let nas = Nas::new();
    nas.config(&format!("\"7\": {{\"identifier\": \"{TASK}\", \"cooldown\": 3600}}"));
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    let line = ask(MAGIC, TASK).replace("\"browser\"", "\"after\":\"0\",\"browser\"");
    let presses = "for at in 1 2 3 4; do printf '%s\\n' \"$1\" | sudo -n \"$2\" & done; wait";
    let answers = nas.http(presses, &[&line, RUN]).text();
    let of = |word: &str| answers.lines().filter(|line| line.contains(&format!("\"is\":\"{word}\""))).count();
    assert_eq!((of("started"), of("again")), (1, 3), "{answers}");
    assert_eq!(nas.effect_awaited("seven"), "ran\n");
    nas.start().is_like("429 Too Many Requests", "Task was started a short time ago: 7 (try again in 3* s)\n");
}

fn status(nas: &Nas, accept: &str) -> Answer {
    let line = "exec env -i REQUEST_METHOD=GET REMOTE_ADDR=192.168.1.7 QUERY_STRING=status HTTP_ACCEPT=\"$3\" PATH_INFO=\"$1\" \
        \"$2\" </dev/null";
    nas.http(line, &[&format!("/{MAGIC}/{TASK}"), &at("remotetask-cgi"), accept])
}

/// A task that was deleted in DSM: the start that failed is what the status tells of.
#[test]
fn a_task_that_was_deleted_in_dsm() {
    let nas = Nas::new();
    nas.config(&format!("\"7\": {{\"identifier\": \"{TASK}\", \"cooldown\": 3600}}"));
    let failed = nas.start();
    failed.is_like("500 Internal Server Error", "Task not started: 7 (reference *, see the log)\n");
    let text = failed.text();
    let reference = text.split("(reference ").nth(1).and_then(|rest| rest.split(',').next()).expect("a reference");
    let json = status(&nas, "application/json").json();
    assert_eq!((json["state"].as_str(), json["run"].as_str()), (Some("not_started"), Some(reference)));
    assert!(nas.log().contains(&format!("reference={reference} why=7a ")), "{}", nas.log());
    // It is there again, and nothing has to cool down.
    nas.scheduled(7, "enabled", "echo ran >>/run/effects/seven");
    nas.start().is("202 Accepted", "Task started: 7 (handed to DSM)\n");
    assert_eq!(nas.effect_awaited("seven"), "ran\n");
}

#[test]
fn a_state_that_cannot_be_written() {
    let nas = Nas::with_command("echo started >>$T/effect");
    let mount = |words: &[&str]| assert!(Command::new("mount").args(words).status().expect("mount").success());
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
    mount(&["--bind", &at("state"), &at("state")]);
    mount(&["-o", "remount,ro,bind", &at("state")]);
    for _ in 0..2 {
        nas.start().is_like("500 Internal Server Error", "Task not started: t (reference *, see the log)\n");
        let log = nas.log();
        assert!(log.lines().last().unwrap_or_default().contains("Read-only file system (os error 30)"), "{log}");
        assert_eq!(status(&nas, "application/json").json()["state"], "finished");
    }
    assert!(Command::new("umount").arg(at("state")).status().expect("umount").success());
    assert_eq!(nas.effect("effect"), "started\n");
    nas.start().is_like("200 OK", "Task finished: t (* s)\n");
}

/// A start that fails is answered as such even where the disk takes no record of it, and nothing is left of it.
#[test]
fn a_start_that_fails_on_a_full_disk() {
    let nas = Nas::new();
    nas.config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/no/such\"]}}"));
    nas.start().is_like("500 Internal Server Error", "Task not started: t (reference *, see the log)\n");
    let state = at("state");
    let mount = ["-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", &state];
    assert!(Command::new("mount").args(mount).status().expect("mount").success());
    fs::create_dir(format!("{state}/task-t")).expect("a folder");
    let _ = fs::write(format!("{state}/filler"), vec![0; 128 << 10]);
    for _ in 0..2 {
        nas.start().is_like("500 Internal Server Error", "Task not started: t (reference *, see the log)\n");
        assert!(nas.log().lines().last().unwrap_or_default().contains("why=7b "), "{}", nas.log());
    }
    assert_eq!(status(&nas, "application/json").json()["state"], "never");
    fs::remove_file(format!("{state}/filler")).expect("remove");
    nas.start().is_like("500 Internal Server Error", "Task not started: t (reference *, see the log)\n");
    assert_eq!(status(&nas, "application/json").json()["state"], "not_started");
    assert!(Command::new("umount").arg(&state).status().expect("umount").success());
}

/// Its turn goes with it, and what it had recorded says no more than that it may have been handed over.
#[test]
fn a_root_half_that_is_killed_with_the_turn_in_its_hand() {
    let nas = Nas::new();
    nas.event("x", "echo ran >>/run/effects/x");
    nas.config(&format!("\"t\": {{\"identifier\": \"{TASK}\", \"event\": \"x\"}}"));
    box_is("webapi-hang");
    let call = nas.as_http("printf '%s\\n' \"$1\" | sudo -n \"$2\"", &[&ask(MAGIC, TASK), RUN]);
    let recorded = || walk(&at("state")).iter().any(|name| name.ends_with(".json"));
    until("its record", || recorded().then_some(()));
    let found = Command::new("pgrep").args(["-x", "remotetask-run"]).output().expect("pgrep");
    for pid in String::from_utf8_lossy(&found.stdout).split_whitespace() {
        assert!(Command::new("kill").args(["-KILL", pid]).status().expect("kill").success());
    }
    assert_eq!(finish(call).text(), "");
    status(&nas, "text/plain").is_like("200 OK", "Task: t (it may have been handed to DSM on *)\n");
    box_is("");
    nas.start().is("202 Accepted", "Task started: t (handed to DSM)\n");
    assert_eq!(nas.effect_awaited("x"), "ran\n");
}

/// The program of one task lies on a mount that never answers: another task starts meanwhile, and that one is refused
/// once the mount has gone.
#[test]
fn a_program_that_hangs_holds_up_no_other_task() {
    let nas = Nas::new();
    let hanging = Hanging::mount("/run/effects/disk");
    nas.config(&format!(
        "\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/run/effects/disk/program\"]}}, \
         \"u\": {{\"identifier\": \"another-key-u\", \"command\": [\"/bin/true\"]}}"
    ));
    let call = nas.as_http("printf '%s\\n' \"$1\" | sudo -n \"$2\"", &[&ask(MAGIC, TASK), RUN]);
    let turn = || fs::File::open(at("state/task-t/turn")).ok();
    let is_held = |turn: fs::File| rustix::fs::flock(&turn, rustix::fs::FlockOperation::NonBlockingLockShared).is_err();
    until("its turn", || turn().is_some_and(is_held).then_some(()));
    nas.call(&format!("/{MAGIC}/another-key-u")).is_like("200 OK", "Task finished: u (* s)\n");
    assert!(turn().is_some_and(is_held), "it waits still");
    drop(hanging);
    assert!(finish(call).text().contains("\"step\":\"7b\""));
}

/// A file system without anybody behind it (fuse(4)), for as long as this is there.
struct Hanging(Child);

impl Hanging {
    fn mount(place: &str) -> Hanging {
        fs::create_dir(place).expect("a folder");
        let line = "exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none \"$0\" && \
            echo mounted && read -r word";
        let mut command = Command::new("/bin/bash");
        command.args(["-c", line, place]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("bash");
        let mut said = [0; 8];
        child.stdout.as_mut().expect("stdout").read_exact(&mut said).expect("mounted");
        Hanging(child)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        // A process that waited for it may still be there.
        let _ = Command::new("umount").args(["-l", "/run/effects/disk"]).status();
    }
}
