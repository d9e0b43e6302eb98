use esoz_kernel::{ContractId, DivisionId, failure};

use super::facts::{Contract, ContractType, Facts};

/// What an update asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The division to point at.
    pub division_id: DivisionId,
    /// The contract to belong to.
    pub contract_id: ContractId,
}

failure! {
    /// Why the rules refuse to write a contract division. The texts, spelling included, are part of the protocol.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Refusal {
        /// The active record does not exist (rule 5; U10).
        RecordNotFound => NotFound, "not_found", "Contract division with such id is not found";
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
    }
}

/// What the rules ask of the facts, as one condition for the step that writes: a store compares what it holds with this, and judges nothing.
///
/// It holds when there are a record, the contract that this belongs to at that moment, and the wanted division and contract; all four are
/// active; both contracts are of [`contract_kind`](Self::contract_kind); the division is the wanted contract's contractor's; and no other
/// active record has the pair. That is so exactly when [`decide`] accepts, which tells more: why not, and the first reason first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The type of both contracts.
    pub contract_kind: ContractType,
}

impl Expected {
    /// What update rules 5 to 10 ask.
    pub const BY_THE_RULES: Self = Self { contract_kind: ContractType::GbCbp };

    /// Whether it holds, for a store that gathers the facts itself when it writes.
    pub fn is_met_by(self, facts: &Facts) -> bool {
        let Facts {
            current: Some(current),
            division: Some(division),
            contract: Some(contract),
            is_pair_taken,
        } = facts
        else {
            return false;
        };
        current.record.is_active
            && self.is_usable(&current.contract)
            && division.is_active
            && division.legal_entity == contract.contractor
            && self.is_usable(contract)
            && !is_pair_taken
    }

    /// What rules 6 and 9 ask of a contract; its status and suspension play no part (U24).
    fn is_usable(self, contract: &Contract) -> bool {
        contract.is_active && contract.kind == self.contract_kind
    }
}

/// Decides whether an update may happen (update rules 5 to 10, in this order).
///
/// # Errors
/// The [`Refusal`] of the first rule that fails.
pub fn decide(facts: &Facts) -> Result<(), Refusal> {
    let expected = Expected::BY_THE_RULES;
    let current = facts.current.filter(|current| current.record.is_active).ok_or(Refusal::RecordNotFound)?;
    if !expected.is_usable(&current.contract) {
        return Err(Refusal::NotGlobalBudget);
    }
    let division = facts.division.filter(|division| division.is_active).ok_or(Refusal::DivisionNotFound)?;
    // A contract that does not exist has no contractor to compare with: rule 9 answers before rule 8 then.
    let contract = facts.contract.ok_or(Refusal::ContractNotUsable)?;
    if division.legal_entity != contract.contractor {
        return Err(Refusal::DivisionOfAnotherLegalEntity);
    }
    if !expected.is_usable(&contract) {
        return Err(Refusal::ContractNotUsable);
    }
    if facts.is_pair_taken {
        return Err(Refusal::PairTaken);
    }
    Ok(())
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
