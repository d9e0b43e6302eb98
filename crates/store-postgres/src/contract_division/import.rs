//! Loads and scans divisions, contracts and contract divisions.

use async_trait::async_trait;
use esoz_contract_division::{ContractDivision, ContractRecord, ContractRegistry, DivisionRecord};
use esoz_kernel::{Put, ScanCursor, ScanPage, StoreError};

use super::{row, scan};
use crate::PostgresStore;
use crate::time::date_to_pg;
use crate::upsert::{Upsert, Value};

#[async_trait]
impl ContractRegistry for PostgresStore {
    async fn put_divisions(&self, records: &[DivisionRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(records, "division", put_division).await
    }

    async fn put_contracts(&self, records: &[ContractRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(records, "contract", put_contract).await
    }

    async fn put_contract_divisions(&self, records: &[ContractDivision]) -> Result<Vec<Put>, StoreError> {
        self.put_all(records, "contract division", put_contract_division).await
    }

    async fn scan_divisions(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<DivisionRecord>, StoreError> {
        scan::divisions(self, after, limit).await
    }

    async fn scan_contracts(
        &self,
        after: Option<ScanCursor>,
        limit: u32,
    ) -> Result<ScanPage<ContractRecord>, StoreError> {
        scan::contracts(self, after, limit).await
    }

    async fn snapshot_contract_divisions(
        &self,
    ) -> Result<Vec<Result<ContractDivision, StoreError>>, StoreError> {
        let rows = scan::contract_divisions(self).await?;
        Ok(rows.into_iter().map(row::contract_division).collect())
    }
}

fn put_division(
    DivisionRecord { facts, name, kind, status, dls_verified, stamps }: &DivisionRecord,
) -> Upsert {
    let columns = vec![
        ("legal_entity_id", Value::Id(facts.legal_entity.uuid())),
        ("name", Value::Text(name.clone())),
        ("type", Value::Text(kind.clone())),
        ("status", Value::Text(status.as_str().to_owned())),
        ("is_active", Value::Bool(Some(facts.is_active))),
        ("dls_verified", Value::Bool(*dls_verified)),
    ];
    Upsert::new("divisions", facts.id.uuid(), stamps, columns)
}

fn put_contract(record: &ContractRecord) -> Upsert {
    let facts = &record.facts;
    let columns = vec![
        ("type", Value::Text(facts.kind.as_str().to_owned())),
        ("status", Value::Text(record.status.as_str().to_owned())),
        ("contract_number", Value::Text(record.contract_number.clone())),
        ("contractor_legal_entity_id", Value::Id(facts.contractor.uuid())),
        ("start_date", Value::Date(date_to_pg(record.start_date))),
        ("end_date", Value::Date(date_to_pg(record.end_date))),
        ("is_active", Value::Bool(Some(facts.is_active))),
        ("is_suspended", Value::Bool(Some(record.is_suspended))),
    ];
    Upsert::new("contracts", facts.id.uuid(), &record.stamps, columns)
}

/// A stored record is never updated: later changes of it are made by the service. Another active record with its pair violates the unique index.
fn put_contract_division(record: &ContractDivision) -> Upsert {
    let columns = vec![
        ("contract_id", Value::Id(record.contract_id.uuid())),
        ("division_id", Value::Id(record.division_id.uuid())),
        ("is_active", Value::Bool(Some(record.is_active))),
    ];
    Upsert::new("contract_divisions", record.id.uuid(), &record.stamps, columns).insert_only()
}
