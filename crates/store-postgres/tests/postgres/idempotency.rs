//! Idempotency records of the version before, which kept the columns of a contract division and no answer. Both versions run during an upgrade.

use esoz_kernel::{ClientId, IdempotencyKey, IdempotentRequest, Uuid, Written};
use esoz_testkit::contract_divisions::Update;

use super::support::{World, applied, audit_rows, fresh, record, scene, update};

fn idempotency(asked: &str) -> IdempotentRequest {
    let client = ClientId::new(Uuid::from_u128(1));
    IdempotentRequest::new("test", client, &IdempotencyKey::parse("a-key").unwrap(), &[asked.as_bytes()])
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    format!("'\\x{digits}'::bytea")
}

/// What the version before finds under the key: the request, and the record after the update.
fn found_by_the_version_before(world: &World, idempotency: &IdempotentRequest) -> String {
    world.admin(&format!(
        "SELECT encode(request, 'hex'), id, contract_id, division_id, is_active,
             inserted_at AT TIME ZONE 'UTC', inserted_by, updated_at AT TIME ZONE 'UTC', updated_by
         FROM idempotency_keys WHERE key = {}",
        hex(idempotency.key())
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_the_version_before_is_replayed() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let update = update(scene.record.id, &scene.to);
    let first = applied(update.apply(&world.store).await.unwrap());
    world.admin(&format!(
        "INSERT INTO idempotency_keys (
             key, request, id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by)
         SELECT {}, {}, id, contract_id, division_id, is_active, inserted_at, inserted_by, updated_at, updated_by
         FROM contract_divisions WHERE id = '{}'",
        hex(idempotency("this").key()),
        hex(idempotency("this").request()),
        first.id
    ));
    world.admin("UPDATE contract_divisions SET is_active = false");
    let rows = audit_rows(&world, first.id);
    let asking = |asked| Update { idempotency: Some(idempotency(asked)), ..update.clone() };
    assert_eq!(asking("this").apply(&world.store).await.unwrap(), Written::Replayed(first));
    assert_eq!(asking("that").apply(&world.store).await.unwrap(), Written::KeyReused);
    assert_eq!(audit_rows(&world, first.id), rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_before_finds_what_was_written() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let idempotency = idempotency("this");
    let update = Update { idempotency: Some(idempotency), ..update(scene.record.id, &scene.to) };
    let after = applied(update.apply(&world.store).await.unwrap());
    assert_eq!(after, record(&world.store, after.id).await);
    let stored = world.admin(&format!(
        "SELECT {}, id, contract_id, division_id, is_active,
             inserted_at AT TIME ZONE 'UTC', inserted_by, updated_at AT TIME ZONE 'UTC', updated_by
         FROM contract_divisions WHERE id = '{}'",
        hex(idempotency.request()).replace("'\\x", "'").replace("::bytea", ""),
        after.id
    ));
    assert_eq!(found_by_the_version_before(&world, &idempotency), stored);
    let answer = world.admin("SELECT count(*) FROM idempotency_keys WHERE answer::json ->> 'id' = id::text");
    assert_eq!(answer, "1");
}
