use std::sync::Arc;

use esoz_kernel::{ContractDivisionId, ContractId, DivisionId, Stamps, Timestamp, UserId, failure};

use super::facts::{Contract, ContractDivision, ContractType, Current, Facts};

/// The division and the contract of a record, as a create or an update asks for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The division to point at.
    pub division_id: DivisionId,
    /// The contract to belong to.
    pub contract_id: ContractId,
}

impl Pair {
    /// The bytes of the contract's and the division's id, by which an idempotent request is known again.
    pub(crate) fn to_bytes(self) -> [[u8; 16]; 2] {
        [self.contract_id.uuid().into_bytes(), self.division_id.uuid().into_bytes()]
    }
}

/// Why a method does not find a record. For the operator's log alone: the caller must not learn it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRecord {
    /// The id in the request is no UUID.
    MalformedId,
    /// There is no record with that id.
    Unknown,
    /// It is not active.
    Inactive,
    /// Its contract is of another type.
    OtherContractType,
}

impl NoRecord {
    /// Returns its name in snake_case, for the log.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MalformedId => "malformed_id",
            Self::Unknown => "unknown",
            Self::Inactive => "inactive",
            Self::OtherContractType => "other_contract_type",
        }
    }
}

failure! {
    /// Why no method finds a record. The text is part of the protocol.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum LookupError {
        /// The active record does not exist, or not for this method (update rule 5; U10, D07).
        NotFound(why: NoRecord = NoRecord::Unknown) => NotFound, "not_found",
            "Contract division with such id is not found", reason why.code();
    }
}

failure! {
    /// Why the rules refuse to write a contract division. The texts, spelling included, are part of the protocol.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Refusal {
        /// The contract of the record to update is of another type or not active (update rule 6; U11).
        NotGlobalBudget => Conflict, "not_global_budget",
            "Only contract divisions for contract with type GB_CBP can be updated";
        /// The contract of the record to delete is of another type (D09).
        NotDeletable => Conflict, "not_deletable",
            "Only contract divisions for contract with type GB_CBP can be deleted";
        /// The active division does not exist (update rule 7; U12, D03).
        DivisionNotFound => NotFound, "division_not_found", "Division is not found", at "$.division_id";
        /// The division is not the contractor's (update rule 8; U13, D03).
        DivisionOfAnotherLegalEntity => Conflict, "division_of_another_legal_entity",
            "Division is not correspond to contractor legal entity", at "$.division_id";
        /// The contract of the pair does not exist, is of another type or not active (update rule 9; U14, D03).
        ContractNotUsable => Conflict, "contract_not_usable",
            "Contract must be an active and with GB_CBP type", at "$.contract_id";
        /// Another active record has this contract and division (update rule 10; U16, U23, D04).
        PairTaken => Conflict, "pair_taken",
            "Contract division with such contract and division already exists", at "$.division_id";
    } wraps {
        /// The record is not found (update rule 5; U10, D09).
        Lookup(LookupError);
    }
}

impl Refusal {
    /// The id in the request is no UUID (update rule 5; U10, D09).
    pub const RECORD_ID_MALFORMED: Self = Self::Lookup(LookupError::NotFound(NoRecord::MalformedId));
    /// The record does not exist (update rule 5; U10, D09).
    pub const RECORD_NOT_FOUND: Self = Self::Lookup(LookupError::NotFound(NoRecord::Unknown));
    /// The record is not active (update rule 5; U10, D09).
    pub const RECORD_INACTIVE: Self = Self::Lookup(LookupError::NotFound(NoRecord::Inactive));
}

/// Decides a write from the facts about it: the whole record after it, or the rule that refuses it. Pure; a store calls it while it holds
/// the facts' locks, and more than once if it has to begin again.
pub type Decide = Arc<dyn Fn(&Facts) -> Result<ContractDivision, Refusal> + Send + Sync>;

