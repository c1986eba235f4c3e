//! The user of a phone, by clicks in a real Chromium whose pages may run no script.

use serde_json::{json, Value};

use super::first_hour::bench;
use super::install::{setup, Bare};
use super::servers::by_port;
use super::*;
use crate::browser::Browser;

const PANEL: &str = "panel-key-of-a-phone";

/// A key of a task, as long as any.
fn key(task: &str) -> String {
    format!("key-of-{task}-a1b2c3")
}

/// Tasks that note each start; `gate` runs until somebody writes to its pipe.
fn tasks(nas: &Nas) {
    let command = |line: &str| serde_json::to_string(&["/bin/sh", "-c", line]).expect("JSON");
    let task = |id: &str, name: &str, line: &str, more: &str| {
        let argv = command(&format!("echo {id} >>/run/effects/effect; {line}"));
        format!("\"{id}\": {{\"identifier\": \"{}\", \"name\": \"{name}\", \"command\": {argv}{more}}}", key(id))
    };
    let all = [
        task("check", "Check off", "exit 0", ""),
        task("gate", "Backup to the cellar", "read -r word </run/effects/gate", ", \"wait\": 0, \"stop\": true"),
        task("bad", "Garage gate", "echo 'the motor does not answer' >&2; exit 3", ", \"output\": true"),
        task("long", &"Donaudampfschiff".repeat(5), "exit 0", ""),
        task("rtl", "גיבוי למרתף <b>", "exit 0", ", \"get\": \"confirm\""),
    ];
    let server = format!(
        "{{\"title\": \"Home NAS\", \"panel\": \"{PANEL}\", \"magickey\": [{{\"label\": \"Anna’s phone\", \"key\": \"{MAGIC}\"}}]}}"
    );
    nas.raw_config(&format!("{{\"server\": {server}, \"tasks\": {{{}}}}}", all.join(", ")));
    assert!(Command::new("mkfifo").arg("/run/effects/gate").status().expect("mkfifo").success());
}

/// Ends what waits at the gate.
fn open_the_gate() {
    fs::write("/run/effects/gate", "word\n").expect("written");
}

fn panel(server: &Server) -> String {
    format!("http://127.0.0.1:{}/{MAGIC}/{PANEL}", server.port)
}

fn button(task: &str) -> String {
    format!("button[name=task][value={task}]")
}

/// The link that a phone scans off a terminal in which root types this.
#[track_caller]
fn scanned(words: &str) -> String {
    let line = format!("{} {words}", at("remotetask"));
    let typed = Command::new("script").args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").output();
    let shown = String::from_utf8_lossy(&typed.expect("script").stdout).replace("\r\n", "\n");
    let codes = seen_on(&shown, true);
    assert_eq!((codes.len(), &codes), (1, &seen_on(&shown, false)), "{shown}");
    codes.into_iter().next().expect("one")
}

/// Lets an hour pass for everything that has run.
fn an_hour_passes() {
    for path in walk(&at("state")).iter().filter(|path| path.ends_with(".json")) {
        let mut record: Value = serde_json::from_slice(&fs::read(path).expect("a record")).expect("JSON");
        for time in ["started", "ended"] {
            record[time] = json!(record[time].as_u64().map(|time| time - 3_600_000));
        }
        fs::write(path, record.to_string()).expect("written");
    }
}

/// Goes back over every page there was, with a reload of each: nothing starts.
fn goes_all_the_way_back(browser: &Browser, starts: usize) {
    for _ in 0..browser.number("history.length") {
        browser.reload();
        assert_eq!(count("effect"), starts, "a reload of {}", browser.url());
        browser.back();
        assert_eq!(count("effect"), starts, "back to {}", browser.url());
    }
}

