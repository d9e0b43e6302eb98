use std::sync::Arc;

use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Error as PoolFault, NopErrorHandler, Pool};
use esoz_kernel::{StoreError, StoreErrorKind};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::connection::{Purpose, prepare};
use crate::error::{SqliteError, connect_failed};
use crate::settings::SqliteSettings;

/// The pool of connections for reading. With a write-ahead log readers never wait for the writer, and see what was committed when they began.
pub(crate) struct Readers {
    pool: Pool<ConnectionManager<SqliteConnection>>,
    /// One per connection: a caller without a connection waits as a future, not as a blocked thread.
    permits: Arc<Semaphore>,
    max: usize,
}

impl Readers {
    /// Creates the pool; connections are opened when they are needed.
    pub(crate) fn new(settings: &SqliteSettings) -> Result<Self, StoreError> {
        let pool = Pool::builder()
            .max_size(settings.max_connections)
            .min_idle(Some(0))
            .test_on_check_out(false) // A file does not close a connection.
            .connection_timeout(settings.busy_timeout())
            .connection_customizer(Box::new(Prepare(settings.clone())))
            .error_handler(Box::new(NopErrorHandler)) // The caller gets every error.
            .build_unchecked(ConnectionManager::new(settings.url()?));
        let max = usize::try_from(settings.max_connections).unwrap_or(Semaphore::MAX_PERMITS);
        Ok(Self { pool, permits: Arc::new(Semaphore::new(max)), max })
    }

    /// Returns the numbers of open and used connections, and their maximum.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let open = usize::try_from(self.pool.state().connections).unwrap_or(usize::MAX);
        (open, self.max - self.permits.available_permits().min(self.max), self.max)
    }

    /// Runs a query on a read-only connection. A query of several statements that must see the same snapshot opens a transaction.
    pub(crate) async fn read<T, F>(&self, attempted: impl Into<String>, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, SqliteError> + Send + 'static,
    {
        let attempted = attempted.into();
        let aborted = StoreError::new(StoreErrorKind::Unexpected, attempted.clone());
        let permit = match Arc::clone(&self.permits).acquire_owned().await {
            Ok(permit) => permit,
            Err(closed) => return Err(aborted.because(closed)),
        };
        let pool = self.pool.clone();
        let answer = spawn_blocking(move || {
            let mut connection = pool.get().map_err(|error| connect_failed(&attempted, error))?;
            let result = query(&mut connection).map_err(|error| error.during(&attempted));
            drop((connection, permit)); // The connection first: the next permit holder finds it in the pool.
            result
        });
        answer.await.unwrap_or_else(|error| Err(aborted.because(error)))
    }
}

#[derive(Debug)]
struct Prepare(SqliteSettings);

impl CustomizeConnection<SqliteConnection, PoolFault> for Prepare {
    fn on_acquire(&self, connection: &mut SqliteConnection) -> Result<(), PoolFault> {
        prepare(connection, &self.0, Purpose::Read).map_err(PoolFault::QueryError)
    }
}
