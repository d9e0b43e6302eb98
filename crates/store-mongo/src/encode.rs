//! What this store writes.

use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_device_dispense::{Dispense, FieldKind, Transition, kind_of};
use esoz_events::StatusChangeEvent;
use esoz_kernel::{IdempotentRequest, LegalEntityId, Timestamp};
use serde_json::{Map, Number, Value};

use crate::{
    bson_to_json,
    collections::{binary, digest, millis},
    fields::{
        CHANGES, EVENT_CHANGED_BY, EVENT_ENTITY_TYPE, EVENT_ID, EVENT_NEW_STATUS, EVENT_REQUEST_ID,
        EVENT_TIME, EVENT_TRACEPARENT, ID, IDENTIFIER, KEY, KEY_AT, KEY_BY, KEY_REQUEST, KEY_STATUS, KEYS,
        OUTBOX, PERFORMER_LEGAL_ENTITY, STATUS, SUBJECT, VALUE,
    },
};

/// The largest document that the server stores, in bytes.
const DOCUMENT_MAX_BYTES: usize = 16 * 1024 * 1024;

/// An event as it waits in the outbox of its entity.
pub(crate) fn event(event: &StatusChangeEvent) -> Document {
    let mut stored = doc! {
        EVENT_ID: binary(event.id.uuid()),
        EVENT_ENTITY_TYPE: event.entity_type.as_str(),
        EVENT_NEW_STATUS: &event.new_status,
        EVENT_TIME: millis(event.event_time),
        EVENT_CHANGED_BY: binary(event.changed_by.uuid()),
        EVENT_REQUEST_ID: event.request_id.as_str(),
    };
    if let Some(trace) = event.trace {
        stored.insert(EVENT_TRACEPARENT, trace.to_string());
    }
    stored
}

/// A key as it is kept in the document that was changed under it.
pub(crate) fn key(change: &Transition, idempotency: &IdempotentRequest) -> Document {
    doc! {
        KEY: digest(idempotency.key()),
        KEY_REQUEST: digest(idempotency.request()),
        KEY_STATUS: change.to.as_str(),
        KEY_AT: millis(change.at),
        KEY_BY: binary(change.by.uuid()),
    }
}

/// A dispense to load: UUIDs in references and of users as binary, times as times. Or why it cannot be stored.
pub(crate) fn dispense(dispense: &Dispense) -> Result<RawDocumentBuf, String> {
    let mut document = doc! { ID: binary(dispense.id.uuid()), SUBJECT: dispense.subject.expose() };
    for (key, value) in &dispense.record {
        // These are ours to say; a record that brings its own would be another dispense, or bring events, keys or changes.
        if ![ID, SUBJECT, OUTBOX, KEYS, CHANGES].contains(&key.as_str()) {
            document.insert(key, field("", key, value));
        }
    }
    document.insert(STATUS, dispense.status.as_str());
    set_owner(&mut document, dispense.owner);
    let document = RawDocumentBuf::try_from(&document).map_err(|_| {
        String::from("it has a field whose name MongoDB cannot store (with a zero character in it)")
    })?;
    if document.as_bytes().len() > DOCUMENT_MAX_BYTES {
        return Err(format!("it is larger than {DOCUMENT_MAX_BYTES} bytes, the most that MongoDB stores"));
    }
    Ok(document)
}

fn set_owner(document: &mut Document, owner: LegalEntityId) {
    let mut reference = object(document.get(PERFORMER_LEGAL_ENTITY));
    let mut identifier = object(reference.get(IDENTIFIER));
    identifier.insert(VALUE, binary(owner.uuid()));
    reference.insert(IDENTIFIER, identifier);
    document.insert(PERFORMER_LEGAL_ENTITY, reference);
}

/// The object in a field, or an empty one.
fn object(value: Option<&Bson>) -> Document {
    value.and_then(Bson::as_document).cloned().unwrap_or_default()
}

fn field(parent: &str, key: &str, value: &Value) -> Bson {
    let typed = value.as_str().and_then(|text| match kind_of(parent, key)? {
        FieldKind::Uuid => bson_to_json::uuid(text).map(binary),
        FieldKind::Time => text.parse::<Timestamp>().ok().map(|time| millis(time).into()),
        _ => None,
    });
    typed.unwrap_or_else(|| plain(key, value))
}

fn plain(key: &str, value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(truth) => Bson::Boolean(*truth),
        Value::Number(value) => number(value),
        Value::String(text) => Bson::String(text.clone()),
        Value::Array(items) => Bson::Array(items.iter().map(|item| plain(key, item)).collect()),
        Value::Object(object) => Bson::Document(nested(key, object)),
    }
}

fn nested(parent: &str, object: &Map<String, Value>) -> Document {
    object.iter().map(|(key, value)| (key.clone(), field(parent, key, value))).collect()
}