/// The whole play: from the code on the owner's screen to the last step back.
#[test]
fn exactly_one_run_a_press_of_a_fresh_page() {
    let bare = Bare::new();
    let nas = &bare.nas;
    let _address = HomeAddress::new();
    setup(&["--port"]).ok();
    tasks(nas);
    let anna = scanned("phone home --url http://192.168.1.20");
    let panel = scanned("key new --label 'Bert’s phone'");
    assert!(panel.starts_with("http://192.168.1.20:10765/") && panel.ends_with(PANEL) && panel != anna, "{panel}");
    let browser = Browser::new(390, false, "en-US");

    browser.open(&panel);
    assert_eq!(
        (browser.title(), browser.page().matches("Never started").count(), count("effect")),
        ("Home NAS".into(), 5, 0)
    );
    browser.fits(390);

    // It starts, is seen to run and to end, without a hand.
    browser.press(&button("gate"));
    browser.sees("Running");
    assert_eq!(nas.effect_awaited("effect"), "gate\n");
    until("the panel again, which looks by itself", || {
        browser
            .page()
            .contains("usually")
            .then_some(())
            .or_else(|| (!browser.page().contains("Back to all tasks")).then_some(()))
    });
    assert!(browser.page().contains("<progress"), "{}", browser.page());
    open_the_gate();
    browser.sees("Done");
    assert_eq!((browser.url(), count("effect")), (panel.clone(), 1));

    // A press of a fresh page, a double tap of another, and the reload of an answer.
    browser.press(&button("check"));
    assert!(browser.page().contains("class=\"state ok answer\""), "{}", browser.page());
    assert_eq!(count("effect"), 2);
    browser.reload();
    assert!(browser.page().contains("Nothing was started a second time"), "{}", browser.page());
    browser.press("a[href='']");
    assert_eq!((browser.page().contains("state ok answer"), count("effect")), (false, 2));
    browser.press_twice(&button("check"));
    browser.sees("Done");
    until("the third start", || (count("effect") == 3).then_some(()));
    browser.press(&button("bad"));
    assert!(
        browser.page().contains("sudo remotetask log") && browser.page().contains("exit code 3"),
        "{}",
        browser.page()
    );
    assert_eq!(count("effect"), 4);

    // Stop, where the task has it.
    browser.open(&panel);
    browser.press(&button("gate"));
    browser.sees("Running");
    browser.press("button.stop");
    browser.sees("Stopped");
    assert_eq!((browser.url(), count("effect")), (panel.clone(), 5));

    // Put away for an hour with an answer on its screen, which is asked for again; and with a fresh page, pressed twice.
    browser.open(&panel);
    browser.press(&button("check"));
    an_hour_passes();
    browser.reload();
    assert!(browser.page().contains("Nothing was started a second time"), "{}", browser.page());
    browser.press("a[href='']");
    an_hour_passes();
    browser.press_twice(&button("check"));
    browser.sees("Done");
    until("the seventh start", || (count("effect") == 7).then_some(()));
    goes_all_the_way_back(&browser, 7);
    let status = bench(&["status"]);
    assert_eq!(status.ok().matches("by Bert").count(), 3, "{}", status.out);
}

#[test]
fn a_page_of_one_task_and_a_machines_address() {
    let nas = Nas::new();
    tasks(&nas);
    let server = by_port("cgid");
    let browser = Browser::new(390, true, "de-DE");
    let url = |task: &str| format!("http://127.0.0.1:{}/{MAGIC}/{}", server.port, key(task));

    let ask = format!("{}?ask", url("check"));
    browser.open(&ask);
    assert_eq!((browser.title(), count("effect")), ("Check off".into(), 0));
    browser.sees("Noch nie gestartet");
    browser.press("button");
    browser.sees("Fertig");
    assert_eq!((browser.url(), count("effect")), (ask.clone(), 1));
    browser.reload();
    assert_eq!(count("effect"), 1);
    browser.press("a[href='?ask']");
    browser.press_twice("button");
    until("the second start", || (count("effect") == 2).then_some(()));
    browser.open(&ask);
    browser.sees("Fertig");
    assert!(browser.page().contains("Letzte 2 Läufe: 2 fertig"), "{}", browser.page());
    goes_all_the_way_back(&browser, 2);

    // A machine's address, opened by a person: it starts once, and moves on.
    browser.open(&url("long"));
    until("that it moves on", || browser.url().ends_with("?status").then_some(()));
    assert_eq!(count("effect"), 3);
    browser.fits(390);
    goes_all_the_way_back(&browser, 3);
    // One that asks first shows its name as it is.
    browser.open(&url("rtl"));
    assert_eq!((browser.title(), count("effect")), ("גיבוי למרתף <b>".into(), 3));
    browser.press("button");
    browser.sees("Fertig");
    assert_eq!(count("effect"), 4);
}

