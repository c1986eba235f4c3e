//! `set`: one setting in config.json, of the server or of a task.

use serde_json::{json, Map, Value};

use crate::owner::edit::Edit;
use crate::owner::fault::Fault;
use crate::owner::known_keys::{forget, keep};
use crate::owner::names::{called, quoted, task_id};
use crate::owner::secrets::new_key;
use crate::owner::urls::{show_panel, Codes};
use crate::owner::workbench::{Workbench, INSTALLED};
use crate::parts::entry_point::noted;
use crate::parts::job::EntryPointKind;
use remotetask::config::nearly;
use remotetask::key::Digest;

/// The setting that is asked for.
pub struct SetArgs<'w> {
    /// NAME VALUE, or TASK NAME VALUE; with `unset` without the value.
    pub words: &'w [String],
    /// Takes it out, so that the default holds.
    pub unset: bool,
    /// Changes nothing.
    pub dry_run: bool,
    /// Codes of the panel's URLs.
    pub codes: Codes,
}

/// The result of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing is left to do.
    All,
    /// Apache's file follows from it.
    Apply,
    /// keys.json could not follow.
    Advice,
}

/// The form of a setting's value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Number,
    Seconds,
    Switch,
    Panel,
}

/// A setting: its name, its form, and the value that holds without it.
type Setting = (&'static str, Form, &'static str);

const SERVER: [Setting; 6] = [
    ("listen", Form::Text, "127.0.0.1"),
    ("port", Form::Number, "10765"),
    ("title", Form::Text, "none"),
    ("scheduler", Form::Text, "synoschedtask"),
    ("events", Form::Text, "synowebapi"),
    ("panel", Form::Panel, "off"),
];
const TASK: [Setting; 8] = [
    ("name", Form::Text, "the task's id"),
    ("get", Form::Text, "run"),
    ("cooldown", Form::Seconds, "0"),
    ("timeout", Form::Seconds, "none"),
    ("wait", Form::Seconds, "2"),
    ("overlap", Form::Text, "skip"),
    ("stop", Form::Switch, "off"),
    ("output", Form::Switch, "off"),
];

/// Sets it, unless the file would be refused with it.
pub fn run(bench: &Workbench, wanted: &SetArgs<'_>) -> Result<Done, Fault> {
    match (wanted.words, wanted.unset) {
        ([name, value], false) => of_server(bench, wanted, name, Some(value)),
        ([name], true) => of_server(bench, wanted, name, None),
        ([task, name, value], false) => of_task(bench, wanted, task, name, Some(value)),
        ([task, name], true) => of_task(bench, wanted, task, name, None),
        _ => Err(Fault::new(
            "two words set something of the server, such as remotetask set port 8443; three words something of a task, such \
             as remotetask set backup wait 5; --unset takes a setting out, and then there is no value",
        )),
    }
}

fn of_server(bench: &Workbench, wanted: &SetArgs<'_>, name: &str, value: Option<&str>) -> Result<Done, Fault> {
    let mut edit = Edit::begin(&bench.folder)?;
    let Some(setting) = SERVER.iter().find(|(known, ..)| *known == name) else {
        return Err(no_setting(name, "the server", &SERVER, edit.tasks().contains_key(name)));
    };
    if setting.1 == Form::Panel {
        drop(edit);
        return panel(bench, wanted, value);
    }
    let new = value.map(|value| as_json(setting, value)).transpose()?;
    let (old, changed) = change(edit.server(), name, new.as_ref());
    if !told(bench, wanted, edit, (setting, name), (old.as_ref(), new.as_ref()), changed)? {
        return Ok(Done::All);
    }
    Ok(if matches!(name, "listen" | "port") { apply(bench, wanted) } else { Done::All })
}

fn of_task(
    bench: &Workbench,
    wanted: &SetArgs<'_>,
    task: &str,
    name: &str,
    value: Option<&str>,
) -> Result<Done, Fault> {
    let mut edit = Edit::begin(&bench.folder)?;
    let id = task_id(&called(edit.tasks()), task)?;
    let Some(setting) = TASK.iter().find(|(known, ..)| *known == name) else {
        return Err(no_setting(name, "a task", &TASK, false));
    };
    let new = value.map(|value| as_json(setting, value)).transpose()?;
    let fields = edit.tasks()[&id].as_object_mut().ok_or_else(|| Fault::new("config.json has changed meanwhile"))?;
    let (old, changed) = change(fields, name, new.as_ref());
    let of = format!("{name} of task {id}");
    told(bench, wanted, edit, (setting, &of), (old.as_ref(), new.as_ref()), changed)?;
    Ok(Done::All)
}

/// The old value, and true if the new one is another.
fn change(fields: &mut Map<String, Value>, name: &str, new: Option<&Value>) -> (Option<Value>, bool) {
    let old = match new {
        Some(new) => fields.insert(name.to_owned(), new.clone()),
        None => fields.shift_remove(name),
    };
    let changed = old.as_ref() != new;
    (old, changed)
}

