//! The types of fields.

use std::fmt::Display;
use std::str::FromStr;

use esoz_kernel::{CivilDate, TimeError, Timestamp};
use serde_json::Value;

use super::decode::{DecodeError, string};

/// A domain type in its text form, such as an id or an enumeration. Its error never contains the text.
pub(crate) fn parsed<T: FromStr<Err: Display>>(value: &Value) -> Result<T, DecodeError> {
    string(value)?.parse().map_err(DecodeError::new)
}

/// Text for an SQL column: not empty, without NUL.
pub(crate) fn text(value: &Value) -> Result<String, DecodeError> {
    let text = string(value)?;
    if text.is_empty() {
        Err(DecodeError::new("is empty"))
    } else if text.contains('\0') {
        Err(DecodeError::new("holds a NUL character"))
    } else {
        Ok(text.to_owned())
    }
}

/// An instant of the years 0000 to 9999 in UTC.
pub(crate) fn time(value: &Value) -> Result<Timestamp, DecodeError> {
    // A sign would begin a year of six digits.
    if !string(value)?.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(DecodeError::new(TimeError::Malformed));
    }
    parsed(value)
}

/// A calendar day.
pub(crate) fn day(value: &Value) -> Result<CivilDate, DecodeError> {
    let text = string(value)?;
    // A date with a time would be taken as well, and its time dropped.
    let day = text.parse().ok().filter(|_| text.len() == "2026-01-31".len());
    day.ok_or_else(|| DecodeError::new("is not a day like 2026-01-31"))
}

/// The maximum depth: less than document stores accept, more than real records need.
const MAX_DEPTH: u32 = 32;

/// Checks that a document store can hold the value, which is stored without interpretation.
pub(crate) fn check_storable(value: &Value) -> Result<(), DecodeError> {
    storable(value, MAX_DEPTH)
}

/// Checks depth and names: names that begin with `$` have a meaning in MongoDB, and NUL ends a name in BSON.
fn storable(value: &Value, depth: u32) -> Result<(), DecodeError> {
    let depth = depth.checked_sub(1).ok_or_else(|| DecodeError::new("is nested more than 32 levels deep"))?;
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| storable(item, depth)),
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            if name.starts_with('$') || name.contains('\0') {
                return Err(DecodeError::new("holds a field whose name begins with $ or has a NUL in it"));
            }
            storable(field, depth)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}
