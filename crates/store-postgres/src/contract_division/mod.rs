//! Contract divisions: `row` maps, `query` reads, `list` lists, `commit` writes, `batch` shares commits, `import` loads, `scan` exports.

pub(crate) mod batch;
mod commit;
mod import;
mod list;
mod query;
mod row;
mod scan;

use async_trait::async_trait;
use esoz_contract_division::{ContractDivision, ContractDivisions, Current, Filter, Refusal, Write};
use esoz_kernel::{ContractDivisionId, Page, PageRequest, StoreError, Written};

use self::list::{ListRecords, ListedRow};
use self::query::FindCurrent;
use crate::PostgresStore;
use crate::error::During as _;
use crate::statement::at_most_one;

#[async_trait]
impl ContractDivisions for PostgresStore {
    async fn find(&self, id: ContractDivisionId) -> Result<Option<Current>, StoreError> {
        let rows = self.records.query(FindCurrent { id: id.uuid() }).await;
        let rows = rows.during(format_args!("finding contract division {id}"))?;
        at_most_one(rows).map(row::to_current).transpose()
    }

    async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Result<ContractDivision, StoreError>>, StoreError> {
        let rows = self.records.query::<ListedRow, _>(ListRecords::new(filter, page)).await;
        Ok(list::page(rows.during("listing contract divisions")?))
    }

    async fn write(&self, write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError> {
        self.contract_divisions.write(write).await
    }
}
