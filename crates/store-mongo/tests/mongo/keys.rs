//! Idempotency keys in documents: what is stored, which indexes find it, and documents that are out of the ordinary.

use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_device_dispense::{DeviceDispenses, Dispense, Transition};
use esoz_kernel::{
    ClientId, Committed, IdempotencyKey, IdempotencyRecords, IdempotentRequest, StoreErrorKind, Timestamp,
    Uuid,
};
use futures_util::future::join_all;

use crate::changes::{SUBJECT, applied, at, binary, document, fresh_id, reference, stop, stored};
use crate::support::Fresh;

/// A stop under a key of its own.
fn marked(id: esoz_kernel::Uuid, owner: esoz_kernel::Uuid) -> Transition {
    let key = IdempotencyKey::from_uuid(fresh_id());
    let idempotency = IdempotentRequest::new("test", ClientId::new(owner), &key, &[id.as_bytes()]);
    Transition { idempotency: Some(idempotency), ..stop(id, owner) }
}

async fn replay(fresh: &Fresh, change: &Transition) -> Dispense {
    match fresh.store.commit(change).await.unwrap() {
        Committed::Replayed(dispense) => dispense,
        other => panic!("not the first answer: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_kept_in_the_document_and_goes_without_a_trace() {
    let fresh = Fresh::shared().await;
    let (id, owner) = (fresh_id(), fresh_id());
    fresh.documents.insert_one(stored(id, binary(owner))).await.unwrap();
    let change = marked(id, owner);
    let idempotency = change.idempotency.unwrap();
    let after = applied(&fresh, &change).await;
    assert!(after.record.keys().all(|field| !field.starts_with("esoz_")), "{:?}", after.record);

    let digest = |bytes: &[u8; 32]| {
        Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: bytes.to_vec() })
    };
    let kept = doc! {
        "key": digest(idempotency.key()),
        "request": digest(idempotency.request()),
        "status": "stopped",
        "at": bson::DateTime::from_millis(change.at.as_millisecond()),
        "by": binary(change.by.uuid()),
    };
    let mut with_key = document(&fresh, id).await;
    assert_eq!(with_key.get_array("esoz_keys").unwrap(), &vec![Bson::from(kept)]);

    assert_eq!(fresh.store.purge_expired(Timestamp::MAX, 7).await.unwrap(), 1);
    with_key.remove("esoz_keys");
    assert_eq!(document(&fresh, id).await, with_key);
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_leaves_the_young_keys_of_a_document() {
    let fresh = Fresh::shared().await;
    let (id, owner) = (fresh_id(), fresh_id());
    fresh.documents.insert_one(stored(id, binary(owner))).await.unwrap();
    let first = marked(id, owner);
    applied(&fresh, &first).await;
    // Somebody puts it back by hand, and it is stopped once more.
    let put_back = doc! { "$set": { "status": "in_progress" } };
    fresh.documents.update_one(doc! { "_id": binary(id) }, put_back).await.unwrap();
    let second = Transition { at: at("2026-01-31T08:15:31.123Z"), ..marked(id, owner) };
    let after = applied(&fresh, &second).await;

    assert_eq!(fresh.store.purge_expired(first.at, 7).await.unwrap(), 1);
    assert_eq!(fresh.store.commit(&first).await.unwrap(), Committed::Stale);
    assert_eq!(replay(&fresh, &second).await, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_out_of_the_ordinary_keeps_a_key_as_any_other() {
    let fresh = Fresh::shared().await;
    let (id, owner) = (fresh_id(), fresh_id());
    let mut null_history = stored(id, binary(owner));
    null_history.insert("status_history", Bson::Null);
    fresh.documents.insert_one(null_history).await.unwrap();
    let change = marked(id, owner);
    let first = applied(&fresh, &change).await;
    assert_eq!(replay(&fresh, &change).await, first);

    // Text that is no UTF-8: the driver cannot read the answer to the update.
    let (id, owner) = (fresh_id(), fresh_id());
    let mut bytes = RawDocumentBuf::try_from(&stored(id, binary(owner))).unwrap().into_bytes();
    bytes.pop();
    bytes.extend(b"\x02note\0\x03\0\0\0\xff\xfe\0\0");
    let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    bytes.splice(..4, length);
    let raw = fresh.documents.clone_with_type::<RawDocumentBuf>();
    raw.insert_one(RawDocumentBuf::from_bytes(bytes).unwrap()).await.unwrap();
    let change = marked(id, owner);
    let first = applied(&fresh, &change).await;
    assert_eq!(replay(&fresh, &change).await, first);
}

/// Under the key of that change, another request: to stop that dispense.
fn reusing(change: &Transition, key: &IdempotencyKey, id: Uuid, owner: Uuid) -> Transition {
    let idempotency =
        IdempotentRequest::new("test", ClientId::new(change.owner.unwrap().uuid()), key, &[id.as_bytes()]);
    Transition { idempotency: Some(idempotency), ..stop(id, owner) }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_index_a_key_is_still_for_one_dispense() {
    let fresh = Fresh::at(esoz_test_servers::shared::mongodb().uri()).await;
    let ([one, other], owner) = ([fresh_id(), fresh_id()], fresh_id());
    for id in [one, other] {
        fresh.documents.insert_one(stored(id, binary(owner))).await.unwrap();
    }
    let key = IdempotencyKey::from_uuid(fresh_id());
    let change = reusing(&stop(one, owner), &key, one, owner);
    let first = applied(&fresh, &change).await;
    let before = document(&fresh, other).await;
    let reused = reusing(&change, &key, other, owner);
    let outcome = fresh.store.commit(&reused).await.unwrap();
    assert_eq!(outcome, Committed::KeyReused);
    assert_eq!(document(&fresh, other).await, before);
    assert_eq!(replay(&fresh, &change).await, first);
    // A day later it is free.
    let later = Transition { at: change.at.saturating_add(esoz_kernel::idempotency::RETENTION), ..reused };
    applied(&fresh, &later).await;
    assert!(document(&fresh, one).await.get("esoz_keys").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_request_under_a_key_makes_one_round_trip_once_the_index_is_known() {
    let fresh = Fresh::at(esoz_test_servers::shared::mongodb().uri()).await;
    for (migrated, expected) in [(false, 2), (true, 1)] {
        if migrated {
            fresh.store.migrate().await.unwrap();
        }
        let (id, owner) = (fresh_id(), fresh_id());
        fresh.documents.insert_one(stored(id, binary(owner))).await.unwrap();
        assert_eq!(round_trips(&fresh, &marked(id, owner)).await, expected, "migrated: {migrated}");
    }
}

/// How many commands the server gets for it.
async fn round_trips(fresh: &Fresh, change: &Transition) -> u64 {
    let database = fresh.documents.client().database(&fresh.documents.namespace().db);
    let profile = database.collection::<Document>("system.profile");
    let of_dispenses = doc! { "ns": fresh.documents.namespace().to_string() };
    let before = profile.count_documents(of_dispenses.clone()).await.unwrap();
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    applied(fresh, change).await;
    database.run_command(doc! { "profile": 0 }).await.unwrap();
    profile.count_documents(of_dispenses).await.unwrap() - before
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_answer_is_not_for_whom_the_dispense_is_not_for_any_more() {
    let fresh = Fresh::shared().await;
    let (id, owner) = (fresh_id(), fresh_id());
    fresh.documents.insert_one(stored(id, binary(owner))).await.unwrap();
    let change = marked(id, owner);
    let first = applied(&fresh, &change).await;
    let reassigned = doc! { "performer_legal_entity": reference(binary(fresh_id())) };
    let merged = doc! { "subject": "ANOTHER" };
    let back = doc! { "performer_legal_entity": reference(binary(owner)) };
    for moved in [reassigned, merged] {
        set(&fresh, id, moved).await;
        let before = document(&fresh, id).await;
        assert_eq!(fresh.store.commit(&change).await.unwrap(), Committed::Stale);
        assert_eq!(document(&fresh, id).await, before);
        set(&fresh, id, back.clone()).await;
        set(&fresh, id, doc! { "subject": SUBJECT }).await;
        assert_eq!(replay(&fresh, &change).await, first);
    }
    // The same owner in the other spelling.
    set(&fresh, id, doc! { "performer_legal_entity": reference(owner.to_string().to_uppercase()) }).await;
    assert_eq!(replay(&fresh, &change).await, first);
}

async fn set(fresh: &Fresh, id: Uuid, fields: Document) {
    fresh.documents.update_one(doc! { "_id": binary(id) }, doc! { "$set": fields }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_repetitions_on_a_null_history_have_one_answer() {
    let fresh = Fresh::shared().await;
    let (id, owner) = (fresh_id(), fresh_id());
    let mut before = stored(id, binary(owner));
    before.insert("status_history", Bson::Null);
    fresh.documents.insert_one(before).await.unwrap();
    let change = marked(id, owner);
    let racing = (0..16).map(|_| {
        let store = fresh.store.clone();
        let change = Transition { idempotency: change.idempotency, ..stop(id, owner) };
        tokio::spawn(async move { store.commit(&change).await.unwrap() })
    });
    let mut applied = 0;
    for outcome in join_all(racing).await {
        match outcome.unwrap() {
            Committed::Applied(_) => applied += 1,
            Committed::Replayed(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(applied, 1);
    assert_eq!(document(&fresh, id).await.get_array("status_history").unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_key_is_named_and_nothing_is_written() {
    let fresh = Fresh::shared().await;
    let (id, owner) = (fresh_id(), fresh_id());
    fresh.documents.insert_one(stored(id, binary(owner))).await.unwrap();
    let change = marked(id, owner);
    applied(&fresh, &change).await;
    let damage = doc! { "$set": { "esoz_keys.0.at": "yesterday" } };
    fresh.documents.update_one(doc! { "_id": binary(id) }, damage).await.unwrap();
    let before = document(&fresh, id).await;
    let error = fresh.store.commit(&change).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let expected = format!("reading device_dispenses, id {id}: field esoz_keys");
    assert!(error.to_string().contains(&expected), "{error}");
    assert_eq!(document(&fresh, id).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_found_by_their_indexes() {
    let fresh = Fresh::shared().await;
    let key = Bson::Binary(bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: vec![7; 32] });
    let old = doc! { "esoz_keys.at": { "$lte": bson::DateTime::from_millis(7) } };
    for (filter, index) in [(doc! { "esoz_keys.key": key }, "esoz_keys_key"), (old, "esoz_keys_at")] {
        let find = doc! { "find": "device_dispenses", "filter": filter };
        let database = fresh.documents.client().database(&fresh.documents.namespace().db);
        let plan: Document =
            database.run_command(doc! { "explain": find, "verbosity": "queryPlanner" }).await.unwrap();
        let plan = plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap();
        assert!(plan.to_string().contains(index), "{plan}");
    }
}
