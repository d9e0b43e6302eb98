use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use esoz_device_dispense::{ExpireDispenses, Overdue};
use esoz_kernel::{DispenseId, StoreError, StoreErrorKind};
use metrics::{Counter, Gauge};
use tokio::task::JoinSet;

use super::job::{Job, JobFailure, Worked};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::definitions::{
    EXPIRE_DISPENSES, EXPIRY_DISPENSES, EXPIRY_OLDEST_OVERDUE, EXPIRY_OUTCOMES,
};

/// Batch size: the most overdue dispenses that one run expires.
const BATCH: u32 = 256;
/// Concurrent changes of status. They share commits with requests; few, so that requests do not queue behind them.
const AT_ONCE: usize = 16;
/// The most skipped dispenses that a server names in its log; the metric counts all.
const MAX_LOGGED: usize = 1_000;

/// Expires overdue device dispenses, batch by batch, oldest first. Any number of servers may expire the same store.
pub(crate) struct ExpireDispensesJob {
    store: &'static str,
    expire: ExpireDispenses,
    pause: Duration,
    pass: Mutex<Pass>,
    expired: Counter,
    skipped: Counter,
    oldest: Gauge,
}

/// A pass over all overdue dispenses.
#[derive(Default)]
struct Pass {
    /// The last dispense that was tried; `None` at the beginning.
    after: Option<Overdue>,
    /// The skipped dispenses that the log has named.
    logged: HashSet<DispenseId>,
}

/// The outcome of a batch.
#[derive(Default)]
pub(crate) struct Batch {
    /// The number of dispenses that expired.
    pub(crate) expired: u64,
    /// The dispenses that were skipped, because they cannot be read or changed.
    pub(crate) skipped: Vec<(DispenseId, StoreError)>,
    /// The last one that was tried; `None` when none is left behind it.
    pub(crate) next: Option<Overdue>,
    /// The failure of the store, if it became unavailable before all had expired.
    pub(crate) failure: Option<StoreError>,
}

impl ExpireDispensesJob {
    pub(crate) fn new(
        store: &'static str,
        expire: ExpireDispenses,
        pause: Duration,
        metrics: &Metrics,
    ) -> Self {
        let [expired, skipped] =
            EXPIRY_OUTCOMES.map(|outcome| metrics.counter_from_zero(&EXPIRY_DISPENSES, [outcome]));
        let oldest = metrics.gauge(&EXPIRY_OLDEST_OVERDUE, []);
        Self { store, expire, pause, pass: Mutex::default(), expired, skipped, oldest }
    }

    fn log(&self, skipped: &[(DispenseId, StoreError)]) {
        let mut pass = self.pass();
        for (id, error) in skipped {
            if pass.logged.len() < MAX_LOGGED && pass.logged.insert(*id) {
                log_skipped(*id, error);
            }
        }
    }

    fn pass(&self) -> MutexGuard<'_, Pass> {
        self.pass.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Job for ExpireDispensesJob {
    fn name(&self) -> &'static str {
        EXPIRE_DISPENSES
    }

    fn store(&self) -> &'static str {
        self.store
    }

    async fn run_once(&self) -> Result<Worked, JobFailure> {
        let after = self.pass().after.take();
        let overdue = self.expire.overdue(after, BATCH).await?;
        if after.is_none() {
            let oldest = overdue.first().map(|oldest| self.expire.overdue_for(oldest));
            self.oldest.set(oldest.unwrap_or_default().as_secs_f64());
        }
        let batch = expire_batch(&self.expire, overdue).await;
        self.expired.increment(batch.expired);
        self.skipped.increment(u64::try_from(batch.skipped.len()).unwrap_or(u64::MAX));
        self.log(&batch.skipped);
        if batch.expired > 0 {
            tracing::info!(expired = batch.expired, "overdue dispenses expired");
        }
        // After a failure too, behind what failed: dispenses that somebody keeps locked must not hold up the younger ones.
        self.pass().after = batch.next;
        match batch.failure {
            Some(failure) => Err(failure.into()),
            None if batch.next.is_some() => Ok(Worked::More),
            None => Ok(Worked::Done { pause: self.pause }),
        }
    }
}

/// Logs that an overdue dispense was skipped, and why.
pub(crate) fn log_skipped(id: DispenseId, error: &StoreError) {
    tracing::error!(%id, error = error.with_causes(), "an overdue dispense was not expired; correct its document");
}

