//! What is away, slow or cut off is unavailable in time, and forgotten when it is back.

mod connections;
mod pool;
mod server;

use std::error::Error as _;
use std::time::{Duration, Instant};

use esoz_auth::{AccessTokens, Secret};
use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_store_postgres::{PostgresSettings, PostgresStore};
use futures_util::future::join_all;

use crate::support::patient;

/// Settings with limits of a few seconds.
fn short_limits(url: &str) -> PostgresSettings {
    PostgresSettings {
        connect_timeout_ms: 2_000,
        pool_wait_timeout_ms: 4_000,
        statement_timeout_ms: 2_000,
        ..patient(url)
    }
}

async fn look(store: &PostgresStore) -> Result<(), StoreError> {
    AccessTokens::find(store, &Secret::new("a token")).await.map(|token| assert_eq!(token, None))
}

/// Opens several connections.
async fn warm_up(store: &PostgresStore) {
    for answer in join_all((0..4).map(|_| look(store))).await {
        answer.unwrap();
    }
}

/// Returns the error with its causes.
async fn unavailable_within(limit: Duration, call: impl Future<Output = Result<(), StoreError>>) -> String {
    let started = Instant::now();
    let error = call.await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}: {:?}", error.source());
    assert!(started.elapsed() < limit, "it took {:?}", started.elapsed());
    error.with_causes()
}
