use async_trait::async_trait;
use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_events::{Backlog, Claim, EventRef, Outbox, StatusChangeEvent};
use esoz_kernel::{StoreError, Timestamp, Uuid};
use futures_util::TryStreamExt;
use mongodb::options::Hint;

use crate::{
    MongoStore, decode,
    documents::{binary, millis},
    fields::{
        CLAIM_BY, CLAIM_UNTIL, EVENT_ID, ID, OUTBOX, OUTBOX_CLAIM, OUTBOX_CLAIM_BY, OUTBOX_CLAIM_UNTIL,
        OUTBOX_EVENT_ID, OUTBOX_EVENT_TIME, OUTBOX_EVENTS, OUTBOX_SINCE, SINCE, path,
    },
};

/// How many events one update removes. The server compares every event of every document with every one of them, so a few small updates
/// take less than a large one.
const REMOVED_AT_ONCE: usize = 100;

/// What the backlog is counted into.
const DEPTH: &str = "depth";
const OLDEST: &str = "oldest";

#[async_trait]
impl Outbox for MongoStore {
    /// Looks for candidates, claims those that are still free, then reads what it holds. Of two relays that race for a
    /// document the server lets one claim it, and the other's update passes it over; so each reads what is its own.
    ///
    /// What is read last was acknowledged by the majority: an event that a failover could still take back is not
    /// handed out. The claims made just before are seen, for they were acknowledged the same way.
    async fn claim(&self, claim: &Claim) -> Result<Vec<StatusChangeEvent>, StoreError> {
        let candidates = self.candidates(claim).await?;
        if candidates.is_empty() || self.take(claim, &candidates).await? == 0 {
            return Ok(Vec::new());
        }
        let mut events = Vec::new();
        for document in self.held(claim, candidates).await? {
            match waiting(&document) {
                Ok(waiting) => events.extend(waiting),
                // The others must not wait for this one. It stays where it is, and is told of in every round.
                Err(error) => {
                    tracing::error!(%error, "an outbox cannot be read; its events are not delivered");
                }
            }
        }
        Ok(events)
    }

    async fn remove(&self, delivered: &[EventRef]) -> Result<(), StoreError> {
        for delivered in delivered.chunks(REMOVED_AT_ONCE) {
            let entities: Vec<Bson> = delivered.iter().map(|event| binary(event.entity_id)).collect();
            let events: Vec<Bson> = delivered.iter().map(|event| binary(event.id.uuid())).collect();
            let filter = doc! { ID: { "$in": entities }, OUTBOX_EVENT_ID: { "$in": events.clone() } };
            let update = self.documents.dispenses().update_many(filter, without(&events)).hint(by_id());
            self.documents
                .limited(update)
                .await
                .map_err(|fault| fault.during("removing delivered events"))?;
        }
        Ok(())
    }

    async fn release(&self, by: Uuid) -> Result<(), StoreError> {
        let filter = doc! { OUTBOX_CLAIM_BY: binary(by) };
        let update = self.documents.dispenses().update_many(filter, doc! { "$unset": { OUTBOX_CLAIM: "" } });
        self.documents.limited(update).await.map_err(|fault| fault.during("giving claimed events back"))?;
        Ok(())
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
    /// The documents that this relay may have, the longest-waiting first.
    async fn candidates(&self, claim: &Claim) -> Result<Vec<Bson>, StoreError> {
        // To MongoDB a limit of zero is no limit.
        if claim.max_entities == 0 {
            return Ok(Vec::new());
        }
        let find = self
            .documents
            .dispenses()
            .find(free_for(claim))
            .sort(doc! { OUTBOX_SINCE: 1 })
            .projection(doc! { ID: 1 })
            .limit(i64::from(claim.max_entities))
            .batch_size(all_at_once(claim))
            .max_time(self.documents.operation_timeout());
        let found = self.documents.limited(async { find.await?.try_collect::<Vec<_>>().await }).await;
        let found = found.map_err(|fault| fault.during("looking for waiting events"))?;
        Ok(found.iter().filter_map(|document| decode::uuid(document, ID)).map(binary).collect())
    }

    /// Claims those of the candidates that are still free, and tells how many that are.
    async fn take(&self, claim: &Claim, candidates: &[Bson]) -> Result<u64, StoreError> {
        let mut filter = free_for(claim);
        filter.insert(ID, doc! { "$in": candidates });
        let taken = doc! { CLAIM_BY: binary(claim.by), CLAIM_UNTIL: rounded_up(claim.until()) };
        let update = self.documents.dispenses().update_many(filter, doc! { "$set": { OUTBOX_CLAIM: taken } });
        let update = update.hint(by_id());
        let taken =
            self.documents.limited(update).await.map_err(|fault| fault.during("claiming waiting events"))?;
        Ok(taken.matched_count)
    }

    /// The candidates that this relay holds.
    async fn held(&self, claim: &Claim, candidates: Vec<Bson>) -> Result<Vec<RawDocumentBuf>, StoreError> {
        let find = self
            .documents
            .settled()
            .find(doc! { ID: { "$in": candidates }, OUTBOX_CLAIM_BY: binary(claim.by) })
            .sort(doc! { OUTBOX_SINCE: 1 })
            .projection(doc! { OUTBOX_EVENTS: 1 })
            .hint(by_id())
            .batch_size(all_at_once(claim))
            .max_time(self.documents.operation_timeout());
        let found = self.documents.limited(async { find.await?.try_collect().await }).await;
        found.map_err(|fault| fault.during("reading claimed events"))
    }
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

/// The documents with waiting events on which nobody has a claim, or this relay has.
fn free_for(claim: &Claim) -> Document {
    doc! {
        OUTBOX_SINCE: { "$exists": true },
        "$or": [
            { OUTBOX_CLAIM_BY: { "$exists": false } },
            { OUTBOX_CLAIM_BY: binary(claim.by) },
            { OUTBOX_CLAIM_UNTIL: { "$lte": millis(claim.now) } },
        ],
    }
}

/// The time in milliseconds, rounded up: a claim must not end early. The time it is compared with is rounded down.
fn rounded_up(time: Timestamp) -> bson::DateTime {
    let cut = millis(time);
    let was_cut = time.subsec_nanosecond() % 1_000_000 != 0;
    bson::DateTime::from_millis(cut.timestamp_millis().saturating_add(i64::from(was_cut)))
}

/// Takes these events out of an outbox; an outbox that is empty then goes with its claim, and so out of the indexes.
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

fn waiting(document: &RawDocumentBuf) -> Result<Vec<StatusChangeEvent>, StoreError> {
    decode::uuid(document, ID).map_or_else(|| Ok(Vec::new()), |entity_id| decode::events(entity_id, document))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_ends_no_earlier_than_it_says() {
        let until = |text: &str| rounded_up(text.parse().unwrap()).timestamp_millis();
        assert_eq!(until("1970-01-01T00:00:01Z"), 1_000);
        assert_eq!(until("1970-01-01T00:00:01.000000001Z"), 1_001);
        assert_eq!(rounded_up(Timestamp::MAX).timestamp_millis(), Timestamp::MAX.as_millisecond() + 1);
    }
}
