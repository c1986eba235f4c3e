//! config.json, changed as a whole or not at all.
//!
//! The order and the names of a file stay, its layout becomes ours. A file that is refused is not
//! touched; a change that would be refused is not made; a file that somebody else has changed meanwhile
//! is left to them. There is no backup: it would hold plain keys.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{fchown, Gid, Uid};
use rustix::process::geteuid;
use serde_json::{json, Map, Value};

use super::fault::{plainly, Fault};
use super::layout::layout;
use super::workbench::INSTALLED;
use remotetask::accounts::Accounts;
use remotetask::config::{self, Config, LISTEN};
use remotetask::files::{lock_within, open_lock, Regular, CONFIG_MAX};
use remotetask::key::Digest;
use remotetask::outcome::Outcome;
use remotetask::trust;

/// The time for which somebody else's change is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// config.json on its way from what it was to what it will be.
pub struct Edit {
    path: PathBuf,
    /// The content before; `None` where there was no file.
    before: Option<Vec<u8>>,
    like: FileAttrs,
    value: Value,
    held: ConfigLock,
}

/// The right to change config.json and keys.json, as long as it lives.
pub struct ConfigLock {
    _lock: File,
}

impl Edit {
    /// Opens the valid configuration in `folder` for a change. One changes it at a time.
    pub fn begin(folder: &Path) -> Result<Edit, Fault> {
        let held = lock_config(folder)?;
        let path = folder.join("config.json");
        let content = config_of(folder)?.ok_or_else(|| {
            Fault(format!("{}: there is no configuration yet; remotetask tasks add makes one", path.display()))
        })?;
        let like = FileAttrs::of(&path)?;
        valid(&path, &content)?;
        let value = serde_json::from_slice(&content).map_err(|e| Fault(format!("{}: {e}", path.display())))?;
        Ok(Edit { path, before: Some(content), like, value, held })
    }

    /// The same; where there is no file, one with this magic key and no task is begun.
    pub fn begin_or_new(folder: &Path, magic_key: impl FnOnce() -> Result<Value, Fault>) -> Result<Edit, Fault> {
        let path = folder.join("config.json");
        if path.symlink_metadata().is_ok() {
            return Edit::begin(folder);
        }
        let held = lock_config(folder)?;
        let mut server = Map::from_iter([("magickey".to_owned(), json!([magic_key()?]))]);
        let like = FileAttrs { mode: 0o640, ..FileAttrs::folder_of(&path)? }.with_web_server();
        if like.uid != 0 || folder != Path::new(INSTALLED) {
            server.insert("elevate".into(), json!([])); // an installation without root starts things as it is
        }
        let value = json!({ "server": server, "tasks": {} });
        Ok(Edit { path, before: None, like, value, held })
    }

    /// The whole file.
    pub fn value(&mut self) -> &mut Value {
        &mut self.value
    }

    /// Returns true if there was no file before.
    pub fn is_new(&self) -> bool {
        self.before.is_none()
    }

    /// The server's fields, nested or not.
    pub fn server(&mut self) -> &mut Map<String, Value> {
        let nested = self.value.get("server").is_some();
        let server = if nested { &mut self.value["server"] } else { &mut self.value };
        object(server)
    }

    /// The tasks.
    pub fn tasks(&mut self) -> &mut Map<String, Value> {
        object(&mut self.value["tasks"])
    }

    /// The magic keys as a list.
    pub fn magic_keys(&mut self) -> &mut Vec<Value> {
        list(&mut self.server()["magickey"])
    }

    /// The content before, byte for byte.
    pub fn before(&self) -> Option<&[u8]> {
        self.before.as_deref()
    }

    /// The content that the file would get.
    pub fn text(&self) -> String {
        layout(&self.value)
    }

    /// Judges the change as [`Edit::commit`] does, and makes none.
    pub fn try_out(self) -> Result<(), Fault> {
        would_be_valid(&self.text())
    }

