//! A database of a test's own, and records in it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use esoz_contract_division::{
    Contract, ContractDivision, ContractRecord, ContractRegistry, ContractStatus, ContractType, Division,
    DivisionRecord, DivisionStatus, Pair, Refusal,
};
use esoz_kernel::{
    ContractDivisionId, ContractId, DivisionId, LegalEntityId, Put, RequestId, Stamps, Timestamp, UserId,
    Uuid, Written,
};
use esoz_legal_entity::{
    LegalEntity, LegalEntityRecord, LegalEntityRegistry, LegalEntityStatus, LegalEntityType,
};
use esoz_store_postgres::{PostgresSettings, PostgresStore, migrate};
use esoz_test_servers::{PostgresAddress, shared};
use esoz_testkit::contract_divisions::{Update, stored};
use esoz_testkit::wait::wait_for;
use tokio_postgres::{Client, NoTls};

/// Long enough for anything that happens at all, on a slow machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The statement that ends the sessions that meet a condition, and returns when they are gone: without a time limit `pg_terminate_backend` returns
/// once the signal is sent, and a connection of the pool may be lost later, under a call.
pub(crate) fn end_sessions(condition: &str) -> String {
    format!("SELECT bool_and(pg_terminate_backend(pid, 30000)) FROM pg_stat_activity WHERE {condition}")
}

/// A migrated database of a test's own on the shared server.
pub(crate) async fn fresh() -> TestDatabase {
    let server = shared::postgres();
    TestDatabase::new(server, server.create_database().unwrap()).await
}

pub(crate) struct TestDatabase {
    pub(crate) server: PostgresAddress,
    pub(crate) url: String,
    pub(crate) store: PostgresStore,
}

impl TestDatabase {
    pub(crate) async fn new(server: &PostgresAddress, url: String) -> Self {
        migrate(&PostgresSettings::new(&url)).await.unwrap();
        let store = PostgresStore::connect(&patient(&url)).unwrap();
        Self { server: server.clone(), url, store }
    }

    /// Runs one statement as the administrator.
    pub(crate) fn admin(&self, sql: &str) -> String {
        self.server.query_in(&self.url, sql).unwrap()
    }

    /// A session beside the store's.
    pub(crate) async fn session(&self) -> Client {
        session(&self.url).await
    }

    /// Locks every contract division, until the session rolls back or is dropped.
    pub(crate) async fn lock_contract_divisions(&self) -> Client {
        let session = self.session().await;
        session.batch_execute("BEGIN; SELECT FROM contract_divisions FOR UPDATE").await.unwrap();
        session
    }

    /// Waits until that many of the store's statements wait for a lock.
    pub(crate) async fn until_waiting(&self, statements: i64) {
        let observer = self.session().await;
        wait_for("statements that wait for a lock", DEADLINE, async || {
            let sql = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND application_name = 'esoz' AND wait_event_type = 'Lock'";
            let waiting: i64 = observer.query_one(sql, &[]).await.unwrap().get(0);
            if waiting == statements { Ok(()) } else { Err(format!("{waiting} wait")) }
        })
        .await;
    }
}

/// Settings under which nothing times out by accident.
pub(crate) fn patient(url: &str) -> PostgresSettings {
    PostgresSettings {
        connect_timeout_ms: 30_000,
        pool_wait_timeout_ms: 30_000,
        statement_timeout_ms: 30_000,
        lock_timeout_ms: 30_000,
        // One batch at a time, so that tests know which updates share it.
        max_concurrent_batches: 1,
        ..PostgresSettings::new(url)
    }
}

pub(crate) async fn session(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    client
}

static NEXT: AtomicU32 = AtomicU32::new(1);

