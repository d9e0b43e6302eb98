use std::sync::Arc;

use esoz_contract_division::{ContractDivision, Pair, Refusal, Write};
use esoz_kernel::{IdempotentRequest, Put, Written};

use super::create_delete::active_with;
use super::fixtures::{
    Fixture, audited_updates, inactive_contract, inactive_division, put_record, stored, stored_division,
    stored_record,
};
use crate::builders::{at_micros, client, contract_division, idempotency_key, user};
use crate::contract::{ContractStore, race::all_at_once};
use crate::contract_divisions::{create, delete};

const RACERS: usize = 32;
const ROUNDS: usize = 12;

type Answer = Written<ContractDivision, Refusal>;

async fn at_once(store: &ContractStore, writes: impl IntoIterator<Item = Write>) -> Vec<Answer> {
    all_at_once(writes.into_iter().map(|write| {
        let contract_divisions = Arc::clone(&store.contract_divisions);
        async move { contract_divisions.write(&write).await.unwrap() }
    }))
    .await
}

fn applied(answers: &[Answer]) -> Vec<ContractDivision> {
    answers
        .iter()
        .filter_map(|answer| match answer {
            Written::Applied(record) => Some(*record),
            _ => None,
        })
        .collect()
}

/// 32 creates of one pair: one succeeds, the others are told that the pair is taken (D04).
pub async fn of_concurrent_creates_of_one_pair_one_is_applied(store: ContractStore) {
    for _ in 0..ROUNDS / 4 {
        let fixture = Fixture::set(&store).await;
        let pair = fixture.change();
        let creates: Vec<_> = (0..RACERS).map(|_| create(pair, at_micros(1), user())).collect();
        let answers = at_once(&store, creates.clone()).await;
        let winners = applied(&answers);
        assert_eq!(winners.len(), 1, "{answers:?}");
        let refused =
            answers.iter().filter(|answer| **answer == Written::Refused(Refusal::PairTaken)).count();
        assert_eq!(refused, RACERS - 1, "{answers:?}");
        assert_eq!(active_with(&store, pair).await, winners);
        for losing in creates.iter().filter(|write| write.id != winners[0].id) {
            assert_eq!(store.audit.rows(losing.id).await, []);
        }
    }
}

/// One create sent 32 times under one key: there is one record, and every answer shows it (D06).
pub async fn concurrent_repetitions_of_a_create_make_one_record(store: ContractStore) {
    for _ in 0..ROUNDS / 4 {
        let fixture = Fixture::set(&store).await;
        let pair = fixture.change();
        let idempotency = Some(IdempotentRequest::new("test", client(), &idempotency_key(), &[b"a create"]));
        let repetitions = (0..RACERS).map(|_| Write { idempotency, ..create(pair, at_micros(1), user()) });
        let answers = at_once(&store, repetitions).await;
        let created = applied(&answers);
        assert_eq!(created.len(), 1, "{answers:?}");
        let replayed = answers.iter().filter(|answer| **answer == Written::Replayed(created[0])).count();
        assert_eq!(replayed, RACERS - 1, "{answers:?}");
        assert_eq!(active_with(&store, pair).await, created);
    }
}

/// One delete sent 32 times: under one key each is answered alike, without one a single one finds the record; it is audited once (D12).
pub async fn of_concurrent_deletes_one_is_applied(store: ContractStore) {
    for round in 0..ROUNDS / 3 {
        let fixture = Fixture::set(&store).await;
        let key = IdempotentRequest::new("test", client(), &idempotency_key(), &[b"a delete"]);
        let idempotency = (round % 2 == 0).then_some(key);
        let deletes =
            (0..RACERS).map(|_| Write { idempotency, ..delete(fixture.record.id, at_micros(1), user()) });
        let answers = at_once(&store, deletes).await;
        let winners = applied(&answers);
        assert_eq!(winners.len(), 1, "{answers:?}");
        let expected = match idempotency {
            Some(_) => Written::Replayed(winners[0]),
            None => Written::Refused(Refusal::RECORD_INACTIVE),
        };
        assert_eq!(answers.iter().filter(|answer| **answer == expected).count(), RACERS - 1, "{answers:?}");
        assert_eq!(audited_updates(&store, &fixture).await.len(), 1);
    }
}

