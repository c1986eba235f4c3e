//! `look`, `put`, `look` on generated states of the installation's folder: after `put` nothing is found but what the owner
//! must look at first, and what others could have written is never believed.

use std::fs::{self, Permissions};
use std::os::unix::fs::{chown, symlink, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use rustix::fs::{mknodat, FileType, Mode, CWD};
use rustix::process::geteuid;

use super::super::{Content, Files, IfChangeable, Row, TABLE};
use crate::nas::installation::Installation;
use crate::owner::screen::Screen;
use crate::parts::job::Job;
use crate::parts::Part;
use remotetask::accounts::Accounts;
use remotetask::config;

const CONFIG: &str = r#"{"magickey": "key-of-me", "tasks": {"7": {"identifier": "task-key-7"}}}"#;
const HTTP: u32 = 1023;
const OTHER: u32 = 1026;
/// Others' text in a file of ours, and in files elsewhere.
const THEIRS: &str = "theirs";

/// The state of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Right,
    Missing,
    /// Another text, by root.
    Outdated,
    /// These bits beside the right ones, none of them to write.
    Open(u32),
    /// Its owner's bits alone.
    Closed,
    /// These bits beside the right ones, to write.
    Writable(u32),
    OfUser(u32),
    OfGroup(u32),
    Link,
    HardLink,
    Pipe,
    /// A folder for a file, a file for a folder.
    OtherKind,
}

use State::{Closed, HardLink, Link, Missing, OfGroup, OfUser, Open, OtherKind, Outdated, Pipe, Right, Writable};

impl State {
    fn of_others(self, row: &Row) -> bool {
        match self {
            OfUser(uid) => !(row.content == Content::Log && uid == HTTP),
            Writable(_) => true,
            _ => false,
        }
    }

    /// Something else is in its place; it is not gone into, nor taken away.
    fn in_the_way(self, row: &Row) -> bool {
        matches!(self, Link | Pipe | OtherKind) || self == HardLink && !row.is_folder()
    }
}

/// A row in a state.
#[derive(Clone, Copy)]
struct Case {
    row: &'static Row,
    state: State,
    /// Others could write the folder that it lies in, which is closed and rid of what is theirs.
    is_swept: bool,
}

impl Case {
    /// Left as it is, for its owner to look at.
    fn is_left(&self, by_package: bool) -> bool {
        let Case { row, state, .. } = *self;
        let is_program = row.content == Content::Program;
        match row.if_changeable {
            // An empty folder of root's is nobody else's.
            _ if self.is_swept => state == OtherKind && !row.is_folder(),
            _ if state.in_the_way(row) => true,
            _ if state == Missing => is_program && !by_package,
            IfChangeable::LookFirst => state.of_others(row),
            IfChangeable::Reinstall => state.of_others(row) && is_program && !by_package,
            IfChangeable::Close => false,
        }
    }
}

fn states() -> impl Strategy<Value = Vec<State>> {
    let wrong = select(vec![
        Missing,
        Outdated,
        Open(0o055),
        Open(0o4000),
        Closed,
        Writable(0o020),
        Writable(0o002),
        Writable(0o666),
        OfUser(HTTP),
        OfUser(OTHER),
        OfGroup(OTHER),
        Link,
        HardLink,
        Pipe,
        OtherKind,
    ]);
    prop::collection::vec(prop::option::weighted(0.3, wrong).prop_map(|state| state.unwrap_or(Right)), TABLE.len())
}

