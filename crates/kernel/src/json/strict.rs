//! Strict JSON parsing: duplicate fields and numbers that would be rounded are errors.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Error, Value, error::Category};

use super::error::{JsonError, JsonErrorKind, is_field_name};
use super::number::number;
use super::one_pass;

/// The recursion limit of `serde_json`.
const MAX_DEPTH: usize = 128;

/// The most numbers that are told of one text, so that a short text makes no long list of long paths.
const MAX_NUMBERS: usize = 300;

/// Parses JSON without rounding any number.
///
/// # Errors
/// [`JsonError`]: the first problem.
pub fn read(text: &str) -> Result<Value, JsonError> {
    let (value, rounded) = read_reporting_numbers(text)?;
    rounded.into_iter().next().map_or(Ok(value), Err)
}

/// Parses JSON, and reports each number that would be rounded (at most 300 of them), so that they can be told together with other faults. In the value
/// they are null.
///
/// # Errors
/// [`JsonError`]: the first problem of another kind.
pub fn read_reporting_numbers(text: &str) -> Result<(Value, Vec<JsonError>), JsonError> {
    one_pass::read(text).map_or_else(|| read_with_reasons(text), |value| Ok((value, Vec::new())))
}

/// As [`read_reporting_numbers`], by the parser that knows the reasons.
pub(super) fn read_with_reasons(text: &str) -> Result<(Value, Vec<JsonError>), JsonError> {
    // First, for the reasons are looked for level by level, each time in all that is left.
    if one_pass::depth(text) >= MAX_DEPTH {
        let problem = format!("is nested more than {MAX_DEPTH} levels deep");
        return Err(JsonError::new(JsonErrorKind::Depth, "$", problem));
    }
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| syntax_error(&error, 0))?;
    let reader = Reader { text, rounded: RefCell::default() };
    let value = reader.value(whole, &JsonPath::Root)?;
    Ok((value, reader.rounded.into_inner()))
}

/// Translates a syntax error in a part of the text that begins `before` bytes after its start.
fn syntax_error(error: &Error, before: usize) -> JsonError {
    let (kind, problem) = match error.classify() {
        Category::Data => (JsonErrorKind::Duplicate, "an object has the same field twice"),
        Category::Syntax | Category::Eof | Category::Io => (JsonErrorKind::Syntax, "is not JSON"),
    };
    JsonError::new(kind, "$", format!("{problem} (column {})", before + error.column()))
}

/// The path of a value.
enum JsonPath<'a> {
    Root,
    Field(&'a JsonPath<'a>, &'a str),
    Item(&'a JsonPath<'a>, usize),
}

impl fmt::Display for JsonPath<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => formatter.write_str("$"),
            Self::Field(parent, name) if is_field_name(name) => write!(formatter, "{parent}.{name}"),
            // It may be personal data.
            Self::Field(parent, _) => write!(formatter, "{parent}.…"),
            Self::Item(parent, index) => write!(formatter, "{parent}[{index}]"),
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    rounded: RefCell<Vec<JsonError>>,
}

impl<'a> Reader<'a> {
    fn value(&self, raw: &'a RawValue, path: &JsonPath<'_>) -> Result<Value, JsonError> {
        match raw.get().bytes().next() {
            Some(b'{') => {
                let Members(fields) = self.parse(raw)?;
                let fields = fields.into_iter().map(|(name, field)| {
                    let field = self.value(field, &JsonPath::Field(path, &name))?;
                    Ok((name, field))
                });
                fields.collect::<Result<_, _>>().map(Value::Object)
            }
            Some(b'[') => {
                let items = self.parse::<Vec<&RawValue>>(raw)?.into_iter().enumerate();
                items.map(|(index, item)| self.value(item, &JsonPath::Item(path, index))).collect()
            }
            Some(b'-' | b'0'..=b'9') => {
                Ok(number(raw.get()).map_or_else(|| self.report_rounded(path), Value::Number))
            }
            _ => self.parse(raw),
        }
    }

    fn report_rounded(&self, path: &JsonPath<'_>) -> Value {
        let mut rounded = self.rounded.borrow_mut();
        if rounded.len() < MAX_NUMBERS {
            let problem =
                "is a number with more digits, or further from 1, than a store can keep: it would be rounded";
            rounded.push(JsonError::new(JsonErrorKind::Number, path.to_string(), problem));
        }
        Value::Null
    }

