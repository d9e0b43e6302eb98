//! The delete use case on a mocked port: what it asks, and what it answers. The rules themselves are tested where they are, without ports.

use esoz_kernel::{ErrorKind, Failure as _, Stamps, Written};
use pollster::block_on;

use super::super::fixtures::{
    Answer, CLIENT, RECORD, USER, asked_once, assert_scopes_are_checked, clock, decided, facts, key, now,
    permit, record, request_id, unavailable,
};
use super::*;
use crate::{ContractDivision, Facts, MockContractDivisions};

/// Runs the use case on a store that is asked once and answers so.
fn delete(
    key: Option<IdempotencyKey>,
    store: impl Fn(&Write) -> Answer + Send + 'static,
) -> Result<(), DeleteError> {
    execute(asked_once(store), Some(RECORD), key)
}

fn execute(
    contract_divisions: Arc<dyn ContractDivisions>,
    id: Option<ContractDivisionId>,
    idempotency_key: Option<IdempotencyKey>,
) -> Result<(), DeleteError> {
    let delete = DeleteContractDivision { contract_divisions, clock: clock() };
    let input = DeleteInput { id, request_id: request_id(), idempotency_key };
    block_on(delete.execute(&permit(), input))
}

#[test]
fn given_a_scope_of_token_or_key_without_the_allowance_then_there_is_no_permit() {
    assert_scopes_are_checked::<DeleteContractDivision>();
}

#[test]
fn given_an_id_that_is_no_uuid_then_not_found_and_the_store_is_not_asked() {
    let error = execute(Arc::new(MockContractDivisions::new()), None, None).unwrap_err();
    assert!(matches!(error, DeleteError::Refused(Refusal::RECORD_ID_MALFORMED)), "{error:?}");
}

#[test]
fn given_nothing_wrong_then_the_store_is_asked_once_to_deactivate_the_record() {
    let deleted = delete(None, |write| {
        assert_eq!((write.id, write.pair, write.at), (RECORD, None, now()));
        assert_eq!((&write.request_id, write.idempotency), (&request_id(), None));
        let stamps = Stamps { updated_at: now(), updated_by: USER, ..record().stamps };
        let after = ContractDivision { is_active: false, stamps, ..record() };
        assert_eq!((write.decide)(&facts()), Ok(after));
        Ok(Written::Applied(after))
    });
    deleted.unwrap();
}

#[test]
fn given_facts_that_a_rule_refuses_then_that_rule_answers() {
    let nothing_there = Facts { current: None, ..facts() };
    let error = delete(None, move |write| Ok(decided(write, &nothing_there))).unwrap_err();
    assert!(matches!(error, DeleteError::Refused(Refusal::RECORD_NOT_FOUND)), "{error:?}");
}

#[test]
fn given_a_store_that_fails_then_the_failure_is_passed_on_without_another_try() {
    let error = delete(None, |_| Err(unavailable())).unwrap_err();
    assert!(matches!(error, DeleteError::Store(_)), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn given_a_key_then_the_write_carries_it_with_the_record_and_a_repetition_succeeds_as_well() {
    let asked =
        IdempotentRequest::new("delete_contract_division", CLIENT, &key(), &[RECORD.uuid().as_bytes()]);
    let repeated = delete(Some(key()), move |write| {
        assert_eq!(write.idempotency, Some(asked));
        Ok(Written::Replayed(record()))
    });
    repeated.unwrap();
}

#[test]
fn given_a_key_of_another_request_then_a_conflict() {
    let error = delete(Some(key()), |_| Ok(Written::KeyReused)).unwrap_err();
    assert!(matches!(error, DeleteError::Idempotency(IdempotencyError::KeyReused)), "{error:?}");
}
