//! The contract of every port, kept by this adapter.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

use std::sync::Arc;

use esoz_test_servers::raw::SqliteFile;
use esoz_testkit::contract::{ContractStore, CredentialStore, DispenseStore, PublisherUnderTest};

async fn fresh_dispenses() -> DispenseStore {
    let fresh = common::fresh();
    let store = Arc::new(fresh.store);
    DispenseStore {
        dispenses: store.clone(),
        registry: store.clone(),
        outbox: store.clone(),
        keys: store,
        raw: Arc::new(SqliteFile::new(&fresh.settings.path)),
        keep: Box::new(fresh.dir),
    }
}

async fn fresh_contracts() -> ContractStore {
    let fresh = common::fresh();
    let store = Arc::new(fresh.store);
    ContractStore {
        contract_divisions: store.clone(),
        registry: store.clone(),
        legal_entities: store.clone(),
        legal_entity_registry: store.clone(),
        keys: store,
        audit: Arc::new(SqliteFile::new(&fresh.settings.path)),
        keep: Box::new(fresh.dir),
    }
}

async fn fresh_credentials() -> CredentialStore {
    let fresh = common::fresh();
    let store = Arc::new(fresh.store);
    CredentialStore {
        tokens: store.clone(),
        api_keys: store.clone(),
        blocks: store.clone(),
        credentials: store,
        keep: Box::new(fresh.dir),
    }
}

async fn fresh_publisher() -> PublisherUnderTest {
    let fresh = common::fresh();
    PublisherUnderTest {
        publisher: Arc::new(fresh.store),
        delivered: Arc::new(SqliteFile::new(&fresh.settings.path)),
        keep: Box::new(fresh.dir),
    }
}

esoz_testkit::dispense_store_contract!(fresh_dispenses);
esoz_testkit::contract_store_contract!(fresh_contracts);
esoz_testkit::credential_store_contract!(fresh_credentials);
esoz_testkit::publisher_contract!(fresh_publisher);

#[test]
fn every_sequence_of_operations_is_answered_as_by_the_model() {
    esoz_testkit::contract::sequences::every_sequence(32, file!(), fresh_dispenses);
}
