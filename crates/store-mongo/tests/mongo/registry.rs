//! Loading.

use bson::doc;
use esoz_device_dispense::{DeviceDispenses, Dispense, DispenseRegistry, DispenseStatus, Pseudonym};
use esoz_kernel::{Committed, DispenseId, LegalEntityId, Put};
use serde_json::{Map, json};

use crate::{
    changes::{binary, document, fresh_id, stop},
    support::Fresh,
};

fn loaded(note: &str) -> Dispense {
    let mut record = Map::new();
    record.insert("note".to_owned(), json!(note));
    Dispense {
        id: DispenseId::new(fresh_id()),
        status: DispenseStatus::InProgress,
        subject: Pseudonym::new("S"),
        owner: LegalEntityId::new(fresh_id()),
        record,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_dispense_that_is_taken_has_room_for_its_changes() {
    const SERVER_MAX_BYTES: usize = 16 << 20;
    let fresh = Fresh::shared().await;
    let encoded = |bytes: usize| fresh.store.encode(&loaded(&"x".repeat(bytes)));
    let size = async |id| bson::serialize_to_vec(&document(&fresh, id).await).unwrap().len();
    let one = loaded("");
    fresh.store.put_dispenses(std::slice::from_ref(&one)).await.unwrap();
    let before = size(one.id.uuid()).await;
    let mut stop = stop(one.id.uuid(), one.owner.uuid());
    stop.subject = Some(one.subject.clone());
    assert!(matches!(fresh.store.commit(&stop).await.unwrap(), Committed::Applied(_)));
    let of_a_change = size(one.id.uuid()).await - before;
    // The most changes that the status model has, and as much again for keys and trace contexts.
    let most = SERVER_MAX_BYTES - 8 * of_a_change - before;
    assert!(encoded(most).is_err(), "a change adds {of_a_change} bytes");
    assert!(encoded(SERVER_MAX_BYTES - (1 << 17)).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_answered_for_itself_and_one_that_is_refused_holds_up_no_other() {
    let fresh = Fresh::shared().await;
    // As an operator might guard the collection.
    let validator = doc! { "note": { "$ne": "forbidden" } };
    fresh
        .documents
        .client()
        .database(&fresh.documents.namespace().db)
        .run_command(doc! { "collMod": "device_dispenses", "validator": validator })
        .await
        .unwrap();
    let first = loaded("first");
    let mut impossible = loaded("impossible");
    impossible.record.insert("zero\u{0}".to_owned(), json!(1));
    let last = loaded("last");
    let batch = [first.clone(), impossible, loaded("forbidden"), first.clone(), last.clone()];
    let answers = fresh.store.put_dispenses(&batch).await.unwrap();
    let [Put::Created, Put::Refused(_), Put::Refused(validated), Put::Kept, Put::Created] =
        answers.as_slice()
    else {
        panic!("{answers:?}")
    };
    assert!(validated.contains("error 121"), "{validated}");
    assert!(fresh.store.find(last.id).await.unwrap().is_some());
    let stored = document(&fresh, first.id.uuid()).await;
    assert_eq!(stored.get("_id"), Some(&binary(first.id.uuid())));
    assert_eq!(fresh.store.put_dispenses(&[]).await.unwrap(), []);
}
