//! The rule for sudo: the web server's user may start the root half, without arguments, and nothing else.
//!
//! One description, one parser and one judgement of `sudo -l -U http` serve `check`, `setup`, `repair` and their proof.
//! The drop-in is judged as a file; its effect among all other rules is asked of sudo itself.

mod listing; // sudo's own words

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::geteuid;

use self::listing::{is_right, Listing, Terminal};
use super::job::Job;
use super::texts::SUDOERS;
use super::{place, Part};
use crate::nas::installation::Installation;
use crate::owner::fault::{plainly, Fault};
use crate::owner::finding::{findings, Found, Level};
use crate::owner::names::{one_line, shown_mode};
use remotetask::accounts::HTTP;
use remotetask::child::{run_captured, Captured, RunError};
use remotetask::config::ELEVATE;
use remotetask::files::is_executable;

findings! {
    /// Only an installation of root's can be without sudo.
    ElevateNone { file }: "elevate-none", Fault,
        "\"elevate\" is [] in config.json, so nothing ever becomes root, and remotetask-run is root's: nothing can be started.",
        "Take \"elevate\" out of config.json: `sudo vi <file>`";
    SudoMissing { sudo }: "sudo-missing", Fault,
        "There is no program <sudo> that could be started, so nothing becomes root.",
        "Find out where sudo is, and write that into config.json as the first word of \"elevate\": `command -v sudo` \
         `\"elevate\": [\"/usr/bin/sudo\", \"-n\"]`";
    SudoNotSetuid { sudo, user, mode }: "sudo-not-setuid", Fault,
        "<sudo> does not become root (owner <user>, mode <mode>), whoever starts it.",
        "Type this as root: `chown root:root <sudo>` `chmod 4755 <sudo>`";
    FileMissing { file }: "sudoers-missing", Fault,
        "There is no <file>, so the web server's user may not start anything. An update of DSM can take it away.",
        "Put it back: `sudo remotetask repair`";
    FileName { there, file }: "sudoers-name", Fault,
        "sudo skips <there>: a name in that folder may have no dot in it and no ~ at its end.",
        "Give it its name: `sudo mv <there> <file>`";
    FileMode { file, user, mode }: "sudoers-mode", Fault,
        "sudo does not read <file>, because others than root can change it (owner <user>, mode <mode>).",
        "Put it in place anew: `sudo remotetask repair`";
    FileOpen { file, mode }: "sudoers-open", Advice,
        "<file> has mode <mode>; sudo reads it, but its own checker demands 0440.",
        "Give it that mode: `sudo remotetask repair`";
    FileText { file }: "sudoers-text", Advice,
        "<file> does not have the text that is installed, although it has the same effect.",
        "Put it in place anew: `sudo remotetask repair`";
    NotIncluded {}: "sudoers-not-included", Fault,
        "/etc/sudoers does not say that the folder /etc/sudoers.d is to be read.",
        "Add the line that does, then put the rule in place: `echo '#includedir /etc/sudoers.d' | sudo tee -a /etc/sudoers \
         >/dev/null` `sudo remotetask repair`";
    RootRefused { why }: "sudo-root-refused", Fault,
        "root's own sudo does not work: <why>.",
        "See what sudo says about its files, and correct that: `sudo -n true`";
    Unknown { why, sudo }: "sudo-unknown", Advice,
        "The rest of what sudo lets the web server's user do cannot be read: <why>.",
        "See what sudo says at a terminal: `sudo <sudo> -l -U http`";
    Rule { is }: "sudoers-rule", Fault,
        "sudo does not let the web server's user start remotetask-run in the way it should: <is>.",
        "Put the rule in place anew: `sudo remotetask repair`";
    OtherRule { rules, there }: "sudoers-other-rule", Fault,
        "sudo lets the web server's user, which every web application runs as, do something else as well: <rules>.",
        "Take the line for http out of <there>. If nobody needs anything in that file, switch it off as a whole; sudo skips \
         names with a dot: `sudo mv <there> <there>.off`";
    OtherRuleSomewhere { rules }: "sudoers-other-rule-somewhere", Fault,
        "sudo lets the web server's user, which every web application runs as, do something else as well: <rules>.",
        "Find the line, and take it out: `sudo grep -rn -e http -e '^ALL' /etc/sudoers /etc/sudoers.d`";
    Defaults {}: "sudoers-defaults", Advice,
        "The drop-in's line Defaults is missing; should somebody set requiretty for sudo, nothing could be started any more.",
        "Put both lines in place anew: `sudo remotetask repair`";
    Overridden {}: "sudoers-requiretty", Fault,
        "sudo is told to demand a terminal for remotetask-run (requiretty), and a web server has none.",
        "Find that line, and take it out: `sudo grep -rn requiretty /etc/sudoers /etc/sudoers.d`";
    Intercepted {}: "sudoers-intercept", Fault,
        "sudo is told to judge each program that remotetask-run starts (intercept), and no rule lets it start one: nothing can \
         be started.",
        "Find that line, and take the word out: `sudo grep -rnw intercept /etc/sudoers /etc/sudoers.d`";
}

