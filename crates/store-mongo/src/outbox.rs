use std::collections::HashSet;

use async_trait::async_trait;
use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_events::{
    Backlog, Claim, Claimed, EventRef, Outbox, Refused, SetAside, StatusChangeEvent, Which, readable,
};
use esoz_kernel::{StoreError, StoreErrorKind, Timestamp, Uuid};
use futures_util::TryStreamExt;

use crate::{
    MongoStore,
    device_dispense::commit::by_id,
    event,
    fields::{
        COLLECTION, EVENT_ID, ID, OUTBOX, OUTBOX_EVENT_ENTITY_TYPE, OUTBOX_EVENT_ID, OUTBOX_EVENTS,
        OUTBOX_SET_ASIDE, OUTBOX_SET_ASIDE_AT, OUTBOX_SET_ASIDE_ID, OUTBOX_SINCE, SET_ASIDE, SET_ASIDE_AT,
        path,
    },
    set_aside::{Unreadable, listed, requeue},
    values::{binary, uuid},
};

/// Attempts at a claim when other relays claim concurrently. Each failed attempt means that another relay's succeeded.
const MAX_ATTEMPTS: usize = 10;

/// The most events that one update removes from outboxes in which others wait. The server compares every event of every document with all of
/// them, so several small updates are faster than a large one.
const TAKEN_AT_ONCE: usize = 100;

/// The fields of the aggregated backlog.
const DEPTH: &str = "depth";
const OLDEST: &str = "oldest";
const ASIDE: &str = "set_aside";

#[async_trait]
impl Outbox for MongoStore {
    /// Reads the claims, then the waiting events that no other relay has claimed, and claims them; after a concurrent claim it starts again.
    /// So of two relays that race for a document the second sees the claim of the first.
    ///
    /// Events are read with majority concern: one that a failover could still roll back is not delivered. Removed events are never seen
    /// again, because their removal was acknowledged by the majority before the claim ended.
    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let mut set_aside = Vec::new();
        for _ in 0..MAX_ATTEMPTS {
            let claims = self.documents.claims(claim).await?;
            let waiting = self.waiting_for(claim, claims.held_by_others.clone()).await?;
            if waiting.is_empty() {
                return Ok(Claimed { events: Vec::new(), set_aside });
            }
            let (entities, events) = self.deliverable(waiting, claim.now, &mut set_aside).await?;
            if !entities.is_empty() && self.documents.try_claim(claim, &claims, entities).await? {
                return Ok(Claimed { events, set_aside });
            }
        }
        if !set_aside.is_empty() {
            return Ok(Claimed { events: Vec::new(), set_aside });
        }
        let others_were_faster = "claiming waiting events: other relays were faster each time";
        Err(StoreError::new(StoreErrorKind::Conflict, others_were_faster))
    }

    /// Removes whole outboxes first: almost always nothing else waits in them.
    async fn remove(&self, delivered: &[EventRef]) -> Result<(), StoreError> {
        let mut entities: HashSet<Uuid> = delivered.iter().map(|event| event.entity_id).collect();
        if entities.is_empty() {
            return Ok(());
        }
        if self.remove_outboxes(&entities, delivered).await? < entities.len() {
            let left = self.left_of(&entities).await?;
            let rest: Vec<_> = delivered.iter().filter(|event| left.contains(&event.entity_id)).collect();
            for rest in rest.chunks(TAKEN_AT_ONCE) {
                self.remove_events(rest).await?;
            }
            entities.retain(|entity| !left.contains(entity));
        }
        self.documents.end_claims(all(&entities)).await
    }

    async fn set_aside(&self, refused: &[Refused], now: Timestamp) -> Result<(), StoreError> {
        self.set_refused_aside(refused, now).await?;
        let entities = refused.iter().map(|refused| binary(refused.event.entity_id)).collect();
        self.documents.end_claims(entities).await
    }

    async fn release(&self, by: Uuid) -> Result<(), StoreError> {
        self.documents.release_claims(by).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let is = |field: &str, kind: &str| doc! { "$eq": [{ "$type": path(field) }, kind] };
        let is_aside = is(OUTBOX_SET_ASIDE_AT, "date");
        let aside = doc! { "$cond": [&is_aside, 1, 0] };
        let size =
            doc! { "$cond": [{ "$isArray": path(OUTBOX_EVENTS) }, { "$size": path(OUTBOX_EVENTS) }, 0] };
        let can_go = doc! { "$and": [{ "$not": is_aside }, is(OUTBOX_SINCE, "date")] };
        let pipeline = [
            doc! { "$match": { "$or": [
                { OUTBOX_SINCE: { "$exists": true } },
                { OUTBOX_SET_ASIDE_AT: { "$exists": true } },
            ] } },
            doc! { "$group": {
                ID: Bson::Null,
                DEPTH: { "$sum": { "$max": [0, { "$subtract": [size, &aside] }] } },
                OLDEST: { "$min": { "$cond": [can_go, path(OUTBOX_SINCE), Bson::Null] } },
                ASIDE: { "$sum": aside },
            } },
        ];
        let count = self.documents.dispenses.aggregate(pipeline).max_time(self.documents.operation_timeout);
        let count = async { count.await?.with_type::<Document>().try_next().await };
        let counted = self.documents.attempt("counting waiting events", count).await?;
        Ok(counted.as_ref().map_or_else(Backlog::default, backlog))
    }

    async fn list_set_aside(&self, limit: u32) -> Result<Vec<SetAside>, StoreError> {
        // To MongoDB a limit of zero is no limit.
        if limit == 0 {
            return Ok(Vec::new());
        }
        let find = self
            .documents
            .dispenses
            .find(doc! { OUTBOX_SET_ASIDE_AT: { "$exists": true } })
            .sort(doc! { OUTBOX_SET_ASIDE_AT: 1 })
            .projection(doc! { OUTBOX_SET_ASIDE: 1, OUTBOX_EVENT_ENTITY_TYPE: 1 })
            .limit(limit.into())
            .max_time(self.documents.operation_timeout);
        let find = async { find.await?.try_collect::<Vec<_>>().await };
        let found = self.documents.attempt("listing the events that were set aside", find).await?;
        Ok(found.iter().map(|document| listed(document)).collect())
    }

    async fn retry(&self, which: &Which) -> Result<u64, StoreError> {
        let mut filter = doc! { OUTBOX_SET_ASIDE_AT: { "$exists": true } };
        if let Which::These(ids) = which {
            filter.insert(OUTBOX_SET_ASIDE_ID, doc! { "$in": ids });
        }
        let update = vec![doc! { "$unset": OUTBOX_SET_ASIDE }, requeue()];
        let update = self.documents.dispenses.update_many(filter, update);
        let retried = self.documents.attempt("retrying events that were set aside", update).await?;
        Ok(retried.modified_count)
    }

    async fn drop_set_aside(&self, id: &str) -> Result<bool, StoreError> {
        let events = path(OUTBOX_EVENTS);
        let but_the_first = doc! { "$slice": [&events, 1, { "$max": [1, { "$size": &events }] }] };
        let rest = doc! { "$cond": [{ "$isArray": &events }, but_the_first, []] };
        let update =
            vec![doc! { "$set": { OUTBOX_EVENTS: rest } }, doc! { "$unset": OUTBOX_SET_ASIDE }, requeue()];
        let filter = doc! { OUTBOX_SET_ASIDE_AT: { "$exists": true }, OUTBOX_SET_ASIDE_ID: id };
        let update = self.documents.dispenses.update_one(filter, update);
        let dropped = self.documents.attempt("dropping an event that was set aside", update).await?;
        Ok(dropped.modified_count > 0)
    }
}

