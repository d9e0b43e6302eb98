//! The update use case on mocked ports: what it asks, in which order, and what it answers. The rules themselves are tested
//! where they are, without ports.

use std::sync::Mutex;

use esoz_auth::{ApiKeyHolder, Caller, Principal, Scope, authorize};
use esoz_kernel::{
    ClientId, ContractId, DivisionId, ErrorKind, Failure as _, LegalEntityId, Stamps, Timestamp, UserId, Uuid,
};
use pollster::block_on;

use super::*;
use crate::{Contract, ContractType, Current, Division, Expected, Facts, MockContractDivisions};

const USER: UserId = UserId::new(Uuid::from_u128(1));
const CLIENT: ClientId = ClientId::new(Uuid::from_u128(2));
const CLINIC: LegalEntityId = LegalEntityId::new(Uuid::from_u128(3));
const OTHER_CLINIC: LegalEntityId = LegalEntityId::new(Uuid::from_u128(4));
const RECORD: ContractDivisionId = ContractDivisionId::new(Uuid::from_u128(5));
const CHANGE: Change = Change {
    division_id: DivisionId::new(Uuid::from_u128(6)),
    contract_id: ContractId::new(Uuid::from_u128(7)),
};

/// A clock that shows a second more each time.
#[derive(Default)]
struct TickingClock(Mutex<i64>);

impl Clock for TickingClock {
    fn now(&self) -> Timestamp {
        let mut seconds = self.0.lock().unwrap();
        *seconds += 1;
        Timestamp::new(*seconds, 123_456_999).unwrap()
    }
}

/// What that clock shows the first, second, … time, in microseconds.
fn tick(second: i64) -> Timestamp {
    Timestamp::new(second, 123_456_000).unwrap()
}

fn request_id() -> RequestId {
    RequestId::parse("a-request-id-of-some-length").unwrap()
}

fn caller(token: &str, api_key: &str) -> Caller {
    Caller {
        principal: Principal { user_id: USER, client_id: CLIENT, scope: Scope::parse(token) },
        api_key: Some(ApiKeyHolder { client_id: CLIENT, scope: Scope::parse(api_key) }),
    }
}

fn contract(id: ContractId) -> Contract {
    Contract { id, kind: ContractType::GbCbp, contractor: CLINIC, is_active: true }
}

fn division() -> Division {
    Division { id: CHANGE.division_id, legal_entity: CLINIC, is_active: true }
}

fn record() -> ContractDivision {
    let at = Timestamp::UNIX_EPOCH;
    ContractDivision {
        id: RECORD,
        contract_id: ContractId::new(Uuid::from_u128(8)),
        division_id: DivisionId::new(Uuid::from_u128(9)),
        is_active: true,
        stamps: Stamps { inserted_at: at, inserted_by: USER, updated_at: at, updated_by: USER },
    }
}

/// Facts that nothing speaks against.
fn facts() -> Facts {
    Facts {
        current: Some(Current { record: record(), contract: contract(record().contract_id) }),
        division: Some(division()),
        contract: Some(contract(CHANGE.contract_id)),
        is_pair_taken: false,
    }
}

/// For each refusal facts that lead to it. The match makes the list whole: a new refusal does not compile without its facts.
fn refused(refusal: Refusal) -> Facts {
    let good = facts();
    match refusal {
        Refusal::RecordNotFound => Facts { current: None, ..good },
        Refusal::NotGlobalBudget => {
            let capitation = |current: Current| Current {
                contract: Contract { kind: ContractType::Capitation, ..current.contract },
                ..current
            };
            Facts { current: good.current.map(capitation), ..good }
        }
        Refusal::DivisionNotFound => Facts { division: None, ..good },
        Refusal::DivisionOfAnotherLegalEntity => {
            Facts { division: Some(Division { legal_entity: OTHER_CLINIC, ..division() }), ..good }
        }
        Refusal::ContractNotUsable => Facts { contract: None, ..good },
        Refusal::PairTaken => Facts { is_pair_taken: true, ..good },
    }
}

