use esoz_contract_division::{
    Contract, ContractDivision, ContractRecord, ContractStatus, ContractType, Division, DivisionRecord,
    DivisionStatus,
};
use esoz_kernel::{ContractDivisionId, ContractId, DivisionId, LegalEntityId, Stamps};
use serde::Deserialize;

use crate::json::{Day, Parsed, Text};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DivisionLine {
    id: Parsed<DivisionId>,
    legal_entity_id: Parsed<LegalEntityId>,
    name: Text,
    #[serde(rename = "type")]
    kind: Text,
    status: Parsed<DivisionStatus>,
    is_active: bool,
    dls_verified: Option<bool>,
}

impl DivisionLine {
    pub(super) fn into_record(self, stamps: Stamps) -> DivisionRecord {
        DivisionRecord {
            facts: Division {
                id: self.id.0,
                legal_entity: self.legal_entity_id.0,
                is_active: self.is_active,
            },
            name: self.name.0,
            kind: self.kind.0,
            status: self.status.0,
            dls_verified: self.dls_verified,
            stamps,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContractLine {
    id: Parsed<ContractId>,
    #[serde(rename = "type")]
    kind: Parsed<ContractType>,
    status: Parsed<ContractStatus>,
    contract_number: Text,
    contractor_legal_entity_id: Parsed<LegalEntityId>,
    start_date: Day,
    end_date: Day,
    is_active: bool,
    is_suspended: bool,
}

impl ContractLine {
    pub(super) fn into_record(self, stamps: Stamps) -> ContractRecord {
        ContractRecord {
            facts: Contract {
                id: self.id.0,
                kind: self.kind.0,
                contractor: self.contractor_legal_entity_id.0,
                is_active: self.is_active,
            },
            status: self.status.0,
            contract_number: self.contract_number.0,
            start_date: self.start_date.0,
            end_date: self.end_date.0,
            is_suspended: self.is_suspended,
            stamps,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContractDivisionLine {
    id: Parsed<ContractDivisionId>,
    contract_id: Parsed<ContractId>,
    division_id: Parsed<DivisionId>,
    is_active: bool,
}

impl ContractDivisionLine {
    pub(super) fn into_record(self, stamps: Stamps) -> ContractDivision {
        ContractDivision {
            id: self.id.0,
            contract_id: self.contract_id.0,
            division_id: self.division_id.0,
            is_active: self.is_active,
            stamps,
        }
    }
}
