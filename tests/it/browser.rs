//! A real Chromium, by its driver (WebDriver), whose pages may run no script, of a phone's or another screen's width.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{json, Value};

use crate::nas::Server;
use crate::support::*;

/// The name of an element in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window.
pub struct Browser {
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
    pub fn new(width: u32, dark: bool, language: &str) -> Browser {
        Browser::with(width, dark, language, false)
    }

    /// The same; axe-core needs one whose pages may run scripts.
    pub fn with(width: u32, dark: bool, language: &str, scripts: bool) -> Browser {
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
    pub fn order(&self, path: &str, body: Value) -> Value {
        let value = self.send("POST", &format!("/session/{}{path}", self.session), &body.to_string());
        assert!(value["error"].is_null(), "{path}: {value}");
        value
    }

    pub fn ask(&self, path: &str) -> Value {
        self.send("GET", &format!("/session/{}{path}", self.session), "")
    }

    pub fn open(&self, url: &str) {
        self.order("/url", json!({"url": url}));
    }

    pub fn back(&self) {
        self.order("/back", json!({}));
    }

    pub fn reload(&self) {
        self.order("/refresh", json!({}));
    }

    pub fn url(&self) -> String {
        self.ask("/url").as_str().unwrap_or_default().to_owned()
    }

    pub fn title(&self) -> String {
        self.ask("/title").as_str().unwrap_or_default().to_owned()
    }

    /// The page as it is now.
    pub fn page(&self) -> String {
        self.ask("/source").as_str().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub fn element(&self, css: &str) -> String {
        let element = self.order("/element", json!({"using": "css selector", "value": css}));
        element[ELEMENT].as_str().unwrap_or_else(|| panic!("{css}: {element}")).to_owned()
    }

    /// Presses what this selector finds first, and waits for the page that it leads to.
    #[track_caller]
    pub fn press(&self, css: &str) {
        let element = self.element(css);
        self.order(&format!("/element/{element}/click"), json!({}));
        let path = format!("/element/{element}/name");
        until("another page", || self.ask(&path)["error"].is_string().then_some(()));
    }

    /// The same twice, as fast as a finger can.
    #[track_caller]
    pub fn press_twice(&self, css: &str) {
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
    pub fn sees(&self, word: &str) {
        let shown = format!("<strong>{word}</strong>");
        until(word, || self.page().contains(&shown).then_some(()));
    }

    /// A number that the page has of itself.
    pub fn number(&self, expression: &str) -> i64 {
        let script = json!({"script": format!("return {expression}"), "args": []});
        self.order("/execute/sync", script).as_f64().unwrap_or(-1.0) as i64
    }

    /// Nothing of a page lies beside the screen.
    #[track_caller]
    pub fn fits(&self, width: i64) {
        assert_eq!(self.number("document.documentElement.scrollWidth"), width, "{}", self.page());
    }

    /// Writes what is seen where tests/run asks for pictures: into the folder that it hands on as descriptor 9.
    pub fn picture(&self, name: &str) {
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

/// The last step of an owner's play: a phone opens the panel that it scanned, and its one button is pressed. The task,
/// one of DSM's, notes each start in this file.
#[track_caller]
pub fn pressed(panel: &str, task: &str, effect: &str) {
    let browser = Browser::new(390, false, "en-US");
    browser.open(panel);
    browser.sees("Never started");
    assert!(browser.page().contains(&format!("<bdi>{task}</bdi></h2>")), "{}", browser.page());
    browser.fits(390);
    assert!(fs::metadata(effect).is_err(), "opening it starts nothing");
    browser.press("button");
    assert!(browser.page().contains("class=\"state"), "{}", browser.page());
    assert_eq!(awaited(std::path::Path::new(effect)), "ran\n");
    // DSM tells of its end to who looks.
    until("its end", || {
        browser.open(panel);
        browser.page().contains("<strong>Done</strong>").then_some(())
    });
    assert_eq!((browser.url(), fs::read_to_string(effect).expect("the effect")), (panel.to_owned(), "ran\n".into()));
}
