//! The address and port of Apache's own for requests.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// The address that Apache listens on.
#[derive(Clone, Copy, Debug)]
pub struct Listen(pub SocketAddr);

impl Listen {
    /// The line by which the drop-in names it.
    pub fn define(&self) -> String {
        format!("Define REMOTETASK_LISTEN {}\n", self.0)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// The address by which this NAS itself reaches it.
    pub fn url(&self) -> String {
        format!("http://{}", reached(self.0))
    }

    /// Returns true if a program listens there.
    pub fn is_in_use(&self) -> bool {
        TcpListener::bind(self.0).is_err_and(|e| e.kind() == ErrorKind::AddrInUse)
    }
}

/// The address by which a server that listens there is called from its own machine.
pub fn reached(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        _ => address.ip(),
    };
    SocketAddr::new(ip, address.port())
}
