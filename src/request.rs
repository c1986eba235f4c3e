//! A request, from the CGI variables (RFC 3875) alone, as bytes. Arguments are never looked at: a
//! query without `=` arrives as such (RFC 3875, section 4.4).

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use crate::credentials::{Credentials, Flaw};
use crate::streams;
use crate::text::cut;

/// A body is drained up to this many bytes …
pub const BODY_MAX: u64 = 1 << 20;
/// … and this long, because some servers fail when it is left unread.
pub const BODY_TIME: Duration = Duration::from_secs(3);

/// What a caller asks for. Made from the environment only.
pub struct Request {
    /// The request method.
    pub method: Method,
    /// The form that the answer takes.
    pub form: Form,
    /// Whether the query is exactly `status`.
    pub status: bool,
    /// Whether it says of itself that nobody asked for it: a prefetch, a preview, or another site's.
    pub unasked: bool,
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
            status: bytes("QUERY_STRING") == b"status",
            unasked: unasked(bytes),
            from: caller(bytes),
            path,
            headers: [bytes("HTTP_X_MAGIC_KEY"), bytes("HTTP_X_TASK_KEY")],
            // Apache sets it on an internal redirect; 200 is a rewrite, 400 and above an ErrorDocument.
            server_error: bytes("REDIRECT_STATUS").first().is_some_and(|class| (b'4'..=b'5').contains(class)),
        }
    }

    /// Whether this is the doorstep: `/`, without keys.
    pub fn is_doorstep(&self) -> bool {
        !self.by_headers()
            && self.path == b"/"
            && matches!(self.method, Method::Get | Method::Head)
            && !self.server_error
    }

    /// Returns true for a GET or POST that does not ask for the status, and that somebody plainly asked for: only such a
    /// request may start something.
    pub fn may_start(&self) -> bool {
        !self.status && self.method != Method::Head && !self.unasked
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

/// The markers of browsers and previewers, and `Sec-Fetch-Site` of a link on another site.
fn unasked(bytes: impl Fn(&'static str) -> Vec<u8>) -> bool {
    let marker = |name| {
        let value = bytes(name).to_ascii_lowercase();
        let has = |word: &[u8]| value.windows(word.len()).any(|window| window == word);
        has(b"prefetch") || has(b"preview") || has(b"prerender")
    };
    ["HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ"].into_iter().any(marker)
        || bytes("HTTP_SEC_FETCH_SITE").eq_ignore_ascii_case(b"cross-site")
}

/// REMOTE_ADDR; behind a proxy on this machine what that says, if it is one address from elsewhere.
fn caller(bytes: impl Fn(&'static str) -> Vec<u8>) -> Option<IpAddr> {
    let address = |text: &[u8]| {
        let text = std::str::from_utf8(cut(text)).ok()?;
        text.trim_matches([' ', '\t']).parse::<IpAddr>().ok().map(|address| address.to_canonical())
    };
    let peer = address(&bytes("REMOTE_ADDR"))?;
    if !peer.is_loopback() {
        return Some(peer);
    }
    let real = bytes("HTTP_X_REAL_IP");
    let forwarded = bytes("HTTP_X_FORWARDED_FOR");
    let last = forwarded.rsplit(|&b| b == b',').next().unwrap_or_default();
    let told = match (real.is_empty(), forwarded.is_empty()) {
        (true, _) => last,
        // A proxy that sets the one and hands the caller's own other on: neither is believed.
        (false, false) if address(&real) != address(last) => return None,
        (false, _) => &real,
    };
    address(told).filter(|told| !told.is_loopback())
}

/// Reads the request's body away: up to CONTENT_LENGTH, or to its end where the server has a
/// chunked one, within [`BODY_MAX`] and [`BODY_TIME`].
///
/// Whether it ended before its CONTENT_LENGTH: the caller went away, or the server gave the request up
/// (Apache starts a program before it refuses a body that is too large).
pub fn drain_body(body: impl AsFd, var: impl Fn(&str) -> Option<OsString>) -> bool {
    let length = var("CONTENT_LENGTH").map(OsStringExt::into_vec).unwrap_or_default();
    let declared = std::str::from_utf8(&length).is_ok_and(|text| text.trim().parse::<u64>().is_ok());
    let length = match std::str::from_utf8(&length).ok().and_then(|text| text.trim().parse().ok()) {
        Some(length) => length,
        // RFC 3875, 4.1.2: absent or empty is no body; a server that unpacks chunks knows no length.
        None if var("HTTP_TRANSFER_ENCODING").is_some_and(|coding| !coding.is_empty()) => BODY_MAX,
        None => 0,
    };
    streams::discard(body, length.min(BODY_MAX), Instant::now() + BODY_TIME) && declared
}

#[cfg(test)]
mod tests;
