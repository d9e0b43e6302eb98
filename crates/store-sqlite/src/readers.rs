use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::prelude::*;
use esoz_kernel::{StoreError, StoreErrorKind};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::connection::{for_reading, is_clean};
use crate::error::SqliteError;
use crate::opened_file::OpenedFile;
use crate::read_limit;
use crate::settings::SqliteSettings;

/// The pool of connections for reading. With a write-ahead log readers never wait for the writer, and see what was committed when they began.
pub(crate) struct Readers {
    settings: SqliteSettings,
    file: Arc<OpenedFile>,
    idle: Mutex<Vec<SqliteConnection>>,
    /// One per connection: a caller without a connection waits as a future, not as a blocked thread.
    permits: Arc<Semaphore>,
    max: usize,
}

impl Readers {
    /// Creates the pool; connections are opened when they are needed.
    pub(crate) fn new(settings: &SqliteSettings, file: &Arc<OpenedFile>) -> Self {
        let max = usize::try_from(settings.max_connections).unwrap_or(Semaphore::MAX_PERMITS);
        let permits = Arc::new(Semaphore::new(max));
        Self { settings: settings.clone(), file: file.clone(), idle: Mutex::default(), permits, max }
    }

    /// Returns the numbers of idle and used connections, and their maximum.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        (self.idle().len(), self.max - self.permits.available_permits().min(self.max), self.max)
    }

    /// Runs a query on a read-only connection. A query of several statements that must see the same snapshot opens a transaction.
    pub(crate) async fn read<T, F>(
        self: &Arc<Self>,
        attempted: impl Into<String>,
        query: F,
    ) -> Result<T, StoreError>
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
        let readers = Arc::clone(self);
        let answer = spawn_blocking(move || {
            readers.file.check(&attempted)?;
            let idle = readers.idle().pop();
            let mut connection = idle.map_or_else(|| for_reading(&readers.settings), Ok)?;
            let result = read_limit::limit(readers.settings.read_timeout(), || query(&mut connection))
                .map_err(|error| error.during(&attempted));
            if is_clean(&mut connection) {
                readers.idle().push(connection);
            }
            drop(permit); // Last: its next holder finds the connection.
            result
        });
        answer.await.unwrap_or_else(|error| Err(aborted.because(error)))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
