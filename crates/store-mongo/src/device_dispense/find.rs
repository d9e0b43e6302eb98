//! Finds by id: those that are asked for at the same time share a round trip.

use async_trait::async_trait;
use bson::RawDocumentBuf;
use esoz_batch::{BatchExecutor, Batcher, Limits, Queued, ReplySender, target};
use esoz_kernel::{DispenseId, StoreError, StoreErrorKind, Uuid};
use futures_util::future::join_all;

use crate::{collections::Collections, error::MongoError};

/// Concurrent queries: so many of them can be slow before another find waits for one.
const MAX_BATCHES: usize = 4;
/// Queries of one id each, if they are slow.
const MAX_ALONE: usize = 16;
/// Ids in one query. All of their documents are in memory at once.
const MAX_JOBS: usize = 32;

type Found = Result<Option<RawDocumentBuf>, StoreError>;

/// Finds dispenses by id, one alone or many in one query.
pub(crate) struct FindExecutor(Collections);

impl FindExecutor {
    pub(crate) fn batching(collections: Collections) -> Batcher<Self> {
        let limits = Limits {
            max_batches: MAX_BATCHES,
            max_jobs: MAX_JOBS,
            further_at: 1,
            queue_timeout: collections.operation_timeout,
            target: target(collections.operation_timeout),
            max_alone: MAX_ALONE,
        };
        Batcher::new(Self(collections), limits)
    }
}

#[async_trait]
impl BatchExecutor for FindExecutor {
    type Job = DispenseId;
    type Answer = Found;

    async fn run_one(&self, id: &DispenseId) -> Found {
        self.0.find(*id).await.map_err(|error| failed(*id, &error))
    }

    async fn run_batch(&self, batch: Vec<Queued<DispenseId, Found>>) -> bool {
        let jobs: Vec<_> = batch.into_iter().map(Queued::into_parts).collect();
        let ids: Vec<Uuid> = jobs.iter().map(|(id, _)| id.uuid()).collect();
        let found = if ids.len() > 1 { self.0.find_all(&ids).await.map(Some) } else { Ok(None) };
        let has_succeeded = found.is_ok();
        match found {
            Ok(Some(found)) => {
                for (id, reply) in jobs {
                    reply.send(Ok(found.get(&id.uuid()).cloned()));
                }
            }
            // Each would wait as long again.
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                for (id, reply) in jobs {
                    reply.send(Err(failed(id, &error)));
                }
            }
            Ok(None) | Err(_) => {
                let alone =
                    async |(id, reply): (DispenseId, ReplySender<Found>)| reply.send(self.run_one(&id).await);
                join_all(jobs.into_iter().map(alone)).await;
            }
        }
        has_succeeded
    }
}

/// What is attempted, in errors.
pub(crate) fn attempted(id: DispenseId) -> String {
    format!("finding dispense {id}")
}

fn failed(id: DispenseId, error: &MongoError) -> StoreError {
    error.during(attempted(id))
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
