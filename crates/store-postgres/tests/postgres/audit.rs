use esoz_contract_division::ContractRegistry as _;
use esoz_kernel::StoreErrorKind;
use serde_json::{Value, json};

use super::support::{TestDatabase, applied, audit_rows, fixture, fresh, record, update};

/// The newest audit row, but for its time.
fn last(test_db: &TestDatabase) -> Value {
    let row = test_db
        .admin("SELECT to_jsonb(audit_log) - 'id' - 'inserted_at' FROM audit_log ORDER BY id DESC LIMIT 1");
    serde_json::from_str(&row).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_an_update_and_a_delete_are_told_with_times_in_utc_and_six_decimals() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let (record, inserter) = (fixture.record, fixture.record.stamps.inserted_by.uuid());
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
        last(&test_db),
        expected(
            json!({"action": "INSERT", "actor_id": inserter, "before": null, "after": before, "request_id": null})
        )
    );

    let update = update(record.id, &fixture.to);
    applied(update.apply(&test_db.store).await.unwrap());
    assert_eq!(
        last(&test_db),
        expected(json!({
            "action": "UPDATE", "actor_id": update.by.uuid(), "request_id": update.request_id.as_str(),
            "before": {
                "contract_id": record.contract_id.uuid(), "division_id": record.division_id.uuid(),
                "updated_at": "2026-01-31T08:15:30.100000Z", "updated_by": inserter,
            },
            "after": {
                "contract_id": fixture.to.contract_id.uuid(), "division_id": fixture.to.division_id.uuid(),
                "updated_at": "2026-02-01T00:00:00.000005Z", "updated_by": update.by.uuid(),
            },
        }))
    );

    // By others, in their own time zone, and on a session that has had a request id before.
    let session = test_db.session().await;
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
        ("contract_id", json!(fixture.to.contract_id.uuid())),
        ("division_id", json!(fixture.to.division_id.uuid())),
        ("updated_at", json!("2026-07-01T09:00:00.000000Z")),
        ("updated_by", json!(update.by.uuid())),
    ] {
        gone[key] = value;
    }
    assert_eq!(
        last(&test_db),
        expected(
            json!({"action": "DELETE", "actor_id": update.by.uuid(), "before": gone, "after": null, "request_id": null})
        )
    );
    assert_eq!(audit_rows(&test_db, record.id), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_cannot_be_audited_does_not_happen() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    test_db.admin("ALTER TABLE audit_log ADD CONSTRAINT broken CHECK (false) NOT VALID");
    let error = update.apply(&test_db.store).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unexpected);
    assert_eq!(record(&test_db.store, fixture.record.id).await, fixture.record);
    assert_eq!(audit_rows(&test_db, fixture.record.id), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_trigger_nothing_is_written_and_the_health_check_says_why() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let other_division = super::support::division(&test_db.store, fixture.legal_entity).await;
    for off in [
        "ALTER TABLE contract_divisions DISABLE TRIGGER USER",
        "ALTER TABLE contract_divisions DISABLE TRIGGER contract_divisions_audit",
        "ALTER TABLE contract_divisions ENABLE REPLICA TRIGGER contract_divisions_audit",
        "DROP TRIGGER contract_divisions_audit ON contract_divisions",
    ] {
        test_db.admin(off);
        let mut remedies: Vec<String> = Vec::new();
        let change = update(fixture.record.id, &fixture.to);
        let given = esoz_contract_division::ContractDivision {
            id: esoz_kernel::ContractDivisionId::new(esoz_testkit::builders::fresh()),
            contract_id: fixture.to.contract_id,
            division_id: other_division,
            ..fixture.record
        };
        for error in [
            test_db.store.ping().await.unwrap_err(),
            change.apply(&test_db.store).await.unwrap_err(),
            test_db.store.put_contract_divisions(&[given]).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{off}: {}", error.with_causes());
            assert!(error.to_string().contains("the audit trigger is off or gone"), "{off}: {error}");
            remedies = error.to_string().split('`').skip(1).step_by(2).map(str::to_owned).collect();
        }
        assert_eq!(record(&test_db.store, fixture.record.id).await, fixture.record, "{off}");
        // The remedy is one.
        for remedy in &remedies {
            test_db.admin(remedy);
        }
        test_db.store.ping().await.unwrap();
    }
    assert_eq!(audit_rows(&test_db, fixture.record.id), 1);
    applied(update(fixture.record.id, &fixture.to).apply(&test_db.store).await.unwrap());
    assert_eq!(audit_rows(&test_db, fixture.record.id), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_replicates_is_audited_as_well() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let session = test_db.session().await;
    session.batch_execute("SET session_replication_role = replica; UPDATE contract_divisions SET updated_by = updated_by, updated_at = now()").await.unwrap();
    assert_eq!(audit_rows(&test_db, fixture.record.id), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_does_not_leak_into_the_next_statement_of_the_connection() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let update = update(fixture.record.id, &fixture.to);
    applied(update.apply(&test_db.store).await.unwrap());
    assert_eq!(last(&test_db)["request_id"], json!(update.request_id.as_str()));
    // The store has one connection by now, and this goes over it.
    super::support::contract_division(&test_db.store, fixture.record.contract_id, fixture.record.division_id)
        .await;
    assert_eq!(last(&test_db)["request_id"], Value::Null);
}

/// During a rolling upgrade servers of the version before write through the new trigger.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_version_before_says_of_its_requests_is_heard() {
    let test_db = fresh().await;
    let fixture = fixture(&test_db.store).await;
    let id = fixture.record.id;
    test_db.admin(&format!(
        "BEGIN;
         SELECT set_config('esoz.request_ids', '{{\"{id}\": \"a request of the version before\"}}', true);
         UPDATE contract_divisions SET updated_at = now() WHERE id = '{id}';
         COMMIT"
    ));
    assert_eq!(last(&test_db)["request_id"], json!("a request of the version before"));
}
