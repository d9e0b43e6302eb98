//! A store with something in it, and how it is asked.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;

use esoz_device_dispense::{
    Basis, Change, ChangeRefusal, Create, CreateRefusal, DeviceRequest, DeviceRequestRecord, Dispense,
    DispenseFacts, DispenseStatus, DispenseUpdate, DispenseWrites, RequestFacts, RequestQuery,
};
use esoz_kernel::{
    DeviceRequestId, DispenseId, EventId, IdempotentRequest, Put, StoreErrorKind, Timestamp, Written,
    time::rfc3339_millis,
};
use serde_json::{Value, json};

use super::super::dispenses;
use super::super::race::all_at_once;
use super::super::scans::all_pages;
use super::super::{DispenseStore, DispenseWriteStore};
use crate::builders::{
    client, completing, device_request, dispense_of, fresh, idempotency_key, reference, update_of,
};

pub(super) const RACERS: i64 = 32;
pub(super) const ROUNDS: usize = 5;
/// As long as a key is kept, in milliseconds.
pub(super) const DAY: i64 = 86_400_000;
/// A concurrent write may win over another so often.
const MAX_CONFLICTS: usize = 1_000;

pub(super) type Created = Written<Dispense, CreateRefusal>;
pub(super) type Changed = Written<Dispense, ChangeRefusal>;

/// A key that was never used before, for a request that asks that.
pub(super) fn idempotency(asked: &str) -> IdempotentRequest {
    IdempotentRequest::new("test", client(), &idempotency_key(), &[asked.as_bytes()])
}

/// Stores one request.
pub(in super::super) async fn put_request(store: &DispenseWriteStore, record: &DeviceRequestRecord) -> Put {
    let mut answers = store.requests.put(slice::from_ref(record)).await.unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

/// A request, stored.
pub(super) async fn stored_request(store: &DispenseWriteStore) -> DeviceRequestRecord {
    let record = device_request();
    assert_eq!(put_request(store, &record).await, Put::Created);
    record
}

/// The request as it is stored now.
pub(super) async fn request_now(store: &DispenseWriteStore, id: DeviceRequestId) -> DeviceRequestRecord {
    let all = all_pages(100, |after, limit| store.requests.scan(after, limit)).await;
    all.into_iter().map(Result::unwrap).find(|record| record.facts.id == id).unwrap()
}

/// A dispense in progress of the request, stored.
pub(super) async fn stored_dispense(store: &DispenseWriteStore, request: &DeviceRequest) -> Dispense {
    let dispense = dispense_of(request).build();
    dispenses::put(&store.dispenses, &dispense).await;
    dispense
}

/// What the store answers, but for what it compares.
pub(super) async fn request_facts(store: &DispenseWriteStore, query: &RequestQuery) -> RequestFacts {
    without_basis(store.writes.request_facts(query).await.unwrap())
}

pub(super) fn without_basis(facts: RequestFacts) -> RequestFacts {
    RequestFacts { basis: Basis::default(), ..facts }
}

pub(super) async fn facts(store: &DispenseWriteStore, id: DispenseId) -> DispenseFacts {
    store.writes.facts(id).await.unwrap()
}

/// The create, after a look at the facts.
pub(super) async fn having_seen(store: &DispenseWriteStore, create: Create) -> Create {
    Create { seen: store.writes.request_facts(&create.query).await.unwrap(), ..create }
}

/// What becomes of the create after a look at the facts.
pub(super) async fn create(store: &DispenseWriteStore, create: &Create) -> Created {
    store.writes.create(&having_seen(store, create.clone()).await).await.unwrap()
}

pub(super) async fn created(store: &DispenseWriteStore, wanted: &Create) -> Dispense {
    match create(store, wanted).await {
        Written::Applied(dispense) => dispense,
        other => panic!("the dispense was not recorded: {other:?}"),
    }
}

/// The change, with a decision made before the write.
pub(super) async fn having_decided(store: &DispenseWriteStore, change: Change) -> Change {
    let decided = facts(store, change.id).await.decide(&change.decide).unwrap();
    Change { decided: decided.ok(), ..change }
}

/// What becomes of the change, decided before the write.
pub(super) async fn change(store: &DispenseWriteStore, change: &Change) -> Changed {
    store.writes.change(&having_decided(store, change.clone()).await).await.unwrap()
}

pub(super) async fn changed(store: &DispenseWriteStore, wanted: &Change) -> Dispense {
    match change(store, wanted).await {
        Written::Applied(dispense) => dispense,
        other => panic!("the change was not applied: {other:?}"),
    }
}

/// The create, again while others win.
pub(super) async fn create_in_the_end(writes: Arc<dyn DispenseWrites>, mut create: Create) -> Created {
    for _ in 0..MAX_CONFLICTS {
        match writes.create(&create).await {
            Ok(outcome) => return outcome,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}"),
        }
        tokio::task::yield_now().await;
        create.seen = writes.request_facts(&create.query).await.unwrap();
    }
    panic!("others won {MAX_CONFLICTS} times")
}

