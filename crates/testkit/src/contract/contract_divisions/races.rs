use std::pin::Pin;
use std::sync::Arc;

use esoz_contract_division::{ContractDivision, ContractRecord, DivisionRecord, Refusal};
use esoz_kernel::{Put, StoreErrorKind, Written};
use serde_json::{Map, Value, json};

use super::fixtures::{
    Fixture, audited_updates, expected_after, inactive_contract, inactive_division, put_record, stored,
    stored_division,
};
use crate::builders::{at_micros, contract_division};
use crate::contract::{AuditRow, ContractStore, race::all_at_once};
use crate::contract_divisions::{self, Outcome, Update};

const RACERS: i64 = 32;
const ROUNDS: usize = 12;

async fn apply_at_once(store: &ContractStore, updates: &[Update]) -> Vec<Outcome> {
    all_at_once(updates.iter().cloned().map(|update| {
        let contract_divisions = Arc::clone(&store.contract_divisions);
        async move { update.apply(&*contract_divisions).await }
    }))
    .await
}

/// 32 updates of one record do not hinder each other: each is applied and audited, one after the other (U22).
pub async fn concurrent_updates_of_one_record_are_all_applied(store: ContractStore) {
    let fixture = Fixture::set(&store).await;
    let mut updates = Vec::new();
    for step in 0..RACERS {
        let division = stored_division(&store, fixture.contractor).await;
        let contract = if step % 2 == 0 { &fixture.old_contract } else { &fixture.new_contract };
        updates.push(Update { at: at_micros(step + 1), ..fixture.update_to(contract, &division) });
    }
    for (update, outcome) in updates.iter().zip(apply_at_once(&store, &updates).await) {
        assert_eq!(outcome.unwrap(), Written::Applied(expected_after(&fixture.record, update)));
    }
    let last = stored(&store, &fixture).await;
    let possible: Vec<_> = updates.iter().map(|update| expected_after(&fixture.record, update)).collect();
    assert!(possible.contains(&last), "{last:?} is a state that no update alone could have made");
    let rows = audited_updates(&store, &fixture).await;
    assert_eq!(rows.len(), updates.len());
    assert_one_after_the_other(&fixture.record, &rows, &last);
}

/// Each audit row begins where the one before ended, and the last ends in the record.
fn assert_one_after_the_other(first: &ContractDivision, rows: &[AuditRow], last: &ContractDivision) {
    let pair = |record: &ContractDivision| {
        let ids = json!({
            "contract_id": record.contract_id.to_string(),
            "division_id": record.division_id.to_string(),
            "updated_by": record.stamps.updated_by.to_string(),
        });
        ids.as_object().unwrap().clone()
    };
    let mut state: Map<String, Value> = pair(first);
    for row in rows {
        let (before, after) = (row.before.as_ref().unwrap(), row.after.as_ref().unwrap());
        for (column, value) in &mut state {
            if let Some(after) = after.get(column) {
                assert_eq!(
                    before.get(column),
                    Some(&*value),
                    "{column} did not begin where the row before ended"
                );
                *value = after.clone();
            }
        }
    }
    assert_eq!(state, pair(last));
}

/// Two records to one pair at once: one gets it (U23).
pub async fn of_two_records_to_one_pair_one_is_applied(store: ContractStore) {
    for _ in 0..ROUNDS {
        let fixture = Fixture::set(&store).await;
        let division = stored_division(&store, fixture.contractor).await;
        let rival = contract_division(fixture.old_contract.facts.id, division.facts.id);
        put_record(&store, &rival).await;
        let updates = [fixture.update(), Update { id: rival.id, ..fixture.update() }];
        let outcomes = apply_at_once(&store, &updates).await;
        let applied: Vec<_> = outcomes
            .into_iter()
            .filter_map(|outcome| match outcome.unwrap() {
                Written::Applied(record) => Some(record),
                other => {
                    assert_eq!(other, Written::Refused(Refusal::PairTaken));
                    None
                }
            })
            .collect();
        assert_eq!(applied.len(), 1, "{applied:?}");
        let rival_fixture = Fixture { record: rival, ..fixture };
        let is_rival = applied[0].id == rival.id;
        let loser = usize::from(!is_rival);
        let rows = store.audit.rows(updates[loser].id).await;
        assert!(rows.iter().all(|row| row.action != "UPDATE"), "the loser was audited");
        let seen = stored(&store, &rival_fixture).await;
        assert_eq!(seen, if is_rival { expected_after(&rival, &updates[1]) } else { rival });
    }
}

