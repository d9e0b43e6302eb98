use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder};
use esoz_kernel::{Page, PageRequest};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::context::RequestContext;
use crate::headers;
use crate::openapi::formats::{self, LIST, OBJECT};

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
    #[schema(schema_with = formats::data_type)]
    kind: &'static str,
    #[schema(schema_with = formats::request_id)]
    request_id: &'a str,
    /// The request's own `X-Idempotency-Key`, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    idempotency_key: Option<&'a str>,
}

/// A success: status, data, and of a list its paging.
pub(crate) struct Reply<T> {
    status: StatusCode,
    /// The type of its data.
    pub(crate) kind: &'static str,
    data: T,
    pub(crate) paging: Option<Paging>,
}

impl<T> Reply<T> {
    /// 200 with one object.
    pub(crate) fn ok(data: T) -> Self {
        Self { status: StatusCode::OK, kind: OBJECT, data, paging: None }
    }

    /// 201 with the object that was created.
    pub(crate) fn created(data: T) -> Self {
        Self { status: StatusCode::CREATED, ..Self::ok(data) }
    }
}

impl<T> Reply<[T; 1]> {
    /// 200 with a list that holds one object and has no pages.
    pub(crate) fn list_of_one(data: T) -> Self {
        Self { status: StatusCode::OK, kind: LIST, data: [data], paging: None }
    }
}

impl<T> Reply<Vec<T>> {
    /// 200 with a page of a list.
    pub(crate) fn page<S>(
        shape: PagingShape,
        request: PageRequest,
        page: Page<S>,
        render: impl Fn(S) -> T,
    ) -> Self {
        let paging = Some(Paging { shape, request, total_entries: page.total_entries });
        let data = page.items.into_iter().map(render).collect();
        Self { status: StatusCode::OK, kind: LIST, data, paging }
    }
}

/// Which page of a list an answer holds, and how long the list is.
pub(crate) struct Paging {
    pub(crate) shape: PagingShape,
    request: PageRequest,
    total_entries: u64,
}

/// A shape of `paging`: the aggregates differ in it.
#[derive(Clone, Copy)]
pub(crate) struct PagingShape {
    /// The name of the field with the number of the page.
    number: &'static str,
    /// Its name in the description.
    pub(crate) schema: &'static str,
}

/// The paging of contract divisions and events.
pub(crate) const PAGE_NUMBER: PagingShape = PagingShape { number: "page_number", schema: "Paging" };
/// The paging of device dispenses.
pub(crate) const PAGE: PagingShape = PagingShape { number: "page", schema: "DeviceDispensePaging" };

impl Paging {
    /// Its fields, in their order.
    pub(crate) fn fields(&self) -> [(&'static str, u64); 4] {
        let Self { shape, request, total_entries } = self;
        [
            (shape.number, request.number().into()),
            ("page_size", request.size().into()),
            ("total_entries", *total_entries),
            ("total_pages", request.total_pages(*total_entries)),
        ]
    }
}

impl Serialize for Paging {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields())
    }
}

#[derive(Serialize)]
struct Success<'a, T> {
    meta: Meta<'a>,
    data: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    paging: Option<Paging>,
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
    /// Which part of the request `entry` is in: `json_data_property`, `query_parameter` or `header`.
    pub(crate) entry_type: &'static str,
    /// Its JSON path, e.g. `$.division_id`, `$.` and the name of the query parameter, or the name of the header.
    pub(crate) entry: String,
    /// The rules that it breaks.
    pub(crate) rules: Vec<BrokenRule>,
}

/// A rule that an entry breaks. Never repeats what the client sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrokenRule {
    /// Its name: `required`, `cast`, `number`, `format`, `inclusion`, `datetime`, `schema` or `invalid`.
    pub(crate) rule: String,
    /// Its description.
    pub(crate) description: String,
    /// Its parameters: the values that `inclusion` allows, the bounds of `number`.
    pub(crate) params: Vec<String>,
}

impl Invalid {
    /// A property of the body that breaks a rule.
    pub(crate) fn property(entry: impl Into<String>, rule: &str, description: impl Into<String>) -> Self {
        Self::new("json_data_property", entry.into(), rule, description.into(), Vec::new())
    }

    /// A property of the body that holds none of these values.
    pub(crate) fn property_not_in_enum(entry: impl Into<String>, values: &[&str]) -> Self {
        let (rule, description, params) = not_in_enum(values);
        Self::new("json_data_property", entry.into(), rule, description, params)
    }

    /// A header that breaks a rule.
    pub(crate) fn header(name: &str, rule: &str, description: impl Into<String>) -> Self {
        Self::new("header", name.to_owned(), rule, description.into(), Vec::new())
    }

    /// A query parameter that breaks a rule.
    pub(crate) fn query_parameter(entry: String, (rule, description, params): Fault) -> Self {
        Self::new("query_parameter", entry, rule, description, params)
    }

    fn new(
        entry_type: &'static str,
        entry: String,
        rule: &str,
        description: String,
        params: Vec<String>,
    ) -> Self {
        let rule = BrokenRule { rule: rule.to_owned(), description, params };
        Self { entry_type, entry, rules: vec![rule] }
    }
}

/// A rule that is broken, its description and its parameters.
pub(crate) type Fault = (&'static str, String, Vec<String>);

/// The fault of a value that is none of these; the parameters name them.
pub(crate) fn not_in_enum(values: &[&str]) -> Fault {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    ("inclusion", "value is not allowed in enum".to_owned(), values)
}

/// The type of the errors of a status (conventions, "Errors").
pub(crate) fn error_type(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "request_malformed",
        StatusCode::UNAUTHORIZED => "access_denied",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::METHOD_NOT_ALLOWED => "method_not_allowed",
        StatusCode::REQUEST_TIMEOUT => "request_timeout",
        StatusCode::CONFLICT => "request_conflict",
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => "request_too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "content_type_invalid",
        StatusCode::MISDIRECTED_REQUEST => "misdirected_request",
        StatusCode::UNPROCESSABLE_ENTITY => "validation_failed",
        StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
        StatusCode::SERVICE_UNAVAILABLE => "service_unavailable",
        _ => "internal_error",
    }
}

fn meta<'a>(context: &'a RequestContext, status: StatusCode, kind: &'static str) -> Meta<'a> {
    Meta {
        code: status.as_u16(),
        url: &context.url,
        kind,
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
    let Reply { status, kind, data, paging } = reply;
    builder(context, status).json(Success { meta: meta(context, status, kind), data, paging })
}

/// Renders an answer with an error.
pub(crate) fn failure(context: &RequestContext, status: StatusCode, error: &ErrorBody) -> HttpResponse {
    let meta = meta(context, status, OBJECT);
    builder(context, status).json(Failure { meta, error })
}
