//! Ports on the loopback that stay ours while nobody listens on them.

use std::{
    fs::{File, OpenOptions},
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, SocketAddr, TcpListener},
};

use super::error::ServerError;

/// Below the kernel's range for outgoing connections (32768 and up on Linux): were it inside, a client that keeps
/// trying a stopped server could be given the server's own port and end up talking to itself.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A free port on 127.0.0.1, held by a lock among all test processes of this user until dropped: a server that is
/// stopped finds its port still free when it is started again.
#[derive(Debug)]
pub struct ReservedPort {
    port: u16,
    /// Locked while we live; the kernel unlocks it however we end.
    _lock: File,
}

impl ReservedPort {
    /// Finds a port that nobody listens on and no other test process holds.
    pub fn new() -> Result<Self, ServerError> {
        let dir =
            std::env::temp_dir().join(format!("esoz-test-ports-{}", rustix::process::geteuid().as_raw()));
        std::fs::create_dir_all(&dir)
            .map_err(|error| ServerError::io(format_args!("cannot make {}", dir.display()), &error))?;
        let start = random_below(COUNT);
        for step in 0..COUNT {
            let port = FIRST.saturating_add(start.wrapping_add(step).checked_rem(COUNT).unwrap_or_default());
            let path = dir.join(port.to_string());
            let lock =
                OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| {
                    ServerError::io(format_args!("cannot open {}", path.display()), &error)
                })?;
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(Self { port, _lock: lock });
            }
        }
        Err(ServerError::new(format!(
            "no free port on 127.0.0.1 from {FIRST} to {}: stop what holds them",
            FIRST.saturating_add(COUNT)
        )))
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.port
    }

    /// The port on 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }
}

/// A number below `limit` from the standard library's random seed: spread is all that is wanted.
fn random_below(limit: u16) -> u16 {
    let hash = RandomState::new().hash_one(std::process::id());
    u16::try_from(hash.checked_rem(u64::from(limit)).unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ports_held_at_once_differ_and_are_free() {
        let held: Vec<_> = (0..50).map(|_| ReservedPort::new().unwrap()).collect();
        let numbers: HashSet<u16> = held.iter().map(ReservedPort::number).collect();
        assert_eq!(numbers.len(), held.len());
        for port in &held {
            TcpListener::bind(port.address()).unwrap();
        }
    }
}
