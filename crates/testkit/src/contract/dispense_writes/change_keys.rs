use esoz_device_dispense::{
    Change, ChangeRefusal, Dispense, DispenseStatus, DispenseUpdate, NotVisible, Transition,
};
use esoz_kernel::{Committed, IdempotentRequest, Timestamp, Written};

use super::super::DispenseWriteStore;
use super::super::dispenses::{assert_same, found};
use super::fixtures::{
    DAY, ROUNDS, change, change_at_once, changed, completion, give_away, idempotency, request_now, split,
    stored_dispense, stored_request, waiting,
};
use crate::builders::{at_millis, change_of, client, idempotency_key, signed_change, update_of, user};

const REPETITIONS: i64 = 16;

fn keyed(dispense: &Dispense, update: &DispenseUpdate, idempotency: IdempotentRequest) -> Change {
    Change { idempotency: Some(idempotency), ..signed_change(dispense, update) }
}

/// The same request again, later and by another user of the same client: the first answer, and nothing happens.
pub async fn a_repeated_change_gets_the_first_answer(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let before = stored_dispense(&store, &request).await;
    let update = completion(&before, request.id, at_millis(1));
    let wanted = keyed(&before, &update, idempotency("this"));
    let first = changed(&store, &wanted).await;
    let document = store.dispenses.raw.document(before.id).await;
    let completed = request_now(&store, request.id).await;
    for millis in [1, 2, DAY] {
        let again = Change { at: at_millis(millis), by: user(), ..wanted.clone() };
        assert_eq!(change(&store, &again).await, Written::Replayed(first.clone()));
    }
    assert_eq!(store.dispenses.raw.document(before.id).await, document);
    assert_eq!(request_now(&store, request.id).await, completed);
    assert_eq!(waiting(&store).await.len(), 2);
}

/// Whatever became of the dispense since, the first answer stays what it was.
pub async fn the_first_answer_of_a_change_outlives_the_next(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let before = stored_dispense(&store, &request).await;
    let update = completion(&before, request.id, at_millis(1));
    let wanted = keyed(&before, &update, idempotency("this"));
    let first = changed(&store, &wanted).await;
    let next = change_of(&first, DispenseStatus::EnteredInError, at_millis(2));
    let Committed::Applied(last) = store.dispenses.dispenses.commit(&next).await.unwrap() else {
        panic!("the next change is stale")
    };
    assert_eq!(change(&store, &wanted).await, Written::Replayed(first));
    assert_same(&found(&store.dispenses, before.id).await, &last);
}

/// 16 times the same request at once: one is applied, and all have its answer.
pub async fn concurrent_repetitions_of_a_change_have_one_effect(store: DispenseWriteStore) {
    for round in 1..=ROUNDS {
        let request = stored_request(&store).await.facts;
        let before = stored_dispense(&store, &request).await;
        let key = idempotency("this");
        let same = (0..REPETITIONS)
            .map(|millis| keyed(&before, &completion(&before, request.id, at_millis(millis)), key));
        let (applied, others) = split(change_at_once(&store, same.collect()).await);
        let [applied] = &applied[..] else { panic!("{applied:?}") };
        for other in others {
            assert_eq!(other, Written::Replayed(applied.clone()));
        }
        assert_same(&found(&store.dispenses, before.id).await, applied);
        assert_eq!(waiting(&store).await.len(), 2 * round);
    }
}

/// Another request under the same key is told so, and changes nothing: neither the same dispense nor another.
pub async fn a_key_of_a_change_is_for_one_request(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let (one, other) = (stored_dispense(&store, &request).await, stored_dispense(&store, &request).await);
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let update = update_of(&one, DispenseStatus::Completed, at_millis(1));
    let first = changed(&store, &keyed(&one, &update, asking("one"))).await;
    for dispense in [&first, &other] {
        let update = update_of(dispense, DispenseStatus::EnteredInError, at_millis(2));
        let reused = keyed(dispense, &update, asking("other"));
        assert_eq!(change(&store, &reused).await, Written::KeyReused);
        assert_same(&found(&store.dispenses, dispense.id).await, dispense);
    }
    assert_eq!(waiting(&store).await, [update.event.id].into());
}

