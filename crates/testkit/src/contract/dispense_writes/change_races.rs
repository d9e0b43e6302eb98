use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use esoz_device_dispense::{ChangeRefusal, DeviceRequestStatus, Dispense, DispenseStatus};
use esoz_kernel::{Committed, Put, StoreErrorKind, Written};

use super::super::DispenseWriteStore;
use super::super::dispenses::{assert_same, found};
use super::super::race::all_at_once;
use super::fixtures::{
    Changed, RACERS, ROUNDS, change_at_once, change_in_the_end, completion, expected_after, having_decided,
    request_now, split, stored_dispense, stored_request, waiting,
};
use crate::builders::{at_millis, change_of, signed_change, update_of};

const COMPLETED: DispenseStatus = DispenseStatus::Completed;

/// Of 32 changes of one dispense one is applied, and the others see it.
pub async fn of_concurrent_signed_changes_one_is_applied(store: DispenseWriteStore) {
    let mut events = BTreeSet::new();
    for _ in 0..ROUNDS {
        let request = stored_request(&store).await.facts;
        let before = stored_dispense(&store, &request).await;
        let updates: Vec<_> = (0..RACERS).map(|at| update_of(&before, COMPLETED, at_millis(at))).collect();
        let changes = updates.iter().map(|update| signed_change(&before, update)).collect();
        let outcomes = change_at_once(&store, changes).await;
        let winner = outcomes.iter().position(|outcome| matches!(outcome, Written::Applied(_))).unwrap();
        let (applied, others) = split(outcomes);
        assert_eq!(applied, [expected_after(&before, &updates[winner])]);
        for other in others {
            assert_eq!(other, Written::Refused(ChangeRefusal::CannotBeCompleted(COMPLETED)));
        }
        assert_same(&found(&store.dispenses, before.id).await, &applied[0]);
        events.insert(updates[winner].event.id);
        assert_eq!(waiting(&store).await, events);
    }
}

/// Of two dispenses of one request that are completed at once, one completes it, and the other sees that it is completed.
pub async fn of_two_dispenses_of_one_request_one_is_completed(store: DispenseWriteStore) {
    for round in 1..=2 * ROUNDS {
        let request = stored_request(&store).await.facts;
        let both = [stored_dispense(&store, &request).await, stored_dispense(&store, &request).await];
        let updates = both.each_ref().map(|one| completion(one, request.id, at_millis(1)));
        let changes = both.iter().zip(&updates).map(|(one, update)| signed_change(one, update)).collect();
        let outcomes = change_at_once(&store, changes).await;
        let mut completed = 0;
        for ((before, update), outcome) in both.iter().zip(&updates).zip(outcomes) {
            let now = found(&store.dispenses, before.id).await;
            match outcome {
                Written::Applied(after) => {
                    completed += 1;
                    assert_same(&after, &expected_after(before, update));
                    assert_same(&now, &after);
                    let request = request_now(&store, request.id).await;
                    assert_eq!(request.facts.status, DeviceRequestStatus::Completed);
                    assert_eq!(request.stamps.updated_by, update.event.changed_by);
                }
                other => {
                    assert_eq!(other, Written::Refused(ChangeRefusal::RequestNotActive));
                    assert_same(&now, before);
                }
            }
        }
        assert_eq!(completed, 1);
        assert_eq!(waiting(&store).await.len(), 2 * round);
    }
}

/// Changes of dispenses of their own do not disturb each other.
pub async fn changes_of_different_dispenses_are_all_applied(store: DispenseWriteStore) {
    let (mut changes, mut expected, mut events) = (Vec::new(), Vec::new(), BTreeSet::new());
    for at in 0..RACERS {
        let request = stored_request(&store).await.facts;
        let before = stored_dispense(&store, &request).await;
        let update = completion(&before, request.id, at_millis(at));
        changes.push(signed_change(&before, &update));
        expected.push(expected_after(&before, &update));
        events.insert(update.event.id);
        events.extend(update.completed_request.map(|event| event.id));
    }
    for (outcome, expected) in change_at_once(&store, changes).await.into_iter().zip(expected) {
        assert_eq!(outcome, Written::Applied(expected));
    }
    assert_eq!(waiting(&store).await, events);
}

/// What became of a change, of a stop, or whether the dispense was completed once its request had been revoked.
enum Raced {
    Change(Changed),
    Stop(Committed<Dispense>),
    Revocation { was_completed: bool },
}

type Racer = Pin<Box<dyn Future<Output = Raced> + Send>>;

