//! Our file in Apache's own configuration. It is put in place, proved there, and taken back unless it holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::listen::Listen;
use crate::nas::apache::{Apache, Configuration, DROP_INS};
use crate::owner::fault::{plainly, Fault};
use crate::owner::names::one_line;
use crate::parts::job::Job;
use crate::parts::{made, place};
use remotetask::child::{run_captured, RunError};

/// Its mode.
const MODE: u32 = 0o644;
/// A mark beside the installed texts: what stands in the place was never proved.
const UNPROVED: &str = "webstation/unproved";
/// Apache's log, in which it says why it does not answer.
const LOG: &str = "/var/log/httpd/apache24-error_log";
/// Time for a restart of Apache.
const RESTART_TIME: Duration = Duration::from_secs(60);
/// Time until Apache answers after a restart.
const ANSWER_TIME: Duration = Duration::from_secs(15);
const CURL: &str = "/usr/bin/curl";
const OUTPUT_MAX: usize = 64 << 10;

/// The place of the file.
pub fn path() -> PathBuf {
    Path::new(DROP_INS).join("remotetask.conf")
}

/// The old file while the new one is proved; Apache reads names that end in .conf alone.
fn old() -> PathBuf {
    path().with_extension("conf.old")
}

/// Our own file, set aside because Apache refuses it.
fn bad() -> PathBuf {
    path().with_extension("conf.bad")
}

/// Returns false, and reports it, if Apache finds a fault in others' files and would not start again. A fault of our
/// own file is set aside, to be written anew.
pub fn apache_is_sound(job: &mut Job<'_>, apache: &Apache) -> bool {
    if !job.dry_run {
        let _ = fs::remove_file(bad());
    }
    let Err(why) = apache.test() else { return true };
    if !job.dry_run && path().is_file() && fs::rename(path(), bad()).is_ok() {
        if apache.test().is_ok() {
            return true;
        }
        let _ = fs::rename(bad(), path());
    }
    job.fault(format_args!(
        "Apache finds a fault in its own files, and would not start again: {why}. Correct that, then run this again"
    ));
    false
}

/// The lines that load the module for programs ([`Apache::cgi_module`]). An Apache that does not answer is reported, and
/// changes nothing.
pub fn cgi_module(job: &mut Job<'_>, apache: &Apache) -> Option<Option<String>> {
    let module = apache.cgi_module();
    module
        .map_err(|why| job.fault(format_args!("Apache does not report what it has, so nothing was changed: {why}")))
        .ok()
}

/// Puts this text in place, proves it, or takes it back. `listen` is the address that must answer then.
pub fn put(job: &mut Job<'_>, apache: &Apache, text: &str, listen: Option<Listen>, done: &str) -> Result<(), Fault> {
    let path = path();
    if job.dry_run {
        if !place::holds(&path, text.as_bytes()) {
            job.done(done);
        }
        return Ok(());
    }
    made::make_folder(job, Path::new(DROP_INS))?;
    let unproved = job.path(UNPROVED);
    // The file of a run that was killed was never proved; the one that it had set aside was.
    if unproved.exists() {
        take_back(job)?;
    }
    let _ = fs::remove_file(old());
    if place::holds(&path, text.as_bytes()) {
        let _ = fs::remove_file(bad());
        return Ok(());
    }
    if path.is_dir() {
        return Err(Fault(format!(
            "{} is a folder: see what it is, move it away, then run this again",
            path.display()
        )));
    }
    if path.is_file() {
        fs::hard_link(&path, old()).map_err(|e| Fault::of(&old(), &e))?;
    }
    place::write(&unproved, b"", MODE)?;
    place::write(&path, text.as_bytes(), MODE)?;
    let provable = listen.filter(|_| Path::new(CURL).is_file());
    if listen.is_some() && provable.is_none() {
        job.advice(format_args!("there is no {CURL} on this NAS, so no request proves that Apache answers"));
    }
    match proof(job, apache, provable) {
        Ok(answer) => {
            for left in [old(), bad(), unproved] {
                let _ = fs::remove_file(left);
            }
            if let Some(status) = answer.filter(|status| status != "200") {
                job.fault(format_args!(
                    "Apache answers at {} with the status {status} instead of the start page: sudo tail {LOG} shows why",
                    listen.map(|listen| listen.url()).unwrap_or_default()
                ));
            }
            job.done(done);
        }
        Err(NotProved { why, restarted }) => {
            let was = old().is_file();
            take_back(job)?;
            if restarted && restart().is_err() {
                job.advice("Apache could not be restarted without it: restart it in DSM's Package Center");
            }
            // The new file is out by now: unless the old one has the same port, another program has it.
            let ours = was && same_listen(listen);
            let in_use = listen.filter(|_| restarted && !ours).filter(Listen::is_in_use);
            match in_use {
                Some(listen) => {
                    let rest = if was { "the old address stays" } else { "nothing of it was changed" };
                    job.fault(format_args!(
                        "port {} is in use by another program; {rest}. Choose another port in config.json (\"port\"), then run \
                         this again",
                        listen.port()
                    ));
                }
                None => job.fault(why),
            }
        }
    }
    Ok(())
}

/// Returns true if the file that is in place listens there.
fn same_listen(listen: Option<Listen>) -> bool {
    let text = fs::read_to_string(path()).unwrap_or_default();
    listen.is_some_and(|listen| text.contains(&listen.define()))
}

