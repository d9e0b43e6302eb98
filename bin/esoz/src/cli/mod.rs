//! The command line, one file per command.

pub(crate) mod args;
pub(crate) mod config;
pub(crate) mod credentials;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod events;
pub(crate) mod expire;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
mod list_credentials;
pub(crate) mod manual;
pub(crate) mod migrate;
mod scope;
pub(crate) mod serve;
pub(crate) mod sign;
pub(crate) mod usage;

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Write as _, stdout};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::Poll;

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Prints a line to standard output.
///
/// # Errors
/// When it cannot be written; a broken pipe is told apart by [`is_broken_pipe`].
fn print(line: &str) -> Result<()> {
    writeln!(stdout(), "{line}").context(Printing)
}

/// What was attempted when [`print`] failed.
#[derive(Debug)]
struct Printing;

impl fmt::Display for Printing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("writing to standard output")
    }
}

/// Whether an error is a broken pipe (EPIPE) on standard output: its reader, e.g. `head`, has closed it.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is_broken = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
    error.is::<Printing>() && error.downcast_ref().is_some_and(is_broken)
}

/// The address by which a client on this machine reaches a listening address: loopback in the place of 0.0.0.0 or `::`.
fn loopback(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// Takes over these signals. Resolves when one of them comes.
fn any_signal(kinds: &[SignalKind]) -> Result<impl Future<Output = ()> + use<>> {
    let listening: Result<Vec<Signal>, _> = kinds.iter().map(|kind| signal(*kind)).collect();
    let mut signals = listening.context("listening for signals")?;
    Ok(poll_fn(move |context| {
        let has_come = signals.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
        if has_come { Poll::Ready(()) } else { Poll::Pending }
    }))
}
