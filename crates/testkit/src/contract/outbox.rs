//! What waits, and what is forgotten: [`Outbox`](esoz_events::Outbox).

use std::collections::HashSet;
use std::slice;
use std::time::Duration;

use esoz_device_dispense::{Dispense, DispenseStatus};
use esoz_events::{Backlog, Claim, EventRef, StatusChangeEvent};
use esoz_kernel::{Committed, EventId, Uuid};

use super::DispenseStore;
use super::dispenses::put;
use crate::builders::{at_millis, change_of, dispense, fresh};

/// How long the suite's claims hold.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// The suite's relays claim no earlier than this many milliseconds after the first event.
pub(super) const LATER: i64 = 60_000;

/// What a relay gets that asks at that many milliseconds.
pub(super) async fn claimed(
    store: &DispenseStore,
    by: Uuid,
    millis: i64,
    max_entities: u32,
) -> Vec<StatusChangeEvent> {
    let claim = Claim { by, now: at_millis(millis), lease: LEASE, max_entities };
    store.outbox.claim(&claim).await.unwrap()
}

/// Changes a stored dispense at that many milliseconds and gives the event.
pub(super) async fn changed(
    store: &DispenseStore,
    dispense: &mut Dispense,
    to: DispenseStatus,
    millis: i64,
) -> StatusChangeEvent {
    let change = change_of(dispense, to, at_millis(millis));
    match store.dispenses.commit(&change).await.unwrap() {
        Committed::Applied(after) => *dispense = after,
        other => panic!("the change was not applied: {other:?}"),
    }
    change.event
}

/// Stops a fresh dispense at that many milliseconds.
pub(super) async fn stopped(store: &DispenseStore, millis: i64) -> (Dispense, StatusChangeEvent) {
    let mut one = dispense().build();
    put(store, &one).await;
    let event = changed(store, &mut one, DispenseStatus::Stopped, millis).await;
    (one, event)
}

pub(super) fn references(events: &[StatusChangeEvent]) -> Vec<EventRef> {
    events.iter().map(StatusChangeEvent::reference).collect()
}

/// The events of one entity, in their order.
pub(super) fn of_entity(events: &[StatusChangeEvent], entity: Uuid) -> Vec<StatusChangeEvent> {
    events.iter().filter(|event| event.entity_id == entity).cloned().collect()
}

/// The entities in the order of their first events.
pub(super) fn entities(events: &[StatusChangeEvent]) -> Vec<Uuid> {
    let mut seen = HashSet::new();
    events.iter().map(|event| event.entity_id).filter(|entity| seen.insert(*entity)).collect()
}

/// Nothing waits, nothing is handed out, and nothing fails.
pub async fn an_empty_outbox_has_nothing(store: DispenseStore) {
    assert_eq!(store.outbox.backlog().await.unwrap(), Backlog { depth: 0, oldest: None });
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, []);
    store.outbox.remove(&[]).await.unwrap();
    store.outbox.release(fresh()).await.unwrap();
}

/// All events of an entity, in the order of their commits, whatever their clocks said.
pub async fn events_of_an_entity_come_in_the_order_of_their_commits(store: DispenseStore) {
    let (mut one, first) = stopped(&store, 500).await;
    let (_, between) = stopped(&store, 600).await;
    // The second change was made by a machine whose clock is behind.
    let second = changed(&store, &mut one, DispenseStatus::EnteredInError, 400).await;
    let third = changed(&store, &mut one, DispenseStatus::Unknown, 700).await;
    let all = claimed(&store, fresh(), LATER, 10).await;
    assert_eq!(all.len(), 4);
    assert_eq!(of_entity(&all, one.id.uuid()), [first, second, third]);
    assert!(all.contains(&between));
}

/// Who waits longest is served first, and nobody gets more entities than were asked for.
pub async fn the_longest_waiting_entities_come_first(store: DispenseStore) {
    let mut waiting = Vec::new();
    for step in 0..5 {
        waiting.push(stopped(&store, step * 10).await.1.entity_id);
    }
    let two = claimed(&store, fresh(), LATER, 2).await;
    assert_eq!(entities(&two), waiting[..2]);
    let two = claimed(&store, fresh(), LATER, 2).await;
    assert_eq!(entities(&two), waiting[2..4]);
    let rest = claimed(&store, fresh(), LATER, 2).await;
    assert_eq!(entities(&rest), waiting[4..]);
}