/// The new file does not hold.
struct NotProved {
    why: String,
    /// Apache was restarted with it, and must be again without it.
    restarted: bool,
}

/// Apache accepts the file, reads it, starts with it, and answers; the status of its answer.
fn proof(job: &Job<'_>, apache: &Apache, listen: Option<Listen>) -> Result<Option<String>, NotProved> {
    let shown = path().display().to_string();
    let fault = |why: String, restarted| Err(NotProved { why, restarted });
    if let Err(why) = apache.test() {
        return fault(format!("Apache refuses {shown}, which was taken out again: {why}"), false);
    }
    let files = match Configuration::of(apache).map(|configuration| configuration.files) {
        Ok(files) => files,
        Err(why) => {
            return fault(format!("Apache does not report what it reads, so {shown} was taken out again: {why}"), false)
        }
    };
    if !files.is_empty() && !files.contains(&path()) {
        let main = files[0].display();
        let why = format!(
            "Apache does not read {DROP_INS}: add the line 'IncludeOptional {DROP_INS}/*.conf' at the end of {main}, then run \
             this again"
        );
        return fault(why, false);
    }
    // At DSM's boot packages have not started yet: Apache reads the file when it does.
    if job.boot && !apache.runs() {
        return Ok(None);
    }
    if let Err(why) = restart() {
        return fault(format!("Apache did not start with {shown}, which was taken out again: {why}"), true);
    }
    let status = listen.filter(|_| !job.boot).map(answered);
    if job.is_interrupted() {
        return fault(format!("this was interrupted; {shown} was taken out again"), true);
    }
    match (status, listen) {
        (Some(None), Some(listen)) => {
            let log = fs::read_to_string(LOG).unwrap_or_default();
            let last = log.lines().last().unwrap_or_default();
            let (url, time) = (listen.url(), ANSWER_TIME.as_secs());
            let why = format!(
                "nothing answered at {url} within {time} s, so {shown} was taken out again; Apache's log ends with: {last}"
            );
            fault(why, true)
        }
        (status, _) => Ok(status.flatten()),
    }
}

/// The file becomes what it was.
fn take_back(job: &Job<'_>) -> Result<(), Fault> {
    let done = match old().is_file() {
        true => fs::rename(old(), path()),
        false => fs::remove_file(path()),
    };
    match done {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Fault::of(&path(), &e)),
        _ => {}
    }
    // Only now: until then the next run takes it back.
    let _ = fs::remove_file(job.path(UNPROVED));
    Ok(())
}

/// The status of an answer to `/`, as soon as there is one.
fn answered(listen: Listen) -> Option<String> {
    let url = format!("{}/", listen.url());
    let deadline = Instant::now() + ANSWER_TIME;
    loop {
        let argv = [
            CURL,
            "-q",
            "-s",
            "-g",
            "-o",
            "/dev/null",
            "--noproxy",
            "*",
            "--max-time",
            "5",
            "-w",
            "%{http_code}",
            &url,
        ];
        let answer = run_captured(argv, OUTPUT_MAX, Instant::now() + Duration::from_secs(10)).ok();
        let status = answer.map(|answer| String::from_utf8_lossy(&answer.stdout).into_owned());
        match status.filter(|status| status != "000" && !status.is_empty()) {
            Some(status) => return Some(status),
            None if Instant::now() >= deadline => return None,
            // A server that is not up yet gives no event to wait for.
            None => std::thread::sleep(Duration::from_millis(200)),
        }
    }
}

/// Restarts Apache by DSM's own program for its services: that of DSM 7, or of DSM 6.
pub fn restart() -> Result<(), String> {
    let programs = [
        ("/usr/syno/bin/synosystemctl", ["restart", "pkgctl-Apache2.4"]),
        ("/usr/syno/sbin/synosystemctl", ["restart", "pkgctl-Apache2.4"]),
        ("/usr/syno/sbin/synoservice", ["--restart", "pkgctl-Apache2.4"]),
        ("/usr/syno/bin/synoservice", ["--restart", "pkgctl-Apache2.4"]),
    ];
    let Some((program, words)) = programs.into_iter().find(|(program, _)| Path::new(program).is_file()) else {
        return Err("there is neither synosystemctl nor synoservice to restart it with".into());
    };
    match run_captured([program].into_iter().chain(words), OUTPUT_MAX, Instant::now() + RESTART_TIME) {
        Ok(answer) if answer.end.exit == Some(0) => Ok(()),
        Ok(answer) => {
            let words = [answer.stdout, answer.stderr].concat();
            Err(one_line(&words))
        }
        Err(RunError::Start(e)) => Err(format!("{program}: {}", plainly(&e))),
        Err(RunError::Late(_)) => Err(format!("{program} did not end within {} s", RESTART_TIME.as_secs())),
    }
}

/// Takes the file away, and lets Apache forget it.
pub fn take_away(job: &mut Job<'_>) -> Result<(), Fault> {
    if !job.dry_run {
        for left in [old(), bad(), place::beside(&path()), job.path(UNPROVED)] {
            let _ = fs::remove_file(left);
        }
    }
    if fs::symlink_metadata(path()).is_err() {
        return Ok(());
    }
    if !job.dry_run {
        fs::remove_file(path()).map_err(|e| Fault::of(&path(), &e))?;
        if Apache::here().is_some() && restart().is_err() {
            job.advice("Apache could not be restarted, and serves the old entry point until it is");
        }
    }
    job.done("Apache reads nothing of ours any more");
    Ok(())
}
