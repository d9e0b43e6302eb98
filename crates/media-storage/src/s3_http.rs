//! How the S3 client sends its requests: by the HTTP client of the whole program.

use std::fmt;

use async_trait::async_trait;
use esoz_https::{HttpsClient, SettingsError};
use esoz_kernel::with_causes;
use http_body_util::{BodyExt as _, Limited};
use hyper::StatusCode;
use hyper::body::{Body, Bytes};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};

use crate::S3Settings;
use crate::error::S3Error;

/// How much of an answer is read that says why something was not done.
const MAX_ERROR_BYTES: usize = 65_536;

/// S3's codes are words like `NoSuchBucket`. What is longer is none.
const MAX_CODE_BYTES: usize = 64;

/// Sends requests with the trust and the proxies of the settings. Turns every answer but a success into an error that holds an [`S3Error`].
pub(crate) struct Sender(HttpsClient<HttpRequestBody>);

impl fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sender")
    }
}

/// Gives the S3 client its one [`Sender`].
#[derive(Debug)]
pub(crate) struct Connector(HttpClient);

impl Connector {
    pub(crate) fn try_new(settings: &S3Settings) -> Result<Self, SettingsError> {
        let roots = settings.root_certificate_file.as_deref();
        let client = esoz_https::client(roots, &settings.proxies, settings.max_concurrent_operations)?;
        Ok(Self(HttpClient::new(Sender(client))))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.0.clone())
    }
}

#[async_trait]
impl HttpService for Sender {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.0.request(request).await.map_err(|error| {
            // Nothing was sent without a connection, so every request may be repeated.
            let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Interrupted };
            HttpError::new(kind, S3Error::Connection(with_causes(&error)))
        })?;
        let status = response.status();
        if !status.is_success() {
            let code = code(response.into_body()).await;
            return Err(HttpError::new(retried(status), S3Error::Status { status, code }));
        }
        Ok(response.map(|body| {
            HttpResponseBody::new(body.map_err(|error| {
                HttpError::new(HttpErrorKind::Interrupted, S3Error::Connection(with_causes(&error)))
            }))
        }))
    }
}

/// Which requests the S3 client repeats after that answer: all, those that change nothing, or none. A write whose outcome is unknown must not be
/// repeated, as it might find its own object there.
fn retried(status: StatusCode) -> HttpErrorKind {
    match status {
        // The storage did not begin with it.
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => HttpErrorKind::Request,
        StatusCode::REQUEST_TIMEOUT => HttpErrorKind::Interrupted,
        _ if status.is_server_error() => HttpErrorKind::Interrupted,
        _ => HttpErrorKind::Unknown,
    }
}

/// S3's code for a failure: `<Error><Code>NoSuchKey</Code>…`. The rest of the answer repeats the request, and is not kept.
async fn code(body: impl Body<Data = Bytes, Error = hyper::Error>) -> String {
    let Ok(body) = Limited::new(body, MAX_ERROR_BYTES).collect().await else { return String::new() };
    let body = body.to_bytes();
    let text = String::from_utf8_lossy(&body);
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"))
        .map_or("", |(code, _)| code);
    let is_word = code.len() <= MAX_CODE_BYTES && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_word { code.to_owned() } else { String::new() }
}
