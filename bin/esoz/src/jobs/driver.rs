//! The loop that drives periodic jobs.

use std::sync::Arc;
use std::time::Duration;

use ::metrics::Counter;
use esoz_events::Backoff;
use esoz_kernel::system::RandomIds;
use esoz_kernel::{IdGenerator as _, StoreError, StoreErrorKind};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::job::{Job, JobFailure, Worked};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::definitions::{JOB_RUNS, RUN_OUTCOMES};
use crate::telemetry::outage::{CallLog, Due, OutageContext};

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
#[path = "driver_tests.rs"]
mod tests;
