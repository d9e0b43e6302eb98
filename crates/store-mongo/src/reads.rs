//! Reads: those that are asked for at the same time share a round trip.

use std::marker::PhantomData;

use async_trait::async_trait;
use esoz_batch::{BatchExecutor, Batcher, Queued, ReplySender};
use esoz_kernel::{StoreError, StoreErrorKind};
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::{collections::Collections, error::MongoError};

/// Concurrent round trips: so many of them can be slow before other reads are blocked.
const MAX_BATCHES: usize = 4;

/// A kind of read that answers many queries in one round trip.
#[async_trait]
pub(crate) trait Read: Send + Sync + 'static {
    /// What a caller asks for.
    type Query: Clone + Send + Sync + 'static;
    /// What is found for it.
    type Answer: Send + 'static;

    /// Reads what is asked for, in the order of the queries, until the deadline at most.
    async fn read(
        documents: &Collections,
        queries: &[Self::Query],
        deadline: Instant,
    ) -> Result<Vec<Self::Answer>, MongoError>;

    /// What is attempted, in errors.
    fn attempted(query: &Self::Query) -> String;
}

/// Executes reads of one kind, one alone or many in one round trip.
pub(crate) struct ReadExecutor<R> {
    documents: Collections,
    _kind: PhantomData<fn() -> R>,
}

/// Queues reads of one kind.
pub(crate) type Reads<R> = Batcher<ReadExecutor<R>>;

impl<R: Read> ReadExecutor<R> {
    pub(crate) fn new(documents: Collections) -> Self {
        Self { documents, _kind: PhantomData }
    }

    /// Batches reads; a further batch starts at so many queued ones.
    pub(crate) fn batching(documents: Collections, further_at: usize) -> Reads<R> {
        let limits = documents.batch_limits(MAX_BATCHES, further_at);
        Batcher::new(Self::new(documents), limits)
    }
}

/// Reads what is asked for, alone or with others that ask at the same time.
pub(crate) async fn read<R: Read>(reads: &Reads<R>, query: &R::Query) -> Result<R::Answer, StoreError> {
    reads.run(query).await.unwrap_or_else(|dropped| Err(dropped.during(R::attempted(query))))
}

/// Reads what one query asks for, in a round trip of its own.
pub(crate) async fn read_alone<R: Read>(
    documents: &Collections,
    query: &R::Query,
    deadline: Instant,
) -> Result<R::Answer, StoreError> {
    let found = R::read(documents, std::slice::from_ref(query), deadline).await;
    let found = found.and_then(|found| found.into_iter().next().ok_or(MongoError::MalformedReply));
    found.map_err(|error| error.during(R::attempted(query)))
}

#[async_trait]
impl<R: Read> BatchExecutor for ReadExecutor<R> {
    type Job = R::Query;
    type Answer = Result<R::Answer, StoreError>;

    async fn run_one(&self, query: &R::Query) -> Self::Answer {
        read_alone::<R>(&self.documents, query, self.documents.deadline()).await
    }

    async fn run_batch(&self, batch: Vec<Queued<R::Query, Self::Answer>>) -> bool {
        let (queries, replies): (Vec<_>, Vec<_>) = batch.into_iter().map(Queued::into_parts).unzip();
        let found = R::read(&self.documents, &queries, self.documents.deadline()).await;
        let has_succeeded = found.is_ok();
        let jobs = queries.into_iter().zip(replies);
        match found {
            Ok(found) => {
                for ((_, reply), found) in jobs.zip(found) {
                    reply.send(Ok(found));
                }
            }
            // The server is unavailable: a retry of each would only wait as long again.
            Err(error) if error.kind() == StoreErrorKind::Unavailable => {
                for (query, reply) in jobs {
                    reply.send(Err(error.during(R::attempted(&query))));
                }
            }
            Err(_) => {
                let alone = async |(query, reply): (R::Query, ReplySender<Self::Answer>)| {
                    reply.send(self.run_one(&query).await);
                };
                join_all(jobs.map(alone)).await;
            }
        }
        has_succeeded
    }
}
