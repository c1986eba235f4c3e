//! The web half: one CGI request, judged and answered, as the web server's unprivileged user.
//! Its arguments are never looked at (RFC 3875, section 4.4 puts a query there).

use std::env::var_os;
use std::panic;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use remotetask::answer::{log_and_answer, refuse, Proven};
use remotetask::config::{self, WAIT_MAX};
use remotetask::elevate;
use remotetask::files::{self, Regular, CONFIG_MAX};
use remotetask::judge::judge;
use remotetask::line::{Ask, Do, Reply, ASK_MAX};
use remotetask::log::{log_more, open_at, Caller};
use remotetask::outcome::Outcome;
use remotetask::request::{Body, Details, Form, Request, Wish};
use remotetask::response::Response;
use remotetask::step::Step;

fn main() {
    // Exactly one answer, whatever happens; before the keys are proven a fault is a refusal.
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
    let body = Body::read(rustix::stdio::stdin(), |name| var_os(name));
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
    let flaw = flaw.or(body.flaw);
    let config = match config::glance(&content, credentials.identifier.digest()) {
        Ok(config) => config,
        // Its place alone: the words of a refusal may hold what was to be a key.
        Err(refusal) => return refuse(folder, &request, None, format_args!("4a {}", refusal.place())),
    };
    if config.server.debug {
        log_more();
    }
    log::debug!("request {} method={:?} form={:?}", Caller(request.from), request.method, request.form);
    let today = chrono::Local::now().date_naive();
    let granted = match judge(&config, credentials, flaw, request.from, today) {
        Ok(granted) => granted,
        Err(denied) => return refuse(folder, &request, denied.who, denied.why),
    };

    // From here on a fault is no refusal any more: the caller has proven the keys.
    let details = Details::of(request.method, &body, |name| var_os(name));
    let chosen = details.chosen().filter(|_| granted.one().is_none());
    let wish = match (granted.one(), chosen) {
        (Some(task), _) => details.wish(task.get),
        (None, Some((wish, _))) => wish,
        (None, None) => Wish::Page,
    };
    let chosen = chosen.map(|(_, id)| id);
    let language = details.language;
    let proven = Proven { config: &config, granted: &granted, request: &request, wish, chosen, language, begun };
    let asked = panic::catch_unwind(|| ask(&proven, &details, folder));
    let reply = asked.unwrap_or_else(|_| Reply::Outcome(Outcome::Unknown { reason: "a fault of our own".into() }));
    match reply {
        Reply::Outcome(outcome) => log_and_answer(&proven, &outcome),
        Reply::Refused => {
            // A glance leaves faults to the root half, which has no log.
            match config::read(&content) {
                Err(refusal) => log::error!("fault {}; the root half refuses it", refusal.place()),
                Ok(_) => {
                    log::error!(
                        "fault the root half refuses what is valid here: is config.json? remotetask check tells"
                    )
                }
            }
            refuse(folder, &request, Some(granted.who()), "4 5 the root half disagrees")
        }
    }
}

fn read_config(folder: &Path) -> std::io::Result<Vec<u8>> {
    Regular::open(&folder.join("config.json"))?.read(CONFIG_MAX)
}

/// Asks the root half.
fn ask(proven: &Proven<'_>, details: &Details, folder: &Path) -> Reply {
    remotetask::drill("after the keys");
    let server = &proven.config.server;
    let question = question(proven, details);
    // Not Command::current_dir: that costs a static program posix_spawn(3).
    if let Err(e) = rustix::process::chdir("/") {
        return Reply::Outcome(Outcome::not_started(Step::Sudo, e));
    }
    let program: PathBuf = folder.join("remotetask-run");
    // A glance does not know the task that was chosen on the panel.
    let wait = Duration::from_secs(proven.granted.one().map_or(WAIT_MAX, |task| server.wait(task)));
    elevate::ask(&server.elevate(), &program, &question, wait)
}

/// The question for the root half: to start or stop only where the wish is that, and else to look.
fn question(proven: &Proven<'_>, details: &Details) -> Ask {
    let what = match (proven.wish, proven.granted.one()) {
        (Wish::Start, _) => Do::Start,
        (Wish::Stop, _) => Do::Stop,
        (_, None) => Do::Panel,
        (Wish::Status | Wish::Page, _) => Do::Look,
    };
    let new = |what| Ask::new(proven.granted, what, proven.request.from, details.browser);
    let mut question = new(what);
    question.after.clone_from(&details.form.after);
    question.task = proven.chosen.map(str::to_owned);
    question.page = proven.granted.one().is_some() && (proven.request.form == Form::Html || proven.wish == Wish::Page);
    // A task whose id makes the line too long is none.
    match question.to_line().len() > ASK_MAX && question.task.is_some() {
        true => new(Do::Panel),
        false => question,
    }
}
