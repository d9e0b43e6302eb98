//! Batching: calls that wait at the same time share one round trip to a store.
//!
//! A store that makes each write durable on its own (group commit) or answers each read on its own spends most of its time on that. A job that
//! arrives while none is in flight is executed at once and alone; jobs that arrive meanwhile are queued and executed in one batch as soon as
//! it ends, or as soon as enough of them wait, or one has waited for too long. So no job waits for others to arrive, and batches form by themselves under
//! load.
//!
//! Batches that take long become smaller, down to one job: then what makes jobs slow (a trigger, a lock) adds up in no batch, and more of them run at
//! once. Batches that are fast again grow.
//!
//! What a batch does, and what becomes of each job in it, is up to the store: see [`BatchExecutor`].

mod queued;
mod window;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::runtime::Handle;

pub use queued::{Dropped, Queued, ReplyReceiver, ReplySender};
use window::Window;

/// Executes jobs for a [`Batcher`]: one alone, or a batch in one round trip.
#[async_trait]
pub trait BatchExecutor: Send + Sync + 'static {
    /// What a caller asks for.
    type Job: Clone + Send + Sync + 'static;
    /// What the caller is answered.
    type Answer: Send + 'static;

    /// Executes one job in the caller's task: dropping the caller's future cancels it.
    async fn run_one(&self, job: &Self::Job) -> Self::Answer;

    /// Executes a batch of at least one job and answers each caller as soon as its outcome is known. A job MUST NOT fail because of
    /// another job in its batch, unless the time of the batch is over.
    ///
    /// Callers that give up do not cancel it, so it MUST end by itself within bounded time. Returns whether the round trip that the jobs shared
    /// succeeded, whatever became of each: one that failed makes batches smaller.
    async fn run_batch(&self, batch: Vec<Queued<Self::Job, Self::Answer>>) -> bool;
}

/// Concurrency and size of batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Batches in flight at the same time; at least one. The first starts as soon as a job arrives.
    pub max_batches: usize,
    /// Jobs in one batch; at least one.
    pub max_jobs: usize,
    /// Jobs in the queue that start a further batch beside one in flight; at least one. Half a batch where two small batches cost more than
    /// one large one, one where a job must not wait for a slow one. Fewer start one after `target`: no head-of-line blocking.
    pub further_at: usize,
    /// The longest time that a job waits in the queue.
    pub queue_timeout: Duration,
    /// How long a batch should take at most, see [`target`]. Of jobs that are slower, fewer share one.
    pub target: Duration,
    /// Jobs in flight at the same time when each takes the whole of `target`, so that no two share a batch; at least `max_batches`.
    pub max_alone: usize,
}

/// How long a batch of a store's writes or reads should take at most: a tenth of the store's time limit, half a second at most.
pub fn target(time_limit: Duration) -> Duration {
    Duration::from_millis(500).min(time_limit / 10)
}

/// Queues jobs and executes them in batches. Clones share one queue.
pub struct Batcher<T: BatchExecutor> {
    shared: Arc<Shared<T>>,
}

impl<T: BatchExecutor> Clone for Batcher<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

struct Shared<T: BatchExecutor> {
    executor: T,
    limits: Limits,
    /// Where batches run: not in a caller's task, whose runtime may end before the other callers have their answers.
    runtime: Option<Handle>,
    state: Mutex<State<T>>,
}

struct State<T: BatchExecutor> {
    in_flight: usize,
    window: Window,
    queue: VecDeque<Queued<T::Job, T::Answer>>,
}

impl<T: BatchExecutor> Batcher<T> {
    /// Creates a batcher. Batches run on the Tokio runtime of this call or, if there is none, on that of the caller whose job ended last.
    pub fn new(executor: T, limits: Limits) -> Self {
        let window = Window::new(limits.max_jobs, limits.target);
        let state = Mutex::new(State { in_flight: 0, window, queue: VecDeque::new() });
        Self { shared: Arc::new(Shared { executor, limits, runtime: Handle::try_current().ok(), state }) }
    }

