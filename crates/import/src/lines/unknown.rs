//! Copies unknown fields of a dispense from the line into the record.

use esoz_kernel::PatientId;
use serde_json::{Map, Value};

use crate::json::{DecodeError, check_storable};

/// Copies every field of the line's data that the record lacks into the record, at every level.
///
/// # Errors
/// When a store cannot hold such a field, or when it contains the patient's id.
pub(super) fn carry(
    data: &Map<String, Value>,
    record: &mut Map<String, Value>,
    patient: PatientId,
) -> Result<(), DecodeError> {
    for (name, value) in data {
        if is_ours(name) {
            return Err(DecodeError::new("has a field that only the service writes: _id, subject or esoz_…"));
        }
        carry_field(name, value, record, patient)?;
    }
    Ok(())
}

/// Whether only the service writes that field of a stored dispense.
pub(super) fn is_ours(name: &str) -> bool {
    matches!(name, "_id" | "subject") || name.starts_with("esoz_")
}

fn carry_field(
    name: &str,
    value: &Value,
    into: &mut Map<String, Value>,
    patient: PatientId,
) -> Result<(), DecodeError> {
    let Some(known) = into.get_mut(name) else {
        let field = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
        check_storable(&field)?;
        if names(&field, patient) {
            return Err(DecodeError::new(
                "has an unknown field with the patient's id in it, which no store may hold",
            ));
        }
        into.insert(name.to_owned(), value.clone());
        return Ok(());
    };
    carry_inside(value, known, patient).map_err(|error| error.inside(name))
}

fn carry_inside(from: &Value, into: &mut Value, patient: PatientId) -> Result<(), DecodeError> {
    match (from, into) {
        (Value::Object(from), Value::Object(into)) => {
            from.iter().try_for_each(|(name, value)| carry_field(name, value, into, patient))
        }
        (Value::Array(from), Value::Array(into)) => {
            from.iter().zip(into).enumerate().try_for_each(|(index, (from, into))| {
                carry_inside(from, into, patient).map_err(|error| error.at(index))
            })
        }
        _ => Ok(()),
    }
}

/// Whether a text or name in the value contains the patient's id, in either case, with or without hyphens.
fn names(value: &Value, patient: PatientId) -> bool {
    let text = value.to_string().to_lowercase();
    [patient.uuid().hyphenated().to_string(), patient.uuid().simple().to_string()]
        .iter()
        .any(|id| text.contains(id))
}
