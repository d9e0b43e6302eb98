//! Maps a [`Dispense`] to its stored document and back. Strict for what a rule reads, and for nothing else.

use bson::{RawArrayBuf, RawBson, RawBsonRef, RawDocument, RawDocumentBuf, error::Error, raw::CStr};
use esoz_device_dispense::{
    Dispense, DispenseStatus, FieldKind, Pseudonym, RecordFields, StoredDispense, kind_of,
};
use esoz_kernel::{DeviceRequestId, DispenseId, EventId, LegalEntityId, StoreError, Timestamp, Uuid};
use serde_json::{Map, Number, Value};

use super::bson_to_json;
use crate::{
    fields::{
        BASED_ON, BEFORE, CHANGES, COLLECTION, EVENTS, ID, IDENTIFIER, KEYS, OUTBOX, OUTBOX_EVENTS, OWNER,
        PERFORMER_LEGAL_ENTITY, STATUS, STATUS_HISTORY, SUBJECT, VALUE,
    },
    values::{binary_uuid, millis, stored_uuid, text, uuid, uuid_binary},
};

/// Decodes a stored document.
pub(crate) fn to_dispense(id: DispenseId, document: &RawDocument) -> Result<StoredDispense, StoreError> {
    decode(id, document, RecordFields::Known)
}

/// Decodes an entry of a scan: with the whole record.
pub(crate) fn to_whole_dispense(document: &RawDocument) -> Result<Dispense, StoreError> {
    let id = uuid(document, ID).ok_or_else(|| StoreError::corrupt(COLLECTION, foreign_id(document), ID))?;
    decode(DispenseId::new(id), document, RecordFields::All)?.dispense
}

/// The id of a document that ESOZ did not write. A text that is no UUID is not shown: it may be anything.
fn foreign_id(document: &RawDocument) -> String {
    match document.get(ID) {
        Ok(Some(RawBsonRef::ObjectId(id))) => id.to_hex(),
        Ok(Some(RawBsonRef::String(text))) if bson_to_json::uuid(text).is_some() => text.to_owned(),
        _ => UNKNOWN_ID.to_owned(),
    }
}

fn decode(
    id: DispenseId,
    document: &RawDocument,
    fields: RecordFields,
) -> Result<StoredDispense, StoreError> {
    let corrupt = |field| StoreError::corrupt(COLLECTION, id, field);
    let status = text(document, STATUS).and_then(|word| word.parse::<DispenseStatus>().ok());
    let (owner, subject) = owner_and_subject(document);
    Ok(StoredDispense::new(
        id,
        status.ok_or_else(|| corrupt(STATUS)),
        subject.ok_or_else(|| corrupt(SUBJECT)),
        owner.ok_or_else(|| corrupt(OWNER))?,
        bson_to_json::record_of(document, fields),
        fields,
    ))
}

/// Stands for an id that cannot be decoded.
const UNKNOWN_ID: &str = "unknown";

/// Decodes an entry of a list, whose owner may be unreadable as well.
pub(crate) fn to_entry(document: &RawDocument) -> Result<Dispense, StoreError> {
    let id = uuid(document, ID).ok_or_else(|| StoreError::corrupt(COLLECTION, UNKNOWN_ID, ID))?;
    to_dispense(DispenseId::new(id), document)?.dispense
}

/// The legal entity that the dispense belongs to and the patient that it is about, as far as they can be decoded.
pub(crate) fn owner_and_subject(document: &RawDocument) -> (Option<LegalEntityId>, Option<Pseudonym>) {
    (owner(document), text(document, SUBJECT).map(Pseudonym::new))
}

/// Whether the change with this event is among the recent ones in the document.
pub(crate) fn has_change(document: &RawDocument, event: EventId) -> bool {
    let changes = document.get_array(CHANGES).into_iter().flatten();
    changes.flatten().any(|change| binary_uuid(change) == Some(event.uuid()))
}

/// Finds the field that a change cannot write to because of its type.
pub(crate) fn unwritable_field(document: &RawDocument) -> Option<&'static str> {
    let is_array = |document: &RawDocument, field: &str| match document.get(field) {
        Ok(None) => true,
        found => found.is_ok_and(|found| found.and_then(RawBsonRef::as_array).is_some()),
    };
    if !is_array(document, STATUS_HISTORY)
        && !matches!(document.get(STATUS_HISTORY), Ok(Some(RawBsonRef::Null)))
    {
        return Some(STATUS_HISTORY);
    }
    match document.get(OUTBOX) {
        Ok(Some(RawBsonRef::Document(outbox))) if !is_array(outbox, EVENTS) => return Some(OUTBOX_EVENTS),
        Ok(Some(RawBsonRef::Document(_)) | None) => {}
        _ => return Some(OUTBOX),
    }
    [CHANGES, KEYS, BEFORE].into_iter().find(|field| !is_array(document, field))
}

fn owner(document: &RawDocument) -> Option<LegalEntityId> {
    referenced(document, PERFORMER_LEGAL_ENTITY).map(LegalEntityId::new)
}

