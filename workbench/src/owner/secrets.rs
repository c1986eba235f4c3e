//! New keys, and keys.json: the plain keys behind the digests of config.json, so that their URLs can be
//! shown again. It is root's alone (0600); the web programs never open it.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use serde::{Deserialize, Serialize};

use crate::owner::edit::{replace, FileAttrs};
use crate::owner::fault::Fault;
use remotetask::files::Regular;
use remotetask::key::Digest;
use remotetask::trust::is_own;

/// Characters of a new key: they survive any server's decoding, and no two are taken for each other
/// when they are read aloud or typed. 32 of them, 5 bits each.
pub const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// 26 characters are 130 bits.
const LENGTH: usize = 26;
/// keys.json may be this large, in bytes.
const MOST: usize = 4 << 20;

/// A new key from the system's random source.
///
/// `/dev/urandom`: getrandom(2) is missing before Linux 3.17, and an owner's shell comes long after boot.
pub fn new_key() -> Result<String, Fault> {
    let mut random = [0; LENGTH];
    let source = Path::new("/dev/urandom");
    let read = std::fs::File::open(source).and_then(|mut file| file.read_exact(&mut random));
    read.map_err(|e| Fault::of(source, &e))?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect())
}

/// keys.json.
pub struct Secrets {
    path: PathBuf,
    content: Content,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    /// The address of this NAS from outside, such as `https://nas.example.org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// By digest, as config.json writes it.
    #[serde(default)]
    keys: BTreeMap<String, Secret>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Secret {
    key: String,
    made: DateTime<Local>,
}

impl Secrets {
    /// Reads `folder`'s keys.json; where there is none nothing is kept yet.
    pub fn read(folder: &Path) -> Result<Secrets, Fault> {
        let path = folder.join("keys.json");
        let content = match Regular::open(&path) {
            Ok(file) if !is_own(&file, folder) => {
                return Err(Fault(format!(
                    "{}: others can change it (it belongs to uid {}, mode {:04o}), and all keys stand in it, so it is not \
                     read. Whoever could may have put an address of theirs in the place of yours: look into it, close it as \
                     remotetask check shows, and take new keys",
                    path.display(),
                    file.uid,
                    file.mode & 0o7777
                )))
            }
            file => file.and_then(|file| file.read(MOST)),
        };
        let content = match content {
            Ok(content) => serde_json::from_slice(&content).map_err(|e| {
                // Its place alone: the words of the error may hold a key.
                Fault(format!(
                    "{}:{}:{}: this is not as remotetask wrote it. Mend it, or move it away: the URLs of sealed \
                     keys cannot be shown then, but they go on working",
                    path.display(),
                    e.line(),
                    e.column()
                ))
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Content::default(),
            Err(e) => return Err(Fault::of(&path, &e)),
        };
        Ok(Secrets { path, content })
    }

    /// The address of this NAS, if the owner has given one.
    pub fn url(&self) -> Option<&str> {
        self.content.url.as_deref()
    }

    /// Remembers where this NAS is reached.
    pub fn set_url(&mut self, url: String) {
        self.content.url = Some(url);
    }

    /// Remembers a plain key, made now if it is not known yet.
    pub fn keep(&mut self, key: &str) {
        let digest = Digest::of(key.as_bytes()).sealed();
        let secret = || Secret { key: key.to_owned(), made: Local::now() };
        self.content.keys.entry(digest).or_insert_with(secret);
    }

    /// The plain key behind this digest, if it is kept here.
    pub fn plain(&self, digest: &Digest) -> Option<&str> {
        self.content.keys.get(&digest.sealed()).map(|secret| &*secret.key)
    }

    /// All plain keys.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        self.content.keys.values().map(|secret| &*secret.key)
    }

    /// When the key behind this digest was made, or first sealed.
    pub fn made(&self, digest: &Digest) -> Option<DateTime<Local>> {
        self.content.keys.get(&digest.sealed()).map(|secret| secret.made)
    }

    /// Forgets what is none of these.
    pub fn retain(&mut self, digests: &[Digest]) {
        let known: Vec<String> = digests.iter().map(Digest::sealed).collect();
        self.content.keys.retain(|digest, _| known.contains(digest));
    }

    /// Writes it, as a whole or not at all.
    pub fn write(&self) -> Result<(), Fault> {
        let mut text = serde_json::to_string_pretty(&self.content).map_err(|e| Fault(e.to_string()))?;
        text.push('\n');
        let like = FileAttrs { mode: 0o600, ..FileAttrs::folder_of(&self.path)? };
        replace(&self.path, text.as_bytes(), like)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owner::strength::weakness;
    use remotetask::key::well_formed;

    #[test]
    fn a_new_key_is_one_of_very_many() {
        let keys: Vec<String> = (0..500).map(|_| new_key().expect("a key")).collect();
        for key in &keys {
            assert!(well_formed(key.as_bytes()).is_ok() && weakness(key).is_none(), "{key}");
            assert!(key.len() == 26 && key.bytes().all(|b| ALPHABET.contains(&b)), "{key}");
        }
        let mut different = keys.clone();
        different.sort_unstable();
        different.dedup();
        assert_eq!(different.len(), keys.len());
        // All of the alphabet, in each place.
        for place in 0..LENGTH {
            let mut seen: Vec<u8> = keys.iter().map(|key| key.as_bytes()[place]).collect();
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), ALPHABET.len(), "place {place}");
        }
    }
}
