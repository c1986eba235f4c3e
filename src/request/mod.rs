//! A request, from the CGI variables (RFC 3875) alone, as bytes. Arguments are never looked at: a
//! query without `=` arrives as such (RFC 3875, section 4.4).

mod body;
mod caller;
mod language;
mod previewers;
mod wish;

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;

use crate::credentials::{Credentials, Flaw};
pub use body::{Body, BODY_MAX, BODY_TIME, FORM_MAX};
pub use language::Language;
pub use wish::{word, Details, Fields, Wish, Word};

/// The part of a request that everybody is judged by. [`Details`] has the rest, which is read once the keys are proven.
pub struct Request {
    /// The request method.
    pub method: Method,
    /// The form that the answer takes.
    pub form: Form,
    /// The caller's address, if it is known.
    pub from: Option<IpAddr>,
    path: Vec<u8>,
    headers: [Vec<u8>; 2],
    /// The server's own error, for which it shows our page.
    server_error: bool,
}

/// The request methods that mean something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// Any other; refused.
    Other,
}

/// The form of an answer, by `Accept`, without weighing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A JSON object.
    Json,
    /// A page.
    Html,
    /// One line.
    Plain,
}

impl Request {
    /// Reads the variables that matter; `var` is [`std::env::var_os`], or a table in tests.
    pub fn from_variables(var: impl Fn(&str) -> Option<OsString>) -> Request {
        let bytes = |name| var(name).map(OsStringExt::into_vec).unwrap_or_default();
        let method = match &bytes("REQUEST_METHOD")[..] {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            _ => Method::Other,
        };
        let mut path = bytes("PATH_INFO");
        if path.is_empty() {
            path.push(b'/');
        }
        Request {
            method,
            form: form(&bytes("HTTP_ACCEPT")),
            from: caller::address(bytes),
            path,
            headers: [bytes("HTTP_X_MAGIC_KEY"), bytes("HTTP_X_TASK_KEY")],
            // Apache sets it on an internal redirect; 200 is a rewrite, 400 and above an ErrorDocument.
            server_error: bytes("REDIRECT_STATUS").first().is_some_and(|class| (b'4'..=b'5').contains(class)),
        }
    }

    /// Returns true for the doorstep: `/`, without keys.
    pub fn is_doorstep(&self) -> bool {
        !self.by_headers()
            && self.path == b"/"
            && matches!(self.method, Method::Get | Method::Head)
            && !self.server_error
    }

    /// The two keys that it presents, and its flaw. A flawed request presents something as well, so that it costs the
    /// same work.
    pub fn credentials(&self) -> (Credentials<'_>, Option<Flaw>) {
        let (credentials, flaw) = match self.by_headers() {
            true => {
                let [magickey, identifier] = &self.headers;
                let mixed = magickey.is_empty() || identifier.is_empty() || self.path != b"/";
                (Credentials::new(magickey, identifier), mixed.then_some(Flaw::Mixed))
            }
            false => self.in_path(),
        };
        let flaw = match self.method {
            _ if self.server_error => Some(Flaw::Server),
            Method::Other => Some(Flaw::Method),
            _ => flaw,
        };
        (credentials, flaw)
    }

    fn by_headers(&self) -> bool {
        self.headers.iter().any(|key| !key.is_empty())
    }

    /// `/<magickey>/<identifier>`, one slash at the end tolerated.
    fn in_path(&self) -> (Credentials<'_>, Option<Flaw>) {
        let path = self.path.strip_prefix(b"/");
        let flaw = path.is_none().then_some(Flaw::Segments);
        let path = path.unwrap_or(&self.path);
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let mut segments = path.split(|&b| b == b'/');
        let magickey = segments.next().unwrap_or_default();
        let identifier = segments.next();
        let whole = identifier.is_some() && segments.next().is_none();
        let credentials = Credentials::new(magickey, identifier.unwrap_or_default());
        (credentials, flaw.or((!whole).then_some(Flaw::Segments)))
    }
}

fn form(accept: &[u8]) -> Form {
    let has = |media: &[u8]| accept.windows(media.len()).any(|window| window.eq_ignore_ascii_case(media));
    match () {
        () if has(b"application/json") => Form::Json,
        () if has(b"text/html") => Form::Html,
        () => Form::Plain,
    }
}

#[cfg(test)]
mod tests;