/// Returns the decision of a create: update rules 7 to 10, in this order, and the new record.
pub fn decide_create(id: ContractDivisionId, pair: Pair, at: Timestamp, by: UserId) -> Decide {
    let Pair { division_id, contract_id } = pair;
    let stamps = Stamps { inserted_at: at, inserted_by: by, updated_at: at, updated_by: by };
    Arc::new(move |facts| {
        require_usable_pair(facts)?;
        Ok(ContractDivision { id, contract_id, division_id, is_active: true, stamps })
    })
}

/// Returns the decision of an update: update rules 5 to 10, in this order, and their effect on the record.
pub fn decide_update(pair: Pair, at: Timestamp, by: UserId) -> Decide {
    let Pair { division_id, contract_id } = pair;
    Arc::new(move |facts| {
        let Current { record, contract } = require_active_record(facts)?;
        if !contract.is_usable() {
            return Err(Refusal::NotGlobalBudget);
        }
        require_usable_pair(facts)?;
        let stamps = Stamps { updated_at: at, updated_by: by, ..record.stamps };
        Ok(ContractDivision { contract_id, division_id, stamps, ..record })
    })
}

/// Returns the decision of a delete: the record is found, its contract is of type `GB_CBP` whether or not it is active, and the record is
/// no longer active (D09, D10).
pub fn decide_delete(at: Timestamp, by: UserId) -> Decide {
    Arc::new(move |facts| {
        let Current { record, contract } = require_active_record(facts)?;
        if !contract.is_global_budget() {
            return Err(Refusal::NotDeletable);
        }
        let stamps = Stamps { updated_at: at, updated_by: by, ..record.stamps };
        Ok(ContractDivision { is_active: false, stamps, ..record })
    })
}

/// Update rule 5: the record exists and is active.
fn require_active_record(facts: &Facts) -> Result<Current, Refusal> {
    let current = facts.current.ok_or(Refusal::RECORD_NOT_FOUND)?;
    if current.record.is_active { Ok(current) } else { Err(Refusal::RECORD_INACTIVE) }
}

/// Update rules 7 to 10, in this order: the record may have the pair.
fn require_usable_pair(facts: &Facts) -> Result<(), Refusal> {
    let division = facts.division.filter(|division| division.is_active).ok_or(Refusal::DivisionNotFound)?;
    // A contract that does not exist has no contractor to compare with: rule 9 answers before rule 8 then.
    let contract = facts.contract.ok_or(Refusal::ContractNotUsable)?;
    if division.legal_entity != contract.contractor {
        return Err(Refusal::DivisionOfAnotherLegalEntity);
    }
    if !contract.is_usable() {
        return Err(Refusal::ContractNotUsable);
    }
    if facts.is_pair_taken { Err(Refusal::PairTaken) } else { Ok(()) }
}

/// Which records a method reads: those with this `is_active`, of contracts of this type, whether or not these are active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visibility {
    /// Whether the record is active.
    pub is_active: bool,
    /// The type of its contract.
    pub contract_type: ContractType,
}

impl Visibility {
    /// The records that are shown and listed (D07, D08).
    pub const SHOWN: Self = Self { is_active: true, contract_type: ContractType::GbCbp };

    /// Whether a record is one of them.
    pub fn includes(self, current: &Current) -> bool {
        self.hidden(current).is_none()
    }

    /// Why a record is not one of them; `None` if it is.
    pub fn hidden(self, current: &Current) -> Option<NoRecord> {
        if current.record.is_active != self.is_active {
            Some(NoRecord::Inactive)
        } else if current.contract.kind != self.contract_type {
            Some(NoRecord::OtherContractType)
        } else {
            None
        }
    }
}

impl Contract {
    /// What update rules 6 and 9 ask of a contract; its status and suspension play no part (U24).
    fn is_usable(&self) -> bool {
        self.is_active && self.is_global_budget()
    }

    fn is_global_budget(&self) -> bool {
        self.kind == ContractType::GbCbp
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
