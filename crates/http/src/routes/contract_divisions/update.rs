use esoz_contract_division::{UpdateContractDivision, UpdateInput};
use utoipa::IntoResponses;

use super::pair::{self, PairBody};
use super::{ContractDivisionDto, RecordPath, example, example_path};
use crate::call::{Answer, Call};
use crate::envelope::Reply;
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
    params(RecordPath, StandardHeaders, IdempotencyHeader),
    request_body = PairBody,
    responses(UpdateAnswers),
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<UpdateContractDivision, _, _, _>(
        async |call| {
            let (pair, idempotency_key) = call.json_body(pair::parse).await?;
            let (id, request_id) = (call.path_id("id"), call.context().request_id.clone());
            Ok(UpdateInput { id, pair, request_id, idempotency_key })
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
        let answers = Answers::of_operation::<UpdateContractDivision>(&example_path()).success(
            "updated",
            "The record after the change.",
            "ContractDivision",
            updated,
        );
        pair::with_refusals(answers).responses()
    }
}
