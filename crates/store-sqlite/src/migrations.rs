use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use diesel::dsl::sql;
use diesel::migration::{Migration as _, MigrationConnection as _};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel_migrations::MigrationHarness as _;
use esoz_kernel::{StoreError, StoreErrorKind};

use crate::audit;
use crate::connection::{for_reading, for_writing, use_write_ahead_log};
use crate::error::{SqliteError, driver_failed, migration_failed};
use crate::known_migrations::{MIGRATIONS, MIGRATIONS_TABLE, applied_versions, known_versions};
use crate::settings::SqliteSettings;

/// The delay between attempts to switch on the write-ahead log while others use the file.
const PAUSE: Duration = Duration::from_millis(10);

/// Held while this process makes a file: closing it drops every lock that the process has on it, so nothing may lock it before.
static MAKING: Mutex<()> = Mutex::new(());

/// Applies pending migrations, all or none, and restores triggers of the audit that were dropped or replaced. Returns the names of the migrations in
/// order, and `trigger` with the name of each trigger. Creates the file if it does not exist, readable by its owner
/// alone.
///
/// Idempotent, and safe while servers use the file or other processes migrate it. Blocks the thread.
///
/// # Errors
/// [`StoreError`], unavailable when others keep the file busy for longer than [`SqliteSettings::busy_timeout_ms`].
pub fn migrate(settings: &SqliteSettings) -> Result<Vec<String>, StoreError> {
    settings.check()?;
    make_file(settings)?;
    let attempted = format!("migrating the database {}", settings.path.display());
    let mut connection = for_writing(settings)?;
    let deadline = Instant::now() + settings.busy_timeout();
    // SQLite's busy time-out does not cover a change of the journal mode.
    while let Err(error) = use_write_ahead_log(&mut connection, settings) {
        if error.kind() != StoreErrorKind::Unavailable || Instant::now() >= deadline {
            return Err(error);
        }
        std::thread::sleep(PAUSE);
    }
    // A migration may have to rebuild a table that others refer to; the references are checked before the commit instead. SQLite
    // ignores this setting inside a transaction.
    connection
        .batch_execute("PRAGMA foreign_keys = OFF")
        .and_then(|()| connection.setup())
        .map_err(|error| driver_failed(&attempted, error))?;
    connection
        .immediate_transaction(|connection| apply_pending(connection, &attempted))
        .map_err(|error| error.during(&attempted))
}

fn apply_pending(connection: &mut SqliteConnection, attempted: &str) -> Result<Vec<String>, SqliteError> {
    let failed = |error| SqliteError::Store(migration_failed(attempted, error));
    refuse_newer(&applied_versions(connection)?, attempted)?;
    let pending = connection.pending_migrations(MIGRATIONS).map_err(failed)?;
    let mut applied = Vec::new();
    for migration in &pending {
        connection.run_migration(migration).map_err(failed)?;
        applied.push(migration.name().to_string());
    }
    let restored = audit::restore(connection)?;
    applied.extend(restored.iter().map(|name| format!("trigger {name}")));
    if !applied.is_empty() {
        let broken: i64 =
            sql::<BigInt>("SELECT count(*) FROM pragma_foreign_key_check").get_result(connection)?;
        if broken != 0 {
            let reason = format!("{broken} references would point nowhere afterwards");
            return Err(StoreError::new(StoreErrorKind::Corrupt, attempted).because(reason).into());
        }
    }
    Ok(applied)
}

/// Creates an empty file that only its owner may read, if there is none: it will hold health data. SQLite gives the files beside it the same
/// permissions.
fn make_file(settings: &SqliteSettings) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Ok(true) = settings.path.try_exists() {
        return Ok(());
    }
    options.open(&settings.path).map(drop).map_err(|error| {
        let attempted = format!("making the database {}", settings.path.display());
        StoreError::new(StoreErrorKind::Unavailable, attempted).because(error)
    })
}

/// Whether nobody has stored anything in the file yet: it is missing or empty, or lacks migrations and has no row. This is what the first start
/// leaves when it is killed, and what a concurrent start sees of it. A file of anything else is never unused.
pub(crate) fn is_unused(settings: &SqliteSettings) -> Result<bool, StoreError> {
    if let Ok(false) = settings.path.try_exists() {
        return Ok(true);
    }
    let attempted = format!("opening the database {}", settings.path.display());
    let mut connection = for_reading(settings)?;
    let known = known_versions(&attempted)?;
    let mut look = || {
        let applied = applied_versions(&mut connection)?;
        let tables = format!(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
             AND name NOT IN ('{MIGRATIONS_TABLE}', 'request_context')"
        );
        let tables: Vec<String> = sql::<Text>(&tables).load(&mut connection)?;
        if applied.is_empty() || !applied.is_subset(&known) || applied == known {
            return Ok(applied.is_empty() && tables.is_empty());
        }
        for table in tables {
            let has_rows = format!("SELECT EXISTS (SELECT 1 FROM \"{table}\")");
            if sql::<Bool>(&has_rows).get_result(&mut connection)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    look().map_err(|error: SqliteError| error.during(&attempted))
}

/// Refuses a file whose schema is older or newer than this program, with the remedy.
pub(crate) fn require_current_schema(
    connection: &mut SqliteConnection,
    settings: &SqliteSettings,
) -> Result<(), StoreError> {
    let attempted = format!("opening the database {}", settings.path.display());
    let applied = applied_versions(connection).map_err(|error| error.during(&attempted))?;
    refuse_newer(&applied, &attempted)?;
    let known = known_versions(&attempted)?;
    let missing: Vec<&str> = known.difference(&applied).map(String::as_str).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    let attempted = format!(
        "{attempted}: its schema is older than this program (it lacks {missing}); run `esoz migrate`"
    );
    Err(StoreError::new(StoreErrorKind::Unexpected, attempted))
}

fn refuse_newer(applied: &BTreeSet<String>, attempted: &str) -> Result<(), StoreError> {
    let known = known_versions(attempted)?;
    let Some(newer) = applied.difference(&known).last() else { return Ok(()) };
    let attempted = format!(
        "{attempted}: its schema is newer than this program, which does not know migration {newer}; \
         use the version of the program that migrated it, or a later one"
    );
    Err(StoreError::new(StoreErrorKind::Unexpected, attempted))
}