/// A pair is deleted and created at the same time: the create comes after and makes the one active record, or before and is refused (D11).
pub async fn a_concurrent_create_of_a_deleted_pair_comes_before_or_after(store: ContractStore) {
    for _ in 0..ROUNDS {
        let fixture = Fixture::set(&store).await;
        let ContractDivision { id, contract_id, division_id, .. } = fixture.record;
        let pair = Pair { contract_id, division_id };
        let writes = [delete(id, at_micros(1), user()), create(pair, at_micros(1), user())];
        let answers = at_once(&store, writes).await;
        assert!(
            matches!(answers[0], Written::Applied(ContractDivision { is_active: false, .. })),
            "{answers:?}"
        );
        let created = match answers[1] {
            Written::Applied(record) => vec![record],
            other => {
                assert_eq!(other, Written::Refused(Refusal::PairTaken));
                Vec::new()
            }
        };
        assert_eq!(active_with(&store, pair).await, created);
    }
}

/// A record is updated and deleted at the same time: both orders are possible, and after the delete nothing is written (D11).
pub async fn an_update_never_follows_a_concurrent_delete(store: ContractStore) {
    for _ in 0..ROUNDS {
        let fixture = Fixture::set(&store).await;
        let asked = delete(fixture.record.id, at_micros(2), user());
        let answers = at_once(&store, [fixture.update().write(), asked]).await;
        let Written::Applied(deleted) = answers[1] else { panic!("{answers:?}") };
        let rows = audited_updates(&store, &fixture).await;
        match answers[0] {
            Written::Applied(updated) => {
                assert_eq!(
                    (deleted.contract_id, deleted.division_id),
                    (updated.contract_id, updated.division_id)
                );
                assert_eq!(rows.len(), 2);
            }
            other => {
                assert_eq!(other, Written::Refused(Refusal::RECORD_INACTIVE));
                assert_eq!(rows.len(), 1);
            }
        }
        assert_eq!(stored(&store, &fixture).await, deleted);
        let last = rows.last().unwrap().after.as_ref().unwrap();
        assert_eq!(last.get("is_active"), Some(&false.into()), "the delete is the last that was written");
    }
}

/// What a create rests on is deactivated at the same time: either it came first, or there is no record.
pub async fn a_deactivation_comes_before_or_after_a_create(store: ContractStore) {
    for round in 0..ROUNDS {
        let fixture = Fixture::set(&store).await;
        let pair = fixture.change();
        let (contract_divisions, registry) =
            (Arc::clone(&store.contract_divisions), Arc::clone(&store.registry));
        let asked = create(pair, at_micros(1), user());
        let creating = tokio::spawn(async move { contract_divisions.write(&asked).await.unwrap() });
        let (put, refusal) = if round % 2 == 0 {
            let inactive = inactive_division(&fixture.new_division);
            (registry.put_divisions(&[inactive]).await, Refusal::DivisionNotFound)
        } else {
            let inactive = inactive_contract(&fixture.new_contract);
            (registry.put_contracts(&[inactive]).await, Refusal::ContractNotUsable)
        };
        assert_eq!(put.unwrap(), [Put::Updated]);
        let seen = active_with(&store, pair).await;
        match creating.await.unwrap() {
            Written::Applied(record) => assert_eq!(seen, [record], "it was created after the deactivation"),
            other => assert_eq!((other, seen), (Written::Refused(refusal), Vec::new())),
        }
    }
}

/// Creates, updates and deletes of different pairs at once: each takes effect, whatever a store does for them together.
pub async fn writes_of_every_kind_are_applied_at_once(store: ContractStore) {
    for _ in 0..ROUNDS / 3 {
        let fixture = Fixture::set(&store).await;
        let (old, new) = (fixture.old_contract.facts.id, fixture.new_contract.facts.id);
        let mut writes = Vec::new();
        for place in 0..RACERS {
            let division_id = stored_division(&store, fixture.contractor).await.facts.id;
            let pair = Pair { contract_id: new, division_id };
            if place % 3 == 0 {
                writes.push(create(pair, at_micros(1), user()));
                continue;
            }
            let record = contract_division(old, division_id);
            put_record(&store, &record).await;
            let update = || {
                let mut update = fixture.update();
                (update.id, update.change) = (record.id, pair);
                update.write()
            };
            writes.push(if place % 3 == 1 { update() } else { delete(record.id, at_micros(1), user()) });
        }
        for (write, answer) in writes.clone().into_iter().zip(at_once(&store, writes).await) {
            let after = stored_record(&store, write.id).await;
            assert_eq!(answer, Written::Applied(after));
            assert_eq!(after.is_active, write.pair.is_some());
            let rows = store.audit.rows(write.id).await;
            assert_eq!(rows.last().unwrap().request_id, Some(write.request_id.to_string()));
        }
    }
}
