//! The contract suites of the ports, each case on a database of its own on a real server.
#![expect(clippy::unwrap_used, reason = "tests: a failure is to end them")]

use std::sync::Arc;

use async_trait::async_trait;
use esoz_events::{EventRef, StatusChangeEvent};
use esoz_store_postgres::{PostgresSettings, PostgresStore, migrate};
use esoz_test_servers::raw::PostgresAudit;
use esoz_test_servers::shared;
use esoz_testkit::contract::{
    ContractStore, CredentialStore, EventLogUnderTest, OutboxUnderTest, RawOutbox, RegistryStore,
};

/// A store on a migrated database, and the database's URL.
async fn fresh() -> (PostgresStore, String) {
    let url = shared::postgres().create_database().unwrap();
    migrate(&PostgresSettings::new(&url)).await.unwrap();
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

async fn fresh_registries() -> RegistryStore {
    let store = Arc::new(fresh().await.0);
    RegistryStore {
        registries: store.clone(),
        records: store.clone(),
        legal_entities: store.clone(),
        contracts: store,
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

async fn fresh_event_log() -> EventLogUnderTest {
    let (store, url) = fresh().await;
    let raw = Arc::new(PostgresAudit::new(shared::postgres(), &url));
    EventLogUnderTest { log: Arc::new(store), raw, keep: Box::new(()) }
}

/// The table of a database.
struct OutboxTable(tokio_postgres::Client);

impl OutboxTable {
    async fn run(&self, sql: &str) {
        self.0.batch_execute(sql).await.unwrap();
    }
}

#[async_trait]
impl RawOutbox for OutboxTable {
    async fn put(&self, event: &StatusChangeEvent) {
        let StatusChangeEvent {
            id, entity_id, new_status, event_time, changed_by, request_id, trace, ..
        } = event;
        let trace = trace.map_or("NULL".to_owned(), |trace| format!("'{trace}'"));
        let sql = format!(
            "INSERT INTO outbox (event_id, entity_type, entity_id, new_status, event_time, changed_by, request_id, traceparent)
             VALUES ('{id}', '{}', '{entity_id}', '{new_status}', '{event_time}', '{changed_by}', '{request_id}', {trace})",
            event.entity_type.as_str()
        );
        self.run(&sql).await;
    }

    async fn make_readable(&self, event: EventRef, is_readable: bool) {
        let text = if is_readable { "trim(request_id)" } else { "' ' || request_id" };
        self.run(&format!("UPDATE outbox SET request_id = {text} WHERE event_id = '{}'", event.id)).await;
    }
}

async fn fresh_outbox() -> OutboxUnderTest {
    let (store, url) = fresh().await;
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    OutboxUnderTest { outbox: Arc::new(store), raw: Arc::new(OutboxTable(client)), keep: Box::new(()) }
}

esoz_testkit::outbox_contract!(fresh_outbox);
esoz_testkit::contract_store_contract!(fresh_contracts);
esoz_testkit::registry_store_contract!(fresh_registries);
esoz_testkit::credential_store_contract!(fresh_credentials);
esoz_testkit::event_log_contract!(fresh_event_log);
