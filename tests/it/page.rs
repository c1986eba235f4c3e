//! `url --page`: URLs for whoever has no shell, and the end of the page.

use std::fs::{self, File};
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::*;
use crate::workbench::{remotetask, said};

const PAGE: &str = include_str!("../../workbench/src/commands/urls.html");

/// With one task, and a file that the page is to lie beside.
fn beside() -> (Sandbox, String) {
    let sandbox = Sandbox::with_task("true", ", \"name\": \"<Küche> & \\\"co\\\"\"");
    sandbox.write("x.run", "");
    let file = sandbox.path("x.run").display().to_string();
    (sandbox, file)
}

/// The code of a page, as a phone reads it.
#[track_caller]
pub fn code(page: &str) -> String {
    let drawing = page.split("<svg").nth(1).expect("a code").split("</svg>").next().unwrap_or_default();
    let value = |name: &str| drawing.split(&format!(" {name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
    let side: usize = value("width").and_then(|width| width.parse().ok()).expect("its side");
    let path = drawing.split(" d=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("its modules");
    let mut light = vec![true; side * side];
    for module in path.split('M').skip(1) {
        let numbers: Vec<usize> = module.split(|c: char| !c.is_ascii_digit()).flat_map(str::parse).collect();
        let [x, y, width, height, ..] = numbers[..] else { panic!("{module}") };
        (y..y + height).for_each(|row| light[row * side + x..row * side + x + width].fill(false));
    }
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side, side, |x, y| 255 * u8::from(light[y * side + x]));
    image.detect_grids()[0].decode().expect("it can be read").1
}

#[test]
fn a_page_with_urls_and_codes() {
    let (sandbox, file) = beside();
    let old = format!("{}an old one", &PAGE[..PAGE.find("\n<style>").expect("its beginning")]);
    sandbox.write("x.run.html", &old);
    let said = remotetask(&sandbox, &["url", "--at", "https://nas.example.org", "--page", &file]);
    let page = format!("{file}.html");
    assert_eq!(said.ok(), format!("{page}\n"));
    assert_eq!(fs::metadata(&page).expect("it").permissions().mode() & 0o7777, 0o600);
    let text = sandbox.read("x.run.html");
    let url = format!("https://nas.example.org/{MAGIC}/{TASK}?ask");
    assert!(text.contains(&format!("<a href=\"{url}\"><code>{url}</code></a>")), "{text}");
    assert!(text.contains("<h2>#1: &lt;Küche&gt; &amp; &quot;co&quot; (t)</h2>"), "{text}");
    assert_eq!(code(&text), url);
    assert!(!["<script", "{gone}", "{urls}", "{more}"].iter().any(|part| text.contains(part)));
    fs::remove_file(page).expect("its end, which its keeper sees");

    // An address that no phone finds.
    let (sandbox, file) = beside();
    remotetask(&sandbox, &["url", "--page", &file]).ok();
    let text = sandbox.read("x.run.html");
    assert!(text.contains(&format!("<code>http://127.0.0.1:10765/{MAGIC}/{TASK}?ask</code>")), "{text}");
    assert!(text.contains("http://127.0.0.1:10765 means the NAS itself.") && !text.contains("<svg"), "{text}");
    fs::remove_file(format!("{file}.html")).expect("its end");
}

#[test]
fn a_page_follows_nothing_and_is_refused_in_words() {
    let (sandbox, file) = beside();
    let html = sandbox.path("x.run.html");
    let why = format!("remotetask: {} is there and no page of ours: move it away.", html.display());
    let refused = |what: &str| assert_eq!(remotetask(&sandbox, &["url", "--page", &file]).refused(), why, "{what}");
    sandbox.write("others", PAGE);
    symlink(sandbox.path("others"), &html).expect("a link");
    refused("a link to a page");
    fs::remove_file(&html).expect("removed");
    fs::create_dir(&html).expect("a folder");
    refused("a folder");
    fs::remove_dir(&html).expect("removed");
    assert!(Command::new("mkfifo").arg(&html).status().expect("mkfifo").success());
    refused("a pipe that nobody writes to");
    fs::remove_file(&html).expect("removed");
    for text in ["", "theirs", "<!doctype html>\n<html lang=\"en\">\n<title>Your URLs</title>"] {
        sandbox.write("x.run.html", text);
        refused(text);
        assert_eq!(sandbox.read("x.run.html"), text);
    }
    assert_eq!(sandbox.read("others"), PAGE);
    fs::remove_file(&html).expect("removed");

    // A name that nothing has: the page is for whoever the folder belongs to.
    let none = sandbox.path("none").display().to_string();
    assert_eq!(remotetask(&sandbox, &["url", "--page", &none]).ok(), format!("{none}.html\n"));
    fs::remove_file(format!("{none}.html")).expect("its end");
    let none = sandbox.path("no-folder/x").display().to_string();
    let refused = remotetask(&sandbox, &["url", "--page", &none]).refused();
    assert!(refused.ends_with("no-folder/x: there is no such file."), "{refused}");
    for (wrong, why) in [("/", "is no file; "), ("folder", "is no regular file; "), ("link", "is no regular file; ")] {
        fs::create_dir_all(sandbox.path("folder")).expect("a folder");
        let _ = symlink(&file, sandbox.path("link"));
        let wrong = sandbox.path(wrong).display().to_string();
        let said = remotetask(&sandbox, &["url", "--page", &wrong]).refused();
        assert!(said.ends_with(&format!("{wrong} {why}name one that the page is to lie beside.")), "{said}");
    }
    sandbox.raw_config(&format!("{{\"magickey\": \"{MAGIC}\", \"tasks\": {{}}}}"));
    let why = "remotetask: there is no URL to be shown yet; remotetask tasks add makes one.";
    assert_eq!(remotetask(&sandbox, &["url", "--page", &file]).refused(), why);
}

/// Its folder is another's to move: the page goes where the folder is, and not where its name leads by then.
#[test]
fn a_page_follows_no_name_that_changes() {
    let sandbox = Sandbox::with_command("true");
    for folder in ["share", "victim", "state"] {
        fs::create_dir(sandbox.path(folder)).expect("a folder");
    }
    for folder in ["share", "victim"] {
        sandbox.write(&format!("{folder}/x"), "");
    }
    sandbox.write("victim/x.html", PAGE);
    sandbox.write("share/x.html", PAGE);
    let turn = File::create(sandbox.path("state/workbench")).expect("the turn");
    rustix::fs::flock(&turn, rustix::fs::FlockOperation::LockExclusive).expect("the turn");
    let mut command = Command::new(sandbox.path("remotetask"));
    let mut child =
        command.args(["url", "--page"]).arg(sandbox.path("share/x")).stdout(Stdio::null()).spawn().expect("it starts");
    let share = sandbox.path("share");
    // Held in the end: the folder, which it has looked at by then, and the turn that it waits for.
    let wanted = [share.clone(), sandbox.path("state/workbench")];
    until("that it has the folder", || {
        let fds = fs::read_dir(format!("/proc/{}/fd", child.id())).ok()?.flatten();
        let held: Vec<_> = fds.filter_map(|fd| fs::read_link(fd.path()).ok()).collect();
        wanted.iter().all(|path| held.contains(path)).then_some(())
    });
    fs::rename(&share, sandbox.path("moved")).expect("moved");
    symlink(sandbox.path("victim"), &share).expect("a link");
    drop(turn);
    assert!(child.wait().expect("its end").success());
    assert_eq!(sandbox.read("victim/x.html"), PAGE);
    let page = sandbox.path("moved/x.html");
    assert!(fs::read_to_string(&page).expect("the page").contains(MAGIC));
    fs::remove_file(page).expect("its end");
    // By a link at the beginning it is said where it is.
    sandbox.write("moved/y", "");
    symlink(sandbox.path("moved"), sandbox.path("link")).expect("a link");
    let said = remotetask(&sandbox, &["url", "--page", &sandbox.path("link/y").display().to_string()]);
    assert_eq!(said.ok(), format!("{}\n", sandbox.path("moved/y.html").display()));
    fs::remove_file(sandbox.path("moved/y.html")).expect("its end");
}

/// The paths that are noted; a note of an earlier version is no more than that.
fn notes(sandbox: &Sandbox) -> Vec<String> {
    let notes: Vec<serde_json::Value> = serde_json::from_str(&sandbox.read("state/pages")).expect("state/pages");
    notes.iter().map(|note| note["path"].as_str().or(note.as_str()).expect("a path").to_owned()).collect()
}

/// The ends of all processes that hold this file open.
fn kill_keepers_of(page: &str) {
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        if fs::read_link(entry.path().join("fd/0")).is_ok_and(|held| held == Path::new(page)) {
            let pid = entry.file_name().into_string().expect("a number");
            assert!(Command::new("kill").args(["-KILL", &pid]).status().expect("kill").success());
            let held = entry.path().join("fd/0");
            until("its end", || (!held.exists()).then_some(()));
        }
    }
}

/// A writer in its folder renames it, and its keeper is killed: it goes all the same, or is said to be somewhere.
#[test]
fn a_page_under_another_name_that_was_left() {
    let (sandbox, file) = beside();
    let repair = || remotetask(&sandbox, &["repair"]).ok().split_whitespace().collect::<Vec<_>>().join(" ");
    const WELL: &str = "Everything was as it should be; nothing was changed.";
    repair();
    let page = format!("{file}.html");
    let left = || {
        remotetask(&sandbox, &["url", "--page", &file]).ok();
        kill_keepers_of(&page);
    };
    left();
    let kept = sandbox.path("kept");
    fs::rename(&page, &kept).expect("renamed");
    fs::create_dir(sandbox.path("other")).expect("a folder");
    fs::hard_link(&kept, sandbox.path("other/copy")).expect("a second name");
    sandbox.write("x.run.html", "theirs");
    assert_eq!(repair(), WELL);
    assert!(!kept.exists() && sandbox.read("x.run.html") == "theirs" && sandbox.read("other/copy").is_empty());
    assert_eq!(notes(&sandbox), [""; 0]);

    // A newer one of the same name forgets no older one.
    fs::remove_file(&page).expect("removed");
    left();
    fs::rename(&page, &kept).expect("renamed");
    left();
    assert_eq!(notes(&sandbox).len(), 2);
    assert_eq!(repair(), WELL);
    assert!(!kept.exists() && !Path::new(&page).exists());

    left();
    fs::rename(&page, sandbox.path("other/x")).expect("moved");
    for _ in 0..2 {
        let said = repair();
        assert!(said.contains(&format!("is not in that folder any more, by any name: {page}. Unless")), "{said}");
    }
    assert_eq!(notes(&sandbox), [&*page]);
    fs::rename(sandbox.path("other/x"), sandbox.path("again")).expect("moved back");
    assert_eq!(repair(), WELL);
    assert!(!sandbox.path("again").exists());

    // Deleted while its keeper looks.
    remotetask(&sandbox, &["url", "--page", &file]).ok();
    fs::remove_file(&page).expect("deleted");
    until("the note's end", || notes(&sandbox).is_empty().then_some(()));
}

/// Nothing but a page of ours goes where no keeper is left to do it, and none of them for another one.
#[test]
fn a_page_that_was_left_is_forgotten() {
    let (sandbox, file) = beside();
    // In one line, without what the first run corrects of the files.
    let repair = || remotetask(&sandbox, &["repair"]).ok().split_whitespace().collect::<Vec<_>>().join(" ");
    const WELL: &str = "Everything was as it should be; nothing was changed.";
    repair();
    assert_eq!(repair(), WELL);
    assert!(!sandbox.path("state/pages").exists());
    let page = format!("{file}.html");
    for _ in 0..2 {
        remotetask(&sandbox, &["url", "--page", &file]).ok();
        assert_eq!(notes(&sandbox), [&*page]);
    }
    assert_eq!(fs::metadata(sandbox.path("state/pages")).expect("it").permissions().mode() & 0o7777, 0o600);
    // Everything that stands in state/ beside it, and looks at all there is, goes on as before.
    sandbox.start().is_like("200 OK", "Task finished: * (* s)\n");
    let before = remotetask(&sandbox, &["check", "--json"]);
    assert!(!before.out.contains("pages"), "{}", before.out);
    assert_eq!(repair(), WELL);
    assert!(!Path::new(&page).exists() && notes(&sandbox).is_empty());

    for folder in ["a", "moved", "away", "linked", "linked/sub"] {
        fs::create_dir(sandbox.path(folder)).expect("a folder");
    }
    for name in
        ["theirs.html", "a/page.html", "a/linked.html", "moved/page.html", "linked/page.html", "linked/sub/page.html"]
    {
        sandbox.write(name, if name == "theirs.html" { "theirs" } else { PAGE });
    }
    symlink(sandbox.path("a/linked.html"), sandbox.path("link.html")).expect("a link");
    symlink(sandbox.path("linked"), sandbox.path("other")).expect("a link");
    assert!(Command::new("mkfifo").arg(sandbox.path("pipe.html")).status().expect("mkfifo").success());
    sandbox.write("cut.html", "");
    fs::remove_dir(sandbox.path("away")).expect("not mounted");
    let names = [
        "theirs.html",
        "none.html",
        "away/page.html",
        "other/page.html",
        "other/sub/page.html",
        "link.html",
        "pipe.html",
        "cut.html",
        "a/page.html",
        "moved/page.html",
    ];
    let paths = names.map(|name| sandbox.path(name).display().to_string());
    sandbox.write("state/pages", &serde_json::json!([&paths[..], &["/".to_owned()]].concat()).to_string());
    let left = repair();
    assert!(left.contains(&paths[2..5].join(", ")) && !left.contains(&paths[0]), "{left}");
    assert_eq!(notes(&sandbox), paths[2..5], "whose folder is not there");
    let there = |name: &str| sandbox.path(name).symlink_metadata().is_ok();
    let stay = ["theirs.html", "link.html", "a/linked.html", "linked/page.html", "linked/sub/page.html", "pipe.html"];
    assert!(stay.iter().all(|name| there(name)));
    assert!(!["cut.html", "a/page.html", "moved/page.html"].iter().any(|name| there(name)));
    // It is mounted again.
    fs::create_dir(sandbox.path("away")).expect("mounted");
    sandbox.write("away/page.html", PAGE);
    assert!(repair().contains("a page with URLs may still be there"));
    assert!(!there("away/page.html") && there("linked/page.html"));

    sandbox.write("state/pages", "{}");
    let why = format!(
        "remotetask: {}: this is not as remotetask wrote it. Move it away; a page that it names, and that is still there, goes \
         by hand.",
        sandbox.path("state/pages").display()
    );
    let advice = why.replacen("remotetask: ", "advice ", 1);
    assert!(repair().starts_with(advice.trim_end_matches('.')), "{}", repair());
    assert_eq!(remotetask(&sandbox, &["url", "--page", &file]).refused(), why);
    assert!(!Path::new(&page).exists(), "no page that nobody knows of");
}

#[test]
fn a_page_whose_path_cannot_be_noted() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::with_command("true");
    let file = sandbox.path("").join(std::ffi::OsStr::from_bytes(b"x\xff"));
    fs::write(&file, "").expect("a file");
    let said = said(Command::new(sandbox.path("remotetask")).args(["url", "--page"]).arg(&file), "").refused();
    assert!(said.ends_with(" is no name in UTF-8; give that file, or its folder, another one."), "{said}");
    assert_eq!(sandbox.files().iter().filter(|name| name.ends_with(".html")).count(), 0);
}

