use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value, error::Category};

use crate::LineError;

/// Reads JSON; a name that one object has twice is a fault, and not the last one's value.
pub(crate) fn read(text: &str) -> Result<Value, LineError> {
    serde_json::from_str(text).map(|Strict(value)| value).map_err(|error| {
        let problem = match error.classify() {
            Category::Data => "an object has the same field twice",
            Category::Syntax | Category::Eof | Category::Io => "is not JSON",
        };
        LineError::new("$", format!("{problem} (column {})", error.column()))
    })
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Strict(value))) = access.next_entry::<String, Strict>()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("the same field twice"));
            }
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_as_it_is() {
        let text = r#"{"a":[null,true,-1,18446744073709551615,0.1,"x",{"b":{}}]}"#;
        assert_eq!(read(text).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn a_field_twice_is_a_fault_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":"canary","a":2}}]"#] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with("$: an object has the same field twice (column "), "{error}");
        }
    }

    #[test]
    fn what_is_not_json_is_named_by_its_column() {
        for (text, expected) in [
            ("", "$: is not JSON (column 0)"),
            (r#"{"canary""#, "$: is not JSON (column 9)"),
            ("canary", "$: is not JSON (column 1)"),
            (r#"{"a":1} canary"#, "$: is not JSON (column 9)"),
            ("1e999", "$: is not JSON (column 5)"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expected);
        }
    }
}
