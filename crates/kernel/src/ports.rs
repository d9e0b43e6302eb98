use async_trait::async_trait;
use uuid::Uuid;

use crate::{CivilDate, StoreError, Timestamp};

/// Tells operations the time, so that a test can set it.
pub trait Clock: Send + Sync {
    /// Returns the current time, UTC.
    fn now(&self) -> Timestamp;
}

/// Tells operations the day that an instant belongs to, where days count (Europe/Kyiv), so that rules need no time zone.
pub trait Calendar: Send + Sync {
    /// Returns the day.
    fn day_of(&self, time: Timestamp) -> CivilDate;
}

/// Generates ids for operations, so that a test can choose them.
pub trait IdGenerator: Send + Sync {
    /// Returns a UUID that was never returned before.
    fn fresh(&self) -> Uuid;
}

/// The idempotency records of a store: it keeps one with every change that was made under an idempotency key.
#[async_trait]
pub trait IdempotencyRecords: Send + Sync {
    /// Deletes records of changes made at or before `until`, at most `most` of them, and returns how many: a caller repeats until it is 0.
    /// The changes themselves stay. Concurrent calls are safe.
    ///
    /// A store that keeps the records inside the changed documents (MongoDB) counts documents instead: it deletes every expired record of at
    /// most `most` documents, and returns the number of documents.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed; the same call again is safe.
    async fn purge_expired(&self, until: Timestamp, most: u32) -> Result<u64, StoreError>;
}

/// The state of a store's connection pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections that are open, or being opened, and not in use.
    pub idle: usize,
    /// Connections in use.
    pub in_use: usize,
    /// The maximum number of connections; where there are several servers, to each.
    pub max: usize,
    /// Calls that wait for a connection, or for the batch in which they are answered.
    pub waiting: usize,
}
