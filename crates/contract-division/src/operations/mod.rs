//! One file per operation: input, error, `execute`.

mod update;

use std::sync::Arc;

use esoz_kernel::Clock;

pub use update::{UpdateContractDivision, UpdateError, UpdateInput};

use crate::ContractDivisions;

/// What the operations on contract divisions need together.
#[derive(Clone)]
pub struct ContractDivisionPorts {
    /// Where the records are kept.
    pub contract_divisions: Arc<dyn ContractDivisions>,
    /// The current time.
    pub clock: Arc<dyn Clock>,
}

/// Every operation on contract divisions.
#[derive(Clone)]
pub struct ContractDivisionOperations {
    /// Updates a contract division.
    pub update: UpdateContractDivision,
}

impl ContractDivisionOperations {
    /// Builds the operations on their ports.
    pub fn new(ports: ContractDivisionPorts) -> Self {
        let ContractDivisionPorts { contract_divisions, clock } = ports;
        Self { update: UpdateContractDivision { contract_divisions, clock } }
    }
}
