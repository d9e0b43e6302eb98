//! Calls that wait at the same time share one trip to a store.
//!
//! A store that makes each change durable on its own spends most of its time on that. Here a call that comes while nothing is under way
//! goes at once and alone; calls that come meanwhile wait, and go together as soon as it is back, or as soon as there are enough of them
//! for a further trip beside it. So nobody waits for company, and company comes by itself where there is a crowd.
//!
//! What a trip does, and what becomes of each call in it, is the store's: see [`Trip`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// How a store makes what it is asked for.
#[async_trait]
pub trait Trip: Send + Sync + 'static {
    /// What a call asks for.
    type Job: Clone + Send + Sync + 'static;
    /// What it is told.
    type Answer: Send + 'static;

    /// Does one job, in the task of its caller: when the caller goes away, so does this.
    async fn alone(&self, job: &Self::Job) -> Self::Answer;

    /// Does several, and answers each as soon as it knows. There is always at least one. No job may fail for another's sake.
    ///
    /// Nobody's going away ends this. It should end by itself in bounded time.
    async fn together(&self, waiting: Vec<Waiting<Self::Job, Self::Answer>>);
}

/// How much may go at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many trips are under way at most; at least one may be. One goes as soon as anything is asked for, a further one as soon as those
    /// who wait fill half of it: with fewer, two small trips would do what one large one does for less.
    pub trips: usize,
    /// How many jobs one trip takes at most; at least one.
    pub jobs: usize,
    /// How long a job waits for its turn at most.
    pub patience: Duration,
}

/// A job that waits for its answer.
pub struct Waiting<J, A> {
    job: J,
    answer: Answering<A>,
}

/// The caller of a job, who waits.
pub struct Answering<A>(oneshot::Sender<Result<A, Missed>>);

impl<A> Answering<A> {
    /// Tells the caller; who has gone away is told nothing.
    pub fn tell(self, answer: A) {
        // Only refused when nobody waits any more.
        drop(self.0.send(Ok(answer)));
    }
}

/// The answer to a job, once there is one.
pub struct Answered<A>(oneshot::Receiver<Result<A, Missed>>);

impl<A> Answered<A> {
    /// Waits for it.
    ///
    /// # Errors
    /// [`Missed`] when there will be none.
    pub async fn answer(self) -> Result<A, Missed> {
        self.0.await.unwrap_or(Err(Missed::BrokenOff))
    }
}

impl<J, A> Waiting<J, A> {
    /// A job, and the answer that it will get. [`Gather`] makes these; so does who wants to see what a [`Trip`] does with certain jobs.
    pub fn asked(job: J) -> (Self, Answered<A>) {
        let (answer, answered) = oneshot::channel();
        (Self { job, answer: Answering(answer) }, Answered(answered))
    }

    /// What is asked for.
    pub fn job(&self) -> &J {
        &self.job
    }

    /// What is asked for, and who waits for the answer.
    pub fn into_parts(self) -> (J, Answering<A>) {
        (self.job, self.answer)
    }
}

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missed {
    /// Its turn did not come within [`Limits::patience`]. Nothing was begun.
    #[error("its turn came too late")]
    TooLate,
    /// The trip that it was in broke off: a panic, or the end of the runtime. What it asked for may or may not have been done.
    #[error("the shared trip broke off")]
    BrokenOff,
}

/// Gathers calls; see the page of this crate. A clone gathers together with the original.
pub struct Gather<T: Trip> {
    shared: Arc<Shared<T>>,
}

impl<T: Trip> Clone for Gather<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

struct Shared<T: Trip> {
    trip: T,
    limits: Limits,
    /// Where shared trips run: not with a caller, whose runtime may end before the others have their answers.
    runtime: Option<Handle>,
    state: Mutex<State<T>>,
}

struct State<T: Trip> {
    under_way: usize,
    queue: VecDeque<Queued<T>>,
}

struct Queued<T: Trip> {
    since: Instant,
    waiting: Waiting<T::Job, T::Answer>,
}

