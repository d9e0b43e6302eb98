//! The stop use case on mocked ports: what it asks, in which order, and what it answers. A port that a case does not mention must not
//! be asked: its mock panics then.

use std::sync::Mutex;

use esoz_auth::{Caller, authorize};
use esoz_events::{EntityType, StatusChangeEvent};
use esoz_kernel::{ClientId, ErrorKind, Failure as _, LegalEntityId, Timestamp, UserId, Uuid};
use esoz_legal_entity::{LegalEntity, LegalEntityStatus, LegalEntityType, MockLegalEntities};
use pollster::block_on;

use super::super::fixtures::{self, FRESH_ID, FixedClock, FixedIds, permit};
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

fn store_error(kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, "testing")
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
    Err(store_error(StoreErrorKind::Conflict))
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

#[test]
fn given_a_scope_without_the_allowance_then_there_is_no_permit_and_so_no_call() {
    for scope in ["", "device_dispense:read", "device_dispense:stopper"] {
        let error = authorize::<StopDispense>(&caller(scope)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{scope}");
        assert_eq!(
            error.to_string(),
            "Your scope does not allow to access this resource. Missing allowances: device_dispense:stop"
        );
    }
    assert!(authorize::<StopDispense>(&caller("a:read  device_dispense:stop b:write")).is_ok());
}

#[test]
fn given_a_legal_entity_that_may_not_act_then_no_dispense_is_touched() {
    let not_active = "client_id refers to legal entity that is not active";
    let of_type = |kind: &str| AllowedTypes::new([LegalEntityType::new(kind)]);
    for (found, allowed_types, text) in [
        (None, AllowedTypes::default(), not_active),
        (None, of_type("MSP"), not_active),
        (Some(pharmacy(LegalEntityStatus::Suspended)), AllowedTypes::default(), not_active),
        (Some(pharmacy(LegalEntityStatus::Closed)), AllowedTypes::default(), not_active),
        (Some(pharmacy(LegalEntityStatus::Reorganized)), of_type("PHARMACY"), not_active),
        (Some(pharmacy(LegalEntityStatus::Active)), of_type("MSP"), "Invalid LegalEntity type"),
        (Some(pharmacy(LegalEntityStatus::Suspended)), of_type("MSP"), "Invalid LegalEntity type"),
    ] {
        let case = format!("{found:?} {allowed_types:?}");
        let ports = MockPorts { allowed_types, ..MockPorts::with_legal_entity(found) };
        assert_eq!(answer(ports.stop(input())), (ErrorKind::Conflict, text.to_owned()), "{case}");
    }
}

#[test]
fn given_ids_that_are_no_uuids_then_not_found_but_only_after_the_standing() {
    let inputs = || {
        [
            StopInput { patient_id: None, ..input() },
            StopInput { dispense_id: None, ..input() },
            StopInput { patient_id: None, dispense_id: None, ..input() },
        ]
    };
    for input in inputs() {
        let ports = MockPorts::with_legal_entity(Some(pharmacy(LegalEntityStatus::Active)));
        assert_eq!(answer(ports.stop(input)), not_found());
    }
    for input in inputs() {
        let ports = MockPorts::with_legal_entity(Some(pharmacy(LegalEntityStatus::Closed)));
        assert_eq!(answer(ports.stop(input)).0, ErrorKind::Conflict, "P03");
    }
}

#[test]
fn given_a_dispense_in_progress_then_one_call_stops_it() {
    let stopped = dispense(DispenseStatus::Stopped);
    let ports = MockPorts::with_answers(vec![Ok(Committed::Applied(stopped.clone()))]);
    let changes = Arc::clone(&ports.changes);
    assert_eq!(ports.stop(input()).unwrap(), stopped);
    let at: Timestamp = "2026-01-31T08:15:30.123Z".parse().unwrap();
    let expected = Transition {
        id: DISPENSE,
        owner: Some(owner()),
        subject: Some(Pseudonym::new("P")),
        inserted_before: None,
        from: vec![DispenseStatus::InProgress],
        to: DispenseStatus::Stopped,
        at,
        by: USER,
        event: StatusChangeEvent {
            id: EventId::new(FRESH_ID),
            entity_type: EntityType::DEVICE_DISPENSE,
            entity_id: DISPENSE.uuid(),
            new_status: "stopped".to_owned(),
            event_time: at,
            changed_by: USER,
            request_id: request_id(),
            trace: trace(),
        },
        idempotency: None,
    };
    assert_eq!(*changes.lock().unwrap(), [expected]);
}

#[test]
fn given_a_stale_change_then_the_dispense_says_why() {
    let refused = |status: DispenseStatus| {
        let text = format!("Device dispense in status {} cannot be stopped", status.as_str());
        (Some(dispense(status)), (ErrorKind::Conflict, text))
    };
    let of_another =
        Dispense { owner: LegalEntityId::new(Uuid::from_u128(9)), ..dispense(DispenseStatus::Completed) };
    let about_another = Dispense { subject: Pseudonym::new("Q"), ..dispense(DispenseStatus::InProgress) };
    let mut cases =
        vec![(None, not_found()), (Some(of_another), not_found()), (Some(about_another), not_found())];
    cases.extend(
        DispenseStatus::ALL.into_iter().filter(|status| *status != DispenseStatus::InProgress).map(refused),
    );
    assert_eq!(cases.len(), 10);
    for (found, expected) in cases {
        let case = format!("{found:?}");
        let ports = MockPorts::with_answers(stale(1)).and_found(1, found);
        assert_eq!(answer(ports.stop(input())), expected, "{case}");
    }
}

#[test]
fn given_a_stale_change_of_a_dispense_in_progress_then_the_same_change_is_offered_again() {
    let stopped = dispense(DispenseStatus::Stopped);
    let mut answers = stale(1);
    answers.push(Ok(Committed::Applied(stopped.clone())));
    let ports = MockPorts::with_answers(answers).and_found(1, Some(dispense(DispenseStatus::InProgress)));
    let changes = Arc::clone(&ports.changes);
    assert_eq!(ports.stop(input()).unwrap(), stopped);
    let changes = changes.lock().unwrap();
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[0], changes[1], "one event id, however often it is offered");
}

