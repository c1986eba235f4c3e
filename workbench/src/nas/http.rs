//! HTTP requests, sent with curl, and their answers.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::owner::fault::plainly;
use remotetask::child::{run_captured, run_captured_fed, Captured, RunError};

const CURL: &str = "/usr/bin/curl";
/// Options of every request; the last one shows from which address it went out.
const WORDS: [&str; 11] = [
    "-q",
    "--silent",
    "--show-error",
    "--include",
    "--path-as-is",
    "--globoff",
    "--http1.1",
    "--max-time",
    "20",
    "--write-out",
    "\n%{local_ip}",
];
/// Time limit of curl as a whole.
const CURL_TIME: Duration = Duration::from_secs(30);
const ANSWER_MAX: usize = 256 << 10;

/// An answer; the names of its headers are in small letters.
pub struct Answer {
    /// Its status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
    /// The address of this machine that the request went out from.
    pub own: Option<IpAddr>,
}

impl Answer {
    /// The values of the headers of this name.
    pub fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| &**value)
    }
}

/// A request without an answer.
pub struct Failed {
    /// The kind of failure.
    pub kind: Failure,
    /// The reason, in curl's words as a rule.
    pub why: String,
}

/// The kinds of failure, as curl tells them apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// curl could not be started.
    NoCurl,
    /// The host's name is not known.
    NoName,
    /// Nothing answers at the port.
    Refused,
    /// No answer came in time.
    Late,
    /// The TLS handshake failed.
    NoTls,
    /// The certificate is not trusted.
    Certificate,
    /// Anything else.
    Other,
}

/// Sends one request. Everybody can read curl's arguments, `url` and `words` among them: neither may hold a
/// key that is anybody's.
pub fn send(url: &str, words: &[&str]) -> Result<Answer, Failed> {
    let argv = [&[CURL], &WORDS[..], words, &["--", url]].concat();
    answer(run_captured(argv, ANSWER_MAX, Instant::now() + CURL_TIME))
}

/// Sends one request for JSON, whose URL is a secret: curl reads it from its stdin. The URL holds no quote,
/// which would end its word there.
pub fn send_secretly(url: &str, wanted: &dyn Fn() -> bool) -> Result<Answer, Failed> {
    let config = format!("url = \"{url}\"\nheader = \"Accept: application/json\"\n");
    let argv = [&[CURL], &WORDS[..], &["--config", "-"]].concat();
    answer(run_captured_fed(argv, config.as_bytes(), ANSWER_MAX, Instant::now() + CURL_TIME, wanted))
}

fn answer(gathered: Result<Captured, RunError>) -> Result<Answer, Failed> {
    let failed = |kind, why: &str| Failed { kind, why: why.trim_end_matches('.').to_owned() };
    match gathered {
        Ok(Captured { end, stdout, .. }) if end.exit == Some(0) => {
            parse(&stdout).ok_or_else(|| failed(Failure::Other, "the answer is no answer of HTTP"))
        }
        Ok(Captured { end, stderr, .. }) => {
            let words = String::from_utf8_lossy(&stderr);
            let why = words.lines().next().unwrap_or_default().trim_start_matches("curl: ");
            // curl(1), EXIT CODES.
            let kind = match end.exit {
                Some(6) => Failure::NoName,
                Some(7) => Failure::Refused,
                Some(28) => Failure::Late,
                Some(35) => Failure::NoTls,
                Some(51 | 60) => Failure::Certificate,
                _ => Failure::Other,
            };
            Err(failed(kind, why))
        }
        Err(RunError::Start(e)) => Err(failed(Failure::NoCurl, &plainly(&e))),
        Err(RunError::Late(_)) => Err(failed(Failure::Late, "curl itself did not end")),
    }
}

/// The last of the answers that curl shows: those before it only announce one (100, a proxy's CONNECT).
/// Behind it stands a line with our own address.
fn parse(shown: &[u8]) -> Option<Answer> {
    let end = shown.iter().rposition(|&b| b == b'\n')?;
    let (mut rest, own) = (&shown[..end], String::from_utf8_lossy(&shown[end + 1..]));
    loop {
        let end = rest.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        rest = &rest[end + 4..];
        let mut lines = head.lines();
        let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        if status >= 200 {
            let header = |line: &str| {
                let (name, value) = line.split_once(':')?;
                Some((name.to_ascii_lowercase(), value.trim().to_owned()))
            };
            let (headers, body, own) = (lines.filter_map(header).collect(), rest.to_vec(), own.parse().ok());
            return Some(Answer { status, headers, body, own });
        }
    }
}

/// The host of a URL, without its port.
pub fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// Ends of names that are known in a home's own network alone.
const HOME: [&str; 8] =
    [".local", ".lan", ".home", ".internal", ".home.arpa", ".localdomain", ".fritz.box", ".localhost"];

/// Returns true for this machine, or an address that no router leads out.
pub fn at_home(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        Err(_) => !host.contains('.') || HOME.iter().any(|end| host.ends_with(end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_and_whether_it_is_at_home() {
        for (url, expected, home) in [
            ("http://127.0.0.1:10765", "127.0.0.1", true),
            ("http://[fd00::1]:80/x", "fd00::1", true),
            ("http://nas:80", "nas", true),
            ("http://nas.local", "nas.local", true),
            ("http://nas.fritz.box", "nas.fritz.box", true),
            ("http://192.168.1.20", "192.168.1.20", true),
            ("http://nas.example.org/x", "nas.example.org", false),
            ("http://[2001:db8::1]", "2001:db8::1", false),
            ("http://203.0.113.7", "203.0.113.7", false),
        ] {
            assert_eq!((host(url), at_home(host(url))), (expected, home), "{url}");
        }
    }

    #[test]
    fn the_answer_behind_what_announces_it() {
        let shown =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 \r\nX-One: a: b\r\nDate: x\r\n\r\nbody\r\n\r\nmore\n\n::1";
        let answer = parse(shown).expect("an answer");
        assert_eq!((answer.status, &*answer.body), (404, &b"body\r\n\r\nmore\n"[..]));
        assert_eq!(answer.own, "::1".parse().ok());
        assert_eq!(answer.headers[0], ("x-one".to_owned(), "a: b".to_owned()));
        for nothing in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"nonsense\r\n\r\n"] {
            assert!(parse(nothing).is_none());
        }
    }
}
