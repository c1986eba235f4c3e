//! Live requests through the web server, as a stranger sends them: with keys that nobody has. What comes
//! back must be the one neutral answer, and log.txt must tell that it was ours, and why.
//!
//! The log holds no key to find a request's own line by: what was written since it was sent, with the
//! reason that it should have, is taken for it. Others may call meanwhile.

use crate::owner::addresses::address;
use crate::owner::names::who;
use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::nas::installation::Installation;
use crate::owner::edit::digests;
use crate::owner::fault::Fault;
use crate::owner::finding::{Found, Kind, Level};
use crate::owner::secrets::new_key;
use remotetask::child::{gather, gather_fed, Gathered, Trouble};
use remotetask::files::Regular;
use remotetask::key::Digest;
use remotetask::log::FULL;
use remotetask::response::{promised, start_page, START_PAGE};

static NO_CURL: Kind = Kind {
    code: "live-no-curl",
    level: Level::Fault,
    places: &[],
    says: "There is no curl on this machine to make a request with: <why>.",
    cure: "Open <url> in a browser: it must show the start page.",
};
static NO_NAME: Kind = Kind {
    code: "live-no-name",
    level: Level::Fault,
    places: &[],
    says: "The name in <url> is not known here: <why>.",
    cure: "Look for a slip of the pen in the name; or see whether it is known: `nslookup <host>`",
};
static REFUSED: Kind = Kind {
    code: "live-refused",
    level: Level::Fault,
    places: &[],
    says: "Nothing answers at <url>: <why>.",
    cure: "See that the web server runs, and that the port is the one that it listens on: `sudo netstat -tln`",
};
static LATE: Kind = Kind {
    code: "live-late",
    level: Level::Fault,
    places: &[],
    says: "No answer came from <url> in time: <why>.",
    cure:
        "See whether a firewall keeps requests away; and from the NAS itself many routers lead no request to their own \
           outside address: try that from a phone without WLAN.",
};
static NO_TLS: Kind = Kind {
    code: "live-no-tls",
    level: Level::Fault,
    places: &[],
    says: "No https comes about with <url>: <why>.",
    cure: "That port speaks plain http, or a kind of https that is too old or too new. In DSM https is on the port that the \
           virtual host or the reverse proxy has for it, 443 as a rule; docs/web.md says how to set it up.",
};
static CERTIFICATE: Kind = Kind {
    code: "live-certificate",
    level: Level::Fault,
    places: &[],
    says: "The certificate of <url> is not believed: <why>.",
    cure: "Choose a certificate for that name in Control Panel, Security, Certificate; it must not have expired, and must \
           name the host as you call it.",
};
static FAILED: Kind = Kind {
    code: "live-failed",
    level: Level::Fault,
    places: &[],
    says: "The request to <url> failed: <why>.",
    cure: "See what curl says about it in full: `curl -v <url>/`",
};
static LED_AWAY: Kind = Kind {
    code: "live-led-away",
    level: Level::Fault,
    places: &[],
    says: "Whoever asks <url> for / is sent on to <location> (status <status>).",
    cure: "If that is the same address with https, call it by that. If it is DSM's own login (port 5000 or 5001), host or \
           port are DSM's, not those of the virtual host or the reverse proxy; docs/web.md says how to set them up.",
};
static FORBIDDEN: Kind = Kind {
    code: "live-forbidden",
    level: Level::Fault,
    places: &[],
    says: "The web server refuses even to answer /: status 403.",
    cure:
        "It may not run the program or not get to it: look for the document root's .htaccess, the modes of folders and \
           programs (remotetask check without --url), and what Apache's error log says: `sudo tail \
           /var/log/httpd/apache24-error_log`",
};
static BACK_END: Kind = Kind {
    code: "live-back-end",
    level: Level::Fault,
    places: &[],
    says: "A proxy answers, but the web server behind it does not: status <status> to a request of /.",
    cure:
        "See that Apache runs, and that the proxy leads to the port on which it listens: `sudo synosystemctl restart \
           pkgctl-Apache2.4` `sudo netstat -tln`",
};
static BROKEN: Kind = Kind {
    code: "live-broken",
    level: Level::Fault,
    places: &[],
    says: "The web server cannot run the program: status <status> to a request of /.",
    cure: "Its error log says why: `sudo tail /var/log/httpd/apache24-error_log`",
};
static ELSEWHERE: Kind = Kind {
    code: "live-elsewhere",
    level: Level::Fault,
    places: &[],
    says: "Something else answers at <url>: status <status> to a request of /, not the start page.",
    cure:
        "Is it the right host and port? Where DSM's own login or another page comes, the virtual host or the reverse \
           proxy leads somewhere else; docs/web.md says how to set it up.",
};
static OWN_PAGE: Kind = Kind {
    code: "live-own-page",
    level: Level::Advice,
    places: &[],
    says: "Your own start page, <file>, is not shown: the web server's user cannot read it.",
    cure: "Let it: `sudo chmod 0644 <file>`",
};
static OTHER_PAGE: Kind = Kind {
    code: "live-other-page",
    level: Level::Fault,
    places: &[],
    says:
        "To <what> another page comes than the start page (status <status>): a proxy or DSM puts its own error page in \
           the place of ours, so a stranger sees that there is something.",
    cure: "Take its own error pages out: in Web Station's page for error pages none for this host; in nginx \
           proxy_intercept_errors off and no error_page.",
};
static METHOD: Kind = Kind {
    code: "live-method",
    level: Level::Fault,
    places: &[],
    says: "To <what> something else answers (status <status>), so those who send one start nothing.",
    cure:
        "Let the web server and what stands in front of it hand on GET, HEAD and POST: look for Limit, LimitExcept or \
           limit_except in their files.",
};
static OTHER_STATUS: Kind = Kind {
    code: "live-other-status",
    level: Level::Fault,
    places: &[],
    says: "The answer to <what> has the status <status>, where it should be <wanted>.",
    cure: "Something between changes it: look for rules about answers in the proxy or in .htaccess, and take them out for \
           this host.",
};
static HEADER: Kind = Kind {
    code: "live-header",
    level: Level::Advice,
    places: &[],
    says: "The header <header> does not arrive as it was sent: it is <there>, and should be <wanted>.",
    cure: "Look for it in the proxy's or Apache's configuration (Header, proxy_hide_header, add_header), and take that out \
           for this host.",
};
static ADDED: Kind = Kind {
    code: "live-added",
    level: Level::Advice,
    places: &[],
    says: "Something between adds the header <header> to the answers.",
    cure: "Look for it in the proxy's or Apache's configuration, and take that out for this host.",
};
static NOT_OURS: Kind = Kind {
    code: "live-not-logged",
    level: Level::Fault,
    places: &[],
    says: "The right page came, but <log> has no line for the request (<what>): another installation answers there, or \
           the log cannot be written.",
    cure: "Look for another remotetask-cgi in the web server's configuration; remotetask check without --url looks at the log.",
};
static PATH: Kind = Kind {
    code: "live-path",
    level: Level::Fault,
    places: &[],
    says: "The path does not arrive as it was sent (<what>): the log says \"<why>\", where \"<wanted>\" should stand.",
    cure: "Something between rewrites it: the proxy must hand the path on as it is, without a part of its own in front; in \
           nginx proxy_pass without a path.",
};
static PATH_LOST: Kind = Kind {
    code: "live-path-lost",
    level: Level::Fault,
    places: &[],
    says: "The path does not arrive at all: <what> is answered as if it were a request of /.",
    cure: "Something between takes it away. The way to the program must be one of those in the folder webstation: \
           FallbackResource and ErrorDocument hand no path on, and a proxy must hand it on as it is.",
};
static HEADERS_LOST: Kind = Kind {
    code: "live-keys-in-headers",
    level: Level::Advice,
    places: &[],
    says: "Keys in headers (X-Magic-Key, X-Task-Key) do not arrive: the log says \"<why>\".",
    cure: "Something between takes them out. Use keys in the path, or let it hand on all headers.",
};
static NO_ADDRESS: Kind = Kind {
    code: "live-no-address",
    level: Level::Advice,
    places: &[],
    says: "The caller's address does not arrive: the log says from=unknown. No key with \"from\" would work.",
    cure: "Let the proxy tell it, and nothing else that contradicts it: X-Real-IP $remote_addr; in Control Panel's reverse \
           proxy it is there by itself.",
};
static NO_ADDRESS_NEEDED: Kind = Kind {
    code: "live-no-address-for-from",
    level: Level::Fault,
    places: &[],
    says: "The caller's address does not arrive: the log says from=unknown. So the keys with \"from\" are refused: \
           <labels>.",
    cure: "Let the proxy tell it (X-Real-IP $remote_addr), or give these people keys without --from.",
};
static OTHER_ADDRESS: Kind = Kind {
    code: "live-other-address",
    level: Level::Advice,
    places: &[],
    says: "The request went out from <own>, and the log says from=<from>: something between, a router or a proxy of \
           another machine's, puts its own address in the place of the caller's. A \"from\" would see that one.",
    cure: "From outside it may be otherwise: send a request from there, and see what the log says: `sudo tail <log>` If it \
           is the same, let callers come straight to this NAS, or use no \"from\".",
};
static TRACE: Kind = Kind {
    code: "live-trace",
    level: Level::Advice,
    places: &[],
    says: "Apache answers TRACE by itself and sends the request back, so a stranger sees that there is an Apache.",
    cure: "Switch it off for the whole of Apache, and restart it: `echo 'TraceEnable off' | sudo tee \
           /usr/local/etc/apache24/sites-enabled/trace.conf` `sudo synosystemctl restart pkgctl-Apache2.4`",
};
static LONG: Kind = Kind {
    code: "live-long-path",
    level: Level::Advice,
    places: &[],
    says:
        "A path whose part is longer than 255 characters gets a page of the web server's own (status <status>), so a \
           stranger sees what serves there. No key is as long.",
    cure:
        "Leave it; or take the way by a port of its own, where the start page comes for that too, as docs/web.md says.",
};
static IN_THE_CLEAR: Kind = Kind {
    code: "live-in-the-clear",
    level: Level::Advice,
    places: &[],
    says: "<url> is not https: everybody on the way can read the keys, and use them.",
    cure: "Let DSM put https in front: Control Panel, Login Portal, Advanced, Reverse Proxy; docs/web.md says how.",
};

