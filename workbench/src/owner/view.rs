//! config.json and keys.json together: who may start what, and by which URL.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::owner::edit;
use crate::owner::edit::config_of;
use crate::owner::fault::Fault;
use crate::owner::names::who;
use crate::owner::secrets::Secrets;
use crate::owner::strength::{weakness, Weakness};
use remotetask::config::{Config, MagicKey, Task};
use remotetask::key::Digest;

/// Both files, read. The configuration is valid.
pub struct View {
    path: PathBuf,
    /// config.json, as it stands there.
    pub content: Vec<u8>,
    /// keys.json.
    pub secrets: Secrets,
    plain: HashMap<Digest, String>,
    /// True if a probe, or the owner, has chosen how scheduled tasks are started.
    pub scheduler_chosen: bool,
}

impl View {
    /// Reads both.
    pub fn read(folder: &Path) -> Result<View, Fault> {
        let path = folder.join("config.json");
        let content = config_of(folder)?.ok_or_else(|| {
            Fault(format!(
                "{}: there is no configuration yet. remotetask tasks shows what can be made reachable, and \
                 remotetask tasks add makes the first URL",
                path.display()
            ))
        })?;
        edit::valid(&path, &content)?;
        let secrets = Secrets::read(folder)?;
        let value: Value = serde_json::from_slice(&content).map_err(|e| Fault(e.to_string()))?;
        let scheduler_chosen = value.get("server").unwrap_or(&value).get("scheduler").is_some();
        let plain = plain_keys(value).into_iter().map(|key| (Digest::of(key.as_bytes()), key)).collect();
        Ok(View { path, content, secrets, plain, scheduler_chosen })
    }

    /// The configuration.
    pub fn config(&self) -> Result<Config<'_>, Fault> {
        edit::valid(&self.path, &self.content)
    }

    /// The key behind this digest, where config.json or keys.json has it.
    pub fn plain(&self, digest: &Digest) -> Option<&str> {
        self.plain.get(digest).map(String::as_str).or_else(|| self.secrets.plain(digest))
    }

    /// The address of this NAS: as the owner has said, or else the own-port installation's.
    pub fn base(&self, config: &Config<'_>) -> String {
        match self.secrets.url() {
            Some(url) => url.to_owned(),
            None => format!("http://{}", std::net::SocketAddr::new(config.server.listen, config.server.port)),
        }
    }

    /// The two keys with which this person starts this task, where both are known.
    pub fn keys(&self, magic_key: &MagicKey<'_>, task: &Task<'_>) -> Option<(&str, &str)> {
        // The first identifier is the newest one: tasks rotate puts it there.
        let identifier = task.identifiers.iter().find_map(|key| self.plain(&key.digest))?;
        Some((self.plain(&magic_key.key.digest)?, identifier))
    }
}

/// The keys of a valid configuration that stand there in plain text.
pub fn plain_keys(mut value: Value) -> Vec<String> {
    let mut found = Vec::new();
    each_key(&mut value, &mut |_, key| {
        if !key.starts_with("sha256:") {
            found.push(key.clone());
        }
    });
    found
}

/// The key of a valid configuration that stands in a published example, in words: such a key is everybody's.
pub fn published_key(content: &[u8]) -> Option<String> {
    let mut value: Value = serde_json::from_slice(content).ok()?;
    let server = value.get("server").unwrap_or(&value);
    let label = |at: usize| server["magickey"].get(at).and_then(|entry| entry["label"].as_str()).map(str::to_owned);
    let labels: Vec<Option<String>> = (0..server["magickey"].as_array().map_or(0, Vec::len)).map(label).collect();
    let mut whose = None;
    each_key(&mut value, &mut |of, key| {
        if whose.is_none() && weakness(key) == Some(Weakness::Published) {
            whose = Some(match of {
                KeyOf::MagicKey(at) => {
                    format!("the magic key {}", who(at, labels.get(at).and_then(Option::as_deref)))
                }
                KeyOf::Panel => "the panel's key".into(),
                KeyOf::Task(id) => format!("the key of task {id}"),
            });
        }
    });
    whose
}

/// The sentence for such a key.
pub fn is_published(whose: &str) -> String {
    format!("{whose} stands in a published example: take one that nobody knows, then run this again")
}

/// The use of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOf {
    /// A magic key: the entry's number, from 0.
    MagicKey(usize),
    /// The panel's key.
    Panel,
    /// A task's key: the task's id.
    Task(String),
}

/// Visits each key of a valid configuration: magic keys, the panel's, the tasks'.
pub fn each_key(value: &mut Value, visit: &mut dyn FnMut(KeyOf, &mut String)) {
    let server = if value.get("server").is_some() { &mut value["server"] } else { &mut *value };
    for (number, entry) in several(&mut server["magickey"]).iter_mut().enumerate() {
        let key = if entry.is_object() { &mut entry["key"] } else { entry };
        if let Value::String(key) = key {
            visit(KeyOf::MagicKey(number), key);
        }
    }
    if let Some(Value::String(key)) = server.get_mut("panel") {
        visit(KeyOf::Panel, key);
    }
    let Some(tasks) = value["tasks"].as_object_mut() else { return };
    for (id, task) in tasks {
        for key in several(&mut task["identifier"]) {
            if let Value::String(key) = key {
                visit(KeyOf::Task(id.clone()), key);
            }
        }
    }
}

/// The elements of a list, or the one thing that stands there without brackets.
fn several(value: &mut Value) -> &mut [Value] {
    match value {
        Value::Array(list) => list,
        one => std::slice::from_mut(one),
    }
}
