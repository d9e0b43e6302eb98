//! What the tasks of one simulation share: its time, its chances, and what is to run.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use esoz_kernel::{Clock, IdGenerator, Timestamp, Uuid};

use crate::fate::{Fate, Odds};
use crate::rng::Rng;
use crate::stats::Stats;

/// Something that runs.
pub(crate) type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Whose a task is: it ends when its owner is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody's who could be killed: clients, and what makes the weather.
    World,
    /// What is on its way to a store while nobody waits for it any more.
    Network,
    /// A server process, each with a number of its own.
    Process(u64),
}

struct State {
    rng: Rng,
    now: Timestamp,
    ids: u128,
    timers: Vec<(Timestamp, Waker)>,
    spawned: Vec<(Owner, Task)>,
    killed: Vec<Owner>,
    odds: Option<Odds>,
    travelling: u64,
    stats: Stats,
    trace: Vec<String>,
}

/// One simulation. Everything in it follows from its seed.
pub(crate) struct Sim(Mutex<State>);

impl Sim {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        let mut rng = Rng::new(seed);
        let odds = Odds::drawn(&mut rng);
        let state = State {
            rng,
            now: Timestamp::constant(1_769_847_330, 0),
            ids: 1_000_000,
            timers: Vec::new(),
            spawned: Vec::new(),
            killed: Vec::new(),
            odds: Some(odds),
            travelling: 0,
            stats: Stats::default(),
            trace: Vec::new(),
        };
        let sim = Self(Mutex::new(state));
        sim.note(|| format!("seed {seed}: {odds:?}"));
        Arc::new(sim)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides something.
    pub(crate) fn draw<T>(&self, decide: impl FnOnce(&mut Rng) -> T) -> T {
        decide(&mut self.state().rng)
    }

    /// One more line for whoever wants to know what happened.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        let mut state = self.state();
        let line = format!("{:>6} {} {}", state.stats.steps, state.now, line());
        state.trace.push(line);
    }

    /// Counts something.
    pub(crate) fn count(&self, what: impl FnOnce(&mut Stats)) {
        what(&mut self.state().stats);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.state().now
    }

    pub(crate) fn stats(&self) -> Stats {
        self.state().stats
    }

    pub(crate) fn trace(&self) -> Vec<String> {
        std::mem::take(&mut self.state().trace)
    }

    /// What becomes of a call; `may_conflict` if it may lose against others, `may_repeat` if arriving twice is the same as once.
    pub(crate) fn fate(&self, what: &str, may_conflict: bool, may_repeat: bool) -> Fate {
        let mut state = self.state();
        let Some(odds) = state.odds else { return Fate::Good };
        let fate = odds.fate(&mut state.rng, may_conflict, may_repeat);
        match fate {
            Fate::Good => {}
            Fate::Refused(_) => state.stats.refused += 1,
            Fate::Lost => state.stats.lost += 1,
            Fate::Late => state.stats.late += 1,
            Fate::Twice => state.stats.twice += 1,
        }
        drop(state);
        self.note(|| format!("{what}: {fate:?}"));
        fate
    }

    /// From now on nothing goes wrong any more.
    pub(crate) fn end_faults(&self) {
        self.state().odds = None;
        self.note(|| "nothing goes wrong any more".to_owned());
    }

    /// Lets others go first, as often as chance wants.
    pub(crate) fn pause(&self) -> Pause {
        Pause(self.draw(|rng| rng.below(4)))
    }

    /// Waits that long.
    pub(crate) fn sleep(self: &Arc<Self>, duration: Duration) -> Sleep {
        let until = self.now().saturating_add(duration);
        Sleep { sim: self.clone(), until }
    }

    pub(crate) fn spawn(&self, owner: Owner, task: impl Future<Output = ()> + Send + 'static) {
        self.state().spawned.push((owner, Box::pin(task)));
    }

    /// Sends something on a way that is longer than anybody waits.
    pub(crate) fn send_late(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let millis = self.draw(|rng| rng.below(3_000));
        let (sim, on_the_way) = (self.clone(), self.sleep(Duration::from_millis(millis)));
        self.state().travelling += 1;
        self.spawn(Owner::Network, async move {
            on_the_way.await;
            task.await;
            sim.state().travelling -= 1;
        });
    }

    /// How much is on such a way.
    pub(crate) fn travelling(&self) -> u64 {
        self.state().travelling
    }

    /// Ends every task of that process, wherever it is.
    pub(crate) fn kill(&self, owner: Owner) {
        self.count(|stats| stats.killed += 1);
        self.note(|| format!("{owner:?} is killed"));
        self.state().killed.push(owner);
    }

    pub(crate) fn take_spawned(&self) -> Vec<(Owner, Task)> {
        std::mem::take(&mut self.state().spawned)
    }

    pub(crate) fn take_killed(&self) -> Vec<Owner> {
        std::mem::take(&mut self.state().killed)
    }

    /// Lets time go on.
    pub(crate) fn pass(&self, millis: u64) {
        let mut state = self.state();
        state.now = state.now.saturating_add(Duration::from_millis(millis));
        wake_due(&mut state);
    }

    /// Lets time go on until somebody who sleeps wakes; whether there is anybody.
    pub(crate) fn pass_until_somebody_wakes(&self) -> bool {
        let mut state = self.state();
        let Some(next) = state.timers.iter().map(|(at, _)| *at).min() else { return false };
        state.now = state.now.max(next);
        wake_due(&mut state);
        true
    }
}

fn wake_due(state: &mut State) {
    let now = state.now;
    let (due, later) = std::mem::take(&mut state.timers).into_iter().partition(|(at, _)| *at <= now);
    state.timers = later;
    let due: Vec<(Timestamp, Waker)> = due;
    for (_, waker) in due {
        waker.wake();
    }
}

impl IdGenerator for Sim {
    fn fresh(&self) -> Uuid {
        let mut state = self.state();
        state.ids += 1;
        Uuid::from_u128(state.ids)
    }
}

/// Pending that many times.
pub(crate) struct Pause(u64);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Pending until that time.
pub(crate) struct Sleep {
    sim: Arc<Sim>,
    until: Timestamp,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.sim.state();
        if state.now >= self.until {
            return Poll::Ready(());
        }
        state.timers.push((self.until, context.waker().clone()));
        Poll::Pending
    }
}

/// The clock of one process, which may be ahead or behind.
pub(crate) struct OwnClock {
    pub(crate) sim: Arc<Sim>,
    pub(crate) ahead: jiff::SignedDuration,
}

impl Clock for OwnClock {
    fn now(&self) -> Timestamp {
        self.sim.now().saturating_add(self.ahead)
    }
}
