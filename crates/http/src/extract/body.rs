//! Request bodies: bytes within their limits, then JSON, then a shape whose faults are all reported at once.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::body::{BodyStream, to_bytes_limited};
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Bytes, Payload};
use esoz_kernel::parse_uuid;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::timeout;
use utoipa::ToSchema;
use validator::{Validate, ValidationError};

use crate::HttpLimits;
use crate::context::at_most_one;
use crate::envelope::Invalid;
use crate::error::ApiError;

/// Refuses a body that is not declared as JSON.
pub(crate) fn require_json(request: &HttpRequest) -> Result<(), ApiError> {
    let declared = at_most_one(request.headers(), "Content-Type")?;
    let essence = declared.and_then(|value| value.to_str().ok()?.split(';').next()).map(str::trim);
    match essence {
        Some(essence) if essence.eq_ignore_ascii_case("application/json") => Ok(()),
        Some(_) | None => Err(ApiError::unsupported_content_type()),
    }
}

/// Refuses a compressed body, which would be read as corrupted JSON.
fn require_identity(request: &HttpRequest) -> Result<(), ApiError> {
    let mut encodings = request.headers().get_all(header::CONTENT_ENCODING);
    let is_identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if encodings.all(is_identity) { Ok(()) } else { Err(ApiError::unsupported_content_encoding()) }
}

/// Reads the body within the limits of size and time.
pub(crate) async fn read(
    request: &HttpRequest,
    body: &mut Payload,
    limits: &HttpLimits,
    max_bytes: usize,
) -> Result<Bytes, ApiError> {
    require_identity(request)?;
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let declared: Option<u64> = declared.and_then(|length| length.parse().ok());
    if declared.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > max_bytes)) {
        return Err(ApiError::body_too_large());
    }
    let limit = Duration::from_millis(limits.body_timeout_ms);
    match timeout(limit, to_bytes_limited(BodyStream::new(body), max_bytes)).await {
        Ok(Ok(Ok(bytes))) => Ok(bytes),
        Ok(Ok(Err(_broken))) => Err(ApiError::malformed()),
        Ok(Err(_limit_exceeded)) => Err(ApiError::body_too_large()),
        Err(_elapsed) => Err(ApiError::body_too_slow()),
    }
}

/// The reason of what is text, and no JSON.
pub(super) const SYNTAX: &str = "syntax";

/// Reads the text of a JSON body.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str, ApiError> {
    let malformed = |reason| ApiError::malformed().with_reason(reason);
    if bytes.is_empty() {
        return Err(malformed("empty"));
    }
    let text = str::from_utf8(bytes).map_err(|_| malformed("not_utf8"))?;
    if text.starts_with('\u{FEFF}') { Err(malformed("byte_order_mark")) } else { Ok(text) }
}

/// Parses a body and validates its shape. Syntax comes first: a body that is no JSON is malformed, whatever else is wrong with it.
pub(crate) fn parse<'a, T: Deserialize<'a> + Validate>(bytes: &'a [u8]) -> Result<T, ApiError> {
    // serde_json does not validate the UTF-8 of ignored values.
    let text = utf8(bytes)?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| ApiError::malformed().with_reason(SYNTAX))?;
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        let fault = Invalid::property("$", "schema", "type mismatch. Expected an object");
        return Err(ApiError::invalid(vec![fault]));
    }
    // The shapes accept any value for any property, so this fails for a text that no value can hold, a number in an unknown property that none can, or a
    // property given twice.
    let unreadable = |_| ApiError::malformed().with_reason("unreadable_property");
    let shape: T = serde_json::from_str(text).map_err(unreadable)?;
    shape.validate().map_err(|faults| ApiError::invalid(all_faults(&faults)))?;
    Ok(shape)
}

/// Lists every fault as an entry, in the order of the properties' names.
fn all_faults(faults: &validator::ValidationErrors) -> Vec<Invalid> {
    let mut entries = Vec::new();
    for (property, errors) in faults.field_errors() {
        for error in errors {
            let description = error.message.clone().unwrap_or_default();
            match error.params.get(UNKNOWN_PROPERTIES) {
                Some(names) => entries.extend(unknown_properties(names, &error.code, &description)),
                None => entries.push(Invalid::property(format!("$.{property}"), &error.code, description)),
            }
        }
    }
    entries.sort_by(|left, right| left.entry.cmp(&right.entry));
    entries
}

