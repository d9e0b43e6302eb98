use esoz_device_dispense::{DeviceDispenses as _, Dispense, DispenseRegistry as _, DispenseStatus};
use esoz_events::{Claim, Outbox as _};
use esoz_kernel::{
    Committed, IdGenerator as _, LegalEntityId, idempotency::IdempotentRequest, system::RandomIds,
};
use esoz_testkit::builders::{at_millis, change_of, client, dispense, fresh, idempotency_key, user};
use std::time::Duration;

use super::*;
use crate::{MongoSettings, MongoStore, fields::STATUS_HISTORY};

/// A migrated store on a database of its own.
struct Scene {
    store: MongoStore,
}

impl Scene {
    async fn new() -> Self {
        let database = format!("esoz_test_{}", RandomIds.fresh().simple());
        let settings = MongoSettings::new(esoz_test_servers::shared::mongodb().uri(), database);
        let store = MongoStore::connect(&settings).await.unwrap();
        store.migrate().await.unwrap();
        Self { store }
    }

    async fn end(self) {
        self.store.documents.database().drop().await.unwrap();
    }

    /// A dispense in progress.
    async fn loaded(&self) -> Dispense {
        let dispense = dispense().build();
        self.store.put_dispenses(std::slice::from_ref(&dispense)).await.unwrap();
        dispense
    }

    fn changes(&self) -> TransitionExecutor {
        TransitionExecutor(self.store.documents.clone())
    }

    /// What each is told when all wait at the same time.
    async fn together(&self, changes: &[Transition]) -> Vec<Answer> {
        let (jobs, answered): (Vec<Job>, Vec<_>) = changes.iter().cloned().map(Queued::new).unzip();
        self.changes().run_batch(jobs).await;
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
        };
        let events = self.store.claim(&claim).await.unwrap();
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

fn lost() -> Fault {
    Fault::Server(10107)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_a_crowd_is_told_its_own_outcome() {
    let scene = Scene::new().await;
    let mut changes = Vec::new();
    for index in 0..MAX_ITEMS {
        let mut change = stop(&scene.loaded().await);
        if index % 3 == 1 {
            change.owner = Some(LegalEntityId::new(fresh()));
        }
        changes.push(change);
    }
    // One that is not there, and one that somebody else in the crowd stops as well.
    changes.push(stop(&dispense().build()));
    changes.push(Transition { by: user(), ..changes[0].clone() });
    let answers = scene.together(&changes).await;
    for (index, (change, answer)) in changes.iter().zip(&answers).enumerate() {
        if index >= MAX_ITEMS || index % 3 == 1 {
            assert_eq!(*answer.as_ref().unwrap(), Committed::Stale, "{index}");
        } else {
            assert_eq!(applied(answer), &scene.store.find(change.id).await.unwrap().unwrap(), "{index}");
        }
    }
    assert!(scene.store.find(changes[MAX_ITEMS].id).await.unwrap().is_none(), "nothing was inserted");
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_the_server_refuses_does_not_fail_its_neighbours() {
    let scene = Scene::new().await;
    let (whole, broken, null) = (scene.loaded().await, scene.loaded().await, scene.loaded().await);
    for (dispense, history) in [(&broken, Bson::Int32(7)), (&null, Bson::Null)] {
        let filter = doc! { ID: binary(dispense.id.uuid()) };
        let update = doc! { "$set": { STATUS_HISTORY: history } };
        scene.store.documents.dispenses().update_one(filter, update).await.unwrap();
    }
    let answers = scene.together(&[stop(&broken), stop(&whole), stop(&null)]).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), StoreErrorKind::Corrupt);
    assert_eq!(applied(&answers[1]).status, DispenseStatus::Stopped);
    assert_eq!(applied(&answers[2]).record[STATUS_HISTORY].as_array().unwrap().len(), 1);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_kept_and_known_again_in_a_crowd() {
    let scene = Scene::new().await;
    let (key, by) = (idempotency_key(), client());
    let idempotency = |asked: &[u8]| IdempotentRequest::new("stop", by, &key, &[asked]);
    let (first, other) = (scene.loaded().await, scene.loaded().await);
    let change = Transition { idempotency: Some(idempotency(b"one")), ..stop(&first) };
    let same = change.clone();
    let misused = Transition { idempotency: Some(idempotency(b"another")), ..stop(&other) };
    let answers = scene.together(&[change, same, misused]).await;
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
    assert_eq!(scene.store.find(other.id).await.unwrap().unwrap().status, DispenseStatus::InProgress);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_was_lost_is_known_by_its_event() {
    let scene = Scene::new().await;
    let (made, not_made) = (stop(&scene.loaded().await), stop(&scene.loaded().await));
    let first = scene.changes().run_one(&made).await;
    assert_eq!(scene.changes().again(&made, &lost()).await.unwrap(), first.unwrap());
    assert_eq!(applied(&scene.changes().again(&not_made, &lost()).await).status, DispenseStatus::Stopped);
    // Somebody else's is not taken for one's own.
    let late = Transition { by: user(), ..stop(&scene.loaded().await) };
    scene.changes().run_one(&Transition { by: user(), ..late.clone() }).await.unwrap();
    let late = Transition { event: stop(&scene.loaded().await).event, ..late };
    assert_eq!(scene.changes().again(&late, &lost()).await.unwrap(), Committed::Stale);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_may_be_ones_own_and_whose_event_is_gone_is_not_called_anybodys() {
    let scene = Scene::new().await;
    let made = stop(&scene.loaded().await);
    scene.changes().run_one(&made).await.unwrap();
    scene.deliver().await;
    let error = scene.changes().again(&made, &lost()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    scene.end().await;
}

fn reply(applied: i32, errors: &[(i32, i32)]) -> Document {
    let errors: Vec<Document> =
        errors.iter().map(|(index, code)| doc! { "index": index, "code": code, "errmsg": "…" }).collect();
    let mut reply = doc! { "ok": 1.0, "n": applied, "nModified": applied };
    if !errors.is_empty() {
        reply.insert("writeErrors", errors);
    }
    reply
}

#[test]
fn the_servers_answer_names_each_that_was_not_applied() {
    let read = outcomes(&reply(2, &[(1, 66), (2, 11000), (4, 2)]), 5).unwrap();
    let expected = [Outcome::Applied, Outcome::Unmet, Outcome::KeyTaken, Outcome::Applied, Outcome::Refused];
    assert_eq!(read, expected);
}

#[test]
fn an_answer_that_does_not_add_up_is_no_answer() {
    let mut inserted = reply(1, &[]);
    inserted.insert("upserted", vec![doc! { "index": 0 }]);
    let mut without = reply(1, &[]);
    without.remove("n");
    for odd in [reply(1, &[]), reply(3, &[]), reply(1, &[(7, 66)]), reply(2, &[(-1, 66)])] {
        assert!(matches!(outcomes(&odd, 2), Err(Fault::Unintelligible)), "{odd}");
    }
    for odd in [inserted, without] {
        assert!(matches!(outcomes(&odd, 1), Err(Fault::Unintelligible)), "{odd}");
    }
}

#[test]
fn what_the_majority_did_not_acknowledge_is_not_called_applied() {
    let mut unsafe_yet = reply(1, &[]);
    unsafe_yet.insert("writeConcernError", doc! { "code": 64, "errmsg": "…" });
    let fault = outcomes(&unsafe_yet, 1).unwrap_err();
    let error = fault.during("stopping");
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}
