use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use esoz_device_dispense::SweepContainers;
use esoz_kernel::CivilDate;
use esoz_signed_content::MediaKey;

use super::job::{Job, JobFailure, Worked};
use crate::telemetry::metrics::definitions::SWEEP_CONTAINERS;

/// Batch size: the most keys looked at in one run.
const BATCH: usize = 200;

/// Removes signed documents that no dispense has. Any number of servers may sweep the same storage.
pub(crate) struct SweepContainersJob {
    store: &'static str,
    sweep: SweepContainers,
    /// How many days are swept.
    days: u32,
    /// The pause between two passes.
    pause: Duration,
    /// The days that are left of the current pass, the next one last, and where to go on in it.
    left: Mutex<(Vec<CivilDate>, Option<MediaKey>)>,
}

impl SweepContainersJob {
    pub(crate) fn new(store: &'static str, sweep: SweepContainers, days: u32, pause: Duration) -> Self {
        Self { store, sweep, days, pause, left: Mutex::default() }
    }
}

#[async_trait]
impl Job for SweepContainersJob {
    fn name(&self) -> &'static str {
        SWEEP_CONTAINERS
    }

    fn store(&self) -> &'static str {
        self.store
    }

    async fn run_once(&self) -> Result<Worked, JobFailure> {
        let (mut days, after) = self.left.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if days.is_empty() {
            days = self.sweep.days(self.days);
        }
        let Some(day) = days.last().copied() else { return Ok(Worked::Done { pause: self.pause }) };
        let (swept, next) = self.sweep.execute(day, after, BATCH).await?;
        if swept.removed > 0 || swept.unreadable > 0 {
            let (removed, unreadable) = (swept.removed, swept.unreadable);
            tracing::info!(%day, removed, unreadable, "signed documents that no dispense has were removed");
        }
        if next.is_none() {
            days.pop();
        }
        let is_over = days.is_empty();
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = (days, next);
        Ok(if is_over { Worked::Done { pause: self.pause } } else { Worked::More })
    }
}