impl<T: Trip> Gather<T> {
    /// Gathers calls for such trips. Shared ones run on the Tokio runtime that this is called in; if there is none, on that of the caller
    /// whose trip is back.
    pub fn new(trip: T, limits: Limits) -> Self {
        let state = Mutex::new(State { under_way: 0, queue: VecDeque::new() });
        Self { shared: Arc::new(Shared { trip, limits, runtime: Handle::try_current().ok(), state }) }
    }

    /// Has a job done, alone or together with others, and gives what it was told.
    ///
    /// Who goes away before the turn of the job has come has asked for nothing. From then on it is done.
    ///
    /// # Errors
    /// [`Missed`] when there is no answer.
    pub async fn run(&self, job: &T::Job) -> Result<T::Answer, Missed> {
        let turn = self.shared.enter(job);
        match turn {
            Turn::Now(place) => {
                let answer = self.shared.trip.alone(job).await;
                drop(place);
                Ok(answer)
            }
            Turn::Later(answered) => answered.answer().await,
        }
    }

    /// How many jobs wait for their turn.
    pub fn waiting(&self) -> usize {
        self.shared.state().queue.len()
    }
}

enum Turn<T: Trip> {
    Now(Place<T>),
    Later(Answered<T::Answer>),
}

impl<T: Trip> Shared<T> {
    fn enter(self: &Arc<Self>, job: &T::Job) -> Turn<T> {
        let mut state = self.state();
        // Nobody overtakes: while somebody waits, a trip is under way.
        if state.under_way == 0 {
            state.under_way = 1;
            return Turn::Now(Place(Arc::clone(self)));
        }
        let (waiting, answered) = Waiting::asked(job.clone());
        state.queue.push_back(Queued { since: Instant::now(), waiting });
        if state.under_way < self.limits.trips && self.are_enough(&state) {
            state.under_way += 1;
            drop(state);
            Place(Arc::clone(self)).leave_to_those_who_wait();
        }
        Turn::Later(answered)
    }

    /// Those whose turn it is now; or nobody, and then the place is free.
    fn next(&self) -> Vec<Waiting<T::Job, T::Answer>> {
        let mut state = self.state();
        let mut next = Vec::new();
        if state.under_way > 1 && !self.are_enough(&state) {
            state.under_way -= 1;
            return next; // Whoever waits goes with those who come until the others are back.
        }
        while next.len() < self.limits.jobs.max(1)
            && let Some(Queued { since, waiting }) = state.queue.pop_front()
        {
            if waiting.answer.0.is_closed() {
                continue; // The caller has gone, and nothing was begun.
            }
            if since.elapsed() > self.limits.patience {
                drop(waiting.answer.0.send(Err(Missed::TooLate)));
            } else {
                next.push(waiting);
            }
        }
        if next.is_empty() {
            state.under_way -= 1;
        }
        next
    }

    /// Whether so many wait that it is worth a trip beside another one.
    fn are_enough(&self, state: &State<T>) -> bool {
        state.queue.len() >= self.limits.jobs.div_ceil(2).max(1)
    }

    /// Never held while anything is awaited or called that could panic.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the trips that may be under way. However it ends, the next one follows.
struct Place<T: Trip>(Arc<Shared<T>>);

impl<T: Trip> Place<T> {
    /// The next trip begins here and now, as it does when one is back.
    fn leave_to_those_who_wait(self) {
        drop(self);
    }
}

impl<T: Trip> Drop for Place<T> {
    fn drop(&mut self) {
        let next = self.0.next();
        if next.is_empty() {
            return;
        }
        let place = Self(Arc::clone(&self.0));
        let Some(runtime) = self.0.runtime.clone().or_else(|| Handle::try_current().ok()) else {
            // There is no runtime any more: nobody can be waiting for anything. Those who do learn that it is broken off.
            drop(next);
            return;
        };
        runtime.spawn(async move {
            let place = place;
            place.0.trip.together(next).await;
        });
    }
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
