//! The one place where errors of diesel and SQLite become [`StoreError`]s.

use std::error::Error;

use diesel::result::{ConnectionError, DatabaseErrorKind, Error as Driver};
use esoz_kernel::{StoreError, StoreErrorKind};

/// What may go wrong inside a read or a write: the driver fails, or what is stored cannot be right.
#[derive(Debug)]
pub(crate) enum SqliteError {
    /// The driver's own error, not yet translated.
    Driver(Driver),
    /// Already in the port's words.
    Store(StoreError),
}

impl From<Driver> for SqliteError {
    fn from(error: Driver) -> Self {
        Self::Driver(error)
    }
}

impl From<StoreError> for SqliteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl SqliteError {
    /// In the port's words, saying what was being attempted.
    pub(crate) fn during(self, attempted: &str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Driver(error) => driver_failed(attempted, error),
        }
    }
}

/// Translates an error of the driver.
pub(crate) fn driver_failed(attempted: &str, error: Driver) -> StoreError {
    // Of a commit that failed and could not be rolled back either, the first failure tells more.
    let error = match error {
        Driver::RollbackErrorOnCommit { commit_error, .. } => *commit_error,
        other => other,
    };
    StoreError::new(kind_of(&error), attempted).because(error)
}

/// Translates a failure to open the file or to get a connection from the pool: whatever it is, it may be over later.
pub(crate) fn connect_failed(attempted: &str, error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, attempted).because(error)
}

/// Translates a failure to set up a fresh connection.
pub(crate) fn connection_failed(attempted: &str, error: ConnectionError) -> StoreError {
    match error {
        ConnectionError::CouldntSetupConfiguration(error) => driver_failed(attempted, error),
        other => connect_failed(attempted, other),
    }
}

/// Translates what the machinery of migrations reports.
pub(crate) fn migration_failed(attempted: &str, error: Box<dyn Error + Send + Sync>) -> StoreError {
    match error.downcast::<Driver>() {
        Ok(error) => driver_failed(attempted, *error),
        Err(error) => StoreError::new(StoreErrorKind::Unexpected, attempted).because(error),
    }
}

fn kind_of(error: &Driver) -> StoreErrorKind {
    match error {
        Driver::DatabaseError(DatabaseErrorKind::Unknown, information) => {
            kind_of_code(information.message()).unwrap_or(StoreErrorKind::Unexpected)
        }
        _ => StoreErrorKind::Unexpected,
    }
}

/// The result codes that say more than "unexpected", each by the constant text that SQLite has for it (`sqlite3_errstr`): diesel keeps the
/// code of a constraint, but of other codes this text alone. Tests provoke busy, full, corrupt and not-a-database for real.
fn kind_of_code(text: &str) -> Option<StoreErrorKind> {
    const CODES: [(&str, StoreErrorKind); 9] = [
        ("database is locked", StoreErrorKind::Unavailable), // SQLITE_BUSY
        ("database table is locked", StoreErrorKind::Unavailable), // SQLITE_LOCKED
        ("locking protocol", StoreErrorKind::Unavailable),   // SQLITE_PROTOCOL
        ("disk I/O error", StoreErrorKind::Unavailable),     // SQLITE_IOERR
        ("database or disk is full", StoreErrorKind::Unavailable), // SQLITE_FULL
        ("unable to open database file", StoreErrorKind::Unavailable), // SQLITE_CANTOPEN
        ("out of memory", StoreErrorKind::Unavailable),      // SQLITE_NOMEM
        ("database disk image is malformed", StoreErrorKind::Corrupt), // SQLITE_CORRUPT
        ("file is not a database", StoreErrorKind::Corrupt), // SQLITE_NOTADB
    ];
    CODES.into_iter().find(|(code, _)| *code == text).map(|(_, kind)| kind)
}
