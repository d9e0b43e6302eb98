//! Commits transitions: each is one conditional update of one document.

use std::sync::atomic::Ordering;

use bson::{Document, RawDocumentBuf, doc};
use esoz_device_dispense::{Dispense, DispenseStatus, Transition};
use esoz_kernel::{Committed, DispenseId, EventId, StoreError, Uuid};
use mongodb::options::{Collation, Hint, ReturnDocument};
use tokio::time::Instant;

use super::{
    document,
    replay::{Caller, Effect, stored_key},
};
use crate::{
    collections::Collections,
    error::MongoError,
    event,
    fields::{
        CHANGES, COLLECTION, ID, INSERTED_AT, INSERTED_BY, KEYS, KEYS_KEY, OUTBOX_EVENTS, OUTBOX_SINCE,
        OWNER, OWNER_PARENTS, STATUS, STATUS_HISTORY, SUBJECT, UPDATED_AT, UPDATED_BY, pushed_change,
    },
    values::{binary, digest, millis, stored_forms},
};

/// A UUID as text: all lower case or all upper case.
const UUID_TEXT: &str =
    r"^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12})\z";

impl Collections {
    /// Commits one transition.
    ///
    /// One update of one document sets the status and appends the event: no multi-document transaction is needed, and only the named fields
    /// are touched. (Not a pipeline: one that sets a field which a document has twice makes MongoDB 6.0.5 abort.)
    ///
    /// The same update stores the idempotency key in the document, and does not match a document that has the key; the unique index keeps it
    /// out of other documents. The key is looked up afterwards, because few requests are repetitions; without the index it is looked up
    /// before as well, because nothing else finds it in another document.
    pub(crate) async fn commit(&self, transition: &Transition) -> Result<Committed<Dispense>, StoreError> {
        if let Some(idempotency) = &transition.idempotency
            && self.must_look_up_before(transition)
        {
            match self.replay(transition, idempotency).await? {
                Committed::Stale => {}
                known => return Ok(known),
            }
        }
        match (self.compare_and_set(transition).await, &transition.idempotency) {
            (Ok(Some(after)), _) => {
                Effect::of(transition).dispense(&Caller::of(transition), &after).map(Committed::Applied)
            }
            (Ok(None), None) => Ok(Committed::Stale),
            (Ok(None), Some(idempotency)) => self.replay(transition, idempotency).await,
            (Err(error), Some(idempotency)) if error.is_duplicate_key() => {
                self.replay(transition, idempotency).await
            }
            (Err(error), _) if error.is_wrong_type() => Err(self.wrong_type(transition, &error).await),
            (Err(error), _) => Err(failed(transition, &error)),
        }
    }

    /// Whether the idempotency key must be looked up before the update: no unique index keeps it out of other documents.
    pub(crate) fn must_look_up_before(&self, transition: &Transition) -> bool {
        transition.idempotency.is_some() && !self.is_key_unique()
    }

    /// Whether the unique index on keys is known to exist.
    pub(crate) fn is_key_unique(&self) -> bool {
        self.has_unique_key.load(Ordering::Relaxed)
    }

    /// Updates the document if it meets the conditions; returns the document after it.
    async fn compare_and_set(&self, transition: &Transition) -> Result<Option<RawDocumentBuf>, MongoError> {
        match self.update(transition, filter(transition), appending(transition)).await {
            // Nothing was written: most likely the history is null.
            Err(error) if error.is_wrong_type() => {}
            answer => return answer,
        }
        let mut without_history = filter(transition);
        without_history.insert(STATUS_HISTORY, doc! { "$type": "null" });
        let started = self.update(transition, without_history, starting(transition)).await?;
        if started.is_some() {
            return Ok(started);
        }
        // Either a concurrent change came first, or another field has the wrong type: the first update tells which.
        self.update(transition, filter(transition), appending(transition)).await
    }

    async fn update(
        &self,
        transition: &Transition,
        filter: Document,
        update: Document,
    ) -> Result<Option<RawDocumentBuf>, MongoError> {
        self.update_dispense(transition.id, transition.event.id, (filter, update), self.deadline()).await
    }

    /// Updates a dispense if it meets the conditions; returns it as it is then. The update adds the id of the event to those of the changes.
    pub(crate) async fn update_dispense(
        &self,
        id: DispenseId,
        event: EventId,
        (filter, update): (Document, Document),
        deadline: Instant,
    ) -> Result<Option<RawDocumentBuf>, MongoError> {
        let update = self
            .dispenses
            .find_one_and_update(filter, update)
            .collation(simple())
            .return_document(ReturnDocument::After)
            .hint(by_id())
            .max_time(self.operation_timeout);
        match self.until(deadline, update).await {
            // The document has text that is not UTF-8, which this driver refuses in the reply to an update, but not in what `find` returns. If
            // the update was applied, the document has its id.
            Err(error) if error.is_unreadable_answer() => {
                let found = self.find(id).await?;
                found.filter(|found| document::has_change(found, event)).ok_or(error).map(Some)
            }
            answer => answer,
        }
    }

