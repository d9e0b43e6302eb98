//! JSON as SQLite reads it: of several fields with one name the first counts, and what `serde_json` cannot hold is no error.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// As deep as MongoDB stores it.
const MAX_DEPTH: u8 = 200;

/// Reads a value; `None` when the text is not JSON.
///
/// What `serde_json` cannot hold (a number like 1e400, or deeper nesting) is shown as its text: the record is carried, not interpreted.
pub(super) fn read(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().map(|raw| lenient(raw, MAX_DEPTH))
}

fn lenient(raw: &RawValue, depth: u8) -> Value {
    if let Ok(Json(value)) = serde_json::from_str(raw.get()) {
        return value;
    }
    match serde_json::from_str::<Node<&RawValue>>(raw.get()) {
        Ok(node) if depth > 0 => node.into_json(|inner| lenient(inner, depth.saturating_sub(1))),
        _ => raw.get().into(),
    }
}

/// A value with all that is inside.
struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Node::deserialize(deserializer).map(|node| Self(node.into_json(|Self(inner)| inner)))
    }
}

/// A value; `T` is what it has inside.
enum Node<T> {
    Scalar(Value),
    List(Vec<T>),
    Object(BTreeMap<String, T>),
}

impl<T> Node<T> {
    fn into_json(self, inner: impl Fn(T) -> Value) -> Value {
        match self {
            Self::Scalar(value) => value,
            Self::List(items) => items.into_iter().map(inner).collect(),
            Self::Object(fields) => fields.into_iter().map(|(name, field)| (name, inner(field))).collect(),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Node<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor(PhantomData))
    }
}

struct NodeVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for NodeVisitor<T> {
    type Value = Node<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Node<T>, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<T>, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<T>, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<T>, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<T>, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<T>, E> {
        Ok(Node::Scalar(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node<T>, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((name, value)) = fields.next_entry()? {
            object.entry(name).or_insert(value);
        }
        Ok(Node::Object(object))
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
