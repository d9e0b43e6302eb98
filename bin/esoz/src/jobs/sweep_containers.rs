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
        let swept = self.sweep.execute(day, after, BATCH).await;
        let next = swept.as_ref().ok().and_then(|(_, next)| next.clone());
        // A day that fails is retried by the next pass, so that it does not block the other days (poison).
        if next.is_none() {
            days.pop();
        }
        let is_over = days.is_empty();
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = (days, next);
        let (swept, _) = swept?;
        if swept.removed > 0 || swept.unreadable > 0 {
            let (removed, unreadable) = (swept.removed, swept.unreadable);
            tracing::info!(%day, removed, unreadable, "signed documents that no dispense has were removed");
        }
        if let Some(failure) = swept.failure {
            return Err(failure.into());
        }
        Ok(if is_over { Worked::Done { pause: self.pause } } else { Worked::More })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use esoz_device_dispense::MockDeviceDispenses;
    use esoz_kernel::{Calendar, Clock, DispenseId, StoreError, StoreErrorKind, Timestamp, Uuid};
    use esoz_signed_content::MockMediaStorage;

    use super::*;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    impl Calendar for Fixed {
        fn day_of(&self, _: Timestamp) -> CivilDate {
            CivilDate::constant(2026, 1, 31)
        }
    }

    fn job(media: MockMediaStorage, days: u32) -> SweepContainersJob {
        let mut dispenses = MockDeviceDispenses::new();
        dispenses.expect_find().returning(|_| Ok(None));
        let (clock, calendar) = (Arc::new(Fixed), Arc::new(Fixed));
        let sweep =
            SweepContainers { dispenses: Arc::new(dispenses), media: Arc::new(media), clock, calendar };
        SweepContainersJob::new("media", sweep, days, Duration::ZERO)
    }

    #[tokio::test]
    async fn a_container_that_cannot_be_removed_is_told_and_the_next_run_goes_on_behind_it() {
        let listed = Arc::<Mutex<Vec<Option<MediaKey>>>>::default();
        let key = |number| {
            MediaKey::new(Fixed.day_of(Fixed.now()), DispenseId::new(Uuid::nil()), Uuid::from_u128(number))
        };
        let mut media = MockMediaStorage::new();
        let log = Arc::clone(&listed);
        media.expect_list().returning(move |_, after, limit| {
            let is_first = after.is_none();
            log.lock().unwrap().push(after);
            Ok(if is_first { (0..).map(key).take(limit).collect() } else { Vec::new() })
        });
        media.expect_delete().returning(move |removed| {
            if *removed == key(0) {
                return Err(StoreError::new(StoreErrorKind::Unexpected, "removing"));
            }
            Ok(())
        });
        let job = job(media, 1);
        assert!(job.run_once().await.is_err());
        assert!(matches!(job.run_once().await, Ok(Worked::Done { .. })));
        assert_eq!(*listed.lock().unwrap(), [None, (0..).map(key).nth(BATCH - 1)]);
    }

    #[tokio::test]
    async fn a_day_that_cannot_be_swept_does_not_keep_the_others_from_it_and_is_tried_again_in_the_next_pass()
    {
        let listed = Arc::<Mutex<Vec<String>>>::default();
        let mut media = MockMediaStorage::new();
        let log = Arc::clone(&listed);
        media.expect_list().returning(move |day, _, _| {
            log.lock().unwrap().push(day.to_string());
            if day.day() == 28 {
                return Err(StoreError::new(StoreErrorKind::Unexpected, "listing a day"));
            }
            Ok(Vec::new())
        });
        let job = job(media, 3);
        let mut are_well = Vec::new();
        for _ in 0..4 {
            are_well.push(job.run_once().await.is_ok());
        }
        assert_eq!(are_well, [true, false, true, true]);
        assert_eq!(*listed.lock().unwrap(), ["2026-01-27", "2026-01-28", "2026-01-29", "2026-01-27"]);
    }
}
