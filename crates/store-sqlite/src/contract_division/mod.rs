//! Contract divisions: `row` maps, `query` reads, `commit` writes, `registry` loads.

mod commit;
mod query;
mod registry;
mod row;

use async_trait::async_trait;
use esoz_contract_division::{ContractDivision, ContractDivisions, Refusal, Write};
use esoz_kernel::{StoreError, Written};

use crate::SqliteStore;

#[async_trait]
impl ContractDivisions for SqliteStore {
    async fn write(&self, write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError> {
        let write = write.clone();
        let attempted = format!("writing contract division {}", write.id);
        self.writer.write(attempted, move |connection| commit::write(connection, &write)).await
    }
}
