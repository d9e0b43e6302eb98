//! The stop use case on mocked ports: what it asks, in which order, and what it answers. A port that a case does not mention must not
//! be asked: its mock panics then.

mod idempotency;
mod retries;
mod rules;

use std::sync::Mutex;

use esoz_auth::Caller;
use esoz_kernel::{ClientId, ErrorKind, Failure as _, LegalEntityId, UserId, Uuid};
use esoz_legal_entity::{LegalEntity, LegalEntityStatus, LegalEntityType, MockLegalEntities};
use pollster::block_on;

use super::super::fixtures::{self, FixedClock, FixedIds, permit};
use super::*;
use crate::{MockDeviceDispenses, MockPatientPseudonyms};

const USER: UserId = UserId::new(Uuid::from_u128(1));

const CLIENT: ClientId = ClientId::new(Uuid::from_u128(2));

const PATIENT: PatientId = PatientId::new(Uuid::from_u128(3));

const DISPENSE: DispenseId = DispenseId::new(Uuid::from_u128(4));

fn owner() -> LegalEntityId {
    CLIENT.into()
}

fn trace() -> Option<TraceContext> {
    TraceContext::new(1, 2, true)
}

fn request_id() -> RequestId {
    RequestId::parse("a-request-id-of-some-length").unwrap()
}

fn caller(scope: &str) -> Caller {
    fixtures::caller(USER, CLIENT, scope)
}

fn pharmacy(status: LegalEntityStatus) -> LegalEntity {
    LegalEntity { id: owner(), kind: LegalEntityType::new("PHARMACY"), status }
}

fn dispense(status: DispenseStatus) -> Dispense {
    let record = serde_json::Map::new();
    Dispense { id: DISPENSE, status, subject: Pseudonym::new("P"), owner: owner(), record }
}

fn input() -> StopInput {
    StopInput {
        patient_id: Some(PATIENT),
        dispense_id: Some(DISPENSE),
        request_id: request_id(),
        trace: trace(),
        idempotency_key: None,
    }
}

/// The ports of one case, and what was handed to the store.
struct MockPorts {
    dispenses: MockDeviceDispenses,
    legal_entities: MockLegalEntities,
    pseudonyms: MockPatientPseudonyms,
    allowed_types: AllowedTypes,
    changes: Arc<Mutex<Vec<Transition>>>,
}

impl MockPorts {
    /// The legal entity is looked up once, and this is found; nothing else may be asked.
    fn with_legal_entity(found: Option<LegalEntity>) -> Self {
        Self::with_registry(Ok(found))
    }

    /// The same with any answer of the registry.
    fn with_registry(answer: Result<Option<LegalEntity>, StoreError>) -> Self {
        let mut legal_entities = MockLegalEntities::new();
        legal_entities.expect_find().withf(|id| *id == owner()).times(1).return_once(|_| answer);
        Self {
            dispenses: MockDeviceDispenses::new(),
            legal_entities,
            pseudonyms: MockPatientPseudonyms::new(),
            allowed_types: AllowedTypes::default(),
            changes: Arc::default(),
        }
    }

    /// The legal entity may act, and the store answers so, in this order, and no more often.
    fn with_answers(answers: Vec<Result<Committed<Dispense>, StoreError>>) -> Self {
        let mut ports = Self::with_legal_entity(Some(pharmacy(LegalEntityStatus::Active)));
        ports.pseudonyms.expect_of().withf(|patient| *patient == PATIENT).return_const(Pseudonym::new("P"));
        let changes = Arc::clone(&ports.changes);
        let times = answers.len();
        let mut answers = answers.into_iter();
        ports.dispenses.expect_commit().times(times).returning(move |change| {
            changes.lock().unwrap().push(change.clone());
            answers.next().unwrap()
        });
        ports
    }

    /// … and a look at the dispense, that often, finds this.
    fn and_found(mut self, times: usize, found: Option<Dispense>) -> Self {
        let found = move |_| Ok(found.clone().map(Into::into));
        self.dispenses.expect_find().withf(|id| *id == DISPENSE).times(times).returning(found);
        self
    }

    fn stop(self, input: StopInput) -> Result<Dispense, StopError> {
        let permit = permit(USER, CLIENT);
        let stop = StopDispense {
            dispenses: Arc::new(self.dispenses),
            legal_entities: Arc::new(self.legal_entities),
            pseudonyms: Arc::new(self.pseudonyms),
            clock: Arc::new(FixedClock),
            ids: Arc::new(FixedIds),
            allowed_types: self.allowed_types,
        };
        block_on(stop.execute(&permit, input))
    }
}

fn conflict() -> Result<Committed<Dispense>, StoreError> {
    Err(StoreError::new(StoreErrorKind::Conflict, "testing"))
}

fn stale(times: usize) -> Vec<Result<Committed<Dispense>, StoreError>> {
    (0..times).map(|_| Ok(Committed::Stale)).collect()
}

/// What a caller gets to know: kind and text.
fn answer(result: Result<Dispense, StopError>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    assert_eq!(error.entry(), None, "a stop has no body to point into");
    (error.kind(), error.to_string())
}

fn not_found() -> (ErrorKind, String) {
    (ErrorKind::NotFound, "not_found".to_owned())
}
