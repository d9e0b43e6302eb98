//! What is there from the start: few things, so that many want the same.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use esoz_contract_division::{
    Contract, ContractDivision, ContractRecord, ContractRegistry as _, Division, DivisionRecord,
};
use esoz_device_dispense::{
    DeviceDispenses, Dispense, DispenseRegistry as _, DispenseStatus, DispenseWrites, Pseudonym,
};
use esoz_events::Outbox;
use esoz_kernel::{
    ClientId, ContractDivisionId, ContractId, DeviceRequestId, DispenseId, DivisionId, LegalEntityId,
    PatientId, Stamps, UserId, Uuid, time::rfc3339_millis,
};
use esoz_legal_entity::{LegalEntity, LegalEntityRecord, LegalEntityRegistry as _};
use esoz_registries::Registry;
use esoz_signed_content::MediaStorage;
use esoz_testkit::builders::{
    at_micros, contract_division, contract_of, division_of, legal_entity, reference,
};
use esoz_testkit::doubles::Double;
use esoz_testkit::fakes::{FakeContracts, RecordingPublisher};
use serde_json::{Value, json};

use crate::defects::{
    ChangesAsWasDecided, CreatesOnWhatItSaw, Defect, EventApart, KeepsLater, KeyApart, LooksThenWrites,
    RequestApart,
};
use crate::pharmacy::request;
use crate::sim::Sim;
use crate::watch::{Belongs, LIFETIME, Watch, at_once};

/// Everything that one simulation is about.
pub(crate) struct World {
    pub(crate) sim: Arc<Sim>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) defect: Option<Defect>,
    pub(crate) dispenses: Arc<dyn DeviceDispenses>,
    pub(crate) writes: Arc<dyn DispenseWrites>,
    pub(crate) media: Arc<dyn MediaStorage>,
    pub(crate) outbox: Arc<dyn Outbox>,
    pub(crate) publisher: Arc<RecordingPublisher>,
    pub(crate) records: Vec<ContractDivision>,
    pub(crate) contracts: Vec<ContractRecord>,
    pub(crate) divisions: Vec<DivisionRecord>,
}

/// An id of something that is there from the start, for all that are told apart by their sort.
pub(crate) fn id(sort: u128, number: usize) -> Uuid {
    Uuid::from_u128(sort * 1_000 + u128::try_from(number).expect("128 bits"))
}

fn owner(number: usize) -> LegalEntityId {
    LegalEntityId::new(id(1, number))
}

impl World {
    /// A small world: few things, so that many want the same.
    pub(crate) fn new(sim: Arc<Sim>, defect: Option<Defect>) -> Arc<Self> {
        let belongings: Vec<Belongs> = (0..6).map(|number| belongs(&sim, number)).collect();
        let watch = Watch::new(sim.clone(), belongings);
        let Watch { dispenses, contracts, media, belongings, .. } = &watch;
        let requests: Vec<_> =
            belongings[..2].iter().enumerate().map(|(number, of)| request(number, of.patient)).collect();
        at_once(Registry::put(&**dispenses, &requests)).expect("a fake");
        let there: Vec<_> = belongings.iter().filter_map(dispense).collect();
        at_once(dispenses.put_dispenses(&there)).expect("a fake");
        for number in 0..2 {
            let record = legal_entity();
            let facts = LegalEntity { id: owner(number), ..record.facts };
            at_once(contracts.put_legal_entities(&[LegalEntityRecord { facts, ..record }])).expect("a fake");
        }
        let (registry, divisions, records) = contracts_of(contracts);
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
        let writes: Arc<dyn DispenseWrites> = match defect {
            Some(Defect::CreatesOnWhatItSaw) => {
                Arc::new(Double(CreatesOnWhatItSaw { inner: dispenses.clone(), sim: sim.clone() }))
            }
            Some(Defect::ChangesAsWasDecided) => {
                Arc::new(Double(ChangesAsWasDecided { inner: dispenses.clone(), sim: sim.clone() }))
            }
            Some(Defect::RequestApartFromDispense) => {
                let (inner, sim) = (dispenses.clone(), sim.clone());
                Arc::new(Double(RequestApart { inner, sim, requests }))
            }
            _ => dispenses.clone(),
        };
        let stored: Arc<dyn MediaStorage> = match defect {
            Some(Defect::KeepsContainersLater) => {
                Arc::new(Double(KeepsLater { inner: media.clone(), sim: sim.clone() }))
            }
            _ => media.clone(),
        };
        Arc::new(Self {
            sim,
            defect,
            dispenses: base,
            writes,
            media: stored,
            outbox,
            publisher: Arc::default(),
            records,
            contracts: registry,
            divisions,
            watch: Arc::new(watch),
        })
    }
}

/// The dispense of that number. The first two may be there from the start, one of each request; the others may be recorded, two of each.
fn belongs(sim: &Sim, number: usize) -> Belongs {
    let of_request = number % 2;
    let start = sim.now();
    // Overdue soon, or hardly while this goes on.
    let inserted_at = sim.draw(|rng| {
        let left = if rng.one_in(2) { rng.below(3_000) } else { 120_000 };
        let is_there = number < 2 && !rng.one_in(4);
        is_there.then(|| start.saturating_add(Duration::from_millis(left)).saturating_sub(LIFETIME))
    });
    Belongs {
        inserted_at,
        dispense: DispenseId::new(id(2, number)),
        request: DeviceRequestId::new(id(9, of_request)),
        is_once: of_request == 0,
        owner: ClientId::new(id(1, of_request)),
        patient: PatientId::new(id(3, of_request)),
    }
}

/// The dispense, if it is there from the start.
fn dispense(of: &Belongs) -> Option<Dispense> {
    let owner = of.owner.into();
    let record = json!({
        "status": "in_progress",
        "status_history": [],
        "inserted_at": rfc3339_millis(of.inserted_at?),
        "based_on": reference("device_request", of.request),
        "performer_legal_entity": reference("legal_entity", owner),
    });
    let Value::Object(record) = record else { unreachable!("an object") };
    let subject = Pseudonym::new(of.patient.uuid().to_string());
    Some(Dispense { id: of.dispense, status: DispenseStatus::InProgress, subject, owner, record })
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
