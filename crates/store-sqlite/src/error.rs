//! Translates errors of diesel and SQLite into [`StoreError`]s.

use std::error::Error;

use diesel::result::{ConnectionError, DatabaseErrorKind, Error as Driver};
use esoz_kernel::{StoreError, StoreErrorKind};

use crate::read_limit::OUT_OF_TIME;

/// The text of SQLITE_BUSY.
const LOCKED: &str = "database is locked";

/// Why a read or a write failed.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) enum SqliteError {
    /// An error of the driver, not translated yet.
    Driver(#[from] Driver),
    /// An error of the port: a stored row is corrupt.
    Store(#[from] StoreError),
}

impl SqliteError {
    /// Translates it; `attempted` says what the call was doing.
    pub(crate) fn during(self, attempted: &str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Driver(error) => driver_failed(attempted, error),
        }
    }
}

/// Translates an error of the driver.
pub(crate) fn driver_failed(attempted: &str, error: Driver) -> StoreError {
    // When the commit and the rollback both failed, the commit's error names the cause.
    let error = match error {
        Driver::RollbackErrorOnCommit { commit_error, .. } => *commit_error,
        other => other,
    };
    StoreError::new(kind_of(&error), attempted).because(error)
}

/// Whether a statement was refused because a row that it refers to is not there.
pub(crate) const fn is_foreign_key_violation(error: &Driver) -> bool {
    matches!(error, Driver::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _))
}

/// Whether a statement was refused because another row has its unique value.
pub(crate) const fn is_unique_violation(error: &Driver) -> bool {
    matches!(error, Driver::DatabaseError(DatabaseErrorKind::UniqueViolation, _))
}

/// Whether a statement was refused by a check of the table.
pub(crate) const fn is_check_violation(error: &Driver) -> bool {
    matches!(error, Driver::DatabaseError(DatabaseErrorKind::CheckViolation, _))
}

/// Whether another process or connection holds the lock on the file.
pub(crate) fn is_locked(error: &Driver) -> bool {
    matches!(error, Driver::DatabaseError(_, information) if information.message() == LOCKED)
}

/// Translates a failure to open the file: a later attempt may succeed.
pub(crate) fn connection_failed(attempted: &str, error: ConnectionError) -> StoreError {
    match error {
        ConnectionError::CouldntSetupConfiguration(error) => driver_failed(attempted, error),
        other => StoreError::new(StoreErrorKind::Unavailable, attempted).because(other),
    }
}

/// Translates an error of the migration harness.
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

/// Maps SQLite's result codes by their constant texts (`sqlite3_errstr`): diesel keeps the code of a constraint, but only the text of other
/// codes. Tests provoke busy, full, read-only, corrupt and not-a-database on a real file.
fn kind_of_code(text: &str) -> Option<StoreErrorKind> {
    const CODES: [(&str, StoreErrorKind); 11] = [
        (OUT_OF_TIME, StoreErrorKind::Unavailable),
        (LOCKED, StoreErrorKind::Unavailable), // SQLITE_BUSY
        ("database table is locked", StoreErrorKind::Unavailable), // SQLITE_LOCKED
        ("locking protocol", StoreErrorKind::Unavailable), // SQLITE_PROTOCOL
        ("disk I/O error", StoreErrorKind::Unavailable), // SQLITE_IOERR
        ("database or disk is full", StoreErrorKind::Unavailable), // SQLITE_FULL
        ("attempt to write a readonly database", StoreErrorKind::Unavailable), // SQLITE_READONLY
        ("unable to open database file", StoreErrorKind::Unavailable), // SQLITE_CANTOPEN
        ("out of memory", StoreErrorKind::Unavailable), // SQLITE_NOMEM
        ("database disk image is malformed", StoreErrorKind::Corrupt), // SQLITE_CORRUPT
        ("file is not a database", StoreErrorKind::Corrupt), // SQLITE_NOTADB
    ];
    CODES.into_iter().find(|(code, _)| *code == text).map(|(_, kind)| kind)
}
