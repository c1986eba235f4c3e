//! Ready text of a task's URL: curl, Home Assistant, Shortcuts on iOS.

use crate::owner::fault::Fault;
use crate::owner::names::{person, quoted};
use crate::owner::urls::{people, tasks};
use crate::owner::view::View;
use crate::owner::workbench::Workbench;

/// For whom the ready text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipe {
    /// curl, in three ways.
    Curl,
    /// Home Assistant.
    HomeAssistant,
    /// Shortcuts on iOS.
    Ios,
}

/// Text to copy, for one person and one task.
pub fn show_recipe(bench: &Workbench, task: Option<&str>, who: Option<&str>, recipe: Recipe) -> Result<(), Fault> {
    let view = View::read(&bench.folder)?;
    let config = view.config()?;
    let pairs: Vec<_> = tasks(&config, task)?
        .into_iter()
        .flat_map(|task| people(&config, who).into_iter().flatten().map(move |(name, key)| (name, key, task)))
        .filter(|(_, key, task)| key.may_start(&task.id))
        .collect();
    if let Some(only) = who {
        person(&config, only)?;
    }
    let [(name, key, task)] = &pairs[..] else {
        return Err(Fault(match pairs.len() {
            0 => "nobody of these may start this".into(),
            _ => {
                let (person, task) = (&pairs[0].0, &pairs[0].2.id);
                format!(
                    "this text is for one task and one key; say which, such as remotetask url {} --who {}",
                    quoted(task),
                    quoted(person)
                )
            }
        }));
    };
    let Some((magic, identifier)) = view.keys(key, task) else {
        return Err(Fault(format!(
            "the keys of {name} for {} are not known here; remotetask url says what to do",
            task.shown()
        )));
    };
    let base = view.base(&config);
    let text = match recipe {
        Recipe::Curl => curl(&base, magic, identifier, &task.id),
        Recipe::HomeAssistant => home_assistant(&base, magic, identifier, &task.id),
        Recipe::Ios => ios(&base, magic, identifier, task.shown()),
    };
    for line in text.lines() {
        bench.screen.literal(line);
    }
    Ok(())
}

fn curl(base: &str, magic: &str, identifier: &str, id: &str) -> String {
    let file = format!("{}.curl", slug(id));
    format!(
        "# The keys in the path. Other users of that machine see them while curl runs.\n\
         curl -X POST '{base}/{magic}/{identifier}'\n\
         \n\
         # The keys in headers: no web server writes them to its log.\n\
         curl -X POST -H 'X-Magic-Key: {magic}' -H 'X-Task-Key: {identifier}' '{base}/'\n\
         \n\
         # No key among the arguments: make this file once, then only the last line is needed.\n\
         (umask 077; cat >{file}) <<'END'\n\
         url = \"{base}/\"\n\
         request = \"POST\"\n\
         header = \"X-Magic-Key: {magic}\"\n\
         header = \"X-Task-Key: {identifier}\"\n\
         END\n\
         curl -K {file}\n"
    )
}

fn home_assistant(base: &str, magic: &str, identifier: &str, id: &str) -> String {
    let name = slug(id);
    format!(
        "# secrets.yaml\n\
         remotetask_{name}_magic_key: \"{magic}\"\n\
         remotetask_{name}_task_key: \"{identifier}\"\n\
         \n\
         # configuration.yaml; then it is the action rest_command.remotetask_{name}\n\
         rest_command:\n\
         \x20 remotetask_{name}:\n\
         \x20   url: \"{base}/\"\n\
         \x20   method: post\n\
         \x20   headers:\n\
         \x20     X-Magic-Key: !secret remotetask_{name}_magic_key\n\
         \x20     X-Task-Key: !secret remotetask_{name}_task_key\n"
    )
}

fn ios(base: &str, magic: &str, identifier: &str, shown: &str) -> String {
    format!(
        "In the app Shortcuts: a new shortcut, {shown}.\nIts one action is Get Contents of URL:\n\
         \x20 URL      {base}/\n\
         \x20 Method   POST (tap the arrow to see it)\n\
         \x20 Headers  X-Magic-Key   {magic}\n\
         \x20          X-Task-Key    {identifier}\n"
    )
}

/// A name that a file, and Home Assistant, takes.
fn slug(id: &str) -> String {
    let name: String =
        id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    format!("task_{name}")
}