/// The process that takes a page away; with its test it ends.
struct Keeper(Child);

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With these times in seconds.
fn keeper(sandbox: &Sandbox, unread: &str, read: &str) -> Keeper {
    let page = File::options().read(true).write(true).open(sandbox.path("page")).expect("the page");
    let mut command = Command::new(sandbox.path("remotetask"));
    // A program that kills this test, as tests/prove does, waits for its outputs' end.
    let quiet = command.args(["page", unread, read]).stdin(page).stdout(Stdio::null()).stderr(Stdio::null());
    Keeper(quiet.spawn().expect("its keeper"))
}

fn ended(keeper: &mut Keeper) -> bool {
    until("its keeper's end", || keeper.0.try_wait().expect("its end")).success()
}

/// Until the keeper looks at the page.
fn watching(keeper: &Keeper) {
    let fds = format!("/proc/{}/fd", keeper.0.id());
    until("a watch", || {
        let infos = fs::read_dir(&fds).ok()?.flatten().map(|entry| entry.path());
        infos
            .map(|fd| fs::read_to_string(fd.display().to_string().replace("/fd/", "/fdinfo/")).unwrap_or_default())
            .any(|info| info.contains("inotify wd:"))
            .then_some(())
    });
}

#[test]
fn a_page_goes_when_it_was_opened() {
    let sandbox = Sandbox::new();
    sandbox.write("page", "secret");
    let mut child = keeper(&sandbox, "3600", "0");
    watching(&child);
    assert!(sandbox.path("page").exists());
    assert_eq!(sandbox.read("page"), "secret");
    assert!(ended(&mut child));
    assert!(!sandbox.path("page").exists());
}