/// The findings of this module.
#[cfg(test)]
pub static KINDS: &[&Kind] = &[
    &NO_CURL,
    &NO_NAME,
    &REFUSED,
    &LATE,
    &NO_TLS,
    &CERTIFICATE,
    &FAILED,
    &LED_AWAY,
    &FORBIDDEN,
    &BACK_END,
    &BROKEN,
    &ELSEWHERE,
    &OWN_PAGE,
    &OTHER_PAGE,
    &METHOD,
    &OTHER_STATUS,
    &HEADER,
    &ADDED,
    &NOT_OURS,
    &PATH,
    &PATH_LOST,
    &HEADERS_LOST,
    &NO_ADDRESS,
    &NO_ADDRESS_NEEDED,
    &OTHER_ADDRESS,
    &TRACE,
    &LONG,
    &IN_THE_CLEAR,
];

const CURL: &str = "/usr/bin/curl";
/// What every request is sent with; the last word shows from which address it went out.
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
/// What curl as a whole may take.
const CURL_TIME: Duration = Duration::from_secs(30);
const ANSWER_MAX: usize = 256 << 10;
/// How long a line may take to the log.
const LOG_TIME: Duration = Duration::from_secs(2);
/// Characters of an address that a stranger's server names.
const LOCATION_MAX: usize = 200;
/// What the log says of a pair of wrong keys.
const BOTH: &str = "5b 5c wrong magic key and identifier";

