//! The create use case on a mocked port: what it asks, and what it answers. The rules themselves are tested where they are, without ports.

use esoz_kernel::{ErrorKind, Failure as _, Stamps, Uuid, Written};
use pollster::block_on;

use super::super::fixtures::{
    Answer, CLIENT, PAIR, RECORD, USER, asked_once, assert_scopes_are_checked, clock, decided, facts, key,
    now, permit, record, request_id, unavailable,
};
use super::*;
use crate::Facts;

struct FixedIds;

impl IdGenerator for FixedIds {
    fn fresh(&self) -> Uuid {
        RECORD.uuid()
    }
}

/// Runs the use case on a store that is asked once and answers so.
fn create(
    idempotency_key: Option<IdempotencyKey>,
    store: impl Fn(&Write) -> Answer + Send + 'static,
) -> Result<ContractDivision, CreateError> {
    let create = CreateContractDivision {
        contract_divisions: asked_once(store),
        clock: clock(),
        ids: Arc::new(FixedIds),
    };
    let input = CreateInput { pair: PAIR, request_id: request_id(), idempotency_key };
    block_on(create.execute(&permit(), input))
}

fn nothing_there() -> Facts {
    Facts { current: None, ..facts() }
}

#[test]
fn given_a_scope_of_token_or_key_without_the_allowance_then_there_is_no_permit() {
    assert_scopes_are_checked::<CreateContractDivision>();
}

#[test]
fn given_nothing_wrong_then_the_answer_is_an_active_record_with_a_fresh_id() {
    let created = create(None, |write| {
        assert_eq!((write.id, write.pair, write.at), (RECORD, Some(PAIR), now()));
        assert_eq!((&write.request_id, write.idempotency), (&request_id(), None));
        Ok(decided(write, &nothing_there()))
    });
    let stamps = Stamps { inserted_at: now(), inserted_by: USER, updated_at: now(), updated_by: USER };
    let Pair { contract_id, division_id } = PAIR;
    let expected = ContractDivision { id: RECORD, contract_id, division_id, is_active: true, stamps };
    assert_eq!(created.unwrap(), expected);
}

#[test]
fn given_facts_that_a_rule_refuses_then_that_rule_answers() {
    let taken = Facts { is_pair_taken: true, ..nothing_there() };
    let error = create(None, move |write| Ok(decided(write, &taken))).unwrap_err();
    assert!(matches!(error, CreateError::Refused(Refusal::PairTaken)), "{error:?}");
}

#[test]
fn given_a_store_that_fails_then_the_failure_is_passed_on_without_another_try() {
    let error = create(None, |_| Err(unavailable())).unwrap_err();
    assert!(matches!(error, CreateError::Store(_)), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn given_a_key_then_the_write_carries_it_with_the_pair_that_was_asked_for_and_not_the_fresh_id() {
    let (contract, division) = (PAIR.contract_id.uuid(), PAIR.division_id.uuid());
    let asked: [&[u8]; 2] = [contract.as_bytes(), division.as_bytes()];
    let expected = IdempotentRequest::new("create_contract_division", CLIENT, &key(), &asked);
    let replayed = create(Some(key()), move |write| {
        assert_eq!(write.idempotency, Some(expected));
        Ok(Written::Replayed(record()))
    });
    assert_eq!(replayed.unwrap(), record());
}

#[test]
fn given_a_key_of_another_request_then_a_conflict() {
    let error = create(Some(key()), |_| Ok(Written::KeyReused)).unwrap_err();
    assert!(matches!(error, CreateError::Idempotency(IdempotencyError::KeyReused)), "{error:?}");
}
