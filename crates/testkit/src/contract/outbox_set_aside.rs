//! What cannot be delivered: set aside, named, retried, dropped, and in nobody's way.

use std::slice;

use esoz_device_dispense::DispenseStatus;
use esoz_events::{Backlog, Claimed, EventRef, Refused, SetAside, StatusChangeEvent, Which};
use esoz_kernel::EventId;

use super::OutboxUnderTest;
use super::outbox::{LATER, changed, claim, claimed, entities, stopped};
use crate::builders::{at_millis, fresh};

const REASON: &str = "larger than the bus takes";

fn refusal(event: &StatusChangeEvent) -> Refused {
    Refused { event: event.reference(), reason: REASON.to_owned() }
}

/// Sets the event aside, as a relay does that was told by the bus that it never takes it.
async fn refuse(store: &OutboxUnderTest, event: &StatusChangeEvent) {
    store.outbox.set_aside(&[refusal(event)], at_millis(LATER)).await.unwrap();
}

async fn listed(store: &OutboxUnderTest) -> Vec<SetAside> {
    store.outbox.list_set_aside(100).await.unwrap()
}

async fn listed_ids(store: &OutboxUnderTest) -> Vec<String> {
    listed(store).await.into_iter().map(|set_aside| set_aside.id).collect()
}

async fn damage(store: &OutboxUnderTest, event: &StatusChangeEvent) {
    store.raw.make_readable(event.reference(), false).await;
}

/// What a fresh relay is handed out.
async fn all(store: &OutboxUnderTest) -> Claimed {
    let by = fresh();
    let claimed = store.outbox.claim(&claim(by, LATER, 100)).await.unwrap();
    store.outbox.release(by).await.unwrap();
    claimed
}

/// An event that the bus refuses for good is listed with everything but its content, and handed out to nobody.
pub async fn a_refused_event_is_set_aside_and_named(store: OutboxUnderTest) {
    let event = stopped(&store, 0).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await, slice::from_ref(&event));
    refuse(&store, &event).await;
    let expected = SetAside {
        id: event.id.to_string(),
        entity_type: Some("DeviceDispense".to_owned()),
        entity_id: event.entity_id.to_string(),
        reason: REASON.to_owned(),
        at: Some(at_millis(LATER)),
    };
    assert_eq!(listed(&store).await, [expected]);
    for relay in [by, fresh()] {
        assert_eq!(claimed(&store, relay, LATER, 10).await, []);
    }
    let backlog = store.outbox.backlog().await.unwrap();
    assert_eq!(backlog, Backlog { depth: 0, oldest: None, set_aside: 1 });
}

/// An event that cannot be read is set aside by the claim that finds it, once.
pub async fn an_unreadable_event_is_set_aside_and_named(store: OutboxUnderTest) {
    let event = stopped(&store, 0).await;
    damage(&store, &event).await;
    let Claimed { events, set_aside } = all(&store).await;
    assert_eq!(events, []);
    assert_eq!(set_aside.len(), 1);
    assert_eq!(set_aside[0].id, event.id.to_string());
    assert_eq!(set_aside[0].entity_id, event.entity_id.to_string());
    assert_eq!(set_aside[0].at, Some(at_millis(LATER)));
    assert_ne!(set_aside[0].reason, "");
    assert_eq!(listed(&store).await, set_aside);
    assert_eq!(all(&store).await, Claimed::default(), "it was told of");
    let backlog = store.outbox.backlog().await.unwrap();
    assert_eq!(backlog, Backlog { depth: 0, oldest: None, set_aside: 1 });
}

/// Other entities' events are handed out, in the very claim that finds an unreadable one and afterwards.
pub async fn what_is_set_aside_holds_up_only_its_entity(store: OutboxUnderTest) {
    let unreadable = stopped(&store, 0).await;
    let refused = stopped(&store, 1).await;
    let sound = stopped(&store, 2).await;
    damage(&store, &unreadable).await;
    refuse(&store, &refused).await;
    assert_eq!(all(&store).await.events, slice::from_ref(&sound));
    let backlog = store.outbox.backlog().await.unwrap();
    assert_eq!(backlog, Backlog { depth: 1, oldest: Some(at_millis(2)), set_aside: 2 });
    store.outbox.remove(&[sound.reference()]).await.unwrap();
    assert_eq!(listed(&store).await.len(), 2);
}

/// What was committed before an unreadable event is delivered before that is set aside.
pub async fn earlier_events_go_before_an_unreadable_one(store: OutboxUnderTest) {
    let first = stopped(&store, 0).await;
    let second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, 1).await;
    let third = changed(&store, first.entity_id, DispenseStatus::Unknown, 2).await;
    damage(&store, &second).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await, slice::from_ref(&first));
    store.outbox.remove(&[first.reference()]).await.unwrap();
    let Claimed { events, set_aside } = store.outbox.claim(&claim(by, LATER, 10)).await.unwrap();
    assert_eq!((events.len(), set_aside.len()), (0, 1));
    assert_eq!(set_aside[0].id, second.id.to_string());
    let backlog = store.outbox.backlog().await.unwrap();
    assert_eq!(backlog, Backlog { depth: 1, oldest: None, set_aside: 1 }, "the third waits behind it");
    store.raw.make_readable(second.reference(), true).await;
    assert_eq!(store.outbox.retry(&Which::All).await.unwrap(), 1);
    assert_eq!(all(&store).await.events, [second, third]);
}

