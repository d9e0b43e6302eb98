use std::path::Path;
use std::time::Duration;

use esoz_tls::{ClientTls, Verification};
use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;

use crate::{Proxies, ProxyConnector, SettingsError};

/// Limits the head of a response, in bytes.
const MAX_HEADER_BYTES: usize = 16_384;

/// Closes idle connections before servers and load balancers usually do: a request on a connection that the other side closes would fail.
const IDLE_CONNECTION_LIFE: Duration = Duration::from_secs(10);

/// An HTTP client with TLS. It limits neither the duration of a request nor the size of a response body: the caller must.
pub type HttpsClient<B> = Client<HttpsConnector<ProxyConnector>, B>;

/// Builds a client without opening a connection.
///
/// Servers are reached through the proxies that are meant for them. Trusted are the certificate authorities in `root_certificate_file` (PEM), which is
/// read once, here; without it, those of the platform. At most `max_idle_connections` are kept open to each server.
///
/// # Errors
/// [`SettingsError`] about `root_certificate_file` when the file cannot be read or holds no certificate.
pub fn client<B>(
    root_certificate_file: Option<&Path>,
    proxies: &Proxies,
    max_idle_connections: usize,
) -> Result<HttpsClient<B>, SettingsError>
where
    B: Body + Send,
    B::Data: Send,
{
    let tls =
        ClientTls { root_certificate_file: root_certificate_file.map(Path::to_owned), certificate: None }
            .config(Verification::AuthorityAndHost)
            .map_err(|error| {
                SettingsError::new("root_certificate_file", format!("cannot be used: {error}"))
            })?;
    let connector = connector(tls, proxies);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION_LIFE)
        .pool_max_idle_per_host(max_idle_connections)
        .http1_max_buf_size(MAX_HEADER_BYTES)
        .build(connector);
    Ok(client)
}

/// Builds what opens connections: with this TLS for `https` URLs.
pub fn connector(tls: ClientConfig, proxies: &Proxies) -> HttpsConnector<ProxyConnector> {
    let tcp = ProxyConnector::new(proxies);
    HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp)
}
