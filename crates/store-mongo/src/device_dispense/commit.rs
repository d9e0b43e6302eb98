use async_trait::async_trait;
use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_batch::Dropped;
use esoz_device_dispense::{DeviceDispenses, Dispense, Transition};
use esoz_kernel::{Committed, DispenseId, StoreError, StoreErrorKind};
use mongodb::options::ReturnDocument;

use crate::{
    MongoStore, bson_to_json,
    collections::{Collections, binary, digest, millis},
    decode, encode,
    error::Fault,
    fields::{
        COLLECTION, ID, INSERTED_AT, INSERTED_BY, KEYS, KEYS_KEY, OUTBOX_EVENTS, OUTBOX_SINCE, OWNER, STATUS,
        STATUS_HISTORY, SUBJECT, UPDATED_AT, UPDATED_BY,
    },
};

#[async_trait]
impl DeviceDispenses for MongoStore {
    async fn find(&self, id: DispenseId) -> Result<Option<Dispense>, StoreError> {
        let documents = &self.documents;
        let find = documents.dispenses().find_one(doc! { ID: binary(id.uuid()) });
        let find = find.max_time(documents.operation_timeout());
        let found =
            documents.limited(find).await.map_err(|fault| fault.during(format!("finding dispense {id}")))?;
        found.map(|document| decode::dispense(id, &document)).transpose()
    }

    /// Alone, or with others that wait at the same time.
    async fn commit(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        self.changes.run(change).await.unwrap_or_else(|missed| {
            let kind = match missed {
                Dropped::QueueTimeout => StoreErrorKind::Unavailable,
                Dropped::Aborted => StoreErrorKind::Unexpected,
            };
            Err(StoreError::new(kind, attempted(change)).because(missed))
        })
    }
}

impl Collections {
    /// Makes one change.
    ///
    /// One update of one document, which sets the status and appends the event: no transaction is needed, and only the
    /// named fields are touched. (Not a pipeline: one that sets a field which a document has twice makes MongoDB 6.0.5
    /// abort.)
    ///
    /// A key is kept in the same document by the same update, which passes over a document that has the key; that no
    /// other document has it, the unique index sees to. The key is looked up afterwards, for few requests are repetitions;
    /// without that index it is looked up before as well, for then nothing else tells that another document has it.
    pub(crate) async fn change(&self, change: &Transition) -> Result<Committed<Dispense>, StoreError> {
        if let Some(idempotency) = &change.idempotency
            && self.must_look_up_before(change)
        {
            match self.replay(change, idempotency).await? {
                Committed::Stale => {}
                known => return Ok(known),
            }
        }
        match (self.offer(change).await, &change.idempotency) {
            (Ok(Some(after)), _) => {
                decode::committed(change, change.to, &after, bson_to_json::record(&after))
                    .map(Committed::Applied)
            }
            (Ok(None), None) => Ok(Committed::Stale),
            (Ok(None), Some(idempotency)) => self.replay(change, idempotency).await,
            (Err(fault), Some(idempotency)) if fault.is_duplicate_key() => {
                self.replay(change, idempotency).await
            }
            // A history, the outbox or the keys are no array.
            (Err(fault), _) if fault.is_bad_value() => {
                let failed = failed(change, &fault);
                Err(StoreError::corrupt(COLLECTION, change.id, STATUS_HISTORY).because(failed))
            }
            (Err(fault), _) => Err(failed(change, &fault)),
        }
    }

    /// Whether nothing else than a look beforehand tells that another document has the key of this change.
    pub(crate) fn must_look_up_before(&self, change: &Transition) -> bool {
        change.idempotency.is_some() && !self.has_unique_key()
    }

    /// Makes the change, if the document is as the change expects it, and gives the document after it.
    async fn offer(&self, change: &Transition) -> Result<Option<RawDocumentBuf>, Fault> {
        match self.update(change, expected(change), appending(change)).await {
            // Nothing was written: the history is no array.
            Err(fault) if fault.is_bad_value() => {}
            answer => return answer,
        }
        let mut without_history = expected(change);
        without_history.insert(STATUS_HISTORY, doc! { "$type": "null" });
        let started = self.update(change, without_history, starting(change)).await?;
        if started.is_some() {
            return Ok(started);
        }
        // Either somebody else has changed it in between, and the first update now tells how it stands; or the history
        // is something else altogether.
        self.update(change, expected(change), appending(change)).await
    }

