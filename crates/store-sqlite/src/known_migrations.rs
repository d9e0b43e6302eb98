//! The migrations of this program, and which of them a file has.

use std::collections::BTreeSet;

use diesel::dsl::sql;
use diesel::migration::{Migration, MigrationSource as _};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _, embed_migrations};
use esoz_kernel::StoreError;

use crate::error::{SqliteError, migration_failed};

pub(crate) const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// diesel's table of the migrations that were applied.
pub(crate) const MIGRATIONS_TABLE: &str = "__diesel_schema_migrations";

/// Applies every migration to an empty database.
pub(crate) fn run_all(connection: &mut SqliteConnection, attempted: &str) -> Result<(), StoreError> {
    let applied = connection.run_pending_migrations(MIGRATIONS);
    applied.map(drop).map_err(|error| migration_failed(attempted, error))
}

/// Whether a newer program migrated the file, e.g. while this one uses it.
pub(crate) fn is_newer(connection: &mut SqliteConnection, attempted: &str) -> Result<bool, SqliteError> {
    let known = known_versions(attempted)?;
    Ok(!applied_versions(connection)?.is_subset(&known))
}

pub(crate) fn known_versions(attempted: &str) -> Result<BTreeSet<String>, StoreError> {
    let known: Vec<Box<dyn Migration<Sqlite>>> =
        MIGRATIONS.migrations().map_err(|error| migration_failed(attempted, error))?;
    Ok(known.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// Lists the migrations that were applied to the file. Unlike diesel's own query this writes nothing.
pub(crate) fn applied_versions(connection: &mut SqliteConnection) -> Result<BTreeSet<String>, SqliteError> {
    let tables =
        format!("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '{MIGRATIONS_TABLE}'");
    if sql::<BigInt>(&tables).get_result::<i64>(connection)? == 0 {
        return Ok(BTreeSet::new());
    }
    let versions = sql::<Text>(&format!("SELECT version FROM {MIGRATIONS_TABLE}")).load(connection)?;
    Ok(versions.into_iter().collect())
}
