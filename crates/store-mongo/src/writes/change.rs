//! Changes a dispense by a signed document: one update of the dispense, or a transaction that updates the request as well.

use std::sync::Arc;

use bson::{Bson, Document, RawBsonRef, RawDocument, doc};
use esoz_device_dispense::{
    Change, ChangeRefusal, Dispense, DispenseFacts, DispenseUpdate, DispenseWrites as _, is_internal,
};
use esoz_events::StatusChangeEvent;
use esoz_kernel::{DispenseId, Replay, StoreError, StoreErrorKind, Timestamp, Written};

use super::{
    Attempts,
    commit::{DispenseWrite, Write},
    compared::Compared,
    facts::{DispenseAndRequest, DispenseLookup},
    of_another_store, touch_request,
    transaction::{NotCommitted, Update},
};
use crate::{
    MongoStore,
    device_dispense::{
        before, document,
        replay::{Caller, Effect, stored_key},
    },
    device_request::document::COMPLETED,
    error::MongoError,
    event,
    fields::{
        BEFORE, CHANGES, COLLECTION, INSERTED_AT, INSERTED_BY, KEYS, KEYS_KEY, OUTBOX_EVENTS, OUTBOX_SINCE,
        REQUESTS, SIGNED_CONTENT_LINKS, STATUS, STATUS_HISTORY, STATUS_REASON, UPDATED_AT, UPDATED_BY,
        pushed_change,
    },
    reads::read_alone,
    values::{binary, digest, millis},
};

impl MongoStore {
    /// Changes a dispense by the decision made before the write; retries with a new decision when a concurrent write was faster.
    pub(super) async fn change_dispense(
        &self,
        change: &Change,
    ) -> Result<Written<Dispense, ChangeRefusal>, StoreError> {
        let attempted = format!("changing dispense {} by a signed document", change.id);
        let documents = &self.documents;
        let mut attempts = Attempts::new(documents);
        let mut decided = change.decided.clone();
        loop {
            if !documents.is_key_unique()
                && let Some(known) = self.first_answer_for(change).await?
            {
                return Ok(known.into());
            }
            let (basis, update) = if let Some(decided) = decided.take() {
                decided
            } else {
                match self.facts_for(change.id, &attempts).await?.decide(&change.decide)? {
                    Ok(decided) => decided,
                    Err(refusal) => {
                        let known = self.first_answer_for(change).await?;
                        return Ok(known.map_or(Written::Refused(refusal), Written::from));
                    }
                }
            };
            let found = basis.get().ok_or_else(|| of_another_store(&attempted))?;
            let effect = effect(change, &update);
            let writes = ChangePlan::new(change, found, &update, &attempted)?;
            let written = match writes {
                ChangePlan::Dispense(Update { conditions, update: set }) => {
                    let after = documents
                        .update_dispense(change.id, update.event.id, (conditions, set), attempts.deadline)
                        .await;
                    after
                        .map_err(NotCommitted::from)
                        .and_then(|after| after.ok_or(NotCommitted::Overtaken(None)))
                }
                ChangePlan::Both { dispense, request } => {
                    let dispense = DispenseWrite::Changed(dispense);
                    let write = Write {
                        id: change.id,
                        request: Some(request),
                        dispense,
                        deadline: attempts.deadline,
                    };
                    let after = self.write(&attempts, &Arc::new(write)).await;
                    let after = after.map_err(|dropped| dropped.during(&attempted))?;
                    // The commit is known, and the dispense is not.
                    after.and_then(|after| after.ok_or(NotCommitted::Unknown(MongoError::MalformedReply)))
                }
            };
            let last = match written {
                Ok(after) => return effect.dispense(&caller(change), &after).map(Written::Applied),
                Err(NotCommitted::Overtaken(error)) => error,
                Err(NotCommitted::Duplicate) => None,
                Err(NotCommitted::Failed(error)) => return Err(error.during(attempted)),
                Err(NotCommitted::Unknown(error)) => {
                    let found = documents.committed(change.id, update.event.id, (&attempted, &error)).await?;
                    return effect.dispense(&caller(change), &found).map(Written::Applied);
                }
            };
            // Another request under the same key may have been what came first.
            if let Some(known) = self.first_answer_for(change).await? {
                return Ok(known.into());
            }
            attempts.next(&attempted, last).await?;
        }
    }

    async fn facts_for(&self, id: DispenseId, attempts: &Attempts) -> Result<DispenseFacts, StoreError> {
        if attempts.is_first() {
            return self.facts(id).await;
        }
        read_alone::<DispenseLookup>(&self.documents, &id, attempts.deadline).await?.facts(id)
    }

    async fn first_answer_for(&self, change: &Change) -> Result<Option<Replay<Dispense>>, StoreError> {
        match &change.idempotency {
            Some(idempotency) => self.documents.first_answer(&caller(change), idempotency).await,
            None => Ok(None),
        }
    }
}

fn caller(change: &Change) -> Caller<'_> {
    Caller { id: change.id, owner: Some(change.owner), subject: Some(&change.subject), at: change.at }
}

