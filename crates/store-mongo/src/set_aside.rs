//! Events that were set aside: they stay in the outbox of their document, which leaves the index of waiting outboxes.

use bson::{Bson, Document, RawDocument, doc};
use esoz_events::{Refused, SetAside};
use esoz_kernel::{StoreError, Timestamp};
use futures_util::future::try_join_all;

use crate::{
    MongoStore,
    collections::WithOutbox,
    error::MongoError,
    fields::{
        EVENT_ENTITY_TYPE, EVENT_ID, EVENTS, ID, OUTBOX, OUTBOX_EVENT_ID, OUTBOX_EVENT_TIME, OUTBOX_EVENTS,
        OUTBOX_SET_ASIDE, OUTBOX_SET_ASIDE_AT, OUTBOX_SINCE, SET_ASIDE, SET_ASIDE_AT, SET_ASIDE_ID,
        SET_ASIDE_REASON, SINCE, path,
    },
    values::{binary, millis, time, uuid},
};

/// The number of concurrent updates.
const AT_ONCE: usize = 16;

/// A document whose first waiting event cannot be read.
pub(crate) struct Unreadable {
    id: Bson,
    entity_id: String,
    event_id: Option<String>,
    entity_type: Option<String>,
    reason: String,
}

impl Unreadable {
    /// The document's id, of whatever type. One that cannot be read itself is in no document that a server stores.
    pub(crate) fn id(document: &RawDocument) -> Option<Bson> {
        document.get(ID).ok().flatten()?.try_into().ok()
    }

    pub(crate) fn new(document: &RawDocument, error: &StoreError) -> Option<Self> {
        let first = first_event(document);
        Some(Self {
            id: Self::id(document)?,
            entity_id: entity_id(document),
            event_id: first.and_then(|event| Some(uuid(event, EVENT_ID)?.to_string())),
            entity_type: first.and_then(|event| Some(event.get_str(EVENT_ENTITY_TYPE).ok()?.to_owned())),
            reason: error.to_string(),
        })
    }

    fn name(&self) -> String {
        self.event_id.clone().unwrap_or_else(|| self.entity_id.clone())
    }

    pub(crate) fn described(self, now: Timestamp) -> SetAside {
        SetAside::new(self.name(), self.entity_type.as_deref(), &self.entity_id, self.reason, Some(now))
    }
}

impl MongoStore {
    /// Sets aside the first events of documents of one collection, which cannot be read.
    pub(crate) async fn set_unreadable_aside(
        &self,
        collection: &WithOutbox<'_>,
        unreadable: &[Unreadable],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let update = async |unreadable: &Unreadable| {
            let filter = doc! { ID: &unreadable.id, OUTBOX_SINCE: { "$exists": true } };
            let note = note(&unreadable.name(), &unreadable.reason, now);
            match self.update_outbox(collection, filter.clone(), set_aside(&note).into()).await {
                Err(error) if error.is_path_not_viable() => {
                    self.update_outbox(collection, filter, wrapped(&note)).await
                }
                done => done,
            }
        };
        for some in unreadable.chunks(AT_ONCE) {
            let updated = try_join_all(some.iter().map(update)).await;
            updated.map_err(|error| error.during("setting unreadable events aside"))?;
            self.documents.end_claims(some.iter().map(|unreadable| unreadable.id.clone()).collect()).await?;
        }
        Ok(())
    }

    /// Sets aside the refused events that are still there; returns their entities.
    pub(crate) async fn set_refused_aside(
        &self,
        refused: &[Refused],
        now: Timestamp,
    ) -> Result<Vec<Bson>, StoreError> {
        let mut entities = Vec::new();
        for collection in self.documents.with_outbox() {
            let update = async |Refused { event, reason }: &Refused| {
                let entity = binary(event.entity_id);
                let filter = doc! { ID: &entity, OUTBOX_EVENT_ID: binary(event.id.uuid()) };
                let note = note(&event.id.to_string(), reason, now);
                let is_there = self.update_outbox(&collection, filter, set_aside(&note).into()).await?;
                Ok::<_, MongoError>(is_there.then_some(entity))
            };
            for some in refused.chunks(AT_ONCE) {
                let updated = try_join_all(some.iter().map(update)).await;
                let updated = updated.map_err(|error| error.during("setting refused events aside"))?;
                entities.extend(updated.into_iter().flatten());
            }
        }
        Ok(entities)
    }

