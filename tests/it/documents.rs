//! The documentation and the comments, compared with the programs and with each other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use remotetask::key::Digest;
use serde_json::{json, Map, Value};

use crate::support::*;
use crate::workbench::remotetask;

/// A row of docs/config.md: field, default, example, and true if `set` changes it.
struct Field<'t> {
    name: &'t str,
    default: String,
    example: &'t str,
    is_set: bool,
}

/// The fields of one table, below this heading.
fn fields<'t>(text: &'t str, heading: &str) -> Vec<Field<'t>> {
    let (_, section) = text.split_once(&format!("\n## {heading}\n")).expect("a heading");
    let section = section.split("\n## ").next().expect("a section");
    let field = |row: &'t str| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, name, _, default, example, set, _, _] = cells[..] else { panic!("six cells: {row}") };
        Field {
            name: name.trim_matches('`'),
            default: default.replace('`', ""),
            example: example.trim_matches('`'),
            is_set: set.contains('✓'),
        }
    };
    section.lines().filter(|line| line.starts_with("| `")).map(field).collect()
}

/// The names in a refusal, behind "there are".
fn names(said: &str) -> BTreeSet<&str> {
    let (_, names) = said.rsplit_once("there are").expect("names");
    names.split(['.', '\n']).next().unwrap_or(names).trim_matches([':', ' ']).split(", ").collect()
}

/// The tables of docs/config.md, and the place of their fields in a configuration.
const TABLES: [(&str, &str); 3] = [
    ("`server`", "/server"),
    ("An object in `magickey`", "/server/magickey/0"),
    ("An entry of `tasks`", "/tasks/garage"),
];

/// A configuration with this member at the place.
fn with(place: &str, member: &str) -> String {
    // Digests: how hard a key is to guess would be asked of each call.
    let [magic_key, identifier] = [MAGIC, TASK].map(|key| Digest::of(key.as_bytes()).sealed());
    let mut config = json!({
        "server": {"magickey": [{"key": magic_key}]},
        "tasks": {"garage": {"identifier": identifier, "command": ["/bin/true"]}}
    });
    let member: Map<String, Value> = serde_json::from_str(&format!("{{{member}}}")).expect(member);
    let object = config.pointer_mut(place).and_then(Value::as_object_mut).expect("an object");
    if member.contains_key("event") {
        object.remove("command");
    }
    object.extend(member);
    config.to_string()
}

#[test]
fn each_field_of_config_json_is_in_its_reference() {
    let text = document("docs/config.md");
    let sandbox = Sandbox::new();
    let file = sandbox.path("other.json").display().to_string();
    let judged = |content: String| {
        fs::write(&file, content).expect("written");
        remotetask(&sandbox, &["check", &file])
    };
    for (heading, place) in TABLES {
        let refused = judged(with(place, "\"surely-no-field\": 1")).refused();
        let fields = fields(&text, heading);
        let documented: BTreeSet<&str> = fields.iter().map(|field| field.name).collect();
        assert_eq!(documented, names(&refused), "{heading} in docs/config.md, and config.json: {refused}");
        for Field { name, example, .. } in &fields {
            assert!(example.starts_with(&format!("\"{name}\": ")), "{name}: {example}");
        }
        // A key that is printed there is everybody's, which the workbench has to know. A command and an event exclude
        // each other.
        let is_key = |field: &&Field<'_>| ["magickey", "panel", "key", "identifier"].contains(&field.name);
        let (keys, others): (Vec<_>, Vec<_>) = fields.iter().partition(is_key);
        let (events, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|field| field.name == "event");
        for key in keys {
            let said = judged(with(place, key.example));
            let published = plain_words(&said.err).contains("stands in a published example");
            assert!(said.code == Some(1) && published, "{}: {said:?}", key.example);
        }
        for examples in [events, others] {
            let members: Vec<&str> = examples.iter().map(|field| field.example).collect();
            judged(with(place, &members.join(", "))).ok();
        }
    }
}