fn id() -> Uuid {
    Uuid::from_u128(
        0xe502_0000_0000_4000_8000_0000_0000_0000 + u128::from(NEXT.fetch_add(1, Ordering::Relaxed)),
    )
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn stamps() -> Stamps {
    let (at, by) = (time("2026-01-31T08:15:30.1Z"), UserId::new(id()));
    Stamps { inserted_at: at, inserted_by: by, updated_at: at, updated_by: by }
}

pub(crate) async fn legal_entity(store: &PostgresStore) -> LegalEntityId {
    let id = LegalEntityId::new(id());
    let record = LegalEntityRecord {
        facts: LegalEntity { id, kind: LegalEntityType::new("PHARMACY"), status: LegalEntityStatus::Active },
        name: String::from("Аптека"),
        edrpou: String::from("12345678"),
        is_active: true,
        stamps: stamps(),
    };
    assert_eq!(store.put_legal_entities(&[record]).await.unwrap(), [Put::Created]);
    id
}

pub(crate) async fn division(store: &PostgresStore, legal_entity: LegalEntityId) -> DivisionId {
    let id = DivisionId::new(id());
    let record = DivisionRecord {
        facts: Division { id, legal_entity, is_active: true },
        name: String::from("Відділення"),
        kind: String::from("CLINIC"),
        status: DivisionStatus::Active,
        dls_verified: None,
        stamps: stamps(),
    };
    assert_eq!(store.put_divisions(&[record]).await.unwrap(), [Put::Created]);
    id
}

pub(crate) async fn contract(store: &PostgresStore, contractor: LegalEntityId) -> ContractId {
    let id = ContractId::new(id());
    let record = ContractRecord {
        facts: Contract { id, kind: ContractType::GbCbp, contractor, is_active: true },
        status: ContractStatus::Verified,
        contract_number: String::from("0000-AAAA-1111"),
        start_date: "2026-01-01".parse().unwrap(),
        end_date: "2026-12-31".parse().unwrap(),
        is_suspended: false,
        stamps: stamps(),
    };
    assert_eq!(store.put_contracts(&[record]).await.unwrap(), [Put::Created]);
    id
}

pub(crate) async fn contract_division(
    store: &PostgresStore,
    contract_id: ContractId,
    division_id: DivisionId,
) -> ContractDivision {
    let record = ContractDivision {
        id: ContractDivisionId::new(id()),
        contract_id,
        division_id,
        is_active: true,
        stamps: stamps(),
    };
    assert_eq!(store.put_contract_divisions(&[record]).await.unwrap(), [Put::Created]);
    record
}

/// A record, its contract, and another division and another contract of the same legal entity to move it to.
pub(crate) struct UpdateFixture {
    pub(crate) record: ContractDivision,
    pub(crate) legal_entity: LegalEntityId,
    pub(crate) to: Pair,
}

pub(crate) async fn fixture(store: &PostgresStore) -> UpdateFixture {
    let legal_entity = legal_entity(store).await;
    let (from_contract, to_contract) =
        (contract(store, legal_entity).await, contract(store, legal_entity).await);
    let (from_division, to_division) =
        (division(store, legal_entity).await, division(store, legal_entity).await);
    let record = contract_division(store, from_contract, from_division).await;
    UpdateFixture { record, legal_entity, to: Pair { contract_id: to_contract, division_id: to_division } }
}

/// The update to that change.
pub(crate) fn update(record: ContractDivisionId, change: &Pair) -> Update {
    Update {
        id: record,
        change: *change,
        at: time("2026-02-01T00:00:00.000005Z"),
        by: UserId::new(id()),
        request_id: RequestId::parse("request-0123456789abcdef").unwrap(),
        idempotency: None,
    }
}

/// What an update that was applied has made of its record.
pub(crate) fn applied(answer: Written<ContractDivision, Refusal>) -> ContractDivision {
    match answer {
        Written::Applied(record) => record,
        other => panic!("{other:?}"),
    }
}

/// The record as it is stored.
pub(crate) async fn record(store: &PostgresStore, id: ContractDivisionId) -> ContractDivision {
    stored(store, id).await.unwrap().unwrap()
}

/// How many audit rows there are about a record.
pub(crate) fn audit_rows(test_db: &TestDatabase, record: ContractDivisionId) -> usize {
    let sql = format!("SELECT count(*) FROM audit_log WHERE resource_id = '{record}'");
    test_db.admin(&sql).parse().unwrap()
}
