//! Stops a device dispense on a store of its own, with nothing but the domain crates: no web framework, no driver, no async
//! runtime. This is what a service that embeds the use case has to write.
//!
//! Run it with `cargo run -p esoz-device-dispense --example stop`. It checks what it prints.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "an example stops at the first thing that is not as it says"
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use esoz_auth::{Caller, Principal, Scope, authorize};
use esoz_device_dispense::{
    DeviceDispenses, Dispense, DispenseStatus, Filter, Overdue, OverdueFilter, PatientPseudonyms, Pseudonym,
    StopDispense, StopError, StopInput, StoredDispense, Transition,
};
use esoz_events::{StatusChangeEvent, wire};
use esoz_kernel::time::rfc3339_millis;
use esoz_kernel::{
    ClientId, Clock, Committed, DispenseId, ErrorKind, Failure as _, IdGenerator, IdempotencyKey,
    IdempotentRequest, LegalEntityId, Page, PageRequest, PatientId, RequestId, StoreError, StoreErrorKind,
    Timestamp, UserId, Uuid,
};
use esoz_legal_entity::{AllowedTypes, LegalEntities, LegalEntity, LegalEntityStatus, LegalEntityType};
use serde_json::{Value, json};

/// Port 1: where dispenses are kept. One lock around state *and* events, so that both change together or not at all: a
/// database does the same with one document or one transaction.
#[derive(Default)]
struct Shelf {
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    dispenses: HashMap<DispenseId, Dispense>,
    /// What waits to be told to others. A relay would publish it and then remove it.
    outbox: Vec<StatusChangeEvent>,
    /// Which changes were asked for under which key, with the first answer. A service would forget them after
    /// `esoz_kernel::idempotency::RETENTION`.
    keys: HashMap<[u8; 32], (IdempotentRequest, Timestamp, Dispense)>,
}

impl Inside {
    /// What was done under the key, if anything was.
    fn replay(&self, idempotency: &IdempotentRequest, now: Timestamp) -> Option<Committed<Dispense>> {
        let (kept, since, answer) = self.keys.get(idempotency.key())?;
        idempotency.replay(kept.request(), *since, now, || answer.clone()).map(Committed::from)
    }
}

impl Shelf {
    fn put(&self, dispense: Dispense) {
        self.inside.lock().unwrap().dispenses.insert(dispense.id, dispense);
    }

    fn waiting(&self) -> Vec<StatusChangeEvent> {
        self.inside.lock().unwrap().outbox.clone()
    }
}

// ANCHOR: store
#[async_trait]
impl DeviceDispenses for Shelf {
    async fn find(&self, id: DispenseId) -> Result<Option<StoredDispense>, StoreError> {
        let inside = self.inside.lock().map_err(|_| broken("finding a dispense"))?;
        Ok(inside.dispenses.get(&id).cloned().map(StoredDispense::from))
    }

    async fn list(
        &self,
        filter: &Filter,
        page: PageRequest,
    ) -> Result<Page<Result<Dispense, StoreError>>, StoreError> {
        let inside = self.inside.lock().map_err(|_| broken("listing dispenses"))?;
        let matches = |dispense: &&Dispense| {
            filter.matches(Some(dispense.owner), Some(&dispense.subject), &dispense.record)
        };
        let mut found: Vec<&Dispense> = inside.dispenses.values().filter(matches).collect();
        found.sort_by_key(|dispense| (dispense.inserted_at(), dispense.id));
        Ok(Page::of(found.into_iter().cloned().map(Ok).collect(), page))
    }

    async fn overdue(&self, filter: &OverdueFilter, limit: u32) -> Result<Vec<Overdue>, StoreError> {
        let inside = self.inside.lock().map_err(|_| broken("listing overdue dispenses"))?;
        let is_overdue = |dispense: &&Dispense| filter.from.contains(&dispense.status);
        let mut overdue: Vec<Overdue> = (inside.dispenses.values().filter(is_overdue))
            .filter_map(|dispense| Some(Overdue { inserted_at: dispense.inserted_at()?, id: dispense.id }))
            .filter(|overdue| overdue.inserted_at < filter.inserted_before)
            .filter(|overdue| filter.after.is_none_or(|after| *overdue > after))
            .collect();
        overdue.sort_unstable();
        overdue.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(overdue)
    }

