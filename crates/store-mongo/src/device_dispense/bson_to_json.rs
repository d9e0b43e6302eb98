//! Renders stored values as JSON, for the part of a dispense that is carried and not interpreted. Never fails: it runs after a transition
//! has committed, and the answer must not depend on what other systems wrote into the document.

use std::fmt::Write as _;

use bson::{
    RawArray, RawBson, RawBsonRef, RawDocument,
    raw::RawElement,
    spec::{BinarySubtype, ElementType},
};
use esoz_device_dispense::{FieldKind, RECORD, RecordFields, is_internal, kind_of};
use esoz_kernel::{Timestamp, Uuid, lossless_f64, parse_uuid, time::rfc3339_millis};
use serde_json::{Map, Number, Value};

/// The shown fields of a stored dispense.
pub(crate) fn record(document: &RawDocument) -> Map<String, Value> {
    record_of(document, RecordFields::Known)
}

/// The shown fields of a stored dispense, or all but those of the store itself. Of a field that stands twice the first counts, as for the
/// server.
pub(crate) fn record_of(document: &RawDocument, fields: RecordFields) -> Map<String, Value> {
    let is_wanted = |name: &str| match fields {
        RecordFields::Known => RECORD.field(name).is_some(),
        RecordFields::All => !is_internal(name),
    };
    let mut record = Map::new();
    for element in elements(document) {
        let key = element.key().as_str();
        if is_wanted(key) && !record.contains_key(key) {
            record.insert(key.to_owned(), field("", &element));
        }
    }
    record
}

/// The document's elements up to the first malformed one.
fn elements(document: &RawDocument) -> impl Iterator<Item = RawElement<'_>> {
    document.iter_elements().map_while(Result::ok)
}

fn field(parent: &str, element: &RawElement<'_>) -> Value {
    let key = element.key().as_str();
    match value(key, element) {
        Value::String(text) => match uuid(&text) {
            Some(uuid) if matches!(kind_of(parent, key), Some(FieldKind::Uuid)) => uuid.to_string().into(),
            _ => text.into(),
        },
        other => other,
    }
}

fn value(key: &str, element: &RawElement<'_>) -> Value {
    match element.value() {
        Ok(value) => rendered(key, value),
        // Some old drivers wrote text that is no UTF-8.
        Err(_) if element.element_type() == ElementType::String => match element.value_utf8_lossy() {
            Ok(RawBson::String(text)) => Value::String(text),
            _ => Value::Null,
        },
        Err(_) => Value::Null,
    }
}

fn rendered(key: &str, value: RawBsonRef<'_>) -> Value {
    match value {
        RawBsonRef::Document(document) => object(key, document),
        RawBsonRef::Array(items) => array(key, items),
        RawBsonRef::String(text) | RawBsonRef::Symbol(text) | RawBsonRef::JavaScriptCode(text) => text.into(),
        RawBsonRef::Boolean(truth) => truth.into(),
        RawBsonRef::Int32(number) => number.into(),
        RawBsonRef::Int64(number) => number.into(),
        RawBsonRef::Double(number) => {
            Number::from_f64(number).map_or_else(|| number.to_string().into(), Value::Number)
        }
        RawBsonRef::Decimal128(number) => decimal(&number.to_string()),
        RawBsonRef::DateTime(time) => match Timestamp::from_millisecond(time.timestamp_millis()) {
            Ok(time) => rfc3339_millis(time).into(),
            Err(_) => time.timestamp_millis().into(),
        },
        RawBsonRef::Binary(binary) => match (binary.subtype, Uuid::from_slice(binary.bytes)) {
            (BinarySubtype::Uuid, Ok(uuid)) => uuid.to_string().into(),
            _ => hex(binary.bytes).into(),
        },
        RawBsonRef::ObjectId(id) => id.to_hex().into(),
        RawBsonRef::RegularExpression(regex) => {
            format!("/{}/{}", regex.pattern.as_str(), regex.options.as_str()).into()
        }
        RawBsonRef::Timestamp(stamp) => format!("{}:{}", stamp.time, stamp.increment).into(),
        RawBsonRef::JavaScriptCodeWithScope(code) => code.code.into(),
        RawBsonRef::MinKey => "MinKey".into(),
        RawBsonRef::MaxKey => "MaxKey".into(),
        // A pointer's parts are private to the driver's library; nothing has written any for a decade.
        RawBsonRef::DbPointer(_) | RawBsonRef::Null | RawBsonRef::Undefined => Value::Null,
    }
}

fn object(key: &str, document: &RawDocument) -> Value {
    Value::Object(
        elements(document).map(|element| (element.key().as_str().to_owned(), field(key, &element))).collect(),
    )
}

fn array(key: &str, items: &RawArray) -> Value {
    // An array is a document whose keys are numbers.
    let Ok(document) = RawDocument::from_bytes(items.as_bytes()) else { return Value::Null };
    Value::Array(elements(document).map(|element| value(key, &element)).collect())
}