/// Records that swap their places at the same time may lose, but nothing hangs, and no pair is held twice.
pub async fn records_that_swap_their_pairs_never_share_one(store: ContractStore) {
    for _ in 0..ROUNDS {
        let fixture = Fixture::set(&store).await;
        let rival = contract_division(fixture.new_contract.facts.id, fixture.new_division.facts.id);
        put_record(&store, &rival).await;
        let back = Update { id: rival.id, ..fixture.update_to(&fixture.old_contract, &fixture.old_division) };
        for outcome in apply_at_once(&store, &[fixture.update(), back]).await {
            match outcome {
                Ok(outcome) => {
                    assert_eq!(outcome, Written::Refused(Refusal::PairTaken), "the other is still there");
                }
                Err(error) => assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}"),
            }
        }
        assert_eq!(stored(&store, &fixture).await, fixture.record);
        let rival_fixture = Fixture { record: rival, ..fixture };
        assert_eq!(stored(&store, &rival_fixture).await, rival);
    }
}

/// What is put into the registry while an update that rests on it is applied.
enum RestsOn {
    Division(DivisionRecord),
    Contract(ContractRecord),
}

/// What became of an update, or how the record looked once what it rests on had been deactivated.
enum Raced {
    Update(Outcome),
    Seen(ContractDivision),
}

/// What an update rests on is deactivated at the same time: either it came first, or it did not happen (U21).
pub async fn a_concurrent_deactivation_comes_before_or_after(store: ContractStore) {
    for round in 0..ROUNDS {
        let fixture = Fixture::set(&store).await;
        let update = fixture.update();
        let (rests_on, refusal) = match round % 3 {
            0 => (RestsOn::Division(inactive_division(&fixture.new_division)), Refusal::DivisionNotFound),
            1 => (RestsOn::Contract(inactive_contract(&fixture.new_contract)), Refusal::ContractNotUsable),
            _ => (RestsOn::Contract(inactive_contract(&fixture.old_contract)), Refusal::NotGlobalBudget),
        };
        let (expected, rows) = match race_with_deactivation(&store, &fixture, &update, rests_on).await {
            (Ok(Written::Applied(record)), seen) => {
                assert_eq!(record, expected_after(&fixture.record, &update));
                assert_eq!(seen, record, "it was written after what it rests on had been deactivated");
                (record, 1)
            }
            (Ok(outcome), _) => {
                assert_eq!(outcome, Written::Refused(refusal));
                (fixture.record, 0)
            }
            (Err(error), _) => {
                assert_eq!(error.kind(), StoreErrorKind::Conflict, "{error}");
                (fixture.record, 0)
            }
        };
        assert_eq!(stored(&store, &fixture).await, expected);
        assert_eq!(audited_updates(&store, &fixture).await.len(), rows);
        // The old contract does not matter any more once the record has left it.
        if round % 3 != 2 || rows == 0 {
            let again = update.apply(&*store.contract_divisions).await.unwrap();
            assert!(matches!(again, Written::Refused(_)), "the deactivation is not seen");
        }
    }
}

/// What became of the update, and the record as it was just after the deactivation.
async fn race_with_deactivation(
    store: &ContractStore,
    fixture: &Fixture,
    update: &Update,
    rests_on: RestsOn,
) -> (Outcome, ContractDivision) {
    let applying = Arc::clone(&store.contract_divisions);
    let looking = Arc::clone(&store.contract_divisions);
    let registry = Arc::clone(&store.registry);
    let (id, update) = (fixture.record.id, update.clone());
    let tasks: [Pin<Box<dyn Future<Output = Raced> + Send>>; 2] = [
        Box::pin(async move { Raced::Update(update.apply(&*applying).await) }),
        Box::pin(async move {
            let answers = match rests_on {
                RestsOn::Division(division) => registry.put_divisions(&[division]).await,
                RestsOn::Contract(contract) => registry.put_contracts(&[contract]).await,
            };
            assert_eq!(answers.unwrap(), [Put::Updated]);
            Raced::Seen(contract_divisions::stored(&*looking, id).await.unwrap().unwrap())
        }),
    ];
    let mut outcomes = all_at_once(tasks).await.into_iter();
    match (outcomes.next(), outcomes.next()) {
        (Some(Raced::Update(outcome)), Some(Raced::Seen(seen))) => (outcome, seen),
        _ => panic!("the outcomes come in the order of their tasks"),
    }
}