/// Sends requests to `url` and looks at the answers, and at what the log says of them.
pub fn look(nas: &Installation<'_>, url: &str) -> Result<Vec<Found>, Fault> {
    let url = address(url)?;
    without_keys(nas, &url)?;
    let page = start_page(Some(nas.folder));
    let mut live = Live { url: &url, log: nas.path("log.txt"), page, careless: false };
    let mut found = Vec::new();
    let mut doorstep = live.send(&[], "/");
    // What else is wrong can be seen all the same: no key of anybody's is sent.
    if let Err(failed) = doorstep.as_ref().map_err(|failed| failed.code) {
        if failed == CERTIFICATE.code {
            found.extend(doorstep.err());
            live.careless = true;
            doorstep = live.send(&[], "/");
        }
    }
    let doorstep = match doorstep {
        Ok(doorstep) => doorstep,
        Err(failed) => {
            found.push(failed);
            return Ok(found);
        }
    };
    if let Some(other) = live.not_ours(&doorstep) {
        found.push(other);
        return Ok(found);
    }
    if doorstep.body != live.page {
        let file = nas.path("start.html").display().to_string();
        found.push(OWN_PAGE.found(&[("file", &file)]));
        live.page = doorstep.body.clone();
    }
    headers(&doorstep, &mut found);
    live.refusals(nas, &mut found)?;
    if found.iter().all(|found| found.level != Level::Fault) {
        found.extend(live.answered_by_itself()?);
    }
    if url.starts_with("http://") && !at_home(host(&url)) {
        found.push(IN_THE_CLEAR.found(&[("url", &url)]));
    }
    Ok(found)
}

