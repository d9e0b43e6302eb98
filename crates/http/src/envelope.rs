use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::headers;
use crate::openapi::formats;

/// What every answer says about itself.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meta<'a> {
    /// The HTTP status.
    code: u16,
    /// What was asked for, without the query.
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

/// The outcome of an operation, as it is answered.
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

/// Why a request was refused.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorBody {
    /// The sort of refusal: one for each status.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// Why. Never holds what the client sent.
    pub(crate) message: String,
    /// The parts of the request that it is about, if it is about some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) invalid: Vec<Invalid>,
}

/// One fault of a request, or the property that a refusal is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invalid {
    /// Which part of the request `entry` is in: `json_data_property` or `header`.
    pub(crate) entry_type: &'static str,
    /// Where, e.g. `$.division_id`, or the name of the header.
    pub(crate) entry: String,
    /// What is wrong there.
    pub(crate) rules: Vec<BrokenRule>,
}

/// Which rule an entry breaks. Never holds what the client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrokenRule {
    /// Its name: `required`, `cast`, `format`, `schema` or `invalid`.
    pub(crate) rule: String,
    /// It in words.
    pub(crate) description: String,
    /// What it was applied with.
    pub(crate) params: Vec<String>,
}

impl Invalid {
    /// One broken rule of a property of the body.
    pub(crate) fn property(entry: impl Into<String>, rule: &str, description: impl Into<String>) -> Self {
        Self::new("json_data_property", entry.into(), rule, description.into())
    }

    /// One broken rule of a header.
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

/// An answer without its body. Only its caller may keep it: no cache on the way.
fn builder(context: &RequestContext, status: StatusCode) -> HttpResponseBuilder {
    let mut builder = headers::with_standard_headers(context, status, headers::API_CSP);
    builder.insert_header((header::CACHE_CONTROL, "no-store"));
    builder
}

/// An answer that carries data.
pub(crate) fn success<T: Serialize>(context: &RequestContext, reply: Reply<T>) -> HttpResponse {
    let Reply { status, data } = reply;
    builder(context, status).json(Success { meta: meta(context, status), data })
}

/// An answer that carries an error.
pub(crate) fn failure(context: &RequestContext, status: StatusCode, error: &ErrorBody) -> HttpResponse {
    let meta = meta(context, status);
    builder(context, status).json(Failure { meta, error })
}
