//! Keys: what one may look like, and how two are compared.
//!
//! A key is 8 to 128 characters out of `A–Z a–z 0–9 - _ . ~`, not only dots. It is known by its
//! SHA-256 digest alone; nothing in this crate compares keys as text.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// Shortest key, in characters.
pub const SHORTEST: usize = 8;
/// Longest key, in characters.
pub const LONGEST: usize = 128;

const SEALED: &str = "sha256:";

/// The SHA-256 digest of a key, as words. It has no `Display`, and its `Debug` tells nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u64; 4]);

/// The digest of no bytes at all (FIPS 180-4), which `sha256sum </dev/null` prints.
const OF_NOTHING: Digest = Digest([0xe3b0c44298fc1c14, 0x9afbf4c8996fb924, 0x27ae41e4649b934c, 0xa495991b7852b855]);

impl Digest {
    /// The digest of what somebody presents.
    ///
    /// A text that is no key has a digest as well, so that a wrong one costs as much work as a
    /// right one; what is longer than any key is cut first, so that it costs no more.
    pub fn of(presented: &[u8]) -> Digest {
        let bounded = &presented[..presented.len().min(LONGEST + 1)];
        let bytes: [u8; 32] = Sha256::digest(bounded).into();
        Digest(words(&bytes))
    }

    /// Compares the two in a time that does not depend on where they differ.
    pub fn matches(&self, other: &Digest) -> bool {
        let differing = (0..4).fold(0, |bits, i| bits | (self.0[i] ^ other.0[i]));
        differing.ct_eq(&0).into()
    }

    /// The key as config.json holds it sealed: `sha256:<64 hex digits>`.
    pub fn sealed(&self) -> String {
        self.0.iter().fold(SEALED.to_owned(), |text, word| format!("{text}{word:016x}"))
    }

    /// Its first 16 hex digits: a name for the key among an owner's few, and no way to it.
    pub fn fingerprint(&self) -> String {
        format!("{:016x}", self.0[0])
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// A key as config.json has it: plain, or sealed as `sha256:<64 hex digits>`.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The digest that presented keys are compared with.
    pub digest: Digest,
    /// True if the configuration holds the digest only.
    pub sealed: bool,
}

impl Key {
    /// Reads a key of the configuration; the error says what is wrong with it and what to do.
    pub fn parse(text: &str) -> Result<Key, String> {
        if let Some(hex) = text.strip_prefix(SEALED) {
            let digest = parse_hex(hex.as_bytes())
                .ok_or("\"sha256:\" must be followed by exactly 64 hex digits, the digest of a key")?;
            if digest == OF_NOTHING {
                return Err("this is the digest of nothing; seal a real key".into());
            }
            return Ok(Key { digest, sealed: true });
        }
        well_formed(text.as_bytes()).map_err(|why| why.to_string())?;
        Ok(Key { digest: Digest::of(text.as_bytes()), sealed: false })
    }
}

/// A digest that is looked for among keys as config.json writes them. Each task of a file costs even a
/// refused request one of these comparisons, so they are made without decoding.
pub struct Sought {
    digest: Digest,
    hex: [u64; 8],
}

/// Makes a capital hex digit of each byte small, and leaves a small one and a digit as they are.
const SMALL: u64 = 0x2020_2020_2020_2020;

impl Sought {
    /// Looks for this digest.
    pub fn new(digest: Digest) -> Sought {
        let mut hex = [0; 64];
        for (digits, mut word) in hex.chunks_exact_mut(16).zip(digest.0) {
            for digit in digits {
                word = word.rotate_left(4);
                *digit = b"0123456789abcdef"[(word & 0xf) as usize];
            }
        }
        Sought { digest, hex: words(&hex) }
    }

