//! Device dispenses: `document` maps, `query` reads, `commit` writes, `import` loads.

mod commit;
pub(crate) mod document;
mod import;
mod json;
mod query;

use async_trait::async_trait;
use esoz_device_dispense::{DeviceDispenses, Dispense, StoredDispense, Transition};
use esoz_kernel::{Committed, DispenseId, StoreError};

use self::document::to_dispense;
use crate::SqliteStore;

#[async_trait]
impl DeviceDispenses for SqliteStore {
    async fn find(&self, id: DispenseId) -> Result<Option<StoredDispense>, StoreError> {
        let find = move |connection: &mut _| Ok(query::document(connection, id)?);
        let document = self.read(format!("finding dispense {id}"), find).await?;
        document.map(|document| to_dispense(&id.to_string(), &document)).transpose()
    }

    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let change = change.clone();
        let attempted = format!("changing the status of dispense {}", change.id);
        self.writer.write(attempted, move |connection| commit::commit(connection, &change)).await
    }
}
