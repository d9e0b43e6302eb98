//! Work that is done over and over beside the requests: one file a job, one loop for all.

mod purge_keys;
mod relay;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use esoz_events::Backoff;
use esoz_kernel::system::RandomIds;
use esoz_kernel::{IdGenerator as _, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::telemetry::metrics::{JobRuns, Metrics};

pub(crate) use purge_keys::PurgeKeys;
pub(crate) use relay::RelayEvents;

/// What a run of a job did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worked {
    /// There may be more to do at once.
    More,
    /// Nothing is left to do until then.
    Done {
        /// The pause before the next run.
        pause: Duration,
    },
}

/// Work that is done over and over.
#[async_trait]
pub(crate) trait Job: Send + Sync {
    /// What it is called in metrics and in the log.
    fn name(&self) -> &'static str;

    /// The store that it works on.
    fn store(&self) -> &'static str;

    /// Does a bounded piece of the work.
    async fn run_once(&self) -> Result<Worked, StoreError>;

    /// Returns when there is something to do before the pause is over.
    async fn woken(&self) {
        std::future::pending::<()>().await;
    }

    /// Does what is left to do when the server stops.
    async fn stop(&self) {}
}

/// The jobs of a server, each in a task of its own. They are aborted when this is dropped.
pub(crate) struct Jobs {
    running: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Jobs {
    /// Runs each of these at once and then over and over. After failures in a row a job pauses for as long as `backoff` says.
    pub(crate) fn start(jobs: Vec<Box<dyn Job>>, backoff: Backoff, metrics: &Arc<Metrics>) -> Self {
        let stop = watch::Sender::new(false);
        let mut running = JoinSet::new();
        for job in jobs {
            let runs = JobRuns::new(metrics, job.name(), job.store());
            running.spawn(drive(job, backoff, runs, stop.subscribe()));
        }
        Self { running, stop }
    }

    /// Has every job end after its present run; tells whether all did within that time.
    pub(crate) async fn stop(mut self, within: Duration) -> bool {
        self.stop.send_replace(true);
        tokio::time::timeout(within, async { while self.running.join_next().await.is_some() {} })
            .await
            .is_ok()
    }
}

async fn drive(job: Box<dyn Job>, backoff: Backoff, runs: JobRuns, mut stop: watch::Receiver<bool>) {
    let (name, store) = (job.name(), job.store());
    let mut failures = 0_u32;
    // A closed channel stops the job as well: its `Jobs` was dropped.
    while !*stop.borrow() && stop.has_changed().is_ok() {
        let worked = job.run_once().await;
        runs.record(worked.is_ok());
        let pause = match worked {
            Ok(worked) => {
                if failures > 0 {
                    tracing::info!(job = name, store, failures, "the job works again");
                }
                failures = 0;
                match worked {
                    Worked::More => continue,
                    Worked::Done { pause } => pause,
                }
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                if failures == 1 {
                    let error = error.with_causes();
                    tracing::warn!(
                        job = name,
                        store,
                        error,
                        "the job failed; it is tried again until it works"
                    );
                }
                backoff.wait(failures)
            }
        };
        // After a failure nothing shortens the pause: the store gets its rest.
        let woken = async { if failures > 0 { std::future::pending().await } else { job.woken().await } };
        tokio::select! {
            () = tokio::time::sleep(with_jitter(pause)) => {}
            () = woken => {}
            _ = stop.changed() => {}
        }
    }
    job.stop().await;
}

/// Up to a tenth less, so that replicas do not keep step.
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

    use esoz_kernel::StoreErrorKind;
    use tokio::sync::Notify;

    use super::*;
    use crate::telemetry::metrics::RELAY;

    const SHORT: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_mins(1);

    /// A job whose runs end as it was told, and then are done for an hour.
    #[derive(Default)]
    struct Told {
        ends: Mutex<Vec<Option<Worked>>>,
        doorbell: Notify,
        ran: Notify,
        is_stopped: AtomicBool,
    }

    #[async_trait]
    impl Job for Arc<Told> {
        fn name(&self) -> &'static str {
            RELAY
        }

        fn store(&self) -> &'static str {
            "sqlite"
        }

        async fn run_once(&self) -> Result<Worked, StoreError> {
            let end = {
                let mut ends = self.ends.lock().unwrap();
                if ends.is_empty() {
                    self.ran.notify_one();
                    return Ok(Worked::Done { pause: Duration::from_hours(1) });
                }
                ends.remove(0)
            };
            end.ok_or_else(|| StoreError::new(StoreErrorKind::Unavailable, "testing"))
        }

        async fn woken(&self) {
            self.doorbell.notified().await;
        }

        async fn stop(&self) {
            self.is_stopped.store(true, Ordering::SeqCst);
        }
    }

    /// Runs it until it has done what it was told.
    async fn runs(ends: Vec<Option<Worked>>) -> (Arc<Told>, Jobs, Arc<Metrics>) {
        let told = Arc::new(Told { ends: Mutex::new(ends), ..Told::default() });
        let metrics = Arc::new(Metrics::on().unwrap());
        let backoff = Backoff { first: SHORT, longest: SHORT };
        let jobs = Jobs::start(vec![Box::new(told.clone())], backoff, &metrics);
        tokio::time::timeout(LONG, told.ran.notified()).await.unwrap();
        (told, jobs, metrics)
    }

    fn counted(metrics: &Metrics, outcome: &str) -> String {
        let series =
            format!("esoz_job_runs_total{{job_name=\"relay\",store=\"sqlite\",outcome=\"{outcome}\"}} ");
        metrics.text().lines().find_map(|line| line.strip_prefix(&series)).unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_job_goes_on_after_a_pause_and_ends_in_order() {
        let done = Worked::Done { pause: SHORT };
        let (told, jobs, metrics) = runs(vec![Some(Worked::More), Some(done), Some(Worked::More)]).await;
        assert!(jobs.stop(LONG).await);
        assert!(told.is_stopped.load(Ordering::SeqCst));
        assert_eq!(
            (counted(&metrics, "done"), counted(&metrics, "failed")),
            ("4".to_owned(), "0".to_owned())
        );
    }

    #[tokio::test]
    async fn a_job_that_fails_is_tried_again_until_it_works() {
        let (_told, jobs, metrics) = runs(vec![None; 5]).await;
        assert!(jobs.stop(LONG).await);
        assert_eq!(
            (counted(&metrics, "done"), counted(&metrics, "failed")),
            ("1".to_owned(), "5".to_owned())
        );
    }

    #[tokio::test]
    async fn a_job_that_is_woken_does_not_wait_for_the_end_of_its_pause() {
        let (told, _jobs, _) = runs(Vec::new()).await;
        told.doorbell.notify_one();
        tokio::time::timeout(LONG, told.ran.notified()).await.unwrap();
    }

    #[test]
    fn a_pause_is_shortened_by_a_tenth_at_most() {
        for _ in 0..1_000 {
            let pause = with_jitter(LONG);
            assert!((LONG.mul_f64(0.899)..=LONG).contains(&pause), "{pause:?}");
        }
    }
}
