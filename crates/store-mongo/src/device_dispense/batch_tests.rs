use esoz_device_dispense::{DeviceDispenses as _, Dispense, DispenseRegistry as _, DispenseStatus};
use esoz_events::{Claim, Outbox as _};
use esoz_kernel::{Committed, LegalEntityId, idempotency::IdempotentRequest};
use esoz_testkit::builders::{at_millis, change_of, client, dispense, fresh, idempotency_key};
use std::time::Duration;

use super::{super::query::tests::connected, *};
use crate::{
    MongoStore,
    fields::{CHANGES, ID, STATUS, STATUS_HISTORY},
    values::binary,
};

/// A migrated store on a database of its own.
struct TestStore {
    store: MongoStore,
}

impl TestStore {
    async fn new() -> Self {
        let store = connected().await;
        store.migrate().await.unwrap();
        Self { store }
    }

    async fn end(self) {
        self.store.documents.database.drop().await.unwrap();
    }

    /// A dispense in progress.
    async fn loaded(&self) -> Dispense {
        let dispense = dispense().build();
        self.store.put_dispenses(std::slice::from_ref(&dispense)).await.unwrap();
        dispense
    }

    fn executor(&self) -> TransitionExecutor {
        TransitionExecutor(self.store.documents.clone())
    }

    /// Runs transitions as one batch; returns the answer to each.
    async fn together(&self, changes: &[Transition]) -> Vec<Answer> {
        let (jobs, answered): (Vec<Job>, Vec<_>) = changes.iter().cloned().map(Queued::new).unzip();
        self.executor().run_batch(jobs).await;
        let mut answers = Vec::new();
        for answered in answered {
            answers.push(answered.answer().await.unwrap());
        }
        answers
    }

    /// Lets every waiting event go out.
    async fn deliver(&self) {
        let claim = Claim {
            by: fresh(),
            now: at_millis(1_000_000),
            lease: Duration::from_secs(1),
            max_entities: 1_000,
            except: Vec::new(),
        };
        let events = self.store.claim(&claim).await.unwrap().events;
        assert!(!events.is_empty());
        let delivered: Vec<_> = events.iter().map(esoz_events::StatusChangeEvent::reference).collect();
        self.store.remove(&delivered).await.unwrap();
    }
}

fn stop(dispense: &Dispense) -> Transition {
    change_of(dispense, DispenseStatus::Stopped, at_millis(1_001))
}

