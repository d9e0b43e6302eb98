//! Bounded HTTP requests: limits on time, size and concurrency; no redirects.

use std::time::Duration;

use esoz_https::HttpsClient;
use esoz_kernel::with_causes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    Request, StatusCode, Uri,
    body::Bytes,
    header::{ACCEPT, USER_AGENT},
    http::{request::Builder, uri::Authority},
};
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;

use crate::{RemoteServer, SettingsError, error::RemoteError, json};

/// A token server with its limits.
pub(crate) struct Server {
    client: HttpsClient<Full<Bytes>>,
    /// The configured URL.
    pub(crate) uri: Uri,
    /// The URL without its path, for logs and errors.
    pub(crate) name: String,
    timeout_ms: u64,
    max_answer_bytes: usize,
    slots: Semaphore,
}

/// A response with its whole body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Bytes,
}

impl Server {
    pub(crate) fn try_new(settings: &RemoteServer) -> Result<Self, SettingsError> {
        let uri = settings.checked()?;
        let roots = settings.root_certificate_file.as_deref();
        Ok(Self {
            client: esoz_https::client(roots, &settings.proxies, settings.max_concurrent_requests)?,
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

    /// Sends a request and reads the whole response within the time limit.
    pub(crate) async fn send(&self, request: Builder, body: String) -> Result<Answer, RemoteError> {
        let request = request
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "esoz")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| RemoteError::Connection("the request could not be built".to_owned()))?;
        tokio::time::timeout(Duration::from_millis(self.timeout_ms), self.exchange(request))
            .await
            .unwrap_or(Err(RemoteError::TimedOut(self.timeout_ms)))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, RemoteError> {
        let _slot =
            self.slots.acquire().await.map_err(|closed| RemoteError::Connection(closed.to_string()))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| RemoteError::Connection(with_causes(&error)))?;
        let status = response.status();
        let body =
            Limited::new(response.into_body(), self.max_answer_bytes).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    RemoteError::TooLarge(self.max_answer_bytes)
                } else {
                    RemoteError::Connection(with_causes(error.as_ref()))
                }
            })?;
        Ok(Answer { status, body: body.to_bytes() })
    }
}

impl Answer {
    /// For fuzz targets: a response with status 200 and that body.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn ok(body: &[u8]) -> Self {
        Self { status: StatusCode::OK, body: Bytes::copy_from_slice(body) }
    }

    /// Deserializes the body, a JSON object.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, RemoteError> {
        json::object(&self.body)
    }
}