/// A whole secret URL would start its task.
fn without_keys(nas: &Installation<'_>, url: &str) -> Result<(), Fault> {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let known = nas.config.map(digests).unwrap_or_default();
    let is_key = |part: &str| known.iter().any(|digest| digest.matches(&Digest::of(part.as_bytes())));
    match path.contains('/') || path.split('/').any(is_key) {
        false => Ok(()),
        true => Err(Fault::new(
            "behind the host of this address stands what may be keys, and a request there could start a task. Give the \
             address alone, such as https://nas.example.org",
        )),
    }
}

/// An address at which an installation is to answer.
pub struct Live<'u> {
    /// Without a slash at its end.
    pub url: &'u str,
    log: PathBuf,
    page: Vec<u8>,
    /// Whatever the certificate says.
    careless: bool,
}

/// An answer, its headers' names in small letters.
pub struct Answer {
    /// Its status.
    pub status: u16,
    headers: Vec<(String, String)>,
    /// What came with it.
    pub body: Vec<u8>,
    /// The address from which it was asked for.
    own: Option<IpAddr>,
}

/// A request that must be refused, and what the log must say of it.
struct Wrong<'w> {
    what: &'static str,
    words: Vec<&'w str>,
    path: &'w str,
    why: &'static str,
}

/// What a log line says of a refusal.
struct Line {
    why: String,
    from: String,
}

