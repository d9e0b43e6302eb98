//! Device dispenses: `document` maps, `query` and `find` read, `commit` and `batch` write, `replay` and `before` rebuild a first answer, `import` loads.

pub(crate) mod batch;
pub(crate) mod before;
pub(crate) mod bson_to_json;
pub(crate) mod commit;
pub(crate) mod document;
pub(crate) mod find;
mod import;
pub(crate) mod query;
pub(crate) mod replay;

use async_trait::async_trait;
use esoz_device_dispense::{
    DeviceDispenses, Dispense, Filter, Overdue, OverdueFilter, StoredDispense, Transition,
};
use esoz_kernel::{Committed, DispenseId, Page, PageRequest, StoreError};

use crate::{MongoStore, fields::IN_PROGRESS, reads};

#[async_trait]
impl DeviceDispenses for MongoStore {
    async fn find(&self, id: DispenseId) -> Result<Option<StoredDispense>, StoreError> {
        let found = reads::read(&self.finds, &id).await?;
        found.map(|document| document::to_dispense(id, &document)).transpose()
    }

    async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Result<Dispense, StoreError>>, StoreError> {
        let listed = self.documents.list(filter, page).await;
        let Page { items, total_entries } = listed.map_err(|error| {
            query::index_missing_or("listing dispenses", query::index_for(filter), &error)
        })?;
        let items = items.iter().map(|document| document::to_entry(document)).collect();
        Ok(Page { items, total_entries })
    }

    async fn overdue(&self, filter: &OverdueFilter, limit: u32) -> Result<Vec<Overdue>, StoreError> {
        let found = self.documents.overdue(filter, limit).await;
        found.map_err(|error| query::index_missing_or("listing overdue dispenses", IN_PROGRESS, &error))
    }

    /// Alone, or in one command with others that wait at the same time.
    async fn commit(&self, transition: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let committed = self.transitions.run(transition).await;
        committed.unwrap_or_else(|dropped| Err(dropped.during(commit::attempted(transition))))
    }
}
