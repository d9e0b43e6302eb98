//! The collections with their read and write concerns.

use std::{
    future::IntoFuture,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use bson::{Document, RawDocumentBuf, doc};
use mongodb::{
    Collection, Database,
    options::{
        Acknowledgment, CollectionOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
    },
};

use esoz_batch::{Limits, target};
use esoz_kernel::StoreError;
use tokio::time::Instant;

use crate::{error::MongoError, fields, writes::RequestLocks};

/// Jobs in one batch: statements of one command, or queries of one round trip. The server runs so many in well under the time of a majority
/// acknowledgement, and what they find is in memory at once.
pub(crate) const MAX_JOBS: usize = 32;
/// Batches of one job each, if they are slow.
const MAX_ALONE: usize = 16;

/// The documents. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Collections {
    pub(crate) database: Database,
    /// The dispenses, for every write, and for reads that must see the latest: read concern `local`, from the primary.
    ///
    /// A dispense is read to explain why a transition was refused. A local read from the primary always sees the cause; a majority read may
    /// lag behind it right after a failover. The cause is durable: the server acknowledges with majority even an update that changed nothing.
    /// A newer state that is not durable yet may be read and then be rolled back by a failover: then a caller was told of a conflict that is
    /// gone, nothing was written or promised, and a retry tells.
    pub(crate) dispenses: Collection<RawDocumentBuf>,
    /// The dispenses, for reads of what must never be rolled back: events that will be published. Read concern `majority`.
    pub(crate) majority: Collection<RawDocumentBuf>,
    /// The device requests, as `dispenses`.
    pub(crate) requests: Collection<RawDocumentBuf>,
    /// The device requests, as `majority`.
    pub(crate) majority_requests: Collection<RawDocumentBuf>,
    /// The relays' claims, read from the primary: the write that follows notices what a failover rolled back.
    pub(crate) claims_collection: Collection<RawDocumentBuf>,
    /// What is true of the whole database, read from the primary.
    pub(crate) settings: Collection<RawDocumentBuf>,
    pub(crate) operation_timeout: Duration,
    pub(crate) request_locks: Arc<RequestLocks>,
    /// Whether the unique index on keys is known to exist: only after this store, or a clone of it, has migrated.
    pub(crate) has_unique_key: Arc<AtomicBool>,
}

/// A collection whose documents have an outbox.
pub(crate) struct WithOutbox<'a> {
    pub(crate) name: &'static str,
    pub(crate) latest: &'a Collection<RawDocumentBuf>,
    pub(crate) majority: &'a Collection<RawDocumentBuf>,
}

impl Collections {
    /// The collections whose documents have an outbox.
    pub(crate) fn with_outbox(&self) -> [WithOutbox<'_>; 2] {
        let Self { dispenses, majority, requests, majority_requests, .. } = self;
        [
            WithOutbox { name: fields::COLLECTION, latest: dispenses, majority },
            WithOutbox { name: fields::REQUESTS, latest: requests, majority: majority_requests },
        ]
    }

    pub(crate) fn of(database: Database, operation_timeout: Duration) -> Self {
        let read_with = |collection, concern| {
            database.collection_with_options(collection, concerns(concern, operation_timeout))
        };
        Self {
            dispenses: read_with(fields::COLLECTION, ReadConcern::local()),
            majority: read_with(fields::COLLECTION, ReadConcern::majority()),
            requests: read_with(fields::REQUESTS, ReadConcern::local()),
            majority_requests: read_with(fields::REQUESTS, ReadConcern::majority()),
            claims_collection: read_with(fields::CLAIMS, ReadConcern::local()),
            settings: read_with(fields::SETTINGS, ReadConcern::local()),
            database,
            operation_timeout,
            request_locks: Arc::default(),
            has_unique_key: Arc::default(),
        }
    }

    /// The limits of so many concurrent batches; a further one begins at that many waiting jobs.
    pub(crate) fn batch_limits(&self, max_batches: usize, further_at: usize) -> Limits {
        Limits {
            max_batches,
            max_jobs: MAX_JOBS,
            further_at,
            queue_timeout: self.operation_timeout,
            target: target(self.operation_timeout),
            max_alone: MAX_ALONE,
        }
    }

    /// Adds the write concern of the collection to a command.
    pub(crate) fn with_write_concern(&self, mut command: Document) -> Document {
        let within = i64::try_from(self.operation_timeout.as_millis()).unwrap_or(i64::MAX);
        command.insert("writeConcern", doc! { "w": "majority", "j": true, "wtimeout": within });
        command.insert("maxTimeMS", within);
        command
    }

    /// Runs one operation [with the operation time-out](Self::with_timeout). A failure states what was attempted.
    pub(crate) async fn attempt<T>(
        &self,
        attempted: impl Into<String>,
        operation: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<T, StoreError> {
        self.with_timeout(operation).await.map_err(|error| error.during(attempted))
    }

    /// Runs one operation with the operation time-out, which the driver lacks: a server that hangs would hang the caller. A cancelled
    /// operation may still take effect, but leaves nothing open on the server; its connection is closed.
    pub(crate) async fn with_timeout<T>(
        &self,
        operation: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<T, MongoError> {
        self.until(self.deadline(), operation).await
    }

    /// The end of an operation that begins now.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.operation_timeout
    }

    /// Runs one step of an operation that ends at that time, as [`with_timeout`](Self::with_timeout).
    pub(crate) async fn until<T>(
        &self,
        deadline: Instant,
        step: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<T, MongoError> {
        match tokio::time::timeout_at(deadline, step.into_future()).await {
            Ok(answer) => answer.map_err(MongoError::from),
            Err(_) => Err(MongoError::Timeout(self.operation_timeout)),
        }
    }
}

fn concerns(read: ReadConcern, operation_timeout: Duration) -> CollectionOptions {
    // Limits the wait for the majority on the server too, when the caller has stopped waiting.
    let write = WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .w_timeout(operation_timeout)
        .build();
    CollectionOptions::builder()
        .selection_criteria(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        .read_concern(read)
        .write_concern(write)
        .build()
}