impl MongoStore {
    /// Reads ids and outboxes of the documents with waiting events that no other relay has claimed, oldest first.
    async fn waiting_for(
        &self,
        claim: &Claim,
        mut not_these: Vec<Bson>,
    ) -> Result<Vec<RawDocumentBuf>, StoreError> {
        // To MongoDB a limit of zero is no limit.
        if claim.max_entities == 0 {
            return Ok(Vec::new());
        }
        not_these.extend(claim.except.iter().copied().map(binary));
        let mut filter = doc! { OUTBOX_SINCE: { "$exists": true } };
        if !not_these.is_empty() {
            filter.insert(ID, doc! { "$nin": not_these });
        }
        let find = self
            .documents
            .majority
            .find(filter)
            .sort(doc! { OUTBOX_SINCE: 1 })
            .projection(doc! { OUTBOX: 1 })
            .limit(i64::from(claim.max_entities))
            .batch_size(all_at_once(claim))
            .max_time(self.documents.operation_timeout);
        let find = async { find.await?.try_collect().await };
        self.documents.attempt("reading waiting events", find).await
    }

    /// Splits the documents: entities whose events can be delivered, with the events; unreadable ones, which are set aside; and those that a
    /// transition has put back into the index although their first event is set aside, which are removed from it.
    async fn deliverable(
        &self,
        waiting: Vec<RawDocumentBuf>,
        now: Timestamp,
        set_aside: &mut Vec<SetAside>,
    ) -> Result<(Vec<Bson>, Vec<StatusChangeEvent>), StoreError> {
        let (mut entities, mut events, mut behind, mut unreadable) = (vec![], vec![], vec![], vec![]);
        for document in waiting {
            let outbox = document.get_document(OUTBOX).and_then(|outbox| outbox.get_document(SET_ASIDE));
            let is_behind = outbox.is_ok_and(|noted| noted.get(SET_ASIDE_AT).is_ok_and(|at| at.is_some()));
            match (is_behind, of_entity(&document)) {
                (true, _) => behind.extend(Unreadable::id(&document)),
                (false, Ok((entity, of_entity))) => {
                    entities.push(binary(entity));
                    events.extend(of_entity);
                }
                (false, Err(error)) => unreadable.extend(Unreadable::new(&document, &error)),
            }
        }
        self.set_unreadable_aside(&unreadable, now).await?;
        set_aside.extend(unreadable.into_iter().map(|unreadable| unreadable.described(now)));
        self.keep_out_of_index(behind).await?;
        Ok((entities, events))
    }

