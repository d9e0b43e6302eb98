//! Periodic jobs beside the requests: one file per job, and the loop that drives them all.

mod consume_events;
mod expire;
mod purge_events;
mod purge_keys;
mod relay;

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

pub(crate) use consume_events::ConsumeEvents;
pub(crate) use expire::{ExpireDispensesJob, count_overdue, expire_all, log_skipped};
pub(crate) use purge_events::PurgeEvents;
pub(crate) use purge_keys::PurgeKeys;
pub(crate) use relay::RelayEvents;

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
}

/// A periodic job.
#[async_trait]
pub(crate) trait Job: Send + Sync {
    /// Its name in metrics and logs.
    fn name(&self) -> &'static str;

    /// The store that it works on.
    fn store(&self) -> &'static str;

    /// Does a bounded amount of work.
    async fn run_once(&self) -> Result<Worked, StoreError>;

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
    pub(crate) fn start(jobs: Vec<Box<dyn Job>>, backoff: Backoff, metrics: &Arc<Metrics>) -> Self {
        let stop = watch::Sender::new(false);
        let mut running = JoinSet::new();
        for job in jobs {
            let runs = RUN_OUTCOMES.map(|outcome| {
                let counter = metrics.counter(&JOB_RUNS, [job.name(), job.store(), outcome]);
                // Exported as 0 before the first run, so that a rate counts that one too.
                counter.absolute(0);
                counter
            });
            running.spawn(drive(job.into(), backoff, runs, stop.subscribe()));
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
    mut stop: watch::Receiver<bool>,
) {
    let (name, store) = (job.name(), job.store());
    let mut failures = 0_u32;
    while !*stop.borrow() && stop.has_changed().is_ok() {
        let pause = match run_once(&job).await {
            Ok(worked) => {
                done.increment(1);
                if failures > 0 {
                    tracing::info!(job = name, store, failures, "the job has recovered");
                }
                failures = 0;
                match worked {
                    Worked::More => continue,
                    Worked::Done { pause } => pause,
                }
            }
            Err(error) => {
                failed.increment(1);
                failures = failures.saturating_add(1);
                if failures == 1 {
                    let error = error.with_causes();
                    tracing::warn!(job = name, store, error, "the job failed and is retried until it works");
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
async fn run_once(job: &Arc<dyn Job>) -> Result<Worked, StoreError> {
    // In a task of its own, which is aborted with this one.
    let mut run = JoinSet::new();
    let job = job.clone();
    let attempted = format!("running the job {}", job.name());
    run.spawn(async move { job.run_once().await });
    match run.join_next().await {
        Some(Ok(ran)) => ran,
        Some(Err(panicked)) => Err(StoreError::new(StoreErrorKind::Unexpected, attempted).because(panicked)),
        None => Err(StoreError::new(StoreErrorKind::Unexpected, attempted)),
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
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::sync::Notify;

    use super::*;
    use crate::telemetry::metrics::definitions::RELAY;

    const SHORT: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_mins(1);

    /// A job with scripted results (none: it fails). Then it is done for an hour.
    #[derive(Default)]
    struct Scripted {
        results: Mutex<Vec<Option<Worked>>>,
        doorbell: Notify,
        ran: Notify,
        is_stopped: AtomicBool,
    }

    #[async_trait]
    impl Job for Arc<Scripted> {
        fn name(&self) -> &'static str {
            RELAY
        }

        fn store(&self) -> &'static str {
            "sqlite"
        }

        async fn run_once(&self) -> Result<Worked, StoreError> {
            let result = {
                let mut results = self.results.lock().unwrap();
                if results.is_empty() {
                    self.ran.notify_one();
                    return Ok(Worked::Done { pause: Duration::from_hours(1) });
                }
                results.remove(0)
            };
            result.ok_or_else(|| StoreError::new(StoreErrorKind::Unavailable, "testing"))
        }

        async fn woken(&self) {
            self.doorbell.notified().await;
        }

        async fn stop(&self) {
            self.is_stopped.store(true, Ordering::SeqCst);
        }
    }

    /// Runs a job until its script has ended.
    async fn run(results: Vec<Option<Worked>>) -> (Arc<Scripted>, Jobs, Arc<Metrics>) {
        let job = Arc::new(Scripted { results: Mutex::new(results), ..Scripted::default() });
        let metrics = Arc::new(Metrics::on().unwrap());
        let backoff = Backoff { first: SHORT, longest: SHORT };
        let jobs = Jobs::start(vec![Box::new(job.clone())], backoff, &metrics);
        tokio::time::timeout(LONG, job.ran.notified()).await.unwrap();
        (job, jobs, metrics)
    }

    fn counted(metrics: &Metrics, outcome: &str) -> String {
        let series =
            format!("esoz_job_runs_total{{job_name=\"relay\",store=\"sqlite\",outcome=\"{outcome}\"}} ");
        metrics.text().lines().find_map(|line| line.strip_prefix(&series)).unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_job_goes_on_after_a_pause_and_ends_in_order() {
        let done = Worked::Done { pause: SHORT };
        let (job, jobs, metrics) = run(vec![Some(Worked::More), Some(done), Some(Worked::More)]).await;
        assert!(jobs.stop(LONG).await);
        assert!(job.is_stopped.load(Ordering::SeqCst));
        assert_eq!(
            (counted(&metrics, "done"), counted(&metrics, "failed")),
            ("4".to_owned(), "0".to_owned())
        );
    }

    #[tokio::test]
    async fn a_job_that_fails_is_tried_again_until_it_works() {
        let (_job, jobs, metrics) = run(vec![None; 5]).await;
        assert!(jobs.stop(LONG).await);
        assert_eq!(
            (counted(&metrics, "done"), counted(&metrics, "failed")),
            ("1".to_owned(), "5".to_owned())
        );
    }

    /// A job whose first run panics.
    #[derive(Default)]
    struct Panicking {
        ran: AtomicBool,
        again: Notify,
    }

    #[async_trait]
    impl Job for Arc<Panicking> {
        fn name(&self) -> &'static str {
            RELAY
        }

        fn store(&self) -> &'static str {
            "sqlite"
        }

        async fn run_once(&self) -> Result<Worked, StoreError> {
            assert!(self.ran.swap(true, Ordering::SeqCst), "the first run");
            self.again.notify_one();
            Ok(Worked::Done { pause: Duration::from_hours(1) })
        }
    }

    #[tokio::test]
    async fn a_job_that_panics_is_run_again() {
        let job = Arc::new(Panicking::default());
        let metrics = Arc::new(Metrics::on().unwrap());
        let backoff = Backoff { first: SHORT, longest: SHORT };
        let jobs = Jobs::start(vec![Box::new(job.clone())], backoff, &metrics);
        tokio::time::timeout(LONG, job.again.notified()).await.unwrap();
        assert!(jobs.stop(LONG).await);
        assert_eq!(
            (counted(&metrics, "done"), counted(&metrics, "failed")),
            ("1".to_owned(), "1".to_owned())
        );
    }

    #[tokio::test]
    async fn a_job_that_is_woken_does_not_wait_for_the_end_of_its_pause() {
        let (job, _jobs, _) = run(Vec::new()).await;
        job.doorbell.notify_one();
        tokio::time::timeout(LONG, job.ran.notified()).await.unwrap();
    }

    #[test]
    fn a_pause_is_shortened_by_a_tenth_at_most() {
        for _ in 0..1_000 {
            let pause = with_jitter(LONG);
            assert!((LONG.mul_f64(0.899)..=LONG).contains(&pause), "{pause:?}");
        }
    }
}
