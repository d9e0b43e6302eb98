use actix_web::http::StatusCode;
use esoz_device_dispense::{ListDispensesOfPatient, ListOfPatientInput};
use esoz_kernel::PageRequest;
use utoipa::IntoResponses;

use super::filter::{FilterParameters, INVALID_FILTER, faults, parse};
use super::{PatientPath, example, rendered_page};
use crate::call::{Answer, Call};
use crate::observer::readable;
use crate::openapi::{Answers, Responses, parameters::StandardHeaders};

/// List the device dispenses of a patient
///
/// Lists the patient's dispenses by the legal entity that the user acts for, or by every legal entity where the server is configured so,
/// oldest first; every filter that is given must be met. The access token's scope must hold `device_dispense:read`. A parameter that is not
/// described is refused: a filter that is ignored would show the wrong records.
#[utoipa::path(
    get,
    path = "/api/patients/{patient_id}/device_dispenses",
    operation_id = "list_device_dispenses_of_patient",
    params(PatientPath, FilterParameters, StandardHeaders),
    responses(ListOfPatientAnswers)
)]
pub(crate) async fn handle(call: Call) -> Answer {
    call.run::<ListDispensesOfPatient, _, _, _>(
        async |call| {
            let (filter, page) = parse(call.query())?;
            Ok(ListOfPatientInput { patient_id: call.path_id("patient_id"), filter, page })
        },
        async |api, permit, input| {
            let page = input.page;
            let listed = api.device_dispenses.list_of_patient.execute(permit, input).await?;
            Ok((page, readable::<ListDispensesOfPatient, _>(&*api.observer, listed)))
        },
        |(page, listed)| rendered_page(page, listed),
    )
    .await
}

/// The answers of the method, for its description.
struct ListOfPatientAnswers;

impl IntoResponses for ListOfPatientAnswers {
    fn responses() -> Responses {
        let path = format!("/api/patients/{}/device_dispenses", example::PATIENT);
        let listed = rendered_page(PageRequest::FIRST, example::page(Some(example::PATIENT)));
        Answers::of_operation::<ListDispensesOfPatient>(&path)
            .success("listed", "A page of the dispenses.", "DeviceDispense", listed)
            .refusals(faults())
            .named(StatusCode::UNPROCESSABLE_ENTITY, INVALID_FILTER)
            .responses()
    }
}
