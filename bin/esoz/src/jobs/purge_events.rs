use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use esoz_events::{EventLog, EventPosition, Retention};
use esoz_kernel::Clock;

use super::job::{Job, JobFailure, Worked};
use crate::telemetry::metrics::definitions::PURGE_EVENTS;

/// The pause between purges.
const PAUSE: Duration = Duration::from_mins(10);

/// Batch size: the most events removed in one run, so that other writers do not wait long.
const BATCH: u32 = 500;

/// Removes old events from the event log. Any number of servers may purge the same log.
pub(crate) struct PurgeEvents {
    store: &'static str,
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    retention: Retention,
    /// The cutoff of the current purge, computed once because finding it counts rows.
    cutoff: Mutex<Option<EventPosition>>,
}

impl PurgeEvents {
    pub(crate) fn new(
        store: &'static str,
        log: Arc<dyn EventLog>,
        clock: Arc<dyn Clock>,
        retention: Retention,
    ) -> Self {
        Self { store, log, clock, retention, cutoff: Mutex::default() }
    }

    fn set_cutoff(&self, cutoff: Option<EventPosition>) {
        *self.cutoff.lock().unwrap_or_else(PoisonError::into_inner) = cutoff;
    }
}

#[async_trait]
impl Job for PurgeEvents {
    fn name(&self) -> &'static str {
        PURGE_EVENTS
    }

    fn store(&self) -> &'static str {
        self.store
    }

    async fn run_once(&self) -> Result<Worked, JobFailure> {
        let mut unknown = None;
        let under_way = *self.cutoff.lock().unwrap_or_else(PoisonError::into_inner);
        let cutoff = if let Some(cutoff) = under_way {
            cutoff
        } else {
            let cutoff;
            (cutoff, unknown) = self.retention.cutoff(&*self.log, self.clock.now()).await;
            cutoff
        };
        let removed = self.log.remove_before(cutoff, BATCH).await?;
        // Not logged when the log is unavailable as a whole: then the job itself failed.
        if let Some(unknown) = unknown {
            let error = unknown.with_causes();
            tracing::warn!(error, "the events beyond `events.keep_count` cannot be found and stay for now");
        }
        match removed {
            0 => {
                self.set_cutoff(None);
                Ok(Worked::Done { pause: PAUSE })
            }
            removed => {
                self.set_cutoff(Some(cutoff));
                tracing::debug!(removed, "old events removed");
                Ok(Worked::More)
            }
        }
    }
}
