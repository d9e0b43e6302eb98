use bson::{Bson, Document};
use esoz_device_dispense::{DispenseStatus, Pseudonym};
use esoz_kernel::{DispenseId, Uuid};
use serde_json::json;

use super::*;
use crate::values::binary;

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
    Document::try_from(from_dispense(&loaded(record)).unwrap()).unwrap()
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
    let reason = from_dispense(&loaded(json!({"a\u{0}b": 1}))).unwrap_err();
    assert!(reason.contains("zero character"), "{reason}");
    let reason = from_dispense(&loaded(json!({"note": "x".repeat(DOCUMENT_MAX_BYTES)}))).unwrap_err();
    assert!(reason.contains("larger than 16711680 bytes"), "{reason}");
}

#[test]
fn numbers_keep_their_value() {
    let document = stored(json!({"details": [1, 5_000_000_000_i64, -0.5, u64::MAX]}));
    let most: bson::Decimal128 = u64::MAX.to_string().parse().unwrap();
    let expected = bson::bson!([1_i32, 5_000_000_000_i64, -0.5, most]);
    assert_eq!(document.get("details"), Some(&expected));
}
