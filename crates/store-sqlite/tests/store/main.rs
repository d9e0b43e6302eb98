//! What is special to this adapter: the file, its schema, several processes, tampering. What every adapter must do is in `contract`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod audit;
mod busy;
mod device_requests;
mod dispenses;
mod event_log;
mod first_start;
mod health;
mod idempotency;
mod migrations;
mod older_sqlite;
mod processes;
mod read_limit;
mod tampering;
mod tampering_registries;
mod untouched;

use std::path::Path;
use std::slice;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use esoz_contract_division::{ContractDivision, ContractRecord, ContractRegistry as _, DivisionRecord, Pair};
use esoz_kernel::{LegalEntityId, Put, Written};
use esoz_legal_entity::LegalEntityRegistry as _;
use esoz_store_sqlite::SqliteStore;
use esoz_testkit::builders::{
    at_micros, contract_division, contract_of, division_of, legal_entity, request_id, user,
};
use esoz_testkit::contract_divisions::Update;

/// What an operator with a shell has: a connection past the store, that may do anything.
fn shell(path: &Path) -> SqliteConnection {
    let mut shell = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    shell.batch_execute("PRAGMA busy_timeout = 60000").unwrap();
    shell
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Nullable<Text>)]
    answer: Option<String>,
}

/// The column `answer` of the only row, as text.
fn ask(shell: &mut SqliteConnection, sql: &str) -> Option<String> {
    let answer: Answer = diesel::sql_query(sql).get_result(shell).unwrap();
    answer.answer
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// The column `number` of the only row.
fn count(shell: &mut SqliteConnection, sql: &str) -> i64 {
    let number: Number = diesel::sql_query(sql).get_result(shell).unwrap();
    number.number
}

/// An active contract division of an active contract and division, all stored.
struct UpdateFixture {
    owner: LegalEntityId,
    division: DivisionRecord,
    contract: ContractRecord,
    record: ContractDivision,
}

impl UpdateFixture {
    async fn set(store: &SqliteStore) -> Self {
        let owner = legal_entity();
        assert_eq!(store.put_legal_entities(slice::from_ref(&owner)).await.unwrap(), [Put::Created]);
        let owner = owner.facts.id;
        let (division, contract) = (division_of(owner), contract_of(owner));
        assert_eq!(store.put_divisions(slice::from_ref(&division)).await.unwrap(), [Put::Created]);
        assert_eq!(store.put_contracts(slice::from_ref(&contract)).await.unwrap(), [Put::Created]);
        let record = contract_division(contract.facts.id, division.facts.id);
        assert_eq!(store.put_contract_divisions(&[record]).await.unwrap(), [Put::Created]);
        Self { owner, division, contract, record }
    }

    /// To the pair that it has.
    fn update(&self) -> Update {
        Update {
            id: self.record.id,
            change: Pair { division_id: self.division.facts.id, contract_id: self.contract.facts.id },
            at: at_micros(1),
            by: user(),
            request_id: request_id(),
            idempotency: None,
        }
    }

    async fn apply(&self, store: &SqliteStore) {
        assert!(matches!(self.update().apply(store).await.unwrap(), Written::Applied(_)));
    }
}
