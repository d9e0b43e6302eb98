use esoz_device_dispense::{Create, CreateRefusal, DeviceRequest, Dispense, DispenseStatus, Transition};
use esoz_kernel::{Committed, IdempotentRequest, Timestamp, Written};

use super::super::DispenseWriteStore;
use super::super::dispenses::{assert_same, found};
use super::fixtures::{
    DAY, ROUNDS, create, create_at_once, created, give_away, idempotency, split, stored_dispense,
    stored_request, waiting,
};
use crate::builders::{at_millis, change_of, client, create_of, dispense_of, idempotency_key, user};

const REPETITIONS: i64 = 16;

/// A create of a new dispense of the request under that key.
fn keyed(request: &DeviceRequest, millis: i64, idempotency: IdempotentRequest) -> (Dispense, Create) {
    let dispense = dispense_of(request).build();
    let create = create_of(&dispense, request.id, at_millis(millis));
    (dispense, Create { idempotency: Some(idempotency), ..create })
}

/// The same request again, later and by another user of the same client: the first answer, and nothing happens.
pub async fn a_repeated_create_gets_the_first_answer(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let (dispense, wanted) = keyed(&request, 1, idempotency("this"));
    assert_eq!(created(&store, &wanted).await, dispense);
    let document = store.dispenses.raw.document(dispense.id).await;
    for millis in [1, 2, DAY] {
        let again = create_of(&dispense, request.id, at_millis(millis));
        let again = Create { idempotency: wanted.idempotency, by: user(), ..again };
        assert_eq!(create(&store, &again).await, Written::Replayed(dispense.clone()));
        assert_eq!(store.writes.create(&again).await.unwrap(), Written::Replayed(dispense.clone()));
    }
    assert_eq!(store.dispenses.raw.document(dispense.id).await, document);
    assert_eq!(waiting(&store).await, [wanted.event.id].into());
}

/// Whatever became of the dispense since, the first answer stays what it was.
pub async fn the_first_answer_of_a_create_outlives_a_stop(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let (dispense, wanted) = keyed(&request, 1, idempotency("this"));
    created(&store, &wanted).await;
    let stop = change_of(&dispense, DispenseStatus::Stopped, at_millis(2));
    let Committed::Applied(stopped) = store.dispenses.dispenses.commit(&stop).await.unwrap() else {
        panic!("the stop is stale")
    };
    assert_eq!(create(&store, &wanted).await, Written::Replayed(dispense.clone()));
    assert_same(&found(&store.dispenses, dispense.id).await, &stopped);
    assert_eq!(waiting(&store).await.len(), 2);
}

/// 16 times the same request at once: one is applied, and all have its answer.
pub async fn concurrent_repetitions_of_a_create_have_one_effect(store: DispenseWriteStore) {
    for round in 1..=ROUNDS {
        let request = stored_request(&store).await.facts;
        let (dispense, wanted) = keyed(&request, 1, idempotency("this"));
        let same = (0..REPETITIONS).map(|millis| Create { at: at_millis(millis), ..wanted.clone() });
        let (applied, others) = split(create_at_once(&store, same.collect()).await);
        assert_eq!(applied, std::slice::from_ref(&dispense));
        for other in others {
            assert_eq!(other, Written::Replayed(dispense.clone()));
        }
        assert_eq!(waiting(&store).await.len(), round);
    }
}

/// Another request under the same key is told so, and records nothing.
pub async fn a_key_of_a_create_is_for_one_request(store: DispenseWriteStore) {
    let (one, other) = (stored_request(&store).await.facts, stored_request(&store).await.facts);
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let (_, wanted) = keyed(&one, 1, asking("one"));
    created(&store, &wanted).await;
    for request in [&one, &other] {
        let (dispense, reused) = keyed(request, 2, asking("other"));
        assert_eq!(create(&store, &reused).await, Written::KeyReused);
        assert!(store.dispenses.dispenses.find(dispense.id).await.unwrap().is_none());
    }
    assert_eq!(waiting(&store).await, [wanted.event.id].into());
    let (_, without) = keyed(&other, 3, asking("other"));
    created(&store, &Create { idempotency: None, ..without }).await;
}

