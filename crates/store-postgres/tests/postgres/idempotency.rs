//! Idempotency records of the version before, which kept the columns of a contract division and no answer. Both versions run during an upgrade.

use esoz_kernel::{ClientId, IdempotencyKey, IdempotentRequest, Uuid, Written};
use esoz_testkit::contract_divisions::Update;

use super::support::{TestDatabase, applied, audit_rows, fixture, fresh, record, update};

fn idempotency(asked: &str) -> IdempotentRequest {
    let client = ClientId::new(Uuid::from_u128(1));
    IdempotentRequest::new("test", client, &IdempotencyKey::parse("a-key").unwrap(), &[asked.as_bytes()])
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    format!("'\\x{digits}'::bytea")
}

/// What the version before finds under the key: the request, and the record after the update.
fn found_by_the_version_before(test_db: &TestDatabase, idempotency: &IdempotentRequest) -> String {
    test_db.admin(&format!(
        "SELECT encode(request, 'hex'), id, contract_id, division_id, is_active,
             inserted_at AT TIME ZONE 'UTC', inserted_by, updated_at AT TIME ZONE 'UTC', updated_by
         FROM idempotency_keys WHERE key = {}",
        hex(idempotency.key())
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_the_version_before_is_replayed() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    let first = applied(update.apply(&test_db.store).await.unwrap());
    test_db.admin(&format!(
        "INSERT INTO idempotency_keys (
             key, request, id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by)
         SELECT {}, {}, id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by
         FROM contract_divisions WHERE id = '{}'",
        hex(idempotency("this").key()),
        hex(idempotency("this").request()),
        first.id
    ));
    test_db.admin("UPDATE contract_divisions SET is_active = false");
    let rows = audit_rows(&test_db, first.id);
    let asking = |asked| Update { idempotency: Some(idempotency(asked)), ..update.clone() };
    assert_eq!(asking("this").apply(&test_db.store).await.unwrap(), Written::Replayed(first));
    assert_eq!(asking("that").apply(&test_db.store).await.unwrap(), Written::KeyReused);
    assert_eq!(audit_rows(&test_db, first.id), rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_finds_what_was_written() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let idempotency = idempotency("this");
    let update = Update { idempotency: Some(idempotency), ..update(fixture.record.id, &fixture.to) };
    let after = applied(update.apply(&test_db.store).await.unwrap());
    assert_eq!(after, record(&test_db.store, after.id).await);
    let stored = test_db.admin(&format!(
        "SELECT {}, id, contract_id, division_id, is_active,
             inserted_at AT TIME ZONE 'UTC', inserted_by, updated_at AT TIME ZONE 'UTC', updated_by
         FROM contract_divisions WHERE id = '{}'",
        hex(idempotency.request()).replace("'\\x", "'").replace("::bytea", ""),
        after.id
    ));
    assert_eq!(found_by_the_version_before(&test_db, &idempotency), stored);
    let answer =
        test_db.admin("SELECT count(*) FROM idempotency_keys WHERE answer::json ->> 'id' = id::text");
    assert_eq!(answer, "1");
}
