//! The web half: one CGI request, judged and answered, as the web server's unprivileged user.
//! Its arguments are never looked at (RFC 3875, section 4.4 puts a query there).

use std::env::var_os;
use std::panic;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use remotetask::answer::{log_and_answer, refuse};
use remotetask::config::{self, Config, Glanced, WAIT_MAX};
use remotetask::credentials::Flaw;
use remotetask::elevate;
use remotetask::files::{self, Regular, CONFIG_MAX};
use remotetask::judge::{judge, Granted};
use remotetask::line::{Ask, Do, Reply};
use remotetask::log::{log_more, open_at, Caller};
use remotetask::outcome::Outcome;
use remotetask::request::{drain_body, Form, Method, Request};
use remotetask::response::Response;

fn main() {
    // Whatever happens, exactly one answer; before the keys are proven a fault is a refusal.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        log::error!("fault panic at {}", place.as_deref().unwrap_or("?"));
    }));
    let head = var_os("REQUEST_METHOD").is_some_and(|method| method == "HEAD");
    let folder = files::own_folder().ok();
    let answer = || answer(folder.as_deref());
    panic::catch_unwind(answer).unwrap_or_else(|_| Response::refusal(folder.as_deref())).send(head);
}

/// The path of a request.
fn answer(folder: Option<&Path>) -> Response {
    let begun = Instant::now();
    let request = Request::from_variables(|name| var_os(name));
    let broke_off = drain_body(rustix::stdio::stdin(), |name| var_os(name));
    let Some(folder) = folder else { return Response::refusal(None) };
    open_at(folder.join("log.txt"));
    if request.is_doorstep() {
        return Response::doorstep(folder);
    }

    remotetask::drill("before the keys");
    let content = match read_config(folder) {
        Ok(content) => content,
        Err(e) => return refuse(folder, &request, None, format_args!("4a {e}")),
    };
    let (credentials, flaw) = request.credentials();
    let flaw = flaw.or(broke_off.then_some(Flaw::Body));
    let config = match config::glance(&content, credentials.identifier.digest()) {
        Ok(config) => config,
        // Its place alone: the words of a refusal may hold what was to be a key.
        Err(refusal) => return refuse(folder, &request, None, format_args!("4a {}", refusal.place())),
    };
    if config.server.debug {
        log_more();
    }
    log::debug!(
        "request {} method={:?} form={:?} status={} unasked={}",
        Caller(request.from),
        request.method,
        request.form,
        request.status,
        request.unasked
    );
    let today = chrono::Local::now().date_naive();
    let granted = match judge(&config, credentials, flaw, request.from, today) {
        Ok(granted) => granted,
        Err(denied) => return refuse(folder, &request, denied.who, denied.why),
    };

    // From here on a fault is no refusal any more: the caller has proven the keys.
    let asked = panic::catch_unwind(|| ask(&config, &granted, &request, folder));
    let reply = asked.unwrap_or_else(|_| Reply::Outcome(Outcome::Unknown { reason: "a fault of our own".into() }));
    match reply {
        Reply::Outcome(outcome) => log_and_answer(&granted, &request, &outcome, begun),
        Reply::Refused => {
            log::error!("fault the root half refuses what is valid here: is config.json? remotetask check tells");
            refuse(folder, &request, Some(granted.who()), "4 5 the root half disagrees")
        }
    }
}

fn read_config(folder: &Path) -> std::io::Result<Vec<u8>> {
    Regular::open(&folder.join("config.json"))?.read(CONFIG_MAX)
}

/// Asks the root half: to start, or only to look where nobody plainly asked for a start.
fn ask(config: &Config<'_, Glanced>, granted: &Granted<'_, Glanced>, request: &Request, folder: &Path) -> Reply {
    let what = match request.may_start() {
        true => Do::Start,
        false => Do::Look,
    };
    let browser = request.method == Method::Get && request.form == Form::Html;
    remotetask::drill("after the keys");
    let question = Ask::new(granted, what, request.from, browser);
    // Not Command::current_dir: that costs a static program posix_spawn(3).
    if let Err(e) = rustix::process::chdir("/") {
        return Reply::Outcome(Outcome::not_started("sudo", e));
    }
    let program: PathBuf = folder.join("remotetask-run");
    // A glance does not know the task that was chosen on the panel.
    let wait = Duration::from_secs(granted.one().map_or(WAIT_MAX, |task| config.server.wait(task)));
    elevate::ask(&config.server.elevate(), &program, &question, wait)
}
