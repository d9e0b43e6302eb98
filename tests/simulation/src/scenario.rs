//! What happens in one simulation: clients ask, servers are killed, time jumps, registries change; then it becomes quiet.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use esoz_contract_division::{
    Contract, ContractDivision, ContractRecord, ContractRegistry as _, Division, DivisionRecord, Pair,
};
use esoz_device_dispense::{DeviceDispenses, Dispense, DispenseRegistry as _, DispenseStatus, Pseudonym};
use esoz_events::Outbox;
use esoz_kernel::{
    ClientId, ContractDivisionId, ContractId, DispenseId, DivisionId, IdempotencyKey, LegalEntityId,
    PatientId, Stamps, UserId, Uuid, time::rfc3339_millis,
};
use esoz_legal_entity::{LegalEntity, LegalEntityRecord, LegalEntityRegistry as _};
use esoz_testkit::builders::{
    at_micros, contract_division, contract_of, division_of, legal_entity, reference,
};
use esoz_testkit::doubles::Double;
use esoz_testkit::fakes::{FakeContracts, FakeDispenses, RecordingPublisher};
use serde_json::{Value, json};

use crate::check;
use crate::defects::{Defect, EventApart, KeyApart, LooksThenWrites};
use crate::process::{MAX_AHEAD, Process};
use crate::rng::Rng;
use crate::sim::{Owner, Sim};
use crate::slot::slot;
use crate::watch::{Answer, Ask, Belongs, LIFETIME, Request, Watch, at_once};

/// How long events may take to arrive, and overdue dispenses to expire, once nothing goes wrong any more.
const DRAINED_WITHIN: Duration = Duration::from_mins(10);

/// Everything that one simulation is about.
pub(crate) struct World {
    pub(crate) sim: Arc<Sim>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) defect: Option<Defect>,
    pub(crate) dispenses: Arc<dyn DeviceDispenses>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) publisher: Arc<RecordingPublisher>,
    pub(crate) records: Vec<ContractDivision>,
    contracts: Vec<ContractRecord>,
    divisions: Vec<DivisionRecord>,
    processes: Mutex<Vec<Option<Arc<Process>>>>,
    started: AtomicU64,
    is_quiet: AtomicBool,
}

/// An id of something that is there from the start, for all that are told apart by their sort.
fn id(sort: u128, number: usize) -> Uuid {
    Uuid::from_u128(sort * 1_000 + u128::try_from(number).expect("128 bits"))
}

fn owner(number: usize) -> LegalEntityId {
    LegalEntityId::new(id(1, number))
}

impl World {
    /// A small world: few things, so that many want the same.
    pub(crate) fn new(sim: Arc<Sim>, defect: Option<Defect>) -> Arc<Self> {
        let (dispenses, contracts) = (Arc::new(FakeDispenses::default()), Arc::new(FakeContracts::default()));
        let sim_start = sim.now();
        let belongings: Vec<Belongs> = (0..2)
            .map(|number| Belongs {
                dispense: DispenseId::new(id(2, number)),
                owner: ClientId::new(id(1, number)),
                patient: PatientId::new(id(3, number)),
                // Overdue soon, or hardly while this goes on.
                inserted_at: sim.draw(|rng| {
                    let left = if rng.one_in(2) { rng.below(3_000) } else { 120_000 };
                    sim_start.saturating_add(Duration::from_millis(left)).saturating_sub(LIFETIME)
                }),
            })
            .collect();
        for of in &belongings {
            at_once(dispenses.put_dispenses(&[dispense(of)])).expect("a fake");
        }
        for number in 0..2 {
            let record = legal_entity();
            let facts = LegalEntity { id: owner(number), ..record.facts };
            at_once(contracts.put_legal_entities(&[LegalEntityRecord { facts, ..record }])).expect("a fake");
        }
        let (registry, divisions, records) = contracts_of(&contracts);
        let (base, outbox): (Arc<dyn DeviceDispenses>, Arc<dyn Outbox>) = match defect {
            Some(Defect::EventApartFromState) => {
                let (inner, sim) = (dispenses.clone(), sim.clone());
                let apart = Arc::new(Double(EventApart { inner, sim, not_yet: Mutex::default() }));
                (apart.clone(), apart)
            }
            Some(Defect::KeyApartFromState) => {
                let (inner, sim) = (dispenses.clone(), sim.clone());
                (Arc::new(Double(KeyApart { inner, sim, keys: Mutex::default() })), dispenses.clone())
            }
            Some(Defect::LooksThenWrites) => {
                let (inner, sim) = (dispenses.clone(), sim.clone());
                (Arc::new(Double(LooksThenWrites { inner, sim })), dispenses.clone())
            }
            _ => (dispenses.clone(), dispenses.clone()),
        };
        Arc::new(Self {
            sim,
            watch: Arc::new(Watch::new(dispenses, contracts, belongings)),
            defect,
            dispenses: base,
            outbox,
            publisher: Arc::default(),
            records,
            contracts: registry,
            divisions,
            processes: Mutex::default(),
            started: AtomicU64::new(0),
            is_quiet: AtomicBool::new(false),
        })
    }

