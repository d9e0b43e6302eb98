//! A pool that is full, or that a caller leaves midway.

use std::time::Duration;

use esoz_store_postgres::{PostgresSettings, PostgresStore};
use esoz_testkit::wait::wait_for;
use futures_util::future::join_all;

use super::{look, unavailable_within};
use crate::support::{DEADLINE, fixture, fresh, patient, record, time, update};

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
    let held = test_db.lock_contract_divisions().await;
    let (waiting, same) = (store.clone(), update.clone());
    let apply = tokio::spawn(async move { same.apply(&waiting).await });
    test_db.until_waiting(1).await;
    let told = unavailable_within(Duration::from_secs(10), look(&store)).await;
    assert!(told.contains("no connection was free within"), "{told}");
    held.batch_execute("ROLLBACK").await.unwrap();
    apply.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_answers_nothing_is_not_told_as_a_full_pool() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://postgres@{}/esoz", silent.local_addr().unwrap());
    let settings = PostgresSettings { max_connections: 4, pool_wait_timeout_ms: 200, ..patient(&url) };
    let store = PostgresStore::connect(&settings).unwrap();
    // More than may be opened at once.
    for told in join_all((0..8).map(|_| unavailable_within(Duration::from_secs(10), look(&store)))).await {
        assert!(told.contains("the server did not respond within pool_wait_timeout_ms"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_midway_leaves_no_dirty_connection() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let settings = PostgresSettings { max_connections: 1, ..patient(&test_db.url) };
    let store = PostgresStore::connect(&settings).unwrap();
    let held = test_db.lock_contract_divisions().await;
    let (waiting, same) = (store.clone(), update.clone());
    let apply = tokio::spawn(async move { same.apply(&waiting).await });
    test_db.until_waiting(1).await;
    apply.abort();
    assert!(apply.await.unwrap_err().is_cancelled());
    // The statement still waits for the lock, on what was the pool's only connection.
    look(&store).await.unwrap();
    test_db.until_waiting(1).await;
    held.batch_execute("ROLLBACK").await.unwrap();
    // Half of it never happens: it took effect, or it did not.
    let record = record(&store, fixture.record.id).await;
    assert!(record == fixture.record || record.stamps.updated_at == time("2026-02-01T00:00:00.000005Z"));
}
