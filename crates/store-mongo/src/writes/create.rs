//! Creates a dispense: one transaction that changes the request and inserts the dispense.

use std::{sync::Arc, time::Duration};

use bson::{RawDocument, RawDocumentBuf, doc};
use esoz_device_dispense::{Create, CreateRefusal, Dispense, RequestFacts};
use esoz_kernel::{DispenseId, EventId, Replay, StoreError, StoreErrorKind, Written};
use tokio::time::Instant;

use super::{
    Attempts,
    commit::{DispenseWrite, Write},
    compared::Compared,
    facts::{RequestLookup, counting},
    of_another_store, touch_request,
    transaction::{NotCommitted, Update},
};
use crate::{
    MongoStore,
    collections::Collections,
    device_dispense::{
        commit::{by_id, simple},
        document,
        query::index_missing_or,
        replay::{Caller, Effect, New, stored_key},
    },
    error::MongoError,
    event,
    fields::{BY_REQUEST, CHANGES, EVENTS, ID, KEY_NEW, KEYS, OUTBOX, SINCE, WRONG_CODES},
    reads::read_alone,
    values::{binary, millis},
};

/// The time for a look at what became of a change.
const OUTCOME_WITHIN: Duration = Duration::from_secs(1);

impl MongoStore {
    /// Creates a dispense; decides first on what was seen, and anew on what is there now when a concurrent write was faster.
    pub(super) async fn create_dispense(
        &self,
        create: &Create,
    ) -> Result<Written<Dispense, CreateRefusal>, StoreError> {
        let attempted = attempted(create);
        let documents = &self.documents;
        let mut attempts = Attempts::new(documents);
        let Some(lock) = documents.request_locks.lock(create.query.request, attempts.deadline).await else {
            let busy = format!("{attempted}: other creates for the device request took the whole time");
            return Err(StoreError::new(StoreErrorKind::Conflict, busy));
        };
        // A create that held the lock before has changed what was seen.
        let mut seen = (!lock.has_waited).then(|| create.seen.clone());
        loop {
            let was_seen = seen.is_some();
            let facts = match seen.take() {
                Some(facts) => facts,
                None => read_alone::<RequestLookup>(documents, &create.query, attempts.deadline).await??,
            };
            if !documents.is_key_unique()
                && let Some(known) = documents.first_answer_to(create).await?
            {
                return Ok(known.into());
            }
            let not_committed = match (create.decide)(&facts) {
                Ok(dispense) => {
                    let document = new_document(create, &dispense)?;
                    let recorded = document::to_dispense(dispense.id, &document)?.dispense?;
                    let write = Arc::new(write(create, &facts, document, attempts.deadline)?);
                    match self.write(&attempts, &write).await.map_err(|dropped| dropped.during(&attempted))? {
                        Ok(_) => return Ok(Written::Applied(recorded)),
                        Err(NotCommitted::Unknown(error)) => {
                            documents.committed(recorded.id, create.event.id, (&attempted, &error)).await?;
                            return Ok(Written::Applied(recorded));
                        }
                        Err(not_committed) => not_committed,
                    }
                }
                Err(refusal) => {
                    if let Some(known) = documents.first_answer_to(create).await? {
                        return Ok(known.into());
                    }
                    if refusal != CreateRefusal::WrongCode {
                        // What was seen may hold no more.
                        if was_seen {
                            continue;
                        }
                        return Ok(Written::Refused(refusal));
                    }
                    if documents.count_wrong_code(create, &facts, attempts.deadline).await? {
                        return Ok(Written::Refused(refusal));
                    }
                    NotCommitted::Overtaken(None)
                }
            };
            let last = match not_committed {
                NotCommitted::Overtaken(error) => error,
                NotCommitted::Duplicate => {
                    if let Some(known) = documents.first_answer_to(create).await? {
                        return Ok(known.into());
                    }
                    None
                }
                NotCommitted::Failed(error) | NotCommitted::Unknown(error) => {
                    return Err(index_missing_or(&attempted, BY_REQUEST, &error));
                }
            };
            attempts.next(&attempted, last).await?;
        }
    }
}

