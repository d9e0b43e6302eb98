//! The indexes that creates and changes by signed documents need, and how many commands they send.

use bson::{Document, doc};
use esoz_device_dispense::{
    Change, Create, Dispense, DispenseRegistry as _, DispenseStatus, DispenseWrites as _,
};
use esoz_kernel::{IdempotentRequest, StoreErrorKind, Written};
use esoz_store_mongo::MongoStore;
use esoz_testkit::builders::{
    at_millis, client, device_request, dispense_of, idempotency_key, signed_change, update_of,
};
use futures_util::TryStreamExt as _;

use crate::support::Fresh;
use crate::writes::{
    changed, completion, created, document_of, idempotency, new_create, stored_dispense, stored_request,
};

/// A store that does not know of the unique index on keys looks a key up before each write.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_unique_index_a_key_is_still_known_again() {
    let fresh = Fresh::shared().await;
    fresh.documents.drop_index("esoz_keys_key").await.unwrap();
    let store = MongoStore::connect(&fresh.settings).await.unwrap();
    let (one, other) = (stored_request(&store).await, stored_request(&store).await);
    let key = idempotency();
    let (_, create) = new_create(&store, &one).await;
    let create = Create { idempotency: Some(key), ..create };
    let first = created(&store, &create).await;
    assert_eq!(store.create(&create).await.unwrap(), Written::Replayed(first.clone()));
    let (_, reusing) = new_create(&store, &other).await;
    let asked_else = IdempotentRequest::new("test", client(), &idempotency_key(), &[b"else"]);
    created(&store, &Create { idempotency: Some(asked_else), ..reusing }).await;
    let complete = signed_change(&first, &completion(&first, one.id));
    let complete = Change { idempotency: Some(idempotency()), ..complete };
    let completed = changed(&store, &complete).await;
    assert_eq!(store.change(&complete).await.unwrap(), Written::Replayed(completed));
    assert_eq!(store.create(&create).await.unwrap(), Written::Replayed(first));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_index_of_dispenses_by_request_nothing_is_recorded() {
    let fresh = Fresh::shared().await;
    fresh.documents.drop_index("esoz_based_on_in_progress").await.unwrap();
    let request = stored_request(&fresh.store).await;
    let before = document_of(&fresh, "device_requests", request.id.uuid()).await;
    let (_, create) = new_create(&fresh.store, &request).await;
    let error = fresh.store.create(&create).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let told = error.with_causes();
    assert!(told.contains("esoz_based_on_in_progress") && told.contains("`esoz migrate`"), "{told}");
    assert_eq!(document_of(&fresh, "device_requests", request.id.uuid()).await, before);
    let missing = fresh.store.check_schema().await.unwrap();
    assert_eq!(missing, ["esoz_based_on_in_progress"]);
    fresh.store.migrate().await.unwrap();
    created(&fresh.store, &create).await;
}

/// What the server's profiler tells of the commands that happen in there: their names, in order, and whether one has scanned a collection.
pub(crate) async fn commands(fresh: &Fresh, work: impl AsyncFnOnce()) -> Vec<String> {
    let database = fresh.documents.client().database(&fresh.settings.database);
    let profile = database.collection::<Document>("system.profile");
    profile.drop().await.unwrap();
    database.run_command(doc! { "profile": 2 }).await.unwrap();
    work().await;
    database.run_command(doc! { "profile": 0 }).await.unwrap();
    let of_ours = doc! { "ns": { "$regex": "[.]device_(dispenses|requests)$" } };
    let found: Vec<Document> =
        profile.find(of_ours).sort(doc! { "ts": 1 }).await.unwrap().try_collect().await.unwrap();
    let name = |told: &Document| {
        assert!(!told.to_string().contains("COLLSCAN"), "{told}");
        // A bulk update shows one operation for each of its statements.
        if matches!(told.get_str("op"), Ok("update")) {
            return "update".to_owned();
        }
        told.get_document("command").unwrap().keys().next().unwrap().clone()
    };
    found.iter().map(name).collect()
}

/// Beside the commit of a transaction, which is none of the database's.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_and_a_completion_make_few_round_trips_and_scan_nothing() {
    let fresh = Fresh::shared().await;
    let idle: Vec<Dispense> = (0..200).map(|_| dispense_of(&device_request().facts).build()).collect();
    fresh.store.put_dispenses(&idle).await.unwrap();
    let request = stored_request(&fresh.store).await;
    let mut recorded = None;
    let sent = commands(&fresh, async || {
        let (_, create) = new_create(&fresh.store, &request).await;
        recorded = Some(created(&fresh.store, &create).await);
    })
    .await;
    assert_eq!(sent, ["aggregate", "update", "find", "insert"]);
    let dispense = recorded.unwrap();
    let sent = commands(&fresh, async || {
        changed(&fresh.store, &signed_change(&dispense, &completion(&dispense, request.id))).await;
    })
    .await;
    assert_eq!(sent, ["aggregate", "update", "findAndModify"]);
    let other = stored_dispense(&fresh.store, &request).await;
    let marking = update_of(&other, DispenseStatus::EnteredInError, at_millis(2));
    let sent = commands(&fresh, async || {
        changed(&fresh.store, &signed_change(&other, &marking)).await;
    })
    .await;
    assert_eq!(sent, ["aggregate", "findAndModify"]);
}
