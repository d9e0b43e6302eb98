//! Connections that are ended, lost under a statement, or stalled.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use esoz_kernel::StoreErrorKind;
use esoz_store_postgres::PostgresStore;
use esoz_test_servers::proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{look, short_limits, unavailable_within, warm_up};
use crate::support::{TestDatabase, applied, audit_rows, end_sessions, fixture, fresh, patient, update};

/// Ends all connections of the store and returns when they are gone.
fn end_connections(test_db: &TestDatabase) {
    let sql = end_sessions("application_name = 'esoz' AND datname = current_database()");
    assert_eq!(test_db.admin(&sql), "t");
}

/// On one thread, which the administrator's call blocks: the server's shutdown message is unread when the store is used next.
#[tokio::test]
async fn a_goodbye_that_was_not_heard_yet_fails_neither_a_look_nor_an_update_that_was_not_begun() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    warm_up(&test_db.store).await;
    end_connections(&test_db);
    look(&test_db.store).await.unwrap();
    warm_up(&test_db.store).await;
    end_connections(&test_db);
    applied(update(fixture.record.id, &fixture.to).apply(&test_db.store).await.unwrap());
    warm_up(&test_db.store).await;
    end_connections(&test_db);
    test_db.store.ping().await.unwrap();
}

/// What a relay hangs up on: the next bytes that hold this.
type RudeTo = Arc<Mutex<Option<&'static str>>>;

/// Whether these bytes are what it hangs up on, which it does once.
fn is_rude(rude_to: &RudeTo, bytes: &[u8]) -> bool {
    let sent = String::from_utf8_lossy(bytes);
    rude_to.lock().unwrap().take_if(|text| sent.contains(*text)).is_some()
}

/// Hands bytes on to a server, but for the next that clients send once it is told so: on these it hangs up.
async fn rude_relay(server: SocketAddr) -> (SocketAddr, RudeTo) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, rude_to) = (listener.local_addr().unwrap(), RudeTo::default());
    let told = Arc::clone(&rude_to);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                let mut server = tokio::net::TcpStream::connect(server).await.unwrap();
                let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
                    (client.split(), server.split());
                let asked = async {
                    let mut bytes = [0; 4096];
                    while let Ok(count @ 1..) = from_client.read(&mut bytes).await
                        && !is_rude(&told, bytes.get(..count).unwrap())
                    {
                        to_server.write_all(bytes.get(..count).unwrap()).await.unwrap();
                    }
                };
                tokio::select! {
                    () = asked => {}
                    _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
                }
            });
        }
    });
    (address, rude_to)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_lost_under_a_statement_fails_an_update_and_no_look() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let (_, place) = test_db.url.split_once('@').unwrap();
    let (target, database) = place.split_once('/').unwrap();
    let (address, rude_to) = rude_relay(target.parse().unwrap()).await;
    // What goes over it is looked at.
    let url = format!("postgres://postgres@{address}/{database}?sslmode=disable");
    let store = PostgresStore::connect(&patient(&url)).unwrap();
    let change = update(fixture.record.id, &fixture.to);
    applied(change.apply(&store).await.unwrap());
    warm_up(&store).await;
    let be_rude_to = |text| *rude_to.lock().unwrap() = Some(text);
    let was_rude = || rude_to.lock().unwrap().is_none();
    for _ in 0..2 {
        be_rude_to("");
        look(&store).await.unwrap();
        assert!(was_rude(), "nobody was hung up on");
        be_rude_to("");
        store.ping().await.unwrap();
        assert!(was_rude(), "nobody was hung up on");
    }
    let rows = audit_rows(&test_db, fixture.record.id);
    // The connections that are left have been suspect since, and are asked for an answer first; after that one is trusted.
    warm_up(&store).await;
    for text in ["BEGIN", "COMMIT"] {
        be_rude_to(text);
        unavailable_within(Duration::from_secs(10), async { change.apply(&store).await.map(drop) }).await;
        assert!(was_rude(), "nobody was hung up on");
        assert_eq!(audit_rows(&test_db, fixture.record.id), rows);
        warm_up(&store).await;
    }
    applied(change.apply(&store).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_stalls_under_a_statement_is_unavailable_in_time_and_forgotten_when_it_heals() {
    let test_db = fresh().await;
    let (_, place) = test_db.url.split_once('@').unwrap();
    let (target, database) = place.split_once('/').unwrap();
    let proxy = Proxy::start(target.parse::<SocketAddr>().unwrap()).unwrap();
    let url = format!("postgres://postgres@{}/{database}", proxy.address());
    let store = PostgresStore::connect(&short_limits(&url)).unwrap();
    warm_up(&store).await;
    proxy.stall();
    unavailable_within(Duration::from_secs(15), look(&store)).await;
    proxy.heal();
    look(&store).await.unwrap();
    proxy.cut();
    proxy.heal();
    look(&store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_administrator_ends_are_replaced() {
    let test_db = fresh().await;
    warm_up(&test_db.store).await;
    end_connections(&test_db);
    look(&test_db.store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_is_ended_under_a_statement_is_unavailable() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let _held = test_db.lock_contract_divisions().await;
    let store = test_db.store.clone();
    let apply = tokio::spawn(async move { update.apply(&store).await });
    test_db.until_waiting(1).await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'esoz' AND datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(test_db.admin(sql), "t");
    assert_eq!(apply.await.unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
    look(&test_db.store).await.unwrap();
}
