//! The answer as one value, and the bytes of it: one CGI response (RFC 3875, section 6), written once.

mod history;
mod page;
mod text;
mod texts;
mod view;
mod words;

use std::fmt::Write as _;
use std::path::Path;

use crate::files::{Regular, START_PAGE_MAX};
use crate::outcome::Outcome;
use crate::request::{Form, Language, Method, Wish};
use crate::streams;
use crate::trust::is_own;
pub use words::{headline, state, summary};

/// The page for everybody who has no valid keys.
pub const START_PAGE: &str = include_str!("../../webstation/start.html");

/// Headers of every answer. No `Location`: a server would run the request again inside (RFC 3875,
/// 6.2.2). Styles stand in the pages; nothing else may be loaded, and nothing run.
const HEADERS: &str = "Cache-Control: no-store\r\n\
    Referrer-Policy: no-referrer\r\n\
    X-Robots-Tag: noindex, nofollow\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n";

/// The subject of an answer.
pub struct About<'a> {
    /// The name of the NAS, where the owner gave it one.
    pub title: Option<&'a str>,
    /// The task, as a caller is shown it.
    pub name: &'a str,
    /// The caller, where the owner gave the magic key a label.
    pub who: Option<&'a str>,
    /// True if its callers may stop it.
    pub may_stop: bool,
    /// True where a run does not stand against another start.
    pub may_overlap: bool,
    /// The language of a page.
    pub language: Language,
    /// The time, in milliseconds since 1970.
    pub now: u64,
    /// The request's wish.
    pub wish: Wish,
    /// The request's method.
    pub method: Method,
    /// The word that stands in the log beside the reason.
    pub reference: Option<&'a str>,
}

impl About<'_> {
    /// Returns true where a last run in the answer means that nothing starts before the button is pressed.
    fn is_asked(&self) -> bool {
        matches!(self.wish, Wish::Page | Wish::Start)
    }
}

/// One CGI response.
pub struct Response {
    status: &'static str,
    content_type: &'static str,
    retry_after: Option<u32>,
    body: Vec<u8>,
}

impl Response {
    /// The start page at the doorstep.
    pub fn doorstep(folder: &Path) -> Response {
        Response { status: "200 OK", ..Response::refusal(Some(folder)) }
    }

    /// The start page for whoever has no valid keys: always the same.
    ///
    /// `start.html` in the program's `folder` takes the place of our page.
    pub fn refusal(folder: Option<&Path>) -> Response {
        let body = start_page(folder);
        Response::of("404 Not Found", "text/html; charset=utf-8", body)
    }

    /// The outcome of a request, in the caller's form; the page with the button, and the panel, are pages always.
    ///
    /// A page has the status 200 whatever happened: Web Station's nginx puts its own in the place of others.
    pub fn outcome(about: &About<'_>, outcome: &Outcome, form: Form) -> Response {
        let html = |body| Response::of("200 OK", "text/html; charset=utf-8", body);
        let status = headline(outcome).0;
        let mut response = match (outcome, form) {
            (Outcome::Panel(panel), _) => return html(page::panel(about, panel)),
            (Outcome::Last { .. }, _) if about.is_asked() => return html(page::task(about, outcome)),
            (_, Form::Html) => return html(page::task(about, outcome)),
            (_, Form::Json) => {
                Response::of(status, "application/json", text::json(about.name, outcome, about.reference))
            }
            (_, Form::Plain) => {
                Response::of(status, "text/plain; charset=utf-8", text::plain(about.name, outcome, about.reference))
            }
        };
        if let Outcome::Busy { retry_after, .. } | Outcome::Cooling { retry_after, .. } = outcome {
            response.retry_after = Some(*retry_after);
        }
        response
    }

    fn of(status: &'static str, content_type: &'static str, body: Vec<u8>) -> Response {
        Response { status, content_type, retry_after: None, body }
    }

    /// The whole response; for a HEAD without its body.
    pub fn to_bytes(&self, head: bool) -> Vec<u8> {
        let mut bytes = String::with_capacity(1024);
        let _ = write!(
            bytes,
            "Status: {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{HEADERS}",
            self.status,
            self.content_type,
            self.body.len()
        );
        if let Some(seconds) = self.retry_after {
            let _ = write!(bytes, "Retry-After: {seconds}\r\n");
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        if !head {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// Writes it to standard output. A caller who has gone is no error of ours.
    pub fn send(&self, head: bool) {
        let _ = streams::write_all(rustix::stdio::stdout(), &self.to_bytes(head));
    }
}

/// The start page that an installation in `folder` shows.
pub fn start_page(folder: Option<&Path>) -> Vec<u8> {
    folder.and_then(own_start_page).unwrap_or_else(|| START_PAGE.as_bytes().to_vec())
}

/// Names and values of the headers that every answer has, but for its type and length.
pub fn promised() -> impl Iterator<Item = (&'static str, &'static str)> {
    HEADERS.lines().filter_map(|line| line.split_once(": "))
}

/// A page that others could have written may ask for a key: it is not shown.
fn own_start_page(folder: &Path) -> Option<Vec<u8>> {
    let file = Regular::open(&folder.join("start.html")).ok().filter(|file| is_own(file, folder))?;
    file.read(START_PAGE_MAX).ok()
}

#[cfg(test)]
mod tests;
