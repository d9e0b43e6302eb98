//! Values as this store writes and reads them.

use bson::{Bson, RawBsonRef, RawDocument, spec::BinarySubtype};
use esoz_kernel::{Timestamp, Uuid};

/// A UUID as this store writes it: binary subtype 4.
pub(crate) fn binary(uuid: esoz_kernel::Uuid) -> Bson {
    Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() })
}

/// A digest as this store writes it.
pub(crate) fn digest(bytes: &[u8; 32]) -> Bson {
    Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: bytes.to_vec() })
}

/// A time as this store writes it: cut to milliseconds.
pub(crate) fn millis(time: esoz_kernel::Timestamp) -> bson::DateTime {
    bson::DateTime::from_millis(esoz_kernel::time::to_millis(time).as_millisecond())
}

/// A text.
pub(crate) fn text<'a>(document: &'a RawDocument, field: &str) -> Option<&'a str> {
    document.get_str(field).ok()
}

/// A UUID that this store itself wrote.
pub(crate) fn uuid(document: &RawDocument, field: &str) -> Option<Uuid> {
    binary_uuid(document.get(field).ok()??)
}

/// A time that this store itself wrote.
pub(crate) fn time(document: &RawDocument, field: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(document.get_datetime(field).ok()?.timestamp_millis()).ok()
}

/// A UUID as this store writes it.
pub(crate) fn binary_uuid(value: RawBsonRef<'_>) -> Option<Uuid> {
    let binary = value.as_binary().filter(|binary| binary.subtype == BinarySubtype::Uuid)?;
    Uuid::from_slice(binary.bytes).ok()
}
