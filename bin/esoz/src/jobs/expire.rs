use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
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
    /// The last dispense of the batch before; `None` at the beginning.
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
    /// The last one of the batch; `None` when no batch follows.
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
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, error) in skipped {
            if pass.logged.len() < MAX_LOGGED && pass.logged.insert(*id) {
                log_skipped(*id, error);
            }
        }
    }

    fn move_to(&self, after: Option<Overdue>) -> Option<Overdue> {
        let mut pass = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut pass.after, after)
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
        let after = self.move_to(None);
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
        if let Some(failure) = batch.failure {
            return Err(failure.into());
        }
        self.move_to(batch.next);
        Ok(if batch.next.is_some() { Worked::More } else { Worked::Done { pause: self.pause } })
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
            return batch;
        }
    }
    batch
}