impl<'u> Live<'u> {
    /// The one at this address, which is one.
    pub fn of(folder: &Path, url: &'u str) -> Result<Live<'u>, Fault> {
        address(url)?;
        let (url, page) = (url.trim_end_matches('/'), start_page(Some(folder)));
        Ok(Live { url, log: folder.join("log.txt"), page, careless: false })
    }

    /// A request of `/` without keys: the start page comes.
    pub fn doorstep(&self) -> Result<Answer, Found> {
        let answer = self.send(&[], "/")?;
        match self.not_ours(&answer) {
            Some(other) => Err(other),
            None => Ok(answer),
        }
    }

    /// Whether this is what a stranger gets.
    pub fn is_refusal(&self, answer: &Answer) -> bool {
        answer.status == 404 && answer.body == self.page
    }

    /// One request with curl. Its keys are nobody's, so they may stand among its arguments.
    fn send(&self, words: &[&str], path: &str) -> Result<Answer, Found> {
        let url = format!("{}{path}", self.url);
        let careless: &[&str] = if self.careless { &["--insecure"] } else { &[] };
        let argv = [&[CURL], &WORDS[..], careless, words, &["--", &url]].concat();
        self.answer(gather(argv, ANSWER_MAX, Instant::now() + CURL_TIME))
    }

    /// One request whose path is a secret: curl reads it from its stdin, for everybody can read its arguments.
    pub fn send_secretly(&self, path: &str, wanted: &dyn Fn() -> bool) -> Result<Answer, Found> {
        let config = format!("url = \"{}{path}\"\nheader = \"Accept: application/json\"\n", self.url);
        let argv = [&[CURL], &WORDS[..], &["--config", "-"]].concat();
        self.answer(gather_fed(argv, config.as_bytes(), ANSWER_MAX, Instant::now() + CURL_TIME, wanted))
    }

    fn answer(&self, gathered: Result<Gathered, Trouble>) -> Result<Answer, Found> {
        let found = |kind: &'static Kind, why: &str| {
            kind.found(&[("url", self.url), ("why", why.trim_end_matches('.')), ("host", host(self.url))])
        };
        match gathered {
            Ok(Gathered { end, stdout, .. }) if end.exit == Some(0) => {
                parse(&stdout).ok_or_else(|| found(&FAILED, "the answer is no answer of HTTP"))
            }
            Ok(Gathered { end, stderr, .. }) => {
                let words = String::from_utf8_lossy(&stderr);
                let why = words.lines().next().unwrap_or_default().trim_start_matches("curl: ");
                // curl(1), EXIT CODES.
                let kind = match end.exit {
                    Some(6) => &NO_NAME,
                    Some(7) => &REFUSED,
                    Some(28) => &LATE,
                    Some(35) => &NO_TLS,
                    Some(51 | 60) => &CERTIFICATE,
                    _ => &FAILED,
                };
                Err(found(kind, why))
            }
            Err(Trouble::Start(e)) => Err(found(&NO_CURL, &crate::owner::fault::plainly(&e))),
            Err(Trouble::Late(_)) => Err(found(&LATE, "curl itself did not end")),
        }
    }

    /// What answers at the doorstep, if it is not the program.
    fn not_ours(&self, answer: &Answer) -> Option<Found> {
        let status = answer.status.to_string();
        let names = [("url", self.url), ("status", &*status)];
        Some(match answer.status {
            200 if answer.body == self.page || answer.body == START_PAGE.as_bytes() => return None,
            300..=399 => {
                let location = answer.header("location").next().unwrap_or("nowhere");
                let location: String = location.chars().take(LOCATION_MAX).collect();
                LED_AWAY.found(&[("url", self.url), ("status", &status), ("location", &location)])
            }
            403 => FORBIDDEN.found(&names),
            502..=504 => BACK_END.found(&names),
            500..=599 => BROKEN.found(&names),
            _ => ELSEWHERE.found(&names),
        })
    }

