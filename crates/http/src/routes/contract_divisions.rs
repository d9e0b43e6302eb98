use actix_web::{HttpRequest, HttpResponse, web};
use esoz_contract_division::{ContractDivision, UpdateInput, UpdatePermit};
use esoz_kernel::time::rfc3339_micros;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Call, id, refused};
use crate::error::ApiError;
use crate::extract::body;
use crate::openapi::{parameters::Traced, update::UpdateAnswers};
use crate::spans::UseCaseSpan;
use crate::{Api, UseCase};

/// Update a contract division
///
/// Points a contract division of a contract of type `GB_CBP` at another division, another contract, or both. The scopes of the access
/// token and of the api key must both hold `private_contracts:write`.
#[utoipa::path(
    put,
    path = "/api/admin/contract_divisions/{id}",
    operation_id = "update_contract_division",
    tag = "contract divisions",
    params(
        ("id" = String, Path, format = "uuid", description = "The contract division. What is no UUID is answered like an unknown one."),
        Traced,
    ),
    request_body = body::UpdateBody,
    responses(UpdateAnswers),
    security(("api_key" = ["private_contracts:write"], "access_token" = ["private_contracts:write"])),
)]
pub(crate) async fn update(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, actix_web::Error> {
    let call = Call::of(&request)?;
    call.answer(async {
        let api_key = call.api_key_holder(&request, &api).await?;
        let principal = call.principal(&request, &api).await?;
        let permit = UpdatePermit::for_caller(&principal, &api_key);
        let permit = api.tell_refusal(UseCase::UpdateContractDivision, permit).map_err(refused)?;
        body::require_json(&request)?;
        let change = body::parse_change(&body::read(&request, payload, &api.limits).await?);
        let (change, idempotency_key) = ApiError::both(change, call.context.repetition.key())?;
        let request_id = call.context.request_id.clone();
        let input = UpdateInput { id: id(&request, "id"), change, request_id, idempotency_key };
        let span = UseCaseSpan::begin(UseCase::UpdateContractDivision, &call.context);
        let update = api.update_contract_division.execute(&permit, input);
        let record = api.tell(UseCase::UpdateContractDivision, span.around(update).await).map_err(refused)?;
        Ok(ContractDivisionDto::from(&record))
    })
    .await
}

/// Where a contractor delivers: the whole record.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContractDivision)]
pub(crate) struct ContractDivisionDto {
    /// The record.
    #[schema(format = "uuid")]
    id: String,
    /// The contract that it belongs to.
    #[schema(format = "uuid")]
    contract_id: String,
    /// The division that it points at.
    #[schema(format = "uuid")]
    division_id: String,
    /// Whether it counts.
    is_active: bool,
    /// When it was created.
    #[schema(format = DateTime, pattern = r"\.\d{6}Z$")]
    inserted_at: String,
    /// The user who created it.
    #[schema(format = "uuid")]
    inserted_by: String,
    /// When it was last changed.
    #[schema(format = DateTime, pattern = r"\.\d{6}Z$")]
    updated_at: String,
    /// The user who last changed it.
    #[schema(format = "uuid")]
    updated_by: String,
}

impl From<&ContractDivision> for ContractDivisionDto {
    fn from(record: &ContractDivision) -> Self {
        Self {
            id: record.id.to_string(),
            contract_id: record.contract_id.to_string(),
            division_id: record.division_id.to_string(),
            is_active: record.is_active,
            inserted_at: rfc3339_micros(record.stamps.inserted_at),
            inserted_by: record.stamps.inserted_by.to_string(),
            updated_at: rfc3339_micros(record.stamps.updated_at),
            updated_by: record.stamps.updated_by.to_string(),
        }
    }
}
