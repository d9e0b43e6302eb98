use esoz_kernel::StoreErrorKind;
use serde_json::{Value, json};

use super::support::{World, applied, audit_rows, fresh, record, scene, update};

/// The newest audit row, but for its time.
fn last(world: &World) -> Value {
    let row = world
        .admin("SELECT to_jsonb(audit_log) - 'id' - 'inserted_at' FROM audit_log ORDER BY id DESC LIMIT 1");
    serde_json::from_str(&row).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_an_update_and_a_delete_are_told_with_times_in_utc_and_six_decimals() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let (record, inserter) = (scene.record, scene.record.stamps.inserted_by.uuid());
    let before = json!({
        "id": record.id.uuid(), "contract_id": record.contract_id.uuid(), "division_id": record.division_id.uuid(),
        "is_active": true,
        "inserted_at": "2026-01-31T08:15:30.100000Z", "inserted_by": inserter,
        "updated_at": "2026-01-31T08:15:30.100000Z", "updated_by": inserter,
    });
    let common = json!({"resource": "contract_divisions", "resource_id": record.id.uuid()});
    let expected = |special: Value| {
        let mut all = common.as_object().unwrap().clone();
        all.extend(special.as_object().unwrap().clone());
        Value::Object(all)
    };
    assert_eq!(
        last(&world),
        expected(
            json!({"action": "INSERT", "actor_id": inserter, "before": null, "after": before, "request_id": null})
        )
    );

    let update = update(record.id, &scene.to);
    applied(update.apply(&world.store).await.unwrap());
    assert_eq!(
        last(&world),
        expected(json!({
            "action": "UPDATE", "actor_id": update.by.uuid(), "request_id": update.request_id.as_str(),
            "before": {
                "contract_id": record.contract_id.uuid(), "division_id": record.division_id.uuid(),
                "updated_at": "2026-01-31T08:15:30.100000Z", "updated_by": inserter,
            },
            "after": {
                "contract_id": scene.to.contract_id.uuid(), "division_id": scene.to.division_id.uuid(),
                "updated_at": "2026-02-01T00:00:00.000005Z", "updated_by": update.by.uuid(),
            },
        }))
    );

    // By others, in their own time zone, and on a session that has had a request id before.
    let session = world.session().await;
    session
        .batch_execute(
            "SET TIME ZONE 'Europe/Kyiv';
             BEGIN; SELECT set_config('esoz.request_id', 'an earlier request', true); COMMIT;
             UPDATE contract_divisions SET updated_at = '2026-07-01 12:00:00+03';
             DELETE FROM contract_divisions;",
        )
        .await
        .unwrap();
    let mut gone = before.clone();
    for (key, value) in [
        ("contract_id", json!(scene.to.contract_id.uuid())),
        ("division_id", json!(scene.to.division_id.uuid())),
        ("updated_at", json!("2026-07-01T09:00:00.000000Z")),
        ("updated_by", json!(update.by.uuid())),
    ] {
        gone[key] = value;
    }
    assert_eq!(
        last(&world),
        expected(
            json!({"action": "DELETE", "actor_id": update.by.uuid(), "before": gone, "after": null, "request_id": null})
        )
    );
    assert_eq!(audit_rows(&world, record.id), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_cannot_be_audited_does_not_happen() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let update = update(scene.record.id, &scene.to);
    world.admin("ALTER TABLE audit_log ADD CONSTRAINT broken CHECK (false) NOT VALID");
    let error = update.apply(&world.store).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unexpected);
    assert_eq!(record(&world.store, scene.record.id).await, scene.record);
    assert_eq!(audit_rows(&world, scene.record.id), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_does_not_leak_into_the_next_statement_of_the_connection() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let update = update(scene.record.id, &scene.to);
    applied(update.apply(&world.store).await.unwrap());
    assert_eq!(last(&world)["request_id"], json!(update.request_id.as_str()));
    // The store has one connection by now, and this goes over it.
    super::support::contract_division(&world.store, scene.record.contract_id, scene.record.division_id).await;
    assert_eq!(last(&world)["request_id"], Value::Null);
}

/// During a rolling upgrade servers of the version before write through the new trigger.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_version_before_says_of_its_requests_is_heard() {
    let world = fresh().await;
    let scene = scene(&world.store).await;
    let id = scene.record.id;
    world.admin(&format!(
        "BEGIN;
         SELECT set_config('esoz.request_ids', '{{\"{id}\": \"a request of the version before\"}}', true);
         UPDATE contract_divisions SET updated_at = now() WHERE id = '{id}';
         COMMIT"
    ));
    assert_eq!(last(&world)["request_id"], json!("a request of the version before"));
}
