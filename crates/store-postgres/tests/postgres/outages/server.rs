//! A server that is stopped, restarted, paused or read-only, and one of several.

use std::error::Error as _;
use std::time::{Duration, Instant};

use esoz_kernel::StoreErrorKind;
use esoz_store_postgres::{PostgresSettings, PostgresStore};
use esoz_test_servers::{Durability, Postgres};
use futures_util::future::join_all;

use super::{look, short_limits, unavailable_within, warm_up};
use crate::support::{TestDatabase, applied, fixture, fresh, patient, update};

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
    let store = PostgresStore::connect(&short_limits(&url)).unwrap();
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
async fn a_server_that_has_become_read_only_is_unavailable_and_left() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let (_, database) = test_db.url.rsplit_once('/').unwrap();
    test_db.admin(&format!("ALTER DATABASE {database} SET default_transaction_read_only = on"));
    let store = PostgresStore::connect(&patient(&test_db.url)).unwrap();
    for error in [update.apply(&store).await.unwrap_err(), store.ping().await.unwrap_err()] {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.to_string().contains("default_transaction_read_only is on"), "{error}");
    }
    // The next connection is a new one, and finds that it can write again.
    let session = test_db.session().await;
    session.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    session
        .batch_execute(&format!("ALTER DATABASE {database} RESET default_transaction_read_only"))
        .await
        .unwrap();
    store.ping().await.unwrap();
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
    let held = test_db.lock_contract_divisions().await;
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
