use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use esoz_https::HttpsClient;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::args::HealthArgs;
use super::{loopback, print};
use crate::config::Config;
use crate::tls;

/// The time limit of the request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The size limit of the answer.
const MAX_BODY_BYTES: usize = 65_536;

/// Asks a running server for its health, and prints the answer. Fails unless its status is a success.
pub(crate) async fn run(config: &Config, args: HealthArgs) -> Result<()> {
    let (base, client) = if let Some(url) = args.url {
        (url.trim_end_matches('/').to_owned(), esoz_https::client(None, 1)?)
    } else {
        let scheme = if config.tls_files()?.is_some() { "https" } else { "http" };
        (format!("{scheme}://{}", loopback(config.bind()?)), local_client()?)
    };
    let url = format!("{base}/health/{}", if args.live { "live" } else { "ready" });
    let request = async {
        let answer = client.get(url.parse()?).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_BODY_BYTES).collect().await;
        anyhow::Ok((status, body.map_err(anyhow::Error::from_boxed)?.to_bytes()))
    };
    let (status, body) = tokio::time::timeout(TIMEOUT, request)
        .await
        .with_context(|| format!("no answer within {TIMEOUT:?}"))
        .flatten()
        .with_context(|| format!("asking {url}"))?;
    print(String::from_utf8_lossy(&body).trim_end())?;
    if status.is_success() { Ok(()) } else { bail!("{url} answers {status}") }
}

/// A client that accepts any certificate: that of the server on this machine is issued for another name, and may be newer or older than
/// the one in the files. Nothing secret is exchanged, and a process that can listen here could as well answer without TLS.
fn local_client() -> Result<HttpsClient<Empty<Bytes>>> {
    let provider = Arc::new(tls::provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Accepts any certificate whose private key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
