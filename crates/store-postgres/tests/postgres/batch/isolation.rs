//! Isolation of writes in a batch: one that fails or waits for a lock delays and fails no other.

use esoz_contract_division::{Pair, Refusal};
use esoz_kernel::{StoreErrorKind, Written};
use esoz_testkit::contract_divisions::Update;

use super::{audited, begin, idempotency, only_updates, outcomes, requests, take_pair, together, updates};
use crate::support::{applied, audit_rows, contract_division, division, fresh, update};

#[tokio::test(flavor = "multi_thread")]
async fn one_whose_pair_is_taken_at_the_same_moment_fails_alone() {
    let test_db = fresh().await;
    let all = updates(&test_db, 4).await;
    let mut other = test_db.session().await;
    let rival = other.transaction().await.unwrap();
    take_pair(&rival, &all[1].0.to).await;
    let begun = together(&test_db, &test_db.store, &only_updates(&all)).await;
    test_db.until_waiting(1).await;
    rival.commit().await.unwrap();
    for (number, outcome) in outcomes(begun).await.into_iter().enumerate() {
        match (number, outcome.unwrap()) {
            (1, outcome) => assert_eq!(outcome, Written::Refused(Refusal::PairTaken)),
            (_, outcome) => drop(applied(outcome)),
        }
    }
    let mut others = all;
    others.remove(1);
    assert_eq!(audited(&test_db, &others), (String::from("3"), requests(&others)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_audited_fails_alone() {
    let test_db = fresh().await;
    let all = updates(&test_db, 4).await;
    test_db.admin(&format!(
        "ALTER TABLE audit_log ADD CONSTRAINT broken CHECK (request_id <> '{}') NOT VALID",
        all[2].1.request_id
    ));
    let begun = together(&test_db, &test_db.store, &only_updates(&all)).await;
    for (number, outcome) in outcomes(begun).await.into_iter().enumerate() {
        match (number, outcome) {
            (2, outcome) => assert_eq!(outcome.unwrap_err().kind(), StoreErrorKind::Unexpected),
            (_, outcome) => drop(applied(outcome.unwrap())),
        }
    }
    assert_eq!(audit_rows(&test_db, all[2].0.record.id), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_somebody_holds_is_waited_for_by_nobody_else() {
    let test_db = fresh().await;
    let all = updates(&test_db, 6).await;
    let mut other = test_db.session().await;
    let holder = other.transaction().await.unwrap();
    let held = [
        ("contract_divisions", all[0].0.record.id.uuid()),
        ("contracts", all[1].0.to.contract_id.uuid()),
        ("contracts", all[2].0.record.contract_id.uuid()),
        ("divisions", all[3].0.to.division_id.uuid()),
    ];
    for (table, id) in held {
        holder.batch_execute(&format!("SELECT FROM {table} WHERE id = '{id}' FOR UPDATE")).await.unwrap();
    }
    let mut begun = together(&test_db, &test_db.store, &only_updates(&all)).await;
    let free = begun.split_off(held.len());
    for outcome in outcomes(free).await {
        applied(outcome.unwrap());
    }
    test_db.until_waiting(i64::try_from(held.len()).unwrap()).await;
    assert!(begun.iter().all(|update| !update.is_finished()));
    holder.rollback().await.unwrap();
    for outcome in outcomes(begun).await {
        applied(outcome.unwrap());
    }
    assert_eq!(audited(&test_db, &all).1, requests(&all));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_update_of_what_somebody_holds_keeps_nobody_from_coming_next() {
    let test_db = fresh().await;
    let all = updates(&test_db, 2).await;
    let mut other = test_db.session().await;
    let holder = other.transaction().await.unwrap();
    let sql = format!("SELECT FROM contract_divisions WHERE id = '{}' FOR UPDATE", all[0].0.record.id);
    holder.batch_execute(&sql).await.unwrap();
    let held = begin(&test_db.store, &all[0].1);
    test_db.until_waiting(1).await;
    applied(all[1].1.apply(&test_db.store).await.unwrap());
    assert!(!held.is_finished());
    holder.rollback().await.unwrap();
    applied(held.await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn those_in_each_others_way_do_not_fail_their_company() {
    let test_db = fresh().await;
    let all = updates(&test_db, 4).await;
    let mut wanted = only_updates(&all);
    // The same record, elsewhere; the same pair, for another record of the same legal entity; the same key, for the same and another request.
    let elsewhere = division(&test_db.store, all[0].0.legal_entity).await;
    let same_record = Update { change: Pair { division_id: elsewhere, ..all[0].0.to }, ..all[0].1.clone() };
    let third = division(&test_db.store, all[1].0.legal_entity).await;
    let rival = contract_division(&test_db.store, all[1].0.record.contract_id, third).await;
    let same_pair = update(rival.id, &all[1].0.to);
    wanted[2].idempotency = Some(idempotency("a-key", "this"));
    let same_key = wanted[2].clone();
    let key_of_another = Update { idempotency: Some(idempotency("a-key", "that")), ..wanted[3].clone() };
    wanted.truncate(3);
    wanted.extend([same_record, same_pair, same_key, key_of_another]);
    let begun = together(&test_db, &test_db.store, &wanted).await;
    let outcomes: Vec<_> = outcomes(begun).await.into_iter().map(Result::unwrap).collect();
    applied(outcomes[0]);
    applied(outcomes[1]);
    let first = applied(outcomes[2]);
    assert_eq!(applied(outcomes[3]).division_id, elsewhere);
    assert_eq!(outcomes[4], Written::Refused(Refusal::PairTaken));
    assert_eq!(outcomes[5], Written::Replayed(first));
    assert_eq!(outcomes[6], Written::KeyReused);
    assert_eq!(audit_rows(&test_db, all[0].0.record.id), 3);
    assert_eq!(audit_rows(&test_db, all[2].0.record.id), 2);
    assert_eq!(audit_rows(&test_db, all[3].0.record.id), 1);
}
