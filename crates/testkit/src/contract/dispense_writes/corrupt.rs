use esoz_device_dispense::{DispenseStatus, RequestQuery};
use esoz_kernel::{DispenseId, StoreError, StoreErrorKind, Timestamp, Written};
use serde_json::json;

use super::super::DispenseWriteStore;
use super::super::dispenses::{assert_same, found};
use super::fixtures::{completion, facts, request_facts, stored_dispense, stored_request, waiting};
use crate::builders::{at_millis, create_of, dispense_of, fresh, signed_change, update_of};

/// The error is of kind corrupt, names these, and neither the patient nor what was found.
fn assert_corrupt(error: &StoreError, parts: &[&str]) {
    assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error}");
    let text = error.with_causes();
    for part in parts {
        assert!(text.contains(part), "{text:?} does not name {part}");
    }
    assert!(!text.contains("exploded"), "{text}");
}

/// A request that cannot be read is told by its place and id, and nothing is written on it.
pub async fn a_corrupt_request_is_told(store: DispenseWriteStore) {
    let record = stored_request(&store).await;
    let before = stored_dispense(&store, &record.facts).await;
    store.raw_requests.make_unreadable(record.facts.id).await;
    let id = record.facts.id.to_string();
    let parts = ["device_requests", id.as_str(), "status"];
    let new = dispense_of(&record.facts).build();
    let create = create_of(&new, record.facts.id, at_millis(1));
    assert_corrupt(&store.writes.request_facts(&create.query).await.unwrap_err(), &parts);
    assert_corrupt(&store.writes.create(&create).await.unwrap_err(), &parts);
    assert_corrupt(&facts(&store, before.id).await.request.unwrap().unwrap_err(), &parts);
    let completion = signed_change(&before, &completion(&before, record.facts.id, at_millis(1)));
    assert_corrupt(&store.writes.change(&completion).await.unwrap_err(), &parts);
    assert!(store.dispenses.dispenses.find(new.id).await.unwrap().is_none());
    assert_same(&found(&store.dispenses, before.id).await, &before);
    assert!(waiting(&store).await.is_empty());
    // What does not rest on the request is not kept from being written.
    let mark = signed_change(&before, &update_of(&before, DispenseStatus::EnteredInError, at_millis(1)));
    let marked = store.writes.change(&mark).await.unwrap();
    assert!(matches!(marked, Written::Applied(after) if after.status == DispenseStatus::EnteredInError));
}

/// A dispense that cannot be read is for the rule to tell, who may see it; one whose owner cannot be read is told at once. Neither is changed.
pub async fn a_corrupt_dispense_is_told(store: DispenseWriteStore) {
    let owner = json!({"identifier": {"value": "exploded"}});
    for (field, value) in [("status", json!("exploded")), ("performer_legal_entity", owner)] {
        let record = stored_request(&store).await;
        let before = stored_dispense(&store, &record.facts).await;
        store.dispenses.raw.set_field(before.id, field, value).await;
        let document = store.dispenses.raw.document(before.id).await;
        let id = before.id.to_string();
        let parts = ["device_dispenses", id.as_str(), field];
        if field == "status" {
            let found = facts(&store, before.id).await;
            assert_eq!(found.request.unwrap().unwrap(), record.facts);
            let stored = found.stored.unwrap();
            assert_eq!(stored.owner, before.owner);
            assert_corrupt(&stored.dispense.unwrap_err(), &parts);
        } else {
            assert_corrupt(&store.writes.facts(before.id).await.unwrap_err(), &parts);
        }
        let change = signed_change(&before, &completion(&before, record.facts.id, at_millis(1)));
        assert_corrupt(&store.writes.change(&change).await.unwrap_err(), &parts);
        assert_eq!(store.dispenses.raw.document(before.id).await, document);
        let new = RequestQuery {
            request: record.facts.id,
            id: DispenseId::new(fresh()),
            active_since: None,
            codes_since: Timestamp::MIN,
        };
        let found = request_facts(&store, &new).await;
        assert_eq!(found.request, Some(record.facts), "the request is as it was");
        assert_eq!(found.has_active_dispense, field != "status");
    }
    assert!(waiting(&store).await.is_empty());
}

/// Where links are no list, none is lost: the dispense is corrupt, and stays as it is with its request.
pub async fn links_that_are_no_list_are_corrupt(store: DispenseWriteStore) {
    for links in [json!("signed_content/1"), json!({"1": "signed_content/1"}), json!(7)] {
        let record = stored_request(&store).await;
        let before = stored_dispense(&store, &record.facts).await;
        store.dispenses.raw.set_field(before.id, "signed_content_links", links).await;
        let document = store.dispenses.raw.document(before.id).await;
        let change = signed_change(&before, &completion(&before, record.facts.id, at_millis(1)));
        let error = store.writes.change(&change).await.unwrap_err();
        let id = before.id.to_string();
        assert_corrupt(&error, &["device_dispenses", &id, "signed_content_links"]);
        assert_eq!(store.dispenses.raw.document(before.id).await, document);
        assert_eq!(facts(&store, before.id).await.request.unwrap().unwrap(), record.facts);
    }
    assert!(waiting(&store).await.is_empty());
}
