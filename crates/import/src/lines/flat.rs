//! The lines of the kinds whose records hold single values. Fields other than those named are refused.

use esoz_contract_division::{Contract, ContractDivision, ContractRecord, Division, DivisionRecord};
use esoz_kernel::Stamps;
use esoz_legal_entity::{LegalEntity, LegalEntityRecord, LegalEntityType};
use serde_json::{Map, Value};

use super::stamps;
use crate::json::{DecodeError, boolean, day, optional, parsed, refuse_unknown, required, text};

type Data = Map<String, Value>;

pub(super) fn legal_entity(data: &Data, stamps: Stamps) -> Result<LegalEntityRecord, DecodeError> {
    has_only(data, &["id", "name", "edrpou", "type", "status", "is_active"])?;
    Ok(LegalEntityRecord {
        facts: LegalEntity {
            id: required(data, "id", parsed)?,
            kind: LegalEntityType::new(required(data, "type", text)?),
            status: required(data, "status", parsed)?,
        },
        name: required(data, "name", text)?,
        edrpou: required(data, "edrpou", text)?,
        is_active: required(data, "is_active", boolean)?,
        stamps,
    })
}

pub(super) fn division(data: &Data, stamps: Stamps) -> Result<DivisionRecord, DecodeError> {
    has_only(data, &["id", "legal_entity_id", "name", "type", "status", "is_active", "dls_verified"])?;
    Ok(DivisionRecord {
        facts: Division {
            id: required(data, "id", parsed)?,
            legal_entity: required(data, "legal_entity_id", parsed)?,
            is_active: required(data, "is_active", boolean)?,
        },
        name: required(data, "name", text)?,
        kind: required(data, "type", text)?,
        status: required(data, "status", parsed)?,
        dls_verified: optional(data, "dls_verified", boolean)?,
        stamps,
    })
}

pub(super) fn contract(data: &Data, stamps: Stamps) -> Result<ContractRecord, DecodeError> {
    has_only(
        data,
        &[
            "id",
            "type",
            "status",
            "contract_number",
            "contractor_legal_entity_id",
            "start_date",
            "end_date",
            "is_active",
            "is_suspended",
        ],
    )?;
    let (start_date, end_date) = (required(data, "start_date", day)?, required(data, "end_date", day)?);
    if end_date < start_date {
        return Err(DecodeError::new("is before start_date").inside("end_date"));
    }
    Ok(ContractRecord {
        facts: Contract {
            id: required(data, "id", parsed)?,
            kind: required(data, "type", parsed)?,
            contractor: required(data, "contractor_legal_entity_id", parsed)?,
            is_active: required(data, "is_active", boolean)?,
        },
        status: required(data, "status", parsed)?,
        contract_number: required(data, "contract_number", text)?,
        start_date,
        end_date,
        is_suspended: required(data, "is_suspended", boolean)?,
        stamps,
    })
}

pub(super) fn contract_division(data: &Data, stamps: Stamps) -> Result<ContractDivision, DecodeError> {
    has_only(data, &["id", "contract_id", "division_id", "is_active"])?;
    Ok(ContractDivision {
        id: required(data, "id", parsed)?,
        contract_id: required(data, "contract_id", parsed)?,
        division_id: required(data, "division_id", parsed)?,
        is_active: required(data, "is_active", boolean)?,
        stamps,
    })
}

/// Every kind can have the stamps as well.
fn has_only(data: &Data, known: &[&str]) -> Result<(), DecodeError> {
    refuse_unknown(data, &[known, &stamps::FIELDS].concat())
}
