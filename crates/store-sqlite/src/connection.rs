use std::fs::File;

use diesel::connection::{SimpleConnection as _, TransactionManager};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Text;
use esoz_kernel::{StoreError, StoreErrorKind};

use crate::device_dispense::query::register_functions;
use crate::error::{connection_failed, driver_failed};
use crate::read_limit;
use crate::settings::SqliteSettings;

/// The size in bytes that the write-ahead log is cut to after a checkpoint.
const JOURNAL_SIZE_LIMIT_BYTES: u32 = 64 * 1024 * 1024;

/// Opens a connection to an existing file that only reads.
pub(crate) fn for_reading(settings: &SqliteSettings) -> Result<SqliteConnection, StoreError> {
    open(settings, "PRAGMA query_only = ON;")
}

/// Opens a connection to an existing file that reads and writes.
pub(crate) fn for_writing(settings: &SqliteSettings) -> Result<SqliteConnection, StoreError> {
    let limit = JOURNAL_SIZE_LIMIT_BYTES;
    open(settings, &format!("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = {limit};"))
}

/// Sets up a connection for many inserts, which change pages all over the indexes: with a small cache most pages would be read and written
/// again for each row, and with frequent checkpoints written twice as often.
pub(crate) fn expect_many_inserts(connection: &mut SqliteConnection) -> QueryResult<()> {
    connection.batch_execute("PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 8000;")
}

/// Opens a connection and sets it up by one batch of statements: the busy time-out first, so that it applies to the rest.
fn open(settings: &SqliteSettings, for_purpose: &str) -> Result<SqliteConnection, StoreError> {
    let attempted = format!("opening the database {}", settings.path.display());
    // SQLite says only that the file cannot be opened, the system why.
    let failed = |error| match File::options().read(true).write(true).open(&settings.path) {
        Err(why) => StoreError::new(StoreErrorKind::Unavailable, attempted.as_str()).because(why),
        Ok(_) => connection_failed(&attempted, error),
    };
    let mut connection = SqliteConnection::establish(&settings.url()?).map_err(failed)?;
    let wait = settings.busy_timeout_ms;
    connection
        .batch_execute(&format!("PRAGMA busy_timeout = {wait}; PRAGMA foreign_keys = ON; {for_purpose}"))
        .and_then(|()| register_functions(&mut connection))
        .and_then(|()| read_limit::register_function(&mut connection))
        .map_err(|error| driver_failed(&attempted, error))?;
    Ok(connection)
}

/// Whether no transaction is open or broken.
pub(crate) fn is_clean(connection: &mut SqliteConnection) -> bool {
    type Manager = <SqliteConnection as Connection>::TransactionManager;
    matches!(Manager::transaction_manager_status_mut(connection).transaction_depth(), Ok(None))
}

/// Switches the file to a write-ahead log, so that reads and writes run concurrently. The file keeps the setting.
pub(crate) fn use_write_ahead_log(
    connection: &mut SqliteConnection,
    settings: &SqliteSettings,
) -> Result<(), StoreError> {
    let attempted = || format!("turning on the write-ahead log of {}", settings.path.display());
    let mode: QueryResult<String> = sql::<Text>("PRAGMA journal_mode = WAL").get_result(connection);
    if mode.map_err(|error| driver_failed(&attempted(), error))? == "wal" {
        return Ok(());
    }
    let reason = "SQLite refused it; the directory must be writable and on a disk of this machine";
    Err(StoreError::new(StoreErrorKind::Unexpected, attempted()).because(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(QueryableByName)]
    struct Pragmas {
        #[diesel(sql_type = Text)]
        all: String,
    }

    fn pragmas(connection: &mut SqliteConnection) -> String {
        let query = "SELECT foreign_keys || ' ' || synchronous || ' ' || query_only || ' ' || timeout || ' ' || journal_mode AS \"all\"
            FROM pragma_foreign_keys, pragma_synchronous, pragma_query_only, pragma_busy_timeout, pragma_journal_mode";
        diesel::sql_query(query).get_result::<Pragmas>(connection).unwrap().all
    }

    #[test]
    fn every_connection_is_set_up_for_its_purpose() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("esoz.db");
        let settings = SqliteSettings { busy_timeout_ms: 1_234, ..SqliteSettings::at(path) };
        crate::migrate(&settings).unwrap();
        // 2 is FULL: a commit is on the disk before it is reported.
        assert_eq!(pragmas(&mut for_writing(&settings).unwrap()), "1 2 0 1234 wal");
        let mut reader = for_reading(&settings).unwrap();
        assert_eq!(pragmas(&mut reader), "1 2 1 1234 wal");
        assert!(diesel::sql_query("DELETE FROM users").execute(&mut reader).is_err());
    }
}
