use esoz_contract_division::{Pair, UpdateContractDivision, UpdateInput};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoResponses, ToSchema};
use validator::Validate;

use super::{ContractDivisionDto, example};
use crate::call::{Answer, Call};
use crate::envelope::Reply;
use crate::error::ApiError;
use crate::extract::body;
use crate::openapi::{
    Answers, Responses,
    parameters::{IdempotencyHeader, StandardHeaders},
};

/// Update a contract division
///
/// Points a contract division of a contract of type `GB_CBP` at another division, another contract, or both. The scopes of the access
/// token and of the api key must both hold `private_contracts:write`.
#[utoipa::path(
    put,
    path = "/api/admin/contract_divisions/{id}",
    operation_id = "update_contract_division",
    params(
        ("id" = String, Path, format = "uuid", description = "The contract division. What is no UUID is answered like an unknown one."),
        StandardHeaders,
        IdempotencyHeader,
    ),
    request_body = UpdateBody,
    responses(UpdateAnswers),
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<UpdateContractDivision, _, _, _>(
        async |call| {
            let (change, idempotency_key) = call.json_body(parse_change).await?;
            let (id, request_id) = (call.path_id("id"), call.context().request_id.clone());
            Ok(UpdateInput { id, pair: change, request_id, idempotency_key })
        },
        async |api, permit, input| api.contract_divisions.update.execute(permit, input).await,
        |record| Reply::ok(ContractDivisionDto::from(&record)),
    )
    .await
}

/// What an update of a contract division asks for.
#[derive(Deserialize, Validate, ToSchema)]
pub(crate) struct UpdateBody {
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

/// Parses the body of an update (method 2, "Body").
fn parse_change(bytes: &[u8]) -> Result<Pair, ApiError> {
    let body: UpdateBody = body::parse(bytes)?;
    // The shape was validated: both are there, and UUIDs.
    let text =
        |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default();
    let division_id = text(body.division_id).parse().map_err(|_| ApiError::malformed())?;
    let contract_id = text(body.contract_id).parse().map_err(|_| ApiError::malformed())?;
    Ok(Pair { division_id, contract_id })
}

/// The answers of the method, for its description.
struct UpdateAnswers;

impl IntoResponses for UpdateAnswers {
    fn responses() -> Responses {
        let updated = Reply::ok(ContractDivisionDto::from(&example::record()));
        Answers::of_operation::<UpdateContractDivision>(&format!(
            "/api/admin/contract_divisions/{}",
            example::RECORD
        ))
        .success("updated", "The record after the change.", "ContractDivision", updated)
        .with_body()
        .with_idempotency_key()
        .refusal("unsupported_content_type", &ApiError::unsupported_content_type())
        .refusals([
            ("malformed", parse_change(b"{")),
            ("not_an_object", parse_change(b"[]")),
            ("required", parse_change(b"{}")),
            ("cast_and_format", parse_change(br#"{"division_id":1,"contract_id":"abc"}"#)),
            ("additional_property", parse_change(&with_additional_property())),
        ])
        .responses()
    }
}

fn with_additional_property() -> Vec<u8> {
    let id = example::RECORD;
    format!(r#"{{"division_id":"{id}","contract_id":"{id}","is_active":true}}"#).into_bytes()
}
