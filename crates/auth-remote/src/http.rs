//! HTTP with a limit on everything: one request, one answer, no redirects, no proxies from the environment.

use std::{error::Error, sync::Arc, time::Duration};

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, StatusCode, Uri,
    body::Bytes,
    header::{ACCEPT, USER_AGENT},
    http::{request::Builder, uri::Authority},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::{RemoteServer, SettingsError, trouble::Trouble};

/// Longer than any sane header, and a bound on what is read before a body begins.
const MAX_HEADER_BYTES: usize = 16_384;

/// Shorter than servers and what stands before them usually keep idle connections, so that we are the ones who close.
const IDLE_CONNECTION_LIFE: Duration = Duration::from_secs(10);

/// A server as it is spoken to.
pub(crate) struct Server {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    name: String,
    timeout_ms: u64,
    max_answer_bytes: usize,
    slots: Semaphore,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Bytes,
}

impl Server {
    pub(crate) fn try_new(settings: &RemoteServer) -> Result<Self, SettingsError> {
        let uri = settings.checked()?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(settings)?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION_LIFE)
            .pool_max_idle_per_host(settings.max_concurrent_requests)
            .http1_max_buf_size(MAX_HEADER_BYTES)
            .build(connector);
        Ok(Self {
            client,
            name: format!(
                "{}://{}",
                uri.scheme_str().unwrap_or_default(),
                uri.authority().map(Authority::as_str).unwrap_or_default()
            ),
            uri,
            timeout_ms: settings.timeout_ms,
            max_answer_bytes: settings.max_answer_bytes,
            slots: Semaphore::new(settings.max_concurrent_requests),
        })
    }

    /// The address that it was given.
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Its address without a path, to tell people.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Sends a request, waits for the whole answer.
    pub(crate) async fn ask(
        &self,
        method: Method,
        uri: &Uri,
        dress: impl FnOnce(Builder) -> Builder,
        body: String,
    ) -> Result<Answer, Trouble> {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "esoz");
        let request = dress(request)
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| Trouble::Connection("the request could not be built".to_owned()))?;
        tokio::time::timeout(Duration::from_millis(self.timeout_ms), self.exchange(request))
            .await
            .unwrap_or(Err(Trouble::TimedOut(self.timeout_ms)))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Trouble> {
        let _slot = self.slots.acquire().await.map_err(|closed| Trouble::Connection(closed.to_string()))?;
        let response =
            self.client.request(request).await.map_err(|error| Trouble::Connection(causes(&error)))?;
        let status = response.status();
        let body =
            Limited::new(response.into_body(), self.max_answer_bytes).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    Trouble::TooLarge(self.max_answer_bytes)
                } else {
                    Trouble::Connection(causes(error.as_ref()))
                }
            })?;
        Ok(Answer { status, body: body.to_bytes() })
    }
}

impl Answer {
    /// The body of an answer that should be JSON of a certain shape. What it holds instead is not told: it may be about
    /// a token.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, Trouble> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Trouble::Nonsense(match error.classify() {
                serde_json::error::Category::Data => "lacks what it must hold, or holds it in another form",
                _ => "is not JSON",
            })
        })
    }
}

/// The TLS of this client: 1.2 and 1.3 by `ring`, and whom it trusts.
fn tls(settings: &RemoteServer) -> Result<ClientConfig, SettingsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = &settings.root_certificate_file {
        let refused = |reason: String| {
            SettingsError::new("root_certificate_file", format!("{}: {reason}", file.display()))
        };
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| refused(error.to_string()))?;
        let mut found = 0_usize;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| refused(error.to_string()))?;
            roots.add(certificate).map_err(|error| refused(error.to_string()))?;
            found += 1;
        }
        if found == 0 {
            return Err(refused("holds no certificate in PEM form".to_owned()));
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::new("url", format!("cannot be spoken to with TLS: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// The error and what is behind it.
fn causes(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
