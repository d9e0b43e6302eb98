//! Contract divisions: `row` maps, `query` reads, `commit` writes, `batch` shares commits, `import` loads.

pub(crate) mod batch;
mod commit;
mod import;
mod query;
mod row;

use async_trait::async_trait;
use esoz_contract_division::{ContractDivision, ContractDivisions, Current, Filter, Refusal, Write};
use esoz_kernel::{ContractDivisionId, Page, PageRequest, StoreError, Written};

use self::query::{FindCurrent, ListRecords};
use self::row::RecordRow;
use crate::PostgresStore;
use crate::error::During as _;
use crate::statement::at_most_one;

#[async_trait]
impl ContractDivisions for PostgresStore {
    async fn find(&self, id: ContractDivisionId) -> Result<Option<Current>, StoreError> {
        let rows = self.connections.query(FindCurrent { id: id.uuid() }).await;
        let rows = rows.during(format_args!("finding contract division {id}"))?;
        at_most_one(rows).map(row::to_current).transpose()
    }

    async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page<ContractDivision>, StoreError> {
        let rows = self.connections.query::<(i64, Option<RecordRow>), _>(ListRecords::of(filter, page)).await;
        let rows = rows.during("listing contract divisions")?;
        let total_entries = rows.first().map_or(0, |(total, _)| total.unsigned_abs());
        let records = rows.into_iter().filter_map(|(_, record)| record).map(row::contract_division);
        Ok(Page { items: records.collect::<Result<_, _>>()?, total_entries })
    }

    async fn write(&self, write: &Write) -> Result<Written<ContractDivision, Refusal>, StoreError> {
        self.contract_divisions.write(write).await
    }
}