fn unknown_properties(names: &Value, code: &str, description: &str) -> Vec<Invalid> {
    let names = names.as_array().map(Vec::as_slice).unwrap_or_default();
    names
        .iter()
        .filter_map(Value::as_str)
        .map(|name| Invalid::property(json_path(name), code, description))
        .collect()
}

/// The longest name of a property that an error repeats, in characters.
const NAME_MAX_CHARS: usize = 64;

/// The JSON path of a property. A name that is no plain word is not repeated.
pub(super) fn json_path(name: &str) -> String {
    let is_plain = (1..=NAME_MAX_CHARS).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain { format!("$.{name}") } else { "$".to_owned() }
}

/// Deserializes a text that is there as `Some`, and any other value as `Some(Null)`. To be used with `default`.
///
/// Only a text is parsed: `Value` takes an object with a private name of `serde_json` for the value inside, and refuses numbers beyond a double.
pub(crate) fn present_or_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    if raw.starts_with('"') {
        serde_json::from_str(raw).map(|text| Some(Value::String(text))).map_err(D::Error::custom)
    } else {
        Ok(Some(Value::Null))
    }
}

fn validation_error(code: &'static str, description: &'static str) -> ValidationError {
    ValidationError::new(code).with_message(description.into())
}

pub(crate) fn uuid_text(value: &Value) -> Result<(), ValidationError> {
    match value {
        Value::String(text) if parse_uuid(text).is_ok() => Ok(()),
        Value::String(_) => Err(validation_error("format", "string does not match the format of a UUID")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(validation_error("cast", "type mismatch. Expected a string that holds a UUID"))
        }
    }
}

pub(crate) fn text(value: &Value) -> Result<(), ValidationError> {
    let is_text = value.is_string();
    if is_text { Ok(()) } else { Err(validation_error("cast", "type mismatch. Expected a string")) }
}

/// The parameter of a validation error that lists property names.
const UNKNOWN_PROPERTIES: &str = "unknown_properties";

/// The names of the properties that a shape does not know. Their values are not parsed: `Value` would parse a text that stands under a private name of
/// `serde_json`, and count its nesting from the start.
#[derive(Default, Serialize)]
pub(crate) struct Unknown(BTreeSet<String>);

impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Unknown;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut properties: A) -> Result<Unknown, A::Error> {
                let mut names = BTreeSet::new();
                while let Some((name, IgnoredAny)) = properties.next_entry()? {
                    names.insert(name);
                }
                Ok(Unknown(names))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

pub(crate) fn no_unknown_properties(unknown: &Unknown) -> Result<(), ValidationError> {
    let Unknown(names) = unknown;
    if names.is_empty() {
        return Ok(());
    }
    let mut fault = validation_error("schema", "schema does not allow additional properties");
    fault.add_param(UNKNOWN_PROPERTIES.into(), names);
    Err(fault)
}

/// An object with nothing in it.
#[derive(Default, Deserialize, Serialize, Validate, ToSchema)]
pub(crate) struct EmptyObject {
    #[serde(flatten, skip_serializing)]
    #[schema(ignore)]
    #[validate(custom(function = "no_unknown_properties"))]
    unknown: Unknown,
}

/// Accepts an empty body or an empty object (method 1, "Body").
pub(crate) fn parse_nothing(bytes: &[u8]) -> Result<(), ApiError> {
    if bytes.is_empty() { Ok(()) } else { parse::<EmptyObject>(bytes).map(drop) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_learns_why_a_body_is_no_json() {
        for (body, reason) in [
            (&b""[..], "empty"),
            (b"{\"a\": \"\xFF\"}", "not_utf8"),
            ("\u{FEFF}{}".as_bytes(), "byte_order_mark"),
            (b"{\"id\": ", SYNTAX),
        ] {
            assert_eq!(parse::<EmptyObject>(body).err().unwrap().reason, Some(reason));
        }
    }

    #[test]
    fn values_of_unknown_properties_are_not_parsed() {
        let told = |body: &[u8]| parse::<EmptyObject>(body).err().unwrap().reason;
        for body in [
            r#"{"a":{"$serde_json::private::RawValue":"not JSON"}}"#,
            r#"{"$serde_json::private::RawValue":"x"}"#,
        ] {
            assert_eq!(told(body.as_bytes()), None, "it is a fault of the shape");
        }
    }
}