#[test]
fn given_a_store_that_stays_stale_then_the_use_case_gives_up() {
    let ports = MockPorts::with_answers(stale(5)).and_found(5, Some(dispense(DispenseStatus::InProgress)));
    let error = ports.stop(input()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let StopError::Store(cause) = error else { panic!("{error:?}") };
    assert_eq!(StoreError::kind(&cause), StoreErrorKind::Conflict);
    assert_eq!(
        cause.to_string(),
        format!(
            "the store refused a concurrent change while stopping dispense {DISPENSE}: it changed under 5 attempts"
        )
    );
}

#[test]
fn given_a_conflict_in_the_store_then_the_change_is_offered_again_without_a_look() {
    let lost = MockPorts::with_answers(vec![conflict(), Ok(Committed::Stale)])
        .and_found(1, Some(dispense(DispenseStatus::Stopped)));
    assert_eq!(
        answer(lost.stop(input())),
        (ErrorKind::Conflict, "Device dispense in status stopped cannot be stopped".to_owned())
    );
    let stopped = dispense(DispenseStatus::Stopped);
    let won = MockPorts::with_answers(vec![conflict(), Ok(Committed::Applied(stopped.clone()))]);
    assert_eq!(won.stop(input()).unwrap(), stopped);
    let never = MockPorts::with_answers((0..5).map(|_| conflict()).collect());
    assert_eq!(answer(never.stop(input())).0, ErrorKind::Unavailable);
}

/// Kinds of failure that are passed on, and what they are to the caller.
const PASSED_ON: [(StoreErrorKind, ErrorKind); 3] = [
    (StoreErrorKind::Unavailable, ErrorKind::Unavailable),
    (StoreErrorKind::Corrupt, ErrorKind::Internal),
    (StoreErrorKind::Unexpected, ErrorKind::Internal),
];

fn assert_passed_on(result: Result<Dispense, StopError>, kind: StoreErrorKind, expected: ErrorKind) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), expected);
    let StopError::Store(cause) = error else { panic!("{error:?}") };
    assert_eq!(StoreError::kind(&cause), kind);
}

#[test]
fn given_a_change_that_fails_then_the_failure_is_passed_on_without_another_try() {
    for (kind, expected) in PASSED_ON {
        assert_passed_on(MockPorts::with_answers(vec![Err(store_error(kind))]).stop(input()), kind, expected);
    }
}

#[test]
fn given_a_look_that_fails_then_the_failure_is_passed_on_without_another_try() {
    for (kind, expected) in PASSED_ON {
        let mut ports = MockPorts::with_answers(stale(1));
        ports.dispenses.expect_find().times(1).returning(move |_| Err(store_error(kind)));
        assert_passed_on(ports.stop(input()), kind, expected);
    }
}

#[test]
fn given_a_registry_of_legal_entities_that_fails_then_no_dispense_is_touched() {
    for (kind, expected) in PASSED_ON {
        assert_passed_on(MockPorts::with_registry(Err(store_error(kind))).stop(input()), kind, expected);
    }
}

