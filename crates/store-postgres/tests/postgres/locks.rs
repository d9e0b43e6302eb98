//! What an update rests on holds until its commit, whoever changes it at the same time.

use std::sync::Arc;

use esoz_contract_division::{
    ContractDivision, ContractDivisions, Decide, Pair, Refusal, Write, decide_update,
};
use esoz_kernel::{StoreErrorKind, Written};
use esoz_store_postgres::{PostgresSettings, PostgresStore};
use esoz_testkit::contract_divisions::Update;
use esoz_testkit::wait::wait_for;
use futures_util::future::join_all;

use super::support::{
    DEADLINE, TestDatabase, applied, audit_rows, contract, contract_division, division, fixture, fresh,
    patient, record, update,
};

/// Runs an update of a fixture's record while another transaction has done `sql` and not committed; commits it once the
/// update waits.
async fn while_uncommitted(
    test_db: &TestDatabase,
    sql: &str,
    update: &Update,
) -> Written<ContractDivision, Refusal> {
    let mut other = test_db.session().await;
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute(sql).await.unwrap();
    let (store, update) = (test_db.store.clone(), update.clone());
    let apply = tokio::spawn(async move { update.apply(&store).await });
    test_db.until_waiting(1).await;
    transaction.commit().await.unwrap();
    apply.await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_that_is_not_committed_yet_is_waited_for_and_refuses_the_update() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    for (table, id, refusal) in [
        ("contracts", fixture.to.contract_id.to_string(), Refusal::ContractNotUsable),
        ("contracts", fixture.record.contract_id.to_string(), Refusal::NotGlobalBudget),
        ("divisions", fixture.to.division_id.to_string(), Refusal::DivisionNotFound),
        ("contract_divisions", fixture.record.id.to_string(), Refusal::RECORD_INACTIVE),
    ] {
        let sql = |is_active| format!("UPDATE {table} SET is_active = {is_active} WHERE id = '{id}'");
        let refused = Written::Refused(refusal);
        assert_eq!(while_uncommitted(&test_db, &sql(false), &update).await, refused, "{table}");
        test_db.admin(&sql(true));
    }
    assert_eq!(record(&test_db.store, fixture.record.id).await, fixture.record);
    assert_eq!(applied(update.apply(&test_db.store).await.unwrap()).division_id, fixture.to.division_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_facts_that_move_refuse_the_update_too() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let other = super::support::legal_entity(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    for (table, column, id, value, back, refusal) in [
        (
            "contracts",
            "type",
            fixture.to.contract_id.to_string(),
            String::from("CAPITATION"),
            String::from("GB_CBP"),
            Refusal::ContractNotUsable,
        ),
        (
            "contracts",
            "type",
            fixture.record.contract_id.to_string(),
            String::from("CAPITATION"),
            String::from("GB_CBP"),
            Refusal::NotGlobalBudget,
        ),
        (
            "contracts",
            "contractor_legal_entity_id",
            fixture.to.contract_id.to_string(),
            other.to_string(),
            fixture.legal_entity.to_string(),
            Refusal::DivisionOfAnotherLegalEntity,
        ),
        (
            "divisions",
            "legal_entity_id",
            fixture.to.division_id.to_string(),
            other.to_string(),
            fixture.legal_entity.to_string(),
            Refusal::DivisionOfAnotherLegalEntity,
        ),
    ] {
        let sql = |value: &str| format!("UPDATE {table} SET {column} = '{value}' WHERE id = '{id}'");
        let refused = Written::Refused(refusal);
        assert_eq!(while_uncommitted(&test_db, &sql(&value), &update).await, refused, "{table}.{column}");
        test_db.admin(&sql(&back));
    }
    applied(update.apply(&test_db.store).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_no_rule_reads_is_waited_for_and_does_not_hinder() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let sql = "UPDATE contracts SET is_suspended = true; UPDATE divisions SET status = 'INACTIVE';
               UPDATE contract_divisions SET updated_at = updated_at;";
    let record = applied(while_uncommitted(&test_db, sql, &update).await);
    assert_eq!((record.contract_id, record.division_id), (fixture.to.contract_id, fixture.to.division_id));
    assert_eq!((record.stamps.updated_at, record.stamps.updated_by), (update.at, update.by));
    assert_eq!(record.stamps.inserted_at, fixture.record.stamps.inserted_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_that_counts_is_the_one_that_the_record_has_once_its_lock_is_had() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let between = contract(&test_db.store, fixture.legal_entity).await;
    let update = update(fixture.record.id, &fixture.to);
    let move_it =
        format!("UPDATE contract_divisions SET contract_id = '{between}' WHERE id = '{}'", fixture.record.id);

    // Moved meanwhile to a contract that is not active: rule 6 no longer holds, though it does for the old contract.
    test_db.admin(&format!("UPDATE contracts SET is_active = false WHERE id = '{between}'"));
    let refused = Written::Refused(Refusal::NotGlobalBudget);
    assert_eq!(while_uncommitted(&test_db, &move_it, &update).await, refused);

    // Moved meanwhile to one that is: nothing that the decision rests on has changed.
    test_db.admin(&format!("UPDATE contracts SET is_active = true WHERE id = '{between}'"));
    test_db.admin(&format!(
        "UPDATE contract_divisions SET contract_id = '{}' WHERE id = '{}'",
        fixture.record.contract_id, fixture.record.id
    ));
    let record = applied(while_uncommitted(&test_db, &move_it, &update).await);
    assert_eq!(record.contract_id, fixture.to.contract_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_cannot_be_deactivated_under_an_update_that_has_looked_at_it() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    // The update gets as far as the division, which somebody holds.
    let mut holder = test_db.session().await;
    let held = holder.transaction().await.unwrap();
    held.batch_execute(&format!("SELECT FROM divisions WHERE id = '{}' FOR UPDATE", fixture.to.division_id))
        .await
        .unwrap();
    let (store, same) = (test_db.store.clone(), update.clone());
    let apply = tokio::spawn(async move { same.apply(&store).await });
    test_db.until_waiting(1).await;
    let deactivate = format!(
        "SET lock_timeout = '100ms'; UPDATE contracts SET is_active = false WHERE id = '{}'",
        fixture.to.contract_id
    );
    let refusal = test_db.session().await.batch_execute(&deactivate).await.unwrap_err();
    assert_eq!(refusal.code(), Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE));
    held.rollback().await.unwrap();
    applied(apply.await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_updates_of_one_record_queue_up_and_all_succeed() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let mut targets = Vec::new();
    for _ in 0..4 {
        let contract_id = contract(&test_db.store, fixture.legal_entity).await;
        let division_id = division(&test_db.store, fixture.legal_entity).await;
        targets.push(Pair { contract_id, division_id });
    }
    let mut updates = Vec::new();
    for number in 0..32 {
        updates.push(update(fixture.record.id, &targets[number % targets.len()]));
    }
    let answers = join_all(updates.into_iter().map(|update| {
        let store = test_db.store.clone();
        tokio::spawn(async move { update.apply(&store).await })
    }))
    .await;
    for answer in answers {
        applied(answer.unwrap().unwrap());
    }
    assert_eq!(audit_rows(&test_db, fixture.record.id), 1 + 32);
    let last = record(&test_db.store, fixture.record.id).await;
    let last = Pair { contract_id: last.contract_id, division_id: last.division_id };
    assert!(targets.contains(&last));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_records_that_want_one_pair_at_once_one_gets_it() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let other_division = division(&test_db.store, fixture.legal_entity).await;
    let other = contract_division(&test_db.store, fixture.record.contract_id, other_division).await;
    for _ in 0..10 {
        let first = update(fixture.record.id, &fixture.to);
        let second = update(other.id, &fixture.to);
        let (first, second) = tokio::join!(first.apply(&test_db.store), second.apply(&test_db.store));
        let won =
            [first.unwrap(), second.unwrap()].into_iter().filter(|one| matches!(one, Written::Applied(_)));
        assert_eq!(won.count(), 1);
        test_db.admin(&format!(
            "UPDATE contract_divisions SET contract_id = '{0}', division_id =
                 CASE id WHEN '{1}' THEN '{2}'::uuid ELSE '{3}'::uuid END",
            fixture.record.contract_id, fixture.record.id, fixture.record.division_id, other_division
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_not_free_in_time_and_a_statement_that_runs_too_long_are_unavailable() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let held = test_db.lock_contract_divisions().await;
    for (settings, sql_state) in [
        (PostgresSettings { lock_timeout_ms: 50, ..patient(&test_db.url) }, "55P03"),
        (PostgresSettings { statement_timeout_ms: 50, ..patient(&test_db.url) }, "57014"),
    ] {
        let store = PostgresStore::connect(&settings).unwrap();
        let error = update.apply(&store).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(sql_state), "{cause}");
    }
    held.batch_execute("ROLLBACK").await.unwrap();
    applied(update.apply(&test_db.store).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_victim_of_a_deadlock_is_written_after_the_winner() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    // Theirs looks for a deadlock later than ours does, so ours is the one that finds it and gives way.
    let mut other = test_db.session().await;
    other.batch_execute("SET deadlock_timeout = '300s'").await.unwrap();
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute("SELECT FROM contracts FOR UPDATE").await.unwrap();
    let url = format!("{}?options=-c%20deadlock_timeout%3D4s", test_db.url);
    let store = PostgresStore::connect(&patient(&url)).unwrap();
    let same = update.clone();
    let apply = tokio::spawn(async move { same.apply(&store).await });
    test_db.until_waiting(1).await;
    // Returns when ours has given way, and begun anew.
    transaction.batch_execute("UPDATE contract_divisions SET updated_at = now()").await.unwrap();
    test_db.until_waiting(1).await;
    transaction.commit().await.unwrap();
    let after = applied(apply.await.unwrap().unwrap());
    assert_eq!(record(&test_db.store, fixture.record.id).await, after);
    // Theirs and ours.
    assert_eq!(audit_rows(&test_db, fixture.record.id), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_takes_too_long_loses_its_locks_and_nothing_is_written() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let settings = PostgresSettings {
        idle_in_transaction_timeout_ms: 50,
        application_name: String::from("slow"),
        ..patient(&test_db.url)
    };
    let store = PostgresStore::connect(&settings).unwrap();
    let (decide_now, told) = std::sync::mpsc::channel::<()>();
    let (told, decide) = (std::sync::Mutex::new(told), decide_update(update.change, update.at, update.by));
    let (sign, deciding) = std::sync::mpsc::channel();
    let slowly: Decide = Arc::new(move |facts| {
        sign.send(()).unwrap();
        // Ends when the test lets go, and also when it fails.
        tokio::task::block_in_place(|| told.lock().unwrap().recv()).unwrap_err();
        decide(facts)
    });
    let write = Write { decide: slowly, ..update.write() };
    let writing = tokio::spawn(async move { store.write(&write).await });
    deciding.recv().unwrap();
    wait_for("the end of the transaction", DEADLINE, async || {
        let open =
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'slow' AND state <> 'idle'";
        let sessions = test_db.admin(open);
        if sessions == "0" { Ok(()) } else { Err(format!("{sessions} sessions")) }
    })
    .await;
    drop(decide_now);
    let error = writing.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert_eq!(record(&test_db.store, fixture.record.id).await, fixture.record);
}
