//! One file per operation: input, error, `execute`.

mod create;
mod delete;
mod list;
mod show;
mod update;

#[cfg(test)]
mod fixtures;

use std::sync::Arc;

use esoz_kernel::{Clock, IdGenerator};

pub use create::{CreateContractDivision, CreateError, CreateInput};
pub use delete::{DeleteContractDivision, DeleteError, DeleteInput};
pub use list::{ListContractDivisions, ListError, ListInput};
pub use show::{ShowContractDivision, ShowError};
pub use update::{UpdateContractDivision, UpdateError, UpdateInput};

use crate::ContractDivisions;

/// Every operation on contract divisions.
#[derive(Clone)]
pub struct ContractDivisionOperations {
    /// Lists contract divisions.
    pub list: ListContractDivisions,
    /// Creates a contract division.
    pub create: CreateContractDivision,
    /// Shows a contract division.
    pub show: ShowContractDivision,
    /// Updates a contract division.
    pub update: UpdateContractDivision,
    /// Deletes a contract division.
    pub delete: DeleteContractDivision,
}

impl ContractDivisionOperations {
    /// Builds the operations on the store of contract divisions, the clock of changes, and the source of the records' ids.
    pub fn new(
        contract_divisions: Arc<dyn ContractDivisions>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdGenerator>,
    ) -> Self {
        Self {
            list: ListContractDivisions { contract_divisions: contract_divisions.clone() },
            create: CreateContractDivision {
                contract_divisions: contract_divisions.clone(),
                clock: clock.clone(),
                ids,
            },
            show: ShowContractDivision { contract_divisions: contract_divisions.clone() },
            update: UpdateContractDivision {
                contract_divisions: contract_divisions.clone(),
                clock: clock.clone(),
            },
            delete: DeleteContractDivision { contract_divisions, clock },
        }
    }
}
