//! Maps rows of contract divisions, contracts and divisions to the domain's types.

use diesel::data_types::PgTimestamp;
use diesel::sql_types::{Bool, Bytea, Nullable, Text, Timestamptz, Uuid as SqlUuid};
use esoz_contract_division::{Contract, ContractDivision, ContractType, Current, Division, Facts, Write};
use esoz_kernel::{ContractDivisionId, ContractId, DivisionId, LegalEntityId, Replay, StoreError};
use uuid::Uuid;

use crate::scan::Location;
use crate::time::from_pg;

pub(super) type RecordSql = (SqlUuid, SqlUuid, SqlUuid, Bool, Timestamptz, SqlUuid, Timestamptz, SqlUuid);
pub(super) type RecordRow = (Uuid, Uuid, Uuid, bool, PgTimestamp, Uuid, PgTimestamp, Uuid);
pub(super) type ContractSql = (SqlUuid, Text, SqlUuid, Bool);
pub(super) type ContractRow = (Uuid, String, Uuid, bool);
type DivisionSql = (SqlUuid, SqlUuid, Bool);
type DivisionRow = (Uuid, Uuid, bool);
/// An idempotency record: the request, the time when it was stored, the first answer.
type KeptSql = (Bytea, Timestamptz, RecordSql);
type KeptRow = (Vec<u8>, PgTimestamp, RecordRow);

/// The facts of a write: its record, the record's contract, the wanted division and contract, whether the pair is taken, whether another
/// transaction has locked one of these rows, and the idempotency record of its key.
pub(super) type FactsSql = (
    Nullable<RecordSql>,
    Nullable<ContractSql>,
    Nullable<DivisionSql>,
    Nullable<ContractSql>,
    Bool,
    Bool,
    Nullable<KeptSql>,
);
pub(super) type FactsRow = (
    Option<RecordRow>,
    Option<ContractRow>,
    Option<DivisionRow>,
    Option<ContractRow>,
    bool,
    bool,
    Option<KeptRow>,
);

/// The result of locking and reading the rows of a write.
pub(super) enum Lookup {
    /// A write was made under its key.
    Replay(Replay<ContractDivision>),
    /// Another transaction has locked a row that it needs.
    Locked,
    /// Its facts, locked.
    Facts(Facts),
}

/// Reads a row of [`FactsSql`].
pub(super) fn lookup(write: &Write, row: FactsRow) -> Result<Lookup, StoreError> {
    let (record, current, division, wanted, is_pair_taken, is_held, kept) = row;
    if let (Some(idempotency), Some((request, since, answer))) = (&write.idempotency, kept) {
        let since = from_pg(since).ok_or_else(|| location(answer.0).corrupt("updated_at"))?;
        let first_answer = contract_division(answer)?;
        if let Some(replay) = idempotency.replay(&request, since, write.at, || first_answer) {
            return Ok(Lookup::Replay(replay));
        }
    }
    if is_held {
        return Ok(Lookup::Locked);
    }
    Ok(Lookup::Facts(Facts {
        current: record.zip(current).map(to_current).transpose()?,
        division: division.map(|(id, legal_entity, is_active)| Division {
            id: DivisionId::new(id),
            legal_entity: LegalEntityId::new(legal_entity),
            is_active,
        }),
        contract: wanted.map(contract),
        is_pair_taken,
    }))
}

/// A record with the contract that it belongs to.
pub(super) fn to_current((record, current): (RecordRow, ContractRow)) -> Result<Current, StoreError> {
    Ok(Current { record: contract_division(record)?, contract: contract(current) })
}

fn contract((id, kind, contractor, is_active): ContractRow) -> Contract {
    Contract {
        id: ContractId::new(id),
        kind: kind.parse().unwrap_or(ContractType::Other),
        contractor: LegalEntityId::new(contractor),
        is_active,
    }
}

pub(super) fn contract_division(row: RecordRow) -> Result<ContractDivision, StoreError> {
    let (id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by) = row;
    Ok(ContractDivision {
        id: ContractDivisionId::new(id),
        contract_id: ContractId::new(contract_id),
        division_id: DivisionId::new(division_id),
        is_active,
        stamps: location(id).stamps((inserted_at, inserted_by, updated_at, updated_by))?,
    })
}

fn location(id: Uuid) -> Location {
    Location { table: "contract_divisions", id }
}
