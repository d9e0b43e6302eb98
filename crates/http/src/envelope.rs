use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde::Serialize;

use crate::context::{REQUEST_ID, RequestContext};

#[derive(Serialize)]
struct Meta<'a> {
    code: u16,
    url: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

#[derive(Serialize)]
struct Success<'a, T> {
    meta: Meta<'a>,
    data: T,
}

#[derive(Serialize)]
struct Failure<'a> {
    meta: Meta<'a>,
    error: &'a ErrorBody,
}

/// The `error` of an envelope.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ErrorBody {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) invalid: Vec<Invalid>,
}

/// One fault of a request, or the property that a refusal is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Invalid {
    pub(crate) entry_type: &'static str,
    pub(crate) entry: String,
    pub(crate) rules: Vec<BrokenRule>,
}

/// Which rule an entry breaks. Never holds what the client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BrokenRule {
    pub(crate) rule: String,
    pub(crate) description: String,
    pub(crate) params: Vec<String>,
}

impl Invalid {
    /// One broken rule of a property of the body.
    pub(crate) fn property(entry: impl Into<String>, rule: &str, description: impl Into<String>) -> Self {
        let rule = BrokenRule { rule: rule.to_owned(), description: description.into(), params: Vec::new() };
        Self { entry_type: "json_data_property", entry: entry.into(), rules: vec![rule] }
    }
}

fn meta(context: &RequestContext, status: StatusCode) -> Meta<'_> {
    Meta {
        code: status.as_u16(),
        url: &context.url,
        kind: "object",
        request_id: context.request_id.as_str(),
        idempotency_key: context.idempotency_key.as_deref(),
    }
}

/// An answer that carries data.
pub(crate) fn success(context: &RequestContext, data: impl Serialize) -> HttpResponse {
    let status = StatusCode::OK;
    HttpResponse::build(status)
        .insert_header((REQUEST_ID, context.request_id.as_str()))
        .json(Success { meta: meta(context, status), data })
}

/// An answer that carries an error.
pub(crate) fn failure(context: &RequestContext, status: StatusCode, error: &ErrorBody) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((REQUEST_ID, context.request_id.as_str()))
        .json(Failure { meta: meta(context, status), error })
}
