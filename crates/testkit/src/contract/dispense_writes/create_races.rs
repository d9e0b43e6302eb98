use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use esoz_device_dispense::{CreateRefusal, DeviceRequestStatus, Dispense};
use esoz_kernel::{DispenseId, Put, Written};

use super::super::DispenseWriteStore;
use super::super::dispenses::{assert_same, found};
use super::super::race::all_at_once;
use super::fixtures::{
    Changed, Created, RACERS, ROUNDS, change_in_the_end, completion, create_at_once, create_in_the_end,
    having_seen, split, stored_dispense, stored_request, waiting,
};
use crate::builders::{at_millis, create_of, decide_create, dispense_of, fresh, signed_change};

/// Of 32 for one request one is applied, and the others see it.
pub async fn of_concurrent_creates_for_one_request_one_is_applied(store: DispenseWriteStore) {
    let mut events = BTreeSet::new();
    for _ in 0..ROUNDS {
        let request = stored_request(&store).await.facts;
        let creates: Vec<_> = (0..RACERS)
            .map(|at| create_of(&dispense_of(&request).build(), request.id, at_millis(at)))
            .collect();
        let (applied, others) = split(create_at_once(&store, creates.clone()).await);
        let [applied] = &applied[..] else { panic!("{applied:?}") };
        for other in others {
            assert_eq!(other, Written::Refused(CreateRefusal::OtherActive));
        }
        for create in creates {
            let there = store.dispenses.dispenses.find(create.query.id).await.unwrap();
            assert_eq!(there.is_some(), create.query.id == applied.id);
            if create.query.id == applied.id {
                events.insert(create.event.id);
            }
        }
        assert_eq!(waiting(&store).await, events);
    }
}

/// Of 32 with one id, each for a request of its own, one is applied, and the others see that the id is taken.
pub async fn of_concurrent_creates_with_one_id_one_is_applied(store: DispenseWriteStore) {
    for round in 1..=ROUNDS {
        let id = DispenseId::new(fresh());
        let mut creates = Vec::new();
        for at in 0..RACERS {
            let request = stored_request(&store).await.facts;
            creates.push(create_of(&dispense_of(&request).id(id).build(), request.id, at_millis(at)));
        }
        let (applied, others) = split(create_at_once(&store, creates).await);
        let [applied] = &applied[..] else { panic!("{applied:?}") };
        for other in others {
            assert_eq!(other, Written::Refused(CreateRefusal::IdTaken));
        }
        assert_same(&found(&store.dispenses, id).await, applied);
        assert_eq!(waiting(&store).await.len(), round);
    }
}

/// Creates for requests of their own do not disturb each other.
pub async fn creates_for_different_requests_are_all_applied(store: DispenseWriteStore) {
    let (mut creates, mut expected) = (Vec::new(), Vec::new());
    for at in 0..RACERS {
        let request = stored_request(&store).await.facts;
        let dispense = dispense_of(&request).build();
        creates.push(create_of(&dispense, request.id, at_millis(at)));
        expected.push(dispense);
    }
    let events: BTreeSet<_> = creates.iter().map(|create| create.event.id).collect();
    let outcomes = create_at_once(&store, creates).await;
    for (outcome, expected) in outcomes.into_iter().zip(&expected) {
        assert_eq!(outcome, Written::Applied(expected.clone()));
        assert_same(&found(&store.dispenses, expected.id).await, expected);
    }
    assert_eq!(waiting(&store).await, events);
}

/// What became of a create, or whether the dispense was there once the request had ended.
enum Raced {
    Create(Created),
    End { was_there: bool, changed: Option<Changed> },
}

/// A request is revoked while it is dispensed: either the dispense came first, or it did not come.
pub async fn a_create_comes_before_or_after_a_revocation(store: DispenseWriteStore) {
    for round in 0..2 * ROUNDS {
        let mut record = stored_request(&store).await;
        let dispense = dispense_of(&record.facts).build();
        let create = having_seen(&store, create_of(&dispense, record.facts.id, at_millis(1))).await;
        record.facts.status = DeviceRequestStatus::Revoked;
        let (registry, reader) = (Arc::clone(&store.requests), Arc::clone(&store.dispenses.dispenses));
        let id = dispense.id;
        let end = async move {
            assert_eq!(registry.put(&[record]).await.unwrap(), [Put::Updated]);
            Raced::End { was_there: reader.find(id).await.unwrap().is_some(), changed: None }
        };
        let writes = Arc::clone(&store.writes);
        let create = async move { Raced::Create(create_in_the_end(writes, create).await) };
        let changed = assert_before_or_after(&store, &dispense, round, Box::pin(create), Box::pin(end)).await;
        assert_eq!(changed, None);
    }
}

/// A request is completed with one dispense while another is recorded: either that came first, or it did not come.
pub async fn a_create_comes_before_or_after_a_completion(store: DispenseWriteStore) {
    for round in 0..2 * ROUNDS {
        let request = stored_request(&store).await.facts;
        let first = stored_dispense(&store, &request).await;
        let dispense = dispense_of(&request).build();
        // The other dispense in progress is none that counts.
        let mut create = create_of(&dispense, request.id, at_millis(1));
        create.query.active_since = Some(at_millis(0));
        create.decide = decide_create(&dispense, None);
        let create = having_seen(&store, create).await;
        let change = signed_change(&first, &completion(&first, request.id, at_millis(2)));
        let (writes, reader) = (Arc::clone(&store.writes), Arc::clone(&store.dispenses.dispenses));
        let id = dispense.id;
        let end = async move {
            let changed = Some(change_in_the_end(writes, change).await);
            Raced::End { was_there: reader.find(id).await.unwrap().is_some(), changed }
        };
        let writes = Arc::clone(&store.writes);
        let create = async move { Raced::Create(create_in_the_end(writes, create).await) };
        let changed = assert_before_or_after(&store, &dispense, round, Box::pin(create), Box::pin(end)).await;
        assert!(matches!(changed, Some(Written::Applied(_))), "{changed:?}");
    }
}

type Racer = Pin<Box<dyn Future<Output = Raced> + Send>>;

/// Runs both, and looks at what became of the dispense.
async fn assert_before_or_after(
    store: &DispenseWriteStore,
    dispense: &Dispense,
    round: usize,
    create: Racer,
    end: Racer,
) -> Option<Changed> {
    let racers = if round.is_multiple_of(2) { [create, end] } else { [end, create] };
    let (mut created, mut ended) = (None, None);
    for raced in all_at_once(racers).await {
        match raced {
            Raced::Create(outcome) => created = Some(outcome),
            Raced::End { was_there, changed } => ended = Some((was_there, changed)),
        }
    }
    let (was_there, changed) = ended.unwrap();
    match created.unwrap() {
        Written::Applied(after) => {
            assert!(was_there, "it was recorded after its request had ended");
            assert_same(&found(&store.dispenses, dispense.id).await, &after);
        }
        other => {
            assert_eq!(other, Written::Refused(CreateRefusal::RequestNotActive));
            assert!(store.dispenses.dispenses.find(dispense.id).await.unwrap().is_none());
        }
    }
    changed
}
