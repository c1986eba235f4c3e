//! Every generated request is judged alike by the web half (a glance), by the root half (the full reader, and the line
//! between the halves), and by a model, which knows nothing of either.

use std::collections::HashSet;
use std::ffi::OsString;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::config::{glance, read};
use crate::judge::{judge, Denial, Granted};
use crate::key::Digest;
use crate::line::{Ask, Do};
use crate::request::Request;

/// Numbers of keys; the text of a key follows from its number. Some are in no configuration.
const KEYS: usize = 9;
const IDS: [&str; 7] = ["7", "8", "100000000", "b", "Tür \"1\"\n", "007", ""];
const DAYS: [&str; 3] = ["2026-11-27", "2026-11-28", "2026-11-29"];
const TODAY: &str = "2026-11-28";
/// Networks as config.json has them, and the addresses of [`FROM`] that are in them, by their places.
const NETWORKS: [(&str, &[usize]); 6] = [
    ("192.168.1.0/24", &[1, 2]),
    ("192.168.1.7", &[1]),
    ("0.0.0.0/0", &[1, 2, 3]),
    ("fd00::/8", &[4]),
    ("::/0", &[4]),
    ("::ffff:192.168.1.7", &[1]),
];
/// REMOTE_ADDR: the second is the first in another form; the first of all is none.
const FROM: [&[&str]; 5] = [
    &["", "x", "192.168.1.7 x"],
    &["192.168.1.7", "::ffff:192.168.1.7"],
    &["192.168.1.255"],
    &["10.1.2.3"],
    &["fd12::1"],
];

#[derive(Clone, Debug)]
struct MagicKey {
    key: usize,
    sealed: bool,
    expires: Option<usize>,
    from: Option<Vec<usize>>,
    tasks: Option<Vec<usize>>,
}

#[derive(Clone, Debug)]
struct Task {
    id: usize,
    identifiers: Vec<usize>,
    sealed: bool,
    command: bool,
    event: bool,
    /// Fields that only a kept run can have.
    keeping: Vec<&'static str>,
}

#[derive(Clone, Debug)]
struct File {
    nested: bool,
    direct: bool,
    awaited: bool,
    panel: Option<usize>,
    magic_keys: Vec<MagicKey>,
    tasks: Vec<Task>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Path,
    Slash,
    Headers,
    HeadersAndPath,
    OneHeader,
    ThreeSegments,
    TwoSlashes,
    OtherMethod,
}

#[derive(Clone, Debug)]
struct Asked {
    magic_key: usize,
    identifier: usize,
    /// True where the file's own keys are meant, by their places.
    known: bool,
    form: Form,
    from: (usize, usize),
}

fn key(number: usize) -> String {
    format!("key-number-{number}")
}

// ---- the model -------------------------------------------------------------------------------