/// What the first answer is rebuilt from.
fn effect(change: &Change, update: &DispenseUpdate) -> Effect {
    Effect { status: update.to, at: update.at(), by: change.by }
}

/// The updates.
enum ChangePlan {
    Dispense(Update),
    Both { dispense: Update, request: Update },
}

impl ChangePlan {
    fn new(
        change: &Change,
        found: &DispenseAndRequest,
        update: &DispenseUpdate,
        attempted: &str,
    ) -> Result<Self, StoreError> {
        let missing = |what: &str| {
            StoreError::new(StoreErrorKind::Unexpected, attempted)
                .because(format!("there is no {what} to change"))
        };
        let dispense = found.dispense.as_deref().ok_or_else(|| missing("dispense"))?;
        let request = match (&update.completed_request, &found.request) {
            (None, Some(request)) if update.is_request_compared => {
                let conditions = Compared::REQUEST.conditions(request)?;
                Some(Update { conditions, update: touch_request(update.event.id) })
            }
            (None, _) => None,
            (Some(event), Some(request)) => Some(completing(change, update.at(), event, request)?),
            (Some(_), None) => return Err(missing("device request")),
        };
        let dispense = changing(change, update, dispense)?;
        Ok(match request {
            Some(request) => Self::Both { dispense, request },
            None => Self::Dispense(dispense),
        })
    }
}

/// The update of a request whose dispense is completed.
fn completing(
    change: &Change,
    at: Timestamp,
    event: &StatusChangeEvent,
    request: &RawDocument,
) -> Result<Update, StoreError> {
    if let Some(field) = document::unwritable_field(request).filter(|field| *field != STATUS_HISTORY) {
        return Err(StoreError::corrupt(REQUESTS, event.entity_id, field));
    }
    let set = doc! { STATUS: COMPLETED, UPDATED_AT: millis(at), UPDATED_BY: binary(change.by.uuid()) };
    let conditions = Compared::REQUEST.conditions(request)?;
    Ok(Update { conditions, update: update_of(set, event, Document::new()) })
}

/// The update of the dispense.
fn changing(change: &Change, update: &DispenseUpdate, dispense: &RawDocument) -> Result<Update, StoreError> {
    let corrupt = |field: &str| StoreError::corrupt(COLLECTION, change.id, field);
    if let Some(field) = document::unwritable_field(dispense) {
        return Err(corrupt(field));
    }
    let mut conditions = Compared::DISPENSE.conditions(dispense)?;
    let (mut set, mut push) = (Document::new(), Document::new());
    for (name, value) in update.set.iter().filter(|(name, _)| !is_internal(name)) {
        set.insert(name, stored(name, value)?);
    }
    let mut entry = doc! {
        STATUS: update.to.as_str(),
        INSERTED_AT: millis(update.at()),
        INSERTED_BY: binary(change.by.uuid()),
    };
    if let Some(reason) = &update.reason {
        let reason = stored(STATUS_REASON, reason)?;
        entry.insert(STATUS_REASON, reason.clone());
        set.insert(STATUS_REASON, reason);
    }
    for (list, item) in
        [(STATUS_HISTORY, Bson::from(entry)), (SIGNED_CONTENT_LINKS, update.link.as_str().into())]
    {
        match dispense.get(list) {
            Ok(None | Some(RawBsonRef::Array(_))) => {
                push.insert(list, item);
            }
            Ok(Some(RawBsonRef::Null)) => {
                conditions.insert(list, doc! { "$type": "null" });
                set.insert(list, [item].to_vec());
            }
            _ => return Err(corrupt(list)),
        }
    }
    let mut overwritten: Vec<&str> = set.keys().map(String::as_str).chain([SIGNED_CONTENT_LINKS]).collect();
    overwritten.retain(|field| *field != STATUS_HISTORY);
    overwritten.dedup();
    if let Some(before) = before::kept(dispense, &overwritten) {
        push.insert(BEFORE, before);
    }
    if let Some(idempotency) = &change.idempotency {
        conditions.insert(KEYS_KEY, doc! { "$ne": digest(idempotency.key()) });
        push.insert(KEYS, stored_key(effect(change, update), idempotency));
    }
    set.insert(STATUS, update.to.as_str());
    set.insert(UPDATED_AT, millis(update.at()));
    set.insert(UPDATED_BY, binary(change.by.uuid()));
    Ok(Update { conditions, update: update_of(set, &update.event, push) })
}

/// An update with its event, whose id becomes one of those of the most recent changes.
fn update_of(set: Document, event: &StatusChangeEvent, mut push: Document) -> Document {
    push.insert(OUTBOX_EVENTS, event::stored(event));
    push.insert(CHANGES, pushed_change(event.id));
    doc! { "$set": set, "$min": { OUTBOX_SINCE: millis(event.event_time) }, "$push": push }
}

/// Encodes a field of the record.
fn stored(name: &str, value: &serde_json::Value) -> Result<Bson, StoreError> {
    let refused = |_| StoreError::new(StoreErrorKind::Unexpected, format!("storing the field {name}"));
    let value = document::field("", name, value).map_err(refused)?;
    Bson::try_from(value).map_err(refused)
}