    /// The key that this text is, if it is the sought one; compared in constant time. A sealed key is
    /// not decoded, so its faults do not show here.
    pub fn in_text(&self, text: &str) -> Result<Option<Key>, String> {
        let hex = text.strip_prefix(SEALED).and_then(|hex| <&[u8; 64]>::try_from(hex.as_bytes()).ok());
        let Some(hex) = hex else {
            return Key::parse(text).map(|key| key.digest.matches(&self.digest).then_some(key));
        };
        let both = hex.chunks_exact(8).zip(&self.hex);
        let differing = both.fold(0, |bits, (theirs, ours)| bits | (word(theirs) | SMALL) ^ ours);
        let equal: bool = differing.ct_eq(&0).into();
        Ok(equal.then_some(Key { digest: self.digest, sealed: true }))
    }
}

/// Judges whether these bytes can be a key; the error says why not.
pub fn well_formed(key: &[u8]) -> Result<(), Malformed> {
    let allowed = |&b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~');
    match () {
        () if !key.iter().all(allowed) => Err(Malformed::Character),
        () if key.len() < SHORTEST || key.len() > LONGEST => Err(Malformed::Length(key.len())),
        () if key.iter().all(|&b| b == b'.') => Err(Malformed::Dots),
        () => Ok(()),
    }
}

/// Why some bytes are no key.
#[derive(Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A character that no key has.
    Character,
    /// Too short, or too long.
    Length(usize),
    /// Dots alone, which a web server takes for a way up.
    Dots,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Character => f.write_str("a key consists of letters A-Z a-z, digits and - _ . ~ alone"),
            Malformed::Length(length) => write!(f, "a key has {SHORTEST} to {LONGEST} characters, this one {length}"),
            Malformed::Dots => f.write_str("a key of dots alone does not survive a web server"),
        }?;
        f.write_str("; choose another")
    }
}

/// Bytes as words: a comparison word by word is an eighth of the work, even where the compiler is to make little code.
fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = self::word(bytes);
    }
    words
}

/// Eight bytes as a word.
fn word(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_be_bytes)
}

fn parse_hex(hex: &[u8]) -> Option<Digest> {
    let hex: &[u8; 64] = hex.try_into().ok()?;
    let mut words = [0; 4];
    for (word, digits) in words.iter_mut().zip(hex.chunks_exact(16)) {
        for &digit in digits {
            *word = *word << 4 | u64::from(char::from(digit).to_digit(16)?);
        }
    }
    Some(Digest(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_may_look_like() {
        let long = "k".repeat(LONGEST);
        let longer = "k".repeat(LONGEST + 1);
        let nothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for (text, expected) in [
            ("12345678", None),
            (long.as_str(), None),
            ("Az09-_.~", None),
            ("........a", None),
            ("1234567", Some("a key has 8 to 128 characters, this one 7; choose another")),
            ("", Some("a key has 8 to 128 characters, this one 0; choose another")),
            (longer.as_str(), Some("a key has 8 to 128 characters, this one 129; choose another")),
            ("........", Some("a key of dots alone does not survive a web server; choose another")),
            ("1234567/", Some("a key consists of letters A-Z a-z, digits and - _ . ~ alone; choose another")),
            ("pässwörter", Some("a key consists of letters A-Z a-z, digits and - _ . ~ alone; choose another")),
            ("sha256:12", Some("\"sha256:\" must be followed by exactly 64 hex digits, the digest of a key")),
            (nothing, Some("this is the digest of nothing; seal a real key")),
        ] {
            assert_eq!(Key::parse(text).err().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_sealed_key_is_the_plain_ones_digest_in_either_case() {
        // printf 12345678 | sha256sum
        let sealed = "sha256:ef797c8118f02dfb649607dd5d3f8c7623048c9c063d532cc95c5ed7a898a64f";
        let upper = sealed.to_uppercase().replace("SHA", "sha");
        let plain = Key::parse("12345678").expect("valid");
        assert!(!plain.sealed);
        assert_eq!((&*plain.digest.sealed(), &*plain.digest.fingerprint()), (sealed, &sealed[7..23]));
        for text in [sealed, &upper] {
            let key = Key::parse(text).expect("valid");
            assert!(key.sealed && key.digest.matches(&plain.digest), "{text}");
            let found =
                |presented: &str| Sought::new(Digest::of(presented.as_bytes())).in_text(text).map(|key| key.is_some());
            assert_eq!(found("12345678"), Ok(true));
            assert_eq!(found("12345679"), Ok(false));
            assert_eq!(found(text), Ok(false), "a digest is no key");
        }
    }

    #[test]
    fn two_digests_match_only_in_every_bit() {
        let digest = Digest::of(b"12345678");
        assert!(digest.matches(&digest));
        for word in 0..4 {
            for bit in [0, 31, 63] {
                let mut other = digest;
                other.0[word] ^= 1 << bit;
                assert!(!digest.matches(&other) && !other.matches(&digest), "word {word}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_digest_shows_nothing() {
        assert_eq!(format!("{:?}", Digest::of(b"12345678")), "Digest(…)");
    }
}
