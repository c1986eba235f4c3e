//! The scheduler's store: a file for each task, `key=value` lines, the script in base64.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use rustix::fs::fstat;
use rustix::process::geteuid;

use super::Script;
use crate::files::Regular;
use crate::outcome::Outcome;
use crate::step::Step;
use crate::text::{cut, Quoted};

/// A task's file may be this large, in bytes.
const RECORD_MAX: usize = 1 << 20;

/// Step 7d: the script of the task `number`, out of a file that can be believed.
pub fn find(store: &Path, number: u32) -> Result<Script, Outcome> {
    let path = place(store, number);
    let script = content(store, &path).and_then(|content| parse(&content, number));
    script.map_err(|why| Outcome::not_started(Step::Store, format!("{}: {why}", path.display())))
}

/// Returns true where DSM lets the task `number` run once at a time, as its file says: a second start does nothing there.
pub fn runs_once(store: &Path, number: u32) -> bool {
    let content = content(store, &place(store, number)).unwrap_or_default();
    content.split(|&b| b == b'\n').any(|line| line.trim_ascii() == b"can run task same time=0")
}

fn place(store: &Path, number: u32) -> PathBuf {
    store.join("root").join(format!("{number}.task"))
}

/// The numbers that have a file, whoever's tasks they are; none where the store cannot be read.
pub fn numbers(store: &Path) -> HashSet<u32> {
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = entries(store.to_owned()).flat_map(entries);
    files.filter_map(|path| path.file_name()?.to_str()?.strip_suffix(".task")?.parse().ok()).collect()
}

/// A task's file, if it can be believed.
fn content(store: &Path, path: &Path) -> Result<Vec<u8>, String> {
    let text = |e: io::Error| e.to_string();
    let user = geteuid().as_raw();
    let is_link = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_symlink());
    let path = if is_link { led_to(store, path, user)? } else { path.to_owned() };
    let file = Regular::open(&path).map_err(text)?;
    let stat = fstat(&file.file).map_err(|e| text(e.into()))?;
    if stat.st_uid != user {
        return Err(format!("it belongs to uid {}, not to uid {user}", stat.st_uid));
    }
    // DSM's own are often 0660 root:administrators, and those become root as they like.
    if stat.st_mode & 0o002 != 0 {
        let mode = stat.st_mode & 0o7777;
        return Err(format!("others can write it (mode {mode:04o}); take that away: chmod o-w"));
    }
    file.read(RECORD_MAX).map_err(text)
}

/// The place that a link in the store leads to: a file in the store, by folders of the user's that nobody else can change.
/// Some of DSM's own are such links.
fn led_to(store: &Path, link: &Path, user: u32) -> Result<PathBuf, String> {
    let lost = |e: io::Error| format!("it is a link: {e}");
    let owner = fs::symlink_metadata(link).map_err(lost)?.uid();
    if owner != user {
        return Err(format!("it is a link of uid {owner}'s, and is not followed"));
    }
    let target = fs::read_link(link).map_err(lost)?;
    let store = fs::canonicalize(store).map_err(lost)?;
    let folder = fs::canonicalize(link.parent().unwrap_or(&store)).map_err(lost)?;
    let real = fs::canonicalize(folder.join(&target)).map_err(lost)?;
    // By the names alone it must be the same place: a further link may lead elsewhere tomorrow.
    if !real.starts_with(&store) || plain(&folder.join(&target)) != real {
        let target = target.display();
        return Err(format!(
            "it is a link to {target}, out of DSM's store or by another link; put the file itself there"
        ));
    }
    let way = real.ancestors().skip(1).take_while(|folder| folder.starts_with(&store)).chain([&*folder]);
    for folder in way {
        let meta = fs::symlink_metadata(folder).map_err(lost)?;
        if meta.uid() != user || meta.mode() & 0o002 != 0 {
            return Err(format!("it is a link, and others can change {} on its way", folder.display()));
        }
    }
    Ok(real)
}

