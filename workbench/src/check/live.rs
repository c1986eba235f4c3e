//! Live requests through the web server, as a stranger sends them: with keys that nobody has. Each must get
//! the one neutral answer, and log.txt must report that it was ours, and why.
//!
//! The log holds no key to find a request's own line by: what was written since it was sent, with the
//! reason that it should have, is taken for it. Others may call meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::live_headers::headers;
use crate::nas::http::{self, at_home, host, Answer, Failed, Failure};
use crate::nas::installation::Installation;
use crate::owner::addresses::address;
use crate::owner::edit::digests;
use crate::owner::fault::Fault;
use crate::owner::finding::{findings, Found, Level};
use crate::owner::names::who;
use crate::owner::request_log::{lines_since, Event};
use crate::owner::secrets::new_key;
use remotetask::key::Digest;
use remotetask::response::{start_page, START_PAGE};

findings! {
    NoCurl { why, url }: "live-no-curl", Fault,
        "There is no curl on this machine to make a request with: <why>.",
        "Open <url> in a browser: it must show the start page.";
    NoName { url, why, host }: "live-no-name", Fault,
        "The name in <url> is not known here: <why>.",
        "Check the name for typos; or see whether it is known: `nslookup <host>`";
    Refused { url, why }: "live-refused", Fault,
        "Nothing answers at <url>: <why>.",
        "See that the web server runs, and that the port is the one that it listens on: `sudo netstat -tln`";
    Late { url, why }: "live-late", Fault,
        "No answer came from <url> in time: <why>.",
        "See whether a firewall keeps requests away; and from the NAS itself many routers lead no request to their own \
         outside address: try that from a phone without WLAN.";
    NoTls { url, why }: "live-no-tls", Fault,
        "The TLS handshake with <url> failed: <why>.",
        "That port speaks plain http, or a kind of https that is too old or too new. In DSM https is on the port that \
         the virtual host or the reverse proxy has for it, 443 as a rule; docs/web.md says how to set it up.";
    Certificate { url, why }: "live-certificate", Fault,
        "The certificate of <url> is not believed: <why>.",
        "Choose a certificate for that name in Control Panel, Security, Certificate; it must not have expired, and \
         must name the host as you call it.";
    RequestFailed { url, why }: "live-failed", Fault,
        "The request to <url> failed: <why>.",
        "See what curl says about it in full: `curl -v <url>/`";
    LedAway { url, location, status }: "live-led-away", Fault,
        "Whoever asks <url> for / is sent on to <location> (status <status>).",
        "If that is the same address with https, call it by that. If it is DSM's own login (port 5000 or 5001), host \
         or port are DSM's, not those of the virtual host or the reverse proxy; docs/web.md says how to set them up.";
    Forbidden {}: "live-forbidden", Fault,
        "The web server refuses even to answer /: status 403.",
        "It may not run the program or not get to it: look for the document root's .htaccess, the modes of folders and \
         programs (remotetask check without --url), and what Apache's error log says: `sudo tail \
         /var/log/httpd/apache24-error_log`";
    BackEnd { status }: "live-back-end", Fault,
        "A proxy answers, but the web server behind it does not: status <status> to a request of /.",
        "See that Apache runs, and that the proxy leads to the port on which it listens: `sudo synosystemctl restart \
         pkgctl-Apache2.4` `sudo netstat -tln`";
    Broken { status }: "live-broken", Fault,
        "The web server cannot run the program: status <status> to a request of /.",
        "Its error log says why: `sudo tail /var/log/httpd/apache24-error_log`";
    Elsewhere { url, status }: "live-elsewhere", Fault,
        "Something else answers at <url>: status <status> to a request of /, not the start page.",
        "Is it the right host and port? Where DSM's own login or another page comes, the virtual host or the reverse \
         proxy leads somewhere else; docs/web.md says how to set it up.";
    OwnPage { file }: "live-own-page", Advice,
        "Your own start page, <file>, is not shown: the web server's user cannot read it.",
        "Let it: `sudo chmod 0644 <file>`";
    OtherPage { what, status }: "live-other-page", Fault,
        "A request with <what> gets a different page than the start page (status <status>): a proxy or DSM puts its \
         own error page in the place of ours, so a stranger sees that there is something.",
        "Take its own error pages out: in Web Station's page for error pages none for this host; in nginx \
         proxy_intercept_errors off and no error_page.";
    PagesReplaced { what }: "live-pages-replaced", Advice,
        "<what> arrives, is refused with status 404, and the web server puts a page of its own in the place of ours. Web Station \
         does that for a virtual host from status 400 on, unless it is told otherwise. The statuses arrive, and people's pages \
         have the status 200, so only a program that reads why something failed misses it.",
        "Leave it, if no program has to know; or take the way by a port of its own, where DSM's reverse proxy hands everything \
         on, as docs/web.md says.";
    OtherToMethod { what, status }: "live-method", Fault,
        "To <what> something else answers (status <status>), so those who send one start nothing.",
        "Let the web server and what stands in front of it hand on GET, HEAD and POST: look for Limit, LimitExcept or \
         limit_except in their files.";
    OtherStatus { what, status, wanted }: "live-other-status", Fault,
        "The answer to <what> has the status <status>, where it should be <wanted>.",
        "Something between changes it: look for rules about answers in the proxy or in .htaccess, and take them out \
         for this host.";
    OtherHeader { header, there, wanted }: "live-header", Advice,
        "The header <header> does not arrive as it was sent: it is <there>, and should be <wanted>.",
        "Look for it in the proxy's or Apache's configuration (Header, proxy_hide_header, add_header), and take that \
         out for this host.";
    AddedHeader { header }: "live-added", Advice,
        "Something between adds the header <header> to the answers.",
        "Look for it in the proxy's or Apache's configuration, and take that out for this host.";
    NotLogged { log, what }: "live-not-logged", Fault,
        "The right page came, but <log> has no line for the request (<what>): another installation answers there, or \
         the log cannot be written.",
        "Look for another remotetask-cgi in the web server's configuration; remotetask check without --url looks at \
         the log.";
    OtherPath { what, why, wanted }: "live-path", Fault,
        "The path does not arrive as it was sent (<what>): the log says \"<why>\", where \"<wanted>\" should stand.",
        "Something between rewrites it: the proxy must hand the path on as it is, without a part of its own in front; \
         in nginx proxy_pass without a path.";
    PathLost { what }: "live-path-lost", Fault,
        "The path does not arrive at all: <what> is answered as if it were a request of /.",
        "Something between takes it away. The way to the program must be one of those in the folder webstation: \
         FallbackResource and ErrorDocument hand no path on, and a proxy must hand it on as it is.";
    HeadersLost { why }: "live-keys-in-headers", Advice,
        "Keys in headers (X-Magic-Key, X-Task-Key) do not arrive: the log says \"<why>\".",
        "Something between takes them out. Use keys in the path, or let it hand on all headers.";
    NoAddress {}: "live-no-address", Advice,
        "The caller's address does not arrive: the log says from=unknown. No key with \"from\" would work.",
        "Let the proxy tell it, and nothing else that contradicts it: X-Real-IP $remote_addr; in Control Panel's \
         reverse proxy it is there by itself.";
    NoAddressForFrom { labels }: "live-no-address-for-from", Fault,
        "The caller's address does not arrive: the log says from=unknown. So the keys with \"from\" are refused: \
         <labels>.",
        "Let the proxy tell it (X-Real-IP $remote_addr), or give these people keys without --from.";
    OtherAddress { own, from, log }: "live-other-address", Advice,
        "The request went out from <own>, and the log says from=<from>: something between, a router or a proxy of \
         another machine's, puts its own address in the place of the caller's. A \"from\" would see that one.",
        "From outside it may be otherwise: send a request from there, and see what the log says: `sudo tail <log>` If \
         it is the same, let callers come straight to this NAS, or use no \"from\".";
    AnswersTrace {}: "live-trace", Advice,
        "Apache answers TRACE by itself and sends the request back, so a stranger sees that there is an Apache.",
        "Switch it off for the whole of Apache, and restart it: `echo 'TraceEnable off' | sudo tee \
         /usr/local/etc/apache24/sites-enabled/trace.conf` `sudo synosystemctl restart pkgctl-Apache2.4`";
    LongPath { status }: "live-long-path", Advice,
        "A path whose part is longer than 255 characters gets a page of the web server's own (status <status>), so a \
         stranger sees what serves there. No key is as long.",
        "Leave it; or take the way by a port of its own, where the start page comes for that too, as docs/web.md says.";
    InTheClear { url }: "live-in-the-clear", Advice,
        "<url> is not https: everybody on the way can read the keys, and use them.",
        "Let DSM put https in front: Control Panel, Login Portal, Advanced, Reverse Proxy; docs/web.md says how.";
}

