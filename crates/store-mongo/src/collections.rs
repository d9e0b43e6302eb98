//! The collections as every part of this store reaches them.

use std::{
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bson::{Document, RawDocumentBuf, doc};
use mongodb::{
    Collection, Database,
    options::{
        Acknowledgment, CollectionOptions, ReadConcern, ReadPreference, SelectionCriteria, WriteConcern,
    },
};

use crate::{error::MongoError, fields};

/// The documents. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Collections {
    database: Database,
    /// Read as the primary has it.
    dispenses: Collection<RawDocumentBuf>,
    /// Read as the majority has it.
    majority: Collection<RawDocumentBuf>,
    claims: Collection<RawDocumentBuf>,
    operation_timeout: Duration,
    /// Whether the unique index on keys is known to be there.
    unique_key: Arc<AtomicBool>,
}

impl Collections {
    pub(crate) fn of(database: Database, operation_timeout: Duration) -> Self {
        let read_with = |collection, concern| {
            database.collection_with_options(collection, concerns(concern, operation_timeout))
        };
        Self {
            dispenses: read_with(fields::COLLECTION, ReadConcern::local()),
            majority: read_with(fields::COLLECTION, ReadConcern::majority()),
            claims: read_with(fields::CLAIMS, ReadConcern::local()),
            database,
            operation_timeout,
            unique_key: Arc::default(),
        }
    }

    pub(crate) const fn database(&self) -> &Database {
        &self.database
    }

    /// The dispenses, for every write, and for reads that must see the latest.
    ///
    /// A dispense is read to say why a change was refused. Local reads from the primary always see what refused it,
    /// for it is there; majority reads may lag behind right after a failover and show the state before. What the
    /// refused update matched against is durable besides: the server acknowledges with majority even an update that
    /// changed nothing, so the refusal comes after what caused it is safe. A still newer, not yet safe state may be
    /// shown and then rolled back by a failover; then a caller was told of a conflict that is gone, nothing was
    /// written or promised, and asking again tells.
    pub(crate) const fn dispenses(&self) -> &Collection<RawDocumentBuf> {
        &self.dispenses
    }

    /// The dispenses, for reads of what must never be rolled back: events that will be published.
    pub(crate) const fn majority(&self) -> &Collection<RawDocumentBuf> {
        &self.majority
    }

    /// The relays' claims. Read as the primary has them: what a failover takes back of them is noticed by the write that follows.
    pub(crate) const fn claims_collection(&self) -> &Collection<RawDocumentBuf> {
        &self.claims
    }

    /// Whether the server is known to keep one key from two documents. Not so until this store, or a clone of it, has migrated.
    pub(crate) fn has_unique_key(&self) -> bool {
        self.unique_key.load(Ordering::Relaxed)
    }

    pub(crate) fn set_unique_key(&self) {
        self.unique_key.store(true, Ordering::Relaxed);
    }

    pub(crate) const fn operation_timeout(&self) -> Duration {
        self.operation_timeout
    }

    /// A command that writes, with what the collection's own writes are acknowledged by.
    pub(crate) fn with_write_concern(&self, mut command: Document) -> Document {
        let within = i64::try_from(self.operation_timeout.as_millis()).unwrap_or(i64::MAX);
        command.insert("writeConcern", doc! { "w": "majority", "j": true, "wtimeout": within });
        command.insert("maxTimeMS", within);
        command
    }

    /// Runs one operation within its time. The driver has no such limit of its own: without this one, a server that
    /// hangs would hang the caller. An operation given up may still take effect, and that is all it may: none leaves
    /// anything open on the server. Its connection is closed, not used again.
    pub(crate) async fn with_timeout<T>(
        &self,
        operation: impl IntoFuture<Output = mongodb::error::Result<T>>,
    ) -> Result<T, MongoError> {
        match tokio::time::timeout(self.operation_timeout, operation.into_future()).await {
            Ok(answer) => answer.map_err(MongoError::from),
            Err(_) => Err(MongoError::Timeout(self.operation_timeout)),
        }
    }
}

fn concerns(read: ReadConcern, operation_timeout: Duration) -> CollectionOptions {
    // With the time limit the server does not keep waiting for a majority that nobody waits for any more.
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
