//! The update use case on a mocked port: what it asks, and what it answers. The rules themselves are tested where they are, without ports.

use esoz_auth::{ApiKeyHolder, Caller, Principal, Scope, authorize};
use esoz_kernel::{
    ClientId, ContractId, DivisionId, ErrorKind, Failure as _, LegalEntityId, Stamps, StoreErrorKind,
    Timestamp, UserId, Uuid,
};
use pollster::block_on;

use super::*;
use crate::{Contract, ContractType, Current, Division, Facts, MockContractDivisions};

const USER: UserId = UserId::new(Uuid::from_u128(1));
const CLIENT: ClientId = ClientId::new(Uuid::from_u128(2));
const CLINIC: LegalEntityId = LegalEntityId::new(Uuid::from_u128(3));
const OTHER_CLINIC: LegalEntityId = LegalEntityId::new(Uuid::from_u128(4));
const RECORD: ContractDivisionId = ContractDivisionId::new(Uuid::from_u128(5));
const CHANGE: Change = Change {
    division_id: DivisionId::new(Uuid::from_u128(6)),
    contract_id: ContractId::new(Uuid::from_u128(7)),
};

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(1, 123_456_999).unwrap()
    }
}

/// What that clock shows, in microseconds.
fn now() -> Timestamp {
    Timestamp::new(1, 123_456_000).unwrap()
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
        Refusal::RECORD_NOT_FOUND => Facts { current: None, ..good },
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
    (Refusal::RECORD_NOT_FOUND, ErrorKind::NotFound, None, "Contract division with such id is not found"),
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

type Answer = Result<Written<ContractDivision, Refusal>, StoreError>;

/// Runs the use case on a store that is asked once and answers so.
fn update_under(
    key: Option<IdempotencyKey>,
    store: impl Fn(&Write) -> Answer + Send + 'static,
) -> Result<ContractDivision, UpdateError> {
    let mut contract_divisions = MockContractDivisions::new();
    contract_divisions.expect_write().times(1).returning(store);
    execute(contract_divisions, Some(RECORD), key)
}

fn update(store: impl Fn(&Write) -> Answer + Send + 'static) -> Result<ContractDivision, UpdateError> {
    update_under(None, store)
}

fn execute(
    contract_divisions: MockContractDivisions,
    id: Option<ContractDivisionId>,
    idempotency_key: Option<IdempotencyKey>,
) -> Result<ContractDivision, UpdateError> {
    let allowed = "private_contracts:write";
    let permit = authorize::<UpdateContractDivision>(&caller(allowed, allowed)).unwrap();
    let update = UpdateContractDivision {
        contract_divisions: Arc::new(contract_divisions),
        clock: Arc::new(FixedClock),
    };
    let input = UpdateInput { id, change: CHANGE, request_id: request_id(), idempotency_key };
    block_on(update.execute(&permit, input))
}

/// What a store does whose facts are these.
fn decided(write: &Write, facts: &Facts) -> Written<ContractDivision, Refusal> {
    match (write.decide)(facts) {
        Ok(record) => Written::Applied(record),
        Err(refusal) => Written::Refused(refusal),
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
fn given_an_id_that_is_no_uuid_then_not_found_and_the_store_is_not_asked() {
    let (refusal, kind, entry, text) = ANSWERS[0];
    assert_eq!(refusal, Refusal::RECORD_NOT_FOUND);
    let unasked = execute(MockContractDivisions::new(), None, None);
    assert_eq!(answer(unasked), (kind, entry.map(str::to_owned), text.to_owned()));
}

#[test]
fn given_nothing_wrong_then_the_store_is_asked_once_and_its_record_is_the_answer() {
    let updated = update(|write| {
        assert_eq!((write.id, write.pair, write.at), (RECORD, Some(CHANGE), now()));
        assert_eq!((&write.request_id, write.idempotency), (&request_id(), None));
        Ok(decided(write, &facts()))
    });
    let stamps = Stamps { updated_at: now(), updated_by: USER, ..record().stamps };
    let Change { contract_id, division_id } = CHANGE;
    assert_eq!(updated.unwrap(), ContractDivision { contract_id, division_id, stamps, ..record() });
}

#[test]
fn given_facts_that_a_rule_refuses_then_that_rule_answers() {
    for (refusal, kind, entry, text) in ANSWERS {
        let updated = update(move |write| Ok(decided(write, &refused(refusal))));
        assert_eq!(answer(updated), (kind, entry.map(str::to_owned), text.to_owned()), "{refusal:?}");
    }
}

#[test]
fn given_a_store_that_fails_then_the_failure_is_passed_on_without_another_try() {
    for (kind, expected) in [
        (StoreErrorKind::Unavailable, ErrorKind::Unavailable),
        (StoreErrorKind::Conflict, ErrorKind::Unavailable),
        (StoreErrorKind::Corrupt, ErrorKind::Internal),
        (StoreErrorKind::Unexpected, ErrorKind::Internal),
    ] {
        let error = update(move |_| Err(store_error(kind))).unwrap_err();
        assert_eq!((error.kind(), error.entry()), (expected, None));
        let UpdateError::Store(cause) = error else { panic!("{error:?}") };
        assert_eq!(StoreError::kind(&cause), kind);
    }
}

#[test]
fn given_a_key_then_the_write_carries_it_with_what_was_asked() {
    let key = IdempotencyKey::parse("k").unwrap();
    let (id, contract, division) = (RECORD.uuid(), CHANGE.contract_id.uuid(), CHANGE.division_id.uuid());
    let asked: [&[u8]; 3] = [id.as_bytes(), contract.as_bytes(), division.as_bytes()];
    let expected = IdempotentRequest::new("update_contract_division", CLIENT, &key, &asked);
    let updated = update_under(Some(key), move |write| {
        assert_eq!(write.idempotency, Some(expected));
        Ok(Written::Applied(record()))
    });
    assert_eq!(updated.unwrap(), record());
}

#[test]
fn given_a_repetition_then_its_first_answer() {
    assert_eq!(update(|_| Ok(Written::Replayed(record()))).unwrap(), record());
}

#[test]
fn given_a_key_of_another_request_then_a_conflict() {
    let text = "The idempotency key was used for another request".to_owned();
    assert_eq!(answer(update(|_| Ok(Written::KeyReused))), (ErrorKind::Conflict, None, text));
}
