//! Who holds what, and for how long: the claims of an [`Outbox`].

use std::collections::{HashMap, HashSet};
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use esoz_device_dispense::DispenseStatus;
use esoz_events::{Claim, Outbox, StatusChangeEvent};
use esoz_kernel::{Committed, StoreErrorKind, Uuid};

use super::DispenseStore;
use super::outbox::{LATER, LEASE, changed, claimed, entities, references, stopped};
use super::race::all_at_once;
use crate::builders::{at_millis, change_of, dispense, fresh};

const RELAYS: usize = 8;
const ENTITIES: usize = 100;
const LONG: Duration = Duration::from_mins(1);

fn lease_millis() -> i64 {
    i64::try_from(LEASE.as_millis()).unwrap()
}

/// What one relay holds no other gets, until the lease has ended.
pub async fn a_claim_keeps_others_away_until_its_lease_ends(store: DispenseStore) {
    let (_, one) = stopped(&store, 0).await;
    let (_, two) = stopped(&store, 1).await;
    let all = [one, two];
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, all);
    let end = LATER + lease_millis();
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, []);
    assert_eq!(claimed(&store, fresh(), end - 1, 10).await, []);
    assert_eq!(claimed(&store, fresh(), end, 10).await, all);
}

/// A relay gets what it holds again, and holds it for another lease from then on.
pub async fn a_relay_gets_its_own_again(store: DispenseStore) {
    let (_, one) = stopped(&store, 0).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await, slice::from_ref(&one));
    let (_, two) = stopped(&store, 1).await;
    let again = LATER + lease_millis() - 1;
    assert_eq!(claimed(&store, by, again, 10).await, [one.clone(), two.clone()]);
    assert_eq!(claimed(&store, fresh(), again + lease_millis() - 1, 10).await, []);
    assert_eq!(claimed(&store, fresh(), again + lease_millis(), 10).await, [one, two]);
}

/// A relay that slept through its lease does not take back what another one holds by now.
pub async fn an_ended_claim_is_not_taken_back(store: DispenseStore) {
    let (_, one) = stopped(&store, 0).await;
    let (sleeper, other) = (fresh(), fresh());
    assert_eq!(claimed(&store, sleeper, LATER, 10).await, slice::from_ref(&one));
    let ended = LATER + lease_millis();
    assert_eq!(claimed(&store, other, ended, 10).await, slice::from_ref(&one));
    assert_eq!(claimed(&store, sleeper, ended + 1, 10).await, []);
    store.outbox.release(sleeper).await.unwrap();
    assert_eq!(claimed(&store, fresh(), ended + 2, 10).await, [], "it released what another one holds");
    // What it did deliver in its sleep is delivered all the same.
    store.outbox.remove(&[one.reference()]).await.unwrap();
    assert_eq!(store.outbox.backlog().await.unwrap().depth, 0);
}

/// What a relay gives back is free at once; what others hold is not.
pub async fn released_events_are_free_at_once(store: DispenseStore) {
    let (_, one) = stopped(&store, 0).await;
    let (_, two) = stopped(&store, 1).await;
    let (first, second) = (fresh(), fresh());
    assert_eq!(claimed(&store, first, LATER, 1).await, slice::from_ref(&one));
    assert_eq!(claimed(&store, second, LATER, 1).await, [two]);
    store.outbox.release(first).await.unwrap();
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, [one]);
}

/// A claim is on the entity: events that come later do not reach another relay before the earlier ones are delivered.
pub async fn a_claim_covers_later_events_of_its_entities(store: DispenseStore) {
    let (mut one, first) = stopped(&store, 0).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await, slice::from_ref(&first));
    let second = changed(&store, &mut one, DispenseStatus::EnteredInError, LATER).await;
    let (_, elsewhere) = stopped(&store, LATER).await;
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, [elsewhere]);
    assert_eq!(claimed(&store, by, LATER, 10).await, [first, second]);
}

/// An outbox with one event for each of many entities.
async fn filled(store: &DispenseStore) {
    let all: Vec<_> = (0..ENTITIES).map(|_| dispense().build()).collect();
    store.registry.put_dispenses(&all).await.unwrap();
    let changes = (0..).zip(&all).map(|(step, one)| change_of(one, DispenseStatus::Stopped, at_millis(step)));
    for change in changes {
        assert_ne!(store.dispenses.commit(&change).await.unwrap(), Committed::Stale);
    }
}

/// Claims; a store may say that it lost a race, and is then asked again.
async fn claim_in_race(outbox: Arc<dyn Outbox>, by: Uuid, max_entities: u32) -> Vec<StatusChangeEvent> {
    let claim = Claim { by, now: at_millis(LATER), lease: LEASE, max_entities };
    let deadline = Instant::now() + LONG;
    loop {
        match outbox.claim(&claim).await {
            Ok(events) => return events,
            Err(error) if error.kind() == StoreErrorKind::Conflict && Instant::now() < deadline => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Eight relays at once: no entity is handed to two, and none to nobody.
pub async fn concurrent_claims_are_disjoint_and_complete(store: DispenseStore) {
    filled(&store).await;
    let relays: Vec<Uuid> = (0..RELAYS).map(|_| fresh()).collect();
    let mut holder: HashMap<Uuid, Uuid> = HashMap::new();
    let deadline = Instant::now() + LONG;
    // One at a time may get less than it could when the others are at it; another round fills it up.
    while holder.len() < ENTITIES {
        assert!(Instant::now() < deadline, "only {} of {ENTITIES} were handed out", holder.len());
        let claims =
            all_at_once(relays.iter().map(|&by| claim_in_race(Arc::clone(&store.outbox), by, 15))).await;
        for (&by, events) in relays.iter().zip(claims) {
            assert!(entities(&events).len() <= 15, "more entities than were asked for");
            for event in events {
                let first = *holder.entry(event.entity_id).or_insert(by);
                assert_eq!(first, by, "two relays hold one entity");
            }
        }
    }
}

/// One of several relays that drain an outbox: what it got.
async fn drain(outbox: Arc<dyn Outbox>) -> Vec<StatusChangeEvent> {
    let by = fresh();
    let deadline = Instant::now() + LONG;
    let mut mine = Vec::new();
    loop {
        let events = claim_in_race(Arc::clone(&outbox), by, 7).await;
        outbox.remove(&references(&events)).await.unwrap();
        mine.extend(events);
        let depth = outbox.backlog().await.unwrap().depth;
        if depth == 0 {
            return mine;
        }
        assert!(Instant::now() < deadline, "{depth} events are left and nobody gets them");
        tokio::task::yield_now().await;
    }
}

/// Eight relays drain the outbox side by side: every event is handed to one of them, once.
pub async fn concurrent_relays_drain_the_outbox(store: DispenseStore) {
    filled(&store).await;
    let drained = all_at_once((0..RELAYS).map(|_| drain(Arc::clone(&store.outbox)))).await;
    let all: Vec<_> = drained.into_iter().flatten().collect();
    let distinct: HashSet<_> = all.iter().map(|event| event.id).collect();
    assert_eq!((all.len(), distinct.len()), (ENTITIES, ENTITIES));
}
