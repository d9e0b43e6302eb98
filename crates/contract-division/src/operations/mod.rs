//! One file per operation: input, error, `execute`.

mod list;
mod show;
mod update;

use std::sync::Arc;

use esoz_kernel::Clock;

pub use list::{ListContractDivisions, ListError, ListInput};
pub use show::{ShowContractDivision, ShowError};
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
    /// Lists contract divisions.
    pub list: ListContractDivisions,
    /// Shows a contract division.
    pub show: ShowContractDivision,
    /// Updates a contract division.
    pub update: UpdateContractDivision,
}

impl ContractDivisionOperations {
    /// Builds the operations on their ports.
    pub fn new(ports: ContractDivisionPorts) -> Self {
        let ContractDivisionPorts { contract_divisions, clock } = ports;
        Self {
            list: ListContractDivisions { contract_divisions: contract_divisions.clone() },
            show: ShowContractDivision { contract_divisions: contract_divisions.clone() },
            update: UpdateContractDivision { contract_divisions, clock },
        }
    }
}
