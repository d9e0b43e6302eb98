use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;

/// Doubles numbers; each batch takes a permit of the test. A batch with a 13 in it panics.
struct Doubling {
    log: Arc<Mutex<Vec<Vec<u32>>>>,
    permits: Arc<Semaphore>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
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

struct Fixture {
    batcher: Batcher<Doubling>,
    log: Arc<Mutex<Vec<Vec<u32>>>>,
    permits: Arc<Semaphore>,
}

const NO_TIMEOUT: Duration = Duration::from_hours(1);

fn fixture(max_batches: usize, max_jobs: usize, queue_timeout: Duration) -> Fixture {
    fixture_of(Limits {
        max_batches,
        max_jobs,
        further_at: max_jobs.div_ceil(2),
        queue_timeout,
        target: NO_TIMEOUT,
        max_alone: max_batches,
    })
}

fn fixture_of(limits: Limits) -> Fixture {
    let (log, permits) = (Arc::<Mutex<Vec<Vec<u32>>>>::default(), Arc::new(Semaphore::new(0)));
    let (in_flight, most_in_flight) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let executor = Doubling { log: log.clone(), permits: permits.clone(), in_flight, most_in_flight };
    Fixture { batcher: Batcher::new(executor, limits), log, permits }
}

impl Fixture {
    /// Starts a call, and returns once it is in flight or queued.
    async fn call(&self, job: u32) -> JoinHandle<Result<u32, Dropped>> {
        let before = self.seen();
        let batcher = self.batcher.clone();
        let call = tokio::spawn(async move { batcher.run(&job).await });
        while self.seen() == before {
            tokio::task::yield_now().await;
        }
        call
    }

    fn seen(&self) -> usize {
        self.batches().iter().map(Vec::len).sum::<usize>() + self.batcher.queue_len()
    }

