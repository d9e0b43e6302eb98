//! What the contract does not say: files and their modes, requests, and storages that are away.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod folder;
mod outage;
mod s3;
mod tls;

use esoz_kernel::{DispenseId, StoreError, Uuid};
use esoz_media_storage::{MediaStore, S3Settings};
use esoz_signed_content::{MediaKey, MediaStorage as _};
use esoz_test_servers::S3Bucket;
use jiff::civil::date;

/// What must be in no error and no `Debug` output.
const CANARY: &str = "canary";

fn key(random: u128) -> MediaKey {
    MediaKey::new(date(2026, 1, 31), DispenseId::new(Uuid::from_u128(0xA)), Uuid::from_u128(random))
}

/// Settings of a bucket behind another address, with a time limit of a second.
fn settings_at(bucket: &S3Bucket, endpoint: String) -> S3Settings {
    let settings = S3Settings::new(endpoint, bucket.name(), "us-east-1", bucket.access_key_id(), CANARY);
    S3Settings { timeout_ms: 1_000, ..settings }
}

/// The error of every operation, the check included, all at once.
async fn failures(storage: &MediaStore) -> [StoreError; 5] {
    let one = key(1);
    let (put, get, delete, list, check) = tokio::join!(
        storage.put(&one, CANARY.as_bytes()),
        storage.get(&one),
        storage.delete(&one),
        storage.list(one.day(), None, 10),
        storage.check(),
    );
    [put.unwrap_err(), get.unwrap_err(), delete.unwrap_err(), list.unwrap_err(), check.unwrap_err()]
}