    /// Makes the change. What goes with it (keys.json) is done before the result is dropped.
    pub fn commit(self) -> Result<ConfigLock, Fault> {
        let text = self.text();
        self.commit_as(text)
    }

    /// Makes the file this text, in the owner's own layout.
    pub fn commit_as(self, text: String) -> Result<ConfigLock, Fault> {
        would_be_valid(&text)?;
        remotetask::drill("before a change is written");
        let now = match Regular::open(&self.path).and_then(|file| file.read(CONFIG_MAX)) {
            Ok(content) => Some(content),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(Fault::of(&self.path, &e)),
        };
        if now != self.before {
            return Err(Fault(format!(
                "{} was changed by somebody else meanwhile, an editor perhaps; it stays as it is now: type the same again",
                self.path.display()
            )));
        }
        replace(&self.path, text.as_bytes(), self.like)?;
        Ok(self.held)
    }
}

/// Refuses a text that would be refused in the place of config.json.
fn would_be_valid(text: &str) -> Result<(), Fault> {
    if text.len() > CONFIG_MAX {
        return Err(Fault(format!(
            "config.json stays as it is, for it would be refused: it would have {} bytes, and {CONFIG_MAX} are read at most. \
             Shorten names and labels, or remove what nobody uses",
            text.len()
        )));
    }
    match config::read(text.as_bytes()) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Fault(format!("config.json stays as it is, for it would be refused: {}", refusal.message))),
    }
}

/// The configuration that this content is, or the place and fix of its first fault.
pub fn valid<'t>(path: &Path, content: &'t [u8]) -> Result<Config<'t>, Fault> {
    config::read(content).map_err(|refusal| {
        let (line, column, message) = (refusal.line, refusal.column, refusal.message);
        Fault(format!(
            "{}, line {line}, column {column}: {message}. Nothing can be started until this is mended",
            path.display()
        ))
    })
}

/// config.json of an installation, by the judgement of the root half: what others could have written is
/// not believed, for it names programs that root starts. `None` where there is none.
pub fn config_of(folder: &Path) -> Result<Option<Vec<u8>>, Fault> {
    let path = folder.join("config.json");
    if path.symlink_metadata().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let owner = std::fs::metadata(folder).map_err(|e| Fault::of(folder, &e))?.uid();
    let content = trust::at(folder, owner).and_then(|home| home.config());
    content.map(Some).map_err(|outcome| match outcome {
        Outcome::NotStarted { reason, .. } => Fault(format!(
            "{}. Until that is mended nothing that config.json names is started; remotetask check tells how",
            reason.split(" (os error").next().unwrap_or_default()
        )),
        _ => Fault::new("config.json cannot be judged"),
    })
}

/// The address that config.json in this folder wants Apache to listen on; without a file the default.
pub fn listen_address(folder: &Path) -> Result<SocketAddr, Fault> {
    let path = folder.join("config.json");
    let Some(content) = config_of(folder)? else { return Ok(LISTEN.into()) };
    let server = valid(&path, &content)?.server;
    Ok(SocketAddr::new(server.listen, server.port))
}

/// All digests of a configuration: of its magic keys, its panel and its identifiers.
pub fn digests(config: &Config<'_>) -> Vec<Digest> {
    let magic = config.server.magic_keys.iter().map(|entry| entry.key.digest);
    let panel = config.server.panel.iter().map(|key| key.digest);
    magic
        .chain(panel)
        .chain(config.tasks.iter().flat_map(|task| task.identifiers.iter().map(|key| key.digest)))
        .collect()
}

/// `value` as a list: one thing without brackets becomes the only one of a list.
pub fn list(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = Value::Array(vec![value.take()]);
    }
    match value {
        Value::Array(list) => list,
        _ => unreachable!("made one above"),
    }
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made one above"),
    }
}

