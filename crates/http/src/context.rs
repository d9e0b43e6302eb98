use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap};
use esoz_kernel::{IdGenerator, RequestId, TraceContext};

/// The header that ties an answer to its request.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// The header by which a client marks a repetition.
const IDEMPOTENCY_KEY: &str = "x-idempotency-key";
/// The longest idempotency key that is echoed, in characters.
const IDEMPOTENCY_KEY_MAX_CHARS: usize = 255;

/// What `meta` says about a request (conventions, "Envelope").
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    pub(crate) request_id: RequestId,
    pub(crate) idempotency_key: Option<String>,
    /// The span of whoever asks.
    pub(crate) caller: Option<TraceContext>,
    /// Scheme, host and path, without the query.
    pub(crate) url: String,
}

impl RequestContext {
    /// Reads it off the request and leaves a copy there for the handler.
    pub(crate) fn attach(request: &ServiceRequest, ids: &dyn IdGenerator) -> Self {
        let headers = request.headers();
        let given = text(headers, REQUEST_ID).and_then(RequestId::parse);
        let context = Self {
            request_id: given.unwrap_or_else(|| RequestId::from_uuid(ids.fresh())),
            idempotency_key: text(headers, IDEMPOTENCY_KEY).filter(|key| is_echoed(key)).map(str::to_owned),
            caller: only(headers, TraceContext::HEADER).and_then(TraceContext::parse),
            url: url(request),
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