/// Without the ends of lines, which a narrow screen makes.
fn plain_words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn each_setting_is_in_the_reference_with_its_default() {
    let text = document("docs/config.md");
    let sandbox = Sandbox::with_command("true");
    for (heading, of) in [(TABLES[0].0, &[][..]), (TABLES[2].0, &["t"])] {
        let set = |words: &[&str]| remotetask(&sandbox, &[&["set", "--dry-run"], of, words].concat());
        let refused = set(&["surely-no-setting", "1"]).refused();
        let fields = fields(&text, heading);
        let marked: Vec<&Field<'_>> = fields.iter().filter(|field| field.is_set).collect();
        let names_there: BTreeSet<&str> = marked.iter().map(|field| field.name).collect();
        assert_eq!(names_there, names(&refused), "{heading} in docs/config.md, and set: {refused}");
        for field in marked.iter().filter(|field| field.name != "panel") {
            let (_, value) = field.example.split_once(": ").expect("a value");
            let said = set(&[field.name, value.trim_matches('"')]);
            let (_, was) = said.ok().split_once("; it is ").unwrap_or_else(|| panic!("{said:?}"));
            let (default, _) = was.split_once(" (the default)").unwrap_or_else(|| panic!("{said:?}"));
            assert!(field.default.contains(default), "the default of {} is {default}: {said:?}", field.name);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// The documents: those at the top, and those of docs/.
fn documents() -> Vec<PathBuf> {
    let names = |folder: PathBuf| fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let all = names(root().to_owned()).chain(names(root().join("docs")));
    all.filter(|path| path.extension().is_some_and(|kind| kind == "md")).collect()
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_').collect()
}

#[test]
fn each_link_of_the_documents_leads_somewhere() {
    for path in documents() {
        let text = fs::read_to_string(&path).expect("text");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
        for target in links.filter(|target| !target.contains("://") && !target.contains(' ')) {
            let (file, place) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => path.clone(),
                name => path.with_file_name("").join(name),
            };
            assert!(file.exists(), "{}: {target}", path.display());
            let anchors = || fs::read_to_string(&file).expect("text");
            let leads = place.is_empty()
                || anchors()
                    .lines()
                    .any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == place);
            assert!(leads, "{}: there is no heading for {target}", path.display());
        }
    }
}

/// The files that CONTRIBUTING.md holds up as examples.
#[test]
fn each_example_of_style_is_there() {
    let text = document("CONTRIBUTING.md");
    let paths = text.split('`').skip(1).step_by(2).filter(|word| word.contains('/') && !word.contains(' '));
    let gone: Vec<&str> = paths.filter(|path| !root().join(path).exists()).collect();
    assert!(gone.is_empty(), "{gone:?}");
}

/// The options in a text.
fn options(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    words.filter(|word| word.starts_with("--") && word.len() > 3).collect()
}

/// The installer's options are explained to owners, and no others are typed in their documents.
#[test]
fn each_option_of_the_installer_is_explained() {
    let help = |program: &str| {
        let shown = std::process::Command::new(root().join(program)).arg("--help").output().expect(program);
        String::from_utf8(shown.stdout).expect("text")
    };
    let helps = [help("install.sh"), document("installer/here.sh"), help("installer/release")].concat();
    let owners = [document("README.md"), document("docs/install.md")].concat();
    let forgotten: Vec<&str> = options(&helps).difference(&options(&owners)).copied().collect();
    assert_eq!(forgotten, ["--once"], "which is for scripts");
    let typed = |line: &&str| {
        ["./install.sh ", ".run --here", "installer/release "].iter().any(|program| line.contains(program))
    };
    for line in owners.lines().filter(typed) {
        let unknown: Vec<&str> = options(line).difference(&options(&helps)).copied().collect();
        assert!(unknown.is_empty(), "{unknown:?} in {line}");
    }
}
