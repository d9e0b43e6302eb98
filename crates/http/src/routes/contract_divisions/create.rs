use esoz_contract_division::{CreateContractDivision, CreateInput};
use utoipa::IntoResponses;

use super::pair::{self, PairBody};
use super::{ContractDivisionDto, PATH, example};
use crate::call::{Answer, Call};
use crate::envelope::Reply;
use crate::openapi::{
    Answers, Responses,
    parameters::{IdempotencyHeader, StandardHeaders},
};

/// Create a contract division
///
/// Lets a division of the contractor deliver under a contract of type `GB_CBP`. No other active record may have the same contract and
/// division. The scopes of the access token and of the api key must both hold `private_contracts:write`.
#[utoipa::path(
    post,
    path = "/api/admin/contract_divisions",
    operation_id = "create_contract_division",
    params(StandardHeaders, IdempotencyHeader),
    request_body = PairBody,
    responses(CreateAnswers),
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<CreateContractDivision, _, _, _>(
        async |call| {
            let (pair, idempotency_key) = call.json_body(pair::parse).await?;
            Ok(CreateInput { pair, request_id: call.context().request_id.clone(), idempotency_key })
        },
        async |api, permit, input| api.contract_divisions.create.execute(permit, input).await,
        |record| Reply::created(ContractDivisionDto::from(&record)),
    )
    .await
}

/// The answers of the method, for its description.
struct CreateAnswers;

impl IntoResponses for CreateAnswers {
    fn responses() -> Responses {
        let created = Reply::created(ContractDivisionDto::from(&example::created()));
        let answers = Answers::of_operation::<CreateContractDivision>(PATH).success(
            "created",
            "The new record.",
            "ContractDivision",
            created,
        );
        pair::with_refusals(answers).responses()
    }
}
