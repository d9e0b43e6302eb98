use diesel::connection::SimpleConnection as _;
use esoz_kernel::time::rfc3339_micros;
use esoz_kernel::{IdempotentRequest, Written};
use esoz_testkit::builders::{client, idempotency_key};
use esoz_testkit::contract_divisions::Update;

use crate::common::fresh;
use crate::{UpdateFixture, count, shell};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_of_the_version_before_is_replayed() {
    let fresh = fresh();
    let fixture = UpdateFixture::set(&fresh.store).await;
    let idempotency = IdempotentRequest::new("test", client(), &idempotency_key(), &[b"an update"]);
    let update = Update { idempotency: Some(idempotency), ..fixture.update() };
    let record = fixture.record;
    // Its fields in the order that the version before gave them.
    let answer = format!(
        r#"{{"contract_id":"{}","division_id":"{}","id":"{}","inserted_at":"{}","inserted_by":"{}","is_active":true,"updated_at":"{}","updated_by":"{}"}}"#,
        record.contract_id,
        record.division_id,
        record.id,
        rfc3339_micros(record.stamps.inserted_at),
        record.stamps.inserted_by,
        rfc3339_micros(record.stamps.updated_at),
        record.stamps.updated_by,
    );
    let mut shell = shell(&fresh.settings.path);
    let (key, request) = (hex(idempotency.key()), hex(idempotency.request()));
    let since = rfc3339_micros(update.at);
    shell
        .batch_execute(&format!(
            "INSERT INTO idempotency_keys VALUES (x'{key}', x'{request}', '{answer}', '{since}')"
        ))
        .unwrap();
    assert_eq!(update.apply(&fresh.store).await.unwrap(), Written::Replayed(record));
    assert_eq!(count(&mut shell, "SELECT count(*) AS number FROM audit_log WHERE action = 'UPDATE'"), 0);
}