    /// Removes the outboxes that hold only delivered events; returns their number.
    async fn remove_outboxes(
        &self,
        entities: &HashSet<Uuid>,
        delivered: &[EventRef],
    ) -> Result<usize, StoreError> {
        let undelivered = doc! { "$elemMatch": { EVENT_ID: { "$nin": ids(delivered) } } };
        let filter = doc! {
            ID: { "$in": all(entities) },
            OUTBOX_SINCE: { "$exists": true },
            OUTBOX_EVENTS: { "$not": undelivered },
        };
        let update = self.documents.dispenses.update_many(filter, doc! { "$unset": { OUTBOX: "" } });
        let removed = self.documents.attempt("removing delivered events", update.hint(by_id())).await?;
        Ok(usize::try_from(removed.matched_count).unwrap_or(usize::MAX))
    }

    /// Finds the entities for which events still wait.
    async fn left_of(&self, entities: &HashSet<Uuid>) -> Result<HashSet<Uuid>, StoreError> {
        let find = self
            .documents
            .dispenses
            .find(doc! { ID: { "$in": all(entities) }, OUTBOX_SINCE: { "$exists": true } })
            .projection(doc! { ID: 1 })
            .hint(by_id())
            .max_time(self.documents.operation_timeout);
        let find = async { find.await?.try_collect::<Vec<_>>().await };
        let found = self.documents.attempt("looking for what waits beside delivered events", find).await?;
        Ok(found.iter().filter_map(|document| uuid(document, ID)).collect())
    }

    /// Removes these events from outboxes in which others wait.
    async fn remove_events(&self, delivered: &[&EventRef]) -> Result<(), StoreError> {
        let entities: Vec<Bson> = delivered.iter().map(|event| binary(event.entity_id)).collect();
        let events = ids(delivered.iter().copied());
        let filter = doc! { ID: { "$in": entities }, OUTBOX_EVENT_ID: { "$in": events.clone() } };
        let update = self.documents.dispenses.update_many(filter, without(&events)).hint(by_id());
        self.documents.attempt("removing delivered events", update).await.map(drop)
    }
}

fn all(entities: &HashSet<Uuid>) -> Vec<Bson> {
    entities.iter().copied().map(binary).collect()
}

fn ids<'a>(events: impl IntoIterator<Item = &'a EventRef>) -> Vec<Bson> {
    events.into_iter().map(|event| binary(event.id.uuid())).collect()
}

/// The batch size with which the first reply holds all documents of a claim; the default is 101. One more than the limit, or the server keeps
/// the cursor open.
fn all_at_once(claim: &Claim) -> u32 {
    claim.max_entities.saturating_add(1)
}

/// Removes these events from an outbox, and an outbox that is empty then.
fn without(events: &[Bson]) -> Vec<Document> {
    let delivered = doc! { "$in": [format!("$$this.{EVENT_ID}"), events] };
    let rest = doc! { "$filter": { "input": path(OUTBOX_EVENTS), "cond": { "$not": [delivered] } } };
    vec![doc! { "$set": { OUTBOX_EVENTS: rest } }, requeue()]
}

/// Decodes the entity and the deliverable events of a document.
fn of_entity(document: &RawDocumentBuf) -> Result<(Uuid, Vec<StatusChangeEvent>), StoreError> {
    let corrupt = |id: &str, field| StoreError::corrupt(COLLECTION, id, field);
    let entity = uuid(document, ID).ok_or_else(|| corrupt("(no UUID)", ID))?;
    let events = readable(event::events(entity, document)?)?;
    // An outbox without events would never leave the index.
    if events.is_empty() { Err(corrupt(&entity.to_string(), OUTBOX_EVENTS)) } else { Ok((entity, events)) }
}

fn backlog(counted: &Document) -> Backlog {
    let count = |field| match counted.get(field) {
        Some(Bson::Int32(count)) => u64::try_from(*count).unwrap_or_default(),
        Some(Bson::Int64(count)) => u64::try_from(*count).unwrap_or_default(),
        _ => 0,
    };
    let oldest = counted.get_datetime(OLDEST).ok();
    let oldest = oldest.and_then(|oldest| Timestamp::from_millisecond(oldest.timestamp_millis()).ok());
    Backlog { depth: count(DEPTH), oldest, set_aside: count(ASIDE) }
}