/// The limit counts entities: all events of an entity come together.
pub async fn the_limit_counts_entities_not_events(store: DispenseStore) {
    let (mut one, first) = stopped(&store, 0).await;
    let second = changed(&store, &mut one, DispenseStatus::EnteredInError, 1).await;
    stopped(&store, 2).await;
    assert_eq!(claimed(&store, fresh(), LATER, 1).await, [first, second]);
}

/// What was delivered does not come again; removing it twice, or what never was, changes nothing.
pub async fn removed_events_are_forgotten(store: DispenseStore) {
    let (_, delivered) = stopped(&store, 0).await;
    let (_, kept) = stopped(&store, 1).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await.len(), 2);
    let unknown_event = EventRef { id: EventId::new(fresh()), entity_id: kept.entity_id };
    let unknown_entity = EventRef { id: EventId::new(fresh()), entity_id: fresh() };
    let references = [unknown_event, delivered.reference(), unknown_entity];
    for _ in 0..2 {
        store.outbox.remove(&references).await.unwrap();
        assert_eq!(store.outbox.backlog().await.unwrap().depth, 1);
        assert_eq!(claimed(&store, by, LATER, 10).await, slice::from_ref(&kept));
        assert_eq!(claimed(&store, fresh(), LATER, 10).await, [], "the claim on the rest still holds");
    }
}

/// Removing the first events of an entity leaves the others, in their order.
pub async fn removing_some_events_of_an_entity_leaves_the_others(store: DispenseStore) {
    let (mut one, first) = stopped(&store, 0).await;
    let second = changed(&store, &mut one, DispenseStatus::EnteredInError, 1).await;
    let third = changed(&store, &mut one, DispenseStatus::Unknown, 2).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await.len(), 3);
    store.outbox.remove(&[first.reference()]).await.unwrap();
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, []);
    assert_eq!(claimed(&store, by, LATER, 10).await, [second, third]);
}

/// An entity whose events were all removed is claimed by nobody: its next event is free at once.
pub async fn an_emptied_entity_is_free(store: DispenseStore) {
    let (mut one, first) = stopped(&store, 0).await;
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, slice::from_ref(&first));
    store.outbox.remove(&[first.reference()]).await.unwrap();
    let second = changed(&store, &mut one, DispenseStatus::EnteredInError, LATER + 1).await;
    assert_eq!(claimed(&store, fresh(), LATER + 2, 10).await, [second]);
}

/// An event that came while its entity was being delivered is not lost, and its relay need not wait for it.
pub async fn an_event_between_claim_and_remove_stays(store: DispenseStore) {
    let (mut one, first) = stopped(&store, 0).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await, slice::from_ref(&first));
    let second = changed(&store, &mut one, DispenseStatus::EnteredInError, LATER).await;
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, [], "it would overtake the first");
    store.outbox.remove(&[first.reference()]).await.unwrap();
    assert_eq!(store.outbox.backlog().await.unwrap().depth, 1);
    assert_eq!(claimed(&store, by, LATER, 10).await, [second]);
}

/// The backlog counts what waits, claimed or not, and knows the oldest.
pub async fn the_backlog_counts_what_waits(store: DispenseStore) {
    let backlog = async || store.outbox.backlog().await.unwrap();
    let (mut one, first) = stopped(&store, 10).await;
    let (_, other) = stopped(&store, 20).await;
    let second = changed(&store, &mut one, DispenseStatus::EnteredInError, 30).await;
    let all = Backlog { depth: 3, oldest: Some(at_millis(10)) };
    assert_eq!(backlog().await, all);
    assert_eq!(claimed(&store, fresh(), LATER, 1).await, [first.clone(), second.clone()]);
    assert_eq!(backlog().await, all);
    store.outbox.remove(&[first.reference()]).await.unwrap();
    assert_eq!(backlog().await, Backlog { depth: 2, oldest: Some(at_millis(20)) });
    store.outbox.remove(&references(&[second, other])).await.unwrap();
    assert_eq!(backlog().await, Backlog { depth: 0, oldest: None });
}
