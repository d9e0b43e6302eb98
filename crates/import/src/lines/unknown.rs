//! Copies unknown fields of a dispense from the line into the record.

use esoz_device_dispense::is_internal;
use serde_json::{Map, Value};

use crate::json::{DecodeError, check_storable};

/// Copies every field of the line's data that the record lacks into the record, at every level.
///
/// # Errors
/// When a store cannot hold such a field.
pub(super) fn carry(data: &Map<String, Value>, record: &mut Map<String, Value>) -> Result<(), DecodeError> {
    for (name, value) in data {
        if !record.contains_key(name) && is_internal(name) {
            return Err(DecodeError::new("has a field that only the service writes: _id or esoz_…"));
        }
        carry_field(name, value, record)?;
    }
    Ok(())
}

fn carry_field(name: &str, value: &Value, into: &mut Map<String, Value>) -> Result<(), DecodeError> {
    let Some(known) = into.get_mut(name) else {
        let field = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
        check_storable(&field)?;
        into.insert(name.to_owned(), value.clone());
        return Ok(());
    };
    carry_inside(value, known).map_err(|error| error.inside(name))
}

fn carry_inside(from: &Value, into: &mut Value) -> Result<(), DecodeError> {
    match (from, into) {
        (Value::Object(from), Value::Object(into)) => {
            from.iter().try_for_each(|(name, value)| carry_field(name, value, into))
        }
        (Value::Array(from), Value::Array(into)) => {
            from.iter().zip(into).enumerate().try_for_each(|(index, (from, into))| {
                carry_inside(from, into).map_err(|error| error.at(index))
            })
        }
        _ => Ok(()),
    }
}