#[test]
fn a_page_goes_unread_and_under_another_name() {
    let sandbox = Sandbox::new();
    sandbox.write("page", "secret");
    assert!(ended(&mut keeper(&sandbox, "0", "0")));
    assert!(!sandbox.path("page").exists());

    sandbox.write("page", "secret");
    let mut child = keeper(&sandbox, "3600", "0");
    watching(&child);
    fs::rename(sandbox.path("page"), sandbox.path("kept")).expect("renamed");
    sandbox.write("page", "another");
    fs::hard_link(sandbox.path("kept"), sandbox.path("copy")).expect("a second name");
    assert_eq!(sandbox.read("kept"), "secret");
    assert!(ended(&mut child));
    assert!(!sandbox.path("kept").exists());
    assert_eq!((&*sandbox.read("page"), &*sandbox.read("copy")), ("another", ""));
}

/// Its only name left is one that nobody told, and the name that the system tells is another file's.
#[test]
fn a_page_goes_and_nothing_else_does() {
    let sandbox = Sandbox::new();
    sandbox.write("page", "secret");
    fs::hard_link(sandbox.path("page"), sandbox.path("copy")).expect("a second name");
    let mut child = keeper(&sandbox, "3600", "0");
    watching(&child);
    sandbox.write("page (deleted)", "another");
    fs::remove_file(sandbox.path("page")).expect("removed");
    assert_eq!(sandbox.read("copy"), "secret");
    assert!(ended(&mut child));
    assert_eq!((&*sandbox.read("page (deleted)"), &*sandbox.read("copy")), ("another", ""));
}

/// A NAS that is switched off tells everybody to end.
#[test]
fn a_page_goes_when_its_keeper_is_told_to_end() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("state")).expect("a folder");
    for signal in ["-TERM", "-INT", "-HUP"] {
        sandbox.write("page", "secret");
        let [page, other] = ["page", "other"].map(|name| sandbox.path(name).display().to_string());
        sandbox.write("state/pages", &serde_json::json!([page, other]).to_string());
        let mut child = keeper(&sandbox, "3600", "3600");
        watching(&child);
        assert!(Command::new("kill").args([signal, &child.0.id().to_string()]).status().expect("kill").success());
        assert!(ended(&mut child), "{signal}");
        assert!(!sandbox.path("page").exists(), "{signal}");
        assert_eq!(notes(&sandbox), [other], "{signal}");
    }
}

/// Its owner was faster, or a newer page has come.
#[test]
fn a_page_that_is_gone_already_ends_its_keeper() {
    let sandbox = Sandbox::new();
    sandbox.write("page", "secret");
    let mut child = keeper(&sandbox, "3600", "3600");
    watching(&child);
    fs::remove_file(sandbox.path("page")).expect("removed");
    assert!(ended(&mut child));
}