/// The number of the magic key, and the id of the task, or none for the panel.
type Verdict = Option<(usize, Option<&'static str>)>;

fn is_valid(file: &File) -> bool {
    let keys = file.magic_keys.iter().map(|entry| entry.key).chain(file.panel);
    let keys: Vec<usize> = keys.chain(file.tasks.iter().flat_map(|task| task.identifiers.clone())).collect();
    let ids: Vec<usize> = file.tasks.iter().map(|task| task.id).collect();
    let differ = |list: &[usize]| list.iter().collect::<HashSet<_>>().len() == list.len();
    let limits_are_tasks = |entry: &MagicKey| {
        entry.tasks.as_ref().is_none_or(|only| !only.is_empty() && only.iter().all(|id| ids.contains(id)))
    };
    let networks = |entry: &MagicKey| entry.from.as_ref().is_none_or(|from| !from.is_empty());
    !file.magic_keys.is_empty()
        && differ(&keys)
        && differ(&ids)
        && file.magic_keys.iter().all(|entry| limits_are_tasks(entry) && networks(entry))
        && file.tasks.iter().all(|task| is_valid_task(file, task))
}

fn is_valid_task(file: &File, task: &Task) -> bool {
    let kept = match (task.command, task.event) {
        (true, true) => return false,
        (true, false) => true,
        (false, true) => file.awaited,
        (false, false) if !["7", "8", "100000000"].contains(&IDS[task.id]) => return false,
        (false, false) => file.direct,
    };
    !IDS[task.id].is_empty() && !task.identifiers.is_empty() && (kept || task.keeping.is_empty())
}

fn verdict(file: &File, asked: &Asked) -> Verdict {
    let may_be_asked = matches!(asked.form, Form::Path | Form::Slash | Form::Headers);
    let at = file.magic_keys.iter().position(|entry| entry.key == asked.magic_key)?;
    let entry = &file.magic_keys[at];
    let in_time = entry.expires.is_none_or(|last| DAYS[last] >= TODAY);
    let is_in = |network: &usize| NETWORKS[*network].1.contains(&asked.from.0);
    let in_network = entry.from.as_ref().is_none_or(|from| from.iter().any(is_in));
    let task = file.tasks.iter().find(|task| task.identifiers.contains(&asked.identifier));
    let opens = match task {
        Some(task) => entry.tasks.as_ref().is_none_or(|only| only.contains(&task.id)),
        None => file.panel == Some(asked.identifier),
    };
    (may_be_asked && in_time && in_network && opens).then(|| (at + 1, task.map(|task| IDS[task.id])))
}

// ---- the generated ---------------------------------------------------------------------------

fn magic_key() -> impl Strategy<Value = MagicKey> {
    let limits = (of(0..DAYS.len()), of(vec(0..NETWORKS.len(), 0..3)), of(vec(0..IDS.len(), 0..3)));
    (0..KEYS, any::<bool>(), limits).prop_map(|(key, sealed, (expires, from, tasks))| MagicKey {
        key,
        sealed,
        expires,
        from,
        tasks,
    })
}

fn task() -> impl Strategy<Value = Task> {
    let keeping = vec(
        select(vec!["\"overlap\":\"parallel\"", "\"timeout\":9", "\"wait\":0", "\"output\":true", "\"stop\":true"]),
        0..3,
    );
    let keeping = keeping.prop_map(|mut fields| {
        fields.sort_unstable();
        fields.dedup();
        fields
    });
    (0..IDS.len(), vec(0..KEYS, 0..3), any::<bool>(), any::<bool>(), prop::bool::weighted(0.3), keeping).prop_map(
        |(id, identifiers, sealed, command, event, keeping)| Task { id, identifiers, sealed, command, event, keeping },
    )
}

/// Half of the files are made valid: at random few would be.
fn file() -> impl Strategy<Value = File> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (flags, of(0..KEYS), vec(magic_key(), 0..4), vec(task(), 0..4)).prop_map(
        |((nested, direct, awaited, corrected), panel, magic_keys, tasks)| {
            let file = File { nested, direct, awaited, panel, magic_keys, tasks };
            if corrected {
                made_valid(file)
            } else {
                file
            }
        },
    )
}

fn made_valid(mut file: File) -> File {
    let mut seen = HashSet::new();
    let mut is_new = |key: &usize| seen.insert(*key);
    file.magic_keys.retain(|entry| is_new(&entry.key));
    file.panel = file.panel.filter(&mut is_new);
    file.tasks.iter_mut().for_each(|task| task.identifiers.retain(&mut is_new));
    let mut ids = HashSet::new();
    file.tasks.iter_mut().for_each(|task| task.event &= !task.command);
    file.tasks.retain(|task| ids.insert(task.id));
    let whole = file.clone();
    file.tasks.retain(|task| is_valid_task(&whole, task));
    let ids: HashSet<usize> = file.tasks.iter().map(|task| task.id).collect();
    for entry in &mut file.magic_keys {
        entry.from = entry.from.take().filter(|from| !from.is_empty());
        entry.tasks.iter_mut().for_each(|only| only.retain(|id| ids.contains(id)));
        entry.tasks = entry.tasks.take().filter(|only| !only.is_empty());
    }
    file
}

