//! Device dispenses: `document` maps, `query` reads, `commit`, `create` and `change` write, `replay` reads idempotency records, `import` loads.

mod change;
mod commit;
mod create;
pub(crate) mod document;
mod import;
mod json;
pub(crate) mod query;
mod replay;

use async_trait::async_trait;
use diesel::Connection as _;
use esoz_device_dispense::{
    Change, ChangeRefusal, Create, CreateRefusal, DeviceDispenses, Dispense, DispenseFacts, DispenseWrites,
    Filter, Overdue, OverdueFilter, RequestFacts, RequestQuery, StoredDispense, Transition,
};
use esoz_kernel::{Committed, DispenseId, Page, PageRequest, StoreError, Written};

use self::change::DispenseAndRequest;
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

#[async_trait]
impl DispenseWrites for SqliteStore {
    async fn request_facts(&self, query: &RequestQuery) -> Result<RequestFacts, StoreError> {
        let query = query.clone();
        let attempted = format!("looking up device request {} and its dispenses", query.request);
        // One snapshot for all.
        let facts = move |connection: &mut diesel::SqliteConnection| {
            connection.transaction(|connection| create::request_facts(connection, &query))
        };
        self.read(attempted, facts).await
    }

    async fn create(&self, create: &Create) -> Result<Written<Dispense, CreateRefusal>, StoreError> {
        let create = create.clone();
        let attempted = format!("recording dispense {}", create.query.id);
        self.writer.write(attempted, move |connection| create::create(connection, &create)).await
    }

    async fn facts(&self, id: DispenseId) -> Result<DispenseFacts, StoreError> {
        let find = move |connection: &mut diesel::SqliteConnection| {
            connection.transaction(|connection| Ok(DispenseAndRequest::find(connection, id)?))
        };
        let found = self.read(format!("looking up dispense {id} and its device request"), find).await?;
        found.map_or_else(|| Ok(DispenseFacts::default()), |found| found.facts(id))
    }

    async fn change(&self, change: &Change) -> Result<Written<Dispense, ChangeRefusal>, StoreError> {
        let change = change.clone();
        let attempted = format!("changing dispense {} by a signed document", change.id);
        self.writer.write(attempted, move |connection| change::change(connection, &change)).await
    }
}
