//! Documents that others wrote.

use std::time::Duration;

use bson::{Bson, Document, RawDocumentBuf, doc, oid::ObjectId};
use esoz_device_dispense::DeviceDispenses;
use esoz_events::{Claim, Outbox};
use esoz_kernel::{Committed, DispenseId, StoreErrorKind};
use futures_util::future::join_all;
use serde_json::json;

use crate::{
    changes::{applied, at, binary, document, fresh_id, reference, stop, stored},
    support::Fresh,
};

/// The document without what a change of status may touch.
fn untouched(mut document: Document) -> Document {
    for field in ["status", "status_history", "updated_at", "updated_by", "esoz_outbox", "esoz_changes"] {
        document.remove(field);
    }
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_may_be_stored_as_binary_or_as_text_and_keeps_its_kind() {
    let fresh = Fresh::shared().await;
    let owner = fresh_id();
    for kind in [binary(owner), owner.to_string().into(), owner.to_string().to_uppercase().into()] {
        let (id, based_on) = (fresh_id(), fresh_id());
        let mut before = stored(id, kind.clone());
        before.insert("based_on", reference(based_on.to_string()));
        before.insert("location", reference(binary(based_on)));
        fresh.documents.insert_one(&before).await.unwrap();

        let found = fresh.store.find(DispenseId::new(id)).await.unwrap().unwrap().dispense.unwrap();
        assert_eq!(found.owner.uuid(), owner, "{kind}");
        let after = applied(&fresh, &stop(id, owner)).await;
        assert_eq!(after.owner.uuid(), owner, "{kind}");
        let owner_shown = &after.record["performer_legal_entity"]["identifier"]["value"];
        assert_eq!(*owner_shown, json!(owner.to_string()));

        assert_eq!(untouched(document(&fresh, id).await), untouched(before), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_every_type_survive_a_change() {
    let fresh = Fresh::shared().await;
    let (id, owner) = (fresh_id(), fresh_id());
    let mut before = stored(id, binary(owner));
    before.extend(doc! {
        "unknown": { "$dollar": 1, "dotted.name": [Bson::MinKey, Bson::MaxKey], "": Bson::Null },
        "$top": 1,
        "dotted.top": Bson::Undefined,
        "zero_stamp": bson::Timestamp { time: 0, increment: 0 },
        "object_id": ObjectId::from_bytes([7; 12]),
        "regex": Bson::RegularExpression(bson::Regex {
            pattern: bson::raw::CString::try_from("a.*").unwrap(),
            options: bson::raw::CString::try_from("i").unwrap(),
        }),
        "code": Bson::JavaScriptCodeWithScope(bson::JavaScriptCodeWithScope {
            code: "f()".to_owned(),
            scope: doc! { "x": 1 },
        }),
        "symbol": Bson::Symbol("s".to_owned()),
        "old_uuid": bson::Binary { subtype: bson::spec::BinarySubtype::UuidOld, bytes: vec![1; 16] },
        "negative_zero": -0.0,
        "payment_amount": "12.50".parse::<bson::Decimal128>().unwrap(),
        "when_handed_over": bson::DateTime::from_millis(i64::MAX),
        "primary_source": "neither true nor false",
        "details": { "no": "array" },
        "inserted_by": 7,
    });
    // What no Rust text can hold, and a field that stands twice.
    let mut bytes = RawDocumentBuf::try_from(&before).unwrap().into_bytes();
    bytes.pop();
    bytes.extend(b"\x02note\0\x03\0\0\0\xff\xfe\0\x10twice\0\x01\0\0\0\x10twice\0\x02\0\0\0\0");
    let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    bytes[..4].copy_from_slice(&length);
    let before = RawDocumentBuf::from_bytes(bytes).unwrap();
    let raw = fresh.documents.clone_with_type::<RawDocumentBuf>();
    raw.insert_one(&before).await.unwrap();
    let stored = async || raw.find_one(doc! { "_id": binary(id) }).await.unwrap().unwrap();
    // As MongoDB stores it: it gives a zero stamp of a new document a time.
    let before = stored().await;

    let change = stop(id, owner);
    let after = applied(&fresh, &change).await;
    assert_eq!(after.record["status"], json!("stopped"));
    assert_eq!(after.record["payment_amount"], json!(12.5));
    assert_eq!(after.record["when_handed_over"], json!(i64::MAX));
    assert_eq!(after.record["note"], json!("\u{fffd}\u{fffd}"));
    assert_eq!(after.record["inserted_by"], json!(7));
    assert_eq!(fresh.store.find(after.id).await.unwrap().unwrap().dispense.unwrap(), after);

    let others = |document: &RawDocumentBuf| -> Vec<(String, Vec<u8>)> {
        let touched = ["status", "status_history", "updated_at", "updated_by", "esoz_outbox", "esoz_changes"];
        document
            .iter_elements()
            .map(Result::unwrap)
            .filter(|element| !touched.contains(&element.key().as_str()))
            .map(|element| {
                let mut alone = RawDocumentBuf::new();
                let value = element.value().map_or(Bson::Null.try_into().unwrap(), bson::RawBson::from);
                alone.append(element.key(), value);
                (element.key().as_str().to_owned(), alone.into_bytes())
            })
            .collect()
    };
    let damaged =
        |document: &RawDocumentBuf| document.as_bytes().windows(3).any(|bytes| bytes == b"\xff\xfe\0");
    let changed = stored().await;
    assert_eq!(others(&changed), others(&before));
    assert!(damaged(&changed) && damaged(&before));

    // Delivering its event leaves the rest alone as well.
    let claim = Claim {
        by: fresh_id(),
        now: change.at,
        lease: Duration::from_secs(1),
        max_entities: 1,
        except: Vec::new(),
    };
    assert_eq!(fresh.store.claim(&claim).await.unwrap().events, std::slice::from_ref(&change.event));
    fresh.store.remove(&[change.event.reference()]).await.unwrap();
    let delivered = stored().await;
    assert_eq!(others(&delivered), others(&before));
    assert!(damaged(&delivered) && delivered.get("esoz_outbox").unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_missing_or_null_begins_with_the_change() {
    let fresh = Fresh::shared().await;
    for history in [None, Some(Bson::Null)] {
        let (id, owner) = (fresh_id(), fresh_id());
        let mut before = stored(id, binary(owner));
        before.remove("status_history");
        before.extend(history.map(|history| ("status_history".to_owned(), history)));
        fresh.documents.insert_one(before).await.unwrap();

        let change = stop(id, owner);
        let time = bson::DateTime::from_millis(change.at.as_millisecond());
        let by = binary(change.by.uuid());
        applied(&fresh, &change).await;

        let after = document(&fresh, id).await;
        let entry = doc! { "status": "stopped", "inserted_at": time, "inserted_by": by.clone() };
        assert_eq!(after.get_array("status_history").unwrap(), &vec![Bson::from(entry)]);
        assert_eq!(after.get_str("status").unwrap(), "stopped");
        assert_eq!(after.get_datetime("updated_at").unwrap(), &time);
        assert_eq!(after.get("updated_by").unwrap(), &by);
        assert_eq!(fresh.store.commit(&change).await.unwrap(), Committed::Stale);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_changes_to_a_null_history_one_is_applied() {
    let fresh = Fresh::shared().await;
    let (id, owner) = (fresh_id(), fresh_id());
    let mut before = stored(id, binary(owner));
    before.insert("status_history", Bson::Null);
    fresh.documents.insert_one(before).await.unwrap();
    let racing = (0..32).map(|_| {
        let (store, change) = (fresh.store.clone(), stop(id, owner));
        tokio::spawn(async move { store.commit(&change).await.unwrap() })
    });
    let outcomes = join_all(racing).await;
    let applied = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Committed::Applied(_)))).count();
    let stale = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Committed::Stale))).count();
    assert_eq!((applied, stale), (1, 31));
    assert_eq!(document(&fresh, id).await.get_array("status_history").unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_something_else_is_corrupt_and_nothing_is_written() {
    let fresh = Fresh::shared().await;
    let (id, owner) = (fresh_id(), fresh_id());
    let mut before = stored(id, binary(owner));
    before.insert("status_history", doc! { "is": "an object" });
    fresh.documents.insert_one(&before).await.unwrap();
    let error = fresh.store.commit(&stop(id, owner)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let expected = format!("reading device_dispenses, id {id}: field status_history");
    assert!(error.to_string().contains(&expected), "{error}");
    assert_eq!(document(&fresh, id).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rules_read_is_read_strictly() {
    let fresh = Fresh::shared().await;
    let mixed = "AFF00BF6-68bf-4b49-b66d-f031d48922b3";
    let cases: [(&str, Option<Bson>); 9] = [
        ("status", None),
        ("status", Some("suspended".into())),
        ("status", Some(bson::bson!(["in_progress"]))),
        ("subject", None),
        ("subject", Some(7.into())),
        ("performer_legal_entity", None),
        ("performer_legal_entity", Some(reference("no UUID").into())),
        ("performer_legal_entity", Some(reference(mixed).into())),
        ("performer_legal_entity", Some(reference(Bson::Null).into())),
    ];
    for (field, value) in cases {
        let (id, owner) = (fresh_id(), fresh_id());
        let mut broken = stored(id, binary(owner));
        broken.remove(field);
        broken.extend(value.map(|value| (field.to_owned(), value)));
        fresh.documents.insert_one(&broken).await.unwrap();
        let found = fresh.store.find(DispenseId::new(id)).await;
        let error = found.and_then(|found| found.unwrap().dispense).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{field}");
        let expected = format!("reading device_dispenses, id {id}: field {field}");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_cut_to_milliseconds() {
    let fresh = Fresh::shared().await;
    let (id, owner) = (fresh_id(), fresh_id());
    fresh.documents.insert_one(stored(id, binary(owner))).await.unwrap();
    let mut change = stop(id, owner);
    change.at = at("2026-01-31T08:15:30.1239999Z");
    let after = applied(&fresh, &change).await;
    assert_eq!(after.record["updated_at"], json!("2026-01-31T08:15:30.123Z"));
}
