//! `phone`: each way on which phones reach the NAS, through a real Apache and a real nginx in front.

use std::io::{BufRead, BufReader};

use super::first_hour::bench;
use super::install::{order, service, setup, Bare};
use super::web_check::{nginx, PASS, PROXIED};
use super::*;
use crate::workbench::{said, Said};

fn phone(words: &[&str]) -> Said {
    bench(&[&["phone"][..], words].concat())
}

/// An installation with a port of its own and one task.
fn installed() -> Bare {
    let bare = Bare::new();
    bare.nas.scheduled(7, "disabled", "true");
    setup(&["--port"]).ok();
    bench(&["tasks", "add", "7"]).ok();
    bare
}

#[test]
fn the_reverse_proxy_is_waited_for() {
    let _bare = installed();
    // Nobody clicks meanwhile.
    let refused = phone(&["proxy", "--url", PROXIED, "--no-wait"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for line in [
        "  Reverse proxy name       remotetask\n",
        "  Source       Protocol    HTTP\n               Hostname    192.168.1.20\n               Port        10766\n",
        "  Destination  Protocol    HTTP\n               Hostname    localhost\n               Port        10765\n",
    ] {
        assert!(refused.out.contains(line), "{line}: {}", refused.out);
    }
    assert!(
        refused.err.contains("When it is set\nup:") || refused.err.contains("When it is set up:"),
        "{}",
        refused.err
    );
    // Somebody does, once it has said that it waits, and for what.
    let mut command = Command::new(at("remotetask"));
    command.args(["phone", "proxy", "--url", PROXIED, "--qr"]).stdout(Stdio::piped());
    let mut waits = command.spawn().expect("it starts");
    let mut lines = BufReader::new(waits.stdout.take().expect("its output")).lines().map_while(Result::ok);
    let mut shown: Vec<String> = lines.by_ref().take_while(|line| !line.starts_with("Not yet: ")).collect();
    assert!(shown.iter().any(|line| line.starts_with("Waiting until the start page answers there; Ctrl-C ends this")));
    let _proxy = nginx(&format!("location / {{ {PASS} }}"));
    shown.extend(lines);
    assert!(waits.wait().expect("its end").success());
    let shown = shown.join("\n");
    assert!(shown.contains(&format!("good   all of the way works, at {PROXIED}\n")), "{shown}");
    let scanned = seen_on(&shown, true);
    assert!(scanned.len() == 1 && scanned[0].starts_with(&format!("{PROXIED}/")), "{scanned:?}");
    assert_eq!(bench(&["url", "--noted"]).ok(), format!("{PROXIED}\n"));
    // It is known from now on.
    assert_eq!(seen_on(phone(&["later", "--qr"]).ok(), false), scanned);
    assert_eq!(seen_on(phone(&["proxy", "--qr"]).ok(), false), scanned);
}

/// A wait over a connection that breaks has an end.
#[test]
fn a_closed_connection_ends_the_waiting() {
    let _bare = installed();
    let line = format!("{} phone proxy --url http://127.0.0.1:1 | head -n 1", at("remotetask"));
    let done = said(Command::new("/bin/bash").args(["-c", &format!("set -o pipefail; {line}")]), "");
    assert_eq!(done.code, Some(1), "{done:?}");
}

/// A name that is known on this machine alone, as behind a router that leads nothing back.
#[test]
fn a_router_that_does_not_lead_back_is_called_so() {
    let _bare = installed();
    let _proxy = nginx(&format!("location / {{ {PASS} }}"));
    let said = phone(&["proxy", "--url", "http://nas.example.org:10766"]);
    let text = said.ok().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("http://nas.example.org:10766 answers on this NAS itself, and not from here by its name:"),
        "{text}"
    );
    assert!(text.contains("me: the panel http://nas.example.org:10766/"), "{text}");
}

/// The router gives the NAS another address: `check` says so, and its action leads to the new code.
#[test]
fn an_address_that_the_nas_lost() {
    let _bare = installed();
    let address = HomeAddress::of("192.168.1.20/32");
    assert_eq!(phone(&["home", "--url", "http://192.168.1.20"]).code, Some(0));
    let check = || bench(&["check", "--json"]).out;
    assert!(!check().contains("web-address-gone"), "{}", check());
    drop(address);
    let _other = HomeAddress::of("192.168.1.21/32");
    let _ = service("restart");
    assert!(check().contains("\"web-address-gone\""), "{}", check());
    let text = bench(&["check"]).out.split_whitespace().collect::<Vec<_>>().join(" ");
    let said = "fault Apache is to listen on 192.168.1.20:10765, and this NAS does not have that address any more: Apache does \
                not start so.";
    assert!(text.contains(said) && text.contains("sudo remotetask phone home"), "{text}");
    let cured = phone(&["home", "--qr"]);
    assert!(cured.ok().contains("good   all of the way works, at http://192.168.1.21:10765\n"), "{}", cured.out);
    assert!(seen_on(&cured.out, true)[0].starts_with("http://192.168.1.21:10765/"), "{}", cured.out);
    assert!(!check().contains("web-address-gone"), "{}", check());
}

#[test]
fn a_virtual_host_takes_the_ports_place() {
    let _bare = installed();
    let said = phone(&["vhost", "--url", "http://127.0.0.1:1", "--no-wait"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.out.contains("     Document root          web/remotetask\n"), "{}", said.out);
    assert_eq!(fs::read_to_string(at("webstation/way")).expect("the way"), "vhost\n");
    let home = phone(&["home"]).refused();
    assert!(home.contains("the entry point of this NAS is a virtual host of Web Station's"), "{home}");
    assert!(phone(&["later"]).ok().contains("phone"), "it says how to go on");
    order(&["uninstall"]).ok();
}

#[test]
fn nobody_can_be_asked_in_a_pipe() {
    let _bare = installed();
    let refused = phone(&[]).refused();
    assert!(refused.contains("nobody can be asked here: say how phones shall reach this NAS, such as"), "{refused}");
    let refused = phone(&["proxy"]).refused();
    assert!(refused.contains("the address that phones will use is missing: write it behind"), "{refused}");
    let home = phone(&["home", "--url", "https://nas.example.org"]).refused();
    assert!(home.contains("at home phones use the NAS's own address: write it as numbers"), "{home}");
    let later = phone(&["later"]);
    assert!(later.ok().starts_with("No phone finds this NAS yet. When one shall:\n"), "{}", later.out);
    // The next step, said alone.
    bench(&["set", "scheduler", "synoschedtask"]).ok();
    assert!(
        bench(&[]).ok().contains("No phone finds this NAS yet. Choose how phones shall reach it;"),
        "{}",
        bench(&[]).out
    );
}
