//! Encodes and decodes single values.

use bson::{Bson, RawBsonRef, RawDocument, spec::BinarySubtype};
use esoz_kernel::{Timestamp, Uuid, parse_uuid};

/// Encodes a UUID: binary subtype 4.
pub(crate) fn binary(uuid: Uuid) -> Bson {
    Bson::Binary(uuid_binary(uuid))
}

/// Encodes a UUID, as [`binary`] does.
pub(crate) fn uuid_binary(uuid: Uuid) -> bson::Binary {
    bson::Binary { subtype: BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() }
}

/// Encodes a digest.
pub(crate) fn digest(bytes: &[u8; 32]) -> Bson {
    Bson::Binary(bson::Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() })
}

/// Encodes a time, cut to milliseconds.
pub(crate) fn millis(time: Timestamp) -> bson::DateTime {
    bson::DateTime::from_millis(esoz_kernel::time::to_millis(time).as_millisecond())
}

/// Decodes a text field.
pub(crate) fn text<'a>(document: &'a RawDocument, field: &str) -> Option<&'a str> {
    document.get_str(field).ok()
}

/// Decodes a UUID field that this store wrote.
pub(crate) fn uuid(document: &RawDocument, field: &str) -> Option<Uuid> {
    binary_uuid(document.get(field).ok()??)
}

/// Decodes a time field that this store wrote.
pub(crate) fn time(document: &RawDocument, field: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(document.get_datetime(field).ok()?.timestamp_millis()).ok()
}

/// Decodes a binary UUID.
pub(crate) fn binary_uuid(value: RawBsonRef<'_>) -> Option<Uuid> {
    let binary = value.as_binary().filter(|binary| binary.subtype == BinarySubtype::Uuid)?;
    Uuid::from_slice(binary.bytes).ok()
}

/// Every form in which a UUID is stored: binary, and text in lower and in upper case. ESOZ writes no other, and no filter would find one.
pub(crate) fn stored_forms(uuid: Uuid) -> Vec<Bson> {
    let texts = spellings(uuid).map(Bson::String);
    [binary(uuid)].into_iter().chain(texts).collect()
}

/// Decodes a UUID in one of these forms.
pub(crate) fn stored_uuid(value: RawBsonRef<'_>) -> Option<Uuid> {
    match value {
        RawBsonRef::String(text) => {
            let uuid = parse_uuid(text).ok()?;
            spellings(uuid).iter().any(|spelling| spelling == text).then_some(uuid)
        }
        other => binary_uuid(other),
    }
}

/// The spellings of a UUID that is stored as text.
fn spellings(uuid: Uuid) -> [String; 2] {
    let lower = uuid.to_string();
    let upper = lower.to_uppercase();
    [lower, upper]
}
