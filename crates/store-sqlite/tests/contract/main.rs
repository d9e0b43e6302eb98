//! The contract of every port, kept by this adapter.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

use std::sync::Arc;

use async_trait::async_trait;
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use esoz_events::{EventRef, StatusChangeEvent};
use esoz_store_sqlite::SqliteStore;
use esoz_test_servers::raw::SqliteFile;
use esoz_testkit::contract::{
    ContractStore, CredentialStore, DispenseStore, DispenseWriteStore, EventLogUnderTest,
    FingerprintsUnderTest, OutboxUnderTest, PublisherUnderTest, RawFingerprints, RawOutbox, RegistryStore,
    put_with_change,
};

async fn fresh_dispenses() -> DispenseStore {
    fresh_dispense_writes().await.dispenses
}

async fn fresh_dispense_writes() -> DispenseWriteStore {
    let fresh = common::fresh();
    let (store, raw) = (Arc::new(fresh.store), Arc::new(SqliteFile::new(&fresh.settings.path)));
    let dispenses = DispenseStore {
        dispenses: store.clone(),
        registry: store.clone(),
        outbox: store.clone(),
        keys: store.clone(),
        raw: raw.clone(),
        keep: Box::new(fresh.dir),
    };
    DispenseWriteStore { writes: store.clone(), requests: store, raw_requests: raw, dispenses }
}

/// The table of the file.
struct OutboxTable {
    store: Arc<SqliteStore>,
    path: std::path::PathBuf,
}

#[async_trait]
impl RawOutbox for OutboxTable {
    async fn put(&self, event: &StatusChangeEvent) {
        put_with_change(self.store.as_ref(), event).await;
    }

    async fn make_readable(&self, event: EventRef, is_readable: bool) {
        let text = if is_readable { "trim(request_id)" } else { "' ' || request_id" };
        let mut shell = SqliteConnection::establish(self.path.to_str().unwrap()).unwrap();
        let sql = format!(
            "PRAGMA busy_timeout = 60000; UPDATE outbox SET request_id = {text} WHERE event_id = '{}'",
            event.id
        );
        shell.batch_execute(&sql).unwrap();
    }
}

async fn fresh_outbox() -> OutboxUnderTest {
    let fresh = common::fresh();
    let store = Arc::new(fresh.store);
    let raw = Arc::new(OutboxTable { store: store.clone(), path: fresh.settings.path });
    OutboxUnderTest { outbox: store, raw, keep: Box::new(fresh.dir) }
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

async fn fresh_registries() -> RegistryStore {
    let fresh = common::fresh();
    let store = Arc::new(fresh.store);
    RegistryStore {
        registries: store.clone(),
        records: store.clone(),
        legal_entities: store.clone(),
        contracts: store,
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

async fn fresh_event_log() -> EventLogUnderTest {
    let fresh = common::fresh();
    let raw = Arc::new(SqliteFile::new(&fresh.settings.path));
    EventLogUnderTest { log: Arc::new(fresh.store), raw, keep: Box::new(fresh.dir) }
}

async fn fresh_publisher() -> PublisherUnderTest {
    let fresh = common::fresh();
    PublisherUnderTest {
        publisher: Arc::new(fresh.store),
        delivered: Arc::new(SqliteFile::new(&fresh.settings.path)),
        keep: Box::new(fresh.dir),
    }
}

/// The file past the store.
struct SettingsTable(std::path::PathBuf);

#[async_trait]
impl RawFingerprints for SettingsTable {
    async fn make_unreadable(&self) {
        let mut shell = SqliteConnection::establish(self.0.to_str().unwrap()).unwrap();
        shell.batch_execute("PRAGMA busy_timeout = 60000; UPDATE settings SET value = x'00'").unwrap();
    }
}

async fn fresh_fingerprints() -> FingerprintsUnderTest {
    let fresh = common::fresh();
    FingerprintsUnderTest {
        fingerprints: Arc::new(fresh.store),
        raw: Arc::new(SettingsTable(fresh.settings.path)),
        keep: Box::new(fresh.dir),
    }
}

esoz_testkit::dispense_store_contract!(fresh_dispenses);
esoz_testkit::dispense_writes_contract!(fresh_dispense_writes);
esoz_testkit::outbox_contract!(fresh_outbox);
esoz_testkit::contract_store_contract!(fresh_contracts);
esoz_testkit::registry_store_contract!(fresh_registries);
esoz_testkit::credential_store_contract!(fresh_credentials);
esoz_testkit::event_log_contract!(fresh_event_log);
esoz_testkit::publisher_contract!(fresh_publisher);
esoz_testkit::fingerprints_contract!(fresh_fingerprints);

#[test]
fn every_sequence_of_operations_is_answered_as_by_the_model() {
    esoz_testkit::contract::sequences::every_sequence(32, file!(), fresh_dispenses);
}
