//! Answers that are lost, and primaries that change, while dispenses are created and completed.

use std::net::SocketAddr;
use std::time::Duration;

use bson::doc;
use esoz_device_dispense::{DeviceDispenses as _, DeviceRequestStatus, DispenseStatus, DispenseWrites as _};
use esoz_events::Outbox as _;
use esoz_kernel::{SecretString, Written};
use esoz_store_mongo::{MongoSettings, MongoStore};
use esoz_test_servers::{MongoDb, MongoSet, proxy::Proxy};
use esoz_testkit::builders::{at_millis, create_of, dispense_of, signed_change};
use esoz_testkit::wait::wait_for;
use futures_util::future::join_all;

use crate::changes::binary;
use crate::support::Fresh;
use crate::writes::{completion, new_create, stored_dispense, stored_request};

const LONG: Duration = Duration::from_mins(2);
/// So long an answer is under way, and the proxy can be cut meanwhile.
const ON_ITS_WAY: Duration = Duration::from_millis(500);

/// A database, and a store that reaches it through a proxy and does not give up soon.
async fn behind_a_proxy(server: &MongoDb) -> (Fresh, Proxy, MongoStore) {
    let fresh = Fresh::at(server.uri()).await;
    fresh.store.migrate().await.unwrap();
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], server.port()))).unwrap();
    let settings = MongoSettings {
        uri: SecretString::new(format!("mongodb://{}/?directConnection=true", proxy.address())),
        operation_timeout_ms: 60_000,
        server_selection_timeout_ms: 30_000,
        ..fresh.settings.clone()
    };
    let store = MongoStore::connect(&settings).await.unwrap();
    store.migrate().await.unwrap();
    (fresh, proxy, store)
}

/// The connection is cut after the commit, before its answer: it is asked again, and told that it is committed.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_answer_is_lost_is_recorded_once() {
    let server = MongoDb::start().unwrap();
    let (fresh, proxy, store) = behind_a_proxy(&server).await;
    let request = stored_request(&store).await;
    let (dispense, create) = new_create(&store, &request).await;
    proxy.delay(ON_ITS_WAY);
    let creating = tokio::spawn({
        let (store, create) = (store.clone(), create.clone());
        async move { store.create(&create).await }
    });
    wait_for("the dispense to be there", LONG, async || fresh.store.find(dispense.id).await.unwrap()).await;
    proxy.cut();
    proxy.heal();
    assert!(matches!(creating.await.unwrap().unwrap(), Written::Applied(_)));
    let count = fresh.documents.count_documents(doc! { "_id": binary(dispense.id.uuid()) }).await.unwrap();
    assert_eq!((count, fresh.store.backlog().await.unwrap().depth), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_completion_whose_answer_is_lost_is_made_once() {
    let server = MongoDb::start().unwrap();
    let (fresh, proxy, store) = behind_a_proxy(&server).await;
    let request = stored_request(&store).await;
    let dispense = stored_dispense(&store, &request).await;
    let change = signed_change(&dispense, &completion(&dispense, request.id));
    proxy.delay(ON_ITS_WAY);
    let changing = tokio::spawn({
        let (store, change) = (store.clone(), change.clone());
        async move { store.change(&change).await }
    });
    wait_for("the dispense to be completed", LONG, async || {
        let found = fresh.store.find(dispense.id).await.unwrap().unwrap().dispense.unwrap();
        (found.status == DispenseStatus::Completed).then_some(())
    })
    .await;
    proxy.cut();
    proxy.heal();
    let Written::Applied(after) = changing.await.unwrap().unwrap() else { panic!("it was not applied") };
    assert_eq!(after.record["status_history"].as_array().unwrap().len(), 2);
    assert_eq!(fresh.store.backlog().await.unwrap().depth, 2);
}

/// The primary steps down, and then is killed, while 24 dispenses are created and completed: what was answered is there, and of each completion
/// either both documents have it or neither.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_becomes_of_the_primary_no_completion_is_half_made() {
    let mut set = MongoSet::start(3).unwrap();
    let fresh = Fresh::at(&set.uri()).await;
    fresh.store.migrate().await.unwrap();
    let mut requests = Vec::new();
    for _ in 0..24 {
        requests.push(stored_request(&fresh.store).await);
    }
    for killed in [false, true] {
        let (now, later) = requests.split_at(12);
        let of_round = if killed { later } else { now };
        let working = of_round.iter().cloned().map(|request| {
            let store = fresh.store.clone();
            tokio::spawn(async move {
                let dispense = dispense_of(&request).build();
                let create = create_of(&dispense, request.id, at_millis(1));
                let created = store.create(&create).await;
                let completed = match &created {
                    Ok(_) => {
                        let change = signed_change(&dispense, &completion(&dispense, request.id));
                        Some(store.change(&change).await)
                    }
                    Err(_) => None,
                };
                (request, dispense, created, completed)
            })
        });
        let working: Vec<_> = working.collect();
        let primary = set.primary().unwrap();
        if killed { set.kill(primary) } else { set.step_down(primary) }.unwrap();
        let outcomes = join_all(working).await;
        set.primary().unwrap();
        wait_for("the store to work again", LONG, async || fresh.store.ping().await).await;
        for outcome in outcomes {
            let (request, dispense, created, completed) = outcome.unwrap();
            let found = wait_for("the facts", LONG, async || fresh.store.facts(dispense.id).await).await;
            let status = found.stored.map(|stored| stored.dispense.unwrap().status);
            if let Ok(created) = created {
                assert!(matches!(created, Written::Applied(_)), "{created:?}");
                assert!(status.is_some(), "a recorded dispense is gone");
            }
            if let Some(Ok(completed)) = completed {
                assert!(matches!(completed, Written::Applied(_)), "{completed:?}");
                assert_eq!(status, Some(DispenseStatus::Completed));
            }
            let query = create_of(&dispense, request.id, at_millis(1)).query;
            let facts = wait_for("the facts", LONG, async || fresh.store.request_facts(&query).await).await;
            let request = facts.request.unwrap().status;
            assert_eq!(
                status == Some(DispenseStatus::Completed),
                request == DeviceRequestStatus::Completed,
                "{status:?}, {request:?}"
            );
        }
        if killed {
            set.restart(primary).unwrap();
        }
    }
}