/// A decimal as a JSON number of the same value; text when a number would round it or cannot represent it.
fn decimal(text: &str) -> Value {
    let integer = text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from));
    let number = integer.ok().or_else(|| Number::from_f64(lossless_f64(text)?));
    number.map_or_else(|| text.into(), Value::Number)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Parses a UUID by the rule of the typed ids.
pub(crate) fn uuid(text: &str) -> Option<Uuid> {
    parse_uuid(text).ok()
}

#[cfg(test)]
mod tests {
    use bson::{Bson, RawDocumentBuf, doc};
    use serde_json::json;

    use super::*;

    const UPPER: &str = "AFF00BF6-68BF-4B49-B66D-F031D48922B3";
    const LOWER: &str = "aff00bf6-68bf-4b49-b66d-f031d48922b3";

    fn shown(value: impl Into<Bson>) -> Value {
        let document = doc! { "note": value.into() };
        record(&RawDocumentBuf::try_from(&document).unwrap()).remove("note").unwrap()
    }

    fn binary(subtype: BinarySubtype) -> bson::Binary {
        bson::Binary { subtype, bytes: Uuid::try_parse(UPPER).unwrap().as_bytes().to_vec() }
    }

    #[test]
    fn every_kind_of_value_becomes_json() {
        let decimal = |text: &str| text.parse::<bson::Decimal128>().unwrap();
        assert_eq!(shown(bson::DateTime::from_millis(1_769_847_330_120)), json!("2026-01-31T08:15:30.120Z"));
        for (millis, time) in [
            (-62_167_219_200_000, json!("0000-01-01T00:00:00.000Z")),
            (-62_167_219_200_001, json!(-62_167_219_200_001_i64)),
            (253_402_300_799_000, json!("9999-12-31T23:59:59.000Z")),
            (253_402_300_799_999, json!("9999-12-31T23:59:59.999Z")),
            (253_402_300_800_000, json!(253_402_300_800_000_i64)),
            (i64::MAX, json!(i64::MAX)),
        ] {
            assert_eq!(shown(bson::DateTime::from_millis(millis)), time);
        }
        assert_eq!(shown(binary(BinarySubtype::Uuid)), json!(LOWER));
        assert_eq!(shown(binary(BinarySubtype::Generic)), json!(LOWER.replace('-', "")));
        assert_eq!(shown(decimal("12.50")), json!(12.5));
        assert_eq!(shown(decimal("9007199254740993")), json!(9_007_199_254_740_993_i64));
        assert_eq!(shown(decimal("1.50E+3")), json!(1500.0));
        assert_eq!(shown(decimal("18446744073709551615")), json!(u64::MAX));
        assert_eq!(shown(decimal("123456789012345678.91")), json!("123456789012345678.91"));
        assert_eq!(shown(decimal("NaN")), json!("NaN"));
        assert_eq!(shown(f64::INFINITY), json!("inf"));
        assert_eq!(shown(7_i32), json!(7));
        assert_eq!(shown(i64::MIN), json!(i64::MIN));
        assert_eq!(shown(bson::oid::ObjectId::from_bytes([0xab; 12])), json!("ab".repeat(12)));
        assert_eq!(shown(bson::Timestamp { time: 3, increment: 4 }), json!("3:4"));
        assert_eq!(shown(Bson::Undefined), json!(null));
        assert_eq!(shown(Bson::MaxKey), json!("MaxKey"));
        assert_eq!(
            shown(doc! { "a": [1, doc! { "b": Bson::Null }, []] }),
            json!({"a": [1, {"b": null}, []]})
        );
    }

    #[test]
    fn uuids_are_lower_case_where_uuids_stand_and_text_is_left_alone_elsewhere() {
        let document = doc! {
            "note": UPPER,
            "inserted_by": UPPER,
            "status_history": [{ "inserted_by": UPPER, "status": UPPER }],
            "based_on": { "identifier": { "value": UPPER }, "value": UPPER },
        };
        let expected = json!({
            "note": UPPER,
            "inserted_by": LOWER,
            "status_history": [{ "inserted_by": LOWER, "status": UPPER }],
            "based_on": { "identifier": { "value": LOWER }, "value": UPPER },
        });
        assert_eq!(Value::Object(record(&RawDocumentBuf::try_from(&document).unwrap())), expected);
    }

    #[test]
    fn only_the_fields_of_the_record_are_shown() {
        let document =
            doc! { "_id": 1, "subject": "x", "esoz_outbox": {}, "esoz_keys": [], "other": 1, "note": "n" };
        let shown = record(&RawDocumentBuf::try_from(&document).unwrap());
        assert_eq!(Value::Object(shown), json!({"note": "n"}));
    }

    #[test]
    fn damaged_text_is_shown_as_far_as_it_can_be_read() {
        let mut bytes =
            RawDocumentBuf::try_from(&doc! { "note": "aXb", "payment_id": "p" }).unwrap().into_bytes();
        let at = bytes.iter().position(|byte| *byte == b'X').unwrap();
        bytes[at] = 0xff;
        let shown = record(&RawDocumentBuf::from_bytes(bytes).unwrap());
        assert_eq!(Value::Object(shown), json!({"note": "a\u{fffd}b", "payment_id": "p"}));
    }
}
