//! Names and addresses, each replaced by one word of its own wherever it stands.

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};

/// The names that everybody's NAS has, or that mean nothing.
const COMMON: [&str; 14] = [
    "root",
    "http",
    "admin",
    "guest",
    "nobody",
    "localhost",
    "none",
    "(none)",
    "_",
    "nginx",
    "www-data",
    "daemon",
    "system",
    "local",
];
/// The least characters of a key.
const KEY_MIN: usize = 8;
/// A row of so many hexadecimal digits is a digest.
const DIGEST: usize = 40;

/// The words in the place of names and addresses.
#[derive(Default)]
pub struct Mask {
    /// Keys: replaced wherever they stand, within other words too.
    keys: Vec<String>,
    /// Names in small letters and the words for them, the longest first.
    names: Vec<(String, String)>,
    addresses: RefCell<Vec<IpAddr>>,
}

impl Mask {
    /// Hides a key.
    pub fn key(&mut self, key: &str) {
        // A shorter one is none, and would be found in every word.
        if key.len() >= KEY_MIN {
            self.keys.push(key.to_owned());
            self.keys.sort_by_key(|key| std::cmp::Reverse(key.len()));
        }
    }

    /// Hides a name of this kind, in any case of its letters.
    pub fn name(&mut self, kind: &str, name: &str) {
        let name = name.trim().trim_end_matches('.').to_lowercase();
        let known = self.names.iter().any(|(known, _)| *known == name);
        if name.len() < 2 || known || COMMON.contains(&&*name) || name.parse::<IpAddr>().is_ok() {
            return;
        }
        let number = self.names.iter().filter(|(_, word)| word.starts_with(kind)).count() + 1;
        self.names.push((name, format!("{kind}-{number}")));
        self.names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    }

    /// The text without any of them.
    pub fn masked(&self, text: &str) -> String {
        let text = self.keys.iter().fold(text.to_owned(), |text, key| text.replace(&**key, "KEY"));
        self.without_addresses(&self.without_names(&text))
    }

    fn without_names(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let begins = !shown.chars().next_back().is_some_and(char::is_alphanumeric);
            let name =
                self.names.iter().filter(|_| begins).find_map(|(name, word)| Some((begins_with(rest, name)?, word)));
            match name {
                Some((behind, word)) => {
                    shown.push_str(word);
                    rest = behind;
                }
                None => {
                    shown.push(c);
                    rest = &rest[c.len_utf8()..];
                }
            }
        }
        shown
    }

    fn without_addresses(&self, text: &str) -> String {
        let part = |c: char| c.is_ascii_alphanumeric() || ".:".contains(c);
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let (word, behind) = rest.split_at(rest.find(|c| !part(c)).unwrap_or(rest.len()));
            shown.push_str(&self.word(word));
            let (other, behind) = behind.split_at(behind.find(part).unwrap_or(behind.len()));
            shown.push_str(other);
            rest = behind;
        }
        shown
    }

    /// A word that may be an address, with or without a port or a full stop behind it.
    fn word(&self, word: &str) -> String {
        let bare = word.trim_end_matches(['.', ':']);
        let behind = &word[bare.len()..];
        // An address of this machine itself, or of any, tells nothing.
        let tells = |address: &IpAddr| !address.is_loopback() && !address.is_unspecified();
        if let Some(address) = word.parse().ok().filter(tells) {
            return self.address(address);
        }
        if let Some(address) = bare.parse().ok().filter(tells) {
            return format!("{}{behind}", self.address(address));
        }
        if let Some(socket) = bare.parse::<SocketAddr>().ok().filter(|socket| tells(&socket.ip())) {
            return format!("{}:{}{behind}", self.address(socket.ip()), socket.port());
        }
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
        let groups: Vec<&str> = bare.split(':').collect();
        match () {
            () if groups.len() == 6 && groups.iter().all(|group| group.len() == 2 && hex(group)) => "MAC".into(),
            () if groups.iter().any(|group| group.len() >= DIGEST && hex(group)) => "DIGEST".into(),
            () => word.to_owned(),
        }
    }

    fn address(&self, address: IpAddr) -> String {
        let mut known = self.addresses.borrow_mut();
        let at = known.iter().position(|other| *other == address).unwrap_or_else(|| {
            known.push(address);
            known.len() - 1
        });
        format!("address-{}", at + 1)
    }
}

/// The text behind this name, if it begins with it and the name ends there.
fn begins_with<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = text.chars();
    for wanted in name.chars() {
        let c = rest.next()?;
        if !c.to_lowercase().eq(wanted.to_lowercase()) {
            return None;
        }
    }
    let behind = rest.as_str();
    (!behind.chars().next().is_some_and(char::is_alphanumeric)).then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_word_wherever_it_stands() {
        let mut mask = Mask::default();
        for (kind, name) in [
            ("host", "nas"),
            ("host", "NAS.example.org"),
            ("user", "anna"),
            ("user", "Änne"),
            ("user", "root"),
            ("host", "x"),
            ("host", "anna"),
        ] {
            mask.name(kind, name);
        }
        mask.key("Zq7vK2mXw9RtB4nL");
        mask.key("o");
        for (text, expected) in [
            ("server_name nas.EXAMPLE.org;", "server_name host-2;"),
            ("/volume1/homes/Anna/x anna@nas", "/volume1/homes/user-1/x user-1@host-1"),
            ("hosanna annas nasal", "hosanna annas nasal"),
            ("ännE", "user-2"),
            ("root at localhost", "root at localhost"),
            ("xZq7vK2mXw9RtB4nLx", "xKEYx"),
            ("10.0.0.1, 10.0.0.2:80 and 10.0.0.1/8.", "address-1, address-2:80 and address-1/8."),
            (
                "[fd00::1]:443 fd00::1. ::1 127.0.0.1:10765 0.0.0.0",
                "[address-3]:443 address-3. ::1 127.0.0.1:10765 0.0.0.0",
            ),
            ("00:11:32:aa:BB:cc 12:30:45 7.2-64570 Apache/2.4.62", "MAC 12:30:45 7.2-64570 Apache/2.4.62"),
            (&format!("sha256:{}", "ab".repeat(32)), "DIGEST"),
            ("0::/ is a group", "0::/ is a group"),
            ("fe80::1%eth0 std::io a::b", "address-4%eth0 std::io address-5"),
        ] {
            assert_eq!(mask.masked(text), expected, "{text}");
        }
    }
}
