//! A server that is gone, hangs, or answers too late.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use esoz_device_dispense::DeviceDispenses;
use esoz_events::Outbox;
use esoz_kernel::{Committed, DispenseId, StoreErrorKind};
use esoz_store_mongo::{MongoSettings, MongoStore};
use esoz_test_servers::{MongoDb, proxy::Proxy};
use esoz_testkit::wait::wait_for;

use crate::{
    changes::{binary, document, fresh_id, stop, stored},
    support::Fresh,
};

const RECOVERY: Duration = Duration::from_secs(30);
/// What scheduling on a busy machine may add.
const SLACK: Duration = Duration::from_secs(3);

fn bounded(uri: &str, database: &str) -> MongoSettings {
    MongoSettings {
        connect_timeout_ms: 500,
        server_selection_timeout_ms: 500,
        operation_timeout_ms: 1_500,
        ..MongoSettings::new(uri, database)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting_waits_for_no_server_and_using_one_that_is_not_there_fails_in_time() {
    let port = esoz_test_servers::ReservedPort::new().unwrap();
    let settings = bounded(&format!("mongodb://{}/", port.address()), "esoz");
    let store = MongoStore::connect(&settings).await.unwrap();
    let started = Instant::now();
    let error = store.find(DispenseId::new(fresh_id())).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(started.elapsed() < Duration::from_millis(settings.server_selection_timeout_ms) + SLACK);
    assert_eq!(store.ping().await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert_eq!(store.migrate().await.unwrap_err().kind(), StoreErrorKind::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_unavailable_in_time_and_what_it_acknowledged_is_there_when_it_returns() {
    let mut server = MongoDb::start().unwrap();
    let fresh = Fresh::at(server.uri()).await;
    let settings = bounded(server.uri(), &fresh.documents.namespace().db);
    let store = MongoStore::connect(&settings).await.unwrap();
    store.migrate().await.unwrap();
    let (id, owner) = (fresh_id(), fresh_id());
    fresh.documents.insert_many([stored(id, binary(owner)), stored(owner, binary(owner))]).await.unwrap();
    let change = stop(id, owner);
    assert!(matches!(store.commit(&change).await.unwrap(), Committed::Applied(_)));

    server.stop().unwrap();
    let started = Instant::now();
    let error = store.commit(&stop(owner, owner)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert!(started.elapsed() < Duration::from_millis(settings.operation_timeout_ms) + SLACK);
    assert_eq!(store.backlog().await.unwrap_err().kind(), StoreErrorKind::Unavailable);

    server.restart().unwrap();
    wait_for("the store to work again", RECOVERY, async || store.ping().await).await;
    assert_eq!(store.find(change.id).await.unwrap().unwrap().dispense.unwrap().status, change.to);
    assert_eq!(store.backlog().await.unwrap().depth, 1);
    assert!(matches!(store.commit(&stop(owner, owner)).await.unwrap(), Committed::Applied(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_is_unavailable_in_time_and_used_again_when_it_goes_on() {
    let server = MongoDb::start().unwrap();
    let fresh = Fresh::at(server.uri()).await;
    let settings = bounded(server.uri(), &fresh.documents.namespace().db);
    let store = MongoStore::connect(&settings).await.unwrap();
    let (id, owner) = (fresh_id(), fresh_id());
    fresh.documents.insert_one(stored(id, binary(owner))).await.unwrap();
    store.ping().await.unwrap();

    server.pause().unwrap();
    let limit = Duration::from_millis(settings.operation_timeout_ms) + SLACK;
    let started = Instant::now();
    let error = store.commit(&stop(id, owner)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert!(started.elapsed() < limit, "{:?}", started.elapsed());
    let started = Instant::now();
    assert_eq!(store.find(DispenseId::new(id)).await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    assert!(started.elapsed() < limit, "{:?}", started.elapsed());

    server.resume().unwrap();
    wait_for("the store to work again", RECOVERY, async || store.ping().await).await;
    // The change may have been waiting in the server's socket: either it took effect whole, or it does now.
    let change = stop(id, owner);
    wait_for("the dispense to be stopped", RECOVERY, async || store.commit(&change).await).await;
    let after = document(&fresh, id).await;
    assert_eq!(after.get_str("status").unwrap(), "stopped");
    assert_eq!(after.get_array("status_history").unwrap().len(), 1);
    assert_eq!(store.backlog().await.unwrap().depth, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_during_a_change_breaks_nothing() {
    let server = MongoDb::start().unwrap();
    let target = SocketAddr::from(([127, 0, 0, 1], server.port()));
    let proxy = Proxy::start(target).unwrap();
    let fresh = Fresh::at(server.uri()).await;
    let uri = format!("mongodb://{}/?directConnection=true", proxy.address());
    let settings = bounded(&uri, &fresh.documents.namespace().db);
    let store = MongoStore::connect(&settings).await.unwrap();
    for round in 0..20 {
        let (id, owner) = (fresh_id(), fresh_id());
        fresh.documents.insert_one(stored(id, binary(owner))).await.unwrap();
        wait_for("a connection", RECOVERY, async || store.ping().await).await;
        let change = stop(id, owner);
        proxy.delay(Duration::from_millis(round * 5));
        let sent = proxy.traffic().bytes_to_target;
        let changing = tokio::spawn({
            let (store, change) = (store.clone(), change.clone());
            async move { store.commit(&change).await }
        });
        wait_for("the change to be sent", RECOVERY, async || {
            (proxy.traffic().bytes_to_target > sent).then_some(())
        })
        .await;
        proxy.cut();
        proxy.heal();
        let outcome = changing.await.unwrap();
        let after = document(&fresh, id).await;
        let (events, status) = match after.get_document("esoz_outbox") {
            Ok(outbox) => (outbox.get_array("events").unwrap().len(), "stopped"),
            Err(_) => (0, "in_progress"),
        };
        assert_eq!(after.get_str("status").unwrap(), status);
        assert!(events <= 1);
        match outcome {
            Ok(outcome) => assert!(matches!(outcome, Committed::Applied(_)) && events == 1, "{outcome:?}"),
            Err(error) => assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}"),
        }
    }
}
