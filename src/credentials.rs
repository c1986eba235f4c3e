//! The two keys that a caller presents: one says who calls, the other what is to be started.

use crate::key::{well_formed, Digest, Key};

/// The two keys of a request, right or wrong.
#[derive(Clone, Copy)]
pub struct Credentials<'r> {
    /// The key that says who calls.
    pub magic_key: CandidateKey<'r>,
    /// The key that says what is to be started.
    pub identifier: CandidateKey<'r>,
}

impl<'r> Credentials<'r> {
    /// The credentials of these bytes.
    pub fn new(magic_key: &'r [u8], identifier: &'r [u8]) -> Credentials<'r> {
        Credentials { magic_key: CandidateKey::new(magic_key), identifier: CandidateKey::new(identifier) }
    }

    /// Both as text. Both are keys where [`judge`](crate::judge::judge) gave a permit.
    pub fn text(&self) -> (String, String) {
        let text = |key: CandidateKey<'_>| String::from_utf8_lossy(key.bytes).into_owned();
        (text(self.magic_key), text(self.identifier))
    }
}

/// Bytes from outside that may be a key. Their digest and their form are computed once, whether they matter or not.
#[derive(Clone, Copy)]
pub struct CandidateKey<'r> {
    bytes: &'r [u8],
    digest: Digest,
    could_be_key: bool,
}

impl<'r> CandidateKey<'r> {
    fn new(bytes: &'r [u8]) -> CandidateKey<'r> {
        CandidateKey { bytes, digest: Digest::of(bytes), could_be_key: well_formed(bytes).is_ok() }
    }

    /// Compares with a key of the configuration, in constant time. 5g: bytes that nobody could have chosen as a key match
    /// none, whatever digest the owner wrote.
    pub fn matches(&self, key: &Key) -> bool {
        key.digest.matches(&self.digest) & self.could_be_key
    }

    /// The digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// A fault of a request that shows before its keys are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Not exactly two segments.
    Segments,
    /// Keys in the path and in the headers both, or one header of the two.
    Mixed,
    /// Neither GET nor HEAD nor POST.
    Method,
    /// The server refused it already and shows our page.
    Server,
    /// Its body broke off.
    Body,
    /// Its body is larger than one may be.
    LargeBody,
    /// Its body did not come in time.
    SlowBody,
    /// Its body has no length, so that its end cannot be told from a break.
    NoLength,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5g, by a file that holds the digests of bytes that are no key.
    #[test]
    fn the_digest_of_no_key_matches_nothing() {
        let long = "k".repeat(129);
        for (presented, expected) in [("12345678", true), ("tiny", false), ("/etc/passwd", false), (&long, false)] {
            let key = Key { digest: Digest::of(presented.as_bytes()), sealed: true };
            assert_eq!(CandidateKey::new(presented.as_bytes()).matches(&key), expected, "{presented}");
        }
    }
}
