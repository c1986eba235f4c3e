//! `prove`: all of the way by one live request, and nothing of it stays.

use super::first_hour::bench;
use super::install::{order, service, setup, Bare, RULE};
use super::web_check::{nginx, PASS, PROXIED};
use super::*;
use crate::workbench::Said;

/// The things that a proof must leave as they were: the files, and what there is in state/.
fn traces() -> (Vec<Option<Vec<u8>>>, Vec<String>) {
    let files = ["config.json", "keys.json"].map(|name| fs::read(at(name)).ok());
    let folders = fs::read_dir(at("state")).into_iter().flatten().flatten();
    let mut names: Vec<String> = folders.map(|entry| entry.path().display().to_string()).collect();
    names.extend(walk(&at("state/used")));
    // The turns of all that is kept; a lock without content.
    names.retain(|name| !name.ends_with("/commands.turn") && !name.ends_with("/workbench") && !name.ends_with("/used"));
    names.sort();
    (files.into(), names)
}

/// A program with a script in its place, until this is dropped.
struct Replaced(&'static str);

impl Replaced {
    fn by(program: &'static str, line: &str) -> Replaced {
        fs::rename(program, format!("{program}.real")).expect("away");
        script(Path::new(program), line);
        Replaced(program)
    }

    /// In curl's place a script that is curl in the end.
    fn curl(first: &str) -> Replaced {
        Replaced::by("/usr/bin/curl", &format!("{first}\nexec /usr/bin/curl.real \"$@\""))
    }
}

impl Drop for Replaced {
    fn drop(&mut self) {
        let _ = fs::rename(format!("{}.real", self.0), self.0);
    }
}

#[track_caller]
fn the_fault(said: &Said, expected: &str) {
    assert_eq!((said.code, &*said.err), (Some(1), ""), "{}", said.out);
    let text = said.out.replace('\n', " ").replace("       ", " ");
    let fault = text.split("fault  ").nth(1).unwrap_or_else(|| panic!("{}", said.out));
    let fault = fault.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(like(&fault, expected), "{fault}");
}

#[test]
fn a_proof_of_all_that_works() {
    let bare = Bare::installed("echo ran >>$T/ran");
    let before = traces();
    let curl =
        Replaced::curl("echo \"$*\" >>/run/effects/words; tr '\\0' '\\n' </proc/$$/environ >>/run/effects/words");
    let proof = bench(&["prove"]);
    drop(curl);
    assert!(
        like(
            proof.ok(),
            "good   the web server answers, and runs remotetask-cgi: the start page came\n\
             good   remotetask-cgi takes the canary's keys\n\
             good   sudo lets it through to remotetask-run, which starts the command\n\
             good   the command ended well, after * ms\n\
             good   all of the way works, at http://127.0.0.1:10765\n"
        ),
        "{}",
        proof.out
    );
    assert_eq!(traces(), before);
    assert!(bare.nas.log().contains(" INFO  finished task=\"canary-"));
    // No key was among curl's arguments: what looks like one is 26 characters of our alphabet.
    let words = bare.nas.effect("words");
    let long = |word: &str| word.len() >= 26 && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    assert!(words.contains("--config -") && !words.split(|c: char| !c.is_ascii_alphanumeric()).any(long), "{words}");
    assert_eq!(bare.nas.effect("ran"), "", "nothing else was started");
    // The original's own file, in its own layout, is what it was as well.
    let seed = format!("{{\"port\": 10765,\n\n \"magickey\":\"{MAGIC}\", \"tasks\": {{ \"t\":{{\"identifier\": \"{TASK}\",\n\"command\": [\"/bin/true\"]}}}}}}");
    bare.nas.raw_config(&seed);
    let before = traces();
    bench(&["prove", "--url", "http://localhost:10765/"]).ok();
    assert_eq!(traces(), before);
    // A first one, where there is none: the owner's key stays.
    for name in ["config.json", "keys.json"] {
        let _ = fs::remove_file(at(name));
    }
    bench(&["prove"]).ok();
    let config = fs::read_to_string(at("config.json")).expect("config.json");
    assert!(config.contains("\"label\": \"me\"") && !config.contains("canary"), "{config}");
}

#[test]
fn each_part_that_does_not_work_is_named() {
    let bare = Bare::installed("true");
    let before = traces();
    let again = |said: Said, expected: &str| {
        the_fault(&said, expected);
        assert_eq!(traces(), before, "{expected}");
    };
    assert!(service("stop"));
    again(bench(&["prove"]), "Nothing answers at http://127.0.0.1:10765: (7) * See that the web server runs, *");
    assert!(service("start"));

    fs::rename(RULE, "/etc/sudoers.d/remotetask.away").expect("away");
    again(
        bench(&["prove"]),
        "remotetask-cgi runs, and sudo did not let it through: \"/usr/bin/sudo refuses: *a password is required*\". Put the rule \
         back, and prove it again: sudo remotetask repair sudo remotetask prove --url 'http://127.0.0.1:10765'",
    );
    fs::rename("/etc/sudoers.d/remotetask.away", RULE).expect("back");

    fs::rename(at("remotetask-keep"), at("away")).expect("away");
    again(
        bench(&["prove"]),
        "sudo let it through, and remotetask-run did not start the command: 2e \"/usr/local/remotetask/remotetask-keep: *\". *",
    );
    fs::rename(at("away"), at("remotetask-keep")).expect("back");

    mode(&at("config.json"), 0o600);
    again(
        bench(&["prove"]),
        "remotetask-cgi runs, and took the canary's keys for wrong: 4a Permission denied (os error 13). See what hands *",
    );
    mode(&at("config.json"), 0o640);

    let not_true = Replaced::by("/usr/bin/true", "exit 3");
    again(
        bench(&["prove"]),
        "The command /bin/true did not end well: exit 3, signal null. See what is wrong with this machine: sudo remotetask check",
    );
    drop(not_true);

    let proxy = nginx(&format!("location / {{ rewrite ^ / break; {PASS} }}"));
    again(
        bench(&["prove", "--url", PROXIED]),
        "Something else came than an answer to the canary's request: status 200. See who answers in between: sudo \
         remotetask check --url 'http://192.168.1.20:10766'",
    );
    drop(proxy);
    let proxy = nginx(&format!(
        "location = / {{ {PASS} }} location = /page {{ internal; rewrite ^ / break; {PASS} }} \
         location / {{ error_page 404 /page; return 404; }}"
    ));
    again(
        bench(&["prove", "--url", PROXIED]),
        "The start page came, and /usr/local/remotetask/log.txt says nothing of the request: another installation answers at \
         http://192.168.1.20:10766, or the log cannot be written. Look at both: sudo remotetask check --url \
         'http://192.168.1.20:10766'",
    );
    drop(proxy);
    bench(&["prove"]).ok();
    let wrong = bench(&["prove", "--url", "http://nas\" output = /etc/x"]);
    assert!(wrong.refused().contains("is no address; write one such as https://nas.example.org"), "{wrong:?}");
    drop(bare);
}

#[test]
fn a_proof_that_is_cut_off() {
    let bare = Bare::installed("true");
    let before = traces();
    let canary = || fs::read_to_string(at("config.json")).expect("config.json").contains("\"canary-");
    let begin = || Command::new(at("remotetask")).arg("prove").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    // The request itself hangs; the doorstep's does not.
    let slow = Replaced::curl("case \"$*\" in *--config*) sleep 60 ;; esac");
    for signal in ["-INT", "-TERM", "-HUP"] {
        let proof = begin().expect("it starts");
        until("the canary", || canary().then_some(()));
        let begun = std::time::Instant::now();
        assert!(Command::new("kill").args([signal, &proof.id().to_string()]).status().expect("kill").success());
        let done = proof.wait_with_output().expect("its end");
        assert!(begun.elapsed() < Duration::from_secs(5));
        let why = String::from_utf8_lossy(&done.stderr).into_owned();
        let expected = "remotetask: it was interrupted; what was there for the proof is gone.\n";
        assert_eq!((done.status.code(), &*why), (Some(1), expected), "{signal}");
        assert_eq!(traces(), before, "{signal}");
    }
    // Killed: it stays, until it is looked for.
    let killed = || {
        let mut proof = begin().expect("it starts");
        until("the canary", || canary().then_some(()));
        proof.kill().expect("killed");
        proof.wait().expect("its end");
        assert!(canary());
    };
    killed();
    assert!(bench(&["prove", "--clean"]).ok().starts_with("Taken away: canary-"));
    killed();
    assert!(order(&["repair"]).ok().contains("  done   what a proof that was cut off has left is gone: canary-"));
    assert!(!canary());
    killed();
    drop(slow);
    // The next proof takes it away with its own; the file has the workbench's layout now.
    bench(&["prove"]).ok();
    assert!(!canary() && traces().1 == before.1);
    assert_eq!(bench(&["prove", "--clean"]).ok(), "Nothing of a proof was left.\n");
    // Somebody else's change meanwhile stays.
    let curl = Replaced::curl(
        "case \"$*\" in *--config*) /usr/local/remotetask/remotetask key new --label guest >/dev/null ;; esac",
    );
    bench(&["prove"]).ok();
    drop(curl);
    let config = fs::read_to_string(at("config.json")).expect("config.json");
    assert!(config.contains("\"label\": \"guest\"") && !config.contains("canary"), "{config}");
    drop(bare);
}

/// listen and port change; apply puts them where Apache reads them.
#[test]
fn another_port_is_applied() {
    let bare = Bare::installed("true");
    bare.nas.raw_config(&format!(
        "{{\"server\": {{\"port\": 10800, \"listen\": \"0.0.0.0\", \"magickey\": \"{}\"}}, \"tasks\": {{}}}}",
        sealed(MAGIC)
    ));
    the_fault(&bench(&["prove"]), "Nothing answers at http://127.0.0.1:10800: *");
    assert_eq!(bench(&["apply"]).ok(), "  done   Apache answers at http://0.0.0.0:10800\n");
    bench(&["prove"]).ok();
    assert_eq!(bench(&["apply"]).ok(), "Everything was as it should be; nothing was changed.\n");
    // A port that is not to be had leaves the old one.
    let taken = std::net::TcpListener::bind("127.0.0.1:10801").expect("a port");
    let text = fs::read_to_string(at("config.json")).expect("config.json");
    bare.nas.raw_config(&text.replace("10800", "10801"));
    let refused = bench(&["apply"]);
    assert!(
        refused.code == Some(1)
            && refused.out.contains("  fault  port 10801 is in use by another program; the old address stays. "),
        "{refused:?}"
    );
    bench(&["prove", "--url", "http://127.0.0.1:10800"]).ok();
    drop(taken);
    bare.nas.raw_config(&text.replace("10800", "10765").replace("0.0.0.0", "::1"));
    assert_eq!(bench(&["apply"]).ok(), "  done   Apache answers at http://[::1]:10765\n");
    bench(&["prove"]).ok();
    setup(&[]).ok();
}