/// The change, again while others win.
pub(super) async fn change_in_the_end(writes: Arc<dyn DispenseWrites>, change: Change) -> Changed {
    for _ in 0..MAX_CONFLICTS {
        match writes.change(&change).await {
            Ok(outcome) => return outcome,
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}"),
        }
        tokio::task::yield_now().await;
    }
    panic!("others won {MAX_CONFLICTS} times")
}

/// Creates at once, after each has looked at the facts.
pub(super) async fn create_at_once(store: &DispenseWriteStore, creates: Vec<Create>) -> Vec<Created> {
    let mut calls = Vec::new();
    for create in creates {
        let create = having_seen(store, create).await;
        calls.push(create_in_the_end(Arc::clone(&store.writes), create));
    }
    all_at_once(calls).await
}

/// Changes at once, after each has been decided on.
pub(super) async fn change_at_once(store: &DispenseWriteStore, changes: Vec<Change>) -> Vec<Changed> {
    let mut calls = Vec::new();
    for change in changes {
        let change = having_decided(store, change).await;
        calls.push(change_in_the_end(Arc::clone(&store.writes), change));
    }
    all_at_once(calls).await
}

/// Splits outcomes into what was recorded and the rest.
pub(super) fn split<R>(outcomes: Vec<Written<Dispense, R>>) -> (Vec<Dispense>, Vec<Written<Dispense, R>>) {
    let (mut applied, mut others) = (Vec::new(), Vec::new());
    for outcome in outcomes {
        match outcome {
            Written::Applied(dispense) => applied.push(dispense),
            other => others.push(other),
        }
    }
    (applied, others)
}

/// An update that completes dispense and request.
pub(super) fn completion(dispense: &Dispense, request: DeviceRequestId, at: Timestamp) -> DispenseUpdate {
    completing(request, update_of(dispense, DispenseStatus::Completed, at))
}

/// The dispense as the update must leave it.
pub(super) fn expected_after(before: &Dispense, update: &DispenseUpdate) -> Dispense {
    let mut after = before.clone();
    let (at, by) = (rfc3339_millis(update.event.event_time), update.event.changed_by.to_string());
    let mut entry = json!({"status": update.to.as_str(), "inserted_at": at, "inserted_by": by});
    let mut set = update.set.clone();
    if let Some(reason) = &update.reason {
        entry["status_reason"] = reason.clone();
        set.insert("status_reason".to_owned(), reason.clone());
    }
    for (field, value) in [("status_history", entry), ("signed_content_links", json!(update.link))] {
        let mut list = before.record.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
        list.push(value);
        set.insert(field.to_owned(), list.into());
    }
    for (field, value) in [("status", update.to.as_str()), ("updated_at", &at), ("updated_by", &by)] {
        set.insert(field.to_owned(), json!(value));
    }
    after.status = update.to;
    after.record.extend(set);
    after
}

/// The ids of the events that wait.
pub(super) async fn waiting(store: &DispenseWriteStore) -> BTreeSet<EventId> {
    dispenses::waiting(&store.dispenses).await.iter().map(|event| event.id).collect()
}

/// Gives the dispense to another legal entity or patient, past the port: the field and what it held.
pub(super) async fn give_away(store: &DispenseStore, dispense: &Dispense, field: &str) -> Value {
    let (value, before) = match field {
        "subject" => (json!("ANOTHER"), json!(dispense.subject.expose())),
        owner => (reference("legal_entity", fresh()), dispense.record[owner].clone()),
    };
    store.raw.set_field(dispense.id, field, value).await;
    before
}
