use esoz_kernel::{ContractId, DivisionId};

use super::facts::{Contract, ContractType, Division, Facts};

/// What an update asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The division to point at.
    pub division_id: DivisionId,
    /// The contract to belong to.
    pub contract_id: ContractId,
}

/// Why an update is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Rule 5.
    RecordNotFound,
    /// Rule 6.
    NotGlobalBudget,
    /// Rule 7.
    DivisionNotFound,
    /// Rule 8.
    DivisionOfAnotherLegalEntity,
    /// Rule 9.
    ContractNotUsable,
    /// Rule 10.
    PairTaken,
}

/// The facts that an accepted update was decided from. They must still hold when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The contract that the record belongs to when the update is written, whichever that is then, must have this type …
    pub current_kind: ContractType,
    /// … and this standing. The record itself must be active.
    pub is_current_active: bool,
    /// The division it shall point at.
    pub division: Division,
    /// The contract it shall belong to.
    pub contract: Contract,
}

/// Decides whether an update may happen (update rules 5 to 10, in this order).
pub fn decide(facts: &Facts) -> Result<Expected, Refusal> {
    let current = facts.current.filter(|current| current.record.is_active).ok_or(Refusal::RecordNotFound)?;
    if !is_usable(&current.contract) {
        return Err(Refusal::NotGlobalBudget);
    }
    let division = facts.division.filter(|division| division.is_active).ok_or(Refusal::DivisionNotFound)?;
    // A contract that does not exist has no contractor to compare with: rule 9 answers before rule 8 then.
    let contract = facts.contract.ok_or(Refusal::ContractNotUsable)?;
    if division.legal_entity != contract.contractor {
        return Err(Refusal::DivisionOfAnotherLegalEntity);
    }
    if !is_usable(&contract) {
        return Err(Refusal::ContractNotUsable);
    }
    if facts.is_pair_taken {
        return Err(Refusal::PairTaken);
    }
    Ok(Expected {
        current_kind: current.contract.kind,
        is_current_active: current.contract.is_active,
        division,
        contract,
    })
}

/// What rules 6 and 9 ask of a contract; its status and suspension play no part (U24).
fn is_usable(contract: &Contract) -> bool {
    contract.is_active && contract.kind == ContractType::GbCbp
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
