use async_trait::async_trait;
use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_batch::Dropped;
use esoz_device_dispense::{Changed, DeviceDispenses, Dispense, StatusChange};
use esoz_kernel::{DispenseId, StoreError, StoreErrorKind};
use mongodb::options::ReturnDocument;

use crate::{
    MongoStore, decode,
    documents::{Documents, binary, digest, millis},
    encode,
    error::Fault,
    fields::{
        COLLECTION, ID, INSERTED_AT, INSERTED_BY, KEYS, KEYS_KEY, OUTBOX_EVENTS, OUTBOX_SINCE, OWNER, STATUS,
        STATUS_HISTORY, SUBJECT, UPDATED_AT, UPDATED_BY,
    },
    render,
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
    async fn change_status(&self, change: &StatusChange) -> Result<Changed, StoreError> {
        self.changes.run(change).await.unwrap_or_else(|missed| {
            let kind = match missed {
                Dropped::QueueTimeout => StoreErrorKind::Unavailable,
                Dropped::Aborted => StoreErrorKind::Unexpected,
            };
            Err(StoreError::new(kind, attempted(change)).because(missed))
        })
    }
}

impl Documents {
    /// Makes one change.
    ///
    /// One update of one document, which sets the status and appends the event: no transaction is needed, and only the
    /// named fields are touched. (Not a pipeline: one that sets a field which a document has twice makes MongoDB 6.0.5
    /// abort.)
    ///
    /// A key is kept in the same document by the same update, which passes over a document that has the key; that no
    /// other document has it, the unique index sees to. The key is looked up afterwards, for few requests are repetitions;
    /// without that index it is looked up before as well, for then nothing else tells that another document has it.
    pub(crate) async fn change(&self, change: &StatusChange) -> Result<Changed, StoreError> {
        if let Some(idempotency) = &change.idempotency
            && self.must_look_up_before(change)
        {
            match self.replay(change, idempotency).await? {
                Changed::Stale => {}
                known => return Ok(known),
            }
        }
        match (self.offer(change).await, &change.idempotency) {
            (Ok(Changed::Stale), Some(idempotency)) => self.replay(change, idempotency).await,
            (Err(fault), Some(idempotency)) if fault.is_duplicate_key() => {
                self.replay(change, idempotency).await
            }
            // A history, the outbox or the keys are no array.
            (Err(fault), _) if fault.is_bad_value() => {
                let failed = failed(change, &fault);
                Err(StoreError::corrupt(COLLECTION, change.id, STATUS_HISTORY).because(failed))
            }
            (answer, _) => answer.map_err(|fault| failed(change, &fault)),
        }
    }

    /// Whether nothing else than a look beforehand tells that another document has the key of this change.
    pub(crate) fn must_look_up_before(&self, change: &StatusChange) -> bool {
        change.idempotency.is_some() && !self.has_unique_key()
    }

    /// Makes the change, if the document is as the change expects it.
    async fn offer(&self, change: &StatusChange) -> Result<Changed, Fault> {
        match self.update(change, expected(change), appending(change)).await {
            // Nothing was written: the history is no array.
            Err(fault) if fault.is_bad_value() => {}
            answer => return answer,
        }
        let mut without_history = expected(change);
        without_history.insert(STATUS_HISTORY, doc! { "$type": "null" });
        let started = self.update(change, without_history, starting(change)).await?;
        if matches!(started, Changed::Applied(_)) {
            return Ok(started);
        }
        // Either somebody else has changed it in between, and the first update now tells how it stands; or the history
        // is something else altogether.
        self.update(change, expected(change), appending(change)).await
    }

    async fn update(
        &self,
        change: &StatusChange,
        expected: Document,
        update: Document,
    ) -> Result<Changed, Fault> {
        let update = self
            .dispenses()
            .find_one_and_update(expected, update)
            .return_document(ReturnDocument::After)
            .max_time(self.operation_timeout());
        match self.limited(update).await {
            Err(fault) if fault.is_unreadable_answer() => {
                self.applied_all_the_same(change).await?.ok_or(fault)
            }
            answer => answer.map(|after| outcome(change, after)),
        }
    }

    /// An answer that cannot be read holds a document with text in it that is no UTF-8, as some old drivers wrote: the
    /// driver wants the whole of it to be well-formed. The change is committed all the same, and documents that are
    /// found need not be well-formed.
    async fn applied_all_the_same(&self, change: &StatusChange) -> Result<Option<Changed>, Fault> {
        let changed = doc! {
            ID: binary(change.id.uuid()),
            STATUS: change.to.as_str(),
            UPDATED_AT: millis(change.at),
            UPDATED_BY: binary(change.by.uuid()),
        };
        let find = self.dispenses().find_one(changed).max_time(self.operation_timeout());
        Ok(self.limited(find).await?.map(|after| outcome(change, Some(after))))
    }
}

fn attempted(change: &StatusChange) -> String {
    format!("changing the status of dispense {}", change.id)
}

/// The failure of a change.
pub(crate) fn failed(change: &StatusChange, fault: &Fault) -> StoreError {
    fault.during(attempted(change))
}

/// What became of the change. Nothing is read strictly here: the change is committed, and what rules read is known.
fn outcome(change: &StatusChange, after: Option<RawDocumentBuf>) -> Changed {
    let Some(after) = after else { return Changed::Stale };
    Changed::Applied(Dispense {
        id: change.id,
        status: change.to,
        subject: change.subject.clone(),
        owner: change.owner,
        record: render::record(&after),
    })
}

/// The dispense as the change expects it.
pub(crate) fn expected(change: &StatusChange) -> Document {
    let owner = change.owner.uuid();
    let mut owners = vec![binary(owner)];
    owners.extend(decode::spellings(owner).map(Bson::String));
    let mut expected = doc! {
        ID: binary(change.id.uuid()),
        STATUS: change.from.as_str(),
        SUBJECT: change.subject.expose(),
        OWNER: { "$in": owners },
    };
    if let Some(idempotency) = &change.idempotency {
        expected.insert(KEYS_KEY, doc! { "$ne": digest(idempotency.key()) });
    }
    expected
}

/// Appends to the history, or starts it when the field is not there.
pub(crate) fn appending(change: &StatusChange) -> Document {
    let mut update = setting(change, doc! {});
    let mut pushed = pushing(change);
    pushed.insert(STATUS_HISTORY, history_entry(change));
    update.insert("$push", pushed);
    update
}

/// Starts the history where the field is null.
fn starting(change: &StatusChange) -> Document {
    let mut update = setting(change, doc! { STATUS_HISTORY: [history_entry(change)] });
    update.insert("$push", pushing(change));
    update
}

/// The event, and the key if there is one.
fn pushing(change: &StatusChange) -> Document {
    let mut pushed = doc! { OUTBOX_EVENTS: encode::event(&change.event) };
    if let Some(idempotency) = &change.idempotency {
        pushed.insert(KEYS, encode::key(change, idempotency));
    }
    pushed
}

fn setting(change: &StatusChange, mut fields: Document) -> Document {
    fields.insert(STATUS, change.to.as_str());
    fields.insert(UPDATED_AT, millis(change.at));
    fields.insert(UPDATED_BY, binary(change.by.uuid()));
    // Sets the time from which events wait when none was waiting.
    doc! { "$set": fields, "$min": { OUTBOX_SINCE: millis(change.event.event_time) } }
}

fn history_entry(change: &StatusChange) -> Document {
    doc! {
        STATUS: change.to.as_str(),
        INSERTED_AT: millis(change.at),
        INSERTED_BY: binary(change.by.uuid()),
    }
}
