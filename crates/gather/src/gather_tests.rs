use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::*;

/// Doubles numbers, each trip when the test lets it. A shared trip with a 13 in it panics.
struct Doubling {
    log: Arc<Mutex<Vec<Vec<u32>>>>,
    let_go: Arc<Semaphore>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Doubling {
    async fn travel(&self, jobs: Vec<u32>) {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        self.log.lock().unwrap().push(jobs);
        self.let_go.acquire().await.unwrap().forget();
        self.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Trip for Doubling {
    type Job = u32;
    type Answer = u32;

    async fn alone(&self, job: &u32) -> u32 {
        self.travel(vec![*job]).await;
        job * 2
    }

    async fn together(&self, waiting: Vec<Waiting<u32, u32>>) {
        let jobs: Vec<u32> = waiting.iter().map(|waiting| *waiting.job()).collect();
        assert!(!jobs.contains(&13), "on purpose");
        self.travel(jobs).await;
        for waiting in waiting {
            let (job, answer) = waiting.into_parts();
            answer.tell(job * 2);
        }
    }
}

struct Scene {
    gather: Gather<Doubling>,
    log: Arc<Mutex<Vec<Vec<u32>>>>,
    let_go: Arc<Semaphore>,
}

const PATIENT: Duration = Duration::from_hours(1);

fn scene(trips: usize, jobs: usize, patience: Duration) -> Scene {
    let (log, let_go) = (Arc::<Mutex<Vec<Vec<u32>>>>::default(), Arc::new(Semaphore::new(0)));
    let (under_way, most_under_way) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let trip = Doubling { log: log.clone(), let_go: let_go.clone(), under_way, most_under_way };
    Scene { gather: Gather::new(trip, Limits { trips, jobs, patience }), log, let_go }
}

impl Scene {
    /// Calls, and comes back once the call is under way or waits.
    async fn call(&self, job: u32) -> JoinHandle<Result<u32, Missed>> {
        let before = self.seen();
        let gather = self.gather.clone();
        let call = tokio::spawn(async move { gather.run(&job).await });
        while self.seen() == before {
            tokio::task::yield_now().await;
        }
        call
    }

    fn seen(&self) -> usize {
        self.trips().iter().map(Vec::len).sum::<usize>() + self.gather.waiting()
    }

    fn trips(&self) -> Vec<Vec<u32>> {
        self.log.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn who_comes_while_nothing_is_under_way_goes_at_once_and_alone() {
    let scene = scene(1, 8, PATIENT);
    for job in [1, 2] {
        let call = scene.call(job).await;
        assert_eq!(scene.gather.waiting(), 0);
        scene.let_go.add_permits(1);
        assert_eq!(call.await.unwrap(), Ok(job * 2));
    }
    assert_eq!(scene.trips(), [[1], [2]]);
}

#[tokio::test]
async fn who_comes_meanwhile_goes_together_in_the_order_of_coming_and_gets_its_own_answer() {
    let scene = scene(1, 3, PATIENT);
    let mut calls = Vec::new();
    for job in 1..=6 {
        calls.push(scene.call(job).await);
    }
    assert_eq!(scene.gather.waiting(), 5);
    scene.let_go.add_permits(3);
    for (call, job) in calls.into_iter().zip(1..) {
        assert_eq!(call.await.unwrap(), Ok(job * 2));
    }
    assert_eq!(scene.trips(), [vec![1], vec![2, 3, 4], vec![5, 6]]);
    // And then the place is free again.
    let call = scene.call(7).await;
    scene.let_go.add_permits(1);
    assert_eq!(call.await.unwrap(), Ok(14));
}

#[tokio::test]
async fn no_more_trips_are_under_way_than_may_be() {
    let scene = scene(2, 1, PATIENT);
    let mut calls = Vec::new();
    for job in 0..10 {
        calls.push(scene.call(job).await);
    }
    assert_eq!(scene.trips(), [[0], [1]]);
    scene.let_go.add_permits(10);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(scene.gather.shared.trip.most_under_way.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_further_trip_goes_once_half_of_it_is_full() {
    let scene = scene(2, 4, PATIENT);
    let mut calls = Vec::new();
    for job in 1..=4 {
        calls.push(scene.call(job).await);
    }
    while scene.trips().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.trips(), [vec![1], vec![2, 3]]);
    assert_eq!(scene.gather.waiting(), 1, "one is not enough for a further one");
    scene.let_go.add_permits(1);
    assert_eq!(calls.remove(0).await.unwrap(), Ok(2));
    assert_eq!(scene.gather.waiting(), 1, "nor for one in place of the first, while the second is under way");
    scene.let_go.add_permits(2);
    for (call, job) in calls.into_iter().zip(2..) {
        assert_eq!(call.await.unwrap(), Ok(job * 2));
    }
    assert_eq!(scene.trips(), [vec![1], vec![2, 3], vec![4]]);
    assert_eq!(scene.gather.shared.state().under_way, 0);
}

#[tokio::test]
async fn who_has_gone_before_its_turn_has_asked_for_nothing() {
    let scene = scene(1, 8, PATIENT);
    let first = scene.call(1).await;
    let gone = scene.call(2).await;
    let stays = scene.call(3).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    scene.let_go.add_permits(2);
    assert_eq!(first.await.unwrap(), Ok(2));
    assert_eq!(stays.await.unwrap(), Ok(6));
    assert_eq!(scene.trips(), [[1], [3]]);
}

#[tokio::test]
async fn when_one_that_is_alone_goes_away_the_next_has_its_turn() {
    let scene = scene(1, 8, PATIENT);
    let gone = scene.call(1).await;
    let stays = scene.call(2).await;
    gone.abort();
    scene.let_go.add_permits(1);
    assert_eq!(stays.await.unwrap(), Ok(4));
}

#[tokio::test]
async fn one_that_goes_away_from_a_shared_trip_does_not_end_it() {
    let scene = scene(1, 8, PATIENT);
    let first = scene.call(1).await;
    let gone = scene.call(2).await;
    let stays = scene.call(3).await;
    scene.let_go.add_permits(1);
    assert_eq!(first.await.unwrap(), Ok(2));
    while scene.trips().len() < 2 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    scene.let_go.add_permits(1);
    assert_eq!(stays.await.unwrap(), Ok(6));
}

#[tokio::test]
async fn who_has_waited_too_long_is_told_so_and_nothing_is_begun() {
    let scene = scene(1, 8, Duration::ZERO);
    let first = scene.call(1).await;
    let late = scene.call(2).await;
    scene.let_go.add_permits(1);
    assert_eq!(first.await.unwrap(), Ok(2));
    assert_eq!(late.await.unwrap(), Err(Missed::TooLate));
    assert_eq!(scene.trips(), [[1]]);
    let next = scene.call(3).await;
    scene.let_go.add_permits(1);
    assert_eq!(next.await.unwrap(), Ok(6));
}

#[tokio::test]
async fn a_shared_trip_that_panics_is_told_of_and_the_next_is_made() {
    let scene = scene(1, 2, PATIENT);
    let mut calls = Vec::new();
    for job in [1, 12, 13, 14] {
        calls.push(scene.call(job).await);
    }
    scene.let_go.add_permits(2);
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await.unwrap());
    }
    assert_eq!(answers, [Ok(2), Err(Missed::BrokenOff), Err(Missed::BrokenOff), Ok(28)]);
}

#[test]
fn a_shared_trip_outlives_the_runtime_of_the_call_that_made_way_for_it() {
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let (home, first, second) = (runtime(), runtime(), runtime());
    let scene = {
        let _entered = home.enter();
        scene(1, 8, PATIENT)
    };
    let alone = first.block_on(scene.call(1));
    let shared = second.block_on(scene.call(2));
    scene.let_go.add_permits(1);
    assert_eq!(first.block_on(alone).unwrap(), Ok(2));
    drop(first);
    scene.let_go.add_permits(1);
    assert_eq!(second.block_on(shared).unwrap(), Ok(4));
}
