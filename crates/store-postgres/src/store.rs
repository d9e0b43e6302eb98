use std::time::Duration;

use deadpool::managed::PoolConfig;
use diesel::dsl::sql;
use diesel::sql_types::{Array, Text};
use esoz_batch::Limits;
use esoz_kernel::{PoolStatus, StoreError, StoreErrorKind};
use esoz_tls::Transport;

use crate::audit;
use crate::contract_division::batch::ContractDivisionWriter;
use crate::error::During as _;
use crate::pool::{Connections, Manager, Pool};
use crate::settings::PostgresSettings;

/// Stores tokens, api keys, legal entities, divisions, contracts and contract divisions in PostgreSQL.
///
/// Clones share the connection pool.
#[derive(Clone)]
pub struct PostgresStore {
    pub(crate) connections: Connections,
    /// The share of what callers do with contract divisions and events.
    pub(crate) records: Connections,
    pub(crate) contract_divisions: ContractDivisionWriter,
}

impl PostgresStore {
    /// Creates a store on the database of the settings.
    ///
    /// Connections are opened on demand: while the server is down, calls fail with [`StoreErrorKind::Unavailable`]. Connections, and updates
    /// that share a commit, run on the Tokio runtime of this call, so that they outlive the runtimes of single callers; without one, each
    /// runs on that of the call that started it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unexpected`] when a setting is invalid; the text names it.
    pub fn connect(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let pool =
            Pool::builder(Manager::new(settings)?).config(PoolConfig::new(settings.max_connections)).build();
        let pool = pool.map_err(|error| {
            StoreError::new(StoreErrorKind::Unexpected, "creating the PostgreSQL connection pool")
                .because(error)
        })?;
        let wait = Duration::from_millis(settings.pool_wait_timeout_ms);
        let connections = Connections::new(pool, wait);
        // A quarter of the connections is left to who must know whether a caller may come in; of the rest, half may wait for locks (ADR 0032).
        let share = settings.max_connections - settings.max_connections / 4;
        let waiting = connections.with_share(share / 2);
        let records = connections.with_share(share.div_ceil(2));
        let limits = Limits {
            max_batches: settings.max_concurrent_batches,
            max_jobs: settings.max_batch_size,
            further_at: settings.max_batch_size.div_ceil(2),
            queue_timeout: wait,
            target: esoz_batch::target(Duration::from_millis(settings.statement_timeout_ms.into())),
            max_alone: share.div_ceil(2),
        };
        let contract_divisions = ContractDivisionWriter::new(records.clone(), waiting, limits);
        Ok(Self { connections, records, contract_divisions })
    }

    /// Returns how new connections are protected: the URL may be in a file that was replaced.
    ///
    /// # Errors
    /// None in practice: the URL could be used before.
    pub fn transport(&self) -> Result<Transport, StoreError> {
        Ok(self.connections.pool.manager().endpoint.read()?.transport)
    }

    /// The current state of the connection pool.
    pub fn pool_status(&self) -> PoolStatus {
        let status = self.connections.pool.status();
        let idle = status.available.min(status.size);
        PoolStatus { idle, in_use: status.size - idle, max: status.max_size, waiting: status.waiting }
    }

    /// Number of updates of contract divisions that wait in the queue for a shared commit.
    pub fn updates_waiting(&self) -> usize {
        self.contract_divisions.queue_len()
    }

    /// Sets the observer of how long each call waits for a connection, successful or not. Only the first observer is kept.
    pub fn on_waited(&self, observer: impl Fn(Duration) + Send + Sync + 'static) {
        // Fails when there is an observer already.
        let _ = self.connections.on_wait.set(Box::new(observer));
    }

    /// Checks, on a connection of the pool, that the server answers, takes writes, and audits changes of contract divisions as the migrations made
    /// it.
    ///
    /// # Errors
    /// [`StoreErrorKind::Unavailable`] when it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let query = diesel::select(sql::<Array<Text>>(&audit::WRONG));
        let wrong = self.connections.query::<Vec<String>, _>(query).await.during("pinging PostgreSQL")?;
        audit::require_unchanged(&wrong.into_iter().flatten().collect::<Vec<_>>())
    }
}
