//! A file that is read-only, or not the one that was opened, as the store sees it. A full disk is a test of the probe, a broken one of the whole
//! program.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use diesel::connection::SimpleConnection as _;
use esoz_auth::{AccessTokens, Credentials as _};
use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_store_sqlite::SqliteStore;
use esoz_testkit::builders::{access_token, secret};

use crate::common::fresh;
use crate::shell;

/// The version of the file format that a writer must know, in the header. SQLite opens a file with a higher one only to read it, whoever asks: root
/// may write a file whose mode forbids it.
fn set_write_version(path: &Path, version: u8) {
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(18)).unwrap();
    file.write_all(&[version]).unwrap();
}

fn assert_unavailable(error: &StoreError, cause: &str) {
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{}", error.with_causes());
    assert!(error.with_causes().contains(cause), "{}", error.with_causes());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_is_unavailable_for_writes_until_it_can_be_written() {
    // given
    let fresh = fresh();
    drop(fresh.store);
    shell(&fresh.settings.path).batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    set_write_version(&fresh.settings.path, 3);
    let store = SqliteStore::open(&fresh.settings).unwrap();
    let token = secret();
    for _ in 0..2 {
        // when
        let refused = store.add_token(&access_token(&token)).await.unwrap_err();
        // then
        assert_unavailable(&refused, "readonly");
        assert_unavailable(&store.ping().await.unwrap_err(), "readonly");
        assert_eq!(AccessTokens::find(&store, &token).await.unwrap(), None);
    }
    // when
    set_write_version(&fresh.settings.path, 2);
    // then: without opening the store again
    store.ping().await.unwrap();
    store.add_token(&access_token(&token)).await.unwrap();
    assert!(AccessTokens::find(&store, &token).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone_or_another_is_unavailable_until_it_is_back() {
    let fresh = fresh();
    let (path, store, token) = (&fresh.settings.path, &fresh.store, secret());
    let aside = path.with_extension("aside");
    for is_replaced in [false, true] {
        // when
        std::fs::rename(path, &aside).unwrap();
        if is_replaced {
            std::fs::copy(&aside, path).unwrap();
        }
        // then
        let gone = format!("the database {} was deleted or replaced", path.display());
        assert_unavailable(&store.ping().await.unwrap_err(), &gone);
        assert_unavailable(&store.add_token(&access_token(&token)).await.unwrap_err(), &gone);
        assert_unavailable(&AccessTokens::find(store, &token).await.unwrap_err(), &gone);
        // when
        std::fs::rename(&aside, path).unwrap();
        // then
        store.ping().await.unwrap();
        assert_eq!(AccessTokens::find(store, &token).await.unwrap(), None);
    }
    store.add_token(&access_token(&token)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_gone_or_another_is_unavailable() {
    for (suffix, is_replaced) in [("-wal", false), ("-wal", true), ("-shm", false)] {
        // given: a change that is in the log alone
        let fresh = fresh();
        let (path, store, token) = (&fresh.settings.path, fresh.store, secret());
        store.ping().await.unwrap();
        store.add_token(&access_token(&token)).await.unwrap();
        let log = path.with_file_name(format!("{}{suffix}", path.file_name().unwrap().display()));
        // when
        std::fs::remove_file(&log).unwrap();
        if is_replaced {
            std::fs::write(&log, "").unwrap();
        }
        // then
        let gone = format!("{} was deleted or replaced", log.display());
        assert_unavailable(&store.ping().await.unwrap_err(), &gone);
        assert_unavailable(&store.add_token(&access_token(&secret())).await.unwrap_err(), &gone);
        assert_unavailable(&AccessTokens::find(&store, &token).await.unwrap_err(), &gone);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_a_checkpoint_emptied_is_still_the_log() {
    let fresh = fresh();
    let token = secret();
    shell(&fresh.settings.path).batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    fresh.store.ping().await.unwrap();
    fresh.store.add_token(&access_token(&token)).await.unwrap();
    assert!(AccessTokens::find(&fresh.store, &token).await.unwrap().is_some());
}
