//! The update use case on a mocked port: what it asks, and what it answers. The rules themselves are tested where they are, without ports.

use esoz_kernel::{ErrorKind, Failure as _, Stamps, StoreErrorKind, Written};
use pollster::block_on;

use super::super::fixtures::{
    Answer, CLIENT, PAIR, RECORD, USER, asked_once, assert_scopes_are_checked, clock, decided, facts, key,
    now, permit, record, request_id,
};
use super::*;
use crate::{Facts, MockContractDivisions};

/// Runs the use case on a store that is asked once and answers so.
fn update_under(
    key: Option<IdempotencyKey>,
    store: impl Fn(&Write) -> Answer + Send + 'static,
) -> Result<ContractDivision, UpdateError> {
    execute(asked_once(store), Some(RECORD), key)
}

fn update(store: impl Fn(&Write) -> Answer + Send + 'static) -> Result<ContractDivision, UpdateError> {
    update_under(None, store)
}

fn execute(
    contract_divisions: Arc<dyn ContractDivisions>,
    id: Option<ContractDivisionId>,
    idempotency_key: Option<IdempotencyKey>,
) -> Result<ContractDivision, UpdateError> {
    let update = UpdateContractDivision { contract_divisions, clock: clock() };
    let input = UpdateInput { id, pair: PAIR, request_id: request_id(), idempotency_key };
    block_on(update.execute(&permit(), input))
}

#[test]
fn given_a_scope_of_token_or_key_without_the_allowance_then_there_is_no_permit() {
    assert_scopes_are_checked::<UpdateContractDivision>();
}

#[test]
fn given_an_id_that_is_no_uuid_then_not_found_and_the_store_is_not_asked() {
    let error = execute(Arc::new(MockContractDivisions::new()), None, None).unwrap_err();
    assert!(matches!(error, UpdateError::Refused(Refusal::RECORD_ID_MALFORMED)), "{error:?}");
}

#[test]
fn given_nothing_wrong_then_the_store_is_asked_once_and_its_record_is_the_answer() {
    let updated = update(|write| {
        assert_eq!((write.id, write.pair, write.at), (RECORD, Some(PAIR), now()));
        assert_eq!((&write.request_id, write.idempotency), (&request_id(), None));
        Ok(decided(write, &facts()))
    });
    let stamps = Stamps { updated_at: now(), updated_by: USER, ..record().stamps };
    let Pair { contract_id, division_id } = PAIR;
    assert_eq!(updated.unwrap(), ContractDivision { contract_id, division_id, stamps, ..record() });
}

#[test]
fn given_facts_that_a_rule_refuses_then_that_rule_answers() {
    let taken = Facts { is_pair_taken: true, ..facts() };
    let error = update(move |write| Ok(decided(write, &taken))).unwrap_err();
    assert!(matches!(error, UpdateError::Refused(Refusal::PairTaken)), "{error:?}");
}

#[test]
fn given_a_store_that_fails_then_the_failure_is_passed_on_without_another_try() {
    for (kind, expected) in [
        (StoreErrorKind::Unavailable, ErrorKind::Unavailable),
        (StoreErrorKind::Conflict, ErrorKind::Unavailable),
        (StoreErrorKind::Corrupt, ErrorKind::Internal),
        (StoreErrorKind::Unexpected, ErrorKind::Internal),
    ] {
        let error = update(move |_| Err(StoreError::new(kind, "testing"))).unwrap_err();
        assert_eq!((error.kind(), error.entry()), (expected, None));
        let UpdateError::Store(cause) = error else { panic!("{error:?}") };
        assert_eq!(StoreError::kind(&cause), kind);
    }
}

#[test]
fn given_a_key_then_the_write_carries_it_with_what_was_asked() {
    let (id, contract, division) = (RECORD.uuid(), PAIR.contract_id.uuid(), PAIR.division_id.uuid());
    let asked: [&[u8]; 3] = [id.as_bytes(), contract.as_bytes(), division.as_bytes()];
    let expected = IdempotentRequest::new("update_contract_division", CLIENT, &key(), &asked);
    let updated = update_under(Some(key()), move |write| {
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
    let error = update(|_| Ok(Written::KeyReused)).unwrap_err();
    assert_eq!((error.kind(), error.entry()), (ErrorKind::Conflict, None));
    assert_eq!(error.to_string(), "The idempotency key was used for another request");
}
