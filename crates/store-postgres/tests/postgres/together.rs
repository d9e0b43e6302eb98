//! Updates that share a commit: none suffers from its company.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use esoz_contract_division::{ContractDivisions as _, Pair, Refusal, Write};
use esoz_kernel::{
    ClientId, IdempotencyKey, IdempotentRequest, Replay, RequestId, StoreErrorKind, Uuid, Written,
};
use esoz_store_postgres::{PostgresSettings, PostgresStore};
use esoz_testkit::contract_divisions::{Outcome, Update, create, delete};
use esoz_testkit::wait::wait_for;
use futures_util::future::join_all;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_postgres::Transaction;

use super::support::{
    DEADLINE, TestDatabase, UpdateFixture, applied, audit_rows, contract_division, division, fixture, fresh,
    patient, record, update,
};

/// Several scenes, and an update of each under a request of its own.
async fn updates(test_db: &TestDatabase, count: usize) -> Vec<(UpdateFixture, Update)> {
    let mut updates = Vec::new();
    for number in 0..count {
        let fixture = fixture(&test_db.store).await;
        let request_id = RequestId::parse(&format!("request-of-number-{number:04}")).unwrap();
        let update = Update { request_id, ..update(fixture.record.id, &fixture.to) };
        updates.push((fixture, update));
    }
    updates
}

fn begin(store: &PostgresStore, update: &Update) -> JoinHandle<Outcome> {
    begin_write(store, update.write())
}

fn begin_write(store: &PostgresStore, write: Write) -> JoinHandle<Outcome> {
    let store = store.clone();
    tokio::spawn(async move { store.write(&write).await })
}

async fn until_in_the_queue(store: &PostgresStore, count: usize) {
    wait_for("the updates to wait for their turn", DEADLINE, async || {
        let waiting = store.updates_waiting();
        if waiting == count { Ok(()) } else { Err(format!("{waiting} wait")) }
    })
    .await;
}

/// Has these updates come while another one is under way, so that they go together once it is done.
async fn together(
    test_db: &TestDatabase,
    store: &PostgresStore,
    updates: &[Update],
) -> Vec<JoinHandle<Outcome>> {
    together_after(Duration::ZERO, test_db, store, updates.iter().map(Update::write).collect()).await
}

/// … and have waited so long.
async fn together_after(
    time: Duration,
    test_db: &TestDatabase,
    store: &PostgresStore,
    writes: Vec<Write>,
) -> Vec<JoinHandle<Outcome>> {
    let fixture = fixture(&test_db.store).await;
    let mut gate = test_db.session().await;
    let closed = gate.transaction().await.unwrap();
    take_pair(&closed, &fixture.to).await;
    let first = begin(store, &update(fixture.record.id, &fixture.to));
    test_db.until_waiting(1).await;
    let mut begun = Vec::new();
    for write in writes {
        begun.push(begin_write(store, write));
        until_in_the_queue(store, begun.len()).await;
    }
    let since = Instant::now();
    wait_for("the time to pass", DEADLINE, async || {
        if since.elapsed() > time { Ok(()) } else { Err(String::from("it has not passed")) }
    })
    .await;
    closed.rollback().await.unwrap();
    applied(first.await.unwrap().unwrap());
    begun
}

/// Takes the pair, which nobody sees before the commit. Until then it is not known whether it is taken: who wants it waits.
async fn take_pair(rival: &Transaction<'_>, to: &Pair) {
    let sql = format!(
        "INSERT INTO contract_divisions
         SELECT gen_random_uuid(), '{}', '{}', true, now(), id, now(), id FROM legal_entities LIMIT 1",
        to.contract_id, to.division_id
    );
    rival.batch_execute(&sql).await.unwrap();
}

async fn outcomes(begun: Vec<JoinHandle<Outcome>>) -> Vec<Outcome> {
    join_all(begun).await.into_iter().map(Result::unwrap).collect()
}

/// In how many commits the updates of these records were audited, with which requests.
fn audited(test_db: &TestDatabase, updates: &[(UpdateFixture, Update)]) -> (String, BTreeSet<String>) {
    let ids: Vec<_> = updates.iter().map(|(fixture, _)| format!("'{}'", fixture.record.id)).collect();
    let rows = format!("FROM audit_log WHERE action = 'UPDATE' AND resource_id IN ({})", ids.join(", "));
    let requests = test_db.admin(&format!("SELECT resource_id || ' ' || request_id {rows}"));
    (
        test_db.admin(&format!("SELECT count(DISTINCT xmin::text) {rows}")),
        requests.lines().map(str::to_owned).collect(),
    )
}