fn key(text: &str) -> Option<IdempotencyKey> {
    IdempotencyKey::parse(text)
}

/// What is kept with a stop of that dispense about the patient with that pseudonym.
fn idempotency(key: &str, id: DispenseId, subject: &str) -> IdempotentRequest {
    let id = id.uuid();
    let asked: [&[u8]; 2] = [id.as_bytes(), subject.as_bytes()];
    IdempotentRequest::new("stop_device_dispense", CLIENT, &IdempotencyKey::parse(key).unwrap(), &asked)
}

#[test]
fn given_a_key_then_the_change_carries_it_with_what_was_asked() {
    let stopped = dispense(DispenseStatus::Stopped);
    let ports = MockPorts::with_answers(vec![Ok(Committed::Applied(stopped.clone()))]);
    let changes = Arc::clone(&ports.changes);
    assert_eq!(ports.stop(StopInput { idempotency_key: key("k"), ..input() }).unwrap(), stopped);
    let changes = changes.lock().unwrap();
    assert_eq!(changes[0].idempotency, Some(idempotency("k", DISPENSE, "P")));
    for other in [
        idempotency("K", DISPENSE, "P"),
        idempotency("k", DISPENSE, "Q"),
        idempotency("k", DispenseId::new(Uuid::from_u128(9)), "P"),
    ] {
        assert_ne!(changes[0].idempotency, Some(other));
    }
}

#[test]
fn given_a_repetition_then_the_first_answer_and_no_further_look() {
    let stopped = dispense(DispenseStatus::Stopped);
    let replay = Committed::Replayed(stopped.clone());
    let ports = MockPorts::with_answers(vec![Ok(replay)]);
    assert_eq!(ports.stop(StopInput { idempotency_key: key("k"), ..input() }).unwrap(), stopped);
}

#[test]
fn given_a_key_of_another_request_then_a_conflict_and_no_further_look() {
    let ports = MockPorts::with_answers(vec![Ok(Committed::KeyReused)]);
    let result = ports.stop(StopInput { idempotency_key: key("k"), ..input() });
    let text = "The idempotency key was used for another request";
    assert_eq!(answer(result), (ErrorKind::Conflict, text.to_owned()));
}

#[test]
fn given_a_concurrent_repetition_then_the_first_answer_comes_before_any_refusal() {
    let stopped = dispense(DispenseStatus::Stopped);
    let replay = || Ok(Committed::Replayed(stopped.clone()));
    let found = || Some(dispense(DispenseStatus::Stopped));
    for (answers, looks) in [
        (vec![conflict(), replay()], 0),
        (vec![Ok(Committed::Stale), replay()], 1),
        (vec![conflict(), Ok(Committed::Stale), replay()], 1),
        (vec![Ok(Committed::Stale), conflict(), replay()], 1),
    ] {
        let case = format!("{answers:?}");
        let ports = MockPorts::with_answers(answers).and_found(looks, found());
        let result = ports.stop(StopInput { idempotency_key: key("k"), ..input() });
        assert_eq!(result.unwrap(), stopped, "{case}");
    }
}

#[test]
fn given_a_key_under_which_nothing_was_done_then_the_refusal_is_found_once_and_stands() {
    for (found, expected) in [
        (
            Some(dispense(DispenseStatus::Stopped)),
            (ErrorKind::Conflict, "Device dispense in status stopped cannot be stopped".to_owned()),
        ),
        (None, not_found()),
    ] {
        let ports = MockPorts::with_answers(stale(2)).and_found(1, found);
        assert_eq!(answer(ports.stop(StopInput { idempotency_key: key("k"), ..input() })), expected);
    }
    // Not known to stand: somebody else's change may be the same request's.
    let mut answers = vec![Ok(Committed::Stale)];
    answers.extend((0..4).map(|_| conflict()));
    let ports = MockPorts::with_answers(answers).and_found(1, Some(dispense(DispenseStatus::Stopped)));
    let result = ports.stop(StopInput { idempotency_key: key("k"), ..input() });
    assert_eq!(answer(result).0, ErrorKind::Unavailable);
}

#[test]
fn given_a_key_of_a_legal_entity_that_may_not_act_then_it_is_not_looked_at() {
    let ports = MockPorts::with_legal_entity(Some(pharmacy(LegalEntityStatus::Suspended)));
    let result = ports.stop(StopInput { idempotency_key: key("k"), ..input() });
    assert_eq!(answer(result).0, ErrorKind::Conflict);
}
