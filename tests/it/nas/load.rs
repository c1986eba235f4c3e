//! Two hundred requests at once, refused and accepted ones, with slow and broken bodies among them: each gets an answer, what
//! was answered is what ran, and nobody stays. Figures are printed and not judged: this machine's others share them.
#![allow(clippy::print_stdout)] // figures

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use super::servers::by_port;
use super::*;

const AT_ONCE: usize = 200;
const TASKS: usize = 4;

/// One request, perhaps with a pause and a rest of its body; its status, or the reason why there is none.
fn send(port: u16, head: &str, pause: Duration, rest: &str, waits: bool) -> String {
    let fault = |e: std::io::Error| format!("{:?}", e.kind());
    let exchange = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        stream.write_all(head.as_bytes())?;
        std::thread::sleep(pause);
        let mut answer = Vec::new();
        if waits {
            // A caller that was answered already does not take the rest.
            let _ = stream.write_all(rest.as_bytes());
            stream.read_to_end(&mut answer)?;
        }
        Ok(answer)
    };
    let answer = match exchange() {
        Ok(_) if !waits => return "gone".into(),
        Ok(answer) => String::from_utf8_lossy(&answer).into_owned(),
        Err(e) => return fault(e),
    };
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or("none");
    let whole = head.to_ascii_lowercase().contains(&format!("content-length: {}", body.len()));
    match (status, whole) {
        ("404", true) if body == remotetask::response::START_PAGE => "refused".into(),
        ("200" | "202", true) if body.starts_with("Task finished") || body.starts_with("Task started") => {
            "started".into()
        }
        ("429", true) => "busy".into(),
        ("500", true) if body.starts_with("Task state unknown") => "unknown".into(),
        ("500", true) if body.starts_with("Task not started") => "not started".into(),
        _ => format!("{status}{}", if whole { "" } else { ", not whole" }),
    }
}

fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: nas\r\nConnection: close\r\n{headers}\r\n")
}

/// The kinds of requests in the mixture, one after the other.
fn mixed(port: u16, at: usize) -> String {
    let right = format!("/{MAGIC}/task-key-{}", at % TASKS);
    let wrong = "/wrong-key-of-magic/task-key-0";
    let none = Duration::ZERO;
    match at % 8 {
        0..=2 => send(port, &request("GET", wrong, ""), none, "", true),
        3 => send(port, &request("POST", wrong, "Content-Length: 6\r\n"), Duration::from_millis(500), "abcdef", true),
        // A body that breaks off, and one that is too slow: nothing starts.
        4 => send(port, &(request("POST", &right, "Content-Length: 60\r\n") + "abc"), none, "", false),
        5 => {
            send(port, &(request("POST", &right, "Content-Length: 6\r\n") + "abc"), Duration::from_secs(5), "def", true)
        }
        _ => send(port, &request("POST", &right, "Content-Length: 0\r\n"), none, "", true),
    }
}

/// This many at once, each one after the other until the time is over; how often each answer came.
fn flood(time: Duration, one: impl Fn(usize) -> String + Sync) -> BTreeMap<String, usize> {
    let (next, until) = (AtomicUsize::new(0), Instant::now() + time);
    let (one, next) = (&one, &next);
    let caller = |first: usize| {
        let mut answers = BTreeMap::new();
        let mut at = first;
        while Instant::now() < until {
            *answers.entry(one(at)).or_insert(0) += 1;
            at = next.fetch_add(1, Ordering::Relaxed);
        }
        answers
    };
    std::thread::scope(|threads| {
        let callers: Vec<_> = (0..AT_ONCE).map(|first| threads.spawn(move || caller(first))).collect();
        callers.into_iter().fold(BTreeMap::new(), |mut all, caller| {
            for (answer, count) in caller.join().expect("a caller") {
                *all.entry(answer).or_insert(0) += count;
            }
            all
        })
    })
}

/// Our programs that are there now: how many, and what they have in memory, in KiB.
fn ours() -> (usize, usize) {
    let of = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        status.strip_prefix("Name:\tremotetask").map(str::to_owned)?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        line.trim().split(' ').next()?.parse::<usize>().ok()
    };
    let sizes: Vec<usize> = remotetask::tree::pids().iter().filter_map(of).collect();
    (sizes.len(), sizes.iter().sum())
}

