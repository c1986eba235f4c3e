//! The caller's address.

use std::net::IpAddr;

use crate::text::cut;

/// REMOTE_ADDR; behind a proxy on this machine what that says, if it is one address from elsewhere.
pub fn address(bytes: impl Fn(&'static str) -> Vec<u8>) -> Option<IpAddr> {
    let address = |text: &[u8]| {
        let text = std::str::from_utf8(cut(text)).ok()?;
        text.trim_matches([' ', '\t']).parse::<IpAddr>().ok().map(|address| address.to_canonical())
    };
    let peer = address(&bytes("REMOTE_ADDR"))?;
    if !peer.is_loopback() {
        return Some(peer);
    }
    let real = bytes("HTTP_X_REAL_IP");
    let forwarded = bytes("HTTP_X_FORWARDED_FOR");
    let last = forwarded.rsplit(|&b| b == b',').next().unwrap_or_default();
    let told = match (real.is_empty(), forwarded.is_empty()) {
        (true, _) => last,
        // A proxy that sets the one and hands the caller's own other on: neither is believed.
        (false, false) if address(&real) != address(last) => return None,
        (false, _) => &real,
    };
    address(told).filter(|told| !told.is_loopback())
}