/// Of a change and a stop at once one wins, and the other sees it.
pub async fn of_a_change_and_a_stop_one_wins(store: DispenseWriteStore) {
    for round in 1..=2 * ROUNDS {
        let request = stored_request(&store).await.facts;
        let before = stored_dispense(&store, &request).await;
        let update = update_of(&before, COMPLETED, at_millis(1));
        let stop = change_of(&before, DispenseStatus::Stopped, at_millis(2));
        let change = having_decided(&store, signed_change(&before, &update)).await;
        let writes = Arc::clone(&store.writes);
        let change: Racer = Box::pin(async { Raced::Change(change_in_the_end(writes, change).await) });
        let dispenses = Arc::clone(&store.dispenses.dispenses);
        let stop: Racer = Box::pin(async move {
            loop {
                match dispenses.commit(&stop).await {
                    Ok(outcome) => return Raced::Stop(outcome),
                    Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}"),
                }
                tokio::task::yield_now().await;
            }
        });
        let racers = if round.is_multiple_of(2) { [change, stop] } else { [stop, change] };
        let (mut changed, mut stopped) = (None, None);
        for raced in all_at_once(racers).await {
            match raced {
                Raced::Change(outcome) => changed = Some(outcome),
                Raced::Stop(outcome) => stopped = Some(outcome),
                Raced::Revocation { .. } => panic!("nothing was revoked"),
            }
        }
        let now = found(&store.dispenses, before.id).await;
        match (changed.unwrap(), stopped.unwrap()) {
            (Written::Applied(after), Committed::Stale) => {
                assert_same(&after, &expected_after(&before, &update));
                assert_same(&now, &after);
            }
            (Written::Refused(refusal), Committed::Applied(after)) => {
                assert_eq!(refusal, ChangeRefusal::CannotBeCompleted(DispenseStatus::Stopped));
                assert_same(&now, &after);
            }
            other => panic!("not one of two: {other:?}"),
        }
        assert_eq!(waiting(&store).await.len(), round);
    }
}

/// A request is revoked while its dispense is completed: either the completion came first, or it did not come.
pub async fn a_completion_comes_before_or_after_a_revocation(store: DispenseWriteStore) {
    for round in 0..2 * ROUNDS {
        let mut record = stored_request(&store).await;
        let before = stored_dispense(&store, &record.facts).await;
        let mut update = completion(&before, record.facts.id, at_millis(1));
        if (round / 2).is_multiple_of(2) {
            // That of a request without a quantity leaves it as it is, and rests on it all the same.
            update.completed_request = None;
        }
        let change = having_decided(&store, signed_change(&before, &update)).await;
        let writes = Arc::clone(&store.writes);
        let change: Racer = Box::pin(async { Raced::Change(change_in_the_end(writes, change).await) });
        record.facts.status = DeviceRequestStatus::Revoked;
        let (registry, reader) = (Arc::clone(&store.requests), Arc::clone(&store.dispenses.dispenses));
        let (id, revoked) = (before.id, record.clone());
        let revocation: Racer = Box::pin(async move {
            assert_eq!(registry.put(&[revoked]).await.unwrap(), [Put::Updated]);
            let now = reader.find(id).await.unwrap().unwrap().dispense.unwrap();
            Raced::Revocation { was_completed: now.status == COMPLETED }
        });
        let racers = if round.is_multiple_of(2) { [change, revocation] } else { [revocation, change] };
        let (mut changed, mut ended) = (None, None);
        for raced in all_at_once(racers).await {
            match raced {
                Raced::Change(outcome) => changed = Some(outcome),
                Raced::Revocation { was_completed } => ended = Some(was_completed),
                Raced::Stop(_) => panic!("nothing was stopped"),
            }
        }
        match changed.unwrap() {
            Written::Applied(_) => assert_eq!(ended, Some(true), "completed after it was revoked"),
            other => {
                assert_eq!(other, Written::Refused(ChangeRefusal::RequestNotActive));
                assert_same(&found(&store.dispenses, before.id).await, &before);
            }
        }
        let now = request_now(&store, record.facts.id).await;
        assert_eq!(now.facts.status, DeviceRequestStatus::Revoked, "the doctor has the last word");
    }
}

/// The file from which a request came is loaded again after its dispense is completed, and while it is: the request is not open again.
pub async fn a_file_loaded_again_opens_no_completed_request(store: DispenseWriteStore) {
    for _ in 0..ROUNDS {
        let record = stored_request(&store).await;
        let before = stored_dispense(&store, &record.facts).await;
        let change = signed_change(&before, &completion(&before, record.facts.id, at_millis(1)));
        let change = having_decided(&store, change).await;
        let (writes, registry, again) =
            (Arc::clone(&store.writes), Arc::clone(&store.requests), record.clone());
        let change: Racer = Box::pin(async { Raced::Change(change_in_the_end(writes, change).await) });
        let import: Racer = Box::pin(async move {
            assert_eq!(registry.put(&[again]).await.unwrap(), [Put::Kept]);
            Raced::Revocation { was_completed: false }
        });
        for raced in all_at_once([change, import]).await {
            if let Raced::Change(outcome) = raced {
                assert!(matches!(outcome, Written::Applied(_)));
            }
        }
        let now = request_now(&store, record.facts.id).await;
        assert_eq!(now.facts.status, DeviceRequestStatus::Completed);
        assert_eq!(store.requests.put(std::slice::from_ref(&record)).await.unwrap(), [Put::Kept]);
        assert_eq!(request_now(&store, record.facts.id).await, now);
    }
}
