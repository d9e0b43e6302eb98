//! The types of fields.

use std::fmt::Display;
use std::str::FromStr;

use esoz_device_dispense::DispenseStatus;
use esoz_kernel::{CivilDate, TimeError, Timestamp, UserId, time::rfc3339_millis};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A domain type in its text form, such as an id or an enumeration. Its error never contains the text.
pub(crate) struct Parsed<T>(pub(crate) T);

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

impl Serialize for Parsed<UserId> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Parsed<DispenseStatus> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
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

/// An instant of the years 0000 to 9999 in UTC. Rendered with milliseconds.
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

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339_millis(self.0))
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

/// An optional field of a dispense, stored as given: absent, null or with a value.
#[derive(Default)]
pub(crate) enum Given<T> {
    /// The field is absent.
    #[default]
    Absent,
    /// The field is null.
    Null,
    /// The field has a value.
    There(T),
}

impl<T> Given<T> {
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(crate) fn is_there(&self) -> bool {
        matches!(self, Self::There(_))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::There))
    }
}

impl<T: Serialize> Serialize for Given<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absent | Self::Null => serializer.serialize_none(),
            Self::There(value) => serializer.serialize_some(value),
        }
    }
}

/// A field of a dispense that is stored without interpretation: any JSON that a document store can hold.
#[derive(Serialize)]
pub(crate) struct Carried(Value);

/// The maximum depth: less than document stores accept, more than real records need.
const MAX_DEPTH: u32 = 32;

impl<'de> Deserialize<'de> for Carried {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        check_storable(&value).map_err(D::Error::custom)?;
        Ok(Self(value))
    }
}

/// Checks that a document store can hold the value.
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