/// A folder for an installation, a package, and files that are nobody's business here.
struct World {
    folder: PathBuf,
    package: PathBuf,
    elsewhere: PathBuf,
    _root: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let root = tempfile::tempdir_in(base).expect("a folder");
        set(root.path(), 0o755, 0, 0);
        let [folder, package, elsewhere] = ["remotetask", "package", "elsewhere"].map(|name| root.path().join(name));
        for made in [&folder, &package, &elsewhere] {
            fs::create_dir(made).expect("a folder");
            set(made, 0o755, 0, 0);
        }
        for row in TABLE.iter().filter(|row| row.content == Content::Program) {
            fs::write(package.join(row.name), format!("the program {}", row.name)).expect("a program");
        }
        World { folder, package, elsewhere, _root: root }
    }

    fn path(&self, row: &Row) -> PathBuf {
        if row.name.is_empty() {
            self.folder.clone()
        } else {
            self.folder.join(row.name)
        }
    }

    /// Every file of a right installation.
    fn install(&self) {
        self.put(true, false);
        for (name, text) in
            [("config.json", CONFIG), ("keys.json", "{}"), ("start.html", "<p>"), ("webstation/way", "port\n")]
        {
            fs::write(self.folder.join(name), text).expect("written");
        }
        fs::write(self.folder.join("webstation/made"), "").expect("written");
        fs::create_dir(self.folder.join("scripts")).expect("made");
        self.put(true, false);
        set(&self.folder.join("start.html"), 0o644, 0, 0);
    }

    /// The corrections that were made.
    fn put(&self, by_package: bool, dry_run: bool) -> usize {
        let (screen, interrupted) = (Screen::silent(), AtomicBool::new(false));
        let job = Job::new(&self.folder, 0, &screen, &interrupted);
        let mut job = Job { package: by_package.then_some(&*self.package), dry_run, accounts: accounts(), ..job };
        Files.put(&mut job).map_err(|fault| fault.0).expect("each row by itself");
        job.changes
    }

    /// Codes and sentences.
    fn look(&self) -> Vec<(&'static str, String)> {
        let config = config::read(CONFIG.as_bytes()).expect("valid");
        let mut nas = Installation::new(&self.folder, CONFIG.as_bytes(), Some(&config));
        nas.accounts = accounts();
        Files.look(&nas).into_iter().map(|found| (found.code, found.sentence)).collect()
    }

    /// Brings a row of a right installation into this state.
    fn spoil(&self, row: &Row, state: State) {
        let path = self.path(row);
        let meta = fs::symlink_metadata(&path).expect(row.name);
        let (uid, gid, mode) = (meta.uid(), meta.gid(), meta.mode() & 0o7777);
        match state {
            Right => {}
            Missing => remove(&path),
            Outdated => write_theirs(row, &path),
            Open(bits) => set(&path, mode | bits, uid, gid),
            Closed => set(&path, mode & 0o700, uid, gid),
            Writable(bits) => {
                write_theirs(row, &path);
                set(&path, mode | bits, uid, gid);
            }
            OfUser(other) => {
                write_theirs(row, &path);
                set(&path, mode, other, gid);
            }
            OfGroup(other) => set(&path, mode, uid, other),
            Link | Pipe | OtherKind | HardLink => self.replace(row, &path, state),
        }
    }

    fn replace(&self, row: &Row, path: &Path, state: State) {
        let other = self.elsewhere.join(row.name.replace('/', "-"));
        match state {
            HardLink if row.is_folder() => return,
            _ => remove(path),
        }
        let file = |path: &Path| {
            fs::write(path, THEIRS).expect("written");
            set(path, 0o666, OTHER, OTHER);
        };
        match (state, row.is_folder()) {
            (Link, true) => {
                fs::create_dir(&other).expect("made");
                set(&other, 0o777, OTHER, OTHER);
                symlink(&other, path).expect("a link");
            }
            (Link, false) => {
                file(&other);
                symlink(&other, path).expect("a link");
            }
            (HardLink, _) => {
                file(&other);
                fs::hard_link(&other, path).expect("a hard link");
            }
            (Pipe, _) => mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o666), 0).expect("a pipe"),
            (_, true) => file(path),
            (_, false) => fs::create_dir(path).expect("made"),
        }
    }
}

fn accounts() -> Accounts {
    let passwd =
        format!("root:x:0:0::/root:/bin/sh\nhttp:x:{HTTP}:{HTTP}::/:/bin/false\nanna:x:{OTHER}:100::/:/bin/sh\n");
    Accounts::of(passwd, format!("root:x:0:\nhttp:x:{HTTP}:\n"))
}

fn set(path: &Path, mode: u32, uid: u32, gid: u32) {
    chown(path, Some(uid), Some(gid)).expect("chown");
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("chmod");
}

fn remove(path: &Path) {
    match fs::symlink_metadata(path).expect("there").is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
    .expect("removed");
}

/// Somebody else's content there: a text, or in a folder a file.
fn write_theirs(row: &Row, path: &Path) {
    match row.is_folder() {
        true if row.name.is_empty() => {}
        true => {
            fs::write(path.join(THEIRS), THEIRS).expect("written");
            set(&path.join(THEIRS), 0o644, OTHER, OTHER);
        }
        false => fs::write(path, THEIRS).expect("written"),
    }
}

/// Kind, owner, group, mode, and the text of a file.
type Seen = Option<(u32, u32, u32, Vec<u8>)>;

fn seen(path: &Path) -> Seen {
    let meta = fs::symlink_metadata(path).ok()?;
    let text = if meta.is_file() { fs::read(path).expect("read") } else { Vec::new() };
    Some((meta.mode(), meta.uid(), meta.gid(), text))
}

fn everything_elsewhere(world: &World) -> Vec<(PathBuf, Seen)> {
    let entries = fs::read_dir(&world.elsewhere).expect("listed").map(|entry| entry.expect("an entry").path());
    let mut all: Vec<_> = entries.map(|path| (path.clone(), seen(&path))).collect();
    let inside = |path: &PathBuf| path.is_dir().then(|| fs::read_dir(path).expect("listed").count());
    assert!(all.iter().all(|(path, _)| inside(path).unwrap_or(0) == 0), "something was put elsewhere");
    all.sort();
    all
}

