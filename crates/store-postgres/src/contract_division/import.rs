//! Loading divisions, contracts and contract divisions.
//!
//! Each record is one statement and so one transaction: a refused record takes no other with it, no lock is held for longer than one
//! record takes, and a load can be broken off and done again.

use async_trait::async_trait;
use diesel::data_types::{PgDate, PgTimestamp};
use diesel::sql_types;
use diesel_async::AsyncPgConnection;
use diesel_async::methods::LoadQuery;
use esoz_contract_division::{ContractDivision, ContractRecord, ContractRegistry, DivisionRecord};
use esoz_kernel::{Put, StoreError};
use uuid::Uuid;

use crate::PostgresStore;
use crate::error::Failure;
use crate::statement::{at_most_one, statement};
use crate::time::{date_to_pg, to_pg};

/// Runs a statement for each record. It gives whether the record was new, and no row when it stays as it was.
pub(crate) async fn put_all<Record, Statement>(
    store: &PostgresStore,
    records: &[Record],
    what: &str,
    id: impl Fn(&Record) -> Uuid,
    statement: impl Fn(&Record) -> Statement,
) -> Result<Vec<Put>, StoreError>
where
    Statement: LoadQuery<'static, AsyncPgConnection, bool> + Send + 'static,
{
    let mut answers = Vec::with_capacity(records.len());
    let connection = store.connections.connection().await;
    let mut connection =
        connection.map_err(|failure| failure.during(format_args!("storing records of {what}")))?;
    for record in records {
        answers.push(match connection.rows(statement(record)).await {
            Ok(rows) => match at_most_one(rows) {
                Some(true) => Put::Created,
                Some(false) => Put::Updated,
                None => Put::Kept,
            },
            Err(failure) if failure.is_data_error() => Put::Refused(reason(&failure)),
            Err(failure) => return Err(failure.during(format_args!("storing {what} {}", id(record)))),
        });
    }
    Ok(answers)
}

/// Why the database did not take a record, for whoever loads it.
fn reason(failure: &Failure) -> String {
    String::from(match failure.violated_constraint() {
        Some("divisions_legal_entity_id_fkey") => "its legal entity is not there",
        Some("contracts_contractor_legal_entity_id_fkey") => "its contractor's legal entity is not there",
        Some("contract_divisions_contract_id_fkey") => "its contract is not there",
        Some("contract_divisions_division_id_fkey") => "its division is not there",
        Some("contract_divisions_active_pair") => "another active record has its contract and division",
        Some(constraint) => return format!("it violates the constraint {constraint}"),
        // The server's text: it names the kind of value, e.g. a time out of range or a zero byte in a text.
        None => return format!("a value of it cannot be stored: {failure}"),
    })
}

statement! {
    /// Stores a division; gives whether it was new, and no row when it was there with the same content.
    PutDivision {
        id: Uuid => sql_types::Uuid,
        legal_entity_id: Uuid => sql_types::Uuid,
        name: String => sql_types::Text,
        kind: String => sql_types::Text,
        status: &'static str => sql_types::Text,
        is_active: bool => sql_types::Bool,
        dls_verified: Option<bool> => sql_types::Nullable<sql_types::Bool>,
        inserted_at: PgTimestamp => sql_types::Timestamptz,
        inserted_by: Uuid => sql_types::Uuid,
        updated_at: PgTimestamp => sql_types::Timestamptz,
        updated_by: Uuid => sql_types::Uuid,
    } -> sql_types::Bool;
    " INSERT INTO divisions AS stored
         (id, legal_entity_id, name, type, status, is_active, dls_verified, inserted_at, inserted_by, updated_at, updated_by)
     SELECT id, legal_entity_id, name, kind, status, is_active, dls_verified, inserted_at, inserted_by, updated_at, updated_by
     FROM args
     ON CONFLICT (id) DO UPDATE SET
         (legal_entity_id, name, type, status, is_active, dls_verified, updated_at, updated_by) =
         (excluded.legal_entity_id, excluded.name, excluded.type, excluded.status, excluded.is_active,
          excluded.dls_verified, excluded.updated_at, excluded.updated_by)
     WHERE (stored.legal_entity_id, stored.name, stored.type, stored.status, stored.is_active, stored.dls_verified,
            stored.updated_at, stored.updated_by) IS DISTINCT FROM
           (excluded.legal_entity_id, excluded.name, excluded.type, excluded.status, excluded.is_active,
            excluded.dls_verified, excluded.updated_at, excluded.updated_by)
     RETURNING xmax = 0"
}

