//! Live requests through the web server, as a stranger sends them: with keys that nobody has. What comes
//! back must be the one neutral answer, and log.txt must tell that it was ours, and why.

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use super::finding::{Found, Kind, Level};
use super::Subject;
use crate::child::{gather, Gathered, Trouble};
use crate::files::Regular;
use crate::log::FULL;
use crate::response::{promised, start_page};
use crate::workbench::secrets::new_key;
use crate::workbench::Fault;

static NO_CURL: Kind = Kind {
    code: "live-no-curl",
    level: Level::Fault,
    says: "There is no curl on this machine to make a request with: <why>.",
    cure: "Open <url> in a browser: it must show the start page.",
};
static NO_NAME: Kind = Kind {
    code: "live-no-name",
    level: Level::Fault,
    says: "The name in <url> is not known here: <why>.",
    cure: "Look for a slip of the pen in the name; or see whether it is known: `nslookup <host>`",
};
static REFUSED: Kind = Kind {
    code: "live-refused",
    level: Level::Fault,
    says: "Nothing answers at <url>: <why>.",
    cure: "See that the web server runs, and that the port is the one that it listens on: `sudo netstat -tln`",
};
static LATE: Kind = Kind {
    code: "live-late",
    level: Level::Fault,
    says: "No answer came from <url> in time: <why>.",
    cure:
        "See whether a firewall keeps requests away; and from the NAS itself many routers lead no request to their own \
           outside address: try that from a phone without WLAN.",
};
static CERTIFICATE: Kind = Kind {
    code: "live-certificate",
    level: Level::Fault,
    says: "The certificate of <url> is not believed: <why>.",
    cure: "Choose a certificate for that name in Control Panel, Security, Certificate; it must not have expired, and must \
           name the host as you call it.",
};
static UNKNOWN: Kind = Kind {
    code: "live-failed",
    level: Level::Fault,
    says: "The request to <url> failed: <why>.",
    cure: "See what curl says about it in full: `curl -v <url>/`",
};
static ELSEWHERE: Kind = Kind {
    code: "live-elsewhere",
    level: Level::Fault,
    says: "Something else answers at <url>: status <status> to a request of /, not the start page.",
    cure:
        "Is it the right host and port? Where DSM's own login or another page comes, the virtual host or the reverse \
           proxy leads somewhere else; docs/web.md says how to set it up.",
};
static BROKEN: Kind = Kind {
    code: "live-broken",
    level: Level::Fault,
    says: "The web server cannot run the program: status <status> to a request of /.",
    cure: "Its error log says why: `sudo tail /var/log/httpd/apache24-error_log`",
};
static OTHER_PAGE: Kind = Kind {
    code: "live-other-page",
    level: Level::Fault,
    says:
        "To <what> another page comes than the start page (status <status>): a proxy or DSM puts its own error page in \
           the place of ours, so a stranger sees that there is something.",
    cure: "Take its own error pages out: in Web Station's page for error pages none for this host; in nginx \
           proxy_intercept_errors off and no error_page.",
};
static OTHER_STATUS: Kind = Kind {
    code: "live-other-status",
    level: Level::Fault,
    says: "The answer to <what> has the status <status>, where it should be <wanted>.",
    cure: "Something between changes it: look for rules about answers in the proxy or in .htaccess, and take them out for \
           this host.",
};
static HEADER: Kind = Kind {
    code: "live-header",
    level: Level::Advice,
    says: "The header <header> does not arrive as it was sent: it is <there>, and should be <wanted>.",
    cure: "Look for it in the proxy's or Apache's configuration (Header, proxy_hide_header, add_header), and take that out \
           for this host.",
};
static ADDED: Kind = Kind {
    code: "live-added",
    level: Level::Advice,
    says: "Something between adds the header <header> to the answers.",
    cure: "Look for it in the proxy's or Apache's configuration, and take that out for this host.",
};
static NOT_OURS: Kind = Kind {
    code: "live-not-logged",
    level: Level::Fault,
    says: "The right page came, but <log> has no line for the request (<what>): another installation answers there, or \
           the log cannot be written.",
    cure: "Look for another remotetask-cgi in the web server's configuration; remotetask check without --url looks at the log.",
};
static PATH: Kind = Kind {
    code: "live-path",
    level: Level::Fault,
    says: "The path does not arrive as it was sent (<what>): the log says \"<why>\", where \"<wanted>\" should stand.",
    cure: "Something between rewrites it: the proxy must hand the path on as it is, without a part of its own in front; in \
           nginx proxy_pass without a path.",
};
static HEADERS_LOST: Kind = Kind {
    code: "live-keys-in-headers",
    level: Level::Advice,
    says: "Keys in headers (X-Magic-Key, X-Task-Key) do not arrive: the log says \"<why>\".",
    cure: "Something between takes them out. Use keys in the path, or let it hand on all headers.",
};
static NO_ADDRESS: Kind = Kind {
    code: "live-no-address",
    level: Level::Advice,
    says: "The caller's address does not arrive: the log says from=unknown. No key with \"from\" would work.",
    cure: "Let the proxy tell it, and nothing else that contradicts it: X-Real-IP $remote_addr; in Control Panel's reverse \
           proxy it is there by itself.",
};
static NO_ADDRESS_NEEDED: Kind = Kind {
    code: "live-no-address-for-from",
    level: Level::Fault,
    says: "The caller's address does not arrive: the log says from=unknown. So the keys with \"from\" are refused: \
           <labels>.",
    cure: "Let the proxy tell it (X-Real-IP $remote_addr), or give these people keys without --from.",
};
static IN_THE_CLEAR: Kind = Kind {
    code: "live-in-the-clear",
    level: Level::Advice,
    says: "<url> is not https: everybody on the way can read the keys, and use them.",
    cure: "Let DSM put https in front: Control Panel, Login Portal, Advanced, Reverse Proxy; docs/web.md says how.",
};

