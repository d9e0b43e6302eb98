use std::sync::{Arc, Mutex};

use esoz_device_dispense::{
    Change, ChangeRefusal, DeviceRequestStatus, Dispense, DispenseFacts, DispenseStatus, DispenseUpdate,
    NotVisible, Pseudonym, RECORD,
};
use esoz_kernel::{DispenseId, LegalEntityId, Stamps, Written};
use serde_json::{Map, Value, json};

use super::super::DispenseWriteStore;
use super::super::dispense_changes::differing;
use super::super::dispenses::{self, assert_same, found, put};
use super::fixtures::{
    change, changed, completion, expected_after, put_request, request_now, stored_dispense, stored_request,
    waiting,
};
use crate::builders::{
    at_millis, concept, device_request, dispense_of, fresh, signed_change, update_of, user,
};

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        other => panic!("{other}"),
    }
}

/// Applies the update; what it returns is what is found and as it must be.
async fn assert_applied(store: &DispenseWriteStore, before: &Dispense, update: &DispenseUpdate) -> Dispense {
    let after = changed(store, &signed_change(before, update)).await;
    assert_same(&after, &expected_after(before, update));
    assert_same(&found(&store.dispenses, before.id).await, &after);
    after
}

/// Status, reason, history, the further fields, the link, time and user are set, whether they were there or not; no other field.
pub async fn a_signed_change_sets_its_fields_and_no_other(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let before = dispense_of(&request).without("explanatory_letter").build();
    put(&store.dispenses, &before).await;
    let unknown = json!({"kept": [1, {"as": "it is"}], "null": null, "number": 12.5});
    store.dispenses.raw.set_field(before.id, "written_by_another_system", unknown.clone()).await;
    let document = store.dispenses.raw.document(before.id).await;
    let set = json!({
        "when_handed_over": "2026-01-31T08:00:00.000Z",
        "payment_amount": 1_234_567_890_123.91,
        "payment_id": "'; $set \"x\": {}\n\tї🙂",
        "note": "2026-01-31T08:15:30.1Z",
        "explanatory_letter": "AFF00BF6-68BF-4B49-B66D-F031D48922B3",
    });
    let update = DispenseUpdate {
        reason: Some(concept("eHealth/reasons", "duplicate")),
        set: fields(set),
        ..update_of(&before, DispenseStatus::EnteredInError, at_millis(1_001))
    };
    let after = assert_applied(&store, &before, &update).await;
    assert_eq!(after.record["payment_amount"].to_string(), "1234567890123.91");
    let changed = store.dispenses.raw.document(before.id).await;
    assert_eq!(changed["written_by_another_system"], unknown);
    let known = RECORD.fields.iter().map(|field| field.name);
    let known: Vec<&str> = known.chain(["_id", "id", "subject", "written_by_another_system"]).collect();
    let set = update.set.keys().map(String::as_str);
    let names = set.chain([
        "status",
        "status_reason",
        "status_history",
        "signed_content_links",
        "updated_at",
        "updated_by",
    ]);
    assert_eq!(differing(&document, &changed, &known), names.map(str::to_owned).collect());
    assert_eq!(dispenses::waiting(&store.dispenses).await, [update.event]);
}

/// Without a reason the stored one stays, and the entry of the history has none.
pub async fn a_change_without_a_reason_keeps_the_stored_one(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    for reason in [concept("eHealth/reasons", "why"), Value::Null] {
        let before = dispense_of(&request).field("status_reason", reason.clone()).build();
        put(&store.dispenses, &before).await;
        let update = update_of(&before, DispenseStatus::Completed, at_millis(1));
        let after = assert_applied(&store, &before, &update).await;
        assert_eq!(after.record["status_reason"], reason);
        let entry = after.record["status_history"].as_array().unwrap().last().unwrap();
        assert_eq!(entry.get("status_reason"), None);
    }
}

/// Links and history are begun where there are none, and continued where there are.
pub async fn a_change_appends_to_whatever_list_there_is(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let dispense = || dispense_of(&request);
    for before in [
        dispense().without("signed_content_links").build(),
        dispense().field("signed_content_links", Value::Null).build(),
        dispense().field("signed_content_links", json!([])).build(),
        dispense().field("signed_content_links", json!(["signed_content/1"])).build(),
        dispense().without("status_history").build(),
        dispense().field("status_history", json!([])).build(),
    ] {
        put(&store.dispenses, &before).await;
        let update = update_of(&before, DispenseStatus::Completed, at_millis(1));
        let after = assert_applied(&store, &before, &update).await;
        let links = after.record["signed_content_links"].as_array().unwrap();
        assert_eq!(links.last(), Some(&json!(update.link)));
        let again = update_of(&after, DispenseStatus::EnteredInError, at_millis(2));
        assert_applied(&store, &after, &again).await;
    }
}

