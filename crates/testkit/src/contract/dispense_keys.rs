//! Changing the status of a dispense under an idempotency key:
//! [`Transition::idempotency`](esoz_device_dispense::Transition::idempotency), [`IdempotencyRecords`](esoz_kernel::IdempotencyRecords).

use std::sync::Arc;

use esoz_device_dispense::{Dispense, DispenseStatus, Transition};
use esoz_kernel::{Committed, IdempotentRequest, Timestamp};

use super::DispenseStore;
use super::dispenses::{assert_same, found, put, waiting};
use super::race::all_at_once;
use crate::builders::{at_millis, change_of, client, dispense, fresh, idempotency_key, reference};
use serde_json::json;

const RACERS: i64 = 16;
const ROUNDS: usize = 5;
/// As long as a key is kept, in milliseconds.
const DAY: i64 = 86_400_000;

/// A key that was never used before, for a request that asks that.
fn idempotency(asked: &str) -> IdempotentRequest {
    IdempotentRequest::new("test", client(), &idempotency_key(), &[asked.as_bytes()])
}

/// A stop of the dispense under that key, by a user of its own.
fn stop(dispense: &Dispense, millis: i64, idempotency: IdempotentRequest) -> Transition {
    Transition {
        idempotency: Some(idempotency),
        ..change_of(dispense, DispenseStatus::Stopped, at_millis(millis))
    }
}

async fn stored(store: &DispenseStore) -> Dispense {
    let one = dispense().build();
    put(store, &one).await;
    one
}

async fn changed(store: &DispenseStore, change: &Transition) -> Committed<Dispense> {
    store.dispenses.commit(change).await.unwrap()
}

async fn applied(store: &DispenseStore, change: &Transition) -> Dispense {
    match changed(store, change).await {
        Committed::Applied(dispense) => dispense,
        other => panic!("the change was not applied: {other:?}"),
    }
}

#[track_caller]
fn assert_first_answer(outcome: &Committed<Dispense>, first: &Dispense) {
    match outcome {
        Committed::Replayed(answer) => assert_same(answer, first),
        other => panic!("not the first answer: {other:?}"),
    }
}

async fn forget(store: &DispenseStore, until: Timestamp, most: u32) -> u64 {
    store.keys.purge_expired(until, most).await.unwrap()
}

/// The same request again, later and by another user of the same client: the first answer, and nothing happens.
pub async fn a_repetition_gets_the_first_answer(store: DispenseStore) {
    let before = stored(&store).await;
    let change = stop(&before, 1, idempotency("a stop"));
    let first = applied(&store, &change).await;
    let document = store.raw.document(before.id).await;
    for millis in [1, 2, DAY] {
        let again = stop(&before, millis, change.idempotency.unwrap());
        assert_first_answer(&changed(&store, &again).await, &first);
    }
    assert_same(&found(&store, before.id).await, &first);
    assert_eq!(store.raw.document(before.id).await, document);
    assert_eq!(waiting(&store).await, [change.event]);
}

/// Whatever became of the dispense since, the first answer stays what it was.
pub async fn the_first_answer_outlives_the_next_change(store: DispenseStore) {
    let before = dispense().without("status_history").build();
    put(&store, &before).await;
    let change = stop(&before, 1, idempotency("a stop"));
    let first = applied(&store, &change).await;
    let next = change_of(&first, DispenseStatus::EnteredInError, at_millis(2));
    let next = Transition { idempotency: Some(idempotency("a mark")), ..next };
    let last = applied(&store, &next).await;
    assert_first_answer(&changed(&store, &change).await, &first);
    assert_first_answer(&changed(&store, &next).await, &last);
    assert_same(&found(&store, before.id).await, &last);
    assert_eq!(waiting(&store).await.len(), 2);
}

