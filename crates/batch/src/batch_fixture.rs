//! An executor that a test holds up.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::super::*;

/// Doubles numbers; each batch takes a permit of the test. A batch with a 13 in it panics.
pub(super) struct Doubling {
    pub(super) log: Arc<Mutex<Vec<Vec<u32>>>>,
    pub(super) permits: Arc<Semaphore>,
    in_flight: AtomicUsize,
    pub(super) most_in_flight: AtomicUsize,
}

impl Doubling {
    async fn execute(&self, jobs: Vec<u32>) {
        let in_flight = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(in_flight, Ordering::SeqCst);
        self.log.lock().unwrap().push(jobs);
        self.permits.acquire().await.unwrap().forget();
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl BatchExecutor for Doubling {
    type Job = u32;
    type Answer = u32;

    async fn run_one(&self, job: &u32) -> u32 {
        self.execute(vec![*job]).await;
        job * 2
    }

    async fn run_batch(&self, batch: Vec<Queued<u32, u32>>) -> bool {
        let jobs: Vec<u32> = batch.iter().map(|queued| *queued.job()).collect();
        assert!(!jobs.contains(&13), "on purpose");
        self.execute(jobs).await;
        for queued in batch {
            let (job, reply) = queued.into_parts();
            reply.send(job * 2);
        }
        true
    }
}

pub(super) struct Fixture {
    pub(super) batcher: Batcher<Doubling>,
    pub(super) log: Arc<Mutex<Vec<Vec<u32>>>>,
    pub(super) permits: Arc<Semaphore>,
}

pub(super) const NO_TIMEOUT: Duration = Duration::from_hours(1);

pub(super) fn fixture(max_batches: usize, max_jobs: usize, queue_timeout: Duration) -> Fixture {
    fixture_of(limits(max_batches, max_jobs, queue_timeout))
}

pub(super) fn limits(max_batches: usize, max_jobs: usize, queue_timeout: Duration) -> Limits {
    Limits {
        max_batches,
        max_jobs,
        further_at: max_jobs.div_ceil(2),
        queue_timeout,
        target: NO_TIMEOUT,
        max_alone: max_batches,
    }
}

pub(super) fn fixture_of(limits: Limits) -> Fixture {
    let (log, permits) = (Arc::<Mutex<Vec<Vec<u32>>>>::default(), Arc::new(Semaphore::new(0)));
    let (in_flight, most_in_flight) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let executor = Doubling { log: log.clone(), permits: permits.clone(), in_flight, most_in_flight };
    Fixture { batcher: Batcher::new(executor, limits), log, permits }
}

impl Fixture {
    /// Starts a call, and returns once it is in flight or queued.
    pub(super) async fn call(&self, job: u32) -> JoinHandle<Result<u32, Dropped>> {
        let before = self.seen();
        let batcher = self.batcher.clone();
        let call = tokio::spawn(async move { batcher.run(&job).await });
        while self.seen() == before {
            tokio::task::yield_now().await;
        }
        call
    }

    pub(super) fn seen(&self) -> usize {
        self.batches().iter().map(Vec::len).sum::<usize>() + self.batcher.queue_len()
    }

    pub(super) fn batches(&self) -> Vec<Vec<u32>> {
        self.log.lock().unwrap().clone()
    }
}
