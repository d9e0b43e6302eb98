//! Commits writes that concern two documents: one alone, or those that wait at the same time in one transaction (docs/adr/0035).

use std::sync::Arc;

use async_trait::async_trait;
use bson::{Bson, RawDocumentBuf};
use esoz_batch::{BatchExecutor, Batcher, Queued, ReplySender};
use esoz_device_dispense::RequestQuery;
use esoz_kernel::{DispenseId, StoreErrorKind, Uuid};
use futures_util::future::join_all;
use tokio::time::Instant;

use super::{
    facts::{ActiveDispenses, in_progress},
    transaction::{NotCommitted, Transaction, Update},
};
use crate::{
    collections::{Collections, MAX_JOBS},
    error::MongoError,
    fields::{BY_REQUEST, ID},
    values::uuid,
};

/// Concurrent transactions: one waits for the majority, one writes.
const MAX_BATCHES: usize = 2;

/// A write of a dispense, and of the request that it rests on.
#[derive(Debug)]
pub(crate) struct Write {
    pub(super) id: DispenseId,
    /// `None`: there is no request.
    pub(super) request: Option<Update>,
    pub(super) dispense: DispenseWrite,
    /// When the caller's time is over.
    pub(super) deadline: Instant,
}

/// What is written of the dispense.
#[derive(Debug)]
pub(crate) enum DispenseWrite {
    /// Inserts it, if its request has an active dispense, or none.
    New {
        document: RawDocumentBuf,
        query: RequestQuery,
        has_active: bool,
    },
    Changed(Update),
}

impl Write {
    /// Whether both write to one document.
    fn shares_a_document_with(&self, other: &Self) -> bool {
        let request = |write: &Self| Some(write.request.as_ref()?.conditions.get(ID)?.clone());
        self.id == other.id || request(self).is_some_and(|id: Bson| request(other) == Some(id))
    }
}

/// The changed dispense as it is then. `None` when it is a new one, or cannot be read from the reply.
pub(crate) type CommitOutcome = Result<Option<RawDocumentBuf>, NotCommitted>;
type Job = (Arc<Write>, ReplySender<CommitOutcome>);

/// Commits writes, one alone or many in one transaction.
pub(crate) struct CommitExecutor(Collections);

impl CommitExecutor {
    pub(crate) fn batching(documents: Collections) -> Batcher<Self> {
        let limits = documents.batch_limits(MAX_BATCHES, MAX_JOBS / 2);
        Batcher::new(Self(documents), limits)
    }

    /// Returns whether the transaction that they shared was committed. A write that is in the way of the others, or fails, is not known: then each
    /// is made in a transaction of its own.
    async fn run_together(&self, jobs: Vec<Job>) -> bool {
        let writes: Vec<&Write> = jobs.iter().map(|(write, _)| &**write).collect();
        let last = writes.iter().map(|write| write.deadline).max().unwrap_or_else(Instant::now);
        match self.0.commit_all(&writes, last).await {
            Ok(mut after) => {
                for (write, reply) in jobs {
                    let place = after.iter().position(|found| uuid(found, ID) == Some(write.id.uuid()));
                    reply.send(Ok(place.map(|place| after.swap_remove(place))));
                }
                true
            }
            // The server is unavailable, or the outcome of the commit unknown: no retry.
            Err(not_committed) if not_committed.fails_the_whole_batch() => {
                for (_, reply) in jobs {
                    reply.send(Err(not_committed.clone()));
                }
                false
            }
            Err(_) => {
                self.run_each(jobs).await;
                false
            }
        }
    }

    async fn run_each(&self, jobs: Vec<Job>) {
        let each = async |(write, reply): Job| reply.send(self.0.commit_alone(&write).await);
        join_all(jobs.into_iter().map(each)).await;
    }
}