/// The narrowest type that holds the number with every digit.
fn number(number: &Number) -> Bson {
    if let Some(wide) = number.as_i64() {
        return i32::try_from(wide).map_or(Bson::Int64(wide), Bson::Int32);
    }
    let wider = number.as_u64().and_then(|wider| wider.to_string().parse().ok()).map(Bson::Decimal128);
    wider.or_else(|| number.as_f64().map(Bson::Double)).unwrap_or(Bson::Null)
}

#[cfg(test)]
mod tests {
    use esoz_device_dispense::{DispenseStatus, Pseudonym};
    use esoz_kernel::{DispenseId, Uuid};
    use serde_json::json;

    use super::*;

    const OWNER: Uuid = Uuid::from_u128(7);

    fn loaded(record: Value) -> Dispense {
        let Value::Object(record) = record else { panic!("a record is an object") };
        Dispense {
            id: DispenseId::new(Uuid::from_u128(1)),
            status: DispenseStatus::InProgress,
            subject: Pseudonym::new("S"),
            owner: LegalEntityId::new(OWNER),
            record,
        }
    }

    fn stored(record: Value) -> Document {
        Document::try_from(dispense(&loaded(record)).unwrap()).unwrap()
    }

    #[test]
    fn known_uuids_and_times_get_their_type_and_the_rest_stays_text() {
        let uuid = Uuid::from_u128(9).to_string();
        let at = "2026-01-31T08:15:30.123Z";
        let document = stored(json!({
            "note": uuid,
            "payment_id": at,
            "updated_by": uuid,
            "when_handed_over": at,
            "inserted_at": "yesterday",
            "status_history": [{"inserted_at": at, "inserted_by": uuid, "status": uuid}],
            "details": [{"device": {"identifier": {"value": uuid}}, "quantity": {"value": 2.5}}],
        }));
        let at = Bson::from(bson::DateTime::from_millis(1_769_847_330_123));
        let id = binary(Uuid::from_u128(9));
        assert_eq!(document.get_str("note").unwrap(), uuid);
        assert!(document.get_str("payment_id").is_ok());
        assert_eq!(document.get("updated_by"), Some(&id));
        assert_eq!(document.get("when_handed_over"), Some(&at));
        assert_eq!(document.get_str("inserted_at").unwrap(), "yesterday");
        let history = bson::bson!([{"inserted_at": at, "inserted_by": id.clone(), "status": uuid}]);
        assert_eq!(document.get("status_history"), Some(&history));
        let details = bson::bson!([{"device": {"identifier": {"value": id}}, "quantity": {"value": 2.5}}]);
        assert_eq!(document.get("details"), Some(&details));
    }

    #[test]
    fn what_rules_read_is_what_the_dispense_says() {
        let document = stored(json!({
            "_id": "other", "subject": "other", "status": "completed", "esoz_outbox": {"events": []}, "esoz_keys": [], "esoz_changes": [],
            "performer_legal_entity": {"display_value": null, "identifier": {"type": {}, "value": "other"}},
        }));
        assert_eq!(document.get(ID), Some(&binary(Uuid::from_u128(1))));
        assert_eq!(document.get_str(SUBJECT).unwrap(), "S");
        assert_eq!(document.get_str(STATUS).unwrap(), "in_progress");
        assert!([OUTBOX, KEYS, CHANGES].iter().all(|field| !document.contains_key(*field)));
        let owner = bson::bson!({"display_value": null, "identifier": {"type": {}, "value": binary(OWNER)}});
        assert_eq!(document.get(PERFORMER_LEGAL_ENTITY), Some(&owner));
        let bare = stored(json!({"performer_legal_entity": 3}));
        let owner = bson::bson!({"identifier": {"value": binary(OWNER)}});
        assert_eq!(bare.get(PERFORMER_LEGAL_ENTITY), Some(&owner));
    }

    #[test]
    fn what_mongodb_cannot_store_is_refused_with_a_reason() {
        let reason = dispense(&loaded(json!({"a\u{0}b": 1}))).unwrap_err();
        assert!(reason.contains("zero character"), "{reason}");
        let reason = dispense(&loaded(json!({"note": "x".repeat(DOCUMENT_MAX_BYTES)}))).unwrap_err();
        assert!(reason.contains("larger than 16777216 bytes"), "{reason}");
    }

    #[test]
    fn numbers_keep_their_value() {
        let document = stored(json!({"details": [1, 5_000_000_000_i64, -0.5, u64::MAX]}));
        let most: bson::Decimal128 = u64::MAX.to_string().parse().unwrap();
        let expected = bson::bson!([1_i32, 5_000_000_000_i64, -0.5, most]);
        assert_eq!(document.get("details"), Some(&expected));
    }
}
