use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use esoz_auth::Secret;
use reqwest::header::{HeaderName, HeaderValue};
use serde_json::Value;

use crate::{Answer, DEADLINE, PUBLISHED, secret_scan};

/// Less than the server keeps an idle connection (`http.keep_alive_ms`): a request on one that it closes just then gets no answer.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Keeps connections as a client has to.
///
/// # Panics
/// Without a provider of cryptography.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(DEADLINE).pool_idle_timeout(POOL_IDLE_TIMEOUT).build().unwrap()
}

/// A request on its way.
#[derive(Debug)]
pub struct Request {
    builder: reqwest::RequestBuilder,
    method: reqwest::Method,
    url: String,
}

impl Request {
    /// Begins a request.
    pub fn new(client: &reqwest::Client, method: reqwest::Method, url: String) -> Self {
        Self { builder: client.request(method.clone(), &url), method, url }
    }

    /// With that bearer token.
    #[must_use]
    pub fn token(self, token: &Secret) -> Self {
        self.header("authorization", &format!("Bearer {}", token.expose()))
    }

    /// With that api key.
    #[must_use]
    pub fn api_key(self, api_key: &Secret) -> Self {
        self.header("api-key", api_key.expose())
    }

    /// With that header.
    ///
    /// # Panics
    /// When it cannot be one.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        match name.as_str() {
            "authorization" => {
                secret_scan::register_secret("a token", value.rsplit(' ').next().unwrap_or(value));
            }
            "api-key" => secret_scan::register_secret("an api key", value),
            _ => {}
        }
        self.builder = self.builder.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// With that body, declared to be JSON.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        let signed = body["signed_data"].as_str().and_then(|text| STANDARD.decode(text).ok());
        if let Some(container) = signed {
            secret_scan::register_signed_document(&container);
        }
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// With that body, declared to be nothing.
    #[must_use]
    pub fn body(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.body(body);
        self
    }

    /// Sends it, and holds the answer against the published description (C06).
    ///
    /// # Panics
    /// When there is no answer, or it is not as described.
    pub async fn send(self) -> Answer {
        let Self { builder, method, url } = self;
        let response = builder.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.expect("the whole answer");
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") };
        secret_scan::assert_no_secret("an answer", &secret_scan::without_own_data(body.clone()).to_string());
        secret_scan::assert_no_secret("the head of an answer", &format!("{headers:?}"));
        let url = url.split('?').next().unwrap_or_default().to_owned();
        let answer = Answer { method, status, headers, body, url };
        let fault = PUBLISHED.check(&answer).err();
        assert!(fault.is_none(), "{}", fault.unwrap_or_default());
        answer
    }
}
