//! Users and groups by passwd(5) and group(5). A static program has no name service, and DSM's own
//! accounts need none.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// The web server's user.
pub const HTTP: &str = "http";

/// The accounts of this machine.
pub struct Accounts {
    passwd: String,
    group: String,
}

/// An account: what a process of it finds in its environment.
pub struct Account {
    /// The user's name.
    pub name: String,
    /// The home folder.
    pub home: String,
    /// The shell.
    pub shell: String,
}

/// The web server's user by its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http {
    /// Its user id.
    pub uid: u32,
    /// Its group's.
    pub gid: u32,
}

impl Http {
    /// Returns true if it may do all of `bits` (4 read, 2 write, 1 start or pass through); it is in no other group.
    pub fn may(&self, meta: &Metadata, bits: u32) -> bool {
        let granted = match () {
            () if meta.uid() == self.uid => meta.mode() >> 6,
            () if meta.gid() == self.gid => meta.mode() >> 3,
            () => meta.mode(),
        };
        granted & bits == bits
    }
}

impl Accounts {
    /// Reads both files; what cannot be read has no accounts.
    pub fn read() -> Accounts {
        Accounts::of(text("/etc/passwd"), text("/etc/group"))
    }

    /// Reads the users alone.
    pub fn users() -> Accounts {
        Accounts::of(text("/etc/passwd"), String::new())
    }

    /// The accounts of two such files.
    pub fn of(passwd: String, group: String) -> Accounts {
        Accounts { passwd, group }
    }

    /// A user's name, or else the number.
    pub fn user(&self, uid: u32) -> String {
        name(&self.passwd, uid)
    }

    /// A group's name, or else the number.
    pub fn group(&self, gid: u32) -> String {
        name(&self.group, gid)
    }

    /// The number of the group of the web server's name, if there is one.
    pub fn http_group(&self) -> Option<u32> {
        self.group.lines().find_map(|line| line.strip_prefix(HTTP)?.strip_prefix(':')?.split(':').nth(1)?.parse().ok())
    }

    /// The account of this user; one that is not listed has its number as its name.
    pub fn account(&self, uid: u32) -> Account {
        let found =
            self.passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find_map(|field| match field[..] {
                [name, _, id, _, _, home, shell] if id.parse() == Ok(uid) => {
                    Some(Account { name: name.into(), home: home.into(), shell: shell.into() })
                }
                _ => None,
            });
        found.unwrap_or_else(|| Account { name: uid.to_string(), home: "/".into(), shell: "/bin/sh".into() })
    }

    /// The web server's user, if there is one.
    pub fn http(&self) -> Option<Http> {
        let mut fields = self.passwd.lines().find_map(|line| line.strip_prefix(HTTP)?.strip_prefix(':'))?.split(':');
        Some(Http { uid: fields.nth(1)?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    }
}

fn text(path: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

fn name(file: &str, id: u32) -> String {
    let named = file.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        let accounts = Accounts {
            passwd: "root:x:0:0::/root:/bin/sh\nhttpd:x:7:8::/:\nbroken\nhttp:x:1023:1024::/var/services/web:\n".into(),
            group: "root:x:0:\nadministrators:x:101:anna\n".into(),
        };
        for (uid, expected) in [(0, "root"), (1023, "http"), (101, "101")] {
            assert_eq!(accounts.user(uid), expected);
        }
        for (gid, expected) in [(0, "root"), (101, "administrators"), (1024, "1024")] {
            assert_eq!(accounts.group(gid), expected);
        }
        assert_eq!(accounts.http(), Some(Http { uid: 1023, gid: 1024 }));
        let nobody = Accounts { passwd: "http:x:no:1:\n".into(), group: String::new() };
        assert_eq!(nobody.http(), None);
    }
}
