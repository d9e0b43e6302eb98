//! Scans divisions and contracts, reads all contract divisions.

use diesel::data_types::PgDate;
use diesel::prelude::*;
use esoz_contract_division::{Contract, ContractRecord, Division, DivisionRecord};
use esoz_kernel::{ContractId, DivisionId, LegalEntityId, ScanCursor, ScanPage, StoreError, is_full_page};
use uuid::Uuid;

use super::row::RecordRow;
use crate::PostgresStore;
use crate::error::During as _;
use crate::scan::{Location, StampColumns, page, scan_table};
use crate::schema::{contract_divisions, contracts, divisions};
use crate::time::date_from_pg;

/// Facts, other columns and stamps.
type DivisionRow = ((Uuid, Uuid, bool), (String, String, String, Option<bool>), StampColumns);

pub(super) async fn divisions(
    store: &PostgresStore,
    after: Option<ScanCursor>,
    limit: u32,
) -> Result<ScanPage<DivisionRecord>, StoreError> {
    let facts = (divisions::id, divisions::legal_entity_id, divisions::is_active);
    let others = (divisions::name, divisions::kind, divisions::status, divisions::dls_verified);
    let stamps =
        (divisions::inserted_at, divisions::inserted_by, divisions::updated_at, divisions::updated_by);
    let rows = scan_table!(store, divisions: DivisionRow, after, limit, (facts, others, stamps))?;
    Ok(page(rows, limit, |row| row.0.0, division))
}

fn division(row: DivisionRow) -> Result<DivisionRecord, StoreError> {
    let ((id, legal_entity, is_active), (name, kind, status, dls_verified), stamps) = row;
    let location = Location { table: "divisions", id };
    Ok(DivisionRecord {
        facts: Division {
            id: DivisionId::new(id),
            legal_entity: LegalEntityId::new(legal_entity),
            is_active,
        },
        name,
        kind,
        status: location.parse("status", &status)?,
        dls_verified,
        stamps: location.stamps(stamps)?,
    })
}

/// Facts, other columns and stamps.
type ContractRow = ((Uuid, String, Uuid, bool), (String, String, PgDate, PgDate, bool), StampColumns);

pub(super) async fn contracts(
    store: &PostgresStore,
    after: Option<ScanCursor>,
    limit: u32,
) -> Result<ScanPage<ContractRecord>, StoreError> {
    let facts = (contracts::id, contracts::kind, contracts::contractor_legal_entity_id, contracts::is_active);
    let others = (
        contracts::status,
        contracts::contract_number,
        contracts::start_date,
        contracts::end_date,
        contracts::is_suspended,
    );
    let stamps =
        (contracts::inserted_at, contracts::inserted_by, contracts::updated_at, contracts::updated_by);
    let rows = scan_table!(store, contracts: ContractRow, after, limit, (facts, others, stamps))?;
    Ok(page(rows, limit, |row| row.0.0, contract))
}

fn contract(row: ContractRow) -> Result<ContractRecord, StoreError> {
    let ((id, kind, contractor, is_active), others, stamps) = row;
    let (status, contract_number, start_date, end_date, is_suspended) = others;
    let location = Location { table: "contracts", id };
    Ok(ContractRecord {
        facts: Contract {
            id: ContractId::new(id),
            kind: location.parse("type", &kind)?,
            contractor: LegalEntityId::new(contractor),
            is_active,
        },
        status: location.parse("status", &status)?,
        contract_number,
        start_date: date_from_pg(start_date).ok_or_else(|| location.corrupt("start_date"))?,
        end_date: date_from_pg(end_date).ok_or_else(|| location.corrupt("end_date"))?,
        is_suspended,
        stamps: location.stamps(stamps)?,
    })
}

/// The most rows of a page of [`contract_divisions`].
const PAGE: u32 = 10_000;

/// Reads all contract divisions in the order of their ids, as of one instant: page by page in one transaction, since one statement for all
/// of a large table would time out.
pub(super) async fn contract_divisions(store: &PostgresStore) -> Result<Vec<RecordRow>, StoreError> {
    let read = async {
        let mut connection = store.connections.connection().await?;
        connection.begin_snapshot().await?;
        let mut all: Vec<RecordRow> = Vec::new();
        loop {
            let page = contract_divisions::table.order(contract_divisions::id).limit(PAGE.into()).select((
                contract_divisions::id,
                contract_divisions::contract_id,
                contract_divisions::division_id,
                contract_divisions::is_active,
                contract_divisions::inserted_at,
                contract_divisions::inserted_by,
                contract_divisions::updated_at,
                contract_divisions::updated_by,
            ));
            let rows: Vec<RecordRow> = match all.last() {
                None => connection.rows_of_snapshot(page).await?,
                Some((last, ..)) => {
                    connection.rows_of_snapshot(page.filter(contract_divisions::id.gt(*last))).await?
                }
            };
            let is_last = !is_full_page(rows.len(), PAGE);
            all.extend(rows);
            if is_last {
                connection.roll_back().await?;
                return Ok(all);
            }
        }
    };
    read.await.during("reading all contract divisions")
}