/// What can be found here.
pub static KINDS: &[&Kind] = &[
    &NO_CURL,
    &NO_NAME,
    &REFUSED,
    &LATE,
    &CERTIFICATE,
    &UNKNOWN,
    &ELSEWHERE,
    &BROKEN,
    &OTHER_PAGE,
    &OTHER_STATUS,
    &HEADER,
    &ADDED,
    &NOT_OURS,
    &PATH,
    &HEADERS_LOST,
    &NO_ADDRESS,
    &NO_ADDRESS_NEEDED,
    &IN_THE_CLEAR,
];

const CURL: &str = "/usr/bin/curl";
/// How long one request may take, in seconds, as curl wants it.
const REQUEST_TIME: &str = "20";
const ANSWER_MAX: usize = 256 << 10;
/// How long a line may take to the log.
const LOG_TIME: Duration = Duration::from_secs(2);

/// Sends requests to `url` and looks at the answers, and at what the log says of them.
pub fn look(subject: &Subject<'_>, url: &str) -> Result<Vec<Found>, Fault> {
    let url = url.trim_end_matches('/');
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(Fault(format!("\"{url}\" is no address; write one such as https://nas.example.org")));
    }
    let live = Live { url, log: subject.folder.join("log.txt"), page: start_page(Some(subject.folder)) };
    let doorstep = match live.send(&[], "/") {
        Ok(answer) => answer,
        Err(found) => return Ok(vec![found]),
    };
    let status = doorstep.status.to_string();
    match doorstep.status {
        200 if doorstep.body == live.page => {}
        500..=599 => return Ok(vec![BROKEN.found(&[("status", &status)])]),
        _ => return Ok(vec![ELSEWHERE.found(&[("url", url), ("status", &status)])]),
    }
    let mut found = headers(&doorstep);
    found.extend(live.refusals(subject)?);
    if url.starts_with("http://") && !at_home(host(url)) {
        found.push(IN_THE_CLEAR.found(&[("url", url)]));
    }
    Ok(found)
}

struct Live<'u> {
    url: &'u str,
    log: std::path::PathBuf,
    page: Vec<u8>,
}

/// An answer, its headers' names in small letters.
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What a log line says of a refusal.
struct Line {
    why: String,
    from: String,
}