/// A repetition for a legal entity or a patient that the dispense is not of any more is stale: they must not see it.
pub async fn a_repetition_is_not_answered_when_the_dispense_is_somebody_elses(store: DispenseStore) {
    let of_another = reference("legal_entity", fresh());
    for (field, value) in [("performer_legal_entity", of_another), ("subject", json!("ANOTHER"))] {
        let before = stored(&store).await;
        let change = stop(&before, 1, idempotency("a stop"));
        let first = applied(&store, &change).await;
        store.raw.set_field(before.id, field, value).await;
        let document = store.raw.document(before.id).await;
        assert_eq!(changed(&store, &change).await, Committed::Stale, "{field}");
        assert_eq!(store.raw.document(before.id).await, document, "{field}");
        // Whoever has it back is answered as at first.
        let back = match field {
            "subject" => json!(before.subject.expose()),
            owner => first.record[owner].clone(),
        };
        store.raw.set_field(before.id, field, back).await;
        assert_first_answer(&changed(&store, &change).await, &first);
    }
}

/// Another request under the same key is told so, and changes nothing: neither the same dispense nor another.
pub async fn a_key_is_for_one_request(store: DispenseStore) {
    let (one, other) = (stored(&store).await, stored(&store).await);
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let change = stop(&one, 1, asking("one"));
    let first = applied(&store, &change).await;
    let document = store.raw.document(other.id).await;
    for reused in [stop(&one, 2, asking("other")), stop(&other, 2, asking("other"))] {
        assert_eq!(changed(&store, &reused).await, Committed::KeyReused);
    }
    assert_same(&found(&store, one.id).await, &first);
    assert_eq!(store.raw.document(other.id).await, document);
    assert_eq!(waiting(&store).await, [change.event]);
    // Without a key nothing speaks against it.
    let without = Transition { idempotency: None, ..stop(&other, 3, asking("other")) };
    applied(&store, &without).await;
}

/// The same text is another key for another client, and for another operation.
pub async fn clients_and_operations_do_not_share_keys(store: DispenseStore) {
    let (mine, key) = (client(), idempotency_key());
    for (operation, client) in [("test", mine), ("test", client()), ("another test", mine)] {
        let one = stored(&store).await;
        let change = stop(&one, 1, IdempotentRequest::new(operation, client, &key, &[b"a stop"]));
        let first = applied(&store, &change).await;
        assert_first_answer(&changed(&store, &change).await, &first);
    }
    assert_eq!(waiting(&store).await.len(), 3);
}

/// A change that is not applied leaves its key free, also for another request.
pub async fn a_stale_change_keeps_no_key(store: DispenseStore) {
    let one = stored(&store).await;
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let stale = Transition { from: vec![DispenseStatus::Completed], ..stop(&one, 1, asking("this")) };
    for _ in 0..2 {
        assert_eq!(changed(&store, &stale).await, Committed::Stale);
    }
    assert_eq!(forget(&store, Timestamp::MAX, 10).await, 0);
    applied(&store, &stop(&one, 2, asking("that"))).await;
    assert_eq!(changed(&store, &stale).await, Committed::KeyReused);
}

/// Without a key nothing is kept, and a repetition is stale.
pub async fn a_change_without_a_key_keeps_none(store: DispenseStore) {
    let one = stored(&store).await;
    let change = Transition { idempotency: None, ..stop(&one, 1, idempotency("a stop")) };
    applied(&store, &change).await;
    assert_eq!(changed(&store, &change).await, Committed::Stale);
    assert_eq!(forget(&store, Timestamp::MAX, 10).await, 0);
}

