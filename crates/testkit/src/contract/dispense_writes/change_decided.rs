use std::sync::Arc;

use esoz_device_dispense::{ChangeRefusal, DeviceRequestStatus, DispenseStatus, NotVisible};
use esoz_kernel::Written;
use serde_json::json;

use super::super::DispenseWriteStore;
use super::super::dispenses::{assert_same, found};
use super::fixtures::{
    completion, expected_after, give_away, having_decided, put_request, request_now, stored_dispense,
    stored_request, waiting,
};
use crate::builders::{at_millis, change_of, signed_change, update_of};

/// Writes the decision made before the write, without deciding again, while dispense and request are unchanged.
pub async fn a_change_that_was_decided_is_written(store: DispenseWriteStore) {
    let record = stored_request(&store).await;
    let before = stored_dispense(&store, &record.facts).await;
    let update = completion(&before, record.facts.id, at_millis(1));
    let mut decided = having_decided(&store, signed_change(&before, &update)).await;
    decided.decide = Arc::new(|_| Ok(Err(ChangeRefusal::SignedStatus)));
    // It happens when it was decided, not when it was asked for.
    decided.at = at_millis(0);
    let after = store.writes.change(&decided).await.unwrap();
    assert_eq!(after, Written::Applied(expected_after(&before, &update)));
    assert_eq!(request_now(&store, record.facts.id).await.facts.status, DeviceRequestStatus::Completed);
    let events = [update.event.id].into_iter().chain(update.completed_request.map(|event| event.id));
    assert_eq!(waiting(&store).await, events.collect());
}

/// Rejects a stale decision (optimistic concurrency control): after a concurrent write the rules decide on the current dispense and request.
pub async fn a_change_that_no_longer_holds_is_decided_anew(store: DispenseWriteStore) {
    let other_owner = ChangeRefusal::NotFound(NotVisible::OtherLegalEntity);
    let other_patient = ChangeRefusal::NotFound(NotVisible::OtherPatient);
    let stopped = ChangeRefusal::CannotBeCompleted(DispenseStatus::Stopped);
    for (since, refusal) in [
        ("performer_legal_entity", other_owner),
        ("subject", other_patient),
        ("stop", stopped),
        ("revocation", ChangeRefusal::RequestNotActive),
    ] {
        let mut record = stored_request(&store).await;
        let before = stored_dispense(&store, &record.facts).await;
        let update = completion(&before, record.facts.id, at_millis(1));
        let decided = having_decided(&store, signed_change(&before, &update)).await;
        match since {
            "stop" => {
                let stop = change_of(&before, DispenseStatus::Stopped, at_millis(2));
                store.dispenses.dispenses.commit(&stop).await.unwrap();
            }
            "revocation" => {
                record.facts.status = DeviceRequestStatus::Revoked;
                put_request(&store, &record).await;
            }
            field => drop(give_away(&store.dispenses, &before, field).await),
        }
        let there = found(&store.dispenses, before.id).await;
        let events = waiting(&store).await;
        assert_eq!(store.writes.change(&decided).await.unwrap(), Written::Refused(refusal), "{since}");
        assert_same(&found(&store.dispenses, before.id).await, &there);
        assert_eq!(request_now(&store, record.facts.id).await, record, "{since}");
        assert_eq!(waiting(&store).await, events, "{since}");
    }
}

/// Retries a stale decision that is still allowed, and keeps the concurrent write: no lost update.
pub async fn a_change_keeps_what_was_written_since_it_was_decided(store: DispenseWriteStore) {
    let request = stored_request(&store).await.facts;
    let before = stored_dispense(&store, &request).await;
    let update = update_of(&before, DispenseStatus::EnteredInError, at_millis(1));
    let mut decided = having_decided(&store, signed_change(&before, &update)).await;
    decided.at = at_millis(0);
    for (field, value) in [("note", "written since"), ("updated_at", "2026-01-31T10:00:00.000Z")] {
        store.dispenses.raw.set_field(before.id, field, json!(value)).await;
    }
    let there = found(&store.dispenses, before.id).await;
    assert_eq!(there.record["note"], "written since");
    let after = store.writes.change(&decided).await.unwrap();
    assert_eq!(after, Written::Applied(expected_after(&there, &update)));
    assert_same(&found(&store.dispenses, before.id).await, &expected_after(&there, &update));
}
