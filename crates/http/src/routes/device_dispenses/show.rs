use esoz_device_dispense::{ShowDispense, ShowInput};
use esoz_kernel::PatientId;
use utoipa::IntoResponses;

use super::{DispensePath, example, rendered};
use crate::call::{Answer, Call};
use crate::envelope::Reply;
use crate::openapi::{Answers, Responses, parameters::StandardHeaders};

/// Show a device dispense
///
/// Shows a dispense to the legal entity that recorded it. The access token's scope must hold `device_dispense:read`.
#[utoipa::path(
    get,
    path = "/api/patients/{patient_id}/device_dispenses/{id}",
    operation_id = "show_device_dispense",
    params(DispensePath, StandardHeaders),
    responses(ShowAnswers)
)]
pub(crate) async fn handle(call: Call) -> Answer {
    let patient_id: Option<PatientId> = call.path_id("patient_id");
    call.run::<ShowDispense, _, _, _>(
        async |call| Ok(ShowInput { patient_id, dispense_id: call.path_id("id") }),
        async |api, permit, input| api.device_dispenses.show.execute(permit, input).await,
        |dispense| Reply::ok(rendered(dispense, patient_id)),
    )
    .await
}

/// The answers of the method, for its description.
struct ShowAnswers;

impl IntoResponses for ShowAnswers {
    fn responses() -> Responses {
        let path = format!("/api/patients/{}/device_dispenses/{}", example::PATIENT, example::DISPENSE);
        Answers::of_operation::<ShowDispense>(&path)
            .success("shown", "The dispense.", "DeviceDispense", Reply::ok(example::stopped()))
            .responses()
    }
}
