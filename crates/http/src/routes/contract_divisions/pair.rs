//! The body of a create and of an update: one shape, one parser, one list of refusals.

use actix_web::http::StatusCode;
use esoz_contract_division::Pair;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::example;
use crate::error::ApiError;
use crate::extract::body;
use crate::openapi::Answers;

/// The division and the contract that a contract division shall have.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = ContractDivisionPair)]
pub(crate) struct PairBody {
    /// The division that the record shall point at.
    #[serde(default, deserialize_with = "body::present_or_null")]
    #[schema(value_type = String, format = "uuid", required = true)]
    #[validate(
        required(message = "required property division_id was not present"),
        custom(function = "body::uuid_text")
    )]
    division_id: Option<Value>,
    /// The contract that the record shall belong to.
    #[serde(default, deserialize_with = "body::present_or_null")]
    #[schema(value_type = String, format = "uuid", required = true)]
    #[validate(
        required(message = "required property contract_id was not present"),
        custom(function = "body::uuid_text")
    )]
    contract_id: Option<Value>,
    #[serde(flatten)]
    #[schema(ignore)]
    #[validate(custom(function = "body::no_unknown_properties"))]
    unknown: body::Unknown,
}

/// Parses the body of a create or an update (method 2, "Body").
pub(super) fn parse(bytes: &[u8]) -> Result<Pair, ApiError> {
    let body: PairBody = body::parse(bytes)?;
    // The shape was validated: both are there, and UUIDs.
    let text =
        |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let division_id = text(body.division_id).parse().map_err(|_| ApiError::malformed())?;
    let contract_id = text(body.contract_id).parse().map_err(|_| ApiError::malformed())?;
    Ok(Pair { division_id, contract_id })
}

/// Adds the answers to a body that is not such a pair, for the description.
pub(super) fn with_refusals(answers: Answers) -> Answers {
    let id = example::RECORD;
    let additional = format!(r#"{{"division_id":"{id}","contract_id":"{id}","is_active":true}}"#);
    answers
        .with_write_refusals()
        .refusal("unsupported_content_type", &ApiError::unsupported_content_type())
        .refusals([
            ("not_an_object", parse(b"[]")),
            ("required", parse(b"{}")),
            ("cast_and_format", parse(br#"{"division_id":1,"contract_id":"abc"}"#)),
            ("additional_property", parse(additional.as_bytes())),
        ])
        .named(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType")
        .named(StatusCode::UNPROCESSABLE_ENTITY, "InvalidContractDivisionPair")
}
