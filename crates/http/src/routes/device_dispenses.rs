use actix_web::{HttpRequest, HttpResponse, web};
use esoz_device_dispense::{Dispense, RECORD_FIELDS, StopInput, StopPermit};
use esoz_kernel::PatientId;
use serde_json::{Map, Value, json};

use super::{Call, id, refused};
use crate::error::ApiError;
use crate::extract::body;
use crate::openapi::{parameters::Traced, stop::StopAnswers};
use crate::spans::UseCaseSpan;
use crate::{Api, UseCase};

/// Stop a device dispense
///
/// Halts a dispense in progress for good. Only the legal entity that recorded it may; the access token's scope must hold
/// `device_dispense:stop`.
#[utoipa::path(
    patch,
    path = "/api/patients/{patient_id}/device_dispenses/{id}/actions/stop",
    operation_id = "stop_device_dispense",
    tag = "device dispenses",
    params(
        ("patient_id" = String, Path, format = "uuid", description = "The patient. What is no UUID is answered like an unknown one."),
        ("id" = String, Path, format = "uuid", description = "The dispense. What is no UUID is answered like an unknown one."),
        Traced,
    ),
    request_body(content = body::EmptyObject, description = "Nothing, or an object with nothing in it."),
    responses(StopAnswers),
    security(("access_token" = ["device_dispense:stop"])),
)]
pub(crate) async fn stop(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
) -> Result<HttpResponse, actix_web::Error> {
    let call = Call::of(&request)?;
    call.answer(async {
        let principal = call.principal(&request, &api).await?;
        let permit = StopPermit::for_caller(&principal);
        let permit = api.tell_refusal(UseCase::StopDeviceDispense, permit).map_err(refused)?;
        let body = body::parse_nothing(&body::read(&request, payload, &api.limits).await?);
        let ((), idempotency_key) = ApiError::both(body, call.context.repetition.key())?;
        let patient_id = id(&request, "patient_id");
        let request_id = call.context.request_id.clone();
        let span = UseCaseSpan::begin(UseCase::StopDeviceDispense, &call.context);
        let (dispense_id, trace) = (id(&request, "id"), span.position());
        let input = StopInput { patient_id, dispense_id, request_id, trace, idempotency_key };
        let dispense = span.around(api.stop_dispense.execute(&permit, input)).await;
        let dispense = api.tell(UseCase::StopDeviceDispense, dispense).map_err(refused)?;
        Ok(rendered(dispense, patient_id))
    })
    .await
}

/// The dispense as a client sees it: its stored fields, and as its subject the very patient that the client named.
pub(crate) fn rendered(mut dispense: Dispense, patient_id: Option<PatientId>) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("id".to_owned(), Value::String(dispense.id.to_string()));
    for field in RECORD_FIELDS {
        if let Some(value) = dispense.record.remove(field) {
            data.insert(field.to_owned(), value);
        }
    }
    if let Some(patient_id) = patient_id {
        data.insert("subject".to_owned(), reference("patient", &patient_id.uuid().to_string()));
    }
    data
}

/// A FHIR reference as ESOZ writes it.
pub(crate) fn reference(code: &str, value: &str) -> Value {
    json!({
        "identifier": {
            "type": {"coding": [{"system": "eHealth/resources", "code": code}], "text": ""},
            "value": value,
        },
        "display_value": null,
    })
}