    /// The heart of the port: look and write in the same instant. Whoever comes second finds another status than the one it
    /// expects, gets `Stale`, and the use case looks again to say why.
    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        let mut inside = self.inside.lock().map_err(|_| broken("changing a dispense"))?;
        if let Some(replay) =
            change.idempotency.and_then(|idempotency| inside.replay(&idempotency, change.at))
        {
            // A former owner does not get the first answer: the dispense is not visible to it any more.
            let is_seen = inside
                .dispenses
                .get(&change.id)
                .is_some_and(|now| change.concerns(Some(now.owner), Some(&now.subject)));
            return Ok(if is_seen || replay == Committed::KeyReused { replay } else { Committed::Stale });
        }
        let Inside { dispenses, outbox, keys } = &mut *inside;
        let Some(dispense) = dispenses.get_mut(&change.id).filter(|dispense| change.applies_to(dispense))
        else {
            return Ok(Committed::Stale);
        };
        let (status, at) = (change.to.as_str(), rfc3339_millis(change.at));
        let entry = json!({"status": status, "inserted_at": at, "inserted_by": change.by.to_string()});
        match dispense.record.entry("status_history").or_insert_with(|| json!([])) {
            Value::Array(history) => history.push(entry),
            _ => return Err(StoreError::corrupt("dispenses", change.id, "status_history")),
        }
        dispense.status = change.to;
        dispense.record.insert("status".to_owned(), json!(status));
        dispense.record.insert("updated_at".to_owned(), json!(at));
        dispense.record.insert("updated_by".to_owned(), json!(change.by.to_string()));
        outbox.push(change.event.clone());
        if let Some(idempotency) = change.idempotency {
            keys.insert(*idempotency.key(), (idempotency, change.at, dispense.clone()));
        }
        Ok(Committed::Applied(dispense.clone()))
    }
}
// ANCHOR_END: store

fn broken(attempted: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Unexpected, attempted)
}

/// Port 2: which legal entities there are.
struct Register(HashMap<LegalEntityId, LegalEntity>);

#[async_trait]
impl LegalEntities for Register {
    async fn find(&self, id: LegalEntityId) -> Result<Option<LegalEntity>, StoreError> {
        Ok(self.0.get(&id).cloned())
    }
}

/// Port 3: what stands for a patient in the store. This one draws up a list, to be kept apart from the store; one that
/// computes pseudonyms with a secret needs no list.
#[derive(Default)]
struct ListOfPatients(Mutex<HashMap<PatientId, usize>>);

impl PatientPseudonyms for ListOfPatients {
    fn of(&self, patient: PatientId) -> Pseudonym {
        let mut list = self.0.lock().unwrap();
        let next = list.len();
        Pseudonym::new(format!("patient {}", list.entry(patient).or_insert(next)))
    }
}

/// Ports 4 and 5: time and ids. A service takes `SystemClock` and `RandomIds` from `esoz_kernel::system`; here both are fixed, so that
/// the output is always the same.
struct NewYear;

impl Clock for NewYear {
    fn now(&self) -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }
}

struct OneId;

impl IdGenerator for OneId {
    fn fresh(&self) -> Uuid {
        Uuid::from_u128(0xE)
    }
}

const PHARMACY: ClientId = ClientId::new(Uuid::from_u128(0xA));
const PHARMACIST: UserId = UserId::new(Uuid::from_u128(0xB));
const PATIENT: PatientId = PatientId::new(Uuid::from_u128(0xC));
const DISPENSE: DispenseId = DispenseId::new(Uuid::from_u128(0xD));

