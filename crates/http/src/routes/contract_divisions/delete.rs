use esoz_contract_division::{DeleteContractDivision, DeleteInput};
use utoipa::IntoResponses;

use super::{RecordPath, example_path};
use crate::call::{Answer, Call};
use crate::envelope::Reply;
use crate::extract::body;
use crate::openapi::{
    Answers, Responses,
    parameters::{IdempotencyHeader, StandardHeaders},
};

/// Delete a contract division
///
/// Deactivates a contract division of a contract of type `GB_CBP`, whether or not the contract is active. The record is no longer shown, and
/// its contract and division are free for another one. The scopes of the access token and of the api key must both hold
/// `private_contracts:write`.
#[utoipa::path(
    delete,
    path = "/api/admin/contract_divisions/{id}",
    operation_id = "delete_contract_division",
    params(RecordPath, StandardHeaders, IdempotencyHeader),
    request_body(content = body::EmptyObject, description = "Nothing, or an object with nothing in it."),
    responses(DeleteAnswers),
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<DeleteContractDivision, _, _, _>(
        async |call| {
            let ((), idempotency_key) = call.body(body::parse_nothing).await?;
            let (id, request_id) = (call.path_id("id"), call.context().request_id.clone());
            Ok(DeleteInput { id, request_id, idempotency_key })
        },
        async |api, permit, input| api.contract_divisions.delete.execute(permit, input).await,
        |()| Reply::ok(body::EmptyObject::default()),
    )
    .await
}

/// The answers of the method, for its description.
struct DeleteAnswers;

impl IntoResponses for DeleteAnswers {
    fn responses() -> Responses {
        let deleted = Reply::ok(body::EmptyObject::default());
        Answers::of_operation::<DeleteContractDivision>(&example_path())
            .success("deleted", "The record is deleted.", "EmptyObject", deleted)
            .with_empty_body()
            .responses()
    }
}
