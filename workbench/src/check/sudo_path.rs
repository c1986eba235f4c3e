//! Does the web server's user get through to the root half? Tried as that user, in the way of a request,
//! with a question that holds no keys: the answer is a refusal, and nothing is started or recorded.
//!
//! A process of that user's can be stopped by anything else that does, from the moment on at which it became that user. So
//! it is a program by then, which can be waited for, and killed.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use crate::nas::installation::Installation;
use crate::owner::fault::Fault;
use crate::owner::finding::{findings, Found};
use remotetask::config::{self, ELEVATE};
use remotetask::elevate;
use remotetask::files::{Regular, CONFIG_MAX};
use remotetask::line::Reply;
use remotetask::outcome::Outcome;

findings! {
    Expired { why }: "http-expired", Fault,
        "sudo refuses the user http, whose account has expired or is missing from /etc/shadow: <why>.",
        "Make the account valid. If it has a line there, this takes the day of its expiry, the eighth field, out of it; if \
         it has none, add the line http:*::::::: there: `sudo sed -i 's/^\\(http\\(:[^:]*\\)\\{6\\}:\\)[^:]*/\\1/' \
         /etc/shadow`";
    Blocked { why, sudo, program }: "way-blocked", Fault,
        "The web server's user does not get through to remotetask-run: <why>.",
        "Mend what that says, and try the way yourself until the answer is {\"v\":1,\"refused\":true}: `echo | sudo -u \
         http <sudo> -n <program>`";
}

/// The words of sudo about an account that PAM's account management refuses.
const EXPIRED: [&str; 2] = ["account validation failure", "Account expired"];

/// Tries it, where there is such a user and root to become it.
pub fn look(nas: &Installation<'_>) -> Option<Found> {
    // Faults of config.json itself are found elsewhere.
    let elevate = nas.believed().map_or(ELEVATE.to_vec(), |config| config.server.elevate());
    let why = blocked(nas, &elevate)?;
    if EXPIRED.iter().any(|words| why.contains(words)) {
        return Some(Expired { why: &why }.found());
    }
    let (sudo, program) = (elevate.first().copied().unwrap_or_default(), nas.path("remotetask-run"));
    Some(Blocked { why: &why, sudo: &sudo, program: &program.display() }.found())
}

/// The same for the installation in this folder; nothing where there is no configuration yet.
pub fn of(folder: &Path) -> Option<Found> {
    let content = match Regular::open(&folder.join("config.json")).and_then(|file| file.read(CONFIG_MAX)) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
        content => content.unwrap_or_default(),
    };
    let config = config::read(&content).ok();
    look(&Installation::new(folder, &content, config.as_ref()))
}

/// The reason that the way is blocked, if it can be tried and is.
fn blocked(nas: &Installation<'_>, elevate: &[&str]) -> Option<String> {
    let http = nas.accounts.http().filter(|_| !nas.trial && geteuid().is_root())?;
    let (own, program) = (nas.path("remotetask").display().to_string(), nas.path("remotetask-run"));
    let (uid, gid) = (http.uid.to_string(), http.gid.to_string());
    let command = elevate::command(&[&[&*own, "become", &uid, &gid, "--"], elevate].concat(), &program);
    let shown = program.display().to_string();
    match elevate::exchange_to_the_end(command, elevate.first().unwrap_or(&&*shown), b"\n") {
        Reply::Refused => None,
        Reply::Outcome(Outcome::NotStarted { reason, .. } | Outcome::Unknown { reason }) => Some(reason),
        Reply::Outcome(_) => Some("it gives an answer to no question".into()),
    }
}

/// `become`: goes on as this user, with this program.
pub fn go_on(uid: u32, gid: u32, words: &[String]) -> Fault {
    let [program, rest @ ..] = words else { return Fault::new("which program?") };
    let error = Command::new(program).args(rest).env_clear().uid(uid).gid(gid).current_dir("/").exec();
    Fault::of(Path::new(program), &error)
}
