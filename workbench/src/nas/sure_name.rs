//! Names that nobody else can make mean another file: a command of root's that is shown may go by such a name alone.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use remotetask::trust::flaw_above;

/// Links on the way that are followed at most, as the kernel does.
const LINKS: usize = 40;

/// Returns true if only root and this user can change where this whole path leads: the folders on its way, and the links.
pub fn is_sure(path: &Path, user: u32) -> bool {
    let mut at = PathBuf::from("/");
    let mut rest: Vec<OsString> = parts(path);
    let mut links = 0;
    while let Some(name) = rest.pop() {
        let Ok(folder) = fs::metadata(&at) else { return false };
        let next = at.join(&name);
        let entry = fs::symlink_metadata(&next);
        let is_ours = |uid| uid == 0 || uid == user;
        // In a sticky folder nobody else can rename what is not theirs.
        let held = folder.mode() & 0o022 == 0 || entry.as_ref().is_ok_and(|entry| is_ours(entry.uid()));
        if flaw_above(folder.uid(), folder.mode(), user).is_some() || !held {
            return false;
        }
        match entry {
            Ok(entry) if entry.is_symlink() => {
                let Ok(target) = fs::read_link(&next) else { return false };
                links += 1;
                if links > LINKS {
                    return false;
                }
                if target.is_absolute() {
                    at = PathBuf::from("/");
                }
                rest.extend(parts(&target));
            }
            _ if name == ".." => drop(at.pop()),
            _ => at = next,
        }
    }
    true
}

/// The names of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let named = path.components().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    named.map(|part| part.as_os_str().to_owned()).rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{symlink, PermissionsExt};

    #[test]
    fn names_that_others_can_change() {
        let folder = tempfile::tempdir().expect("a folder");
        let user = fs::metadata(folder.path()).expect("it").uid();
        let at = |name: &str| folder.path().join(name);
        for name in ["own", "open", "sticky"] {
            fs::create_dir(at(name)).expect("a folder");
            fs::write(at(name).join("x"), "").expect("a file");
        }
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777)).expect("chmod");
        fs::set_permissions(at("sticky"), fs::Permissions::from_mode(0o1777)).expect("chmod");
        for (link, target) in [
            ("to-own", at("own/x")),
            ("to-open", at("open/x")),
            ("by-open", at("open/link")),
            ("open/link", at("own/x")),
            ("up", "own/../own/x".into()),
            ("circle", at("circle")),
        ] {
            symlink(target, at(link)).expect("a link");
        }
        for (name, sure) in [
            ("own/x", true),
            ("own/none", true),
            ("open", true), // itself; not what lies in it
            ("open/x", false),
            ("open/none", false),
            ("sticky/x", true),
            ("sticky/none", false),
            ("to-own", true),
            ("to-open", false),
            ("by-open", false), // ends in own, by a link that others can change
            ("up", true),
            ("own/../open/x", false),
            ("circle", false),
        ] {
            assert_eq!(is_sure(&at(name), user), sure, "{name}");
        }
        assert!(!is_sure(&at("own/x"), user + 1) || user == 0, "somebody else's folder");
    }
}