/// Waits for whoever changes something now. The lock is in state/, which is closed to the web server's
/// user: whoever can open a file can hold its lock.
pub fn lock_config(folder: &Path) -> Result<ConfigLock, Fault> {
    let state = folder.join("state");
    match fs::DirBuilder::new().mode(0o700).create(&state).and_then(|()| File::open(&state)) {
        Ok(made) => FileAttrs::folder_of(&state)?.apply_to(&made, &state)?,
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(Fault::of(&state, &e)),
    }
    let path = state.join("workbench");
    let fault = |e: std::io::Error| Fault::of(&path, &e);
    let file = open_lock(&path).map_err(fault)?;
    match lock_within(&file, PATIENCE).map_err(fault)? {
        true => Ok(ConfigLock { _lock: file }),
        false => Err(Fault::new("another remotetask is changing the configuration; try again when it has ended")),
    }
}

/// A file's owner, group and permissions.
#[derive(Clone, Copy)]
pub struct FileAttrs {
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permissions.
    pub mode: u32,
}

impl FileAttrs {
    /// As this file is.
    fn of(path: &Path) -> Result<FileAttrs, Fault> {
        let meta = fs::symlink_metadata(path).map_err(|e| Fault::of(path, &e))?;
        Ok(FileAttrs { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 })
    }

    /// As the folder that `path` lies in.
    pub fn folder_of(path: &Path) -> Result<FileAttrs, Fault> {
        let folder = path.parent().unwrap_or(path);
        let meta = fs::metadata(folder).map_err(|e| Fault::of(folder, &e))?;
        Ok(FileAttrs { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 })
    }

    /// With the web server's group, where root writes it for one.
    fn with_web_server(self) -> FileAttrs {
        let http = Accounts::read().http_group();
        FileAttrs { gid: http.filter(|_| self.uid == 0).unwrap_or(self.gid), ..self }
    }

    fn apply_to(self, file: &File, path: &Path) -> Result<(), Fault> {
        // Nobody but root can give anything away, and nobody else has to.
        if geteuid().is_root() {
            let owner = (Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)));
            fchown(file, owner.0, owner.1).map_err(|e| Fault::of(path, &e.into()))?;
        }
        Ok(())
    }
}