const MAIN: &str = "/etc/sudoers";
const DROP_INS: &str = "/etc/sudoers.d";
const FILE: &str = "/etc/sudoers.d/remotetask";
const MODE: u32 = 0o440;
const SUDO: &str = "/usr/bin/sudo";
/// The time that sudo gets for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The part of its answer that is read, in bytes.
const ANSWER_MAX: usize = 256 << 10;

/// The part.
pub struct SudoRule;

impl Part for SudoRule {
    /// Looks where sudo is the way to root.
    fn look(&self, nas: &Installation<'_>) -> Vec<Found> {
        let elevate = nas.believed().map_or_else(|| ELEVATE.to_vec(), |config| config.server.elevate());
        let Some(sudo) = elevate.first().filter(|_| !nas.trial) else {
            let file = nas.path("config.json");
            return if nas.trial { Vec::new() } else { vec![ElevateNone { file: &file.display() }.found()] };
        };
        if !sudo.ends_with("/sudo") {
            return Vec::new();
        }
        let mut found: Vec<Found> = program(nas, sudo).into_iter().collect();
        found.extend(drop_in(nas));
        // The answer would only repeat what was found, and others' lists are shown to root alone.
        let faultless = found.iter().all(|found| found.level != Level::Fault);
        if faultless && geteuid().is_root() && nas.accounts.http().is_some() {
            found.extend(ask(sudo));
        }
        if found.is_empty() && !place::holds(Path::new(FILE), SUDOERS.as_bytes()) {
            found.push(FileText { file: &FILE }.found());
        }
        found
    }

    fn put(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        let folder = Path::new(DROP_INS);
        if !folder.is_dir() {
            if !job.dry_run {
                fs::create_dir(folder).map_err(|e| Fault::of(folder, &e))?;
                fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))
                    .map_err(|e| Fault::of(folder, &e))?;
            }
            job.done(format_args!("{DROP_INS} is there again"));
        }
        if is_in_place() {
            let faults = proof();
            // A run that was killed before its proof may have left it.
            let refused = faults.iter().any(|found| found.code == RootRefused::KIND.code);
            faults.iter().for_each(|found| job.found(found));
            if refused && !job.dry_run {
                fs::remove_file(FILE).map_err(|e| Fault::of(Path::new(FILE), &e))?;
                job.advice("the rule was taken out again; run this again when that is corrected");
            }
            return Ok(());
        }
        if !job.dry_run && !put_and_prove(job)? {
            return Ok(());
        }
        job.done("sudo lets the web server's user start remotetask-run, and nothing else");
        Ok(())
    }

    fn take_away(&self, job: &mut Job<'_>) -> Result<(), Fault> {
        let file = Path::new(FILE);
        if !job.dry_run {
            let _ = fs::remove_file(place::beside(file));
            let _ = fs::remove_file(set_aside());
        }
        if fs::symlink_metadata(file).is_err() {
            return Ok(());
        }
        if !job.dry_run {
            fs::remove_file(file).map_err(|e| Fault::of(file, &e))?;
        }
        job.done("sudo's rule is gone");
        Ok(())
    }
}

/// True if the drop-in is root's, has its mode and its text.
fn is_in_place() -> bool {
    let right = |meta: fs::Metadata| meta.uid() == 0 && meta.gid() == 0 && meta.mode() & 0o7777 == MODE;
    fs::symlink_metadata(FILE).is_ok_and(right) && place::holds(Path::new(FILE), SUDOERS.as_bytes())
}

/// The old drop-in while the new one is proved: sudo skips names with a dot.
fn set_aside() -> PathBuf {
    Path::new(FILE).with_extension("old")
}