fn requests(updates: &[(UpdateFixture, Update)]) -> BTreeSet<String> {
    updates.iter().map(|(fixture, update)| format!("{} {}", fixture.record.id, update.request_id)).collect()
}

fn only_updates(updates: &[(UpdateFixture, Update)]) -> Vec<Update> {
    updates.iter().map(|(_, update)| update.clone()).collect()
}

fn idempotency(key: &str, asked: &str) -> IdempotentRequest {
    let client = ClientId::new(Uuid::from_u128(1));
    IdempotentRequest::new("test", client, &IdempotencyKey::parse(key).unwrap(), &[asked.as_bytes()])
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_wait_together_share_a_commit_and_each_is_audited_with_its_own_request() {
    let test_db = fresh().await;
    let mut all = updates(&test_db, 8).await;
    all[3].1.idempotency = Some(idempotency("a-key", "this"));
    let begun = together(&test_db, &test_db.store, &only_updates(&all)).await;
    let mut records = Vec::new();
    for ((fixture, update), outcome) in all.iter().zip(outcomes(begun).await) {
        let record = applied(outcome.unwrap());
        assert_eq!(
            (record.id, record.contract_id, record.division_id, record.stamps.updated_by),
            (fixture.record.id, fixture.to.contract_id, fixture.to.division_id, update.by)
        );
        records.push(record);
    }
    assert_eq!(audited(&test_db, &all), (String::from("1"), requests(&all)));
    // The key is kept with its update.
    let replay = all[3].1.replay(&test_db.store).await.unwrap();
    assert_eq!(replay, Some(Replay::Replayed(records[3])));
    // What is written next on the connection is on nobody's behalf.
    let division = division(&test_db.store, all[0].0.legal_entity).await;
    let record = contract_division(&test_db.store, all[0].0.to.contract_id, division).await;
    let sql =
        format!("SELECT count(*) FROM audit_log WHERE resource_id = '{}' AND request_id IS NULL", record.id);
    assert_eq!(test_db.admin(&sql), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_and_deletes_share_a_commit_with_updates() {
    let test_db = fresh().await;
    let all = updates(&test_db, 4).await;
    let (at, by) = (all[0].1.at, all[0].1.by);
    let [create_here, delete_here] = [&all[2].0, &all[3].0];
    let writes = vec![
        all[0].1.write(),
        create(create_here.to, at, by),
        delete(delete_here.record.id, at, by),
        all[1].1.write(),
    ];
    let ids: Vec<_> = writes.iter().map(|write| write.id).collect();
    let begun = together_after(Duration::ZERO, &test_db, &test_db.store, writes).await;
    for (id, outcome) in ids.iter().zip(outcomes(begun).await) {
        assert_eq!(applied(outcome.unwrap()), record(&test_db.store, *id).await);
    }
    let ids: Vec<_> = ids.iter().map(|id| format!("'{id}'")).collect();
    let of_requests = format!("request_id IS NOT NULL AND resource_id IN ({})", ids.join(", "));
    let rows = "count(DISTINCT xmin::text) || ' ' || count(*) || ' ' || count(DISTINCT request_id)";
    assert_eq!(test_db.admin(&format!("SELECT {rows} FROM audit_log WHERE {of_requests}")), "1 4 4");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_share_a_commit_than_may() {
    let test_db = fresh().await;
    let all = updates(&test_db, 7).await;
    let settings = PostgresSettings { max_batch_size: 3, ..patient(&test_db.url) };
    let store = PostgresStore::connect(&settings).unwrap();
    for outcome in outcomes(together(&test_db, &store, &only_updates(&all)).await).await {
        applied(outcome.unwrap());
    }
    assert_eq!(audited(&test_db, &all), (String::from("3"), requests(&all)));
}

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

/// From now on whoever updates a second record in a transaction waits for the advisory lock 1 first.
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
        assert_eq!(cause, "the write waited longer than its queue timeout; nothing was written");
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
        let mut session = test_db.session().await;
        let holder = session.transaction().await.unwrap();
        holder.batch_execute("SELECT FROM contract_divisions FOR UPDATE").await.unwrap();
        let held = begin(&store, &update);
        test_db.until_waiting(1).await;
        spawn_blocking(|| drop(opener)).await.unwrap();
        holder.rollback().await.unwrap();
        applied(held.await.unwrap().unwrap());
    });
}