/// The request becomes completed at the same time and by the same user, and nothing else of it changes; both events wait.
pub async fn a_change_completes_the_request(store: DispenseWriteStore) {
    let (record, other) = (stored_request(&store).await, stored_request(&store).await);
    let before = stored_dispense(&store, &record.facts).await;
    let update = completion(&before, record.facts.id, at_millis(1_001));
    assert_applied(&store, &before, &update).await;
    let mut expected = record.clone();
    expected.facts.status = DeviceRequestStatus::Completed;
    let (updated_at, updated_by) = (at_millis(1_001), update.event.changed_by);
    expected.stamps = Stamps { updated_at, updated_by, ..record.stamps };
    assert_eq!(request_now(&store, record.facts.id).await, expected);
    assert_eq!(request_now(&store, other.facts.id).await, other);
    let mut waiting = dispenses::waiting(&store.dispenses).await;
    let mut events: Vec<_> = [update.event].into_iter().chain(update.completed_request).collect();
    waiting.sort_by_key(|event| event.id.uuid());
    events.sort_by_key(|event| event.id.uuid());
    assert_eq!(waiting, events);
}

/// A change that does not complete the request leaves it as it is, even if there is none.
pub async fn a_change_can_leave_the_request_alone(store: DispenseWriteStore) {
    let record = stored_request(&store).await;
    let before = stored_dispense(&store, &record.facts).await;
    let update = update_of(&before, DispenseStatus::EnteredInError, at_millis(1));
    assert_applied(&store, &before, &update).await;
    assert_eq!(request_now(&store, record.facts.id).await, record);
    let alone = stored_dispense(&store, &device_request().facts).await;
    let other = update_of(&alone, DispenseStatus::EnteredInError, at_millis(1));
    assert_applied(&store, &alone, &other).await;
    assert_eq!(waiting(&store).await, [update.event.id, other.event.id].into());
}

/// Whatever refuses it: dispense and request stay as they are, and there is no event.
pub async fn a_refused_change_writes_nothing(store: DispenseWriteStore) {
    let record = stored_request(&store).await;
    let before = stored_dispense(&store, &record.facts).await;
    let mut revoked = device_request();
    revoked.facts.status = DeviceRequestStatus::Revoked;
    put_request(&store, &revoked).await;
    let of_revoked = stored_dispense(&store, &revoked.facts).await;
    let of_nothing = stored_dispense(&store, &device_request().facts).await;
    let sound =
        |dispense: &Dispense, request| signed_change(dispense, &completion(dispense, request, at_millis(1)));
    let mut stranger = before.clone();
    stranger.owner = LegalEntityId::new(fresh());
    let mut of_another = before.clone();
    of_another.subject = Pseudonym::new("P");
    let mut moved = before.clone();
    moved.status = DispenseStatus::Preparation;
    let id = record.facts.id;
    let hidden = ChangeRefusal::NotFound;
    for (change_of_it, refusal) in [
        (Change { id: DispenseId::new(fresh()), ..sound(&before, id) }, hidden(NotVisible::Unknown)),
        (sound(&stranger, id), hidden(NotVisible::OtherLegalEntity)),
        (sound(&of_another, id), hidden(NotVisible::OtherPatient)),
        (sound(&moved, id), ChangeRefusal::CannotBeCompleted(DispenseStatus::InProgress)),
        (sound(&of_revoked, revoked.facts.id), ChangeRefusal::RequestNotActive),
        (sound(&of_nothing, id), ChangeRefusal::RequestNotActive),
    ] {
        assert_eq!(change(&store, &change_of_it).await, Written::Refused(refusal.clone()));
        for dispense in [&before, &of_revoked, &of_nothing] {
            assert_same(&found(&store.dispenses, dispense.id).await, dispense);
        }
        for request in [&record, &revoked] {
            assert_eq!(request_now(&store, request.facts.id).await, *request, "{refusal:?}");
        }
        assert!(waiting(&store).await.is_empty(), "{refusal:?}");
    }
}

/// The rule is given the dispense and its request as they are.
pub async fn a_change_is_decided_on_the_facts(store: DispenseWriteStore) {
    let record = stored_request(&store).await;
    let before = stored_dispense(&store, &record.facts).await;
    let given: Arc<Mutex<Option<DispenseFacts>>> = Arc::default();
    let kept = Arc::clone(&given);
    let decide = move |facts: DispenseFacts| {
        *kept.lock().unwrap() = Some(facts);
        Ok(Err(ChangeRefusal::Mismatch("details")))
    };
    let update = update_of(&before, DispenseStatus::Completed, at_millis(1));
    let asked = Change { decide: Arc::new(decide), by: user(), ..signed_change(&before, &update) };
    assert_eq!(change(&store, &asked).await, Written::Refused(ChangeRefusal::Mismatch("details")));
    let facts = given.lock().unwrap().take().unwrap();
    assert_eq!(facts.request.unwrap().unwrap(), record.facts);
    assert_same(&facts.stored.unwrap().dispense.unwrap(), &before);
}
