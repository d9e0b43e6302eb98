use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use esoz_https::HttpsClient;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{StatusCode, Uri};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};

use super::args::HealthArgs;
use super::{local, print};
use crate::config::Config;
use crate::tls;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes.
const ANSWER_MAX_BYTES: usize = 65_536;

/// Asks a running server; prints what it says.
pub(crate) async fn run(config: &Config, args: HealthArgs) -> Result<ExitCode> {
    let (base, trust) = if let Some(url) = args.url {
        (url.trim_end_matches('/').to_owned(), Trust::Public)
    } else {
        let scheme = if config.tls_files()?.is_some() { "https" } else { "http" };
        (format!("{scheme}://{}", local(config.bind()?)), Trust::ThisMachine)
    };
    let url = format!("{base}/health/{}", if args.live { "live" } else { "ready" });
    let asked = tokio::time::timeout(ANSWER_WITHIN, ask(&url, trust)).await;
    let (status, body) = asked
        .with_context(|| format!("no answer within {ANSWER_WITHIN:?}"))
        .flatten()
        .with_context(|| format!("asking {url}"))?;
    print(String::from_utf8_lossy(&body).trim_end())?;
    if status.is_success() { Ok(ExitCode::SUCCESS) } else { bail!("{url} answers {status}") }
}

async fn ask(url: &str, trust: Trust) -> Result<(StatusCode, Bytes)> {
    let uri: Uri = url.parse()?;
    let client: HttpsClient<Empty<Bytes>> = match trust {
        Trust::Public => esoz_https::client(None, 1)?,
        Trust::ThisMachine => of_this_machine()?,
    };
    let answer = client.get(uri).await?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_MAX_BYTES).collect().await;
    Ok((status, body.map_err(anyhow::Error::from_boxed)?.to_bytes()))
}

/// Whose certificate is taken.
#[derive(Debug, Clone, Copy)]
enum Trust {
    /// That of a server which a public authority vouches for under its name.
    Public,
    /// Any: the server is this machine's own, its certificate is made out to another name, and may be a newer or older one than the
    /// files hold. Nothing secret is sent or answered, and whoever can listen here could as well answer without TLS.
    ThisMachine,
}

/// What sends requests to whoever is there.
fn of_this_machine() -> Result<HttpsClient<Empty<Bytes>>> {
    let provider = Arc::new(tls::provider());
    let verifier = Arc::new(Anyone(provider.clone()));
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1().build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// Takes any certificate whose private key the server has.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
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
