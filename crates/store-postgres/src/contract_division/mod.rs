//! Contract divisions: `row` maps, `query` reads, `commit` writes, `batch` shares commits.

pub(crate) mod batch;
mod commit;
mod query;
mod row;

use async_trait::async_trait;
use esoz_contract_division::{ContractDivision, ContractDivisions, Refusal, Write};
use esoz_kernel::{StoreError, Written};

use crate::PostgresStore;

#[async_trait]
impl ContractDivisions for PostgresStore {
    async fn write(&self, write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError> {
        self.contract_divisions.write(write).await
    }
}