fn asked() -> impl Strategy<Value = Asked> {
    let forms = vec![
        Form::Path,
        Form::Path,
        Form::Headers,
        Form::Headers,
        Form::Slash,
        Form::HeadersAndPath,
        Form::OneHeader,
        Form::ThreeSegments,
        Form::TwoSlashes,
        Form::OtherMethod,
    ];
    let from = (0..FROM.len(), 0..3_usize).prop_map(|(from, form)| (from, form % FROM[from].len()));
    (0..KEYS, 0..KEYS, prop::bool::weighted(0.7), select(forms), from)
        .prop_map(|(magic_key, identifier, known, form, from)| Asked { magic_key, identifier, known, form, from })
}

/// Random keys are seldom those of the file.
fn aimed(asked: &Asked, file: &File) -> Asked {
    let magic_keys: Vec<usize> = file.magic_keys.iter().map(|entry| entry.key).collect();
    let identifiers = file.tasks.iter().flat_map(|task| task.identifiers.clone()).chain(file.panel);
    let identifiers: Vec<usize> = identifiers.collect();
    let pick = |keys: &[usize], at: usize| keys.get(at % keys.len().max(1)).copied().filter(|_| asked.known);
    Asked {
        magic_key: pick(&magic_keys, asked.magic_key).unwrap_or(asked.magic_key),
        identifier: pick(&identifiers, asked.identifier).unwrap_or(asked.identifier),
        ..asked.clone()
    }
}

// ---- as text ---------------------------------------------------------------------------------

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("JSON")
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn written(number: usize, sealed: bool) -> String {
    let plain = key(number);
    quoted(&match (sealed, number % 2) {
        (false, _) => plain,
        (true, 0) => Digest::of(plain.as_bytes()).sealed(),
        (true, _) => Digest::of(plain.as_bytes()).sealed().to_uppercase().replace("SHA", "sha"),
    })
}

fn json(file: &File) -> String {
    let magic_keys = list(file.magic_keys.iter().map(|entry| {
        let mut fields = vec![format!("\"key\": {}", written(entry.key, entry.sealed))];
        fields.extend(entry.expires.map(|day| format!("\"expires\": {}", quoted(DAYS[day]))));
        let networks = |from: &Vec<usize>| list(from.iter().map(|network| quoted(NETWORKS[*network].0)));
        fields.extend(entry.from.as_ref().map(|from| format!("\"from\": {}", networks(from))));
        let tasks = |only: &Vec<usize>| list(only.iter().map(|id| quoted(IDS[*id])));
        fields.extend(entry.tasks.as_ref().map(|only| format!("\"tasks\": {}", tasks(only))));
        format!("{{{}}}", fields.join(", "))
    }));
    let mut server = vec![format!("\"magickey\": {magic_keys}")];
    server.extend(file.panel.map(|panel| format!("\"panel\": {}", written(panel, false))));
    server.push(format!("\"scheduler\": \"{}\"", if file.direct { "direct" } else { "synowebapi" }));
    server.push(format!("\"events\": \"{}\"", if file.awaited { "esynoscheduler" } else { "synowebapi" }));
    let server = server.join(", ");
    let tasks = file.tasks.iter().map(|task| {
        let identifiers = list(task.identifiers.iter().map(|number| written(*number, task.sealed)));
        let mut fields = vec![format!("\"identifier\": {identifiers}")];
        fields.push(format!("\"command\": {}", if task.command { "[\"/bin/true\"]" } else { "\"\"" }));
        fields.extend(task.event.then(|| "\"event\": \"E\"".to_owned()));
        fields.extend(task.keeping.iter().map(|field| (*field).to_owned()));
        format!("{}: {{{}}}", quoted(IDS[task.id]), fields.join(", "))
    });
    let tasks = tasks.collect::<Vec<_>>().join(", ");
    match file.nested {
        true => format!("{{\"server\": {{{server}}}, \"tasks\": {{{tasks}}}}}"),
        false => format!("{{{server}, \"tasks\": {{{tasks}}}}}"),
    }
}

