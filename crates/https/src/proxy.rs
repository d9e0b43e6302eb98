//! Proxies on the way to servers elsewhere.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use esoz_kernel::SecretString;
use hyper::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

/// Which proxies lead to which servers, in the words of the variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`. The URLs of proxies may hold a password:
/// `Debug` hides them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// The proxy to servers of `http` URLs; empty for none. A user and password in it are not sent.
    pub http: SecretString,
    /// The proxy to servers of `https` URLs, which it passes on without reading (`CONNECT`); empty for none.
    pub https: SecretString,
    /// Hosts, domains and networks that are reached directly, with commas between; `*` for all.
    pub no: String,
}

impl Proxies {
    fn matcher(&self) -> Matcher {
        // The library takes `*` for all names, and not for addresses.
        if self.no.split(',').any(|host| host.trim() == "*") {
            return Matcher::builder().build();
        }
        // Loopback addresses are always reached directly: a proxy would look for them on its own machine.
        let direct = format!("localhost,127.0.0.0/8,::1,{}", self.no);
        Matcher::builder().http(self.http.expose()).https(self.https.expose()).no(direct).build()
    }
}

/// Connects directly, or through the proxy that is meant for a server.
#[derive(Clone)]
pub struct ProxyConnector {
    direct: HttpConnector,
    matcher: Arc<Matcher>,
}

impl fmt::Debug for ProxyConnector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ProxyConnector")
    }
}

impl ProxyConnector {
    pub(crate) fn new(proxies: &Proxies) -> Self {
        let mut direct = HttpConnector::new();
        direct.enforce_http(false);
        Self { direct, matcher: Arc::new(proxies.matcher()) }
    }
}

impl Service<Uri> for ProxyConnector {
    type Response = Stream;
    type Error = Box<dyn Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.direct.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let mut direct = self.direct.clone();
        let Some(proxy) = self.matcher.intercept(&server) else {
            return Box::pin(
                async move { Ok(Stream { inner: direct.call(server).await?, is_forwarded: false }) },
            );
        };
        let (address, authorization) = (proxy.uri().clone(), proxy.basic_auth().cloned());
        Box::pin(async move {
            if server.scheme_str() == Some("http") {
                return Ok(Stream { inner: direct.call(address).await?, is_forwarded: true });
            }
            let mut tunnel = Tunnel::new(address, direct);
            if let Some(authorization) = authorization {
                tunnel = tunnel.with_auth(authorization);
            }
            Ok(Stream { inner: tunnel.call(server).await?, is_forwarded: false })
        })
    }
}

/// A connection to a server, or to the proxy that forwards requests to it.
#[derive(Debug)]
pub struct Stream {
    inner: TokioIo<TcpStream>,
    is_forwarded: bool,
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        // With a proxy, requests name the whole URL.
        self.inner.connected().proxy(self.is_forwarded)
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;
    use hyper::body::Bytes;
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    /// What a proxy was asked first, which it answers with nothing.
    async fn asked_of_a_proxy(server: &str, no: &str) -> Option<Vec<String>> {
        let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = SecretString::new(format!("http://somebody:canary@{}", proxy.local_addr().unwrap()));
        let proxies = Proxies { http: url.clone(), https: url, no: no.to_owned() };
        assert!(!format!("{proxies:?}").contains("canary"));
        let client = crate::client::<Empty<Bytes>>(None, &proxies, 1).unwrap();
        let asking = client.get(server.parse().unwrap());
        let listening = async {
            let (connection, _) = proxy.accept().await.unwrap();
            let mut lines = BufReader::new(connection).lines();
            let mut asked = Vec::new();
            while let Some(line) = lines.next_line().await.unwrap().filter(|line| !line.is_empty()) {
                asked.push(line);
            }
            lines.into_inner().into_inner().shutdown().await.unwrap();
            asked
        };
        tokio::select! {
            asked = listening => Some(asked),
            answer = asking => { answer.unwrap_err(); None }
        }
    }

    #[tokio::test]
    async fn a_server_elsewhere_is_reached_through_its_proxy() {
        let asked = asked_of_a_proxy("https://issuer.invalid/keys", "").await.unwrap();
        assert_eq!(asked[0], "CONNECT issuer.invalid:443 HTTP/1.1");
        assert!(
            asked.iter().any(|line| line.to_ascii_lowercase().starts_with("proxy-authorization: basic "))
        );
        let asked = asked_of_a_proxy("http://collector.invalid:4318/v1/traces", "").await.unwrap();
        assert_eq!(asked[0], "GET http://collector.invalid:4318/v1/traces HTTP/1.1");
    }

    #[tokio::test]
    async fn this_machine_and_who_is_excepted_are_reached_directly() {
        assert_eq!(asked_of_a_proxy("http://127.0.0.1:1/", "").await, None);
        assert_eq!(asked_of_a_proxy("https://localhost:1/", "").await, None);
        assert_eq!(asked_of_a_proxy("https://issuer.invalid/", "other.example,.invalid").await, None);
    }

    #[test]
    fn an_asterisk_excepts_addresses_as_well_as_names() {
        let through_a_proxy = |server: &str, no: &str| {
            let url = SecretString::new("http://proxy.example:3128");
            let proxies = Proxies { http: url.clone(), https: url, no: no.to_owned() };
            proxies.matcher().intercept(&server.parse().unwrap()).is_some()
        };
        for server in ["https://192.0.2.1/", "http://[2001:db8::1]/", "https://issuer.example/"] {
            assert!(through_a_proxy(server, "other.example"), "{server}");
            assert!(!through_a_proxy(server, "other.example, *"), "{server}");
        }
    }
}