    /// Names the field whose type the update cannot write to.
    async fn wrong_type(&self, transition: &Transition, error: &MongoError) -> StoreError {
        let failed = failed(transition, error);
        match self.find(transition.id).await {
            Ok(Some(document)) => match document::unwritable_field(&document) {
                Some(field) => StoreError::corrupt(COLLECTION, transition.id, field).because(failed),
                None => failed,
            },
            _ => failed,
        }
    }
}

pub(crate) fn attempted(transition: &Transition) -> String {
    format!("changing the status of dispense {}", transition.id)
}

/// The failure of a transition.
pub(crate) fn failed(transition: &Transition, error: &MongoError) -> StoreError {
    error.during(attempted(transition))
}

/// The collation of every condition, whatever the collection's own: binary comparison.
pub(crate) const SIMPLE: &str = "simple";

/// The same for the driver.
pub(crate) fn simple() -> Collation {
    Collation::builder().locale(SIMPLE).build()
}

/// The hint for updates by id. Without it the server compares plans by other indexes, or uses one of them.
pub(crate) fn by_id() -> Hint {
    Hint::Keys(doc! { ID: 1 })
}

/// The filter for the conditions of the transition.
///
/// Arrays are excluded: a filter by value or by type also matches an array that contains such a value. A filter by value alone also matches a
/// symbol of the same text.
pub(crate) fn filter(transition: &Transition) -> Document {
    let mut filter = doc! { ID: binary(transition.id.uuid()), STATUS: one_of(&transition.from) };
    let subject =
        transition.subject.as_ref().map(|subject| doc! { "$eq": subject.expose(), "$type": "string" });
    filter.insert(SUBJECT, no_array(subject.unwrap_or_else(|| doc! { "$type": "string" })));
    for parent in OWNER_PARENTS {
        filter.insert(parent, no_array(doc! {}));
    }
    if let Some(owner) = transition.owner {
        let owners = stored_forms(owner.uuid());
        filter.insert(OWNER, no_array(doc! { "$in": owners, "$type": ["string", "binData"] }));
    } else {
        // Any owner, but one that can be decoded afterwards.
        let binary = doc! { "$gte": binary(Uuid::nil()), "$lte": binary(Uuid::max()) };
        let text = doc! { "$type": "string", "$regex": UUID_TEXT };
        filter.insert("$or", [doc! { OWNER: no_array(binary) }, doc! { OWNER: no_array(text) }].to_vec());
    }
    if let Some(limit) = transition.inserted_before {
        filter.insert(INSERTED_AT, no_array(doc! { "$lt": millis(limit) }));
    }
    if let Some(idempotency) = &transition.idempotency {
        filter.insert(KEYS_KEY, doc! { "$ne": digest(idempotency.key()) });
    }
    filter
}

/// The condition that a status is one of these, in any of its spellings.
pub(crate) fn one_of(statuses: &[DispenseStatus]) -> Document {
    let spellings: Vec<&str> = statuses.iter().flat_map(|status| status.spellings()).copied().collect();
    no_array(doc! { "$in": spellings, "$type": "string" })
}

pub(crate) fn no_array(mut condition: Document) -> Document {
    condition.insert("$not", doc! { "$type": "array" });
    condition
}

/// Appends to the history, or starts it when the field is not there.
pub(crate) fn appending(transition: &Transition) -> Document {
    let mut pushed = pushing(transition);
    pushed.insert(STATUS_HISTORY, history_entry(transition));
    updating(transition, doc! {}, pushed)
}

/// Starts the history where the field is null.
fn starting(transition: &Transition) -> Document {
    updating(transition, doc! { STATUS_HISTORY: [history_entry(transition)] }, pushing(transition))
}

/// The event, its id among those of the most recent transitions, and the idempotency key if there is one.
fn pushing(transition: &Transition) -> Document {
    let mut pushed = doc! {
        OUTBOX_EVENTS: event::stored(&transition.event),
        CHANGES: pushed_change(transition.event.id),
    };
    if let Some(idempotency) = &transition.idempotency {
        pushed.insert(KEYS, stored_key(Effect::of(transition), idempotency));
    }
    pushed
}

fn updating(transition: &Transition, mut fields: Document, pushed: Document) -> Document {
    fields.insert(STATUS, transition.to.as_str());
    fields.insert(UPDATED_AT, millis(transition.at));
    fields.insert(UPDATED_BY, binary(transition.by.uuid()));
    // Sets the time of the oldest waiting event if there was none.
    let since = doc! { OUTBOX_SINCE: millis(transition.event.event_time) };
    doc! { "$set": fields, "$min": since, "$push": pushed }
}

fn history_entry(transition: &Transition) -> Document {
    doc! {
        STATUS: transition.to.as_str(),
        INSERTED_AT: millis(transition.at),
        INSERTED_BY: binary(transition.by.uuid()),
    }
}
