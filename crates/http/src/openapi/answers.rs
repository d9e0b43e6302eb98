//! The answers of an operation, each taken from the very value that the service sends: texts, types and headers cannot differ from it.

use std::collections::BTreeMap;
use std::rc::Rc;

use actix_web::HttpResponse;
use actix_web::body::MessageBody as _;
use actix_web::http::StatusCode;
use esoz_kernel::{Failure, RequestId, Uuid};
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::schema::{AdditionalProperties, AllOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{
    Content, ContentBuilder, Header, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder,
};

use super::formats;
use crate::context::{Repetition, RequestContext};
use crate::envelope;
use crate::error::ApiError;
use crate::middleware::{self, AllowedOrigin};

/// The responses of one operation.
pub(super) type Responses = BTreeMap<String, RefOr<Response>>;

/// Answers, gathered.
pub(super) struct Answers {
    context: RequestContext,
    by_status: BTreeMap<u16, Cases>,
}

/// The answers of one status.
struct Cases {
    description: String,
    schema: RefOr<Schema>,
    headers: BTreeMap<&'static str, Header>,
    examples: Vec<(&'static str, Value)>,
}

impl Answers {
    /// What every path may answer, whatever is asked for there: `path` as an example, and the one verb that it takes.
    pub(super) fn of_path(path: &str, verb: &'static str) -> Self {
        let request_id = RequestId::from_uuid(Uuid::from_u128(0x0192_a4f0_6c1e_7b34_9d2f_5e8a_7c60_41bb));
        let url = format!("https://esoz.example{path}");
        let (allowed_origin, budget) = (AllowedOrigin::default(), Rc::default());
        let context = RequestContext {
            request_id,
            repetition: Repetition::Unmarked,
            caller: None,
            url,
            is_secure: false,
            health: None,
            allowed_origin,
            budget,
        };
        Self { context, by_status: BTreeMap::new() }
            .refusal("wrong_verb", &ApiError::method_not_allowed(verb))
            .refusal("headers_too_large", &ApiError::headers_too_large())
            .refusal("internal", &ApiError::internal())
            .refusal("unavailable", &ApiError::unavailable())
    }

    /// And what a server may answer that has too much to do.
    pub(super) fn under_load(self) -> Self {
        self.refusal("overloaded", &ApiError::overloaded())
    }

    /// And what a caller may be answered who asks too often.
    pub(super) fn with_budgets(self) -> Self {
        let guards = middleware::spent();
        self.refusals(guards)
    }

    /// And what reading a body may answer.
    pub(super) fn with_body(self) -> Self {
        self.refusal("body_too_slow", &ApiError::body_too_slow())
            .refusal("body_too_large", &ApiError::body_too_large())
    }

    /// A success with that data, of the shape of that name.
    pub(super) fn success(
        self,
        name: &'static str,
        description: &str,
        shape: &str,
        data: impl Serialize,
    ) -> Self {
        let response = envelope::success(&self.context, data);
        let schema = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("meta", meta_of(StatusCode::OK))
            .required("meta")
            .property("data", Ref::from_schema_name(shape))
            .required("data")
            .additional_properties(Some(AdditionalProperties::FreeForm(false)));
        self.case(name, response, |_| (description.to_owned(), Schema::from(schema.build()).into()))
    }

    /// The answer to a failure of a use case or of authentication.
    pub(super) fn failure(self, name: &'static str, failure: &dyn Failure) -> Self {
        let error = ApiError::from_failure(failure);
        self.refusal(name, &error)
    }

    /// The answer to a check that a caller fails.
    pub(super) fn failed<T>(self, name: &'static str, outcome: Result<T, impl Failure>) -> Self {
        match outcome {
            Ok(_) => self,
            Err(failure) => self.failure(name, &failure),
        }
    }

    /// The answers to bodies that are refused.
    pub(super) fn refusals<T>(
        self,
        outcomes: impl IntoIterator<Item = (&'static str, Result<T, ApiError>)>,
    ) -> Self {
        let errors = outcomes.into_iter().filter_map(|(name, outcome)| Some((name, outcome.err()?)));
        errors.fold(self, |answers, (name, error)| answers.refusal(name, &error))
    }

    /// An error as HTTP shows it.
    pub(super) fn refusal(self, name: &'static str, error: &ApiError) -> Self {
        let response = error.respond(&self.context);
        let status = response.status();
        self.case(name, response, |body| {
            let description = status.canonical_reason().unwrap_or("Refused").to_owned();
            (description, failure_of(status, body.pointer("/error/type").cloned()))
        })
    }

    fn case(
        mut self,
        name: &'static str,
        response: HttpResponse,
        about: impl FnOnce(&Value) -> (String, RefOr<Schema>),
    ) -> Self {
        let status = response.status().as_u16();
        let headers = described_headers(&response);
        // Both conversions succeed: the body is JSON that was rendered just now.
        let bytes = response.into_body().try_into_bytes().unwrap_or_default();
        let mut body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        // One order of properties, whatever features serde_json is built with.
        body.sort_all_objects();
        let cases = self.by_status.entry(status).or_insert_with(|| {
            let (description, schema) = about(&body);
            Cases { description, schema, headers, examples: Vec::new() }
        });
        cases.examples.push((name, body));
        self
    }

    /// All of them.
    pub(super) fn responses(self) -> Responses {
        self.by_status
            .into_iter()
            .map(|(status, cases)| (status.to_string(), cases.response().into()))
            .collect()
    }
}

impl Cases {
    fn response(self) -> Response {
        let examples = self.examples.into_iter().map(|(name, body)| {
            let example = ExampleBuilder::new().value(Some(body)).build();
            (name, RefOr::T(example))
        });
        let content = ContentBuilder::new().schema(Some(self.schema)).examples_from_iter(examples).build();
        response(self.description, content, self.headers)
    }
}

/// A response in JSON.
pub(super) fn response(
    description: impl Into<String>,
    content: Content,
    headers: BTreeMap<&'static str, Header>,
) -> Response {
    let response = ResponseBuilder::new().description(description).content("application/json", content);
    headers.into_iter().fold(response, |response, (name, header)| response.header(name, header)).build()
}

/// Those headers of an answer that mean something to a client.
fn described_headers(response: &HttpResponse) -> BTreeMap<&'static str, Header> {
    let known = [
        ("X-Request-ID", request_id_header()),
        ("Allow", header(ObjectBuilder::new().schema_type(Type::String), "The verb that the path takes.")),
        (
            "WWW-Authenticate",
            header(ObjectBuilder::new().schema_type(Type::String), "What a caller must present (RFC 6750)."),
        ),
        (
            "Retry-After",
            header(
                ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)),
                "After how many seconds the same request may succeed.",
            ),
        ),
        (
            "RateLimit-Policy",
            header(
                ObjectBuilder::new().schema_type(Type::String),
                "What is allowed (draft-ietf-httpapi-ratelimit-headers). While requests per client are limited, every answer to a client \
                 that has proved who it is has it too.",
            ),
        ),
        (
            "RateLimit",
            header(
                ObjectBuilder::new().schema_type(Type::String),
                "What is left of it. Comes with `RateLimit-Policy`.",
            ),
        ),
    ];
    known.into_iter().filter(|(name, _)| response.headers().contains_key(*name)).collect()
}

