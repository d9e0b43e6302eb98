use std::cell::OnceCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};
use esoz_kernel::{ClientId, IdempotencyKey, RequestId, TraceContext, UserId};

use crate::Api;
use crate::health::Health;
use crate::middleware::{AllowedOrigin, RateLimitStatus};

/// The header that ties an answer to its request.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// The header that carries the idempotency key, as it is published.
pub(crate) const IDEMPOTENCY_KEY: &str = "X-Idempotency-Key";

/// The `X-Idempotency-Key` of a request, if it has one.
pub(crate) type IdempotencyHeader = Result<Option<IdempotencyKey>, MalformedKey>;

/// The `X-Idempotency-Key` is no key, or there are several.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MalformedKey;

/// A header that may be given once is given several times.
pub(crate) struct RepeatedHeader(pub(crate) &'static str);

/// Returns the value of a header that may be given once. A second one is refused: a proxy in between might read the other.
pub(crate) fn at_most_one<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a HeaderValue>, RepeatedHeader> {
    let mut values = headers.get_all(name);
    let (first, second) = (values.next(), values.next());
    if second.is_none() { Ok(first) } else { Err(RepeatedHeader(name)) }
}

/// What an answer, its headers and the log line say about the request (conventions, "Envelope").
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    pub(crate) request_id: RequestId,
    pub(crate) idempotency: IdempotencyHeader,
    /// The caller's span, from `traceparent`.
    pub(crate) parent: Option<TraceContext>,
    /// Scheme, host and path, without the query.
    pub(crate) url: String,
    /// The address of the client; `None` where there is no connection.
    pub(crate) client_address: Option<IpAddr>,
    /// Whether the request came by TLS.
    pub(crate) is_secure: bool,
    /// The health of the server; `None` where no server runs.
    pub(crate) health: Option<Arc<Health>>,
    /// The web origin of the request, if it may read the answer.
    pub(crate) allowed_origin: AllowedOrigin,
    /// The client's rate limit, once the client is authenticated.
    pub(crate) rate_limit: Rc<OnceCell<RateLimitStatus>>,
    /// The authenticated client, for the log.
    pub(crate) client_id: Rc<OnceCell<ClientId>>,
    /// The authenticated user, for the log.
    pub(crate) user_id: Rc<OnceCell<UserId>>,
    /// The outcome of the operation, for the log: `ok` or a failure's code.
    pub(crate) outcome: Rc<OnceCell<&'static str>>,
    /// What the caller does not learn of the outcome, for the log: which of several causes with one answer it was.
    pub(crate) reason: Rc<OnceCell<&'static str>>,
}

impl RequestContext {
    /// Reads the context of a request and attaches a copy to it for its handler.
    pub(crate) fn attach(request: &ServiceRequest, api: &Api) -> Self {
        let headers = request.headers();
        let peer = request.peer_addr().map(|peer| peer.ip());
        let origin = api.addressing.origin(peer, headers, request.path());
        let given = header_text(headers, REQUEST_ID).and_then(RequestId::parse);
        let context = Self {
            idempotency: idempotency_header(headers),
            parent: parent(headers),
            is_secure: origin.is_secure,
            client_address: origin.client,
            health: Some(api.health.clone()),
            allowed_origin: api.admission.origins.allowed(headers),
            ..Self::new(given.unwrap_or_else(|| RequestId::from_uuid(api.ids.fresh())), origin.url)
        };
        request.extensions_mut().insert(context.clone());
        context
    }

    /// The context of a request without headers.
    pub(crate) fn new(request_id: RequestId, url: String) -> Self {
        Self {
            request_id,
            idempotency: Ok(None),
            parent: None,
            url,
            client_address: None,
            is_secure: false,
            health: None,
            allowed_origin: AllowedOrigin::default(),
            rate_limit: Rc::default(),
            client_id: Rc::default(),
            user_id: Rc::default(),
            outcome: Rc::default(),
            reason: Rc::default(),
        }
    }

    /// Whether the answer closes its connection, since the server is shutting down.
    pub(crate) fn closes_connection(&self) -> bool {
        self.health.as_ref().is_some_and(|health| health.is_shutting_down())
    }

    /// The idempotency key that the answer repeats.
    pub(crate) fn echoed_key(&self) -> Option<&str> {
        self.idempotency.as_ref().ok()?.as_ref().map(IdempotencyKey::as_str)
    }
}

fn idempotency_header(headers: &HeaderMap) -> IdempotencyHeader {
    let Some(value) = at_most_one(headers, IDEMPOTENCY_KEY).map_err(|_| MalformedKey)? else {
        return Ok(None);
    };
    value.to_str().ok().and_then(IdempotencyKey::parse).map(Some).ok_or(MalformedKey)
}

/// The caller's span; `None` when it is malformed, or there are several.
fn parent(headers: &HeaderMap) -> Option<TraceContext> {
    TraceContext::parse(at_most_one(headers, TraceContext::HEADER).ok()??.to_str().ok()?)
}

fn header_text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
