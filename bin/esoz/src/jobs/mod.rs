//! Periodic jobs beside the requests: one file per job, and the loop that drives them all.

pub(crate) mod consume_events;
mod expire;
mod purge_events;
mod purge_keys;
mod relay;
mod sweep_containers;

use std::sync::Arc;
use std::time::Duration;

use ::metrics::Counter;
use async_trait::async_trait;
use esoz_events::Backoff;
use esoz_kernel::system::RandomIds;
use esoz_kernel::{IdGenerator as _, StoreError, StoreErrorKind};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::definitions::{JOB_RUNS, RUN_OUTCOMES};
use crate::telemetry::outage::{CallLog, Due, OutageContext};

pub(crate) use consume_events::ConsumeEvents;
pub(crate) use expire::{ExpireDispensesJob, count_overdue, expire_all, log_skipped};
pub(crate) use purge_events::PurgeEvents;
pub(crate) use purge_keys::PurgeKeys;
pub(crate) use relay::RelayEvents;
pub(crate) use sweep_containers::SweepContainersJob;

/// The result of a successful run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worked {
    /// More work may be waiting: the next run follows at once.
    More,
    /// No work is left; the next run follows after the pause.
    Done {
        /// The pause before the next run, unless the job is woken.
        pause: Duration,
    },
    /// There was nothing to do, and the store was not asked: an outage of it goes on.
    Idle {
        /// As of `Done`.
        pause: Duration,
    },
}

/// Why a run of a job failed.
#[derive(Debug)]
pub(crate) enum JobFailure {
    /// The store failed.
    Store(StoreError),
    /// Something else failed, which the job has logged.
    Logged,
}

impl From<StoreError> for JobFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A periodic job.
#[async_trait]
pub(crate) trait Job: Send + Sync {
    /// Its name in metrics and logs.
    fn name(&self) -> &'static str;

    /// The store that it works on.
    fn store(&self) -> &'static str;

    /// Does a bounded amount of work.
    async fn run_once(&self) -> Result<Worked, JobFailure>;

    /// Resolves when there is work before the pause is over.
    async fn woken(&self) {
        std::future::pending::<()>().await;
    }

    /// Finishes the work when the server stops.
    async fn stop(&self) {}
}

/// The running jobs, each in a task of its own. They are aborted when this is dropped.
pub(crate) struct Jobs {
    running: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Jobs {
    /// Starts the jobs. After consecutive failures a job pauses as `backoff` says.
    pub(crate) fn start(
        jobs: Vec<Box<dyn Job>>,
        backoff: Backoff,
        metrics: &Arc<Metrics>,
        outages: &OutageContext,
    ) -> Self {
        let stop = watch::Sender::new(false);
        let mut running = JoinSet::new();
        for job in jobs {
            let runs = RUN_OUTCOMES
                .map(|outcome| metrics.counter_from_zero(&JOB_RUNS, [job.name(), job.store(), outcome]));
            let log = outages.calls_of(job.store());
            running.spawn(drive(job.into(), backoff, runs, log, stop.subscribe()));
        }
        Self { running, stop }
    }

    /// Stops every job after its current run. Returns whether all stopped within that time.
    pub(crate) async fn stop(mut self, within: Duration) -> bool {
        self.stop.send_replace(true);
        tokio::time::timeout(within, async { while self.running.join_next().await.is_some() {} })
            .await
            .is_ok()
    }
}

/// Runs a job until it is stopped, or its [`Jobs`] is dropped.
async fn drive(
    job: Arc<dyn Job>,
    backoff: Backoff,
    [done, failed]: [Counter; 2],
    log: CallLog,
    mut stop: watch::Receiver<bool>,
) {
    let (name, store) = (job.name(), job.store());
    let mut failures = 0_u32;
    while !*stop.borrow() && stop.has_changed().is_ok() {
        let pause = match run_once(&job).await {
            Ok(Worked::Idle { pause }) => {
                done.increment(1);
                pause
            }
            Ok(worked) => {
                done.increment(1);
                failures = 0;
                if let Some(Due { failures, seconds, .. }) = log.worked() {
                    tracing::info!(job = name, store, failures, seconds, "the job has recovered");
                }
                match worked {
                    Worked::More => continue,
                    Worked::Done { pause } | Worked::Idle { pause } => pause,
                }
            }
            Err(failure) => {
                failed.increment(1);
                failures = failures.saturating_add(1);
                if let JobFailure::Store(error) = failure
                    && let Some(Due { is_first, failures, seconds }) = log.failed(&error)
                {
                    let error = error.with_causes();
                    let what = if is_first { "the job failed" } else { "the job still fails" };
                    tracing::warn!(
                        job = name,
                        store,
                        error,
                        failures,
                        seconds,
                        "{what} and is retried until it works"
                    );
                }
                backoff.wait(failures)
            }
        };
        // After a failure nothing shortens the pause: back-off spares the store.
        let woken = async { if failures > 0 { std::future::pending().await } else { job.woken().await } };
        tokio::select! {
            () = tokio::time::sleep(with_jitter(pause)) => {}
            () = woken => {}
            _ = stop.changed() => {}
        }
    }
    job.stop().await;
}

/// Runs a job once. A panic is a failed run: the next one may succeed, and no other job ends with it.
async fn run_once(job: &Arc<dyn Job>) -> Result<Worked, JobFailure> {
    // In a task of its own, which is aborted with this one.
    let mut run = JoinSet::new();
    let job = job.clone();
    let attempted = format!("running the job {}", job.name());
    run.spawn(async move { job.run_once().await });
    match run.join_next().await {
        Some(Ok(ran)) => ran,
        Some(Err(panicked)) => {
            Err(StoreError::new(StoreErrorKind::Unexpected, attempted).because(panicked).into())
        }
        None => Err(StoreError::new(StoreErrorKind::Unexpected, attempted).into()),
    }
}

/// Shortens the pause by up to a tenth, so that replicas do not run in step.
fn with_jitter(pause: Duration) -> Duration {
    let [.., high, low] = *RandomIds.fresh().as_bytes();
    pause.saturating_sub(
        pause.mul_f64(f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX) / 10.0),
    )
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
