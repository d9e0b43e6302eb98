//! Addresses to listen on.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, ToSocketAddrs as _};

use anyhow::{Context as _, Result, anyhow};

/// An address to listen on: an IP address or a host name, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BindAddress {
    key: &'static str,
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Ip(IpAddr),
    Name(String),
}

impl BindAddress {
    /// What the text of a key must be.
    pub(super) const FORM: &'static str = "a port, or an IP address or a host name with a port, such as 8080, 0.0.0.0:8080, [::1]:8080 or \
         localhost:8080";

    /// What to do about an address that cannot be listened on.
    pub(crate) const REMEDY: &str = "something else listens there (http.bind and metrics.bind must differ), or it is no address of this machine: stop that, or change the key";

    /// Parses the text of a key. A port alone is one of the loopback address.
    pub(super) fn parse(key: &'static str, text: &str) -> Option<Self> {
        let (host, port) = if let Ok(address) = text.parse::<SocketAddr>() {
            (Host::Ip(address.ip()), address.port())
        } else if let Some((host, port)) = text.rsplit_once(':') {
            (Host::Name(host.to_owned()), parse_port(port)?)
        } else {
            (Host::Ip(Ipv4Addr::LOCALHOST.into()), parse_port(text)?)
        };
        let is_valid = match &host {
            Host::Ip(_) => true,
            Host::Name(name) => is_host_name(name),
        };
        is_valid.then_some(Self { key, host, port })
    }

    /// Looks up the addresses, IPv4 first. Blocks while a name is resolved.
    pub(crate) fn resolve(&self) -> Result<Vec<SocketAddr>> {
        match &self.host {
            Host::Ip(ip) => Ok(vec![SocketAddr::new(*ip, self.port)]),
            Host::Name(name) => {
                let resolved = (name.as_str(), self.port).to_socket_addrs();
                let unknown = || {
                    format!(
                        "`{}` names the host {name}, which cannot be resolved; give its IP address",
                        self.key
                    )
                };
                let mut addresses: Vec<SocketAddr> = resolved.with_context(unknown)?.collect();
                addresses.sort();
                addresses.dedup();
                Ok(addresses)
            }
        }
    }

    /// The first of the addresses that this machine has: the one that [`listen`](Self::listen) takes. Blocks while a name is resolved.
    pub(crate) fn address(&self) -> Result<SocketAddr> {
        self.choose().map(|(_, chosen)| chosen)
    }

    /// Listens on the first of the addresses that this machine has, and logs which one it is.
    pub(crate) fn listen(&self) -> Result<TcpListener> {
        let (addresses, chosen) = self.choose()?;
        let listener = TcpListener::bind(chosen)
            .map_err(|error| match error.kind() {
                ErrorKind::AddrInUse => anyhow!("{error}; {}", Self::REMEDY),
                _ => error.into(),
            })
            .with_context(|| self.listening_on(chosen))?;
        if let Host::Name(name) = &self.host {
            let (key, resolved) = (self.key, list(&addresses));
            tracing::info!("`{key}` names {name}, which is {resolved}; the server listens on {chosen} only");
        }
        Ok(listener)
    }

    /// What is attempted, in errors.
    pub(crate) fn listening_on(&self, address: SocketAddr) -> String {
        format!("listening on {address} (`{}`)", self.key)
    }

    /// All addresses, and the first that this machine has.
    fn choose(&self) -> Result<(Vec<SocketAddr>, SocketAddr)> {
        let addresses = self.resolve()?;
        // On any port: this one may be in use.
        let is_here = |address: &&SocketAddr| {
            let bound = TcpListener::bind((address.ip(), 0));
            !bound.is_err_and(|error| error.kind() == ErrorKind::AddrNotAvailable)
        };
        let chosen = addresses.iter().find(is_here).copied();
        let chosen = chosen.with_context(|| match addresses.as_slice() {
            [] => format!("`{}` names a host that has no address", self.key),
            elsewhere => {
                format!("`{}` is {}, which is no address of this machine", self.key, list(elsewhere))
            }
        })?;
        Ok((addresses, chosen))
    }
}

fn list(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn parse_port(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_host_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    // The last label of a name is not a number: that would be a wrong IP address.
    let is_number =
        text.rsplit('.').next().is_none_or(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    text.bytes().all(is_allowed) && !is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Option<Vec<String>> {
        let addresses = BindAddress::parse("http.bind", text)?.resolve().unwrap();
        Some(addresses.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_port_alone_is_one_of_the_loopback_address() {
        assert_eq!(resolved("8080").unwrap(), ["127.0.0.1:8080"]);
        assert_eq!(resolved("0").unwrap(), ["127.0.0.1:0"]);
        assert_eq!(resolved("0.0.0.0:80").unwrap(), ["0.0.0.0:80"]);
        assert_eq!(resolved("[::1]:80").unwrap(), ["[::1]:80"]);
    }

    #[test]
    fn a_name_is_resolved_when_the_server_starts_to_listen() {
        let address = BindAddress::parse("http.bind", "localhost:0").unwrap();
        let resolved = address.resolve().unwrap();
        assert!(resolved.iter().all(|address| address.ip().is_loopback()), "{resolved:?}");
        let listener = address.listen().unwrap();
        assert!(listener.local_addr().unwrap().ip().is_loopback());
        // Whoever asks the server asks where it listens, also while it does.
        let port = listener.local_addr().unwrap().port();
        let running = BindAddress::parse("http.bind", &format!("localhost:{port}")).unwrap();
        assert_eq!(running.address().unwrap(), listener.local_addr().unwrap());
        let refusal = format!("{:#}", running.listen().unwrap_err());
        assert!(
            refusal.contains("(`http.bind`): Address already in use")
                && refusal.contains("stop that, or change the key"),
            "{refusal}"
        );
        let elsewhere = BindAddress::parse("http.bind", "192.0.2.1:80").unwrap();
        let refusal = format!("{:#}", elsewhere.address().unwrap_err());
        assert_eq!(refusal, "`http.bind` is 192.0.2.1:80, which is no address of this machine");
        let unknown = BindAddress::parse("metrics.bind", "nowhere.invalid:80").unwrap();
        let refusal = format!("{:#}", unknown.listen().unwrap_err());
        assert!(
            refusal.starts_with("`metrics.bind` names the host nowhere.invalid, which cannot be resolved")
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for wrong in [
            "",
            "nowhere",
            "+80",
            "65536",
            ":80",
            "1.2.3:80",
            "256.0.0.1:80",
            "::1",
            "::1:80",
            "a b:80",
            "http://a:80",
        ] {
            assert_eq!(BindAddress::parse("http.bind", wrong), None, "{wrong}");
        }
    }
}
