use std::slice;

use diesel::connection::SimpleConnection as _;
use esoz_device_dispense::{
    CreateRefusal, DeviceRequestRecord, DispenseRegistry as _, DispenseStatus, DispenseUpdate,
    DispenseWrites as _, OccurrencePeriod, RequestQuery, RequestedDevice, RequestedQuantity,
    VerificationCode,
};
use esoz_kernel::{DeviceDefinitionId, DispenseId, Put, StoreErrorKind, Timestamp, Written};
use esoz_registries::Registry;
use esoz_store_sqlite::{SqliteStore, migrate};
use esoz_testkit::builders::{
    at_millis, create_of, device_request, dispense_of, fresh as fresh_id, signed_change, update_of,
};
use serde_json::json;

use crate::common::fresh;
use crate::{ask, count, shell};

fn query(request: &DeviceRequestRecord) -> RequestQuery {
    RequestQuery {
        request: request.facts.id,
        id: DispenseId::new(fresh_id()),
        active_since: None,
        codes_since: Timestamp::MIN,
    }
}

async fn put(store: &SqliteStore, record: &DeviceRequestRecord) -> Put {
    Registry::put(store, slice::from_ref(record)).await.unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_is_named_by_column_and_told_without_its_content() {
    for (column, value, field) in [
        ("status", "'a canary'", "status"),
        ("program_id", "'a canary'", "program_id"),
        ("code", "'a canary'", "code"),
        ("code_reference", "NULL", "code"),
        ("code_reference", "'a canary'", "code_reference"),
        ("quantity_value", "'a canary'", "quantity_value"),
        ("quantity_code", "NULL", "quantity_value"),
        ("occurrence_start", "'a canary'", "occurrence_start"),
        ("occurrence_end", "NULL", "occurrence_start"),
        ("occurrence_end", "'a canary'", "occurrence_end"),
        ("dispense_valid_to", "'a canary'", "dispense_valid_to"),
        ("verification_code", "'a canary'", "verification_code"),
        ("updated_at", "'a canary'", "updated_at"),
    ] {
        let fresh = fresh();
        let mut record = device_request();
        record.facts.device = RequestedDevice::Definition(DeviceDefinitionId::new(fresh_id()));
        record.facts.verification_code = VerificationCode::parse("7391");
        assert_eq!(put(&fresh.store, &record).await, Put::Created);
        let set =
            format!("PRAGMA ignore_check_constraints = ON; UPDATE device_requests SET {column} = {value}");
        shell(&fresh.settings.path).batch_execute(&set).unwrap();
        let scanned = Registry::<DeviceRequestRecord>::scan(&fresh.store, None, 10).await.unwrap();
        let mut errors: Vec<_> =
            scanned.records.into_iter().map(|record| record.map(drop).unwrap_err()).collect();
        if column != "updated_at" {
            errors.push(fresh.store.request_facts(&query(&record)).await.unwrap_err());
        }
        for error in errors {
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
            let text = error.with_causes();
            for part in ["device_requests", &record.facts.id.to_string(), field] {
                assert!(text.contains(part), "{text} does not name {part}");
            }
            for secret in ["canary", "7391", record.facts.subject.expose()] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quantity_that_is_not_above_zero_is_refused_alone() {
    let fresh = fresh();
    let (sound, mut wrong) = (device_request(), device_request());
    wrong.facts.quantity = Some(RequestedQuantity { value: 0.into(), code: "piece".to_owned() });
    let answers = Registry::put(&fresh.store, &[wrong.clone(), sound.clone()]).await.unwrap();
    let refused = Put::Refused("its quantity is not above zero".to_owned());
    assert_eq!(answers, [refused.clone(), Put::Created]);
    wrong.facts.id = sound.facts.id;
    assert_eq!(put(&fresh.store, &wrong).await, refused);
    assert_eq!(fresh.store.request_facts(&query(&sound)).await.unwrap().request, Some(sound.facts));
}

/// What no rule forbids can be stored: which day comes first is for the import to look at.
#[tokio::test(flavor = "multi_thread")]
async fn a_period_that_ends_before_it_begins_is_stored() {
    let fresh = fresh();
    let mut record = device_request();
    let [start, end] = ["2026-01-02", "2026-01-01"].map(|day| day.parse().unwrap());
    record.facts.occurrence_period = Some(OccurrencePeriod { start, end });
    assert_eq!(put(&fresh.store, &record).await, Put::Created);
    assert_eq!(fresh.store.request_facts(&query(&record)).await.unwrap().request, Some(record.facts));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_signed_change_does_not_name_keeps_its_very_text() {
    let fresh = fresh();
    let request = device_request();
    let before = dispense_of(&request.facts).build();
    fresh.store.put_dispenses(slice::from_ref(&before)).await.unwrap();
    let mut shell = shell(&fresh.settings.path);
    let odd = r#"{"exact":100.500,"long":12345678901234567890123,"deep":[{"a":null}]}"#;
    let set = format!(
        "UPDATE device_dispenses SET document = json_set(document, '$.other', json('{odd}'), '$.payment_amount', json('1.50'))"
    );
    shell.batch_execute(&set).unwrap();
    let set = json!({"note": "'; $.\"x\"", "explanatory_letter": {"any": [1e300, "\"\\"]}});
    let set = set.as_object().unwrap().clone();
    let update = DispenseUpdate { set, ..update_of(&before, DispenseStatus::Completed, at_millis(1)) };
    let Written::Applied(after) = fresh.store.change(&signed_change(&before, &update)).await.unwrap() else {
        panic!("the change was not applied")
    };
    for (field, value) in &update.set {
        assert_eq!(after.record.get(field), Some(value), "{field}");
    }
    let text = "SELECT document -> '$.other' || ' ' || (document -> '$.payment_amount') AS answer FROM device_dispenses";
    assert_eq!(ask(&mut shell, text).unwrap(), format!("{odd} 1.50"));
}

/// The migration adds a column: the dispenses of the version before are found by their requests.
#[tokio::test(flavor = "multi_thread")]
async fn dispenses_of_the_version_before_are_found_by_their_request() {
    let fresh = fresh();
    let request = device_request();
    let stored = dispense_of(&request.facts).build();
    fresh.store.put_dispenses(slice::from_ref(&stored)).await.unwrap();
    let undo = "DROP TABLE device_request_wrong_codes; DROP TABLE device_requests; DROP INDEX device_dispenses_based_on;
        ALTER TABLE device_dispenses DROP COLUMN based_on; DELETE FROM __diesel_schema_migrations WHERE version = '0017'";
    shell(&fresh.settings.path).batch_execute(undo).unwrap();
    assert_eq!(migrate(&fresh.settings).unwrap(), ["0017_device_requests"]);
    let store = SqliteStore::open(&fresh.settings).unwrap();
    assert!(store.request_facts(&query(&request)).await.unwrap().has_active_dispense);
}

/// Each of two processes has a writer of its own, and the file serves them one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_creates_for_one_request_in_two_stores_one_is_applied() {
    let fresh = fresh();
    let other = SqliteStore::open(&fresh.settings).unwrap();
    for round in 1..=5 {
        let request = device_request();
        assert_eq!(put(&fresh.store, &request).await, Put::Created);
        let calls: Vec<_> = (0..32)
            .map(|at| {
                let store = if at % 2 == 0 { &fresh.store } else { &other }.clone();
                let dispense = dispense_of(&request.facts).build();
                let create = create_of(&dispense, request.facts.id, at_millis(at));
                tokio::spawn(async move { store.create(&create).await.unwrap() })
            })
            .collect();
        let mut applied = 0;
        for call in calls {
            match call.await.unwrap() {
                Written::Applied(_) => applied += 1,
                outcome => assert_eq!(outcome, Written::Refused(CreateRefusal::OtherActive)),
            }
        }
        assert_eq!(applied, 1);
        let waiting = count(&mut shell(&fresh.settings.path), "SELECT count(*) AS number FROM outbox");
        assert_eq!(waiting, round);
    }
}
