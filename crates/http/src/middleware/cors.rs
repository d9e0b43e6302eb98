use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

use crate::context::RequestContext;
use crate::headers;

/// The headers of a request that a page may set.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, api-key, content-type, traceparent, x-request-id, x-idempotency-key",
);
/// The headers of an answer that a page may read.
const ANSWER_HEADERS: HeaderValue = HeaderValue::from_static(
    "allow, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id",
);
/// How long a browser may rely on what it was told, in seconds.
const MAX_AGE_S: u32 = 600;

/// The web origins whose pages may read answers (CORS). Credentials are never allowed beside: a token is what a page sends itself.
pub(crate) struct Origins(Vec<HeaderValue>);

/// What the origin that asks is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AllowedOrigin {
    /// Whether answers differ by who asks.
    differs: bool,
    origin: Option<HeaderValue>,
}

impl Origins {
    pub(super) fn new(allowed: &[String]) -> Self {
        // What cannot be a header is no origin.
        Self(allowed.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect())
    }

    /// No page of any other origin may read anything.
    #[cfg(test)]
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// Whether the origin that the request names is allowed, to the letter.
    pub(crate) fn of(&self, request: &HeaderMap) -> AllowedOrigin {
        let asking = request.get(header::ORIGIN).filter(|origin| self.0.contains(origin));
        AllowedOrigin { differs: !self.0.is_empty(), origin: asking.cloned() }
    }
}

impl AllowedOrigin {
    /// Says it in the headers of an answer.
    pub(crate) fn tell(&self, answer: &mut HeaderMap) {
        if self.differs {
            answer.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = &self.origin {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
        }
    }
}

/// The answer to a browser that asks, for a page of an allowed origin, whether it may send a request; `None` when it is not that.
pub(crate) fn preflight(
    request: &HttpRequest,
    context: &RequestContext,
    verb: &'static str,
) -> Option<HttpResponse> {
    let asks = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && context.allowed_origin.origin.is_some();
    asks.then(|| {
        headers::answer(context, StatusCode::NO_CONTENT, headers::FOR_PROGRAMS)
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, verb))
            .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S))
            .finish()
    })
}