/// The faults that axe-core finds in the page, each by its rule and the first place. That a page looks again by itself is
/// one of its rules (meta-refresh), and the only way without a script.
fn faults(browser: &Browser, axe: &str) -> Value {
    let script = format!(
        "{axe}; const done = arguments[0]; axe.run({{rules: {{'meta-refresh': {{enabled: false}}}}}})\
         .then(found => done(found.violations.map(one => one.id + ' ' + one.nodes[0].html)), fault => done(String(fault)))"
    );
    browser.order("/execute/async", json!({"script": script, "args": []}))
}

/// Gives the recorded runs of a task these durations, in seconds.
fn make_longer(task: &str, durations: &[u64]) {
    let mut records: Vec<String> = walk(&at(&format!("state/task-{task}")));
    records.retain(|path| path.ends_with(".json"));
    records.sort();
    assert_eq!(records.len(), durations.len());
    for (path, seconds) in records.iter().zip(durations) {
        let mut record: Value = serde_json::from_slice(&fs::read(path).expect("a record")).expect("JSON");
        record["duration_ms"] = json!(seconds * 1000);
        if *seconds == 40 {
            (record["state"], record["exit"]) = (json!("failed"), json!(1));
        }
        fs::write(path, record.to_string()).expect("written");
    }
}

/// The pages of docs/pictures, and each width in both colours.
#[test]
fn long_every_width_in_both_colours() {
    let nas = Nas::new();
    tasks(&nas);
    let server = by_port("cgid");
    let panel = panel(&server);
    let ask = format!("http://127.0.0.1:{}/{MAGIC}/{}?ask", server.port, key("gate"));
    let post = |task: &str| {
        server.request("POST", &format!("/{MAGIC}/{}", key(task)), "Content-Length: 0\r\n", "");
    };
    for _ in 0..8 {
        post("gate");
        open_the_gate();
        until("its end", || {
            server.get(&format!("/{MAGIC}/{}?status", key("gate"))).body.contains("(finished").then_some(())
        });
    }
    ["check", "bad"].into_iter().for_each(post);
    // As if they had taken their time.
    make_longer("gate", &[14, 13, 15, 40, 14, 13, 16, 15]);
    make_longer("check", &[5]);
    make_longer("bad", &[2]);
    post("gate");
    // tests/run --all fetches it, where it can.
    let axe = fs::read_to_string("/proc/self/fd/8").ok().filter(|axe| !axe.is_empty());
    for (width, dark, names) in [
        (320, true, [None, None]),
        (320, false, [None, None]),
        (390, false, [Some("panel-light"), Some("task-light")]),
        (390, true, [Some("panel-dark"), None]),
        (1280, false, [Some("panel-desktop"), None]),
        (1280, true, [None, None]),
    ] {
        let browser = Browser::with(width, dark, "en-US", axe.is_some());
        for (url, name) in [&panel, &ask].into_iter().zip(names) {
            browser.open(url);
            browser.fits(width.into());
            if let Some(axe) = &axe {
                assert_eq!(faults(&browser, axe), json!([]), "{width} {url}");
            }
            let background = "getComputedStyle(document.body).backgroundColor === 'rgb(16, 18, 22)' ? 1 : 0";
            assert_eq!(browser.number(background), i64::from(dark), "{width}");
            if let Some(name) = name {
                browser.picture(name);
            }
        }
    }
    let starts = count("effect");
    let browser = Browser::with(390, false, "en-US", axe.is_some());
    browser.open(&panel);
    browser.press(&button("bad"));
    assert!(browser.page().contains("the motor does not answer"), "{}", browser.page());
    browser.picture("failed-light");
    if let Some(axe) = &axe {
        assert_eq!(faults(&browser, axe), json!([]));
        // It can find one: a page that does not say in which language it is.
        browser.number("document.documentElement.removeAttribute('lang')");
        let found = faults(&browser, axe);
        assert!(found[0].as_str().is_some_and(|fault| fault.starts_with("html-has-lang <html>")), "{found}");
    }
    assert_eq!(count("effect"), starts + 1);
    open_the_gate();
}
