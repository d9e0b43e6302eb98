//! The headers that every answer has, whoever makes it.

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};

use crate::context::{REQUEST_ID, RequestContext};

/// The content security policy of what is read by programs: a browser that is led there shows and runs nothing.
pub(crate) const FOR_PROGRAMS: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// A year: how long a browser that has once come by TLS comes by nothing else.
const STRICT_TRANSPORT: &str = "max-age=31536000";

/// Begins an answer: it names its request, is taken for nothing but what it says it is, shown in no frame, and named to no other site;
/// and it tells what there is to tell about transport, origin and budget.
pub(crate) fn answer(
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
    if context.is_last() {
        answer.force_close();
    }
    let mut more = header::HeaderMap::new();
    context.allowed_origin.tell(&mut more);
    if let Some(budget) = context.budget.get() {
        budget.tell(&mut more);
    }
    for header in more {
        answer.append_header(header);
    }
    answer
}
