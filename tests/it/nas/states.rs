//! `check`, `repair`, `check` on states of what an installation has outside of its folder: after `repair` nothing is left but
//! what must be looked at first, and what others could have written is never believed.

use std::os::unix::fs::MetadataExt;

use super::install::{order, tree, Bare, DROP_IN, RULE};
use super::*;

/// A file of the web server's user.
const THEIRS: &str = "/volume1/web/theirs";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Missing,
    /// Another text of root's.
    Outdated,
    /// The right text, for everybody to write.
    Writable,
    /// Another text, of the web server's user.
    OfHttp,
    /// A link to a file of that user's.
    Link,
    /// A second name of that file.
    HardLink,
    Folder,
}

use State::{Folder, HardLink, Link, Missing, OfHttp, Outdated, Writable};

const STATES: [State; 7] = [Missing, Outdated, Writable, OfHttp, Link, HardLink, Folder];
const FILES: [&str; 4] = [RULE, DROP_IN, BOOT, LINK];

impl State {
    /// Left as it is. What else has the link's name may be another program's.
    fn is_left(self, file: &str) -> bool {
        self == Folder || file == LINK && self != Missing
    }
}

/// A text that would let the web server's user do what it likes, or make Apache show what it likes.
fn theirs(file: &str) -> &'static str {
    match file {
        RULE => "http ALL=(root) NOPASSWD: ALL\n",
        DROP_IN => "# theirs\n",
        _ => "#!/bin/sh\ntouch /run/effects/theirs\n",
    }
}

fn spoil(file: &str, state: State) {
    let right = fs::symlink_metadata(file).expect(file);
    let text = fs::read(file).expect(file);
    fs::remove_file(file).expect("removed");
    let write = |text: &[u8], uid, bits| {
        fs::write(file, text).expect("written");
        chown(file, Some(uid), Some(uid)).expect("chown");
        mode(file, bits);
    };
    match state {
        Missing => {}
        Outdated => write(theirs(file).as_bytes(), 0, right.mode() & 0o7777),
        Writable => write(&text, 0, 0o666),
        OfHttp => write(theirs(file).as_bytes(), HTTP, right.mode() & 0o7777),
        Link => symlink(THEIRS, file).expect("a link"),
        HardLink => fs::hard_link(THEIRS, file).unwrap_or_else(|_| symlink(THEIRS, file).expect("a link")),
        Folder => fs::create_dir(file).expect("a folder"),
    }
}

/// Kind, owner, mode, and the text of a file.
fn seen(file: &str) -> Option<(u32, u32, Vec<u8>)> {
    let meta = fs::symlink_metadata(file).ok()?;
    Some((meta.mode(), meta.uid(), if meta.is_file() { fs::read(file).expect(file) } else { Vec::new() }))
}

/// Each file in each state, beside the others in other ones.
#[test]
fn look_put_look() {
    let _bare = Bare::installed("true");
    fs::write(THEIRS, "http ALL=(root) NOPASSWD: ALL\n").expect("written");
    chown(THEIRS, Some(HTTP), Some(HTTP)).expect("chown");
    mode(THEIRS, 0o666);
    order(&["repair"]).ok();
    let installed = tree();
    for round in 0..STATES.len() {
        let states = [0, 1, 2, 3].map(|at| (FILES[at], STATES[(round + 2 * at) % STATES.len()]));
        states.iter().for_each(|(file, state)| spoil(file, *state));
        let before = states.map(|(file, _)| seen(file));
        let dry = order(&["repair", "--dry-run"]);
        assert_eq!(states.map(|(file, _)| seen(file)), before, "{states:?}: {}", dry.out);
        let said = order(&["repair"]);
        for ((file, state), before) in states.iter().zip(&before) {
            if state.is_left(file) {
                assert_eq!(seen(file), *before, "{file} {state:?}: {}", said.out);
                assert!(said.code == Some(1) && said.out.contains(file), "{file} {state:?}: {}", said.out);
            } else {
                // By another file, so that who has the old one open writes into nothing.
                let (mode, uid, text) = seen(file).unwrap_or_else(|| panic!("{file} {state:?}: {}", said.out));
                let is_right = (mode & 0o170022, uid) == (0o100000, 0) || *file == LINK;
                assert!(is_right, "{file} {state:?} {mode:o} {uid}: {}", said.out);
                assert!(!String::from_utf8_lossy(&text).contains(theirs(file)), "{file} {state:?} is believed");
            }
        }
        let after = tree();
        let again = order(&["repair"]);
        assert!(!again.out.contains("  done   "), "{states:?}: {}\n{}", said.out, again.out);
        assert_eq!(again.code, said.code, "{states:?}: {}\n{}", said.out, again.out);
        same(&after, &tree());
        for (file, _) in states.iter().filter(|(file, state)| state.is_left(file)) {
            let _ = fs::remove_file(file).or_else(|_| fs::remove_dir(file));
        }
        order(&["repair"]).ok();
        same(&installed, &tree());
    }
    assert!(!Path::new("/run/effects/theirs").exists());
    fs::remove_file(THEIRS).expect("removed");
}
