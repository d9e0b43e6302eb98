//! The published description, OpenAPI 3.1: generated from the routes, the shapes they use, and the answers they give.

mod answers;
mod dispense;
pub(crate) mod formats;
mod health;
pub(crate) mod parameters;
pub(crate) mod stop;
pub(crate) mod update;

use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{self, ContentBuilder, RefOr, Required};
use utoipa::{IntoResponses, Modify, OpenApi, ToSchema};

use self::answers::{Answers, Responses};
pub(crate) use self::health::{LiveAnswers, ReadyAnswers};
use crate::envelope::{BrokenRule, ErrorBody, Invalid, Meta};
use crate::routes::{contract_divisions, description, device_dispenses};

/// The OpenAPI document, as it is served at `/openapi.json`.
///
/// # Errors
/// When it cannot be rendered as JSON, which its types rule out.
pub fn openapi() -> Result<String, serde_json::Error> {
    Ok(Description::openapi().to_pretty_json()? + "\n")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "esoz",
        description = "Two methods of Ukraine's eHealth system: a legal entity stops a device dispense, and the National Health Service \
            updates a contract division. Every answer with a body is JSON in one envelope: `meta` beside either `data` or `error`. Where \
            several things are wrong with a request, the first rule that fails answers. UUIDs are taken in either case and sent in lower \
            case; times are UTC. A path that is not described here is answered 404 (but for `/docs`, which shows this description), another \
            verb than the described one 405, both in the envelope of a failure."
    ),
    paths(device_dispenses::stop, contract_divisions::update, description::show, crate::routes::health::live, crate::routes::health::ready),
    components(schemas(
        Meta,
        Failure,
        ErrorBody,
        Invalid,
        BrokenRule,
        dispense::DeviceDispense,
        contract_divisions::ContractDivisionDto,
        crate::routes::health::Liveness,
        crate::health::Readiness
    )),
    tags(
        (name = "device dispenses", description = "What legal entities hand over to patients."),
        (name = "contract divisions", description = "Where the contractors of the National Health Service deliver."),
        (name = "description", description = "This document."),
        (name = "health", description = "For probes and operators."),
    ),
    modifiers(&Security, &Bodies),
)]
struct Description;

/// The envelope of every refusal.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "describes what the envelope writes from borrowed parts")]
struct Failure {
    meta: Meta<'static>,
    error: ErrorBody,
}

/// How a caller says who it is.
struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An opaque access token of a user who acts for a legal entity. Its scope must hold what the operation asks for, e.g. \
                 `device_dispense:stop` or `private_contracts:write`.",
            ))
            .build();
        let api_key = ApiKeyValue::with_description(
            "api-key",
            "Names the calling software. It has a scope of its own, which must hold what the operation asks for as well.",
        );
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("access_token", SecurityScheme::Http(token));
        components.add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(api_key)));
    }
}

/// What cannot be derived about the bodies: they gather the properties that they do not know in order to refuse them by name, so they are
/// closed; and the one with nothing in it may be left out.
struct Bodies;

impl Modify for Bodies {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        for name in ["EmptyObject", "UpdateBody"] {
            if let Some(RefOr::T(Schema::Object(body))) = components.schemas.get_mut(name) {
                body.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            }
        }
        for path in openapi.paths.paths.values_mut() {
            let operations = [&mut path.put, &mut path.post, &mut path.patch].into_iter().flatten();
            for body in operations.filter_map(|operation| operation.request_body.as_mut()) {
                if let RefOr::T(body) = body
                    && is_empty_object(body)
                {
                    body.required = Some(Required::False);
                }
            }
        }
    }
}

fn is_empty_object(body: &RequestBody) -> bool {
    let refers = |schema: &RefOr<Schema>| matches!(schema, RefOr::Ref(to) if to.ref_location.ends_with("/EmptyObject"));
    body.content
        .values()
        .any(|content| matches!(content, RefOr::T(content) if content.schema.as_ref().is_some_and(refers)))
}

/// What asking for the description may answer.
pub(crate) struct DescriptionAnswers;

impl IntoResponses for DescriptionAnswers {
    fn responses() -> Responses {
        let document = ObjectBuilder::new().schema_type(Type::Object).required("openapi").build();
        let content = ContentBuilder::new().schema(Some(document)).build();
        let headers = [("X-Request-ID", answers::request_id_header())].into();
        let mut responses = Answers::of_path("/openapi.json", "GET").under_load().responses();
        responses.insert("200".to_owned(), answers::response("This document.", content, headers).into());
        responses
    }
}