/// The most of them that was seen while something goes on.
fn watched<T>(what: impl FnOnce() -> T) -> (T, usize, usize) {
    let over = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let watcher = threads.spawn(|| {
            let mut most = (0, 0);
            while !over.load(Ordering::Relaxed) {
                let (count, memory) = ours();
                most = (most.0.max(count), most.1.max(memory));
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        let result = what();
        over.store(true, Ordering::Relaxed);
        let (count, memory) = watcher.join().expect("the watcher");
        (result, count, memory)
    })
}

fn loaded() -> Nas {
    let nas = Nas::new();
    let task = |at: usize| {
        let argv = "[\"/bin/sh\", \"-c\", \"echo $REMOTETASK_RUN-$REMOTETASK_TASK >>/run/effects/ran\"]";
        format!("\"p{at}\": {{\"identifier\": \"task-key-{at}\", \"command\": {argv}, \"overlap\": \"parallel\"}}")
    };
    let own = format!("\"t\": {{\"identifier\": \"{TASK}\", \"command\": [\"/bin/true\"], \"overlap\": \"parallel\"}}");
    nas.config(&format!("{}, {own}", (0..TASKS).map(task).collect::<Vec<_>>().join(", ")));
    nas
}

/// Nothing lost, nothing doubled, nobody left.
fn holds(name: &str, nas: &Nas, port: u16, time: Duration) {
    let _ = fs::remove_file("/run/effects/ran");
    let (answers, count, memory) = watched(|| flood(time, |at| mixed(port, at)));
    until("the end of all of ours", || (ours().0 == 0).then_some(()));
    let ran: Vec<String> = nas.effect("ran").lines().map(str::to_owned).collect();
    let count_of = |answer: &str| answers.get(answer).copied().unwrap_or(0);
    println!("{name}: {answers:?}; {} ran; at most {count} processes of ours with {memory} KiB", ran.len());
    let mut once = ran.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), ran.len(), "a run twice");
    // An answer of the server's own may stand for a start that it gave up.
    let known = ["refused", "started", "busy", "unknown", "gone", "not started"];
    let others: usize = answers.iter().filter(|(answer, _)| !known.contains(&&***answer)).map(|(_, count)| count).sum();
    let (started, most) = (count_of("started"), count_of("started") + count_of("unknown") + others);
    assert!((started..=most).contains(&ran.len()), "{} ran, {answers:?}", ran.len());
    assert!(started > 0 && count_of("refused") > 0 && count_of("not started") == 0, "{answers:?}");
    let broken = [format!("{:?}", ErrorKind::WouldBlock), format!("{:?}", ErrorKind::ConnectionRefused)];
    assert!(!broken.iter().any(|kind| answers.contains_key(kind)), "{answers:?}");
    assert!(count <= 3 * AT_ONCE && memory < count.max(1) * 4096, "{count} processes, {memory} KiB");
    // It still serves.
    assert_eq!(send(port, &request("POST", &format!("/{MAGIC}/{TASK}"), ""), Duration::ZERO, "", true), "started");
    let log = nas.log();
    assert!(log.len() < 2 << 20 && log.lines().all(|line| line.starts_with("20") && line.len() > 60), "the log");
}

#[test]
fn some_seconds_of_two_hundred_at_once() {
    let nas = loaded();
    let server = by_port("cgid");
    holds("Apache, some seconds", &nas, server.port, Duration::from_secs(3));
}

#[test]
fn long_two_hundred_at_once_behind_apache() {
    let nas = loaded();
    let server = by_port("cgid");
    holds("Apache, a minute", &nas, server.port, Duration::from_secs(60));
}

#[test]
fn long_two_hundred_at_once_behind_nginx_with_php() {
    let nas = loaded();
    let server = php::by_nginx(&php::fitted(), "");
    holds("nginx with PHP, a minute", &nas, server.port, Duration::from_secs(60));
}

/// The owner's starts, one after the other for this long: how many, and the median and the 99 % of their times, in milliseconds.
fn owners(port: u16, time: Duration) -> (usize, u128, u128) {
    let path = format!("/{MAGIC}/{TASK}");
    let one = || {
        let begun = Instant::now();
        let answer = send(port, &request("POST", &path, ""), Duration::ZERO, "", true);
        assert_eq!(answer, "started");
        begun.elapsed().as_millis()
    };
    let (mut took, until) = (vec![one()], Instant::now() + time);
    while Instant::now() < until {
        took.push(one());
    }
    took.sort_unstable();
    (took.len(), took[took.len() / 2], took[took.len() * 99 / 100])
}

/// A stranger's flood, and what it costs the owner.
fn costs(name: &str, port: u16) {
    const TIME: Duration = Duration::from_secs(20);
    let (alone, over) = (owners(port, TIME), AtomicBool::new(false));
    let stranger = || {
        let mut count = 0;
        while !over.load(Ordering::Relaxed) {
            send(port, &request("GET", "/wrong-key-of-magic/task-key-0", ""), Duration::ZERO, "", true);
            count += 1;
        }
        count
    };
    let (during, refusals) = std::thread::scope(|threads| {
        let strangers: Vec<_> = (0..AT_ONCE).map(|_| threads.spawn(stranger)).collect();
        let during = owners(port, TIME);
        over.store(true, Ordering::Relaxed);
        (during, strangers.into_iter().map(|stranger| stranger.join().expect("a stranger")).sum::<usize>())
    });
    println!(
        "{name}: {} starts of an owner's alone, {} ms by the median, 99 % {} ms; {} beside {refusals} refusals of a stranger's from \
         {AT_ONCE} connections, {} ms, 99 % {} ms",
        alone.0, alone.1, alone.2, during.0, during.1, during.2
    );
    until("the end of all of ours", || (ours().0 == 0).then_some(()));
}

#[test]
fn long_a_strangers_flood_costs_the_owner_time_alone() {
    let _nas = loaded();
    let apache = by_port("cgid");
    costs("Apache", apache.port);
    drop(apache);
    let nginx = php::by_nginx(&php::fitted(), "");
    costs("nginx with PHP", nginx.port);
}
