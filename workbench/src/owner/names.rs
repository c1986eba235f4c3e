//! Names as an owner types them: people, tasks, and words of a shell.

use serde_json::{json, Map, Value};

use super::fault::Fault;
use remotetask::config;

/// The name of a key's owner, in words that the other commands take: the label, or the place in the list.
pub fn who(number: usize, label: Option<&str>) -> String {
    label.map_or_else(|| format!("#{}", number + 1), str::to_owned)
}

/// A task's id and the name that its callers see, which may be the same.
pub type Called = (String, Option<String>);

/// The tasks of a file that is being changed.
pub fn called(tasks: &Map<String, Value>) -> Vec<Called> {
    tasks.iter().map(|(id, task)| (id.clone(), task["name"].as_str().map(str::to_owned))).collect()
}

/// The tasks of a configuration.
pub fn called_in(config: &config::Config<'_>) -> Vec<Called> {
    config.tasks.iter().map(|task| (task.id.to_string(), task.name.as_deref().map(str::to_owned))).collect()
}

/// A task by its name and its id, as lists show it.
pub fn both(id: &str, name: Option<&str>) -> String {
    match name.filter(|name| *name != id) {
        Some(name) => format!("{name} ({id})"),
        None => id.to_owned(),
    }
}

/// The id of the task of this id; or of the only one of this name, in which the case of letters counts last.
pub fn task_id(tasks: &[Called], wanted: &str) -> Result<String, Fault> {
    let wanted = wanted.trim();
    if tasks.iter().any(|(id, _)| id == wanted) {
        return Ok(wanted.to_owned());
    }
    let named = |same: &dyn Fn(&str) -> bool| -> Vec<&str> {
        let of_name = tasks.iter().filter(|(_, name)| name.as_deref().is_some_and(same));
        of_name.map(|(id, _)| id.as_str()).collect()
    };
    let ids = match named(&|name| name == wanted) {
        none if none.is_empty() => named(&|name| name.to_lowercase() == wanted.to_lowercase()),
        some => some,
    };
    match ids[..] {
        [id] => Ok(id.to_owned()),
        [] => Err(no_task(tasks, wanted)),
        _ => {
            let ids: Vec<String> = ids.iter().map(|id| quoted(id)).collect();
            Err(Fault(format!("several tasks have the name {wanted}; write the id of one: {}", ids.join(", "))))
        }
    }
}

/// That there is no such task, and which there are.
fn no_task(tasks: &[Called], wanted: &str) -> Fault {
    let there: Vec<String> = tasks.iter().map(|(id, name)| both(id, name.as_deref())).collect();
    Fault(match there.is_empty() {
        true => format!("there is no task \"{wanted}\", nor any other yet; remotetask tasks add makes one reachable"),
        false => format!(
            "there is no task \"{wanted}\" here; there are: {}. remotetask tasks add makes another reachable",
            there.join(", ")
        ),
    })
}

/// The entries of this label: as it stands, or else but for the case of its letters.
pub fn labelled(keys: &[Value], wanted: &str) -> Vec<usize> {
    let all = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        (0..keys.len()).filter(|at| keys[*at]["label"].as_str().is_some_and(same)).collect()
    };
    match all(&|label| label == wanted) {
        none if none.is_empty() => all(&|label| label.to_lowercase() == wanted.to_lowercase()),
        some => some,
    }
}

pub fn find_or_say(keys: &[Value], wanted: &str) -> Result<usize, Fault> {
    let number = wanted.strip_prefix('#').unwrap_or(wanted).parse::<usize>().ok();
    let number = number.filter(|number| (1..=keys.len()).contains(number));
    match (&labelled(keys, wanted)[..], number) {
        ([one], _) => Ok(*one),
        ([], Some(number)) => Ok(number - 1),
        ([], None) => {
            let there: Vec<String> = (0..keys.len()).map(|at| name(keys, at)).collect();
            Err(Fault(format!("there is no key of {wanted}; there are: {}", there.join(", "))))
        }
        (several, _) => {
            let numbers: Vec<String> = several.iter().map(|at| format!("'#{}'", at + 1)).collect();
            Err(Fault(format!("several keys are called {wanted}; give the number of one: {}", numbers.join(", "))))
        }
    }
}

pub fn name(keys: &[Value], at: usize) -> String {
    who(at, keys[at]["label"].as_str())
}

/// The entry of a configuration that this label or number means.
pub fn person<'c, 't>(
    config: &'c config::Config<'t>,
    wanted: &str,
) -> Result<(String, &'c config::MagicKey<'t>), Fault> {
    let labels: Vec<Value> = config.server.magic_keys.iter().map(|key| json!({ "label": key.label })).collect();
    let at = find_or_say(&labels, wanted)?;
    Ok((name(&labels, at), &config.server.magic_keys[at]))
}

/// Names that are shown to whoever has asked for another one, at most, and characters of each.
const SHOWN: usize = 10;
const NAME_SHOWN: usize = 40;

/// The names in quotes, those first that are most like the wanted one.
pub fn nearest(names: &[String], wanted: &str) -> String {
    let mut near: Vec<&String> = names.iter().collect();
    near.sort_by_cached_key(|name| letters_apart(name, wanted));
    let mut shown: Vec<String> = near.iter().take(SHOWN).map(|name| format!("\"{}\"", shortened(name))).collect();
    if names.len() > SHOWN {
        shown.push(format!("and {} more", names.len() - SHOWN));
    }
    shown.join(", ")
}

/// That DSM has no triggered task of this name, and which it has.
pub fn no_event(names: &[String], event: &str) -> Fault {
    let there = nearest(names, event);
    let there = if there.is_empty() { there } else { format!(". It has {there}") };
    Fault(format!("DSM has no triggered task \"{event}\"{there}"))
}

/// The beginning of a name, if it is long.
pub fn shortened(name: &str) -> String {
    let short: String = name.chars().take(NAME_SHOWN).collect();
    let cut = if short.len() < name.len() { "…" } else { "" };
    format!("{short}{cut}")
}

/// Letters to be changed, added or left out to make one name of the other; capitals count as small letters.
fn letters_apart(one: &str, other: &str) -> usize {
    let letters = |name: &str| -> Vec<char> { name.chars().take(100).flat_map(char::to_lowercase).collect() };
    let (one, other) = (letters(one), letters(other));
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], at + 1);
        for (at, theirs) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != theirs);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
}

/// A mode as chmod(1) takes it.
pub fn shown_mode(mode: u32) -> String {
    format!("{:04o}", mode & 0o7777)
}

/// The words of a program's output, on one line.
pub fn one_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A word for a shell.
pub fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    match plain {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let there = names(&["Back up", "open Door", "Gate"]);
        assert_eq!(nearest(&there, "Open dor"), "\"open Door\", \"Back up\", \"Gate\"");
        assert_eq!(nearest(&[], "x"), "");
        let many = names(&["aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"; 12]);
        let shown = nearest(&many, "");
        assert!(shown.starts_with(&format!("\"{}…\", ", "a".repeat(40))) && shown.ends_with(", and 2 more"), "{shown}");
    }

    #[test]
    fn a_word_for_a_shell() {
        for (word, expected) in
            [("backup", "backup"), ("Anna's phone", r"'Anna'\''s phone'"), ("#2", "'#2'"), ("", "''")]
        {
            assert_eq!(quoted(word), expected);
        }
    }
}