/// The header that every answer has.
pub(super) fn request_id_header() -> Header {
    HeaderBuilder::new()
        .schema(Some(formats::request_id()))
        .description(Some("The same as `meta.request_id`. Always sent."))
        .build()
}

fn header(schema: ObjectBuilder, description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(schema.build()))
        .description(Some(format!("{description} Always sent with this status.")))
        .build()
}

/// `meta`, with the status that the answer has.
fn meta_of(status: StatusCode) -> Schema {
    narrowed("Meta", "code", Type::Integer, Value::from(status.as_u16()))
}

/// The envelope of a failure, with the status and the type that it has.
fn failure_of(status: StatusCode, kind: Option<Value>) -> RefOr<Schema> {
    let error = narrowed("ErrorBody", "type", Type::String, kind.unwrap_or_default());
    let part = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("meta", meta_of(status))
        .property("error", error)
        .build();
    let whole = AllOfBuilder::new().item(Ref::from_schema_name("Failure")).item(part).build();
    Schema::from(whole).into()
}

/// A shape, one property of which has one value only.
fn narrowed(shape: &str, property: &str, kind: Type, value: Value) -> Schema {
    let only = ObjectBuilder::new().schema_type(kind).enum_values(Some([value])).build();
    let part = ObjectBuilder::new().schema_type(Type::Object).property(property, only).build();
    AllOfBuilder::new().item(Ref::from_schema_name(shape)).item(part).build().into()
}
