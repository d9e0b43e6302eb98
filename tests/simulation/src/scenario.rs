//! What happens in one simulation: clients ask, servers are killed, time jumps, registries change; then it becomes quiet.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use esoz_contract_division::{Contract, ContractRecord, ContractRegistry as _, Division, DivisionRecord};

use esoz_device_dispense::SweepContainers;

use crate::check;
use crate::clients::{client, send};
use crate::pharmacy::UtcCalendar;
use crate::process::MAX_AHEAD;
use crate::replicas::Replicas;
use crate::sim::{OwnClock, Owner};
use crate::slot::slot;
use crate::watch::{Answer, at_once};
use crate::world::World;

/// How long events may take to arrive, and overdue dispenses to expire, once nothing goes wrong any more.
const DRAINED_WITHIN: Duration = Duration::from_mins(10);

/// Everything, to its end; then whether all is as it must be.
pub(crate) async fn play(world: Arc<World>) -> Result<(), String> {
    let sim = world.sim.clone();
    let (servers, clients, killed_every_ms) =
        sim.draw(|rng| (1 + rng.index(3), 2 + rng.index(4), 200 + rng.below(4_000)));
    let replicas = Replicas::start(world.clone(), servers);
    let is_quiet = Arc::new(AtomicBool::new(false));

    let clients: Vec<_> =
        (0..clients).map(|number| spawned(&world, client(replicas.clone(), number))).collect();
    let weather = spawned(&world, weather(replicas.clone(), killed_every_ms, is_quiet.clone()));
    for client in clients {
        client.await;
    }
    is_quiet.store(true, Ordering::Relaxed);
    weather.await;
    sim.end_faults();
    while sim.travelling() > 0 {
        sim.sleep(Duration::from_millis(50)).await;
    }
    resolve(&replicas).await?;
    drained(&world).await?;
    sweep(&world);
    check::all(&world)
}

fn spawned(
    world: &World,
    task: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = Option<()>> {
    let (promise, awaited) = slot();
    world.sim.spawn(Owner::World, async move {
        task.await;
        promise.keep(());
    });
    awaited
}

/// Kills servers and starts them again, lets time jump, and changes what updates rest on, until it is quiet.
async fn weather(replicas: Arc<Replicas>, killed_every_ms: u64, is_quiet: Arc<AtomicBool>) {
    let world = &replicas.world;
    let sim = &world.sim;
    while !is_quiet.load(Ordering::Relaxed) {
        let wait = sim.draw(|rng| Duration::from_millis(rng.below(killed_every_ms)));
        sim.sleep(wait).await;
        match sim.draw(|rng| rng.below(6)) {
            0..=2 => replicas.kill().await,
            3 => {
                let millis = sim.draw(|rng| rng.below(30_000));
                sim.note(|| format!("time jumps by {millis} ms"));
                sim.pass(millis);
            }
            4 => {
                let record = sim.draw(|rng| rng.pick(&world.contracts).clone());
                let facts = Contract { is_active: sim.draw(|rng| rng.one_in(2)), ..record.facts };
                sim.note(|| format!("contract {} is active: {}", facts.id, facts.is_active));
                at_once(world.watch.contracts.put_contracts(&[ContractRecord { facts, ..record }]))
                    .expect("a fake");
                world.watch.look();
            }
            _ => {
                let record = sim.draw(|rng| rng.pick(&world.divisions).clone());
                let facts = Division { is_active: sim.draw(|rng| !rng.one_in(3)), ..record.facts };
                sim.note(|| format!("division {} is active: {}", facts.id, facts.is_active));
                at_once(world.watch.contracts.put_divisions(&[DivisionRecord { facts, ..record }]))
                    .expect("a fake");
                world.watch.look();
            }
        }
    }
    // Whoever is down comes back.
    replicas.start_all();
}

/// A request without an answer is resolved by sending it again. And one that was carried out under a key is answered as it was.
async fn resolve(replicas: &Replicas) -> Result<(), String> {
    let world = &replicas.world;
    for (number, request) in world.watch.requests().iter().enumerate() {
        let before = world.watch.answers_to(number);
        let was_answered = before.last().is_some_and(|answer| *answer != Answer::Nothing);
        if was_answered && request.key.is_none() {
            continue;
        }
        let answer = send(replicas, number, None).await;
        if answer == Answer::Nothing {
            return Err(format!(
                "request {number} stays without an answer, though nothing goes wrong any more: {request:?}"
            ));
        }
    }
    Ok(())
}

/// Removes what failed changes have left in the media storage, as the job does two days later.
fn sweep(world: &World) {
    let clock = OwnClock { sim: world.sim.clone(), ahead: jiff::SignedDuration::from_hours(48) };
    let sweep = SweepContainers {
        dispenses: world.watch.dispenses.clone(),
        media: world.watch.media.clone(),
        clock: Arc::new(clock),
        calendar: Arc::new(UtcCalendar),
    };
    for day in sweep.days(2) {
        let (swept, _) = at_once(sweep.execute(day, None, 1_000)).expect("a fake");
        world.sim.count(|stats| stats.swept += swept.removed);
    }
}

async fn drained(world: &World) -> Result<(), String> {
    let until = world.sim.now().saturating_add(DRAINED_WITHIN);
    loop {
        let backlog = at_once(world.outbox.backlog()).expect("a fake");
        let (stored, now) = (world.watch.stored(), world.sim.now());
        let overdue = world.watch.belongings.iter().filter(|of| {
            // By every clock.
            stored.status(of.dispense) == Some("in_progress")
                && stored.is_overdue(of.dispense, now.saturating_sub(MAX_AHEAD))
        });
        let overdue = overdue.count();
        if backlog.depth == 0 && overdue == 0 {
            return Ok(());
        }
        if now > until {
            let waiting = backlog.depth;
            return Err(format!(
                "{waiting} events still wait and {overdue} dispenses are overdue after {DRAINED_WITHIN:?}"
            ));
        }
        world.sim.sleep(Duration::from_millis(100)).await;
    }
}
