//! Scanning dispenses: [`DispenseRegistry::scan_dispenses`](esoz_device_dispense::DispenseRegistry::scan_dispenses).

use esoz_device_dispense::{Dispense, DispenseStatus};
use esoz_kernel::{DispenseId, ScanCursor, StoreError, StoreErrorKind};
use serde_json::{Value, json};

use super::DispenseStore;
use super::dispenses::{assert_same, put};
use super::scans::all_pages;
use crate::builders::{at_millis, change_of, dispense};

/// One page, and where the next one begins.
async fn page(
    store: &DispenseStore,
    after: Option<ScanCursor>,
    limit: u32,
) -> (Vec<Result<Dispense, StoreError>>, Option<ScanCursor>) {
    let page = store.registry.scan_dispenses(after, limit).await.unwrap();
    (page.records, page.next)
}

async fn scan(store: &DispenseStore, limit: u32) -> Vec<Result<Dispense, StoreError>> {
    all_pages(limit, |after, limit| store.registry.scan_dispenses(after, limit)).await
}

/// That many dispenses, stored, in the order of their ids.
async fn stored(store: &DispenseStore, count: usize) -> Vec<Dispense> {
    let mut all: Vec<Dispense> = (0..count).map(|_| dispense().build()).collect();
    store.registry.put_dispenses(&all).await.unwrap();
    all.sort_unstable_by_key(|dispense| dispense.id);
    all
}

/// A scan of nothing is one empty page.
pub async fn a_scan_of_nothing_is_empty(store: DispenseStore) {
    let (records, next) = page(&store, None, 10).await;
    assert!(records.is_empty() && next.is_none(), "{records:?}");
}

/// Whatever the size of a page, every dispense comes once, as it was put, in the order of ids.
pub async fn pages_are_in_order_and_complete(store: DispenseStore) {
    let all = stored(&store, 23).await;
    for limit in [1, 2, 7, 22, 23, 24, 1_000] {
        let scanned = scan(&store, limit).await;
        assert_eq!(scanned.len(), all.len(), "in pages of {limit}");
        for (scanned, expected) in scanned.iter().zip(&all) {
            assert_same(scanned.as_ref().unwrap(), expected);
        }
    }
}

/// Fields that others wrote come along at every level; the store's own do not; a status has the spelling of the model.
pub async fn a_record_is_whole(store: DispenseStore) {
    let mut expected = dispense().build();
    put(&store, &expected).await;
    let extra =
        json!({"of": ["another", "system", 1.5, null, {"id": 1}], "subject": "x", "esoz_x": 1, "empty": {}});
    let details = json!([{"device_code": {"coding": [{"system": "s", "code": "c", "version": 2}], "text": ""}, "extra": extra}]);
    for (field, value) in [("extra", &extra), ("details", &details), ("nothing", &Value::Null)] {
        store.raw.set_field(expected.id, field, value.clone()).await;
        expected.record.insert(field.to_owned(), value.clone());
    }
    let change = change_of(&expected, DispenseStatus::Stopped, at_millis(1_000));
    store.dispenses.commit(&change).await.unwrap();
    store.raw.set_field(expected.id, "status", json!("canceled")).await;
    let scanned = scan(&store, 10).await.remove(0).unwrap();
    let internal =
        |name: &&String| ["_id", "id", "subject"].contains(&name.as_str()) || name.starts_with("esoz_");
    assert_eq!(scanned.record.keys().find(internal), None);
    assert_eq!(scanned.record["status"], json!("cancelled"));
    let history = scanned.record["status_history"].as_array().unwrap();
    assert_eq!(history.len(), expected.record["status_history"].as_array().unwrap().len() + 1);
    for (name, value) in &expected.record {
        if !["status", "status_history", "updated_at", "updated_by"].contains(&name.as_str()) {
            assert_eq!(scanned.record.get(name), Some(value), "{name}");
        }
    }
    assert_eq!(scanned.record.len(), expected.record.len());
}

/// A dispense that cannot be read is an error in its place, named by place, id and field; the scan goes on behind it, wherever a page ends.
pub async fn what_cannot_be_read_is_an_error_in_its_place(store: DispenseStore) {
    let all = stored(&store, 7).await;
    let broken =
        [(1, "status", json!("exploded")), (2, "subject", json!({"of": "others"})), (6, "status", json!(7))];
    for (place, field, value) in &broken {
        store.raw.set_field(all[*place].id, field, value.clone()).await;
    }
    for limit in [1, 2, 3, 7, 100] {
        let scanned = scan(&store, limit).await;
        assert_eq!(scanned.len(), all.len(), "in pages of {limit}");
        for (place, (scanned, expected)) in scanned.iter().zip(&all).enumerate() {
            match (scanned, broken.iter().find(|(broken, ..)| *broken == place)) {
                (Ok(scanned), None) => assert_same(scanned, expected),
                (Err(error), Some((_, field, _))) => {
                    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
                    for part in ["device_dispenses", &expected.id.to_string(), field] {
                        assert!(error.to_string().contains(part), "{error} does not name {part}");
                    }
                    assert!(!error.with_causes().contains("exploded"), "{error}");
                }
                (scanned, _) => panic!("{scanned:?} in place {place}"),
            }
        }
    }
}

/// What is there during the whole scan comes once, though dispenses are recorded and changed meanwhile.
pub async fn a_scan_goes_on_while_dispenses_change(store: DispenseStore) {
    let all = stored(&store, 20).await;
    let (mut scanned, mut after): (Vec<DispenseId>, _) = (Vec::new(), None);
    for dispense in &all {
        let (records, next) = page(&store, after, 3).await;
        scanned.extend(records.into_iter().map(|record| record.unwrap().id));
        after = next;
        if after.is_none() {
            break;
        }
        let change = change_of(dispense, DispenseStatus::Stopped, at_millis(1_000));
        store.dispenses.commit(&change).await.unwrap();
        stored(&store, 1).await;
    }
    assert_eq!(after, None, "it has an end");
    assert!(scanned.is_sorted_by(|one, next| one < next), "{scanned:?}");
    assert!(all.iter().all(|dispense| scanned.contains(&dispense.id)), "{scanned:?}");
}
