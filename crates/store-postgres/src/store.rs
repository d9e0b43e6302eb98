use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::PoolConfig;
use esoz_batch::Limits;
use esoz_kernel::{PoolStatus, StoreError, StoreErrorKind};

use crate::connection::service_session;
use crate::contract_division::batch::ContractDivisionWriter;
use crate::error::During as _;
use crate::pool::{Connections, Manager, Pool};
use crate::settings::PostgresSettings;

/// Tokens, keys, legal entities, divisions, contracts and contract divisions in a PostgreSQL database.
///
/// A clone shares the pool of connections.
#[derive(Clone)]
pub struct PostgresStore {
    pub(crate) connections: Connections,
    pub(crate) contract_divisions: ContractDivisionWriter,
}

impl PostgresStore {
    /// Makes a store on the database that the settings name.
    ///
    /// Connections are opened when they are needed: a server that is down now makes the calls fail that come now
    /// ([`StoreErrorKind::Unavailable`]), and no later one. They live on the Tokio runtime that this is called in, so that they outlive the
    /// runtimes of single callers, and so do updates that share a commit; if there is none, each lives on that of the call that opened or began it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unexpected`] when the settings cannot be used; the text says which.
    pub fn connect(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let manager = Manager::new(
            settings.config()?,
            service_session(settings),
            Duration::from_millis(settings.connect_timeout_ms),
            settings.answer_timeout(),
        );
        let pool = Pool::builder(manager).config(PoolConfig::new(settings.max_connections)).build();
        let pool = pool.map_err(|error| {
            StoreError::new(StoreErrorKind::Unexpected, "making the pool of PostgreSQL connections")
                .because(error)
        })?;
        let wait = Duration::from_millis(settings.pool_wait_timeout_ms);
        let connections = Connections { pool, wait, on_wait: Arc::default() };
        let limits = Limits {
            max_batches: settings.max_concurrent_batches,
            max_items: settings.max_batch_size,
            queue_timeout: wait,
        };
        let contract_divisions = ContractDivisionWriter::new(connections.clone(), limits);
        Ok(Self { connections, contract_divisions })
    }

    /// How the pool of connections is now.
    pub fn pool_status(&self) -> PoolStatus {
        let status = self.connections.pool.status();
        let idle = status.available.min(status.size);
        PoolStatus { idle, in_use: status.size - idle, max: status.max_size, waiting: Some(status.waiting) }
    }

    /// How many updates of contract divisions wait for their turn, to share a commit then.
    pub fn updates_waiting(&self) -> usize {
        self.contract_divisions.queue_len()
    }

    /// Has somebody told, from now on, how long each call waited for its connection, also in vain. The first to ask stays the one.
    pub fn on_waited(&self, observer: impl Fn(Duration) + Send + Sync + 'static) {
        // Whoever was first is there already.
        let _ = self.connections.on_wait.set(Box::new(observer));
    }

    /// Asks the server for an answer, through the pool.
    ///
    /// # Errors
    /// [`StoreError`] when there is none.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.connections.ping().await.during("asking PostgreSQL for an answer")
    }
}
