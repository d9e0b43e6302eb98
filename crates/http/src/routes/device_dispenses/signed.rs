//! The body of the methods that take a signed document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use esoz_device_dispense::SignedInput;
use esoz_kernel::PatientId;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use crate::call::Call;
use crate::envelope::Invalid;
use crate::error::ApiError;
use crate::extract::body;
use crate::openapi::Answers;

/// A signed document.
#[derive(Deserialize, Validate, ToSchema)]
#[schema(as = SignedDocument)]
pub(crate) struct SignedBody {
    /// The container (PKCS#7, CMS SignedData with its content inside), in base64. What is signed is the dispense as it is shown, with the changes.
    #[serde(default, deserialize_with = "body::present_or_null")]
    #[schema(value_type = String, format = "byte", required = true)]
    #[validate(
        required(message = "required property signed_data was not present"),
        custom(function = "body::text")
    )]
    signed_data: Option<Value>,
    #[serde(flatten)]
    #[schema(ignore)]
    #[validate(custom(function = "body::no_unknown_properties"))]
    unknown: body::Unknown,
}

/// Parses the body: the bytes of the container.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<u8>, ApiError> {
    let SignedBody { signed_data, .. } = body::parse(bytes)?;
    // The shape was validated: it is a text.
    let text = signed_data.as_ref().and_then(Value::as_str).unwrap_or_default();
    STANDARD.decode(text).map_err(|_| {
        let description = "string does not match the format of base64";
        ApiError::invalid(vec![Invalid::property("$.signed_data", "format", description)])
    })
}

/// Reads what is to be changed, and the signed document.
pub(super) async fn input(call: &mut Call, patient_id: Option<PatientId>) -> Result<SignedInput, ApiError> {
    let (container, idempotency_key) = call.document_body(parse).await?;
    let (dispense_id, trace) = (call.path_id("id"), call.trace());
    let request_id = call.context().request_id.clone();
    Ok(SignedInput { patient_id, dispense_id, container, request_id, trace, idempotency_key })
}

/// Adds the answers to a body that is no signed document, for the description.
pub(super) fn with_refusals(answers: Answers) -> Answers {
    answers
        .with_write_refusals()
        .refusal("unsupported_content_type", &ApiError::unsupported_content_type())
        .refusals([
            ("not_an_object", parse(b"[]")),
            ("required", parse(b"{}")),
            ("format", parse(br#"{"signed_data":"*"}"#)),
        ])
}