/// Every refusal, with what a caller gets to know of it.
const ANSWERS: [(Refusal, ErrorKind, Option<&str>, &str); 6] = [
    (Refusal::RecordNotFound, ErrorKind::NotFound, None, "Contract division with such id is not found"),
    (
        Refusal::NotGlobalBudget,
        ErrorKind::Conflict,
        None,
        "Only contract divisions for contract with type GB_CBP can be updated",
    ),
    (Refusal::DivisionNotFound, ErrorKind::NotFound, Some("$.division_id"), "Division is not found"),
    (
        Refusal::DivisionOfAnotherLegalEntity,
        ErrorKind::Conflict,
        Some("$.division_id"),
        "Division is not correspond to contractor legal entity",
    ),
    (
        Refusal::ContractNotUsable,
        ErrorKind::Conflict,
        Some("$.contract_id"),
        "Contract must be an active and with GB_CBP type",
    ),
    (
        Refusal::PairTaken,
        ErrorKind::Conflict,
        Some("$.division_id"),
        "Contract division with such contract and division already exists",
    ),
];

fn store_error(kind: StoreErrorKind) -> StoreError {
    StoreError::new(kind, "testing")
}

/// The port of one case, and what was handed to it.
#[derive(Default)]
struct World {
    contract_divisions: MockContractDivisions,
    updates: Arc<Mutex<Vec<Update>>>,
    key: Option<IdempotencyKey>,
}

impl World {
    /// A world in which updates are offered so often as there are answers, and each time are answered with the next of these.
    fn with_answers(answers: Vec<Result<Applied, StoreError>>) -> Self {
        let mut world = Self::default();
        let updates = Arc::clone(&world.updates);
        let times = answers.len();
        let mut answers = answers.into_iter();
        world.contract_divisions.expect_apply().times(times).returning(move |update| {
            updates.lock().unwrap().push(update.clone());
            answers.next().unwrap()
        });
        world
    }

    /// … in which the first offer is stale and the facts gathered then are these.
    fn stale_for(facts: Facts) -> Self {
        Self::with_answers(vec![Ok(Applied::Stale)]).and_facts(vec![Ok(facts)])
    }

    /// … and the facts are gathered so often as there are answers, and each time are the next of these.
    fn and_facts(mut self, answers: Vec<Result<Facts, StoreError>>) -> Self {
        let times = answers.len();
        let mut answers = answers.into_iter();
        self.contract_divisions
            .expect_facts()
            .withf(|id, change| *id == RECORD && *change == CHANGE)
            .times(times)
            .returning(move |_, _| answers.next().unwrap());
        self
    }

    /// … the request has a key, and what is replay each time it is looked up is the next of these.
    fn and_replays(mut self, answers: Vec<Option<Replay<ContractDivision>>>) -> Self {
        self.key = IdempotencyKey::parse("k");
        let times = answers.len();
        let mut answers = answers.into_iter();
        self.contract_divisions
            .expect_replay()
            .withf(|asked, _| *asked == idempotency())
            .times(times)
            .returning(move |_, _| Ok(answers.next().unwrap()));
        self
    }

    fn update(self, id: Option<ContractDivisionId>) -> Result<ContractDivision, UpdateError> {
        let allowed = "private_contracts:write";
        let permit = authorize::<UpdateContractDivision>(&caller(allowed, allowed)).unwrap();
        let update = UpdateContractDivision {
            contract_divisions: Arc::new(self.contract_divisions),
            clock: Arc::new(TickingClock::default()),
        };
        let input = UpdateInput { id, change: CHANGE, request_id: request_id(), idempotency_key: self.key };
        block_on(update.execute(&permit, input))
    }
}

fn answer(result: Result<ContractDivision, UpdateError>) -> (ErrorKind, Option<String>, String) {
    let error = result.unwrap_err();
    (error.kind(), error.entry(), error.to_string())
}

#[test]
fn given_a_scope_of_token_or_key_without_the_allowance_then_there_is_no_permit() {
    let allowed = "a:read private_contracts:write";
    for (token, key) in [(allowed, ""), ("", allowed), ("", ""), (allowed, "private_contracts:read")] {
        let error = authorize::<UpdateContractDivision>(&caller(token, key)).unwrap_err();
        assert_eq!((error.kind(), error.entry()), (ErrorKind::Forbidden, None), "{token} / {key}");
        assert_eq!(
            error.to_string(),
            "Your scope does not allow to access this resource. Missing allowances: private_contracts:write"
        );
    }
    assert!(authorize::<UpdateContractDivision>(&caller(allowed, allowed)).is_ok());
}