/// 16 times the same request at once: one is applied, and all have its answer.
pub async fn concurrent_repetitions_have_one_effect_and_one_answer(store: DispenseStore) {
    for _ in 0..ROUNDS {
        let one = stored(&store).await;
        let key = idempotency("a stop");
        let outcomes = all_at_once((0..RACERS).map(|step| {
            let (dispenses, change) = (Arc::clone(&store.dispenses), stop(&one, step, key));
            async move { dispenses.commit(&change).await.unwrap() }
        }))
        .await;
        let after = found(&store, one.id).await;
        let (applied, others): (Vec<_>, Vec<_>) =
            outcomes.into_iter().partition(|outcome| matches!(outcome, Committed::Applied(_)));
        assert_eq!(applied, [Committed::Applied(after.clone())]);
        for other in others {
            assert_first_answer(&other, &after);
        }
        let events = waiting(&store).await;
        assert_eq!(events.iter().filter(|event| event.entity_id == one.id.uuid()).count(), 1);
    }
}

/// Two dispenses at once under one key: one is changed, and the other is told that the key is used.
pub async fn of_two_dispenses_under_one_key_one_is_changed(store: DispenseStore) {
    for _ in 0..ROUNDS {
        let both = [stored(&store).await, stored(&store).await];
        let (client, key) = (client(), idempotency_key());
        let outcomes = all_at_once(both.iter().map(|one| {
            let idempotency = IdempotentRequest::new("test", client, &key, &[one.id.uuid().as_bytes()]);
            let (dispenses, change) = (Arc::clone(&store.dispenses), stop(one, 1, idempotency));
            async move { dispenses.commit(&change).await.unwrap() }
        }))
        .await;
        let mut changed = 0;
        for (one, outcome) in both.iter().zip(outcomes) {
            match outcome {
                Committed::Applied(after) => {
                    changed += 1;
                    assert_same(&found(&store, one.id).await, &after);
                }
                other => {
                    assert_eq!(other, Committed::KeyReused);
                    assert_same(&found(&store, one.id).await, one);
                }
            }
        }
        assert_eq!(changed, 1);
    }
    assert_eq!(waiting(&store).await.len(), ROUNDS);
}

/// After 24 hours a key is as good as new, whether or not it was forgotten.
pub async fn a_day_later_a_key_is_free(store: DispenseStore) {
    let (one, other) = (stored(&store).await, stored(&store).await);
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let change = stop(&one, 0, asking("one"));
    let first = applied(&store, &change).await;
    let reused = stop(&other, DAY - 1, asking("other"));
    assert_eq!(changed(&store, &reused).await, Committed::KeyReused);
    assert_eq!(
        changed(&store, &stop(&one, DAY, asking("one"))).await,
        Committed::Stale,
        "it is stopped already"
    );
    let later = stop(&other, DAY, asking("other"));
    // It may have to be offered again: then the first offer has made room.
    let outcome = match changed(&store, &later).await {
        Committed::Stale => changed(&store, &later).await,
        outcome => outcome,
    };
    let Committed::Applied(after) = outcome else { panic!("the key is not free: {outcome:?}") };
    assert_first_answer(&changed(&store, &later).await, &after);
    assert_eq!(changed(&store, &change).await, Committed::KeyReused);
    assert_same(&found(&store, one.id).await, &first);
}

/// Old keys are forgotten, no more than asked for at a time; young keys and the changes themselves stay.
pub async fn old_keys_are_forgotten_step_by_step(store: DispenseStore) {
    let mut changes = Vec::new();
    for millis in 0..5 {
        let one = stored(&store).await;
        let change = stop(&one, millis, idempotency("a stop"));
        changes.push((applied(&store, &change).await, change));
    }
    let until = at_millis(2);
    assert_eq!(forget(&store, until, 0).await, 0);
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(forget(&store, until, 2).await);
    }
    assert_eq!(steps, [2, 1, 0]);
    for (after, change) in &changes {
        let outcome = changed(&store, change).await;
        if change.at <= until {
            assert_eq!(outcome, Committed::Stale, "the key is still known");
        } else {
            assert_first_answer(&outcome, after);
        }
        assert_same(&found(&store, after.id).await, after);
    }
    assert_eq!(waiting(&store).await.len(), changes.len());
}
