use std::cell::OnceCell;
use std::rc::Rc;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap};
use esoz_kernel::{IdGenerator, RequestId, TraceContext};

use crate::guards::{AllowedOrigin, Budget, Origins};

/// The header that ties an answer to its request.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// The header by which a client marks a repetition.
const IDEMPOTENCY_KEY: &str = "x-idempotency-key";
/// The longest idempotency key that is echoed, in characters.
const IDEMPOTENCY_KEY_MAX_CHARS: usize = 255;

/// What `meta` and the headers of an answer say about its request (conventions, "Envelope").
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    pub(crate) request_id: RequestId,
    pub(crate) idempotency_key: Option<String>,
    /// The span of whoever asks.
    pub(crate) caller: Option<TraceContext>,
    /// Scheme, host and path, without the query.
    pub(crate) url: String,
    /// Whether the request came by TLS.
    pub(crate) is_secure: bool,
    /// The web origin that it came from, if that may read the answer.
    pub(crate) allowed_origin: AllowedOrigin,
    /// What is left of its client's budget, once the client is known.
    pub(crate) budget: Rc<OnceCell<Budget>>,
}

impl RequestContext {
    /// Reads it off the request and leaves a copy there for the handler.
    pub(crate) fn attach(request: &ServiceRequest, ids: &dyn IdGenerator, origins: &Origins) -> Self {
        let headers = request.headers();
        let given = text(headers, REQUEST_ID).and_then(RequestId::parse);
        let context = Self {
            request_id: given.unwrap_or_else(|| RequestId::from_uuid(ids.fresh())),
            idempotency_key: text(headers, IDEMPOTENCY_KEY).filter(|key| is_echoed(key)).map(str::to_owned),
            caller: only(headers, TraceContext::HEADER).and_then(TraceContext::parse),
            url: url(request),
            is_secure: request.app_config().secure(),
            allowed_origin: origins.of(headers),
            budget: Rc::default(),
        };
        request.extensions_mut().insert(context.clone());
        context
    }
}

fn is_echoed(key: &str) -> bool {
    (1..=IDEMPOTENCY_KEY_MAX_CHARS).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
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
    let host = text(request.headers(), header::HOST.as_str()).unwrap_or_else(|| config.host());
    format!("{scheme}://{host}{}", request.path())
}