#[test]
fn given_an_id_that_is_no_uuid_then_not_found_and_no_port_is_asked() {
    let (refusal, kind, entry, text) = ANSWERS[0];
    assert_eq!(refusal, Refusal::RecordNotFound);
    assert_eq!(answer(World::default().update(None)), (kind, entry.map(str::to_owned), text.to_owned()));
}

#[test]
fn given_nothing_wrong_then_one_offer_and_no_look_and_the_record_after_it() {
    let after = ContractDivision { division_id: CHANGE.division_id, ..record() };
    let world = World::with_answers(vec![Ok(Applied::Applied(after))]);
    let updates = Arc::clone(&world.updates);
    assert_eq!(world.update(Some(RECORD)).unwrap(), after);
    let expected = Update {
        id: RECORD,
        change: CHANGE,
        expected: Expected::BY_THE_RULES,
        at: tick(1),
        by: USER,
        request_id: request_id(),
        idempotency: None,
    };
    assert_eq!(*updates.lock().unwrap(), [expected]);
}

#[test]
fn given_a_stale_update_then_the_facts_are_gathered_and_their_rule_answers() {
    for (refusal, kind, entry, text) in ANSWERS {
        let world = World::stale_for(refused(refusal));
        assert_eq!(
            answer(world.update(Some(RECORD))),
            (kind, entry.map(str::to_owned), text.to_owned()),
            "{refusal:?}"
        );
    }
}

#[test]
fn given_a_stale_update_and_facts_that_allow_it_by_now_then_it_is_offered_again_at_the_time_of_then() {
    let world = World::with_answers(vec![Ok(Applied::Stale), Ok(Applied::Applied(record()))])
        .and_facts(vec![Ok(facts())]);
    let updates = Arc::clone(&world.updates);
    assert_eq!(world.update(Some(RECORD)).unwrap(), record());
    let updates = updates.lock().unwrap();
    assert_eq!(*updates, [updates[0].clone(), Update { at: tick(2), ..updates[0].clone() }]);
}

#[test]
fn given_a_stale_update_that_facts_allow_and_a_stale_one_that_they_do_not_then_their_rule_answers() {
    for (refusal, kind, entry, text) in ANSWERS {
        let world = World::with_answers(vec![Ok(Applied::Stale), Ok(Applied::Stale)])
            .and_facts(vec![Ok(facts()), Ok(refused(refusal))]);
        assert_eq!(
            answer(world.update(Some(RECORD))),
            (kind, entry.map(str::to_owned), text.to_owned()),
            "{refusal:?}"
        );
    }
}

#[test]
fn given_a_store_that_stays_stale_or_in_conflict_then_the_use_case_gives_up() {
    let stale = || (0..5).map(|_| Ok(Applied::Stale)).collect();
    let conflicts = || (0..5).map(|_| Err(store_error(StoreErrorKind::Conflict))).collect();
    for (answers, looks) in [(stale(), 5), (conflicts(), 0)] {
        let world = World::with_answers(answers).and_facts((0..looks).map(|_| Ok(facts())).collect());
        let error = world.update(Some(RECORD)).unwrap_err();
        assert_eq!((error.kind(), error.entry()), (ErrorKind::Unavailable, None));
        let UpdateError::Store(cause) = error else { panic!("{error:?}") };
        assert_eq!(
            cause.to_string(),
            format!(
                "the store refused a concurrent change while updating contract division {RECORD}: what it rests on \
                 changed under 5 attempts"
            )
        );
    }
}

#[test]
fn given_a_conflict_in_the_store_then_it_is_offered_again() {
    let conflict = Err(store_error(StoreErrorKind::Conflict));
    let world = World::with_answers(vec![conflict, Ok(Applied::Applied(record()))]);
    assert_eq!(world.update(Some(RECORD)).unwrap(), record());
}

fn assert_passed_on(world: World, kind: StoreErrorKind, expected: ErrorKind) {
    let error = world.update(Some(RECORD)).unwrap_err();
    assert_eq!((error.kind(), error.entry()), (expected, None));
    let UpdateError::Store(cause) = error else { panic!("{error:?}") };
    assert_eq!(StoreError::kind(&cause), kind);
}

