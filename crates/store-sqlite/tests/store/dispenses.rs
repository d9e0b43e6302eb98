use std::slice;

use diesel::connection::SimpleConnection as _;
use esoz_device_dispense::{DeviceDispenses, DispenseRegistry as _, DispenseStatus};
use esoz_kernel::{Committed, LegalEntityId, Put};
use esoz_testkit::builders::{at_millis, change_of, dispense, fresh as fresh_id};
use serde_json::json;

use crate::common::fresh;
use crate::{ask, shell};

const STOPPED: DispenseStatus = DispenseStatus::Stopped;

#[tokio::test(flavor = "multi_thread")]
async fn numbers_and_unknown_fields_keep_their_very_text() {
    let fresh = fresh();
    let before = dispense().build();
    fresh.store.put_dispenses(slice::from_ref(&before)).await.unwrap();
    let mut shell = shell(&fresh.settings.path);
    let odd = r#"{"exact":100.500,"long":12345678901234567890123,"deep":[{"a":null}]}"#;
    let set = format!("UPDATE device_dispenses SET document = json_set(document, '$.other', json('{odd}'))");
    shell.batch_execute(&set).unwrap();
    let changed = fresh.store.commit(&change_of(&before, STOPPED, at_millis(1))).await.unwrap();
    assert!(matches!(changed, Committed::Applied(_)));
    let other = "SELECT json_extract(document, '$.other') AS answer FROM device_dispenses";
    assert_eq!(ask(&mut shell, other).as_deref(), Some(odd));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_in_upper_case_is_the_same_owner() {
    let fresh = fresh();
    let before = dispense().build();
    fresh.store.put_dispenses(slice::from_ref(&before)).await.unwrap();
    let upper = "UPDATE device_dispenses SET document = json_set(document, '$.performer_legal_entity.identifier.value',
        upper(json_extract(document, '$.performer_legal_entity.identifier.value')))";
    shell(&fresh.settings.path).batch_execute(upper).unwrap();
    let found = DeviceDispenses::find(&fresh.store, before.id).await.unwrap().unwrap();
    assert_eq!(found.owner, before.owner);
    let changed = fresh.store.commit(&change_of(&before, STOPPED, at_millis(1))).await.unwrap();
    let Committed::Applied(after) = changed else { panic!("the change is stale") };
    assert_eq!((after.owner, after.status), (before.owner, STOPPED));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_is_null_begins_with_the_change() {
    let fresh = fresh();
    let before = dispense().field("status_history", json!(null)).build();
    assert_eq!(fresh.store.put_dispenses(slice::from_ref(&before)).await.unwrap(), [Put::Created]);
    let change = change_of(&before, STOPPED, at_millis(1));
    let Committed::Applied(after) = fresh.store.commit(&change).await.unwrap() else {
        panic!("the change is stale")
    };
    assert_eq!(after.record["status_history"].as_array().unwrap().len(), 1);
    assert_eq!(after.record["status_history"][0]["status"], "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_contradicts_itself_is_refused_alone() {
    let fresh = fresh();
    let mut foreign = dispense().build();
    foreign.owner = LegalEntityId::new(fresh_id());
    let ownerless = dispense().without("performer_legal_entity").build();
    let listless = dispense().field("status_history", json!("stopped")).build();
    let sound = dispense().build();
    let answers = fresh.store.put_dispenses(&[foreign, ownerless, listless, sound.clone()]).await.unwrap();
    let [Put::Refused(first), Put::Refused(second), Put::Refused(third), Put::Created] = &answers[..] else {
        panic!("{answers:?}")
    };
    for text in [first, second] {
        assert!(text.starts_with("performer_legal_entity.identifier.value is not its owner"), "{text}");
    }
    assert_eq!(third, "status_history is not a list");
    assert!(DeviceDispenses::find(&fresh.store, sound.id).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_records_than_one_transaction_takes_are_all_stored() {
    let fresh = fresh();
    let all: Vec<_> = (0..1_201).map(|_| dispense().build()).collect();
    assert_eq!(fresh.store.put_dispenses(&all).await.unwrap(), vec![Put::Created; all.len()]);
    assert_eq!(fresh.store.put_dispenses(&all).await.unwrap(), vec![Put::Kept; all.len()]);
}

/// What SQLite takes as JSON and no JSON value in memory can hold: shown where it stands, as its text.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_can_be_stored_can_be_stopped_and_is_shown() {
    let deep = format!("{}1{}", "[".repeat(900), "]".repeat(900));
    for (field, value, shown) in [
        ("note", "1e400", json!("1e400")),
        (
            "details",
            r#"[{"sell_price": -1e999, "quantity": {"value": 2}}]"#,
            json!([{"sell_price": "-1e999", "quantity": {"value": 2}}]),
        ),
        ("written_by_others", "1e400", serde_json::Value::Null),
        ("supporting_info", &deep, json!("deep")),
    ] {
        let fresh = fresh();
        let before = dispense().build();
        fresh.store.put_dispenses(slice::from_ref(&before)).await.unwrap();
        let set = format!(
            "UPDATE device_dispenses SET document = json_set(document, '$.{field}', json('{value}'))"
        );
        shell(&fresh.settings.path).batch_execute(&set).unwrap();
        let change = change_of(&before, STOPPED, at_millis(1));
        let Committed::Applied(after) = fresh.store.commit(&change).await.unwrap() else {
            panic!("the change is stale")
        };
        assert_eq!(
            DeviceDispenses::find(&fresh.store, before.id).await.unwrap().unwrap().dispense.unwrap(),
            after
        );
        let found = after.record.get(field).cloned().unwrap_or_default();
        if field == "supporting_info" {
            let mut inside = &found;
            while let Some(inner) = inside.get(0) {
                inside = inner;
            }
            assert!(inside.as_str().unwrap().starts_with("[["), "the rest is shown as its text");
        } else {
            assert_eq!(found, shown, "{field}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_field_that_stands_twice_the_first_counts_for_changes_and_for_reads() {
    let before = "'{\"status\":\"completed\",' || substr(document, 2)";
    let after =
        "substr(document, 1, length(document) - 1) || ',\"status\":\"completed\",\"updated_at\":\"\"}'";
    for (twice, status) in [(before, DispenseStatus::Completed), (after, STOPPED)] {
        let fresh = fresh();
        let dispense = dispense().build();
        fresh.store.put_dispenses(slice::from_ref(&dispense)).await.unwrap();
        let set = format!("UPDATE device_dispenses SET document = {twice}");
        shell(&fresh.settings.path).batch_execute(&set).unwrap();
        let changed = fresh.store.commit(&change_of(&dispense, STOPPED, at_millis(1))).await.unwrap();
        let found = DeviceDispenses::find(&fresh.store, dispense.id).await.unwrap().unwrap();
        let found = found.dispense.unwrap();
        assert_eq!((found.status, &found.record["status"]), (status, &json!(status.as_str())));
        match changed {
            Committed::Applied(applied) => assert_eq!(applied, found),
            other => assert_eq!((other, status), (Committed::Stale, DispenseStatus::Completed)),
        }
    }
}
