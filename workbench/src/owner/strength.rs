//! Can a key be guessed? Digests in a file that somebody has read can be tried as fast as a machine
//! computes them; a secret in a URL must hold against that.

use std::fmt;

/// Below this many guesses, as a power of ten, a key is weak: a graphics card tries ten thousand million
/// digests of SHA-256 a second, which is this many in about a month.
const GUESSES: f64 = 16.0;
/// Shorter ones are not looked at any closer.
const SHORT: usize = 16;
/// Different characters that a key should have at least.
const SYMBOLS: usize = 8;

/// Keys that stand, or stood, in somebody's documentation: ours and the original's.
pub const PUBLISHED: [&str; 10] = [
    "76sdf7678fds687",
    "hjhass665s",
    "kq83hs72lwpz",
    "hjhass665t",
    "a-long-secret-of-Annas",
    "another-long-secret",
    "a-secret-for-task-7",
    "a-secret-for-garage",
    "a-secret-for-the-panel",
    "12345678",
];

/// Why a key is weak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// It stands in a documentation.
    Published,
    /// It is short.
    Short,
    /// It has few different characters.
    FewSymbols,
    /// It consists of words, dates or patterns that guessing programs know.
    Words,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Weakness::Published => "it stands in a published example, where everybody can read it",
            Weakness::Short => "it has fewer than 16 characters",
            Weakness::FewSymbols => "it has fewer than 8 different characters",
            Weakness::Words => "it consists of words or patterns that guessing programs try first",
        })
    }
}

/// The weakness of this key, if it has one.
pub fn weakness(key: &str) -> Option<Weakness> {
    let mut symbols: Vec<char> = key.chars().collect();
    symbols.sort_unstable();
    symbols.dedup();
    match () {
        () if PUBLISHED.contains(&key) => Some(Weakness::Published),
        () if key.len() < SHORT => Some(Weakness::Short),
        () if symbols.len() < SYMBOLS => Some(Weakness::FewSymbols),
        () if zxcvbn::zxcvbn(key, &["synology", "diskstation", "remotetask", "magickey", "identifier"])
            .guesses_log10()
            < GUESSES =>
        {
            Some(Weakness::Words)
        }
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_weak() {
        for (key, expected) in [
            ("76sdf7678fds687", Some(Weakness::Published)),
            ("a-long-secret-of-Annas", Some(Weakness::Published)),
            ("Zq7vK2mXw9RtB4n", Some(Weakness::Short)),
            ("ababababababababababab", Some(Weakness::FewSymbols)),
            ("password-password-1234", Some(Weakness::Words)),
            ("synologydiskstation1", Some(Weakness::Words)),
            ("correcthorsebattery", Some(Weakness::Words)),
            ("abcdefghijklmnopqrstuvwxyz", Some(Weakness::Words)),
            ("mnbvcxzasdfghjkl", Some(Weakness::Words)),
            ("Zq7vK2mXw9RtB4nL", None),
            ("7kq3wz9pmx4tn8vbe2hyra6cdj", None),
        ] {
            assert_eq!(weakness(key), expected, "{key}");
        }
    }
}
