//! The types of fields.

use std::fmt::Display;
use std::str::FromStr;

use esoz_kernel::{CivilDate, TimeError, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A domain type in its text form, such as an id or an enumeration. Its error never contains the text.
pub(crate) struct Parsed<T>(pub(crate) T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

/// Text for an SQL column: not empty, without NUL.
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            Err(D::Error::custom("is empty"))
        } else if text.contains('\0') {
            Err(D::Error::custom("holds a NUL character"))
        } else {
            Ok(Self(text))
        }
    }
}

/// An instant of the years 0000 to 9999 in UTC.
#[derive(Clone, Copy)]
pub(crate) struct Time(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A sign would begin a year of six digits.
        if !text.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(D::Error::custom(TimeError::Malformed));
        }
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A calendar day.
pub(crate) struct Day(pub(crate) CivilDate);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A date with a time would be taken as well, and its time dropped.
        let is_bare = text.len() == "2026-01-31".len();
        let day = text.parse().ok().filter(|_| is_bare).map(Self);
        day.ok_or_else(|| D::Error::custom("is not a day like 2026-01-31"))
    }
}

/// The maximum depth: less than document stores accept, more than real records need.
const MAX_DEPTH: u32 = 32;

/// Checks that a document store can hold the value, which is stored without interpretation.
pub(crate) fn check_storable(value: &Value) -> Result<(), &'static str> {
    storable(value, MAX_DEPTH)
}

/// Checks depth and names: names that begin with `$` have a meaning in MongoDB, and NUL ends a name in BSON.
fn storable(value: &Value, depth: u32) -> Result<(), &'static str> {
    let depth = depth.checked_sub(1).ok_or("is nested more than 32 levels deep")?;
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| storable(item, depth)),
        Value::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            if name.starts_with('$') || name.contains('\0') {
                return Err("holds a field whose name begins with $ or has a NUL in it");
            }
            storable(field, depth)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}
