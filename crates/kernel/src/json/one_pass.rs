//! Parses JSON in one pass. Returns nothing for input that strict parsing refuses or might read differently; `strict` then parses it and gives the
//! reason.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::number::number;

/// Parses JSON; `None` when an object has a field twice or a number would be rounded, or when it is no JSON.
pub(super) fn read(json: &str) -> Option<Value> {
    let Unambiguous(value) = serde_json::from_str(json).ok()?;
    has_only_exact_numbers(json).then_some(value)
}

/// A value whose objects have no field twice. Numbers are rounded to doubles.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnambiguousVisitor).map(Self)
    }
}

struct UnambiguousVisitor;

impl<'de> Visitor<'de> for UnambiguousVisitor {
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
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((name, Unambiguous(value))) = access.next_entry()? {
            if fields.insert(name, value).is_some() {
                return Err(A::Error::custom("the same field twice"));
            }
        }
        Ok(Value::Object(fields))
    }
}

/// The most digits of an integer that surely fits into 64 bits.
const SURELY_FITS: usize = 18;

/// Whether `serde_json` reads every number of this JSON as [`number`] does: integers of 64 bits, and doubles without rounding.
fn has_only_exact_numbers(json: &str) -> bool {
    let mut rest = json;
    while let Some(start) = rest.bytes().position(|first| matches!(first, b'"' | b'-' | b'0'..=b'9')) {
        rest = rest.get(start..).unwrap_or_default();
        if let Some(text) = rest.strip_prefix('"') {
            rest = after_string(text);
            continue;
        }
        let end = rest.bytes().position(|byte| !byte.is_ascii_alphanumeric() && !b"+-.".contains(&byte));
        let (token, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after;
        let is_integer = token.bytes().all(|byte| byte.is_ascii_digit());
        if !(is_integer && token.len() <= SURELY_FITS) && (token == "-0" || number(token).is_none()) {
            return false;
        }
    }
    true
}

/// How many arrays and objects are open at once at the most.
pub(super) fn depth(json: &str) -> usize {
    let (mut depth, mut deepest, mut rest) = (0_usize, 0, json);
    while let Some(start) = rest.bytes().position(|byte| matches!(byte, b'"' | b'[' | b'{' | b']' | b'}')) {
        let (token, after) = rest.split_at(start + 1);
        rest = after;
        match token.bytes().next_back() {
            Some(b'"') => rest = after_string(after),
            Some(b'[' | b'{') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            _ => depth = depth.saturating_sub(1),
        }
    }
    deepest
}

/// What follows a string of JSON, whose first quote was removed.
fn after_string(text: &str) -> &str {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\')) {
        // The letter after a backslash cannot end the string.
        let (is_end, length) = if rest.as_bytes().get(at) == Some(&b'"') { (true, 1) } else { (false, 2) };
        rest = rest.get(at + length..).unwrap_or_default();
        if is_end {
            break;
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::super::strict::read_with_reasons;
    use super::*;

    fn strict(text: &str) -> Option<Value> {
        let (value, rounded) = read_with_reasons(text).ok()?;
        rounded.is_empty().then_some(value)
    }

    #[test]
    fn what_one_pass_reads_is_what_the_strict_reader_reads() {
        for text in [
            r#"{"a":[null,true,-1,18446744073709551615,0.1,"x",{"b":{}}]}"#,
            r#"["1e400","\\",1.50,"\"1e400,",-0.5,1E3,123456789012345678,-9223372036854775808]"#,
            r#"{"1e400":"\u00221e400","ї\\\"":[-0.0,0]}"#,
            r#""1e400""#,
        ] {
            assert_eq!(read(text), strict(text), "{text}");
        }
        assert_eq!(read("[-0]"), None, "it is a double here and an integer there");
        for text in [
            "canary",
            "[1e400]",
            r#"["\\",1e400]"#,
            "18446744073709551616.5",
            r#"{"a":-0.30000000000000000001}"#,
            r#"{"a":1,"a":1}"#,
        ] {
            assert_eq!((read(text), strict(text)), (None, None), "{text}");
        }
    }
}