    /// The kinds of a wrong request: each must get the same answer, and its own reason in the log.
    fn refusals(&self, nas: &Installation<'_>, found: &mut Vec<Found>) -> Result<(), Fault> {
        // As long as a key can be, with each of its special characters.
        let one = format!("{}-._~", new_key()?);
        let other: String = (0..5).map(|_| new_key()).collect::<Result<String, Fault>>()?.chars().take(128).collect();
        let pair = format!("/{one}/{other}");
        let (magic, task) = (format!("X-Magic-Key: {one}"), format!("X-Task-Key: {other}"));
        let by_headers = vec!["--header", &*magic, "--header", &task];
        let (three, option, two) = (format!("{pair}/x"), format!("{pair}?--version"), format!("{pair}?a+b"));
        let segments = "5a the path is not /<magickey>/<identifier>";
        let requests = [
            Wrong { what: "a wrong pair of keys", words: vec![], path: &pair, why: BOTH },
            Wrong { what: "three parts in the path", words: vec![], path: &three, why: segments },
            Wrong { what: "a query that looks like an option", words: vec![], path: &option, why: BOTH },
            Wrong { what: "a query of two words", words: vec![], path: &two, why: BOTH },
            Wrong { what: "a POST", words: vec!["--request", "POST", "--data", "a=b"], path: &pair, why: BOTH },
            Wrong { what: "a HEAD", words: vec!["--head"], path: &pair, why: BOTH },
            Wrong { what: "keys in headers", words: by_headers, path: "/", why: BOTH },
        ];
        // The caller's address is what all lines of ours have in common.
        let (mut from, mut own): (Option<BTreeSet<String>>, Option<IpAddr>) = (None, None);
        for wrong in &requests {
            let before = self.log_size();
            let answer = match self.send(&wrong.words, wrong.path) {
                Ok(answer) => answer,
                Err(failed) => {
                    found.push(failed);
                    break;
                }
            };
            let lines = self.lines(before, wrong.why);
            if let Some(fault) = self.judge(wrong, &answer, &lines) {
                let goes_on = fault.level == Level::Advice;
                found.push(fault);
                if goes_on {
                    continue;
                }
                break;
            }
            headers(&answer, found);
            own = own.or(answer.own);
            let callers = lines.into_iter().filter(|line| line.why == wrong.why).map(|line| line.from).collect();
            from = Some(from.map_or_else(|| BTreeSet::clone(&callers), |from| &from & &callers));
        }
        let from = from.unwrap_or_default();
        if let (1, Some(from)) = (from.len(), from.first()) {
            found.extend(self.caller(nas, from, own));
        }
        Ok(())
    }

    /// What is wrong with one of them.
    fn judge(&self, wrong: &Wrong<'_>, answer: &Answer, lines: &[Line]) -> Option<Found> {
        let (status, log) = (answer.status.to_string(), self.log.display().to_string());
        // The one with the wanted reason, or else the last.
        let line = lines.iter().find(|line| line.why == wrong.why).or(lines.last());
        let why = line.map_or("nothing", |line| &line.why);
        let names = [
            ("what", wrong.what),
            ("status", &*status),
            ("wanted", if answer.status == 404 { wrong.why } else { "404" }),
            ("why", why),
            ("log", &log),
        ];
        let page = answer.body == self.page || wrong.what == "a HEAD";
        let method = matches!(wrong.what, "a POST" | "a HEAD");
        Some(match (answer.status, line) {
            // As at the doorstep.
            (200, None) if page && wrong.path == "/" => HEADERS_LOST.found(&names),
            (200, None) if page => PATH_LOST.found(&names),
            _ if method && !(page && answer.status == 404) => METHOD.found(&names),
            _ if !page => OTHER_PAGE.found(&names),
            (404, None) => NOT_OURS.found(&names),
            // It cannot read or refuses config.json; that is found without a request.
            (404, Some(line)) if line.why == wrong.why || line.why.starts_with("4a ") => return None,
            (404, _) if wrong.path == "/" => HEADERS_LOST.found(&names),
            (404, _) => PATH.found(&names),
            _ => OTHER_STATUS.found(&names),
        })
    }

    /// The caller's address as it arrived. On the loopback device there is none to arrive.
    fn caller(&self, nas: &Installation<'_>, from: &str, own: Option<IpAddr>) -> Option<Found> {
        let own = own.map(|own| own.to_canonical()).filter(|own| !own.is_loopback())?;
        match from.parse::<IpAddr>() {
            Ok(from) if from == own => None,
            Ok(from) => {
                let (own, from, log) = (own.to_string(), from.to_string(), self.log.display().to_string());
                Some(OTHER_ADDRESS.found(&[("own", &own), ("from", &from), ("log", &log)]))
            }
            Err(_) => Some(no_address(nas)),
        }
    }

