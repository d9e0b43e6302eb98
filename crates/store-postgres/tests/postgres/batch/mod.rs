//! Writes that share a commit: none suffers from its company.

mod failures;
mod isolation;
mod shared_commit;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use esoz_contract_division::{ContractDivisions as _, Pair, Write};
use esoz_kernel::{ClientId, IdempotencyKey, IdempotentRequest, RequestId, Uuid};
use esoz_store_postgres::PostgresStore;
use esoz_testkit::contract_divisions::{Outcome, Update};
use esoz_testkit::wait::wait_for;
use futures_util::future::join_all;
use tokio::task::JoinHandle;
use tokio_postgres::Transaction;

use super::support::{DEADLINE, TestDatabase, UpdateFixture, applied, fixture, update};

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

/// Inserts the pair without committing: a concurrent insert of the same pair waits for the commit.
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
