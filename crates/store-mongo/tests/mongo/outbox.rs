//! The outbox in the documents.

use std::{collections::HashSet, time::Duration};

use bson::{Document, doc};
use esoz_device_dispense::{DispenseStatus, Transition};
use esoz_events::{Backlog, Claim, Outbox, StatusChangeEvent};
use esoz_kernel::{EventId, Timestamp, Uuid};
use futures_util::{TryStreamExt, future::join_all};

use crate::{
    changes::{applied, at, binary, document, fresh_id, stopped_at},
    support::Fresh,
};

pub(crate) const NOW: &str = "2026-02-01T00:00:00Z";

pub(crate) fn claim(by: Uuid, now: Timestamp) -> Claim {
    Claim { by, now, lease: Duration::from_mins(1), max_entities: 100, except: Vec::new() }
}

pub(crate) async fn claimed(fresh: &Fresh, claim: &Claim) -> Vec<EventId> {
    fresh.store.claim(claim).await.unwrap().events.iter().map(|event| event.id).collect()
}

/// Marks the dispense of that change in error: a second event for it.
pub(crate) async fn marked(fresh: &Fresh, change: &Transition) -> Transition {
    let mut second = change.clone();
    (second.from, second.to) = (vec![DispenseStatus::Stopped], DispenseStatus::EnteredInError);
    second.event.id = EventId::new(fresh_id());
    second.event.new_status = String::from(second.to.as_str());
    second.event.event_time = change.event.event_time.saturating_add(Duration::from_secs(1));
    applied(fresh, &second).await;
    second
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_stored_whole_and_an_empty_outbox_leaves_the_document() {
    let fresh = Fresh::shared().await;
    let change = stopped_at(&fresh, at(NOW)).await;
    let by = fresh_id();
    let events = fresh.store.claim(&claim(by, at(NOW))).await.unwrap().events;
    assert_eq!(events, std::slice::from_ref(&change.event));
    fresh.store.remove(&[change.event.reference()]).await.unwrap();
    let after = document(&fresh, change.id.uuid()).await;
    assert!(!after.contains_key("esoz_outbox"), "{after}");
    // Once more, as after a crash between the two.
    fresh.store.remove(&[change.event.reference()]).await.unwrap();
    assert_eq!(fresh.store.backlog().await.unwrap(), Backlog::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_after_the_claim_stays_with_its_time() {
    let fresh = Fresh::shared().await;
    let first = stopped_at(&fresh, at(NOW)).await;
    let (one, other) = (fresh_id(), fresh_id());
    assert_eq!(claimed(&fresh, &claim(one, at(NOW))).await, [first.event.id]);
    let second = marked(&fresh, &first).await;
    fresh.store.remove(&[first.event.reference()]).await.unwrap();
    let expected = Backlog { depth: 1, oldest: Some(second.event.event_time), set_aside: 0 };
    assert_eq!(fresh.store.backlog().await.unwrap(), expected);
    // Something else waits, so the claim holds on.
    assert_eq!(claimed(&fresh, &claim(other, at(NOW))).await, []);
    assert_eq!(claimed(&fresh, &claim(one, at(NOW))).await, [second.event.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_that_race_never_hold_the_same_document() {
    let fresh = Fresh::shared().await;
    let mut all = HashSet::new();
    for second in 0..40 {
        let time = at(NOW).saturating_add(Duration::from_secs(second));
        all.insert(stopped_at(&fresh, time).await.event.id);
    }
    let racing = (0..8).map(|_| {
        let store = fresh.store.clone();
        tokio::spawn(async move {
            let claim = Claim { max_entities: 7, ..claim(fresh_id(), at(NOW)) };
            store.claim(&claim).await.unwrap().events
        })
    });
    let mut seen = HashSet::new();
    for held in join_all(racing).await {
        let held = held.unwrap();
        assert!(held.len() <= 7);
        for event in held {
            assert!(seen.insert(event.id), "two relays hold {}", event.id);
        }
    }
    assert!(!seen.is_empty() && seen.is_subset(&all));
    // What the racers passed over is free for the next.
    seen.extend(claimed(&fresh, &claim(fresh_id(), at(NOW))).await);
    assert_eq!(seen, all);
}

/// Replicas of different versions work on one outbox: what a later one adds to an event is passed over, and a trace that is none is none.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_other_versions_know_holds_up_no_event() {
    let fresh = Fresh::shared().await;
    let change = stopped_at(&fresh, at(NOW)).await;
    let added = doc! { "$set": {
        "esoz_outbox.events.0.from_a_later_version": { "more": 1 },
        "esoz_outbox.events.0.traceparent": "01-of-another-form",
    } };
    fresh.documents.update_one(doc! { "_id": binary(change.id.uuid()) }, added).await.unwrap();
    let by = fresh_id();
    let waiting = fresh.store.claim(&claim(by, at(NOW))).await.unwrap().events;
    assert_eq!(waiting, [StatusChangeEvent { trace: None, ..change.event }]);
    fresh.store.remove(&[waiting[0].reference()]).await.unwrap();
    assert_eq!(fresh.store.backlog().await.unwrap().depth, 0);
}

/// The names of all stages of the plan that the server chose.
fn stages(plan: &Document, found: &mut Vec<String>) {
    for (key, value) in plan {
        match value {
            bson::Bson::String(name) if key == "stage" || key == "indexName" => found.push(name.clone()),
            bson::Bson::Document(inner) if key != "rejectedPlans" => stages(inner, found),
            bson::Bson::Array(items) if key != "rejectedPlans" => {
                items.iter().filter_map(bson::Bson::as_document).for_each(|inner| stages(inner, found));
            }
            _ => {}
        }
    }
}

/// What the server's profiler tells of the operations on dispenses that happen in there.
async fn profiled(fresh: &Fresh, work: impl AsyncFnOnce()) -> Vec<Document> {
    let database = fresh.documents.client().database(&fresh.documents.namespace().db);
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    work().await;
    database.run_command(doc! { "profile": 0 }).await.unwrap();
    let of_collection = doc! { "ns": format!("{}.device_dispenses", database.name()) };
    let profile = database.collection::<Document>("system.profile").find(of_collection).await.unwrap();
    profile.try_collect().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relays_operations_use_the_indexes() {
    let fresh = Fresh::shared().await;
    let idle: Vec<_> = (0..200).map(|_| crate::changes::stored(fresh_id(), binary(fresh_id()))).collect();
    fresh.documents.insert_many(idle).await.unwrap();
    let change = stopped_at(&fresh, at(NOW)).await;
    let by = fresh_id();
    let profile = profiled(&fresh, async || {
        assert_eq!(claimed(&fresh, &claim(by, at(NOW))).await, [change.event.id]);
        fresh.store.backlog().await.unwrap();
        fresh.store.release(by).await.unwrap();
        fresh.store.remove(&[change.event.reference()]).await.unwrap();
    })
    .await;
    // One of the claim, of the backlog and of the removal.
    assert_eq!(profile.len(), 3, "{profile:#?}");
    for operation in &profile {
        let examined = operation.get_i32("docsExamined").unwrap();
        assert!(examined <= 1, "{operation}");
        let mut names = Vec::new();
        stages(operation, &mut names);
        assert!(
            !names.iter().any(|stage| stage == "COLLSCAN" || stage == "SORT" && examined > 1),
            "{operation}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_much_waits_a_relay_looks_at_no_more_than_it_takes() {
    let fresh = Fresh::shared().await;
    // More are taken than the server tries its plans with: a hundred and one.
    let later = |step| at(NOW).saturating_add(Duration::from_secs(step));
    join_all((0..400).map(|step| stopped_at(&fresh, later(step)))).await;
    let some = Claim { max_entities: 150, ..claim(fresh_id(), at(NOW)) };
    let profile = profiled(&fresh, async || {
        let events = fresh.store.claim(&some).await.unwrap().events;
        let delivered: Vec<_> = events.iter().map(StatusChangeEvent::reference).collect();
        assert_eq!(delivered.len(), 150);
        fresh.store.remove(&delivered).await.unwrap();
    })
    .await;
    // One of the claim, one of the removal.
    assert_eq!(profile.len(), 2, "{profile:#?}");
    for operation in &profile {
        assert!(operation.get_i32("docsExamined").unwrap() <= 150, "{operation}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_that_ended_or_were_delivered_leave_nothing_behind() {
    let fresh = Fresh::shared().await;
    let change = stopped_at(&fresh, at(NOW)).await;
    let mut now = at(NOW);
    for _ in 0..20 {
        assert_eq!(claimed(&fresh, &claim(fresh_id(), now)).await, [change.event.id]);
        now = now.saturating_add(Duration::from_mins(1));
    }
    fresh.store.remove(&[change.event.reference()]).await.unwrap();
    let last = stopped_at(&fresh, now).await;
    let by = fresh_id();
    assert_eq!(claimed(&fresh, &claim(by, now)).await, [last.event.id]);
    let claims = fresh.documents.client().database(&fresh.documents.namespace().db);
    let claims = claims.collection::<Document>("esoz_claims").find_one(doc! {}).await.unwrap().unwrap();
    let [bson::Bson::Document(held)] = claims.get_array("held").unwrap().as_slice() else {
        panic!("more than the last claim is there: {claims}");
    };
    assert_eq!(held.get("by"), Some(&binary(by)));
    assert_eq!(held.get_array("entities").unwrap(), &[binary(last.id.uuid())]);
}
