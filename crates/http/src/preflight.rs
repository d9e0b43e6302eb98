use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

use crate::context::RequestContext;
use crate::headers;

/// The request headers that a page may set.
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "authorization, api-key, content-type, traceparent, x-request-id, x-idempotency-key",
);
/// The time for which a browser may cache the answer, in seconds.
const MAX_AGE_S: u32 = 600;

/// Answers a CORS preflight of an allowed origin, naming every method of the path; `None` when the request is something else.
pub(crate) fn preflight(
    request: &HttpRequest,
    context: &RequestContext,
    methods: &str,
) -> Option<HttpResponse> {
    let is_preflight = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        && context.allowed_origin.is_allowed();
    is_preflight.then(|| {
        headers::with_standard_headers(context, StatusCode::NO_CONTENT, headers::API_CSP)
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, methods))
            .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S))
            .finish()
    })
}

/// Renders the value of `Allow`: the methods that a path takes, and `HEAD` beside `GET`.
pub(crate) fn allow_header<'a>(methods: impl Iterator<Item = &'a Method>) -> String {
    let head = |method: &'a Method| (*method == Method::GET).then_some("HEAD");
    let names = methods.flat_map(|method| [Some(method.as_str()), head(method)]).flatten();
    names.collect::<Vec<_>>().join(", ")
}
