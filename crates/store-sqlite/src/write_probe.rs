use std::sync::{Arc, Mutex, TryLockError};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::result::Error as Driver;
use esoz_kernel::{StoreError, StoreErrorKind};
use tokio::task::spawn_blocking;

use crate::connection::for_writing;
use crate::error::{driver_failed, is_locked};
use crate::settings::SqliteSettings;

const ATTEMPTED: &str = "checking that the database can be written";

/// How long the probe waits for the lock on the file. Somebody who holds it for longer is writing.
const LOCK_WAIT_MS: u32 = 200;

/// Dirties more pages than the cache holds, so that SQLite writes them into the write-ahead log before the end of the transaction: as many bytes as a
/// typical change and more. The row is the one that each change sets and clears.
const WRITE: &str = "UPDATE request_context SET request_id = hex(zeroblob(32768))";

/// The room on its disk below which the file counts as one that cannot be written: some changes more would fit into what the log has already.
#[cfg(unix)]
const MIN_ROOM_BYTES: u64 = 1 << 20;

/// Tells whether the file can be written, without changing it: writes into the log where the next change goes, and rolls back. This finds a file that is
/// read-only, a quota and a broken disk alike. Nothing is committed, so nothing is synced, and the next change overwrites it. The log has room for it from the time before, so a
/// full disk is asked for as well.
///
/// Not seen by it: a disk that fails to sync.
pub(crate) struct WriteProbe {
    settings: SqliteSettings,
    /// Kept while it works: one that was opened while the file was read-only could never write.
    connection: Mutex<Option<SqliteConnection>>,
}

impl WriteProbe {
    pub(crate) fn new(settings: &SqliteSettings) -> Self {
        let settings = SqliteSettings { busy_timeout_ms: LOCK_WAIT_MS, ..settings.clone() };
        Self { settings, connection: Mutex::default() }
    }

    /// Runs it on a thread of its own, one at a time.
    pub(crate) async fn run(self: &Arc<Self>) -> Result<(), StoreError> {
        let probe = Arc::clone(self);
        let failed = |error| StoreError::new(StoreErrorKind::Unexpected, ATTEMPTED).because(error);
        spawn_blocking(move || probe.write_and_roll_back()).await.unwrap_or_else(|error| Err(failed(error)))
    }

    fn write_and_roll_back(&self) -> Result<(), StoreError> {
        let mut kept = match self.connection.try_lock() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let reason = "the check before has not come to an end";
                return Err(StoreError::new(StoreErrorKind::Unavailable, ATTEMPTED).because(reason));
            }
        };
        self.require_room()?;
        let mut connection = kept.take().map_or_else(|| self.open(), Ok)?;
        // SQLite ends a transaction itself when a write fails; then the rollback fails as well, and does not say why.
        let mut cause = None;
        let ended: QueryResult<()> = connection.immediate_transaction(|connection| {
            cause = connection.batch_execute(WRITE).err();
            Err(Driver::RollbackTransaction)
        });
        match cause.map_or(ended, Err) {
            Err(Driver::RollbackTransaction) => {}
            // In use by another writer, so it can be written.
            Err(error) if is_locked(&error) => {}
            other => return other.map_err(|error| driver_failed(ATTEMPTED, error)),
        }
        *kept = Some(connection);
        Ok(())
    }

    #[cfg(unix)]
    fn require_room(&self) -> Result<(), StoreError> {
        let unavailable = || StoreError::new(StoreErrorKind::Unavailable, ATTEMPTED);
        let disk = rustix::fs::statvfs(&self.settings.path).map_err(|error| unavailable().because(error))?;
        let is_root = rustix::process::geteuid().is_root();
        // Blocks that only root may use are no room for others. A file system without blocks does not tell.
        let free = if is_root { disk.f_bfree } else { disk.f_bavail }.saturating_mul(disk.f_frsize);
        if disk.f_blocks == 0 || free >= MIN_ROOM_BYTES {
            return Ok(());
        }
        Err(unavailable().because(format!("its disk is full: {free} bytes are left")))
    }

    #[cfg(not(unix))]
    fn require_room(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn open(&self) -> Result<SqliteConnection, StoreError> {
        let mut connection = for_writing(&self.settings)?;
        // Syncs as every other connection does: the last one that is closed moves everybody's commits from the log into the file.
        let set_up = connection.batch_execute("PRAGMA cache_size = 1");
        set_up.map_err(|error| driver_failed(ATTEMPTED, error))?;
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &tempfile::TempDir) -> SqliteSettings {
        let settings = SqliteSettings::at(folder.path().join("esoz.db"));
        crate::migrate(&settings).unwrap();
        settings
    }

    #[test]
    fn it_writes_into_the_log_and_changes_nothing() {
        // given: an empty log
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let mut other = for_writing(&settings).unwrap();
        other.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let log = folder.path().join("esoz.db-wal");
        assert_eq!(log.metadata().unwrap().len(), 0);
        let before = std::fs::read(&settings.path).unwrap();
        // when
        let probe = WriteProbe::new(&settings);
        for _ in 0..3 {
            probe.write_and_roll_back().unwrap();
        }
        // then: the disk took what a change needs, and not more each time
        let written = log.metadata().unwrap().len();
        assert!((32_768..200_000).contains(&written), "{written} bytes");
        let ids = crate::schema::request_context::table.select(crate::schema::request_context::request_id);
        assert_eq!(ids.load::<Option<String>>(&mut other).unwrap(), [None]);
        other.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        assert_eq!(std::fs::read(&settings.path).unwrap(), before);
    }

    #[test]
    fn a_full_disk_is_found_and_its_end_as_well() {
        let folder = tempfile::tempdir().unwrap();
        let probe = WriteProbe::new(&settings(&folder));
        let mut full = probe.open().unwrap();
        full.batch_execute("PRAGMA max_page_count = 1").unwrap();
        *probe.connection.lock().unwrap() = Some(full);
        let error = probe.write_and_roll_back().unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{}", error.with_causes());
        assert!(error.with_causes().contains("database or disk is full"), "{}", error.with_causes());
        probe.write_and_roll_back().unwrap();
    }

    #[test]
    fn somebody_who_writes_for_long_is_no_failure() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder);
        let mut other = for_writing(&settings).unwrap();
        other.batch_execute("BEGIN IMMEDIATE").unwrap();
        WriteProbe::new(&settings).write_and_roll_back().unwrap();
    }
}
