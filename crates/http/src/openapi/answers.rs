//! The answers of an operation, each taken from the very value that the service sends: texts, types and headers cannot differ from it.

use std::collections::BTreeMap;

use actix_web::HttpResponse;
use actix_web::body::MessageBody as _;
use actix_web::http::StatusCode;
use esoz_auth::{AuthError, CallerKind, Operation, authorize};
use esoz_kernel::{Failure, RequestId, Uuid};
use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{
    Content, ContentBuilder, Header, HeaderBuilder, Ref, RefOr, Response, ResponseBuilder,
};

use super::components::{name_of_response, pascal_case};
use super::envelopes::envelope_of;
use super::example::caller_without_scopes;
use super::formats;
use crate::context::RepeatedHeader;
use crate::context::{MalformedKey, RequestContext};
use crate::envelope::{self, Reply};
use crate::error::ApiError;
use crate::extract::body::parse_nothing;
use crate::extract::headers::idempotency_key;
use crate::middleware::EXHAUSTED;

/// The responses of one operation.
pub(crate) type Responses = BTreeMap<String, RefOr<Response>>;

/// Collects the answers of an operation.
pub(crate) struct Answers {
    context: RequestContext,
    by_status: BTreeMap<u16, Cases>,
}

/// The URL in the examples of a response that several operations share.
const SHARED_URL: &str = "https://esoz.example/api";

/// The answers of one status.
struct Cases {
    /// The name of the response in the components, if other operations may give the same.
    name: Option<String>,
    description: String,
    schema: RefOr<Schema>,
    headers: BTreeMap<&'static str, Header>,
    examples: Vec<(&'static str, Value)>,
}

impl Answers {
    /// Creates it without answers; `path` is the one in their examples.
    pub(crate) fn new(path: &str) -> Self {
        let request_id = RequestId::from_uuid(Uuid::from_u128(0x0192_a4f0_6c1e_7b34_9d2f_5e8a_7c60_41bb));
        let context = RequestContext::new(request_id, format!("https://esoz.example{path}"));
        Self { context, by_status: BTreeMap::new() }
    }

