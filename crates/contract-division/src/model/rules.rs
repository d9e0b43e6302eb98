use std::sync::Arc;

use esoz_kernel::{ContractId, DivisionId, Stamps, Timestamp, UserId, failure};

use super::facts::{Contract, ContractDivision, ContractType, Current, Facts};

/// The division and contract that an update asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The division to point at.
    pub division_id: DivisionId,
    /// The contract to belong to.
    pub contract_id: ContractId,
}

failure! {
    /// Why no method finds a record. The text is part of the protocol.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum LookupError {
        /// The active record does not exist, or not for this method (update rule 5; U10, D07).
        NotFound => NotFound, "not_found", "Contract division with such id is not found";
    }
}

failure! {
    /// Why the rules refuse to write a contract division. The texts, spelling included, are part of the protocol.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Refusal {
        /// Its contract is of another type or not active (rule 6; U11).
        NotGlobalBudget => Conflict, "not_global_budget",
            "Only contract divisions for contract with type GB_CBP can be updated";
        /// The active division does not exist (rule 7; U12).
        DivisionNotFound => NotFound, "division_not_found", "Division is not found", at "$.division_id";
        /// The division is not the contractor's (rule 8; U13).
        DivisionOfAnotherLegalEntity => Conflict, "division_of_another_legal_entity",
            "Division is not correspond to contractor legal entity", at "$.division_id";
        /// The new contract does not exist, is of another type or not active (rule 9; U14).
        ContractNotUsable => Conflict, "contract_not_usable",
            "Contract must be an active and with GB_CBP type", at "$.contract_id";
        /// Another active record has this contract and division (rule 10; U16, U23).
        PairTaken => Conflict, "pair_taken",
            "Contract division with such contract and division already exists", at "$.division_id";
    } wraps {
        /// The record is not found (rule 5; U10).
        Lookup(LookupError);
    }
}

impl Refusal {
    /// The active record does not exist (rule 5; U10).
    pub const RECORD_NOT_FOUND: Self = Self::Lookup(LookupError::NotFound);
}

/// Decides a write from the facts about it: the whole record after it, or the rule that refuses it. Pure; a store calls it while it holds
/// the facts' locks, and more than once if it has to begin again.
pub type Decide = Arc<dyn Fn(&Facts) -> Result<ContractDivision, Refusal> + Send + Sync>;

impl Change {
    /// Returns the decision of an update that asks for this: [`decide`], and its effect on the record.
    pub fn update(self, at: Timestamp, by: UserId) -> Decide {
        Arc::new(move |facts| {
            let record = decide(facts)?;
            let stamps = Stamps { updated_at: at, updated_by: by, ..record.stamps };
            Ok(ContractDivision {
                contract_id: self.contract_id,
                division_id: self.division_id,
                stamps,
                ..record
            })
        })
    }
}

/// Decides whether an update may happen (update rules 5 to 10, in this order); returns the record as it is before the update.
///
/// # Errors
/// The [`Refusal`] of the first rule that fails.
pub fn decide(facts: &Facts) -> Result<ContractDivision, Refusal> {
    let current =
        facts.current.filter(|current| current.record.is_active).ok_or(Refusal::RECORD_NOT_FOUND)?;
    if !current.contract.is_usable() {
        return Err(Refusal::NotGlobalBudget);
    }
    let division = facts.division.filter(|division| division.is_active).ok_or(Refusal::DivisionNotFound)?;
    // A contract that does not exist has no contractor to compare with: rule 9 answers before rule 8 then.
    let contract = facts.contract.ok_or(Refusal::ContractNotUsable)?;
    if division.legal_entity != contract.contractor {
        return Err(Refusal::DivisionOfAnotherLegalEntity);
    }
    if !contract.is_usable() {
        return Err(Refusal::ContractNotUsable);
    }
    if facts.is_pair_taken {
        return Err(Refusal::PairTaken);
    }
    Ok(current.record)
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
        current.record.is_active == self.is_active && current.contract.kind == self.contract_type
    }
}

impl Contract {
    /// What rules 6 and 9 ask of a contract; its status and suspension play no part (U24).
    fn is_usable(&self) -> bool {
        self.is_active && self.kind == ContractType::GbCbp
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
