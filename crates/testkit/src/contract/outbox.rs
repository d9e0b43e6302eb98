//! What waits, and what is forgotten: [`Outbox`](esoz_events::Outbox).

use std::collections::HashSet;
use std::slice;
use std::time::Duration;

use esoz_device_dispense::DispenseStatus;
use esoz_events::{Backlog, Claim, EventRef, StatusChangeEvent};
use esoz_kernel::{EventId, Uuid};

use super::OutboxUnderTest;
use crate::builders::{at_millis, event_of, fresh};

/// How long the suite's claims hold.
pub(super) const LEASE: Duration = Duration::from_secs(30);

/// The suite's relays claim no earlier than this many milliseconds after the first event.
pub(super) const LATER: i64 = 60_000;

/// A claim of that relay at that many milliseconds.
pub(super) fn claim(by: Uuid, millis: i64, max_entities: u32) -> Claim {
    Claim { by, now: at_millis(millis), lease: LEASE, max_entities, except: Vec::new() }
}

/// What a relay gets that asks at that many milliseconds, in an outbox with nothing to set aside.
pub(super) async fn claimed(
    store: &OutboxUnderTest,
    by: Uuid,
    millis: i64,
    max_entities: u32,
) -> Vec<StatusChangeEvent> {
    let claimed = store.outbox.claim(&claim(by, millis, max_entities)).await.unwrap();
    assert_eq!(claimed.set_aside, []);
    claimed.events
}

/// Puts the event of a change of that dispense at that many milliseconds.
pub(super) async fn changed(
    store: &OutboxUnderTest,
    dispense: Uuid,
    to: DispenseStatus,
    millis: i64,
) -> StatusChangeEvent {
    let event = StatusChangeEvent {
        new_status: to.as_str().to_owned(),
        event_time: at_millis(millis),
        ..event_of(dispense)
    };
    store.raw.put(&event).await;
    event
}

/// Puts the event of a stop of a fresh dispense at that many milliseconds.
pub(super) async fn stopped(store: &OutboxUnderTest, millis: i64) -> StatusChangeEvent {
    changed(store, fresh(), DispenseStatus::Stopped, millis).await
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
pub async fn an_empty_outbox_has_nothing(store: OutboxUnderTest) {
    assert_eq!(store.outbox.backlog().await.unwrap(), Backlog::default());
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, []);
    store.outbox.remove(&[]).await.unwrap();
    store.outbox.release(fresh()).await.unwrap();
}

/// All events of an entity, in the order of their commits, whatever their clocks said.
pub async fn events_of_an_entity_come_in_the_order_of_their_commits(store: OutboxUnderTest) {
    let first = stopped(&store, 500).await;
    let between = stopped(&store, 600).await;
    // The second change was made by a machine whose clock is behind.
    let second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, 400).await;
    let third = changed(&store, first.entity_id, DispenseStatus::Unknown, 700).await;
    let all = claimed(&store, fresh(), LATER, 10).await;
    assert_eq!(all.len(), 4);
    assert_eq!(of_entity(&all, first.entity_id), [first, second, third]);
    assert!(all.contains(&between));
}

/// Who waits longest is served first, and nobody gets more entities than were asked for.
pub async fn the_longest_waiting_entities_come_first(store: OutboxUnderTest) {
    let mut waiting = Vec::new();
    for step in 0..5 {
        waiting.push(stopped(&store, step * 10).await.entity_id);
    }
    let two = claimed(&store, fresh(), LATER, 2).await;
    assert_eq!(entities(&two), waiting[..2]);
    let two = claimed(&store, fresh(), LATER, 2).await;
    assert_eq!(entities(&two), waiting[2..4]);
    let rest = claimed(&store, fresh(), LATER, 2).await;
    assert_eq!(entities(&rest), waiting[4..]);
}

/// The limit counts entities: all events of an entity come together.
pub async fn the_limit_counts_entities_not_events(store: OutboxUnderTest) {
    let first = stopped(&store, 0).await;
    let second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, 1).await;
    stopped(&store, 2).await;
    assert_eq!(claimed(&store, fresh(), LATER, 1).await, [first, second]);
}

/// What was delivered does not come again; removing it twice, or what never was, changes nothing.
pub async fn removed_events_are_forgotten(store: OutboxUnderTest) {
    let delivered = stopped(&store, 0).await;
    let kept = stopped(&store, 1).await;
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
pub async fn removing_some_events_of_an_entity_leaves_the_others(store: OutboxUnderTest) {
    let first = stopped(&store, 0).await;
    let second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, 1).await;
    let third = changed(&store, first.entity_id, DispenseStatus::Unknown, 2).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await.len(), 3);
    store.outbox.remove(&[first.reference()]).await.unwrap();
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, []);
    assert_eq!(claimed(&store, by, LATER, 10).await, [second, third]);
}

/// An entity whose events were all removed is claimed by nobody: its next event is free at once.
pub async fn an_emptied_entity_is_free(store: OutboxUnderTest) {
    let first = stopped(&store, 0).await;
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, slice::from_ref(&first));
    store.outbox.remove(&[first.reference()]).await.unwrap();
    let second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, LATER + 1).await;
    assert_eq!(claimed(&store, fresh(), LATER + 2, 10).await, [second]);
}

/// An event that came while its entity was being delivered is not lost, and its relay need not wait for it.
pub async fn an_event_between_claim_and_remove_stays(store: OutboxUnderTest) {
    let first = stopped(&store, 0).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await, slice::from_ref(&first));
    let second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, LATER).await;
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, [], "it would overtake the first");
    store.outbox.remove(&[first.reference()]).await.unwrap();
    assert_eq!(store.outbox.backlog().await.unwrap().depth, 1);
    assert_eq!(claimed(&store, by, LATER, 10).await, [second]);
}

/// The backlog counts what waits, claimed or not, and knows the oldest.
pub async fn the_backlog_counts_what_waits(store: OutboxUnderTest) {
    let backlog = async || store.outbox.backlog().await.unwrap();
    let first = stopped(&store, 10).await;
    let other = stopped(&store, 20).await;
    let second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, 30).await;
    let all = Backlog { depth: 3, oldest: Some(at_millis(10)), set_aside: 0 };
    assert_eq!(backlog().await, all);
    assert_eq!(claimed(&store, fresh(), LATER, 1).await, [first.clone(), second.clone()]);
    assert_eq!(backlog().await, all);
    store.outbox.remove(&[first.reference()]).await.unwrap();
    assert_eq!(backlog().await, Backlog { depth: 2, oldest: Some(at_millis(20)), set_aside: 0 });
    store.outbox.remove(&references(&[second, other])).await.unwrap();
    assert_eq!(backlog().await, Backlog::default());
}
