//! The stop of a dispense as MongoDB is told of it, in the form that the server stores.

use bson::spec::BinarySubtype;
use bson::{Bson, Document, doc};
use esoz_kernel::{Clock as _, Uuid, system::SystemClock};

use crate::ids::{Numbered, id};
use crate::job::StopWork;

/// One conditional update that sets the status, appends to the history, puts the event into the document and keeps its id among those of the
/// latest changes.
pub(super) struct Stop {
    pub(super) id: Uuid,
    pub(super) event: Uuid,
    pub(super) expected: Document,
    pub(super) update: Document,
}

impl Stop {
    pub(super) fn of(work: &StopWork, turn: u64) -> Self {
        let dispense = work.dispense(turn);
        let event = id(Numbered::Event, work.base + turn);
        let now = bson::DateTime::from_millis(SystemClock.now().as_millisecond());
        let by = binary(work.user);
        let owners = vec![binary(work.owner), Bson::String(work.owner.to_string())];
        let expected = doc! {
            "_id": binary(dispense),
            "status": "in_progress",
            "subject": &work.subject,
            "performer_legal_entity.identifier.value": { "$in": owners },
        };
        let update = doc! {
            "$set": { "status": "stopped", "updated_at": now, "updated_by": by.clone() },
            "$min": { "esoz_outbox.since": now },
            "$push": {
                "esoz_changes": { "$each": [binary(event)], "$slice": -8 },
                "esoz_outbox.events": {
                    "id": binary(event),
                    "entity_type": "DeviceDispense",
                    "new_status": "stopped",
                    "event_time": now,
                    "changed_by": by.clone(),
                    "request_id": event.to_string(),
                },
                "status_history": { "status": "stopped", "inserted_at": now, "inserted_by": by },
            },
        };
        Self { id: dispense, event, expected, update }
    }
}

/// A UUID as the server stores it.
pub(crate) fn binary(id: Uuid) -> Bson {
    Bson::Binary(bson::Binary { subtype: BinarySubtype::Uuid, bytes: id.as_bytes().to_vec() })
}
