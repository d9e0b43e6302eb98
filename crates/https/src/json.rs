//! Strict deserialization of JSON objects.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

use crate::RequestError;

/// Deserializes an object only: a derived struct would accept an array of its fields' values as well.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// Deserializes an object. The error does not repeat it: it may hold what must not be logged.
///
/// # Errors
/// [`RequestError::NotJson`], [`RequestError::InvalidAnswer`]
pub fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RequestError> {
    let other_form = RequestError::InvalidAnswer("lacks what it must hold, or holds it in another form");
    // Checks the whole text first: serde skips unknown members without checking that they are UTF-8 (RFC 8259, section 8.1).
    serde_json::from_slice::<Value>(bytes).map_err(|_| RequestError::NotJson)?;
    serde_json::from_slice(bytes).map(|Object(object)| object).map_err(|_| other_form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Answer {
        active: bool,
    }

    #[test]
    fn an_object_is_read_whatever_else_it_has() {
        for json in [r#"{"active":true}"#, r#" {"name":{"active":[]},"active":true} "#] {
            assert_eq!(object(json.as_bytes()), Ok(Answer { active: true }), "{json}");
        }
    }

    #[test]
    fn an_array_is_no_object() {
        assert!(matches!(object::<Answer>(b"[true]"), Err(RequestError::InvalidAnswer(_))));
    }

    #[test]
    fn what_is_there_twice_or_not_at_all_is_refused() {
        for json in [r#"{"active":false,"active":true}"#, "{}"] {
            let refused = object::<Answer>(json.as_bytes());
            assert!(matches!(refused, Err(RequestError::InvalidAnswer(_))), "{json}");
        }
    }

    #[test]
    fn what_is_no_json_is_told_so_wherever_that_is() {
        for bytes in [
            b"{\"active\":true".as_slice(),
            b"{\"active\":true,\"name\":\"\xff\"}",
            b"{\"active\":true,\"\xff\":1}",
            br#"{"active":true,"name":"\ud800"}"#,
        ] {
            assert_eq!(object::<Answer>(bytes), Err(RequestError::NotJson), "{bytes:?}");
        }
    }
}
