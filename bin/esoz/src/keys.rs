//! Idempotency keys are kept for a day; this forgets those that are older.

use std::sync::Arc;
use std::time::Duration;

use esoz_kernel::idempotency::expired_until;
use esoz_kernel::{Clock, IdempotencyRecords, StoreError};
use tokio::task::JoinSet;

/// Between two looks for old keys. An old key counts for nothing also before it is found, so this bounds only the room that it takes.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// The most keys that are forgotten in one step, so that nobody else waits long for the store.
const AT_ONCE: u32 = 500;

/// Forgets old keys for as long as it lives. Any number of servers may do so on the same stores.
pub(crate) struct Forgetting {
    _forgetting: JoinSet<()>,
}

impl Forgetting {
    /// Starts to forget, at once and then every hour.
    pub(crate) fn start(stores: &[Arc<dyn IdempotencyRecords>], clock: &Arc<dyn Clock>) -> Self {
        let mut forgetting = JoinSet::new();
        for store in stores {
            forgetting.spawn(over_and_over(store.clone(), clock.clone()));
        }
        Self { _forgetting: forgetting }
    }
}

async fn over_and_over(store: Arc<dyn IdempotencyRecords>, clock: Arc<dyn Clock>) {
    loop {
        match forget(store.as_ref(), clock.as_ref()).await {
            Ok(0) => {}
            Ok(forgotten) => tracing::debug!(forgotten, "old idempotency keys forgotten"),
            Err(error) => {
                let error = error.with_causes();
                tracing::warn!(error, "old idempotency keys could not be forgotten; they will be later");
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Forgets every key that is old now, and tells how many.
async fn forget(store: &dyn IdempotencyRecords, clock: &dyn Clock) -> Result<u64, StoreError> {
    let until = expired_until(clock.now());
    let mut all = 0_u64;
    loop {
        match store.purge_expired(until, AT_ONCE).await? {
            0 => return Ok(all),
            some => all = all.saturating_add(some),
        }
    }
}
