use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::headers;
use crate::openapi::formats;

/// The metadata of an answer.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meta<'a> {
    /// The HTTP status.
    code: u16,
    /// The requested URL, without its query.
    #[schema(format = "uri")]
    url: &'a str,
    #[serde(rename = "type")]
    #[schema(schema_with = formats::object)]
    kind: &'static str,
    #[schema(schema_with = formats::request_id)]
    request_id: &'a str,
    /// The request's own `X-Idempotency-Key`, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    idempotency_key: Option<&'a str>,
}

/// A success: status and data.
pub(crate) struct Reply<T> {
    status: StatusCode,
    data: T,
}

impl<T> Reply<T> {
    /// 200 with one object.
    pub(crate) fn ok(data: T) -> Self {
        Self { status: StatusCode::OK, data }
    }
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

/// The error of a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorBody {
    /// The type of the error: one for each status.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// The reason. Never repeats what the client sent.
    pub(crate) message: String,
    /// The parts of the request that are at fault, if some are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) invalid: Vec<Invalid>,
}

/// A part of the request that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invalid {
    /// Which part of the request `entry` is in: `json_data_property` or `header`.
    pub(crate) entry_type: &'static str,
    /// Its JSON path, e.g. `$.division_id`, or the name of the header.
    pub(crate) entry: String,
    /// The rules that it breaks.
    pub(crate) rules: Vec<BrokenRule>,
}

/// A rule that an entry breaks. Never repeats what the client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrokenRule {
    /// Its name: `required`, `cast`, `format`, `schema` or `invalid`.
    pub(crate) rule: String,
    /// Its description.
    pub(crate) description: String,
    /// Its parameters.
    pub(crate) params: Vec<String>,
}

impl Invalid {
    /// A property of the body that breaks a rule.
    pub(crate) fn property(entry: impl Into<String>, rule: &str, description: impl Into<String>) -> Self {
        Self::new("json_data_property", entry.into(), rule, description.into())
    }

    /// A header that breaks a rule.
    pub(crate) fn header(name: &str, rule: &str, description: impl Into<String>) -> Self {
        Self::new("header", name.to_owned(), rule, description.into())
    }

    fn new(entry_type: &'static str, entry: String, rule: &str, description: String) -> Self {
        let rule = BrokenRule { rule: rule.to_owned(), description, params: Vec::new() };
        Self { entry_type, entry, rules: vec![rule] }
    }
}

fn meta(context: &RequestContext, status: StatusCode) -> Meta<'_> {
    Meta {
        code: status.as_u16(),
        url: &context.url,
        kind: "object",
        request_id: context.request_id.as_str(),
        idempotency_key: context.echoed_key(),
    }
}

/// Begins an answer that no cache may store.
fn builder(context: &RequestContext, status: StatusCode) -> HttpResponseBuilder {
    let mut builder = headers::with_standard_headers(context, status, headers::API_CSP);
    builder.insert_header((header::CACHE_CONTROL, "no-store"));
    builder
}

/// Renders an answer with data.
pub(crate) fn success<T: Serialize>(context: &RequestContext, reply: Reply<T>) -> HttpResponse {
    let Reply { status, data } = reply;
    builder(context, status).json(Success { meta: meta(context, status), data })
}

/// Renders an answer with an error.
pub(crate) fn failure(context: &RequestContext, status: StatusCode, error: &ErrorBody) -> HttpResponse {
    let meta = meta(context, status);
    builder(context, status).json(Failure { meta, error })
}
