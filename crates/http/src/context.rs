use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap};
use esoz_kernel::{IdGenerator, IdempotencyKey, RequestId, TraceContext};

use crate::envelope::Invalid;
use crate::error::ApiError;
use crate::health::Health;
use crate::middleware::{AllowedOrigin, Origins, RateLimitStatus};
use crate::url;

/// The header that ties an answer to its request.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// The header by which a client marks a request and its repetitions, as it is published.
pub(crate) const IDEMPOTENCY_KEY: &str = "X-Idempotency-Key";

/// What a request says about being a repetition.
#[derive(Debug, Clone)]
pub(crate) enum Repetition {
    /// Nothing.
    Unmarked,
    /// It is the same as every other one with this key.
    Marked(IdempotencyKey),
    /// Something that cannot be a key.
    Unclear,
}

/// What `meta` and the headers of an answer say about its request (conventions, "Envelope").
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    pub(crate) request_id: RequestId,
    pub(crate) repetition: Repetition,
    /// The span of whoever asks.
    pub(crate) caller: Option<TraceContext>,
    /// Scheme, host and path, without the query.
    pub(crate) url: String,
    /// Whether the request came by TLS.
    pub(crate) is_secure: bool,
    /// Tells whether the server is about to stop; nothing, if there is no server.
    pub(crate) health: Option<Arc<Health>>,
    /// The web origin that it came from, if that may read the answer.
    pub(crate) allowed_origin: AllowedOrigin,
    /// What is remaining of its client's budget, once the client is known.
    pub(crate) budget: Rc<OnceCell<RateLimitStatus>>,
}

impl RequestContext {
    /// Reads it off the request and leaves a copy there for the handler.
    pub(crate) fn attach(
        request: &ServiceRequest,
        ids: &dyn IdGenerator,
        origins: &Origins,
        health: Option<&Arc<Health>>,
    ) -> Self {
        let headers = request.headers();
        let given = text(headers, REQUEST_ID).and_then(RequestId::parse);
        let context = Self {
            request_id: given.unwrap_or_else(|| RequestId::from_uuid(ids.fresh())),
            repetition: Repetition::of(headers),
            caller: only(headers, TraceContext::HEADER).and_then(TraceContext::parse),
            url: url(request),
            is_secure: request.app_config().secure(),
            health: health.cloned(),
            allowed_origin: origins.of(headers),
            budget: Rc::default(),
        };
        request.extensions_mut().insert(context.clone());
        context
    }
}

impl RequestContext {
    /// Whether its connection is to end with its answer: the server is about to stop.
    pub(crate) fn is_last(&self) -> bool {
        self.health.as_ref().is_some_and(|health| health.is_leaving())
    }
}

impl Repetition {
    fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(IDEMPOTENCY_KEY);
        let (first, second) = (given.next(), given.next());
        match (first.map(|value| value.to_str().ok().and_then(IdempotencyKey::parse)), second) {
            (None, _) => Self::Unmarked,
            (Some(Some(key)), None) => Self::Marked(key),
            (Some(_), _) => Self::Unclear,
        }
    }

    /// What the answer repeats.
    pub(crate) fn echoed(&self) -> Option<&str> {
        match self {
            Self::Marked(key) => Some(key.as_str()),
            Self::Unmarked | Self::Unclear => None,
        }
    }

    /// The key, if there is one. What is given and no key is refused: a client that marks its requests relies on it.
    pub(crate) fn key(&self) -> Result<Option<IdempotencyKey>, ApiError> {
        match self {
            Self::Unmarked => Ok(None),
            Self::Marked(key) => Ok(Some(key.clone())),
            Self::Unclear => {
                let most = IdempotencyKey::MAX_CHARS;
                let description = format!("must be given once, as 1 to {most} visible ASCII characters");
                Err(ApiError::invalid(vec![Invalid::header(IDEMPOTENCY_KEY, "format", description)]))
            }
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The text of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name);
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()
}

fn url(request: &ServiceRequest) -> String {
    let config = request.app_config();
    let scheme = if config.secure() { "https" } else { "http" };
    url::of(scheme, text(request.headers(), header::HOST.as_str()), config.host(), request.path())
}
