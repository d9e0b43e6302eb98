//! Device dispenses: `document` maps, `query` reads, `commit` and `batch` write, `replay` rebuilds a first answer, `import` loads.

pub(crate) mod batch;
pub(crate) mod bson_to_json;
pub(crate) mod commit;
pub(crate) mod document;
mod import;
pub(crate) mod query;
pub(crate) mod replay;

use async_trait::async_trait;
use esoz_device_dispense::{DeviceDispenses, Dispense, StoredDispense, Transition};
use esoz_kernel::{Committed, DispenseId, StoreError};

use crate::MongoStore;

#[async_trait]
impl DeviceDispenses for MongoStore {
    async fn find(&self, id: DispenseId) -> Result<Option<StoredDispense>, StoreError> {
        let found = self.documents.find(id).await;
        let found = found.map_err(|error| error.during(format!("finding dispense {id}")))?;
        found.map(|document| document::to_dispense(id, &document)).transpose()
    }

    /// Alone, or in one command with others that wait at the same time.
    async fn commit(&self, transition: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let committed = self.transitions.run(transition).await;
        committed.unwrap_or_else(|dropped| Err(dropped.during(commit::attempted(transition))))
    }
}
