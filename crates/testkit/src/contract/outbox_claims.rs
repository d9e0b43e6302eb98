//! Who holds what, and for how long: the claims of an [`Outbox`].

use std::collections::{HashMap, HashSet};
use std::slice;
use std::sync::Arc;
use std::time::{Duration, Instant};

use esoz_device_dispense::DispenseStatus;
use esoz_events::{Claim, Outbox, StatusChangeEvent};
use esoz_kernel::{StoreErrorKind, Uuid};

use super::OutboxUnderTest;
use super::outbox::{LATER, LEASE, changed, claim, claimed, entities, references, stopped};
use super::race::all_at_once;
use crate::builders::fresh;

const RELAYS: usize = 8;
const ENTITIES: i64 = 100;
const LONG: Duration = Duration::from_mins(1);

fn lease_millis() -> i64 {
    i64::try_from(LEASE.as_millis()).unwrap()
}

/// What one relay holds no other gets, until the lease has ended.
pub async fn a_claim_keeps_others_away_until_its_lease_ends(store: OutboxUnderTest) {
    let one = stopped(&store, 0).await;
    let two = stopped(&store, 1).await;
    let all = [one, two];
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, all);
    let end = LATER + lease_millis();
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, []);
    assert_eq!(claimed(&store, fresh(), end - 1, 10).await, []);
    assert_eq!(claimed(&store, fresh(), end, 10).await, all);
}

/// A relay gets what it holds again, and holds it for another lease from then on.
pub async fn a_relay_gets_its_own_again(store: OutboxUnderTest) {
    let one = stopped(&store, 0).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await, slice::from_ref(&one));
    let two = stopped(&store, 1).await;
    let again = LATER + lease_millis() - 1;
    assert_eq!(claimed(&store, by, again, 10).await, [one.clone(), two.clone()]);
    assert_eq!(claimed(&store, fresh(), again + lease_millis() - 1, 10).await, []);
    assert_eq!(claimed(&store, fresh(), again + lease_millis(), 10).await, [one, two]);
}

/// A relay that slept through its lease does not take back what another one holds by now.
pub async fn an_ended_claim_is_not_taken_back(store: OutboxUnderTest) {
    let one = stopped(&store, 0).await;
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
pub async fn released_events_are_free_at_once(store: OutboxUnderTest) {
    let one = stopped(&store, 0).await;
    let two = stopped(&store, 1).await;
    let (first, second) = (fresh(), fresh());
    assert_eq!(claimed(&store, first, LATER, 1).await, slice::from_ref(&one));
    assert_eq!(claimed(&store, second, LATER, 1).await, [two]);
    store.outbox.release(first).await.unwrap();
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, [one]);
}

/// A claim is on the entity: events that come later do not reach another relay before the earlier ones are delivered.
pub async fn a_claim_covers_later_events_of_its_entities(store: OutboxUnderTest) {
    let first = stopped(&store, 0).await;
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await, slice::from_ref(&first));
    let second = changed(&store, first.entity_id, DispenseStatus::EnteredInError, LATER).await;
    let elsewhere = stopped(&store, LATER).await;
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, [elsewhere]);
    assert_eq!(claimed(&store, by, LATER, 10).await, [first, second]);
}

/// An outbox with one event for each of many entities.
async fn filled(store: &OutboxUnderTest) {
    for step in 0..ENTITIES {
        stopped(store, step).await;
    }
}

/// Claims; a store may say that it lost a race, and is then asked again.
async fn claim_in_race(outbox: Arc<dyn Outbox>, by: Uuid, max_entities: u32) -> Vec<StatusChangeEvent> {
    let claim = claim(by, LATER, max_entities);
    let deadline = Instant::now() + LONG;
    loop {
        match outbox.claim(&claim).await {
            Ok(claimed) => return claimed.events,
            Err(error) if error.kind() == StoreErrorKind::Conflict && Instant::now() < deadline => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Eight relays at once: no entity is handed to two, and none to nobody.
pub async fn concurrent_claims_are_disjoint_and_complete(store: OutboxUnderTest) {
    filled(&store).await;
    let all = usize::try_from(ENTITIES).unwrap();
    let relays: Vec<Uuid> = (0..RELAYS).map(|_| fresh()).collect();
    let mut holder: HashMap<Uuid, Uuid> = HashMap::new();
    let deadline = Instant::now() + LONG;
    // One at a time may get less than it could when the others are at it; another round fills it up.
    while holder.len() < all {
        assert!(Instant::now() < deadline, "only {} of {all} were handed out", holder.len());
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
pub async fn concurrent_relays_drain_the_outbox(store: OutboxUnderTest) {
    filled(&store).await;
    let drained = all_at_once((0..RELAYS).map(|_| drain(Arc::clone(&store.outbox)))).await;
    let all: Vec<_> = drained.into_iter().flatten().collect();
    let distinct: HashSet<_> = all.iter().map(|event| event.id).collect();
    let expected = usize::try_from(ENTITIES).unwrap();
    assert_eq!((all.len(), distinct.len()), (expected, expected));
}

/// A claim made an hour ahead, before the clock was set back, keeps nobody away for an hour.
pub async fn a_claim_from_before_a_clock_was_set_back_is_void(store: OutboxUnderTest) {
    let one = stopped(&store, 0).await;
    let ahead = LATER + 3_600_000;
    assert_eq!(claimed(&store, fresh(), ahead, 10).await, slice::from_ref(&one));
    let by = fresh();
    assert_eq!(claimed(&store, by, LATER, 10).await, slice::from_ref(&one));
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, [], "the claim that was made after that holds");
    // Clocks of two machines differ; that makes no claim void.
    assert_eq!(claimed(&store, fresh(), LATER - lease_millis() / 2, 10).await, []);
}

/// Entities that the relay backs off from leave their places to others, and are nobody's.
pub async fn entities_to_pass_over_are_passed_over(store: OutboxUnderTest) {
    let first = stopped(&store, 0).await;
    let second = stopped(&store, 1).await;
    let by = fresh();
    let except = Claim { except: vec![first.entity_id, fresh()], ..claim(by, LATER, 1) };
    assert_eq!(store.outbox.claim(&except).await.unwrap().events, [second]);
    assert_eq!(claimed(&store, fresh(), LATER, 10).await, [first]);
}
