//! The contract that every store of dispenses keeps.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod support;

use std::sync::Arc;

use esoz_test_servers::raw::MongoDocuments;
use esoz_testkit::contract::DispenseStore;
use support::Fresh;

// ANCHOR: suite
async fn fresh() -> DispenseStore {
    let fresh = Fresh::shared().await;
    DispenseStore {
        dispenses: Arc::new(fresh.store.clone()),
        registry: Arc::new(fresh.store.clone()),
        outbox: Arc::new(fresh.store.clone()),
        keys: Arc::new(fresh.store.clone()),
        raw: Arc::new(MongoDocuments::of(fresh.documents.clone())),
        keep: Box::new(fresh),
    }
}

esoz_testkit::dispense_store_contract!(fresh);
// ANCHOR_END: suite

#[test]
fn every_sequence_of_operations_is_answered_as_by_the_model() {
    esoz_testkit::contract::sequences::every_sequence(12, file!(), fresh);
}
