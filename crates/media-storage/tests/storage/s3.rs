//! Requests: what they ask for, what is repeated, and answers that say no.

use esoz_kernel::{SecretString, StoreErrorKind};
use esoz_media_storage::{MediaStore, S3Settings};
use esoz_signed_content::MediaStorage as _;
use esoz_test_servers::S3Bucket;

use crate::{CANARY, failures, key, settings_at};

fn storage(bucket: &S3Bucket) -> MediaStore {
    MediaStore::s3(&settings_at(bucket, bucket.endpoint())).unwrap()
}

#[tokio::test]
async fn an_object_is_named_by_its_key_below_the_prefix() {
    let bucket = S3Bucket::start().unwrap();
    let settings = S3Settings { prefix: "a/b".to_owned(), ..settings_at(&bucket, bucket.endpoint()) };
    let storage = MediaStore::s3(&settings).unwrap();
    storage.put(&key(1), b"stored").await.unwrap();
    let name = format!("a/b/{}", key(1));
    assert_eq!(bucket.objects(), std::slice::from_ref(&name));
    assert_eq!(bucket.content(&name).unwrap(), b"stored");
}

#[tokio::test]
async fn a_good_bucket_passes_check_and_probe_and_keeps_nothing_of_them() {
    let bucket = S3Bucket::start().unwrap();
    let storage = storage(&bucket);
    storage.check().await.unwrap();
    assert_eq!(bucket.requests(), 1);
    storage.probe(&key(1)).await.unwrap();
    assert!(bucket.objects().is_empty());
}

#[tokio::test]
async fn a_wrong_key_and_a_missing_bucket_are_unexpected_and_told_with_their_remedy() {
    let bucket = S3Bucket::start().unwrap();
    let good = settings_at(&bucket, bucket.endpoint());
    for (settings, told) in [
        (
            S3Settings { access_key_id: "OTHERKEY".to_owned(), ..good.clone() },
            "403 AccessDenied: check the access key",
        ),
        (
            S3Settings { bucket: "other".to_owned(), ..good.clone() },
            "404 NoSuchBucket: check the endpoint and the bucket",
        ),
    ] {
        let storage = MediaStore::s3(&settings).unwrap();
        for error in failures(&storage).await {
            let text = error.with_causes();
            assert_eq!(error.kind(), StoreErrorKind::Unexpected, "{text}");
            assert!(text.contains(told) && text.contains(storage.name()), "{text}");
            assert!(!format!("{text} {error:?} {storage:?} {settings:?}").contains(CANARY), "{text}");
        }
    }
}

#[tokio::test]
async fn a_write_that_may_have_taken_effect_is_not_repeated() {
    let bucket = S3Bucket::start().unwrap();
    let storage = storage(&bucket);
    bucket.answer_writes_with(Some(500));
    let error = storage.put(&key(1), b"stored").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{}", error.with_causes());
    assert_eq!(bucket.requests(), 1);
    assert_eq!(storage.get(&key(1)).await.unwrap().unwrap(), b"stored");
}

#[tokio::test]
async fn what_was_not_begun_is_repeated_as_often_as_the_settings_say() {
    let bucket = S3Bucket::start().unwrap();
    for max_retries in [0, 2] {
        let settings = S3Settings { max_retries, ..settings_at(&bucket, bucket.endpoint()) };
        let storage = MediaStore::s3(&settings).unwrap();
        bucket.refuse_with(Some(503));
        let before = bucket.requests();
        storage.put(&key(1), b"stored").await.unwrap_err();
        let repeated = u64::try_from(max_retries).unwrap();
        assert_eq!(bucket.requests() - before, 1 + repeated);
    }
}

#[tokio::test]
async fn an_object_larger_than_any_container_is_corrupt() {
    let bucket = S3Bucket::start().unwrap();
    bucket.put(&key(1).to_string(), &vec![0; esoz_media_storage::MAX_CONTAINER_BYTES + 1]);
    let error = storage(&bucket).get(&key(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{}", error.with_causes());
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let settings = S3Settings {
        endpoint: SecretString::new("http://s3.example"),
        ..S3Settings::new("", "bucket", "us-east-1", "id", CANARY)
    };
    assert_eq!(MediaStore::s3(&settings).unwrap_err().setting(), "endpoint");
    let settings = S3Settings {
        root_certificate_file: Some("/no-such-file.pem".into()),
        ..S3Settings::new("https://s3.example", "bucket", "us-east-1", "id", CANARY)
    };
    assert_eq!(MediaStore::s3(&settings).unwrap_err().setting(), "root_certificate_file");
}
