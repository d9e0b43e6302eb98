use esoz_kernel::{CivilDate, Pseudonym};

use super::{CreateRefusal, NewDispense, RequestFacts};
use crate::model::request::{DeviceRequest, DeviceRequestStatus};

/// Rules 14 to 18: the request is the patient's, is an active order that is valid today, and has the program of the dispense.
pub(super) fn check<'a>(
    found: &'a RequestFacts,
    body: &NewDispense,
    subject: &Pseudonym,
    today: CivilDate,
) -> Result<&'a DeviceRequest, CreateRefusal> {
    let of_patient = found.request.as_ref().filter(|request| request.subject == *subject);
    let request = of_patient.ok_or(CreateRefusal::RequestNotFound)?;
    if request.intent != DeviceRequest::ORDER {
        return Err(CreateRefusal::RequestIsNoOrder);
    }
    if request.status != DeviceRequestStatus::Active {
        return Err(CreateRefusal::RequestNotActive);
    }
    if request.dispense_valid_to < today {
        return Err(CreateRefusal::RequestExpired);
    }
    if request.program != body.program.as_ref().map(|program| program.id) {
        return Err(CreateRefusal::ProgramMismatch);
    }
    Ok(request)
}

/// Rules 20 and 21: the id is free, and a request with a quantity has no other dispense in progress.
pub(super) fn check_dispenses(found: &RequestFacts, request: &DeviceRequest) -> Result<(), CreateRefusal> {
    if found.is_id_taken {
        return Err(CreateRefusal::IdTaken);
    }
    if request.quantity.is_some() && found.has_active_dispense {
        return Err(CreateRefusal::OtherActive);
    }
    Ok(())
}
