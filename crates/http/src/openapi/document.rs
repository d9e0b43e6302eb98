use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::web::Bytes;
use esoz_auth::CallerKind;
use utoipa::openapi::request_body::RequestBody;
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{self, RefOr, Required};
use utoipa::{Modify, OpenApi, ToSchema};

use super::answers::Answers;
use super::components::{NamedComponents, operations_of, pascal_case};
use super::{dispense, example};
use crate::envelope::{BrokenRule, ErrorBody, Invalid, Meta};
use crate::error::ApiError;
use crate::extract::body;
use crate::preflight::allow_header;
use crate::routes::{self, contract_divisions, device_dispenses, events, health};

/// The name of the security scheme of access tokens in the description.
pub const ACCESS_TOKEN: &str = "access_token";
/// That of api keys.
const API_KEY: &str = "api_key";

/// Renders the OpenAPI document, as it is served at `/openapi.json`.
///
/// # Errors
/// [`serde_json::Error`] when it cannot be rendered, which its types rule out.
pub fn openapi() -> Result<String, serde_json::Error> {
    let mut document = Description::openapi();
    document.paths = routes::described();
    // The components last: by then every response is there.
    let modifiers: [&dyn Modify; 4] = [&Security, &Bodies, &WrongMethods, &NamedComponents];
    for modifier in modifiers {
        modifier.modify(&mut document);
    }
    Ok(document.to_pretty_json()? + "\n")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "esoz",
        description = "Methods of Ukraine's eHealth system on device dispenses, which legal entities hand over to patients, on contract \
            divisions, which the National Health Service manages, and on the events that tell of changes. Every answer with a body is JSON in one envelope: `meta` beside either `data` or `error`. Where \
            several things are wrong with a request, the first rule that fails answers. UUIDs are taken in either case and sent in lower \
            case; times are UTC. A path that is not described here is answered 404 (but for `/docs`, which shows this description, and the request \
            inspector at `/` where it is turned on), another verb than the described one 405, both in the envelope of a failure."
    ),
    servers((url = "/", description = "The server that shows this description.")),
    components(schemas(
        Meta,
        Failure,
        ErrorBody,
        Invalid,
        BrokenRule,
        dispense::DeviceDispense,
        dispense::ListedDeviceDispense,
        contract_divisions::ContractDivisionDto,
        events::EventDto,
        body::EmptyObject,
        contract_divisions::pair::PairBody,
        device_dispenses::new_dispense::NewDispenseBody,
        device_dispenses::signed::SignedBody,
        health::Liveness,
        crate::health::Readiness
    )),
    tags(
        (name = routes::DEVICE_DISPENSES, description = "What legal entities hand over to patients."),
        (name = routes::CONTRACT_DIVISIONS, description = "Where the contractors of the National Health Service deliver."),
        (name = routes::EVENTS, description = "What happened: the events that were published, as the Event Manager keeps them."),
        (name = routes::DESCRIPTION, description = "This document."),
        (name = routes::HEALTH, description = "For probes and operators."),
    ),
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

/// Describes how callers authenticate.
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
        components.add_security_scheme(ACCESS_TOKEN, SecurityScheme::Http(token));
        components.add_security_scheme(API_KEY, SecurityScheme::ApiKey(ApiKey::Header(api_key)));
        let registry: BTreeMap<&str, _> =
            routes::operations().into_iter().map(|operation| (operation.name, operation)).collect();
        for (_, operation) in openapi.paths.paths.values_mut().flat_map(operations_of) {
            let required = operation.operation_id.as_deref().and_then(|id| registry.get(id));
            let requirement = required.map_or_else(SecurityRequirement::default, |required| {
                let token = SecurityRequirement::new(ACCESS_TOKEN, [required.scope]);
                match required.caller {
                    CallerKind::User => token,
                    CallerKind::UserWithApiKey => token.add(API_KEY, [required.scope]),
                }
            });
            operation.security = Some(vec![requirement]);
        }
    }
}

/// Describes the answer to a method that a path does not take, which names those that it takes.
struct WrongMethods;

impl Modify for WrongMethods {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        for (path, item) in &mut openapi.paths.paths {
            let mut operations = operations_of(item);
            let allow = allow_header(operations.iter().map(|(method, _)| method));
            let name = format!("Only{}Allowed", pascal_case(&allow));
            let error = ApiError::method_not_allowed(allow);
            for (_, operation) in &mut operations {
                let answers = Answers::new(&example::path(path)).refusal("wrong_method", &error);
                let answer = answers.named(StatusCode::METHOD_NOT_ALLOWED, name.as_str()).responses();
                operation.responses.responses.extend(answer);
            }
        }
    }
}

/// Describes what cannot be derived about the bodies: they collect unknown properties to refuse them by name, so no others are allowed; and
/// the empty one may be left out.
struct Bodies;

impl Modify for Bodies {
    fn modify(&self, openapi: &mut openapi::OpenApi) {
        let schemas = &mut openapi.components.get_or_insert_default().schemas;
        for (_, operation) in openapi.paths.paths.values_mut().flat_map(operations_of) {
            let Some(RefOr::T(body)) = &mut operation.request_body else { continue };
            let Some(name) = schema_name(body) else { continue };
            if let Some(RefOr::T(Schema::Object(schema))) = schemas.get_mut(&name) {
                schema.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
            }
            if name == body::EmptyObject::name() {
                body.required = Some(Required::False);
            }
        }
    }
}

/// The name of the schema that a body refers to.
fn schema_name(body: &RequestBody) -> Option<String> {
    let RefOr::T(content) = body.content.values().next()? else { return None };
    let RefOr::Ref(to) = content.schema.as_ref()? else { return None };
    to.ref_location.rsplit('/').next().map(str::to_owned)
}

/// The document, rendered once; `None` when that fails.
pub(crate) fn rendered() -> Option<Bytes> {
    static DOCUMENT: LazyLock<Option<Bytes>> = LazyLock::new(|| match openapi() {
        Ok(text) => Some(Bytes::from(text)),
        Err(error) => {
            tracing::error!(%error, "the OpenAPI description cannot be rendered");
            None
        }
    });
    DOCUMENT.clone()
}