/// Puts the drop-in in place, and takes it back unless it holds there. Returns true if it holds.
fn put_and_prove(job: &mut Job<'_>) -> Result<bool, Fault> {
    let (file, old) = (Path::new(FILE), set_aside());
    if let Some(why) = refused_by_visudo()? {
        job.fault(format_args!("sudo's own checker refuses the rule, which was not put in place: {why}"));
        return Ok(false);
    }
    let _ = fs::remove_file(&old);
    if file.is_file() {
        fs::hard_link(file, &old).map_err(|e| Fault::of(&old, &e))?;
    } else if file.is_dir() {
        return Err(Fault(format!("{FILE} is a folder: see what it is, move it away, then run this again")));
    }
    place::write(file, SUDOERS.as_bytes(), MODE)?;
    let faults = proof();
    if faults.is_empty() && !job.is_interrupted() {
        let _ = fs::remove_file(&old);
        return Ok(true);
    }
    match old.is_file() {
        true => fs::rename(&old, file),
        false => fs::remove_file(file),
    }
    .map_err(|e| Fault::of(file, &e))?;
    faults.iter().for_each(|found| job.found(found));
    let is_fault = |found: &Found| found.level == Level::Fault;
    match faults.iter().any(is_fault) {
        _ if faults.is_empty() => job.fault("this was interrupted; the rule was taken out again"),
        true => job.advice("the rule was taken out again; run this again when that is corrected"),
        false => job.fault("the rule was taken out again, because its effect could not be seen: run this again"), // S34
    }
    Ok(false)
}

/// The complaint of sudo's own checker about the text; none where there is no checker, as on DSM.
fn refused_by_visudo() -> Result<Option<String>, Fault> {
    let Some(visudo) = ["/usr/sbin/visudo", "/usr/bin/visudo"].into_iter().find(|path| Path::new(path).is_file())
    else {
        return Ok(None);
    };
    let new = place::beside(Path::new(FILE));
    let _ = fs::remove_file(&new);
    place::write(&new, SUDOERS.as_bytes(), MODE)?;
    let name = new.display().to_string();
    let answer = run_captured([visudo, "-cf", &name], ANSWER_MAX, Instant::now() + PATIENCE);
    let _ = fs::remove_file(&new);
    Ok(match answer {
        Ok(answer) if answer.end.exit == Some(0) => None,
        Ok(answer) => Some(one_line(&[answer.stdout, answer.stderr].concat())),
        Err(_) => Some("it gave no answer".into()),
    })
}

/// The effect of the rule among all others, as sudo tells it. Advice is no fault of the rule.
fn proof() -> Vec<Found> {
    let mut found = ask(SUDO);
    let reads_folder = includes(&String::from_utf8_lossy(&fs::read(MAIN).unwrap_or_default()));
    if !reads_folder && found.iter().any(|found| found.code == Rule::KIND.code) {
        found = vec![NotIncluded.found()];
    }
    found.retain(|found| found.level == Level::Fault || found.code == Unknown::KIND.code);
    found
}

/// The program that the installed rule names.
fn program_of_rule() -> &'static str {
    SUDOERS.lines().nth(1).and_then(|rule| rule.strip_suffix(" \"\"")?.rsplit(' ').next()).unwrap_or_default()
}

fn program(nas: &Installation<'_>, sudo: &str) -> Option<Found> {
    let meta = fs::metadata(sudo).ok().filter(|_| is_executable(Path::new(sudo)).unwrap_or(false));
    let Some(meta) = meta else {
        return Some(SudoMissing { sudo: &sudo }.found());
    };
    let (user, mode) = (nas.accounts.user(meta.uid()), shown_mode(meta.mode()));
    let not_setuid = || SudoNotSetuid { sudo: &sudo, user: &user, mode: &mode }.found();
    (meta.uid() != 0 || meta.mode() & 0o4000 == 0).then(not_setuid)
}

fn drop_in(nas: &Installation<'_>) -> Option<Found> {
    let Ok(meta) = fs::metadata(FILE) else {
        return Some(match misnamed() {
            Some(there) => FileName { there: &there.display(), file: &FILE }.found(),
            None => FileMissing { file: &FILE }.found(),
        });
    };
    let (user, mode) = (nas.accounts.user(meta.uid()), shown_mode(meta.mode()));
    match () {
        () if meta.uid() != 0 || meta.mode() & 0o022 != 0 => {
            Some(FileMode { file: &FILE, user: &user, mode: &mode }.found())
        }
        () if !includes(&String::from_utf8_lossy(&fs::read(MAIN).unwrap_or_default())) => Some(NotIncluded.found()),
        () if meta.mode() & 0o7777 != MODE => Some(FileOpen { file: &FILE, mode: &mode }.found()),
        () => None,
    }
}

/// The drop-in under a name that sudo skips.
fn misnamed() -> Option<PathBuf> {
    let mut skipped: Vec<PathBuf> = drop_ins().into_iter().filter(|path| is_skipped(path)).collect();
    skipped.retain(|path| fs::read_to_string(path).is_ok_and(|text| text.contains("/remotetask-run \"\"")));
    skipped.into_iter().next()
}

fn drop_ins() -> Vec<PathBuf> {
    let entries = fs::read_dir(DROP_INS).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn is_skipped(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains('.') || name.ends_with('~')
}

/// True if this sudoers text includes the folder.
fn includes(main: &str) -> bool {
    main.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        let included = matches!(words.next(), Some("#includedir" | "@includedir"));
        included && words.next().is_some_and(|folder| folder.trim_matches('"').trim_end_matches('/') == DROP_INS)
    })
}

