//! `prove`: one request, all the way, with a key and a task that are there for it alone.

use std::net::SocketAddr;

use super::view::View;
use super::{Bench, Fault};
use crate::config::LISTEN;

/// `listens`: where config.json wants the port of its own; without one the default.
pub fn listens(bench: &Bench) -> Result<bool, Fault> {
    let (address, port) = match bench.path("config.json").symlink_metadata() {
        Ok(_) => {
            let view = View::read(&bench.folder)?;
            let server = view.config()?.server;
            (server.listen, server.port)
        }
        Err(_) => LISTEN,
    };
    bench.screen.raw(&SocketAddr::new(address, port).to_string());
    Ok(true)
}
