//! Contract divisions: `row` maps, `query` reads, `commit` writes, `import` loads.

mod commit;
mod import;
mod query;
mod row;

use async_trait::async_trait;
use esoz_contract_division::{ContractDivision, ContractDivisions, Current, Filter, Refusal, Write};
use esoz_kernel::{ContractDivisionId, Page, PageRequest, StoreError, Written};

use crate::SqliteStore;

#[async_trait]
impl ContractDivisions for SqliteStore {
    async fn find(&self, id: ContractDivisionId) -> Result<Option<Current>, StoreError> {
        let attempted = format!("finding contract division {id}");
        self.read(attempted, move |connection| query::current(connection, id)).await
    }

    async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Result<ContractDivision, StoreError>>, StoreError> {
        let filter = *filter;
        let list = move |connection: &mut _| Ok(query::list(connection, &filter, page)?);
        self.read("listing contract divisions", list).await
    }

    async fn write(&self, write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError> {
        let write = write.clone();
        let attempted = format!("writing contract division {}", write.id);
        self.writer.write(attempted, move |connection| commit::write(connection, &write)).await
    }
}
