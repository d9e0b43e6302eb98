//! Copies of rows of SQLite and PostgreSQL.

use std::ops::Range;
use std::path::Path;

use anyhow::Result;
use esoz_kernel::{Uuid, time::rfc3339_millis};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use tokio_postgres::Client;

use super::People;
use crate::drive::{Id, open_postgres, open_sqlite};
use crate::ids::{Numbered, contract_of, contracts_for, division_of, id, inserted_at};

/// How many go in one statement.
const BATCH: u64 = 10_000;

/// Ids come in no order: without room for all pages, each would be written out again and again. The disk is waited for at the end.
const LOADING: &str = "PRAGMA cache_size = -2000000; PRAGMA synchronous = NORMAL";

/// What a copy of a division has of the original.
const OF_DIVISION: &str = "legal_entity_id, name, type, status, is_active, dls_verified, inserted_at, inserted_by, updated_at, updated_by";

/// What a copy of a contract has of the original.
const OF_CONTRACT: &str = "type, status, contract_number, contractor_legal_entity_id, start_date, end_date, \
    is_active, is_suspended, inserted_at, inserted_by, updated_at, updated_by";

/// What a copy of a device request has of the original.
const OF_REQUEST: &str = "subject, status, intent, program_id, code, quantity_value, quantity_code, dispense_valid_to, \
    inserted_at, inserted_by, updated_at, updated_by";

/// What a copy of a contract division has of the original.
const OF_RECORD: &str = "is_active, inserted_at, inserted_by, updated_at, updated_by";

pub(super) fn dispenses_into_sqlite(
    file: &Path,
    people: &People,
    numbers: Range<u64>,
    owner: impl Fn(u64) -> Uuid,
) -> Result<()> {
    for batch in batches(numbers.end - numbers.start) {
        let some = numbers.start + batch.start..numbers.start + batch.end;
        some_dispenses_into_sqlite(file, people, some, &owner)?;
    }
    Ok(())
}

fn some_dispenses_into_sqlite(
    file: &Path,
    people: &People,
    numbers: Range<u64>,
    owner: impl Fn(u64) -> Uuid,
) -> Result<()> {
    loading(file, |transaction| {
        let original = people.dispense.to_string();
        let document: String = transaction.query_row(
            "SELECT document FROM device_dispenses WHERE id = ?1",
            [&original],
            |row| row.get(0),
        )?;
        let mut insert =
            transaction.prepare("INSERT INTO device_dispenses (id, document) VALUES (?1, json_set(?2, '$.id', ?1, '$.inserted_at', ?3, '$.performer_legal_entity.identifier.value', ?4, '$.based_on.identifier.value', ?5))")?;
        for number in numbers {
            let (copy, owner) = (id(Numbered::Dispense, number).to_string(), owner(number).to_string());
            let request = id(Numbered::Request, number).to_string();
            insert.execute(params![copy, document, rfc3339_millis(inserted_at(number)), owner, request])?;
        }
        Ok(())
    })
}

pub(super) fn requests_into_sqlite(file: &Path, original: Uuid, numbers: Range<u64>) -> Result<()> {
    loading(file, |transaction| {
        let mut insert = transaction.prepare(&format!(
            "INSERT INTO device_requests (id, {OF_REQUEST}) SELECT ?1, {OF_REQUEST} FROM device_requests WHERE id = ?2"
        ))?;
        for number in numbers {
            insert.execute([id(Numbered::Request, number).to_string(), original.to_string()])?;
        }
        Ok(())
    })
}

