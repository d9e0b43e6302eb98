//! A storage that is away, slow, or something else: unavailable, within the time limit.

use std::time::{Duration, Instant};

use esoz_kernel::StoreErrorKind;
use esoz_media_storage::{MediaStore, S3Settings};
use esoz_signed_content::MediaStorage as _;
use esoz_test_servers::S3Bucket;
use esoz_test_servers::proxy::Proxy;

use crate::{CANARY, failures, key, settings_at};

/// How much longer than its limit an operation may take on a busy machine.
const MARGIN: Duration = Duration::from_secs(5);

async fn all_unavailable(storage: &MediaStore) {
    let started = Instant::now();
    for error in failures(storage).await {
        let text = error.with_causes();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{text}");
        assert!(text.contains(storage.name()) && !format!("{text} {error:?}").contains(CANARY), "{text}");
    }
    assert!(started.elapsed() < Duration::from_secs(1) + MARGIN, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_storage_that_refuses_connections_or_hangs_is_unavailable_and_comes_back() {
    let bucket = S3Bucket::start().unwrap();
    let proxy = Proxy::start(bucket.address()).unwrap();
    let storage = MediaStore::s3(&settings_at(&bucket, format!("http://{}", proxy.address()))).unwrap();
    storage.put(&key(2), b"stored").await.unwrap();

    proxy.cut();
    all_unavailable(&storage).await;
    proxy.heal();
    assert_eq!(storage.get(&key(2)).await.unwrap().unwrap(), b"stored");

    proxy.stall();
    all_unavailable(&storage).await;
    proxy.heal();
    assert_eq!(storage.get(&key(2)).await.unwrap().unwrap(), b"stored");

    proxy.half_open();
    all_unavailable(&storage).await;
    proxy.heal();
    assert_eq!(storage.get(&key(2)).await.unwrap().unwrap(), b"stored");
}

#[tokio::test]
async fn answers_that_may_pass_are_unavailable() {
    let bucket = S3Bucket::start().unwrap();
    let storage = MediaStore::s3(&settings_at(&bucket, bucket.endpoint())).unwrap();
    for status in [500, 502, 503, 429] {
        bucket.refuse_with(Some(status));
        all_unavailable(&storage).await;
    }
    bucket.refuse_with(None);
    storage.check().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_forbids_it_is_unexpected() {
    let bucket = S3Bucket::start().unwrap();
    let storage = MediaStore::s3(&settings_at(&bucket, bucket.endpoint())).unwrap();
    for status in [400, 401, 403] {
        bucket.refuse_with(Some(status));
        for error in failures(&storage).await {
            assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{status}: {}", error.with_causes());
        }
    }
}

#[tokio::test]
async fn what_waits_for_its_turn_has_its_time_limit() {
    let bucket = S3Bucket::start().unwrap();
    let proxy = Proxy::start(bucket.address()).unwrap();
    let settings = S3Settings {
        max_concurrent_operations: 1,
        ..settings_at(&bucket, format!("http://{}", proxy.address()))
    };
    let storage = MediaStore::s3(&settings).unwrap();
    proxy.stall();
    let key = key(1);
    let started = Instant::now();
    let outcomes = tokio::join!(storage.get(&key), storage.get(&key), storage.get(&key));
    for error in [outcomes.0, outcomes.1, outcomes.2].map(Result::unwrap_err) {
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{}", error.with_causes());
    }
    assert!(started.elapsed() < Duration::from_secs(1) + MARGIN, "{:?}", started.elapsed());
}
