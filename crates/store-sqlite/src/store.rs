use std::sync::Arc;

use diesel::prelude::*;
use esoz_kernel::{PoolStatus, StoreError, StoreErrorKind};

use crate::audit;
use crate::connection::for_writing;
use crate::error::SqliteError;
use crate::migrations::{is_unused, migrate, require_current_schema};
use crate::opened_file::OpenedFile;
use crate::readers::Readers;
use crate::schema::legal_entities;
use crate::settings::SqliteSettings;
use crate::write_probe::WriteProbe;
use crate::writer::Writer;

/// Every store port, and a publisher that delivers into a log, on one SQLite file. Cheap to clone; all clones share the file.
///
/// Its methods need a tokio runtime to run in.
#[derive(Clone)]
pub struct SqliteStore {
    pub(crate) writer: Arc<Writer>,
    pub(crate) readers: Arc<Readers>,
    write_probe: Arc<WriteProbe>,
}

impl SqliteStore {
    /// Opens a file, and creates and migrates it first if nobody has stored anything in it yet: if it is missing or empty, or was left half made
    /// by a process that was killed. Any number of processes may do so at once. Blocks the thread.
    ///
    /// # Errors
    /// [`StoreError`] as of [`migrate`] and [`SqliteStore::open`]: a file with data and an older schema is not migrated.
    pub fn open_or_create(settings: &SqliteSettings) -> Result<Self, StoreError> {
        settings.check()?;
        if is_unused(settings)? {
            migrate(settings)?;
        }
        Self::open(settings)
    }

    /// Opens a file that [`crate::migrate`] has prepared. Blocks the thread.
    ///
    /// # Errors
    /// [`StoreError`] when the file is not there or cannot be opened, when its schema is older or newer than this program (the text says
    /// what to do), or when a setting is outside its limits.
    pub fn open(settings: &SqliteSettings) -> Result<Self, StoreError> {
        settings.check()?;
        if let Ok(false) = settings.path.try_exists() {
            let attempted = format!(
                "opening the database {}: there is no such file; run `esoz migrate`",
                settings.path.display()
            );
            return Err(StoreError::new(StoreErrorKind::Unexpected, attempted));
        }
        let mut connection = for_writing(settings)?;
        require_current_schema(&mut connection, settings)?;
        let file = Arc::new(OpenedFile::at(settings)?);
        let readers = Arc::new(Readers::new(settings, &file));
        let writer = Arc::new(Writer::start(settings, &file, connection)?);
        Ok(Self { writer, readers, write_probe: Arc::new(WriteProbe::new(settings)) })
    }

    /// Returns the state of the pool: its connections for reading, and the number of queued writes.
    pub fn pool_status(&self) -> PoolStatus {
        let (idle, in_use, max) = self.readers.counts();
        PoolStatus { idle, in_use, max, waiting: self.writer.waiting() }
    }

    /// Checks that the file is still the one that was opened, that it can be read, and that it can be written, without changing it; and that
    /// changes of contract divisions are audited as the migrations made it.
    ///
    /// # Errors
    /// [`StoreError`] when it is not: it or its log was deleted or replaced, its disk is full or broken, it is read-only, or a trigger of the
    /// audit is off.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let read = |connection: &mut SqliteConnection| {
            let any: Option<String> =
                legal_entities::table.select(legal_entities::id).first(connection).optional()?;
            drop(any);
            audit::wrong(connection)
        };
        let wrong = self.read("checking that the database can be read", read).await?;
        self.write_probe.run().await?;
        audit::require_unchanged(&wrong)
    }

    /// Runs a query on a read-only connection.
    pub(crate) async fn read<T, F>(&self, attempted: impl Into<String>, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, SqliteError> + Send + 'static,
    {
        self.readers.read(attempted, query).await
    }
}

esoz_kernel::opaque_debug!(SqliteStore);
