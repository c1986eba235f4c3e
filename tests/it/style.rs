//! The style that CONTRIBUTING.md asks for, as far as it can be counted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files at or below this path that may hold comments, without an earlier version's.
fn sources(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        let kind = path.extension().map(|kind| kind.to_string_lossy().into_owned()).unwrap_or_default();
        return if ["", "rs", "sh", "py", "c"].contains(&&*kind) { vec![path.to_owned()] } else { Vec::new() };
    }
    let entries = fs::read_dir(path).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| !path.ends_with("previous")).flat_map(|path| sources(&path)).collect()
}

/// The first words of the comment blocks in a file.
fn openings(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).expect("text");
    let mark = if path.extension().is_some_and(|kind| kind == "rs" || kind == "c") { "//" } else { "#" };
    let comment = |line: &str| {
        line.trim_start().strip_prefix(mark).filter(|rest| !rest.starts_with('!') || mark == "//").map(str::to_owned)
    };
    let (mut openings, mut within) = (Vec::new(), false);
    for line in text.lines() {
        let comment = comment(line);
        let word = comment
            .as_deref()
            .map(|rest| rest.trim_start_matches(['/', '!', ' ']).split(' ').next().unwrap_or_default().to_owned());
        openings.extend(word.filter(|word| !within && !word.is_empty()));
        within = comment.is_some();
    }
    openings
}

/// A comment's first words say what a thing is, or does; a relative clause makes its reader wait for the verb.
#[test]
fn few_comments_open_with_a_relative_clause() {
    const CLAUSES: [&str; 10] =
        ["What", "Who", "Whose", "Whether", "Where", "How", "Which", "Whatever", "Whoever", "Wherever"];
    for top in ["src", "workbench", "tests", "benches", "installer", "webstation"] {
        let openings: Vec<String> = sources(&root().join(top)).iter().flat_map(|path| openings(path)).collect();
        let clauses = openings.iter().filter(|word| CLAUSES.contains(&&***word)).count();
        assert!(clauses * 100 < openings.len() * 5, "{top}: {clauses} of {} comments", openings.len());
    }
}

/// The scripts whose functions declare each of their variables.
const SCRIPTS: [&str; 6] = [
    "install.sh",
    "installer/try.sh",
    "installer/pack.sh",
    "installer/here.sh",
    "installer/bootstrap.sh",
    "installer/release",
];

/// The name that this line of a shell script sets, if it is a plain one.
fn set_by(line: &str) -> Option<&str> {
    let line = line.trim_start().trim_start_matches("IFS= ");
    let name = match line.strip_prefix("for ").or_else(|| line.strip_prefix("read -r ")) {
        Some(rest) => rest.split([' ', ';']).next()?,
        None => line.split_once('=')?.0,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

/// The names behind `local`, with their values taken away.
fn declared(line: &str) -> Option<impl Iterator<Item = &str>> {
    let words = line.trim_start().strip_prefix("local ")?.split(" #").next()?;
    Some(words.split_whitespace().map(|word| word.split('=').next().unwrap_or(word)))
}

/// shellcheck knows no rule for it. A variable that stands outside all functions is one that they share.
#[test]
fn each_variable_of_a_shell_function_is_local() {
    let texts = SCRIPTS.map(|name| (name, fs::read_to_string(root().join(name)).expect(name)));
    let outside = texts.iter().flat_map(|(_, text)| text.lines()).filter(|line| !line.starts_with([' ', '#']));
    let shared: BTreeSet<&str> = outside
        .flat_map(|line| line.split(' '))
        .filter_map(set_by)
        .chain(["PATH", "LC_ALL", "number"]) // the environment's two; plan's, which step counts up
        .collect();
    for (name, text) in &texts {
        let mut local = BTreeSet::new();
        for line in text.lines() {
            match declared(line) {
                Some(names) => local.extend(names),
                None if line.ends_with("() {") && !line.starts_with(' ') => local.clear(),
                None if line.starts_with(' ') => {
                    let set = set_by(line).filter(|set| !shared.contains(set) && !local.contains(set));
                    assert_eq!(set, None, "{name}: not local: {line}");
                }
                None => {}
            }
        }
    }
}
