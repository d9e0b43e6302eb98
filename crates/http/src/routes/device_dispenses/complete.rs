use esoz_device_dispense::CompleteDispense;
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

/// Complete a device dispense
///
/// Ends a dispense in progress by a document that the user has signed: the dispense as it is shown, with `status` `completed`, `when_handed_over` and,
/// with a medical program, `payment_amount`. A device request with a quantity becomes `completed` with it. The access token's scope must hold
/// `device_dispense:complete`.
#[utoipa::path(
    patch,
    path = "/api/patients/{patient_id}/device_dispenses/{id}/actions/complete",
    operation_id = "complete_device_dispense",
    params(DispensePath, StandardHeaders, IdempotencyHeader),
    request_body = SignedBody,
    responses(SignedAnswers),
)]
pub(crate) async fn handle(call: Call) -> Answer {
    let patient_id: Option<PatientId> = call.path_id("patient_id");
    call.run::<CompleteDispense, _, _, _>(
        async |call| signed::input(call, patient_id).await,
        async |api, permit, input| api.device_dispenses.complete.execute(permit, input).await,
        |dispense| Reply::ok(rendered(dispense, patient_id)),
    )
    .await
}

/// The answers of the method, for its description.
struct SignedAnswers;

impl IntoResponses for SignedAnswers {
    fn responses() -> Responses {
        let path = format!(
            "/api/patients/{}/device_dispenses/{}/actions/complete",
            example::PATIENT,
            example::DISPENSE
        );
        let answers = Answers::of_operation::<CompleteDispense>(&path).success(
            "completed",
            "The dispense after the change.",
            "DeviceDispense",
            Reply::ok(example::completed()),
        );
        signed::with_refusals(answers).responses()
    }
}
