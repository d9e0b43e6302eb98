//! Scans divisions and contracts, reads all contract divisions.

use diesel::data_types::PgDate;
use diesel::prelude::*;
use esoz_contract_division::{Contract, ContractRecord, Division, DivisionRecord};
use esoz_kernel::{ContractId, DivisionId, LegalEntityId, ScanCursor, ScanPage, StoreError};
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

/// Reads all contract divisions in the order of their ids: one statement sees one instant.
pub(super) async fn contract_divisions(store: &PostgresStore) -> Result<Vec<RecordRow>, StoreError> {
    let rows = contract_divisions::table.order(contract_divisions::id).select((
        contract_divisions::id,
        contract_divisions::contract_id,
        contract_divisions::division_id,
        contract_divisions::is_active,
        contract_divisions::inserted_at,
        contract_divisions::inserted_by,
        contract_divisions::updated_at,
        contract_divisions::updated_by,
    ));
    store.connections.query(rows).await.during("reading all contract divisions")
}