    fn parse<T: Deserialize<'a>>(&self, raw: &'a RawValue) -> Result<T, JsonError> {
        let before = raw.get().as_ptr().addr() - self.text.as_ptr().addr();
        serde_json::from_str(raw.get()).map_err(|error| syntax_error(&error, before))
    }
}

/// The fields of an object without duplicates.
struct Members<'a>(BTreeMap<String, &'a RawValue>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members<'de>, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = access.next_entry()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom("the same field twice"));
                    }
                }
                Ok(Members(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use crate::lossless_f64;

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
            (r#"{"a":["x\ud800"]}"#, "$: is not JSON (column 15)"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_number_keeps_every_digit_or_is_refused_where_it_stands() {
        for text in [
            "0",
            "-12.5",
            "0.1",
            "10.10",
            "1e3",
            "9007199254740993",
            "-9223372036854775808",
            "18446744073709551615",
            "1e-300",
        ] {
            let Value::Number(number) = read(text).unwrap() else { panic!("{text} is no number") };
            let same = number.to_string() == text || lossless_f64(&number.to_string()) == lossless_f64(text);
            assert!(same, "{text} was read as {number}");
        }
        for number in [
            "123456789012345678.91",
            "1e400",
            "-1e400",
            "1e-400",
            "18446744073709551616.5",
            "0.30000000000000000001",
        ] {
            for (before, after, path) in [
                ("", "", "$"),
                (r#"{"a":[0,{"b_c":"#, "}]}", "$.a[1].b_c"),
                (r#"{"Canary 1":["#, "]}", "$.…[0]"),
            ] {
                let error = read(&format!("{before}{number}{after}")).unwrap_err().to_string();
                let expected = "is a number with more digits, or further from 1, than a store can keep: it would be rounded";
                assert_eq!(error, format!("{path}: {expected}"));
            }
        }
        assert!(read(r#"{"a":"123456789012345678.91 1e400"}"#).is_ok(), "a text is no number");
    }

    #[test]
    fn every_number_that_would_be_rounded_is_reported_and_null() {
        let (value, rounded) =
            read_reporting_numbers(r#"{"a":[1e400,2],"b":{"c":0.30000000000000000001}}"#).unwrap();
        assert_eq!(value, serde_json::json!({ "a": [null, 2], "b": { "c": null } }));
        assert_eq!(rounded.iter().map(|error| error.path.as_str()).collect::<Vec<_>>(), ["$.a[0]", "$.b.c"]);
        let many = format!("[{}1e400]", "1e400,".repeat(MAX_NUMBERS));
        assert_eq!(read_reporting_numbers(&many).unwrap().1.len(), MAX_NUMBERS);
        assert!(read_reporting_numbers(r#"{"a":1e400,"a":1}"#).is_err());
    }

    #[test]
    fn every_double_is_read_as_it_is_written() {
        let mantissas = [0, 1, 2, 3, 0x5_5555_5555_5555, 0xa_aaaa_aaaa_aaab, (1 << 52) - 2, (1 << 52) - 1];
        let extremes =
            (0..2047_u64).flat_map(|exponent| mantissas.map(|mantissa| (exponent << 52) | mantissa));
        // Between 2^50 and 2^53 many doubles lie half way between two shortest forms.
        let half_way = (0..20_000_u64)
            .map(|index| ((1023 + 50 + index % 3) << 52) | (index * 0x1_2345_6789 % (1 << 52)));
        for bits in extremes.chain(half_way) {
            let text = Value::from(f64::from_bits(bits)).to_string();
            let read = read(&text).ok().and_then(|number| number.as_f64()).map(f64::to_bits);
            assert_eq!(read, Some(bits), "{text}");
        }
    }

    #[test]
    fn nesting_ends_before_the_stack_does() {
        let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&deep(MAX_DEPTH - 1)).is_ok());
        for depth in [MAX_DEPTH, 100_000] {
            let error = read(&deep(depth)).unwrap_err().to_string();
            assert!(error.ends_with(": is nested more than 128 levels deep"), "{error}");
        }
    }
}