impl NotCommitted {
    /// Whether it is so for every write of a transaction, however each is repeated.
    fn fails_the_whole_batch(&self) -> bool {
        match self {
            Self::Unknown(_) => true,
            Self::Overtaken(Some(error)) | Self::Failed(error) => error.kind() == StoreErrorKind::Unavailable,
            Self::Overtaken(None) | Self::Duplicate => false,
        }
    }
}

#[async_trait]
impl BatchExecutor for CommitExecutor {
    type Job = Arc<Write>;
    type Answer = CommitOutcome;

    async fn run_one(&self, write: &Arc<Write>) -> CommitOutcome {
        self.0.commit_alone(write).await
    }

    async fn run_batch(&self, batch: Vec<Queued<Arc<Write>, CommitOutcome>>) -> bool {
        let (mut shared, mut later): (Vec<Job>, Vec<Job>) = Default::default();
        for (write, reply) in batch.into_iter().map(Queued::into_parts) {
            if write.deadline <= Instant::now() {
                reply.send(Err(NotCommitted::Failed(MongoError::Timeout(self.0.operation_timeout))));
            } else if shared.iter().any(|(other, _)| write.shares_a_document_with(other)) {
                later.push((write, reply));
            } else {
                shared.push((write, reply));
            }
        }
        let has_succeeded = if shared.len() > 1 {
            self.run_together(shared).await
        } else {
            self.run_each(shared).await;
            true
        };
        self.run_each(later).await;
        has_succeeded
    }
}

impl Collections {
    /// Commits one write in a transaction of its own.
    pub(super) async fn commit_alone(&self, write: &Write) -> CommitOutcome {
        let after = self.commit_all(&[write], write.deadline).await?;
        Ok(after.into_iter().next())
    }

    /// Commits writes of different documents in one transaction, all or none; returns the dispenses that were changed, as they are then.
    async fn commit_all(
        &self,
        writes: &[&Write],
        deadline: Instant,
    ) -> Result<Vec<RawDocumentBuf>, NotCommitted> {
        let mut transaction = Transaction::begin(self, deadline).await?;
        match self.write_all(&mut transaction, writes).await {
            Ok(after) => transaction.commit().await.map(|()| after),
            Err(not_committed) => {
                transaction.abort().await;
                Err(not_committed)
            }
        }
    }

    /// The requests first: each write passes through the document of its request, so that of two concurrent ones one is a conflict for the other.
    async fn write_all(
        &self,
        transaction: &mut Transaction<'_>,
        writes: &[&Write],
    ) -> Result<Vec<RawDocumentBuf>, NotCommitted> {
        let (mut new, mut expected, mut changed) = (Vec::new(), Vec::new(), Vec::new());
        for write in writes {
            match &write.dispense {
                DispenseWrite::New { document, query, has_active } => {
                    new.push(document);
                    expected.push((query, *has_active));
                }
                DispenseWrite::Changed(update) => changed.push((write.id.uuid(), update)),
            }
        }
        let requests: Vec<&Update> = writes.iter().filter_map(|write| write.request.as_ref()).collect();
        transaction.update_all(&self.requests, &requests).await?;
        if !new.is_empty() {
            let queries = expected.iter().map(|(query, _)| *query);
            let active = transaction
                .find(&self.dispenses, in_progress(queries), BY_REQUEST, ActiveDispenses::fields())
                .await?;
            let active = ActiveDispenses::read(&active);
            if expected.iter().any(|(query, has_active)| active.has(query) != *has_active) {
                return Err(NotCommitted::Overtaken(None));
            }
            transaction.insert_all(&self.dispenses, &new).await?;
        }
        match changed.as_slice() {
            [] => Ok(Vec::new()),
            [(_, update)] => Ok(transaction.update(&self.dispenses, update).await?.into_iter().collect()),
            many => {
                let (ids, updates): (Vec<Uuid>, Vec<&Update>) = many.iter().copied().unzip();
                transaction.update_all(&self.dispenses, &updates).await?;
                transaction.find_by_id(&self.dispenses, &ids).await
            }
        }
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