    /// Updates the document that meets the filter; returns whether one does.
    async fn update_outbox(
        &self,
        collection: &WithOutbox<'_>,
        filter: Document,
        update: mongodb::options::UpdateModifications,
    ) -> Result<bool, MongoError> {
        let updated = self.documents.with_timeout(collection.latest.update_one(filter, update)).await?;
        Ok(updated.matched_count > 0)
    }

    /// Removes documents whose first event is set aside from the index of waiting outboxes, into which a change has put them again.
    pub(crate) async fn keep_out_of_index(
        &self,
        collection: &WithOutbox<'_>,
        documents: Vec<Bson>,
    ) -> Result<(), StoreError> {
        if documents.is_empty() {
            return Ok(());
        }
        let filter = doc! { ID: { "$in": documents }, OUTBOX_SET_ASIDE_AT: { "$exists": true } };
        let update = collection.latest.update_many(filter, doc! { "$unset": { OUTBOX_SINCE: "" } });
        self.documents.attempt("keeping events behind those that were set aside", update).await.map(drop)
    }
}

/// Puts an outbox back into the index of waiting ones, with the time of its oldest event; removes an empty one.
pub(crate) fn requeue() -> Document {
    let oldest = doc! { "$ifNull": [{ "$min": path(OUTBOX_EVENT_TIME) }, "$$NOW"] };
    let renewed = doc! { "$mergeObjects": [path(OUTBOX), { SINCE: oldest }] };
    let is_empty = doc! { "$eq": [path(OUTBOX_EVENTS), []] };
    doc! { "$set": { OUTBOX: { "$cond": [is_empty, "$$REMOVE", renewed] } } }
}

/// The note about an event that was set aside.
fn note(id: &str, reason: &str, now: Timestamp) -> Document {
    doc! { SET_ASIDE_ID: id, SET_ASIDE_AT: millis(now), SET_ASIDE_REASON: reason }
}

fn set_aside(note: &Document) -> Document {
    doc! { "$set": { OUTBOX_SET_ASIDE: note }, "$unset": { OUTBOX_SINCE: "" } }
}

/// The same where the outbox is no document: it becomes the first event of one.
fn wrapped(note: &Document) -> mongodb::options::UpdateModifications {
    let outbox = doc! { SET_ASIDE: { "$literal": note }, EVENTS: [path(OUTBOX)] };
    let replaced = doc! { "$setField": { "field": OUTBOX, "input": "$$ROOT", "value": outbox } };
    vec![doc! { "$replaceWith": replaced }].into()
}

/// The event that was set aside in a document.
pub(crate) fn listed(document: &RawDocument) -> SetAside {
    let noted = document.get_document(OUTBOX).and_then(|outbox| outbox.get_document(SET_ASIDE)).ok();
    let text = |field| noted.and_then(|noted| noted.get_str(field).ok()).unwrap_or_default().to_owned();
    let kind = first_event(document).and_then(|event| event.get_str(EVENT_ENTITY_TYPE).ok());
    let at = noted.and_then(|noted| time(noted, SET_ASIDE_AT));
    SetAside::new(text(SET_ASIDE_ID), kind, entity_id(document), text(SET_ASIDE_REASON), at)
}

fn first_event(document: &RawDocument) -> Option<&RawDocument> {
    let events = document.get_document(OUTBOX).ok()?.get_array(EVENTS).ok()?;
    events.into_iter().next()?.ok()?.as_document()
}

/// The document's id as text, of whatever type it is.
fn entity_id(document: &RawDocument) -> String {
    let id = || Some(Unreadable::id(document)?.to_string());
    uuid(document, ID).map(|id| id.to_string()).or_else(id).unwrap_or_default()
}
