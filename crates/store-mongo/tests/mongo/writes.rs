//! Creates and changes by signed documents: what is stored, what other systems have written, and what a write costs.

use std::sync::Arc;

use bson::{Bson, Document, doc};
use esoz_device_dispense::{
    Change, Create, CreateRefusal, DeviceDispenses as _, DeviceRequest, Dispense, DispenseRegistry as _,
    DispenseStatus, DispenseUpdate, DispenseWrites as _, RequestFacts, Transition,
};
use esoz_kernel::{Committed, DeviceRequestId, IdempotentRequest, Put, StoreErrorKind, Uuid, Written};
use esoz_registries::Registry as _;
use esoz_store_mongo::{MongoSettings, MongoStore};
use esoz_testkit::builders::{
    at_millis, change_of, client, completing, create_of, device_request, dispense_of, idempotency_key,
    signed_change, update_of,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{changes::binary, support::Fresh};

/// A request, stored.
pub(crate) async fn stored_request(store: &MongoStore) -> DeviceRequest {
    let record = device_request();
    assert_eq!(store.put(std::slice::from_ref(&record)).await.unwrap(), [Put::Created]);
    record.facts
}

/// A dispense in progress of the request, stored.
pub(crate) async fn stored_dispense(store: &MongoStore, request: &DeviceRequest) -> Dispense {
    let dispense = dispense_of(request).without("signed_content_links").build();
    assert_eq!(store.put_dispenses(std::slice::from_ref(&dispense)).await.unwrap(), [Put::Created]);
    dispense
}

/// A create of a dispense of the request, after a look at the facts.
pub(crate) async fn new_create(store: &MongoStore, request: &DeviceRequest) -> (Dispense, Create) {
    let dispense = dispense_of(request).without("signed_content_links").build();
    let create = create_of(&dispense, request.id, at_millis(1));
    let seen = store.request_facts(&create.query).await.unwrap();
    (dispense, Create { seen, ..create })
}

/// An update that completes dispense and request.
pub(crate) fn completion(dispense: &Dispense, request: DeviceRequestId) -> DispenseUpdate {
    completing(request, update_of(dispense, DispenseStatus::Completed, at_millis(2)))
}

pub(crate) fn idempotency() -> IdempotentRequest {
    IdempotentRequest::new("test", client(), &idempotency_key(), &[b"this"])
}

pub(crate) async fn created(store: &MongoStore, create: &Create) -> Dispense {
    match store.create(create).await.unwrap() {
        Written::Applied(dispense) => dispense,
        other => panic!("the dispense was not recorded: {other:?}"),
    }
}

pub(crate) async fn changed(store: &MongoStore, change: &Change) -> Dispense {
    match store.change(change).await.unwrap() {
        Written::Applied(dispense) => dispense,
        other => panic!("the change was not applied: {other:?}"),
    }
}

pub(crate) async fn document_of(fresh: &Fresh, collection: &str, id: Uuid) -> Option<Document> {
    let database = fresh.documents.client().database(&fresh.documents.namespace().db);
    database.collection(collection).find_one(doc! { "_id": binary(id) }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_dispense_has_its_event_and_its_request_tells_of_it() {
    let fresh = Fresh::shared().await;
    let request = stored_request(&fresh.store).await;
    let before = document_of(&fresh, "device_requests", request.id.uuid()).await.unwrap();
    let (dispense, create) = new_create(&fresh.store, &request).await;
    created(&fresh.store, &create).await;
    let event = binary(create.event.id.uuid());
    let stored = document_of(&fresh, "device_dispenses", dispense.id.uuid()).await.unwrap();
    assert_eq!(stored.get_array("esoz_changes").unwrap(), std::slice::from_ref(&event));
    let outbox = stored.get_document("esoz_outbox").unwrap();
    assert_eq!(outbox.get_array("events").unwrap()[0].as_document().unwrap().get("id"), Some(&event));
    assert!(!stored.contains_key("esoz_keys"), "{stored}");
    let mut after = document_of(&fresh, "device_requests", request.id.uuid()).await.unwrap();
    assert_eq!(after.remove("esoz_changes"), Some(vec![event].into()));
    assert_eq!(after, before);
}

/// Whatever a signed change has set since, the first answer of a create and that of a stop stay what they were.
#[tokio::test(flavor = "multi_thread")]
async fn first_answers_are_without_what_signed_changes_set() {
    let fresh = Fresh::shared().await;
    let request = stored_request(&fresh.store).await;
    let (_, create) = new_create(&fresh.store, &request).await;
    let create = Create { idempotency: Some(idempotency()), ..create };
    let first = created(&fresh.store, &create).await;
    let stop = change_of(&first, DispenseStatus::Stopped, at_millis(3));
    let stop = Transition { idempotency: Some(idempotency()), ..stop };
    let Committed::Applied(stopped) = fresh.store.commit(&stop).await.unwrap() else {
        panic!("the stop was not applied")
    };
    let mut update = update_of(&stopped, DispenseStatus::EnteredInError, at_millis(4));
    update.reason = Some(json!({"coding": [{"system": "s", "code": "duplicate"}]}));
    update.set = [("explanatory_letter".to_owned(), json!("інше")), ("payment_id".to_owned(), Value::Null)]
        .into_iter()
        .collect();
    let marking = Change { idempotency: Some(idempotency()), ..signed_change(&stopped, &update) };
    let marked = changed(&fresh.store, &marking).await;
    assert_ne!(marked.record["explanatory_letter"], first.record["explanatory_letter"]);
    assert_eq!(marked.record["signed_content_links"], json!([update.link]));

    assert_eq!(fresh.store.create(&create).await.unwrap(), Written::Replayed(first));
    assert_eq!(fresh.store.commit(&stop).await.unwrap(), Committed::Replayed(stopped));
    assert_eq!(fresh.store.change(&marking).await.unwrap(), Written::Replayed(marked));
}

/// 32 at once for a request that can be dispensed any number of times: each is overtaken by others, and all are recorded.
#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_creates_for_one_request_records_each() {
    let fresh = Fresh::shared().await;
    let request = stored_request(&fresh.store).await;
    let mut creates = Vec::new();
    for _ in 0..32 {
        let (dispense, create) = new_create(&fresh.store, &request).await;
        let always = move |_: &RequestFacts| Ok::<_, CreateRefusal>(dispense.clone());
        creates.push(Create { decide: Arc::new(always), ..create });
    }
    let slow = MongoSettings { operation_timeout_ms: 60_000, ..fresh.settings.clone() };
    let store = MongoStore::connect(&slow).await.unwrap();
    let outcomes = join_all(creates.iter().map(|create| store.create(create))).await;
    for (outcome, create) in outcomes.into_iter().zip(&creates) {
        assert!(matches!(outcome.unwrap(), Written::Applied(_)));
        assert!(fresh.store.find(create.query.id).await.unwrap().is_some());
    }
    let request = document_of(&fresh, "device_requests", request.id.uuid()).await.unwrap();
    assert_eq!(request.get_array("esoz_changes").unwrap().len(), 8, "the most recent are kept");
}

/// Another system changes a field of the request after the facts were read: the create is decided anew, whichever field it is.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_another_system_changes_of_the_request_is_noticed() {
    let fresh = Fresh::shared().await;
    for (field, value) in [
        ("subject", Bson::from("ANOTHER")),
        ("status", "revoked".into()),
        ("intent", "plan".into()),
        ("program", Bson::Null),
        ("code", "1".into()),
        ("quantity", doc! { "value": 1, "code": "piece" }.into()),
        ("occurrence_period", Bson::Null),
        ("dispense_valid_to", "2026-01-01".into()),
        ("verification_code", "0420".into()),
        ("updated_at", bson::DateTime::from_millis(1).into()),
    ] {
        let request = stored_request(&fresh.store).await;
        let (dispense, create) = new_create(&fresh.store, &request).await;
        let seen = create.seen.basis.clone();
        let if_seen = move |found: &RequestFacts| {
            if found.basis == seen { Ok(dispense.clone()) } else { Err(CreateRefusal::NotQualified) }
        };
        let create = Create { decide: Arc::new(if_seen), ..create };
        let set = doc! { "$set": { field: value } };
        fresh.requests().update_one(doc! { "_id": binary(request.id.uuid()) }, set).await.unwrap();
        let outcome = fresh.store.create(&create).await.unwrap();
        assert_eq!(outcome, Written::Refused(CreateRefusal::NotQualified), "{field}");
        assert!(fresh.store.find(create.query.id).await.unwrap().is_none(), "{field}");
    }
}

/// A dispense that another system has recorded since does not change the request: it is found inside the transaction.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_system_has_recorded_since_is_seen() {
    let fresh = Fresh::shared().await;
    for form in [
        |id: Uuid| binary(id),
        |id: Uuid| id.to_string().into(),
        |id: Uuid| id.to_string().to_uppercase().into(),
    ] {
        let request = stored_request(&fresh.store).await;
        let (_, create) = new_create(&fresh.store, &request).await;
        let other = stored_dispense(&fresh.store, &request).await;
        let set = doc! { "$set": { "based_on.identifier.value": form(request.id.uuid()) } };
        fresh.documents.update_one(doc! { "_id": binary(other.id.uuid()) }, set).await.unwrap();
        let outcome = fresh.store.create(&create).await.unwrap();
        assert_eq!(outcome, Written::Refused(CreateRefusal::OtherActive));
        assert!(fresh.store.find(create.query.id).await.unwrap().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispense_whose_request_or_status_stands_in_an_array_is_of_no_request() {
    let fresh = Fresh::shared().await;
    for (field, is_of_request) in [("based_on", false), ("status", false), ("note", true)] {
        let request = stored_request(&fresh.store).await;
        let (_, create) = new_create(&fresh.store, &request).await;
        let other = stored_dispense(&fresh.store, &request).await;
        let by_id = doc! { "_id": binary(other.id.uuid()) };
        let value = fresh.documents.find_one(by_id.clone()).await.unwrap().unwrap().remove(field).unwrap();
        fresh.documents.update_one(by_id, doc! { "$set": { field: [value] } }).await.unwrap();
        let outcome = fresh.store.create(&create).await.unwrap();
        let refused = outcome == Written::Refused(CreateRefusal::OtherActive);
        assert_eq!(refused, is_of_request, "{field}: {outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_request_is_named_and_stays_as_it_is() {
    let fresh = Fresh::shared().await;
    for (field, value) in [
        ("status", bson::bson!(["active"])),
        ("quantity", bson::bson!({ "value": -1, "code": "piece" })),
        ("esoz_wrong_codes", bson::bson!({})),
    ] {
        let request = stored_request(&fresh.store).await;
        let dispense = stored_dispense(&fresh.store, &request).await;
        let (_, create) = new_create(&fresh.store, &device_request().facts).await;
        let mut create = create;
        create.query.request = request.id;
        let set = doc! { "$set": { field: value } };
        fresh.requests().update_one(doc! { "_id": binary(request.id.uuid()) }, set).await.unwrap();
        let before = document_of(&fresh, "device_requests", request.id.uuid()).await;
        let error = fresh.store.create(&create).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        let told = format!("reading device_requests, id {}: field {field}", request.id);
        assert!(error.to_string().contains(&told), "{error}");
        assert_eq!(document_of(&fresh, "device_requests", request.id.uuid()).await, before);
        assert_eq!(fresh.store.find(dispense.id).await.unwrap().unwrap().dispense.unwrap(), dispense);
    }
}

/// Where a completed request cannot be written to, neither of the two is changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_written_to_keeps_its_dispense_from_being_completed() {
    let fresh = Fresh::shared().await;
    for (field, value, named) in [
        ("esoz_outbox", Bson::Null, "esoz_outbox"),
        ("esoz_outbox", bson::bson!({ "events": {} }), "esoz_outbox.events"),
        ("esoz_changes", bson::bson!("none"), "esoz_changes"),
    ] {
        let request = stored_request(&fresh.store).await;
        let dispense = stored_dispense(&fresh.store, &request).await;
        let set = doc! { "$set": { field: value } };
        fresh.requests().update_one(doc! { "_id": binary(request.id.uuid()) }, set).await.unwrap();
        let change = signed_change(&dispense, &completion(&dispense, request.id));
        let error = fresh.store.change(&change).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains(&format!("field {named} holds")), "{error}");
        assert_eq!(fresh.store.find(dispense.id).await.unwrap().unwrap().dispense.unwrap(), dispense);
    }
}
