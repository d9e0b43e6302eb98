//! Use cases, expiry, outbox and relay, simulated: the real ones, on stores in memory that refuse calls, lose answers, take changes in late and
//! events twice, in server processes that are killed at any await and whose clocks differ. A scheduler of its own polls whatever can go on in
//! an order that follows from a seed, as does everything else; so a seed that finds something finds it again.
//!
//! What must be so, whatever the seed: no request has two active dispenses, and it is completed exactly when its dispense is; no dispense is
//! stopped, completed or expires twice, none expires early, and none stays overdue; every document that was signed for a change is kept, and no other; what
//! was answered as done is in the store, once, and was asked for; every committed event is told at least once and in order per entity, and
//! nothing else is; a request without an answer gets an honest one when it is sent again; every answer was true at some instant while its
//! request was under way; and the same request under the same key takes effect once and is answered the same.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a simulation that cannot go on ends with the seed that shows why"
)]

mod carrier;
mod check;
mod clients;
mod defects;
mod executor;
mod fate;
mod faulty;
mod honest;
mod pharmacy;
mod process;
mod replicas;
mod rng;
mod scenario;
mod sim;
mod slot;
mod stats;
mod stored;
mod watch;
mod world;

use std::sync::{Arc, Mutex, PoisonError};

pub use defects::Defect;
pub use stats::Stats;

/// What came of one seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How often what happened.
    pub stats: Stats,
    /// What is not as it must be.
    pub violation: Option<String>,
    /// Everything that happened, line by line.
    pub trace: Vec<String>,
}

/// Plays one seed, with a planted mistake or without.
pub fn simulate(seed: u64, defect: Option<Defect>) -> Outcome {
    let sim = sim::Sim::new(seed);
    let world = world::World::new(sim.clone(), defect);
    let found = Arc::new(Mutex::new(None));
    let tell = found.clone();
    let main = Box::pin(async move {
        let violation = scenario::play(world).await.err();
        *tell.lock().unwrap_or_else(PoisonError::into_inner) = violation;
    });
    let stuck = executor::run(&sim, main).err();
    let violation = found.lock().unwrap_or_else(PoisonError::into_inner).take().or(stuck);
    Outcome { stats: sim.stats(), violation, trace: sim.trace() }
}
