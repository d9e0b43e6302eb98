//! The contract suites of the ports, each case on a database of its own on a real server.
#![expect(clippy::unwrap_used, reason = "tests: a failure is to end them")]

use std::sync::Arc;

use esoz_store_postgres::{MigrationSettings, PostgresSettings, PostgresStore, migrate};
use esoz_test_servers::raw::PostgresAudit;
use esoz_test_servers::shared;
use esoz_testkit::contract::{ContractStore, CredentialStore};

/// A store on a migrated database, and the database's URL.
async fn fresh() -> (PostgresStore, String) {
    let url = shared::postgres().create_database().unwrap();
    migrate(&MigrationSettings::new(&url)).await.unwrap();
    let settings = PostgresSettings {
        // Nothing is to time out because the machine is slow.
        connect_timeout_ms: 30_000,
        pool_wait_timeout_ms: 30_000,
        statement_timeout_ms: 30_000,
        lock_timeout_ms: 30_000,
        ..PostgresSettings::new(&url)
    };
    (PostgresStore::connect(&settings).unwrap(), url)
}

async fn fresh_contracts() -> ContractStore {
    let (store, url) = fresh().await;
    ContractStore {
        contract_divisions: Arc::new(store.clone()),
        registry: Arc::new(store.clone()),
        legal_entities: Arc::new(store.clone()),
        legal_entity_registry: Arc::new(store.clone()),
        keys: Arc::new(store),
        audit: Arc::new(PostgresAudit::new(shared::postgres(), &url)),
        keep: Box::new(()),
    }
}

async fn fresh_credentials() -> CredentialStore {
    let (store, _) = fresh().await;
    CredentialStore {
        tokens: Arc::new(store.clone()),
        api_keys: Arc::new(store.clone()),
        blocks: Arc::new(store.clone()),
        credentials: Arc::new(store),
        keep: Box::new(()),
    }
}

esoz_testkit::contract_store_contract!(fresh_contracts);
esoz_testkit::credential_store_contract!(fresh_credentials);
