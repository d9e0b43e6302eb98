//! Many at the same time, of which none is in another's way: whatever a store does for them together, each has its own outcome.

use std::sync::Arc;

use esoz_contract_division::{ContractDivision, Refusal};
use esoz_kernel::{ContractDivisionId, IdempotentRequest, Put, Written};

use super::fixtures::{
    Fixture, applied, audited_updates, expected_after, inactive_contract, put_record, stored,
    stored_division, update_contract,
};
use crate::builders::{at_micros, client, contract_division, fresh, idempotency_key, request_id};
use crate::contract::{ContractStore, race::all_at_once};
use crate::contract_divisions::{self, Update};

type Answer = Written<ContractDivision, Refusal>;

/// So many of each kind come at once.
const OF_EACH: i64 = 6;
const ROUNDS: usize = 6;

/// Updates of many records: each is applied, and audited with its own user, request and columns.
pub async fn concurrent_updates_of_many_records_are_all_applied(store: ContractStore) {
    let mut fixtures = Vec::new();
    let mut updates = Vec::new();
    for micros in 0..4 * OF_EACH {
        let fixture = Fixture::set(&store).await;
        updates.push(Update { at: at_micros(micros + 1), request_id: request_id(), ..fixture.update() });
        fixtures.push(fixture);
    }
    let outcomes = apply_at_once(&store, &updates).await;
    for ((fixture, update), outcome) in fixtures.iter().zip(&updates).zip(outcomes) {
        assert_eq!(outcome, Written::Applied(expected_after(&fixture.record, update)));
        assert_audited_once(&store, fixture, update).await;
    }
}

/// Why an update of a fixture's record comes to nothing, or does not.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Good,
    UnderAKey,
    OfNoRecord,
    ToAnInactiveContract,
    ToATakenPair,
    Repeated,
    UnderAKeyOfAnotherRequest,
}

const KINDS: [Kind; 7] = [
    Kind::Good,
    Kind::UnderAKey,
    Kind::OfNoRecord,
    Kind::ToAnInactiveContract,
    Kind::ToATakenPair,
    Kind::Repeated,
    Kind::UnderAKeyOfAnotherRequest,
];

/// Updates that succeed and updates that come to nothing, for each reason there is: each is told its own outcome.
pub async fn each_of_many_has_its_own_outcome(store: ContractStore) {
    let mut cases = Vec::new();
    for micros in 0..OF_EACH {
        for kind in KINDS {
            let fixture = Fixture::set(&store).await;
            let at = at_micros(100 + micros);
            let mut update = Update { at, request_id: request_id(), ..fixture.update() };
            let expected = prepare(&store, kind, &fixture, &mut update).await;
            cases.push((kind, fixture, update, expected));
        }
    }
    let updates: Vec<_> = cases.iter().map(|(_, _, update, _)| update.clone()).collect();
    let outcomes = apply_at_once(&store, &updates).await;
    for ((kind, fixture, update, expected), outcome) in cases.iter().zip(outcomes) {
        assert_eq!(outcome, *expected, "{kind:?}");
        match kind {
            Kind::Good | Kind::UnderAKey => assert_audited_once(&store, fixture, update).await,
            Kind::Repeated => {
                let rows = audited_updates(&store, fixture).await;
                assert!(rows.iter().all(|row| row.request_id.as_deref() != Some(update.request_id.as_str())));
                assert_eq!(rows.len(), 1);
            }
            _ => {
                assert_eq!(stored(&store, fixture).await, fixture.record, "{kind:?}");
                assert_eq!(audited_updates(&store, fixture).await, [], "{kind:?}");
            }
        }
    }
}

/// Prepares the fixture for such an update, and says what must become of it.
async fn prepare(store: &ContractStore, kind: Kind, fixture: &Fixture, update: &mut Update) -> Answer {
    let (client, key) = (client(), idempotency_key());
    let asking = |asked: &str| Some(IdempotentRequest::new("test", client, &key, &[asked.as_bytes()]));
    match kind {
        Kind::Good => {}
        Kind::UnderAKey => update.idempotency = asking("this"),
        Kind::OfNoRecord => {
            update.id = ContractDivisionId::new(fresh());
            return Written::Refused(Refusal::RECORD_NOT_FOUND);
        }
        Kind::ToAnInactiveContract => {
            update_contract(store, &inactive_contract(&fixture.new_contract)).await;
            return Written::Refused(Refusal::ContractNotUsable);
        }
        Kind::ToATakenPair => {
            let other = contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id);
            put_record(store, &other).await;
            return Written::Refused(Refusal::PairTaken);
        }
        Kind::Repeated => {
            update.idempotency = asking("this");
            let first = Update { at: at_micros(1), request_id: request_id(), ..update.clone() };
            return Written::Replayed(applied(store, &first).await);
        }
        Kind::UnderAKeyOfAnotherRequest => {
            let other = Fixture::set(store).await;
            applied(store, &Update { at: at_micros(1), idempotency: asking("that"), ..other.update() }).await;
            update.idempotency = asking("this");
            return Written::KeyReused;
        }
    }
    Written::Applied(expected_after(&fixture.record, update))
}

