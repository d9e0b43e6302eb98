use std::collections::HashSet;

use async_trait::async_trait;
use bson::{Bson, Document, doc};
use esoz_events::{Backlog, Claim, Claimed, EventRef, Outbox, Refused, SetAside, Which};
use esoz_kernel::{StoreError, StoreErrorKind, Timestamp, Uuid};
use futures_util::{TryStreamExt, future::try_join_all};

use crate::{
    MongoStore,
    collections::WithOutbox,
    device_dispense::commit::by_id,
    fields::{
        EVENT_ID, ID, OUTBOX, OUTBOX_EVENT_ENTITY_TYPE, OUTBOX_EVENT_ID, OUTBOX_EVENTS, OUTBOX_SET_ASIDE,
        OUTBOX_SET_ASIDE_AT, OUTBOX_SET_ASIDE_ID, OUTBOX_SINCE, REQUESTS, path,
    },
    set_aside::{listed, requeue},
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
            let waiting = self.waiting_for(claim, &claims.held_by_others).await?;
            if waiting.iter().all(Vec::is_empty) {
                return Ok(Claimed { events: Vec::new(), set_aside });
            }
            let (mut entities, mut events) = (Vec::new(), Vec::new());
            for (collection, waiting) in self.documents.with_outbox().iter().zip(waiting) {
                let found = self.deliverable(collection, waiting, claim.now, &mut set_aside).await?;
                entities.extend(found.0);
                events.extend(found.1);
            }
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
        // Of an event that is gone, another relay may have claimed the entity since.
        let entities = self.set_refused_aside(refused, now).await?;
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
        let waiting = doc! { "$match": { "$or": [
            { OUTBOX_SINCE: { "$exists": true } },
            { OUTBOX_SET_ASIDE_AT: { "$exists": true } },
        ] } };
        let pipeline = [
            waiting.clone(),
            doc! { "$unionWith": { "coll": REQUESTS, "pipeline": [waiting] } },
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
        let set_aside = async |collection: WithOutbox<'_>| {
            let find = collection
                .latest
                .find(doc! { OUTBOX_SET_ASIDE_AT: { "$exists": true } })
                .sort(doc! { OUTBOX_SET_ASIDE_AT: 1 })
                .projection(doc! { OUTBOX_SET_ASIDE: 1, OUTBOX_EVENT_ENTITY_TYPE: 1 })
                .limit(limit.into())
                .max_time(self.documents.operation_timeout);
            let find = async { find.await?.try_collect::<Vec<_>>().await };
            self.documents.attempt("listing the events that were set aside", find).await
        };
        let found = try_join_all(self.documents.with_outbox().map(set_aside)).await?;
        let mut listed: Vec<SetAside> = found.iter().flatten().map(|document| listed(document)).collect();
        listed.sort_by_key(|set_aside| set_aside.at);
        listed.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(listed)
    }

    async fn retry(&self, which: &Which) -> Result<u64, StoreError> {
        let mut filter = doc! { OUTBOX_SET_ASIDE_AT: { "$exists": true } };
        if let Which::These(ids) = which {
            filter.insert(OUTBOX_SET_ASIDE_ID, doc! { "$in": ids });
        }
        let update = vec![doc! { "$unset": OUTBOX_SET_ASIDE }, requeue()];
        let mut retried = 0;
        for collection in self.documents.with_outbox() {
            let update = collection.latest.update_many(filter.clone(), update.clone());
            retried +=
                self.documents.attempt("retrying events that were set aside", update).await?.modified_count;
        }
        Ok(retried)
    }

    async fn drop_set_aside(&self, id: &str) -> Result<bool, StoreError> {
        let events = path(OUTBOX_EVENTS);
        let but_the_first = doc! { "$slice": [&events, 1, { "$max": [1, { "$size": &events }] }] };
        let rest = doc! { "$cond": [{ "$isArray": &events }, but_the_first, []] };
        let update =
            vec![doc! { "$set": { OUTBOX_EVENTS: rest } }, doc! { "$unset": OUTBOX_SET_ASIDE }, requeue()];
        let filter = doc! { OUTBOX_SET_ASIDE_AT: { "$exists": true }, OUTBOX_SET_ASIDE_ID: id };
        for collection in self.documents.with_outbox() {
            let update = collection.latest.update_one(filter.clone(), update.clone());
            let dropped = self.documents.attempt("dropping an event that was set aside", update).await?;
            if dropped.modified_count > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl MongoStore {
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
        let remove = async |collection: WithOutbox<'_>| {
            let update = collection.latest.update_many(filter.clone(), doc! { "$unset": { OUTBOX: "" } });
            let removed = self.documents.attempt("removing delivered events", update.hint(by_id())).await?;
            Ok::<_, StoreError>(usize::try_from(removed.matched_count).unwrap_or(usize::MAX))
        };
        Ok(try_join_all(self.documents.with_outbox().map(remove)).await?.into_iter().sum())
    }

    /// Finds the entities for which events still wait.
    async fn left_of(&self, entities: &HashSet<Uuid>) -> Result<HashSet<Uuid>, StoreError> {
        let find = async |collection: WithOutbox<'_>| {
            let find = collection
                .latest
                .find(doc! { ID: { "$in": all(entities) }, OUTBOX_SINCE: { "$exists": true } })
                .projection(doc! { ID: 1 })
                .hint(by_id())
                .max_time(self.documents.operation_timeout);
            let find = async { find.await?.try_collect::<Vec<_>>().await };
            self.documents.attempt("looking for what waits beside delivered events", find).await
        };
        let found = try_join_all(self.documents.with_outbox().map(find)).await?;
        Ok(found.iter().flatten().filter_map(|document| uuid(document, ID)).collect())
    }

    /// Removes these events from outboxes in which others wait.
    async fn remove_events(&self, delivered: &[&EventRef]) -> Result<(), StoreError> {
        let entities: Vec<Bson> = delivered.iter().map(|event| binary(event.entity_id)).collect();
        let events = ids(delivered.iter().copied());
        let filter = doc! { ID: { "$in": entities }, OUTBOX_EVENT_ID: { "$in": events.clone() } };
        let remove = async |collection: WithOutbox<'_>| {
            let update = collection.latest.update_many(filter.clone(), without(&events)).hint(by_id());
            self.documents.attempt("removing delivered events", update).await
        };
        try_join_all(self.documents.with_outbox().map(remove)).await.map(drop)
    }
}

fn all(entities: &HashSet<Uuid>) -> Vec<Bson> {
    entities.iter().copied().map(binary).collect()
}

fn ids<'a>(events: impl IntoIterator<Item = &'a EventRef>) -> Vec<Bson> {
    events.into_iter().map(|event| binary(event.id.uuid())).collect()
}

/// Removes these events from an outbox, and an outbox that is empty then.
fn without(events: &[Bson]) -> Vec<Document> {
    let delivered = doc! { "$in": [format!("$$this.{EVENT_ID}"), events] };
    let rest = doc! { "$filter": { "input": path(OUTBOX_EVENTS), "cond": { "$not": [delivered] } } };
    vec![doc! { "$set": { OUTBOX_EVENTS: rest } }, requeue()]
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
