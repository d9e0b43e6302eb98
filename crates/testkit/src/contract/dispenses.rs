//! Finding and loading dispenses: [`DeviceDispenses::find`](esoz_device_dispense::DeviceDispenses::find),
//! [`DispenseRegistry`](esoz_device_dispense::DispenseRegistry).

use std::slice;

use esoz_device_dispense::{Dispense, DispenseStatus, Presence, RECORD, Transition};
use esoz_events::{Claim, StatusChangeEvent};
use esoz_kernel::{Committed, DispenseId, Put, StoreErrorKind, Timestamp};
use serde_json::json;

use super::DispenseStore;
use crate::builders::{DispenseBuilder, at_millis, change_of, dispense, fresh, reference};

/// Stores one dispense that was not there.
pub(super) async fn put(store: &DispenseStore, dispense: &Dispense) {
    assert_eq!(put_again(store, dispense).await, Put::Created);
}

async fn put_again(store: &DispenseStore, dispense: &Dispense) -> Put {
    let mut answers = store.registry.put_dispenses(slice::from_ref(dispense)).await.unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// The dispense, which must be there.
pub(super) async fn found(store: &DispenseStore, id: DispenseId) -> Dispense {
    store.dispenses.find(id).await.unwrap().unwrap().dispense.unwrap()
}

/// Everything in the outbox, claimed by nobody afterwards.
pub(super) async fn waiting(store: &DispenseStore) -> Vec<StatusChangeEvent> {
    let by = fresh();
    let lease = std::time::Duration::from_secs(1);
    let claim = Claim { by, now: at_millis(3_600_000), lease, max_entities: 10_000, except: Vec::new() };
    let events = store.outbox.claim(&claim).await.unwrap().events;
    store.outbox.release(by).await.unwrap();
    let backlog = store.outbox.backlog().await.unwrap();
    assert_eq!(backlog.depth, u64::try_from(events.len()).unwrap(), "an unclaimed event was not handed out");
    events
}

/// Says which field differs: a dispense shows nothing of its record.
pub(super) fn assert_same(found: &Dispense, expected: &Dispense) {
    assert_eq!(found.record, expected.record);
    assert!(found == expected, "one of id, status, subject, owner of {found:?} differs from {expected:?}");
}

/// Nothing there is a value, not an error.
pub async fn an_unknown_dispense_is_none(store: DispenseStore) {
    assert!(store.dispenses.find(DispenseId::new(fresh())).await.unwrap().is_none());
    put(&store, &dispense().build()).await;
    assert!(store.dispenses.find(DispenseId::new(fresh())).await.unwrap().is_none());
}

/// Every field comes back as it went in, in every status.
pub async fn a_dispense_is_found_as_it_was_put(store: DispenseStore) {
    let all: Vec<_> =
        DispenseStatus::ALL.into_iter().map(|status| dispense().status(status).build()).collect();
    let answers = store.registry.put_dispenses(&all).await.unwrap();
    assert_eq!(answers, vec![Put::Created; all.len()]);
    for expected in &all {
        assert_same(&found(&store, expected.id).await, expected);
    }
    assert_eq!(waiting(&store).await, [], "loading is no change of status");
}

/// A record with nothing but what it must have.
pub async fn a_sparse_dispense_is_found_as_it_was_put(store: DispenseStore) {
    let optional = RECORD.fields.iter().filter(|field| field.presence == Presence::Optional);
    let sparse = optional.map(|field| field.name).fold(dispense(), DispenseBuilder::without).build();
    put(&store, &sparse).await;
    assert_same(&found(&store, sparse.id).await, &sparse);
}

/// Free text is not taken for what it resembles, and loses no letter.
pub async fn free_text_survives_to_the_letter(store: DispenseStore) {
    let texts =
        ["AFF00BF6-68BF-4B49-B66D-F031D48922B3", "2026-01-31T08:15:30.1Z", "", "'; $set \"x\": {}\n\tї🙂"];
    for text in texts {
        let odd = dispense().field("note", json!(text)).field("payment_id", json!(text)).build();
        put(&store, &odd).await;
        assert_same(&found(&store, odd.id).await, &odd);
    }
}

/// The first and the last time that an answer can say come back as they went in.
pub async fn the_ends_of_time_are_found_as_they_were_put(store: DispenseStore) {
    for time in ["0000-01-01T00:00:00.000Z", "9999-12-30T22:00:00.001Z", "9999-12-31T23:59:59.999Z"] {
        let fields = ["when_handed_over", "inserted_at", "updated_at"];
        let old =
            fields.into_iter().fold(dispense(), |dispense, field| dispense.field(field, json!(time))).build();
        put(&store, &old).await;
        assert_same(&found(&store, old.id).await, &old);
        let change = change_of(&old, DispenseStatus::Stopped, at_millis(1_000));
        let Committed::Applied(after) = store.dispenses.commit(&change).await.unwrap() else {
            panic!("the change is stale")
        };
        assert_eq!(
            (&after.record["when_handed_over"], &after.record["inserted_at"]),
            (&json!(time), &json!(time))
        );
    }
}

/// A number keeps every digit and its kind, integer or double, when it is loaded and when the dispense changes.
pub async fn numbers_survive_to_the_digit(store: DispenseStore) {
    let numbers = json!([
        0,
        7,
        -1,
        i64::from(i32::MAX) + 1,
        i64::MIN,
        i64::MAX,
        u64::MAX,
        9_007_199_254_740_993_i64,
        2.0,
        0.1,
        -12.5,
        1_234_567_890_123.91,
        0.300_000_000_000_000_04,
        1e-300,
        f64::MAX,
        f64::MIN_POSITIVE,
    ]);
    let details: Vec<_> =
        numbers.as_array().unwrap().iter().map(|number| json!({"sell_price": number})).collect();
    let before = dispense()
        .field("details", details.into())
        .field("payment_amount", json!(1_234_567_890_123.91))
        .build();
    put(&store, &before).await;
    assert_same(&found(&store, before.id).await, &before);
    let change = change_of(&before, DispenseStatus::Stopped, at_millis(1_000));
    let Committed::Applied(after) = store.dispenses.commit(&change).await.unwrap() else {
        panic!("the change is stale")
    };
    for field in ["details", "payment_amount"] {
        assert_eq!(after.record[field].to_string(), before.record[field].to_string());
    }
    assert_same(&found(&store, before.id).await, &after);
}

/// Loading again changes nothing, whatever the file says by now; twice in one call neither.
pub async fn putting_again_keeps_what_is_there(store: DispenseStore) {
    let first = dispense().build();
    let other = dispense().build();
    let changed = dispense().id(first.id).status(DispenseStatus::Completed).build();
    put(&store, &first).await;
    assert_eq!(put_again(&store, &first).await, Put::Kept);
    assert_eq!(put_again(&store, &changed).await, Put::Kept);
    assert_same(&found(&store, first.id).await, &first);
    let answers = store.registry.put_dispenses(&[first.clone(), other.clone(), other.clone()]).await.unwrap();
    assert_eq!(answers, [Put::Kept, Put::Created, Put::Kept]);
    assert_same(&found(&store, other.id).await, &other);
    assert_eq!(store.registry.put_dispenses(&[]).await.unwrap(), []);
}

/// In a call of many each has its own answer: those that are there, and the second of two with one id, are kept.
pub async fn each_of_many_dispenses_has_its_answer(store: DispenseStore) {
    // More than a store takes in one statement or transaction.
    const MANY: usize = 1_050;
    let mut all: Vec<_> = (0..MANY).map(|_| dispense().build()).collect();
    let mut first = all.clone();
    let again = |one: &Dispense| dispense().id(one.id).status(DispenseStatus::Completed).build();
    for there in [0, 333, 1_049] {
        put(&store, &all[there]).await;
        all[there] = again(&first[there]);
    }
    for (second, one) in [(400, 399), (1_030, 10)] {
        all[second] = again(&first[one]);
        first[second] = first[one].clone();
    }
    let answers = store.registry.put_dispenses(&all).await.unwrap();
    let expected = |(one, first)| if one == first { Put::Created } else { Put::Kept };
    assert_eq!(answers, all.iter().zip(&first).map(expected).collect::<Vec<_>>());
    for first in &first {
        assert_same(&found(&store, first.id).await, first);
    }
}

/// Loading again never undoes what has happened since.
pub async fn putting_again_never_undoes_a_change(store: DispenseStore) {
    let before = dispense().build();
    put(&store, &before).await;
    let change = change_of(&before, DispenseStatus::Stopped, at_millis(1_000));
    let Committed::Applied(after) = store.dispenses.commit(&change).await.unwrap() else {
        panic!("the change is stale")
    };
    let document = store.raw.document(before.id).await;
    assert_eq!(put_again(&store, &before).await, Put::Kept);
    assert_eq!(store.raw.document(before.id).await, document);
    assert_same(&found(&store, before.id).await, &after);
    assert_eq!(waiting(&store).await, [change.event]);
}

/// The other spelling of a status is read and shown as the status model has it, and left as stored.
pub async fn a_stored_canceled_is_read_as_cancelled(store: DispenseStore) {
    let cancelled = canceled(&store).await;
    let document = store.raw.document(cancelled.id).await;
    assert_same(&found(&store, cancelled.id).await, &cancelled);
    assert_eq!(store.raw.document(cancelled.id).await, document);
    assert_eq!(document["status"], "canceled");
}

/// Stores a cancelled dispense in whose document that is spelled `canceled`, in the history too.
pub(super) async fn canceled(store: &DispenseStore) -> Dispense {
    let cancelled = dispense().status(DispenseStatus::Cancelled).build();
    put(store, &cancelled).await;
    let mut history = cancelled.record["status_history"].clone();
    for entry in history.as_array_mut().unwrap() {
        if entry["status"] == "cancelled" {
            entry["status"] = json!("canceled");
        }
    }
    store.raw.set_field(cancelled.id, "status", json!("canceled")).await;
    store.raw.set_field(cancelled.id, "status_history", history).await;
    cancelled
}

/// What rules read is one value of its type: an array that holds it is corrupt, and no transition applies to it.
pub async fn what_rules_read_is_no_array(store: DispenseStore) {
    for (path, field) in [
        ("/status", "status"),
        ("/subject", "subject"),
        ("/performer_legal_entity", "performer_legal_entity"),
        ("/performer_legal_entity/identifier", "performer_legal_entity"),
        ("/performer_legal_entity/identifier/value", "performer_legal_entity"),
    ] {
        let sound = dispense().build();
        put(&store, &sound).await;
        let mut document = json!({
            "status": "in_progress",
            "subject": sound.subject.expose(),
            "performer_legal_entity": reference("legal_entity", sound.owner),
        });
        let value = document.pointer_mut(path).unwrap();
        *value = json!([value.clone(), "completed"]);
        store.raw.set_field(sound.id, field, document[field].clone()).await;
        let document = store.raw.document(sound.id).await;

        let error =
            store.dispenses.find(sound.id).await.and_then(|found| found.unwrap().dispense).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{path}: {error}");
        let change = change_of(&sound, DispenseStatus::Stopped, at_millis(1));
        let of_anybody = Transition { owner: None, subject: None, ..change.clone() };
        for change in [change, of_anybody] {
            match store.dispenses.commit(&change).await {
                Ok(Committed::Stale) => {}
                Ok(other) => panic!("a corrupt dispense was changed: {path}: {other:?}"),
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{path}: {error}"),
            }
        }
        assert_eq!(store.raw.document(sound.id).await, document, "{path}");
        assert_eq!(waiting(&store).await, [], "{path}");
    }
}

/// What is nested deeper than most readers of JSON go is no hindrance: a dispense that is changed can be shown.
pub async fn what_is_nested_deep_is_shown(store: DispenseStore) {
    let before = dispense().build();
    put(&store, &before).await;
    let deep = (0..150).fold(json!("deep"), |inner, _| json!([inner]));
    store.raw.set_field(before.id, "supporting_info", deep.clone()).await;
    assert_eq!(found(&store, before.id).await.record["supporting_info"], deep);
    let change = change_of(&before, DispenseStatus::Stopped, at_millis(1));
    let Committed::Applied(after) = store.dispenses.commit(&change).await.unwrap() else {
        panic!("the change is stale")
    };
    assert_eq!(after.record["supporting_info"], deep);
    assert_same(&found(&store, before.id).await, &after);
}

/// A status outside the model is reported by place, id and field, beside whose dispense it is, and nothing is made of it.
pub async fn a_status_outside_the_model_is_corrupt(store: DispenseStore) {
    let sound = dispense().build();
    put(&store, &sound).await;
    store.raw.set_field(sound.id, "status", json!("exploded")).await;
    let document = store.raw.document(sound.id).await;

    let stored = store.dispenses.find(sound.id).await.unwrap().unwrap();
    assert_eq!(stored.owner, sound.owner);
    assert!(stored.subject.as_ref() == Some(&sound.subject), "the subject differs");
    let error = stored.dispense.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let text = error.to_string();
    for part in ["device_dispenses", &sound.id.to_string(), "status"] {
        assert!(text.contains(part), "{text:?} does not name {part}");
    }
    assert!(!text.contains(sound.subject.expose()), "the error names the patient's pseudonym");

    let change = change_of(&sound, DispenseStatus::Stopped, Timestamp::UNIX_EPOCH);
    match store.dispenses.commit(&change).await {
        Ok(Committed::Stale) => {}
        Ok(other) => panic!("a corrupt dispense was changed: {other:?}"),
        Err(error) => assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}"),
    }
    assert_eq!(store.raw.document(sound.id).await, document);
    assert_eq!(waiting(&store).await, []);
}