/// As many as a claim takes that cannot be delivered, at the head: what comes behind them is handed out, by the next claim at the latest.
pub async fn a_head_full_of_what_cannot_be_delivered_is_passed(store: OutboxUnderTest) {
    for step in 0..6 {
        let event = stopped(&store, step).await;
        if step % 2 == 0 {
            damage(&store, &event).await;
        } else {
            refuse(&store, &event).await;
        }
        // Something more waits behind each of them.
        changed(&store, event.entity_id, DispenseStatus::EnteredInError, step).await;
    }
    let sound = [stopped(&store, 10).await, stopped(&store, 11).await];
    let by = fresh();
    let mut handed_out = Vec::new();
    for _ in 0..2 {
        handed_out = store.outbox.claim(&claim(by, LATER, 3)).await.unwrap().events;
        if !handed_out.is_empty() {
            break;
        }
    }
    let expected = sound.iter().map(|event| event.entity_id).collect::<Vec<_>>();
    assert_eq!(entities(&handed_out), expected);
    assert_eq!(listed(&store).await.len(), 6);
}

/// The later events of an entity never overtake one that was set aside, whenever they come.
pub async fn later_events_wait_behind_a_set_aside_one(store: OutboxUnderTest) {
    let first = stopped(&store, 0).await;
    let _second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, 1).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await.len(), 2);
    refuse(&store, &first).await;
    assert_eq!(claimed(&store, by, LATER, 10).await, []);
    changed(&store, first.entity_id, DispenseStatus::Unknown, 2).await;
    for _ in 0..2 {
        assert_eq!(claimed(&store, fresh(), LATER, 10).await, []);
    }
    let backlog = store.outbox.backlog().await.unwrap();
    assert_eq!(backlog, Backlog { depth: 2, oldest: None, set_aside: 1 });
}

/// After a retry the entity's events are handed out as if nothing had been.
pub async fn a_retried_event_is_handed_out_again_in_its_place(store: OutboxUnderTest) {
    let first = stopped(&store, 0).await;
    let second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, 1).await;
    let other = stopped(&store, 2).await;
    for event in [&first, &other] {
        refuse(&store, event).await;
    }
    let third = changed(&store, first.entity_id, DispenseStatus::Unknown, 3).await;
    let these = Which::These(vec![first.id.to_string(), fresh().to_string()]);
    assert_eq!(store.outbox.retry(&these).await.unwrap(), 1);
    assert_eq!(all(&store).await.events, [first, second, third]);
    assert_eq!(listed_ids(&store).await, [other.id.to_string()]);
    let backlog = store.outbox.backlog().await.unwrap();
    assert_eq!(backlog, Backlog { depth: 3, oldest: Some(at_millis(0)), set_aside: 1 });
}

/// A retry of what still cannot be read sets it aside again.
pub async fn retrying_in_vain_sets_it_aside_again(store: OutboxUnderTest) {
    let event = stopped(&store, 0).await;
    damage(&store, &event).await;
    assert_eq!(all(&store).await.set_aside.len(), 1);
    assert_eq!(store.outbox.retry(&Which::All).await.unwrap(), 1);
    assert_eq!(listed(&store).await, []);
    assert_eq!(all(&store).await.set_aside.len(), 1);
    assert_eq!(listed_ids(&store).await, [event.id.to_string()]);
}

/// A drop deletes that event alone; what waits behind it goes on.
pub async fn a_dropped_event_lets_the_later_ones_go(store: OutboxUnderTest) {
    let first = stopped(&store, 0).await;
    let second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, 1).await;
    let alone = stopped(&store, 2).await;
    damage(&store, &first).await;
    assert_eq!(all(&store).await.set_aside.len(), 1);
    refuse(&store, &alone).await;
    for event in [&first, &alone] {
        assert!(store.outbox.drop_set_aside(&event.id.to_string()).await.unwrap());
        assert!(!store.outbox.drop_set_aside(&event.id.to_string()).await.unwrap(), "it is gone");
    }
    assert_eq!(listed(&store).await, []);
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, slice::from_ref(&second));
    let backlog = store.outbox.backlog().await.unwrap();
    assert_eq!(backlog, Backlog { depth: 1, oldest: Some(at_millis(1)), set_aside: 0 });
}

/// Neither touches an event that waits for its delivery as any other.
pub async fn dropping_or_retrying_what_is_not_set_aside_does_nothing(store: OutboxUnderTest) {
    let event = stopped(&store, 0).await;
    for id in [event.id.to_string(), event.entity_id.to_string(), fresh().to_string(), String::new()] {
        assert!(!store.outbox.drop_set_aside(&id).await.unwrap(), "{id}");
        assert_eq!(store.outbox.retry(&Which::These(vec![id])).await.unwrap(), 0);
    }
    assert_eq!(store.outbox.retry(&Which::These(Vec::new())).await.unwrap(), 0);
    assert_eq!(store.outbox.retry(&Which::All).await.unwrap(), 0);
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, [event]);
}

/// Another relay, whose claim came after, may have delivered it meanwhile.
pub async fn a_refused_event_that_is_gone_is_passed_over(store: OutboxUnderTest) {
    let event = stopped(&store, 0).await;
    let gone = EventRef { id: EventId::new(fresh()), entity_id: event.entity_id };
    let unknown = EventRef { id: EventId::new(fresh()), entity_id: fresh() };
    let refused = [gone, unknown].map(|event| Refused { event, reason: REASON.to_owned() });
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, slice::from_ref(&event));
    store.outbox.set_aside(&refused, at_millis(LATER)).await.unwrap();
    assert_eq!(listed(&store).await, []);
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, [], "the other relay's claim was ended");
    assert_eq!(claimed(&store, fresh(), 2 * LATER, 10).await, [event]);
}
