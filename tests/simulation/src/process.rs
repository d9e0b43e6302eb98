//! A server process: the use cases, the relay and expiry, on stores behind a network that fails.

use std::sync::Arc;
use std::time::Duration;

use esoz_auth::{ApiKeyHolder, Caller, Operation, Permit, Principal, Scope, authorize};
use esoz_contract_division::{ContractDivisions, UpdateContractDivision, UpdateInput};
use esoz_device_dispense::{
    CompleteDispense, CreateDispense, CreatePolicy, DeviceDispenses, Dispense, DispenseWrites,
    ExpireDispenses, MarkDispenseInError, PatientPseudonyms, Pseudonym, SignedInput, SignedPorts,
    StopDispense, StopInput,
};
use esoz_events::{Backoff, EventPublisher, Outbox, Relay, RelayLimits};
use esoz_kernel::{Clock, ErrorKind, Failure, IdGenerator as _, PatientId, RequestId};
use esoz_legal_entity::{AllowedTypes, LegalEntities};
use esoz_registries::Registries;
use esoz_signed_content::{Drfo, MediaStorage, UnsignedDocuments};
use esoz_testkit::doubles::Double;

use crate::carrier::Carrier;
use crate::defects::{AnswersBeforeCommit, CarelessRelay, Defect, DoubtIsFailure, MakesNewEvent, WithoutKey};
use crate::faulty::Faulty;
use crate::pharmacy::{self, DRFO, PermissiveRegistries, PlainDigests, REASON, UtcCalendar};
use crate::sim::{OwnClock, Owner, Sim};
use crate::watch::{Answer, Ask, LIFETIME, Request, SYSTEM_USER, Watch};
use crate::world::World;

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
    watch: Arc<Watch>,
    create: CreateDispense,
    stop: StopDispense,
    complete: CompleteDispense,
    mark_in_error: MarkDispenseInError,
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
        let legal_entities: Arc<dyn LegalEntities> = Arc::new(world.faulty(legal_entities));
        let signed = signed_ports(world, &clock, &legal_entities);
        let create = CreateDispense {
            writes: signed.writes.clone(),
            registries: signed.registries.clone(),
            legal_entities: legal_entities.clone(),
            allowed_types: AllowedTypes::default(),
            pseudonyms: Arc::new(Themselves),
            clock: clock.clone(),
            calendar: Arc::new(UtcCalendar),
            ids: sim.clone(),
            policy: CreatePolicy { lifetime: Some(LIFETIME), ..CreatePolicy::default() },
        };
        let complete = CompleteDispense { ports: signed.clone(), is_author_required: false };
        let mark_in_error = MarkDispenseInError { ports: signed, reasons: [REASON.to_owned()].into() };
        let stop = StopDispense {
            dispenses: dispenses.clone(),
            legal_entities,
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
        let watch = world.watch.clone();
        Arc::new(Self { owner, sim, watch, create, stop, complete, mark_in_error, update })
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: &Request) -> Answer {
        let request_id = RequestId::from_uuid(self.sim.fresh());
        let idempotency_key = request.key.clone();
        match &request.ask {
            Ask::Create { dispense } => {
                let input = pharmacy::create(self.watch.belongs(*dispense), request_id, idempotency_key);
                changed(self.create.execute(&permit(request), input).await)
            }
            Ask::Stop { dispense, patient } => {
                let (patient_id, dispense_id) = (Some(*patient), Some(*dispense));
                let input = StopInput { patient_id, dispense_id, request_id, trace: None, idempotency_key };
                changed(self.stop.execute(&permit(request), input).await)
            }
            Ask::Complete { dispense, content } | Ask::MarkInError { dispense, content } => {
                let input = SignedInput {
                    patient_id: Some(self.watch.belongs(*dispense).patient),
                    dispense_id: Some(*dispense),
                    container: content.clone().into_bytes(),
                    request_id,
                    trace: None,
                    idempotency_key,
                };
                if matches!(request.ask, Ask::Complete { .. }) {
                    changed(self.complete.execute(&permit(request), input).await)
                } else {
                    changed(self.mark_in_error.execute(&permit(request), input).await)
                }
            }
            Ask::Update { record, change } => {
                let input = UpdateInput { id: Some(*record), pair: *change, request_id, idempotency_key };
                let updated = self.update.execute(&permit(request), input).await;
                updated.map_or_else(|error| refused(&error), Answer::Updated)
            }
        }
    }
}

fn permit<O: Operation>(request: &Request) -> Permit<O> {
    let scope = Scope::parse(O::SCOPE);
    let caller = Caller {
        principal: Principal { user_id: request.user, client_id: request.client, scope: scope.clone() },
        api_key: Some(ApiKeyHolder { client_id: request.client, scope }),
    };
    authorize(&caller).expect("its scope")
}

fn changed(answered: Result<Dispense, impl Failure>) -> Answer {
    let dispense = match answered {
        Ok(dispense) => dispense,
        Err(error) => return refused(&error),
    };
    let text = |field: &str| dispense.record[field].as_str().expect("text").to_owned();
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

fn signed_ports(
    world: &World,
    clock: &Arc<dyn Clock>,
    legal_entities: &Arc<dyn LegalEntities>,
) -> SignedPorts {
    let mut writes: Arc<dyn DispenseWrites> = Arc::new(world.faulty(world.writes.clone()));
    if world.defect == Some(Defect::DoubtIsFailure) {
        writes = Arc::new(Double(DoubtIsFailure(writes)));
    }
    let registries: Arc<dyn Registries> = Arc::new(PermissiveRegistries);
    let media: Arc<dyn MediaStorage> = Arc::new(world.faulty(world.media.clone()));
    SignedPorts {
        writes,
        registries: Arc::new(world.faulty(registries)),
        legal_entities: legal_entities.clone(),
        allowed_types: AllowedTypes::default(),
        pseudonyms: Arc::new(Themselves),
        digests: Arc::new(PlainDigests),
        verifier: Arc::new(UnsignedDocuments::new(Drfo::parse(DRFO))),
        media,
        clock: clock.clone(),
        calendar: Arc::new(UtcCalendar),
        ids: world.sim.clone(),
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
