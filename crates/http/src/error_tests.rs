//! Whatever fails, in whatever words: the answer is one that the description publishes, and what is broken on our side is not in it.

use std::fmt;
use std::sync::LazyLock;

use actix_web::body::MessageBody as _;
use esoz_kernel::{IdempotencyKey, RequestId, Uuid};
use jsonschema::{Draft, Validator};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const COMMITTED: &str = include_str!("../../../docs/openapi.json");

const KINDS: [(ErrorKind, u16, &str); 10] = [
    (ErrorKind::BadRequest, 400, "request_malformed"),
    (ErrorKind::Unauthenticated, 401, "access_denied"),
    (ErrorKind::InvalidToken, 401, "access_denied"),
    (ErrorKind::Forbidden, 403, "forbidden"),
    (ErrorKind::NotFound, 404, "not_found"),
    (ErrorKind::Conflict, 409, "request_conflict"),
    (ErrorKind::Invalid, 422, "validation_failed"),
    (ErrorKind::TooManyRequests, 429, "too_many_requests"),
    (ErrorKind::Unavailable, 503, "service_unavailable"),
    (ErrorKind::Internal, 500, "internal_error"),
];

/// A failure of a use case that could be.
#[derive(Debug)]
struct Any {
    kind: ErrorKind,
    message: String,
    entry: Option<&'static str>,
    missing: Vec<&'static str>,
}

impl fmt::Display for Any {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Any {}

impl Failure for Any {
    fn kind(&self) -> ErrorKind {
        self.kind
    }

    fn code(&self) -> &'static str {
        "any"
    }

    fn examples() -> Vec<Self> {
        Vec::new()
    }

    fn entry(&self) -> Option<String> {
        self.entry.map(str::to_owned)
    }

    fn missing_allowances(&self) -> &[&'static str] {
        &self.missing
    }
}

/// The published schema of every refusal.
static PUBLISHED: LazyLock<Validator> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(COMMITTED).expect("JSON");
    let rooted = json!({"$ref": "#/components/schemas/Failure", "components": document["components"]});
    let options = jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
    options.build(&rooted).expect("a schema")
});

fn context(url: String, key: Option<IdempotencyKey>) -> RequestContext {
    RequestContext {
        idempotency: Ok(key),
        ..RequestContext::new(RequestId::from_uuid(Uuid::from_u128(1)), url)
    }
}

fn body(response: HttpResponse) -> Value {
    let bytes = response.into_body().try_into_bytes().expect("a whole body");
    serde_json::from_slice(&bytes).expect("JSON")
}

fn failures() -> impl Strategy<Value = (Any, u16, &'static str)> {
    let entry = prop::option::of(prop::sample::select(vec!["$.division_id", "$.contract_id"]));
    let missing = prop::sample::subsequence(vec!["device_dispense:stop", "private_contracts:write"], 0..=2);
    (prop::sample::select(KINDS.as_slice()), any::<String>(), entry, missing).prop_map(
        |((kind, status, word), message, entry, missing)| {
            (Any { kind, message, entry, missing }, status, word)
        },
    )
}

fn keys() -> impl Strategy<Value = Option<IdempotencyKey>> {
    prop::option::of("[!-~]{1,255}".prop_filter_map("a key", |text| IdempotencyKey::parse(&text)))
}

proptest! {
    #[test]
    fn every_failure_is_answered_as_published((failure, status, kind) in failures(), host in any::<String>(), path in "(/[ -~]{0,12}){1,5}", key in keys(),) {
        let context = context(crate::url::build("https", Some(&host), "esoz.example", &path), key);
        let response = ApiError::from_failure(&failure).respond(&context);
        prop_assert_eq!(response.status().as_u16(), status);
        let is_challenged = response.headers().contains_key(header::WWW_AUTHENTICATE);
        // A 403 asks for a scope, if that is what the caller lacks.
        prop_assert_eq!(is_challenged, status == 401 || status == 403 && !failure.missing.is_empty());
        prop_assert_eq!(response.headers().contains_key(header::RETRY_AFTER), status == 503 || status == 429);
        let body = body(response);
        let faults: Vec<String> = PUBLISHED.iter_errors(&body).map(|fault| fault.to_string()).collect();
        prop_assert!(faults.is_empty(), "{:?} in {:#}", faults, body);
        prop_assert_eq!(&body["error"]["type"], kind);
        prop_assert_eq!(&body["meta"]["code"], status);
        // What is broken on our side is for the log alone.
        let is_ours = matches!(failure.kind, ErrorKind::Unavailable | ErrorKind::Internal);
        let told = body["error"]["message"].as_str().expect("a message");
        if is_ours {
            let constant = if status == 503 { ApiError::unavailable() } else { ApiError::internal() };
            prop_assert_eq!(told, &constant.body.message);
        } else if status == 422 {
            prop_assert_eq!(told, "Validation failed.");
        } else {
            prop_assert_eq!(told, &failure.message);
        }
        let invalid = body["error"]["invalid"].as_array().into_iter().flatten();
        let entries: Vec<&str> = invalid.filter_map(|invalid| invalid["entry"].as_str()).collect();
        prop_assert_eq!(entries, Vec::from_iter(failure.entry));
    }
}
