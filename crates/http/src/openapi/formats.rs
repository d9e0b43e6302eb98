//! Schemas of strings with a format that the domain defines.

use esoz_device_dispense::DispenseStatus;
use esoz_kernel::{IdempotencyKey, RequestId};
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

/// The types of the data of an answer.
pub(crate) const OBJECT: &str = "object";
pub(crate) const LIST: &str = "list";

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// The type of data.
pub(crate) fn data_type() -> Object {
    text().enum_values(Some([OBJECT, LIST])).description(Some("What `data` is.")).build()
}

/// A well-formed request id.
pub(crate) fn request_id() -> Object {
    text()
        .min_length(Some(RequestId::MIN_CHARS))
        .max_length(Some(RequestId::MAX_CHARS))
        .pattern(Some("^[!-~]+$"))
        .description(Some(
            "The request's own `X-Request-ID` if that is well-formed, else a fresh one. Both in `meta` and as a header.",
        ))
        .build()
}

/// A well-formed idempotency key.
pub(crate) fn idempotency_key() -> Object {
    text().min_length(Some(1)).max_length(Some(IdempotencyKey::MAX_CHARS)).pattern(Some("^[!-~]+$")).build()
}

/// A status of the status model.
pub(crate) fn dispense_status() -> Object {
    let values = DispenseStatus::ALL.map(DispenseStatus::as_str);
    text().title(Some("DispenseStatus")).enum_values(Some(values)).build()
}
