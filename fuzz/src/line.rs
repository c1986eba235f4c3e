//! The lines between the halves, and the answers that are made of the root half's.

use chrono::NaiveDate;
use remotetask::config::read;
use remotetask::judge::judge;
use remotetask::line::{Ask, Reply, REFUSED};
use remotetask::outcome::{Outcome, Panel, Run};
use remotetask::request::{Form, Language, Method, Wish};
use remotetask::response::{About, Response};
use serde_json::Value;

use crate::asked::FORMS;

/// Reads a question as the root half does.
pub fn ask(line: &[u8]) {
    let Some(ask) = Ask::from_line(line) else { return };
    let again = ask.to_line();
    assert!(again.ends_with(b"\n") && again.iter().filter(|&&b| b == b'\n').count() == 1);
    assert_eq!(Ask::from_line(&again).expect("our own line").to_line(), again);
    let value: Value = serde_json::from_slice(line).expect("JSON");
    let known = ["v", "do", "magickey", "identifier", "task", "after", "from", "browser", "page"];
    assert!(value["v"] == 1 && value.as_object().is_some_and(|line| line.keys().all(|name| known.contains(&&**name))));
    let config = br#"{"magickey": "key-of-me", "tasks": {"7": {"identifier": "task-key-7"}}}"#;
    let config = read(config).expect("valid");
    let granted = judge(&config, ask.credentials(), None, ask.from, NaiveDate::default()).is_ok();
    assert_eq!(granted, value["magickey"] == "key-of-me" && value["identifier"] == "task-key-7");
}

/// Reads an answer as the web half does, and makes every form of it.
pub fn reply(line: &[u8]) {
    let Some(reply) = Reply::from_line(line) else { return };
    let again = reply.to_line();
    assert_eq!(Reply::from_line(&again).as_ref(), Some(&reply));
    match reply {
        Reply::Refused => assert_eq!(again, REFUSED.as_bytes()),
        Reply::Outcome(mut outcome) => {
            answers(&outcome);
            mark(&mut outcome);
            answers(&outcome);
        }
    }
}

/// A text that no page may show as it stands.
const MARK: &str = "<zq \"'&>\u{1b}\r\n";

fn mark(outcome: &mut Outcome) {
    let mark = |text: &mut String| text.insert_str(0, MARK);
    match outcome {
        Outcome::NotStarted { reason, .. } | Outcome::Unknown { reason } | Outcome::Busy { reason, .. } => mark(reason),
        Outcome::Panel(Panel { tasks, chosen, .. }) => {
            for task in tasks {
                [&mut task.id, &mut task.name].into_iter().for_each(mark);
                task.run.iter_mut().for_each(mark_run);
            }
            if let Some((id, outcome)) = chosen {
                mark(id);
                self::mark(outcome);
            }
        }
        _ => {}
    }
    outcome.run_mut().into_iter().for_each(mark_run);
}

fn mark_run(run: &mut Run) {
    run.run.insert_str(0, MARK);
    let output = run.output.take().unwrap_or_default();
    run.output = Some(format!("{MARK}{output}").into());
}

/// A name that would leave its place in each form of an answer.
const NAME: &str = "A \"task\" <b>\u{202e}\r\nSet-Cookie: x";

fn answers(outcome: &Outcome) {
    for (language, method, wish, flag) in [
        (Language::English, Method::Get, Wish::Start, true),
        (Language::German, Method::Post, Wish::Page, false),
        (Language::German, Method::Get, Wish::Status, true),
    ] {
        let about = About {
            title: flag.then_some(MARK),
            name: NAME,
            who: Some(MARK),
            may_stop: flag,
            may_overlap: !flag,
            language,
            now: 1_795_000_000_000,
            wish,
            method,
            reference: flag.then_some(MARK),
        };
        for form in FORMS {
            let response = Response::outcome(&about, outcome, form).to_bytes(false);
            answer(&String::from_utf8(response).expect("UTF-8"), form, outcome);
        }
    }
}

fn answer(response: &str, form: Form, outcome: &Outcome) {
    let (head, body) = response.split_once("\r\n\r\n").expect("a header");
    assert!(!head.contains("Set-Cookie") && !head.contains("Location"));
    assert!(head.split("\r\n").all(|line| line.contains(": ") && !line.chars().any(char::is_control)));
    assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
    match head {
        _ if head.contains("Content-Type: text/html") => page(body),
        _ if form == Form::Json => {
            let value: Value = serde_json::from_str(body).expect("JSON");
            assert!(value["task"] == NAME && value.as_object().is_some_and(|fields| fields.len() == 10));
        }
        _ => {
            assert!(body.ends_with('\n') && !body.contains(['\r', '\u{1b}']));
            let output = outcome.run().and_then(|run| run.output.as_deref()).unwrap_or_default();
            assert!(!output.is_empty() || body.lines().count() == 1, "{body:?}");
        }
    }
}

/// All tags of a page are the templates'.
fn page(body: &str) {
    assert!(body.starts_with("<!doctype html>") && body.trim_end().ends_with("</html>"), "{body}");
    assert!(!body.contains("<zq") && !body.contains("<b>") && !body.contains("zq \""));
    const TAGS: &str =
        "!doctype html head meta title link style body main footer bdi h1 h2 section p span strong progress \
        details summary form input button code pre figure svg rect figcaption a";
    for (at, _) in body.match_indices('<') {
        let name =
            body[at + 1..].trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric() && c != '!').next();
        assert!(name.is_some_and(|name| TAGS.split_whitespace().any(|tag| tag == name)), "{name:?} in {body}");
    }
}
