//! Stored dispenses, raw, and changes that fit them.

use bson::{Bson, Document, doc, spec::BinarySubtype};
use esoz_device_dispense::{DeviceDispenses, Dispense, DispenseStatus, Pseudonym, Transition};
use esoz_events::{EntityType, StatusChangeEvent};
use esoz_kernel::{
    Committed, DispenseId, EventId, IdGenerator, LegalEntityId, RequestId, Timestamp, UserId, Uuid,
    system::RandomIds,
};

use crate::support::Fresh;

pub(crate) const SUBJECT: &str = "F648B223140145DAB1AAAD13D6E6F40D";

pub(crate) fn fresh_id() -> Uuid {
    RandomIds.fresh()
}

pub(crate) fn binary(uuid: Uuid) -> Bson {
    Bson::Binary(bson::Binary { subtype: BinarySubtype::Uuid, bytes: uuid.as_bytes().to_vec() })
}

pub(crate) fn reference(value: impl Into<Bson>) -> Document {
    doc! { "identifier": { "type": { "coding": [] }, "value": value.into() }, "display_value": Bson::Null }
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A dispense in progress.
pub(crate) fn stored(id: Uuid, owner: impl Into<Bson>) -> Document {
    doc! {
        "_id": binary(id),
        "status": "in_progress",
        "status_history": [],
        "subject": SUBJECT,
        "performer_legal_entity": reference(owner),
    }
}

/// Stopping it.
pub(crate) fn stop(id: Uuid, owner: Uuid) -> Transition {
    let time = at("2026-01-31T08:15:30.123Z");
    let by = UserId::new(fresh_id());
    Transition {
        id: DispenseId::new(id),
        owner: Some(LegalEntityId::new(owner)),
        subject: Some(Pseudonym::new(SUBJECT)),
        inserted_before: None,
        from: vec![DispenseStatus::InProgress],
        to: DispenseStatus::Stopped,
        at: time,
        by,
        event: StatusChangeEvent {
            id: EventId::new(fresh_id()),
            entity_type: EntityType::DEVICE_DISPENSE,
            entity_id: id,
            new_status: "stopped".to_owned(),
            event_time: time,
            changed_by: by,
            request_id: RequestId::parse("$set.of-a-request-id").unwrap(),
            trace: None,
        },
        idempotency: None,
    }
}

/// Stores a dispense and stops it at that time.
pub(crate) async fn stopped_at(fresh: &Fresh, time: Timestamp) -> Transition {
    let (id, owner) = (fresh_id(), fresh_id());
    fresh.documents.insert_one(stored(id, binary(owner))).await.unwrap();
    let mut change = stop(id, owner);
    change.at = time;
    change.event.event_time = time;
    applied(fresh, &change).await;
    change
}

pub(crate) async fn applied(fresh: &Fresh, change: &Transition) -> Dispense {
    match fresh.store.commit(change).await.unwrap() {
        Committed::Applied(dispense) => dispense,
        other => panic!("the change was not applied: {other:?}"),
    }
}

pub(crate) async fn document(fresh: &Fresh, id: Uuid) -> Document {
    fresh.documents.find_one(doc! { "_id": binary(id) }).await.unwrap().unwrap()
}
