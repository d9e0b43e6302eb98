use std::net::IpAddr;

/// How a connection to a server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// It stays on this machine.
    Local,
    /// It is encrypted, and the server proves that it is the one that is meant.
    Verified,
    /// Others can read it, or can pass for the server; why.
    Weak(&'static str),
}

/// Whether what is sent to a host stays on this machine.
pub fn is_this_machine(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.trim_start_matches('[').trim_end_matches(']').parse();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_this_machine() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in
            ["", "localhost.example", "10.0.0.1", "0.0.0.0", "::", "::ffff:10.0.0.1", "127.0.0.1.example"]
        {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