    /// Executes a job, alone or in a batch, and returns its answer.
    ///
    /// A caller that gives up before its job leaves the queue withdraws the job; afterwards the job is executed. A job that is executed alone
    /// runs in the caller's future, and others may be queued behind it: poll the future to its end, or drop it. The caller's runtime must have its timer
    /// enabled.
    ///
    /// # Errors
    /// [`Dropped`] when the job got no answer.
    pub async fn run(&self, job: &T::Job) -> Result<T::Answer, Dropped> {
        match self.shared.enter(job) {
            Ok(slot) => {
                let since = Instant::now();
                let answer = self.shared.executor.run_one(job).await;
                self.shared.state().window.measure(1, since.elapsed(), true);
                drop(slot);
                Ok(answer)
            }
            Err(receiver) => {
                let answer = receiver.answer();
                tokio::pin!(answer);
                if let Ok(answer) = tokio::time::timeout(self.shared.limits.target, &mut answer).await {
                    return answer;
                }
                self.shared.start_further_batch();
                answer.await
            }
        }
    }

    /// Number of jobs in the queue.
    pub fn queue_len(&self) -> usize {
        self.shared.state().queue.len()
    }
}

impl<T: BatchExecutor> Shared<T> {
    /// Takes a slot for one job if none is in flight, or jobs run alone and there is room for it; else queues the job.
    fn enter(self: &Arc<Self>, job: &T::Job) -> Result<Slot<T>, ReplyReceiver<T::Answer>> {
        let mut state = self.state();
        // First in, first out: the queue is not empty only while a batch is in flight.
        let may_run_alone = state.window.jobs() == 1 && state.in_flight < self.max_in_flight(&state);
        if state.in_flight == 0 || (may_run_alone && state.queue.is_empty()) {
            state.in_flight += 1;
            return Ok(Slot(Arc::clone(self)));
        }
        let (queued, receiver) = Queued::new(job.clone());
        state.queue.push_back(queued);
        drop(state);
        self.start_further_batch();
        Err(receiver)
    }

    /// Starts a batch beside those in flight, if enough jobs wait for it.
    fn start_further_batch(self: &Arc<Self>) {
        let mut state = self.state();
        if state.in_flight < self.max_in_flight(&state) && self.is_worth_a_further_batch(&state) {
            state.in_flight += 1;
            drop(state);
            // Starts the next batch, as the end of one does.
            drop(Slot(Arc::clone(self)));
        }
    }

    fn max_in_flight(&self, state: &State<T>) -> usize {
        let Limits { max_batches, max_alone, .. } = self.limits;
        if state.window.jobs() == 1 { max_alone.max(max_batches) } else { max_batches }
    }

    /// Takes the next batch off the queue. An empty one frees the slot.
    fn next_batch(&self) -> Vec<Queued<T::Job, T::Answer>> {
        let mut state = self.state();
        let mut batch = Vec::new();
        if state.in_flight > 1 && !self.is_worth_a_further_batch(&state) {
            state.in_flight -= 1;
            return batch; // These jobs go with those that arrive until another batch ends.
        }
        while batch.len() < state.window.jobs()
            && let Some(queued) = state.queue.pop_front()
        {
            if queued.reply.0.is_closed() {
                continue; // The caller gave up, and nothing was executed.
            }
            if queued.since.elapsed() > self.limits.queue_timeout {
                drop(queued.reply.0.send(Err(Dropped::QueueTimeout)));
            } else {
                batch.push(queued);
            }
        }
        if batch.is_empty() {
            state.in_flight -= 1;
        }
        batch
    }

    /// Whether enough jobs are queued, or the first has waited for `target` behind a batch that hangs (head-of-line blocking).
    fn is_worth_a_further_batch(&self, state: &State<T>) -> bool {
        let is_overdue = |queued: &Queued<_, _>| queued.since.elapsed() >= self.limits.target;
        state.queue.len() >= self.limits.further_at.clamp(1, state.window.jobs())
            || state.queue.front().is_some_and(is_overdue)
    }

    /// Never held across an await or a call that could panic.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot for one batch in flight. Dropping it, however the batch ended, starts the next one.
struct Slot<T: BatchExecutor>(Arc<Shared<T>>);

impl<T: BatchExecutor> Drop for Slot<T> {
    fn drop(&mut self) {
        let batch = self.0.next_batch();
        if batch.is_empty() {
            return;
        }
        let slot = Self(Arc::clone(&self.0));
        let Some(runtime) = self.0.runtime.clone().or_else(|| Handle::try_current().ok()) else {
            // The runtime has ended: dropping the batch tells callers that it was aborted.
            drop(batch);
            return;
        };
        runtime.spawn(async move {
            let slot = slot;
            let (jobs, since) = (batch.len(), Instant::now());
            let has_succeeded = slot.0.executor.run_batch(batch).await;
            slot.0.state().window.measure(jobs, since.elapsed(), has_succeeded);
        });
        // One end makes room for several where batches became smaller.
        self.0.start_further_batch();
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