/// Makes the change and tells of it. Returns true if there was one.
fn told(
    bench: &Workbench,
    wanted: &SetArgs<'_>,
    edit: Edit,
    (setting, called): (&Setting, &str),
    (old, new): (Option<&Value>, Option<&Value>),
    changed: bool,
) -> Result<bool, Fault> {
    let (old, new) = (shown(setting, old), shown(setting, new));
    if !changed {
        bench.screen.say(format_args!("{called} is {new} already; nothing was changed."));
        return Ok(false);
    }
    match wanted.dry_run {
        true => {
            edit.try_out()?;
            bench.screen.say(format_args!("{called} would be {new}; it is {old}. Nothing was changed."));
        }
        false => {
            drop(edit.commit()?);
            bench.screen.say(format_args!("{called} is {new} now; it was {old}."));
        }
    }
    Ok(true)
}

/// Says what becomes of Apache.
fn apply(bench: &Workbench, wanted: &SetArgs<'_>) -> Done {
    let is_port = matches!(noted(&bench.folder), None | Some(EntryPointKind::Port));
    match (bench.folder == std::path::Path::new(INSTALLED), is_port) {
        (false, _) => Done::All,
        (true, false) => {
            bench.screen.say("The entry point is a virtual host of Web Station's, which has an address of its own.");
            Done::All
        }
        (true, true) if wanted.dry_run => {
            bench.screen.say(
                "Then Apache's file would be put in place anew, proved, and Apache restarted: remotetask repair does that.",
            );
            Done::All
        }
        (true, true) => Done::Apply,
    }
}

/// A new key for the panel, or none. The key is never typed: others could see it.
fn panel(bench: &Workbench, wanted: &SetArgs<'_>, value: Option<&str>) -> Result<Done, Fault> {
    let mut edit = Edit::begin(&bench.folder)?;
    let was = edit.server().contains_key("panel");
    let key = match value {
        Some("new") => Some(new_key()?),
        None | Some("off") => None,
        Some(_) => {
            return Err(Fault::new(
                "a panel's key is not typed, because others could see it: write new, which makes one, or off",
            ))
        }
    };
    let screen = &bench.screen;
    let Some(key) = key else {
        if edit.server().shift_remove("panel").is_none() {
            screen.say("There is no panel; nothing was changed.");
            return Ok(Done::All);
        }
        if wanted.dry_run {
            edit.try_out()?;
            screen.say("The panel's URLs would be refused from the next request on. Nothing was changed.");
            return Ok(Done::All);
        }
        let _held = edit.commit()?;
        screen.say("The panel's URLs are refused from the next request on.");
        return Ok(if forget(bench, &[]) { Done::All } else { Done::Advice });
    };
    edit.server().insert("panel".into(), Digest::of(key.as_bytes()).sealed().into());
    if wanted.dry_run {
        edit.try_out()?;
        screen.say("The panel would get a new key. Nothing was changed.");
        return Ok(Done::All);
    }
    keep(bench, &[&key])?;
    let held = edit.commit()?;
    let forgotten = forget(bench, &[]);
    drop(held);
    screen.say(match was {
        true => "The panel has a new key. Its old URLs are refused from the next request on.",
        false => "There is a panel now, a page with a button for each task that its caller may start.",
    });
    show_panel(bench, None, wanted.codes)?;
    Ok(if forgotten { Done::All } else { Done::Advice })
}

fn as_json((name, form, _): &Setting, value: &str) -> Result<Value, Fault> {
    match form {
        Form::Text | Form::Panel => Ok(json!(value)),
        Form::Number => match value.parse::<u64>() {
            Ok(number) => Ok(json!(number)),
            Err(_) => Err(Fault(format!("\"{value}\" is no {name}: write a number, such as 8443"))),
        },
        Form::Seconds => seconds(value).map(Value::from).ok_or_else(|| {
            Fault(format!("\"{value}\" is no {name}: write seconds, or a number with a unit, such as 30s, 5m or 2h"))
        }),
        Form::Switch => match value {
            "on" | "true" | "yes" => Ok(json!(true)),
            "off" | "false" | "no" => Ok(json!(false)),
            _ => Err(Fault(format!("{name} is on or off, not \"{value}\""))),
        },
    }
}

fn seconds(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[number.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.parse::<u32>().ok().map(|number| u64::from(number) * unit)
}

/// A value as it is typed; without one the default.
fn shown((_, form, default): &Setting, value: Option<&Value>) -> String {
    let Some(value) = value else { return format!("{default} (the default)") };
    match (value, form) {
        (Value::Bool(on), _) => if *on { "on" } else { "off" }.into(),
        (Value::String(text), _) => format!("\"{text}\""),
        (other, Form::Seconds) => format!("{other} s"),
        (other, _) => other.to_string(),
    }
}

fn no_setting(name: &str, of: &str, settings: &[Setting], is_task: bool) -> Fault {
    let there: Vec<&str> = settings.iter().map(|(name, ..)| *name).collect();
    let near = there.iter().find(|known| nearly(name, known));
    let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    let of_task = match is_task {
        true => {
            format!(". For the task of this name write its setting as well: remotetask set {} wait 5", quoted(name))
        }
        false => String::new(),
    };
    Fault(format!("{of} has no setting \"{name}\"; {near}there are: {}{of_task}", there.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_as_they_are_typed() {
        for (text, expected) in [
            ("0", Some(0)),
            ("90", Some(90)),
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("2h", Some(7200)),
            ("1d", Some(86_400)),
            ("", None),
            ("m", None),
            ("-1", None),
            ("5 m", None),
            ("5w", None),
            ("99999999999", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
