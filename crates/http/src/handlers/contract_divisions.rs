use actix_web::{HttpRequest, HttpResponse, web};
use esoz_contract_division::{ContractDivision, UpdateInput, UpdatePermit};
use esoz_kernel::time::rfc3339_micros;
use serde::Serialize;

use super::{Call, id};
use crate::{Api, body, credentials};

/// `PUT /api/admin/contract_divisions/{id}`
pub(super) async fn update(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, actix_web::Error> {
    let call = Call::of(&request)?;
    call.answer(async {
        let api_key = credentials::api_key(&request);
        let api_key = api.authentication.api_key(api_key).await.map_err(call.refused())?;
        let token = credentials::bearer_token(&request);
        let principal = api.authentication.token(token).await.map_err(call.refused())?;
        let permit = UpdatePermit::for_caller(&principal, &api_key).map_err(call.refused())?;
        body::require_json(&request)?;
        let change = body::parse_change(&body::read(&request, payload, &api.limits).await?)?;
        let input =
            UpdateInput { id: id(&request, "id"), change, request_id: call.context.request_id.clone() };
        let record = api.update_contract_division.execute(&permit, input).await.map_err(call.refused())?;
        Ok(ContractDivisionDto::from(&record))
    })
    .await
}

/// The whole record (method 2, "Response data").
#[derive(Serialize)]
struct ContractDivisionDto {
    id: String,
    contract_id: String,
    division_id: String,
    is_active: bool,
    inserted_at: String,
    inserted_by: String,
    updated_at: String,
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
