//! Words that an owner has typed by mistake: a secret URL, or a key, where a name is meant. What is said about them is
//! kept by terminals, and by DSM for a task's result, so they are never repeated.

use std::path::Path;

use super::edit::{config_of, digests};
use super::fault::Fault;
use super::secrets::ALPHABET;
use remotetask::config;
use remotetask::key::{well_formed, Digest};

/// Options with an address, which is judged by itself.
const ADDRESSES: [&str; 2] = ["--at", "--url"];
/// Characters from which on a word of the alphabet of new keys is taken for one, whole or not.
const LIKE_A_KEY: usize = 24;
/// Characters from which on two parts of a path are taken for keys.
const LIKE_A_PART: usize = 12;

/// The fault of a secret among the words of a command line, if there is one. `folder` is the installation's, if it is known.
pub fn secret(words: &[String], folder: Option<&Path>) -> Option<Fault> {
    let content = folder.and_then(|folder| config_of(folder).ok().flatten()).unwrap_or_default();
    let known = config::read(&content).map(|config| digests(&config)).unwrap_or_default();
    let is_known = |part: &str| known.iter().any(|digest| digest.matches(&Digest::of(part.as_bytes())));
    let looked_at = judged(words);
    looked_at.iter().any(|word| looks_secret(word) || parts(word).any(is_known)).then(|| {
        Fault::new(
            "this looks like a secret URL, or a key: nothing was done. A task is meant by its name or number, a person by the \
             label. Other users of this machine can read what is typed here, and the shell keeps it in its history: if any of \
             them may not have that key, take a new one with remotetask key rotate or remotetask tasks rotate. remotetask try \
             asks for a URL and keeps it nowhere",
        )
    })
}

/// The words that name something: a command's own words, which `tasks add` is given, may be anything.
fn judged(words: &[String]) -> Vec<&str> {
    let mut judged = Vec::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--" => break,
            word if ADDRESSES.contains(&word) => drop(words.next()),
            word if ADDRESSES.iter().any(|option| word.starts_with(&format!("{option}="))) => {}
            word => judged.push(word),
        }
    }
    if let ["tasks", "add", rest @ ..] = &judged[..] {
        return rest.iter().take(1).copied().collect();
    }
    judged
}

fn parts(word: &str) -> impl Iterator<Item = &str> {
    word.split(['/', '?', '#']).filter(|part| well_formed(part.as_bytes()).is_ok())
}

fn looks_secret(word: &str) -> bool {
    let like_a_key = |part: &str| {
        part.len() >= LIKE_A_KEY
            && part.bytes().all(|b| ALPHABET.contains(&b))
            && part.bytes().filter(u8::is_ascii_digit).count() > 2
    };
    let path = word.starts_with('/') && !Path::new(word).exists();
    let long = |part: &&str| part.len() >= LIKE_A_PART && part.bytes().any(|b| b.is_ascii_digit());
    word.contains("://") || parts(word).any(like_a_key) || path && parts(word).filter(long).count() == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_among_the_words() {
        for (words, expected) in [
            (&["key", "revoke", "https://nas.example.org/76sdf7678fds687/hjhass665s"][..], true),
            (&["url", "nas.example.org/7kq3wz9pmx4tn8vbe2hyra6cdj/x"], true),
            (&["tasks", "remove", "7kq3wz9pmx4tn8vbe2hyra6cdj"], true),
            (&["url", "/76sdf7678fds687/hjhass665s12"], true),
            (&["https://nas.example.org/a/b"], true),
            (&["tasks", "add", "https://nas.example.org/a/b", "--", "/bin/true"], true),
            (&["url", "--at", "https://nas.example.org"], false),
            (&["check", "--url=https://nas.example.org"], false),
            (&["tasks", "add", "x", "--", "/usr/bin/curl", "https://nas.example.org/a/b"], false),
            (&["tasks", "add", "x", "/usr/bin/curl", "https://nas.example.org/a/b"], false),
            (&["check", "/usr/local/remotetask/config.json"], false),
            (&["key", "new", "--label", "Anna's phone 12", "--tasks", "backup-of-all-the-photos-2026"], false),
            (&["log", "019ac0b1c2d3"], false),
            (&[], false),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(secret(&words, None).is_some(), expected, "{words:?}");
        }
    }
}