    async fn update(
        &self,
        change: &Transition,
        expected: Document,
        update: Document,
    ) -> Result<Option<RawDocumentBuf>, Fault> {
        let update = self
            .dispenses()
            .find_one_and_update(expected, update)
            .return_document(ReturnDocument::After)
            .max_time(self.operation_timeout());
        match self.limited(update).await {
            Err(fault) if fault.is_unreadable_answer() => {
                self.applied_all_the_same(change).await?.ok_or(fault).map(Some)
            }
            answer => answer,
        }
    }

    /// An answer that cannot be read holds a document with text in it that is no UTF-8, as some old drivers wrote: the
    /// driver wants the whole of it to be well-formed. The change is committed all the same, and documents that are
    /// found need not be well-formed.
    async fn applied_all_the_same(&self, change: &Transition) -> Result<Option<RawDocumentBuf>, Fault> {
        let changed = doc! {
            ID: binary(change.id.uuid()),
            STATUS: change.to.as_str(),
            UPDATED_AT: millis(change.at),
            UPDATED_BY: binary(change.by.uuid()),
        };
        self.limited(self.dispenses().find_one(changed).max_time(self.operation_timeout())).await
    }
}

fn attempted(change: &Transition) -> String {
    format!("changing the status of dispense {}", change.id)
}

/// The failure of a change.
pub(crate) fn failed(change: &Transition, fault: &Fault) -> StoreError {
    fault.during(attempted(change))
}

/// The dispense as the change expects it.
pub(crate) fn expected(change: &Transition) -> Document {
    let statuses: Vec<&str> = change.from.spellings().collect();
    let mut expected = doc! { ID: binary(change.id.uuid()), STATUS: { "$in": statuses } };
    if let Some(subject) = &change.subject {
        expected.insert(SUBJECT, subject.expose());
    }
    if let Some(owner) = change.owner {
        let mut owners = vec![binary(owner.uuid())];
        owners.extend(decode::spellings(owner.uuid()).map(Bson::String));
        expected.insert(OWNER, doc! { "$in": owners });
    }
    if let Some(idempotency) = &change.idempotency {
        expected.insert(KEYS_KEY, doc! { "$ne": digest(idempotency.key()) });
    }
    expected
}

/// Appends to the history, or starts it when the field is not there.
pub(crate) fn appending(change: &Transition) -> Document {
    let mut update = setting(change, doc! {});
    let mut pushed = pushing(change);
    pushed.insert(STATUS_HISTORY, history_entry(change));
    update.insert("$push", pushed);
    update
}

/// Starts the history where the field is null.
fn starting(change: &Transition) -> Document {
    let mut update = setting(change, doc! { STATUS_HISTORY: [history_entry(change)] });
    update.insert("$push", pushing(change));
    update
}

/// The event, and the key if there is one.
fn pushing(change: &Transition) -> Document {
    let mut pushed = doc! { OUTBOX_EVENTS: encode::event(&change.event) };
    if let Some(idempotency) = &change.idempotency {
        pushed.insert(KEYS, encode::key(change, idempotency));
    }
    pushed
}

fn setting(change: &Transition, mut fields: Document) -> Document {
    fields.insert(STATUS, change.to.as_str());
    fields.insert(UPDATED_AT, millis(change.at));
    fields.insert(UPDATED_BY, binary(change.by.uuid()));
    // Sets the time from which events wait when none was waiting.
    doc! { "$set": fields, "$min": { OUTBOX_SINCE: millis(change.event.event_time) } }
}

fn history_entry(change: &Transition) -> Document {
    doc! {
        STATUS: change.to.as_str(),
        INSERTED_AT: millis(change.at),
        INSERTED_BY: binary(change.by.uuid()),
    }
}