    fn batches(&self) -> Vec<Vec<u32>> {
        self.log.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn a_job_that_arrives_while_none_is_in_flight_runs_at_once_and_alone() {
    let fixture = fixture(1, 8, NO_TIMEOUT);
    for job in [1, 2] {
        let call = fixture.call(job).await;
        assert_eq!(fixture.batcher.queue_len(), 0);
        fixture.permits.add_permits(1);
        assert_eq!(call.await.unwrap(), Ok(job * 2));
    }
    assert_eq!(fixture.batches(), [[1], [2]]);
}

#[tokio::test]
async fn jobs_that_arrive_meanwhile_run_in_one_batch_in_order_and_each_gets_its_own_answer() {
    let fixture = fixture(1, 3, NO_TIMEOUT);
    let mut calls = Vec::new();
    for job in 1..=6 {
        calls.push(fixture.call(job).await);
    }
    assert_eq!(fixture.batcher.queue_len(), 5);
    fixture.permits.add_permits(3);
    for (call, job) in calls.into_iter().zip(1..) {
        assert_eq!(call.await.unwrap(), Ok(job * 2));
    }
    assert_eq!(fixture.batches(), [vec![1], vec![2, 3, 4], vec![5, 6]]);
    // The slot is free again.
    let call = fixture.call(7).await;
    fixture.permits.add_permits(1);
    assert_eq!(call.await.unwrap(), Ok(14));
}

#[tokio::test]
async fn no_more_than_max_batches_are_in_flight() {
    let fixture = fixture(2, 1, NO_TIMEOUT);
    let mut calls = Vec::new();
    for job in 0..10 {
        calls.push(fixture.call(job).await);
    }
    assert_eq!(fixture.batches(), [[0], [1]]);
    fixture.permits.add_permits(10);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(fixture.batcher.shared.executor.most_in_flight.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_further_batch_starts_once_half_a_batch_waits() {
    let fixture = fixture(2, 4, NO_TIMEOUT);
    let mut calls = Vec::new();
    for job in 1..=4 {
        calls.push(fixture.call(job).await);
    }
    while fixture.batches().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.batches(), [vec![1], vec![2, 3]]);
    assert_eq!(fixture.batcher.queue_len(), 1, "one job is not enough for a further batch");
    fixture.permits.add_permits(1);
    assert_eq!(calls.remove(0).await.unwrap(), Ok(2));
    assert_eq!(
        fixture.batcher.queue_len(),
        1,
        "nor for one in place of the first while the second is in flight"
    );
    fixture.permits.add_permits(2);
    for (call, job) in calls.into_iter().zip(2..) {
        assert_eq!(call.await.unwrap(), Ok(job * 2));
    }
    assert_eq!(fixture.batches(), [vec![1], vec![2, 3], vec![4]]);
    assert_eq!(fixture.batcher.shared.state().in_flight, 0);
}

#[tokio::test]
async fn a_caller_that_gives_up_in_the_queue_withdraws_its_job() {
    let fixture = fixture(1, 8, NO_TIMEOUT);
    let first = fixture.call(1).await;
    let gone = fixture.call(2).await;
    let stays = fixture.call(3).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    fixture.permits.add_permits(2);
    assert_eq!(first.await.unwrap(), Ok(2));
    assert_eq!(stays.await.unwrap(), Ok(6));
    assert_eq!(fixture.batches(), [[1], [3]]);
}

#[tokio::test]
async fn the_next_job_runs_when_the_caller_of_a_lone_one_gives_up() {
    let fixture = fixture(1, 8, NO_TIMEOUT);
    let gone = fixture.call(1).await;
    let stays = fixture.call(2).await;
    gone.abort();
    fixture.permits.add_permits(1);
    assert_eq!(stays.await.unwrap(), Ok(4));
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_cancel_its_batch() {
    let fixture = fixture(1, 8, NO_TIMEOUT);
    let first = fixture.call(1).await;
    let gone = fixture.call(2).await;
    let stays = fixture.call(3).await;
    fixture.permits.add_permits(1);
    assert_eq!(first.await.unwrap(), Ok(2));
    while fixture.batches().len() < 2 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    fixture.permits.add_permits(1);
    assert_eq!(stays.await.unwrap(), Ok(6));
}

#[tokio::test]
async fn a_job_that_exceeds_the_queue_timeout_is_dropped_and_not_executed() {
    let fixture = fixture(1, 8, Duration::ZERO);
    let first = fixture.call(1).await;
    let late = fixture.call(2).await;
    fixture.permits.add_permits(1);
    assert_eq!(first.await.unwrap(), Ok(2));
    assert_eq!(late.await.unwrap(), Err(Dropped::QueueTimeout));
    assert_eq!(fixture.batches(), [[1]]);
    let next = fixture.call(3).await;
    fixture.permits.add_permits(1);
    assert_eq!(next.await.unwrap(), Ok(6));
}

#[tokio::test]
async fn a_batch_that_panics_answers_aborted_and_the_next_one_runs() {
    let fixture = fixture(1, 2, NO_TIMEOUT);
    let mut calls = Vec::new();
    for job in [1, 12, 13, 14] {
        calls.push(fixture.call(job).await);
    }
    fixture.permits.add_permits(2);
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    assert_eq!(answers, [Ok(2), Err(Dropped::Aborted), Err(Dropped::Aborted), Ok(28)]);
}

#[test]
fn a_batch_outlives_the_runtime_of_the_call_that_started_it() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (home, first, second) = (runtime(), runtime(), runtime());
    let fixture = {
        let _entered = home.enter();
        fixture(1, 8, NO_TIMEOUT)
    };
    let alone = first.block_on(fixture.call(1));
    let shared = second.block_on(fixture.call(2));
    fixture.permits.add_permits(1);
    assert_eq!(first.block_on(alone).unwrap(), Ok(2));
    drop(first);
    fixture.permits.add_permits(1);
    assert_eq!(second.block_on(shared).unwrap(), Ok(4));
}

#[tokio::test]
async fn jobs_that_take_too_long_run_alone_beside_each_other_until_they_are_fast_again() {
    let limits = Limits {
        max_batches: 1,
        max_jobs: 4,
        further_at: 2,
        queue_timeout: NO_TIMEOUT,
        target: Duration::ZERO,
        max_alone: 3,
    };
    let slow = fixture_of(limits);
    let mut calls = vec![slow.call(0).await];
    slow.permits.add_permits(1);
    calls.remove(0).await.unwrap().unwrap();
    for job in 1..=5 {
        calls.push(slow.call(job).await);
    }
    assert_eq!(slow.batches(), [[0], [1], [2], [3]]);
    assert_eq!(slow.batcher.queue_len(), 2);
    slow.permits.add_permits(5);
    for call in calls.drain(..) {
        call.await.unwrap().unwrap();
    }
    // Beside each other, so in no order.
    let mut later = slow.batches().split_off(4);
    later.sort();
    assert_eq!(later, [[4], [5]]);

    slow.batcher.shared.state().window = Window::new(4, NO_TIMEOUT);
    slow.batcher.shared.state().window.measure(1, NO_TIMEOUT * 2, true);
    for job in 20..=24 {
        calls.push(slow.call(job).await);
    }
    slow.permits.add_permits(5);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert!(slow.batcher.shared.state().window.jobs() > 1, "fast jobs share batches again");
}

#[test]
fn a_batch_takes_a_tenth_of_the_time_limit_at_most() {
    assert_eq!(target(Duration::from_millis(500)), Duration::from_millis(50));
    assert_eq!(target(Duration::from_mins(1)), Duration::from_millis(500));
}
