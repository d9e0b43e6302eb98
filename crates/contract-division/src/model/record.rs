use esoz_kernel::{CivilDate, Stamps};

use super::facts::{Contract, ContractStatus, Division, DivisionStatus};

/// The whole record of a division.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DivisionRecord {
    /// The facts that rules read.
    pub facts: Division,
    /// Its name.
    pub name: String,
    /// Its type, e.g. `CLINIC`.
    pub kind: String,
    /// Its status.
    pub status: DivisionStatus,
    /// Whether the register of pharmacies knows it.
    pub dls_verified: Option<bool>,
    /// The users who created and last changed it, and when.
    pub stamps: Stamps,
}

/// The whole record of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContractRecord {
    /// The facts that rules read.
    pub facts: Contract,
    /// Its status.
    pub status: ContractStatus,
    /// Its number.
    pub contract_number: String,
    /// Its first day, `YYYY-MM-DD`.
    pub start_date: CivilDate,
    /// Its last day, `YYYY-MM-DD`.
    pub end_date: CivilDate,
    /// Whether it is suspended.
    pub is_suspended: bool,
    /// The users who created and last changed it, and when.
    pub stamps: Stamps,
}