/// Makes one pass over all overdue dispenses, as far as it gets.
pub(crate) async fn expire_all(expire: &ExpireDispenses) -> Batch {
    let mut all = Batch::default();
    loop {
        let batch = match expire.overdue(all.next, BATCH).await {
            Ok(overdue) => expire_batch(expire, overdue).await,
            Err(failure) => Batch { failure: Some(failure), ..Batch::default() },
        };
        all.expired += batch.expired;
        all.skipped.extend(batch.skipped);
        (all.next, all.failure) = (batch.next, batch.failure);
        if all.next.is_none() || all.failure.is_some() {
            return all;
        }
    }
}

/// Counts all overdue dispenses.
pub(crate) async fn count_overdue(expire: &ExpireDispenses) -> Result<u64, StoreError> {
    let (mut counted, mut after) = (0, None);
    loop {
        let overdue = expire.overdue(after, BATCH).await?;
        counted += u64::try_from(overdue.len()).unwrap_or(u64::MAX);
        after = next(&overdue);
        if after.is_none() {
            return Ok(counted);
        }
    }
}

/// The position after a batch; `None` when it was the last one.
fn next(overdue: &[Overdue]) -> Option<Overdue> {
    let is_full = overdue.len() >= usize::try_from(BATCH).unwrap_or(usize::MAX);
    overdue.last().copied().filter(|_| is_full)
}

async fn expire_batch(expire: &ExpireDispenses, overdue: Vec<Overdue>) -> Batch {
    let mut batch = Batch { next: next(&overdue), ..Batch::default() };
    for some in overdue.chunks(AT_ONCE) {
        let mut running = JoinSet::new();
        for &Overdue { id, .. } in some {
            let expire = expire.clone();
            running.spawn(async move { (id, expire.execute(id).await) });
        }
        for (id, expired) in running.join_all().await {
            match expired {
                Ok(has_expired) => batch.expired += u64::from(has_expired),
                Err(error) if error.kind() == StoreErrorKind::Unavailable => batch.failure = Some(error),
                // Whatever the store has against this dispense, the younger ones must not wait for it.
                Err(error) => batch.skipped.push((id, error)),
            }
        }
        if batch.failure.is_some() {
            batch.next = some.last().copied();
            return batch;
        }
    }
    batch
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use esoz_device_dispense::MockDeviceDispenses;
    use esoz_kernel::{Clock, Committed, IdGenerator, Timestamp, UserId, Uuid};

    use super::*;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }
    }

    impl IdGenerator for Fixed {
        fn fresh(&self) -> Uuid {
            Uuid::from_u128(7)
        }
    }

    fn id(number: u128) -> DispenseId {
        DispenseId::new(Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn given_locked_dispenses_at_the_head_then_the_younger_ones_are_tried_and_the_next_pass_tries_all()
    {
        let locked = u128::try_from(AT_ONCE).unwrap();
        let tried = Arc::<Mutex<Vec<DispenseId>>>::default();
        let mut dispenses = MockDeviceDispenses::new();
        dispenses.expect_overdue().returning(move |filter, _| {
            let overdue = (0..=locked).map(|number| Overdue { inserted_at: Timestamp::MIN, id: id(number) });
            Ok(overdue.filter(|overdue| filter.after.is_none_or(|after| *overdue > after)).collect())
        });
        let log = Arc::clone(&tried);
        dispenses.expect_commit().returning(move |transition| {
            log.lock().unwrap().push(transition.id);
            if transition.id < id(locked) {
                return Err(StoreError::new(StoreErrorKind::Unavailable, "waiting for a lock"));
            }
            Ok(Committed::Stale)
        });
        dispenses.expect_find().returning(|_| Ok(None));
        let expire = ExpireDispenses {
            dispenses: Arc::new(dispenses),
            clock: Arc::new(Fixed),
            ids: Arc::new(Fixed),
            lifetime: Duration::from_secs(1),
            system_user: UserId::new(Uuid::nil()),
        };
        let job = ExpireDispensesJob::new("mongodb", expire, Duration::ZERO, &Metrics::off());
        let mut are_well = Vec::new();
        for _ in 0..3 {
            are_well.push(job.run_once().await.is_ok());
        }
        assert_eq!(are_well, [false, true, false]);
        let mut tried = tried.lock().unwrap().clone();
        tried.sort_unstable();
        let twice = (0..locked).flat_map(|number| [id(number); 2]);
        assert_eq!(tried, twice.chain([id(locked)]).collect::<Vec<_>>());
    }
}
