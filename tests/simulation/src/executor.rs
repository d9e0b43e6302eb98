//! The scheduler: one thread, and of all tasks that can go on, the seed decides which does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::sim::{Owner, Sim, Task};

/// More polls than any simulation that ends ever needs.
const STEPS_MAX: u64 = 300_000;

/// Whether a task can go on.
struct Ready(AtomicBool);

impl Wake for Ready {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Running {
    owner: Owner,
    task: Task,
    ready: Arc<Ready>,
}

impl Running {
    fn new((owner, task): (Owner, Task)) -> Self {
        Self { owner, task, ready: Arc::new(Ready(AtomicBool::new(true))) }
    }
}

/// Runs until that task is over.
///
/// # Errors
/// When it never is.
pub(crate) fn run(sim: &Sim, main: Task) -> Result<(), String> {
    let over = Arc::new(AtomicBool::new(false));
    let is_over = over.clone();
    let mut tasks = vec![Running::new((
        Owner::World,
        Box::pin(async move {
            main.await;
            over.store(true, Ordering::Relaxed);
        }),
    ))];
    while !is_over.load(Ordering::Relaxed) {
        for killed in sim.take_killed() {
            tasks.retain(|task| task.owner != killed);
        }
        tasks.extend(sim.take_spawned().into_iter().map(Running::new));
        let can_go_on = |task: &Running| task.ready.0.load(Ordering::Relaxed);
        let ready: Vec<usize> = (0..tasks.len()).filter(|index| can_go_on(&tasks[*index])).collect();
        if ready.is_empty() {
            if !sim.pass_until_somebody_wakes() {
                return Err("nobody can go on, and nobody sleeps".to_owned());
            }
            continue;
        }
        if sim.stats().steps >= STEPS_MAX {
            return Err(format!("it is not over after {STEPS_MAX} steps"));
        }
        let (index, millis) = sim.draw(|rng| (*rng.pick(&ready), rng.below(3)));
        sim.count(|stats| stats.steps += 1);
        sim.pass(millis);
        let running = &mut tasks[index];
        running.ready.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(running.ready.clone());
        if running.task.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Ready(()) {
            tasks.swap_remove(index);
        }
    }
    Ok(())
}