/// The states that can be: below a folder that is gone or another thing there is nothing. The folder itself is there.
fn possible(states: &[State]) -> Vec<Case> {
    let (mut gone, mut swept): (Vec<&str>, Vec<&str>) = Default::default();
    let mut cases = Vec::new();
    for (row, &state) in TABLE.iter().zip(states) {
        let is_in = |folders: &[&str]| {
            folders.iter().any(|folder| row.name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
        };
        let is_thing = state.in_the_way(row) || state == Missing;
        let state = match state {
            _ if is_in(&gone) => continue,
            _ if row.name.is_empty() && is_thing => Right,
            HardLink if row.is_folder() => Right,
            Outdated if row.is_folder() || matches!(row.content, Content::Log | Content::Own) => Right,
            state => state,
        };
        if row.is_folder() && (state.in_the_way(row) || state == Missing) {
            gone.push(row.name);
        }
        if row.if_changeable == IfChangeable::Close && row.is_folder() && state.of_others(row) {
            swept.push(row.name);
        }
        cases.push(Case { row, state, is_swept: is_in(&swept) });
    }
    cases
}

/// Looks at one row after `put`.
fn judge(world: &World, case: &Case, by_package: bool, before: &Seen) -> Result<(), TestCaseError> {
    let Case { row, state, .. } = *case;
    let path = world.path(row);
    let now = seen(&path);
    if case.is_left(by_package) && !row.name.is_empty() {
        prop_assert!(now == *before, "{} {:?} was not left", row.name, state);
        return Ok(());
    }
    let text = match row.content {
        Content::Text(text) => Some(text.to_owned()),
        Content::Program if by_package => Some(format!("the program {}", row.name)),
        _ => None,
    };
    if let (Some(text), Some((.., there))) = (text, &now) {
        prop_assert!(*there == text.as_bytes(), "{} {:?}: others' text is believed", row.name, state);
    }
    if row.is_folder() && state.of_others(row) && !row.name.is_empty() {
        prop_assert!(!path.join(THEIRS).exists(), "{} {:?}: others' file is left", row.name, state);
    }
    Ok(())
}

/// The row that a finding is about: that of the longest path that its sentence names.
fn about<'c>(world: &World, sentence: &str, cases: &'c [Case]) -> Option<&'c Case> {
    let is_named = |case: &&Case| {
        let path = world.path(case.row).display().to_string();
        sentence.contains(&format!("{path} ")) || sentence.contains(&format!("{path},"))
    };
    cases.iter().filter(is_named).max_by_key(|case| case.row.name.len())
}

fn check(world: &World, cases: &[Case], by_package: bool) -> Result<(), TestCaseError> {
    let seen = || cases.iter().map(|case| seen(&world.path(case.row))).collect::<Vec<Seen>>();
    let (before, elsewhere, found_before) = (seen(), everything_elsewhere(world), world.look());
    let announced = world.put(by_package, true);
    prop_assert!(seen() == before, "a look or a dry run has changed something");
    let changes = world.put(by_package, false);
    prop_assert_eq!(announced > 0, changes > 0, "a dry run announces {}, and {} were made", announced, changes);
    for (case, before) in cases.iter().zip(&before) {
        judge(world, case, by_package, before)?;
    }
    prop_assert!(everything_elsewhere(world) == elsewhere, "something elsewhere has changed");
    let found = world.look();
    for (code, sentence) in &found {
        let about = about(world, sentence, cases);
        // A start page may be closed, and is not shown then.
        let is_closed_page = *code == "start-page-unused" && about.is_some_and(|case| case.state == Closed);
        let is_left = about.is_some_and(|case| case.is_left(by_package));
        prop_assert!(is_left || is_closed_page, "left though it needs no look: {} {}", code, sentence);
        let is_new = found_before.iter().all(|(_, before)| before != sentence);
        prop_assert!(!is_new || *code == "file-missing", "new: {}", sentence);
    }
    for case in cases.iter().filter(|case| case.is_left(by_package)) {
        // A config.json that is no file is found with its content.
        let is_told = case.row.name == "config.json" && case.state.in_the_way(case.row);
        let path = world.path(case.row).display().to_string();
        let is_found = found.iter().any(|(_, sentence)| sentence.contains(&path));
        prop_assert!(is_told || is_found, "not found any more: {} {:?}", case.row.name, case.state);
    }
    prop_assert_eq!(world.put(by_package, false), 0, "a second time");
    Ok(())
}

/// The same states each time; PROPTEST_CASES asks for more.
#[test]
fn look_put_look() {
    // Files of other users can be made by root alone.
    if !geteuid().is_root() {
        return;
    }
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig {
            cases: ProptestConfig::default().cases.max(100),
            failure_persistence: None,
            ..Default::default()
        },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let result = runner.run(&(states(), any::<bool>()), |(states, by_package)| {
        let world = World::new();
        world.install();
        prop_assert_eq!(world.look(), Vec::new(), "a right installation");
        let cases = possible(&states);
        // Deep ones first: a folder takes what is in it along.
        cases.iter().rev().for_each(|case| world.spoil(case.row, case.state));
        check(&world, &cases, by_package)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
