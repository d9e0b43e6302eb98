//! What a program asks of a database, beside the ports.

use std::time::Duration;

use anyhow::{Error, Result};
use async_trait::async_trait;
use esoz_events::EventPublisher;
use esoz_kernel::{PoolStatus, StoreError, StoreErrorKind};
use esoz_tls::Transport;

/// The names of the indexes of a database.
pub(crate) struct IndexNames {
    /// In health checks.
    pub(crate) component: &'static str,
    /// In what `doctor` finds.
    pub(crate) title: &'static str,
}

/// Records how long a wait was.
pub(crate) type RecordWait = Box<dyn Fn(Duration) + Send + Sync>;

/// A database as its operator sees it: whether it answers, its pool, its indexes, its transport.
#[async_trait]
pub(crate) trait Database: Send + Sync {
    /// Its name in metrics, logs and health checks.
    fn name(&self) -> &'static str;

    /// The resources whose requests fail while it is down.
    fn needed_by(&self) -> &'static [&'static str];

    /// Checks that it answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Checks that it answers and that its schema fits. Returns what is worth knowing.
    async fn inspect(&self) -> Result<Option<String>> {
        self.ping().await?;
        Ok(None)
    }

    /// The state of its pool.
    fn pool_status(&self) -> PoolStatus;

    /// Records each wait for a connection by what `recorder` makes; asks for none if waits are not measured.
    fn on_waited(&self, _recorder: &dyn Fn() -> RecordWait) {}

    /// How it is reached; none if it is a file, or it cannot be told at the moment.
    fn transport(&self) -> Option<Transport> {
        None
    }

    /// The names of its indexes; none if they come and go with its tables.
    fn indexes(&self) -> Option<IndexNames> {
        None
    }

    /// Lists the indexes that are missing.
    async fn missing_indexes(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    /// Creates what a server creates itself when it starts.
    async fn create_indexes(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The bus of a server without a broker: a log in its store.
#[async_trait]
pub(crate) trait LogBus: EventPublisher {
    /// Returns delivered events after this sequence number, at most so many, each with its own.
    async fn delivered_after(&self, sequence: i64, limit: u32) -> Result<Vec<(i64, String)>, StoreError>;
}

/// Whether the store could not be reached.
pub(crate) fn is_unavailable(error: &Error) -> bool {
    error.downcast_ref::<StoreError>().is_some_and(|error| error.kind() == StoreErrorKind::Unavailable)
}
