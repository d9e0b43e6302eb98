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
    /// Builds the operations on the store of contract divisions and the clock of changes.
    pub fn new(contract_divisions: Arc<dyn ContractDivisions>, clock: Arc<dyn Clock>) -> Self {
        Self {
            list: ListContractDivisions { contract_divisions: contract_divisions.clone() },
            show: ShowContractDivision { contract_divisions: contract_divisions.clone() },
            update: UpdateContractDivision { contract_divisions, clock },
        }
    }
}
