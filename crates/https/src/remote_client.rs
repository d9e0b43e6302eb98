use std::time::Duration;

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

use crate::{HttpsClient, RemoteServer, RequestError, SettingsError, client, json};

/// A client of one server that bounds its requests: their time, the size of an answer, and how many run at the same time. It follows no redirects.
pub struct RemoteClient {
    client: HttpsClient<Full<Bytes>>,
    uri: Uri,
    name: String,
    timeout_ms: u64,
    max_answer_bytes: usize,
    slots: Semaphore,
}

/// A response with its whole body.
pub struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl RemoteClient {
    /// Creates the client without a request.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn try_new(settings: &RemoteServer) -> Result<Self, SettingsError> {
        let uri = settings.checked()?;
        let roots = settings.root_certificate_file.as_deref();
        Ok(Self {
            client: client(roots, &settings.proxies, settings.max_concurrent_requests)?,
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

    /// The configured URL.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The URL without its path, for logs and errors.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sends a request and reads the whole response within the time limit.
    ///
    /// # Errors
    /// [`RequestError`]
    pub async fn send(&self, request: Builder, body: String) -> Result<Answer, RequestError> {
        let request = request
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, "esoz")
            .body(Full::new(Bytes::from(body)))
            .map_err(|_| RequestError::Connection("the request could not be built".to_owned()))?;
        tokio::time::timeout(Duration::from_millis(self.timeout_ms), self.exchange(request))
            .await
            .unwrap_or(Err(RequestError::TimedOut(self.timeout_ms)))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, RequestError> {
        let _slot =
            self.slots.acquire().await.map_err(|closed| RequestError::Connection(closed.to_string()))?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| RequestError::Connection(with_causes(&error)))?;
        let status = response.status();
        let body =
            Limited::new(response.into_body(), self.max_answer_bytes).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    RequestError::TooLarge(self.max_answer_bytes)
                } else {
                    RequestError::Connection(with_causes(error.as_ref()))
                }
            })?;
        Ok(Answer { status, body: body.to_bytes() })
    }
}

impl Answer {
    /// A response with that status and body.
    pub fn new(status: StatusCode, body: &[u8]) -> Self {
        Self { status, body: Bytes::copy_from_slice(body) }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Deserializes the body, a JSON object.
    ///
    /// # Errors
    /// [`RequestError::NotJson`], [`RequestError::InvalidAnswer`]
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, RequestError> {
        json::object(&self.body)
    }
}
