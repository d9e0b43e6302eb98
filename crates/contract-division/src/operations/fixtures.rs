//! What the tests of the writing operations share: a caller, a clock, facts that nothing speaks against, and a mocked port.

use std::sync::Arc;

use esoz_auth::{ApiKeyHolder, Caller, Operation, Permit, Principal, Scope, authorize};
use esoz_kernel::{
    ClientId, Clock, ContractDivisionId, ContractId, DivisionId, IdempotencyKey, LegalEntityId, RequestId,
    Stamps, StoreError, StoreErrorKind, Timestamp, UserId, Uuid, Written,
};

use crate::{
    Contract, ContractDivision, ContractDivisions, ContractType, Current, Division, Facts,
    MockContractDivisions, Pair, Refusal, Write,
};

pub(super) const USER: UserId = UserId::new(Uuid::from_u128(1));
pub(super) const CLIENT: ClientId = ClientId::new(Uuid::from_u128(2));
const CLINIC: LegalEntityId = LegalEntityId::new(Uuid::from_u128(3));
pub(super) const RECORD: ContractDivisionId = ContractDivisionId::new(Uuid::from_u128(5));
pub(super) const PAIR: Pair = Pair {
    division_id: DivisionId::new(Uuid::from_u128(6)),
    contract_id: ContractId::new(Uuid::from_u128(7)),
};
const ALLOWANCE: &str = "private_contracts:write";

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(1, 123_456_999).unwrap()
    }
}

pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock)
}

/// What that clock shows, in microseconds.
pub(super) fn now() -> Timestamp {
    Timestamp::new(1, 123_456_000).unwrap()
}

pub(super) fn request_id() -> RequestId {
    RequestId::parse("a-request-id-of-some-length").unwrap()
}

pub(super) fn key() -> IdempotencyKey {
    IdempotencyKey::parse("k").unwrap()
}

fn caller(token: &str, api_key: &str) -> Caller {
    Caller {
        principal: Principal { user_id: USER, client_id: CLIENT, scope: Scope::parse(token) },
        api_key: Some(ApiKeyHolder { client_id: CLIENT, scope: Scope::parse(api_key) }),
    }
}

pub(super) fn permit<O: Operation>() -> Permit<O> {
    authorize(&caller(ALLOWANCE, ALLOWANCE)).unwrap()
}

/// Scopes of token and api key without the allowance give no permit.
pub(super) fn assert_scopes_are_checked<O: Operation>() {
    let allowed = "a:read private_contracts:write";
    for (token, key) in [(allowed, ""), ("", allowed), ("", ""), (allowed, "private_contracts:read")] {
        let error = authorize::<O>(&caller(token, key)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Your scope does not allow to access this resource. Missing allowances: private_contracts:write",
            "{token} / {key}"
        );
    }
    assert!(authorize::<O>(&caller(allowed, allowed)).is_ok());
}

fn contract(id: ContractId) -> Contract {
    Contract { id, kind: ContractType::GbCbp, contractor: CLINIC, is_active: true }
}

pub(super) fn record() -> ContractDivision {
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
pub(super) fn facts() -> Facts {
    Facts {
        current: Some(Current { record: record(), contract: contract(record().contract_id) }),
        division: Some(Division { id: PAIR.division_id, legal_entity: CLINIC, is_active: true }),
        contract: Some(contract(PAIR.contract_id)),
        is_pair_taken: false,
    }
}

pub(super) type Answer = Result<Written<ContractDivision, Refusal>, StoreError>;

/// A store that is asked once and answers so.
pub(super) fn asked_once(answer: impl Fn(&Write) -> Answer + Send + 'static) -> Arc<dyn ContractDivisions> {
    let mut contract_divisions = MockContractDivisions::new();
    contract_divisions.expect_write().times(1).returning(answer);
    Arc::new(contract_divisions)
}

/// What a store does whose facts are these.
pub(super) fn decided(write: &Write, facts: &Facts) -> Written<ContractDivision, Refusal> {
    match (write.decide)(facts) {
        Ok(record) => Written::Applied(record),
        Err(refusal) => Written::Refused(refusal),
    }
}

pub(super) fn unavailable() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "testing")
}