/// The findings about the effect of all rules together.
fn ask(sudo: &str) -> Vec<Found> {
    let unknown = |why: &str| vec![Unknown { why: &why, sudo: &sudo }.found()];
    match answer_of([sudo, "-n", "true"]) {
        Ok(answer) if answer.end.exit == Some(0) => {}
        Ok(answer) => return vec![RootRefused { why: &first_line(&answer).trim_end_matches('.') }.found()],
        Err(why) => return unknown(&why),
    }
    let answer = match answer_of([sudo, "-n", "-l", "-U", HTTP]) {
        Ok(answer) => answer,
        Err(why) => return unknown(&why),
    };
    let complaint = first_line(&answer);
    if answer.end.exit != Some(0) {
        return unknown(&format!("sudo says \"{complaint}\""));
    }
    let in_place = place::holds(Path::new(FILE), SUDOERS.as_bytes());
    judge(&Listing::of(&String::from_utf8_lossy(&answer.stdout)), program_of_rule(), in_place, &complaint)
}

/// The words of a command and its end, or why they are not known.
fn answer_of<'a>(argv: impl IntoIterator<Item = &'a str>) -> Result<Captured, String> {
    run_captured(argv, ANSWER_MAX, Instant::now() + PATIENCE).map_err(|error| match error {
        RunError::Start(e) => plainly(&e).to_string(),
        RunError::Late(_) => format!("sudo gave no answer within {} s", PATIENCE.as_secs()),
    })
}

/// The first words of its complaint, without its name.
fn first_line(answer: &Captured) -> String {
    let text = String::from_utf8_lossy(&answer.stderr);
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.strip_prefix("sudo: ").unwrap_or(line).to_owned()
}

/// `in_place`: our drop-in has its text, so a rule that differs stands in another file.
fn judge(listing: &Listing, program: &str, in_place: bool, complaint: &str) -> Vec<Found> {
    let ours = |rule: &&String| is_right(rule, program) || !in_place && rule.contains(program) && !rule.contains(", ");
    let (ours, others): (Vec<&String>, Vec<&String>) = listing.rules.iter().partition(ours);
    let mut found = Vec::new();
    let wrong = ours.iter().find(|rule| !is_right(rule, program));
    let is = match (wrong, ours.is_empty() && others.is_empty()) {
        (Some(rule), _) => Some(format!("its rule is {rule}")),
        (None, true) if complaint.is_empty() => Some("it has no rule for that".to_owned()),
        (None, true) => Some(format!("it has no rule for that, and says \"{complaint}\"")),
        (None, false) if ours.is_empty() && !in_place => Some("it has no rule for that".to_owned()),
        (None, false) => None,
    };
    found.extend(is.map(|is| Rule { is: &is }.found()));
    if !others.is_empty() {
        let rules = others.iter().map(|rule| rule.as_str()).collect::<Vec<_>>().join("; ");
        found.push(match where_it_stands() {
            Some(there) => OtherRule { rules: &rules, there: &there.display() }.found(),
            None => OtherRuleSomewhere { rules: &rules }.found(),
        });
    }
    if found.is_empty() {
        found.extend(match listing.terminal(program) {
            Terminal::NotNeeded => None,
            Terminal::NotMentioned => Some(Defaults.found()),
            Terminal::Needed => Some(Overridden.found()),
        });
        found.extend(listing.intercepts(program).then(|| Intercepted.found()));
    }
    found
}

/// The first drop-in with a line for the web server's user, or for everybody.
fn where_it_stands() -> Option<PathBuf> {
    let for_http = |line: &str| {
        let first = line.split(|c: char| c.is_ascii_whitespace() || c == ',').next().unwrap_or_default();
        [HTTP, "%http", "ALL"].contains(&first)
    };
    let others = drop_ins().into_iter().filter(|path| path != Path::new(FILE) && !is_skipped(path));
    let mut theirs = others.filter(|path| fs::read_to_string(path).is_ok_and(|text| text.lines().any(for_http)));
    theirs.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_main_files_include_the_folder() {
        for (main, expected) in [
            ("root ALL=(ALL) ALL\n#includedir /etc/sudoers.d\n", true),
            ("@includedir /etc/sudoers.d/\n", true),
            ("  #includedir\t\"/etc/sudoers.d\"\n", true),
            ("# includedir /etc/sudoers.d\n", false),
            ("#includedir /etc/sudoers.more\n", false),
            ("", false),
        ] {
            assert_eq!(includes(main), expected, "{main}");
        }
    }
}
