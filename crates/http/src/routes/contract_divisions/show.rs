use esoz_contract_division::ShowContractDivision;
use utoipa::IntoResponses;

use super::{ContractDivisionDto, RecordPath, example, example_path};
use crate::call::{Answer, Call};
use crate::envelope::Reply;
use crate::openapi::{Answers, Responses, parameters::StandardHeaders};

/// Show a contract division
///
/// Shows an active contract division of a contract of type `GB_CBP`. The scopes of the access token and of the api key must both hold
/// `private_contracts:read`.
#[utoipa::path(
    get,
    path = "/api/admin/contract_divisions/{id}",
    operation_id = "show_contract_division",
    params(RecordPath, StandardHeaders),
    responses(ShowAnswers)
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<ShowContractDivision, _, _, _>(
        async |call| Ok(call.path_id("id")),
        async |api, permit, id| api.contract_divisions.show.execute(permit, id).await,
        |record| Reply::ok(ContractDivisionDto::from(&record)),
    )
    .await
}

/// The answers of the method, for its description.
struct ShowAnswers;

impl IntoResponses for ShowAnswers {
    fn responses() -> Responses {
        let shown = Reply::ok(ContractDivisionDto::from(&example::record()));
        Answers::of_operation::<ShowContractDivision>(&example_path())
            .success("shown", "The record.", "ContractDivision", shown)
            .responses()
    }
}
