//! Addresses at which a NAS is reached.

use super::fault::Fault;
use remotetask::key::well_formed;

/// The address of a NAS: scheme, host, perhaps port and path; without a slash at its end. A whole secret
/// URL is none: what is added to it would be a request of that task.
pub fn address(text: &str) -> Result<String, Fault> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]".contains(c);
    let key = |part: &&str| well_formed(part.as_bytes()).is_ok();
    match rest {
        Some(rest) if rest.split('/').skip(1).filter(key).count() > 1 => {
            Err(Fault::new(
                "behind the host of this address stands what may be keys, and a request there could start a task. Give the \
                 address alone, such as https://nas.example.org",
            ))
        }
        Some(host) if !host.is_empty() && !host.starts_with(['/', ':']) && host.chars().all(allowed) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        // Not repeated: it may be a secret URL, and what is said here is kept by DSM for a task.
        _ => Err(Fault::new("this is no address; write one such as https://nas.example.org or http://192.168.1.20:10765")),
    }
}

/// Returns true for an address that means the very machine that uses it: no phone finds the NAS by it.
pub fn is_own(base: &str) -> bool {
    let host = base.split_once("://").map_or("", |(_, rest)| rest);
    ["127.", "localhost", "[::1]", "0.0.0.0"].iter().any(|own| host.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_an_address() {
        for (text, expected) in [
            ("https://nas.example.org", Some("https://nas.example.org")),
            ("https://nas.example.org:8443/", Some("https://nas.example.org:8443")),
            ("http://[fd00::1]:10765/tasks/", Some("http://[fd00::1]:10765/tasks")),
            ("nas.example.org", None),
            ("https://", None),
            ("https:///x", None),
            ("https://nas.example.org/?x", None),
            ("https://nas example.org", None),
            ("ftp://nas", None),
            ("https://nas.example.org/tasks/start", Some("https://nas.example.org/tasks/start")),
            ("https://nas.example.org/76sdf7678fds687/hjhass665s", None),
            ("https://nas.example.org/tasks/76sdf7678fds687/hjhass665s/", None),
        ] {
            assert_eq!(address(text).ok().as_deref(), expected, "{text}");
        }
    }
}
