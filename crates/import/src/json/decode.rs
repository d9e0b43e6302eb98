//! Deserializes JSON values like `serde_json::from_value`, with errors that state the path and never the value.

use std::fmt;

use serde::Deserialize;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error, Expected, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value, map};

use crate::LineError;

/// Deserializes a value of a line.
pub(crate) fn decode<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, DecodeError> {
    T::deserialize(Node(value))
}

/// The fields of a value that must be an object.
pub(crate) fn object(value: &Value) -> Result<&Map<String, Value>, DecodeError> {
    value.as_object().ok_or_else(|| DecodeError::invalid_type(unexpected(value), &"an object"))
}

/// The items of a value that must be an array.
pub(crate) fn array(value: &Value) -> Result<&Vec<Value>, DecodeError> {
    value.as_array().ok_or_else(|| DecodeError::invalid_type(unexpected(value), &"a sequence"))
}

fn unexpected(value: &Value) -> Unexpected<'_> {
    match value {
        Value::Null => Unexpected::Unit,
        Value::Bool(value) => Unexpected::Bool(*value),
        Value::Number(_) => Unexpected::Float(0.0),
        Value::String(text) => Unexpected::Str(text),
        Value::Array(_) => Unexpected::Seq,
        Value::Object(_) => Unexpected::Map,
    }
}

/// What is wrong, and where: path steps from the value up to the root.
#[derive(Debug)]
pub(crate) struct DecodeError {
    steps: Vec<String>,
    problem: String,
    /// The name of the unknown field, if that is the fault.
    unknown_field: Option<String>,
}

impl DecodeError {
    /// Prefixes the path with a field.
    #[must_use]
    pub(crate) fn inside(mut self, field: &str) -> Self {
        self.steps.push(format!(".{field}"));
        self
    }

    /// Appends the remedy to a fault about an unknown field, unless it is one of the excepted fields of the root.
    #[must_use]
    pub(crate) fn with_remedy(mut self, remedy: &str, except: fn(&str) -> bool) -> Self {
        let is_top = self.steps.is_empty();
        if self.unknown_field.as_deref().is_some_and(|name| !(is_top && except(name))) {
            self.problem.push_str(remedy);
        }
        self
    }

    /// Prefixes the path with an index.
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

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.problem)
    }
}

impl std::error::Error for DecodeError {}

impl Error for DecodeError {
    /// Takes text from the errors of domain types, which never contain the refused value.
    fn custom<T: fmt::Display>(problem: T) -> Self {
        Self { steps: Vec::new(), problem: problem.to_string(), unknown_field: None }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
            Unexpected::Char(_) | Unexpected::Str(_) => "a string",
            Unexpected::Unit | Unexpected::Option => "null",
            Unexpected::Seq => "an array",
            Unexpected::Map | Unexpected::StructVariant => "an object",
            _ => "something else",
        };
        Self::custom(format_args!("is {found}, expected {expected}"))
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(format_args!("is not {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!("is not one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        let error = if is_field_name(field) {
            Self::custom(format_args!("has the unknown field {field}"))
        } else {
            Self::custom("has an unknown field, whose name is not one that a field can have")
        };
        Self { unknown_field: Some(field.to_owned()), ..error }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom("is missing").inside(field)
    }
}

/// Whether a name can be shown in an error: it looks like a field's name, not like an id or a person's name.
pub(super) fn is_field_name(field: &str) -> bool {
    const MAX_BYTES: usize = 40;
    let is_field_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    !field.is_empty() && field.len() <= MAX_BYTES && field.bytes().all(is_field_name)
}

/// A value of a line.
struct Node<'de>(&'de Value);

impl<'de> Deserializer<'de> for Node<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => {
                if let Some(value) = number.as_u64() {
                    visitor.visit_u64(value)
                } else if let Some(value) = number.as_i64() {
                    visitor.visit_i64(value)
                } else {
                    visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN))
                }
            }
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items(items.iter().enumerate())),
            Value::Object(fields) => visitor.visit_map(Fields { rest: fields.iter(), next: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    /// Accepts an object only: serde would accept an array of the fields' values as well.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_map(Fields { rest: object(self.0)?.iter(), next: None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// The items of an array that are left, with their indexes.
struct Items<'de>(std::iter::Enumerate<std::slice::Iter<'de, Value>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        let Some((index, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Node(item)).map(Some).map_err(|error| error.at(index))
    }
}

/// The fields of an object that are left, and the one whose name was taken.
struct Fields<'de> {
    rest: map::Iter<'de>,
    next: Option<(&'de str, &'de Value)>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        self.next = self.rest.next().map(|(name, value)| (name.as_str(), value));
        let Some((name, _)) = self.next else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    /// The name of the field can be shown: unknown fields are refused by their names.
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        let (name, value) = self.next.take().ok_or_else(|| DecodeError::custom("a value without a name"))?;
        seed.deserialize(Node(value)).map_err(|error| error.inside(name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Number, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        inner: Vec<Inner>,
        note: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        is_on: bool,
        amount: Number,
        any: Value,
    }

    fn inner() -> Value {
        json!({"is_on": true, "amount": 1.5, "any": {"x": [1, -1, 0.5, "s", null]}})
    }

    fn refused(value: &Value) -> String {
        LineError::from(decode::<Outer>(value).unwrap_err()).to_string()
    }

    #[test]
    fn what_fits_is_taken_as_it_is() {
        let value = json!({"inner": [inner(), inner()], "note": null});
        let outer: Outer = decode(&value).unwrap();
        assert_eq!((outer.inner.len(), outer.note), (2, None));
        let first = &outer.inner[0];
        assert_eq!((first.is_on, &first.amount.to_string()[..], &first.any), (true, "1.5", &inner()["any"]));
        let large = json!(u64::MAX);
        assert_eq!(decode::<Number>(&large).unwrap().as_u64(), Some(u64::MAX));
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
            (json!({"inner": {}}), "$.inner: is an object, expected a sequence"),
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
}
