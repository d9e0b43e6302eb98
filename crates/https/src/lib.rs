#![doc = include_str!("../README.md")]

mod settings;

use std::fmt::Display;
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Body;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

pub use settings::{SettingsError, address};

/// Limits the head of a response, in bytes.
const MAX_HEADER_BYTES: usize = 16_384;

/// Limits what is read of the file with root certificates, in bytes: a wrong path, e.g. of a device, must not fill the memory.
const MAX_ROOTS_BYTES: u64 = 4 << 20;

/// Closes idle connections before servers and load balancers usually do: a request on a connection that the other side closes would fail.
const IDLE_CONNECTION_LIFE: Duration = Duration::from_secs(10);

/// An HTTP client with TLS. It limits neither the duration of a request nor the size of a response body: the caller must.
pub type HttpsClient<B> = Client<HttpsConnector<HttpConnector>, B>;

/// Builds a client without opening a connection.
///
/// `root_certificate_file` (PEM) adds certificate authorities to the public ones; it is read once, here. At most `max_idle_connections` are
/// kept open to each server.
///
/// # Errors
/// [`SettingsError`] about `root_certificate_file` when the file cannot be read or holds no certificate.
pub fn client<B>(
    root_certificate_file: Option<&Path>,
    max_idle_connections: usize,
) -> Result<HttpsClient<B>, SettingsError>
where
    B: Body + Send,
    B::Data: Send,
{
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls(root_certificate_file)?)
        .https_or_http()
        .enable_http1()
        .build();
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_CONNECTION_LIFE)
        .pool_max_idle_per_host(max_idle_connections)
        .http1_max_buf_size(MAX_HEADER_BYTES)
        .build(connector);
    Ok(client)
}

/// TLS 1.2 and 1.3 with the `ring` provider, trusting the public authorities and those of the file.
fn tls(root_certificate_file: Option<&Path>) -> Result<ClientConfig, SettingsError> {
    let refused = |reason: String| SettingsError::new("root_certificate_file", reason);
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = root_certificate_file {
        let unusable = |reason: &dyn Display| refused(format!("{}: {reason}", file.display()));
        let text = File::open(file).map_err(|error| unusable(&error))?.take(MAX_ROOTS_BYTES);
        let public = roots.len();
        for certificate in CertificateDer::pem_reader_iter(BufReader::new(text)) {
            let certificate = certificate.map_err(|error| unusable(&error))?;
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
        if roots.len() == public {
            return Err(unusable(&"holds no certificate in PEM form"));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(format!("cannot be used for TLS: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_never_ends_holds_no_certificate() {
        let refused = tls(Some(Path::new("/dev/zero"))).unwrap_err();
        assert_eq!(refused.to_string(), "root_certificate_file /dev/zero: holds no certificate in PEM form");
    }
}
