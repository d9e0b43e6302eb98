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
    DEADLINE, World, applied, audit_rows, contract, contract_division, division, fresh, patient, record,
    scene, update,
};

/// Runs an update of a scene's record while another transaction has done `sql` and not committed; commits it once the
/// update waits.
async fn while_uncommitted(world: &World, sql: &str, update: &Update) -> Written<ContractDivision, Refusal> {
    let mut other = world.session().await;
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute(sql).await.unwrap();
    let (store, update) = (world.store.clone(), update.clone());
    let apply = tokio::spawn(async move { update.apply(&store).await });
    world.until_waiting(1).await;
    transaction.commit().await.unwrap();
    apply.await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deactivation_that_is_not_committed_yet_is_waited_for_and_refuses_the_update() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let update = update(scene.record.id, &scene.to);
    for (table, id, refusal) in [
        ("contracts", scene.to.contract_id.to_string(), Refusal::ContractNotUsable),
        ("contracts", scene.record.contract_id.to_string(), Refusal::NotGlobalBudget),
        ("divisions", scene.to.division_id.to_string(), Refusal::DivisionNotFound),
        ("contract_divisions", scene.record.id.to_string(), Refusal::RECORD_NOT_FOUND),
    ] {
        let sql = |is_active| format!("UPDATE {table} SET is_active = {is_active} WHERE id = '{id}'");
        let refused = Written::Refused(refusal);
        assert_eq!(while_uncommitted(&world, &sql(false), &update).await, refused, "{table}");
        world.admin(&sql(true));
    }
    assert_eq!(record(&world.store, scene.record.id).await, scene.record);
    assert_eq!(applied(update.apply(&world.store).await.unwrap()).division_id, scene.to.division_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_facts_that_move_refuse_the_update_too() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let other = super::support::legal_entity(&world.store).await;
    let update = update(scene.record.id, &scene.to);
    for (table, column, id, value, back, refusal) in [
        (
            "contracts",
            "type",
            scene.to.contract_id.to_string(),
            String::from("CAPITATION"),
            String::from("GB_CBP"),
            Refusal::ContractNotUsable,
        ),
        (
            "contracts",
            "type",
            scene.record.contract_id.to_string(),
            String::from("CAPITATION"),
            String::from("GB_CBP"),
            Refusal::NotGlobalBudget,
        ),
        (
            "contracts",
            "contractor_legal_entity_id",
            scene.to.contract_id.to_string(),
            other.to_string(),
            scene.legal_entity.to_string(),
            Refusal::DivisionOfAnotherLegalEntity,
        ),
        (
            "divisions",
            "legal_entity_id",
            scene.to.division_id.to_string(),
            other.to_string(),
            scene.legal_entity.to_string(),
            Refusal::DivisionOfAnotherLegalEntity,
        ),
    ] {
        let sql = |value: &str| format!("UPDATE {table} SET {column} = '{value}' WHERE id = '{id}'");
        let refused = Written::Refused(refusal);
        assert_eq!(while_uncommitted(&world, &sql(&value), &update).await, refused, "{table}.{column}");
        world.admin(&sql(&back));
    }
    applied(update.apply(&world.store).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_no_rule_reads_is_waited_for_and_does_not_hinder() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let update = update(scene.record.id, &scene.to);
    let sql = "UPDATE contracts SET is_suspended = true; UPDATE divisions SET status = 'INACTIVE';
               UPDATE contract_divisions SET updated_at = updated_at;";
    let record = applied(while_uncommitted(&world, sql, &update).await);
    assert_eq!((record.contract_id, record.division_id), (scene.to.contract_id, scene.to.division_id));
    assert_eq!((record.stamps.updated_at, record.stamps.updated_by), (update.at, update.by));
    assert_eq!(record.stamps.inserted_at, scene.record.stamps.inserted_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_that_counts_is_the_one_that_the_record_has_once_its_lock_is_had() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let between = contract(&world.store, scene.legal_entity).await;
    let update = update(scene.record.id, &scene.to);
    let move_it =
        format!("UPDATE contract_divisions SET contract_id = '{between}' WHERE id = '{}'", scene.record.id);

    // Moved meanwhile to a contract that is not active: rule 6 no longer holds, though it does for the old contract.
    world.admin(&format!("UPDATE contracts SET is_active = false WHERE id = '{between}'"));
    let refused = Written::Refused(Refusal::NotGlobalBudget);
    assert_eq!(while_uncommitted(&world, &move_it, &update).await, refused);

    // Moved meanwhile to one that is: nothing that the decision rests on has changed.
    world.admin(&format!("UPDATE contracts SET is_active = true WHERE id = '{between}'"));
    world.admin(&format!(
        "UPDATE contract_divisions SET contract_id = '{}' WHERE id = '{}'",
        scene.record.contract_id, scene.record.id
    ));
    let record = applied(while_uncommitted(&world, &move_it, &update).await);
    assert_eq!(record.contract_id, scene.to.contract_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_cannot_be_deactivated_under_an_update_that_has_looked_at_it() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let update = update(scene.record.id, &scene.to);
    // The update gets as far as the division, which somebody holds.
    let mut holder = world.session().await;
    let held = holder.transaction().await.unwrap();
    held.batch_execute(&format!("SELECT FROM divisions WHERE id = '{}' FOR UPDATE", scene.to.division_id))
        .await
        .unwrap();
    let (store, same) = (world.store.clone(), update.clone());
    let apply = tokio::spawn(async move { same.apply(&store).await });
    world.until_waiting(1).await;
    let deactivate = format!(
        "SET lock_timeout = '100ms'; UPDATE contracts SET is_active = false WHERE id = '{}'",
        scene.to.contract_id
    );
    let refusal = world.session().await.batch_execute(&deactivate).await.unwrap_err();
    assert_eq!(refusal.code(), Some(&tokio_postgres::error::SqlState::LOCK_NOT_AVAILABLE));
    held.rollback().await.unwrap();
    applied(apply.await.unwrap().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_updates_of_one_record_queue_up_and_all_succeed() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let mut targets = Vec::new();
    for _ in 0..4 {
        let contract_id = contract(&world.store, scene.legal_entity).await;
        let division_id = division(&world.store, scene.legal_entity).await;
        targets.push(Pair { contract_id, division_id });
    }
    let mut updates = Vec::new();
    for number in 0..32 {
        updates.push(update(scene.record.id, &targets[number % targets.len()]));
    }
    let answers = join_all(updates.into_iter().map(|update| {
        let store = world.store.clone();
        tokio::spawn(async move { update.apply(&store).await })
    }))
    .await;
    for answer in answers {
        applied(answer.unwrap().unwrap());
    }
    assert_eq!(audit_rows(&world, scene.record.id), 1 + 32);
    let last = record(&world.store, scene.record.id).await;
    let last = Pair { contract_id: last.contract_id, division_id: last.division_id };
    assert!(targets.contains(&last));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_records_that_want_one_pair_at_once_one_gets_it() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let other_division = division(&world.store, scene.legal_entity).await;
    let other = contract_division(&world.store, scene.record.contract_id, other_division).await;
    for _ in 0..10 {
        let first = update(scene.record.id, &scene.to);
        let second = update(other.id, &scene.to);
        let (first, second) = tokio::join!(first.apply(&world.store), second.apply(&world.store));
        let won =
            [first.unwrap(), second.unwrap()].into_iter().filter(|one| matches!(one, Written::Applied(_)));
        assert_eq!(won.count(), 1);
        world.admin(&format!(
            "UPDATE contract_divisions SET contract_id = '{0}', division_id =
                 CASE id WHEN '{1}' THEN '{2}'::uuid ELSE '{3}'::uuid END",
            scene.record.contract_id, scene.record.id, scene.record.division_id, other_division
        ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_not_free_in_time_and_a_statement_that_runs_too_long_are_unavailable() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let update = update(scene.record.id, &scene.to);
    let mut holder = world.session().await;
    let held = holder.transaction().await.unwrap();
    held.batch_execute("SELECT FROM contract_divisions FOR UPDATE").await.unwrap();
    for (settings, sql_state) in [
        (PostgresSettings { lock_timeout_ms: 50, ..patient(&world.url) }, "55P03"),
        (PostgresSettings { statement_timeout_ms: 50, ..patient(&world.url) }, "57014"),
    ] {
        let store = PostgresStore::connect(&settings).unwrap();
        let error = update.apply(&store).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(sql_state), "{cause}");
    }
    held.rollback().await.unwrap();
    applied(update.apply(&world.store).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_victim_of_a_deadlock_is_written_after_the_winner() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let update = update(scene.record.id, &scene.to);
    // Theirs looks for a deadlock later than ours does, so ours is the one that finds it and gives way.
    let mut other = world.session().await;
    other.batch_execute("SET deadlock_timeout = '300s'").await.unwrap();
    let transaction = other.transaction().await.unwrap();
    transaction.batch_execute("SELECT FROM contracts FOR UPDATE").await.unwrap();
    let url = format!("{}?options=-c%20deadlock_timeout%3D4s", world.url);
    let store = PostgresStore::connect(&patient(&url)).unwrap();
    let same = update.clone();
    let apply = tokio::spawn(async move { same.apply(&store).await });
    world.until_waiting(1).await;
    // Returns when ours has given way, and begun anew.
    transaction.batch_execute("UPDATE contract_divisions SET updated_at = now()").await.unwrap();
    world.until_waiting(1).await;
    transaction.commit().await.unwrap();
    let after = applied(apply.await.unwrap().unwrap());
    assert_eq!(record(&world.store, scene.record.id).await, after);
    // Theirs and ours.
    assert_eq!(audit_rows(&world, scene.record.id), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_takes_too_long_loses_its_locks_and_nothing_is_written() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let update = update(scene.record.id, &scene.to);
    let settings = PostgresSettings {
        idle_in_transaction_timeout_ms: 50,
        application_name: String::from("slow"),
        ..patient(&world.url)
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
        let sessions = world.admin(open);
        if sessions == "0" { Ok(()) } else { Err(format!("{sessions} sessions")) }
    })
    .await;
    drop(decide_now);
    let error = writing.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    assert_eq!(record(&world.store, scene.record.id).await, scene.record);
}
