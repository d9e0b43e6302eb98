use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use esoz_kernel::idempotency::expired_until;
use esoz_kernel::{Clock, IdempotencyRecords};

use super::job::{Job, JobFailure, Worked};
use crate::telemetry::metrics::definitions::PURGE_KEYS;

/// The pause between purges. A key expires whether it was purged or not, so this bounds only the disk space that expired keys take.
const PAUSE: Duration = Duration::from_hours(1);

/// Batch size: the most keys deleted in one run, so that other writers do not wait long.
const BATCH: u32 = 500;

/// Purges idempotency keys older than a day. Any number of servers may purge the same store.
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

    async fn run_once(&self) -> Result<Worked, JobFailure> {
        match self.keys.purge_expired(expired_until(self.clock.now()), BATCH).await? {
            0 => Ok(Worked::Done { pause: PAUSE }),
            purged => {
                tracing::debug!(purged, "expired idempotency keys purged");
                Ok(Worked::More)
            }
        }
    }
}