    fn processes(&self) -> MutexGuard<'_, Vec<Option<Arc<Process>>>> {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(&self, place: usize) {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let process = Process::start(self, number);
        self.processes()[place] = Some(process);
    }

    /// A server that runs, if one does.
    fn somebody(&self) -> Option<Arc<Process>> {
        let running: Vec<Arc<Process>> = self.processes().iter().flatten().cloned().collect();
        (!running.is_empty()).then(|| self.sim.draw(|rng| rng.pick(&running).clone()))
    }
}

fn dispense(of: &Belongs) -> Dispense {
    let owner = of.owner.into();
    let record = json!({
        "status": "in_progress",
        "status_history": [],
        "inserted_at": rfc3339_millis(of.inserted_at),
        "performer_legal_entity": reference("legal_entity", owner),
    });
    let Value::Object(record) = record else { unreachable!("an object") };
    let subject = Pseudonym::new(of.patient.uuid().to_string());
    Dispense { id: of.dispense, status: DispenseStatus::InProgress, subject, owner, record }
}

/// Two contracts, three places, and two records that can get into each other's way. The last place is another legal entity's.
fn contracts_of(store: &FakeContracts) -> (Vec<ContractRecord>, Vec<DivisionRecord>, Vec<ContractDivision>) {
    let contract = |number| {
        let record = contract_of(owner(0));
        ContractRecord { facts: Contract { id: ContractId::new(id(4, number)), ..record.facts }, ..record }
    };
    let division = |number| {
        let record = division_of(owner(usize::from(number == 2)));
        DivisionRecord { facts: Division { id: DivisionId::new(id(5, number)), ..record.facts }, ..record }
    };
    let (contracts, divisions): (Vec<_>, Vec<_>) =
        ((0..2).map(contract).collect(), (0..3).map(division).collect());
    let (at, by) = (at_micros(0), UserId::new(id(8, 0)));
    let record = |number: usize| ContractDivision {
        id: ContractDivisionId::new(id(6, number)),
        stamps: Stamps { inserted_at: at, inserted_by: by, updated_at: at, updated_by: by },
        ..contract_division(contracts[0].facts.id, divisions[number].facts.id)
    };
    let records = vec![record(0), record(1)];
    at_once(store.put_divisions(&divisions)).expect("a fake");
    at_once(store.put_contracts(&contracts)).expect("a fake");
    at_once(store.put_contract_divisions(&records)).expect("a fake");
    (contracts, divisions, records)
}

