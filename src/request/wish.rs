//! The wish of a request whose keys are proven. Everything that must never start is decided here.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use super::language::{language, Language};
use super::previewers::is_previewer;
use super::{Body, Method};
use crate::config::Get;

/// The longest value of a form, in bytes. A longer one counts as empty, which is the name of no run and of no task.
const VALUE_MAX: usize = 512;

/// The order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Start the task.
    Start,
    /// Tell of its last run.
    Status,
    /// Show the page with the button.
    Page,
    /// Stop its runs.
    Stop,
}

/// A query's parameter that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// `status`
    Status,
    /// `ask`
    Ask,
    /// `stop`
    Stop,
}

/// The part of a request that is looked at once its keys are proven, so that no refusal depends on it.
pub struct Details {
    word: Option<Word>,
    method: Method,
    /// True if it says of itself that nobody plainly asked for it.
    unasked: bool,
    /// True for a person's browser.
    pub browser: bool,
    /// The language of a page.
    pub language: Language,
    /// The fields of its form.
    pub form: Fields,
}

/// The fields of a form of ours.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fields {
    /// The task's newest run when the form was made.
    pub after: Option<String>,
    /// The id of the task that was chosen on the panel.
    pub task: Option<String>,
    /// The id of the task that the panel is to stop.
    pub stop: Option<String>,
}

impl Details {
    /// Reads the variables that matter, and the form.
    pub fn of(method: Method, body: &Body, var: impl Fn(&str) -> Option<OsString>) -> Details {
        let bytes = |name| var(name).map(OsStringExt::into_vec).unwrap_or_default();
        Details {
            word: word(&bytes("QUERY_STRING")),
            method,
            unasked: unasked(bytes),
            browser: method == Method::Get && browser(bytes),
            language: language(&bytes("HTTP_ACCEPT_LANGUAGE")),
            form: if method == Method::Post { Fields::of(&body.form) } else { Fields::default() },
        }
    }

    /// The wish, where a GET of the task does `get`.
    pub fn wish(&self, get: Get) -> Wish {
        decide(self.word, self.method, self.unasked, self.form.after.is_some(), get)
    }

    /// The id of the task that the panel is to stop or to start, where somebody plainly chose one there. Of both the one
    /// counts that does less.
    pub fn chosen(&self) -> Option<(Wish, &str)> {
        match self.wish(Get::Confirm) {
            Wish::Start => {
                let stop = self.form.stop.as_deref().map(|id| (Wish::Stop, id));
                stop.or(self.form.task.as_deref().map(|id| (Wish::Start, id)))
            }
            _ => None,
        }
    }
}

/// A look never starts anything, whatever a client makes of its query; nor does a request that nobody plainly asked for.
/// Only a form of ours starts from the address of the page with the button, which has `after`.
fn decide(word: Option<Word>, method: Method, unasked: bool, form: bool, get: Get) -> Wish {
    let post = method == Method::Post && !unasked;
    match word {
        Some(Word::Status) => Wish::Status,
        Some(Word::Ask) if post && form => Wish::Start,
        Some(Word::Ask) => Wish::Page,
        Some(Word::Stop) if post => Wish::Stop,
        Some(Word::Stop) => Wish::Status,
        None if post => Wish::Start,
        None if unasked || method != Method::Get || get == Get::Confirm => Wish::Page,
        None => Wish::Start,
    }
}

/// The word in a query: the name of one of its parameters, in any case, escaped or not, with or without a value,
/// wherever it stands, and whatever signs stand around it. Clients normalise a query, and add to it, by a second `?` too;
/// people copy a URL with the slash or bracket behind it. Of several words the one counts that does least.
pub fn word(query: &[u8]) -> Option<Word> {
    let mut found = [false; 3];
    for part in query.split(|b| b"&;?".contains(b)) {
        for (name, _) in form_urlencoded::parse(part) {
            match &*name.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase() {
                "status" => found[0] = true,
                "ask" => found[1] = true,
                "stop" => found[2] = true,
                _ => {}
            }
        }
    }
    match found {
        [true, ..] => Some(Word::Status),
        [_, true, _] => Some(Word::Ask),
        [.., true] => Some(Word::Stop),
        _ => None,
    }
}

impl Fields {
    /// Of a name that stands there twice the last counts.
    fn of(form: &[u8]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in form_urlencoded::parse(form) {
            let value = || Some(if value.len() > VALUE_MAX { String::new() } else { value.into_owned() });
            match &*name {
                "after" => fields.after = value(),
                "task" => fields.task = value(),
                "stop" => fields.stop = value(),
                _ => {}
            }
        }
        fields
    }
}

