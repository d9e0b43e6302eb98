use esoz_batch::{BatchExecutor as _, Queued};
use esoz_device_dispense::DispenseRegistry as _;
use esoz_kernel::{StoreError, StoreErrorKind};
use esoz_testkit::builders::dispense;
use futures_util::future::join_all;

use super::{super::query::tests::connected, *};
use crate::{
    MongoSettings, MongoStore, collections::MAX_JOBS, fields::ID, reads::ReadExecutor, values::uuid,
};

/// The answers to finds that wait at the same time.
async fn together(store: &MongoStore, ids: &[DispenseId]) -> Vec<Result<Option<RawDocumentBuf>, StoreError>> {
    let (jobs, answered): (Vec<_>, Vec<_>) = ids.iter().copied().map(Queued::new).unzip();
    ReadExecutor::<Find>::new(store.documents.clone()).run_batch(jobs).await;
    let answers = answered.into_iter().map(|answered| async { answered.answer().await.unwrap() });
    join_all(answers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_gets_its_own_document_or_none() {
    let store = connected().await;
    let stored: Vec<_> = (0..MAX_JOBS).map(|_| dispense().build()).collect();
    store.put_dispenses(&stored).await.unwrap();
    let mut ids: Vec<DispenseId> = stored.iter().map(|dispense| dispense.id).collect();
    // One twice, and one that is not there.
    ids[1] = ids[0];
    ids[2] = dispense().build().id;
    let found = together(&store, &ids).await;
    store.documents.database.drop().await.unwrap();
    for (index, (id, found)) in ids.iter().zip(found).enumerate() {
        let expected = (index != 2).then_some(id.uuid());
        assert_eq!(found.unwrap().and_then(|document| uuid(&document, ID)), expected, "{index}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_server_is_gone_each_is_told() {
    let settings = MongoSettings {
        server_selection_timeout_ms: 50,
        ..MongoSettings::new("mongodb://127.0.0.1:1/?directConnection=true", "esoz")
    };
    let store = MongoStore::connect(&settings).await.unwrap();
    let ids = [(); 3].map(|()| dispense().build().id);
    for (id, found) in ids.iter().zip(together(&store, &ids).await) {
        let error = found.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert!(error.to_string().contains(&id.to_string()), "{error}");
    }
}
