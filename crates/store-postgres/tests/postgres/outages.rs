use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use esoz_auth::{AccessTokens, Secret};
use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_store_postgres::{PostgresSettings, PostgresStore};
use esoz_test_servers::proxy::Proxy;
use esoz_test_servers::{Durability, Postgres};
use esoz_testkit::wait::wait_for;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{
    DEADLINE, TestDatabase, applied, audit_rows, fixture, fresh, patient, record, time, update,
};

async fn look(store: &PostgresStore) -> Result<(), StoreError> {
    AccessTokens::find(store, &Secret::new("a token")).await.map(|token| assert_eq!(token, None))
}

/// Opens several connections.
async fn warm_up(store: &PostgresStore) {
    for answer in join_all((0..4).map(|_| look(store))).await {
        answer.unwrap();
    }
}

async fn unavailable_within(limit: Duration, call: impl Future<Output = Result<(), StoreError>>) {
    let started = Instant::now();
    let error = call.await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}: {:?}", error.source());
    assert!(started.elapsed() < limit, "it took {:?}", started.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_is_unavailable_at_once_and_the_first_request_after_its_return_succeeds() {
    let mut server = Postgres::start(Durability::On).unwrap();
    let url = server.create_database().unwrap();
    let store = TestDatabase::new(server.address(), url).await.store;
    let fixture = fixture(&store).await;
    warm_up(&store).await;
    server.stop().unwrap();
    unavailable_within(Duration::from_secs(10), look(&store)).await;
    unavailable_within(Duration::from_secs(10), store.ping()).await;
    server.restart().unwrap();
    look(&store).await.unwrap();
    // While nobody looked: the pool is full of connections to a server that is no more.
    warm_up(&store).await;
    server.restart().unwrap();
    look(&store).await.unwrap();
    store.ping().await.unwrap();
    // Also one that writes.
    warm_up(&store).await;
    server.restart().unwrap();
    applied(update(fixture.record.id, &fixture.to).apply(&store).await.unwrap());
}

/// Ends all connections of the store and returns when they are gone.
fn end_connections(test_db: &TestDatabase) {
    // With a time limit it waits until they are gone.
    let sql = "SELECT bool_and(pg_terminate_backend(pid, 30000)) FROM pg_stat_activity
               WHERE application_name = 'esoz' AND datname = current_database()";
    assert_eq!(test_db.admin(sql), "t");
}

/// On one thread, which the administrator's call keeps busy: nobody has heard the goodbye when the store is asked next.
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
    let url = format!("postgres://postgres@{address}/{database}");
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
async fn a_store_can_be_made_while_the_server_is_down() {
    let mut server = Postgres::start(Durability::On).unwrap();
    let url = server.create_database().unwrap();
    TestDatabase::new(server.address(), url.clone()).await;
    server.stop().unwrap();
    let store = PostgresStore::connect(&patient(&url)).unwrap();
    unavailable_within(Duration::from_secs(10), look(&store)).await;
    server.restart().unwrap();
    store.check_schema().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_connections_and_never_answers_is_unavailable_in_time() {
    let server = Postgres::start(Durability::On).unwrap();
    let url = server.create_database().unwrap();
    TestDatabase::new(server.address(), url.clone()).await;
    let settings = PostgresSettings {
        connect_timeout_ms: 2_000,
        pool_wait_timeout_ms: 4_000,
        statement_timeout_ms: 2_000,
        ..patient(&url)
    };
    let store = PostgresStore::connect(&settings).unwrap();
    warm_up(&store).await;
    server.pause().unwrap();
    let started = Instant::now();
    let answers = join_all((0..8).map(|_| look(&store))).await;
    assert!(started.elapsed() < Duration::from_secs(15), "it took {:?}", started.elapsed());
    for answer in answers {
        assert_eq!(answer.unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    server.resume().unwrap();
    look(&store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_stalls_under_a_statement_is_unavailable_in_time_and_forgotten_when_it_heals() {
    let test_db = fresh().await;
    let (_, place) = test_db.url.split_once('@').unwrap();
    let (target, database) = place.split_once('/').unwrap();
    let proxy = Proxy::start(target.parse::<SocketAddr>().unwrap()).unwrap();
    let url = format!("postgres://postgres@{}/{database}", proxy.address());
    let settings = PostgresSettings {
        connect_timeout_ms: 2_000,
        pool_wait_timeout_ms: 4_000,
        statement_timeout_ms: 2_000,
        ..patient(&url)
    };
    let store = PostgresStore::connect(&settings).unwrap();
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
    let mut holder = test_db.session().await;
    let held = holder.transaction().await.unwrap();
    held.batch_execute("SELECT FROM contract_divisions FOR UPDATE").await.unwrap();
    let store = test_db.store.clone();
    let apply = tokio::spawn(async move { update.apply(&store).await });
    test_db.until_waiting(1).await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'esoz' AND datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(test_db.admin(sql), "t");
    assert_eq!(apply.await.unwrap().unwrap_err().kind(), StoreErrorKind::Unavailable);
    look(&test_db.store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_is_unavailable_in_time() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let settings =
        PostgresSettings { max_connections: 1, pool_wait_timeout_ms: 200, ..patient(&test_db.url) };
    let store = PostgresStore::connect(&settings).unwrap();
    // Opening the first connection may take longer than this store waits.
    wait_for("the first connection", DEADLINE, async || store.ping().await).await;
    let mut holder = test_db.session().await;
    let held = holder.transaction().await.unwrap();
    held.batch_execute("SELECT FROM contract_divisions FOR UPDATE").await.unwrap();
    let (waiting, same) = (store.clone(), update.clone());
    let apply = tokio::spawn(async move { same.apply(&waiting).await });
    test_db.until_waiting(1).await;
    unavailable_within(Duration::from_secs(10), look(&store)).await;
    held.rollback().await.unwrap();
    apply.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_midway_leaves_no_dirty_connection() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let settings = PostgresSettings { max_connections: 1, ..patient(&test_db.url) };
    let store = PostgresStore::connect(&settings).unwrap();
    let mut holder = test_db.session().await;
    let held = holder.transaction().await.unwrap();
    held.batch_execute("SELECT FROM contract_divisions FOR UPDATE").await.unwrap();
    let (waiting, same) = (store.clone(), update.clone());
    let apply = tokio::spawn(async move { same.apply(&waiting).await });
    test_db.until_waiting(1).await;
    apply.abort();
    assert!(apply.await.unwrap_err().is_cancelled());
    // The statement still waits for the lock, on what was the pool's only connection.
    look(&store).await.unwrap();
    test_db.until_waiting(1).await;
    held.rollback().await.unwrap();
    // Half of it never happens: it took effect, or it did not.
    let record = record(&store, fixture.record.id).await;
    assert!(record == fixture.record || record.stamps.updated_at == time("2026-02-01T00:00:00.000005Z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_become_read_only_is_unavailable_and_left() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let (_, database) = test_db.url.rsplit_once('/').unwrap();
    test_db.admin(&format!("ALTER DATABASE {database} SET default_transaction_read_only = on"));
    let store = PostgresStore::connect(&patient(&test_db.url)).unwrap();
    let error = update.apply(&store).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    // The next connection is a new one, and finds that it can write again.
    let session = test_db.session().await;
    session.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    session
        .batch_execute(&format!("ALTER DATABASE {database} RESET default_transaction_read_only"))
        .await
        .unwrap();
    update.apply(&store).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_serves_as_well_and_tells_as_much() {
    let mut server = Postgres::start(Durability::On).unwrap();
    let url = server.create_database().unwrap();
    let test_db = TestDatabase::new(server.address(), url.clone()).await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let folder = server.log_path().parent().unwrap().to_str().unwrap().replace('/', "%2F");
    let (_, database) = url.rsplit_once('/').unwrap();
    let url = format!("postgres://postgres@{folder}:{}/{database}", server.port());
    let store = PostgresStore::connect(&PostgresSettings { lock_timeout_ms: 50, ..patient(&url) }).unwrap();
    let mut holder = test_db.session().await;
    let held = holder.transaction().await.unwrap();
    held.batch_execute("SELECT FROM contract_divisions FOR UPDATE").await.unwrap();
    let error = update.apply(&store).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}: {:?}", error.source());
    assert!(error.source().unwrap().to_string().contains("55P03"));
    drop(held);
    server.restart().unwrap();
    look(&store).await.unwrap();
    server.stop().unwrap();
    unavailable_within(Duration::from_secs(10), look(&store)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_hosts_the_one_that_takes_writes_is_found_and_kept() {
    let replica = Postgres::start(Durability::Off).unwrap();
    let primary = Postgres::start(Durability::Off).unwrap();
    let url = primary.create_database().unwrap();
    let (_, database) = url.rsplit_once('/').unwrap();
    for sql in [
        &format!("CREATE DATABASE {database}"),
        &format!("ALTER DATABASE {database} SET default_transaction_read_only = on"),
    ] {
        replica.address().query(sql).unwrap();
    }
    let test_db = TestDatabase::new(primary.address(), url.clone()).await;
    // The first host hangs up on everybody.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let rude = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            drop(listener.accept().await);
        }
    });
    let url = format!(
        "postgres://postgres@{rude},127.0.0.1:{},127.0.0.1:{}/{database}?target_session_attrs=read-write",
        replica.port(),
        primary.port()
    );
    let settings = PostgresSettings { application_name: String::from("several hosts"), ..patient(&url) };
    let store = PostgresStore::connect(&settings).unwrap();
    let backend =
        || test_db.admin("SELECT pid FROM pg_stat_activity WHERE application_name = 'several hosts'");
    look(&store).await.unwrap();
    let first = backend();
    assert!(!first.is_empty());
    for _ in 0..3 {
        look(&store).await.unwrap();
        assert_eq!(backend(), first);
    }
}
