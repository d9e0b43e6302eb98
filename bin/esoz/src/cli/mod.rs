//! One file per command.

pub(crate) mod args;
pub(crate) mod config;
pub(crate) mod credentials;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod manual;
pub(crate) mod migrate;
pub(crate) mod serve;

use std::io::{Write as _, stdout};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context as _, Result};

/// Prints one line of output. A reader that went away is an error like any other.
fn print(line: &str) -> Result<()> {
    writeln!(stdout(), "{line}").context("writing to standard output")
}

/// The address as a client on this machine reaches it.
fn local(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
