use esoz_contract_division::{UpdateContractDivision, UpdateInput};
use utoipa::IntoResponses;

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
    request_body = body::UpdateBody,
    responses(UpdateAnswers),
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<UpdateContractDivision, _, _, _>(
        async |call| {
            let (change, idempotency_key) = call.json_body(body::parse_change).await?;
            let (id, request_id) = (call.path_id("id"), call.context().request_id.clone());
            Ok(UpdateInput { id, change, request_id, idempotency_key })
        },
        async |api, permit, input| api.contract_divisions.update.execute(permit, input).await,
        |record| Reply::ok(ContractDivisionDto::from(&record)),
    )
    .await
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
            ("malformed", body::parse_change(b"{")),
            ("not_an_object", body::parse_change(b"[]")),
            ("required", body::parse_change(b"{}")),
            ("cast_and_format", body::parse_change(br#"{"division_id":1,"contract_id":"abc"}"#)),
            ("additional_property", body::parse_change(&with_additional_property())),
        ])
        .responses()
    }
}

fn with_additional_property() -> Vec<u8> {
    let id = example::RECORD;
    format!(r#"{{"division_id":"{id}","contract_id":"{id}","is_active":true}}"#).into_bytes()
}
