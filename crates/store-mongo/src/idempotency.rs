//! Looks up and purges idempotency keys. The change itself stores its key in the document.

use async_trait::async_trait;
use bson::{Bson, Document, RawDocumentBuf, doc};
use esoz_device_dispense::{Dispense, Transition, concerns};
use esoz_kernel::idempotency::expired_until;
use esoz_kernel::{Committed, IdempotencyRecords, IdempotentRequest, Replay, StoreError, Timestamp};
use futures_util::TryStreamExt;

use crate::{
    MongoStore,
    collections::Collections,
    device_dispense::{
        document,
        replay::{Caller, kept},
    },
    fields::{BEFORE, COLLECTION, ID, KEY, KEY_AT, KEYS, KEYS_AT, KEYS_KEY},
    values::{binary, digest, millis, uuid},
};

impl Collections {
    /// Looks up the key of a transition that was not applied. Stale when there is none.
    pub(crate) async fn replay(
        &self,
        change: &Transition,
        idempotency: &IdempotentRequest,
    ) -> Result<Committed<Dispense>, StoreError> {
        let replay = self.first_answer(&Caller::of(change), idempotency).await?;
        Ok(replay.map_or(Committed::Stale, Committed::from))
    }

    /// Looks up a key; `None` when there is none that counts.
    ///
    /// Reads from the primary, where the competing change is visible and durable: see [`Collections::dispenses`].
    ///
    /// The first answer is rebuilt from the dispense as it is now. If that belongs to another legal entity or is about another patient by now,
    /// the caller must not see it: the key does not count, and the read that explains the refusal finds no such dispense.
    pub(crate) async fn first_answer(
        &self,
        caller: &Caller<'_>,
        idempotency: &IdempotentRequest,
    ) -> Result<Option<Replay<Dispense>>, StoreError> {
        let attempted = "looking up an idempotency key";
        let key = digest(idempotency.key());
        let find = self.dispenses.find_one(doc! { KEYS_KEY: key.clone() }).max_time(self.operation_timeout);
        let Some(document) = self.attempt(attempted, find).await? else { return Ok(None) };
        let id = uuid(&document, ID);
        let Some(kept) = kept(&document, idempotency) else {
            let id = id.map_or_else(|| String::from("(no UUID)"), |id| id.to_string());
            return Err(StoreError::corrupt(COLLECTION, id, KEYS));
        };
        let first_answer = || kept.first_answer(caller, &document);
        let (owner, subject) = document::owner_and_subject(&document);
        let is_theirs = concerns((caller.owner, caller.subject), (owner, subject.as_ref()));
        match idempotency.replay(&kept.request, kept.effect.at, caller.at, first_answer) {
            Some(Replay::Replayed(_)) if !is_theirs => Ok(None),
            Some(Replay::Replayed(first_answer)) => first_answer.map(Replay::Replayed).map(Some),
            Some(Replay::KeyReused) => Ok(Some(Replay::KeyReused)),
            None => {
                // Expired: removed, so that the next attempt can store it anew.
                let old = doc! { KEY: key, KEY_AT: { "$lte": millis(expired_until(caller.at)) } };
                let of_document = doc! { ID: id.map_or(Bson::Null, binary) };
                self.pull(attempted, of_document, old).await?;
                Ok(None)
            }
        }
    }

    /// Removes keys from documents; returns the number of documents changed. Empty lists are removed by a second update, with what was kept for
    /// the answers under them; one that stays
    /// behind when the caller is dropped in between is harmless, and goes with the next key of its document.
    async fn pull(&self, attempted: &str, documents: Document, keys: Document) -> Result<u64, StoreError> {
        let pull = self.dispenses.update_many(documents.clone(), doc! { "$pull": { KEYS: keys } });
        let pulled = self.attempt(attempted, pull).await?;
        let mut emptied = documents;
        emptied.insert(KEYS, doc! { "$size": 0 });
        let unset = self.dispenses.update_many(emptied, doc! { "$unset": { KEYS: "", BEFORE: "" } });
        self.attempt(attempted, unset).await?;
        Ok(pulled.modified_count)
    }
}

#[async_trait]
impl IdempotencyRecords for MongoStore {
    async fn purge_expired(&self, until: Timestamp, most: u32) -> Result<u64, StoreError> {
        // To MongoDB a limit of zero is no limit.
        if most == 0 {
            return Ok(0);
        }
        let attempted = "purging expired idempotency keys";
        let until = millis(until);
        let find = self
            .documents
            .dispenses
            .find(doc! { KEYS_AT: { "$lte": until } })
            .projection(doc! { ID: 1 })
            .limit(most.into())
            .max_time(self.documents.operation_timeout);
        let find = async { find.await?.try_collect::<Vec<RawDocumentBuf>>().await };
        let found = self.documents.attempt(attempted, find).await?;
        if found.is_empty() {
            return Ok(0);
        }
        let ids: Vec<Bson> = found.iter().filter_map(|document| uuid(document, ID)).map(binary).collect();
        self.documents.pull(attempted, doc! { ID: { "$in": ids } }, doc! { KEY_AT: { "$lte": until } }).await
    }
}
