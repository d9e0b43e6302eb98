//! The server processes: those that run, and the places of those that are down.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::process::Process;
use crate::world::World;

/// The server processes of a world.
pub(crate) struct Replicas {
    pub(crate) world: Arc<World>,
    /// By place; none while one is down.
    processes: Mutex<Vec<Option<Arc<Process>>>>,
    started: AtomicU64,
}

impl Replicas {
    /// Starts that many.
    pub(crate) fn start(world: Arc<World>, servers: usize) -> Arc<Self> {
        let processes = Mutex::new((0..servers).map(|_| None).collect());
        let replicas = Arc::new(Self { world, processes, started: AtomicU64::new(0) });
        (0..servers).for_each(|place| replicas.start_at(place));
        replicas
    }

    fn processes(&self) -> MutexGuard<'_, Vec<Option<Arc<Process>>>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_at(&self, place: usize) {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let process = Process::start(&self.world, number);
        self.processes()[place] = Some(process);
    }

    /// A server that runs, if one does.
    pub(crate) fn somebody(&self) -> Option<Arc<Process>> {
        let running: Vec<Arc<Process>> = self.processes().iter().flatten().cloned().collect();
        (!running.is_empty()).then(|| self.world.sim.draw(|rng| rng.pick(&running).clone()))
    }

    /// Kills one, and starts it again after a while.
    pub(crate) async fn kill(&self) {
        let sim = &self.world.sim;
        let places = self.processes().len();
        let place = sim.draw(|rng| rng.index(places));
        let process = self.processes()[place].take();
        if let Some(process) = process {
            sim.kill(process.owner);
        }
        let down = sim.draw(|rng| Duration::from_millis(rng.below(1_000)));
        sim.sleep(down).await;
        self.start_at(place);
    }

    /// Starts those that are down.
    pub(crate) fn start_all(&self) {
        let is_down: Vec<bool> = self.processes().iter().map(Option::is_none).collect();
        for (place, _) in is_down.into_iter().enumerate().filter(|(_, is_down)| *is_down) {
            self.start_at(place);
        }
    }
}