/// Everything, to its end; then whether all is as it must be.
pub(crate) async fn play(world: Arc<World>) -> Result<(), String> {
    let sim = world.sim.clone();
    let (servers, clients, killed_every_ms) =
        sim.draw(|rng| (1 + rng.index(3), 2 + rng.index(4), 200 + rng.below(4_000)));
    *world.processes() = (0..servers).map(|_| None).collect();
    (0..servers).for_each(|place| world.start(place));

    let clients: Vec<_> = (0..clients).map(|number| spawned(&world, client(world.clone(), number))).collect();
    let weather = spawned(&world, weather(world.clone(), killed_every_ms));
    for client in clients {
        client.await;
    }
    world.is_quiet.store(true, Ordering::Relaxed);
    weather.await;
    sim.end_faults();
    while sim.travelling() > 0 {
        sim.sleep(Duration::from_millis(50)).await;
    }
    resolve(&world).await?;
    drained(&world).await?;
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

async fn client(world: Arc<World>, number: usize) {
    let asks = world.sim.draw(|rng| 1 + rng.index(4));
    for ask in 0..asks {
        let user = UserId::new(id(7, number * 10 + ask));
        let request = world.sim.draw(|rng| imagined(&world, rng, user));
        world.sim.note(|| {
            format!(
                "client {number} wants {request:?}, key {:?}",
                request.key.as_ref().map(IdempotencyKey::as_str)
            )
        });
        let request = world.watch.ask(request);
        for _ in 0..3 {
            let patience = world.sim.draw(|rng| Duration::from_millis(50 + rng.below(5_000)));
            if send(&world, request, Some(patience)).await != Answer::Nothing
                || world.sim.draw(|rng| rng.one_in(3))
            {
                break;
            }
        }
        let pause = world.sim.draw(|rng| Duration::from_millis(rng.below(500)));
        world.sim.sleep(pause).await;
    }
}

fn imagined(world: &World, rng: &mut Rng, user: UserId) -> Request {
    let of = *rng.pick(&world.watch.belongings);
    let key = rng.one_in(2).then(|| format!("key {}", rng.below(2)).replace(' ', "-"));
    let key = key.map(|key| IdempotencyKey::parse(&key).expect("a key"));
    let (client, ask) = match rng.below(20) {
        0 => {
            (ClientId::new(id(1, 0)), Ask::Stop { dispense: of.dispense, patient: PatientId::new(id(3, 9)) })
        }
        1 => {
            (ClientId::new(id(1, 1)), Ask::Stop { dispense: DispenseId::new(id(2, 0)), patient: of.patient })
        }
        2..=9 => (of.owner, Ask::Stop { dispense: of.dispense, patient: of.patient }),
        10..=12 => (of.owner, Ask::MarkInError { dispense: of.dispense }),
        _ => {
            let record = rng.pick(&world.records).id;
            let change = Pair {
                division_id: rng.pick(&world.divisions).facts.id,
                contract_id: rng.pick(&world.contracts).facts.id,
            };
            (ClientId::new(id(1, rng.index(2))), Ask::Update { record, change })
        }
    };
    let key = key.filter(|_| !matches!(ask, Ask::MarkInError { .. }));
    Request { user, client, key, ask }
}

/// Sends a request to a server, and waits for its answer no longer than that. The server goes on with it, whoever waits.
async fn send(world: &Arc<World>, request: usize, patience: Option<Duration>) -> Answer {
    let Some(process) = world.somebody() else {
        world.sim.sleep(Duration::from_millis(100)).await;
        return Answer::Nothing;
    };
    let asked = world.watch.requests()[request].clone();
    let attempt = world.watch.begin(request);
    world.sim.count(|stats| stats.requests += 1);
    let (promise, mut awaited) = slot();
    let owner = process.owner;
    world.sim.spawn(owner, async move { promise.keep(process.answer(&asked).await) });
    let mut patience = patience.map(|patience| world.sim.sleep(patience));
    let answer = poll_fn(|context| match Pin::new(&mut awaited).poll(context) {
        Poll::Ready(answer) => Poll::Ready(answer),
        Poll::Pending => match patience.as_mut().map(|patience| Pin::new(patience).poll(context)) {
            Some(Poll::Ready(())) => Poll::Ready(None),
            Some(Poll::Pending) | None => Poll::Pending,
        },
    });
    let answer = answer.await.unwrap_or(Answer::Nothing);
    world.sim.note(|| format!("request {request} at {owner:?}: {answer:?}"));
    world.sim.count(|stats| match answer {
        Answer::Changed { .. } | Answer::Updated(_) => stats.carried_out += 1,
        Answer::Nothing => stats.unanswered += 1,
        Answer::Refused(_) => {}
    });
    world.watch.end(attempt, answer.clone());
    answer
}

/// Kills servers and starts them again, lets time jump, and changes what updates rest on, until it is quiet.
async fn weather(world: Arc<World>, killed_every_ms: u64) {
    let sim = &world.sim;
    while !world.is_quiet.load(Ordering::Relaxed) {
        let wait = sim.draw(|rng| Duration::from_millis(rng.below(killed_every_ms)));
        sim.sleep(wait).await;
        match sim.draw(|rng| rng.below(6)) {
            0..=2 => kill(&world).await,
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
    let is_down: Vec<bool> = world.processes().iter().map(Option::is_none).collect();
    for (place, _) in is_down.into_iter().enumerate().filter(|(_, is_down)| *is_down) {
        world.start(place);
    }
}

async fn kill(world: &World) {
    let places = world.processes().len();
    let place = world.sim.draw(|rng| rng.index(places));
    let process = world.processes()[place].take();
    if let Some(process) = process {
        world.sim.kill(process.owner);
    }
    let down = world.sim.draw(|rng| Duration::from_millis(rng.below(1_000)));
    world.sim.sleep(down).await;
    world.start(place);
}

/// A request without an answer is resolved by sending it again. And one that was carried out under a key is answered as it was.
async fn resolve(world: &Arc<World>) -> Result<(), String> {
    for (number, request) in world.watch.requests().iter().enumerate() {
        let before = world.watch.answers_to(number);
        let was_answered = before.last().is_some_and(|answer| *answer != Answer::Nothing);
        if was_answered && request.key.is_none() {
            continue;
        }
        let answer = send(world, number, None).await;
        if answer == Answer::Nothing {
            return Err(format!(
                "request {number} stays without an answer, though nothing goes wrong any more: {request:?}"
            ));
        }
    }
    Ok(())
}

async fn drained(world: &World) -> Result<(), String> {
    let until = world.sim.now().saturating_add(DRAINED_WITHIN);
    loop {
        let backlog = at_once(world.outbox.backlog()).expect("a fake");
        let now = world.sim.now();
        let overdue = world.watch.belongings.iter().filter(|of| {
            // By every clock.
            let is_overdue = of.is_overdue(now.saturating_sub(MAX_AHEAD));
            is_overdue && world.watch.status(of.dispense) == "in_progress"
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
