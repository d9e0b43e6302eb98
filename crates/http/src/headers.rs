//! The headers of every answer.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};

use crate::context::{REQUEST_ID, RequestContext};
use crate::middleware::RateLimitStatus;

/// The content security policy (CSP) of API answers: a browser renders and runs nothing of them.
pub(crate) const API_CSP: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// The CSP of pages: allows what this server sends and nothing else; the icons in the style sheet of Swagger UI are `data:`.
pub(crate) const PAGE_CSP: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The time for which a browser that came by TLS insists on it: a year.
const STRICT_TRANSPORT: &str = "max-age=31536000";

/// Begins an answer with the standard headers: request id, security headers (sniffing, framing, referrer, CSP, HSTS), CORS and rate limit.
pub(crate) fn with_standard_headers(
    context: &RequestContext,
    status: StatusCode,
    content_security_policy: HeaderValue,
) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    answer
        .insert_header((REQUEST_ID, context.request_id.as_str()))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CONTENT_SECURITY_POLICY, content_security_policy));
    if context.is_secure {
        answer.insert_header((header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT));
    }
    if context.closes_connection() {
        answer.force_close();
    }
    let mut more = header::HeaderMap::new();
    context.allowed_origin.write_headers(&mut more);
    for header in more {
        answer.append_header(header);
    }
    for header in context.rate_limit.get().into_iter().flat_map(RateLimitStatus::headers) {
        answer.insert_header(header);
    }
    answer
}
