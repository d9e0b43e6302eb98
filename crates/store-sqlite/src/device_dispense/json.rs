//! JSON as SQLite reads it: of several fields with one name the first counts, and what `serde_json` cannot hold is no error.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// As deep as MongoDB stores it.
const MAX_DEPTH: u8 = 200;

/// Reads a value; `None` when the text is not JSON.
///
/// What `serde_json` cannot hold (a number like 1e400, or deeper nesting) is shown as its text: the record is carried, not interpreted.
pub(super) fn read(text: &str) -> Option<Value> {
    let whole = serde_json::from_str(text).map(|Json(value)| value);
    whole.or_else(|_| serde_json::from_str(text).map(|raw| by_parts(raw, MAX_DEPTH))).ok()
}

/// Reads a value that `serde_json` cannot hold as a whole.
fn by_parts(raw: &RawValue, depth: u8) -> Value {
    let Some(depth) = depth.checked_sub(1) else { return raw.get().into() };
    let lenient = |inner: &RawValue| {
        serde_json::from_str(inner.get()).map_or_else(|_| by_parts(inner, depth), |Json(value)| value)
    };
    let parts = ValueVisitor::new(lenient);
    serde_json::Deserializer::from_str(raw.get()).deserialize_any(parts).unwrap_or_else(|_| raw.get().into())
}

/// A value with all that is inside.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor::new(|Self(inner)| inner)).map(Self)
    }
}

/// Reads a value; those inside are read as `T` first.
struct ValueVisitor<T, F> {
    inner: F,
    read: PhantomData<T>,
}

impl<T, F: Fn(T) -> Value> ValueVisitor<T, F> {
    fn new(inner: F) -> Self {
        Self { inner, read: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>, F: Fn(T) -> Value> Visitor<'de> for ValueVisitor<T, F> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push((self.inner)(item));
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, value)) = fields.next_entry::<String, T>()? {
            object.entry(name).or_insert_with(|| (self.inner)(value));
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_serde_json_reads_is_read_the_same() {
        let text = r#"{"a":[null,true,-1,18446744073709551615,0.1,"x\u0041",{"b":{}}],"":[]}"#;
        assert_eq!(read(text), serde_json::from_str(text).ok());
        assert_eq!(read("canary"), None);
    }

    #[test]
    fn of_several_fields_with_one_name_the_first_counts_at_any_depth() {
        let expected = |last: Value| json!({"a": [{"b": 1}], "c": last});
        for (last, shown) in [("2", json!(2)), ("1e400", json!("1e400"))] {
            let text = format!(r#"{{"a":[{{"b":1,"\u0062":2}}],"c":{last},"a":3}}"#);
            assert_eq!(read(&text), Some(expected(shown)));
        }
    }
}