    /// Creates it with the answers that every path may give, whatever the method.
    pub(crate) fn of_path(path: &str) -> Self {
        Self::new(path)
            .refusal("headers_too_large", &ApiError::headers_too_large())
            .refusal("too_many_headers", &ApiError::too_many_headers(64))
            .refusal("malformed", &ApiError::broken_framing())
            .refusal("websocket", &ApiError::websocket())
            .refusal("internal", &ApiError::internal())
            .refusal("unavailable", &ApiError::unavailable())
            .named(StatusCode::BAD_REQUEST, "UnreadableRequest")
            .named(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "RequestHeaderFieldsTooLarge")
            .named(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError")
    }

    /// Creates it with every error of an operation: overload, rate limits, authentication, scopes, and its own failures.
    pub(crate) fn of_operation<O: Operation>(path: &str) -> Self {
        let [requests, failures] = EXHAUSTED;
        let is_asked = |error: &AuthError| {
            let about_api_key = matches!(error, AuthError::NoApiKey | AuthError::InvalidApiKey(_));
            O::CALLER == CallerKind::UserWithApiKey || !about_api_key
        };
        let unauthorized = match O::CALLER {
            CallerKind::User => "Unauthorized",
            CallerKind::UserWithApiKey => "UnauthorizedWithApiKey",
        };
        let refused = authorize::<O>(&caller_without_scopes()).err();
        Self::of_path(path)
            .under_load()
            .refusal("repeated_header", &RepeatedHeader("Authorization").into())
            .refusal("too_many_requests", &ApiError::too_many_requests(requests))
            .refusal("too_many_failures", &ApiError::too_many_failures(failures))
            .failures(AuthError::examples().into_iter().filter(is_asked))
            .named(StatusCode::BAD_REQUEST, "BadRequest")
            .named(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests")
            .named(StatusCode::UNAUTHORIZED, unauthorized)
            .failures(refused)
            .named(StatusCode::FORBIDDEN, format!("ForbiddenWithout{}", pascal_case(O::SCOPE)))
            .failures(O::Error::examples())
    }

    /// Adds the answer of a server under overload.
    pub(crate) fn under_load(self) -> Self {
        self.refusal("overloaded", &ApiError::overloaded())
            .named(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable")
    }

    /// Adds the answers of an operation that writes: to a body that cannot be read, and to a malformed idempotency key.
    pub(crate) fn with_write_refusals(self) -> Self {
        self.refusal("unsupported_content_encoding", &ApiError::unsupported_content_encoding())
            .refusal("body_too_slow", &ApiError::body_too_slow())
            .refusal("body_too_large", &ApiError::body_too_large())
            .refusals([("idempotency_key", idempotency_key(&Err(MalformedKey)))])
            .named(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedContentEncoding")
            .named(StatusCode::REQUEST_TIMEOUT, "RequestTimeout")
            .named(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge")
    }

    /// Adds the refusals of an operation that writes and takes no body.
    pub(crate) fn with_empty_body(self) -> Self {
        self.with_write_refusals()
            .refusals([
                ("not_an_object", parse_nothing(b"[]")),
                ("additional_property", parse_nothing(br#"{"reason":1}"#)),
            ])
            .named(StatusCode::UNPROCESSABLE_ENTITY, "InvalidEmptyBody")
    }

    /// Adds a success, with `data` of the named schema.
    pub(crate) fn success<T: Serialize>(
        self,
        name: &'static str,
        description: &str,
        schema: &str,
        reply: Reply<T>,
    ) -> Self {
        let whole = envelope_of(schema, &reply);
        let response = envelope::success(&self.context, reply);
        self.case(name, response, description.to_owned(), Schema::from(whole).into())
    }

    /// Adds the answers to failures, each under its code. Server faults have one constant answer, which every path has already.
    fn failures<F: Failure>(self, failures: impl IntoIterator<Item = F>) -> Self {
        let told = failures.into_iter().filter(|failure| !failure.kind().is_server_fault());
        told.fold(self, |answers, failure| answers.refusal(failure.code(), &ApiError::from_failure(&failure)))
    }

    /// Adds the errors among these outcomes.
    pub(crate) fn refusals<T>(
        self,
        outcomes: impl IntoIterator<Item = (&'static str, Result<T, ApiError>)>,
    ) -> Self {
        let errors = outcomes.into_iter().filter_map(|(name, outcome)| Some((name, outcome.err()?)));
        errors.fold(self, |answers, (name, error)| answers.refusal(name, &error))
    }

    /// Adds an error.
    pub(crate) fn refusal(self, name: &'static str, error: &ApiError) -> Self {
        let response = error.respond(&self.context);
        let description = response.status().canonical_reason().unwrap_or("Refused").to_owned();
        self.case(name, response, description, Ref::from_schema_name("Failure").into())
    }

    /// Names the response of a status: operations that give the same one under that name share it. An answer that is added takes the name
    /// away.
    pub(crate) fn named(mut self, status: StatusCode, name: impl Into<String>) -> Self {
        if let Some(cases) = self.by_status.get_mut(&status.as_u16()) {
            cases.name = Some(name.into());
        }
        self
    }

    fn case(
        mut self,
        name: &'static str,
        response: HttpResponse,
        description: String,
        schema: RefOr<Schema>,
    ) -> Self {
        let status = response.status().as_u16();
        let headers = described_headers(&response);
        // Both conversions succeed: the body is JSON that was rendered just now.
        let bytes = response.into_body().try_into_bytes().unwrap_or_default();
        let mut body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        // One order of properties, whatever features serde_json is built with.
        body.sort_all_objects();
        let cases = self.by_status.entry(status).or_insert_with(|| Cases {
            name: None,
            description,
            schema,
            headers: headers.clone(),
            examples: Vec::new(),
        });
        cases.name = None;
        // Those that come with every answer of the status.
        cases.headers.retain(|name, _| headers.contains_key(name));
        cases.examples.push((name, body));
        self
    }

    /// Renders all answers.
    pub(crate) fn responses(self) -> Responses {
        self.by_status
            .into_iter()
            .map(|(status, cases)| (status.to_string(), cases.response().into()))
            .collect()
    }
}

impl Cases {
    fn response(self) -> Response {
        let examples = self.examples.into_iter().map(|(name, mut body)| {
            if let (Some(_), Some(url)) = (&self.name, body.pointer_mut("/meta/url")) {
                *url = SHARED_URL.into();
            }
            let example = ExampleBuilder::new().value(Some(body)).build();
            (name, RefOr::T(example))
        });
        let content = ContentBuilder::new().schema(Some(self.schema)).examples_from_iter(examples).build();
        let mut response = response(self.description, content, self.headers);
        response.extensions = self.name.map(name_of_response);
        response
    }
}

/// A response in JSON.
pub(crate) fn response(
    description: impl Into<String>,
    content: Content,
    headers: BTreeMap<&'static str, Header>,
) -> Response {
    let response = ResponseBuilder::new().description(description).content("application/json", content);
    headers.into_iter().fold(response, |response, (name, header)| response.header(name, header)).build()
}

/// Describes the headers of an answer that mean something to a client.
fn described_headers(response: &HttpResponse) -> BTreeMap<&'static str, Header> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let policy = "What is allowed (draft-ietf-httpapi-ratelimit-headers). While requests per client are limited, every answer to a client \
                  that has proved who it is has it too.";
    let known = [
        ("X-Request-ID", request_id_header()),
        ("Allow", header(text(), "The methods that the path takes.")),
        ("WWW-Authenticate", header(text(), "What a caller must present (RFC 6750).")),
        ("Retry-After", header(seconds, "After how many seconds the same request may succeed.")),
        ("RateLimit-Policy", header(text(), policy)),
        ("RateLimit", header(text(), "What is left of it. Comes with `RateLimit-Policy`.")),
    ];
    known.into_iter().filter(|(name, _)| response.headers().contains_key(*name)).collect()
}

/// The header that every answer has.
pub(crate) fn request_id_header() -> Header {
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