/// Puts `content` in the place of `path`, durably, as a whole or not at all.
pub fn replace(path: &Path, content: &[u8], like: FileAttrs) -> Result<(), Fault> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!("{name}.new"));
    let fault = |e: std::io::Error| {
        let _ = fs::remove_file(&new);
        Fault(format!("{} stays as it is: {}", path.display(), plainly(&e)))
    };
    // The leftover of a killed one. Nobody else writes here: the folder is the owner's, and one changes at a time.
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new).map_err(fault)?;
    file.write_all(content).map_err(fault)?;
    like.apply_to(&file, &new).inspect_err(|_| drop(fs::remove_file(&new)))?;
    file.set_permissions(fs::Permissions::from_mode(like.mode)).map_err(fault)?;
    file.sync_all().map_err(fault)?;
    remotetask::drill("before a new file takes its place");
    fs::rename(&new, path).map_err(fault)?;
    // Done, whether or not the disk says when.
    if let Some(folder) = path.parent() {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"tasks":{"b":{"command":["/bin/true","ä \" \u0001"],"identifier":"key-of-b1"},
        "7":{"identifier":["key-of-71","key-of-72"]}},"port":10765,"debug":false,"magickey":"key-of-me"}"#;

    fn folder(content: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("config.json"), content).expect("written");
        folder
    }

    fn read(folder: &tempfile::TempDir) -> String {
        fs::read_to_string(folder.path().join("config.json")).expect("config.json")
    }

    #[test]
    fn order_names_owner_and_mode_stay() {
        let folder = folder(FILE);
        let path = folder.path().join("config.json");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).expect("chmod");
        let mut edit = Edit::begin(folder.path()).expect("begun");
        edit.magic_keys().push(json!({ "label": "Änne", "key": "key-of-aenne", "tasks": ["7"] }));
        edit.commit().expect("written");
        let expected = r#"{
  "tasks": {
    "b": { "command": ["/bin/true", "ä \" \u0001"], "identifier": "key-of-b1" },
    "7": { "identifier": ["key-of-71", "key-of-72"] }
  },
  "port": 10765,
  "debug": false,
  "magickey": [
    "key-of-me",
    { "label": "Änne", "key": "key-of-aenne", "tasks": ["7"] }
  ]
}
"#;
        assert_eq!(read(&folder), expected);
        assert_eq!(fs::metadata(&path).expect("config.json").permissions().mode() & 0o7777, 0o604);
        // Once in this layout, it stays so.
        Edit::begin(folder.path()).expect("begun").commit().expect("written");
        assert_eq!(read(&folder), expected);
        let mut names: Vec<_> = fs::read_dir(folder.path()).expect("names").flatten().map(|e| e.file_name()).collect();
        names.sort();
        assert_eq!(names, ["config.json", "state"], "no backup");
    }

    #[test]
    fn a_refused_file_is_not_touched() {
        for content in ["{", "", "{\"magickey\": \"key-of-me\", \"tasks\": {}, \"x\": 1}"] {
            let folder = folder(content);
            let refused = Edit::begin(folder.path()).err().expect("refused").0;
            assert!(refused.contains("Nothing can be started until this is mended"), "{refused}");
            assert_eq!(read(&folder), content);
        }
    }

    #[test]
    fn a_change_that_would_be_refused_is_not_made() {
        let folder = folder(FILE);
        let mut edit = Edit::begin(folder.path()).expect("begun");
        edit.magic_keys().push(json!("key-of-me"));
        let refused = edit.commit().map(drop).expect_err("refused").0;
        assert!(
            refused.starts_with("config.json stays as it is, for it would be refused: magickey[1]: the same"),
            "{refused}"
        );
        assert_eq!(read(&folder), FILE);
    }

    /// Nobody would read it, not even to make it smaller again.
    #[test]
    fn a_file_that_nobody_would_read_is_not_written() {
        let named = |length: usize| {
            let folder = folder(FILE);
            let mut edit = Edit::begin(folder.path()).expect("begun");
            edit.tasks()["7"]["name"] = "x".repeat(length).into();
            (edit.text().len(), edit.commit().map(drop), folder)
        };
        let most = CONFIG_MAX - named(1000).0 + 1000; // the layout of a long line
        let (length, written, folder) = named(most);
        assert_eq!((length, written.map_err(|fault| fault.0)), (CONFIG_MAX, Ok(())));
        assert!(Edit::begin(folder.path()).is_ok());
        let (_, refused, folder) = named(most + 1);
        let refused = refused.expect_err("refused").0;
        assert!(refused.contains("it would have 1048577 bytes, and 1048576 are read at most. Shorten"), "{refused}");
        assert_eq!(read(&folder), FILE);
    }

    #[test]
    fn what_somebody_else_wrote_meanwhile_stays() {
        for other in [Some("{\"changed\": true}"), None] {
            let folder = folder(FILE);
            let edit = Edit::begin(folder.path()).expect("begun");
            let path = folder.path().join("config.json");
            match other {
                Some(other) => fs::write(&path, other).expect("written"),
                None => fs::remove_file(&path).expect("removed"),
            }
            let refused = edit.commit().map(drop).expect_err("refused").0;
            assert!(refused.ends_with("it stays as it is now: type the same again"), "{refused}");
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), other);
        }
    }

    #[test]
    fn one_at_a_time() {
        let folder = folder(FILE);
        let _first = Edit::begin(folder.path()).expect("begun");
        let second = Edit::begin(folder.path()).err().expect("refused");
        assert_eq!(second.0, "another remotetask is changing the configuration; try again when it has ended");
    }
}