fn request(asked: &Asked) -> Request {
    let (magic_key, identifier) = (key(asked.magic_key), key(asked.identifier));
    let by_headers = matches!(asked.form, Form::Headers | Form::HeadersAndPath | Form::OneHeader);
    let path = match asked.form {
        Form::Headers | Form::OneHeader => "/".to_owned(),
        Form::Slash => format!("/{magic_key}/{identifier}/"),
        Form::ThreeSegments => format!("/{magic_key}/{identifier}/x"),
        Form::TwoSlashes => format!("//{magic_key}/{identifier}"),
        _ => format!("/{magic_key}/{identifier}"),
    };
    let method = if asked.form == Form::OtherMethod { "PUT" } else { "POST" };
    let variables = [
        ("REQUEST_METHOD", method.to_owned()),
        ("PATH_INFO", path),
        ("HTTP_X_MAGIC_KEY", if by_headers { magic_key } else { String::new() }),
        ("HTTP_X_TASK_KEY", if by_headers && asked.form != Form::OneHeader { identifier } else { String::new() }),
        ("REMOTE_ADDR", FROM[asked.from.0][asked.from.1].to_owned()),
    ];
    Request::from_variables(|name| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value.as_str()))
    })
}

// ---- the comparison --------------------------------------------------------------------------

/// A verdict as both halves give it.
type Opened = (usize, Option<String>);

fn of_granted<S>(granted: &Granted<'_, S>) -> Opened {
    (granted.who().number, granted.one().map(|task| task.id.to_string()))
}

/// The web half's verdict.
fn web_half(text: &str, request: &Request) -> Result<(Vec<u8>, Opened), Option<Denial>> {
    let (credentials, flaw) = request.credentials();
    let config = glance(text.as_bytes(), credentials.identifier.digest()).map_err(|_| None)?;
    let today = TODAY.parse().expect("a day");
    let granted = judge(&config, credentials, flaw, request.from, today).map_err(|denied| Some(denied.why))?;
    Ok((Ask::new(&granted, Do::Start, request.from, false).to_line(), of_granted(&granted)))
}

/// The root half's verdict.
fn root_half(text: &str, line: &[u8]) -> Option<Opened> {
    let ask = Ask::from_line(line)?;
    let config = read(text.as_bytes()).ok()?;
    let granted = judge(&config, ask.credentials(), None, ask.from, TODAY.parse().expect("a day")).ok()?;
    Some(of_granted(&granted))
}

/// The root half's verdict on keys that the web half would never send on.
fn root_alone(text: &str, request: &Request) -> Option<Opened> {
    let config = read(text.as_bytes()).ok()?;
    let (credentials, flaw) = request.credentials();
    let granted = judge(&config, credentials, flaw, request.from, TODAY.parse().expect("a day")).ok()?;
    Some(of_granted(&granted))
}

/// The same cases each time; PROPTEST_CASES asks for more.
#[test]
fn both_halves_judge_as_the_model_does() {
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig {
            cases: ProptestConfig::default().cases.max(1000),
            failure_persistence: None,
            ..Default::default()
        },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let mut seen = [0; 3];
    let counted = std::cell::RefCell::new(&mut seen);
    let result = runner.run(&(file(), vec(asked(), 1..6)), |(file, all)| {
        let text = json(&file);
        let valid = is_valid(&file);
        let refusal = read(text.as_bytes()).err().map(|refusal| refusal.to_string());
        prop_assert_eq!(refusal.is_none(), valid, "{}: {:?}", text, refusal);
        for asked in &all {
            let asked = &aimed(asked, &file);
            let expected = verdict(&file, asked).filter(|_| valid).map(|(who, id)| (who, id.map(str::to_owned)));
            let request = request(asked);
            let web = web_half(&text, &request);
            let root = web.as_ref().ok().and_then(|(line, _)| root_half(&text, line));
            prop_assert_eq!(&root, &expected, "{} {:?}", text, asked);
            prop_assert_eq!(&root_alone(&text, &request), &expected, "{} {:?}", text, asked);
            if valid {
                prop_assert_eq!(web.ok().map(|(_, verdict)| verdict), expected.clone(), "{} {:?}", text, asked);
            }
            counted.borrow_mut()[if !valid { 0 } else { 1 + usize::from(expected.is_some()) }] += 1;
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    let [invalid, refused, granted] = seen;
    assert!(invalid > 500 && refused > 500 && granted > 100, "{invalid} {refused} {granted}");
}
