//! Loads and scans divisions, contracts and contract divisions.

use async_trait::async_trait;
use esoz_contract_division::{ContractDivision, ContractRecord, ContractRegistry, DivisionRecord};
use esoz_kernel::{Put, ScanCursor, ScanPage, StoreError};

use super::{row, scan};
use crate::PostgresStore;
use crate::columns::{Values, each};
use crate::time::date_to_pg;
use crate::upsert::Table;

#[async_trait]
impl ContractRegistry for PostgresStore {
    async fn put_divisions(&self, records: &[DivisionRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(&DIVISIONS, records).await
    }

    async fn put_contracts(&self, records: &[ContractRecord]) -> Result<Vec<Put>, StoreError> {
        self.put_all(&CONTRACTS, records).await
    }

    async fn put_contract_divisions(&self, records: &[ContractDivision]) -> Result<Vec<Put>, StoreError> {
        self.put_all(&CONTRACT_DIVISIONS, records).await
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

static DIVISIONS: Table<DivisionRecord> = Table {
    name: "divisions",
    record: "division",
    id: |record| record.facts.id.uuid(),
    stamps: |record| record.stamps,
    columns: |records| {
        vec![
            ("legal_entity_id", Values::Id(each(records, |record| record.facts.legal_entity.uuid()))),
            ("name", Values::Text(each(records, |record| record.name.clone()))),
            ("type", Values::Text(each(records, |record| record.kind.clone()))),
            ("status", Values::Text(each(records, |record| record.status.as_str().to_owned()))),
            ("is_active", Values::Bool(each(records, |record| Some(record.facts.is_active)))),
            ("dls_verified", Values::Bool(each(records, |record| record.dls_verified))),
        ]
    },
    updates: true,
    is_audited: false,
};

static CONTRACTS: Table<ContractRecord> = Table {
    name: "contracts",
    record: "contract",
    id: |record| record.facts.id.uuid(),
    stamps: |record| record.stamps,
    columns: |records| {
        let contractor = |record: &ContractRecord| record.facts.contractor.uuid();
        vec![
            ("type", Values::Text(each(records, |record| record.facts.kind.as_str().to_owned()))),
            ("status", Values::Text(each(records, |record| record.status.as_str().to_owned()))),
            ("contract_number", Values::Text(each(records, |record| record.contract_number.clone()))),
            ("contractor_legal_entity_id", Values::Id(each(records, contractor))),
            ("start_date", Values::Date(each(records, |record| Some(date_to_pg(record.start_date))))),
            ("end_date", Values::Date(each(records, |record| Some(date_to_pg(record.end_date))))),
            ("is_active", Values::Bool(each(records, |record| Some(record.facts.is_active)))),
            ("is_suspended", Values::Bool(each(records, |record| Some(record.is_suspended)))),
        ]
    },
    updates: true,
    is_audited: false,
};

/// A stored record is never updated: later changes of it are made by the service. Another active record with its pair violates the unique index.
static CONTRACT_DIVISIONS: Table<ContractDivision> = Table {
    name: "contract_divisions",
    record: "contract division",
    id: |record| record.id.uuid(),
    stamps: |record| record.stamps,
    columns: |records| {
        vec![
            ("contract_id", Values::Id(each(records, |record| record.contract_id.uuid()))),
            ("division_id", Values::Id(each(records, |record| record.division_id.uuid()))),
            ("is_active", Values::Bool(each(records, |record| Some(record.is_active)))),
        ]
    },
    updates: false,
    is_audited: true,
};