impl Live<'_> {
    /// One request with curl. Its keys are nobody's, so they may stand among its arguments.
    fn send(&self, words: &[&str], path: &str) -> Result<Answer, Found> {
        let url = format!("{}{path}", self.url);
        let fixed = [
            CURL,
            "-q",
            "--silent",
            "--show-error",
            "--include",
            "--path-as-is",
            "--globoff",
            "--max-time",
            REQUEST_TIME,
        ];
        let argv = [&fixed, words, &["--", &url]].concat();
        let names =
            |why: &str| [("url", self.url.to_owned()), ("why", why.to_owned()), ("host", host(self.url).to_owned())];
        let found = |kind: &'static Kind, why: &str| {
            let names = names(why);
            kind.found(&names.each_ref().map(|(name, value)| (*name, &**value)))
        };
        match gather(argv, ANSWER_MAX, Instant::now() + Duration::from_secs(30)) {
            Ok(Gathered { end, stdout, .. }) if end.exit == Some(0) => {
                parse(&stdout).ok_or_else(|| found(&UNKNOWN, "the answer is no answer of HTTP"))
            }
            Ok(Gathered { end, stderr, .. }) => {
                let words = String::from_utf8_lossy(&stderr);
                let why = words.lines().next().unwrap_or_default().trim_start_matches("curl: ");
                // curl(1), EXIT CODES.
                let kind = match end.exit {
                    Some(6) => &NO_NAME,
                    Some(7) => &REFUSED,
                    Some(28) => &LATE,
                    Some(35 | 51 | 60) => &CERTIFICATE,
                    _ => &UNKNOWN,
                };
                Err(found(kind, why))
            }
            Err(Trouble::Start(e)) => Err(found(&NO_CURL, &crate::workbench::plainly(&e))),
            Err(Trouble::Late(_)) => Err(found(&LATE, "curl itself did not end")),
        }
    }

    /// The kinds of a wrong request: each must get the same answer, and its own reason in the log.
    fn refusals(&self, subject: &Subject<'_>) -> Result<Vec<Found>, Fault> {
        const BOTH: &str = "5b 5c wrong magic key and identifier";
        let (one, other) = (format!("{}-._~", new_key()?), new_key()?);
        let pair = format!("/{one}/{other}");
        let (magic, task) = (format!("X-Magic-Key: {one}"), format!("X-Task-Key: {other}"));
        let requests: [(&str, Vec<&str>, String, &str); 7] = [
            ("a wrong pair of keys", vec![], pair.clone(), BOTH),
            ("three parts in the path", vec![], format!("{pair}/x"), "5a the path is not /<magickey>/<identifier>"),
            ("a query that looks like an option", vec![], format!("{pair}?--version"), BOTH),
            ("a query of two words", vec![], format!("{pair}?a+b"), BOTH),
            ("a POST", vec!["--request", "POST", "--data", "a=b"], pair.clone(), BOTH),
            ("a HEAD", vec!["--head"], pair.clone(), BOTH),
            ("keys in headers", vec!["--header", &magic, "--header", &task], "/".into(), BOTH),
        ];
        let mut found = Vec::new();
        for (what, words, path, wanted) in &requests {
            let before = self.log_size();
            let answer = match self.send(words, path) {
                Ok(answer) => answer,
                Err(failed) => {
                    found.push(failed);
                    break;
                }
            };
            let status = answer.status.to_string();
            // Where the headers are lost it is a request of the doorstep; the log tells.
            let by_headers = *what == "keys in headers";
            if by_headers && answer.status == 200 && answer.body == self.page {
                found.push(HEADERS_LOST.found(&[("why", "nothing")]));
                continue;
            }
            if answer.body != self.page && *what != "a HEAD" {
                found.push(OTHER_PAGE.found(&[("what", what), ("status", &status)]));
                break;
            }
            if answer.status != 404 {
                found.push(OTHER_STATUS.found(&[("what", what), ("status", &status), ("wanted", "404")]));
                break;
            }
            let Some(line) = self.line(before, wanted) else {
                let log = self.log.display().to_string();
                found.push(NOT_OURS.found(&[("log", &log), ("what", what)]));
                break;
            };
            if line.why != *wanted {
                let names = [("what", *what), ("why", &*line.why), ("wanted", wanted)];
                found.push(if by_headers { HEADERS_LOST.found(&names) } else { PATH.found(&names) });
                break;
            }
            if *what == "a wrong pair of keys" && line.from == "unknown" {
                found.push(no_address(subject));
            }
        }
        Ok(found)
    }

    fn log_size(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |meta| meta.len())
    }

    /// The line of a refusal that was written since the log had this size: the one with the wanted reason,
    /// or else the last. Others may call meanwhile.
    fn line(&self, before: u64, wanted: &str) -> Option<Line> {
        let deadline = Instant::now() + LOG_TIME;
        loop {
            let mut lines = refusals(&self.log, before);
            if let Some(at) = lines.iter().position(|line| line.why == wanted) {
                return Some(lines.swap_remove(at));
            }
            if Instant::now() >= deadline {
                return lines.pop();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The refusals in the log behind the byte `before`; in all of it where its older half has gone since.
fn refusals(log: &Path, before: u64) -> Vec<Line> {
    let content = Regular::open(log).and_then(|file| file.read(2 * FULL as usize)).unwrap_or_default();
    let new = content.get(before as usize..).unwrap_or(&content);
    let text = String::from_utf8_lossy(new);
    let line = |line: &str| {
        let (_, rest) = line.split_once(" refused ")?;
        let from = rest.split_once(" from=")?.1.split(' ').next()?.to_owned();
        Some(Line { from, why: rest.split_once(" why=")?.1.to_owned() })
    };
    text.lines().filter_map(line).collect()
}

/// The last of the answers that curl shows: those before it only announce one (100, a proxy's CONNECT).
fn parse(shown: &[u8]) -> Option<Answer> {
    let mut rest = shown;
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
            return Some(Answer { status, headers: lines.filter_map(header).collect(), body: rest.to_vec() });
        }
    }
}

/// Headers that a server may add to any answer without telling anything.
const HARMLESS: [&str; 14] = [
    "date",
    "server",
    "connection",
    "keep-alive",
    "content-type",
    "content-length",
    "transfer-encoding",
    "vary",
    "upgrade",
    "alt-svc",
    "strict-transport-security",
    "accept-ranges",
    "content-encoding",
    "via",
];

fn headers(answer: &Answer) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, wanted) in promised() {
        let there: Vec<&str> = answer
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
            .collect();
        if there != [wanted] {
            let there = if there.is_empty() { "missing".to_owned() } else { format!("\"{}\"", there.join("\", \"")) };
            found.push(HEADER.found(&[("header", name), ("there", &there), ("wanted", &format!("\"{wanted}\""))]));
        }
    }
    let ours = |name: &str| HARMLESS.contains(&name) || promised().any(|(known, _)| known.eq_ignore_ascii_case(name));
    let added = answer.headers.iter().filter(|(name, _)| !ours(name));
    found.extend(added.map(|(name, _)| ADDED.found(&[("header", name)])));
    found
}

