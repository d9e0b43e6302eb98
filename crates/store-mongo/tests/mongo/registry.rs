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
async fn the_largest_dispense_that_is_taken_can_be_stopped() {
    let fresh = Fresh::shared().await;
    let with_note = |bytes| loaded(&"x".repeat(bytes));
    let encoded = |bytes| fresh.store.encode(&with_note(bytes)).map(|encoded| encoded.document.len());
    // The size of the document grows by a byte with each of the note, up to the most that is taken.
    let most = {
        let other_bytes = encoded(0).unwrap();
        (16 << 20) - (64 << 10) - other_bytes
    };
    assert!(encoded(most).is_ok() && encoded(most + 1).is_err());
    let largest = with_note(most);
    assert_eq!(fresh.store.put_dispenses(std::slice::from_ref(&largest)).await.unwrap(), [Put::Created]);
    let mut stop = stop(largest.id.uuid(), largest.owner.uuid());
    stop.subject = Some(largest.subject.clone());
    assert!(matches!(fresh.store.commit(&stop).await.unwrap(), Committed::Applied(_)));
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
