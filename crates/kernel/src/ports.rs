use async_trait::async_trait;
use uuid::Uuid;

use crate::{StoreError, Timestamp};

/// Where a use case takes the time from, so that a test can say what time it is.
pub trait Clock: Send + Sync {
    /// The current time, UTC.
    fn now(&self) -> Timestamp;
}

/// Where a use case takes fresh ids from, so that a test can say which.
pub trait IdGenerator: Send + Sync {
    /// A UUID that was never given out before.
    fn fresh(&self) -> Uuid;
}

/// Where a store keeps, with every change that was asked for under a key, which key and which request that was.
#[async_trait]
pub trait IdempotencyRecords: Send + Sync {
    /// Forgets records of changes made at or before `until`, no more than `most` of them, and gives how many it forgot: 0 when it found
    /// none, so that a caller who repeats until then has forgotten them all. The changes themselves stay. Any number of callers may do
    /// this at the same time.
    ///
    /// A store that keeps the records inside what was changed (the one on MongoDB does) counts that instead: it forgets every old record
    /// of no more than `most` dispenses, and gives of how many dispenses it forgot any.
    ///
    /// # Errors
    /// [`StoreError`] when the store failed; asking again is safe.
    async fn purge_expired(&self, until: Timestamp, most: u32) -> Result<u64, StoreError>;
}

/// How busy the connections of a store are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolStatus {
    /// Connections that are open, or being opened, and that nobody uses.
    pub idle: usize,
    /// Connections that are used.
    pub in_use: usize,
    /// The most that may be open; where there are several servers, to each.
    pub max: usize,
    /// Calls that wait for their turn; `None` where nobody counts them.
    pub waiting: Option<usize>,
}
