use std::collections::HashSet;

use async_trait::async_trait;
use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_events::{Backlog, Claim, EventRef, Outbox, StatusChangeEvent};
use esoz_kernel::{StoreError, StoreErrorKind, Timestamp, Uuid};
use futures_util::TryStreamExt;
use mongodb::options::Hint;

use crate::{
    MongoStore,
    collections::binary,
    decode,
    fields::{
        EVENT_ID, ID, OUTBOX, OUTBOX_EVENT_ID, OUTBOX_EVENT_TIME, OUTBOX_EVENTS, OUTBOX_SINCE, SINCE, path,
    },
};

/// How often a relay looks again when others claim in between. Each time at least one other has got what it wanted.
const MAX_ATTEMPTS: usize = 10;

/// How many events one update takes out of outboxes in which others wait. The server compares every event of every document with every one of
/// them, so a few small updates take less than a large one.
const TAKEN_AT_ONCE: usize = 100;

/// What the backlog is counted into.
const DEPTH: &str = "depth";
const OLDEST: &str = "oldest";

#[async_trait]
impl Outbox for MongoStore {
    /// Reads who holds what, then what waits and is held by nobody else, and claims that; if anybody has claimed anything meanwhile,
    /// it begins anew. So of two relays that race for a document the second sees what the first got.
    ///
    /// What waits is read as the majority has it: an event that a failover could still take back is not handed out. What was removed
    /// is seen to be gone, for the majority had that before the claim on it ended.
    async fn claim(&self, claim: &Claim) -> Result<Vec<StatusChangeEvent>, StoreError> {
        for _ in 0..MAX_ATTEMPTS {
            let claims = self.documents.claims(claim).await?;
            let found = self.waiting_for(claim, &claims.of_others).await?;
            if found.is_empty() {
                return Ok(Vec::new());
            }
            let entities = found.iter().map(|(entity, _)| binary(*entity)).collect();
            if self.documents.hold(claim, &claims, entities).await? {
                return Ok(found.iter().flat_map(|(entity, document)| waiting(*entity, document)).collect());
            }
        }
        let others_were_faster = "claiming waiting events: other relays were faster each time";
        Err(StoreError::new(StoreErrorKind::Conflict, others_were_faster))
    }

    /// Almost always nothing else waits in the outboxes, and they go whole.
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
        self.documents.let_go(all(&entities)).await
    }

    async fn release(&self, by: Uuid) -> Result<(), StoreError> {
        self.documents.give_back(by).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        let pipeline = [
            doc! { "$match": { OUTBOX_SINCE: { "$exists": true } } },
            doc! { "$group": {
                ID: Bson::Null,
                DEPTH: { "$sum": { "$size": path(OUTBOX_EVENTS) } },
                OLDEST: { "$min": path(OUTBOX_SINCE) },
            } },
        ];
        let counted = self
            .documents
            .limited(async {
                let counted = self
                    .documents
                    .dispenses()
                    .aggregate(pipeline)
                    .max_time(self.documents.operation_timeout())
                    .await?;
                counted.with_type::<Document>().try_next().await
            })
            .await
            .map_err(|fault| fault.during("counting waiting events"))?;
        Ok(counted.as_ref().map_or(Backlog { depth: 0, oldest: None }, backlog))
    }
}

impl MongoStore {
    /// The entities with waiting events that none of the others hold, the longest-waiting first, and their outboxes.
    async fn waiting_for(
        &self,
        claim: &Claim,
        of_others: &[Bson],
    ) -> Result<Vec<(Uuid, RawDocumentBuf)>, StoreError> {
        // To MongoDB a limit of zero is no limit.
        if claim.max_entities == 0 {
            return Ok(Vec::new());
        }
        let mut filter = doc! { OUTBOX_SINCE: { "$exists": true } };
        if !of_others.is_empty() {
            filter.insert(ID, doc! { "$nin": of_others });
        }
        let find = self
            .documents
            .settled()
            .find(filter)
            .sort(doc! { OUTBOX_SINCE: 1 })
            .projection(doc! { OUTBOX_EVENTS: 1 })
            .limit(i64::from(claim.max_entities))
            .batch_size(all_at_once(claim))
            .max_time(self.documents.operation_timeout());
        let found = self.documents.limited(async { find.await?.try_collect::<Vec<_>>().await }).await;
        let found = found.map_err(|fault| fault.during("reading waiting events"))?;
        Ok(found.into_iter().filter_map(|document| Some((decode::uuid(&document, ID)?, document))).collect())
    }

