use std::sync::Arc;

use esoz_contract_division::{ContractDivision, Refusal};
use esoz_kernel::{DivisionId, IdempotentRequest, Replay, Timestamp, Written};

use super::fixtures::{
    Fixture, applied, audited_updates, expected_after, inactive_contract, put_record, stored,
    stored_division, stored_record, update_contract,
};
use crate::builders::{at_micros, client, contract_division, fresh, idempotency_key, user};
use crate::contract::{ContractStore, race::all_at_once};
use crate::contract_divisions::Update;

const RACERS: i64 = 16;
const ROUNDS: usize = 5;
/// As long as a key is kept, in microseconds.
const DAY: i64 = 86_400_000_000;

/// A key that was never used before, for a request that asks that.
fn idempotency(asked: &str) -> IdempotentRequest {
    IdempotentRequest::new("test", client(), &idempotency_key(), &[asked.as_bytes()])
}

/// The fixture's update under that key, by a user of its own.
fn update(fixture: &Fixture, micros: i64, idempotency: IdempotentRequest) -> Update {
    Update { at: at_micros(micros), by: user(), idempotency: Some(idempotency), ..fixture.update() }
}

async fn apply(store: &ContractStore, update: &Update) -> Written<ContractDivision, Refusal> {
    update.apply(&*store.contract_divisions).await.unwrap()
}

async fn replay(store: &ContractStore, update: &Update) -> Option<Replay<ContractDivision>> {
    update.replay(&*store.contract_divisions).await.unwrap()
}

async fn forget(store: &ContractStore, until: Timestamp, most: u32) -> u64 {
    store.keys.purge_expired(until, most).await.unwrap()
}

/// The same request again, later and by another user of the same client: the first answer, whatever became of the record, and
/// nothing happens.
pub async fn a_repeated_update_gets_the_first_answer(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let idempotency = idempotency("an update");
    let first_update = update(&fixture, 1, idempotency);
    assert_eq!(replay(&store, &first_update).await, None);
    let first = applied(&store, &first_update).await;
    assert_eq!(first, expected_after(&fixture.record, &first_update));
    let next = applied(&store, &fixture.update_to(&fixture.old_contract, &fixture.old_division)).await;
    for micros in [1, 2, DAY] {
        let again = update(&fixture, micros, idempotency);
        assert_eq!(replay(&store, &again).await, Some(Replay::Replayed(first)));
        assert_eq!(apply(&store, &again).await, Written::Replayed(first));
    }
    assert_eq!(stored(&store, &fixture).await, next);
    assert_eq!(audited_updates(&store, &fixture).await.len(), 2);
}

/// Also when the update would not be possible any more.
pub async fn the_first_answer_outlives_what_it_rested_on(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let first_update = update(&fixture, 1, idempotency("an update"));
    let first = applied(&store, &first_update).await;
    update_contract(&store, &inactive_contract(&fixture.new_contract)).await;
    assert_eq!(replay(&store, &first_update).await, Some(Replay::Replayed(first)));
    assert_eq!(apply(&store, &first_update).await, Written::Replayed(first));
    assert_eq!(stored(&store, &fixture).await, first);
    assert_eq!(audited_updates(&store, &fixture).await.len(), 1);
}

/// Another request under the same key is told so, and changes nothing: neither the same record nor another.
pub async fn an_updates_key_is_for_one_request(store: ContractStore) {
    let (fixture, other) = (Fixture::set(&store).await, Fixture::set(&store).await);
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let first = applied(&store, &update(&fixture, 1, asking("one"))).await;
    for reused in [update(&fixture, 2, asking("other")), update(&other, 2, asking("other"))] {
        assert_eq!(replay(&store, &reused).await, Some(Replay::KeyReused));
        assert_eq!(apply(&store, &reused).await, Written::KeyReused);
    }
    assert_eq!(stored(&store, &fixture).await, first);
    assert_eq!(stored(&store, &other).await, other.record);
    assert_eq!(audited_updates(&store, &fixture).await.len(), 1);
    assert_eq!(audited_updates(&store, &other).await, []);
}

/// The same text is another key for another client, and for another operation.
pub async fn clients_and_operations_do_not_share_keys(store: ContractStore) {
    let (mine, key) = (client(), idempotency_key());
    for (operation, client) in [("test", mine), ("test", client()), ("another test", mine)] {
        let fixture = Fixture::set(&store).await;
        let first_update =
            update(&fixture, 1, IdempotentRequest::new(operation, client, &key, &[b"an update"]));
        let first = applied(&store, &first_update).await;
        assert_eq!(replay(&store, &first_update).await, Some(Replay::Replayed(first)));
    }
}

/// An update that is refused leaves its key free, also for another request.
pub async fn a_refused_update_keeps_no_key(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    let mut refused = update(&fixture, 1, asking("this"));
    refused.change.division_id = DivisionId::new(fresh());
    for _ in 0..2 {
        assert_eq!(apply(&store, &refused).await, Written::Refused(Refusal::DivisionNotFound));
    }
    assert_eq!(replay(&store, &refused).await, None);
    assert_eq!(forget(&store, Timestamp::MAX, 10).await, 0);
    applied(&store, &update(&fixture, 2, asking("that"))).await;
    assert_eq!(replay(&store, &refused).await, Some(Replay::KeyReused));
}