impl Collections {
    /// Counts a wrong code, if the request is the one that it was compared with; returns whether it is.
    async fn count_wrong_code(
        &self,
        create: &Create,
        facts: &RequestFacts,
        deadline: Instant,
    ) -> Result<bool, StoreError> {
        let request = compared(create, facts)?;
        let mut times = counting(request, &create.query)?;
        times.push(create.at);
        let times: Vec<bson::DateTime> = times.into_iter().map(millis).collect();
        let update = doc! { "$set": { WRONG_CODES: times } };
        let update = self.requests.update_one(Compared::REQUEST.conditions(request)?, update);
        let counted = self.until(deadline, update.collation(simple()).hint(by_id())).await;
        let request = create.query.request;
        let counted = counted
            .map_err(|error| error.during(format!("counting a wrong code for device request {request}")))?;
        Ok(counted.matched_count > 0)
    }

    /// The dispense, if the change with that event is committed and no failover can take it back. Has a little time of its own: what made the
    /// outcome unknown may have been that the time of the change was over.
    ///
    /// # Errors
    /// The outcome stays unknown: of kind unavailable whatever the server said, since a retry tells.
    pub(super) async fn committed(
        &self,
        id: DispenseId,
        event: EventId,
        (attempted, unknown): (&str, &MongoError),
    ) -> Result<RawDocumentBuf, StoreError> {
        let deadline = Instant::now() + OUTCOME_WITHIN;
        let find = self.majority.find_one(doc! { ID: binary(id.uuid()) }).max_time(self.operation_timeout);
        let found = self.until(deadline, find).await.ok().flatten();
        let error = || {
            StoreError::new(StoreErrorKind::Unavailable, attempted).because(unknown.during("committing it"))
        };
        found.filter(|found| document::has_change(found, event)).ok_or_else(error)
    }

    async fn first_answer_to(&self, create: &Create) -> Result<Option<Replay<Dispense>>, StoreError> {
        match &create.idempotency {
            Some(idempotency) => self.first_answer(&caller(create), idempotency).await,
            None => Ok(None),
        }
    }
}

fn attempted(create: &Create) -> String {
    format!("recording dispense {} of device request {}", create.query.id, create.query.request)
}

/// The update of the request makes each of two concurrent creates a conflict for the other; the dispenses are looked up once more with it, for
/// those that other systems have recorded since.
fn write(
    create: &Create,
    facts: &RequestFacts,
    document: RawDocumentBuf,
    deadline: Instant,
) -> Result<Write, StoreError> {
    let request = match &facts.request {
        Some(_) => {
            let conditions = Compared::REQUEST.conditions(compared(create, facts)?)?;
            Some(Update { conditions, update: touch_request(create.event.id) })
        }
        // There is nothing to compare; each rule of a create refuses this.
        None => None,
    };
    let (query, has_active) = (create.query.clone(), facts.has_active_dispense);
    let dispense = DispenseWrite::New { document, query, has_active };
    Ok(Write { id: create.query.id, request, dispense, deadline })
}

fn caller(create: &Create) -> Caller<'_> {
    let (owner, subject) = (Some(create.owner), Some(&create.subject));
    Caller { id: create.query.id, owner, subject, at: create.at }
}

/// What was kept of the request to compare.
fn compared<'a>(create: &Create, facts: &'a RequestFacts) -> Result<&'a RawDocument, StoreError> {
    let request = facts.basis.get::<RawDocumentBuf>().map(AsRef::as_ref);
    request.ok_or_else(|| of_another_store(&attempted(create)))
}

/// The document, with its event and its key.
fn new_document(create: &Create, dispense: &Dispense) -> Result<RawDocumentBuf, StoreError> {
    let refused =
        |reason: String| StoreError::new(StoreErrorKind::Unexpected, attempted(create)).because(reason);
    let mut document = document::from_dispense(dispense).map_err(refused)?;
    let mut own = doc! {
        OUTBOX: { SINCE: millis(create.event.event_time), EVENTS: [event::stored(&create.event)] },
        CHANGES: [binary(create.event.id.uuid())],
    };
    if let Some(idempotency) = &create.idempotency {
        let effect = Effect { status: dispense.status, at: create.at, by: create.by };
        let mut key = stored_key(effect, idempotency);
        key.insert(KEY_NEW, New::stored(&document));
        own.insert(KEYS, [key].to_vec());
    }
    let own = RawDocumentBuf::try_from(&own).map_err(|error| refused(error.to_string()))?;
    for element in own.iter_elements().flatten() {
        let value = element.value().map_err(|error| refused(error.to_string()))?;
        document.append(element.key(), value);
    }
    Ok(document)
}