    /// Requests that the web server may answer before it asks the program.
    fn answered_by_itself(&self) -> Result<Vec<Found>, Fault> {
        let mut found = Vec::new();
        let long = format!("/{}/{}", new_key()?.repeat(12), new_key()?);
        match self.send(&["--request", "TRACE"], "/") {
            Ok(answer) if answer.status == 200 && answer.body.starts_with(b"TRACE ") => found.push(TRACE.found(&[])),
            _ => {}
        }
        match self.send(&[], &long) {
            Ok(answer) if answer.body != self.page => {
                found.push(LONG.found(&[("status", &answer.status.to_string())]));
            }
            _ => {}
        }
        Ok(found)
    }

    fn log_size(&self) -> u64 {
        fs::metadata(&self.log).map_or(0, |meta| meta.len())
    }

    /// The refusals that were written since the log had this size; one with this reason is waited for.
    fn lines(&self, before: u64, why: &str) -> Vec<Line> {
        let deadline = Instant::now() + LOG_TIME;
        loop {
            let lines = refusals(&self.log, before);
            let there = lines.iter().any(|line| line.why == why || line.why.starts_with("4a "));
            if there || Instant::now() >= deadline {
                return lines;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The refusals in the log behind the byte `before`; in all of it where its older half has gone since.
fn refusals(log: &Path, before: u64) -> Vec<Line> {
    let content = Regular::open(log).and_then(|file| file.read(2 * FULL as usize)).unwrap_or_default();
    let new = usize::try_from(before).ok().and_then(|before| content.get(before..)).unwrap_or(&content);
    let text = String::from_utf8_lossy(new);
    let line = |line: &str| {
        let (_, rest) = line.split_once(" refused ")?;
        let from = rest.split_once(" from=")?.1.split(' ').next()?.to_owned();
        Some(Line { from, why: rest.split_once(" why=")?.1.to_owned() })
    };
    text.lines().filter_map(line).collect()
}

impl Answer {
    fn header<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name));
        named.map(|(_, value)| &**value)
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

/// Headers that no answer may have: they lead a caller on, mark one, or let other sites read along.
const NEVER: [&str; 5] = ["location", "refresh", "set-cookie", "www-authenticate", "access-control-allow-origin"];

/// What is wrong with the headers of an answer, and was not found with another.
fn headers(answer: &Answer, found: &mut Vec<Found>) {
    let mut new = Vec::new();
    for (name, wanted) in promised() {
        let there: Vec<&str> = answer.header(name).collect();
        // Twice the same is the same.
        if there.is_empty() || there.iter().any(|value| *value != wanted) {
            let there = if there.is_empty() { "missing".to_owned() } else { format!("\"{}\"", there.join("\", \"")) };
            new.push(HEADER.found(&[("header", name), ("there", &there), ("wanted", &format!("\"{wanted}\""))]));
        }
    }
    let added = NEVER.into_iter().filter(|name| answer.header(name).next().is_some());
    new.extend(added.map(|name| ADDED.found(&[("header", name)])));
    new.retain(|new| found.iter().all(|known| known.sentence != new.sentence));
    found.append(&mut new);
}

fn no_address(nas: &Installation<'_>) -> Found {
    let people = nas.config.iter().flat_map(|config| config.server.magic_keys.iter().enumerate());
    let limited = people.filter(|(_, key)| !key.from.is_empty());
    let labels: Vec<String> = limited.map(|(number, key)| who(number, key.label.as_deref())).collect();
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

/// Ends of names that are known in a home's own network alone.
const HOME: [&str; 8] =
    [".local", ".lan", ".home", ".internal", ".home.arpa", ".localdomain", ".fritz.box", ".localhost"];

/// This machine, or an address that no router leads out.
fn at_home(host: &str) -> bool {
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
