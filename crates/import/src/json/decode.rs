//! Reads JSON values as types, with errors that state the path and never the value.

use std::fmt::Display;
use std::str::FromStr;

use esoz_kernel::{CivilDate, TimeError, Timestamp};
use serde_json::{Map, Number, Value};

use crate::LineError;

/// What is wrong, and where: path steps from the value up to the root.
#[derive(Debug)]
pub(crate) struct DecodeError {
    steps: Vec<String>,
    problem: String,
}

impl DecodeError {
    /// Creates an error about a value. The text must not contain the value; the errors of domain types do not.
    pub(crate) fn new(problem: impl Display) -> Self {
        Self { steps: Vec::new(), problem: problem.to_string() }
    }

    /// Refuses a field by its name.
    pub(crate) fn unknown_field(name: &str, remedy: &str) -> Self {
        if is_field_name(name) {
            Self::new(format_args!("has the unknown field {name}{remedy}"))
        } else {
            Self::new(format_args!(
                "has an unknown field, whose name is not one that a field can have{remedy}"
            ))
        }
    }

    /// States that a field is missing.
    pub(crate) fn missing_field(name: &str) -> Self {
        Self::new("is missing").inside(name)
    }

    /// Prefixes the path with a field.
    #[must_use]
    pub(crate) fn inside(mut self, field: &str) -> Self {
        self.steps.push(format!(".{field}"));
        self
    }

    /// Prefixes the path with an index.
    #[must_use]
    pub(crate) fn at(mut self, index: usize) -> Self {
        self.steps.push(format!("[{index}]"));
        self
    }
}

impl From<DecodeError> for LineError {
    fn from(error: DecodeError) -> Self {
        let path: String = std::iter::once("$").chain(error.steps.iter().rev().map(String::as_str)).collect();
        Self::new(path, error.problem)
    }
}

/// Whether a name can be shown in an error: it looks like a field's name, not like an id or a person's name.
pub(super) fn is_field_name(field: &str) -> bool {
    const MAX_BYTES: usize = 40;
    let is_field_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    !field.is_empty() && field.len() <= MAX_BYTES && field.bytes().all(is_field_name)
}

/// The fields of a value that must be an object.
pub(crate) fn object(value: &Value) -> Result<&Map<String, Value>, DecodeError> {
    value.as_object().ok_or_else(|| unexpected(value, AN_OBJECT))
}

/// The fields of a value that must be an object.
pub(crate) fn object_mut(value: &mut Value) -> Result<&mut Map<String, Value>, DecodeError> {
    match value {
        Value::Object(fields) => Ok(fields),
        other => Err(unexpected(other, AN_OBJECT)),
    }
}

/// The items of a value that must be an array.
pub(crate) fn array_mut(value: &mut Value) -> Result<&mut Vec<Value>, DecodeError> {
    match value {
        Value::Array(items) => Ok(items),
        other => Err(unexpected(other, "a sequence")),
    }
}

const AN_OBJECT: &str = "an object";

/// The text of a value that must be a string.
pub(crate) fn string(value: &Value) -> Result<&str, DecodeError> {
    value.as_str().ok_or_else(|| unexpected(value, "a string"))
}

/// The truth of a value that must be a boolean.
pub(crate) fn boolean(value: &Value) -> Result<bool, DecodeError> {
    value.as_bool().ok_or_else(|| unexpected(value, "a boolean"))
}

/// The number of a value that must be one.
pub(crate) fn number(value: &Value) -> Result<&Number, DecodeError> {
    value.as_number().ok_or_else(|| unexpected(value, "a JSON number"))
}

fn unexpected(value: &Value, expected: &str) -> DecodeError {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    DecodeError::new(format_args!("is {found}, expected {expected}"))
}

/// Refuses fields other than these.
pub(crate) fn refuse_unknown(fields: &Map<String, Value>, known: &[&str]) -> Result<(), DecodeError> {
    let unknown = fields.keys().find(|name| !known.contains(&name.as_str()));
    unknown.map_or(Ok(()), |name| Err(DecodeError::unknown_field(name, "")))
}

/// Reads a field that must be there.
pub(crate) fn required<'a, T>(
    fields: &'a Map<String, Value>,
    name: &str,
    read: impl FnOnce(&'a Value) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let value = fields.get(name).ok_or_else(|| DecodeError::missing_field(name))?;
    read(value).map_err(|error| error.inside(name))
}

