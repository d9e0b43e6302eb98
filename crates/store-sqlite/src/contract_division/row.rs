//! Rows of contract divisions, contracts and divisions as the domain's types.

use diesel::prelude::*;
use esoz_contract_division::{Contract, ContractDivision, ContractType, Division};
use esoz_kernel::{StoreError, StoreErrorKind};
use serde::{Deserialize, Serialize};

use crate::idempotency;
use crate::rows::{Location, stamp_columns};
use crate::schema::{contract_divisions, contracts, divisions};

/// A contract division as its row, and as JSON with the columns' names in an idempotency record.
#[derive(Clone, Queryable, Selectable, Insertable, AsChangeset, Serialize, Deserialize)]
#[diesel(table_name = contract_divisions)]
pub(super) struct RecordRow {
    pub(super) id: String,
    pub(super) contract_id: String,
    pub(super) division_id: String,
    pub(super) is_active: bool,
    inserted_at: String,
    inserted_by: String,
    updated_at: String,
    updated_by: String,
}

impl From<&ContractDivision> for RecordRow {
    fn from(record: &ContractDivision) -> Self {
        let [inserted_at, inserted_by, updated_at, updated_by] = stamp_columns(&record.stamps);
        Self {
            id: record.id.to_string(),
            contract_id: record.contract_id.to_string(),
            division_id: record.division_id.to_string(),
            is_active: record.is_active,
            inserted_at,
            inserted_by,
            updated_at,
            updated_by,
        }
    }
}

impl RecordRow {
    /// The row as the answer of an idempotency record.
    pub(super) fn json(&self) -> Result<String, StoreError> {
        serde_json::to_string(self).map_err(|error| {
            StoreError::new(StoreErrorKind::Unexpected, "writing an idempotency record").because(error)
        })
    }

    /// The record in the answer of an idempotency record.
    pub(super) fn read(json: &str) -> Result<ContractDivision, StoreError> {
        let row: Self = serde_json::from_str(json).map_err(|_| idempotency::LOCATION.corrupt("answer"))?;
        row.record()
    }

    pub(super) fn record(&self) -> Result<ContractDivision, StoreError> {
        let location = Location { table: "contract_divisions", id: &self.id };
        Ok(ContractDivision {
            id: location.parse("id", &self.id)?,
            contract_id: location.parse("contract_id", &self.contract_id)?,
            division_id: location.parse("division_id", &self.division_id)?,
            is_active: self.is_active,
            stamps: location.stamps([
                &self.inserted_at,
                &self.inserted_by,
                &self.updated_at,
                &self.updated_by,
            ])?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = contracts)]
pub(super) struct ContractRow {
    id: String,
    kind: String,
    contractor_legal_entity_id: String,
    is_active: bool,
}

impl ContractRow {
    pub(super) fn facts(&self) -> Result<Contract, StoreError> {
        let location = Location { table: "contracts", id: &self.id };
        Ok(Contract {
            id: location.parse("id", &self.id)?,
            kind: self.kind.parse().unwrap_or(ContractType::Other),
            contractor: location.parse("contractor_legal_entity_id", &self.contractor_legal_entity_id)?,
            is_active: self.is_active,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = divisions)]
pub(super) struct DivisionRow {
    id: String,
    legal_entity_id: String,
    is_active: bool,
}

impl DivisionRow {
    pub(super) fn facts(&self) -> Result<Division, StoreError> {
        let location = Location { table: "divisions", id: &self.id };
        Ok(Division {
            id: location.parse("id", &self.id)?,
            legal_entity: location.parse("legal_entity_id", &self.legal_entity_id)?,
            is_active: self.is_active,
        })
    }
}
