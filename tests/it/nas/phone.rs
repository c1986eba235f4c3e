//! The user of a phone: a real Chromium, by its driver (WebDriver), whose pages may run no script, at a phone's width.

use std::io::{BufRead, BufReader};

use serde_json::{json, Value};

use super::servers::by_port;
use super::*;

const PANEL: &str = "panel-key-of-a-phone";
/// The name of an element in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window.
struct Browser {
    driver: Server,
    session: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.send("DELETE", &format!("/session/{}", self.session), "");
    }
}

impl Browser {
    /// One of this width, with pages in light colours or dark ones, of somebody who prefers this language.
    fn new(width: u32, dark: bool, language: &str) -> Browser {
        Browser::with(width, dark, language, false)
    }

    /// The same; axe-core needs one whose pages may run scripts.
    fn with(width: u32, dark: bool, language: &str, scripts: bool) -> Browser {
        let child = Command::new("chromedriver").arg("--port=9515").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let driver = Server::new(vec![child.expect("chromedriver; tests/run installs it")], 9515);
        let profile = tempfile::tempdir().expect("a folder").keep();
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".into(),
            "--disable-gpu".into(),
            "--disable-dev-shm-usage".into(),
            "--no-first-run".into(),
            "--disable-background-networking".into(),
            "--disable-component-update".into(),
            "--disable-sync".into(),
            "--hide-scrollbars".into(),
            format!("--accept-lang={language}"),
            format!("--user-data-dir={}", profile.display()),
        ];
        if dark {
            arguments.push("--blink-settings=preferredColorScheme=0".into());
        }
        let options = json!({
            "binary": "/usr/bin/chromium",
            "args": arguments,
            "prefs": {
                "profile.managed_default_content_settings.javascript": if scripts { 1 } else { 2 },
                "intl.accept_languages": language,
            },
        });
        let wanted = json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}});
        let mut browser = Browser { driver, session: String::new() };
        let begun = browser.send("POST", "/session", &wanted.to_string());
        browser.session = begun["sessionId"].as_str().unwrap_or_else(|| panic!("{begun}")).to_owned();
        // Not the driver's own emulation, under which it waits for ever.
        let screen = json!({"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 700});
        let order = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": screen});
        browser.order("/goog/cdp/execute", order);
        browser
    }

    /// One order to the driver, and the value that it answers.
    fn send(&self, method: &str, path: &str, body: &str) -> Value {
        let length = body.len();
        let mut stream = TcpStream::connect(("127.0.0.1", self.driver.port)).expect("the driver");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        let head = "Host: localhost\r\nContent-Type: application/json";
        let order = format!("{method} {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(order.as_bytes()).expect("sent");
        // The driver leaves the connection open: the answer is as long as it says.
        let mut lines = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            lines.read_line(&mut line).expect("a header");
            match line.trim_end().to_ascii_lowercase().split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().expect("a length"),
                None if line.trim_end().is_empty() => break,
                _ => {}
            }
        }
        let mut answer = vec![0; length];
        lines.read_exact(&mut answer).expect("the answer");
        let answer: Value = serde_json::from_slice(&answer).expect("JSON");
        answer["value"].clone()
    }

    #[track_caller]
    fn order(&self, path: &str, body: Value) -> Value {
        let value = self.send("POST", &format!("/session/{}{path}", self.session), &body.to_string());
        assert!(value["error"].is_null(), "{path}: {value}");
        value
    }

    fn ask(&self, path: &str) -> Value {
        self.send("GET", &format!("/session/{}{path}", self.session), "")
    }

    fn open(&self, url: &str) {
        self.order("/url", json!({"url": url}));
    }

    fn back(&self) {
        self.order("/back", json!({}));
    }

    fn reload(&self) {
        self.order("/refresh", json!({}));
    }

    fn url(&self) -> String {
        self.ask("/url").as_str().unwrap_or_default().to_owned()
    }

    fn title(&self) -> String {
        self.ask("/title").as_str().unwrap_or_default().to_owned()
    }

    /// The page as it is now.
    fn page(&self) -> String {
        self.ask("/source").as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn element(&self, css: &str) -> String {
        let element = self.order("/element", json!({"using": "css selector", "value": css}));
        element[ELEMENT].as_str().unwrap_or_else(|| panic!("{css}: {element}")).to_owned()
    }

    /// Presses what this selector finds first, and waits for the page that it leads to.
    #[track_caller]
    fn press(&self, css: &str) {
        let element = self.element(css);
        self.order(&format!("/element/{element}/click"), json!({}));
        let path = format!("/element/{element}/name");
        until("another page", || self.ask(&path)["error"].is_string().then_some(()));
    }

    /// The same twice, as fast as a finger can.
    #[track_caller]
    fn press_twice(&self, css: &str) {
        let at = json!({ELEMENT: self.element(css)});
        let tap = [json!({"type": "pointerDown", "button": 0}), json!({"type": "pointerUp", "button": 0})];
        let mut steps = vec![json!({"type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": at})];
        steps.extend(tap.iter().cycle().take(4).cloned());
        let finger =
            json!({"type": "pointer", "id": "finger", "parameters": {"pointerType": "touch"}, "actions": steps});
        self.order("/actions", json!({"actions": [finger]}));
    }

    /// Waits until the page says this word, by itself.
    #[track_caller]
    fn sees(&self, word: &str) {
        let shown = format!("<strong>{word}</strong>");
        until(word, || self.page().contains(&shown).then_some(()));
    }

    /// A number that the page has of itself.
    fn number(&self, expression: &str) -> i64 {
        let script = json!({"script": format!("return {expression}"), "args": []});
        self.order("/execute/sync", script).as_f64().unwrap_or(-1.0) as i64
    }

    /// Nothing of a page lies beside the screen.
    #[track_caller]
    fn fits(&self, width: i64) {
        assert_eq!(self.number("document.documentElement.scrollWidth"), width, "{}", self.page());
    }

    /// Writes what is seen where tests/run asks for pictures: into the folder that it hands on as descriptor 9.
    fn picture(&self, name: &str) {
        let shot = self.ask("/screenshot");
        let bytes = from_base64(shot.as_str().unwrap_or_default());
        let _ = fs::write(format!("/proc/self/fd/9/{name}.png"), bytes);
    }
}

fn from_base64(text: &str) -> Vec<u8> {
    let mut child =
        Command::new("base64").arg("-d").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("base64");
    let mut stdin = child.stdin.take().expect("stdin");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let bytes = child.wait_with_output().expect("base64").stdout;
    writer.join().expect("written").expect("written");
    bytes
}

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

/// Goes back over every page there was, with a reload of each: nothing starts.
fn goes_all_the_way_back(browser: &Browser, starts: usize) {
    for _ in 0..browser.number("history.length") {
        browser.reload();
        assert_eq!(count("effect"), starts, "a reload of {}", browser.url());
        browser.back();
        assert_eq!(count("effect"), starts, "back to {}", browser.url());
    }
}

#[test]
fn exactly_one_run_a_press_of_a_fresh_page() {
    let nas = Nas::new();
    tasks(&nas);
    let server = by_port("cgid");
    let browser = Browser::new(390, false, "en-US");
    let panel = panel(&server);

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
    assert_eq!((browser.url(), count("effect")), (panel, 5));
    goes_all_the_way_back(&browser, 5);
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
    if let Some(axe) = &axe {
        assert_eq!(faults(&browser, axe), json!([]));
    }
    browser.picture("failed-light");
    assert_eq!(count("effect"), starts + 1);
    open_the_gate();
}
