use esoz_kernel::{ContractDivisionId, ContractId, DivisionId, LegalEntityId, Stamps, words};

words! {
    /// The type of a contract.
    pub enum ContractType {
        /// Paid per patient on a list.
        Capitation = "CAPITATION",
        /// Medicines and devices handed out are paid back.
        Reimbursement = "REIMBURSEMENT",
        /// A global budget. Only contract divisions of such contracts can be updated.
        GbCbp = "GB_CBP",
    } else {
        /// A type that ESOZ does not know, in a database that others fill as well. It is read, and never stored.
        Other = "",
    }
}

words! {
    /// The status of a contract. The rules of this crate read `is_active` alone (U24).
    pub enum ContractStatus {
        /// In force.
        Verified = "VERIFIED",
        /// Ended.
        Terminated = "TERMINATED",
    }
}

words! {
    /// The status of a division. The rules of this crate read `is_active` alone (U24).
    pub enum DivisionStatus {
        /// In use.
        Active = "ACTIVE",
        /// Not in use.
        Inactive = "INACTIVE",
    }
}

/// The facts about a contract that rules read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contract {
    /// Its id.
    pub id: ContractId,
    /// Its type.
    pub kind: ContractType,
    /// The legal entity that delivers under the contract (`contractor_legal_entity_id`).
    pub contractor: LegalEntityId,
    /// Whether the contract is active.
    pub is_active: bool,
}

/// The facts about a division that rules read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Division {
    /// Its id.
    pub id: DivisionId,
    /// The legal entity it belongs to.
    pub legal_entity: LegalEntityId,
    /// Whether the division is active.
    pub is_active: bool,
}

/// A contract division: a place of delivery of a contract. The whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContractDivision {
    /// Its id.
    pub id: ContractDivisionId,
    /// The contract.
    pub contract_id: ContractId,
    /// The division.
    pub division_id: DivisionId,
    /// Whether the record is active.
    pub is_active: bool,
    /// The users who created and last changed it, and when.
    pub stamps: Stamps,
}

/// A contract division with its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Current {
    /// The record.
    pub record: ContractDivision,
    /// Its contract.
    pub contract: Contract,
}

/// The facts that the rules of a write read, as of one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// The record to write, if there is one with that id, active or not.
    pub current: Option<Current>,
    /// The division that it shall point at, if there is one with that id, active or not.
    pub division: Option<Division>,
    /// The contract that it shall belong to, if there is one with that id, active or not.
    pub contract: Option<Contract>,
    /// Whether another active record has that contract and division already.
    pub is_pair_taken: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back_and_no_other_is() {
        for kind in ContractType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        for status in ContractStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        for status in DivisionStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        let refusal = "gb_cbp".parse::<ContractType>().unwrap_err();
        assert_eq!(refusal.to_string(), "is not one of CAPITATION, REIMBURSEMENT, GB_CBP");
    }
}
