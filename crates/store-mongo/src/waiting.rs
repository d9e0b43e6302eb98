//! Waiting events: read from both collections, oldest first, and decoded.

use bson::{Bson, RawDocumentBuf, doc};
use esoz_events::{Claim, SetAside, StatusChangeEvent, readable};
use esoz_kernel::{StoreError, Timestamp, Uuid};
use futures_util::{TryStreamExt, future::try_join_all};

use crate::{
    MongoStore,
    collections::WithOutbox,
    event,
    fields::{ID, OUTBOX, OUTBOX_EVENTS, OUTBOX_SINCE, SET_ASIDE, SET_ASIDE_AT, SINCE},
    set_aside::Unreadable,
    values::{binary, uuid},
};

impl MongoStore {
    /// Reads ids and outboxes of the documents with waiting events that no other relay has claimed, oldest first, of each collection; together no
    /// more than the claim asks for.
    pub(crate) async fn waiting_for(
        &self,
        claim: &Claim,
        held_by_others: &[Bson],
    ) -> Result<Vec<Vec<RawDocumentBuf>>, StoreError> {
        // To MongoDB a limit of zero is no limit.
        if claim.max_entities == 0 {
            return Ok(Vec::new());
        }
        let except = claim.except.iter().copied().map(binary);
        let not_these: Vec<Bson> = held_by_others.iter().cloned().chain(except).collect();
        let mut filter = doc! { OUTBOX_SINCE: { "$exists": true } };
        if !not_these.is_empty() {
            filter.insert(ID, doc! { "$nin": not_these });
        }
        let find = async |collection: WithOutbox<'_>| {
            let find = collection
                .majority
                .find(filter.clone())
                .sort(doc! { OUTBOX_SINCE: 1 })
                .projection(doc! { OUTBOX: 1 })
                .limit(i64::from(claim.max_entities))
                .batch_size(all_at_once(claim))
                .max_time(self.documents.operation_timeout);
            let find = async { find.await?.try_collect::<Vec<RawDocumentBuf>>().await };
            self.documents.attempt("reading waiting events", find).await
        };
        let mut waiting = try_join_all(self.documents.with_outbox().map(find)).await?;
        keep_the_oldest(&mut waiting, usize::try_from(claim.max_entities).unwrap_or(usize::MAX));
        Ok(waiting)
    }

    /// Splits the documents: entities whose events can be delivered, with the events; unreadable ones, which are set aside; and those that a
    /// transition has put back into the index although their first event is set aside, which are removed from it.
    pub(crate) async fn deliverable(
        &self,
        collection: &WithOutbox<'_>,
        waiting: Vec<RawDocumentBuf>,
        now: Timestamp,
        set_aside: &mut Vec<SetAside>,
    ) -> Result<(Vec<Bson>, Vec<StatusChangeEvent>), StoreError> {
        let (mut entities, mut events, mut behind, mut unreadable) = (vec![], vec![], vec![], vec![]);
        for document in waiting {
            let outbox = document.get_document(OUTBOX).and_then(|outbox| outbox.get_document(SET_ASIDE));
            let is_behind = outbox.is_ok_and(|noted| noted.get(SET_ASIDE_AT).is_ok_and(|at| at.is_some()));
            match (is_behind, of_entity(collection.name, &document)) {
                (true, _) => behind.extend(Unreadable::id(&document)),
                (false, Ok((entity, of_entity))) => {
                    entities.push(binary(entity));
                    events.extend(of_entity);
                }
                (false, Err(error)) => unreadable.extend(Unreadable::new(&document, &error)),
            }
        }
        self.set_unreadable_aside(collection, &unreadable, now).await?;
        set_aside.extend(unreadable.into_iter().map(|unreadable| unreadable.described(now)));
        self.keep_out_of_index(collection, behind).await?;
        Ok((entities, events))
    }
}

/// Keeps so many documents of all together, those whose events have waited longest; each list is in that order.
fn keep_the_oldest(waiting: &mut [Vec<RawDocumentBuf>], most: usize) {
    let since = |document: &RawDocumentBuf| {
        let since = document.get_document(OUTBOX).and_then(|outbox| outbox.get_datetime(SINCE));
        since.map_or(i64::MIN, bson::DateTime::timestamp_millis)
    };
    while waiting.iter().map(Vec::len).sum::<usize>() > most {
        let youngest = waiting.iter_mut().filter(|of_one| !of_one.is_empty());
        if let Some(youngest) = youngest.max_by_key(|of_one| of_one.last().map(since)) {
            youngest.pop();
        }
    }
}

/// The batch size with which the first reply holds all documents of a claim; the default is 101. One more than the limit, or the server keeps
/// the cursor open.
fn all_at_once(claim: &Claim) -> u32 {
    claim.max_entities.saturating_add(1)
}

/// Decodes the entity and the deliverable events of a document.
fn of_entity(
    collection: &'static str,
    document: &RawDocumentBuf,
) -> Result<(Uuid, Vec<StatusChangeEvent>), StoreError> {
    let corrupt = |id: &str, field| StoreError::corrupt(collection, id, field);
    let entity = uuid(document, ID).ok_or_else(|| corrupt("(no UUID)", ID))?;
    let events = readable(event::events(collection, entity, document)?)?;
    // An outbox without events would never leave the index.
    if events.is_empty() { Err(corrupt(&entity.to_string(), OUTBOX_EVENTS)) } else { Ok((entity, events)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(since: &[i64]) -> Vec<RawDocumentBuf> {
        let outbox = |since: &i64| doc! { OUTBOX: { SINCE: bson::DateTime::from_millis(*since) } };
        since.iter().map(|since| RawDocumentBuf::try_from(&outbox(since)).unwrap()).collect()
    }

    #[test]
    fn the_oldest_of_all_together_are_kept() {
        for (most, expected) in [(9, [3, 2]), (3, [2, 1]), (2, [1, 1]), (1, [1, 0]), (0, [0, 0])] {
            let mut both = [waiting(&[1, 4, 5]), waiting(&[2, 7])];
            keep_the_oldest(&mut both, most);
            assert_eq!(both.each_ref().map(Vec::len), expected, "{most}");
        }
    }
}