/// A browser that opens a page says so, or asks for XHTML beside HTML. Programs ask for HTML alone (Java's
/// `HttpURLConnection`), or for nothing.
fn browser(bytes: impl Fn(&'static str) -> Vec<u8>) -> bool {
    let accept = bytes("HTTP_ACCEPT").to_ascii_lowercase();
    let has = |media: &[u8]| accept.windows(media.len()).any(|window| window == media);
    bytes("HTTP_SEC_FETCH_MODE").eq_ignore_ascii_case(b"navigate")
        || (has(b"text/html") && has(b"application/xhtml+xml"))
}

/// The markers of a prefetch or a preview; a browser that says that another site, or a part of a page, asks; and the
/// names of link previewers and crawlers.
fn unasked(bytes: impl Fn(&'static str) -> Vec<u8>) -> bool {
    let marker = |name| {
        let value = bytes(name).to_ascii_lowercase();
        let has = |word: &[u8]| value.windows(word.len()).any(|window| window == word);
        has(b"prefetch") || has(b"preview") || has(b"prerender")
    };
    let is = |name, value: &[u8]| bytes(name).eq_ignore_ascii_case(value);
    let part_of_a_page = || !["", "document", "empty"].iter().any(|dest| is("HTTP_SEC_FETCH_DEST", dest.as_bytes()));
    ["HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ"].into_iter().any(marker)
        || is("HTTP_SEC_FETCH_SITE", b"cross-site")
        || is("HTTP_SEC_FETCH_MODE", b"no-cors")
        || part_of_a_page()
        || is_previewer(&bytes("HTTP_USER_AGENT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn details(variables: &[(&str, &str)], method: Method, form: &[u8]) -> Details {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        Details::of(method, &Body { form: form.to_owned(), flaw: None }, value)
    }

    /// Every row: word, unasked, form of ours; then the wish of a HEAD, a GET, a GET where `get` is `confirm`, a POST.
    #[test]
    fn what_starts_and_what_never_does() {
        use Wish::*;
        let all = |wish| [wish; 4];
        for (word, unasked, form, expected) in [
            (None, false, false, [Page, Start, Page, Start]),
            (None, false, true, [Page, Start, Page, Start]),
            (None, true, false, all(Page)),
            (None, true, true, all(Page)),
            (Some(Word::Status), false, false, all(Status)),
            (Some(Word::Status), false, true, all(Status)),
            (Some(Word::Status), true, true, all(Status)),
            (Some(Word::Ask), false, false, all(Page)),
            (Some(Word::Ask), false, true, [Page, Page, Page, Start]),
            (Some(Word::Ask), true, true, all(Page)),
            (Some(Word::Stop), false, false, [Status, Status, Status, Stop]),
            (Some(Word::Stop), false, true, [Status, Status, Status, Stop]),
            (Some(Word::Stop), true, true, all(Status)),
        ] {
            let wish = |method, get| decide(word, method, unasked, form, get);
            let found = [
                wish(Method::Head, Get::Run),
                wish(Method::Get, Get::Run),
                wish(Method::Get, Get::Confirm),
                wish(Method::Post, Get::Run),
            ];
            assert_eq!(found, expected, "{word:?} unasked={unasked} form={form}");
            assert_eq!(wish(Method::Head, Get::Confirm), found[0]);
            assert_eq!(wish(Method::Post, Get::Confirm), found[3]);
        }
    }

    #[test]
    fn the_words_of_a_query() {
        for (query, expected) in [
            ("status", Some(Word::Status)),
            ("status=", Some(Word::Status)),
            ("status=1", Some(Word::Status)),
            ("x=1&status", Some(Word::Status)),
            ("STATUS&utm_source=x", Some(Word::Status)),
            ("%73tat%75s=true", Some(Word::Status)),
            ("+status", Some(Word::Status)),
            ("x=1;Status", Some(Word::Status)),
            ("&&status", Some(Word::Status)),
            ("?status", Some(Word::Status)),
            ("status?utm_source=x", Some(Word::Status)),
            ("status/", Some(Word::Status)),
            ("status),", Some(Word::Status)),
            ("status[]=1", Some(Word::Status)),
            ("ask", Some(Word::Ask)),
            ("Ask=", Some(Word::Ask)),
            ("stop", Some(Word::Stop)),
            ("fbclid=x&stop=1", Some(Word::Stop)),
            ("stop&ask", Some(Word::Ask)),
            ("stop&ask&status", Some(Word::Status)),
            ("", None),
            ("=status", None),
            ("x=status", None),
            ("mystatus", None),
            ("status2=1", None),
            ("utm_source=ask", None),
            ("--version", None),
            ("%", None),
            ("%ff=1", None),
        ] {
            assert_eq!(word(query.as_bytes()), expected, "{query}");
        }
    }

    #[test]
    fn what_nobody_asked_for() {
        for (name, value, expected) in [
            ("HTTP_SEC_PURPOSE", "prefetch;prerender", true),
            ("HTTP_PURPOSE", "Prefetch", true),
            ("HTTP_PURPOSE", "preview", true),
            ("HTTP_X_PURPOSE", "preview", true),
            ("HTTP_X_MOZ", "prefetch", true),
            ("HTTP_SEC_FETCH_SITE", "cross-site", true),
            ("HTTP_SEC_FETCH_SITE", "same-origin", false),
            ("HTTP_SEC_FETCH_SITE", "same-site", false),
            ("HTTP_SEC_FETCH_SITE", "none", false),
            ("HTTP_SEC_FETCH_DEST", "image", true),
            ("HTTP_SEC_FETCH_DEST", "style", true),
            ("HTTP_SEC_FETCH_DEST", "video", true),
            ("HTTP_SEC_FETCH_DEST", "iframe", true),
            ("HTTP_SEC_FETCH_DEST", "Document", false),
            ("HTTP_SEC_FETCH_DEST", "empty", false),
            ("HTTP_SEC_FETCH_MODE", "no-cors", true),
            ("HTTP_SEC_FETCH_MODE", "cors", false),
            ("HTTP_SEC_FETCH_MODE", "navigate", false),
            ("HTTP_USER_AGENT", "prefetch", false),
            ("HTTP_USER_AGENT", "WhatsApp/2.23.20.0 A", true),
        ] {
            assert_eq!(details(&[(name, value)], Method::Get, b"").unasked, expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_browser_is_told_from_a_program() {
        for (name, value, expected) in [
            ("HTTP_ACCEPT", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true),
            ("HTTP_ACCEPT", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", false),
            ("HTTP_ACCEPT", "application/xhtml+xml", false),
            ("HTTP_ACCEPT", "*/*", false),
            ("HTTP_SEC_FETCH_MODE", "navigate", true),
            ("HTTP_SEC_FETCH_MODE", "cors", false),
        ] {
            assert_eq!(details(&[(name, value)], Method::Get, b"").browser, expected, "{name}: {value}");
            assert!(!details(&[(name, value)], Method::Post, b"").browser, "a POST is a plain wish");
        }
    }

    #[test]
    fn a_form_and_its_fields() {
        let fields = |after: Option<&str>, task: Option<&str>| Fields {
            after: after.map(str::to_owned),
            task: task.map(str::to_owned),
            stop: None,
        };
        for (form, expected) in [
            (&b"after=19ac&task=7"[..], fields(Some("19ac"), Some("7"))),
            (b"task=a+b%26c&after=0", fields(Some("0"), Some("a b&c"))),
            (b"after=&x=y", fields(Some(""), None)),
            (b"after=1&after=2", fields(Some("2"), None)),
            (b"After=1", fields(None, None)),
            (b"value1=x&value2=y", fields(None, None)),
            (b"{\"after\":1}", fields(None, None)),
            (b"", fields(None, None)),
        ] {
            assert_eq!(details(&[], Method::Post, form).form, expected, "{}", form.escape_ascii());
            assert_eq!(details(&[], Method::Get, form).form, fields(None, None));
        }
        for (length, expected) in [(VALUE_MAX, VALUE_MAX), (VALUE_MAX + 1, 0), (4000, 0)] {
            let form = format!("after={}", "x".repeat(length));
            let after = details(&[], Method::Post, form.as_bytes()).form.after;
            assert_eq!(after.map(|after| after.len()), Some(expected));
        }
    }

    #[test]
    fn the_panel_starts_what_a_form_plainly_chose() {
        let chosen = |variables: &[(&str, &str)], method, form: &[u8]| {
            details(variables, method, form).chosen().map(|(wish, id)| (wish, id.to_owned()))
        };
        assert_eq!(chosen(&[], Method::Post, b"task=7"), Some((Wish::Start, "7".into())));
        assert_eq!(chosen(&[], Method::Post, b"stop=7"), Some((Wish::Stop, "7".into())));
        assert_eq!(chosen(&[], Method::Post, b"task=8&stop=7"), Some((Wish::Stop, "7".into())));
        assert_eq!(chosen(&[], Method::Get, b"stop=7"), None);
        assert_eq!(chosen(&[("HTTP_SEC_FETCH_SITE", "cross-site")], Method::Post, b"stop=7"), None);
        assert_eq!(chosen(&[], Method::Post, b"after=0"), None);
        assert_eq!(chosen(&[], Method::Get, b"task=7"), None);
        assert_eq!(chosen(&[("QUERY_STRING", "status")], Method::Post, b"task=7"), None);
        assert_eq!(chosen(&[("HTTP_SEC_FETCH_SITE", "cross-site")], Method::Post, b"task=7"), None);
    }
}
