//! Indexes and what the server must be.

use std::error::Error;

use bson::doc;
use esoz_kernel::StoreErrorKind;
use esoz_store_mongo::{MongoSettings, MongoStore};
use futures_util::{TryStreamExt, future::join_all};

use crate::support::Fresh;

#[tokio::test(flavor = "multi_thread")]
async fn migrating_again_and_by_several_at_once_changes_nothing() {
    let fresh = Fresh::at(esoz_test_servers::shared::mongodb().uri()).await;
    let migrating = (0..4).map(|_| fresh.store.migrate());
    for migrated in join_all(migrating).await {
        migrated.unwrap();
    }
    fresh.store.migrate().await.unwrap();
    let indexes: Vec<_> = fresh.documents.list_indexes().await.unwrap().try_collect().await.unwrap();
    let mut partial = Vec::new();
    for index in &indexes {
        let options = index.options.as_ref().unwrap();
        if options.partial_filter_expression.is_some() {
            partial.push((index.keys.clone(), options.name.clone().unwrap()));
        }
    }
    assert_eq!(indexes.len(), 10, "with the one of MongoDB itself");
    partial.sort_by(|one, other| one.1.cmp(&other.1));
    assert_eq!(
        partial,
        [
            (doc! { "based_on.identifier.value": 1 }, "esoz_based_on_in_progress".to_owned()),
            (doc! { "inserted_at": 1, "_id": 1 }, "esoz_in_progress".to_owned()),
            (doc! { "esoz_keys.at": 1 }, "esoz_keys_at".to_owned()),
            (doc! { "esoz_keys.key": 1 }, "esoz_keys_key".to_owned()),
            (doc! { "esoz_outbox.set_aside.at": 1 }, "esoz_outbox_set_aside".to_owned()),
            (doc! { "esoz_outbox.since": 1 }, "esoz_outbox_waiting".to_owned()),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_that_lists_do_not_need_any_more_is_dropped() {
    let fresh = Fresh::at(esoz_test_servers::shared::mongodb().uri()).await;
    let old = mongodb::options::IndexOptions::builder().name("esoz_owner_inserted".to_owned()).build();
    let keys = doc! { "performer_legal_entity.identifier.value": 1, "inserted_at": -1 };
    fresh
        .documents
        .create_index(mongodb::IndexModel::builder().keys(keys).options(old).build())
        .await
        .unwrap();
    fresh.store.migrate().await.unwrap();
    let names = fresh.documents.list_index_names().await.unwrap();
    assert!(!names.iter().any(|name| name == "esoz_owner_inserted"), "{names:?}");
    for made in ["esoz_owner_inserted_at", "esoz_owner_status_inserted_at", "esoz_subject_owner_inserted_at"]
    {
        assert!(names.iter().any(|name| name == made), "{made} is not in {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_of_another_shape_under_our_name_is_named_in_the_error() {
    let fresh = Fresh::at(esoz_test_servers::shared::mongodb().uri()).await;
    let taken = mongodb::options::IndexOptions::builder().name("esoz_outbox_waiting".to_owned()).build();
    let taken = mongodb::IndexModel::builder().keys(doc! { "note": 1 }).options(taken).build();
    fresh.documents.create_index(taken).await.unwrap();
    let error = fresh.store.migrate().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unexpected);
    assert!(error.to_string().contains("esoz_outbox.since"), "{error}");
    assert!(error.source().unwrap().to_string().contains("error 86"), "{:?}", error.source());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_else_misses_for_the_unique_index() {
    let fresh = Fresh::at(esoz_test_servers::shared::mongodb().uri()).await;
    let taken = mongodb::options::IndexOptions::builder().name("esoz_keys_key".to_owned()).build();
    let taken = mongodb::IndexModel::builder().keys(doc! { "note": 1 }).options(taken).build();
    fresh.documents.create_index(taken).await.unwrap();
    let error = fresh.store.migrate().await.unwrap_err();
    assert!(error.to_string().contains("esoz_keys.key"), "{error}");
    let names = fresh.documents.list_index_names().await.unwrap();
    for made in ["esoz_outbox_waiting", "esoz_keys_at", "esoz_owner_inserted_at"] {
        assert!(names.iter().any(|name| name == made), "{made} is not in {names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_string_that_cannot_be_read_is_not_repeated() {
    let unreadable = (StoreErrorKind::Unexpected, "mongodb://");
    for (uri, (kind, told)) in [
        ("postgres://me:secret@host", unreadable),
        ("mongodb://me:sec:ret@host", unreadable),
        ("", unreadable),
        ("mongodb+srv://me:secret@host.invalid", (StoreErrorKind::Unavailable, "by DNS")),
    ] {
        let settings = MongoSettings::new(uri, "esoz");
        let Err(error) = MongoStore::connect(&settings).await else { panic!("{uri} was understood") };
        assert_eq!(error.kind(), kind, "{uri}");
        let shown = format!("{} {error:?}", error.with_causes());
        assert!(!shown.contains("secret") && !shown.contains("sec:ret"), "{shown}");
        assert!(error.to_string().contains(told), "{error}");
    }
}