/// Without a key nothing is kept, and the same update is applied again.
pub async fn an_update_without_a_key_keeps_none(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    for _ in 0..2 {
        applied(&store, &fixture.update()).await;
    }
    assert_eq!(forget(&store, Timestamp::MAX, 10).await, 0);
}

/// The key is kept with the update or not at all.
pub async fn without_its_audit_row_there_is_no_key(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let update = update(&fixture, 1, idempotency("an update"));
    store.audit.break_writing().await;
    update.apply(&*store.contract_divisions).await.unwrap_err();
    assert_eq!(replay(&store, &update).await, None);
    assert_eq!(forget(&store, Timestamp::MAX, 10).await, 0);
}

/// 16 times the same request at once: one is applied and audited, and all have its answer.
pub async fn concurrent_repetitions_have_one_effect_and_one_answer(store: ContractStore) {
    for _ in 0..ROUNDS {
        let fixture = Fixture::set(&store).await;
        let idempotency = idempotency("an update");
        let outcomes = all_at_once((0..RACERS).map(|step| {
            let (contract_divisions, update) =
                (Arc::clone(&store.contract_divisions), update(&fixture, step, idempotency));
            async move { update.apply(&*contract_divisions).await.unwrap() }
        }))
        .await;
        let after = stored(&store, &fixture).await;
        let applied = outcomes.iter().filter(|outcome| **outcome == Written::Applied(after)).count();
        assert_eq!(applied, 1, "{outcomes:?}");
        let first_answer = Written::Replayed(after);
        let replay = outcomes.iter().filter(|outcome| **outcome == first_answer).count();
        assert_eq!(replay, outcomes.len() - 1, "{outcomes:?}");
        assert_eq!(audited_updates(&store, &fixture).await.len(), 1);
    }
}

/// Two records at once under one key: one is updated, and the other is told that the key is used.
pub async fn of_two_records_under_one_key_one_is_updated(store: ContractStore) {
    for _ in 0..ROUNDS {
        let fixture = Fixture::set(&store).await;
        let division = stored_division(&store, fixture.contractor).await;
        let rival = contract_division(fixture.old_contract.facts.id, division.facts.id);
        put_record(&store, &rival).await;
        let (client, key) = (client(), idempotency_key());
        let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
        let third = stored_division(&store, fixture.contractor).await;
        let mut to_third = update(&fixture, 2, asking("the rival"));
        (to_third.id, to_third.change.division_id) = (rival.id, third.facts.id);
        let updates = [update(&fixture, 1, asking("the record")), to_third];
        let outcomes = all_at_once(updates.iter().cloned().map(|update| {
            let contract_divisions = Arc::clone(&store.contract_divisions);
            async move { update.apply(&*contract_divisions).await.unwrap() }
        }))
        .await;
        let both = [fixture.record, rival];
        let mut changed = 0;
        for ((before, update), outcome) in both.iter().zip(&updates).zip(outcomes) {
            let seen = stored_record(&store, before.id).await;
            if outcome == Written::Applied(seen) {
                changed += 1;
                assert_eq!(seen, expected_after(before, update));
            } else {
                assert_eq!(outcome, Written::KeyReused);
                assert_eq!(seen, *before);
            }
        }
        assert_eq!(changed, 1);
    }
}

/// After 24 hours a key is as good as new, whether or not it was forgotten.
pub async fn a_day_later_a_key_is_free(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]);
    applied(&store, &update(&fixture, 0, asking("one"))).await;
    let almost = update(&fixture, DAY - 1, asking("other"));
    assert_eq!(replay(&store, &almost).await, Some(Replay::KeyReused));
    let later = update(&fixture, DAY, asking("other"));
    assert_eq!(replay(&store, &later).await, None);
    let after = applied(&store, &later).await;
    assert_eq!(replay(&store, &later).await, Some(Replay::Replayed(after)));
    // Not looked up before.
    let outcome = apply(&store, &update(&fixture, 2 * DAY, asking("one"))).await;
    assert_eq!(outcome, Written::Applied(stored(&store, &fixture).await));
    assert_eq!(audited_updates(&store, &fixture).await.len(), 3);
}

/// Old keys are forgotten, no more than asked for at a time; young keys and the updates themselves stay.
pub async fn old_keys_are_forgotten_step_by_step(store: ContractStore) {
    let mut updates = Vec::new();
    let fixture = Fixture::set(&store).await;
    for micros in 0..5 {
        let update = update(&fixture, micros, idempotency("an update"));
        updates.push((applied(&store, &update).await, update));
    }
    let until = at_micros(2);
    assert_eq!(forget(&store, until, 0).await, 0);
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(forget(&store, until, 2).await);
    }
    assert_eq!(steps, [2, 1, 0]);
    for (after, update) in &updates {
        let expected = (update.at > until).then_some(Replay::Replayed(*after));
        assert_eq!(replay(&store, update).await, expected);
    }
    assert_eq!(audited_updates(&store, &fixture).await.len(), updates.len());
}