#[test]
fn given_a_port_that_fails_then_the_failure_is_passed_on_without_another_try() {
    let gathering =
        |kind| World::with_answers(vec![Ok(Applied::Stale)]).and_facts(vec![Err(store_error(kind))]);
    for (kind, expected) in [
        (StoreErrorKind::Unavailable, ErrorKind::Unavailable),
        (StoreErrorKind::Corrupt, ErrorKind::Internal),
        (StoreErrorKind::Unexpected, ErrorKind::Internal),
    ] {
        assert_passed_on(World::with_answers(vec![Err(store_error(kind))]), kind, expected);
        assert_passed_on(gathering(kind), kind, expected);
    }
    let kind = StoreErrorKind::Conflict;
    assert_passed_on(gathering(kind), kind, ErrorKind::Unavailable);
}

/// What is kept with the update that the cases ask for.
fn idempotency() -> IdempotentRequest {
    let (id, contract, division) = (RECORD.uuid(), CHANGE.contract_id.uuid(), CHANGE.division_id.uuid());
    let asked: [&[u8]; 3] = [id.as_bytes(), contract.as_bytes(), division.as_bytes()];
    IdempotentRequest::new("update_contract_division", CLIENT, &IdempotencyKey::parse("k").unwrap(), &asked)
}

const REUSED: &str = "The idempotency key was used for another request";

#[test]
fn given_a_key_then_the_update_carries_it_with_what_was_asked_and_it_is_not_looked_up() {
    let world = World::with_answers(vec![Ok(Applied::Applied(record()))]).and_replays(vec![]);
    let updates = Arc::clone(&world.updates);
    assert_eq!(world.update(Some(RECORD)).unwrap(), record());
    assert_eq!(updates.lock().unwrap()[0].idempotency, Some(idempotency()));
}

#[test]
fn given_a_repetition_that_nothing_speaks_against_then_the_store_says_so() {
    let first = Replay::Replayed(record());
    for (replay, expected) in [(first, None), (Replay::KeyReused, Some(REUSED.to_owned()))] {
        let world = World::with_answers(vec![Ok(Applied::Replayed(replay))]).and_replays(vec![]);
        let refusal = world.update(Some(RECORD)).err().map(|error| error.to_string());
        assert_eq!(refusal, expected);
    }
}

#[test]
fn given_a_repetition_then_the_first_answer_whatever_the_facts_say_by_now() {
    for (refusal, ..) in ANSWERS {
        let world = World::stale_for(refused(refusal)).and_replays(vec![Some(Replay::Replayed(record()))]);
        assert_eq!(world.update(Some(RECORD)).unwrap(), record(), "{refusal:?}");
    }
}

#[test]
fn given_a_stale_update_under_a_key_of_another_request_then_a_conflict() {
    let world = World::stale_for(facts()).and_replays(vec![Some(Replay::KeyReused)]);
    assert_eq!(answer(world.update(Some(RECORD))), (ErrorKind::Conflict, None, REUSED.to_owned()));
}

#[test]
fn given_a_stale_update_under_a_key_that_is_free_then_the_rule_answers() {
    for (refusal, kind, entry, text) in ANSWERS {
        let world = World::stale_for(refused(refusal)).and_replays(vec![None]);
        assert_eq!(
            answer(world.update(Some(RECORD))),
            (kind, entry.map(str::to_owned), text.to_owned()),
            "{refusal:?}"
        );
    }
}

#[test]
fn given_an_update_that_is_stale_twice_then_its_key_is_looked_up_anew() {
    let world = World::with_answers(vec![Ok(Applied::Stale), Ok(Applied::Stale)])
        .and_facts(vec![Ok(facts()), Ok(refused(Refusal::NotGlobalBudget))])
        .and_replays(vec![None, Some(Replay::Replayed(record()))]);
    assert_eq!(world.update(Some(RECORD)).unwrap(), record());
}

#[test]
fn given_a_key_that_cannot_be_looked_up_then_that_is_told_and_no_refusal() {
    let mut world = World::stale_for(refused(Refusal::PairTaken));
    world.key = IdempotencyKey::parse("k");
    let down = |_: &IdempotentRequest, _| Err(store_error(StoreErrorKind::Unavailable));
    world.contract_divisions.expect_replay().times(1).returning(down);
    assert_eq!(world.update(Some(RECORD)).unwrap_err().kind(), ErrorKind::Unavailable);
}
