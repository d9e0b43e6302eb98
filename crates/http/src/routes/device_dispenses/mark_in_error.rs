use esoz_device_dispense::MarkDispenseInError;
use esoz_kernel::PatientId;
use utoipa::IntoResponses;

use super::signed::{self, SignedBody};
use super::{DispensePath, example, rendered};
use crate::call::{Answer, Call};
use crate::envelope::Reply;
use crate::openapi::{
    Answers, Responses,
    parameters::{IdempotencyHeader, StandardHeaders},
};

/// Mark a device dispense in error
///
/// Withdraws a dispense that was recorded by mistake, by a document that the user has signed: the dispense as it is shown, with `status`
/// `entered_in_error` and a `status_reason`. The access token's scope must hold `device_dispense:mark_in_error`.
#[utoipa::path(
    patch,
    path = "/api/patients/{patient_id}/device_dispenses/{id}/actions/mark_in_error",
    operation_id = "mark_device_dispense_in_error",
    params(DispensePath, StandardHeaders, IdempotencyHeader),
    request_body = SignedBody,
    responses(SignedAnswers),
)]
pub(crate) async fn handle(call: Call) -> Answer {
    let patient_id: Option<PatientId> = call.path_id("patient_id");
    call.run::<MarkDispenseInError, _, _, _>(
        async |call| signed::input(call, patient_id).await,
        async |api, permit, input| api.device_dispenses.mark_in_error.execute(permit, input).await,
        |dispense| Reply::ok(rendered(dispense, patient_id)),
    )
    .await
}

/// The answers of the method, for its description.
struct SignedAnswers;

impl IntoResponses for SignedAnswers {
    fn responses() -> Responses {
        let path = format!(
            "/api/patients/{}/device_dispenses/{}/actions/mark_in_error",
            example::PATIENT,
            example::DISPENSE
        );
        let answers = Answers::of_operation::<MarkDispenseInError>(&path).success(
            "marked_in_error",
            "The dispense after the change.",
            "DeviceDispense",
            Reply::ok(example::marked_in_error()),
        );
        signed::with_refusals(answers).responses()
    }
}
