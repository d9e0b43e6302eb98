//! Under which URL the server is reached, and by whom: directly, or behind proxies that say so.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{self, HeaderMap};
use ipnet::IpNet;

use crate::forwarded::{self, Hop};
use crate::url;

/// The fixed URL of a server: scheme, host and port, and a path before its own if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    scheme: &'static str,
    /// Its host, without the port.
    host: String,
    base: String,
}

impl PublicUrl {
    /// Parses an `http` or `https` URL without user, query and fragment; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (host, path) = rest.split_at_checked(rest.find('/').unwrap_or(rest.len()))?;
        let scheme = forwarded::scheme(scheme)?;
        let name = url::host_name(host).filter(|_| path.bytes().all(url::is_path))?;
        let base = format!("{scheme}://{host}{}", path.trim_end_matches('/'));
        Some(Self { scheme, host: name.to_owned(), base })
    }
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub struct Addressing {
    is_secure: bool,
    address: SocketAddr,
    trusted_proxies: Vec<IpNet>,
    public_url: Option<PublicUrl>,
}

/// What is known of the origin of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The address of the client: of the connection or, behind trusted proxies, of the nearest one that is not trusted.
    pub(crate) client: Option<IpAddr>,
    /// Whether the client came by TLS, to this server or to a proxy before it.
    pub(crate) is_secure: bool,
    /// The URL that was asked for, without its query.
    pub(crate) url: String,
}

impl Addressing {
    /// A server that listens at an address, by TLS or not, and trusts no proxy.
    pub const fn direct(address: SocketAddr, is_secure: bool) -> Self {
        Self { is_secure, address, trusted_proxies: Vec::new(), public_url: None }
    }

    /// The same behind proxies whose `Forwarded` and `X-Forwarded-*` headers are believed, and with a fixed URL if there is one.
    #[must_use]
    pub fn behind(self, trusted_proxies: Vec<IpNet>, public_url: Option<PublicUrl>) -> Self {
        Self { trusted_proxies, public_url, ..self }
    }

    /// The origin of a request that came on a connection from that address.
    pub(crate) fn origin(&self, peer: Option<IpAddr>, headers: &HeaderMap, path: &str) -> Origin {
        let hop = peer.filter(|peer| self.trusts(*peer)).map(|_| self.first_untrusted_hop(headers));
        let hop = hop.unwrap_or_default();
        let fixed = self.public_url.as_ref();
        let own = if self.is_secure { "https" } else { "http" };
        let scheme = fixed.map(|fixed| fixed.scheme).or(hop.scheme).unwrap_or(own);
        let url = match fixed {
            Some(fixed) => url::append_path(fixed.base.clone(), path),
            None => {
                url::build(scheme, hop.host.as_deref().or(host(headers)), &self.address.to_string(), path)
            }
        };
        let client = hop.client.or(peer).map(|address| address.to_canonical());
        Origin { client, is_secure: self.is_secure || scheme == "https", url }
    }

    /// Whether `Host` is an IP address, `localhost` or the host of the public URL. Any other name may be a stranger's, who lets it lead here
    /// (DNS rebinding): then pages of the stranger may read the answer. What proxies say of the host does not count, since such a page can say it.
    pub(crate) fn is_own_host(&self, headers: &HeaderMap) -> bool {
        host(headers).and_then(url::host_name).is_some_and(|name| {
            let own = self.public_url.iter().map(|fixed| fixed.host.as_str()).chain(["localhost"]);
            name.parse::<IpAddr>().is_ok() || own.into_iter().any(|own| own.eq_ignore_ascii_case(name))
        })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(&address))
    }

    /// What the last trusted proxy says of the client that it served. Where both kinds of headers exist, that alone in which they agree: the
    /// proxy sets one, and hands on the other as the client wrote it.
    fn first_untrusted_hop(&self, headers: &HeaderMap) -> Hop {
        let trusts = |address| self.trusts(address);
        match (forwarded::standard(headers, trusts), forwarded::de_facto(headers, trusts)) {
            (Some(hop), None) | (None, Some(hop)) => hop,
            (Some(one), Some(other)) if one.client == other.client => {
                let scheme = one.scheme.filter(|_| one.scheme == other.scheme);
                Hop {
                    client: one.client,
                    scheme,
                    host: one.host.filter(|host| other.host.as_ref() == Some(host)),
                }
            }
            (Some(_), Some(_)) | (None, None) => Hop::default(),
        }
    }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|host| host.to_str().ok())
}

#[cfg(test)]
#[path = "addressing_tests.rs"]
mod tests;
