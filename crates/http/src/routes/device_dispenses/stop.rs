use esoz_device_dispense::{StopDispense, StopInput};
use esoz_kernel::PatientId;
use utoipa::IntoResponses;

use super::{DispensePath, example, rendered};
use crate::call::{Answer, Call};
use crate::envelope::Reply;
use crate::extract::body;
use crate::openapi::{
    Answers, Responses,
    parameters::{IdempotencyHeader, StandardHeaders},
};

/// Stop a device dispense
///
/// Halts a dispense in progress for good. Only the legal entity that recorded it may; the access token's scope must hold
/// `device_dispense:stop`.
#[utoipa::path(
    patch,
    path = "/api/patients/{patient_id}/device_dispenses/{id}/actions/stop",
    operation_id = "stop_device_dispense",
    params(DispensePath, StandardHeaders, IdempotencyHeader),
    request_body(content = body::EmptyObject, description = "Nothing, or an object with nothing in it."),
    responses(StopAnswers),
)]
pub(crate) async fn handle(call: Call) -> Answer {
    let patient_id: Option<PatientId> = call.path_id("patient_id");
    call.run::<StopDispense, _, _, _>(
        async |call| {
            let ((), idempotency_key) = call.body(body::parse_nothing).await?;
            let (dispense_id, trace) = (call.path_id("id"), call.trace());
            let request_id = call.context().request_id.clone();
            Ok(StopInput { patient_id, dispense_id, request_id, trace, idempotency_key })
        },
        async |api, permit, input| api.device_dispenses.stop.execute(permit, input).await,
        |dispense| Reply::ok(rendered(dispense, patient_id)),
    )
    .await
}

/// The answers of the method, for its description.
struct StopAnswers;

impl IntoResponses for StopAnswers {
    fn responses() -> Responses {
        let path =
            format!("/api/patients/{}/device_dispenses/{}/actions/stop", example::PATIENT, example::DISPENSE);
        let stopped = Reply::ok(example::stopped());
        Answers::of_operation::<StopDispense>(&path)
            .success("stopped", "The dispense after the change.", "DeviceDispense", stopped)
            .with_empty_body()
            .responses()
    }
}
