use async_trait::async_trait;
use diesel::prelude::*;
use esoz_contract_division::{
    Contract, ContractDivision, ContractRecord, ContractRegistry, Division, DivisionRecord,
};
use esoz_kernel::{Put, ScanCursor, ScanPage, StoreError};

use super::query;
use super::row::RecordRow;
use crate::SqliteStore;
use crate::error::{SqliteError, is_unique_violation};
use crate::prepared::Prepared;
use crate::rows::{Location, put_all, put_row, refused_if_dangling, stamp_columns};
use crate::scan::scan_table;
use crate::schema::{contract_divisions, contracts, divisions};

#[derive(Clone, Queryable, Insertable, AsChangeset, PartialEq)]
#[diesel(table_name = divisions, treat_none_as_null = true, treat_none_as_default_value = false)]
struct DivisionRow {
    id: String,
    legal_entity_id: String,
    name: String,
    kind: String,
    status: String,
    is_active: bool,
    dls_verified: Option<bool>,
    #[diesel(skip_update)]
    inserted_at: String,
    #[diesel(skip_update)]
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&DivisionRecord> for DivisionRow {
    fn from(record: &DivisionRecord) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        Self {
            id: record.facts.id.to_string(),
            legal_entity_id: record.facts.legal_entity.to_string(),
            name: record.name.clone(),
            kind: record.kind.clone(),
            status: record.status.as_str().to_owned(),
            is_active: record.facts.is_active,
            dls_verified: record.dls_verified,
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl DivisionRow {
    fn record(&self) -> Result<DivisionRecord, StoreError> {
        let location = Location { table: "divisions", id: &self.id };
        let stamps = [&self.inserted_at, &self.inserted_by, &self.updated_at, &self.updated_by];
        Ok(DivisionRecord {
            facts: Division {
                id: location.parse("id", &self.id)?,
                legal_entity: location.parse("legal_entity_id", &self.legal_entity_id)?,
                is_active: self.is_active,
            },
            name: self.name.clone(),
            kind: self.kind.clone(),
            status: location.parse("status", &self.status)?,
            dls_verified: self.dls_verified,
            stamps: location.stamps(stamps.map(String::as_str))?,
        })
    }
}

#[derive(Clone, Queryable, Insertable, AsChangeset, PartialEq)]
#[diesel(table_name = contracts)]
struct ContractRow {
    id: String,
    kind: String,
    status: String,
    contract_number: String,
    contractor_legal_entity_id: String,
    start_date: String,
    end_date: String,
    is_active: bool,
    is_suspended: bool,
    #[diesel(skip_update)]
    inserted_at: String,
    #[diesel(skip_update)]
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&ContractRecord> for ContractRow {
    fn from(record: &ContractRecord) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        Self {
            id: record.facts.id.to_string(),
            kind: record.facts.kind.as_str().to_owned(),
            status: record.status.as_str().to_owned(),
            contract_number: record.contract_number.clone(),
            contractor_legal_entity_id: record.facts.contractor.to_string(),
            start_date: record.start_date.to_string(),
            end_date: record.end_date.to_string(),
            is_active: record.facts.is_active,
            is_suspended: record.is_suspended,
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl ContractRow {
    fn record(&self) -> Result<ContractRecord, StoreError> {
        let location = Location { table: "contracts", id: &self.id };
        let stamps = [&self.inserted_at, &self.inserted_by, &self.updated_at, &self.updated_by];
        Ok(ContractRecord {
            facts: Contract {
                id: location.parse("id", &self.id)?,
                kind: location.parse("type", &self.kind)?,
                contractor: location.parse("contractor_legal_entity_id", &self.contractor_legal_entity_id)?,
                is_active: self.is_active,
            },
            status: location.parse("status", &self.status)?,
            contract_number: self.contract_number.clone(),
            start_date: location.parse("start_date", &self.start_date)?,
            end_date: location.parse("end_date", &self.end_date)?,
            is_suspended: self.is_suspended,
            stamps: location.stamps(stamps.map(String::as_str))?,
        })
    }
}

#[async_trait]
impl ContractRegistry for SqliteStore {
    async fn put_divisions(&self, records: &[DivisionRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading divisions", records, put_division).await
    }

    async fn put_contracts(&self, records: &[ContractRecord]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading contracts", records, put_contract).await
    }

    async fn put_contract_divisions(&self, records: &[ContractDivision]) -> Result<Vec<Put>, StoreError> {
        put_all(self, "loading contract divisions", records, put_contract_division).await
    }

    async fn scan_divisions(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<DivisionRecord>, StoreError> {
        scan_table!(self, divisions: DivisionRow, after, limit)
    }

    async fn scan_contracts(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<ContractRecord>, StoreError> {
        scan_table!(self, contracts: ContractRow, after, limit)
    }

    async fn snapshot_contract_divisions(
        &self,
    ) -> Result<Vec<Result<ContractDivision, StoreError>>, StoreError> {
        self.read("reading all contract divisions", query::all).await
    }
}

fn put_division(connection: &mut SqliteConnection, row: &DivisionRow) -> Result<Put, SqliteError> {
    let put = put_row!(connection, divisions, row: DivisionRow);
    refused_if_dangling(put, || format!("its legal entity {} is not there", row.legal_entity_id))
}

fn put_contract(connection: &mut SqliteConnection, row: &ContractRow) -> Result<Put, SqliteError> {
    let put = put_row!(connection, contracts, row: ContractRow);
    refused_if_dangling(put, || {
        format!("its contractor legal entity {} is not there", row.contractor_legal_entity_id)
    })
}

fn put_contract_division(connection: &mut SqliteConnection, row: &RecordRow) -> Result<Put, SqliteError> {
    let insert = diesel::insert_into(contract_divisions::table)
        .values(row)
        .on_conflict(contract_divisions::id)
        .do_nothing();
    let put = match insert.execute(connection) {
        Ok(0) => Ok(Put::Kept),
        Ok(_) => Ok(Put::Created),
        Err(error) if is_unique_violation(&error) => pair_is_taken(connection, row),
        Err(error) => Err(error),
    };
    refused_if_dangling(put, || {
        format!("its contract {} or its division {} is not there", row.contract_id, row.division_id)
    })
}

/// The outcome for a row whose pair an active record has. There is no concurrent writer, so that one is still there.
fn pair_is_taken(connection: &mut SqliteConnection, row: &RecordRow) -> QueryResult<Put> {
    let there = contract_divisions::table.find(&row.id);
    if diesel::select(diesel::dsl::exists(there)).get_result(connection)? {
        return Ok(Put::Kept);
    }
    let other: String = contract_divisions::table
        .filter(contract_divisions::contract_id.eq(&row.contract_id))
        .filter(contract_divisions::division_id.eq(&row.division_id))
        .filter(contract_divisions::is_active)
        .select(contract_divisions::id)
        .get_result(connection)?;
    Ok(Put::Refused(format!("contract division {other}, also active, has its contract and division")))
}
