//! What waits at the same time goes into one commit, in which each is audited with its own request.

use std::time::Duration;

use esoz_kernel::Replay;
use esoz_store_postgres::{PostgresSettings, PostgresStore};
use esoz_testkit::contract_divisions::{create, delete};

use super::{audited, idempotency, only_updates, outcomes, requests, together, together_after, updates};
use crate::support::{applied, contract_division, division, fresh, patient, record};

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
    // The next write on the connection has no request id of an earlier one.
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
