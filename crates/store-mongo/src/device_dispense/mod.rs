//! Device dispenses: `document` maps, `query` reads, `commit` and `batch` write, `replay` rebuilds a first answer, `import` loads.

pub(crate) mod batch;
pub(crate) mod bson_to_json;
pub(crate) mod commit;
pub(crate) mod document;
mod import;
pub(crate) mod query;
pub(crate) mod replay;

use async_trait::async_trait;
use esoz_batch::Dropped;
use esoz_device_dispense::{DeviceDispenses, Dispense, StoredDispense, Transition};
use esoz_kernel::{Committed, DispenseId, StoreError, StoreErrorKind};

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
        self.transitions.run(transition).await.unwrap_or_else(|dropped| {
            let kind = match dropped {
                Dropped::QueueTimeout => StoreErrorKind::Unavailable,
                Dropped::Aborted => StoreErrorKind::Unexpected,
            };
            Err(StoreError::new(kind, commit::attempted(transition)).because(dropped))
        })
    }
}
