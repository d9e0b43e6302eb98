//! A server process: the use cases, the relay and expiry, on stores behind a network that fails.

use std::sync::Arc;
use std::time::Duration;

use esoz_auth::{ApiKeyHolder, Caller, Principal, Scope, authorize};
use esoz_contract_division::{ContractDivisions, UpdateContractDivision, UpdateInput};
use esoz_device_dispense::{
    DeviceDispenses, DispenseStatus, ExpireDispenses, PatientPseudonyms, Pseudonym, StopDispense, StopInput,
    Transition,
};
use esoz_events::{Backoff, EntityType, EventPublisher, Outbox, Relay, RelayLimits, StatusChangeEvent};
use esoz_kernel::{
    Clock, Committed, DispenseId, ErrorKind, EventId, Failure, IdGenerator as _, PatientId, RequestId,
    StoreError, time::to_millis,
};
use esoz_legal_entity::{AllowedTypes, LegalEntities};
use esoz_testkit::doubles::Double;

use crate::carrier::Carrier;
use crate::defects::{AnswersBeforeCommit, CarelessRelay, Defect, MakesNewEvent, WithoutKey};
use crate::faulty::Faulty;
use crate::sim::{OwnClock, Owner, Sim};
use crate::watch::{ALREADY_IN_ERROR, Answer, Ask, LIFETIME, Request, SYSTEM_USER};
use crate::world::World;

const SCOPE: &str = "device_dispense:stop private_contracts:write";
/// How long a relay sleeps when there is nothing to do.
const POLL: Duration = Duration::from_millis(200);
/// How long expiry sleeps when nothing is overdue.
const EXPIRE_EVERY: Duration = Duration::from_secs(1);
/// How far a server's clock is ahead or behind at most.
pub(crate) const MAX_AHEAD: Duration = Duration::from_secs(20);
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_secs(1) };

/// Patients stand for themselves: what a pseudonym is made of plays no part here.
pub(crate) struct Themselves;

impl PatientPseudonyms for Themselves {
    fn of(&self, patient: PatientId) -> Pseudonym {
        Pseudonym::new(patient.uuid().to_string())
    }
}

/// A running server process.
pub(crate) struct Process {
    pub(crate) owner: Owner,
    sim: Arc<Sim>,
    clock: Arc<dyn Clock>,
    dispenses: Arc<dyn DeviceDispenses>,
    stop: StopDispense,
    update: UpdateContractDivision,
}

impl Process {
    /// Starts one, with its relay.
    pub(crate) fn start(world: &World, number: u64) -> Arc<Self> {
        let sim = world.sim.clone();
        let owner = Owner::Process(number);
        // Mostly a little off; some are so far off that their claims look long over to others, or never.
        let ahead = sim.draw(|rng| {
            let most = if rng.one_in(5) { MAX_AHEAD } else { Duration::from_millis(100) };
            let most = u64::try_from(most.as_millis()).expect("some seconds");
            let millis = i64::try_from(rng.below(most)).expect("some seconds");
            jiff::SignedDuration::from_millis(if rng.one_in(2) { millis } else { -millis })
        });
        let clock: Arc<dyn Clock> = Arc::new(OwnClock { sim: sim.clone(), ahead });
        let dispenses = dispenses(world);
        let legal_entities: Arc<dyn LegalEntities> = world.watch.contracts.clone();
        let stop = StopDispense {
            dispenses: dispenses.clone(),
            legal_entities: Arc::new(world.faulty(legal_entities)),
            allowed_types: AllowedTypes::default(),
            pseudonyms: Arc::new(Themselves),
            clock: clock.clone(),
            ids: sim.clone(),
        };
        let contract_divisions: Arc<dyn ContractDivisions> = world.watch.contracts.clone();
        let mut contract_divisions: Arc<dyn ContractDivisions> = Arc::new(world.faulty(contract_divisions));
        if world.defect == Some(Defect::UpdateWithoutItsKey) {
            contract_divisions = Arc::new(Double(WithoutKey(contract_divisions)));
        }
        let update = UpdateContractDivision { contract_divisions, clock: clock.clone() };
        sim.note(|| format!("{owner:?} starts, {} ms ahead", ahead.as_millis()));
        sim.spawn(owner, carry(sim.clone(), carrier(world, clock.clone())));
        let lifetime = match world.defect {
            Some(Defect::ExpiresTooEarly) => LIFETIME / 2,
            _ => LIFETIME,
        };
        let expiry = ExpireDispenses {
            dispenses: dispenses.clone(),
            clock: clock.clone(),
            ids: sim.clone(),
            lifetime,
            system_user: SYSTEM_USER,
        };
        sim.spawn(owner, expire(sim.clone(), expiry));
        Arc::new(Self { owner, sim, clock, dispenses, stop, update })
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: &Request) -> Answer {
        let scope = Scope::parse(SCOPE);
        let caller = Caller {
            principal: Principal { user_id: request.user, client_id: request.client, scope: scope.clone() },
            api_key: Some(ApiKeyHolder { client_id: request.client, scope }),
        };
        let request_id = RequestId::from_uuid(self.sim.fresh());
        let idempotency_key = request.key.clone();
        match &request.ask {
            Ask::Stop { dispense, patient } => {
                let permit = authorize::<StopDispense>(&caller).expect("a scope with everything");
                let (patient_id, dispense_id) = (Some(*patient), Some(*dispense));
                let input = StopInput { patient_id, dispense_id, request_id, trace: None, idempotency_key };
                let stopped = self.stop.execute(&permit, input).await;
                stopped.map_or_else(|error| refused(&error), |dispense| changed(&dispense.record))
            }
            Ask::Update { record, change } => {
                let permit = authorize::<UpdateContractDivision>(&caller).expect("a scope with everything");
                let input = UpdateInput { id: Some(*record), pair: *change, request_id, idempotency_key };
                let updated = self.update.execute(&permit, input).await;
                updated.map_or_else(|error| refused(&error), Answer::Updated)
            }
            Ask::MarkInError { dispense } => {
                self.mark_in_error(*dispense, request, request_id).await.unwrap_or(Answer::Nothing)
            }
        }
    }