/// Reads a field that can be absent or null.
pub(crate) fn optional<'a, T>(
    fields: &'a Map<String, Value>,
    name: &str,
    read: impl FnOnce(&'a Value) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    let value = fields.get(name).filter(|value| !value.is_null());
    value.map(read).transpose().map_err(|error| error.inside(name))
}

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

/// Checks that a document store can hold a field of an object.
pub(crate) fn check_storable_field(name: &str, value: &Value) -> Result<(), DecodeError> {
    storable_field(name, value, MAX_DEPTH.saturating_sub(1))
}

/// Checks depth and names.
fn storable(value: &Value, depth: u32) -> Result<(), DecodeError> {
    let depth = depth.checked_sub(1).ok_or_else(|| DecodeError::new("is nested more than 32 levels deep"))?;
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| storable(item, depth)),
        Value::Object(fields) => {
            fields.iter().try_for_each(|(name, field)| storable_field(name, field, depth))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Names that begin with `$` have a meaning in MongoDB, and NUL ends a name in BSON.
fn storable_field(name: &str, field: &Value, depth: u32) -> Result<(), DecodeError> {
    if name.starts_with('$') || name.contains('\0') {
        return Err(DecodeError::new("holds a field whose name begins with $ or has a NUL in it"));
    }
    storable(field, depth)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    type Inner<'a> = (bool, &'a Number, &'a Value);
    type Outer<'a> = (Vec<Inner<'a>>, Option<&'a str>);

    fn read_inner(value: &Value) -> Result<Inner<'_>, DecodeError> {
        let fields = object(value)?;
        refuse_unknown(fields, &["is_on", "amount", "any"])?;
        Ok((
            required(fields, "is_on", boolean)?,
            required(fields, "amount", number)?,
            required(fields, "any", Ok)?,
        ))
    }

    fn read_outer(value: &Value) -> Result<Outer<'_>, DecodeError> {
        let fields = object(value)?;
        refuse_unknown(fields, &["inner", "note"])?;
        let items = |value| {
            let items = Value::as_array(value).into_iter().flatten().enumerate();
            items.map(|(index, item)| read_inner(item).map_err(|error| error.at(index))).collect()
        };
        Ok((required(fields, "inner", items)?, optional(fields, "note", string)?))
    }

    fn inner() -> Value {
        json!({"is_on": true, "amount": 1.5, "any": {"x": [1, -1, 0.5, "s", null]}})
    }

    fn refused(value: &Value) -> String {
        LineError::from(read_outer(value).unwrap_err()).to_string()
    }

    #[test]
    fn what_fits_is_taken_as_it_is() {
        let value = json!({"inner": [inner(), inner()], "note": null});
        let (items, note) = read_outer(&value).unwrap();
        assert_eq!((items.len(), note), (2, None));
        let (is_on, amount, any) = items[0];
        assert_eq!((is_on, &amount.to_string()[..], any), (true, "1.5", &inner()["any"]));
        let large = json!(u64::MAX);
        assert_eq!(number(&large).unwrap().as_u64(), Some(u64::MAX));
    }

    #[test]
    fn a_fault_says_where_it_is_and_what_was_expected_and_not_what_was_found() {
        let with = |field: &str, value: Value| {
            let mut inner = inner();
            inner[field] = value;
            json!({"inner": [self::inner(), inner], "note": "canary"})
        };
        for (value, expected) in [
            (json!("canary"), "$: is a string, expected an object"),
            (json!(["canary"]), "$: is an array, expected an object"),
            (json!({"note": "canary"}), "$.inner: is missing"),
            (json!({"inner": [], "note": 4711}), "$.note: is a number, expected a string"),
            (json!({"inner": [null]}), "$.inner[0]: is null, expected an object"),
            (with("is_on", json!("canary")), "$.inner[1].is_on: is a string, expected a boolean"),
            (with("amount", json!("4711")), "$.inner[1].amount: is a string, expected a JSON number"),
            (with("other_one", json!("canary")), "$.inner[1]: has the unknown field other_one"),
            (
                with("4711 canary", json!(true)),
                "$.inner[1]: has an unknown field, whose name is not one that a field can have",
            ),
        ] {
            assert_eq!(refused(&value), expected);
        }
    }

    #[test]
    fn a_value_of_another_type_cannot_be_changed_as_an_array_or_an_object() {
        let text = |error: DecodeError| LineError::from(error).to_string();
        let error = array_mut(&mut json!({"canary": 1})).unwrap_err();
        assert_eq!(text(error), "$: is an object, expected a sequence");
        let error = object_mut(&mut json!(["canary"])).unwrap_err();
        assert_eq!(text(error), "$: is an array, expected an object");
    }
}
