//! The last use of each magic key: a file a key, whose time it is.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::private;
use crate::key;

/// Notes that the magic key of this digest starts something now. Only the owner's list of keys is the
/// poorer where that fails.
pub fn note_use(state: &Path, magic_key: &key::Digest) {
    let path = use_of(state, magic_key);
    let folder = path.parent().unwrap_or(state);
    let _ = fs::DirBuilder::new().mode(0o700).recursive(true).create(folder);
    let _ = private(&path).and_then(|file| file.set_modified(SystemTime::now()));
}

/// When the magic key of this digest last started something.
pub fn last_use(state: &Path, magic_key: &key::Digest) -> Option<SystemTime> {
    fs::metadata(use_of(state, magic_key)).and_then(|file| file.modified()).ok()
}

/// Forgets that, for a key that has gone.
pub fn forget_use(state: &Path, magic_key: &key::Digest) {
    let _ = fs::remove_file(use_of(state, magic_key));
}

fn use_of(state: &Path, magic_key: &key::Digest) -> PathBuf {
    state.join("used").join(magic_key.fingerprint())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::Duration;

    #[test]
    fn the_last_use_of_a_key() {
        let state = tempfile::tempdir().expect("a folder");
        let [used, other] = [b"key-of-me", b"key-of-an"].map(|key| key::Digest::of(key));
        assert_eq!(last_use(state.path(), &used), None);
        let before = SystemTime::now() - Duration::from_secs(3600);
        note_use(state.path(), &used);
        let file = File::options().write(true).open(use_of(state.path(), &used)).expect("the file");
        file.set_modified(before).expect("an hour ago");
        note_use(state.path(), &used);
        assert!(last_use(state.path(), &used).is_some_and(|last| last > before + Duration::from_secs(3000)));
        assert_eq!(last_use(state.path(), &other), None);
        forget_use(state.path(), &used);
        forget_use(state.path(), &other);
        assert_eq!(last_use(state.path(), &used), None);
        // A folder that cannot be made is nobody's trouble.
        note_use(Path::new("/dev/null"), &used);
    }
}