    /// A method to come, so that a dispense may have more than one event.
    async fn mark_in_error(
        &self,
        id: DispenseId,
        request: &Request,
        request_id: RequestId,
    ) -> Result<Answer, StoreError> {
        for _ in 0..3 {
            let found = self.dispenses.find(id).await?.expect("a dispense").dispense?;
            if found.status == DispenseStatus::EnteredInError {
                return Ok(Answer::Refused(ALREADY_IN_ERROR.to_owned()));
            }
            let (at, to) = (to_millis(self.clock.now()), DispenseStatus::EnteredInError);
            let event = StatusChangeEvent {
                id: EventId::new(self.sim.fresh()),
                entity_type: EntityType::DEVICE_DISPENSE,
                entity_id: id.uuid(),
                new_status: to.as_str().to_owned(),
                event_time: at,
                changed_by: request.user,
                request_id: request_id.clone(),
                trace: None,
            };
            let change = Transition {
                id,
                owner: Some(found.owner),
                subject: Some(found.subject),
                inserted_before: None,
                from: vec![found.status],
                to,
                at,
                by: request.user,
                event,
                idempotency: None,
            };
            if let Committed::Applied(dispense) = self.dispenses.commit(&change).await? {
                return Ok(changed(&dispense.record));
            }
        }
        Ok(Answer::Nothing)
    }
}

fn changed(record: &serde_json::Map<String, serde_json::Value>) -> Answer {
    let text = |field: &str| record[field].as_str().expect("text").to_owned();
    Answer::Changed { status: text("status"), by: text("updated_by"), at: text("updated_at") }
}

fn refused(error: &impl Failure) -> Answer {
    match error.kind() {
        ErrorKind::Unavailable => Answer::Nothing,
        _ => Answer::Refused(error.to_string()),
    }
}

fn dispenses(world: &World) -> Arc<dyn DeviceDispenses> {
    let faulty: Arc<dyn DeviceDispenses> = Arc::new(world.faulty(world.dispenses.clone()));
    let sim = world.sim.clone();
    match world.defect {
        Some(Defect::RetryMakesNewEvent) => Arc::new(Double(MakesNewEvent { inner: faulty, sim })),
        Some(Defect::AnswersBeforeCommit) => Arc::new(Double(AnswersBeforeCommit { inner: faulty, sim })),
        _ => faulty,
    }
}

fn carrier(world: &World, clock: Arc<dyn Clock>) -> Box<dyn Carrier> {
    let outbox: Arc<dyn Outbox> = Arc::new(world.faulty(world.outbox.clone()));
    let publisher: Arc<dyn EventPublisher> = world.publisher.clone();
    let publisher: Arc<dyn EventPublisher> = Arc::new(world.faulty(publisher));
    let id = world.sim.fresh();
    let limits = RelayLimits {
        lease: Duration::from_secs(2),
        max_entities: world.sim.draw(|rng| if rng.one_in(2) { 1 } else { 3 }),
        backoff: BACKOFF,
    };
    let careless = |removes_first| CarelessRelay {
        outbox: outbox.clone(),
        publisher: publisher.clone(),
        clock: clock.clone(),
        limits,
        id,
        removes_first,
    };
    match world.defect {
        Some(Defect::RelayRemovesBeforePublishing) => Box::new(careless(true)),
        Some(Defect::RelayKeepsNoOrder) => Box::new(careless(false)),
        _ => Box::new(Relay::new(outbox, publisher, clock, limits, id)),
    }
}

/// The loop around a relay.
async fn carry(sim: Arc<Sim>, carrier: Box<dyn Carrier>) {
    let mut failures = 0_u32;
    loop {
        let at = sim.now().as_duration().unsigned_abs();
        let wait = if let Ok(round) = carrier.round(at).await {
            failures = 0;
            let pause = round.resume.map_or(POLL, |resume| resume.min(POLL));
            if round.is_idle() { pause } else { Duration::ZERO }
        } else {
            failures = failures.saturating_add(1);
            BACKOFF.wait(failures)
        };
        sim.sleep(wait).await;
    }
}

/// The loop around expiry.
async fn expire(sim: Arc<Sim>, expiry: ExpireDispenses) {
    loop {
        for overdue in expiry.overdue(None, 10).await.unwrap_or_default() {
            // What fails now is overdue the next time as well.
            drop(expiry.execute(overdue.id).await);
        }
        sim.sleep(EXPIRE_EVERY).await;
    }
}

impl World {
    pub(crate) fn faulty<P: ?Sized>(&self, inner: Arc<P>) -> Faulty<P> {
        Faulty { inner, sim: self.sim.clone(), watch: self.watch.clone() }
    }
}