/// A create that is refused leaves its key free, also for another request.
pub async fn a_refused_create_keeps_no_key(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let active = stored_dispense(&store, &request).await;
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let (_, refused) = keyed(&request, 1, asking("this"));
    for _ in 0..2 {
        assert_eq!(create(&store, &refused).await, Written::Refused(CreateRefusal::OtherActive));
    }
    assert_eq!(store.dispenses.keys.purge_expired(Timestamp::MAX, 10).await.unwrap(), 0);
    let stop = change_of(&active, DispenseStatus::Stopped, at_millis(2));
    store.dispenses.dispenses.commit(&stop).await.unwrap();
    created(&store, &keyed(&request, 3, asking("that")).1).await;
    assert_eq!(create(&store, &refused).await, Written::KeyReused);
}

/// A repetition for a legal entity or a patient that the dispense is not of any more is decided as if there were no key.
pub async fn a_create_is_answered_to_whose_dispense_it_is(store: DispenseWriteStore) {
    for field in ["performer_legal_entity", "subject"] {
        let request = stored_request(&store).await.facts;
        let (dispense, wanted) = keyed(&request, 1, idempotency("this"));
        created(&store, &wanted).await;
        let before = give_away(&store.dispenses, &dispense, field).await;
        let document = store.dispenses.raw.document(dispense.id).await;
        let outcome = create(&store, &wanted).await;
        assert_eq!(outcome, Written::Refused(CreateRefusal::IdTaken), "{field}");
        assert_eq!(store.dispenses.raw.document(dispense.id).await, document, "{field}");
        store.dispenses.raw.set_field(dispense.id, field, before).await;
        assert_eq!(create(&store, &wanted).await, Written::Replayed(dispense), "{field}");
    }
}

/// The same text is another key for a create, for a stop, and for another client.
pub async fn a_create_shares_no_key_with_others(store: DispenseWriteStore) {
    let key = idempotency_key();
    let (mine, yours) = (client(), client());
    let asking = |operation, client| IdempotentRequest::new(operation, client, &key, &[b"this"]);
    for client in [mine, yours] {
        let request = stored_request(&store).await.facts;
        let (dispense, wanted) = keyed(&request, 1, asking("create", client));
        created(&store, &wanted).await;
        let stop = change_of(&dispense, DispenseStatus::Stopped, at_millis(2));
        let stop = Transition { idempotency: Some(asking("stop", client)), ..stop };
        let Committed::Applied(stopped) = store.dispenses.dispenses.commit(&stop).await.unwrap() else {
            panic!("the stop is not applied")
        };
        assert_eq!(create(&store, &wanted).await, Written::Replayed(dispense));
        let again = store.dispenses.dispenses.commit(&stop).await.unwrap();
        assert_eq!(again, Committed::Replayed(stopped));
    }
    assert_eq!(waiting(&store).await.len(), 4);
}

/// After 24 hours a key is as good as new.
pub async fn a_day_later_a_key_of_a_create_is_free(store: DispenseWriteStore) {
    let (one, other) = (stored_request(&store).await.facts, stored_request(&store).await.facts);
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let (dispense, wanted) = keyed(&one, 0, asking("one"));
    created(&store, &wanted).await;
    let (second, later) = keyed(&other, DAY, asking("other"));
    let early = Create { at: at_millis(DAY - 1), ..later.clone() };
    assert_eq!(create(&store, &early).await, Written::KeyReused);
    let again = Create { at: at_millis(DAY), ..wanted.clone() };
    assert_eq!(create(&store, &again).await, Written::Refused(CreateRefusal::IdTaken));
    assert_eq!(created(&store, &later).await, second);
    assert_eq!(create(&store, &later).await, Written::Replayed(second));
    assert_eq!(create(&store, &wanted).await, Written::KeyReused);
    assert_same(&found(&store.dispenses, dispense.id).await, &dispense);
    assert_eq!(store.dispenses.keys.purge_expired(at_millis(DAY), 10).await.unwrap(), 1);
}
