use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use esoz_kernel::idempotency::expired_until;
use esoz_kernel::{Clock, IdempotencyRecords, StoreError};

use super::{Job, Worked};
use crate::telemetry::metrics::PURGE_KEYS;

/// The pause before the next look for old keys. An old key counts for nothing also before it is found, so this bounds only the room that it takes.
const PAUSE: Duration = Duration::from_hours(1);

/// Batch size: the most keys deleted in one run, so that other writers do not wait long.
const BATCH: u32 = 500;

/// Deletes idempotency keys that are older than a day. Any number of servers may do so on the same store.
pub(crate) struct PurgeKeys {
    pub(crate) store: &'static str,
    pub(crate) keys: Arc<dyn IdempotencyRecords>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[async_trait]
impl Job for PurgeKeys {
    fn name(&self) -> &'static str {
        PURGE_KEYS
    }

    fn store(&self) -> &'static str {
        self.store
    }

    async fn run_once(&self) -> Result<Worked, StoreError> {
        match self.keys.purge_expired(expired_until(self.clock.now()), BATCH).await? {
            0 => Ok(Worked::Done { pause: PAUSE }),
            purged => {
                tracing::debug!(purged, "old idempotency keys deleted");
                Ok(Worked::More)
            }
        }
    }
}