pub(super) fn records_into_sqlite(file: &Path, people: &People, count: u64) -> Result<()> {
    loading(file, |transaction| {
        let copy = |table: &str, columns: &str| {
            transaction.prepare(&format!(
                "INSERT INTO {table} (id, {columns}) SELECT ?1, {columns} FROM {table} WHERE id = ?2"
            ))
        };
        let mut divisions = copy("divisions", OF_DIVISION)?;
        for number in 0..count {
            for is_second in [false, true] {
                let division = division_of(number, is_second).to_string();
                divisions.execute([division, people.division.to_string()])?;
            }
        }
        let mut contracts = copy("contracts", OF_CONTRACT)?;
        for number in 0..contracts_for(count) {
            contracts.execute([id(Numbered::Contract, number).to_string(), people.contract.to_string()])?;
        }
        let mut records = transaction.prepare(&format!(
            "INSERT INTO contract_divisions (id, contract_id, division_id, {OF_RECORD})
             SELECT ?1, ?2, ?3, {OF_RECORD} FROM contract_divisions WHERE id = ?4"
        ))?;
        for number in 0..count {
            let ids = [
                id(Numbered::Record, number),
                contract_of(number),
                division_of(number, false),
                people.record,
            ];
            records.execute(ids.map(|id| id.to_string()))?;
        }
        Ok(())
    })
}

/// One transaction without the audit, which has no request to name. The server may run beside it: a transaction that only begins to write
/// after it has read is refused at once when the server wrote in between, whatever the time-out.
fn loading(file: &Path, load: impl FnOnce(&Transaction<'_>) -> Result<()>) -> Result<()> {
    let mut connection: Connection = open_sqlite(file)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.execute_batch(LOADING)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    load(&transaction)?;
    transaction.commit()?;
    // The log keeps its size: whoever writes first after this would pay for its growth.
    connection.execute_batch("PRAGMA wal_checkpoint(RESTART)")?;
    Ok(())
}

pub(super) async fn records_into_postgres(url: &str, people: &People, count: u64) -> Result<()> {
    let client = open_postgres(url).await?;
    // Neither the audit, which has no request to name, nor the keys, which hold by the way the ids are made.
    client.batch_execute("SET session_replication_role = replica").await?;
    let divisions = |number| [division_of(number, false), division_of(number, true)];
    let copied = [("divisions", OF_DIVISION, people.division), ("contracts", OF_CONTRACT, people.contract)];
    for (table, columns, original) in copied {
        let count = if table == "divisions" { count } else { contracts_for(count) };
        for batch in batches(count) {
            let ids: Vec<Id> = match table {
                "divisions" => batch.flat_map(divisions).map(Id).collect(),
                _ => batch.map(|number| Id(id(Numbered::Contract, number))).collect(),
            };
            copy(&client, table, columns, original, &ids).await?;
        }
    }
    let insert = format!(
        "INSERT INTO contract_divisions (id, contract_id, division_id, {OF_RECORD})
         SELECT fresh.id, fresh.contract_id, fresh.division_id, {OF_RECORD}
         FROM (SELECT {OF_RECORD} FROM contract_divisions WHERE id = $4) AS original,
             unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS fresh (id, contract_id, division_id)"
    );
    for batch in batches(count) {
        let column = |of: fn(u64) -> Uuid| batch.clone().map(of).map(Id).collect::<Vec<Id>>();
        let ids = column(|number| id(Numbered::Record, number));
        let (contracts, divisions) = (column(contract_of), column(|number| division_of(number, false)));
        client.execute(&insert, &[&ids, &contracts, &divisions, &Id(people.record)]).await?;
    }
    client.batch_execute("VACUUM ANALYZE contracts, divisions, contract_divisions").await?;
    Ok(())
}

async fn copy(client: &Client, table: &str, columns: &str, original: Uuid, ids: &[Id]) -> Result<()> {
    let insert = format!(
        "INSERT INTO {table} (id, {columns}) SELECT fresh.id, {columns}
         FROM (SELECT {columns} FROM {table} WHERE id = $2) AS original, unnest($1::uuid[]) AS fresh (id)"
    );
    client.execute(&insert, &[&ids, &Id(original)]).await?;
    Ok(())
}

fn batches(count: u64) -> impl Iterator<Item = Range<u64>> {
    (0..count.div_ceil(BATCH)).map(move |batch| batch * BATCH..((batch + 1) * BATCH).min(count))
}