fn main() {
    let shelf = Arc::new(Shelf::default());
    let pseudonyms = Arc::new(ListOfPatients::default());
    let pharmacy = LegalEntity {
        id: PHARMACY.into(),
        kind: LegalEntityType::new("PHARMACY"),
        status: LegalEntityStatus::Active,
    };
    shelf.put(begun_dispense(pharmacy.id, pseudonyms.of(PATIENT)));

    // ANCHOR: compose
    // The operation on its ports. It is cheap to clone and can be shared by all requests.
    let stop = StopDispense {
        dispenses: shelf.clone(),
        legal_entities: Arc::new(Register(HashMap::from([(pharmacy.id, pharmacy)]))),
        pseudonyms,
        clock: Arc::new(NewYear),
        ids: Arc::new(OneId),
        allowed_types: AllowedTypes::default(),
    };
    // ANCHOR_END: compose

    // ANCHOR: call
    // Who calls. A service gets the principal from `esoz_auth::Authentication`, or from its own way to know its callers.
    let scope = Scope::parse("device_dispense:read device_dispense:stop");
    let principal = Principal { user_id: PHARMACIST, client_id: PHARMACY, scope };
    let caller = Caller { principal, api_key: None };
    // The permit proves that the scope was checked: without one there is no way to call the use case.
    let permit = authorize::<StopDispense>(&caller).unwrap();
    let input = || StopInput {
        patient_id: Some(PATIENT),
        dispense_id: Some(DISPENSE),
        request_id: RequestId::from_uuid(Uuid::from_u128(0xF)),
        trace: None,
        idempotency_key: IdempotencyKey::parse("a-key-of-the-client"),
    };

    // A success.
    let stopped = pollster::block_on(stop.execute(&permit, input())).unwrap();
    println!("stopped: {}", Value::Object(stopped.record.clone()));
    assert_eq!(stopped.status, DispenseStatus::Stopped);
    // ANCHOR_END: call
    assert_eq!(
        Value::Object(stopped.record.clone()),
        json!({
            "status": "stopped",
            "status_history": [
                {
                    "status": "stopped",
                    "inserted_at": "2026-01-01T00:00:00.000Z",
                    "inserted_by": "00000000-0000-0000-0000-00000000000b",
                },
            ],
            "note": "given at the counter",
            "updated_at": "2026-01-01T00:00:00.000Z",
            "updated_by": "00000000-0000-0000-0000-00000000000b",
        })
    );

    // The event that goes with it, as it will be published.
    let waiting = shelf.waiting();
    let [event] = waiting.as_slice() else { panic!("one change, one event: {waiting:?}") };
    println!("event:   {}", wire::json(event));
    assert_eq!((event.entity_id, event.new_status.as_str()), (DISPENSE.uuid(), "stopped"));

    // The same again under the same key: the first answer, and nobody is told twice.
    let again = pollster::block_on(stop.execute(&permit, input())).unwrap();
    assert_eq!((&again, &again.record), (&stopped, &stopped.record));
    assert_eq!(shelf.waiting().len(), 1);

    // A refusal: the same again without its key. `kind` is what a transport needs to choose its code, `Display` is the text for the caller.
    let unmarked = StopInput { idempotency_key: None, ..input() };
    let refusal = pollster::block_on(stop.execute(&permit, unmarked)).unwrap_err();
    println!("refused: {refusal} ({:?})", refusal.kind());
    assert!(matches!(refusal, StopError::WrongStatus(DispenseStatus::Stopped)));
    assert_eq!(refusal.kind(), ErrorKind::Conflict);
    assert_eq!(refusal.to_string(), "Device dispense in status stopped cannot be stopped");
    assert_eq!(shelf.waiting().len(), 1, "a refusal tells nobody anything");
}

/// A dispense in progress. Its record is whatever the service keeps; the rules read the typed fields alone.
fn begun_dispense(owner: LegalEntityId, subject: Pseudonym) -> Dispense {
    let status = DispenseStatus::InProgress;
    let record = json!({"status": status.as_str(), "status_history": [], "note": "given at the counter"});
    let Value::Object(record) = record else { panic!("an object was written above") };
    Dispense { id: DISPENSE, status, subject, owner, record }
}