/// Time that a line may take to the log.
const LOG_TIME: Duration = Duration::from_secs(2);
/// Characters of an address that a stranger's server names.
const LOCATION_MAX: usize = 200;
/// The log's words about a pair of wrong keys.
const BOTH: &str = "5b 5c wrong magic key and identifier";

/// Sends requests to `url` and looks at the answers, and at what the log says of them.
pub fn look(nas: &Installation<'_>, url: &str) -> Result<Vec<Found>, Fault> {
    let url = address(url)?;
    without_keys(nas, &url)?;
    let page = start_page(Some(nas.folder));
    let mut live = Live { url: &url, log: nas.path("log.txt"), page, careless: false, replaced: None };
    let mut found = Vec::new();
    let mut doorstep = live.send(&[], "/");
    // Other faults can be seen all the same: no key of anybody's is sent.
    if doorstep.as_ref().is_err_and(|failed| failed.code == Certificate::KIND.code) {
        found.extend(doorstep.err());
        live.careless = true;
        doorstep = live.send(&[], "/");
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
        found.push(OwnPage { file: &nas.path("start.html").display() }.found());
        live.page = doorstep.body.clone();
    }
    headers(&doorstep, &mut found);
    live.refusals(nas, &mut found)?;
    if found.iter().all(|found| found.level != Level::Fault) {
        found.extend(live.answered_by_itself()?);
    }
    if url.starts_with("http://") && !at_home(host(&url)) {
        found.push(InTheClear { url: &url }.found());
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
    /// The page that the web server shows in place of ours.
    replaced: Option<Vec<u8>>,
}

/// A request that must be refused, and what the log must say of it.
struct Wrong<'w> {
    what: &'static str,
    words: Vec<&'w str>,
    path: &'w str,
    why: &'static str,
}

