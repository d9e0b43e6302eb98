use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use esoz_kernel::{StoreError, StoreErrorKind};

use crate::connection::{for_writing, use_write_ahead_log};
use crate::error::driver_failed;
use crate::settings::SqliteSettings;

/// The database file that was opened, its write-ahead log and the index of the log. A connection goes on using a file whose path is gone or leads to
/// another one; what is written there is lost.
pub(crate) struct OpenedFile {
    database: FileIdentity,
    /// `-wal` and `-shm`.
    log: Vec<FileIdentity>,
    /// Open as long as the store: the last connection that is closed deletes the log, and the next one creates another.
    _keeps_log: Mutex<SqliteConnection>,
}

struct FileIdentity {
    path: PathBuf,
    identity: Identity,
}

/// Device and inode.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

/// Elsewhere an open file can be neither deleted nor replaced.
#[cfg(not(unix))]
type Identity = ();

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {}

impl FileIdentity {
    fn of(path: PathBuf) -> std::io::Result<Self> {
        let identity = identity(&path.metadata()?);
        Ok(Self { path, identity })
    }

    fn is_there(&self) -> bool {
        self.path.metadata().is_ok_and(|found| identity(&found) == self.identity)
    }
}

/// The path of a file that SQLite keeps beside the database. It resolves links first.
fn beside(database: &Path, suffix: &str) -> std::io::Result<PathBuf> {
    let mut path = database.canonicalize()?.into_os_string();
    path.push(suffix);
    Ok(path.into())
}

impl OpenedFile {
    /// The files at the path now. Turns on the write-ahead log.
    pub(crate) fn at(settings: &SqliteSettings) -> Result<Self, StoreError> {
        let attempted = || format!("opening the database {}", settings.path.display());
        let unavailable = |error| StoreError::new(StoreErrorKind::Unavailable, attempted()).because(error);
        let database = FileIdentity::of(settings.path.clone()).map_err(unavailable)?;
        let mut connection = for_writing(settings)?;
        use_write_ahead_log(&mut connection, settings)?;
        // The first read opens the log.
        let read = connection.batch_execute("SELECT count(*) FROM sqlite_schema");
        read.map_err(|error| driver_failed(&attempted(), error))?;
        let mut log = Vec::new();
        for suffix in ["-wal", "-shm"] {
            log.push(beside(&settings.path, suffix).and_then(FileIdentity::of).map_err(unavailable)?);
        }
        Ok(Self { database, log, _keeps_log: Mutex::new(connection) })
    }

    /// Refuses to go on when a path is gone or leads to another file.
    pub(crate) fn check(&self, attempted: &str) -> Result<(), StoreError> {
        let database = self.database.path.display();
        let reason = if !self.database.is_there() {
            format!(
                "the database {database} was deleted or replaced while it was in use; stop the program, put the right file there, start again"
            )
        } else if let Some(lost) = self.log.iter().find(|file| !file.is_there()) {
            let lost = lost.path.display();
            format!(
                "{lost} was deleted or replaced while the database {database} was in use; stop the program, and start it again"
            )
        } else {
            return Ok(());
        };
        Err(StoreError::new(StoreErrorKind::Unavailable, attempted).because(reason))
    }
}
