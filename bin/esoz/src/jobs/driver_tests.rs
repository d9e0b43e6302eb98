use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::*;
use crate::telemetry::metrics::definitions::RELAY;
use crate::telemetry::outage;

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

    async fn run_once(&self) -> Result<Worked, JobFailure> {
        let result = {
            let mut results = self.results.lock().unwrap();
            if results.is_empty() {
                self.ran.notify_one();
                return Ok(Worked::Done { pause: Duration::from_hours(1) });
            }
            results.remove(0)
        };
        result.ok_or_else(|| StoreError::new(StoreErrorKind::Unavailable, "testing").into())
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
    let (outages, _) = outage::tests::context("sqlite");
    let jobs = Jobs::start(vec![Box::new(job.clone())], backoff, &metrics, &outages);
    tokio::time::timeout(LONG, job.ran.notified()).await.unwrap();
    (job, jobs, metrics)
}

fn counted(metrics: &Metrics, outcome: &str) -> String {
    let series = format!("esoz_job_runs_total{{job_name=\"relay\",store=\"sqlite\",outcome=\"{outcome}\"}} ");
    metrics.text().lines().find_map(|line| line.strip_prefix(&series)).unwrap().to_owned()
}

#[tokio::test]
async fn a_job_goes_on_after_a_pause_and_ends_in_order() {
    let done = Worked::Done { pause: SHORT };
    let (job, jobs, metrics) = run(vec![Some(Worked::More), Some(done), Some(Worked::More)]).await;
    assert!(jobs.stop(LONG).await);
    assert!(job.is_stopped.load(Ordering::SeqCst));
    assert_eq!((counted(&metrics, "done"), counted(&metrics, "failed")), ("4".to_owned(), "0".to_owned()));
}

#[tokio::test]
async fn a_run_with_nothing_to_do_is_no_failure() {
    let idle = Worked::Idle { pause: SHORT };
    let (job, jobs, metrics) = run(vec![None, Some(idle), Some(Worked::Done { pause: SHORT })]).await;
    assert!(jobs.stop(LONG).await);
    drop(job);
    assert_eq!((counted(&metrics, "done"), counted(&metrics, "failed")), ("3".to_owned(), "1".to_owned()));
}

#[tokio::test]
async fn a_job_that_fails_is_tried_again_until_it_works() {
    let (_job, jobs, metrics) = run(vec![None; 5]).await;
    assert!(jobs.stop(LONG).await);
    assert_eq!((counted(&metrics, "done"), counted(&metrics, "failed")), ("1".to_owned(), "5".to_owned()));
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

    async fn run_once(&self) -> Result<Worked, JobFailure> {
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
    let (outages, _) = outage::tests::context("sqlite");
    let jobs = Jobs::start(vec![Box::new(job.clone())], backoff, &metrics, &outages);
    tokio::time::timeout(LONG, job.again.notified()).await.unwrap();
    assert!(jobs.stop(LONG).await);
    assert_eq!((counted(&metrics, "done"), counted(&metrics, "failed")), ("1".to_owned(), "1".to_owned()));
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