/// A log line of a refusal.
struct Line {
    why: String,
    from: String,
}

impl<'u> Live<'u> {
    /// The one at this address, which is one.
    pub fn of(folder: &Path, url: &'u str) -> Result<Live<'u>, Fault> {
        address(url)?;
        let (url, page) = (url.trim_end_matches('/'), start_page(Some(folder)));
        Ok(Live { url, log: folder.join("log.txt"), page, careless: false, replaced: None })
    }

    /// A request of `/` without keys: the start page comes.
    pub fn doorstep(&self) -> Result<Answer, Found> {
        let answer = self.send(&[], "/")?;
        match self.not_ours(&answer) {
            Some(other) => Err(other),
            None => Ok(answer),
        }
    }

    /// Returns true if this machine itself answers at that name with the start page: what stands in between leads nobody
    /// back here then.
    pub fn answers_on_this_nas(&self) -> bool {
        let answer = self.send(&["--insecure", "--connect-to", "::127.0.0.1:"], "/");
        answer.is_ok_and(|answer| self.not_ours(&answer).is_none())
    }

    /// Returns true if this is the answer that a stranger gets.
    pub fn is_refusal(&self, answer: &Answer) -> bool {
        answer.status == 404 && answer.body == self.page
    }

    /// Sends one request whose keys are nobody's.
    fn send(&self, words: &[&str], path: &str) -> Result<Answer, Found> {
        let careless: &[&str] = if self.careless { &["--insecure"] } else { &[] };
        let answer = http::send(&format!("{}{path}", self.url), &[careless, words].concat());
        answer.map_err(|failed| self.no_answer(&failed))
    }

    /// Sends one request whose path is a secret.
    pub fn send_secretly(&self, path: &str, wanted: &dyn Fn() -> bool) -> Result<Answer, Found> {
        http::send_secretly(&format!("{}{path}", self.url), wanted).map_err(|failed| self.no_answer(&failed))
    }

    fn no_answer(&self, failed: &Failed) -> Found {
        let (url, why) = (&self.url, &failed.why);
        match failed.kind {
            Failure::NoCurl => NoCurl { why, url }.found(),
            Failure::NoName => NoName { url, why, host: &host(url) }.found(),
            Failure::Refused => Refused { url, why }.found(),
            Failure::Late => Late { url, why }.found(),
            Failure::NoTls => NoTls { url, why }.found(),
            Failure::Certificate => Certificate { url, why }.found(),
            Failure::Other => RequestFailed { url, why }.found(),
        }
    }

    /// Judges an answer at the doorstep that is not the program's.
    fn not_ours(&self, answer: &Answer) -> Option<Found> {
        let (url, status) = (&self.url, &answer.status);
        Some(match answer.status {
            200 if answer.body == self.page || answer.body == START_PAGE.as_bytes() => return None,
            300..=399 => {
                let location = answer.header("location").next().unwrap_or("nowhere");
                let location: String = location.chars().take(LOCATION_MAX).collect();
                LedAway { url, location: &location, status }.found()
            }
            403 => Forbidden.found(),
            502..=504 => BackEnd { status }.found(),
            500..=599 => Broken { status }.found(),
            _ => Elsewhere { url, status }.found(),
        })
    }

    /// Sends each kind of a wrong request: all must get the same answer, and each its own reason in the log.
    fn refusals(&mut self, nas: &Installation<'_>, found: &mut Vec<Found>) -> Result<(), Fault> {
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
            let came = answer.status == 404 && lines.iter().any(|line| line.why == wrong.why);
            if came && self.replaced.is_none() && wrong.what != "a HEAD" && answer.body != self.page {
                found.push(PagesReplaced { what: &format!("A request with {}", wrong.what) }.found());
                self.replaced = Some(answer.body.clone());
            }
            if let Some(fault) = self.judge(wrong, &answer, &lines) {
                let goes_on = fault.level == Level::Advice;
                found.push(fault);
                if goes_on {
                    continue;
                }
                break;
            }
            if self.replaced.is_none() {
                headers(&answer, found);
            }
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

    /// Judges the answer to one of them, and its line in the log.
    fn judge(&self, wrong: &Wrong<'_>, answer: &Answer, lines: &[Line]) -> Option<Found> {
        // The one with the wanted reason, or else the last.
        let line = lines.iter().find(|line| line.why == wrong.why).or(lines.last());
        let (what, status) = (&wrong.what, &answer.status);
        let why = &line.map_or("nothing", |line| &line.why);
        let replaced = answer.status == 404 && self.replaced.as_ref() == Some(&answer.body);
        let page = answer.body == self.page || replaced || wrong.what == "a HEAD";
        let method = matches!(wrong.what, "a POST" | "a HEAD");
        Some(match (answer.status, line) {
            // As at the doorstep.
            (200, None) if page && wrong.path == "/" => HeadersLost { why }.found(),
            (200, None) if page => PathLost { what }.found(),
            _ if method && !(page && answer.status == 404) => OtherToMethod { what, status }.found(),
            _ if !page => OtherPage { what, status }.found(),
            (404, None) => NotLogged { log: &self.log.display(), what }.found(),
            // It cannot read or refuses config.json; that is found without a request.
            (404, Some(line)) if line.why == wrong.why || line.why.starts_with("4a ") => return None,
            (404, _) if wrong.path == "/" => HeadersLost { why }.found(),
            (404, _) => OtherPath { what, why, wanted: &wrong.why }.found(),
            _ => OtherStatus { what, status, wanted: &404 }.found(),
        })
    }

    /// The caller's address as it arrived. On the loopback device there is none to arrive.
    fn caller(&self, nas: &Installation<'_>, from: &str, own: Option<IpAddr>) -> Option<Found> {
        let own = own.map(|own| own.to_canonical()).filter(|own| !own.is_loopback())?;
        match from.parse::<IpAddr>() {
            Ok(from) if from == own => None,
            Ok(from) => Some(OtherAddress { own: &own, from: &from, log: &self.log.display() }.found()),
            Err(_) => Some(no_address(nas)),
        }
    }

    /// Requests that the web server may answer before it asks the program.
    fn answered_by_itself(&self) -> Result<Vec<Found>, Fault> {
        let mut found = Vec::new();
        let long = format!("/{}/{}", new_key()?.repeat(12), new_key()?);
        match self.send(&["--request", "TRACE"], "/") {
            Ok(answer) if answer.status == 200 && answer.body.starts_with(b"TRACE ") => {
                found.push(AnswersTrace.found())
            }
            _ => {}
        }
        match self.send(&[], &long) {
            Ok(answer) if answer.body != self.page && self.replaced.as_ref() != Some(&answer.body) => {
                found.push(LongPath { status: &answer.status }.found())
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
    let refused = |event: Event| match (&*event.what, event.field("from"), &event.why) {
        ("refused", Some(from), Some(why)) => Some(Line { from: from.to_owned(), why: why.clone() }),
        _ => None,
    };
    lines_since(log, before).into_iter().filter_map(|line| refused(line.event?)).collect()
}

fn no_address(nas: &Installation<'_>) -> Found {
    let people = nas.config.iter().flat_map(|config| config.server.magic_keys.iter().enumerate());
    let limited = people.filter(|(_, key)| !key.from.is_empty());
    let labels: Vec<String> = limited.map(|(number, key)| who(number, key.label.as_deref())).collect();
    match labels.is_empty() {
        true => NoAddress.found(),
        false => NoAddressForFrom { labels: &labels.join(", ") }.found(),
    }
}