    /// Removes the outboxes of these entities in which nothing but what was delivered waits; tells how many those are.
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
        let update = self.documents.dispenses().update_many(filter, doc! { "$unset": { OUTBOX: "" } });
        let removed = self.documents.limited(update.hint(by_id())).await;
        let removed = removed.map_err(|fault| fault.during("removing delivered events"))?.matched_count;
        Ok(usize::try_from(removed).unwrap_or(usize::MAX))
    }

    /// Those of these entities for which something still waits.
    async fn left_of(&self, entities: &HashSet<Uuid>) -> Result<HashSet<Uuid>, StoreError> {
        let find = self
            .documents
            .dispenses()
            .find(doc! { ID: { "$in": all(entities) }, OUTBOX_SINCE: { "$exists": true } })
            .projection(doc! { ID: 1 })
            .hint(by_id())
            .max_time(self.documents.operation_timeout());
        let found = self.documents.limited(async { find.await?.try_collect::<Vec<_>>().await }).await;
        let found = found.map_err(|fault| fault.during("looking for what waits beside delivered events"))?;
        Ok(found.iter().filter_map(|document| decode::uuid(document, ID)).collect())
    }

    /// Takes these events out of outboxes in which others wait.
    async fn remove_events(&self, delivered: &[&EventRef]) -> Result<(), StoreError> {
        let entities: Vec<Bson> = delivered.iter().map(|event| binary(event.entity_id)).collect();
        let events = ids(delivered.iter().copied());
        let filter = doc! { ID: { "$in": entities }, OUTBOX_EVENT_ID: { "$in": events.clone() } };
        let update = self.documents.dispenses().update_many(filter, without(&events)).hint(by_id());
        self.documents.limited(update).await.map_err(|fault| fault.during("removing delivered events"))?;
        Ok(())
    }
}

fn all(entities: &HashSet<Uuid>) -> Vec<Bson> {
    entities.iter().copied().map(binary).collect()
}

fn ids<'a>(events: impl IntoIterator<Item = &'a EventRef>) -> Vec<Bson> {
    events.into_iter().map(|event| binary(event.id.uuid())).collect()
}

/// The index by which documents that are known by their ids are found. Without being told, the server may go through all that waits instead,
/// which takes the longer the more that is.
fn by_id() -> Hint {
    Hint::Keys(doc! { ID: 1 })
}

/// So that the server gives all of a claim's documents with its first answer, where it else gives a hundred and one and waits to be asked for more.
/// One more than there are, for with exactly as many it does not notice that it is done.
fn all_at_once(claim: &Claim) -> u32 {
    claim.max_entities.saturating_add(1)
}

/// Takes these events out of an outbox; an outbox that is empty then goes, and so out of the index.
fn without(events: &[Bson]) -> Vec<Document> {
    let delivered = doc! { "$in": [format!("$$this.{EVENT_ID}"), events] };
    let rest = doc! { "$filter": { "input": path(OUTBOX_EVENTS), "cond": { "$not": [delivered] } } };
    let renewed = doc! { "$mergeObjects": [path(OUTBOX), { SINCE: { "$min": path(OUTBOX_EVENT_TIME) } }] };
    let is_empty = doc! { "$eq": [path(OUTBOX_EVENTS), []] };
    vec![
        doc! { "$set": { OUTBOX_EVENTS: rest } },
        doc! { "$set": { OUTBOX: { "$cond": [is_empty, "$$REMOVE", renewed] } } },
    ]
}

/// The waiting events of a document. One that cannot be read holds up no other: it stays where it is, and is told of in every round.
fn waiting(entity: Uuid, document: &RawDocumentBuf) -> Vec<StatusChangeEvent> {
    decode::events(entity, document).unwrap_or_else(|error| {
        tracing::error!(%error, "an outbox cannot be read; its events are not delivered");
        Vec::new()
    })
}

fn backlog(counted: &Document) -> Backlog {
    let depth = match counted.get(DEPTH) {
        Some(Bson::Int32(depth)) => i64::from(*depth),
        Some(Bson::Int64(depth)) => *depth,
        _ => 0,
    };
    let oldest = counted.get_datetime(OLDEST).ok();
    Backlog {
        depth: u64::try_from(depth).unwrap_or_default(),
        oldest: oldest.and_then(|oldest| Timestamp::from_millisecond(oldest.timestamp_millis()).ok()),
    }
}