/// What many updates rest on is deactivated while they are applied: none is written after that (U21).
pub async fn a_deactivation_comes_before_or_after_each_of_many(store: ContractStore) {
    for _ in 0..ROUNDS {
        let common = Fixture::set(&store).await;
        let mut updates = Vec::new();
        for micros in 0..2 * OF_EACH {
            let from = stored_division(&store, common.contractor).await;
            let to = stored_division(&store, common.contractor).await;
            let record = contract_division(common.old_contract.facts.id, from.facts.id);
            put_record(&store, &record).await;
            let update = common.update_to(&common.new_contract, &to);
            let update =
                Update { id: record.id, at: at_micros(micros + 1), request_id: request_id(), ..update };
            updates.push((record, update));
        }
        let registry = Arc::clone(&store.registry);
        let inactive = inactive_contract(&common.new_contract);
        let looking = (Arc::clone(&store.contract_divisions), updates.clone());
        let deactivation = tokio::spawn(async move {
            assert_eq!(registry.put_contracts(&[inactive]).await.unwrap(), [Put::Updated]);
            let (store, updates) = looking;
            let mut seen = Vec::new();
            for (record, _) in updates {
                seen.push(contract_divisions::stored(&*store, record.id).await.unwrap().unwrap());
            }
            seen
        });
        let wanted: Vec<_> = updates.iter().map(|(_, update)| update.clone()).collect();
        let outcomes = apply_at_once(&store, &wanted).await;
        let seen = deactivation.await.unwrap();
        for (((record, update), outcome), seen) in updates.into_iter().zip(outcomes).zip(seen) {
            let after = expected_after(&record, &update);
            match outcome {
                Written::Applied(applied) => assert_eq!((applied, seen), (after, after)),
                outcome => {
                    assert_eq!((outcome, seen), (Written::Refused(Refusal::ContractNotUsable), record));
                }
            }
        }
    }
}

/// Callers who go away, each at another moment: theirs happen whole or not at all, and those of the others happen.
pub async fn who_goes_away_takes_nobody_along(store: ContractStore) {
    let mut calls = Vec::new();
    for moment in 0..3 * OF_EACH {
        let fixture = Fixture::set(&store).await;
        let update = Update { at: at_micros(moment + 1), request_id: request_id(), ..fixture.update() };
        let (contract_divisions, same) = (Arc::clone(&store.contract_divisions), update.clone());
        let call = tokio::spawn(async move { same.apply(&*contract_divisions).await.unwrap() });
        calls.push((moment % 3 == 0, fixture, update, call));
    }
    for (moment, (leaves, _, _, call)) in calls.iter().enumerate() {
        for _ in 0..moment {
            tokio::task::yield_now().await;
        }
        if *leaves {
            call.abort();
        }
    }
    for (leaves, fixture, update, call) in calls {
        let after = expected_after(&fixture.record, &update);
        match call.await {
            Ok(outcome) => {
                assert_eq!(outcome, Written::Applied(after));
                assert_audited_once(&store, &fixture, &update).await;
            }
            Err(gone) => {
                assert!(leaves && gone.is_cancelled(), "{gone}");
                // Looked at in this order: it may be happening still.
                let rows = audited_updates(&store, &fixture).await;
                let seen = stored(&store, &fixture).await;
                assert!(seen == fixture.record || seen == after, "{seen:?}");
                assert!(rows.is_empty() || seen == after, "{rows:?} but {seen:?}");
            }
        }
    }
}

async fn apply_at_once(store: &ContractStore, updates: &[Update]) -> Vec<Answer> {
    all_at_once(updates.iter().cloned().map(|update| {
        let contract_divisions = Arc::clone(&store.contract_divisions);
        async move { update.apply(&*contract_divisions).await.unwrap() }
    }))
    .await
}

/// The record is as the update left it, and the one audit row is the update's.
async fn assert_audited_once(store: &ContractStore, fixture: &Fixture, update: &Update) {
    assert_eq!(stored(store, fixture).await, expected_after(&fixture.record, update));
    let rows = audited_updates(store, fixture).await;
    let told: Vec<_> = rows.iter().map(|row| (row.actor_id, row.request_id.as_deref())).collect();
    assert_eq!(told, [(update.by, Some(update.request_id.as_str()))]);
    let after = rows.first().unwrap().after.as_ref().unwrap();
    assert_eq!(after.get("contract_id").unwrap(), &update.change.contract_id.to_string());
    assert_eq!(after.get("division_id").unwrap(), &update.change.division_id.to_string());
}
