//! Device dispenses: `document` maps, `query` reads, `commit` writes, `import` loads.

mod commit;
pub(crate) mod document;
mod import;
mod json;
pub(crate) mod query;

use async_trait::async_trait;
use esoz_device_dispense::{
    DeviceDispenses, Dispense, Filter, Overdue, OverdueFilter, StoredDispense, Transition,
};
use esoz_kernel::{Committed, DispenseId, Page, PageRequest, StoreError};

use self::document::to_dispense;
use crate::SqliteStore;

#[async_trait]
impl DeviceDispenses for SqliteStore {
    async fn find(&self, id: DispenseId) -> Result<Option<StoredDispense>, StoreError> {
        let find = move |connection: &mut _| Ok(query::document(connection, id)?);
        let document = self.read(format!("finding dispense {id}"), find).await?;
        document.map(|document| to_dispense(&id.to_string(), &document)).transpose()
    }

    async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Result<Dispense, StoreError>>, StoreError> {
        let filter = filter.clone();
        let list = move |connection: &mut _| Ok(query::list(connection, &filter, page)?);
        let Page { items, total_entries } = self.read("listing dispenses", list).await?;
        let items = items.iter().map(|(id, document)| to_dispense(id, document)?.dispense).collect();
        Ok(Page { items, total_entries })
    }

    async fn overdue(&self, filter: &OverdueFilter, limit: u32) -> Result<Vec<Overdue>, StoreError> {
        let (filter, limit) = (filter.clone(), usize::try_from(limit).unwrap_or(usize::MAX));
        let overdue = move |connection: &mut _| Ok(query::overdue(connection, &filter, limit)?);
        self.read("listing overdue dispenses", overdue).await
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let change = change.clone();
        let attempted = format!("changing the status of dispense {}", change.id);
        self.writer.write(attempted, move |connection| commit::commit(connection, &change)).await
    }
}