/// The request that the dispense is based on, if it names one.
pub(crate) fn request(document: &RawDocument) -> Option<DeviceRequestId> {
    referenced(document, BASED_ON).map(DeviceRequestId::new)
}

/// The id in a reference.
fn referenced(document: &RawDocument, field: &str) -> Option<Uuid> {
    let reference = document.get_document(field).ok()?;
    stored_uuid(reference.get_document(IDENTIFIER).ok()?.get(VALUE).ok()??)
}

/// The largest document that is taken in, in bytes: 16 MiB is the most that the server stores, and a change of status must have room for its
/// entry in the history, its event and its idempotency key, or the dispense could never be stopped.
const DOCUMENT_MAX_BYTES: usize = 16 * 1024 * 1024 - 64 * 1024;

/// Encodes a dispense, or says why it cannot be stored. UUIDs of references and users become binary, times become dates.
pub(crate) fn from_dispense(dispense: &Dispense) -> Result<RawDocumentBuf, String> {
    let document = encode(dispense).map_err(|_| {
        String::from("it has a field whose name MongoDB cannot store (with a zero character in it)")
    })?;
    if document.as_bytes().len() > DOCUMENT_MAX_BYTES {
        return Err(format!(
            "it is larger than {DOCUMENT_MAX_BYTES} bytes, the most that MongoDB stores with room for changes"
        ));
    }
    Ok(document)
}

/// Fails on a name with a zero character.
fn encode(dispense: &Dispense) -> Result<RawDocumentBuf, Error> {
    let mut document = RawDocumentBuf::new();
    let mut append = |name: &str, value: RawBson| -> Result<(), Error> {
        document.append(<&CStr>::try_from(name)?, value);
        Ok(())
    };
    append(ID, uuid_binary(dispense.id.uuid()).into())?;
    append(SUBJECT, dispense.subject.expose().into())?;
    append(STATUS, dispense.status.as_str().into())?;
    let owner = reference_to_owner(dispense.record.get(PERFORMER_LEGAL_ENTITY), dispense.owner);
    append(PERFORMER_LEGAL_ENTITY, field("", PERFORMER_LEGAL_ENTITY, &owner)?)?;
    // These do not come from the record: it must not name another dispense, or bring events, keys or transitions.
    let own = [ID, SUBJECT, STATUS, PERFORMER_LEGAL_ENTITY, OUTBOX, KEYS, CHANGES, BEFORE];
    for (key, value) in dispense.record.iter().filter(|(key, _)| !own.contains(&key.as_str())) {
        append(key, field("", key, value)?)?;
    }
    Ok(document)
}

/// The reference to the legal entity, with the owner in it.
fn reference_to_owner(reference: Option<&Value>, owner: LegalEntityId) -> Value {
    let mut reference = reference.and_then(Value::as_object).cloned().unwrap_or_default();
    let mut identifier = match reference.remove(IDENTIFIER) {
        Some(Value::Object(identifier)) => identifier,
        _ => Map::new(),
    };
    identifier.insert(VALUE.to_owned(), owner.to_string().into());
    reference.insert(IDENTIFIER.to_owned(), identifier.into());
    reference.into()
}

pub(crate) fn field(parent: &str, key: &str, value: &Value) -> Result<RawBson, Error> {
    let typed = value.as_str().and_then(|text| match kind_of(parent, key)? {
        FieldKind::Uuid => bson_to_json::uuid(text).map(|uuid| uuid_binary(uuid).into()),
        FieldKind::Time => text.parse::<Timestamp>().ok().map(|time| millis(time).into()),
        _ => None,
    });
    typed.map_or_else(|| plain(key, value), Ok)
}

fn plain(key: &str, value: &Value) -> Result<RawBson, Error> {
    Ok(match value {
        Value::Null => RawBson::Null,
        Value::Bool(truth) => RawBson::Boolean(*truth),
        Value::Number(value) => number(value),
        Value::String(text) => RawBson::String(text.clone()),
        Value::Array(items) => {
            let items = items.iter().map(|item| plain(key, item));
            RawBson::Array(items.collect::<Result<RawArrayBuf, _>>()?)
        }
        Value::Object(object) => {
            let fields = object
                .iter()
                .map(|(name, value)| Ok((<&CStr>::try_from(name.as_str())?, field(key, name, value)?)));
            RawBson::Document(fields.collect::<Result<RawDocumentBuf, Error>>()?)
        }
    })
}

/// The narrowest type that holds the number with every digit.
fn number(number: &Number) -> RawBson {
    if let Some(wide) = number.as_i64() {
        return i32::try_from(wide).map_or(RawBson::Int64(wide), RawBson::Int32);
    }
    let wider = number.as_u64().and_then(|wider| wider.to_string().parse().ok()).map(RawBson::Decimal128);
    wider.or_else(|| number.as_f64().map(RawBson::Double)).unwrap_or(RawBson::Null)
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