/// A change that is refused leaves its key free, also for another request.
pub async fn a_refused_change_keeps_no_key(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let before = stored_dispense(&store, &request).await;
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let update = update_of(&before, DispenseStatus::Completed, at_millis(1));
    let mut elsewhere = before.clone();
    elsewhere.status = DispenseStatus::Preparation;
    let refused = keyed(&elsewhere, &update, asking("this"));
    for _ in 0..2 {
        let refusal = ChangeRefusal::CannotBeCompleted(DispenseStatus::InProgress);
        assert_eq!(change(&store, &refused).await, Written::Refused(refusal));
    }
    assert_eq!(store.dispenses.keys.purge_expired(Timestamp::MAX, 10).await.unwrap(), 0);
    changed(&store, &keyed(&before, &update, asking("that"))).await;
    assert_eq!(change(&store, &refused).await, Written::KeyReused);
}

/// A repetition for a legal entity or a patient that the dispense is not of any more is decided as if there were no key.
pub async fn a_change_is_answered_to_whose_dispense_it_is(store: DispenseWriteStore) {
    for (field, hidden) in
        [("performer_legal_entity", NotVisible::OtherLegalEntity), ("subject", NotVisible::OtherPatient)]
    {
        let request = stored_request(&store).await.facts;
        let before = stored_dispense(&store, &request).await;
        let update = update_of(&before, DispenseStatus::Completed, at_millis(1));
        let wanted = keyed(&before, &update, idempotency("this"));
        let first = changed(&store, &wanted).await;
        let back = give_away(&store.dispenses, &before, field).await;
        let document = store.dispenses.raw.document(before.id).await;
        let outcome = change(&store, &wanted).await;
        assert_eq!(outcome, Written::Refused(ChangeRefusal::NotFound(hidden)), "{field}");
        assert_eq!(store.dispenses.raw.document(before.id).await, document, "{field}");
        store.dispenses.raw.set_field(before.id, field, back).await;
        assert_eq!(change(&store, &wanted).await, Written::Replayed(first), "{field}");
    }
}

/// The same text is another key for each operation.
pub async fn a_change_shares_no_key_with_others(store: DispenseWriteStore) {
    let (client, key) = (client(), idempotency_key());
    let asking = |operation| IdempotentRequest::new(operation, client, &key, &[b"this"]);
    let request = stored_request(&store).await.facts;
    let before = stored_dispense(&store, &request).await;
    let completing = update_of(&before, DispenseStatus::Completed, at_millis(1));
    let complete = keyed(&before, &completing, asking("complete"));
    let completed = changed(&store, &complete).await;
    let marking = update_of(&completed, DispenseStatus::EnteredInError, at_millis(2));
    let mark = keyed(&completed, &marking, asking("mark"));
    let marked = changed(&store, &mark).await;
    let stop = change_of(&marked, DispenseStatus::Stopped, at_millis(3));
    let stop = Transition { idempotency: Some(asking("stop")), ..stop };
    let Committed::Applied(stopped) = store.dispenses.dispenses.commit(&stop).await.unwrap() else {
        panic!("the stop is not applied")
    };
    let again = store.dispenses.dispenses.commit(&stop).await.unwrap();
    assert_eq!(again, Committed::Replayed(stopped));
    for (wanted, first) in [(&complete, completed), (&mark, marked)] {
        match change(&store, wanted).await {
            // What later changes have written into other fields may show.
            Written::Replayed(answer) => {
                assert_eq!(answer.status, first.status);
                for field in ["status", "status_history", "updated_at", "updated_by"] {
                    assert_eq!(answer.record[field], first.record[field], "{field}");
                }
            }
            other => panic!("not the first answer: {other:?}"),
        }
    }
    assert_eq!(waiting(&store).await.len(), 3);
}

/// After 24 hours a key is as good as new.
pub async fn a_day_later_a_key_of_a_change_is_free(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let (one, other) = (stored_dispense(&store, &request).await, stored_dispense(&store, &request).await);
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let completed = |dispense: &Dispense, millis, asked| {
        keyed(dispense, &update_of(dispense, DispenseStatus::Completed, at_millis(millis)), asking(asked))
    };
    let wanted = completed(&one, 0, "one");
    changed(&store, &wanted).await;
    assert_eq!(change(&store, &completed(&other, DAY - 1, "other")).await, Written::KeyReused);
    let refusal = ChangeRefusal::CannotBeCompleted(DispenseStatus::Completed);
    assert_eq!(change(&store, &completed(&one, DAY, "one")).await, Written::Refused(refusal));
    let later = completed(&other, DAY, "other");
    let after = changed(&store, &later).await;
    assert_eq!(change(&store, &later).await, Written::Replayed(after));
    assert_eq!(waiting(&store).await.len(), 2);
}
