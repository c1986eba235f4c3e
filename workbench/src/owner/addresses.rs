//! Addresses at which a NAS is reached.

use super::fault::Fault;
use remotetask::key::well_formed;

/// The address of a NAS: scheme, host, perhaps port and path; scheme and host in small letters, without a slash at its
/// end. A whole secret URL is none: what is added to it would be a request of that task. No text is repeated, because it
/// may be one, and what is said here is kept by DSM for a task.
pub fn address(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    let no_address =
        || Fault::new("this is no address; write one such as https://nas.example.org or http://192.168.1.20:10765");
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(match looks_like_a_host(text) {
            true => Fault::new(
                "https:// is missing in front of this address: write it as https://nas.example.org, or as \
                 http://192.168.1.20:10765 where there is no https",
            ),
            false => no_address(),
        });
    };
    let scheme = scheme.to_ascii_lowercase();
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]".contains(c);
    if !["https", "http"].contains(&&*scheme) || !rest.chars().all(allowed) || host_of(authority).is_none() {
        return Err(no_address());
    }
    if path.split('/').filter(|part| well_formed(part.as_bytes()).is_ok()).count() > 1 {
        return Err(Fault::new(
            "behind the host of this address stands what may be keys, and a request there could start a task. Give the \
             address alone, such as https://nas.example.org",
        ));
    }
    let port = authority.strip_prefix(host_of(authority).unwrap_or_default()).unwrap_or_default();
    if port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err(Fault::new("the port behind the host of this address is none: a port is a number from 1 to 65535"));
    }
    Ok(format!("{scheme}://{}{path}", authority.to_ascii_lowercase()).trim_end_matches('/').to_owned())
}

/// The host of `host:port`, an IPv6 address in its brackets.
fn host_of(authority: &str) -> Option<&str> {
    let host = match authority.starts_with('[') {
        true => authority.find(']').map(|at| &authority[..=at])?,
        false => authority.split(':').next()?,
    };
    let rest = &authority[host.len()..];
    let closed = rest.is_empty() || rest.starts_with(':') && !rest[1..].contains([':', '[', ']']);
    (!host.is_empty() && closed && (host.starts_with('[') || !host.contains([']', '[']))).then_some(host)
}

/// Returns true for a name with a dot or a port, as an address without its scheme has it.
pub fn looks_like_a_host(text: &str) -> bool {
    let host = text.split('/').next().unwrap_or_default();
    host.starts_with(|c: char| c.is_ascii_alphanumeric()) && host.contains(['.', ':']) && host_of(host).is_some()
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
            (" HTTPS://Nas.Example.org ", Some("https://nas.example.org")),
            ("Http://NAS:10765/Tasks/", Some("http://nas:10765/Tasks")),
            ("nas.example.org", None),
            ("https://nas.example.org:99999", None),
            ("https://nas.example.org:0", None),
            ("https://nas.example.org:", None),
            ("https://fd00::1", None),
            ("https://[fd00::1", None),
            ("https://[fd00::1]x", None),
            ("https://:443", None),
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

    #[test]
    fn a_fault_of_an_address_is_named_and_the_text_is_not_repeated() {
        for (text, expected) in [
            ("nas.example.org", "https:// is missing"),
            ("nas:10765", "https:// is missing"),
            ("nas.example.org/76sdf7678fds687/hjhass665s", "https:// is missing"),
            ("nas", "this is no address"),
            ("/a/b", "this is no address"),
            ("https://nas.example.org:99999", "the port behind the host"),
            (
                "https://nas.example.org/76sdf7678fds687/hjhass665s",
                "behind the host of this address stands what may be keys",
            ),
        ] {
            let Fault(why) = address(text).expect_err(text);
            assert!(why.starts_with(expected) && !why.contains("76sdf"), "{text}: {why}");
        }
    }
}