fn applied(answer: &Answer) -> &Dispense {
    match answer.as_ref().unwrap() {
        Committed::Applied(dispense) => dispense,
        other => panic!("the change was not applied: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_a_crowd_is_told_its_own_outcome() {
    let test_store = TestStore::new().await;
    let mut changes = Vec::new();
    for index in 0..MAX_JOBS {
        let mut change = stop(&test_store.loaded().await);
        if index % 3 == 1 {
            change.owner = Some(LegalEntityId::new(fresh()));
        }
        changes.push(change);
    }
    // One that is not there, and one that somebody else in the crowd stops as well.
    changes.push(stop(&dispense().build()));
    let rival = stop(&test_store.store.find(changes[0].id).await.unwrap().unwrap().dispense.unwrap());
    changes.push(rival);
    let answers = test_store.together(&changes).await;
    for (index, (change, answer)) in changes.iter().zip(&answers).enumerate() {
        if index >= MAX_JOBS || index % 3 == 1 {
            assert_eq!(*answer.as_ref().unwrap(), Committed::Stale, "{index}");
        } else {
            assert_eq!(
                applied(answer),
                &test_store.store.find(change.id).await.unwrap().unwrap().dispense.unwrap(),
                "{index}"
            );
        }
    }
    assert!(test_store.store.find(changes[MAX_JOBS].id).await.unwrap().is_none(), "nothing was inserted");
    test_store.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_the_server_refuses_does_not_fail_its_neighbours() {
    let test_store = TestStore::new().await;
    let (whole, broken, null) =
        (test_store.loaded().await, test_store.loaded().await, test_store.loaded().await);
    for (dispense, history) in [(&broken, Bson::Int32(7)), (&null, Bson::Null)] {
        let filter = doc! { ID: binary(dispense.id.uuid()) };
        let update = doc! { "$set": { STATUS_HISTORY: history } };
        test_store.store.documents.dispenses.update_one(filter, update).await.unwrap();
    }
    let answers = test_store.together(&[stop(&broken), stop(&whole), stop(&null)]).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(applied(&answers[1]).status, DispenseStatus::Stopped);
    assert_eq!(applied(&answers[2]).record[STATUS_HISTORY].as_array().unwrap().len(), 1);
    test_store.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_kept_and_known_again_in_a_crowd() {
    let test_store = TestStore::new().await;
    let (key, by) = (idempotency_key(), client());
    let idempotency = |asked: &[u8]| IdempotentRequest::new("stop", by, &key, &[asked]);
    let (first, other) = (test_store.loaded().await, test_store.loaded().await);
    let change = Transition { idempotency: Some(idempotency(b"one")), ..stop(&first) };
    let same = Transition { event: stop(&first).event, ..change.clone() };
    let misused = Transition { idempotency: Some(idempotency(b"another")), ..stop(&other) };
    let answers = test_store.together(&[change, same, misused]).await;
    let mut told = [0, 0, 0];
    for answer in answers {
        match answer.unwrap() {
            Committed::Applied(_) => told[0] += 1,
            Committed::Replayed(_) => told[1] += 1,
            Committed::KeyReused => told[2] += 1,
            Committed::Stale => panic!("a key was not known again"),
        }
    }
    assert_eq!(told, [1, 1, 1]);
    assert_eq!(
        test_store.store.find(other.id).await.unwrap().unwrap().dispense.unwrap().status,
        DispenseStatus::InProgress
    );
    test_store.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispense_that_is_deleted_after_its_transition_is_answered_as_the_transition_left_it() {
    let test_store = TestStore::new().await;
    for knows_when in [true, false] {
        let dispenses = [test_store.loaded().await, test_store.loaded().await];
        let jobs = dispenses.each_ref().map(|dispense| Queued::new(stop(dispense)));
        let (jobs, answered): (Vec<Job>, Vec<_>) = jobs.into_iter().unzip();
        let jobs: Vec<Parts> = jobs.into_iter().map(Job::into_parts).collect();
        let mut reply = test_store.executor().send(&jobs).await.unwrap();
        let expected = test_store.store.find(dispenses[0].id).await.unwrap().unwrap().dispense.unwrap();
        let by_id = doc! { ID: binary(dispenses[0].id.uuid()) };
        test_store.store.documents.dispenses.delete_one(by_id).await.unwrap();
        reply.operation_time = reply.operation_time.filter(|_| knows_when);
        test_store.executor().answer(jobs, reply).await;
        let mut answers = Vec::new();
        for answered in answered {
            answers.push(answered.answer().await.unwrap());
        }
        if knows_when {
            assert_eq!(applied(&answers[0]), &expected);
        } else {
            assert_eq!(answers[0].as_ref().unwrap_err().kind(), StoreErrorKind::Unavailable);
        }
        assert_eq!(applied(&answers[1]).id, dispenses[1].id);
    }
    test_store.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transition_whose_answer_was_lost_is_known_by_its_id_delivered_or_not() {
    let test_store = TestStore::new().await;
    let (made, not_made) = (stop(&test_store.loaded().await), stop(&test_store.loaded().await));
    let first = test_store.executor().run_one(&made).await.unwrap();
    assert_eq!(test_store.executor().retry(&made).await.unwrap(), first);
    test_store.deliver().await;
    assert_eq!(test_store.executor().retry(&made).await.unwrap(), first);
    assert_eq!(applied(&test_store.executor().retry(&not_made).await).status, DispenseStatus::Stopped);
    // Another one by the same user in the same millisecond is not taken for it.
    let other = Transition { event: stop(&test_store.loaded().await).event, ..made };
    assert_eq!(test_store.executor().retry(&other).await.unwrap(), Committed::Stale);
    test_store.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ids_of_the_most_recent_transitions_are_kept_and_no_more() {
    let test_store = TestStore::new().await;
    let mut dispense = test_store.loaded().await;
    let mut ids = Vec::new();
    for step in 0..12 {
        let to = if step % 2 == 0 { DispenseStatus::Stopped } else { DispenseStatus::InProgress };
        let transition = change_of(&dispense, to, at_millis(step));
        dispense = applied(&test_store.executor().run_one(&transition).await).clone();
        ids.push(binary(transition.event.id.uuid()));
    }
    let document = test_store.store.documents.find(dispense.id).await.unwrap().unwrap();
    let document = Document::try_from(document).unwrap();
    assert_eq!(document.get_array(CHANGES).unwrap().as_slice(), &ids[4..]);
    test_store.end().await;
}

/// A document that only a version from before has changed has no ids in it.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_version_has_changed_in_a_crowd_is_stale() {
    let test_store = TestStore::new().await;
    let (theirs, ours) = (test_store.loaded().await, test_store.loaded().await);
    let by_id = doc! { ID: binary(theirs.id.uuid()) };
    let changed = doc! { "$set": { STATUS: "stopped" } };
    test_store.store.documents.dispenses.update_one(by_id, changed).await.unwrap();
    let answers = test_store.together(&[stop(&theirs), stop(&ours)]).await;
    assert_eq!(*answers[0].as_ref().unwrap(), Committed::Stale);
    assert_eq!(applied(&answers[1]).id, ours.id);
    test_store.end().await;
}

fn reply(matched: i32, errors: &[(i32, i32)]) -> Document {
    let errors: Vec<Document> =
        errors.iter().map(|(index, code)| doc! { "index": index, "code": code, "errmsg": "…" }).collect();
    let mut reply = doc! { "ok": 1.0, "n": matched, "nModified": matched };
    if !errors.is_empty() {
        reply.insert("writeErrors", errors);
    }
    reply
}

#[test]
fn the_servers_reply_counts_what_was_found_and_names_what_was_refused() {
    let read = Reply::read(&reply(2, &[(2, 11000), (4, 2)]), 5).unwrap();
    assert_eq!(read, Reply { errors: HashMap::from([(2, 11000), (4, 2)]), matched: 2, operation_time: None });
}

#[test]
fn a_reply_that_does_not_add_up_is_none() {
    let mut without = reply(1, &[]);
    without.remove("n");
    for odd in [without, reply(3, &[]), reply(2, &[(1, 2)]), reply(1, &[(7, 2)]), reply(1, &[(-1, 2)])] {
        assert!(matches!(Reply::read(&odd, 2), Err(MongoError::MalformedReply)), "{odd}");
    }
}

#[test]
fn what_the_majority_did_not_acknowledge_is_not_called_applied() {
    let mut unsafe_yet = reply(1, &[]);
    unsafe_yet.insert("writeConcernError", doc! { "code": 64, "errmsg": "…" });
    let error = Reply::read(&unsafe_yet, 1).unwrap_err();
    let error = error.during("stopping");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}
