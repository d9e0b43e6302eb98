//! The events of device requests, which wait in documents of their own collection.

use std::collections::BTreeSet;

use bson::{Document, doc};
use esoz_device_dispense::{DEVICE_REQUEST, DispenseUpdate, DispenseWrites as _};
use esoz_events::{Backlog, Claim, Outbox as _, Refused, StatusChangeEvent, Which};
use esoz_kernel::Written;
use esoz_testkit::builders::{at_millis, signed_change};

use crate::changes::{binary, fresh_id};
use crate::outbox::claim;
use crate::support::Fresh;
use crate::writes::{completion, document_of, stored_dispense, stored_request};
use crate::writes_indexes::commands;

/// A dispense and its request, completed: the two events.
async fn completed(fresh: &Fresh) -> [StatusChangeEvent; 2] {
    let request = stored_request(&fresh.store).await;
    let dispense = stored_dispense(&fresh.store, &request).await;
    let update = completion(&dispense, request.id);
    let outcome = fresh.store.change(&signed_change(&dispense, &update)).await.unwrap();
    assert!(matches!(outcome, Written::Applied(_)), "{outcome:?}");
    let DispenseUpdate { event, completed_request, .. } = update;
    [event, completed_request.unwrap()]
}

fn by_new_relay() -> Claim {
    claim(fresh_id(), at_millis(60_000))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_events_of_a_completion_are_handed_out_and_removed_and_no_collection_is_scanned() {
    let fresh = Fresh::shared().await;
    let events = completed(&fresh).await;
    let relay = by_new_relay();
    let sent = commands(&fresh, async || {
        let mut claimed = fresh.store.claim(&relay).await.unwrap().events;
        claimed.sort_by_key(|event| event.entity_type == DEVICE_REQUEST);
        assert_eq!(claimed, events);
        let oldest = Some(events[0].event_time);
        assert_eq!(fresh.store.backlog().await.unwrap(), Backlog { depth: 2, oldest, set_aside: 0 });
        // Another relay gets neither.
        assert!(fresh.store.claim(&by_new_relay()).await.unwrap().events.is_empty());
        fresh.store.remove(&events.each_ref().map(StatusChangeEvent::reference)).await.unwrap();
    })
    .await;
    assert_eq!(sent.len(), 7, "two claims and a removal in two collections, and one count: {sent:?}");
    assert_eq!(fresh.store.backlog().await.unwrap(), Backlog::default());
    for (collection, event) in ["device_dispenses", "device_requests"].into_iter().zip(&events) {
        let document = document_of(&fresh, collection, event.entity_id).await.unwrap();
        assert!(!document.contains_key("esoz_outbox"), "{document}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_takes_no_more_entities_of_both_collections_than_it_asks_for() {
    let fresh = Fresh::shared().await;
    let (mut all, mut seen) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..5 {
        all.extend(completed(&fresh).await.map(|event| event.id));
    }
    while seen.len() < all.len() {
        let some = Claim { max_entities: 3, ..by_new_relay() };
        let claimed = fresh.store.claim(&some).await.unwrap().events;
        assert!((1..=3).contains(&claimed.len()), "{}", claimed.len());
        assert!(claimed.iter().all(|event| seen.insert(event.id)), "two relays hold one event");
    }
    assert_eq!(seen, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_request_is_set_aside_retried_and_dropped_like_any_other() {
    let fresh = Fresh::shared().await;
    let [of_dispense, of_request] = completed(&fresh).await;
    let refused = Refused { event: of_request.reference(), reason: "too large".to_owned() };
    fresh.store.set_aside(&[refused], at_millis(3)).await.unwrap();
    let listed = fresh.store.list_set_aside(10).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].entity_type.as_deref(), Some("DeviceRequest"));
    assert_eq!(listed[0].entity_id, of_request.entity_id.to_string());
    assert_eq!(fresh.store.claim(&by_new_relay()).await.unwrap().events, [of_dispense]);
    assert_eq!(fresh.store.retry(&Which::All).await.unwrap(), 1);
    assert_eq!(fresh.store.claim(&by_new_relay()).await.unwrap().events, std::slice::from_ref(&of_request));

    let broken = doc! { "$set": { "esoz_outbox.events.0.id": "none" } };
    fresh.requests().update_one(doc! { "_id": binary(of_request.entity_id) }, broken).await.unwrap();
    fresh.store.release(fresh_id()).await.unwrap();
    let later = Claim { now: at_millis(600_000), ..by_new_relay() };
    let set_aside = fresh.store.claim(&later).await.unwrap().set_aside;
    assert_eq!(set_aside.len(), 1);
    assert!(set_aside[0].reason.contains("device_requests"), "{}", set_aside[0].reason);
    assert!(fresh.store.drop_set_aside(&set_aside[0].id).await.unwrap());
    let request: Document = document_of(&fresh, "device_requests", of_request.entity_id).await.unwrap();
    assert!(!request.contains_key("esoz_outbox"), "{request}");
}
