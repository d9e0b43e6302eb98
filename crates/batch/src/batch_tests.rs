#[path = "batch_fixture.rs"]
mod fixture;

use std::sync::atomic::Ordering;

use fixture::{NO_TIMEOUT, fixture, fixture_of, limits};

use super::*;

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
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap();
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

#[tokio::test]
async fn a_job_that_waits_behind_a_batch_that_hangs_starts_a_further_one_however_few_wait() {
    let limits = Limits { target: Duration::from_millis(20), ..limits(2, 8, NO_TIMEOUT) };
    let fixture = fixture_of(limits);
    let hanging = fixture.call(1).await;
    let waiting = fixture.call(2).await;
    while fixture.batches().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fixture.batches(), [[1], [2]], "the one that hangs has not ended");
    fixture.permits.add_permits(2);
    assert_eq!((waiting.await.unwrap(), hanging.await.unwrap()), (Ok(4), Ok(2)));
}
