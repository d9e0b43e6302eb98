use esoz_device_dispense::{CreateDispense, CreateInput};
use esoz_kernel::PatientId;
use utoipa::IntoResponses;

use super::new_dispense::{self, NewDispenseBody};
use super::{PatientPath, example, rendered};
use crate::call::{Answer, Call};
use crate::envelope::Reply;
use crate::error::ApiError;
use crate::openapi::{
    Answers, Responses,
    parameters::{IdempotencyHeader, StandardHeaders},
};

/// Record a device dispense
///
/// Records what is handed over to a patient on a device request, in progress. The access token's scope must hold `device_dispense:write`.
#[utoipa::path(
    post,
    path = "/api/patients/{patient_id}/device_dispenses",
    operation_id = "create_device_dispense",
    params(PatientPath, StandardHeaders, IdempotencyHeader),
    request_body = NewDispenseBody,
    responses(CreateAnswers),
)]
pub(crate) async fn handle(call: Call) -> Answer {
    let patient_id: Option<PatientId> = call.path_id("patient_id");
    call.run::<CreateDispense, _, _, _>(
        async |call| {
            let (body, idempotency_key) = {
                let units = call.api().device_dispenses.create.policy.units.clone();
                call.document_body(|bytes| {
                    new_dispense::parse(bytes, patient_id, &|code| units.contains_key(code))
                })
                .await?
            };
            let (request_id, trace) = (call.context().request_id.clone(), call.trace());
            Ok(CreateInput { patient_id, body, request_id, trace, idempotency_key })
        },
        async |api, permit, input| api.device_dispenses.create.execute(permit, input).await,
        |dispense| Reply::created(rendered(dispense, patient_id)),
    )
    .await
}

/// The answers of the method, for its description.
struct CreateAnswers;

impl IntoResponses for CreateAnswers {
    fn responses() -> Responses {
        let path = format!("/api/patients/{}/device_dispenses", example::PATIENT);
        let parse = |body: &[u8]| new_dispense::parse(body, None, &|_| true);
        Answers::of_operation::<CreateDispense>(&path)
            .success("created", "The new record.", "DeviceDispense", Reply::created(example::created()))
            .with_write_refusals()
            .refusal("unsupported_content_type", &ApiError::unsupported_content_type())
            .refusals([
                ("not_an_object", parse(b"[]")),
                ("required", parse(b"{}")),
                ("cast", parse(br#"{"id":null}"#)),
            ])
            .responses()
    }
}