statement! {
    /// Stores a contract; gives whether it was new, and no row when it was there with the same content.
    PutContract {
        id: Uuid => sql_types::Uuid,
        kind: &'static str => sql_types::Text,
        status: &'static str => sql_types::Text,
        contract_number: String => sql_types::Text,
        contractor: Uuid => sql_types::Uuid,
        start_date: PgDate => sql_types::Date,
        end_date: PgDate => sql_types::Date,
        is_active: bool => sql_types::Bool,
        is_suspended: bool => sql_types::Bool,
        inserted_at: PgTimestamp => sql_types::Timestamptz,
        inserted_by: Uuid => sql_types::Uuid,
        updated_at: PgTimestamp => sql_types::Timestamptz,
        updated_by: Uuid => sql_types::Uuid,
    } -> sql_types::Bool;
    " INSERT INTO contracts AS stored
         (id, type, status, contract_number, contractor_legal_entity_id, start_date, end_date, is_active, is_suspended,
          inserted_at, inserted_by, updated_at, updated_by)
     SELECT id, kind, status, contract_number, contractor, start_date, end_date, is_active, is_suspended,
            inserted_at, inserted_by, updated_at, updated_by
     FROM args
     ON CONFLICT (id) DO UPDATE SET
         (type, status, contract_number, contractor_legal_entity_id, start_date, end_date, is_active, is_suspended,
          updated_at, updated_by) =
         (excluded.type, excluded.status, excluded.contract_number, excluded.contractor_legal_entity_id,
          excluded.start_date, excluded.end_date, excluded.is_active, excluded.is_suspended, excluded.updated_at,
          excluded.updated_by)
     WHERE (stored.type, stored.status, stored.contract_number, stored.contractor_legal_entity_id, stored.start_date,
            stored.end_date, stored.is_active, stored.is_suspended, stored.updated_at, stored.updated_by)
           IS DISTINCT FROM
           (excluded.type, excluded.status, excluded.contract_number, excluded.contractor_legal_entity_id,
            excluded.start_date, excluded.end_date, excluded.is_active, excluded.is_suspended, excluded.updated_at,
            excluded.updated_by)
     RETURNING xmax = 0"
}

statement! {
    /// Stores a contract division unless it is there; gives a row when it was new.
    ///
    /// Only a record with the same id is kept: another active one with the same pair is an error of the unique index.
    PutContractDivision {
        id: Uuid => sql_types::Uuid,
        contract_id: Uuid => sql_types::Uuid,
        division_id: Uuid => sql_types::Uuid,
        is_active: bool => sql_types::Bool,
        inserted_at: PgTimestamp => sql_types::Timestamptz,
        inserted_by: Uuid => sql_types::Uuid,
        updated_at: PgTimestamp => sql_types::Timestamptz,
        updated_by: Uuid => sql_types::Uuid,
    } -> sql_types::Bool;
    " INSERT INTO contract_divisions
         (id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by)
     SELECT id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by FROM args
     ON CONFLICT (id) DO NOTHING
     RETURNING true"
}

#[async_trait]
impl ContractRegistry for PostgresStore {
    async fn put_divisions(&self, records: &[DivisionRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(
            self,
            records,
            "division",
            |record| record.facts.id.uuid(),
            |record| PutDivision {
                id: record.facts.id.uuid(),
                legal_entity_id: record.facts.legal_entity.uuid(),
                name: record.name.clone(),
                kind: record.kind.clone(),
                status: record.status.as_str(),
                is_active: record.facts.is_active,
                dls_verified: record.dls_verified,
                inserted_at: to_pg(record.stamps.inserted_at),
                inserted_by: record.stamps.inserted_by.uuid(),
                updated_at: to_pg(record.stamps.updated_at),
                updated_by: record.stamps.updated_by.uuid(),
            },
        )
        .await
    }

    async fn put_contracts(&self, records: &[ContractRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(
            self,
            records,
            "contract",
            |record| record.facts.id.uuid(),
            |record| PutContract {
                id: record.facts.id.uuid(),
                kind: record.facts.kind.as_str(),
                status: record.status.as_str(),
                contract_number: record.contract_number.clone(),
                contractor: record.facts.contractor.uuid(),
                start_date: date_to_pg(record.start_date),
                end_date: date_to_pg(record.end_date),
                is_active: record.facts.is_active,
                is_suspended: record.is_suspended,
                inserted_at: to_pg(record.stamps.inserted_at),
                inserted_by: record.stamps.inserted_by.uuid(),
                updated_at: to_pg(record.stamps.updated_at),
                updated_by: record.stamps.updated_by.uuid(),
            },
        )
        .await
    }

    async fn put_contract_divisions(&self, records: &[ContractDivision]) -> Result<Vec<Put>, StoreError> {
        put_all(
            self,
            records,
            "contract division",
            |record| record.id.uuid(),
            |record| PutContractDivision {
                id: record.id.uuid(),
                contract_id: record.contract_id.uuid(),
                division_id: record.division_id.uuid(),
                is_active: record.is_active,
                inserted_at: to_pg(record.stamps.inserted_at),
                inserted_by: record.stamps.inserted_by.uuid(),
                updated_at: to_pg(record.stamps.updated_at),
                updated_by: record.stamps.updated_by.uuid(),
            },
        )
        .await
    }
}
