//! JSON as the models of the targets see it.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// An object as a list of its members: one that stands twice is there twice.
pub(crate) struct Members<V = Value>(pub(crate) Vec<(String, V)>);

impl Members {
    /// The values of that name.
    pub(crate) fn of(&self, name: &str) -> Vec<&Value> {
        self.0.iter().filter(|(found, _)| found == name).map(|(_, value)| value).collect()
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Members<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Object<V> {
            type Value = Members<V>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members<V>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = access.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Object(PhantomData))
    }
}

/// Whether an object in it, at any depth, has two members of one name.
pub(crate) fn has_twice(text: &str) -> bool {
    if let Ok(Members(members)) = serde_json::from_str::<Members<&RawValue>>(text) {
        let names: BTreeSet<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        names.len() < members.len() || members.iter().any(|(_, value)| has_twice(value.get()))
    } else {
        let items: Result<Vec<&RawValue>, _> = serde_json::from_str(text);
        items.is_ok_and(|items| items.iter().any(|item| has_twice(item.get())))
    }
}

/// Whether it is a UUID as ESOZ writes them, in either case, told digit by digit.
pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Every text within a value.
pub(crate) fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