/// A path without `.` and `..`, by its names alone.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// Reads the file of the task `number`; the error says what is wrong with it.
pub fn parse(content: &[u8], number: u32) -> Result<Script, String> {
    let one = |name: &str| {
        let value = |line| <[u8]>::strip_prefix(line, name.as_bytes())?.strip_prefix(b"=");
        let mut values = content.split(|&b| b == b'\n').filter_map(value);
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            (None, _) => Err(format!("it has no line {name}=")),
            (Some(_), Some(_)) => Err(format!("it has two lines {name}=")),
        }
    };
    // A file that was cut short would be a script that was.
    let last = content.rsplit(|&b| b == b'\n').next().unwrap_or_default();
    if last.starts_with(b"cmd=") {
        return Err("it breaks off in its line cmd=".into());
    }
    let fault =
        |name: &str, value: &[u8], why: &dyn Display| format!("its line {name}= is {}, {why}", Quoted(cut(value)));
    let id = one("id")?;
    if id != number.to_string().as_bytes() {
        return Err(fault("id", id, &format_args!("not {number}")));
    }
    let owner = one("owner")?;
    let uid = uid(owner).ok_or_else(|| fault("owner", owner, &"no user's number"))?;
    let bytes = STANDARD.decode(one("cmd")?).map_err(|e| format!("its line cmd= is no base64: {e}"))?;
    match bytes.is_empty() {
        true => Err("its line cmd= is empty: the task has no script".into()),
        false => Ok(Script { number, owner: uid, bytes }),
    }
}

/// Digits alone; the largest number means "no user" to the system, and once meant root to sudo
/// (CVE-2019-14287).
fn uid(text: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?;
    text.parse().ok().filter(|&uid| uid != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_says() {
        let ok = |owner, bytes: &[u8]| Ok(Script { number: 7, owner, bytes: bytes.to_vec() });
        let no = |why: &str| Err(why.to_owned());
        for (content, expected) in [
            (&b"id=7\nname=x\nstate=disabled\nowner=0\ncmd=ZWNobw==\n"[..], ok(0, b"echo")),
            (b"cmd=AAr/\nowner=1026\nid=7", ok(1026, b"\0\n\xff")),
            (b"id=7\nname=\xff\nowner=0\ncmd=ZWNobw==\n", ok(0, b"echo")),
            (b"id=7\nids=8\nowner=4294967294\ncmd=ZWNobw==\n", ok(4_294_967_294, b"echo")),
            (b"", no("it has no line id=")),
            (b"id=9\nowner=0\ncmd=ZWNobw==\n", no("its line id= is \"9\", not 7")),
            (b"id=07\nowner=0\ncmd=ZWNobw==\n", no("its line id= is \"07\", not 7")),
            (b"id=7\r\nowner=0\r\ncmd=ZWNobw==\r\n", no("its line id= is \"7\\r\", not 7")),
            (b"id=7\nid=7\nowner=0\ncmd=ZWNobw==\n", no("it has two lines id=")),
            (b"id=7\ncmd=ZWNobw==\n", no("it has no line owner=")),
            (b"id=7\nowner=0\nowner=0\ncmd=ZWNobw==\n", no("it has two lines owner=")),
            (b"id=7\nowner=\ncmd=ZWNobw==\n", no("its line owner= is \"\", no user's number")),
            (b"id=7\nowner=root\ncmd=ZWNobw==\n", no("its line owner= is \"root\", no user's number")),
            (b"id=7\nowner=-1\ncmd=ZWNobw==\n", no("its line owner= is \"-1\", no user's number")),
            (b"id=7\nowner=+0\ncmd=ZWNobw==\n", no("its line owner= is \"+0\", no user's number")),
            (b"id=7\nowner=4294967295\ncmd=ZWNobw==\n", no("its line owner= is \"4294967295\", no user's number")),
            (b"id=7\nowner=4294967296\ncmd=ZWNobw==\n", no("its line owner= is \"4294967296\", no user's number")),
            (b"id=7\nowner=0\n", no("it has no line cmd=")),
            (b"id=7\nowner=0\ncmd=ZWNobw==\ncmd=ZWNobw==\n", no("it has two lines cmd=")),
            (b"id=7\nowner=0\ncmd=ZWNobw==", no("it breaks off in its line cmd=")),
            (b"id=7\nowner=0\ncmd=\n", no("its line cmd= is empty: the task has no script")),
            (b"id=7\nowner=0\ncmd=ZWNobw\n", no("its line cmd= is no base64: Invalid padding")),
            (b"id=7\nowner=0\ncmd=ZW No\n", no("its line cmd= is no base64: Invalid symbol 32, offset 2.")),
            (b"id=7\nowner=0\ncmd=ZWNob\n", no("its line cmd= is no base64: Invalid input length: 5")),
        ] {
            assert_eq!(parse(content, 7), expected, "{}", content.escape_ascii());
        }
    }
}