fn no_address(subject: &Subject<'_>) -> Found {
    let people = subject.config.iter().flat_map(|config| config.server.magic_keys.iter().enumerate());
    let limited = people.filter(|(_, key)| !key.from.is_empty());
    let labels: Vec<String> =
        limited.map(|(number, key)| crate::workbench::view::who(number, key.label.as_deref())).collect();
    match labels.is_empty() {
        true => NO_ADDRESS.found(&[]),
        false => NO_ADDRESS_NEEDED.found(&[("labels", &labels.join(", "))]),
    }
}

/// The host of a URL, without its port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.split('/').next().unwrap_or_default();
    match host.strip_prefix('[') {
        Some(literal) => literal.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    }
}

/// This machine, or an address that no router leads out.
fn at_home(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
        Err(_) => host == "localhost" || host.ends_with(".local") || !host.contains('.'),
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
        let shown = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/2 404 \r\nX-One: a: b\r\nDate: x\r\n\r\nbody\r\n\r\nmore";
        let answer = parse(shown).expect("an answer");
        assert_eq!((answer.status, &*answer.body), (404, &b"body\r\n\r\nmore"[..]));
        assert_eq!(answer.headers[0], ("x-one".to_owned(), "a: b".to_owned()));
        for nothing in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"nonsense\r\n\r\n"] {
            assert!(parse(nothing).is_none());
        }
    }
}
