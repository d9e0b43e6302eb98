#![doc = include_str!("../README.md")]

mod answer;

use async_trait::async_trait;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use esoz_https::{RemoteClient, RemoteServer, RequestError, SettingsError};
use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_signed_content::{Container, SignatureVerifier};
use hyper::{Request, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

pub use answer::{NOT_A_CONTAINER, NOT_VALID};

/// Has containers judged by an HTTP service.
pub struct ServiceVerifier {
    client: RemoteClient,
}

#[derive(Serialize)]
struct Question {
    signed_content: String,
    signed_content_encoding: &'static str,
}

impl ServiceVerifier {
    /// Creates the adapter without a request.
    ///
    /// # Errors
    /// [`SettingsError`]
    pub fn try_new(settings: &RemoteServer) -> Result<Self, SettingsError> {
        RemoteClient::try_new(settings).map(|client| Self { client })
    }

    /// Creates settings with the defaults: 10 s a request, 4 MiB a response, 16 concurrent requests, https only, the platform's authorities. The URL is
    /// the one that is posted to.
    pub fn settings(url: impl Into<String>) -> RemoteServer {
        RemoteServer {
            timeout_ms: 10_000,
            max_answer_bytes: 4 * 1_024 * 1_024,
            max_concurrent_requests: 16,
            ..RemoteServer::new(url)
        }
    }

    async fn ask(&self, container: &[u8]) -> Result<Result<Container, &'static str>, RequestError> {
        let question =
            Question { signed_content: BASE64_STANDARD.encode(container), signed_content_encoding: "base64" };
        let body = serde_json::to_string(&question)
            .map_err(|_| RequestError::Connection("the request could not be built".to_owned()))?;
        let request = Request::post(self.client.uri()).header(CONTENT_TYPE, "application/json");
        answer::interpret(&self.client.send(request, body).await?)
    }
}

#[async_trait]
impl SignatureVerifier for ServiceVerifier {
    async fn verify(&self, container: &[u8]) -> Result<Result<Container, &'static str>, StoreError> {
        self.ask(container).await.map_err(|error| unavailable(error, self.client.name()))
    }

    /// Gets its URL, which asks nothing of it. Every answer shows that it is there, but one of a gateway in front of it.
    async fn ping(&self) -> Result<(), StoreError> {
        let gone = match self.client.send(Request::get(self.client.uri()), String::new()).await {
            Ok(answer) if !is_of_gateway(answer.status()) => return Ok(()),
            Ok(answer) => RequestError::status(answer.status()),
            Err(RequestError::TooLarge(_)) => return Ok(()),
            Err(error) => error,
        };
        let attempted = format!("checking that {} answers", self.client.name());
        Err(StoreError::new(StoreErrorKind::Unavailable, attempted).because(gone))
    }
}

/// Whether an answer is that of a gateway whose service is away.
fn is_of_gateway(status: StatusCode) -> bool {
    [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT].contains(&status)
}

/// Translates the error. Whatever went wrong, nobody knows whether the signature is valid, and the caller may ask again.
fn unavailable(error: RequestError, server: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, format!("asking {server} about a signed document"))
        .because(error)
}

/// Ways in for fuzz targets: interpret an answer without a server.
#[cfg(feature = "fuzzing")]
pub mod fuzzing {
    use esoz_https::Answer;
    use esoz_kernel::StoreError;
    use esoz_signed_content::Container;
    use hyper::StatusCode;

    /// Interprets a response with status 200 and that body.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn answer(body: &[u8]) -> Result<Result<Container, &'static str>, StoreError> {
        let answer = Answer::new(StatusCode::OK, body);
        crate::answer::interpret(&answer).map_err(|error| crate::unavailable(error, "the service"))
    }
}
