//! A shared commit that meets a deadlock, a lost connection, a queue timeout, or the end of a runtime.

use std::collections::BTreeSet;
use std::time::Duration;

use esoz_contract_division::{Pair, Refusal};
use esoz_kernel::{StoreErrorKind, Written};
use esoz_store_postgres::{PostgresSettings, PostgresStore};
use esoz_testkit::wait::wait_for;
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;

use super::{
    audited, begin, only_updates, outcomes, take_pair, together, together_after, until_in_the_queue, updates,
};
use crate::support::{
    DEADLINE, TestDatabase, UpdateFixture, applied, contract_division, division, fixture, fresh, patient,
    update,
};

/// Makes each transaction wait for the advisory lock 1 before it updates a second record.
fn let_second_updates_wait(test_db: &TestDatabase) {
    test_db.admin(
        "CREATE FUNCTION second_waits() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF current_setting('test.seen', true) = 'yes' THEN
                 PERFORM pg_advisory_xact_lock_shared(1);
             END IF;
             PERFORM set_config('test.seen', 'yes', true);
             RETURN NEW;
         END $$",
    );
    test_db.admin(
        "CREATE TRIGGER second_waits BEFORE UPDATE ON contract_divisions
         FOR EACH ROW EXECUTE FUNCTION second_waits()",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_commits_that_wait_for_each_other_leave_every_pair_to_one_and_each_is_told() {
    let test_db = fresh().await;
    let stores = [(); 2].map(|()| PostgresStore::connect(&patient(&test_db.url)).unwrap());
    // Four records of one legal entity; two pairs, which one server's updates want in the other order than the other's.
    let UpdateFixture { legal_entity, to, record: first } = fixture(&test_db.store).await;
    let mut records = vec![first.id];
    for _ in 1..4 {
        let division = division(&test_db.store, legal_entity).await;
        records.push(contract_division(&test_db.store, first.contract_id, division).await.id);
    }
    let other = Pair { division_id: division(&test_db.store, legal_entity).await, ..to };
    let wanted = [[to, other], [other, to]];
    let_second_updates_wait(&test_db);

    let (mut gate, latch) = (test_db.session().await, test_db.session().await);
    let closed = gate.transaction().await.unwrap();
    let (mut first, mut begun) = (Vec::new(), Vec::new());
    for store in &stores {
        let fixture = fixture(&test_db.store).await;
        take_pair(&closed, &fixture.to).await;
        first.push(begin(store, &update(fixture.record.id, &fixture.to)));
    }
    test_db.until_waiting(2).await;
    for ((store, records), wanted) in stores.iter().zip(records.chunks(2)).zip(&wanted) {
        for (number, (record, to)) in records.iter().zip(wanted).enumerate() {
            begun.push(begin(store, &update(*record, to)));
            until_in_the_queue(store, number + 1).await;
        }
    }
    latch.batch_execute("SELECT pg_advisory_lock(1)").await.unwrap();
    closed.rollback().await.unwrap();
    for outcome in outcomes(first).await {
        applied(outcome.unwrap());
    }
    // Each has one pair and is about to want the other's.
    test_db.until_waiting(2).await;
    latch.batch_execute("SELECT pg_advisory_unlock(1)").await.unwrap();

    let mut held = Vec::new();
    for outcome in outcomes(begun).await {
        match outcome.unwrap() {
            Written::Applied(record) => held.push(record.division_id),
            outcome => assert_eq!(outcome, Written::Refused(Refusal::PairTaken)),
        }
    }
    held.sort_unstable();
    let mut pairs = [to.division_id, other.division_id];
    pairs.sort_unstable();
    assert_eq!(held, pairs);
    wait_for("the circle to be counted", DEADLINE, async || {
        let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        let deadlocks = test_db.admin(sql);
        if deadlocks == "1" { Ok(()) } else { Err(format!("{deadlocks} deadlocks")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_commit_whose_connection_is_lost_is_unavailable_to_each() {
    let test_db = fresh().await;
    let all = updates(&test_db, 3).await;
    let mut other = test_db.session().await;
    let rival = other.transaction().await.unwrap();
    take_pair(&rival, &all[1].0.to).await;
    let begun = together(&test_db, &test_db.store, &only_updates(&all)).await;
    test_db.until_waiting(1).await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE application_name = 'esoz' AND datname = current_database() AND wait_event_type = 'Lock'";
    assert_eq!(test_db.admin(sql), "t");
    for outcome in outcomes(begun).await {
        assert_eq!(outcome.unwrap_err().kind(), StoreErrorKind::Unavailable);
    }
    rival.rollback().await.unwrap();
    assert_eq!(audited(&test_db, &all), (String::from("0"), BTreeSet::new()));
    for (_, update) in &all {
        applied(update.apply(&test_db.store).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_long_for_a_turn_is_told_so_and_nothing_was_begun() {
    let test_db = fresh().await;
    let all = updates(&test_db, 2).await;
    let patience = Duration::from_secs(1);
    let settings = PostgresSettings { pool_wait_timeout_ms: 1_000, ..patient(&test_db.url) };
    let store = PostgresStore::connect(&settings).unwrap();
    wait_for("a connection", DEADLINE, async || store.ping().await).await;
    let begun =
        together_after(patience, &test_db, &store, all.iter().map(|(_, update)| update.write()).collect())
            .await;
    for outcome in outcomes(begun).await {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert_eq!(cause, "it waited longer than its queue timeout, and was not executed");
    }
    assert_eq!(audited(&test_db, &all), (String::from("0"), BTreeSet::new()));
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn a_connection_outlives_the_runtime_of_the_call_that_opened_it() {
    let (home, opener, user) = (runtime(), runtime(), runtime());
    let (test_db, fixture) = home.block_on(async {
        let test_db = fresh().await;
        let fixture = fixture(&test_db.store).await;
        (test_db, fixture)
    });
    let store = {
        let _entered = home.enter();
        PostgresStore::connect(&PostgresSettings { max_connections: 1, ..patient(&test_db.url) }).unwrap()
    };
    opener.block_on(store.ping()).unwrap();
    let update = update(fixture.record.id, &fixture.to);
    user.block_on(async {
        let holder = test_db.lock_contract_divisions().await;
        let held = begin(&store, &update);
        test_db.until_waiting(1).await;
        spawn_blocking(|| drop(opener)).await.unwrap();
        holder.batch_execute("ROLLBACK").await.unwrap();
        applied(held.await.unwrap().unwrap());
    });
}
